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
  empty:
    description:
      - Whether the host is known to have none of the files, so that all are sent at once. Files that it has are left as they are all the same.
    type: bool
    default: false
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
import stat
import tarfile
import tempfile
import typing as t
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _host
from ansible_collections.cozeops.studio.plugins.module_utils._digest import canonical, keyed

Entry = t.Mapping[str, t.Any]
LARGEST_SHOWN = 100_000


def attributes_differ(path: str, entry: Entry) -> bool:
    info = os.lstat(path)
    return (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) != (entry["owner"], entry["group"], int(entry["mode"], 8))


def set_attributes(path: str, entry: Entry) -> None:
    os.chown(path, entry["owner"], entry["group"])
    os.chmod(path, int(entry["mode"], 8))


def text_of(path: str) -> str | None:
    """The file as text, if it is short and one."""
    try:
        with open(path, "rb") as handle:
            data = handle.read(LARGEST_SHOWN + 1)
        return data.decode() if len(data) <= LARGEST_SHOWN else None
    except (OSError, UnicodeDecodeError):
        return None


def compare_file(root: str, entry: Entry, key: str, show: bool) -> dict[str, t.Any] | None:
    """What differs about one file, or None."""
    path = os.path.join(root, entry["path"])
    if os.path.isdir(path) and not os.path.islink(path):
        raise ValueError("%s is a directory, and a file is to be there. Docker makes one where a mounted file is missing: remove it if it is empty." % path)
    if not os.path.lexists(path):
        return {"path": entry["path"], "kind": "create", "secret": entry["secret"]}
    same = False
    if key and not os.path.islink(path):
        with open(path, "rb") as handle:
            same = keyed(key, handle.read()) == entry["digest"]
    if not same:
        before = text_of(path) if show and not entry["secret"] else None
        return {"path": entry["path"], "kind": "content", "secret": entry["secret"], "before": before}
    if attributes_differ(path, entry):
        return {"path": entry["path"], "kind": "attributes", "secret": entry["secret"]}
    return None


def compare_directory(root: str, entry: Entry) -> dict[str, t.Any] | None:
    path = os.path.normpath(os.path.join(root, entry["path"]))
    if not os.path.isdir(path):
        if os.path.lexists(path):
            raise ValueError("%s is a file, and a directory is to be there. Move it away." % path)
        return {"path": entry["path"], "kind": "directory"}
    if attributes_differ(path, entry):
        return {"path": entry["path"], "kind": "attributes"}
    return None


def strangers(root: str, trees: t.Sequence[str], files: t.Collection[str]) -> list[dict[str, t.Any]]:
    """Files of exclusive trees that are not wanted."""
    found = []
    for tree in trees:
        for folder, _folders, names in os.walk(os.path.join(root, tree)):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), root)
                if path not in files:
                    found.append({"path": path, "kind": "remove"})
    return sorted(found, key=lambda difference: difference["path"])


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


def stamp_is_due(root: str, entry: Entry) -> bool:
    """True for a data directory that holds nothing, and whose stamp is missing, another stack's, or speaks of things that were done."""
    path = os.path.join(root, entry["path"])
    mark = _host.load_json(os.path.join(os.path.dirname(path), ".%s.json" % os.path.basename(path)))
    empty = not os.path.isdir(path) or not os.listdir(path)
    if not empty:
        return False
    return not isinstance(mark, dict) or bool(mark.get("init")) or mark.get("stack") != entry["stamp"]["stack"]


def apply(root: str, params: t.Mapping[str, t.Any], differences: list[dict[str, t.Any]]) -> None:
    by_path = {entry["path"]: entry for entry in params["files"]}
    for entry in params["directories"]:
        if compare_directory(root, entry):
            make_directory(root, entry)
        if entry["stamp"] and stamp_is_due(root, entry):
            stamp(root, entry)
    contents: dict[str, bytes] = {}
    if params["archive"]:
        with tarfile.open(params["archive"]) as archive:
            for member in archive:
                stream = archive.extractfile(member)
                if stream is not None:
                    contents[member.name] = stream.read()
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
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "str", "required": True},
                    "owner": {"type": "int", "default": 0},
                    "group": {"type": "int", "default": 0},
                    "mode": {"type": "str", "default": "0755"},
                    "stamp": {"type": "dict"},
                },
            },
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "str", "required": True},
                    "src": {"type": "str"},
                    "content": {"type": "str"},
                    "digest": {"type": "str", "required": True},
                    "owner": {"type": "int", "default": 0},
                    "group": {"type": "int", "default": 0},
                    "mode": {"type": "str", "default": "0644"},
                    "secret": {"type": "bool", "default": False},
                },
            },
            "exclusive": {"type": "list", "elements": "str", "default": []},
            "empty": {"type": "bool", "default": False},
            "archive": {"type": "path"},
            "show": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    root = params["root"].rstrip("/")
    key = _host.env_values(root, ["STACK_DIGEST_KEY"]).get("STACK_DIGEST_KEY", "")
    try:
        found = [compare_directory(root, entry) for entry in params["directories"]]
        found += [compare_file(root, entry, key, params["show"]) for entry in params["files"]]
        differences = [difference for difference in found if difference is not None]
        differences += strangers(root, params["exclusive"], {entry["path"] for entry in params["files"]})
        stamps = any(entry["stamp"] and stamp_is_due(root, entry) for entry in params["directories"])
        needed = [difference["path"] for difference in differences if difference["kind"] in ("create", "content")]
        # Without the contents that are needed this call only tells; the action plugin calls again with the archive.
        wanting = needed and not params["archive"]
        if (differences or stamps) and not wanting and not module.check_mode:
            apply(root, params, differences)
    except (OSError, ValueError, tarfile.TarError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=bool(differences or stamps), differences=differences, needed=needed if wanting else [])


if __name__ == "__main__":
    main()
