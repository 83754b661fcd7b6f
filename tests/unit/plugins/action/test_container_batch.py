# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin, with a function in place of docker_container."""

from __future__ import annotations

import contextvars
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.action import container_batch
from ansible_collections.cozeops.studio.plugins.action.container_batch import ALWAYS, AT_ONCE, MODULE, ActionModule

CONTEXT: contextvars.ContextVar[str] = contextvars.ContextVar("CONTEXT", default="none")


class Play:
    """Runs the action on containers; ``answers`` are what docker_container says, by name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.connections: list[Any] = []
        self.context: list[str] = []
        self.meeting: threading.Barrier | None = None
        monkeypatch.setattr(ActionBase, "run", lambda *_args, **_kwargs: {})
        play = self

        def execute(action: Any, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            if play.meeting:
                play.meeting.wait(timeout=10)
            assert action._play_context.no_log and action._connection._play_context is action._play_context
            play.calls.append((module_name, module_args))
            play.connections.append(action._connection)
            play.context.append(CONTEXT.get())
            return play.answers.get(module_args["name"], {"changed": True, "container": {"Config": {"Env": ["PASSWORD=hunter2"]}}})

        monkeypatch.setattr(container_batch.ActionModule, "_execute_module", execute)

    def __call__(self, *names: str, **more: str) -> dict[str, Any]:
        action: Any = ActionModule.__new__(ActionModule)
        args = {"containers": [{"name": name, "image": "redis:8"} for name in names], **more}
        action._task = SimpleNamespace(args=args, action="container_batch")
        self.play_context = action._play_context = SimpleNamespace(no_log=False)
        self.connection = action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), become=SimpleNamespace(), _play_context=self.play_context)
        return action.run(task_vars={})


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    return Play(monkeypatch)


def test_each_container_is_made_by_docker_container(play: Play) -> None:
    result = play("a", "b")
    assert sorted(play.calls, key=lambda call: call[1]["name"]) == [(MODULE, {**ALWAYS["made"], "name": name, "image": "redis:8"}) for name in ("a", "b")]
    assert result == {"changed": True, "containers": [{"name": name, "changed": True, "failed": False} for name in ("a", "b")]}


def test_containers_are_stopped_as_they_are(play: Play) -> None:
    play.answers["b"] = {"failed": True, "msg": "it does not end"}
    result = play("a", "b", state="stopped")
    assert {call[1]["state"] for call in play.calls} == {"stopped"} and not any("recreate" in call[1] for call in play.calls)
    assert result["msg"] == "b could not be stopped: it does not end"


def test_they_are_made_side_by_side(play: Play) -> None:
    play.meeting = threading.Barrier(AT_ONCE)  # nobody passes until all are there
    assert play("a", "b", "c", "d")["changed"]


def test_each_has_a_connection_object_of_its_own_and_what_is_known_of_the_task(play: Play) -> None:
    CONTEXT.set("the task")
    play("a", "b", "c")
    assert len({id(connection) for connection in [*play.connections, play.connection]}) == 4
    assert len({id(connection._shell) for connection in [*play.connections, play.connection]}) == 4
    assert play.context == ["the task"] * 3
    assert play.play_context.no_log is False


def test_nothing_of_a_containers_environment_is_told(play: Play) -> None:
    play.answers["b"] = {"failed": True, "msg": "no image", "invocation": "hunter2"}
    assert "hunter2" not in repr(play("a", "b"))


def test_one_that_fails_does_not_keep_the_others_from_being_made(play: Play) -> None:
    play.answers["b"] = {"failed": True, "msg": "no image"}
    play.answers["c"] = {"failed": True, "msg": "port is taken"}
    result = play("a", "b", "c", "d")
    assert (result["failed"], result["msg"]) == (True, "b could not be made: no image\nc could not be made: port is taken")
    assert [(entry["name"], entry["failed"]) for entry in result["containers"]] == [("a", False), ("b", True), ("c", True), ("d", False)]


def test_a_host_that_is_gone_is_an_error_of_the_task(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_args: Any, **_kwargs: Any) -> dict[str, Any]:
        raise ConnectionError("no route")

    monkeypatch.setattr(container_batch.ActionModule, "_execute_module", gone)
    with pytest.raises(ConnectionError, match="no route"):
        play("a", "b")
