# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making a bundle, and proving one. Its format is told in ``_archive_index``, which reads it. Private to this collection."""

from __future__ import annotations

import collections
import filecmp
import hashlib
import json
import os
import re
import shutil
import struct
import typing as t
import zlib
from concurrent.futures import Future, ThreadPoolExecutor

from ansible_collections.cozeops.studio.plugins.module_utils._archive import ArchiveError, Image
from ansible_collections.cozeops.studio.plugins.module_utils._archive_index import (
    CHECKSUMS,
    FORMAT,
    INCOMPLETE,
    MANIFEST,
    Reader,
    bundle_index,
    checksums_of,
    damaged,
    file_stem,
    sha256_of,
)
from ansible_collections.cozeops.studio.plugins.module_utils._container import normal_reference
from ansible_collections.cozeops.studio.plugins.module_utils._host import existing

PARTIAL = "partial"  # the folder of what is on its way
PARTS = IMAGES, SOURCE, COLLECTION, PYTHON, PACKAGES = "images", "source", "collection", "python", "packages"
#: gzip makes about 0.4 of an image; what is left is to spare.
PACKED = 0.6
#: Of the .env files of a source tree, the one that has no secrets in it.
ENV_EXAMPLE = ".env.example"
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no name and no time, so that the same image makes the same file
CHUNK = 8 << 20


class BundleError(ValueError):
    """The bundle cannot be made, or is not whole. The text tells everything that is in the way."""


class Wanted(t.NamedTuple):
    """An image for the bundle, and how the Engine knows it."""

    reference: str
    archive: str  # path in the bundle
    id: str
    size: int  # bytes, unpacked


# --- what is to be done


def archive_names(references: t.Iterable[str]) -> dict[str, str]:
    """reference -> path in the bundle. Images of the same last part and tag have their whole names in it. Raises BundleError."""
    wanted = sorted(set(references))
    pinned = [reference for reference in wanted if "@" in reference]
    if pinned:
        raise BundleError(
            "\n".join("%s: an archive cannot have an image by its registry's digest. Write it with a tag in stack_images." % name for name in pinned)
        )
    stems = collections.Counter(file_stem(reference) for reference in wanted)
    return {
        reference: "%s/%s-save.tgz" % (IMAGES, file_stem(reference) if stems[file_stem(reference)] == 1 else file_stem(reference.replace("/", "_")))
        for reference in wanted
    }


