# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks in batches."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.cozeops.studio.plugins.filter import fleet
from ansible_collections.cozeops.studio.plugins.module_utils._fleet import FleetError, batches, by_stack, failed, size
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("wish", "stacks", "count"),
    [(1, 10, 1), ("3", 10, 3), ("25%", 10, 2), ("100%", 7, 7), ("1%", 10, 1), (" 50% ", 4, 2), (99, 2, 99)],
)
def test_an_entry_is_a_number_or_a_share(wish: Any, stacks: int, count: int) -> None:
    assert size(wish, stacks) == count


@pytest.mark.parametrize("wish", [0, -1, "0%", "101%", "a", "", "1.5", True, None, "25 %", [1]])
def test_nothing_else_is_an_entry(wish: Any) -> None:
    with pytest.raises(FleetError, match=r"^stack_batches: .* is neither a number of stacks nor a share of them\. Write it like"):
        size(wish, 4)


def test_batches_are_of_whole_stacks() -> None:
    stacks = {"a": ["a1"], "b": ["b1", "b2", "b3"], "c": ["c1"], "d": ["d1", "d2"]}
    assert batches(stacks, [1, "50%", "100%"]) == [1, 4, 2]
    assert batches(stacks, [2]) == [4, 3]
    assert batches(stacks, []) == [7]
    assert batches({}, [1]) == []


WISHES = st.lists(st.one_of(st.integers(1, 9), st.integers(1, 100).map("{}%".format)), max_size=4)


@given(st.lists(st.integers(1, 4), max_size=12), WISHES)
def test_every_host_is_in_one_batch_and_no_stack_in_two(sizes: list[int], wishes: list[Any]) -> None:
    found = batches({str(number): ["h"] * count for number, count in enumerate(sizes)}, wishes)
    assert sum(found) == sum(sizes)
    assert all(found)
    assert set(itertools.accumulate(found)) <= set(itertools.accumulate(sizes)), "a batch ends where a stack does"


HOSTS = ["x1", "y1", "x2"]
GROUPS = {"coze": HOSTS, "x": ["x1", "x2"], "y": ["y1"], "cozeops_run": HOSTS}


def hostvars(**more: Any) -> dict[str, dict[str, Any]]:
    return {host: {"group_names": ["coze", "cozeops_run", host[0]], **more} for host in HOSTS}


def test_hosts_of_a_stack_come_together() -> None:
    assert by_stack(HOSTS, {"x1": "x", "y1": "y", "x2": "x"}) == {"x": ["x1", "x2"], "y": ["y1"]}
    assert fleet.order(HOSTS, hostvars(), GROUPS) == ["x1", "x2", "y1"]
    assert fleet.serial(HOSTS, hostvars(stack_batches=[1, "100%"]), GROUPS) == [2, 1]
    assert fleet.serial(HOSTS, hostvars(stack_batches=1), GROUPS) == [2, 1]
    assert fleet.serial(HOSTS, hostvars(), GROUPS) == [3]
    assert fleet.order(HOSTS, {host: {**each, "stack_name": host} for host, each in hostvars().items()}, GROUPS) == HOSTS


def test_wrong_batches_are_told() -> None:
    with pytest.raises(AnsibleFilterError, match="stack_batches: 'all' is neither"):
        fleet.serial(HOSTS, hostvars(stack_batches=["all"]), GROUPS)
    with pytest.raises(AnsibleFilterError, match="each could be its stack"):
        fleet.order(["x1"], {"x1": {"group_names": ["coze", "x", "z"]}}, {**GROUPS, "z": ["x1"]})


def test_a_stack_has_failed_when_one_of_its_hosts_has() -> None:
    assert failed({"x": ["x1", "x2"], "y": ["y1"]}, ["x1", "y1"]) == ["x"]
    assert fleet.failed(HOSTS, ["x1", "x2"], hostvars(), GROUPS) == ["y"]
