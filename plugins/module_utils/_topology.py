# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drawing of services, hosts and dependencies, as SVG inside a page. Private to this collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._html import Html, tag

Entry = t.Mapping[str, t.Any]
Key = tuple[int, str]  # number of the host, name of the service

BOX = (138, 42)
GAP = (46, 12)
PADDING = 16
HEADING = 26
BETWEEN = 18
LETTERS = {"name": 16, "image": 20}  # as many as a box has room for


def links(hosts: t.Sequence[Entry]) -> list[tuple[Key, Key, str]]:
    """(what is needed, what needs it, condition) of all services. A service of the same host is meant before another's of the same stack."""
    found = []
    for number, host in enumerate(hosts):
        for service in host["services"]:
            for other, condition in service["depends_on"].items():
                homes = [
                    place
                    for place, candidate in enumerate(hosts)
                    if candidate["stack"] == host["stack"] and any(each["name"] == other for each in candidate["services"])
                ]
                if homes:
                    found.append(((number if number in homes else homes[0], str(other)), (number, str(service["name"])), str(condition)))
    return found


def columns(hosts: t.Sequence[Entry], edges: t.Iterable[tuple[Key, Key, str]]) -> dict[Key, int]:
    """How many others stand before a service in the longest chain that it needs. A circle, which no stack has, is cut open."""
    needs: dict[Key, list[Key]] = {}
    for first, then, _condition in edges:
        needs.setdefault(then, []).append(first)
    known: dict[Key, int] = {}

    def depth(key: Key, path: tuple[Key, ...]) -> int:
        if key not in known:
            known[key] = max((depth(other, (*path, key)) + 1 for other in needs.get(key, []) if other not in (*path, key)), default=0)
        return known[key]

    for number, host in enumerate(hosts):
        for service in host["services"]:
            depth((number, str(service["name"])), ())
    return known


def topology(hosts: t.Sequence[Entry], words: t.Mapping[str, str]) -> Html:
    """The drawing, or a sentence if there is nothing to draw. ``words`` are those for the states of services."""
    shown = [host for host in hosts if host["services"]]
    if not shown:
        return tag("p", "No service is known: the run ended before the stack was resolved.", class_="intro")
    edges = links(shown)
    column = columns(shown, edges)
    across = max(column.values()) + 1
    width = 2 * PADDING + across * BOX[0] + (across - 1) * GAP[0] + 2
    places: dict[Key, tuple[int, int]] = {}
    frames, boxes = [], []
    top = 1
    for number, host in enumerate(shown):
        filled = [0] * across
        for service in host["services"]:
            key = (number, str(service["name"]))
            line = column[key]
            left = 1 + PADDING + line * (BOX[0] + GAP[0])
            places[key] = (left, top + HEADING + filled[line] * (BOX[1] + GAP[1]))
            filled[line] += 1
            boxes.append(box(service, *places[key]))
        height = HEADING + max(filled) * (BOX[1] + GAP[1]) - GAP[1] + PADDING
        frames.append(frame(host, top, width, height))
        top += height + BETWEEN
    lines = [line_between(places[first], places[then], condition) for first, then, condition in edges if first in places and then in places]
    total = top - BETWEEN + 1
    drawing = tag(
        "svg",
        frames,
        lines,
        boxes,
        viewBox=f"0 0 {width} {total}",
        role="img",
        aria_label="Services by host, with their dependencies",
        style=f"max-width:{width}px;min-width:{min(width, 600)}px",
    )
    used = {str(service["status"]) for host in shown for service in host["services"]}
    legend = [tag("li", tag("i", class_="bar key status-" + name), meaning) for name, meaning in words.items() if name in used]
    if any(condition == "initialised" for _first, _then, condition in edges):
        legend.append(tag("li", "dashed line: needed initialised, not only ready"))
    return tag("div", tag("div", drawing, class_="wide", role="region", aria_label="Topology", tabindex="0"), tag("ul", legend, class_="legend"))


def frame(host: Entry, top: int, width: int, height: int) -> Html:
    """The host."""
    name = clipped(f"{host['name']} ({host['stack']})" if host["stack"] else host["name"], (width - 2 * PADDING) // 8)
    return tag(
        "g",
        tag("rect", x=1, y=top, width=width - 2, height=height, rx=8, class_="host"),
        tag("text", name, x=1 + PADDING, y=top + 18, class_="hostname"),
    )


def box(service: Entry, left: int, top: int) -> Html:
    """A service."""
    image = str(service["image"]).rsplit("/", 1)[-1]
    return tag(
        "g",
        tag("title", f"{service['name']}: {service['status']}, {service['image']}"),
        tag("rect", x=left, y=top, width=BOX[0], height=BOX[1], rx=5, class_="box"),
        tag("rect", x=left, y=top, width=5, height=BOX[1], rx=2, class_="mark"),
        # A drawing in the drawing cuts off what is wider all the same: letters of other scripts are.
        tag(
            "svg",
            tag("text", clipped(service["name"], LETTERS["name"]), x=0, y=18),
            tag("text", clipped(image, LETTERS["image"]), x=0, y=33, class_="image"),
            x=left + 13,
            y=top,
            width=BOX[0] - 18,
            height=BOX[1],
        ),
        class_="status-" + (str(service["status"]) if str(service["status"]).isalpha() and str(service["status"]).isascii() else "unknown"),
    )


def line_between(first: tuple[int, int], then: tuple[int, int], condition: str) -> Html:
    """From the right side of what is needed to the left side of what needs it; below the row of the first, where boxes of other columns are passed."""
    x1, y1 = first[0] + BOX[0], first[1] + BOX[1] // 2
    x2, y2 = then[0], then[1] + BOX[1] // 2
    bend = GAP[0] // 2
    path = f"M{x1} {y1}"
    if x2 - x1 > GAP[0]:
        lane = first[1] + BOX[1] + GAP[1] // 2
        path += f"C{x1 + bend} {y1} {x1 + bend} {lane} {x1 + GAP[0]} {lane}L{x2 - GAP[0]} {lane}"
        x1, y1 = x2 - GAP[0], lane
    path += f"C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
    return tag("path", d=path, class_="link" + (" initialised" if condition == "initialised" else ""))


def clipped(value: t.Any, limit: int) -> str:
    """Not longer than there is room for."""
    words = " ".join(str(value).split())
    return words if len(words) <= limit else words[: limit - 1] + "…"
