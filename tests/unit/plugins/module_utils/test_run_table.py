# SPDX-License-Identifier: GPL-3.0-or-later
"""The table at the end of a run of a fleet."""

from __future__ import annotations

from typing import Any

from ansible_collections.cozeops.studio.plugins.module_utils._run_table import lines


def host(name: str, stack: str, outcome: str = "ok", message: str = "", *statuses: str) -> dict[str, Any]:
    phases = [{"name": "a", "begun": {"s": 2.0}, "done": {"s": 3.0}}, {"name": "b", "begun": {"s": 3.5}, "done": {"s": 9.26}}]
    return {
        "name": name,
        "stack": stack,
        "release": "0.5",
        "outcome": outcome,
        "failure": {"message": message} if message else None,
        "phases": phases,
        "services": [{"status": status} for status in statuses],
    }


def test_each_host_has_a_line_and_one_that_failed_its_reason() -> None:
    run = {"hosts": [host("a1", "blue", "changed", "", "ready", "ready", "untouched"), host("b", "green", "failed", "no \n disk")]}
    assert lines(run, ["a1", "b", "c"]) == [
        "STACK  HOST  RELEASE  RESULT     SECONDS  SERVICES",
        "blue   a1    0.5      changed    7.3      2 ready, 1 untouched",
        "green  b     0.5      failed     7.3",
        "    no disk",
        "       c              not begun",
    ]


def test_one_stack_has_no_table() -> None:
    assert lines({"hosts": [host("a", "blue"), host("b", "blue"), {**host("c", ""), "phases": []}]}, ["a", "b"]) == []
    assert lines({"hosts": []}, ["a"]) == []


def test_a_canary_that_failed_has_one() -> None:
    assert lines({"hosts": [{**host("a", "blue", "failed", "x" * 300), "phases": []}]}, ["a", "b"])[-1] == "       b              not begun"
