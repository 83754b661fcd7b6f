# SPDX-License-Identifier: GPL-3.0-or-later
"""From seconds to figures: order of the contenders, medians, ratios, the slope over hosts, the document and the table. Pure."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class BenchError(Exception):
    """A run did not do what it should, so there is no figure. The text says which and why."""


class Target(NamedTuple):
    figure: str
    most: float
    words: str


TARGETS = (
    Target("cold_vs_compose", 0.5, "cold start / Compose"),
    Target("cold_vs_floor", 1.4, "cold start / floor"),
    Target("noop_vs_docker_container", 0.35, "nothing to do / docker_container play"),
    Target("noop_vs_compose", 3.0, "nothing to do / Compose"),
    Target("one_key_vs_compose", 1.0, "one changed key / Compose"),
    Target("host_slope", 0.25, "a further host / the first"),
    Target("load_vs_docker_load", 1.0, "loading archives / docker load in a loop"),
    Target("present_vs_docker_load", 0.1, "nothing to load / docker load in a loop"),
)

# figure: section, numerator, denominator. The numerator is site.yml without its last proof, that the product works: nothing else here
# proves it. See docs/bench.md.
SITE = "site_without_verify"
RATIOS = {
    "cold_vs_compose": ("cold", SITE, "compose"),
    "cold_vs_floor": ("cold", SITE, "floor"),
    "noop_vs_docker_container": ("no_op", SITE, "docker_container"),
    "noop_vs_compose": ("no_op", SITE, "compose"),
    "one_key_vs_compose": ("one_key", SITE, "compose"),
    "load_vs_docker_load": ("archives", "image_archive", "docker_load"),
    "present_vs_docker_load": ("archives", "all_present", "docker_load"),
}

SECTIONS = ("cold", "no_op", "one_key", "archives")
Samples = Mapping[str, Any]
WIDTH = 110  # of a task's name in the table
_BANNER = re.compile(r"^(TASK|RUNNING HANDLER|PLAY|PLAY RECAP)\b(?: \[(.*)\])? \*+$")


def turn(names: Sequence[str], repeat: int) -> list[str]:
    """The order of a repeat: each contender is first, second … equally often, so that what else happens hits all alike."""
    start = repeat % len(names)
    return [*names[start:], *names[:start]]


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """One ratio per repeat."""
    if len(numerators) != len(denominators):
        raise BenchError(f"{len(numerators)} runs cannot be compared with {len(denominators)}: each repeat has to have both")
    return [a / b for a, b in zip(numerators, denominators)]


def slope(points: Mapping[int, float]) -> float:
    """Least squares: how much y grows as x grows by one."""
    if len(points) < 2:
        raise BenchError("a slope needs at least two numbers of hosts")
    x_mean = statistics.fmean(points)
    y_mean = statistics.fmean(points.values())
    return sum((x - x_mean) * (y - y_mean) for x, y in points.items()) / sum((x - x_mean) ** 2 for x in points)


def slopes(hosts: Mapping[str, Mapping[str, Sequence[float]]], series: str = "seconds") -> list[float]:
    """Per repeat: the cost of a further host, as a share of the cost of one. `hosts` is by number of hosts, as JSON has it: text."""
    repeats = {len(each[series]) for each in hosts.values()}
    if len(repeats) != 1:
        raise BenchError("each repeat has to have every number of hosts")
    return [slope({int(count): each[series][n] for count, each in hosts.items()}) / hosts["1"][series][n] for n in range(repeats.pop())]


def task_times(lines: Iterable[tuple[float, str]], end: float) -> list[tuple[str, float]]:
    """Tasks in order with their seconds, from ansible-playbook's output and the time at which each line came.

    What comes before the first task (start, inventory, reading the playbook) is "start", what comes after the last one is "end".
    Banners have to come before their tasks, as they do with display_skipped_hosts.
    """
    found: list[tuple[str, float]] = []
    name, since = "start", 0.0
    for at, line in lines:
        banner = _BANNER.match(line.rstrip())
        if banner is None or banner[1] == "PLAY":
            continue
        found.append((name, at - since))
        name, since = (banner[2] or "", at) if banner[1] != "PLAY RECAP" else ("end", at)
    return [*found, (name, end - since)]


def seconds_of_role(tasks: Iterable[tuple[str, float]], role: str) -> float:
    """What the tasks of a role took in all."""
    return sum(seconds for name, seconds in tasks if name.startswith(f"{role} : "))


def profile(runs: Sequence[Sequence[tuple[str, float]]], most: int = 15) -> dict[str, float]:
    """The tasks that took longest, with the median over the runs; a task that a run has several times counts with its sum."""
    sums: list[dict[str, float]] = []
    for run in runs:
        total: dict[str, float] = {}
        for name, seconds in run:
            total[name] = total.get(name, 0.0) + seconds
        sums.append(total)
    names = {name for total in sums for name in total}
    medians = {name: statistics.median(total.get(name, 0.0) for total in sums) for name in names}
    return {name: round(seconds, 3) for name, seconds in sorted(medians.items(), key=lambda item: (-item[1], item[0]))[:most]}


def by_first_word(series: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """{"2 seconds": …} -> {"2": {"seconds": …}}."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in series.items():
        first, dummy, rest = key.partition(" ")
        found.setdefault(first, {})[rest] = value
    return found


