# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads image archives: what C(docker save), skopeo and podman write. Private to this collection.

An archive is a tar, compressed or not, in one form or in both: the one of Docker (``manifest.json`` names each image's configuration and layers) and the
one of OCI (``index.json`` leads to them by digest). Nothing is unpacked: one pass over the tar keeps the small documents, and digests of all else where a
proof is asked for. Docker writes ``manifest.json`` last, so a compressed archive has to be read to its end in any case.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import importlib
import io
import json
import lzma
import os
import posixpath
import re
import shutil
import subprocess
import tarfile
import typing as t
import zlib

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2")
#: First bytes of a compressed file -> how it is compressed.
COMPRESSIONS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
CHUNK = 1 << 20
LARGEST_DOCUMENT = 4 << 20
HEX = re.compile(r"[0-9a-f]{64}")
BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})$")
REFERENCE_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
LISTS = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


class ArchiveError(ValueError):
    """An archive that cannot be used; the text names the file, and the place in it."""


class Image(t.NamedTuple):
    """An image of an archive. Digests have the form "sha256:<hex>"."""

    references: tuple[str, ...]
    config_digest: str
    manifest_digest: str | None  # where the archive has an OCI manifest
    platform: str  # linux/amd64, linux/arm64/v8
    layers: tuple[str, ...]  # digests of the layers as they are unpacked
    created: str


class Archive(t.NamedTuple):
    """What is known of a file."""

    path: str
    images: tuple[Image, ...]
    compression: str  # "", gzip, zstd, xz, bzip2
    docker_form: bool  # has a manifest.json, so that every Engine can load it


class Member(t.NamedTuple):
    """A file in the tar; digests are "" unless they were asked for."""

    size: int
    sha256: str
    unpacked_sha256: str  # of a member that is compressed by itself


class Contents(t.NamedTuple):
    members: dict[str, Member]
    documents: dict[str, bytes]
    links: dict[str, str]


# --- the tar


def open_stream(path: str, compression: str) -> t.IO[bytes]:
    """The tar in the file, for reading."""
    if compression == "gzip":
        return t.cast("t.IO[bytes]", gzip.open(path))
    if compression == "bzip2":
        return t.cast("t.IO[bytes]", bz2.open(path))
    if compression == "xz":
        return t.cast("t.IO[bytes]", lzma.open(path))
    return open_zstd(path) if compression == "zstd" else open(path, "rb")  # the caller closes it


def open_zstd(path: str) -> t.IO[bytes]:
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        command = shutil.which("zstd")
        if command is None:
            raise ArchiveError("%s is compressed with zstd: install the package zstd, or the Python package zstandard, on this machine" % path) from None
        return t.cast("t.IO[bytes]", ZstdPipe(command, path))
    return t.cast("t.IO[bytes]", zstandard.open(path))


