# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker command line, as thin as it can be."""
from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

from .console import LabError

LABEL_PREFIX = "studio.cozeops.lab."


def environment() -> dict[str, str]:
    """The classic builder is asked for by name: a client without buildx and an Engine of 20.10 have nothing else."""
    return {**os.environ, "DOCKER_BUILDKIT": "0", "DOCKER_CLI_HINTS": "false"}


def _clients() -> list[str]:
    found = [shutil.which("docker"), "/usr/bin/docker", "/usr/local/bin/docker"]
    return list(dict.fromkeys(path for path in found if path and os.access(path, os.X_OK)))


def _server(client: str) -> str:
    """The Engine's version as this client sees it, empty if they do not understand each other."""
    done = subprocess.run(
        [client, "version", "--format", "{{.Server.Version}}"], env=environment(), capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def engine_version() -> str:
    """Version of the Engine that answers, empty if none does."""
    return next(filter(None, map(_server, _clients())), "")


@functools.cache
def client() -> str:
    """The first docker command that can talk to the Engine: a very new one refuses an old Engine's API."""
    for path in _clients():
        if _server(path):
            return path
    raise LabError("no Docker Engine answers: run `lab.py engine` first")


def docker(*args: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run `docker ARGS`, output captured."""
    done = subprocess.run([client(), *args], env=environment(), capture_output=True, text=True, check=False, input=stdin)
    if check and done.returncode:
        raise LabError(f"docker {' '.join(args[:3])} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done


def _names(found: dict[str, Any]) -> set[str]:
    """What an inspected image, container or volume is called."""
    tags = found.get("RepoTags") or []
    return {*tags, *(tag[: -len(":latest")] for tag in tags if tag.endswith(":latest")), str(found.get("Name", "")).lstrip("/")}


def inspect(kind: str, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`docker KIND inspect` of those names that exist, in one call, by the name asked for."""
    wanted = list(names)
    if not wanted:
        return {}
    found = json.loads(docker(kind, "inspect", *wanted, check=False).stdout or "[]")
    return {name: each for each in found for name in wanted if name in _names(each)}


def labels(image: dict[str, Any]) -> dict[str, str]:
    """The lab's own labels of an inspected image, without their prefix."""
    every = (image.get("Config") or {}).get("Labels") or {}
    return {key[len(LABEL_PREFIX):]: value for key, value in every.items() if key.startswith(LABEL_PREFIX)}
