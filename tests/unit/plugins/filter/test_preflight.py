# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.cozeops.studio.plugins.filter.preflight import FilterModule, preflight_endpoints, preflight_ports, preflight_table
from hypothesis import given
from hypothesis import strategies as st


def check(name: str = "memory", state: str = "ok", found: str = "8.0 GiB", cure: str = "", area: str = "host") -> dict[str, str]:
    return {"area": area, "name": name, "state": state, "found": found, "cure": cure}


def test_a_table() -> None:
    rows = [
        check(),
        check("mysql:8.4.5", "fail", "docker.io has no library/mysql 8.4.5", "Correct stack_images.", area="image"),
        check("clock", "warn", "10 s behind", "let both follow a time server.", area="host"),
    ]
    assert preflight_table(rows) == [
        "area   check        state  found",
        "host   memory       ok     8.0 GiB",
        "host   clock        warn   10 s behind",
        "                           -> let both follow a time server.",
        "image  mysql:8.4.5  fail   docker.io has no library/mysql 8.4.5",
        "                           -> Correct stack_images.",
        "1 ok, 1 warn, 1 fail",
    ]


def test_long_texts_go_on_below_themselves() -> None:
    lines = preflight_table([check("n" * 60, "fail", "word " * 30, "cure " * 30)], width=100)
    assert max(len(line) for line in lines) <= 100
    assert sum(line.count("word") for line in lines) == 30
    assert sum(line.count("cure") for line in lines) == 30
    assert "".join(line[6:50].strip() for line in lines[1:3]) == "n" * 60


def test_nothing_was_checked() -> None:
    assert preflight_table([]) == ["area  check  state  found", "0 ok, 0 warn, 0 fail"]


def test_a_way_out_is_shown_where_it_is_needed_only() -> None:
    assert not [line for line in preflight_table([check(cure="x")]) if "->" in line]


@pytest.mark.parametrize("rows", [[{}], ["x"], [check(state="bad")], None, [None]])
def test_what_is_no_list_of_checks_is_told(rows: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="preflight_table"):
        preflight_table(rows)


TEXT = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=200)


@given(st.lists(st.builds(check, TEXT, st.sampled_from(["ok", "warn", "fail"]), TEXT, TEXT, st.sampled_from(["host", "image"])), max_size=8))
def test_no_line_is_too_long_and_no_state_is_lost(rows: list[dict[str, str]]) -> None:
    lines = preflight_table(rows)
    assert max(len(line) for line in lines) <= 140
    assert all(line == line.rstrip() for line in lines)
    assert lines[-1] == ", ".join("%d %s" % (sum(row["state"] == state for row in rows), state) for state in ("ok", "warn", "fail"))


def test_the_ports_of_a_model() -> None:
    model = {
        "services": {
            "mysql": {"ports": []},
            "web": {"ports": [{"address": "::", "port": 8888, "container_port": 80}, {"address": "::", "port": 1, "container_port": 2, "variable": "v"}]},
        }
    }
    assert preflight_ports(model) == [
        {"address": "::", "port": 8888, "service": "web", "variable": "stack_public_url"},
        {"address": "::", "port": 1, "service": "web", "variable": "v"},
    ]


def test_the_endpoints_of_models_and_embedding() -> None:
    models = [{"name": "a", "base_url": "http://a/v1"}, {"id": 7, "base_url": "http://b"}, {"name": "own"}, {"base_url": ""}]
    assert preflight_endpoints(models, {"type": "openai", "base_url": "http://e/v1"}) == [
        {"name": "model a", "url": "http://a/v1"},
        {"name": "model 7", "url": "http://b"},
        {"name": "embedding", "url": "http://e/v1"},
    ]
    assert preflight_endpoints([], {}) == []


def test_all_are_filters() -> None:
    assert set(FilterModule().filters()) == {"preflight_endpoints", "preflight_ports", "preflight_table"}
