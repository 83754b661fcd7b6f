# SPDX-License-Identifier: GPL-3.0-or-later
"""check, do, again, again in check mode; with the action plugin's own archive."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.action.stack_render import pack
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed
from ansible_collections.cozeops.studio.plugins.modules import stack_render
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

KEY = "k" * 64
ME = {"owner": os.getuid(), "group": os.getgid()}
STAMP = {"stack": "lab", "service": "mysql"}
BASE = [{"path": path, "mode": mode, **ME} for path, mode in ((".", "0700"), ("conf", "0755"), ("data", "0755"), ("env", "0700"), ("state", "0700"))]
DATA = {"path": "data/mysql", "mode": "0700", **ME, "stamp": STAMP}


def a_file(path: str, content: str | bytes = "text\n", **more: Any) -> dict[str, Any]:
    return {"path": path, "content": content, "digest": keyed(KEY, content), "mode": "0644", "secret": False, **ME, **more}


SECRETS = a_file("state/secrets.env", "STACK_DIGEST_KEY=%s\n" % KEY, mode="0600", secret=True)


class Render:
    """Calls the module as the action plugin does: once to ask, and again with what it needs."""

    def __init__(self, top: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.top, self.capsys = top, capsys
        self.root = top / "root"

    def ask(self, *files: dict[str, Any], check: bool = False, **args: Any) -> dict[str, Any]:
        args.setdefault("directories", [*BASE, DATA])
        manifest = [{name: value for name, value in entry.items() if name != "content"} for entry in (SECRETS, *files)]
        return run_main(stack_render.main, self.capsys, {"root": str(self.root), "files": manifest, **args}, check)

    def do(self, *files: dict[str, Any], **args: Any) -> dict[str, Any]:
        asked = self.ask(*files, **args)
        if asked["failed"] or not asked["needed"]:
            return asked
        by_path = {entry["path"]: entry for entry in (SECRETS, *files)}
        archive = self.top / "archive.tar.gz"
        with archive.open("wb") as stream:
            pack([by_path[path] for path in asked["needed"]], stream)
        return self.ask(*files, archive=str(archive), **args)

    def tree(self) -> dict[str, tuple[str, tuple[bytes, float] | None]]:
        found = {}
        for path in sorted(self.root.rglob("*")):
            info = path.lstat()
            content = (path.read_bytes(), info.st_mtime) if path.is_file() else None
            found[str(path.relative_to(self.root))] = (oct(info.st_mode), content)
        return found


@pytest.fixture
def render(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Render:
    return Render(tmp_path, capsys)


def kinds(result: dict[str, Any]) -> dict[str, str]:
    return {difference["path"]: difference["kind"] for difference in result["differences"]}


def four_calls(render: Render, *files: dict[str, Any], **args: Any) -> dict[str, Any]:
    """What check mode said, having seen that the run did just that, and that nothing is left to do."""
    before = render.tree() if render.root.exists() else None
    checked = render.ask(*files, check=True, **args)
    assert (render.tree() if render.root.exists() else None) == before
    done = render.do(*files, **args)
    assert done["failed"] is False
    assert (done["changed"], kinds(done)) == (checked["changed"], kinds(checked))
    after = render.tree()
    for check in (False, True):
        again = render.ask(*files, check=check, **args)
        assert (again["changed"], again["differences"], again["needed"]) == (False, [], [])
    assert render.tree() == after
    return checked


# --- what is written


def test_a_bare_host_gets_everything(render: Render) -> None:
    files = [a_file("conf/motd"), a_file("env/mysql.env", "A=s3cret\n", mode="0600", secret=True)]
    assert kinds(four_calls(render, *files)) == {
        **dict.fromkeys([".", "conf", "data", "env", "state", "data/mysql"], "directory"),
        **dict.fromkeys(["state/secrets.env", "conf/motd", "env/mysql.env"], "create"),
    }
    assert (render.root / "conf" / "motd").read_text() == "text\n"
    assert stat.S_IMODE((render.root / "env" / "mysql.env").stat().st_mode) == 0o600
    assert stat.S_IMODE(render.root.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"\x89PNG\0\xff", "", "é\r\n" * 5, "x" * 300_000])
def test_any_content_arrives_byte_for_byte(render: Render, content: str | bytes) -> None:
    source = render.top / "source"
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    entry = {**a_file("conf/x", content), "content": None, "src": str(source)}
    render.do(entry)
    assert (render.root / "conf" / "x").read_bytes() == source.read_bytes()


def test_a_changed_file_is_replaced_and_no_other(render: Render) -> None:
    render.do(a_file("conf/a"), a_file("conf/b"))
    untouched = (render.root / "conf" / "b").stat()
    assert kinds(four_calls(render, a_file("conf/a", "new\n"), a_file("conf/b"))) == {"conf/a": "content"}
    assert (render.root / "conf" / "a").read_text() == "new\n"
    assert (render.root / "conf" / "b").stat().st_ino == untouched.st_ino


def test_a_file_that_was_edited_on_the_host_is_put_right(render: Render) -> None:
    render.do(a_file("conf/a"))
    (render.root / "conf" / "a").write_text("edited")
    assert kinds(four_calls(render, a_file("conf/a"))) == {"conf/a": "content"}
    assert (render.root / "conf" / "a").read_text() == "text\n"


def test_a_file_that_was_deleted_comes_back(render: Render) -> None:
    render.do(a_file("conf/a"))
    (render.root / "conf" / "a").unlink()
    assert kinds(four_calls(render, a_file("conf/a"))) == {"conf/a": "create"}


def test_another_mode_is_set_without_writing(render: Render) -> None:
    render.do(a_file("conf/a"))
    inode = (render.root / "conf" / "a").stat().st_ino
    assert kinds(four_calls(render, a_file("conf/a", mode="0600"))) == {"conf/a": "attributes"}
    assert (render.root / "conf" / "a").stat().st_ino == inode
    assert stat.S_IMODE((render.root / "conf" / "a").stat().st_mode) == 0o600


def test_a_directory_gets_its_mode_back(render: Render) -> None:
    render.do()
    (render.root / "env").chmod(0o755)
    assert kinds(four_calls(render)) == {"env": "attributes"}
    assert stat.S_IMODE((render.root / "env").stat().st_mode) == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_owners_are_numbers(render: Render) -> None:
    four_calls(render, a_file("conf/a", owner=12345, group=54321), directories=[*BASE, {**DATA, "owner": 999, "group": 998}])
    info = (render.root / "conf" / "a").stat()
    assert (info.st_uid, info.st_gid) == (12345, 54321)
    assert (render.root / "data" / "mysql").stat().st_uid == 999
    assert (render.root / "data" / ".mysql.json").stat().st_uid == 0


def test_a_link_in_place_of_a_file_becomes_a_file(render: Render) -> None:
    render.do(a_file("conf/a"))
    elsewhere = render.top / "elsewhere"
    elsewhere.write_text("text\n")
    elsewhere.chmod(0o640)
    (render.root / "conf" / "a").unlink()
    (render.root / "conf" / "a").symlink_to(elsewhere)
    assert kinds(four_calls(render, a_file("conf/a"))) == {"conf/a": "content"}
    assert not (render.root / "conf" / "a").is_symlink()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o640


def test_the_first_call_only_tells(render: Render) -> None:
    asked = render.ask(a_file("conf/a"))
    assert asked["needed"] == ["state/secrets.env", "conf/a"]
    assert not render.root.exists()


# --- what is removed


def test_only_strangers_of_an_exclusive_tree_are_removed(render: Render) -> None:
    wanted = a_file("conf/tree/sub/a")
    render.do(wanted, a_file("conf/tree/b"), a_file("conf/other"))
    (render.root / "data" / "mysql" / "ibdata1").touch()
    assert kinds(four_calls(render, wanted, exclusive=["conf/tree"])) == {"conf/tree/b": "remove"}
    assert sorted(path for path in render.tree() if path.startswith("conf/")) == ["conf/other", "conf/tree", "conf/tree/sub", "conf/tree/sub/a"]
    assert (render.root / "data" / "mysql" / "ibdata1").exists()


def test_a_tree_that_is_not_there_has_no_strangers(render: Render) -> None:
    assert "remove" not in kinds(four_calls(render, exclusive=["conf/none"])).values()


# --- stamps


def mark(render: Render) -> dict[str, Any]:
    return json.loads((render.root / "data" / ".mysql.json").read_text())


def test_a_data_directory_is_stamped_once(render: Render) -> None:
    render.do()
    first = mark(render)
    assert {**first, "created": "x"} == {**STAMP, "created": "x", "init": {}}
    assert first["created"].endswith("+00:00")
    assert stat.S_IMODE((render.root / "data" / ".mysql.json").stat().st_mode) == 0o600
    render.do()
    assert mark(render) == first


def test_the_ledger_of_filled_data_is_kept(render: Render) -> None:
    render.do()
    ledger = {**mark(render), "init": {"schema": {"digest": "d"}}}
    (render.root / "data" / ".mysql.json").write_text(json.dumps(ledger))
    (render.root / "data" / "mysql" / "ibdata1").touch()
    assert render.do()["changed"] is False
    assert mark(render) == ledger


def test_emptied_data_begin_a_new_life(render: Render) -> None:
    render.do()
    (render.root / "data" / ".mysql.json").write_text(json.dumps({**mark(render), "init": {"schema": {"digest": "d"}}}))
    assert four_calls(render)["changed"] is True
    assert mark(render)["init"] == {}


def test_an_empty_directory_that_lost_its_stamp_gets_one(render: Render) -> None:
    render.do()
    (render.root / "data" / ".mysql.json").unlink()
    assert four_calls(render)["changed"] is True
    assert mark(render)["stack"] == "lab"


def test_data_without_a_stamp_get_none(render: Render) -> None:
    (render.root / "data" / "mysql").mkdir(parents=True)
    (render.root / "data" / "mysql" / "ibdata1").touch()
    render.do()
    assert not (render.root / "data" / ".mysql.json").exists()


def test_what_data_directories_hold_is_not_touched(render: Render) -> None:
    render.do()
    inside = render.root / "data" / "mysql" / "ibdata1"
    inside.write_text("x")
    inside.chmod(0o666)
    before = inside.stat()
    render.do(a_file("conf/a"))
    assert inside.stat() == before


# --- what goes wrong


def test_a_directory_in_place_of_a_file_is_told(render: Render) -> None:
    (render.root / "conf" / "a").mkdir(parents=True)
    for check in (True, False):
        result = render.ask(a_file("conf/a"), check=check)
        assert result["failed"] is True
        assert result["msg"].startswith("%s/conf/a is a directory, and a file is to be there." % render.root)


@pytest.mark.parametrize("check", [True, False])
def test_a_file_in_place_of_a_directory_is_told(render: Render, check: bool) -> None:
    render.root.mkdir()
    (render.root / "conf").write_text("x")
    result = render.ask(check=check)
    assert (result["failed"], result["msg"]) == (True, "%s/conf is a file, and a directory is to be there. Move it away." % render.root)


@pytest.mark.parametrize("step", ["replace", "chown", "fdopen"])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(render: Render, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    render.do(a_file("conf/a", "old\n"))

    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise OSError("no space left on device")

    before = render.tree()
    with monkeypatch.context() as patched:
        patched.setattr(stack_render.os, step, fail)
        result = render.do(a_file("conf/a", "new\n"))
    assert result["failed"] is True
    assert "no space left on device" in result["msg"]
    assert render.tree() == before


def test_an_archive_that_is_cut_off_is_told(render: Render) -> None:
    archive = render.top / "archive.tar.gz"
    archive.write_bytes(b"no archive")
    assert render.ask(archive=str(archive))["failed"] is True


# --- what is shown


def test_the_old_text_is_shown_when_asked_for(render: Render) -> None:
    render.do(a_file("conf/a", "old\n"))
    assert render.ask(a_file("conf/a", "new\n"), show=True, check=True)["differences"][0]["before"] == "old\n"
    assert render.ask(a_file("conf/a", "new\n"), check=True)["differences"][0]["before"] is None


@pytest.mark.parametrize("content", [b"\xff\xfe", "x" * 200_000])
def test_what_is_no_short_text_is_not_shown(render: Render, content: str | bytes) -> None:
    source = render.top / "source"
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    render.do({**a_file("conf/a", content), "content": None, "src": str(source)})
    assert render.ask(a_file("conf/a", "new\n"), show=True, check=True)["differences"][0]["before"] is None


def test_a_secret_is_shown_neither_old_nor_new(render: Render) -> None:
    secret = {"mode": "0600", "secret": True}
    render.do(a_file("env/x.env", "A=old-s3cret\n", **secret))
    for call in (lambda *files: render.ask(*files, show=True, check=True), lambda *files: render.do(*files, show=True)):
        result = call(a_file("env/x.env", "A=new-s3cret\n", **secret))
        assert kinds(result) == {"env/x.env": "content"}
        assert "s3cret" not in str(result)
