# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's pure parts: digests, order, schedule, the recipes' metadata, what is taken from the machine."""
from __future__ import annotations

import json
import pathlib
import re
import sys
import threading

import pytest

LAB = pathlib.Path(__file__).resolve().parents[2] / "lab"
sys.path.insert(0, str(LAB))

from labkit import build, docker, engine, hosts, machine, recipes, store  # noqa: E402
from labkit.console import LabError, table  # noqa: E402

RECIPES = recipes.load_all(LAB / "images")


def make(root: pathlib.Path, name: str, parents: tuple[str, ...] = (), **more: object) -> None:
    folder = root / name
    folder.mkdir()
    data = {"tags": [f"lab/{name}"], "parents": list(parents), "role": "stack", "holds": None, "uid": None, "cost": 1, **more}
    (folder / "image.json").write_text(json.dumps(data), encoding="utf-8")
    (folder / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")


@pytest.fixture
def family(tmp_path: pathlib.Path) -> pathlib.Path:
    """base -> left -> leaf, base -> right; only base depends on the machine."""
    make(tmp_path, "leaf", ("left",))
    make(tmp_path, "left", ("base",), cost=10)
    make(tmp_path, "right", ("base",), cost=5)
    make(tmp_path, "base", machine=True)
    return tmp_path


def changed(root: pathlib.Path, before: dict[str, str], settings: str = "m") -> set[str]:
    after = recipes.digests(recipes.load_all(root), settings)
    return {name for name in after if after[name] != before.get(name)}


def test_parents_come_before_children(family: pathlib.Path) -> None:
    order = list(recipes.load_all(family))
    assert order.index("base") < order.index("left") < order.index("leaf")


def test_a_circle_is_named(tmp_path: pathlib.Path) -> None:
    make(tmp_path, "a", ("b",))
    make(tmp_path, "b", ("a",))
    with pytest.raises(LabError, match="a -> b -> a"):
        recipes.load_all(tmp_path)


def test_an_unknown_parent_is_named(tmp_path: pathlib.Path) -> None:
    make(tmp_path, "a", ("nobody",))
    with pytest.raises(LabError, match="a: no recipe named nobody"):
        recipes.load_all(tmp_path)


@pytest.mark.parametrize(("touched", "expected"), [
    ("base", {"base", "left", "right", "leaf"}),
    ("left", {"left", "leaf"}),
    ("right", {"right"}),
    ("leaf", {"leaf"}),
])
def test_a_change_reaches_the_recipe_and_what_stands_on_it(family: pathlib.Path, touched: str, expected: set[str]) -> None:
    before = recipes.digests(recipes.load_all(family), "m")
    (family / touched / "Dockerfile").write_text("FROM scratch\nENV A=1\n", encoding="utf-8")
    assert changed(family, before) == expected


def test_digest_sees_names_and_modes_but_no_leftovers(family: pathlib.Path) -> None:
    script = family / "right" / "run.sh"
    script.write_text("x", encoding="utf-8")
    before = recipes.digests(recipes.load_all(family), "m")
    script.chmod(0o755)
    assert changed(family, before) == {"right"}
    script.chmod(0o644)
    assert changed(family, before) == set()
    (family / "right" / "__pycache__").mkdir()
    (family / "right" / "__pycache__" / "x.pyc").write_text("x", encoding="utf-8")
    assert changed(family, before) == set()
    script.rename(script.with_name("start.sh"))
    assert changed(family, before) == {"right"}


def test_hints_for_the_schedule_are_no_change(family: pathlib.Path) -> None:
    path = family / "right" / "image.json"
    before = recipes.digests(recipes.load_all(family), "m")
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, "cost": 99, "cpu_shares": 5, "note": "x"}), encoding="utf-8")
    assert changed(family, before) == set()
    path.write_text(json.dumps({**data, "tags": ["lab/other"]}), encoding="utf-8")
    assert changed(family, before) == {"right"}


def test_content_cannot_move_between_files_unseen(family: pathlib.Path) -> None:
    (family / "right" / "a").write_text("12", encoding="utf-8")
    (family / "right" / "b").write_text("3", encoding="utf-8")
    before = recipes.digests(recipes.load_all(family), "m")
    (family / "right" / "a").write_text("1", encoding="utf-8")
    (family / "right" / "b").write_text("23", encoding="utf-8")
    assert changed(family, before) == {"right"}


def test_machine_settings_count_where_the_recipe_says_so(tmp_path: pathlib.Path) -> None:
    make(tmp_path, "base", machine=True)
    make(tmp_path, "child", ("base",))
    make(tmp_path, "alone")
    before = recipes.digests(recipes.load_all(tmp_path), "m")
    assert changed(tmp_path, before, "other") == {"base", "child"}


def test_only_stale_ancestors_of_wanted_images_are_built(family: pathlib.Path) -> None:
    every = recipes.load_all(family)
    assert recipes.to_build(every, ["leaf"], ["leaf"]) == set()
    assert recipes.to_build(every, ["leaf"], ["left"]) == {"leaf"}
    assert recipes.to_build(every, ["right"], []) == {"right", "base"}


def test_the_longest_chain_is_the_most_urgent(family: pathlib.Path) -> None:
    every = recipes.load_all(family)
    assert recipes.urgency(every, set(every)) == {"base": 12, "left": 11, "leaf": 1, "right": 5}
    assert recipes.urgency(every, {"base", "right"}) == {"base": 6, "right": 5}