class ZstdPipe:
    """The output of the command zstd. What it says against the file is raised when it has ended."""

    def __init__(self, command: str, path: str) -> None:
        self._process = subprocess.Popen([command, "-dcq", "--", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self) -> ZstdPipe:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def read(self, size: int = -1) -> bytes:
        data = t.cast("t.IO[bytes]", self._process.stdout).read(size)
        if not data and size and self._process.wait() != 0:
            said = t.cast("t.IO[bytes]", self._process.stderr).read().decode(errors="replace").strip()
            raise OSError(said or "zstd ended with %d" % self._process.returncode)
        return data

    def close(self) -> None:
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        self._process.wait()


def compression_of(path: str) -> str:
    """How the file is compressed, "" if it is not. Raises ArchiveError for a file that cannot be an archive at all."""
    try:
        with open(path, "rb") as handle:
            head = handle.read(512)
    except OSError as exc:
        raise ArchiveError("%s cannot be read: %s" % (path, exc.strerror)) from exc
    if not head:
        raise ArchiveError("%s is empty. Fetch or save it again." % path)
    compression = next((name for magic, name in COMPRESSIONS.items() if head.startswith(magic)), "")
    if not compression and head[257:262] != b"ustar":
        text = head.lstrip()[:24].decode(errors="replace")
        what = "a web page" if text.startswith("<") else "no archive: it begins with %r" % text
        raise ArchiveError("%s is %s. Fetch or save it again." % (path, what))
    return compression


def read_contents(path: str, compression: str, prove: bool) -> Contents:
    """One pass over the file. With ``prove`` all of it is read, and members get their digests. Raises ArchiveError."""
    contents = Contents({}, {}, {})
    at = 0
    try:
        with open_stream(path, compression) as stream:
            # Only in a plain file can one leap from member to member.
            with tarfile.open(fileobj=stream, mode="r|" if compression else "r:") as tar:
                for member in tar:
                    at = member.offset
                    read_member(path, tar, member, contents, prove)
                    t.cast("t.Any", tar).members = []  # else tarfile keeps all of them
                at = tar.offset
            if compression:
                drain(stream)
    except (EOFError, OSError, tarfile.TarError, zlib.error, lzma.LZMAError) as exc:
        where = "the file" if not compression else "what it unpacks to"
        raise ArchiveError("%s is damaged or incomplete: %s, in the part from byte %d of %s. Fetch or save it again." % (path, reason(exc), at, where)) from exc
    return contents


def drain(stream: t.IO[bytes]) -> None:
    """Read to the end: the checksum of a compressed file stands there."""
    while stream.read(CHUNK):
        pass


def reason(exc: BaseException) -> str:
    """The error within a sentence."""
    text = (str(exc) or type(exc).__name__).rstrip(".")
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def read_member(path: str, tar: tarfile.TarFile, member: tarfile.TarInfo, contents: Contents, prove: bool) -> None:
    name = posixpath.normpath(member.name)
    if name.startswith(("/", "../")) or name == "..":
        raise ArchiveError("%s holds the path %s, which leads out of it. No tool writes such an archive: do not trust it." % (path, member.name))
    if member.issym() or member.islnk():
        target = member.linkname if member.islnk() else posixpath.join(posixpath.dirname(name), member.linkname)
        contents.links[name] = posixpath.normpath(target)
        return
    if not member.isfile():
        return
    document = member.size <= LARGEST_DOCUMENT and (name.endswith(".json") or name.startswith("blobs/"))
    if not document and not prove:
        contents.members[name] = Member(member.size, "", "")
        return
    stream = t.cast("t.IO[bytes]", tar.extractfile(member))
    whole, inner, kept = hashlib.sha256(), None, []
    unpacked = hashlib.sha256()
    left = member.size
    while left:
        data = stream.read(min(CHUNK, left))
        if not data:
            raise tarfile.ReadError("unexpected end of data")
        if left == member.size and prove and data[:2] == b"\x1f\x8b":
            inner = zlib.decompressobj(31)
        left -= len(data)
        if prove:
            whole.update(data)
        if inner is not None:
            unpacked.update(inner.decompress(data))
        if document:
            kept.append(data)
    contents.members[name] = Member(member.size, whole.hexdigest() if prove else "", unpacked.hexdigest() if inner is not None else "")
    if document:
        contents.documents[name] = b"".join(kept)


# --- what the documents say


def load(path: str, contents: Contents, name: str) -> t.Any:
    try:
        return json.loads(contents.documents[name])
    except KeyError:
        raise ArchiveError("%s lacks %s" % (path, name)) from None
    except ValueError as exc:
        raise ArchiveError("%s: %s is not JSON: %s" % (path, name, exc)) from exc


def resolve(contents: Contents, name: str) -> str:
    """The member behind links: older Engines write a layer that two images share once."""
    seen = set()
    while name in contents.links and name not in seen:
        seen.add(name)
        name = contents.links[name]
    return name


def blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


def image_of(path: str, contents: Contents, references: t.Iterable[str], config: str, layers: t.Sequence[str], manifest: str | None, prove: bool) -> Image:
    """The image with this configuration and these layers, all names of members; checked against their digests with ``prove``."""
    document = load(path, contents, config)
    try:
        diff_ids = tuple(document["rootfs"]["diff_ids"])
        platform = "/".join(part for part in (document["os"], document["architecture"], document.get("variant")) if part)
    except (KeyError, TypeError) as exc:
        raise ArchiveError("%s: %s is no image configuration: it lacks %s" % (path, config, exc)) from exc
    digest = hashlib.sha256(contents.documents[config]).hexdigest()
    named = HEX.search(posixpath.basename(config))
    if named and named.group() != digest:
        raise ArchiveError("%s: the configuration %s is damaged: its checksum is %s" % (path, config, digest))
    if len(layers) != len(diff_ids):
        raise ArchiveError("%s: %s names %d layers, and its configuration %d" % (path, ", ".join(references) or "an image", len(layers), len(diff_ids)))
    for layer, diff_id in zip(layers, diff_ids):
        check_layer(path, contents, layer, diff_id, prove)
    return Image(tuple(references), "sha256:" + digest, manifest, platform, diff_ids, str(document.get("created") or ""))


def check_layer(path: str, contents: Contents, layer: str, diff_id: str, prove: bool) -> None:
    member = contents.members.get(resolve(contents, layer))
    if member is None:
        raise ArchiveError("%s lacks the layer %s" % (path, layer))
    if not prove:
        return
    named = BLOB.search(layer)
    wanted = {named.group(1)} if named else {diff_id.rpartition(":")[2]}
    if wanted.isdisjoint((member.sha256, "" if named else member.unpacked_sha256)):
        raise ArchiveError("%s: the layer %s is damaged: its checksum is %s and not %s" % (path, layer, member.sha256, wanted.pop()))


def docker_images(path: str, contents: Contents, manifests: t.Mapping[str, str], prove: bool) -> list[Image]:
    """Images of the form of Docker. ``manifests`` has the digests of OCI manifests by the digests of their configurations."""
    entries = load(path, contents, "manifest.json")
    found = []
    try:
        for entry in entries:
            image = image_of(path, contents, entry.get("RepoTags") or [], entry["Config"], entry.get("Layers") or [], None, prove)
            found.append(image._replace(manifest_digest=manifests.get(image.config_digest)))
    except (AttributeError, KeyError, TypeError) as exc:
        raise ArchiveError("%s: manifest.json is not a list of images: %s" % (path, exc)) from exc
    return found


def oci_manifests(path: str, contents: Contents, prove: bool) -> list[tuple[str, str, dict[str, t.Any]]]:
    """(reference or "", digest, manifest) of every image manifest that the index leads to and the archive holds."""
    found = []
    queue = [(descriptor, "") for descriptor in load(path, contents, "index.json").get("manifests") or []]
    while queue:
        descriptor, outer = queue.pop(0)
        digest, notes = str(descriptor.get("digest")), descriptor.get("annotations") or {}
        reference = next((str(notes[name]) for name in REFERENCE_NAMES if notes.get(name)), outer)
        name = blob(digest)
        if name not in contents.documents or notes.get("vnd.docker.reference.type"):
            continue  # an index of several platforms, of which one is here; an attestation
        if prove and contents.members[name].sha256 != digest.rpartition(":")[2]:
            raise ArchiveError("%s: %s is damaged: its checksum is %s" % (path, name, contents.members[name].sha256))
        document = load(path, contents, name)
        if document.get("mediaType") in LISTS or "manifests" in document:
            queue += [(inner, reference) for inner in document["manifests"]]
        elif "config" in document and "layers" in document:
            found.append((reference, digest, document))
    return found


def images_of(path: str, contents: Contents, prove: bool) -> list[Image]:
    manifests = oci_manifests(path, contents, prove) if "index.json" in contents.documents else []
    if "manifest.json" in contents.documents:
        return docker_images(path, contents, {document["config"]["digest"]: digest for _reference, digest, document in manifests}, prove)
    if "index.json" not in contents.documents:
        raise ArchiveError("%s holds no image: it has neither manifest.json nor index.json. Save it with docker save or skopeo copy." % path)
    found = []
    for reference, digest, document in manifests:
        config, layers = blob(document["config"]["digest"]), [blob(layer["digest"]) for layer in document["layers"]]
        found.append(image_of(path, contents, [reference] if reference else [], config, layers, digest, prove))
    return found


def read(path: str, prove: bool = False) -> Archive:
    """What the archive holds. With ``prove``, every byte has been read and every digest compared.

    Raises ArchiveError, which names the file and the place in it.
    """
    compression = compression_of(path)
    contents = read_contents(path, compression, prove)
    images = images_of(path, contents, prove)
    if not images:
        raise ArchiveError("%s holds no image" % path)
    return Archive(path, tuple(images), compression, "manifest.json" in contents.documents)


def as_plain_tar(archive: Archive, target: str) -> None:
    """Write the archive without compression, and with a manifest.json if it lacks one: what every Engine can load."""
    with open_stream(archive.path, archive.compression) as source, open(target, "wb") as plain:
        shutil.copyfileobj(source, plain, CHUNK)
    if archive.docker_form:
        return
    contents = read_contents(archive.path, archive.compression, False)
    entries = []
    for reference, _digest, document in oci_manifests(archive.path, contents, False):
        layers = [blob(layer["digest"]) for layer in document["layers"]]
        entries.append({"Config": blob(document["config"]["digest"]), "RepoTags": [reference] if reference else None, "Layers": layers})
    data = json.dumps(entries).encode()
    member = tarfile.TarInfo("manifest.json")
    member.size = len(data)
    with tarfile.open(target, "a:") as tar:
        tar.addfile(member, io.BytesIO(data))


def find(directory: str) -> list[str]:
    """Archives in the directory, and in its folder images; sorted. Raises ArchiveError for one that cannot be read."""
    found = []
    try:
        for folder in (directory, os.path.join(directory, "images")):
            if folder == directory or os.path.isdir(folder):
                found += [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(SUFFIXES)]
    except OSError as exc:
        raise ArchiveError("%s cannot be read: %s" % (exc.filename, exc.strerror)) from exc
    return sorted(found)
