# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._ledger import LedgerError, done, entry, merge, read, record

OWNER = {"stack": "coze", "service": "mysql"}


def test_merge_keeps_what_it_does_not_know() -> None:
    job = {"digest": "a", "at": "then", "done": ["p"], "note": 2}
    before = {"stack": "theirs", "more": 1, "created": "then", "init": {"other": {"done": ["x"]}, "job": job}}
    after = merge(before, "job", "b", ["p", "q"], "now", OWNER)
    assert after == {
        "stack": "theirs", "service": "mysql", "more": 1, "created": "then",
        "init": {"other": {"done": ["x"]}, "job": {"digest": "b", "at": "now", "done": ["p", "q"], "note": 2}},
    }  # fmt: skip
    assert job["digest"] == "a"


def test_merge_of_the_same_changes_nothing() -> None:
    once = merge({}, "job", "a", ["p"], "then", OWNER)
    assert merge(once, "job", "a", ["p"], "now", OWNER) == once


def test_record_makes_a_private_file_and_writes_only_what_is_new(tmp_path: pathlib.Path) -> None:
    path = tmp_path / ".mysql.json"
    assert record(str(path), "job", "a", ["p"], OWNER)
    assert path.stat().st_mode & 0o777 == 0o600
    assert done(read(str(path)), "job") == ["p"]
    inode = path.stat().st_ino
    assert not record(str(path), "job", "a", ["p"], OWNER)
    assert path.stat().st_ino == inode
    assert [item.name for item in tmp_path.iterdir()] == [".mysql.json"]


def test_no_file_is_an_empty_ledger(tmp_path: pathlib.Path) -> None:
    assert read(str(tmp_path / "none")) == {}
    assert entry({}, "job") == {}
    assert done({}, "job") == []


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"init": []})])
def test_file_that_is_no_ledger_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(LedgerError, match="Restore it from a backup, or remove it"):
        read(str(path))


def test_missing_directory_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(LedgerError, match="Its directory must exist"):
        record(str(tmp_path / "none" / "x.json"), "job", "", [], OWNER)
