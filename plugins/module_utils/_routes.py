# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks of a host: its routes as the kernel lists them, and the address range that Docker will take next. Pure."""

from __future__ import annotations

import ipaddress
import struct
import typing as t

Network = ipaddress.IPv4Network

GATEWAY = 0x2  # RTF_GATEWAY of route(8)
UP = 0x1
#: What dockerd has where default-address-pools is not set: (base, length of a network's prefix), in its order.
DEFAULT_POOLS: tuple[tuple[str, int], ...] = (
    ("172.17.0.0/16", 16),
    ("172.18.0.0/16", 16),
    ("172.19.0.0/16", 16),
    ("172.20.0.0/14", 16),
    ("172.24.0.0/14", 16),
    ("172.28.0.0/14", 16),
    ("192.168.0.0/16", 20),
)
#: A pool of many small networks need not be walked to its end to know that there is one more.
MOST = 4096


class Route(t.NamedTuple):
    """A route of the host that is not its default one. ``direct``: the network is on the interface itself, not behind a gateway."""

    subnet: str
    interface: str
    direct: bool


def routes(text: str) -> list[Route]:
    """The routes in the text of /proc/net/route, without default routes."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or not int(fields[3], 16) & UP:
            continue
        address, mask = (ipaddress.IPv4Address(struct.pack("=I", int(field, 16))) for field in (fields[1], fields[7]))
        if int(mask):
            found.append(Route(str(ipaddress.ip_network("%s/%s" % (address, mask))), fields[0], not int(fields[3], 16) & GATEWAY))
    return found


def ipv4(subnets: t.Iterable[str]) -> list[Network]:
    parsed = (ipaddress.ip_network(subnet, strict=False) for subnet in subnets)
    return [network for network in parsed if isinstance(network, ipaddress.IPv4Network)]


def candidates(pools: t.Iterable[tuple[str, int]]) -> t.Iterator[Network]:
    """The networks that Docker tries, in its order."""
    count = 0
    for base, size in pools:
        network = ipaddress.ip_network(base, strict=False)
        if isinstance(network, ipaddress.IPv4Network):
            for subnet in network.subnets(new_prefix=max(size, network.prefixlen)):
                count += 1
                if count > MOST:
                    return
                yield subnet


def next_network(pools: t.Iterable[tuple[str, int]], taken: t.Sequence[Network]) -> Network | None:
    """The first network of the pools that touches none of those taken; None if there is none."""
    return next((subnet for subnet in candidates(pools) if not any(subnet.overlaps(other) for other in taken)), None)


def foreign(found: t.Iterable[Route], subnets: t.Sequence[Network]) -> list[Route]:
    """Routes that are not Docker's own, which lead to just the subnet of one of its networks."""
    return [route for route in found if ipaddress.ip_network(route.subnet) not in subnets]


def crossing(subnet: Network, found: t.Iterable[Route]) -> list[Route]:
    """Routes that lead to a part of the subnet, or to more than it."""
    return [route for route in found if subnet.overlaps(ipaddress.IPv4Network(route.subnet))]
