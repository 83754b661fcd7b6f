# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.action.stack_source import ActionModule

RELEASES = {"0.5": {"marks": {"has": ["schema.sql"]}, "requires": ["schema.sql", "icons"]}, "0.2": {"marks": {"has": ["old.sql"]}, "requires": []}}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "icons").mkdir()
    (tmp_path / "schema.sql").touch()
    (tmp_path / "icons" / "a.png").touch()
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, **args: Any) -> dict[str, Any]:
    monkeypatch.setattr(ActionBase, "run", lambda *_args, **_kwargs: {})
    action: Any = ActionModule.__new__(ActionModule)
    action._task = SimpleNamespace(args={"releases": RELEASES, **args})
    return action.run(task_vars={})


@pytest.mark.parametrize("release", [None, "", "0.5"])
def test_a_whole_tree_is_told_with_its_line(monkeypatch: pytest.MonkeyPatch, tree: Path, release: str | None) -> None:
    assert run(monkeypatch, path=str(tree), release=release) == {"changed": False, "path": str(tree), "release": "0.5"}


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
