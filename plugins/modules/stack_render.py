#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_render
short_description: Write all files of a stack to its host, in one task
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Makes the directories and files of a stack's directory what the stack model says. Only files that differ are sent, as one archive.
  - Each file is replaced atomically. Files of an exclusive tree that the source no longer has are removed; nothing else is.
  - A data directory is created once, with a stamp that says whose it is; what it holds is never touched.
attributes:
  action:
    support: full
    description: The action plugin sends the files that differ; the module puts them in place.
  check_mode:
    support: full
    description: Says what would change, and changes nothing.
  diff_mode:
    support: full
    description: Contents of secret files are not shown.
  idempotent:
    support: full
    description: Only what differs is written.
  platform:
    platforms: linux
    support: full
    description: The host has to be a Linux machine.
options:
  root:
    description: The stack's directory on the host.
    type: path
    required: true
  directories:
    description: Directories, each after its parent.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path, relative to the root; C(.) is the root.
        type: str
        required: true
      owner:
        description: Numeric owner.
        type: int
        default: 0
      group:
        description: Numeric group.
        type: int
        default: 0
      mode:
        description: Octal mode.
        type: str
        default: "0755"
      stamp:
        description: For a data directory, what its stamp says.
        type: dict
  files:
    description: Files. The action plugin reads C(src) and C(content) on the controller; the module sees neither.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path, relative to the root.
        type: str
        required: true
      src:
        description: File on the controller.
        type: str
      content:
        description: Text of the file.
        type: str
      digest:
        description: Keyed digest of the content.
        type: str
        required: true
      owner:
        description: Numeric owner.
        type: int
        default: 0
      group:
        description: Numeric group.
        type: int
        default: 0
      mode:
        description: Octal mode.
        type: str
        default: "0644"
      secret:
        description: Whether the content may be shown in a diff.
        type: bool
        default: false
  exclusive:
    description: Trees (relative paths) in which every file is ours - what is not in O(files) is removed.
    type: list
    elements: str
    default: []
  key:
    description: The key of the digests. By default the one that the host keeps with the stack's secrets.
    type: str
    default: ''
  needed:
    description:
      - Files that the host is known to lack, as M(cozeops.studio.stack_plan) tells them in RV(cozeops.studio.stack_plan#module:files). They are sent at once,
        without asking first.
    type: list
    elements: str
    default: []
  archive:
    description: Set by the action plugin - path of the archive with the contents on the host.
    type: path
  show:
    description: Set by the action plugin - whether texts for a diff are wanted.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Write one file of a stack
  cozeops.studio.stack_render:
    root: /opt/cozeops/coze
    directories:
      - path: .
        mode: "0700"
    files:
      - path: conf/motd
        content: "hello\n"
        digest: "{{ 'hello' | hash('sha256') }}"
"""

RETURN = r"""
differences:
  description: What was (or, in check mode, would be) made different.
  returned: always
  type: list
  elements: dict
  sample: [{"path": "conf/motd", "kind": "create"}]
"""

import os
import tarfile
import tempfile
import typing as t
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _host
from ansible_collections.cozeops.studio.plugins.module_utils._digest import canonical
from ansible_collections.cozeops.studio.plugins.module_utils._render import SPEC, Entry, compare, compare_directory, stamp_is_due


def set_attributes(path: str, entry: Entry) -> None:
    os.chown(path, entry["owner"], entry["group"])
    os.chmod(path, int(entry["mode"], 8))


def write(path: str, data: bytes, entry: Entry) -> None:
    """Replace the file in one step, so that nobody ever reads half of it."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        set_attributes(temporary, entry)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def make_directory(root: str, entry: Entry) -> None:
    path = os.path.normpath(os.path.join(root, entry["path"]))
    os.makedirs(path, exist_ok=True)
    set_attributes(path, entry)


def stamp(root: str, entry: Entry) -> None:
    """Say whose a data directory is, before anything is in it. A ledger of another life of the directory is dropped."""
    path = os.path.join(root, entry["path"])
    mark = os.path.join(os.path.dirname(path), ".%s.json" % os.path.basename(path))
    if os.listdir(path):
        return
    text = canonical({**entry["stamp"], "created": datetime.now(timezone.utc).isoformat(timespec="seconds"), "init": {}})
    write(mark, text.encode() + b"\n", {"owner": 0, "group": 0, "mode": "0600"})


def unpack(archive: str | None) -> dict[str, bytes]:
    """path -> content of the files in the archive."""
    contents: dict[str, bytes] = {}
    if archive:
        with tarfile.open(archive) as members:
            for member in members:
                stream = members.extractfile(member)
                if stream is not None:
                    contents[member.name] = stream.read()
    return contents


def apply(root: str, params: t.Mapping[str, t.Any], differences: list[dict[str, t.Any]], contents: t.Mapping[str, bytes]) -> None:
    by_path = {entry["path"]: entry for entry in params["files"]}
    for entry in params["directories"]:
        if compare_directory(root, entry):
            make_directory(root, entry)
        if entry["stamp"] and stamp_is_due(root, entry):
            stamp(root, entry)
    for difference in differences:
        path = os.path.join(root, difference["path"])
        if difference["kind"] == "remove":
            os.unlink(path)
        elif difference["path"] in contents:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            write(path, contents[difference["path"]], by_path[difference["path"]])
        elif difference["kind"] == "attributes" and difference["path"] in by_path:
            set_attributes(path, by_path[difference["path"]])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            **SPEC,
            "key": {"type": "str", "default": "", "no_log": True},
            "needed": {"type": "list", "elements": "str", "default": []},
            "archive": {"type": "path"},
            "show": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    root = params["root"].rstrip("/")
    key = params["key"] or _host.env_values(root, ["STACK_DIGEST_KEY"]).get("STACK_DIGEST_KEY", "")
    try:
        found = compare(root, params, key, params["show"])
        contents = unpack(params["archive"])
        # Without all contents that are needed this call only tells; the action plugin calls again with an archive of them.
        wanting = not contents.keys() >= set(found.needed)
        if found.changed and not wanting and not module.check_mode:
            apply(root, params, found.differences, contents)
    except (OSError, ValueError, tarfile.TarError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=found.changed, differences=found.differences, needed=found.needed if wanting else [])


if __name__ == "__main__":
    main()
