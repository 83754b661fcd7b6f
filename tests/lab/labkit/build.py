# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the images that are missing or out of date, independent ones side by side."""
from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from . import docker, engine, machine, recipes, store
from .console import LabError, say, shout, tail
from .recipes import Recipe

WORKERS = 4  # more than cores: apt and downloads wait for the network
HOLDS = "/usr/share/cozeops-lab/holds"
WARNING = "/usr/share/cozeops-lab/warning"


@dataclasses.dataclass(frozen=True)
class Row:
    """One image as the operator sees it."""

    name: str
    tag: str
    holds: str
    uid: str
    digest: str
    size: int
    warning: str
    fresh: bool


@contextlib.contextmanager
def only_one(folder: pathlib.Path) -> Iterator[None]:
    """Two runs at once would build the same images twice: the second waits for the first."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another lab.py is at work here: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _images(every: Mapping[str, Recipe]) -> dict[str, dict[str, Any]]:
    return docker.inspect("image", [tag for recipe in every.values() for tag in recipe.tags])


def survey(every: Mapping[str, Recipe], digests: Mapping[str, str]) -> dict[str, Row]:
    """All images as they are now. Fresh: each of its tags is there and was built from the recipe as it is."""
    images = _images(every)
    rows = {}
    for name, recipe in every.items():
        image = images.get(recipe.tags[0], {})
        labels = docker.labels(image) if image else {}
        fresh = all(tag in images and docker.labels(images[tag]).get("digest") == digests[name] for tag in recipe.tags)
        rows[name] = Row(
            name=name,
            tag=recipe.tags[0],
            holds=labels.get("holds", "-"),
            uid=recipe.uid or "any",
            digest=labels.get("digest", ""),
            size=image.get("Size", 0),
            warning=labels.get("warning", ""),
            fresh=fresh,
        )
    return rows


def _context(recipe: Recipe, folder: pathlib.Path) -> None:
    """The build context: the recipe's files, and this machine's settings where it asks for them."""
    for path in recipes.content(recipe.folder):
        target = folder / path.relative_to(recipe.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    if recipe.machine:
        (folder / "machine").mkdir()
        for name, text in machine.files().items():
            target = folder / "machine" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")


def _run(command: list[str], log: pathlib.Path, **extra: Any) -> None:
    with open(log, "a", encoding="utf-8") as out:
        out.write(f"$ {' '.join(command)}\n")
        out.flush()
        code = subprocess.run(command, stdout=out, stderr=out, env=docker.environment(), check=False, **extra).returncode
    if code:
        raise LabError(f"code {code}, the last lines of {log}:\n{tail(str(log), 30)}")


def _build_rootfs(recipe: Recipe, tag: str, log: pathlib.Path) -> None:
    engine.install_missing(["mmdebstrap"])
    spec = recipe.rootfs or {}
    with tempfile.TemporaryDirectory(prefix="lab-rootfs-") as temporary:
        tarball = os.path.join(temporary, "rootfs.tar")
        options = [f"--{key}={value}" for key in ("aptopt", "dpkgopt") for value in spec[key]]
        # The package lists stay in it: no image that stands on it needs an update of its own.
        command = [engine.find("mmdebstrap") or "mmdebstrap", "--variant=minbase", "--include=" + ",".join(spec["include"]), "--skip=cleanup/apt/lists"]
        _run([*command, *options, spec["suite"], tarball, machine.mirror()], log)
        _run([docker.client(), "import", tarball, tag], log)


def _build_dockerfile(recipe: Recipe, tag: str, log: pathlib.Path) -> None:
    shares = ["--cpu-shares", str(recipe.cpu_shares)] if recipe.cpu_shares else []
    with tempfile.TemporaryDirectory(prefix=f"lab-{recipe.name}-") as context:
        _context(recipe, pathlib.Path(context))
        _run([docker.client(), "build", *machine.proxy_args(), *shares, "-t", tag, context], log)


def _read_from(tag: str, path: str) -> str:
    """A small file of an image, empty if it has none."""
    with tempfile.TemporaryDirectory(prefix="lab-read-") as temporary:
        target = os.path.join(temporary, "file")
        try:
            store.copy_out(tag, path, target)
        except LabError:
            return ""
        return pathlib.Path(target).read_text(encoding="utf-8").strip()


def _ids(recipe: Recipe) -> set[str]:
    return {image["Id"] for image in docker.inspect("image", recipe.tags).values()}


def _label(recipe: Recipe, tag: str, digest: str) -> None:
    """Labels are laid on a finished image, as only the build knows what it holds; its names appear with them, not before."""
    labels = {"digest": digest, "holds": recipe.holds or _read_from(tag, HOLDS), "warning": _read_from(tag, WARNING), "name": recipe.name}
    if not labels["holds"]:
        raise LabError(f"the build did not say what is inside: no {HOLDS}")
    replaced = _ids(recipe)
    named = [arg for name in recipe.tags for arg in ("-t", name)]
    labelled = [arg for key, value in labels.items() if value for arg in ("--label", f"{docker.LABEL_PREFIX}{key}={value}")]
    docker.docker("build", *named, *labelled, "-", stdin=f"FROM {tag}\n")
    for image in replaced - _ids(recipe):
        docker.docker("rmi", image, check=False)  # stays if something uses it


def build_one(recipe: Recipe, digest: str, logs: pathlib.Path) -> float:
    """Build an image, log to its own file; the seconds it took."""
    begin = time.monotonic()
    log = logs / f"{recipe.name}.log"
    log.write_text("", encoding="utf-8")
    tag = f"cozeops-lab/unlabelled:{recipe.name}"
    say(f"{recipe.name}: building")
    try:
        (_build_rootfs if recipe.rootfs else _build_dockerfile)(recipe, tag, log)
        _label(recipe, tag, digest)
        docker.docker("rmi", "--no-prune", tag)
    except LabError as error:
        raise LabError(f"{recipe.name}: {error}") from error
    seconds = time.monotonic() - begin
    say(f"{recipe.name}: done in {seconds:.0f} s")
    return seconds


def schedule(every: Mapping[str, Recipe], need: set[str], build: Callable[[str], float], workers: int = WORKERS) -> dict[str, float]:
    """Run `build` for all of `need`, each after its parents, the most urgent first. On an error nothing new is started."""
    urgency = recipes.urgency(every, need)
    waiting = set(need)
    done: dict[str, float] = {}
    errors: list[str] = []
    running: dict[concurrent.futures.Future[float], str] = {}
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        while running or (waiting and not errors):
            ready = [name for name in waiting if all(parent not in need or parent in done for parent in every[name].parents)]
            for name in sorted(ready, key=lambda each: (-urgency[each], each))[: workers - len(running)]:
                if not errors:
                    waiting.remove(name)
                    running[pool.submit(build, name)] = name
            finished, _rest = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in finished:
                name = running.pop(future)
                try:
                    done[name] = future.result()
                except LabError as error:
                    say(f"{name}: FAILED")
                    errors.append(str(error))
    if errors:
        raise LabError("\n\n".join(errors))
    return done


def ensure(every: Mapping[str, Recipe], wanted: Iterable[str], folder: pathlib.Path) -> dict[str, float]:
    """Make the wanted images fresh; seconds per image that was built."""
    digests = recipes.digests(every, machine.fingerprint())
    names = list(wanted)
    rows = survey(every, digests)
    if not any(not rows[name].fresh for name in names):
        return {}
    with only_one(folder):
        rows = survey(every, digests)
        need = recipes.to_build(every, names, [name for name, row in rows.items() if row.fresh])
        took = schedule(every, need, lambda name: build_one(every[name], digests[name], folder))
    return took


def warn(rows: Iterable[Row]) -> None:
    """Images that hold something else than they should: said every time, not only when they are built."""
    for row in rows:
        if row.warning:
            shout(f"{row.tag} holds {row.holds}\n{row.warning}")