def on_engine(names: t.Mapping[str, str], found: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[list[Wanted], list[str]]:
    """(images that the Engine has, references that it lacks); ``found`` are its inspections of images."""
    by_tag = {normal_reference(tag): info for info in found for tag in info.get("RepoTags") or ()}
    wanted = [
        Wanted(reference, archive, by_tag[normal_reference(reference)]["Id"], by_tag[normal_reference(reference)]["Size"])
        for reference, archive in names.items()
        if normal_reference(reference) in by_tag
    ]
    return wanted, [reference for reference in names if normal_reference(reference) not in by_tag]


def held(path: str, wanted: Wanted, reader: Reader) -> Image | None:
    """The image in this archive, if it is the one that the Engine has; None if the archive has to be made."""
    if not os.path.isfile(path):
        return None
    try:
        images = reader(path).images
    except ArchiveError:
        return None  # damaged, so it is made anew
    for image in images:
        same = wanted.id in (image.config_digest, image.manifest_digest)
        if same and normal_reference(wanted.reference) in [normal_reference(reference) for reference in image.references]:
            return image
    return None


def refuse_place(dest: str) -> None:
    """Raises BundleError if the bundle cannot be made there."""
    if os.path.lexists(dest) and not os.path.isdir(dest):
        raise BundleError("%s is not a directory. Set bundle_dest to a directory of the bundle's own." % dest)
    if os.path.isdir(dest) and os.listdir(dest) and not any(os.path.isfile(os.path.join(dest, name)) for name in (MANIFEST, INCOMPLETE)):
        raise BundleError("%s has other files in it, and no bundle. Set bundle_dest to a new or an empty directory." % dest)
    place = existing(dest)
    if not os.access(place, os.W_OK | os.X_OK):
        raise BundleError("%s: this user may not write to %s. Set bundle_dest to another directory." % (dest, place))


def refuse_room(dest: str, due: t.Sequence[Wanted]) -> None:
    """Raises BundleError if what is to be written will not fit: each image in turn as it is, and all of them packed."""
    if not due:
        return
    free = shutil.disk_usage(existing(dest)).free
    needed = max(image.size for image in due) + PACKED * sum(image.size for image in due)
    if needed > free:
        raise BundleError("%s: %.1f GB are free, and the bundle's images may need %.1f GB. Set bundle_dest to another disk." % (dest, free / 1e9, needed / 1e9))


# --- writing


def pack(source: str, target: str, threads: int = 2) -> None:
    """Compress the file as gzip, in pieces that are compressed side by side. The target is there only when it is whole."""
    temporary = os.path.join(os.path.dirname(source), os.path.basename(target))
    with open(source, "rb") as reader, open(temporary, "wb") as writer, ThreadPoolExecutor(threads) as pool:
        queue: collections.deque[Future[bytes]] = collections.deque()
        for piece in iter(lambda: reader.read(CHUNK), b""):
            queue.append(pool.submit(member, piece))
            if len(queue) > 2 * threads:
                writer.write(queue.popleft().result())
        for future in queue:
            writer.write(future.result())
        writer.flush()
        os.fsync(writer.fileno())
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.replace(temporary, target)


def member(data: bytes) -> bytes:
    """A whole gzip file of this piece; such files may stand one after another."""
    squeezer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return GZIP_HEADER + squeezer.compress(data) + squeezer.flush() + struct.pack("<LL", zlib.crc32(data), len(data))


def source_files(tree: str, parts: t.Iterable[str]) -> list[str]:
    """Paths of the tree's files below these parts of it, sorted. Hidden ones are left out: a .env has secrets in it."""
    found = [name for name in os.listdir(tree) if re.match(r"(LICENSE|NOTICE)", name) and os.path.isfile(os.path.join(tree, name))]
    for part in parts:
        top = os.path.join(tree, part)
        if os.path.isfile(top):
            found.append(part)
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            found += [os.path.relpath(os.path.join(folder, name), tree) for name in names if not name.startswith(".")]
    return sorted(found)


def copies(tree: str, files: t.Iterable[str], target: str) -> list[str]:
    """Those of the files that the target lacks or has otherwise."""
    pairs = [(path, os.path.join(tree, path), os.path.join(target, path)) for path in files]
    return [path for path, source, copy in pairs if not os.path.isfile(copy) or not filecmp.cmp(source, copy, shallow=False)]


def copy(source: str, target: str, partial: str) -> None:
    """Copy the file; the target is there only when it is whole."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    temporary = os.path.join(partial, os.path.basename(target))
    shutil.copyfile(source, temporary)
    os.replace(temporary, target)


def files_below(top: str) -> list[str]:
    """Paths of all files below the directory, relative to it, sorted, less those that are on their way."""
    found = []
    for folder, folders, names in os.walk(top):
        if folder == top:
            folders[:] = [name for name in folders if name != PARTIAL]
        found += [os.path.relpath(os.path.join(folder, name), top) for name in names]
    return sorted(found)


def manifest(dest: str, images: t.Sequence[tuple[Wanted, Image]], more: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the bundle has, without who made it and when. Every file is read."""
    files = [path for path in files_below(dest) if path not in (MANIFEST, CHECKSUMS, INCOMPLETE)]
    return {
        "format": FORMAT,
        **more,
        "platform": images[0][1].platform if images else "",
        "images": [
            {
                "reference": wanted.reference,
                "archive": wanted.archive,
                "config_digest": image.config_digest,
                "manifest_digest": image.manifest_digest,
                "platform": image.platform,
                "layers": list(image.layers),
                "created": image.created,
            }
            for wanted, image in images
        ],
        "files": [{"path": path, "size": os.path.getsize(os.path.join(dest, path)), "sha256": sha256_of(os.path.join(dest, path))} for path in files],
    }


def read_manifest(dest: str) -> dict[str, t.Any]:
    """The manifest as it is, {} if there is none that can be read."""
    try:
        with open(os.path.join(dest, MANIFEST), encoding="utf-8") as handle:
            document = json.load(handle)
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def write_manifest(dest: str, document: t.Mapping[str, t.Any]) -> None:
    """The manifest and the checksums of all, and the bundle is finished."""
    text = json.dumps(document, indent=1) + "\n"
    lines = ["%s  %s\n" % (entry["sha256"], entry["path"]) for entry in document["files"]]
    lines.append("%s  %s\n" % (hashlib.sha256(text.encode()).hexdigest(), MANIFEST))
    for name, content in ((MANIFEST, text), (CHECKSUMS, "".join(lines))):
        temporary = os.path.join(dest, PARTIAL, name)
        with open(temporary, "w", encoding="utf-8") as handle:
            handle.write(content)
        os.replace(temporary, os.path.join(dest, name))
    shutil.rmtree(os.path.join(dest, PARTIAL))
    if os.path.exists(os.path.join(dest, INCOMPLETE)):
        os.unlink(os.path.join(dest, INCOMPLETE))


def intact(before: t.Mapping[str, t.Any], dest: str, path: str) -> bool:
    """Whether a file is as the manifest says; one that is not in it yet is believed. What has rotted must not get into a new manifest."""
    entry = next((entry for entry in before.get("files", ()) if entry["path"] == path), None)
    file = os.path.join(dest, path)
    return entry is None or (os.path.isfile(file) and os.path.getsize(file) == entry["size"] and sha256_of(file) == entry["sha256"])


def same_part(before: t.Mapping[str, t.Any], dest: str, part: str, about: t.Mapping[str, t.Any]) -> bool:
    """Whether a part of the bundle was made for the same, and its files are as they were."""
    files = [entry["path"] for entry in before.get("files", ()) if entry["path"].startswith(part + "/")]
    return bool(files) and before.get(part) == dict(about) and all(intact(before, dest, path) for path in files)


# --- proving


def verify(dest: str) -> dict[str, int]:
    """{"files", "bytes"} of a bundle that is whole. Raises BundleError that names every file that is damaged, missing or too many."""
    try:
        known = bundle_index(dest)
        sums = checksums_of(os.path.join(dest, CHECKSUMS))
    except ArchiveError as exc:
        raise BundleError(str(exc)) from exc
    path = os.path.join(dest, MANIFEST)
    if sha256_of(path) != sums.get(os.path.normpath(path)):
        raise BundleError("%s is damaged: its checksum is not the one in %s. Copy both again." % (path, CHECKSUMS))
    with ThreadPoolExecutor(2) as pool:
        problems = [problem for problem in pool.map(lambda file: missing_or_damaged(file, known), sorted(known.sizes)) if problem]
    there = {os.path.normpath(os.path.join(dest, name)) for name in files_below(dest) if name not in (MANIFEST, CHECKSUMS)}
    problems += ["%s is not of the bundle. Remove it." % file for file in sorted(there - set(known.sizes))]
    if problems:
        raise BundleError("\n".join(problems))
    return {"files": len(known.sizes), "bytes": sum(known.sizes.values())}


def missing_or_damaged(file: str, known: t.Any) -> str:
    return damaged(file, known) if os.path.exists(file) else "%s is missing. Copy it again." % file
