# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin with a module that is a list of answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.action import stack_ready
from ansible_collections.cozeops.studio.plugins.action.stack_ready import ActionModule, failure_message, prefix, progress_line

ARGS = {"root": "/opt/cozeops/coze", "services": [], "timeout": 60}


def entry(service: str, seconds: float, **more: Any) -> dict[str, Any]:
    return {"service": service, "started": "x", "ready": "y", "seconds": seconds, "probe": "tcp", **more}


def answer(timeline: list[dict[str, Any]], waiting: dict[str, str], elapsed: float = 5.0, **more: Any) -> dict[str, Any]:
    services = {name: {"waited": elapsed} for name in waiting}
    return {
        "changed": False,
        "timeline": timeline,
        "ready": [one["service"] for one in timeline],
        "waiting": waiting,
        "failures": [],
        "elapsed": elapsed,
        "finished": not waiting,
        "state": {"begun": 1.0, "services": services},
        **more,
    }


def failure(**more: Any) -> dict[str, Any]:
    return {
        "service": "mysql",
        "container": "coze-mysql",
        "kind": "exited",
        "reason": "it ended with exit code 1",
        "state": "exited",
        "exit_code": 1,
        "log": [f"line {number}" for number in range(1, 31)],
        "findings": [{"id": "x", "meaning": "Its directory is dirty.", "fix": "Move it away.", "line": "[MY-010457]"}],
        **more,
    }


