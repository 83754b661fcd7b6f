# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback, told of a run as Ansible does."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.callback import stack_record
from ansible_collections.cozeops.studio.plugins.callback.stack_record import CallbackModule, message
from ansible_collections.cozeops.studio.plugins.module_utils._timeline import MAKES

MODEL = {"name": "coze", "release": "0.5", "services": {"redis": {"image": "redis:8", "depends_on": {}}}}
STEP = {"kind": "start", "service": "redis", "action": "recreate"}


class Teller:
    """Tells the callback of tasks of one host."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, check: bool = False) -> None:
        monkeypatch.setattr(stack_record.context, "CLIARGS", {"check": check, "subset": "one", "tags": ("all",), "skip_tags": ()})
        self.warnings: list[str] = []
        self.callback = CallbackModule()
        self.callback._display = SimpleNamespace(warning=self.warnings.append, display=lambda _text: None)
        self.callback.v2_playbook_on_start(SimpleNamespace(_file_name="/somewhere/site.yml"))
        self.number = 0

    def task(self, action: str, result: dict[str, Any], event: str = "ok", step: Any = None, host: str = "one", **args: Any) -> None:
        self.number += 1
        task = SimpleNamespace(
            _uuid=str(self.number),
            _role=SimpleNamespace(get_name=lambda: "cozeops.studio.service"),
            resolved_action=action,
            action=action,
            args=args,
            name=f"task {self.number}",
            get_vars=lambda: {} if step is None else {"service_step": step},
        )
        name = SimpleNamespace(get_name=lambda: host)
        self.callback.v2_runner_on_start(name, task)
        getattr(self.callback, f"v2_runner_on_{event}")(SimpleNamespace(host=name, task=task, result=result))

    def record(self, directory: Path, **more: Any) -> None:
        self.task("cozeops.studio.stack_record", {"stack": "coze", "directory": str(directory), "keep": 2, "report": True, **more})

    def end(self, **stats: dict[str, int]) -> None:
        self.callback.v2_playbook_on_stats(SimpleNamespace(**{"dark": {}, "failures": {}, "changed": {}, **stats}))


def left(directory: Path) -> dict[str, Any]:
    (path,) = directory.glob("*/*/timeline.json")
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_run_without_a_record_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    teller = Teller(monkeypatch)
    teller.task("cozeops.studio.stack_plan", {"plan": {}})
    teller.end()
    assert list(tmp_path.iterdir()) == []


def test_who_enables_it_by_name_has_one_record_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_record.context, "CLIARGS", {})
    playbook = SimpleNamespace(_file_name="/somewhere/site.yml")
    first, second = CallbackModule(), CallbackModule()
    for callback in (first, second):
        callback.v2_playbook_on_start(playbook)
    assert (first.disabled, second.disabled) == (False, True)
    first.v2_playbook_on_start(SimpleNamespace(_file_name="/somewhere/verify.yml"))
    assert first.disabled is False


def test_results_become_a_timeline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    teller = Teller(monkeypatch)
    teller.record(tmp_path)
    teller.task("cozeops.studio.stack_info", {"engine": {"version": "26.1"}, "images": {"redis:8": "sha256:1"}})
    teller.task("ansible.builtin.set_fact", {"ansible_facts": {"stack_model": MODEL}}, stack_model="{{ x }}")
    teller.task("cozeops.studio.stack_plan", {"plan": {"redis": {"action": "recreate", "why": []}}, "strangers": []})
    teller.task(MAKES, {"containers": [{"name": "coze-redis", "failed": False}]}, step=STEP)
    teller.end(changed={"one": 1})
    found = left(tmp_path)
    assert (found["run"]["playbook"], found["run"]["limit"], found["run"]["outcome"]) == ("site.yml", "one", "changed")
    assert "tags" not in found["run"]
    (service,) = found["hosts"][0]["services"]
    assert (service["name"], service["image_id"], service["planned"]["action"]) == ("redis", "sha256:1", "recreate")
    assert service["planned"]["s"] <= service["created"]["s"]
    assert [path.name for path in sorted(next(tmp_path.glob("coze/*")).iterdir())] == ["report.html", "timeline.json"]


def test_a_run_that_is_killed_has_left_what_was_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    teller = Teller(monkeypatch)
    teller.record(tmp_path)
    teller.task("cozeops.studio.stack_plan", {"plan": {"redis": {"action": "start", "why": []}}})
    found = left(tmp_path)
    assert (found["run"]["outcome"], found["run"]["done"]) == ("unfinished", None)


def test_the_reason_of_a_failure_is_the_last_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    teller = Teller(monkeypatch)
    teller.record(tmp_path)
    teller.task("ansible.builtin.command", {"failed": True, "msg": "first"}, "failed")
    teller.task("ansible.builtin.fail", {"failed": True, "msg": "what it comes to"}, "failed")
    teller.end(failures={"one": 1})
    assert left(tmp_path)["hosts"][0]["failure"]["message"] == "what it comes to"


def test_a_failure_that_was_rescued_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    teller = Teller(monkeypatch)
    teller.record(tmp_path)
    teller.task("ansible.builtin.command", {"failed": True, "msg": "first"}, "failed")
    teller.end()
    host = left(tmp_path)["hosts"][0]
    assert (host["failure"], host["outcome"]) == (None, "ok")


def test_a_host_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    teller = Teller(monkeypatch)
    teller.record(tmp_path)
    teller.task("cozeops.studio.stack_info", {"msg": "no route", "unreachable": True}, "unreachable", host="two")
    teller.end(dark={"two": 1})
    assert [(host["name"], host["outcome"]) for host in left(tmp_path)["hosts"]] == [("one", "ok"), ("two", "unreachable")]


def test_check_mode_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    teller = Teller(monkeypatch, check=True)
    teller.record(tmp_path, report=False)
    teller.end()
    assert left(tmp_path)["run"]["check_mode"] is True
    assert list(tmp_path.glob("*/*/report.html")) == []


def test_only_the_newest_runs_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for number in range(4):
        monkeypatch.setattr(stack_record.time, "time", lambda number=number: 1769860800.0 + number)
        teller = Teller(monkeypatch)
        teller.record(tmp_path)
        teller.end()
    assert sorted(path.name for path in tmp_path.glob("coze/*")) == ["20260131T120002Z", "20260131T120003Z"]


def test_a_place_that_cannot_be_written_is_a_warning_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    teller = Teller(monkeypatch)
    teller.record(tmp_path / "file")
    teller.task("cozeops.studio.stack_plan", {"plan": {}})
    teller.end()
    assert len(teller.warnings) == 1
    assert "is not kept" in teller.warnings[0] and "Set stack_run_dir" in teller.warnings[0]


def test_what_was_brought_back_and_checked_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    teller = Teller(monkeypatch)
    teller.record(tmp_path)
    teller.task("ansible.builtin.set_fact", {"ansible_facts": {"stack_model": MODEL}}, stack_model="{{ x }}")
    failure = {"service": "redis", "reason": "it ended", "kind": "exited", "findings": []}
    teller.task("cozeops.studio.stack_ready", {"failed": True, "timeline": [], "failures": [failure]}, "failed", step=STEP)
    teller.task("cozeops.studio.container_swap", {"swaps": [{"name": "coze-redis", "problem": ""}]}, state="restored")
    teller.task("cozeops.studio.product_check", {"failed": True, "steps": [{"step": "api", "ok": False, "seconds": 1, "detail": "404"}]}, "failed")
    teller.end(failures={"one": 1})
    host = left(tmp_path)["hosts"][0]
    assert host["services"][0]["status"] == "restored"
    assert host["checks"] == [{"step": "api", "ok": False, "seconds": 1, "detail": "404"}]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ({"msg": "plain"}, "plain"),
        ({"msg": "One or more items failed", "results": [{"msg": "fine"}, {"failed": True, "msg": "the item"}]}, "the item"),
        ({"censored": "hidden", "msg": "secret"}, "hidden"),
        ({}, "it does not say why"),
    ],
)
def test_what_a_failed_task_says(result: dict[str, Any], says: str) -> None:
    assert message(result) == says


def test_a_run_of_several_stacks_ends_with_a_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    teller = Teller(monkeypatch)
    said: list[str] = []
    teller.callback._display.display = said.append
    teller.task("ansible.builtin.add_host", {"results": [{"add_host": {"host_name": name}} for name in ("one", "two")]})
    teller.record(tmp_path)
    teller.end(failures={"one": 1})
    assert [line.split() for line in said[:3]] == [
        ["STACK", "HOST", "RELEASE", "RESULT", "SECONDS", "SERVICES"],
        ["coze", "one", "failed", "0.0"],
        ["two", "not", "begun"],
    ]
