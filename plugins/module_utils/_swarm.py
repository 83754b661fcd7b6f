# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Swarm whose overlay network joins the hosts of a stack: what has to be done for it. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _routes

Facts = t.Mapping[str, t.Any]

#: Where a Swarm takes its networks from, in order, if nothing else was said when it was begun: 10.0.1.0/24 is the first.
FIRST_NETWORKS = "10.0.0.0/16"

#: More make Raft slow, says Docker's manual. Every host of a stack has to be one, as a mere worker knows of a network only while it has a container in it.
MANAGERS = 7


def facts_of(info: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What of the Engine's account of itself (GET /info) tells of its Swarm.

    {"state": inactive, pending, active, error or locked, "error", "node": its id, "address", "manager": bool, "managers": ids, "addresses": of managers}.
    """
    swarm = info.get("Swarm") or {}
    remote = swarm.get("RemoteManagers") or []
    return {
        "state": swarm.get("LocalNodeState") or "inactive",
        "error": swarm.get("Error") or "",
        "node": swarm.get("NodeID") or "",
        "address": swarm.get("NodeAddr") or "",
        "manager": bool(swarm.get("ControlAvailable")),
        "managers": sorted(each["NodeID"] for each in remote),
        "addresses": sorted(each["Addr"] for each in remote),
    }


def problems(hosts: t.Sequence[str], swarms: t.Mapping[str, Facts]) -> list[str]:
    """What is in the way. ``swarms``: host -> what ``facts_of`` found, of those hosts whose Engine could be asked."""
    found = []
    if len(hosts) > MANAGERS:
        found.append("the stack has %d hosts, and a Swarm should have no more than %d managers, which all of them would be." % (len(hosts), MANAGERS))
    for host in hosts:
        state = swarms.get(host, {}).get("state", "inactive")
        if state not in ("inactive", "active"):
            found.append(
                "%s: its place in a Swarm is in the state %s (%s). Mend it, or have it leave with docker swarm leave --force if nothing needs it."
                % (host, state, swarms[host]["error"] or "no reason is given")
            )
    active = [host for host in hosts if swarms.get(host, {}).get("state") == "active"]
    if not active or found:
        return found
    first = swarms[active[0]]
    for host in active[1:]:
        if not set(first["managers"]).intersection(swarms[host]["managers"]):
            found.append(
                "%s is in one Swarm (managers %s) and %s in another (managers %s). The hosts of a stack have to be in one: decide which, and have the other"
                " host leave its own." % (active[0], ", ".join(first["addresses"]), host, ", ".join(swarms[host]["addresses"]))
            )
    found += [
        "%s is a worker of a Swarm (managers %s), and Docker tells workers of no network to put a container in. Make it a manager there (docker node promote),"
        " or have it leave." % (host, ", ".join(swarms[host]["addresses"]))
        for host in active
        if not swarms[host]["manager"]
    ]
    return found


def crossed(subnet: str, networks: t.Mapping[str, Facts]) -> list[str]:
    """host and route, in words, wherever a route leads into the subnet. ``networks``: host -> what stack_info says of its networks."""
    wanted = _routes.ipv4([subnet])
    found = []
    for host, facts in networks.items():
        own = _routes.ipv4(subnet for group in facts["subnets"].values() for subnet in group)
        foreign = _routes.foreign((_routes.Route(**route) for route in facts["routes"]), own)
        found += ["%s to %s via %s" % (host, route.subnet, route.interface) for each in wanted for route in _routes.crossing(each, foreign)]
    return found


def steps(hosts: t.Sequence[str], swarms: t.Mapping[str, Facts]) -> dict[str, t.Any]:
    """{"init": the host that begins a Swarm or "", "via": the manager that makes the network, and that the others ask, "join": hosts that join it}.

    For hosts without ``problems``.
    """
    active = [host for host in hosts if swarms.get(host, {}).get("state") == "active"]
    via = (active or list(hosts))[0]
    return {"init": "" if active else via, "via": via, "join": [host for host in hosts if host not in active and host != via]}


def ghosts(nodes: t.Sequence[Facts], joined: t.Collection[str]) -> list[Facts]:
    """Nodes (GET /nodes) that are down and have the host name of one that joins anew: it was lost, and its Engine is another one now."""
    return [node for node in nodes if node["Status"]["State"] == "down" and node["Description"]["Hostname"] in joined]
