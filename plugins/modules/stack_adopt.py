#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_adopt
short_description: Find an installation of Coze Studio that others made, and make its data a stack's
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Finds containers that were made by hand or by Docker Compose, with what they use, and changes nothing by that.
  - Stops them, puts them aside under another name, and moves their data into the stack's directory; and takes that back.
  - What is to be done is written into C(adopting.json) of O(root) before anything is touched, so that what was cut off can be taken back.
attributes:
  check_mode:
    support: full
    description: Nothing is stopped or moved.
  diff_mode:
    support: none
    description: The playbook shows a table of what changes before anything is done.
  idempotent:
    support: partial
    description: What was adopted is not found again. What was taken back is the installation of before, with its containers started anew.
  platform:
    platforms: linux
    support: full
    description: The host has to be a Linux machine. Needs root.
options:
  root:
    description: The stack's directory on the host.
    type: path
    required: true
  stack:
    description: Name of the stack.
    type: str
    required: true
  state:
    description:
      - V(found) looks for the containers of O(services).
      - V(taken) stops those of O(found), the last one first, renames them, and moves their data.
      - V(returned) removes the stack's containers, and brings back what V(taken) has changed; what the stack has written otherwise is put aside.
      - V(committed) ends it - the containers of before stay stopped, and are not brought back any more.
    type: str
    choices: [found, taken, returned, committed]
    required: true
  services:
    description: With O(state=found), what is looked for, as the filter C(adopt_services) makes it of definitions, in the order in which they start.
    type: list
    elements: dict
    default: []
  containers:
    description: With O(state=found), names of containers for services of which several are found.
    type: dict
    default: {}
  release:
    description: With O(state=found), the release line of the source tree.
    type: str
    default: ''
  secrets:
    description: With O(state=found), what the roles say of their secrets.
    type: list
    elements: dict
    default: []
  found:
    description: With O(state=taken), what O(state=found) has returned as RV(found).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Take back what was begun
  cozeops.studio.stack_adopt:
    root: /opt/cozeops/coze
    stack: coze
    state: returned
"""

RETURN = r"""
found:
  description: Service to what is known of its container, passwords in its environment included.
  returned: when O(state=found)
  type: dict
  sample: {"redis": {"container": "coze-redis", "state": "running", "data": [{"path": "data/redis", "source": "/srv/coze/data/redis"}]}}
problems:
  description: What is in the way.
  returned: always
  type: list
  elements: str
  sample: []
unfinished:
  description: Whether an earlier run has begun and was cut off.
  returned: when O(state=found)
  type: bool
  sample: false
secrets:
  description: Passwords and keys in use.
  returned: when O(state=found)
  type: dict
  sample: {}
public:
  description: Names of those that are public knowledge.
  returned: when O(state=found)
  type: list
  elements: str
  sample: [MYSQL_PASSWORD]
done:
  description: What was done, in words.
  returned: when O(state=taken) or O(state=returned)
  type: list
  elements: str
  sample: ["stopped coze-redis"]
kept:
  description: Where files are that the stack had written.
  returned: when O(state=returned)
  type: str
  sample: /opt/cozeops/coze/failed-adoption-20260131T120000Z
