# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import collections
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

STATES = ("ok", "warn", "fail")
HEAD = ("area", "check", "state", "found")
#: The name of an image with a digest would leave no room for what was found.
NAME = 44
GAP = "  "


def preflight_table(checks: Sequence[Mapping[str, Any]], width: int = 140) -> list[str]:
    """The lines of a table of checks, the way out below each that needs one, and a line with counts. Raises AnsibleFilterError."""
    try:
        rows = [(str(check["area"]), str(check["name"]), str(check["state"]), str(check["found"]), str(check["cure"])) for check in checks]
    except (KeyError, TypeError) as exc:
        raise AnsibleFilterError(f"preflight_table wants the checks that preflight and stack_model return: {exc!r}") from exc
    if unknown := {row[2] for row in rows} - set(STATES):
        raise AnsibleFilterError(f"preflight_table: a state is one of {', '.join(STATES)}, not {', '.join(sorted(unknown))}")
    areas = list(dict.fromkeys(row[0] for row in rows))
    # One area after the other, in the order in which they first appear; within one nothing is moved.
    rows.sort(key=lambda row: areas.index(row[0]))
    sizes = [max(len(row[column]) for row in [HEAD, *rows]) for column in range(3)]
    sizes[1] = min(sizes[1], NAME)
    lines = _row(HEAD, sizes, width)
    for row in rows:
        lines += _row(row, sizes, width)
        if row[2] != "ok" and row[4]:
            lines += _row(("", "", "", "-> " + row[4]), sizes, width, indent="   ")
    counts = collections.Counter(row[2] for row in rows)
    return [*lines, ", ".join(f"{counts[state]} {state}" for state in STATES)]


def _row(cells: Sequence[str], sizes: Sequence[int], width: int, indent: str = "") -> list[str]:
    """The lines of a row; the last two columns that are too long go on below themselves."""
    room = max(width - sum(sizes) - len(GAP) * len(sizes), 20)
    names = textwrap.wrap(cells[1], sizes[1]) or [""]
    texts = textwrap.wrap(cells[3], room, subsequent_indent=indent) or [""]
    lines = []
    for number in range(max(len(names), len(texts))):
        first = number == 0
        name = names[number] if number < len(names) else ""
        text = texts[number] if number < len(texts) else ""
        shown = [cells[0] if first else "", name, cells[2] if first else ""]
        lines.append((GAP.join(cell.ljust(size) for cell, size in zip(shown, sizes)) + GAP + text).rstrip())
    return lines


def preflight_ports(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The ports that a stack publishes, as the module preflight takes them."""
    return [
        {"address": port["address"], "port": port["port"], "service": name, "variable": port.get("variable", "stack_public_url")}
        for name, service in model["services"].items()
        for port in service["ports"]
    ]


def preflight_endpoints(models: Sequence[Mapping[str, Any]], embedding: Mapping[str, Any]) -> list[dict[str, str]]:
    """The endpoints of chat models and of the embedding, as the module preflight takes them; those that name no base_url are left out."""
    found = [(f"model {model.get('name') or model.get('id') or '?'}", model.get("base_url")) for model in models or []]
    found.append(("embedding", (embedding or {}).get("base_url")))
    return [{"name": name, "url": str(url)} for name, url in found if url]


class FilterModule:
    """Filters round the module preflight."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"preflight_endpoints": preflight_endpoints, "preflight_ports": preflight_ports, "preflight_table": preflight_table}
