#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_counts
short_description: Count what the stores of a stack hold
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Counts rows of each table, documents of each index, objects of each bucket and keys that do not expire, of those stores of a stack
    that run on the host. Two counts that agree are a sign that nothing was lost between them.
attributes:
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
"""

EXAMPLES = r"""
- name: Count
  cozeops.studio.stack_counts:
    root: /opt/cozeops/coze
"""

RETURN = r"""
counts:
  description: For each store, what of it has how many.
  returned: success
  type: dict
  sample: {"mysql": {"user": 3}, "elasticsearch": {"project_draft": 7}, "minio": {"opencoze": 114}, "redis": {"keys": 12}}
"""

import http.client
import json
import os
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._container import container_name
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect, inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._exec import ExecError
from ansible_collections.cozeops.studio.plugins.module_utils._http import Connect, Target
from ansible_collections.cozeops.studio.plugins.module_utils._mysql import MysqlError, Session, query
from ansible_collections.cozeops.studio.plugins.module_utils._probe import redis_answers
from ansible_collections.cozeops.studio.plugins.module_utils._redact import read_env
from ansible_collections.cozeops.studio.plugins.module_utils._running import NoStack, read_kept
from ansible_collections.cozeops.studio.plugins.module_utils._store_probe import Way, info_of
from ansible_collections.cozeops.studio.plugins.module_utils._via_container import as_container

TIMEOUT = 30.0


class CountError(Exception):
    """A store that cannot be counted; the text says which, and why."""


def tables(client: t.Any, model: t.Mapping[str, t.Any], service: str) -> dict[str, int]:
    """Rows of each table."""
    database = read_env(model["root"], service).get("MYSQL_DATABASE") or "opencoze"
    session = Session(client, container_name(model["name"], service), database, "", "MYSQL_ROOT_PASSWORD", 600)
    names = query(session, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1;")
    quoted = [name.replace("`", "``") for name in names]
    rows = query(session, "\n".join("SELECT COUNT(*) FROM `%s`;" % name for name in quoted)) if names else []
    return dict(zip(names, map(int, rows)))


def indices(model: t.Mapping[str, t.Any], service: str) -> dict[str, int]:
    """Documents of each index."""
    target = Target("http", "127.0.0.1", 9200)

    def ask(connected: Connect | None) -> t.Any:
        way = Way(connected, TIMEOUT)
        # What was written a moment ago is not counted before.
        way.ask(target, "POST", "/_refresh")
        return json.loads(way.ask(target, "GET", "/_cat/indices?format=json&h=index,docs.count").body)

    rows = as_container(container_name(model["name"], service), TIMEOUT, ask)
    return {row["index"]: int(row["docs.count"] or 0) for row in rows if not row["index"].startswith(".")}


def objects(model: t.Mapping[str, t.Any], service: str) -> dict[str, int]:
    """Objects of each bucket, by the files that MinIO has for them."""
    root = os.path.join(model["root"], model["services"][service]["data"][0]["path"])
    buckets = [name for name in sorted(os.listdir(root)) if not name.startswith(".")] if os.path.isdir(root) else []
    return {bucket: sum("xl.meta" in names for dummy, dummy, names in os.walk(os.path.join(root, bucket))) for bucket in buckets}


def keys(model: t.Mapping[str, t.Any], service: str) -> dict[str, int]:
    password = read_env(model["root"], service).get("REDIS_PASSWORD", "")

    def ask(connected: Connect | None) -> int:
        with Way(connected, TIMEOUT).open(Target("tcp", "127.0.0.1", 6379)) as sock:
            answer = redis_answers(sock, password, "REDIS_PASSWORD")
            if not answer.ok:
                raise CountError("%s: %s" % (service, answer.reason))
            return lasting(info_of(sock))

    return {"keys": as_container(container_name(model["name"], service), TIMEOUT, ask)}


def lasting(info: t.Mapping[str, str]) -> int:
    """Keys in all of Redis' databases that do not expire: the others may be gone in a minute, and nobody misses them."""
    found = [re.match(r"keys=(\d+),expires=(\d+)", value) for key, value in info.items() if re.fullmatch(r"db\d+", key)]
    return sum(int(match[1]) - int(match[2]) for match in found if match)


def counted(client: t.Any, model: t.Mapping[str, t.Any]) -> dict[str, dict[str, int]]:
    """Raises CountError."""
    ways: dict[str, t.Callable[[str], dict[str, int]]] = {
        "mysql": lambda service: tables(client, model, service),
        "elasticsearch": lambda service: indices(model, service),
        "minio": lambda service: objects(model, service),
        "redis": lambda service: keys(model, service),
    }
    found = {}
    for service, count in ways.items():
        inspect = inspect_or_none(client, container_name(model["name"], service)) if service in model["services"] else None
        if inspect is None or not inspect["State"].get("Running"):
            continue
        try:
            found[service] = count(service)
        except (MysqlError, ExecError, OSError, ValueError, KeyError, http.client.HTTPException) as exc:
            raise CountError("%s cannot be counted: %s" % (service, exc)) from exc
    return found


def main() -> None:
    module = AnsibleModule(argument_spec={"root": {"type": "path", "required": True}}, supports_check_mode=True)
    root = module.params["root"].rstrip("/")
    try:
        model = read_kept(root)
    except NoStack as exc:
        module.fail_json(msg=str(exc))
    try:
        module.exit_json(changed=False, counts=counted(connect(), model))
    except (CountError, EngineError) as exc:
        module.fail_json(msg=str(exc))


if __name__ == "__main__":
    main()
