# SPDX-License-Identifier: GPL-3.0-or-later
"""Data directories are taken and given back, however far it came."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _adopt_data
from ansible_collections.cozeops.studio.plugins.module_utils._adopt_data import AdoptError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CONVERT = {"of": "dump", "to": "log", "copy": "base", "files": {"list": "base\n"}}


class Place:
    """A directory of data, and the stack's directory beside it."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.root, self.source, self.target = folder / "root", folder / "theirs", folder / "root" / "data" / "redis"
        for path in (self.root / "data", self.root / _adopt_data.OWNERS, self.source / "sub"):
            path.mkdir(parents=True)
        (self.source / "dump").write_text("content")
        (self.source / "sub" / "file").write_text("more")
        self.source.chmod(0o755)
        self.entry: dict[str, Any] = {
            "service": "redis",
            "kind": "bind",
            "source": str(self.source),
            "to": str(self.target),
            "owner": os.getuid(),
            "group": os.getgid(),
            "mode": "0700",
            "copied": False,
            "convert": CONVERT,
            "converts": True,
            **more,
        }

    def take(self) -> None:
        _adopt_data.take(str(self.root), self.entry, "coze")

    def put_back(self) -> None:
        _adopt_data.put_back(str(self.root), self.entry)


def seen(folder: Path) -> dict[str, Any]:
    paths = [folder, *sorted(folder.rglob("*"))]
    return {str(path.relative_to(folder)): (stat.S_IMODE(path.stat().st_mode), path.read_text() if path.is_file() else None) for path in paths}


@pytest.mark.parametrize("copied", [False, True])
def test_there_and_back(tmp_path: Path, copied: bool) -> None:
    place = Place(tmp_path, copied=copied)
    before = seen(place.source)
    place.take()
    assert (place.target / "sub" / "file").read_text() == "more" and stat.S_IMODE(place.target.stat().st_mode) == 0o700
    assert place.source.exists() == copied
    stamp = json.loads((place.root / "data" / ".redis.json").read_text())
    assert (stamp["stack"], stamp["service"], stamp["init"]["adopted"]["from"]) == ("coze", "redis", str(place.source))
    assert (place.target / "log" / "base").read_text() == "content" and (place.target / "log" / "list").read_text() == "base\n"
    place.put_back()
    assert seen(place.source) == before
    # What the stack may have written into a copy, or into a form of its own, is kept.
    assert os.listdir(place.root / "data") == ["redis.left"]
    assert ("file" in os.listdir(place.root / "data/redis.left/sub")) if copied else os.listdir(place.root / "data/redis.left") == ["log"]
    place.put_back()
    assert seen(place.source) == before, "twice is once"


def test_what_the_stack_has_written_stays_and_its_own_form_goes(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.take()
    (place.target / "new").write_text("by the stack")
    place.put_back()
    assert (place.source / "new").read_text() == "by the stack" and not (place.source / "log").exists()


def test_a_form_that_was_there_is_theirs(tmp_path: Path) -> None:
    place = Place(tmp_path, converts=False)
    (place.source / "log").mkdir()
    (place.source / "log" / "own").write_text("own")
    before = seen(place.source)
    place.take()
    assert os.listdir(place.target / "log") == ["own"]
    place.put_back()
    assert seen(place.source) == before


def test_where_docker_has_made_an_empty_directory_data_go_back_and_elsewhere_not(tmp_path: Path) -> None:
    place = Place(tmp_path)
    before = seen(place.source)
    place.take()
    place.source.mkdir()
    place.put_back()
    assert seen(place.source) == before
    place.take()
    place.source.mkdir()
    (place.source / "x").write_text("somebody's")
    with pytest.raises(AdoptError, match=r"cannot go back to .*theirs, where something else is by now"):
        place.put_back()
    assert (place.target / "dump").exists() and (place.source / "x").exists()


def test_what_was_empty_gets_nothing_of_the_stack(tmp_path: Path) -> None:
    place = Place(tmp_path)
    shutil.rmtree(place.source)
    place.source.mkdir()
    place.target.mkdir()
    (place.target / "written").write_text("by the stack")
    place.put_back()
    assert os.listdir(place.source) == [] and os.listdir(place.target) == ["written"]


def test_data_that_are_in_place_already(tmp_path: Path) -> None:
    place = Place(tmp_path)
    os.rename(place.source, place.target)
    place.entry["source"] = place.entry["to"]
    before = seen(place.target)
    place.take()
    assert (place.root / "data" / ".redis.json").exists()
    place.put_back()
    assert seen(place.target) == before


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("at", range(1, 6))
def test_cut_off_anywhere_it_can_be_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: bool, at: int) -> None:
    """A step that changes the disk fails, the first, second, ... one: as if the machine had gone down there."""
    place = Place(tmp_path, copied=copied)
    before = seen(place.source)
    count = 0
    real = {name: getattr(os, name) for name in ("rename", "chmod", "mkdir", "replace")}

    def failing(name: str) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count == at:
                raise OSError(5, "cut off")
            return real[name](*arguments, **more)

        return call

    with monkeypatch.context() as patched:
        for name in real:
            patched.setattr(os, name, failing(name))
        with pytest.raises(Exception, match="cut off"):
            place.take()
    place.put_back()
    assert seen(place.source) == before and not place.target.exists()


