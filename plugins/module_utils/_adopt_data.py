# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Data directories of an installation that become a stack's, and go back to where they were. Private to this collection.

What is to be done is written into C(<root>/adopting.json) before anything is touched, and every step can be told from what is there: so a run that was cut
off anywhere can be taken back. Owners of files that get another one are kept in C(<root>/adopting-owners/).
"""

from __future__ import annotations

import collections
import json
import os
import shutil
import time
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _host, _ledger, _snapshot

JOURNAL = "adopting.json"
OWNERS = "adopting-owners"
#: Behind the name of what the stack has written, which is kept beside what goes back.
LEFT = ".left"
#: Room that has to be left when data are copied, for the stack to run on.
RESERVE = 1024**3

Entry = t.Mapping[str, t.Any]


class AdoptError(Exception):
    """What cannot be done; the text says which file or container, and what to do."""


def journal_path(root: str) -> str:
    return os.path.join(root, JOURNAL)


def read_journal(root: str) -> dict[str, t.Any] | None:
    """What was begun and not ended; None for nothing. Raises AdoptError."""
    path = journal_path(root)
    if not os.path.exists(path):
        return None
    found = _host.load_json(path)
    if not isinstance(found, dict):
        raise AdoptError("%s cannot be read, and says what an adoption that was cut off has begun. Restore it, or bring things back by hand." % path)
    return found


def write_private(path: str, document: t.Any) -> None:
    """Replace the file in one step, 0600, and have it on the disk."""
    handle = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(document, stream, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(path + ".new", path)


def filled(path: str) -> bool:
    return os.path.isdir(path) and bool(os.listdir(path))


def size_of(path: str) -> int:
    total = 0
    for folder, dummy, names in os.walk(path):
        for name in names:
            info = _snapshot.stat_or_none(os.path.join(folder, name))
            total += info.st_blocks * 512 if info else 0
    return total


def is_copied(entry: Entry, root: str) -> bool:
    """Whether the data cannot just be moved: a volume stays whole, and another file system or a mount of its own cannot be moved from."""
    source = entry["source"]
    return entry["kind"] == "volume" or os.path.ismount(source) or os.stat(source).st_dev != os.stat(_host.existing(root)).st_dev


def need_room(root: str, entries: t.Sequence[Entry]) -> None:
    """Raises AdoptError."""
    needed = sum(size_of(entry["source"]) for entry in entries)
    free = _host.disk(root)["free"]
    if entries and needed + RESERVE > free:
        raise AdoptError(
            "%s has %d MB of room, and %s have to be copied there, %d MB. Make room, or set stack_root to the file system that has them."
            % (_host.existing(root), free // 1024**2, " and ".join(entry["source"] for entry in entries), needed // 1024**2)
        )


# -- owners


def owners(tree: str) -> dict[str, t.Any]:
    """Who owns what in the tree: {"most": [uid, gid], "others": {path: [uid, gid]}, "mode"}.

    ``most``: what most of the others have, so that a million files of one owner take no room.
    """
    found: dict[str, tuple[int, int]] = {}
    for path in paths(tree):
        info = os.lstat(path)
        found[os.path.relpath(path, tree)] = (info.st_uid, info.st_gid)
    counts = collections.Counter(pair for pair in found.values())
    most = counts.most_common(1)[0][0]
    return {
        "most": list(most),
        "others": {path: list(pair) for path, pair in found.items() if pair != most},
        "mode": os.stat(tree).st_mode & 0o7777,
    }


def paths(tree: str) -> t.Iterator[str]:
    """The tree itself, and everything in it."""
    yield tree
    for folder, names, files in os.walk(tree):
        for name in [*names, *files]:
            yield os.path.join(folder, name)


def give(tree: str, owner: int, group: int) -> None:
    for path in paths(tree):
        info = os.lstat(path)
        if (info.st_uid, info.st_gid) != (owner, group):
            os.lchown(path, owner, group)


def give_back(tree: str, kept: t.Mapping[str, t.Any]) -> None:
    """Owners as ``owners`` has found them; what is new there gets what most have."""
    for path in paths(tree):
        owner, group = kept["others"].get(os.path.relpath(path, tree), kept["most"])
        info = os.lstat(path)
        if (info.st_uid, info.st_gid) != (owner, group):
            os.lchown(path, owner, group)
    os.chmod(tree, kept["mode"])


def owners_path(root: str, entry: Entry) -> str:
    return os.path.join(root, OWNERS, os.path.basename(entry["to"]) + ".json")


# -- there and back


def take(root: str, entry: Entry, stack: str) -> None:
    """Bring the data to the stack's directory, with the owner that they are to have and a stamp that says whose they are."""
    source, target = entry["source"], entry["to"]
    if entry["copied"]:
        _snapshot.copy_tree(source, target + ".new", None)
        os.rename(target + ".new", target)
    else:
        write_private(owners_path(root, entry), owners(source))
        if source != target:
            if os.path.isdir(target):
                os.rmdir(target)
            os.rename(source, target)
    give(target, entry["owner"], entry["group"])
    os.chmod(target, int(entry["mode"], 8))
    convert(target, entry)
    # Data that no init job was ever done on count as those of a first start that was cut off.
    init = {"adopted": {"at": _ledger.now(), "from": source}}
    _ledger.write(stamp_path(target), {"stack": stack, "service": entry["service"], "created": _ledger.now(), "init": init})


