# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way to the Docker Engine of a host, for this collection's own modules."""

from __future__ import annotations

import typing as t

try:
    import docker
    import docker.errors

    HAS_DOCKER = True
except ImportError:
    HAS_DOCKER = False

#: The oldest Engine API that the collection is written for (Docker Engine 20.10).
MIN_API = (1, 41)


class EngineError(Exception):
    """The Engine cannot be used. The text says why and what to do, for the operator."""


def api_tuple(version: str) -> tuple[int, ...]:
    """"1.41" -> (1, 41); () for what is not a version."""
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def connect(timeout: int = 60) -> t.Any:
    """A low-level client (docker.APIClient) that has answered once. Raises EngineError."""
    if not HAS_DOCKER:
        raise EngineError("the Python package docker is missing on this host: install python3-docker, or set engine_manage to true")
    try:
        # docker.from_env() reads DOCKER_HOST and the rest, as the docker command does.
        client = docker.from_env(version="auto", timeout=timeout).api
        client.ping()
    except (docker.errors.DockerException, OSError) as exc:
        raise EngineError("no Docker Engine answers: %s" % exc) from exc
    return client


def inspect_or_none(client: t.Any, name: str) -> dict[str, t.Any] | None:
    """What the Engine knows of a container, or None if there is none of that name."""
    try:
        return t.cast("dict[str, t.Any]", client.inspect_container(name))
    except docker.errors.NotFound:
        return None
