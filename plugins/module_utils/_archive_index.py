# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which archive has which image: from a bundle's manifest, or from the archives themselves. Private to this collection; it only reads.

A bundle is a directory with a ``manifest.json``::

    {"format": 1, "platform": "linux/amd64", "releases": ["0.5"], "collection": "1.0.0", "made": "<ISO 8601>", "made_by": "<user>@<host>",
     "files": [{"path": "images/mysql_8.4.5-save.tgz", "size": <bytes>, "sha256": "<hex>"}],
     "images": [{"reference": "mysql:8.4.5", "archive": "images/mysql_8.4.5-save.tgz", "config_digest": "sha256:<hex>", "manifest_digest": null,
                 "platform": "linux/amd64", "layers": ["sha256:<hex>"], "created": "<ISO 8601>"}]}
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._archive import Archive, ArchiveError, Image, find, read
from ansible_collections.cozeops.studio.plugins.module_utils._container import normal_reference

FORMAT = 1
MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
INCOMPLETE = "INCOMPLETE"  # is in a bundle while it is made
SUM_LINE = re.compile(r"^([0-9a-fA-F]{64}) [ *](.+)$")

Reader = t.Callable[[str], Archive]


class Place(t.NamedTuple):
    """An image and the archive that has it."""

    reference: str
    archive: str  # path
    image: Image


class Index(t.NamedTuple):
    """What a directory, or a file, has. ``checksums``: path -> sha256; ``sizes``: path -> bytes, of files that the manifest names."""

    path: str
    places: tuple[Place, ...]
    checksums: dict[str, str]
    sizes: dict[str, int]
    problems: tuple[str, ...] = ()  # of archives that could not be read, which matter if something is missing


def checksums_of(path: str) -> dict[str, str]:
    """path -> sha256 of a file in the form of sha256sum; names are relative to it. Raises ArchiveError with the line."""
    found: dict[str, str] = {}
    try:
        with open(path, encoding="utf-8") as handle:
            lines = handle.read().splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ArchiveError("%s cannot be read: %s" % (path, exc)) from exc
    for number, line in enumerate(lines, 1):
        match = SUM_LINE.match(line)
        if match:
            found[os.path.normpath(os.path.join(os.path.dirname(path), match.group(2)))] = match.group(1).lower()
        elif line.strip():
            raise ArchiveError("%s:%d is no line of sha256sum: %r" % (path, number, line[:80]))
    return found


