# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack's images as one file, or as one stream."""
from __future__ import annotations

import hashlib
import os
import pathlib
import subprocess
from collections.abc import Mapping

from . import docker
from .console import LabError
from .recipes import Recipe


def stack_images(every: Mapping[str, Recipe]) -> dict[str, str]:
    """Tag -> image id, of all images that a stack is made of; they must be there."""
    tags = [tag for recipe in every.values() if recipe.role == "stack" for tag in recipe.tags]
    found = docker.inspect("image", tags)
    missing = [tag for tag in tags if tag not in found]
    if missing:
        raise LabError(f"not built: {', '.join(missing)}; run `lab.py images` first")
    return {tag: found[tag]["Id"] for tag in tags}


def digest_of(images: Mapping[str, str]) -> str:
    """One digest over tags and contents."""
    return hashlib.sha256("".join(f"{tag} {images[tag]}\n" for tag in sorted(images)).encode()).hexdigest()


def save(images: Mapping[str, str], path: pathlib.Path) -> bool:
    """`docker save` of all into one file; False if the file holds just these already."""
    digest = digest_of(images)
    note = path.with_name(path.name + ".digest")
    if path.is_file() and note.is_file() and note.read_text(encoding="utf-8").strip() == digest:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    note.unlink(missing_ok=True)
    docker.docker("save", "-o", str(partial), *sorted(images))
    os.replace(partial, path)
    note.write_text(digest + "\n", encoding="utf-8")
    return True


def stream(tags: list[str], receiver: list[str]) -> None:
    """`docker save` into another command, without a file between them."""
    with subprocess.Popen([docker.client(), "save", *tags], stdout=subprocess.PIPE, env=docker.environment()) as sender:
        done = subprocess.run(receiver, stdin=sender.stdout, capture_output=True, text=True, env=docker.environment(), check=False)
    if sender.returncode or done.returncode:
        raise LabError(f"loading images failed: {done.stderr.strip() or done.stdout.strip()}")


def copy_out(tag: str, path: str, target: str) -> None:
    """A file out of an image; the container is never started."""
    container = docker.docker("create", "--entrypoint", "/none", tag).stdout.strip()
    try:
        docker.docker("cp", f"{container}:{path}", target)
    finally:
        docker.docker("rm", "-v", container)
