#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_doctor
short_description: Find out what is wrong with a stack on a host
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Reads states, exit codes and the last lines of the logs of what is not well, and looks them up in a catalogue of failures. Asks every store as the server
    would, from the server's network, with the server's login. Compares tables and indices with what was deployed. Looks at the host.
  - Nothing is changed.
attributes:
  action:
    support: full
    description: The action plugin notes the controller's time, so that clocks can be compared.
  check_mode:
    support: full
    description: Nothing is changed anyway.
  diff_mode:
    support: none
    description: There is nothing to show.
  idempotent:
    support: full
    description: Nothing is changed.
  platform:
    platforms: linux
    support: full
    description: The host has to be a Linux machine. Needs root.
options:
  root:
    description: The stack's directory on the host, with C(stack.json).
    type: path
    required: true
  log_lines:
    description: How many of the last lines of a log are read.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: See what is wrong
  cozeops.studio.stack_doctor:
    root: /opt/cozeops/coze
  register: found
"""

RETURN = r"""
findings:
  description: What is wrong, in no order.
  returned: always
  type: list
  elements: dict
  sample: [{"service": "redis", "level": "fail", "what": "it is exited, with exit code 137", "meaning": "", "fix": "", "line": ""}]
needs:
  description: What each service on this host depends on.
  returned: always
  type: dict
  sample: {"milvus": ["etcd", "minio"]}
clock:
  description: The host's time when it was looked at, with the controller's before and after.
  returned: success
  type: dict
  sample: {"host": 1790000000.5, "before": 1790000000.1, "after": 1790000000.9}