"""

import hashlib
import io
import os
import shutil
import signal
import socket
import tarfile
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _adopt, _adopt_data, _host, _secrets
from ansible_collections.cozeops.studio.plugins.module_utils._adopt_data import AdoptError
from ansible_collections.cozeops.studio.plugins.module_utils._container import LABEL_STACK
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect, inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._probe import NamespaceDenied, ProcessGone, in_netns
from ansible_collections.cozeops.studio.plugins.module_utils._ready_engine import TROUBLE

#: Shells do not pass a signal on to what they have started.
SHELLS = ("sh", "bash", "dash", "ash", "tini", "dumb-init")
#: Bytes of a file, or of a folder of files, that is read out of a container.
LARGEST = 16 * 1024**2
READY_SECONDS = 180.0
PAUSE_SECONDS = 1.0

Params = t.Mapping[str, t.Any]


# -- finding


def members(client: t.Any, container: str, path: str) -> t.Iterator[tuple[str, bytes]]:
    """(name, content) of the files at a path in a container, which need not run; nothing if there is no such path."""
    from docker.errors import NotFound  # there is a client, so there is the package

    try:
        chunks, _stat = client.get_archive(container, path)
    except NotFound:
        return
    with tarfile.open(fileobj=Chunks(chunks), mode="r|") as archive:
        total = 0
        for member in archive:
            if not member.isfile():
                continue
            total += member.size
            stream = archive.extractfile(member) if total <= LARGEST else None
            yield member.name, stream.read() if stream else b""


class Chunks(io.RawIOBase):
    """What the Engine sends, piece by piece, as a file: no more of a large directory is read than is asked for."""

    def __init__(self, chunks: t.Iterable[bytes]) -> None:
        self._chunks, self._left = iter(chunks), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        while not self._left:
            piece = next(self._chunks, None)
            if piece is None:
                return 0
            self._left = piece
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


def text_at(client: t.Any, container: str, path: str) -> str:
    return next((data.decode("utf-8", "replace") for _name, data in members(client, container, path)), "") if path else ""


def files_at(client: t.Any, inspect: t.Mapping[str, t.Any], service: t.Mapping[str, t.Any]) -> list[dict[str, str]]:
    """Files of the operator's that are mounted where the stack has some of its own: {"path" in the stack, "sha256", "at" on the host}."""
    found = []
    for tree in service["trees"]:
        place = _adopt.place_of(tree["target"], inspect.get("Mounts") or [])
        if place["kind"] not in ("bind", "volume"):
            continue
        for name, data in members(client, inspect["Id"], tree["target"]):
            inner = name.split("/", 1)[-1]
            at = os.path.join(place["source"], inner)
            found.append({"path": os.path.join(tree["path"], inner), "sha256": hashlib.sha256(data).hexdigest(), "at": at})
    return found


def foreign(client: t.Any, entry: t.Mapping[str, t.Any]) -> str:
    """How a volume is not simply a directory of this host, "" if it is one."""
    if entry["kind"] != "volume":
        return ""
    volume = client.inspect_volume(entry["volume"])
    if volume["Driver"] != "local":
        return "one of the driver %s" % volume["Driver"]
    return "mounted by options of its own" if volume.get("Options") else ""


def looked_into(client: t.Any, root: str, container: str, entry: dict[str, t.Any]) -> dict[str, t.Any]:
    """The data directory with what there is to know of it on the host."""
    # One that something is laid over is named as it is.
    source = os.path.realpath(entry["source"]) if entry["kind"] in ("bind", "volume") else entry["source"]
    to = os.path.join(root, entry["path"])
    if entry["kind"] == "layer":
        # The first file is enough to know.
        holds = next(members(client, container, entry["target"]), None) is not None
    else:
        holds = entry["kind"] == "split" or _adopt_data.filled(source)
    mounted = entry["kind"] in ("bind", "volume") and os.path.isdir(source)
    return {
        **entry,
        "source": source,
        "to": to,
        "filled": holds,
        "mounted": mounted,
        "copied": mounted and _adopt_data.is_copied({**entry, "source": source}, root),
        "inside": mounted and (os.path.realpath(source) + os.sep).startswith(os.path.realpath(root) + os.sep),
        "taken": source != to and _adopt_data.filled(to),
        "foreign": foreign(client, entry),
    }


def found_in(client: t.Any, params: Params) -> dict[str, t.Any]:
    root, services = params["root"], params["services"]
    every = [client.inspect_container(each["Id"]) for each in client.containers(all=True)]
    matched, problems = _adopt.match(services, _adopt.strangers(every), params["containers"])
    names = {_adopt.name_of(each) for each in every}
    found = {}
    for service in services:
        inspect = matched.get(service["name"])
        if inspect is None:
            continue
        problems += [problem for problem in [_adopt.line_problem(service, inspect, params["release"])] if problem]
        problems += [problem for problem in [_adopt.container_problem(inspect)] if problem]
        entry = _adopt.describe(service, inspect, text_at(client, inspect["Id"], service["env_file"]))
        image = client.inspect_image(inspect["Image"])
        entry["image_env"] = [item.partition("=")[0] for item in image["Config"].get("Env") or []]
        entry["files"] = files_at(client, inspect, service)
        entry["data"] = [looked_into(client, root, inspect["Id"], each) for each in entry["data"]]
        problems += [problem for problem in (_adopt.data_problem(each, entry["container"]) for each in entry["data"]) if problem]
        if entry["container"] + _adopt.KEPT in names:
            problems.append("There is a container %s already: remove it, or give it another name." % (entry["container"] + _adopt.KEPT))
        found[service["name"]] = entry
    if found and not problems:
        _adopt_data.need_room(root, [each for entry in found.values() for each in entry["data"] if each["copied"]])
    wanted = [_secrets.secret_of(spec) for spec in params["secrets"]]
    secrets = _adopt.secrets_in_use(wanted, services, found)
    public = [secret.key for secret in wanted if secrets.get(secret.key) and secrets[secret.key] in secret.published]
    return {"changed": False, "found": found, "problems": problems, "secrets": secrets, "public": public}


