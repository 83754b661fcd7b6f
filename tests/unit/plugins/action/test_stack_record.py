# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.action import stack_record, stack_report
from ansible_collections.cozeops.studio.plugins.module_utils._runs import TIMELINE, make_folder, write_private
from ansible_collections.cozeops.studio.tests.unit.plugins.run_sample import timeline

NOON = 1769860800.0


def run(monkeypatch: pytest.MonkeyPatch, plugin: Any, sources: list[str] | None = None, check: bool = False, **args: Any) -> dict[str, Any]:
    monkeypatch.setattr(ActionBase, "run", lambda *_args, **_kwargs: {})
    action: Any = plugin.ActionModule.__new__(plugin.ActionModule)
    action._task = SimpleNamespace(args={"stack": "coze", **args}, check_mode=check)
    return action.run(task_vars={"ansible_inventory_sources": sources or []})


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A directory with two runs of the stack; the later one failed."""
    for number, document in enumerate((timeline(), timeline(fails=True))):
        write_private(os.path.join(make_folder(str(tmp_path / "runs"), "coze", NOON + number), TIMELINE), json.dumps(document))
    return tmp_path / "runs"


# -- stack_record


def test_what_was_given_comes_back_with_the_full_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(monkeypatch, stack_record, directory="~/runs", keep="7", report="no") == {
        "stack": "coze",
        "directory": str(tmp_path / "runs"),
        "keep": 7,
        "report": False,
        "changed": False,
    }
    assert list(tmp_path.iterdir()) == []


def test_the_default_of_this_checkout_is_its_build(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, stack_record)["directory"] == str(Path(__file__).resolve().parents[4] / "build" / "runs")


def test_a_place_in_the_inventory_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(AnsibleActionFail, match=r"^stack_run_dir: .*/runs lies in the inventory folder .*Set it to a directory elsewhere\.$"):
        run(monkeypatch, stack_record, [str(tmp_path)], directory=str(tmp_path / "runs"))


def test_fewer_than_none_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleActionFail, match=r"^stack_run_keep is -1\. Set it to the number of runs to keep"):
        run(monkeypatch, stack_record, keep=-1)


# -- stack_report


def test_the_last_run_is_drawn_once(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    check = run(monkeypatch, stack_report, check=True, directory=str(runs))
    page = Path(check["dest"])
    assert (check["changed"], page.exists()) == (True, False)
    done = run(monkeypatch, stack_report, directory=str(runs))
    assert done == check
    assert page == runs / "coze" / "20260131T120001Z" / "report.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "Why coze1 failed" in page.read_text(encoding="utf-8")
    before = page.stat()
    assert run(monkeypatch, stack_report, directory=str(runs))["changed"] is False
    assert run(monkeypatch, stack_report, directory=str(runs), check=True)["changed"] is False
    assert page.stat().st_mtime_ns == before.st_mtime_ns


def test_another_run_is_drawn_elsewhere(monkeypatch: pytest.MonkeyPatch, runs: Path, tmp_path: Path) -> None:
    first = runs / "coze" / "20260131T120000Z" / TIMELINE
    result = run(monkeypatch, stack_report, timeline=str(first), dest=str(tmp_path / "page.html"))
    assert (result["timeline"], result["dest"]) == (str(first), str(tmp_path / "page.html"))
    assert "Succeeded" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_what_cannot_be_drawn_is_told(monkeypatch: pytest.MonkeyPatch, runs: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    document = timeline()
    del document["hosts"][0]["services"][0]["status"]
    broken.write_text(json.dumps(document), encoding="utf-8")
    for arguments, says in (
        ({"directory": str(tmp_path / "none")}, r"No run of the stack coze has left a timeline\.json below .*/none\. Run site\.yml first"),
        ({"timeline": str(tmp_path / "none.json")}, r"stack_report_timeline: .*none\.json"),
        ({"timeline": str(broken)}, r"broken\.json lacks something that a timeline has \('status'\)"),
        ({"directory": str(runs), "dest": str(tmp_path / "no" / "page.html")}, r"stack_report_dest: .*page\.html cannot be written: No such file"),
    ):
        with pytest.raises(AnsibleActionFail, match=says):
            run(monkeypatch, stack_report, **arguments)
