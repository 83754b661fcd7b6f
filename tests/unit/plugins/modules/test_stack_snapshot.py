# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a stack's directory: made in two passes, proved, put back, and never at the cost of what is there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _snapshot
from ansible_collections.cozeops.studio.plugins.modules import stack_snapshot
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

ONE, TWO = "20260301T120000Z", "20260302T120000Z"
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "coze"
    for path, text in {"data/mysql/ibdata": "rows", "data/.mysql.json": "{}", "env/mysql.env": "A=1", "conf/x": "x", "stack.json": "{}", "other": "no"}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture
def call(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(state: str, name: str = ONE, check: bool = False, **more: Any) -> dict[str, Any]:
        return run_main(stack_snapshot.main, capsys, {"root": str(root), "directory": str(tmp_path / "backups"), "id": name, "state": state, **more}, check)

    return run


def made(call: Call, name: str, **more: Any) -> dict[str, Any]:
    assert not call("copied", name)["failed"]
    return call("finished", name, **more)


@contextmanager
def cut_off(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[None]:
    """Meanwhile, nothing is renamed after that many times."""
    real, left = os.rename, after

    def rename(source: Any, target: Any) -> None:
        nonlocal left
        if left == 0:
            raise OSError(5, "cut off")
        left -= 1
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(stack_snapshot.os, "rename", rename)
        yield


def test_a_backup_has_what_is_the_stacks_and_proves_it(call: Call, root: Path, tmp_path: Path) -> None:
    before = call("copied", check=True)
    assert before["changed"] and not (tmp_path / "backups").exists()
    first = call("copied")
    assert first["done"] == {"copied": 4, "linked": 0, "kept": 0, "bytes": 10}
    (root / "data/mysql/ibdata").write_text("rows and more")
    assert call("copied", again_since=first["begun"] + 10)["done"]["copied"] == 1
    result = call("finished", manifest={"stack": "coze", "counts": {"mysql": {"user": 3}}})
    assert (result["files"], result["removed"]) == (5, [])
    assert (tmp_path / "backups").stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "backups" / ONE / "tree" / "other").exists()
    proved = call("verified")
    assert proved["manifest"] == {"stack": "coze", "counts": {"mysql": {"user": 3}}} and proved["files"] == 5
    assert call("verified", "latest")["id"] == ONE


def test_a_damaged_backup_is_refused(call: Call, tmp_path: Path) -> None:
    made(call, ONE)
    (tmp_path / "backups" / ONE / "tree/data/mysql/ibdata").write_text("rot!")
    result = call("verified")
    assert result["failed"]
    assert result["msg"].endswith("is damaged: data/mysql/ibdata is another one than was written. Nothing was changed. Take another backup.")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (TWO, "is no finished backup: it has no manifest.json"),
        ("yesterday", "id: 'yesterday' is no time such as 20260131T120000Z"),
        ("latest", "has no finished backup"),
    ],
)
def test_what_is_not_there_is_told(call: Call, name: str, says: str) -> None:
    result = call("verified", name)
    assert result["failed"] and says in result["msg"]


def test_a_later_backup_costs_what_is_new_and_the_oldest_goes(call: Call, root: Path, tmp_path: Path) -> None:
    made(call, ONE)
    (root / "conf/x").write_text("new")
    assert call("copied", TWO)["done"] == {"copied": 1, "linked": 3, "kept": 0, "bytes": 3}
    assert call("finished", TWO, keep=1)["removed"] == [ONE]
    assert _snapshot.ids(str(tmp_path / "backups")) == [TWO] and not call("verified", TWO)["failed"]


def test_no_backup_is_begun_that_has_no_room(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_snapshot, "RESERVE", 1 << 60)
    result = call("copied")
    assert result["failed"] and "Make room there, or set stack_backup_dir to another file system." in result["msg"]
    assert not list((tmp_path / "backups").iterdir())


