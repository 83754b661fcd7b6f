# SPDX-License-Identifier: GPL-3.0-or-later
"""Recipes: one folder each, with an image.json. Nothing here touches Docker."""
from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from .console import LabError

ROLES = ("stack", "host", "build", "tool")
FORMAT = "1"  # part of every digest: raise it when the way of building changes what comes out

_REQUIRED = {"tags", "parents", "role", "holds", "uid", "cost"}
_OPTIONAL = {"machine", "rootfs", "cpu_shares", "smartcn", "note"}
_NO_MATTER = {"cost", "cpu_shares", "smartcn", "note"}  # keys that do not change what is built


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One image: where it is made from and what it is called."""

    name: str
    folder: pathlib.Path
    tags: tuple[str, ...]  # the first one is the name that other recipes use
    parents: tuple[str, ...]  # recipes that it is FROM or copies from
    role: str  # stack: part of a deployment; host: a machine; build: only a step to others; tool: what a test needs besides
    holds: str | None  # what is really inside; None: the build writes it to /usr/share/cozeops-lab/holds
    uid: str | None  # uid:gid that the service runs as, upstream's; None: any will do
    cost: int  # about how many seconds it takes, for the order of building
    machine: bool = False  # this machine's settings are part of it
    rootfs: Mapping[str, Any] | None = None  # made by mmdebstrap, not by a Dockerfile
    cpu_shares: int = 0  # of the build, against others that run at the same time
    smartcn: str | None = None  # path in the image of the zip with the plugin of that name
    note: str = ""


def load(folder: pathlib.Path) -> Recipe:
    """The recipe of a folder, or an error that says what is wrong with its image.json."""
    path = folder / "image.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{path}: {error}") from error
    missing, unknown = _REQUIRED - set(data), set(data) - _REQUIRED - _OPTIONAL
    if missing or unknown:
        raise LabError(f"{path}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    if data["role"] not in ROLES or not data["tags"]:
        raise LabError(f"{path}: role must be one of {', '.join(ROLES)}, and there must be a tag")
    if not data.get("rootfs") and not (folder / "Dockerfile").is_file():
        raise LabError(f"{folder}: no Dockerfile")
    return Recipe(name=folder.name, folder=folder, **{**data, "tags": tuple(data["tags"]), "parents": tuple(data["parents"])})


def load_all(root: pathlib.Path) -> dict[str, Recipe]:
    """Every recipe below the folder, parents before children."""
    found = {path.parent.name: load(path.parent) for path in sorted(root.glob("*/image.json"))}
    return {name: found[name] for name in ordered(found)}


def ordered(recipes: Mapping[str, Recipe]) -> list[str]:
    """Names, parents before children; an unknown parent or a circle is an error."""
    done: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in done:
            return
        if name in path:
            raise LabError(f"recipes go round in a circle: {' -> '.join([*path, name])}")
        if name not in recipes:
            raise LabError(f"{path[-1]}: no recipe named {name}")
        for parent in recipes[name].parents:
            visit(parent, (*path, name))
        done.append(name)

    for name in recipes:
        visit(name, ())
    return done


def content(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files that count: what Python leaves behind does not."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]


def _metadata(path: pathlib.Path) -> bytes:
    data = json.loads(path.read_text(encoding="utf-8"))
    return json.dumps({key: data[key] for key in data if key not in _NO_MATTER}, sort_keys=True).encode()


def _own_digest(recipe: Recipe, machine: str) -> bytes:
    out = hashlib.sha256(f"{FORMAT}\0{machine if recipe.machine or recipe.rootfs else ''}\0".encode())
    for path in content(recipe.folder):
        executable = "x" if path.stat().st_mode & 0o100 else "-"
        data = _metadata(path) if path == recipe.folder / "image.json" else path.read_bytes()
        out.update(f"{path.relative_to(recipe.folder)}\0{executable}\0{len(data)}\0".encode() + data)
    return out.digest()


def digests(recipes: Mapping[str, Recipe], machine: str) -> dict[str, str]:
    """A digest per recipe, over its files and those of all its ancestors; `machine` counts where the recipe says so."""
    result: dict[str, str] = {}
    for name in ordered(recipes):
        out = hashlib.sha256(_own_digest(recipes[name], machine))
        for parent in recipes[name].parents:
            out.update(result[parent].encode())
        result[name] = out.hexdigest()
    return result


def to_build(recipes: Mapping[str, Recipe], wanted: Iterable[str], fresh: Iterable[str]) -> set[str]:
    """What must be built so that all wanted are fresh; an ancestor only where a stale image stands on it."""
    have, need = set(fresh), set()

    def visit(name: str) -> None:
        if name in have or name in need:
            return
        need.add(name)
        for parent in recipes[name].parents:
            visit(parent)

    for name in wanted:
        visit(name)
    return need


def urgency(recipes: Mapping[str, Recipe], need: set[str]) -> dict[str, int]:
    """Seconds from the start of a build to the end of the longest chain behind it: the most urgent starts first."""
    result: dict[str, int] = {}
    for name in reversed(ordered(recipes)):
        behind = [result[child] for child in need if name in recipes[child].parents]
        result[name] = recipes[name].cost + max(behind, default=0)
    return {name: result[name] for name in need}
