# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a stack's files and directories on a host is not as wanted. Private to this collection; it only reads."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _host
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed

Entry = t.Mapping[str, t.Any]
LARGEST_SHOWN = 100_000


def attributes_differ(path: str, entry: Entry) -> bool:
    info = os.lstat(path)
    return (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) != (entry["owner"], entry["group"], int(entry["mode"], 8))


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


def stamp_is_due(root: str, entry: Entry) -> bool:
    """True for a data directory that holds nothing, and whose stamp is missing, another stack's, or speaks of things that were done."""
    path = os.path.join(root, entry["path"])
    mark = _host.load_json(os.path.join(os.path.dirname(path), ".%s.json" % os.path.basename(path)))
    empty = not os.path.isdir(path) or not os.listdir(path)
    if not empty:
        return False
    return not isinstance(mark, dict) or bool(mark.get("init")) or mark.get("stack") != entry["stamp"]["stack"]


#: The options with which a module is told what is wanted.
SPEC: dict[str, t.Any] = {
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
}


class Found(t.NamedTuple):
    """What is not as wanted."""

    #: [{"path", "kind"}]; kind is directory, attributes, create, content or remove
    differences: list[dict[str, t.Any]]
    #: Whether a data directory lacks its stamp, or has one that is not its own.
    stamps: bool

    @property
    def changed(self) -> bool:
        return bool(self.differences) or self.stamps

    @property
    def needed(self) -> list[str]:
        """Files whose contents the host does not have."""
        return [difference["path"] for difference in self.differences if difference["kind"] in ("create", "content")]


def compare(root: str, wanted: t.Mapping[str, t.Any], key: str, show: bool = False) -> Found:
    """What differs from ``wanted``, the options of SPEC. With ``show``, texts that may be shown come with their differences, as "before".

    Raises ValueError for a file where a directory has to be, or the other way round; OSError.
    """
    found = [compare_directory(root, entry) for entry in wanted["directories"]]
    found += [compare_file(root, entry, key, show) for entry in wanted["files"]]
    differences = [difference for difference in found if difference is not None]
    differences += strangers(root, wanted["exclusive"], {entry["path"] for entry in wanted["files"]})
    return Found(differences, any(entry.get("stamp") and stamp_is_due(root, entry) for entry in wanted["directories"]))