def test_the_data_are_put_back_and_those_that_were_there_are_kept(call: Call, root: Path) -> None:
    made(call, ONE)
    (root / "data/mysql/ibdata").write_text("later rows")
    (root / "env/mysql.env").write_text("A=2")
    result = call("restored")
    assert (root / "data/mysql/ibdata").read_text() == "rows" and (root / "env/mysql.env").read_text() == "A=2"
    kept = Path(result["kept"])
    assert (kept / "data/mysql/ibdata").read_text() == "later rows" and kept.name.startswith("before-")
    assert not call("verified")["failed"], "the backup stays what it is"
    os.rename(kept, root / "before-x")
    (root / "data/mysql/ibdata").write_text("third rows")
    again = call("restored")
    assert (Path(again["kept"]) / "data/mysql/ibdata").read_text() == "third rows", "a second time loses nothing either"


@pytest.mark.parametrize("at", ["copy", "aside", "place"])
def test_what_was_cut_off_goes_on_with_the_next_call(call: Call, root: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    made(call, ONE)
    (root / "data/mysql/ibdata").write_text("later rows")
    with cut_off(monkeypatch, {"copy": 0, "aside": 1, "place": 2}[at]):
        assert call("restored")["failed"]
    result = call("restored")
    assert not result["failed"]
    assert (root / "data/mysql/ibdata").read_text() == "rows"
    assert (Path(result["kept"]) / "data/mysql/ibdata").read_text() == "later rows"
    assert not list(root.glob("restoring-*"))


WHOLE = ["conf", "data", "env", "stack.json"]


@pytest.mark.parametrize("at", range(12))
def test_the_whole_stack_goes_back_wherever_it_was_cut_off(call: Call, root: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    made(call, ONE)
    for path in ("data/mysql/ibdata", "env/mysql.env", "conf/x"):
        (root / path).write_text("later")
    (root / "stack.json").unlink()
    (root / "state").mkdir()
    (root / "state/lock").write_text("ours")
    with cut_off(monkeypatch, at):
        result = call("restored", parts=WHOLE)
    assert result["failed"] is (at < 8), "three put aside, four put in place, and the name of what is kept"
    result = call("restored", parts=WHOLE) if result["failed"] else result
    found = {path: (root / path).read_text() for path in ("data/mysql/ibdata", "env/mysql.env", "conf/x", "stack.json", "state/lock")}
    assert found == {"data/mysql/ibdata": "rows", "env/mysql.env": "A=1", "conf/x": "x", "stack.json": "{}", "state/lock": "ours"}
    kept = Path(result["kept"])
    assert [(kept / path).read_text() for path in ("data/mysql/ibdata", "env/mysql.env", "conf/x")] == ["later"] * 3
    assert not list(root.glob("restoring-*"))


def test_what_is_not_there_at_all_is_put_back_too(call: Call, root: Path) -> None:
    (root / "state").mkdir()
    (root / "state/secrets.env").write_text("KEY=1")
    made(call, ONE)
    os.rename(root, root.parent / "lost")
    assert not call("restored", parts=WHOLE)["failed"]
    assert (root / "stack.json").read_text() == "{}" and (root / "data/mysql/ibdata").read_text() == "rows"
    assert (root / "state/secrets.env").read_text() == "KEY=1"


def test_nothing_is_put_aside_without_room_for_both(call: Call, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(call, ONE)
    monkeypatch.setattr(stack_snapshot, "RESERVE", 1 << 60)
    result = call("restored")
    assert result["failed"] and "what is put back takes 0 MB beside what is there, which is kept." in result["msg"]
    assert sorted(path.name for path in root.iterdir()) == ["conf", "data", "env", "other", "stack.json"]


def test_the_backup_of_the_last_upgrade_is_found(call: Call) -> None:
    assert "has no backup that was made before an upgrade" in call("verified", "upgrade")["msg"]
    made(call, ONE, manifest={"upgrade": {"from": "0.3", "to": "0.5"}})
    made(call, TWO)
    assert (call("verified", "upgrade")["id"], call("verified", "latest")["id"]) == (ONE, TWO)
    assert call("verified", TWO)["model"] == {}


def test_lost_data_can_be_put_back(call: Call, root: Path) -> None:
    made(call, ONE)
    os.rename(root / "data", root.parent / "lost")
    assert not call("restored")["failed"] and (root / "data/mysql/ibdata").read_text() == "rows"


def test_an_unfinished_backup_is_removed(call: Call, tmp_path: Path) -> None:
    call("copied")
    assert call("absent")["changed"] and not call("absent")["changed"]
    assert json.dumps(list((tmp_path / "backups").iterdir())) == "[]"


def test_private_files_are_in_a_copy_in_their_encrypted_form_only(root: Path, call: Call) -> None:
    (root / "env/mysql.env").chmod(0o600)
    os.utime(root / "env/mysql.env", ns=(5, 7))
    assert not call("copied")["failed"]
    private = call("read")["private"]
    assert [entry["path"] for entry in private] == ["env/mysql.env"]
    result = call("finished", private=json.dumps(private), sealed="encrypted")
    tree = Path(result["path"]) / "tree"
    assert (tree / "private.vault").read_text() == "encrypted" and list((tree / "env").iterdir()) == []
    assert call("verified")["problems"] == [] and call("read", "latest")["sealed"] == "encrypted"
    (root / "env/mysql.env").write_text("A=2")
    (root / "conf/x").write_text("y")
    assert not call("restored", parts=["conf", "data", "env", "stack.json"], private=json.dumps(private))["failed"]
    info = (root / "env/mysql.env").stat()
    assert (root / "env/mysql.env").read_text() == "A=1" and (info.st_mode & 0o777, info.st_mtime_ns) == (0o600, 7)
    assert (root / "conf/x").read_text() == "x"


def test_a_private_file_that_would_be_elsewhere_is_refused(root: Path, call: Call) -> None:
    made(call, ONE)
    entry = {"path": "env/../../../x", "content": "", "owner": os.getuid(), "group": os.getgid(), "mode": 0o600, "time": 1}
    result = call("restored", parts=["env"], private=json.dumps([entry]))
    assert result["failed"] and result["msg"] == "env/../../../x is not in the stack's directory"
    assert (root / "env/mysql.env").read_text() == "A=1"


MODEL = {"name": "coze", "root": "/opt/cozeops/coze", "host": "one", "hosts": ["one"], "placement": {"mysql": ["one"]}, "services": {}}


@pytest.mark.parametrize(("network", "becomes"), [("coze", "second"), ("coze-overlay", "second-overlay"), ("mine", "mine")])
def test_a_stack_may_get_another_name(root: Path, call: Call, network: str, becomes: str) -> None:
    (root / "stack.json").write_text(json.dumps({**MODEL, "network": network}))
    (root / "data/.mysql.json").write_text(json.dumps({"stack": "coze", "init": {}}))
    (root / "data/.redis.json").write_text("{}")
    made(call, ONE)
    new = root.parent / "second"
    result = call("restored", root=str(new), stack="second", host="two", parts=["conf", "data", "env", "stack.json"])
    assert not result["failed"], result["msg"]
    placed = {"host": "two", "hosts": ["two"], "placement": {"mysql": ["two"]}}
    assert json.loads((new / "stack.json").read_text()) == {**MODEL, **placed, "name": "second", "root": str(new), "network": becomes}
    assert json.loads((new / "data/.mysql.json").read_text()) == {"stack": "second", "init": {}}
    assert call("verified")["problems"] == [], "the copy stays what it was"


def test_hosts_of_a_stack_on_several_keep_their_names() -> None:
    model = {**MODEL, "network": "coze-overlay", "hosts": ["one", "other"], "placement": {"mysql": ["other"]}}
    assert _snapshot.renamed(model, "coze", "/srv/coze", "two") == {**model, "root": "/srv/coze"}
