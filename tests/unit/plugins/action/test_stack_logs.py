# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs on the controller: an archive, or lines as they come."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.cozeops.studio.plugins.action import stack_logs


class Task:
    def __init__(self, **args: Any) -> None:
        self.args = args
        self.async_val = 0


@pytest.fixture
def action(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(stack_logs.ActionBase, "run", lambda self, tmp=None, task_vars=None: {})
    monkeypatch.setattr(stack_logs, "PAUSE", 0.0)

    def make(answers: list[dict[str, Any]], **args: Any) -> Any:
        plugin = object.__new__(stack_logs.ActionModule)
        plugin._task = Task(root="/opt/x", name="coze-one", **args)
        asked: list[dict[str, Any]] = []

        def ask(arguments: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            asked.append(dict(arguments))
            return dict(answers[min(len(asked), len(answers)) - 1])

        monkeypatch.setattr(plugin, "_ask", ask)
        plugin.asked = asked
        return plugin

    return make


def test_the_archive_is_written_for_its_owner_alone(action: Any, tmp_path: Path) -> None:
    plugin = action([{"files": {"mysql.log": 3}, "content": base64.b64encode(b"tar").decode()}], directory=str(tmp_path / "new" / "logs"))
    result = plugin.run()
    path = Path(result["archive"])
    assert path == tmp_path / "new" / "logs" / "coze-one.tar.gz" and path.read_bytes() == b"tar"
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    assert "content" not in result and result["files"] == {"mysql.log": 3}


def test_a_place_that_cannot_be_written_is_named(action: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    plugin = action([{"content": ""}], directory=str(tmp_path / "file"))
    with pytest.raises(AnsibleActionFail, match=r"coze-one\.tar\.gz cannot be written on the controller: "):
        plugin.run()


def test_a_failure_of_the_module_is_the_result(action: Any, tmp_path: Path) -> None:
    assert action([{"failed": True, "msg": "no"}], directory=str(tmp_path)).run() == {"failed": True, "msg": "no"}
    assert action([{"failed": True, "msg": "no"}], directory=str(tmp_path), follow=True).run() == {"failed": True, "msg": "no"}


def test_each_line_is_shown_once(action: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = "2026-01-31T12:00:00.1Z a", "2026-01-31T12:00:01.1Z b", "2026-01-31T12:00:01.9Z c"
    shown: list[str] = []
    monkeypatch.setattr(stack_logs.display, "display", shown.append)
    clock = iter([0.0, 0.0, 0.0, 9.0])
    monkeypatch.setattr(stack_logs.time, "monotonic", lambda: next(clock))
    answers = [{"lines": [one, two], "now": 5.0}, {"lines": [two, three], "now": 6.0}, {"lines": [], "now": 7.0}]
    plugin = action(answers, directory="x", follow=True, follow_seconds=5)
    assert plugin.run() == {"changed": False, "msg": "3 lines were shown"}
    assert shown == [one, two, three]
    assert [each.get("after") for each in plugin.asked] == [None, 1769860801.0, 1769860801.0]
