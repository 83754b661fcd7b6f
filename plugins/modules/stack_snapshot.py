#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_snapshot
short_description: Copy a stack's directory on its host, prove a copy, and put one back
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - A copy has all of the stack's directory, with owners, modes and times. Files that an earlier copy has are links to it, so that each copy is whole and
    costs only what is new.
  - A copy is made in two passes. The first one may be made while the stack runs; the second one, while nothing runs, takes what has changed since. So the
    pause is as long as the changes take, and not as long as the data.
  - With O(passphrase), what may have secrets in it is in the copy in the form of Ansible Vault only. Those are files outside of C(data) that nobody but their
    owner may read. What people have stored is as it is in the stack's own files.
attributes:
  action:
    support: full
    description: The action plugin encrypts and decrypts, on the controller.
  check_mode:
    support: full
    description: Nothing is copied.
  diff_mode:
    support: none
    description: Files are too many to be shown.
  idempotent:
    support: partial
    description: A second pass over the same files copies nothing. Each finished copy is another one.
  platform:
    platforms: linux
    support: full
    description: The host has to be a Linux machine. Needs root.
options:
  root:
    description: The stack's directory on the host.
    type: path
    required: true
  directory:
    description: Where copies are kept on the host.
    type: path
    required: true
  id:
    description:
      - Name of the copy, a time such as 20260131T120000Z. With O(state=verified), V(latest) is the latest that was finished, and V(upgrade) the latest of those
        with C(upgrade) in their manifest.
    type: str
    required: true
  state:
    description:
      - V(copied) makes a pass.
      - V(finished) writes the manifest with the checksum of every file, and removes copies beyond O(keep), and what copies that
        were cut off more than a day ago have left.
      - V(verified) compares every file with the manifest.
      - V(restored) puts O(parts) of the copy in the place of those that are there, which are kept in C(before-)TIME of the stack's directory. Nothing may
        run meanwhile.
      - V(absent) removes a copy that was not finished.
      - V(read) is for the action plugin, which has to know the private files of a copy.
    type: str
    choices: [copied, finished, verified, restored, absent, read]
    required: true
  parts:
    description:
      - With O(state=restored), what is put back, and with O(state=verified), what is going to be, so that a passphrase that is missing is told.
      - V(conf), V(env) and V(stack.json) belong together, as they are the stack's definition. C(state), which has the list of changes, stays, and comes
        along with V(stack.json) only where there is none.
    type: list
    elements: str
    choices: [conf, data, env, stack.json]
    default: [data]
  stack:
    description: With O(state=restored), the name that the stack has from now on, in O(root). By default name and directory are those that it had.
    type: str
    default: ""
  host:
    description: With O(stack), the inventory name of the host, for a stack on one host. By default the one that it had.
    type: str
    default: ""
  again_since:
    description: With O(state=copied), files of that time (seconds since 1970) or later are copied in any case. For the second pass, when the first one began.
    type: float
    default: 0
  manifest:
    description: With O(state=finished), what is to be in the manifest besides the files.
    type: dict
    default: {}
  passphrase:
    description:
      - With O(state=finished), what private files are encrypted with. Without it they are in the copy as they are.
      - With O(state=verified) and O(state=restored), what they are decrypted with, if the copy has them so.
    type: str
    default: ""
  private:
    description: Private files as JSON, as the action plugin gives them.
    type: str
    default: ""
  sealed:
    description: Private files in their encrypted form, as the action plugin gives them.
    type: str
    default: ""
  keep:
    description: With O(state=finished), how many copies are kept. 0 keeps all.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Copy what is there
  cozeops.studio.stack_snapshot:
    root: /opt/cozeops/coze
    directory: /var/backups/cozeops/coze
    id: 20260131T120000Z
    state: copied
"""

RETURN = r"""
path:
  description: The copy.
  returned: always
  type: str
  sample: /var/backups/cozeops/coze/20260131T120000Z