"""

import concurrent.futures
import functools
import http.client
import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _doctor, _host
from ansible_collections.cozeops.studio.plugins.module_utils._catalogue import explain
from ansible_collections.cozeops.studio.plugins.module_utils._container import container_name
from ansible_collections.cozeops.studio.plugins.module_utils._doctor import FAIL, Finding, finding
from ansible_collections.cozeops.studio.plugins.module_utils._embedding import embedding_of
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect, inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._exec import ExecError
from ansible_collections.cozeops.studio.plugins.module_utils._http import Connect, target_of_url
from ansible_collections.cozeops.studio.plugins.module_utils._mysql import MysqlError, Session, read_tables
from ansible_collections.cozeops.studio.plugins.module_utils._plan_host import watched_once
from ansible_collections.cozeops.studio.plugins.module_utils._ready import Watch
from ansible_collections.cozeops.studio.plugins.module_utils._redact import read_env, redact, stack_secrets
from ansible_collections.cozeops.studio.plugins.module_utils._running import ALIVE, NoStack, read_kept
from ansible_collections.cozeops.studio.plugins.module_utils._schema import SchemaError, expected, lacking, migration_order, read_script
from ansible_collections.cozeops.studio.plugins.module_utils._search import SUFFIX
from ansible_collections.cozeops.studio.plugins.module_utils._sql import UPSTREAM_DATABASE
from ansible_collections.cozeops.studio.plugins.module_utils._store_probe import Bad, Way, basic, milvus_collections, probe
from ansible_collections.cozeops.studio.plugins.module_utils._vectors import VectorError
from ansible_collections.cozeops.studio.plugins.module_utils._via_container import as_container

TIMEOUT = 5.0
#: What a service ends with that is asked to end.
STOPPED = (0, 143)
SITE = "site.yml makes it so."
SERVER = "coze-server"


class Look(t.NamedTuple):
    """What is looked at."""

    client: t.Any
    model: dict[str, t.Any]
    inspects: dict[str, dict[str, t.Any] | None]
    secrets: list[str]
    log_lines: int

    def inputs_of(self, job: str) -> tuple[str, str]:
        """(service, directory on the host) that an init job of the stack works with, ("", "") without one."""
        for name, service in self.model["services"].items():
            for each in service["init"]:
                if each["name"] == job:
                    return name, os.path.join(self.model["root"], each["inputs"][0])
        return "", ""

    @property
    def running(self) -> list[str]:
        return [name for name, inspect in self.inspects.items() if inspect and inspect["State"]["Status"] == "running"]

    def log(self, name: str) -> list[str]:
        text = self.client.logs(container_name(self.model["name"], name), tail=self.log_lines).decode("utf-8", "replace")
        return redact(text, self.secrets).splitlines()

    def explained(self, name: str, what: str, exit_code: int | None, oom: bool) -> list[Finding]:
        """The state of a service, with what the catalogue makes of its last words."""
        known = explain(name, exit_code, oom, self.log(name))
        # What a probe was told may be known as well.
        told = [] if known else explain(name, exit_code, oom, [what])
        if told:
            return [finding(name, FAIL, what, told[0].fix, told[0].meaning)]
        if not known:
            return [finding(name, FAIL, what, "Its log says nothing that is known here: logs.yml collects it.")]
        return [finding(name, FAIL, what, known[0].fix, known[0].meaning, known[0].line)]


def container_findings(look: Look) -> list[Finding]:
    """Services that have no container, do not run, or are not ready."""
    found, listeners = [], _host.listeners()
    for name, inspect in look.inspects.items():
        if inspect is None:
            found.append(finding(name, FAIL, "it has no container", SITE))
            continue
        state = inspect["State"]
        found += _doctor.port_findings(look.model["services"][name], listeners) if state["Status"] not in ALIVE else []
        if state["Status"] == "paused":
            found.append(finding(name, FAIL, "it is paused", "docker unpause %s" % container_name(look.model["name"], name)))
        elif state["Status"] not in ALIVE and state["ExitCode"] in STOPPED and not state.get("OOMKilled"):
            when = str(state.get("FinishedAt"))[:19]
            fix = "start.yml starts it; status.yml tells who changed what."
            found.append(finding(name, FAIL, "it was stopped at %s UTC, and did not end by itself" % when, fix))
        elif state["Status"] not in ALIVE:
            what = "it is %s, with exit code %s" % (state["Status"], state["ExitCode"])
            found += look.explained(name, what, state["ExitCode"], bool(state.get("OOMKilled")))
        elif state["Status"] == "restarting":
            what = "it ends again and again, %d times so far, with exit code %s" % (inspect.get("RestartCount", 0), state["ExitCode"])
            found += look.explained(name, what, state["ExitCode"], bool(state.get("OOMKilled")))
    services = [look.model["services"][name] for name in look.running]
    for watch in watched_once(look.client, look.model, services, time.time()):
        if watch.ready is None or watch.failure is not None:
            found += look.explained(watch.name, "it runs, and is not ready: %s" % reason_of(watch), None, False)
    return found


def reason_of(watch: Watch) -> str:
    return watch.failure[1] if watch.failure else watch.reason


def store_findings(look: Look, down: t.Collection[str]) -> list[Finding]:
    """Every store, asked as the server asks it. ``down``: services of which it is known that they are not ready."""
    env = read_env(look.model["root"], SERVER)
    # The server's own network, or that of another one in the same.
    vantage = SERVER if SERVER in look.running else next(iter(look.running), "")
    if not env or not vantage:
        return []
    stores = [store for store in _doctor.server_stores(env) if store["service"] not in down]

    def ask(store: dict[str, t.Any]) -> list[Finding]:
        def once(connected: Connect | None) -> list[Finding]:
            try:
                said = probe(store, Way(connected, TIMEOUT))
            except Bad as exc:
                fix = "The server has this address and login from its environment (env/%s.env): see what changed, or run site.yml." % SERVER
                return [finding(store["service"], FAIL, "asked as the server asks it, at %s: %s" % (store["place"], exc), fix)]
            if "will be made" in said:
                return [finding(store["service"], FAIL, "the bucket %s is not there" % store["bucket"], SITE, "Files cannot be saved, and icons are missing.")]
            return []

        return as_container(container_name(look.model["name"], vantage), TIMEOUT, once)

    with concurrent.futures.ThreadPoolExecutor(max_workers=6) as pool:
        found = [each for several in pool.map(ask, stores) for each in several]
    ill = {each["service"] for each in found}
    for store in stores:
        more = {"elasticsearch": index_findings, "milvus": vector_findings}.get(store["kind"])
        if more and store["service"] not in ill:
            found += as_container(container_name(look.model["name"], vantage), TIMEOUT, functools.partial(more, look, store))
    return found


def vector_findings(look: Look, store: t.Mapping[str, t.Any], connected: Connect | None) -> list[Finding]:
    """Knowledge bases whose vectors have another length than the embedding model makes."""
    try:
        found = milvus_collections(store, Way(connected, TIMEOUT))
    except (OSError, http.client.HTTPException, VectorError):
        return []  # it answered a moment ago; the next look tells
    model = embedding_of(read_env(look.model["root"], SERVER), look.model["release"])
    return _doctor.vector_findings(store["service"], found, (model or {}).get("dims"))


def index_findings(look: Look, store: t.Mapping[str, t.Any], connected: Connect | None) -> list[Finding]:
    """Indices that the server does not make by itself, or not as they should be."""
    folder = look.inputs_of("search_index")[1]
    names = [name[: -len(SUFFIX)] for name in sorted(os.listdir(folder)) if name.endswith(SUFFIX)] if os.path.isdir(folder) else []
    headers = basic(store["user"] or "elastic", store["password"]) if store["password"] else {}
    target = target_of_url(store["urls"][0])
    lost = []
    for name in names:
        try:
            if Way(connected, TIMEOUT).ask(target, "HEAD", "/" + name, headers).status == 404:
                lost.append(name)
        except (OSError, http.client.HTTPException):
            return []  # it answered a moment ago; the next look tells
    if not lost:
        return []
    meaning = "Search finds nothing; at its next write Elasticsearch makes an index that searches go wrong in."
    fix = "Stop coze-server, take the job search_index out of data/.%s.json, and run site.yml, which makes it again." % store["service"]
    return [finding(store["service"], FAIL, "it lacks the index %s" % " and ".join(lost), fix, meaning)]


def table_findings(look: Look) -> list[Finding]:
    """Tables and columns that the deployed schema has and the database lacks."""
    service, directory = look.inputs_of("mysql_schema")
    schema = _host.read(os.path.join(directory, "schema.sql"))
    if service not in look.running or not schema:
        return []
    database = read_env(look.model["root"], service).get("MYSQL_DATABASE") or UPSTREAM_DATABASE
    folder = os.path.join(directory, "migrations")
    try:
        names = migration_order(os.listdir(folder)) if os.path.isdir(folder) else []
        migrations = [read_script(name, _host.read(os.path.join(folder, name)), database) for name in names]
        wanted = expected(read_script("schema.sql", schema, database), migrations)
        session = Session(look.client, container_name(look.model["name"], service), database, "", "MYSQL_ROOT_PASSWORD", 60)
        missing = lacking(wanted, read_tables(session))
    except (MysqlError, ExecError, SchemaError) as exc:
        return [finding(service, FAIL, "its tables cannot be looked at: %s" % redact(str(exc), look.secrets))]
    if not missing:
        return []
    shown = ", ".join(missing[:5]) + (" and %d more" % (len(missing) - 5) if len(missing) > 5 else "")
    fix = "Take the job mysql_schema out of data/.%s.json and run site.yml, which adds what is lacking and nothing else." % service
    meaning = "The server answers with errors such as Unknown column, or does not start."
    return [finding(service, FAIL, "the database %s lacks %s" % (database, shown), fix, meaning)]


def link_findings(look: Look, down: t.Collection[str]) -> list[Finding]:
    """Whether a browser gets to MinIO by the entry, which is where links to files lead."""
    if "coze-web" not in look.running or {"coze-web", "minio"} & set(down):
        return []
    bucket = read_env(look.model["root"], SERVER).get("STORAGE_BUCKET") or "opencoze"
    path = "/local_storage/%s/" % bucket

    def once(connected: Connect | None) -> tuple[int, bytes]:
        answer = Way(connected, TIMEOUT).ask(target_of_url("http://127.0.0.1:80"), "GET", path)
        return answer.status, answer.body

    try:
        status, body = as_container(container_name(look.model["name"], "coze-web"), TIMEOUT, once)
    except (OSError, http.client.HTTPException) as exc:
        return [finding("coze-web", FAIL, "it does not answer on %s: %s" % (path, exc))]
    # The page itself is what any other path leads to.
    if b"<Error>" in body or b"<ListBucketResult" in body:
        return []
    meaning = "Pictures and files do not show in the browser, though everything else works."
    return [finding("coze-web", FAIL, "links to files lead nowhere: %s gives HTTP %d, and not an answer of MinIO's" % (path, status), SITE, meaning)]


def examine(client: t.Any, model: dict[str, t.Any], log_lines: int) -> list[Finding]:
    root = model["root"]
    inspects = {name: inspect_or_none(client, container_name(model["name"], name)) for name in model["services"]}
    look = Look(client, model, inspects, stack_secrets(root), log_lines)
    engine_root = client.info().get("DockerRootDir") or _host.ENGINE_ROOT
    found = [*_doctor.disk_findings(_host.disks(root, engine_root)), *_doctor.memory_findings(_host.memory())]
    found += container_findings(look)
    down = {each["service"] for each in found if each["level"] == FAIL}
    found += store_findings(look, down)
    found += table_findings(look) if look.inputs_of("mysql_schema")[0] not in down else []
    found += link_findings(look, down)
    networks = {network["Name"] for network in client.networks()}
    if model["network"] not in networks:
        found.append(finding("", FAIL, "the stack's network %s is not there" % model["network"], SITE))
    return [{**each, "what": redact(each["what"], look.secrets)} for each in found]


def main() -> None:
    module = AnsibleModule(
        argument_spec={"root": {"type": "path", "required": True}, "log_lines": {"type": "int", "default": 300}}, supports_check_mode=True
    )
    root = module.params["root"].rstrip("/")
    try:
        model = read_kept(root)
    except NoStack as exc:
        module.fail_json(msg=str(exc))
    needs = {name: list(service["depends_on"]) for name, service in model["services"].items()}
    try:
        found = examine(connect(), model, module.params["log_lines"])
    except EngineError as exc:
        found = [finding("", FAIL, str(exc), "Start the Engine; nothing of the stack runs without it.")]
    module.exit_json(changed=False, findings=found, needs=needs, clock=_host.clock())


if __name__ == "__main__":
    main()
