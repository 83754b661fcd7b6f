# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies that are what was copied, however often, and never change an earlier one."""

from __future__ import annotations

import os
import socket
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _snapshot
from ansible_collections.cozeops.studio.plugins.module_utils._snapshot import SnapshotError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c"])
#: Path (one or two parts) -> contents; b"" at times.
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=2).map("/".join), st.binary(max_size=5), max_size=5)


def put(folder: Path, tree: dict[str, bytes]) -> None:
    """The tree, where no path is both file and folder."""
    for path, content in sorted(tree.items()):
        place = folder / path
        if place.is_dir() or any(parent.is_file() for parent in place.parents):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def seen(folder: Path) -> dict[str, Any]:
    """What is there: contents, modes, times."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (content, stat.S_IMODE(info.st_mode), None if path.is_symlink() else info.st_mtime_ns)
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(first=TREES, second=TREES)
def test_a_copy_is_what_was_copied_and_earlier_ones_stay(tmp_path_factory: pytest.TempPathFactory, first: dict[str, bytes], second: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("copies")
    source, one, two = folder / "source", folder / "one", folder / "two"
    source.mkdir()
    put(source, first)
    _snapshot.copy_tree(str(source), str(one), None)
    assert seen(one) == seen(source)
    before = seen(one)
    for path in sorted(source.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    put(source, second)
    _snapshot.copy_tree(str(source), str(two), str(one))
    assert seen(two) == seen(source)
    assert seen(one) == before


def test_owners_modes_links_and_times_are_kept_and_sockets_left_out(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "data").mkdir(parents=True)
    (source / "data" / "x").write_text("x")
    os.chmod(source / "data" / "x", 0o640)
    if os.geteuid() == 0:
        os.chown(source / "data" / "x", 999, 1001)
    os.chmod(source / "data", 0o710)
    (source / "link").symlink_to("data/x")
    (source / "folder").symlink_to("data")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(source / "sock"))
        _snapshot.copy_tree(str(source), str(target), None)
    (source / "sock").unlink()
    assert seen(target) == seen(source)
    assert (target / "data" / "x").stat().st_uid == (source / "data" / "x").stat().st_uid
    assert (target / "data").stat().st_mtime_ns == (source / "data").stat().st_mtime_ns


def test_a_second_pass_takes_what_changed_and_what_may_have_been_read_half(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "old").write_text("old")
    os.utime(source / "old", (1000, 1000))
    (source / "torn").write_text("torn")
    begun = time.time() - 1
    assert _snapshot.copy_tree(str(source), str(target), None)["copied"] == 2
    # Written in the same moment, with the same size and time: only its age tells.
    info = (source / "torn").stat()
    (source / "torn").write_text("TORN")
    os.utime(source / "torn", ns=(info.st_atime_ns, info.st_mtime_ns))
    done = _snapshot.copy_tree(str(source), str(target), None, again_since=begun)
    assert (done["copied"], done["kept"]) == (1, 1) and (target / "torn").read_text() == "TORN"


def test_what_an_earlier_copy_has_is_a_link_to_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "big").write_bytes(b"x" * 100)
    (source / "new").write_text("1")
    _snapshot.copy_tree(str(source), str(tmp_path / "one"), None)
    (source / "new").write_text("22")
    done = _snapshot.copy_tree(str(source), str(tmp_path / "two"), str(tmp_path / "one"))
    assert (done["linked"], done["copied"], done["bytes"]) == (1, 1, 2)
    assert (tmp_path / "one" / "big").stat().st_ino == (tmp_path / "two" / "big").stat().st_ino
    assert (tmp_path / "one" / "new").read_text() == "1"


def finished(folder: Path, name: str, tree: dict[str, bytes]) -> Path:
    snapshot = folder / name
    (snapshot / "tree").mkdir(parents=True)
    put(snapshot / "tree", tree)
    _snapshot.write_manifest(str(snapshot), {"files": _snapshot.describe(str(snapshot / "tree"), {}, None)})
    return snapshot


def test_what_is_not_as_it_was_is_told(tmp_path: Path) -> None:
    snapshot = finished(tmp_path, "20260301T120000Z", {"a": b"1", "b": b"2", "c/d": b"3"})
    assert _snapshot.differences(str(snapshot)) == []
    (snapshot / "tree" / "a").write_bytes(b"x")
    (snapshot / "tree" / "b").unlink()
    (snapshot / "tree" / "e").write_bytes(b"")
    assert _snapshot.differences(str(snapshot)) == ["b is missing", "e is not of this backup", "a is another one than was written"]


def test_files_that_are_links_to_an_earlier_copy_are_not_read_again(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "x").write_text("x")
    _snapshot.copy_tree(str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "one"))
    known = {"x": {"size": 1, "sha256": "known"}}
    assert _snapshot.describe(str(tmp_path / "two"), known, str(tmp_path / "one")) == known
    assert _snapshot.describe(str(tmp_path / "two"), {}, str(tmp_path / "one"))["x"]["sha256"] != "known"


def test_only_finished_ones_count(tmp_path: Path) -> None:
    finished(tmp_path, "20260301T120000Z", {})
    finished(tmp_path, "20260201T120000Z", {})
    finished(tmp_path, "20260401T120000Z.partial", {})
    (tmp_path / "20260501T120000Z").mkdir()
    assert _snapshot.ids(str(tmp_path)) == ["20260201T120000Z", "20260301T120000Z"]
    assert _snapshot.ids(str(tmp_path / "none")) == []
    with pytest.raises(SnapshotError, match=r"20260501T120000Z is no finished backup: it has no manifest\.json"):
        _snapshot.read_manifest(str(tmp_path / "20260501T120000Z"))


@pytest.mark.parametrize(("keep", "gone"), [(3, []), (2, ["1"]), (1, ["1", "2"]), (0, ["1", "2"])])
def test_the_oldest_go_and_one_stays(keep: int, gone: list[str]) -> None:
    assert _snapshot.surplus(["3", "1", "2"], keep) == gone


def test_what_a_run_that_was_cut_off_has_left_is_found_a_day_later() -> None:
    names = ["20260101T000000Z.partial", "20260130T115959Z.partial", "20260130T120001Z.partial", "20260101T000000Z", "mine.partial", "20260131T120000Z.partial"]
    assert _snapshot.abandoned(names, "20260131T120000Z") == ["20260101T000000Z.partial", "20260130T115959Z.partial"]
