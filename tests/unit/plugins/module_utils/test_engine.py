# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _engine
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, api_tuple, connect, inspect_or_none
from docker.errors import DockerException, NotFound


@pytest.mark.parametrize(("text", "number"), [("1.41", (1, 41)), ("1.9", (1, 9)), ("2", (2,)), ("", ()), ("1.x", ()), ("1.", ())])
def test_api_versions_are_numbers(text: str, number: tuple[int, ...]) -> None:
    assert api_tuple(text) == number


def test_api_versions_compare_as_numbers() -> None:
    assert api_tuple("1.9") < _engine.MIN_API < api_tuple("1.100")


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engine, "HAS_DOCKER", False)
    with pytest.raises(EngineError, match="install python3-docker"):
        connect()


def test_no_engine_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(EngineError, match=r"^no Docker Engine answers: "):
        connect()


@pytest.mark.parametrize("fault", [DockerException("bad"), OSError("gone")])
def test_an_engine_that_falls_silent_is_told_in_words(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def ping() -> None:
        raise fault

    monkeypatch.setattr(_engine.docker, "from_env", lambda **_kwargs: SimpleNamespace(api=SimpleNamespace(ping=ping)))
    with pytest.raises(EngineError, match=str(fault)):
        connect()


def test_the_client_is_the_low_level_one(monkeypatch: pytest.MonkeyPatch) -> None:
    api = SimpleNamespace(ping=lambda: True)
    monkeypatch.setattr(_engine.docker, "from_env", lambda **_kwargs: SimpleNamespace(api=api))
    assert connect() is api


def test_an_unknown_container_is_none() -> None:
    def inspect_container(name: str) -> dict[str, Any]:
        if name == "known":
            return {"Id": "1"}
        raise NotFound("no such container")

    client = SimpleNamespace(inspect_container=inspect_container)
    assert inspect_or_none(client, "known") == {"Id": "1"}
    assert inspect_or_none(client, "other") is None
