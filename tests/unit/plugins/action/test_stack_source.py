# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.action.stack_source import ActionModule, installed

RELEASES = {"0.5": {"marks": {"has": ["schema.sql"]}, "requires": ["schema.sql", "icons"]}, "0.2": {"marks": {"has": ["old.sql"]}, "requires": []}}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "icons").mkdir()
    (tmp_path / "schema.sql").write_text("CREATE TABLE a (b INT);\n")
    (tmp_path / "icons" / "a.png").touch()
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, **args: Any) -> dict[str, Any]:
    monkeypatch.setattr(ActionBase, "run", lambda *_args, **_kwargs: {})
    action: Any = ActionModule.__new__(ActionModule)
    action._task = SimpleNamespace(args={"releases": RELEASES, **args})
    return action.run(task_vars={})


@pytest.mark.parametrize("release", [None, "", "0.5"])
def test_a_whole_tree_is_told_with_its_line(monkeypatch: pytest.MonkeyPatch, tree: Path, release: str | None) -> None:
    found = run(monkeypatch, path=str(tree), release=release)
    assert (found["changed"], found["path"], found["release"]) == (False, str(tree), "0.5")
    assert {check["state"] for check in found["checks"]} == {"ok"}
    assert "warnings" not in found


def test_a_home_directory_is_found(monkeypatch: pytest.MonkeyPatch, tree: Path) -> None:
    monkeypatch.setenv("HOME", str(tree.parent))
    assert run(monkeypatch, path="~/%s/" % tree.name)["path"] == str(tree)


def test_a_source_that_is_not_set_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleActionFail, match=r"^stack_source is not set\. Set it to a checkout of Coze Studio"):
        run(monkeypatch, path="")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"path": "{tree}/none"}, "stack_source: {tree}/none is not a directory"),
        ({"release": "0.9"}, "stack_release: '0.9' is not a release line. Known are 0.5, 0.2."),
        ({"release": "0.2"}, "stack_release is 0.2, but {tree} is a source tree of line 0.5"),
    ],
)
def test_what_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch, tree: Path, args: dict[str, str], says: str) -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        run(monkeypatch, **{"path": str(tree), **{name: value.format(tree=tree) for name, value in args.items()}})
    assert says.format(tree=tree) in str(caught.value)


def test_every_missing_file_is_told(monkeypatch: pytest.MonkeyPatch, tree: Path) -> None:
    (tree / "icons" / "a.png").unlink()
    with pytest.raises(AnsibleActionFail, match=r"lacks icons, which release line 0\.5 needs"):
        run(monkeypatch, path=str(tree))


WINDOWS = "CREATE TABLE a (b INT);\r\n"


def test_what_is_doubtful_is_a_warning_and_in_a_report_a_row(monkeypatch: pytest.MonkeyPatch, tree: Path) -> None:
    (tree / "schema.sql").write_text(WINDOWS, newline="")
    (warning,) = run(monkeypatch, path=str(tree))["warnings"]
    assert "Windows line ends (CR LF)" in warning
    found = run(monkeypatch, path=str(tree), preflight="report")
    assert "warnings" not in found
    assert [check["state"] for check in found["checks"] if check["name"] == "line ends"] == ["warn"]


def test_what_is_wrong_ends_the_run_but_not_a_report(monkeypatch: pytest.MonkeyPatch, tree: Path) -> None:
    (tree / "schema.sql").write_text("")
    with pytest.raises(AnsibleActionFail, match=r"stack_source: empty in .*: schema\.sql\. Check the release out again"):
        run(monkeypatch, path=str(tree))
    found = run(monkeypatch, path=str(tree), preflight="report")
    assert [check["state"] for check in found["checks"] if check["name"] == "files"] == ["fail"]


def test_the_version_of_a_collection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", installed("community.docker") or "")
    assert installed("no.such") is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace(submodule_search_locations=[str(tmp_path)]))
    assert installed("a.checkout") == ""