begun:
  description: When the pass began, in seconds since 1970.
  returned: when O(state=copied)
  type: float
  sample: 1790000000.5
done:
  description: Numbers of files that were copied, linked to an earlier copy, or kept from the pass before; and bytes that were copied.
  returned: when O(state=copied)
  type: dict
  sample: {"copied": 12, "linked": 880, "kept": 0, "bytes": 52428800}
files:
  description: How many files the copy has.
  returned: when O(state=finished) or O(state=verified)
  type: int
  sample: 892
bytes:
  description: Their size together.
  returned: when O(state=finished) or O(state=verified)
  type: int
  sample: 524288000
removed:
  description: Copies that are beyond O(keep), and what is left of those that were cut off.
  returned: when O(state=finished)
  type: list
  elements: str
  sample: []
problems:
  description: Files that are not what the manifest says. With any, the module fails.
  returned: when O(state=verified)
  type: list
  elements: str
  sample: []
id:
  description: The copy's name.
  returned: when O(state=verified)
  type: str
  sample: 20260131T120000Z
manifest:
  description: What O(manifest) was when the copy was finished.
  returned: when O(state=verified)
  type: dict
  sample: {"release": "0.5"}
model:
  description: The stack model of the copy.
  returned: when O(state=verified)
  type: dict
  sample: {"name": "coze", "release": "0.5"}
kept:
  description: Directory in which what was there before is now.
  returned: when O(state=restored)
  type: str
  sample: /opt/cozeops/coze/before-20260131T120000Z