def test_schedule_keeps_the_order_and_runs_side_by_side(family: pathlib.Path) -> None:
    every = recipes.load_all(family)
    order: list[str] = []
    both = threading.Barrier(2, timeout=5)

    def one(name: str) -> float:
        if name in ("left", "right"):
            both.wait()  # each waits until the other one runs too
        order.append(name)
        return 1.0

    assert set(build.schedule(every, set(every), one)) == set(every)
    assert order[0] == "base" and order.index("left") < order.index("leaf")


def test_a_failure_stops_what_stands_on_it_and_is_reported(family: pathlib.Path) -> None:
    every = recipes.load_all(family)
    ran: list[str] = []

    def one(name: str) -> float:
        ran.append(name)
        if name == "left":
            raise LabError("left: no such package")
        return 1.0

    with pytest.raises(LabError, match="no such package"):
        build.schedule(every, set(every), one)
    assert "leaf" not in ran


@pytest.mark.parametrize("broken", [{"role": "other"}, {"tags": []}, {"surprise": 1}])
def test_bad_metadata_is_refused(tmp_path: pathlib.Path, broken: dict[str, object]) -> None:
    make(tmp_path, "a", **broken)
    with pytest.raises(LabError, match=r"image\.json"):
        recipes.load_all(tmp_path)


# The recipes that there are.


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_names_its_parents_as_its_dockerfile_does(name: str) -> None:
    recipe = RECIPES[name]
    if recipe.rootfs:
        return
    text = (recipe.folder / "Dockerfile").read_text(encoding="utf-8")
    owner = {tag: each.name for each in RECIPES.values() for tag in each.tags}
    used = re.findall(r"^FROM\s+(\S+)|--from=(\S+)", text, re.MULTILINE)
    stages = set(re.findall(r"^FROM\s+\S+\s+AS\s+(\S+)", text, re.MULTILINE)) | {"scratch"}
    parents = {first or second for first, second in used} - stages
    assert parents <= set(owner), "every image that a recipe stands on is one of ours: no registry is at hand"
    assert {owner[parent] for parent in parents} == set(recipe.parents)


def test_tags_are_used_once() -> None:
    tags = [tag for recipe in RECIPES.values() for tag in recipe.tags]
    assert len(tags) == len(set(tags))


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.role == "stack"])
def test_stack_recipe_says_at_build_time_what_it_holds(name: str) -> None:
    recipe = RECIPES[name]
    if "double" not in (recipe.holds or ""):  # a double is ours: there is no package that could move on
        assert recipe.holds is None
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in recipes.content(recipe.folder)]
        assert any("/usr/share/cozeops-lab" in text for text in texts)
    assert all(":" in tag for tag in recipe.tags), "a tag without a version"


def test_no_name_of_an_image_is_in_the_code() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in [LAB / "lab.py", *(LAB / "labkit").glob("*.py")])
    tags = [tag for recipe in RECIPES.values() if recipe.role == "stack" for tag in recipe.tags]
    assert [tag for tag in tags if tag.split(":")[0] in code] == []


# What is taken from the machine.


DEB822 = """Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
# a comment
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
"""


@pytest.mark.parametrize(("sources", "expected"), [
    ({}, machine.DEFAULT_MIRROR),
    ({"a.sources": DEB822}, "http://mirror.example/debian"),
    ({"a.sources": DEB822.replace("Types: deb\n#", "Types: deb\nEnabled: no\n#")}, machine.DEFAULT_MIRROR),
    ({"sources.list": "# deb http://no.example x main\ndeb [arch=amd64 signed-by=/x] http://one.example/debian bookworm main\n"}, "http://one.example/debian"),
    ({"sources.list": "deb http://other.example/debian trixie main\n"}, machine.DEFAULT_MIRROR),
])
def test_mirror(sources: dict[str, str], expected: str) -> None:
    assert machine.mirror_of(sources, "bookworm") == expected


def test_pip_settings_are_merged() -> None:
    texts = ["[global]\nindex-url = http://a.example\ntimeout = 3\n", "[global]\ntrusted-host = a.example\n", "no ini file"]
    assert machine.pip_conf(texts, {}) == "[global]\nindex-url = http://a.example\ntrusted-host = a.example\n"
    assert machine.pip_conf(texts, {"PIP_INDEX_URL": "http://b.example"}).splitlines()[1] == "index-url = http://b.example"
    assert machine.pip_conf([""], {}) == ""


def test_go_settings_are_those_of_the_proxy() -> None:
    assert machine.go_env("GOPROXY=http://a.example\nGOFLAGS=-mod=mod\n", {"GOSUMDB": "off"}) == "GOPROXY=http://a.example\nGOSUMDB=off\n"
    assert machine.go_env("", {}) == ""


# Small things.


def test_what_apt_would_remove() -> None:
    assert engine.removes("Inst docker.io (1)\nRemv docker-ce-cli [2]\nConf docker.io (1)\n") == ["docker-ce-cli"]


def test_a_saved_file_is_known_by_tags_and_contents() -> None:
    one = {"a:1": "sha256:1", "b:1": "sha256:2"}
    assert store.digest_of(one) == store.digest_of(dict(reversed(list(one.items()))))
    assert store.digest_of(one) != store.digest_of({"a:1": "sha256:2", "b:1": "sha256:1"})


def test_labels_are_read_without_their_prefix() -> None:
    assert docker.labels({"Config": {"Labels": {docker.LABEL_PREFIX + "digest": "d", "other": "x"}}}) == {"digest": "d"}
    assert docker.labels({"Config": {"Labels": None}}) == {}


def test_a_host_is_not_privileged() -> None:
    assert "--privileged" not in hosts.RIGHTS


def test_table_has_straight_columns() -> None:
    assert table(("A", "B"), [("long", "x"), ("s", "y")]).splitlines() == ["A     B", "long  x", "s     y"]
