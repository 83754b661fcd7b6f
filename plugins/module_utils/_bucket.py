# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a directory against the objects of a bucket: what has to be uploaded, and in which calls. Pure but for reading the files."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import typing as t

#: Files in one call of mc: an argument list has its limit.
AT_ONCE = 200


class Object(t.NamedTuple):
    """What the store says of an object. The etag is the MD5 of the content, unless it was uploaded in parts (then it has a "-")."""

    size: int
    etag: str


class File(t.NamedTuple):
    """A file to seed; ``path`` is where the store's container sees it."""

    key: str
    path: str
    size: int
    md5: str


class Copy(t.NamedTuple):
    """One call of mc: files into a folder of the bucket ("" is its top)."""

    folder: str
    files: tuple[File, ...]


class ListingError(Exception):
    """What mc said instead of a listing. ``no_bucket``: there is no such bucket."""

    def __init__(self, message: str, no_bucket: bool = False) -> None:
        super().__init__(message)
        self.no_bucket = no_bucket


def clean_prefix(prefix: str) -> str:
    """ "/default_icon" -> "default_icon/"; "" stays: the top of the bucket."""
    trimmed = prefix.strip("/")
    return trimmed + "/" if trimmed else ""


def read_tree(source: str, target: str, prefix: str) -> list[File]:
    """Every regular file under ``source``, which the container sees at ``target``, sorted by key. Raises OSError."""
    files = []
    for directory, _folders, names in os.walk(source, onerror=_raise):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue  # a link may lead to another file in the container, or nowhere
            relative = os.path.relpath(path, source)
            with open(path, "rb") as stream:
                content = stream.read()
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            files.append(File(clean_prefix(prefix) + relative, posixpath.join(target, relative), len(content), md5))
    return sorted(files)


def _raise(error: OSError) -> t.NoReturn:
    raise error


def parse_listing(text: str, prefix: str) -> dict[str, Object]:
    """Objects by key, from ``mc ls --recursive --json``, whose keys begin behind the prefix. Raises ListingError."""
    objects: dict[str, Object] = {}
    for line in text.splitlines():
        entry = json.loads(line) if line.strip() else {}
        if entry.get("status") == "error":
            raise ListingError(message_of(entry), _is_no_bucket(entry))
        if entry.get("type") == "file":
            objects[clean_prefix(prefix) + entry["key"]] = Object(int(entry["size"]), str(entry.get("etag", "")))
    return objects


def _is_no_bucket(entry: t.Mapping[str, t.Any]) -> bool:
    """mc says it in its own words if the store is empty, and in the server's if it has other buckets."""
    details = ((entry.get("error") or {}).get("cause") or {}).get("error") or {}
    return details.get("Code") == "NoSuchBucket" or set(details) == {"Bucket"}


def message_of(entry: t.Mapping[str, t.Any]) -> str:
    """mc's error in a sentence."""
    error = entry.get("error") or {}
    cause = (error.get("cause") or {}).get("message", "")
    return " ".join(part for part in (error.get("message", ""), cause) if part)


def errors_in(text: str) -> list[str]:
    """The errors in the lines that mc printed; a line that is not JSON counts as one."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            entry = json.loads(line)
        except ValueError:
            found.append(line)
            continue
        if entry.get("status") == "error":
            found.append(message_of(entry))
    return found


def same(file: File, stored: Object | None) -> bool:
    """Is the object the file? Where the etag is not an MD5, equal size has to do."""
    if stored is None or stored.size != file.size:
        return False
    return "-" in stored.etag or stored.etag == file.md5


def to_upload(files: t.Iterable[File], objects: t.Mapping[str, Object]) -> list[File]:
    return [file for file in files if not same(file, objects.get(file.key))]


def copies(files: t.Iterable[File], at_once: int = AT_ONCE) -> list[Copy]:
    """The uploads, grouped by folder: mc keeps only the last part of a path."""
    folders: dict[str, list[File]] = {}
    for file in files:
        folders.setdefault(posixpath.dirname(file.key), []).append(file)
    return [Copy(folder, tuple(group[start : start + at_once])) for folder, group in sorted(folders.items()) for start in range(0, len(group), at_once)]


def is_mounted(mounts: t.Iterable[t.Mapping[str, t.Any]], target: str) -> bool:
    """Is the path, or a directory above it, one of the container's mounts?"""
    wanted = posixpath.normpath(target) + "/"
    return any(wanted.startswith(posixpath.normpath(mount["Destination"]).rstrip("/") + "/") for mount in mounts)
