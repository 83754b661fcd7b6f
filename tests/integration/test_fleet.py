# SPDX-License-Identifier: GPL-3.0-or-later
"""Four small stacks on three hosts in one run: batches, failures, and a machine that has two of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, Run, make_source, play_inventory, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

#: Stack to its host; the first machine has nothing on it yet, not even an Engine.
WHERE = {"one": "fa", "two": "fb", "three": "fa", "four": "fc"}
GONE = {"ansible_port": 9}


class Fleet:
    """The hosts, and an inventory with a stack of its own for each name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        options = {"fa": ("--bare", "--images"), "fb": (), "fc": ()}
        self.hosts = {name: LabHost("fleet-" + name, folder / name, "--memory", "2g", *more) for name, more in options.items()}
        self.source = str(make_source("0.5", folder / "source"))

    def site(self, *arguments: str, of: dict[str, dict[str, Any]] | None = None, **variables: Any) -> Run:
        """``of``: further variables of some stacks."""
        groups = {}
        for number, (stack, host) in enumerate(WHERE.items()):
            own = {"stack_public_url": f"http://127.0.0.1:{8900 + number}", **((of or {}).get(stack, {}))}
            groups[stack] = {"hosts": {f"{stack}-host": {**self.hosts[host].connection(), **own}}}
        common = {
            "stack_source": self.source,
            "stack_image_source": "present",
            "stack_services": ["redis", "nsqlookupd"],
            "stack_memory_min": "1g",
            "stack_run_dir": str(self.folder / "runs"),
        }
        return play_inventory(self.folder, {"coze": {"children": groups, "vars": common}}, "site", *arguments, **variables)

    def stacks(self) -> list[str]:
        """Those that have their two containers running."""
        there = {name: host.shell("docker ps --format '{{.Names}}' 2>/dev/null || true").split() for name, host in self.hosts.items()}
        return [stack for stack, host in WHERE.items() if {f"{stack}-redis", f"{stack}-nsqlookupd"} <= set(there[host])]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    found = Fleet(tmp_path_factory.mktemp("fleet"))
    yield found
    for host in found.hosts.values():
        host.destroy()


def test_a_canary_that_fails_is_the_only_one_touched(fleet: Fleet) -> None:
    run = fleet.site(of={"one": {"redis_memory": "one"}}, stack_batches=[1, "100%"])
    run.must_fail("service redis: memory: 'one' is not a size", "not begun")
    assert [line.split()[:1] for line in run.output.splitlines() if line.endswith("not begun")] == [["two-host"], ["three-host"], ["four-host"]]
    assert fleet.stacks() == []
    assert [host.shell("ls /opt/cozeops 2>/dev/null || true") for host in fleet.hosts.values()] == ["", "", ""]


def test_no_batch_is_begun_after_too_many_failures(fleet: Fleet) -> None:
    run = fleet.site(of={"one": GONE}, stack_batches=[2, "100%"])
    run.must_fail("Stacks have failed (one), more than stack_failures_max, which is 0. The others were not touched.")
    assert fleet.stacks() == ["two"], "one that can go on is not stopped by another of its batch"


def test_failures_that_are_allowed_stop_nobody(fleet: Fleet) -> None:
    run = fleet.site(of={"four": GONE}, stack_batches=[2, "50%", 1], stack_failures_max=1)
    assert run.code != 0
    assert fleet.stacks() == ["one", "two", "three"]
    rows = {line.split()[0]: line.split()[3] for line in run.output.splitlines() if line.split()[1:2] and line.split()[1].endswith("-host")}
    assert {stack: rows[stack] for stack in ("one", "two", "three")} == {"one": "changed", "two": "ok", "three": "changed"}


def test_all_of_them_at_once_and_again(fleet: Fleet) -> None:
    fleet.site().must_pass(changed=True)
    assert fleet.stacks() == list(WHERE)
    fleet.site().must_pass(changed=False)
    fleet.site("--limit", "three", stack_batches=[1]).must_pass(changed=False)


def test_a_machine_with_two_stacks_gets_its_engine_once(fleet: Fleet) -> None:
    fleet.hosts["fa"].destroy()
    fleet.hosts["fa"] = LabHost("fleet-fa", fleet.folder / "fa", "--memory", "2g", "--bare", "--images")
    run = fleet.site()
    run.must_pass(changed=True)
    assert fleet.stacks() == list(WHERE)
    assert run.output.count("changed: [one-host]") > run.output.count("changed: [three-host]") > 0


@pytest.mark.parametrize("batches", [[0], ["all"], ["120%"]])
def test_wrong_batches_are_told_before_anything_is_done(fleet: Fleet, batches: list[Any]) -> None:
    fleet.site(stack_batches=batches).must_fail("is neither a number of stacks nor a share of them. Write it like [1, 25%, 100%].")
