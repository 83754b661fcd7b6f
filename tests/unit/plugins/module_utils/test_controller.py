# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked on the controller: the files of a source tree, and the versions of what runs there."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.module_utils._check import Check, sentence
from ansible_collections.cozeops.studio.plugins.module_utils._controller import (
    ANSIBLE_CORE_MIN,
    COMMUNITY_DOCKER,
    controller_checks,
    numbers,
    tag_version,
    tree_checks,
)
from ansible_collections.cozeops.studio.tests.unit.plugins.samples import lab_tree, plugin_zip

ROOT = Path(__file__).resolve().parents[4]
TABLE: dict[str, t.Any] = {
    "requires": ["schema.sql", "conf", "smartcn.zip"],
    "plugins": [{"path": "smartcn.zip", "name": "analysis-smartcn", "image": "elasticsearch"}],
    "schema": {"path": "schema.sql", "tables": ["user", "space"]},
    "images": {"elasticsearch": "bitnamilegacy/elasticsearch:8.18.0"},
}
SCHEMA = "create table if not exists `user` (a INT);\nCREATE TABLE `opencoze`.`space` (a INT);\nCREATE TABLE extra (a INT);\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "schema.sql").write_text(SCHEMA)
    (tmp_path / "conf" / "deep").mkdir(parents=True)
    (tmp_path / "conf" / "deep" / "a.json").write_text("{}\n")
    (tmp_path / "conf" / "icon.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "smartcn.zip").write_bytes(plugin_zip())
    return tmp_path


def rows(tree: Path, images: dict[str, str] | None = None) -> dict[str, Check]:
    return {check.name: check for check in tree_checks(str(tree), TABLE, images or {})}


def bad(tree: Path, images: dict[str, str] | None = None) -> list[tuple[str, str, str]]:
    return [(check.name, check.state, sentence(check)) for check in rows(tree, images).values() if check.state != "ok"]


def test_a_whole_tree_is_right(tree: Path) -> None:
    assert bad(tree) == []
    assert [check.found for check in rows(tree).values()] == [
        "4 files that the release needs are there",
        "of Unix",
        "for Elasticsearch 8.18.0",
        "creates 3 tables",
    ]


@pytest.mark.parametrize("line", ["0.2", "0.3", "0.5"])
def test_the_trees_of_the_lab_are_right_by_the_real_table(tmp_path: Path, line: str) -> None:
    variables = yaml.safe_load((ROOT / "roles/stack/vars/main.yml").read_text())
    more = re.findall(r"'(\w+)'", variables["_stack_releases"][line]["schema"]["tables"])
    table = {
        "requires": variables["_stack_source_files"],
        "plugins": variables["_stack_source_plugins"],
        "schema": {"path": variables["_stack_releases"][line]["schema"]["path"], "tables": variables["_stack_source_tables"] + more},
        "images": variables["_stack_backing_images"],
    }
    found = tree_checks(str(lab_tree(line, tmp_path / "tree")), table, {})
    assert [(check.state, check.name) for check in found] == [("ok", name) for name in ("files", "line ends", "analysis-smartcn", "schema")]


def test_an_empty_file_is_told(tree: Path) -> None:
    (tree / "schema.sql").write_text("")
    assert ("files", "fail", "stack_source: empty in %s: schema.sql. Check the release out again (git lfs pull, if it was a bare zip)." % tree) in bad(tree)


@pytest.mark.parametrize(("name", "state"), [("conf/deep/a.json", "warn"), ("conf/run.sh", "fail")])
def test_windows_line_ends_are_told_by_file(tree: Path, name: str, state: str) -> None:
    (tree / name).write_bytes(b"a\r\nb\r\n")
    ((row, found, text),) = bad(tree)
    assert (row, found) == ("line ends", state)
    assert "in %s: %s." % (tree, name) in text


def test_many_files_are_counted(tree: Path) -> None:
    for number in range(9):
        (tree / "conf" / ("%d.yml" % number)).write_bytes(b"\r\n")
    assert bad(tree)[0][2].count(".yml") == 5
    assert "and 4 more" in bad(tree)[0][2]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK not a zip", "is no zip file that can be read"),
        (plugin_zip(name="other"), "is the plugin other. Put analysis-smartcn there."),
        (plugin_zip(version="8.17.1"), "is for Elasticsearch 8.17.1, and the image is bitnamilegacy/elasticsearch:8.18.0. Elasticsearch refuses it"),
    ],
)
def test_a_plugin_that_elasticsearch_would_refuse_is_told(tree: Path, content: bytes, says: str) -> None:
    (tree / "smartcn.zip").write_bytes(content)
    ((row, state, text),) = bad(tree)
    assert (row, state) == ("analysis-smartcn", "fail")
    assert says in text


def test_a_zip_without_a_descriptor_is_no_plugin(tree: Path) -> None:
    (tree / "smartcn.zip").write_bytes(plugin_zip().replace(b"plugin-descriptor", b"plugin-desc_iptor"))
    assert "it has no plugin-descriptor.properties" in bad(tree)[0][2]


@pytest.mark.parametrize(
    ("image", "fits"), [("mirror:5000/es:8.17.0", False), ("es:8.18.0-debian-1", True), ("es@sha256:0", True), ("es:latest", True), ("es", True)]
)
def test_the_operators_image_counts(tree: Path, image: str, fits: bool) -> None:
    assert (bad(tree, {"elasticsearch": image}) == []) is fits


@pytest.mark.parametrize(
    ("image", "version"), [("a:1.2.3", "1.2.3"), ("h:5000/a", None), ("a:v2.5.10", "2.5.10"), ("a:8.0", None), ("a:1.2.3@sha256:4.5.6", "1.2.3")]
)
def test_the_version_of_a_tag(image: str, version: str | None) -> None:
    assert tag_version(image) == version


def test_a_schema_that_is_cut_off_is_told(tree: Path) -> None:
    (tree / "schema.sql").write_text(SCHEMA.split("\n", maxsplit=1)[0])
    ((row, state, text),) = bad(tree)
    assert (row, state) == ("schema", "fail")
    assert "creates no table space." in text


# --- versions


@pytest.mark.parametrize(("text", "found"), [("2.19.0rc1", (2, 19, 0)), ("5", (5,)), ("4.8.5", (4, 8, 5)), ("x", ())])
def test_numbers_of_a_version(text: str, found: tuple[int, ...]) -> None:
    assert numbers(text) == found


@pytest.mark.parametrize(
    ("core", "collection", "states"),
    [
        ("2.19.0", "4.8.0", ["ok", "ok", "ok"]),
        ("2.20.1", "5.99.9", ["ok", "ok", "ok"]),
        ("2.18.9", "4.7.0", ["ok", "fail", "fail"]),
        ("2.19.14", "6.0.0", ["ok", "ok", "warn"]),
        ("2.19.14", None, ["ok", "ok", "fail"]),
        ("2.19.14", "", ["ok", "ok", "ok"]),
    ],
)
def test_versions_of_the_controller(core: str, collection: str | None, states: list[str]) -> None:
    found = controller_checks("3.11.7", core, collection)
    assert [check.state for check in found] == states
    assert all(bool(check.cure) == (check.state != "ok") for check in found)


def test_the_wanted_versions_are_those_that_the_collection_declares() -> None:
    declared = yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"]["community.docker"]
    assert declared == ">=%s,<%s" % COMMUNITY_DOCKER
    assert yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["requires_ansible"] == ">=" + ANSIBLE_CORE_MIN