"""

import glob
import json
import os
import shutil
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _host, _snapshot
from ansible_collections.cozeops.studio.plugins.module_utils._snapshot import PARTIAL, TREE, SnapshotError

#: What a stack keeps in its directory; anything else there is not the stack's.
DATA = "data"
MODEL = "stack.json"
PARTS = ("conf", DATA, "env", "state", MODEL)
NEW = ".new"
#: Room that has to be left when a copy is made, for the stack to run on.
RESERVE = 1024**3


def earlier_tree(directory: str, id_: str) -> str | None:
    """The tree of the latest finished copy before this one."""
    older = [name for name in _snapshot.ids(directory) if name < id_]
    return os.path.join(directory, older[-1], TREE) if older else None


def size_of(root: str, earlier: str | None) -> int:
    """Bytes that a copy takes at most: files that the earlier one does not have."""
    total = 0
    for part in PARTS:
        for folder, dummy, names in os.walk(os.path.join(root, part)):
            for name in names:
                path = os.path.join(folder, name)
                info = _snapshot.stat_or_none(path)
                twin = _snapshot.stat_or_none(os.path.join(earlier, os.path.relpath(path, root))) if earlier else None
                if info is not None and (twin is None or not _snapshot.same(info, twin)):
                    total += info.st_blocks * 512
    return total


def need_room(place: str, needed: int, takes: str) -> None:
    """``takes``: what the bytes are needed for, with %d for their megabytes, and the way out."""
    free = _host.disk(place)["free"]
    if needed + RESERVE > free:
        raise SnapshotError("%s has %d MB of room, and %s" % (_host.existing(place), free // 1024**2, takes % (needed // 1024**2)))


def copy_part(source: str, target: str, earlier: str | None = None, again_since: float = 0.0) -> _snapshot.Progress:
    """A directory as C(copy_tree) does it; a file, which is small, as it is."""
    if os.path.isdir(source):
        return _snapshot.copy_tree(source, target, earlier, again_since)
    if os.path.isfile(source):
        shutil.copy2(source, target)
    return {}


def copied(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    root, directory = params["root"].rstrip("/"), params["directory"]
    partial = os.path.join(directory, params["id"] + PARTIAL)
    earlier = earlier_tree(directory, params["id"])
    os.makedirs(directory, mode=0o700, exist_ok=True)
    if not os.path.isdir(partial):
        takes = "a copy of %s takes up to %%d MB more. Make room there, or set stack_backup_dir to another file system." % root.replace("%", "%%")
        need_room(directory, size_of(root, earlier), takes)
        os.mkdir(partial, 0o700)
    begun = time.time()
    done = {"copied": 0, "linked": 0, "kept": 0, "bytes": 0}
    os.makedirs(os.path.join(partial, TREE), mode=0o700, exist_ok=True)
    for part in PARTS:
        passed = copy_part(os.path.join(root, part), os.path.join(partial, TREE, part), os.path.join(earlier, part) if earlier else None, params["again_since"])
        done = {key: done[key] + passed.get(key, 0) for key in done}
    return {"changed": True, "path": partial, "begun": begun, "done": done}


def finished(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    directory = params["directory"]
    partial, path = os.path.join(directory, params["id"] + PARTIAL), os.path.join(directory, params["id"])
    earlier = earlier_tree(directory, params["id"])
    known = _snapshot.read_manifest(os.path.dirname(earlier))["files"] if earlier else {}
    if params["sealed"]:
        _snapshot.seal(os.path.join(partial, TREE), json.loads(params["private"]), params["sealed"])
    files = _snapshot.describe(os.path.join(partial, TREE), known, earlier)
    _snapshot.write_manifest(partial, {**params["manifest"], "files": files})
    os.rename(partial, path)
    gone = _snapshot.surplus(_snapshot.ids(directory), params["keep"]) if params["keep"] else []
    gone += _snapshot.abandoned(os.listdir(directory), params["id"])
    for name in gone:
        shutil.rmtree(os.path.join(directory, name))
    return {"changed": True, "path": path, "removed": gone, **amounts(files)}


def amounts(files: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, int]:
    return {"files": len(files), "bytes": sum(each.get("size", 0) for each in files.values())}


def verified(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    path = os.path.join(params["directory"], params["id"])
    problems = _snapshot.differences(path)
    if problems:
        shown = "; ".join(problems[:5]) + (" and %d more" % (len(problems) - 5) if len(problems) > 5 else "")
        raise SnapshotError("%s is damaged: %s. Nothing was changed. Take another backup." % (path, shown))
    manifest = _snapshot.read_manifest(path)
    files = manifest.pop("files")
    model = _host.load_json(os.path.join(path, TREE, MODEL))
    return {"changed": False, "path": path, "id": params["id"], "problems": [], "manifest": manifest, "model": model, **amounts(files)}


def read_private(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the action plugin encrypts of an unfinished copy, or decrypts of a finished one."""
    path = os.path.join(params["directory"], params["id"])
    if os.path.isdir(path):
        return {"changed": False, "path": path, "private": [], "sealed": _snapshot.read_sealed(path)}
    return {"changed": False, "path": path + PARTIAL, "private": _snapshot.pack(os.path.join(path + PARTIAL, TREE), DATA), "sealed": ""}


