# SPDX-License-Identifier: GPL-3.0-or-later
"""Private files of a backup are encrypted and decrypted here, with the real module in place of a host."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.action.stack_snapshot import ActionModule
from ansible_collections.cozeops.studio.plugins.modules import stack_snapshot
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

ID, WHOLE = "20260301T120000Z", ["conf", "data", "env", "stack.json"]


class Play:
    def __init__(self, top: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.top, self.root, self.capsys = top, top / "coze", capsys
        self.seen: list[dict[str, Any]] = []
        monkeypatch.setattr(ActionBase, "run", lambda *_args, **_kwargs: {})

    def __call__(self, state: str, check: bool = False, **more: Any) -> dict[str, Any]:
        action: Any = ActionModule.__new__(ActionModule)
        action._task = SimpleNamespace(
            args={"root": str(self.root), "directory": str(self.top / "backups"), "id": ID, "state": state, **more}, check_mode=check
        )

        def execute(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            assert module_name == "cozeops.studio.stack_snapshot"
            self.seen.append(module_args)
            return run_main(stack_snapshot.main, self.capsys, module_args, check)

        action._execute_module = execute
        return action.run()  # type: ignore[no-any-return]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Play:
    found = Play(tmp_path, monkeypatch, capsys)
    for path, mode in {"data/mysql/ibdata": 0o600, "env/mysql.env": 0o600, "conf/x": 0o644, "stack.json": 0o600}.items():
        (found.root / path).parent.mkdir(parents=True, exist_ok=True)
        (found.root / path).write_text("{}" if path == "stack.json" else "PASSWORD=s3cret")
        (found.root / path).chmod(mode)
    assert not play_failed(found("copied"))
    return found


def play_failed(result: dict[str, Any]) -> bool:
    return bool(result.get("failed"))


def test_what_is_encrypted_comes_back_with_the_passphrase(play: Play) -> None:
    assert not play_failed(play("finished", passphrase="a p'\"$#é"))
    tree = play.top / "backups" / ID / "tree"
    assert not (tree / "env/mysql.env").exists() and "s3cret" not in (tree / "private.vault").read_text()
    assert (tree / "data/mysql/ibdata").exists(), "data are what they are"
    (play.root / "env/mysql.env").write_text("spoilt")
    for state in ("verified", "restored"):
        with pytest.raises(AnsibleActionFail, match=r"is encrypted\. Nothing was changed\. Set stack_backup_passphrase"):
            play(state, parts=WHOLE)
        with pytest.raises(AnsibleActionFail, match=r"is not the passphrase that it was made with"):
            play(state, parts=WHOLE, passphrase="other")
    assert not play_failed(play("verified", parts=["data"])), "data need no passphrase"
    assert not play_failed(play("verified", parts=WHOLE, passphrase="a p'\"$#é"))
    assert not play_failed(play("restored", parts=WHOLE, passphrase="a p'\"$#é"))
    assert (play.root / "env/mysql.env").read_text() == "PASSWORD=s3cret"
    assert not any("passphrase" in arguments for arguments in play.seen), "no host sees it"


def test_without_a_passphrase_files_are_as_they_are(play: Play) -> None:
    assert not play_failed(play("finished"))
    assert (play.top / "backups" / ID / "tree/env/mysql.env").read_text() == "PASSWORD=s3cret"
    assert not play_failed(play("verified", parts=WHOLE, passphrase="not needed"))
    assert not play_failed(play("restored", parts=WHOLE))


def test_a_backup_that_is_not_there_is_told(play: Play) -> None:
    assert "is no finished backup" in play("verified", parts=WHOLE)["msg"]
    assert play("finished", check=True, passphrase="x")["changed"]
