#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_status
short_description: Tell how the services of a stack are on a host
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Looks at the containers of a stack, asks each service whether it is ready, and compares it with the definition that was last deployed. All of it is
    known from what the host keeps; nothing is changed.
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
  disk_timeout:
    description: Seconds after which the sizes of data directories are left unknown. 0 does not look.
    type: float
    default: 5
"""

EXAMPLES = r"""
- name: See how the stack is
  cozeops.studio.stack_status:
    root: /opt/cozeops/coze
  register: state
"""

RETURN = r"""
state:
  description: The stack on this host.
  returned: always
  type: dict
  contains:
    stack:
      description: Its name.
      type: str
    release:
      description: Its release line.
      type: str
    url:
      description: How people reach it.
      type: str
    services:
      description: Its services on this host, with their image, state, times, restarts, memory and disk in bytes, readiness and drift.
      type: list
      elements: dict
    strangers:
      description: Containers of services that it does not have any more.
      type: list
      elements: str
    disks:
      description: File systems of its directory and of the Engine, in bytes.
      type: list
      elements: dict
    certificate:
      description: What is wrong with the certificate of its entry, or in how many days it ends. Empty without https.
      type: dict
    locked:
      description: Who is changing it, in words.
      type: str
    changed:
      description: The last line of its list of changes.
      type: dict
  sample: {"stack": "coze", "release": "0.5"}