def bundle_index(directory: str) -> Index:
    """The index of a bundle, without opening an archive. Raises ArchiveError."""
    path = os.path.join(directory, MANIFEST)
    if os.path.exists(os.path.join(directory, INCOMPLETE)):
        raise ArchiveError("%s is a bundle that was not finished. Run the playbook bundle again, which goes on where it ended." % directory)
    try:
        with open(path, encoding="utf-8") as handle:
            document = json.load(handle)
        if document["format"] != FORMAT:
            raise ArchiveError("%s has format %s, and this collection reads format %d. Make the bundle with this version." % (path, document["format"], FORMAT))
        places = tuple(
            Place(
                entry["reference"],
                os.path.normpath(os.path.join(directory, entry["archive"])),
                Image(
                    (entry["reference"],),
                    entry["config_digest"],
                    entry.get("manifest_digest"),
                    entry["platform"],
                    tuple(entry.get("layers") or ()),
                    entry.get("created") or "",
                ),
            )
            for entry in document["images"]
        )
        files = {os.path.normpath(os.path.join(directory, entry["path"])): entry for entry in document["files"]}
        return Index(directory, places, {path: entry["sha256"] for path, entry in files.items()}, {path: entry["size"] for path, entry in files.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        if isinstance(exc, ArchiveError):
            raise
        raise ArchiveError("%s is not the manifest of a bundle: %s %s" % (path, type(exc).__name__, exc)) from exc


def archives_index(path: str, wanted: t.Sequence[str], reader: Reader = read, checksums: str = "") -> Index:
    """The index of an archive or of a directory of archives. With ``wanted``, reading ends when all are found: likely names are read first."""
    paths = [path] if os.path.isfile(path) else find(path)
    if not paths:
        raise ArchiveError("%s holds no archive: none of its files ends in .tar, .tgz, .tar.gz or .tar.zst" % path)
    folder = os.path.dirname(path) if os.path.isfile(path) else path
    sums = checksums or os.path.join(folder, CHECKSUMS)
    found: list[Place] = []
    problems = []
    missing = {normal_reference(reference) for reference in wanted}
    for candidate in sorted(paths, key=lambda each: not likely(each, wanted)):
        if wanted and not missing:
            break
        try:
            images = reader(candidate).images
        except ArchiveError as exc:
            problems.append(str(exc))
            continue
        for image in images:
            found += [Place(reference, candidate, image) for reference in image.references]
            missing -= {normal_reference(reference) for reference in image.references}
    return Index(path, tuple(found), checksums_of(sums) if checksums or os.path.isfile(sums) else {}, {}, tuple(problems))


def likely(path: str, wanted: t.Iterable[str]) -> bool:
    """Whether the file's name speaks of one of these images: elasticsearch_8.18.0-save.tgz of bitnamilegacy/elasticsearch:8.18.0."""
    name = os.path.basename(path)
    return any(name.startswith(file_stem(reference)) for reference in wanted)


def file_stem(reference: str) -> str:
    """"bitnamilegacy/elasticsearch:8.18.0" -> "elasticsearch_8.18.0"."""
    last = normal_reference(reference).rsplit("/", 1)[-1]
    return re.sub(r"[^A-Za-z0-9._-]", "_", last.replace("@sha256:", "_").replace(":", "_"))


def index(path: str, wanted: t.Sequence[str] = (), reader: Reader = read, checksums: str = "") -> Index:
    """The index of a bundle, an archive or a directory of archives. Raises ArchiveError."""
    if not os.path.exists(path):
        raise ArchiveError("%s does not exist on this machine. Set it to a bundle, or to a directory of image archives." % path)
    if any(os.path.isfile(os.path.join(path, name)) for name in (MANIFEST, INCOMPLETE)):
        return bundle_index(path)
    return archives_index(path, wanted, reader, checksums)


def choose(known: Index, wanted: t.Sequence[str]) -> list[Place]:
    """Where each wanted image is, in order; all that there are if none is named. Raises ArchiveError that tells everything that is in the way."""
    by_reference: dict[str, list[Place]] = {}
    for place in known.places:
        by_reference.setdefault(normal_reference(place.reference), []).append(place)
    problems, chosen = [], []
    for reference in wanted or [place.reference for place in known.places]:
        places = by_reference.get(normal_reference(reference), [])
        if not places:
            problems.append(missing_text(known, reference))
            continue
        others = {place.image.config_digest: place.archive for place in places}
        if len(others) > 1:
            problems.append("%s is another image in %s. Remove the archive that is not meant." % (reference, " than in ".join(sorted(others.values()))))
        else:
            chosen.append(places[0]._replace(reference=reference))
    if problems or (known.problems and not wanted):
        raise ArchiveError("\n".join([*known.problems, *problems]))
    return chosen


def missing_text(known: Index, reference: str) -> str:
    if "@" in reference:
        return (
            "%s: an archive cannot have an image by its registry's digest. Write it with a tag in stack_images, or take it from a registry." % reference
        )
    names = sorted({place.reference for place in known.places})
    near = difflib.get_close_matches(reference, names, n=2, cutoff=0.4)
    has = "near it are %s" % ", ".join(near) if near else "it has %s" % (", ".join(names[:8]) or "none")
    return "no archive in %s has the image %s; %s. Add an archive, or set stack_images to what there is." % (known.path, reference, has)


def due(places: t.Iterable[Place], on_host: t.Mapping[str, str]) -> list[str]:
    """Images that an Engine with these (reference -> id) may lack: it has none of the name, or one with another digest.

    With the store of containerd that digest tells nothing, so there all are due, and the host has to look closer.
    """
    ids = {normal_reference(reference): id_ for reference, id_ in on_host.items()}
    return [
        place.reference
        for place in places
        if ids.get(normal_reference(place.reference), "") not in (place.image.config_digest, place.image.manifest_digest)
    ]


def wrong_platform(places: t.Iterable[Place], platform: str) -> list[str]:
    """A sentence for each image that is for another system or processor; variants of a processor are left to the Engine."""
    sentence = "%s in %s is for %s, and the host is %s. Get an archive for that platform."
    return [
        sentence % (place.reference, place.archive, place.image.platform, platform)
        for place in places
        if place.image.platform.split("/")[:2] != platform.split("/")[:2]
    ]


def damaged(path: str, known: Index) -> str:
    """What is wrong with a file that has a size or a checksum to keep; "" if it is as it was. Reads all of it."""
    try:
        size = os.path.getsize(path)
        if path in known.sizes and size != known.sizes[path]:
            return "%s has %d bytes, and its bundle says %d. Copy it again." % (path, size, known.sizes[path])
        if path in known.checksums and sha256_of(path) != known.checksums[path]:
            return "%s is damaged: its checksum is not the one in %s. Copy it again." % (path, MANIFEST if path in known.sizes else CHECKSUMS)
    except OSError as exc:
        return "%s cannot be read: %s" % (path, exc.strerror)
    return ""


def sha256_of(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for data in iter(lambda: handle.read(1 << 20), b""):
            digest.update(data)
    return digest.hexdigest()
