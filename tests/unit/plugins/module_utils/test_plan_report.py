# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._plan_report import MOST_NAMES, VERBS, Around, report, side, size, verb
from hypothesis import given
from hypothesis import strategies as st


def reason(name: str, current: str = "a", desired: str = "b") -> dict[str, str]:
    return {"name": name, "current": current, "desired": desired}


def entry(action: str, *why: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"action": action, "why": list(why), **more}


ABSENT = reason("container", "(absent)", "running")
NONE = entry("none")


# --- services


@pytest.mark.parametrize(
    ("planned", "what"),
    [
        (NONE, ""),
        (entry("none", moved=True), ""),
        (entry("none", reason("container x-previous"), previous=True), "commit"),
        (entry("recreate", ABSENT), "create"),
        (entry("recreate", reason("memory")), "recreate"),
        (entry("restart", reason("file x")), "restart"),
        (entry("reload", reason("file x")), "reload"),
        (entry("start", reason("state")), "start"),
    ],
)
def test_what_happens_to_a_service_has_a_word(planned: dict[str, Any], what: str) -> None:
    assert verb(planned) == what
    assert what in ("", *VERBS)


def test_a_service_is_told_with_each_of_its_reasons_in_a_line() -> None:
    lines = report({"redis": entry("recreate", reason("memory", "268435456", "536870912"), reason("env A", "1", "2"))}, [], Around()).lines
    assert lines == [
        "redis          recreate  memory: 256m -> 512m",
        "                         env A: 1 -> 2",
        "1 service would be recreated, nothing else is touched.",
    ]


def test_a_container_that_is_created_needs_no_reason() -> None:
    assert report({"redis": entry("recreate", ABSENT)}, [], Around()).lines[0] == "redis          create"


def test_those_that_are_left_alone_are_told_too() -> None:
    told = report({"redis": NONE, "mysql": entry("none", moved=True)}, ["coze-old"], Around())
    assert told.lines == [
        "untouched      redis, mysql",
        "moved tag      mysql: set stack_images_update: true to take what it means now",
        "left alone     coze-old: not in the stack any more",
        "Nothing would change.",
    ]
    assert (told.changes, told.summary) == (False, "nothing would change")


# --- everything else

AROUND: dict[str, tuple[Any, str, str]] = {
    "jobs": ([("mysql", "mysql_schema")], "init job       mysql_schema of mysql would be run", "1 init job would be run"),
    "images": (["mysql:8.4.5", "redis:8"], "images         would be pulled: mysql:8.4.5, redis:8", "2 images would be pulled"),
    "differences": ([{"path": "conf/x", "kind": "content"}], "files          1 changed: conf/x", "1 file would be put right"),
    "files_changed": (True, "files          stamps of data directories", "stamps of data directories would be written"),
    "network": ("coze", "network        coze would be made", "the network would be made"),
    "swarm": ("joined", "swarm          would be joined", "the Swarm would be joined"),
    "generated": (["A_PASSWORD"], "secrets        would be made: A_PASSWORD", "1 secret would be made"),
    "adopted": (["A", "B"], "secrets        read back from the host: A, B", "2 secrets would be read back"),
    "engine": ("no Docker Engine answers", "engine         would be installed and started (no Docker Engine answers)", "the Engine would be installed"),
}


def test_every_part_is_tried() -> None:
    assert set(AROUND) | {"images_asked", "images_loaded"} == set(Around._fields)


def test_images_of_archives_are_loaded() -> None:
    told = report({"redis": NONE}, [], Around(images=["mysql:8.4.5"], images_loaded=True))
    assert told.lines[1] == "images         would be loaded: mysql:8.4.5"
    assert told.summary == "1 image would be loaded, nothing else is touched"


@pytest.mark.parametrize("part", AROUND)
def test_each_part_alone_is_a_change_and_has_its_line(part: str) -> None:
    value, line, summary = AROUND[part]
    told = report({"redis": NONE}, [], Around(**{part: value}))
    assert told.lines[1] == line
    assert told.summary == summary + ", nothing else is touched"
    assert told.lines[-1] == summary[0].upper() + summary[1:] + ", nothing else is touched."
    assert told.changes is True


def test_what_nobody_can_know_is_said_and_is_no_change() -> None:
    told = report({"redis": NONE}, [], Around(images_asked=True))
    assert "the registry would be asked" in told.lines[1]
    assert told.changes is False


def test_files_are_told_by_kind_and_long_lists_are_cut() -> None:
    kinds = ["create"] * (MOST_NAMES + 2) + ["remove", "attributes", "directory"]
    lines = report({}, [], Around(differences=[{"path": "f%d" % number, "kind": kind} for number, kind in enumerate(kinds)])).lines
    assert lines[0] == "files          10 written: f0, f1, f2, f3, f4, f5, f6, f7 and 2 more"
    assert lines[1:4] == ["files          1 removed: f10", "files          1 given other rights: f11", "files          1 made as directories: f12"]


def test_the_last_line_counts_everything_in_order() -> None:
    new = entry("recreate", ABSENT)
    plan = {"a": entry("start", reason("state")), "b": new, "c": new, "d": entry("restart", reason("file x")), "e": NONE}
    told = report(plan, [], Around(images=["x:1"], jobs=[("a", "j"), ("b", "k")]))
    assert told.summary == "2 services would be created, 1 restarted, 1 started, 1 image pulled, 2 init jobs run, nothing else is touched"


# --- units


@given(st.integers(min_value=0, max_value=2**45))
def test_a_size_can_be_read_back(number: int) -> None:
    text = size(str(number))
    units = {"k": 1024, "m": 1024**2, "g": 1024**3}
    assert (int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)) == number


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("memory", "805306368", "768m"),
        ("memory", "0", "(none)"),
        ("memory", "(none)", "(none)"),
        ("cpus", "1500000000", "1.5"),
        ("cpus", "0", "(none)"),
        ("pids_limit", "1024", "1024"),
        ("env MEMORY", "1048576", "1048576"),
    ],
)
def test_numbers_are_told_as_operators_write_them(name: str, text: str, told: str) -> None:
    assert side(name, text) == told