"""

import concurrent.futures
import json
import os
import socket
import ssl
import subprocess
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _host, _lock
from ansible_collections.cozeops.studio.plugins.module_utils._container import container_name
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect, inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._http import target_of_url, tls_context
from ansible_collections.cozeops.studio.plugins.module_utils._plan_host import decide, image_of, labels_by_name, strangers, watched_once
from ansible_collections.cozeops.studio.plugins.module_utils._running import NoStack, read_kept

CERTIFICATE_TIMEOUT = 3.0


def memory_of(pid: int, cgroup: str = "/sys/fs/cgroup", proc: str = "/proc") -> int | None:
    """Bytes that the control group of a process uses, without file pages that can be dropped, as C(docker stats) has it; None if it cannot be told."""
    for line in _host.read("%s/%d/cgroup" % (proc, pid)).splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            folder, used, droppable = cgroup + path, "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            folder, used, droppable = cgroup + "/memory" + path, "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        text = _host.read(os.path.join(folder, used)).strip()
        if text.isdigit():
            stat = dict(pair.split(" ", 1) for pair in _host.read(os.path.join(folder, "memory.stat")).splitlines())
            return max(0, int(text) - int(stat.get(droppable, 0)))
    return None


def size_of(paths: t.Sequence[str], timeout: float) -> int | None:
    """Bytes that directories take on the disk; None if there are none, or if it takes too long."""
    there = [path for path in paths if os.path.isdir(path)]
    if not there or not timeout:
        return None
    try:
        done = subprocess.run(["du", "-sxk", "--", *there], capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return sum(int(line.split("\t")[0]) * 1024 for line in done.stdout.splitlines())


def certificate_of(url: str) -> dict[str, t.Any]:
    """{"url", "days"} until the certificate ends, or {"url", "problem"}."""
    target = target_of_url(url)
    try:
        plain = socket.create_connection((target.host, target.port), CERTIFICATE_TIMEOUT)
        with plain, tls_context().wrap_socket(plain, server_hostname=target.host) as sock:
            certificate = t.cast("dict[str, t.Any]", sock.getpeercert())
    except ssl.SSLCertVerificationError as exc:
        return {"url": url, "problem": "not trusted here (%s)" % exc.verify_message}
    except OSError as exc:
        return {"url": url, "problem": "not seen from here (%s)" % exc}
    return {"url": url, "days": int((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) // 86400)}


def last_change(root: str) -> dict[str, t.Any]:
    lines = [line for line in _host.read(os.path.join(root, _lock.CHANGES)).splitlines() if line.strip()]
    try:
        return dict(json.loads(lines[-1])) if lines else {}
    except ValueError:
        return {}


def describe(client: t.Any, model: t.Mapping[str, t.Any], service: t.Mapping[str, t.Any], disk_timeout: float) -> dict[str, t.Any]:
    """What is known of one service, but for its readiness."""
    root = model["root"]
    inspect = inspect_or_none(client, container_name(model["name"], service["name"])) or {}
    state = inspect.get("State", {})
    alive = state.get("Running", False)
    image = image_of(client, inspect["Image"]) if inspect else None
    digests = (image or {}).get("RepoDigests") or []
    return {
        "name": service["name"],
        "container": container_name(model["name"], service["name"]),
        "image": inspect["Config"]["Image"] if inspect else service["image"],
        "digest": digests[0] if digests else (image or {}).get("Id", ""),
        "state": state.get("Status", ""),
        "since": state.get("StartedAt" if alive else "FinishedAt", ""),
        "exit_code": state.get("ExitCode"),
        "oom": bool(state.get("OOMKilled")),
        "health": (state.get("Health") or {}).get("Status", ""),
        "restarts": inspect.get("RestartCount", 0),
        "memory": memory_of(state["Pid"]) if alive and state.get("Pid") else None,
        "memory_limit": service["memory"],
        "disk": size_of(["%s/%s" % (root, entry["path"]) for entry in service["data"]], disk_timeout),
    }


def drift(entry: t.Mapping[str, t.Any]) -> list[str]:
    """What of a container or its files is not as it was deployed; that it does not run is told otherwise."""
    return [reason["name"] for reason in entry["why"] if reason["name"] not in ("state", "container")]


def look(client: t.Any, model: t.Mapping[str, t.Any], disk_timeout: float) -> dict[str, t.Any]:
    services = list(model["services"].values())
    containers = labels_by_name(client)
    key = _host.env_values(model["root"], ["STACK_DIGEST_KEY"]).get("STACK_DIGEST_KEY", "")
    given = {"model": model, "update_images": False, "loading": []}
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        rows = list(pool.map(lambda service: describe(client, model, service, disk_timeout), services))
        plans = list(pool.map(lambda service: decide(client, given, service, key, containers), services))
    alive = [service for service, row in zip(services, rows) if row["state"] == "running"]
    watches = {watch.name: watch for watch in watched_once(client, model, alive, time.time())}
    for row, plan in zip(rows, plans):
        watch = watches.get(row["name"])
        row["ready"] = watch is not None and watch.ready is not None and watch.failure is None
        row["reason"] = "" if row["ready"] or watch is None else watch.failure[1] if watch.failure else watch.reason
        row["drift"] = drift(plan)
    return {"services": rows, "strangers": strangers(containers, model["name"], [service["name"] for service in services])}


def main() -> None:
    module = AnsibleModule(
        argument_spec={"root": {"type": "path", "required": True}, "disk_timeout": {"type": "float", "default": 5}}, supports_check_mode=True
    )
    root = module.params["root"].rstrip("/")
    try:
        model = read_kept(root)
    except NoStack as exc:
        module.fail_json(msg=str(exc))
    try:
        client = connect()
        found = look(client, model, module.params["disk_timeout"])
        engine_root = client.info().get("DockerRootDir") or _host.ENGINE_ROOT
    except EngineError as exc:
        module.fail_json(msg=str(exc))
    holder = _lock.holder_of(_lock.lock_file(model["name"]))
    entry = model["entry"]
    module.exit_json(
        changed=False,
        state={
            "stack": model["name"],
            "release": model["release"],
            "collection": model["collection"],
            "url": entry["url"],
            **found,
            "disks": _host.disks(root, engine_root),
            "certificate": certificate_of(entry["url"]) if entry["scheme"] == "https" else {},
            "locked": "" if holder is None else _lock.described(holder),
            "changed": last_change(root),
        },
    )


if __name__ == "__main__":
    main()