def test_owners_are_kept_in_little_room_and_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in "abc":
        (tree / name).write_text(name)
    real = os.lstat
    # Only root gives files away: what would be is noted.
    owned = {str(tree / "b"): (7, 8)}
    given: dict[str, tuple[int, int]] = {}

    def lstat(path: Any) -> Any:
        info = real(path)
        uid, gid = given.get(str(path)) or owned.get(str(path), (0, 0))
        return os.stat_result([*info[:4], uid, gid, *info[6:10]])

    monkeypatch.setattr(os, "lstat", lstat)
    monkeypatch.setattr(os, "lchown", lambda path, uid, gid: given.__setitem__(str(path), (uid, gid)))
    kept = _adopt_data.owners(str(tree))
    assert kept["most"] == [0, 0] and kept["others"] == {"b": [7, 8]}
    _adopt_data.give(str(tree), 1000, 1000)
    assert set(given.values()) == {(1000, 1000)} and len(given) == 4
    (tree / "new").write_text("new")
    given[str(tree / "new")] = (1000, 1000)
    _adopt_data.give_back(str(tree), kept)
    assert given == {str(tree): (0, 0), str(tree / "a"): (0, 0), str(tree / "b"): (7, 8), str(tree / "c"): (0, 0), str(tree / "new"): (0, 0)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(["take", "put_back"]), max_size=6), st.booleans())
def test_any_order_of_both_ends_where_the_last_one_says(tmp_path_factory: pytest.TempPathFactory, steps: list[str], copied: bool) -> None:
    place = Place(tmp_path_factory.mktemp("place"), copied=copied)
    before = seen(place.source)
    taken = False
    for step in steps:
        if step == "take" and not taken:
            place.take()
            taken = True
        elif step == "put_back":
            place.put_back()
            taken = False
    assert (place.target / "dump").exists() == taken
    if not taken:
        assert seen(place.source) == before


def test_what_a_failed_stack_has_left_is_put_aside_but_for_its_state(tmp_path: Path) -> None:
    assert _adopt_data.set_aside(str(tmp_path)) == ""
    for name in ("conf", "state", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "stack.json").write_text("{}")
    aside = Path(_adopt_data.set_aside(str(tmp_path)))
    assert sorted(os.listdir(aside)) == ["conf", "data", "stack.json"] and sorted(os.listdir(tmp_path)) == [aside.name, "state"]


def test_a_journal_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    assert _adopt_data.read_journal(str(tmp_path)) is None
    _adopt_data.write_private(_adopt_data.journal_path(str(tmp_path)), {"stack": "coze"})
    assert _adopt_data.read_journal(str(tmp_path)) == {"stack": "coze"}
    assert stat.S_IMODE(os.stat(_adopt_data.journal_path(str(tmp_path))).st_mode) == 0o600
    (tmp_path / _adopt_data.JOURNAL).write_text("{")
    with pytest.raises(AdoptError, match="cannot be read"):
        _adopt_data.read_journal(str(tmp_path))


def test_room_is_asked_for_before_anything_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "file").write_bytes(b"x" * 3 * 1024**2)
    monkeypatch.setattr(_adopt_data._host, "disk", lambda _path: {"free": 2 * 1024**2})
    _adopt_data.need_room(str(tmp_path), [])
    with pytest.raises(AdoptError, match=r"has 2 MB of room, and .*big have to be copied there, 3 MB"):
        _adopt_data.need_room(str(tmp_path), [{"source": str(tmp_path / "big")}])
