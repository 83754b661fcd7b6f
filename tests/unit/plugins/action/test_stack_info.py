# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.action.stack_info import ActionModule


def run(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The result, and what the module was called with."""
    called: dict[str, Any] = {}

    def execute(_self: Any, **arguments: Any) -> dict[str, Any]:
        called.update(arguments)
        return {**answer}

    monkeypatch.setattr(ActionBase, "run", lambda *_args, **_kwargs: {})
    monkeypatch.setattr(ActionBase, "_execute_module", execute)
    action: Any = ActionModule.__new__(ActionModule)
    action._task = SimpleNamespace(args={"root": "/x"})
    return action.run(task_vars={"a": 1}), called


def test_the_hosts_clock_lies_between_the_controllers_times(monkeypatch: pytest.MonkeyPatch) -> None:
    started = time.time()
    result, called = run(monkeypatch, {"memory": {}, "clock": {"host": 5.0}})
    assert called == {"module_name": "cozeops.studio.stack_info", "module_args": {"root": "/x"}, "task_vars": {"a": 1}}
    assert result["memory"] == {}
    assert result["clock"]["host"] == 5.0
    assert started <= result["clock"]["before"] <= result["clock"]["after"] <= time.time()


def test_a_failure_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, {"failed": True, "msg": "x"})[0] == {"failed": True, "msg": "x"}
