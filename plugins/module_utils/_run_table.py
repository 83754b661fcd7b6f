# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of each host of a run with several stacks, in a table for the terminal. Private to this collection."""

from __future__ import annotations

import collections
import typing as t

Entry = t.Mapping[str, t.Any]

HEADS = ("STACK", "HOST", "RELEASE", "RESULT", "SECONDS", "SERVICES")
NOT_BEGUN = "not begun"
WIDEST = 100  # letters of what a failed host says


def lines(timeline: Entry, meant: t.Sequence[str]) -> list[str]:
    """A line per host, with those that were meant and not begun; none for a run of one stack. ``timeline`` is what ``_timeline.document`` makes."""
    hosts = [host for host in timeline["hosts"] if host["stack"]]
    begun = {host["name"] for host in hosts}
    missing = [name for name in meant if name not in begun]
    if len({host["stack"] for host in hosts}) + len(missing) < 2:
        return []
    rows = [HEADS, *(row(host) for host in hosts), *(("", name, "", NOT_BEGUN, "", "") for name in missing)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    found = []
    for number, cells in enumerate(rows):
        found.append("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())
        if 0 < number <= len(hosts) and hosts[number - 1]["failure"]:
            found.append("    " + " ".join(hosts[number - 1]["failure"]["message"].split())[:WIDEST])
    return found


def row(host: Entry) -> tuple[str, ...]:
    spans = [(phase["begun"]["s"], phase["done"]["s"]) for phase in host["phases"]]
    seconds = "%.1f" % (max(last for _first, last in spans) - min(first for first, _last in spans)) if spans else ""
    counts = collections.Counter(str(service["status"]) for service in host["services"])
    return (host["stack"], host["name"], host["release"], host["outcome"], seconds, ", ".join("%d %s" % (count, status) for status, count in counts.items()))
