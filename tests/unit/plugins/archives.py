# SPDX-License-Identifier: GPL-3.0-or-later
"""Image archives of a few bytes, in the forms that tools write."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

CREATED = "2026-01-31T12:00:00.5Z"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Made(NamedTuple):
    """An image: its references, layers (as they are unpacked) and configuration."""

    references: Sequence[str]
    layers: Sequence[bytes]
    config: bytes

    @property
    def config_digest(self) -> str:
        return "sha256:" + sha256(self.config)


def image(*references: str, layers: Sequence[bytes] = (b"one", b"two"), os: str = "linux", architecture: str = "amd64", **more: Any) -> Made:
    document = {
        "os": os,
        "architecture": architecture,
        "created": CREATED,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(layer) for layer in layers]},
        **more,
    }
    return Made(references, layers, json.dumps(document).encode())


def docker_files(*images: Made) -> dict[str, bytes]:
    """As docker save writes it before version 25."""
    files: dict[str, bytes] = {}
    manifest = []
    for made in images:
        name = sha256(made.config) + ".json"
        paths = [f"{sha256(layer)}/layer.tar" for layer in made.layers]
        files.update(zip(paths, made.layers, strict=True))
        files[name] = made.config
        manifest.append({"Config": name, "RepoTags": list(made.references) or None, "Layers": paths})
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def oci_files(*images: Made, packed: bool = True) -> dict[str, bytes]:
    """As skopeo writes it: layers are compressed."""
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    index = []

    def add(data: bytes) -> dict[str, Any]:
        files[f"blobs/sha256/{sha256(data)}"] = data
        return {"digest": "sha256:" + sha256(data), "size": len(data)}

    for made in images:
        layers = [add(gzip.compress(layer, mtime=0) if packed else layer) for layer in made.layers]
        manifest = json.dumps({"schemaVersion": 2, "config": add(made.config), "layers": layers}).encode()
        index += [{**add(manifest), "annotations": {"org.opencontainers.image.ref.name": reference}} for reference in made.references]
    return {**files, "index.json": json.dumps({"schemaVersion": 2, "manifests": index}).encode()}


def tar_of(files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return stream.getvalue()
