# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done for the Swarm of a stack's hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._swarm import facts_of, ghosts, problems, steps

HOSTS = ["a", "b", "c"]
OUT = facts_of({})


def node(name: str, *managers: str, manager: bool = True, state: str = "active", error: str = "") -> dict[str, Any]:
    """As the Engine tells it of a node called so."""
    remote = [{"NodeID": "id-" + each, "Addr": each + ":2377"} for each in managers or (name,)]
    return facts_of(
        {"Swarm": {"LocalNodeState": state, "NodeID": "id-" + name, "NodeAddr": name, "ControlAvailable": manager, "Error": error, "RemoteManagers": remote}}
    )


def test_an_engine_without_a_swarm_is_inactive() -> None:
    assert facts_of({"Swarm": {"LocalNodeState": "inactive", "RemoteManagers": None}}) == OUT
    assert (OUT["state"], OUT["manager"], OUT["managers"]) == ("inactive", False, [])


@pytest.mark.parametrize(
    ("swarms", "init", "via", "join"),
    [
        ({}, "a", "a", ["b", "c"]),
        (dict.fromkeys(HOSTS, OUT), "a", "a", ["b", "c"]),
        ({"a": OUT, "b": node("b"), "c": OUT}, "", "b", ["a", "c"]),
        ({host: node(host, *HOSTS) for host in HOSTS}, "", "a", []),
        ({"a": OUT, "b": node("b", *HOSTS), "c": node("c", *HOSTS)}, "", "b", ["a"]),
    ],
)
def test_hosts_come_together(swarms: dict[str, Any], init: str, via: str, join: list[str]) -> None:
    assert problems(HOSTS, swarms) == []
    assert steps(HOSTS, swarms) == {"init": init, "via": via, "join": join}


@pytest.mark.parametrize(
    ("swarms", "says"),
    [
        ({"a": node("a"), "b": node("b")}, "a is in one Swarm (managers a:2377) and b in another (managers b:2377)."),
        ({"b": node("b", "x", manager=False)}, "b is a worker of a Swarm (managers x:2377), and Docker tells workers of no network"),
        ({"c": node("c", state="locked", error="it is locked")}, "c: its place in a Swarm is in the state locked (it is locked). Mend it, or have it leave"),
        ({"c": node("c", state="pending")}, "in the state pending (no reason is given)"),
    ],
)
def test_a_swarm_of_others_is_left_alone(swarms: dict[str, Any], says: str) -> None:
    (found,) = problems(HOSTS, swarms)
    assert says in found


def test_there_is_a_most() -> None:
    for swarms in ({}, {"h0": node("h0")}):
        (found,) = problems(["h%d" % number for number in range(8)], swarms)
        assert found.startswith("the stack has 8 hosts")


def test_a_node_that_a_host_was_before_is_forgotten() -> None:
    def entry(name: str, state: str) -> dict[str, Any]:
        return {"ID": name + state, "Description": {"Hostname": name}, "Status": {"State": state}}

    nodes = [entry("one", "down"), entry("one", "ready"), entry("two", "down")]
    assert ghosts(nodes, ["one"]) == [nodes[0]]
