# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of a stack's directory: made in two passes, the second while nothing runs, and with files that an earlier copy has as links to it.

A snapshot is C(<directory>/<id>/) with C(tree/) and C(manifest.json); C(<id>.partial) is one that was not finished. Private to this collection.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import re
import shutil
import stat
import typing as t

MANIFEST = "manifest.json"
TREE = "tree"
SEALED = "private.vault"
PARTIAL = ".partial"
TIME = "%Y%m%dT%H%M%SZ"
ID = re.compile(r"\d{8}T\d{6}Z")
CHUNK = 1024 * 1024

Path = str
Progress = dict[str, int]  # files copied, linked, kept, bytes copied


class SnapshotError(Exception):
    """A copy that cannot be made, or is not what it was. The text says which file, and what to do."""


def ids(directory: Path) -> list[str]:
    """Finished snapshots, the oldest first."""
    if not os.path.isdir(directory):
        return []
    return sorted(name for name in os.listdir(directory) if ID.fullmatch(name) and os.path.isfile(os.path.join(directory, name, MANIFEST)))


def same(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether two files are taken for the same by size and time; owner and mode have to agree too, as a link shares them."""
    return (one.st_size, one.st_mtime_ns, one.st_uid, one.st_gid, one.st_mode) == (other.st_size, other.st_mtime_ns, other.st_uid, other.st_gid, other.st_mode)


def stat_or_none(path: Path) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def copy_tree(source: Path, target: Path, previous: Path | None, again_since: float = 0.0) -> Progress:
    """Make ``target`` what ``source`` is: files, links, directories, with owners, modes and times. Sockets and pipes are left out.

    ``previous``: an earlier copy, whose files are linked where nothing tells them apart. ``again_since``: files of that time (seconds since 1970) or later are
    copied in any case, as a pass before may have read them while they were written. What vanishes meanwhile is left out. Raises OSError.
    """
    done: Progress = {"copied": 0, "linked": 0, "kept": 0, "bytes": 0}
    wanted: set[Path] = set()
    os.makedirs(target, exist_ok=True)
    folders = []
    for folder, names, files in os.walk(source):
        inner = os.path.relpath(folder, source)
        here = os.path.normpath(os.path.join(target, inner))
        folders.append((folder, here))
        _directory(here)
        wanted.add(here)
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        for name in [*files, *links]:
            path, copy = os.path.join(folder, name), os.path.join(here, name)
            info = stat_or_none(path)
            if info is None or not (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)):
                continue
            wanted.add(copy)
            earlier = os.path.normpath(os.path.join(previous, inner, name)) if previous else None
            _take(path, copy, info, earlier, info.st_mtime >= again_since > 0, done)
    _remove_others(target, wanted)
    for folder, here in reversed(folders):
        info = stat_or_none(folder)
        if info is not None and os.path.isdir(here):
            _be_like(here, info)
    return done


def _directory(path: Path) -> None:
    found = stat_or_none(path)
    if found is not None and not stat.S_ISDIR(found.st_mode):
        os.unlink(path)
        found = None
    if found is None:
        os.mkdir(path, 0o700)


def _take(path: Path, copy: Path, info: os.stat_result, earlier: Path | None, again: bool, done: Progress) -> None:
    there = stat_or_none(copy)
    if there is not None and not again and same(info, there):
        done["kept"] += 1
        return
    if there is not None:
        # Never written into: it may be a link to what an earlier copy has.
        shutil.rmtree(copy) if stat.S_ISDIR(there.st_mode) else os.unlink(copy)
    found = stat_or_none(earlier) if earlier and not again else None
    if found is not None and earlier and stat.S_ISREG(info.st_mode) and same(info, found):
        os.link(earlier, copy)
        done["linked"] += 1
        return
    try:
        if stat.S_ISLNK(info.st_mode):
            os.symlink(os.readlink(path), copy)
            os.chown(copy, info.st_uid, info.st_gid, follow_symlinks=False)
        else:
            shutil.copyfile(path, copy, follow_symlinks=False)
            _be_like(copy, info)
    except FileNotFoundError:
        return
    done["copied"] += 1
    done["bytes"] += info.st_size


def _be_like(path: Path, info: os.stat_result) -> None:
    os.chown(path, info.st_uid, info.st_gid)
    os.chmod(path, stat.S_IMODE(info.st_mode))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def _remove_others(target: Path, wanted: set[Path]) -> None:
    for folder, names, files in os.walk(target, topdown=False):
        for name in [*files, *names]:
            path = os.path.join(folder, name)
            if path not in wanted:
                shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)


def digest(path: Path) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def is_private(inner: str, info: os.stat_result, data: str) -> bool:
    """Whether a file of a stack's directory (path in it) may have secrets in it: it is no data, and nobody but its owner may read it."""
    return stat.S_ISREG(info.st_mode) and not info.st_mode & 0o077 and os.sep in inner and not inner.startswith(data + os.sep)


def pack(tree: Path, data: str) -> list[dict[str, t.Any]]:
    """The private files of a copy, with what they are made again from: path, content, owner, group, mode, time."""
    found = []
    for folder, dummy, names in os.walk(tree):
        for path in sorted(os.path.join(folder, name) for name in names):
            inner, info = os.path.relpath(path, tree), os.lstat(path)
            if is_private(inner, info, data):
                with open(path, "rb") as stream:
                    content = base64.b64encode(stream.read()).decode()
                rights = {"owner": info.st_uid, "group": info.st_gid, "mode": stat.S_IMODE(info.st_mode), "time": info.st_mtime_ns}
                found.append({"path": inner, "content": content, **rights})
    return found


def seal(tree: Path, packed: t.Sequence[t.Mapping[str, t.Any]], sealed: str) -> None:
    """Have the copy keep its private files in their encrypted form only."""
    handle = os.open(os.path.join(tree, SEALED), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(sealed)
    for entry in packed:
        os.unlink(os.path.join(tree, entry["path"]))


def unpack(packed: t.Sequence[t.Mapping[str, t.Any]], part: str, place: Path) -> None:
    """Make the private files of a part of the stack's directory again, under C(place). Their directories are there."""
    for entry in packed:
        head, dummy, inner = str(entry["path"]).partition(os.sep)
        if head != part:
            continue
        path = os.path.join(place, inner)
        if not os.path.realpath(path).startswith(os.path.realpath(place) + os.sep):
            raise SnapshotError("%s is not in the stack's directory" % entry["path"])
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(base64.b64decode(entry["content"]))
        os.chown(path, entry["owner"], entry["group"])
        os.chmod(path, entry["mode"])
        os.utime(path, ns=(entry["time"], entry["time"]))


def read_sealed(snapshot: Path) -> str:
    """The private files of a copy in their encrypted form; "" if they lie there as they are."""
    path = os.path.join(snapshot, TREE, SEALED)
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def describe(tree: Path, known: t.Mapping[str, t.Any], earlier: Path | None) -> dict[str, dict[str, t.Any]]:
    """path -> {"size", "sha256"} of every file; {"link"} of a symbolic link.

    ``known``: what the manifest of an earlier copy says of its files, for those that are links to it.
    """
    found: dict[str, dict[str, t.Any]] = {}
    for folder, names, files in os.walk(tree):
        for name in sorted([*files, *(each for each in names if os.path.islink(os.path.join(folder, each)))]):
            path = os.path.join(folder, name)
            inner = os.path.relpath(path, tree)
            info = os.lstat(path)
            if stat.S_ISLNK(info.st_mode):
                found[inner] = {"link": os.readlink(path)}
                continue
            twin = stat_or_none(os.path.join(earlier, inner)) if earlier and inner in known else None
            if twin is not None and twin.st_ino == info.st_ino:
                found[inner] = dict(known[inner])
            else:
                found[inner] = {"size": info.st_size, "sha256": digest(path)}
    return found


def read_manifest(snapshot: Path) -> dict[str, t.Any]:
    """Raises SnapshotError."""
    path = os.path.join(snapshot, MANIFEST)
    try:
        with open(path, encoding="utf-8") as stream:
            return t.cast("dict[str, t.Any]", json.load(stream))
    except FileNotFoundError as exc:
        raise SnapshotError("%s is no finished backup: it has no %s" % (snapshot, MANIFEST)) from exc
    except (OSError, ValueError) as exc:
        raise SnapshotError("%s cannot be read: %s" % (path, exc)) from exc


def write_manifest(snapshot: Path, manifest: t.Mapping[str, t.Any]) -> None:
    path = os.path.join(snapshot, MANIFEST)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=1, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())


def differences(snapshot: Path) -> list[str]:
    """Files that are not what the manifest says, in words. Raises SnapshotError for a manifest that cannot be read."""
    wanted = read_manifest(snapshot)["files"]
    found = describe(os.path.join(snapshot, TREE), {}, None)
    problems = ["%s is missing" % path for path in sorted(wanted) if path not in found]
    problems += ["%s is not of this backup" % path for path in sorted(found) if path not in wanted]
    return problems + ["%s is another one than was written" % path for path in sorted(wanted) if path in found and found[path] != wanted[path]]


def count_differences(before: t.Mapping[str, t.Mapping[str, int]], now: t.Mapping[str, t.Mapping[str, int]]) -> list[str]:
    """What of what stores held is not there as it was, in words."""
    found = []
    for store, counts in before.items():
        there = now.get(store, {})
        found += ["%s %s: %d, not %d" % (store, name, there.get(name, 0), count) for name, count in counts.items() if there.get(name, 0) != count]
    return found


def renamed(model: t.Mapping[str, t.Any], name: str, root: str, host: str) -> dict[str, t.Any]:
    """The model of a stack that goes by another name, in another directory, or, where it is on one host, on another one.

    Digests stay those of before, so that the next run makes its containers anew.
    """
    network = str(model["network"])
    if network in (model["name"], model["name"] + "-overlay"):
        network = name + network[len(model["name"]) :]
    found = {**model, "name": name, "root": root, "network": network}
    if len(model["hosts"]) == 1:
        found.update(host=host, hosts=[host], placement={service: [host] for service in model["placement"]})
    return found


def abandoned(names: t.Sequence[str], now: str) -> list[str]:
    """Of the names in the directory, those of copies that runs which were cut off have left: a day older than ``now``, the id of one that is at work."""
    limit = (datetime.datetime.strptime(now, TIME) - datetime.timedelta(days=1)).strftime(TIME)
    return [name for name in sorted(names) if name.endswith(PARTIAL) and ID.fullmatch(name[: -len(PARTIAL)]) and name < limit]


def surplus(known: t.Sequence[str], keep: int) -> list[str]:
    """Snapshots that retention does not keep, the oldest first. At least one is kept."""
    return sorted(known)[: max(0, len(known) - max(1, keep))]