def restored(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The parts that are there are put aside, and the copy's put in their place; a call that was cut off goes on with the next one."""
    root, path = params["root"].rstrip("/"), os.path.join(params["directory"], params["id"])
    aside, parts = os.path.join(root, "restoring-" + params["id"]), list(params["parts"])
    if MODEL in parts and not os.path.isdir(os.path.join(root, "state")):
        # A host that has never had the stack: the key of its digests is there too.
        parts.append("state")
    waiting = [part for part in parts if not os.path.lexists(os.path.join(aside, part))]
    files = _snapshot.read_manifest(path)["files"]
    need_room(
        root,
        sum(each.get("size", 0) for name, each in files.items() if name.split("/", 1)[0] in waiting),
        "what is put back takes %d MB beside what is there, which is kept. Make room there; directories before-TIME in it are what earlier restores have kept.",
    )
    os.makedirs(aside, mode=0o700, exist_ok=True)
    for part in waiting:
        # All of it is there before anything is put aside.
        copy_part(os.path.join(path, TREE, part), os.path.join(aside, part + NEW))
        _snapshot.unpack(json.loads(params["private"] or "[]"), part, os.path.join(aside, part + NEW))
        _rename(aside, part, params)
    for part in parts:
        _change_places(os.path.join(root, part), os.path.join(aside, part))
    kept = os.path.join(root, "before-" + time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    os.rename(aside, kept)
    return {"changed": True, "path": path, "kept": kept}


def _rename(aside: str, part: str, params: t.Mapping[str, t.Any]) -> None:
    """Put name, directory and host into what was copied: the model, and the stamps of the data."""
    if not params["stack"]:
        return
    if part == MODEL:
        model = _host.load_json(os.path.join(aside, part + NEW))
        _write_json(os.path.join(aside, part + NEW), _snapshot.renamed(model, params["stack"], params["root"].rstrip("/"), params["host"] or model["host"]))
    if part == DATA:
        for path in glob.glob(os.path.join(glob.escape(os.path.join(aside, part + NEW)), ".*.json")):
            stamp = _host.load_json(path)
            if stamp.get("stack") not in (None, params["stack"]):
                _write_json(path, {**stamp, "stack": params["stack"]})


def _write_json(path: str, document: t.Mapping[str, t.Any]) -> None:
    """In place: it is a copy that nothing else is a link to, and keeps its owner and mode."""
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(document, stream, indent=1, sort_keys=True)


def _change_places(place: str, old: str) -> None:
    """``place`` becomes ``old``, and ``old``.new, if there is one, ``place``. What was cut off goes on: ``old`` is there once the first half is done."""
    if not os.path.lexists(old):
        os.rename(place, old) if os.path.lexists(place) else os.mkdir(old, 0o700)
    if os.path.lexists(old + NEW):
        os.rename(old + NEW, place)


def absent(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    partial = os.path.join(params["directory"], params["id"] + PARTIAL)
    there = os.path.isdir(partial)
    if there:
        shutil.rmtree(partial)
    return {"changed": there, "path": partial}


def named(directory: str, which: str) -> str:
    """Name of the latest copy, or of the latest with C(upgrade) in its manifest. Raises SnapshotError."""
    known = _snapshot.ids(directory)
    if which == "upgrade":
        known = [name for name in known if _snapshot.read_manifest(os.path.join(directory, name)).get("upgrade")]
    if not known:
        raise SnapshotError("%s has no %s" % (directory, "backup that was made before an upgrade" if which == "upgrade" else "finished backup"))
    return known[-1]


STATES: dict[str, t.Callable[[t.Mapping[str, t.Any]], dict[str, t.Any]]] = {
    "copied": copied,
    "finished": finished,
    "verified": verified,
    "restored": restored,
    "absent": absent,
    "read": read_private,
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "id": {"type": "str", "required": True},
            "state": {"type": "str", "choices": list(STATES), "required": True},
            "parts": {"type": "list", "elements": "str", "choices": [part for part in PARTS if part != "state"], "default": [DATA]},
            "stack": {"type": "str", "default": ""},
            "host": {"type": "str", "default": ""},
            "again_since": {"type": "float", "default": 0},
            "manifest": {"type": "dict", "default": {}},
            "passphrase": {"type": "str", "default": "", "no_log": True},
            # One text: of a list every number in it would be hidden in the result.
            "private": {"type": "str", "default": "", "no_log": True},
            "sealed": {"type": "str", "default": ""},
            "keep": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        if params["state"] in ("verified", "read") and params["id"] in ("latest", "upgrade"):
            params["id"] = named(params["directory"], params["id"])
        if not _snapshot.ID.fullmatch(params["id"]):
            raise SnapshotError("id: %r is no time such as 20260131T120000Z" % params["id"])
        if module.check_mode and params["state"] not in ("verified", "read"):
            module.exit_json(changed=True, path=os.path.join(params["directory"], params["id"]))
        module.exit_json(**STATES[params["state"]](params))
    except SnapshotError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg="%s: %s" % (exc.filename or params["directory"], exc.strerror or exc))


if __name__ == "__main__":
    main()