def stamp_path(target: str) -> str:
    return os.path.join(os.path.dirname(target), ".%s.json" % os.path.basename(target))


def convert(target: str, entry: Entry) -> None:
    """Files that the stack's way to run the service takes for its data, made of those that are there."""
    wanted = entry["convert"]
    if not wanted or not os.path.isfile(os.path.join(target, wanted["of"])) or os.path.lexists(os.path.join(target, wanted["to"])):
        return
    folder = os.path.join(target, wanted["to"])
    os.mkdir(folder + ".new", 0o755)
    shutil.copyfile(os.path.join(target, wanted["of"]), os.path.join(folder + ".new", wanted["copy"]))
    for name, text in wanted["files"].items():
        with open(os.path.join(folder + ".new", name), "w", encoding="utf-8") as stream:
            stream.write(text)
    give(folder + ".new", entry["owner"], entry["group"])
    os.rename(folder + ".new", folder)


def put_back(root: str, entry: Entry) -> None:
    """Undo ``take``, as far as it came. Raises AdoptError where something else is in the place by now."""
    source, target = entry["source"], entry["to"]
    kept = _host.load_json(owners_path(root, entry))
    if entry["copied"]:
        if os.path.isdir(target + ".new"):
            shutil.rmtree(target + ".new")
        if os.path.isdir(target):
            # A copy, but the stack may have written into it.
            os.rename(target, left_path(target))
    elif not kept:
        # It was empty, so that what is there is the stack's.
        return
    elif source != target and os.path.isdir(target) and not (filled(source) and not filled(target)):
        if filled(source):
            raise AdoptError("%s cannot go back to %s, where something else is by now. Move that away, and run adopt.yml again." % (target, source))
        if os.path.isdir(source):
            # Docker makes a directory where a mounted one is missing.
            os.rmdir(source)
        os.rename(target, source)
    if not entry["copied"] and os.path.isdir(source):
        put_converted_aside(source, entry)
        give_back(source, kept)
    if os.path.exists(stamp_path(target)):
        os.unlink(stamp_path(target))


def left_path(target: str) -> str:
    """A name that nothing has yet, for what the stack has written there."""
    number, path = 1, target + LEFT
    while os.path.lexists(path):
        number += 1
        path = "%s%s-%d" % (target, LEFT, number)
    return path


def put_converted_aside(tree: str, entry: Entry) -> None:
    for name in (entry["convert"]["to"], entry["convert"]["to"] + ".new") if entry["converts"] else ():
        if os.path.isdir(os.path.join(tree, name)):
            folder = left_path(entry["to"])
            os.makedirs(folder, mode=0o700)
            os.rename(os.path.join(tree, name), os.path.join(folder, name))


def set_aside(root: str) -> str:
    """Put what the failed stack has left in the directory into one folder, and tell which; "" if there is nothing. Its state stays: changes are noted there."""
    left = [name for name in ("stack.json", "env", "conf", "data") if os.path.lexists(os.path.join(root, name))]
    if not left:
        return ""
    aside = os.path.join(root, "failed-adoption-" + time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    os.makedirs(aside, mode=0o700, exist_ok=True)
    for name in left:
        os.rename(os.path.join(root, name), os.path.join(aside, name))
    return aside
