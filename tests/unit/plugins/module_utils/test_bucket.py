# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._bucket import (
    File,
    ListingError,
    Object,
    clean_prefix,
    copies,
    errors_in,
    is_mounted,
    parse_listing,
    read_tree,
    to_upload,
)


@pytest.mark.parametrize(("prefix", "wanted"), [("", ""), ("/", ""), ("a", "a/"), ("/a/b/", "a/b/")])
def test_prefix(prefix: str, wanted: str) -> None:
    assert clean_prefix(prefix) == wanted


def test_tree_is_read_with_links_left_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b").write_bytes(b"")
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert read_tree(str(tmp_path), "/seed", "icons") == [
        File("icons/a", "/seed/a", 3, "900150983cd24fb0d6963f7d28e17f72"),
        File("icons/deep/b", "/seed/deep/b", 0, "d41d8cd98f00b204e9800998ecf8427e"),
    ]


def test_listing_gives_whole_keys() -> None:
    lines = [
        {"status": "success", "type": "file", "size": 3, "key": "a b", "etag": "e"},
        {"status": "success", "type": "folder", "size": 0, "key": "deep/"},
    ]
    assert parse_listing("\n".join(map(json.dumps, lines)) + "\n", "icons") == {"icons/a b": Object(3, "e")}
    assert parse_listing("", "icons/") == {}


@pytest.mark.parametrize(
    ("details", "no_bucket"),
    [({"Bucket": "x"}, True), ({"Code": "NoSuchBucket", "BucketName": "x"}, True), ({"Code": "AccessDenied"}, False), ({}, False)],
)
def test_missing_bucket_is_told_from_other_errors(details: dict[str, str], no_bucket: bool) -> None:
    text = json.dumps({"status": "error", "error": {"message": "Unable to list.", "cause": {"message": "why", "error": details}}})
    with pytest.raises(ListingError, match=r"Unable to list\. why") as error:
        parse_listing(text, "")
    assert error.value.no_bucket == no_bucket


def test_errors_are_found_among_successes() -> None:
    assert errors_in('{"status":"success"}\n{"status":"error","error":{"message":"m"}}\nmc: oops\n') == ["m", "mc: oops"]


@pytest.mark.parametrize(
    ("stored", "upload"),
    [(None, True), (Object(3, "md5"), False), (Object(4, "md5"), True), (Object(3, "other"), True), (Object(3, "parts-2"), False)],
)
def test_what_is_missing_or_differs_is_uploaded(stored: Object | None, upload: bool) -> None:
    file = File("k", "/k", 3, "md5")
    assert to_upload([file], {"k": stored} if stored else {}) == ([file] if upload else [])


def test_uploads_are_grouped_by_folder() -> None:
    files = [File(key, "/" + key, 0, "") for key in ("top", "a/1", "a/2", "a/3", "a/b/1")]
    assert [(copy.folder, [file.key for file in copy.files]) for copy in copies(files, at_once=2)] == [
        ("", ["top"]), ("a", ["a/1", "a/2"]), ("a", ["a/3"]), ("a/b", ["a/b/1"]),
    ]  # fmt: skip


@pytest.mark.parametrize(("target", "mounted"), [("/seed", True), ("/seed/icons/", True), ("/seed2", False), ("/", False)])
def test_mount_or_a_directory_above(target: str, mounted: bool) -> None:
    assert is_mounted([{"Destination": "/data"}, {"Destination": "/seed/"}], target) == mounted
