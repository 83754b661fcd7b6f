# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts of a stack that reach each other's services by published ports instead of a common network. Pure.

Names stay the same everywhere: a container knows a service of another host as that host's address, and on the port that the service has anyway.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._container import bracketed

Service = t.Mapping[str, t.Any]
Placement = t.Mapping[str, t.Sequence[str]]

VARIABLE = "stack_private_address"
#: RFC 1918, RFC 6598 and RFC 4193: what nobody reaches from the internet.
PRIVATE = tuple(ipaddress.ip_network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))


class Port(t.NamedTuple):
    """A port that is published for other hosts. ``port`` is the one on the host."""

    service: str
    port: int
    container_port: int
    #: Hosts that have something which connects to it.
    for_hosts: list[str]


def address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def problems(hosts: t.Sequence[str], addresses: t.Mapping[str, str], local: t.Mapping[str, t.Collection[str]]) -> list[str]:
    """What is in the way of publishing on these addresses. ``local``: host -> addresses that it has, of those hosts that were asked."""
    found = []
    for host in hosts:
        text = addresses.get(host, "")
        address = address_of(text)
        if not text or address is None:
            what = "%r, is no address" % text if text else "is not set, and ansible_host is no address"
            whose = host + ("'s," if text else ":")
            found.append("%s: %s %s. Set it to the one by which the other hosts of the stack reach this one." % (VARIABLE, whose, what))
        elif not any(address in network for network in PRIVATE if network.version == address.version):
            found.append(
                "%s: %s has %s, which is no private address. Most stores know no password, and none encrypts: they are published on private addresses only"
                " (10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7), or not at all with stack_network: overlay." % (VARIABLE, host, address)
            )
        elif host in local and str(address) not in local[host]:
            found.append("%s: %s is to be reached by %s, and has %s. Set one of these." % (VARIABLE, host, address, ", ".join(local[host]) or "none"))
    twice = [host for number, host in enumerate(hosts) if addresses.get(host) and addresses[host] in [addresses.get(other) for other in hosts[:number]]]
    return found + ["%s: %s has the same address as another host of the stack, %s." % (VARIABLE, host, addresses[host]) for host in twice]


def reaches(user: Service, service: Service) -> bool:
    """Whether one connects to the other: it depends on it, or is of the same role, whose services talk with each other."""
    return user["name"] != service["name"] and (service["name"] in user["depends_on"] or user["role"] == service["role"])


def offered(offer: int | str) -> tuple[int, int]:
    """3306 -> (3306, 3306), "8880:8888" -> (8880, 8888): the port on the host, and the one in the container."""
    first, dummy, second = str(offer).partition(":")
    return int(first), int(second or first)


def ports(host: str, services: t.Sequence[Service], placement: Placement) -> list[Port]:
    """What the host has to publish, in order."""
    found = []
    for service in services:
        if host not in placement[service["name"]]:
            continue
        users = {place for user in services if reaches(user, service) for place in placement[user["name"]]}
        # One of several is reached like the others, from its own host too.
        if users - {host} or (users and len(placement[service["name"]]) > 1):
            found += [Port(service["name"], *offered(offer), sorted(users)) for offer in service["offers"]]
    return found


def hosts_entries(user: Service, host: str, services: t.Sequence[Service], placement: Placement, addresses: t.Mapping[str, str]) -> dict[str, str]:
    """Name -> address, of what the service on that host reaches on other hosts and not on its own."""
    return {
        alias: addresses.get(placement[service["name"]][0], "").strip("[]")
        for service in services
        if reaches(user, service) and host not in placement[service["name"]]
        for alias in service["aliases"]
    }


def upstreams(services: t.Sequence[Service], placement: Placement, host: str, addresses: t.Mapping[str, str]) -> dict[str, dict[str, str]]:
    """service -> {host: address:port}, of services that the host does not have all by itself; for what reads no list of hosts."""
    found: dict[str, dict[str, str]] = {}
    for service in services:
        places = placement[service["name"]]
        if service["offers"] and list(places) != [host]:
            found[service["name"]] = {place: with_port(addresses.get(place, ""), offered(service["offers"][0])[0]) for place in places}
    return found


def with_port(address: str, port: int) -> str:
    return "%s:%d" % (bracketed(address.strip("[]")), port)
