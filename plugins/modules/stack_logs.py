#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_logs
short_description: Collect the logs of a stack's services, without secrets
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Puts logs, definitions, environments and versions of a stack on a host into one archive on the controller, with every secret of the stack masked. It is
    meant to be sent to those who are to help.
  - With O(follow) it shows the log of one service as it comes, until it is interrupted.
attributes:
  action:
    support: full
    description: The action plugin writes the archive on the controller, and shows what comes.
  check_mode:
    support: full
    description: Nothing is changed on the host; the archive is written all the same.
  diff_mode:
    support: none
    description: There is nothing to show.
  idempotent:
    support: none
    description: Each call writes another archive.
  platform:
    platforms: linux
    support: full
    description: The host has to be a Linux machine. Needs root.
options:
  root:
    description: The stack's directory on the host, with C(stack.json).
    type: path
    required: true
  services:
    description: Services whose logs are wanted. The default is all that the host has.
    type: list
    elements: str
    default: []
  since:
    description: From when on, as seconds before now.
    type: float
    default: 3600
  limit:
    description: Characters of each log, of which the last ones are kept.
    type: int
    default: 20000000
  directory:
    description: Where the archive is written on the controller.
    type: path
    required: true
  name:
    description: Name of the archive, without C(.tar.gz), and of the folder in it.
    type: str
    required: true
  follow:
    description: Show the log of the one service in O(services) as it comes, instead of collecting.
    type: bool
    default: false
  follow_seconds:
    description: When to stop following. 0 goes on until it is interrupted.
    type: float
    default: 0
  after:
    description: For the action plugin, which follows in slices; the time of Docker's that was shown last, in seconds.
    type: float
"""

EXAMPLES = r"""
- name: Collect what was logged in the last hour
  cozeops.studio.stack_logs:
    root: /opt/cozeops/coze
    directory: /tmp
    name: coze-one
"""

RETURN = r"""
archive:
  description: Path of the archive on the controller.
  returned: without O(follow)
  type: str
  sample: /tmp/coze-one.tar.gz
files:
  description: What is in it, with sizes in bytes.
  returned: without O(follow)
  type: dict
  sample: {"mysql.log": 52311}
"""

import base64
import os
import platform
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _host, _lock
from ansible_collections.cozeops.studio.plugins.module_utils._container import container_name
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect, inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._redact import read_env, redact, stack_secrets
from ansible_collections.cozeops.studio.plugins.module_utils._running import NoStack, read_kept
from ansible_collections.cozeops.studio.plugins.module_utils._support import archive, cut, leaks, masked_env, masked_inspect


def log_of(client: t.Any, container: str, since: float) -> str:
    """What a container has written since a time (seconds since 1970), each line with its time."""
    from docker.errors import APIError  # there is a client, so there is the package

    try:
        # The Engine takes fractions of a second; the SDK's own check of the type does not.
        data = client.logs(container, timestamps=True, since=int(since))
    except APIError as exc:
        return "(no log: %s)\n" % exc
    return t.cast(bytes, data).decode("utf-8", "replace")


def collected(client: t.Any, root: str, model: t.Mapping[str, t.Any], wanted: t.Sequence[str], since: float, limit: int) -> dict[str, str]:
    """Files by name, without a secret."""
    secrets = stack_secrets(root)
    files = {
        "stack.json": redact(_host.read(os.path.join(root, "stack.json")), secrets),
        "changes.log": redact(_host.read(os.path.join(root, _lock.CHANGES)), secrets),
        "versions.txt": versions(client, model),
    }
    for name in wanted:
        inspect = inspect_or_none(client, container_name(model["name"], name))
        files[name + ".env"] = masked_env(read_env(root, name), secrets)
        if inspect is None:
            files[name + ".log"] = "(there is no container %s)\n" % container_name(model["name"], name)
            continue
        files[name + ".inspect.json"] = masked_inspect(inspect, secrets)
        files[name + ".log"] = cut(redact(log_of(client, inspect["Id"], since), secrets), limit)
    leaking = leaks(files, secrets)
    for name in leaking:
        files[name] = "(left out: a secret could not be masked in it)\n"
    return files


def versions(client: t.Any, model: t.Mapping[str, t.Any]) -> str:
    """What runs there, a line each."""
    engine, system = client.version(), _host.system()
    memory, disk = _host.memory(), _host.disk(model["root"])
    told = {
        "collection": model["collection"],
        "release line": model["release"],
        "Docker Engine": "%s, API %s" % (engine["Version"], engine["ApiVersion"]),
        "kernel": platform.release(),
        "system": "%s %s" % (system["distribution"], system["version"]),
        "Python": platform.python_version(),
        "memory": "%d bytes, %d available" % (memory["total"], memory["available"]),
        "disk of the stack": "%d bytes, %d free" % (disk["size"], disk["free"]),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return "".join("%s: %s\n" % pair for pair in told.items())


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "services": {"type": "list", "elements": "str", "default": []},
            "since": {"type": "float", "default": 3600},
            "limit": {"type": "int", "default": 20000000},
            "directory": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "follow": {"type": "bool", "default": False},
            "follow_seconds": {"type": "float", "default": 0},
            "after": {"type": "float"},
        },
        supports_check_mode=True,
    )
    params = module.params
    root, now = params["root"].rstrip("/"), time.time()
    try:
        model = read_kept(root)
    except NoStack as exc:
        module.fail_json(msg=str(exc))
    wanted = [name for name in params["services"] or model["services"] if name in model["services"]]
    try:
        client = connect()
        if params["follow"]:
            follow(module, client, model, wanted, now)
        files = collected(client, root, model, wanted, now - params["since"], params["limit"])
    except EngineError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(
        changed=False,
        files={name: len(text.encode("utf-8", "replace")) for name, text in files.items()},
        content=base64.b64encode(archive(files, params["name"], now)).decode(),
    )


def follow(module: AnsibleModule, client: t.Any, model: t.Mapping[str, t.Any], wanted: t.Sequence[str], now: float) -> None:
    """One slice: what has come after the line that was shown last."""
    if len(wanted) != 1:
        module.fail_json(msg="to follow, name one service in stack_services, of those that this host has: %s" % ", ".join(model["services"]))
    container = container_name(model["name"], wanted[0])
    if inspect_or_none(client, container) is None:
        module.fail_json(msg="there is no container %s" % container)
    after = module.params["after"]
    text = redact(log_of(client, container, now - module.params["since"] if after is None else after), stack_secrets(model["root"]))
    module.exit_json(changed=False, lines=text.splitlines(), now=now)


if __name__ == "__main__":
    main()