def spread(samples: Samples, figure: str) -> list[float]:
    """A figure's value in each repeat; none if its part was not run."""
    if figure == "host_slope":
        return slopes(samples["hosts"]) if "hosts" in samples else []
    section, numerator, denominator = RATIOS[figure]
    return ratios(samples[section][numerator], samples[section][denominator]) if section in samples else []


def document(samples: Samples) -> dict[str, Any]:
    """build/bench.json; a figure whose part was not run is null."""
    found: dict[str, Any] = {}
    for target in TARGETS:
        values = spread(samples, target.figure)
        found[target.figure] = round(statistics.median(values), 3) if values else None
    return {**found, "samples": samples}


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Text in columns; all but the first are numbers or short words and stand to the right."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]).rstrip() for row in rows)


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2f}..{max(values):.2f}"


def figures_table(found: Mapping[str, Any]) -> str:
    """Each figure with its spread over the repeats and its target."""
    rows = [("FIGURE", "MEDIAN", "RANGE", "TARGET", "")]
    for target in TARGETS:
        value = found[target.figure]
        if value is None:
            rows.append((target.words, "-", "-", f"<= {target.most:.2f}", "not run"))
            continue
        verdict = "met" if value <= target.most else f"missed by {value / target.most - 1:.0%}"
        values = spread(found["samples"], target.figure)
        rows.append((target.words, f"{statistics.median(values):.2f}", _range(values), f"<= {target.most:.2f}", verdict))
    return columns(rows)


def seconds_table(samples: Samples) -> str:
    """Medians of what was measured, in seconds."""
    rows = [("SECONDS", "MEDIAN", "RANGE", "RUNS")]
    for section in SECTIONS:
        for name, values in samples.get(section, {}).items():
            rows.append((f"{section}: {name}", f"{statistics.median(values):.2f}", _range(values), str(len(values))))
    return columns(rows)


def hosts_table(hosts: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Medians per number of hosts, and what a further one costs the controller's processors."""
    names = ("seconds", "cpu_seconds", "memory_mb", "largest_process_mb")
    rows: list[tuple[str, ...]] = [("HOSTS", "SECONDS", "CPU SECONDS", "MEMORY MB", "LARGEST PROCESS MB")]
    for count, series in sorted(hosts.items(), key=lambda item: int(item[0])):
        rows.append((count, *(f"{statistics.median(series[name]):.{2 if 'seconds' in name else 0}f}" for name in names)))
    share = statistics.median(slopes(hosts, "cpu_seconds"))
    return f"{columns(rows)}\nA further host takes {share:.2f} of the processor time that one takes."


def table(found: Mapping[str, Any]) -> str:
    """All that a person wants to see of a document."""
    samples = found["samples"]
    parts = [figures_table(found)]
    if any(section in samples for section in SECTIONS):
        parts.append(seconds_table(samples))
    if "hosts" in samples:
        parts.append(hosts_table(samples["hosts"]))
    for section, tasks in samples.get("profile", {}).items():
        rows = [(f"WHERE site.yml SPENDS ITS TIME: {section}", "SECONDS"), *((name[:WIDTH], f"{seconds:.2f}") for name, seconds in tasks.items())]
        parts.append(columns(rows))
    return "\n\n".join(parts)
