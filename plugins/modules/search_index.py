#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: search_index
short_description: Put index templates into Elasticsearch and make their indices
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Puts every template of a directory that is missing or differs, makes the index of the same name if it is missing, and sets its refresh interval.
  - An index that is there is never deleted, and its mapping is not changed, also where its template is.
  - An index whose mapping contradicts its template was made by a write before the template was there; the module fails and says how to get out of it.
  - Speaks to Elasticsearch from inside the container's network namespace, so nothing needs to be published. The task must run as root.
options:
  templates:
    description: Directory on the host with the templates, C(<name>.index-template.json). The name is that of the template and of the index.
    type: path
    required: true
  refresh_interval:
    description: Refresh interval of the indices. Empty leaves it as it is.
    type: str
    default: 10ms
  plugin:
    description: Plugin that must be installed, since the templates need it. Empty for none.
    type: str
    default: analysis-smartcn
  wrong_index:
    description: What to do about an index whose mapping contradicts its template.
    type: str
    choices: [fail, warn]
    default: fail
  user_env:
    description: Name of the container's environment variable that holds the user's name. Without it the user is V(elastic).
    type: str
    default: ''
  password_env:
    description: Name of the container's environment variable that holds the password. Without it no one is logged in.
    type: str
    default: ''
  port:
    description: The port on which Elasticsearch listens in the container, by HTTP.
    type: int
    default: 9200
  urls:
    description: Where Elasticsearch is, as the container reaches it. Without them it is in the container itself.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for an answer.
    type: int
    default: 60
extends_documentation_fragment:
  - cozeops.studio.init_job
"""

EXAMPLES = r"""
- name: Make the two indices
  cozeops.studio.search_index:
    container: coze-elasticsearch
    ledger: /opt/cozeops/coze/data/.elasticsearch.json
    templates: /opt/cozeops/coze/conf/elasticsearch/es_index_schema
"""

RETURN = r"""
msg:
  description: What was done, or would be done, in a sentence.
  returned: always
  type: str
  sample: "put template coze_resource, made index coze_resource"
templates:
  description: Templates that were put, or in check mode would be put.
  returned: always
  type: list
  elements: str
  sample: [coze_resource, project_draft]
indices:
  description: Indices that were made, or in check mode would be made.
  returned: always
  type: list
  elements: str
  sample: [coze_resource, project_draft]
settings:
  description: Indices that were there and got another refresh interval.
  returned: always
  type: list
  elements: str
  sample: []
present:
  description: Indices of the templates that are there in the end.
  returned: always
  type: list
  elements: str
  sample: [coze_resource, project_draft]
problems:
  description: Indices whose mapping contradicts their template, and how.
  returned: always
  type: list
  elements: str
  sample: ["index coze_resource: dynamic is true, not false"]