# -- there


def stop(client: t.Any, container: t.Mapping[str, t.Any]) -> str:
    """Stop it cleanly. What was done, in words."""
    state = client.inspect_container(container["id"])["State"]
    # First, since a container that always restarts does so as well when its process ends by itself.
    client.update_container(container["id"], restart_policy={"Name": "no", "MaximumRetryCount": 0})
    if state["Status"] not in ("running", "paused", "restarting"):
        return ""
    if state.get("Paused"):
        client.unpause(container["id"])
    if _host.read("/proc/%s/comm" % state["Pid"]).strip() in SHELLS:
        for row in (client.top(container["id"], "-eo pid") or {}).get("Processes") or []:
            end(int(row[0]))
    client.stop(container["id"], timeout=container["stop_timeout"])
    code = client.inspect_container(container["id"])["State"]["ExitCode"]
    return "stopped %s%s" % (container["name"], " (it did not end by itself in %d s)" % container["stop_timeout"] if code == 137 else "")


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return  # it has ended since


def taken(client: t.Any, params: Params) -> dict[str, t.Any]:
    root, found = params["root"], params["found"]
    os.makedirs(root, mode=0o700, exist_ok=True)
    for name, mode in (("state", 0o700), (_adopt_data.OWNERS, 0o700), ("data", 0o755)):
        os.makedirs(os.path.join(root, name), mode=mode, exist_ok=True)
    # What is empty now may be filled by the stop: Redis writes its file then.
    data = [each for entry in found.values() for each in entry["data"] if each["mounted"]]
    _adopt_data.need_room(root, [each for each in data if each["copied"]])
    for each in data:
        each["converts"] = bool(each["convert"]) and not os.path.lexists(os.path.join(each["source"], each["convert"]["to"]))
    journal = {
        "stack": params["stack"],
        "containers": [
            {
                "name": entry["container"],
                "aside": entry["container"] + _adopt.KEPT,
                "ran": entry["state"] in ("running", "restarting", "paused"),
                **{key: entry[key] for key in ("id", "policy", "stop_timeout", "offers")},
            }
            for entry in found.values()
        ],
        "data": data,
    }
    _adopt_data.write_private(_adopt_data.journal_path(root), journal)
    done = [stop(client, container) for container in reversed(journal["containers"])]
    for container in journal["containers"]:
        client.rename(container["id"], container["aside"])
        done.append("renamed %s to %s" % (container["name"], container["aside"]))
    for each in data:
        if not _adopt_data.filled(each["source"]):
            continue
        _adopt_data.take(root, each, params["stack"])
        done.append("%s %s to %s" % ("copied" if each["copied"] else "moved" if each["source"] != each["to"] else "took", each["source"], each["to"]))
    return {"changed": True, "done": [line for line in done if line], "problems": []}


# -- and back


def remove_own(client: t.Any, stack: str) -> list[str]:
    """Stop and remove the stack's containers, the newest first. Their volumes are directories, which stay."""
    own = client.containers(all=True, filters={"label": "%s=%s" % (LABEL_STACK, stack)})
    done = []
    for each in sorted(own, key=lambda summary: -summary["Created"]):
        timeout = (client.inspect_container(each["Id"])["Config"] or {}).get("StopTimeout")
        client.stop(each["Id"], timeout=10 if timeout is None else timeout)
        client.remove_container(each["Id"], v=False, force=True)
        done.append("removed %s" % each["Names"][0].lstrip("/"))
    for network in client.networks(filters={"label": "%s=%s" % (LABEL_STACK, stack)}):
        client.remove_network(network["Id"])
    return done