class Play:
    """Runs the action with the given module answers; keeps what it asked and showed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[dict[str, Any]] = []
        self.shown: list[tuple[str, bool]] = []
        self.clock = 1000.0
        monkeypatch.setattr(ActionBase, "run", lambda *_args, **_kwargs: {})
        monkeypatch.setattr(stack_ready.display, "display", lambda text, stderr=False: self.shown.append((text, stderr)))
        monkeypatch.setattr(stack_ready.time, "monotonic", lambda: self.clock)

    def __call__(self, answers: list[Any], hosts: tuple[str, ...] = ("h1",), no_log: bool = False, pace: float = 4.0, **args: Any) -> dict[str, Any]:
        task = SimpleNamespace(args={**ARGS, **args}, no_log=no_log)
        action: Any = ActionModule.__new__(ActionModule)
        action._task = task
        left = iter(answers)

        def execute(module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
            assert module_name == "cozeops.studio.stack_ready"
            self.calls.append(module_args)
            self.clock += pace
            given = next(left)
            if isinstance(given, Exception):
                raise given
            return given

        action._execute_module = execute
        return action.run(task_vars={"inventory_hostname": "h1", "ansible_play_hosts_all": list(hosts)})

    @property
    def lines(self) -> list[str]:
        return [text.replace(" · ", " - ") for text, _stderr in self.shown]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    return Play(monkeypatch)


def test_slices_go_on_with_the_state_of_the_one_before_until_one_is_finished(play: Play) -> None:
    first = answer([entry("redis", 0.6)], {"mysql": "connection refused on 3306"}, until=None)
    result = play([first, answer([entry("redis", 0.6), entry("mysql", 7.3)], {})])
    assert [call["state"] for call in play.calls] == [{}, {"begun": 1.0, "services": {"mysql": {"waited": 5.0}}}]
    assert all(call["slice"] == stack_ready.SLICE for call in play.calls)
    assert "state" not in result
    assert "finished" not in result
    assert result["ready"] == ["redis", "mysql"]


def test_progress_tells_what_is_new_and_what_is_waited_for(play: Play) -> None:
    play(
        [
            answer([entry("redis", 0.6)], {"mysql": "connection refused on 3306"}),
            answer([entry("redis", 0.6), entry("mysql", 7.3)], {}),
        ]
    )
    assert play.lines == [
        "  coze: redis ready after 0.6 s - waiting for mysql (5 s: connection refused on 3306)",
        "  coze: mysql ready after 7.3 s",
    ]


def test_nothing_is_shown_when_all_was_ready_at_once(play: Play) -> None:
    play([answer([entry("redis", 0.1)], {}, elapsed=0.4)])
    assert play.lines == []


def test_what_ran_long_before_is_no_news(play: Play) -> None:
    play([answer([entry("redis", 0.1, already=True)], {}, elapsed=2.0)])
    assert play.lines == []


def test_no_news_are_told_now_and_then(play: Play) -> None:
    play([answer([], {"mysql": "x"}) for _slice in range(6)] + [answer([entry("mysql", 30.0)], {})])
    assert len(play.lines) == 3  # the first, one after 12 s, and the end


def test_quiet_and_no_log_show_nothing(play: Play) -> None:
    play([answer([], {"mysql": "x"}), answer([], {})], quiet=True)
    play([answer([], {"mysql": "x"}), answer([], {})], no_log=True)
    assert play.lines == []


def test_several_hosts_are_named(play: Play) -> None:
    play([answer([], {"mysql": "x"}), answer([], {})], hosts=("h1", "h2"))
    assert play.lines == ["  [h1] coze: waiting for mysql (5 s: x)"]
    assert prefix({"root": "/opt/cozeops/blue/"}, {}) == "blue: "


@pytest.mark.parametrize(("callback", "stderr"), [("default", False), ("ansible.posix.json", True)])
def test_a_json_callback_keeps_its_stdout(play: Play, monkeypatch: pytest.MonkeyPatch, callback: str, stderr: bool) -> None:
    monkeypatch.setattr(stack_ready.C.config, "get_config_value", lambda name: callback)
    play([answer([], {"mysql": "x"}), answer([], {})])
    assert [where for _text, where in play.shown] == [stderr]


def test_a_failure_is_worded_for_the_operator(play: Play) -> None:
    result = play([answer([entry("redis", 0.6)], {"milvus": "no answer"}, finished=True, failed=True, msg="short", failures=[failure()])])
    assert result["failed"]
    lines = result["msg"].split("\n")
    assert lines[:5] == [
        "mysql failed (container coze-mysql): it ended with exit code 1",
        "What it means: Its directory is dirty.",
        "What to do: Move it away.",
        "Told by: [MY-010457]",
        "Last lines of its log (docker logs coze-mysql):",
    ]
    assert lines[5] == "  | line 16"
    assert lines[-3:] == ["  | line 30", "", "Not ready either: milvus (no answer)"]


def test_without_an_explanation_the_whole_log_is_shown() -> None:
    message = failure_message([failure(findings=[])], {})
    assert "  | line 1\n" in message
    assert "What it means" not in message


def test_a_timeout_tells_the_state_and_an_empty_log() -> None:
    message = failure_message([failure(kind="timeout", reason="it is not ready after 60 s: x", state="running", findings=[], log=[])], {"mysql": "x"})
    assert message == "mysql failed (container coze-mysql): it is not ready after 60 s: x (container running)\nIts log is empty."


def test_a_missing_container_has_no_log() -> None:
    message = failure_message([failure(kind="missing", reason="there is no container coze-mysql", findings=[], log=[])], {})
    assert message == "mysql failed (container coze-mysql): there is no container coze-mysql"


@pytest.mark.parametrize("result", [{"failed": True, "msg": "no Docker Engine answers: x"}, {"unreachable": True, "msg": "ssh"}])
def test_what_is_not_the_wait_is_returned_as_it_is(play: Play, result: dict[str, Any]) -> None:
    assert play([result]) == result


def test_a_host_that_is_gone_is_left_to_ansible(play: Play) -> None:
    with pytest.raises(AnsibleConnectionFailure):
        play([answer([], {"mysql": "x"}), AnsibleConnectionFailure("no route to host")])


def test_a_line_names_few_reasons() -> None:
    waiting = {"a": "r1", "b": "r2", "c": "r3", "d": "r4", "e": "r5"}
    assert progress_line([], waiting, {"a": 12.4}, "-") == "waiting for a (12 s: r1), b (0 s: r2), c (0 s: r3), d, e"
    assert len(progress_line([], {"a": "x" * 1000}, {})) < 300
