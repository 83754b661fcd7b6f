# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin, with the real module in place of a host."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.action import stack_render as action_file
from ansible_collections.cozeops.studio.plugins.action.stack_render import ActionModule, diff_of, pack
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed
from ansible_collections.cozeops.studio.plugins.modules import stack_render as module_file
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

KEY = "k" * 64
ME = {"owner": os.getuid(), "group": os.getgid()}
DIRECTORIES = [{"path": path, "mode": "0700", **ME} for path in (".", "conf", "state")]


def a_file(path: str, content: str = "text\n", **more: Any) -> dict[str, Any]:
    return {"path": path, "content": content, "digest": keyed(KEY, content), "mode": "0644", "secret": False, **ME, **more}


KEY_FILE = a_file("state/secrets.env", "STACK_DIGEST_KEY=%s\n" % KEY, mode="0600", secret=True)


class Play:
    """Runs the action; a host's files are below ``root``, what goes to it over the wire is kept."""

    def __init__(self, top: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.remote, self.capsys = top / "root", top / "remote", capsys
        self.calls: list[dict[str, Any]] = []
        self.modes: list[int] = []
        monkeypatch.setattr(ActionBase, "run", lambda *_args, **_kwargs: {})

    def __call__(self, *files: dict[str, Any], check: bool = False, diff: bool = False, **more: Any) -> dict[str, Any]:
        action: Any = ActionModule.__new__(ActionModule)
        args = {"root": str(self.root), "directories": DIRECTORIES, "files": [KEY_FILE, *files], **more}
        action._task = SimpleNamespace(args=args, check_mode=check, diff=diff)
        action._connection = SimpleNamespace(_shell=SimpleNamespace(join_path=os.path.join, tmpdir=None))

        def execute(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            assert module_name == action_file.MODULE
            self.calls.append(module_args)
            return run_main(module_file.main, self.capsys, module_args, check)

        def transfer(local: str, remote: str) -> None:
            self.modes.append(os.stat(local).st_mode & 0o777)
            shutil.copy(local, remote)

        def make_tmp_path() -> str:
            self.remote.mkdir()
            return str(self.remote)

        action._execute_module = execute
        action._make_tmp_path = make_tmp_path
        action._transfer_file = transfer
        action._remove_tmp_path = shutil.rmtree
        self.calls, self.modes = [], []
        return action.run(task_vars={})


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Play:
    return Play(tmp_path, monkeypatch, capsys)


def test_a_run_asks_first_and_sends_what_is_needed_once(play: Play) -> None:
    play()
    assert len(play.calls) == 2
    result = play(a_file("conf/a"))
    assert (result["changed"], [difference["path"] for difference in result["differences"]]) == (True, ["conf/a"])
    assert [bool(call.get("archive")) for call in play.calls] == [False, True]
    assert (play.root / "conf" / "a").read_text() == "text\n"


def test_a_host_is_sent_unasked_what_it_is_known_to_lack(play: Play) -> None:
    needed = ["state/secrets.env", "conf/a"]
    assert (play(a_file("conf/a"), check=True, needed=needed)["changed"], len(play.calls), play.modes) == (True, 1, [])
    result = play(a_file("conf/a"), needed=needed)
    assert (result["changed"], len(play.calls), bool(play.calls[0].get("archive"))) == (True, 1, True)
    assert (play.root / "conf" / "a").read_text() == "text\n"
    # What it has after all stays.
    before = (play.root / "conf" / "a").stat()
    assert [each["path"] for each in play(a_file("conf/a"), a_file("conf/b"), needed=["conf/a", "conf/b"])["differences"]] == ["conf/b"]
    assert (play.root / "conf" / "a").stat() == before


def test_what_a_host_lacks_besides_is_asked_for(play: Play) -> None:
    play()
    result = play(a_file("conf/a"), a_file("conf/b"), needed=["conf/b", "conf/unknown"])
    assert [each["path"] for each in result["differences"]] == ["conf/a", "conf/b"]
    assert (len(play.calls), (play.root / "conf" / "a").read_text(), (play.root / "conf" / "b").read_text()) == (2, "text\n", "text\n")


def test_a_run_that_has_nothing_to_do_is_one_call(play: Play) -> None:
    play(a_file("conf/a"))
    result = play(a_file("conf/a"))
    assert (result["changed"], len(play.calls), play.modes) == (False, 1, [])


def test_only_what_differs_is_sent(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    play(a_file("conf/a"), a_file("conf/b"))
    sent: list[str] = []
    monkeypatch.setattr(action_file, "pack", lambda entries, stream: (sent.extend(entry["path"] for entry in entries), pack(entries, stream)))
    play(a_file("conf/a"), a_file("conf/b", "new\n"))
    assert sent == ["conf/b"]


def test_the_archive_is_private_and_does_not_stay(play: Play) -> None:
    play(a_file("conf/a"))
    assert play.modes == [0o600]
    assert not play.remote.exists()


def test_contents_are_in_no_modules_arguments(play: Play) -> None:
    play(a_file("conf/a", "s3cret\n"))
    assert "s3cret" not in str(play.calls)
    assert KEY not in str(play.calls)


def test_a_source_file_is_read_on_the_controller(play: Play, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"\0\xff")
    play({**a_file("conf/a"), "content": None, "src": str(source), "digest": keyed(KEY, b"\0\xff")})
    assert (play.root / "conf" / "a").read_bytes() == b"\0\xff"


@pytest.mark.parametrize("diff", [False, True])
def test_check_mode_sends_nothing_and_says_the_same(play: Play, diff: bool) -> None:
    checked = play(a_file("conf/a"), check=True, diff=diff)
    assert (len(play.calls), play.root.exists()) == (1, False)
    assert checked == play(a_file("conf/a"), diff=diff)
    assert "needed" not in checked


def test_a_failure_is_returned_as_it_is(play: Play) -> None:
    (play.root / "conf" / "a").mkdir(parents=True)
    result = play(a_file("conf/a"))
    assert result["failed"] is True
    assert "is a directory, and a file is to be there" in result["msg"]
    assert len(play.calls) == 1


def test_old_texts_are_only_in_the_diff(play: Play) -> None:
    play(a_file("conf/a", "old\n"))
    result = play(a_file("conf/a", "new\n"), diff=True)
    assert result["diff"] == [{"before_header": "conf/a", "after_header": "conf/a", "before": "old\n", "after": "new\n"}]
    assert result["differences"] == [{"path": "conf/a", "kind": "content", "secret": False}]


def test_a_secret_is_in_no_part_of_the_result(play: Play) -> None:
    secret = {"mode": "0600", "secret": True}
    for content, word in (("A=old-s3cret\n", "new"), ("A=new-s3cret\n", "changed")):
        result = play(a_file("conf/env", content, **secret), diff=True)
        assert "s3cret" not in str(result)
        assert {"prepared": "conf/env: %s (content is secret)\n" % word} in result["diff"]
    assert KEY not in str(result)


@pytest.mark.parametrize(
    ("difference", "entry", "shown"),
    [
        ({"kind": "directory"}, None, {"prepared": "x: new directory\n"}),
        ({"kind": "attributes"}, {"content": "s"}, {"prepared": "x: other owner or mode\n"}),
        ({"kind": "remove"}, None, {"prepared": "x: removed\n"}),
        ({"kind": "create"}, {"content": "a\nb\n"}, {"prepared": "x: new, 2 lines\n"}),
        ({"kind": "content", "before": None}, {"content": "a\n"}, {"prepared": "x: changed, 1 lines\n"}),
        ({"kind": "create", "secret": True}, {"content": "s"}, {"prepared": "x: new (content is secret)\n"}),
        ({"kind": "content", "secret": True, "before": "t"}, {"content": "s"}, {"prepared": "x: changed (content is secret)\n"}),
    ],
)
def test_a_difference_is_shown_by_its_kind(difference: dict[str, Any], entry: dict[str, Any] | None, shown: dict[str, str]) -> None:
    assert diff_of({"path": "x", **difference}, entry) == shown


@pytest.mark.parametrize(("kind", "word"), [("create", "new"), ("content", "changed")])
def test_a_binary_file_is_not_shown(tmp_path: Path, kind: str, word: str) -> None:
    (tmp_path / "icon").write_bytes(b"\xff")
    assert diff_of({"path": "x", "kind": kind}, {"src": str(tmp_path / "icon")}) == {"prepared": "x: %s (binary)\n" % word}


def test_an_archive_holds_contents_by_path() -> None:
    stream = io.BytesIO()
    pack([{"path": "conf/a", "content": "é"}, {"path": "b", "content": ""}], stream)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        members = {member.name: archive.extractfile(member) for member in archive}
        assert {name: member.read() for name, member in members.items() if member} == {"conf/a": "é".encode(), "b": b""}
