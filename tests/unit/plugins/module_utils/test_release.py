# SPDX-License-Identifier: GPL-3.0-or-later
"""Release lines: the rules on a table of their own, and the real table on real source trees."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.module_utils._release import SourceError, detect, examine, has, missing
from ansible_collections.cozeops.studio.tests.unit.plugins.samples import lab_tree

ROOT = Path(__file__).resolve().parents[4]
RELEASES = {
    "1": {"marks": {"has": ["schema.sql"], "lacks": ["nginx"]}, "requires": ["schema.sql", "icons"]},
    "2": {"marks": {"has": ["schema.sql", "nginx"]}, "requires": ["schema.sql", "nginx", "icons", "conf/a.json"]},
}


def make(tree: Path, *paths: str) -> str:
    for path in paths:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text("x")
    return str(tree)


def refused(tree: str, wanted: str | None = None) -> list[str]:
    with pytest.raises(SourceError) as caught:
        examine(tree, wanted, RELEASES)
    return caught.value.problems


def real_releases() -> dict[str, t.Any]:
    """The release table of role stack, with the lists that its templates add."""
    variables = yaml.safe_load((ROOT / "roles" / "stack" / "vars" / "main.yml").read_text())
    for table in variables["_stack_releases"].values():
        table["requires"] = variables["_stack_source_files"]
    return variables["_stack_releases"]


# --- what a tree has


def test_a_file_is_there(tmp_path: Path) -> None:
    assert has(make(tmp_path, "a/b"), "a/b")


def test_a_folder_with_something_in_it_is_there(tmp_path: Path) -> None:
    assert has(make(tmp_path, "a/b"), "a")


def test_an_empty_folder_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert not has(str(tmp_path), "a")


# --- detection


def test_a_line_is_known_by_its_marks(tmp_path: Path) -> None:
    assert detect(make(tmp_path, "schema.sql"), RELEASES) == "1"
    assert detect(make(tmp_path, "nginx/x"), RELEASES) == "2"


def test_no_line_fits_a_strange_tree(tmp_path: Path) -> None:
    assert detect(make(tmp_path, "README"), RELEASES) is None


def test_what_is_missing_is_told_in_the_order_of_the_table(tmp_path: Path) -> None:
    assert missing(make(tmp_path, "icons/a"), RELEASES["2"]) == ["schema.sql", "nginx", "conf/a.json"]


# --- examine


@pytest.mark.parametrize("wanted", [None, "1"])
def test_a_whole_tree_is_of_its_line(tmp_path: Path, wanted: str | None) -> None:
    assert examine(make(tmp_path, "schema.sql", "icons/a"), wanted, RELEASES) == "1"


def test_a_missing_tree_says_what_to_set(tmp_path: Path) -> None:
    assert refused(str(tmp_path / "none")) == [
        "stack_source: %s/none is not a directory. Set stack_source to a checkout of Coze Studio on the machine that runs Ansible." % tmp_path
    ]


def test_an_unknown_line_names_the_known_ones(tmp_path: Path) -> None:
    assert refused(str(tmp_path), "3") == ["stack_release: '3' is not a release line. Known are 1, 2."]


def test_a_tree_of_another_line_contradicts(tmp_path: Path) -> None:
    problems = refused(make(tmp_path, "schema.sql", "nginx/x", "icons/a", "conf/a.json"), "1")
    assert len(problems) == 1
    assert problems[0].startswith("stack_release is 1, but %s is a source tree of line 2. Set stack_release to 2" % tmp_path)


def test_a_strange_tree_names_the_lines(tmp_path: Path) -> None:
    assert "is of no release line that is known (1, 2)" in refused(str(tmp_path))[0]


def test_every_missing_path_is_told_at_once(tmp_path: Path) -> None:
    problems = refused(make(tmp_path, "schema.sql", "nginx/x"))
    assert problems == ["stack_source: %s lacks %s, which release line 2 needs." % (tmp_path, gap) for gap in ("icons", "conf/a.json")]


def test_a_damaged_tree_of_the_wanted_line_is_told_what_it_lacks(tmp_path: Path) -> None:
    assert refused(make(tmp_path, "icons/a"), "1") == ["stack_source: %s lacks schema.sql, which release line 1 needs." % tmp_path]


# --- the real table


@pytest.mark.parametrize("line", ["0.2", "0.3", "0.5"])
def test_the_labs_trees_are_told_apart(tmp_path: Path, line: str) -> None:
    assert detect(str(lab_tree(line, tmp_path)), real_releases()) == line


@pytest.mark.parametrize(("folder", "line"), [("coze-studio-0.2.2", "0.2"), ("coze-studio-0.5.1", "0.5")])
def test_real_trees_are_told_apart(folder: str, line: str) -> None:
    tree = ROOT.parent / "shared" / "upstream" / folder
    if not tree.is_dir():
        pytest.skip("needs %s" % folder)
    assert detect(str(tree), real_releases()) == line


@pytest.mark.parametrize("folder", ["coze-studio-0.2.2", "coze-studio-0.5.1"])
def test_real_trees_lack_only_the_plugin(folder: str) -> None:
    tree = ROOT.parent / "shared" / "upstream" / folder
    if not tree.is_dir():
        pytest.skip("needs %s" % folder)
    releases = real_releases()
    gaps = missing(str(tree), releases[detect(str(tree), releases) or ""])
    assert set(gaps) <= {"docker/volumes/elasticsearch/analysis-smartcn.zip"}
