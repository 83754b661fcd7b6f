# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many stacks in one run: which come together, and in what order. Pure."""

from __future__ import annotations

import re
import typing as t

SHARE = re.compile(r"^(\d{1,3})%$")


class FleetError(ValueError):
    """Batches that cannot be made; the text says what to write."""


def size(wish: t.Any, stacks: int) -> int:
    """How many stacks an entry of stack_batches means, one at least: 3, "3" or "25%" (of all)."""
    text = str(wish).strip()
    share = SHARE.match(text)
    if share and 0 < int(share.group(1)) <= 100:
        return max(1, stacks * int(share.group(1)) // 100)
    if text.isdecimal() and int(text) > 0 and not isinstance(wish, bool):
        return int(text)
    raise FleetError("stack_batches: %r is neither a number of stacks nor a share of them. Write it like [1, 25%%, 100%%]." % (wish,))


def by_stack(hosts: t.Sequence[str], stack_of: t.Mapping[str, str]) -> dict[str, list[str]]:
    """stack -> its hosts, both in the order in which hosts come."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        found.setdefault(stack_of[host], []).append(host)
    return found


def batches(stacks: t.Mapping[str, t.Sequence[str]], wishes: t.Sequence[t.Any]) -> list[int]:
    """Numbers of hosts, batch by batch, so that no stack is in two. The last wish holds for all that is left; without any, all come at once."""
    sizes = [len(hosts) for hosts in stacks.values()]
    found: list[int] = []
    wanted = [size(wish, len(sizes)) for wish in wishes] or [len(sizes)]
    while sizes:
        count = wanted[min(len(found), len(wanted) - 1)]
        found.append(sum(sizes[:count]))
        sizes = sizes[count:]
    return found


def failed(stacks: t.Mapping[str, t.Sequence[str]], alive: t.Collection[str]) -> list[str]:
    """Stacks that have a host that cannot go on."""
    return [stack for stack, hosts in stacks.items() if not set(hosts) <= set(alive)]