def returned(client: t.Any, params: Params) -> dict[str, t.Any]:
    root = params["root"]
    journal = _adopt_data.read_journal(root)
    if journal is None:
        return {"changed": False, "done": [], "problems": [], "kept": ""}
    done, problems = remove_own(client, journal["stack"]), []
    for container in reversed(journal["containers"]):
        # They may run still, or again, where the run was cut off.
        if inspect_or_none(client, container["id"]) is None:
            problems.append("%s is gone: make it anew as you made it, on the same directories." % container["name"])
        else:
            stop(client, container)
    for entry in journal["data"]:
        _adopt_data.put_back(root, entry)
        done.append("%s is in %s" % (entry["service"], entry["source"]))
    kept = _adopt_data.set_aside(root)
    for container in journal["containers"]:
        inspect = inspect_or_none(client, container["id"])
        if inspect is None:
            continue
        if _adopt.name_of(inspect) != container["name"]:
            client.rename(container["id"], container["name"])
        if container["ran"]:
            problems += started(client, container)
            done.append("started %s" % container["name"])
        client.update_container(container["id"], restart_policy=container["policy"])
    shutil.rmtree(os.path.join(root, _adopt_data.OWNERS), ignore_errors=False)
    os.unlink(_adopt_data.journal_path(root))
    return {"changed": True, "done": done, "problems": problems, "kept": kept}


def started(client: t.Any, container: t.Mapping[str, t.Any]) -> list[str]:
    """Start it, and wait until its ports answer; what did not go well, in words.

    What ends is started again: a server does so as long as a store that it needs is not ready, and one store takes a minute for that.
    """
    deadline = time.monotonic() + READY_SECONDS
    while True:
        state = client.inspect_container(container["id"])["State"]
        alive = state["Status"] in ("running", "restarting")
        if alive and all(listens(int(state["Pid"]), port) for port in container["offers"]):
            return []
        if time.monotonic() > deadline:
            ports = " and ".join(map(str, container["offers"]))
            problem = "runs, and does not answer on port %s" % ports if alive else "ends with exit code %s" % state["ExitCode"]
            return ["%s %s after %d s: see docker logs %s." % (container["name"], problem, READY_SECONDS, container["name"])]
        if not alive:
            client.start(container["id"])
        time.sleep(PAUSE_SECONDS)


def listens(pid: int, port: int) -> bool:
    def connected() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            return False
        return True

    try:
        return bool(pid) and in_netns(pid, connected)
    except (ProcessGone, NamespaceDenied):
        return False


def committed(params: Params) -> dict[str, t.Any]:
    path = _adopt_data.journal_path(params["root"])
    there = os.path.exists(path)
    if there:
        shutil.rmtree(os.path.join(params["root"], _adopt_data.OWNERS))
        os.unlink(path)
    return {"changed": there, "problems": []}


def run(params: Params, check: bool) -> dict[str, t.Any]:
    """Raises AdoptError, EngineError, or what the Engine and the file system raise."""
    if params["state"] == "found":
        unfinished = _adopt_data.read_journal(params["root"]) is not None
        return {"unfinished": unfinished, **found_in(connect(), params)}
    if check:
        return {"changed": True, "done": [], "problems": [], "kept": ""}
    if params["state"] == "committed":
        return committed(params)
    return (taken if params["state"] == "taken" else returned)(connect(timeout=600), params)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "stack": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["found", "taken", "returned", "committed"], "required": True},
            "services": {"type": "list", "elements": "dict", "default": []},
            "containers": {"type": "dict", "default": {}},
            "release": {"type": "str", "default": ""},
            "secrets": {"type": "list", "elements": "dict", "default": [], "no_log": False},
            "found": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    params = {**module.params, "root": module.params["root"].rstrip("/")}
    try:
        module.exit_json(**run(params, module.check_mode))
    except (AdoptError, EngineError) as exc:
        module.fail_json(msg=str(exc))
    except TROUBLE as exc:
        module.fail_json(msg="%s: %s" % (params["root"], exc))


if __name__ == "__main__":
    main()