"""

import base64
import contextlib
import http.client
import json
import os
import typing as t
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.module_utils._http import Connect, Deadline, Target, requested, target_of_url
from ansible_collections.cozeops.studio.plugins.module_utils._init_job import (
    COMMON_SPEC,
    JobError,
    NotYet,
    Store,
    env_name,
    find_store,
    finish,
    outcome,
    record,
)
from ansible_collections.cozeops.studio.plugins.module_utils._probe import NamespaceDenied, ProcessGone, in_netns
from ansible_collections.cozeops.studio.plugins.module_utils._search import SUFFIX, check_mapping, reason, template_differences
from ansible_collections.cozeops.studio.plugins.module_utils._via_container import as_container

JOB = "search_index"
EMPTY: dict[str, t.Any] = {"templates": [], "indices": [], "settings": [], "present": [], "problems": []}
Templates = dict[str, dict[str, t.Any]]


class Elastic(t.NamedTuple):
    """Elasticsearch in its container, or as the container reaches it."""

    store: Store
    #: Elsewhere; the first one that answers is asked.
    targets: list[Target]
    port: int
    headers: dict[str, str]
    timeout: int

    def ask(self, method: str, path: str, body: t.Any = None) -> tuple[int, t.Any]:
        """Status and decoded answer. Raises NotYet if nothing answers."""

        data = None if body is None else json.dumps(body).encode()

        def request(target: Target, connect: Connect | None) -> tuple[int, bytes]:
            with requested(target, method, path, data, self.headers, Deadline(self.timeout), connect) as response:
                return response.status, response.read()

        def elsewhere(connect: Connect | None) -> tuple[int, bytes]:
            for target in self.targets[:-1]:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    return request(target, connect)
            return request(self.targets[-1], connect)

        try:
            if self.targets:
                status, answer = as_container(self.store.name, self.timeout, elsewhere)
            else:
                status, answer = in_netns(self.store.pid, lambda: request(Target("http", "127.0.0.1", self.port), None))
        except NamespaceDenied as exc:
            raise JobError(f"the network of container {self.store.name} cannot be entered ({exc}): run this task as root (become: true)") from exc
        except (EngineError, ProcessGone, OSError, http.client.HTTPException) as exc:
            raise NotYet(f"Elasticsearch does not answer {self.where} ({exc}): wait until it is ready") from exc
        try:
            return status, json.loads(answer or b"{}")
        except ValueError:
            return status, answer.decode("utf-8", "replace")

    @property
    def where(self) -> str:
        if self.targets:
            return "at " + ", ".join(f"{target.host}:{target.port}" for target in self.targets)
        return f"on port {self.port} in container {self.store.name}"

    def must(self, method: str, path: str, body: t.Any = None) -> t.Any:
        """The answer. Raises JobError unless it is a good one."""
        status, answer = self.ask(method, path, body)
        if status == 401:
            raise JobError(f"container {self.store.name}: Elasticsearch wants a login: set user_env and password_env to the container's variables that hold it")
        if status >= 300:
            raise JobError(f"container {self.store.name}: {method} {path} gave HTTP {status}: {reason(answer)}")
        return answer

    def get(self, path: str) -> t.Any:
        """The answer, or None if there is no such thing (404)."""
        status, answer = self.ask("GET", path)
        return None if status == 404 else answer if status < 300 else self.must("GET", path)


def read_templates(directory: str) -> Templates:
    """Templates by name. Raises NotYet for a missing directory, JobError for a file that is not a template."""
    if not os.path.isdir(directory):
        raise NotYet(f"templates: there is no directory {directory} on this host")
    found: Templates = {}
    for name in sorted(os.listdir(directory)):
        if not name.endswith(SUFFIX):
            continue
        path = os.path.join(directory, name)
        try:
            with open(path, encoding="utf-8") as stream:
                template = json.load(stream)
        except ValueError as exc:
            raise JobError(f"{path} is not JSON: {exc}") from exc
        except OSError as exc:
            raise JobError(f"{path} cannot be read: {exc}") from exc
        if not isinstance(template, dict) or "index_patterns" not in template:
            raise JobError(f"{path} is not an index template: it has no index_patterns")
        found[name[: -len(SUFFIX)]] = template
    if not found:
        raise JobError(f"templates: no file in {directory} ends in {SUFFIX}")
    return found


def connect_to(module: AnsibleModule, store: Store) -> Elastic:
    headers = {"Content-Type": "application/json"}
    if module.params["password_env"] and variable(store, "password_env", module.params["password_env"]):
        user = variable(store, "user_env", module.params["user_env"]) if module.params["user_env"] else "elastic"
        login = f"{user or 'elastic'}:{variable(store, 'password_env', module.params['password_env'])}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    return Elastic(store, [target_of_url(url) for url in module.params["urls"]], module.params["port"], headers, module.params["timeout"])


def variable(store: Store, option: str, name: str) -> str:
    value = store.env.get(env_name(option, name))
    if value is None:
        raise JobError(f"{option}: container {store.name} has no variable {name}")
    return value


def check_plugin(elastic: Elastic, plugin: str) -> None:
    if not plugin or any(item.get("component") == plugin for item in elastic.must("GET", "/_cat/plugins?format=json")):
        return
    version = elastic.must("GET", "/").get("version", {}).get("number", "its version")
    raise JobError(
        f"Elasticsearch {elastic.where} lacks the plugin {plugin}, which the index templates need. "
        f"Put {plugin}.zip, made for exactly Elasticsearch {version}, where the container installs its plugins from "
        "(docker/volumes/elasticsearch/ of the source tree), and deploy again."
    )


def templates_to_put(elastic: Elastic, templates: Templates) -> dict[str, list[str]]:
    """Names of templates that are missing or differ, with what differs (empty: missing)."""
    wanted: dict[str, list[str]] = {}
    for name, template in templates.items():
        answer = elastic.get(f"/_index_template/{quote(name)}")
        stored = answer["index_templates"][0]["index_template"] if answer else None
        differences = template_differences(template, stored) if stored is not None else []
        if stored is None or differences:
            wanted[name] = differences
    return wanted


def look_at_indices(elastic: Elastic, templates: Templates) -> dict[str, dict[str, t.Any]]:
    """What Elasticsearch says of each index that is there."""
    found = {}
    for name in templates:
        answer = elastic.get(f"/{quote(name)}")
        if answer:
            # The key is the index's own name, which differs if the name is an alias.
            found[name] = next(iter(answer.values()))
    return found


def examine(templates: Templates, indices: t.Mapping[str, t.Mapping[str, t.Any]]) -> tuple[list[str], list[str]]:
    """(problems, warnings) of the indices that are there."""
    problems, warnings = [], []
    for name, index in indices.items():
        check = check_mapping(templates[name], index.get("mappings") or {})
        if check.wrong:
            problems.append(f"index {name}: {'; '.join(check.wrong)}")
        elif check.absent:
            warnings.append(f"index {name} was made from an older template and lacks {', '.join(check.absent)}: it stays so, only a new index gets them")
    return problems, warnings


def way_out(problems: t.Sequence[str]) -> str:
    names = ", ".join(problem.split(":")[0].replace("index ", "") for problem in problems)
    return (
        f"{'. '.join(problems)}. Elasticsearch made this by itself at a first write, before the template was there; searches in it go wrong. "
        f"It is not deleted from here. Way out: stop coze-server, delete the index ({names}) and run this again, which makes it as it should be; "
        "what was in it is found again once it is saved anew (or copy it first with _reindex into another index, and back). wrong_index=warn goes on as it is."
    )


def refresh_of(index: t.Mapping[str, t.Any]) -> str:
    return str(index.get("settings", {}).get("index", {}).get("refresh_interval", ""))


def apply(elastic: Elastic, templates: Templates, result: t.Mapping[str, t.Any], refresh_interval: str) -> None:
    for name in result["templates"]:
        elastic.must("PUT", f"/_index_template/{quote(name)}", templates[name])
    for name in result["indices"]:
        elastic.must("PUT", f"/{quote(name)}")
    if refresh_interval:
        for name in [*result["indices"], *result["settings"]]:
            elastic.must("PUT", f"/{quote(name)}/_settings", {"index": {"refresh_interval": refresh_interval}})


def job(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    store = find_store(params["container"])
    elastic = connect_to(module, store)
    templates = read_templates(params["templates"])
    check_plugin(elastic, params["plugin"])
    wanted = templates_to_put(elastic, templates)
    indices = look_at_indices(elastic, templates)
    problems, warnings = examine(templates, indices)
    refresh = params["refresh_interval"]
    result: dict[str, t.Any] = {
        "templates": list(wanted),
        "indices": [name for name in templates if name not in indices],
        "settings": [name for name, index in indices.items() if refresh and refresh_of(index) != refresh],
        "present": sorted(indices),
        "problems": problems,
    }
    for warning in warnings:
        module.warn(warning)
    report_problems(module, problems)
    result.update(outcome(module, JOB, list(templates), lines(result, wanted, refresh)))
    if not module.check_mode:
        apply(elastic, templates, result, refresh)
        made = look_at_indices(elastic, templates)
        result["present"] = sorted(made)
        report_problems(module, examine(templates, {name: made.get(name, {}) for name in result["indices"]})[0])
        record(module, JOB, list(templates), store)
    done = ", ".join(lines(result, wanted, refresh))
    return {**result, "msg": f"{'would: ' if module.check_mode else ''}{done}" if done else "templates and indices are as they should be"}


def report_problems(module: AnsibleModule, problems: list[str]) -> None:
    if problems and module.params["wrong_index"] == "fail":
        raise JobError(way_out(problems), problems=problems)
    if problems:
        module.warn(way_out(problems))


def lines(result: t.Mapping[str, t.Any], differences: t.Mapping[str, t.Sequence[str]], refresh: str) -> list[str]:
    """What is done, one thing a line."""
    put = [f"put template {name}" + (f" (differs in {', '.join(differences[name])})" if differences[name] else "") for name in result["templates"]]
    make = [f"make index {name}" for name in result["indices"]]
    return put + make + [f"set refresh_interval of index {name} to {refresh}" for name in result["settings"]]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **COMMON_SPEC,
            "templates": {"type": "path", "required": True},
            "refresh_interval": {"type": "str", "default": "10ms"},
            "plugin": {"type": "str", "default": "analysis-smartcn"},
            "wrong_index": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
            "user_env": {"type": "str", "default": ""},
            "password_env": {"type": "str", "default": "", "no_log": False},
            "port": {"type": "int", "default": 9200},
            "urls": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    finish(module, lambda: job(module), f"put the templates of {module.params['templates']} and make their indices", EMPTY)


if __name__ == "__main__":
    main()
