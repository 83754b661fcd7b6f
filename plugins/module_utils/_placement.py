# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which host of a stack runs which service: inventory groups in, hosts out. Pure."""

from __future__ import annotations

import difflib
import re
import typing as t

Hosts = t.Sequence[str]

PREFIX = "coze_"


class PlacementError(ValueError):
    """Groups that cannot be followed; the text names group, host and service."""


def group_of(name: str) -> str:
    """The inventory group for a service or a role: mysql -> coze_mysql, coze-server -> coze_server."""
    plain = name.replace("-", "_")
    return plain if plain.startswith(PREFIX) else PREFIX + plain


def replica_alias(service: str, host: str) -> str:
    """A name by which all replicas of the service answer but the one on that host."""
    return "%s-without-%s" % (service, re.sub("[^a-z0-9-]", "-", host.lower()))


def place(
    stack: str,
    services: t.Mapping[str, str],
    hosts: Hosts,
    groups: t.Mapping[str, Hosts],
    everything: t.Mapping[str, str],
    doubled: t.Collection[str] = (),
) -> dict[str, list[str]]:
    """service -> its hosts.

    services, everything: service -> its role, of those that are wanted and of all that the release has. hosts: of the stack, in the inventory's order.
    doubled: services that may have several. groups: the inventory's. A group of the service goes before one of its role; without one the stack's first host
    is meant, since a group may well be there for other stacks. Raises PlacementError with all that is wrong.
    """
    known = {group_of(name) for pair in everything.items() for name in pair}
    problems = []
    for group, members in groups.items():
        mine = [host for host in members if host in hosts]
        if group.startswith(PREFIX) and mine and group not in known:
            near = difflib.get_close_matches(group, known, n=1)
            problems.append(
                "group %s: it has hosts of the stack %s (%s), and names none of its services%s Groups that begin with %s say where a service runs: %s."
                % (group, stack, ", ".join(mine), "; did you mean %s?" % near[0] if near else ".", PREFIX, ", ".join(sorted(known)))
            )
    found: dict[str, list[str]] = {}
    for service, role in services.items():
        for group in (group_of(service), group_of(role)):
            mine = [host for host in hosts if host in groups.get(group, [])]
            if mine:
                break
        if len(mine) > 1 and service not in doubled:
            problems.append("group %s: the hosts %s of the stack %s are in it, and %s runs on one host. Leave one." % (group, ", ".join(mine), stack, service))
        if len(mine) > len({replica_alias(service, host) for host in mine}):
            problems.append("group %s: names of the hosts %s differ only in what no DNS name has. Give them others." % (group, ", ".join(mine)))
        found[service] = mine or [hosts[0]]
    if problems:
        raise PlacementError("\n".join(dict.fromkeys(problems)))
    return found


def idle(hosts: Hosts, placement: t.Mapping[str, Hosts]) -> list[str]:
    """Hosts of the stack that no service was given to."""
    busy = {host for places in placement.values() for host in places}
    return [host for host in hosts if host not in busy]


def moved(stack: str, placement: t.Mapping[str, Hosts], running: t.Mapping[str, t.Collection[str]], data: t.Mapping[str, t.Collection[str]]) -> list[str]:
    """A sentence for each service that a host has a container or data of, while it is to run elsewhere.

    running, data: host -> services of which it has a container, or data that this collection has made for this stack.
    """
    found = []
    for service, places in placement.items():
        for host in sorted({*running, *data} - set(places)):
            there = []
            if service in running.get(host, ()):
                there.append("its container")
            # Data on both are nobody's mistake of this run: which are meant is known.
            if service in data.get(host, ()) and not any(service in data.get(place, ()) for place in places):
                there.append("its data")
            if there:
                found.append(
                    "%s of the stack %s is to run on %s, and %s is on %s. Put %s back on %s (group %s), or stop it there, take its data to %s, and remove"
                    " the container." % (service, stack, ", ".join(places), " and ".join(there), host, service, host, group_of(service), ", ".join(places))
                )
    return found
