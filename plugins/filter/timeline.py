# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

BAR = 40


def timeline_table(timeline: Sequence[Mapping[str, Any]], width: int = BAR) -> list[str]:
    """The lines of a table of who started when and took how long, with bars over one time axis.

    timeline: entries as stack_ready returns them, of one or several calls; ``host`` in an entry adds a column. Of several entries of a service, that of
    its last start counts, and of those the one that saw it ready first. Raises AnsibleFilterError.
    """
    try:
        rows = list(_newest(_row(entry) for entry in timeline))
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise AnsibleFilterError(f"timeline_table wants the timeline that stack_ready returns: {exc!r}") from exc
    if not rows:
        return []
    rows.sort(key=lambda row: (row["from"], row["to"]))
    begin, end = min(row["from"] for row in rows), max(row["to"] for row in rows)
    scale = (width - 1) / (end - begin) if end > begin else 0.0
    with_host = any(row["host"] for row in rows)
    cells = [["service", "started (UTC)", "ready after"], *([row["service"], row["started"], row["after"]] for row in rows)]
    if with_host:
        cells = [[host, *line] for host, line in zip(["host", *(row["host"] for row in rows)], cells)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    bars = [f"0 {f'{end - begin:.1f} s':->{width - 2}}", *(_bar(row, begin, scale) for row in rows)]
    return [f"{_align(line, widths)}  {marks}" for line, marks in zip(cells, bars)]


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    ready = datetime.datetime.fromisoformat(str(entry["ready"]).replace("Z", "+00:00"))
    started = datetime.datetime.fromisoformat(str(entry["started"]).replace("Z", "+00:00"))
    already = bool(entry.get("already"))
    seconds = float(entry["seconds"])
    # The clock of a container that ran long before would squeeze all other bars: its bar is the wait alone.
    begin = ready - datetime.timedelta(seconds=seconds) if already else started
    return {
        "host": str(entry.get("host") or ""),
        "service": str(entry["service"]),
        "started": "before" if already else started.strftime("%H:%M:%S"),
        "after": f"{seconds:.1f} s",
        "since": started.timestamp(),
        "from": begin.timestamp(),
        "to": ready.timestamp(),
        "mark": "=" if already else "#",
    }


def _newest(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        other = kept.setdefault((row["host"], row["service"]), row)
        if (row["since"], -row["to"]) > (other["since"], -other["to"]):
            kept[row["host"], row["service"]] = row
    return kept.values()


def _bar(row: Mapping[str, Any], begin: float, scale: float) -> str:
    left = round((row["from"] - begin) * scale)
    right = round((row["to"] - begin) * scale)
    return " " * left + row["mark"] * (right - left + 1)


def _align(line: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join([*(cell.ljust(size) for cell, size in zip(line[:-1], widths)), line[-1].rjust(widths[-1])])


class FilterModule:
    """Filters for what stack_ready returns."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name to function."""
        return {"timeline_table": timeline_table}
