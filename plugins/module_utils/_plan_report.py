# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as a person reads it: what a run would do to each service, and to everything else. Pure.

What can only be known once the product answers (its administrator, models in its database) is no part of it.
"""

from __future__ import annotations

import typing as t

Entry = t.Mapping[str, t.Any]

#: In the order of the last line; each with what was done to the service.
VERBS = {"create": "created", "recreate": "recreated", "restart": "restarted", "reload": "reloaded", "start": "started", "commit": "proved again"}
#: kind of a difference (of stack_plan) -> what is done to the file
FILE_VERBS = {"create": "written", "content": "changed", "remove": "removed", "attributes": "given other rights", "directory": "made as directories"}
#: More names than this are no longer read.
MOST_NAMES = 8
INDENT = 15


class Around(t.NamedTuple):
    """What a run would do besides touching services. All but ``differences`` are names."""

    #: (service, init job)
    jobs: t.Sequence[tuple[str, str]] = ()
    images: t.Sequence[str] = ()
    #: Whether they come from archives.
    images_loaded: bool = False
    #: Whether the registry is asked for all of them, so that nobody can know what comes.
    images_asked: bool = False
    #: [{"path", "kind"}], as stack_plan returns them
    differences: t.Sequence[Entry] = ()
    #: Whether there is anything else to be done to files: stamps of data directories.
    files_changed: bool = False
    network: str = ""
    #: What the host would do about the Swarm of its stack's hosts, "begun" or "joined"; "" for nothing.
    swarm: str = ""
    #: Secrets that would be made, and those that would be read back from the host.
    generated: t.Sequence[str] = ()
    adopted: t.Sequence[str] = ()
    #: Why the Engine cannot be used yet; "" if it can.
    engine: str = ""


class Report(t.NamedTuple):
    lines: list[str]
    summary: str
    changes: bool


def verb(entry: Entry) -> str:
    """What happens to the service, "" for nothing."""
    if entry["action"] == "none":
        return "commit" if entry.get("previous") else ""
    absent = any(reason["name"] == "container" and reason["current"] == "(absent)" for reason in entry["why"])
    return "create" if entry["action"] == "recreate" and absent else str(entry["action"])


def size(text: str) -> str:
    """"805306368" -> "768m": as an operator writes it."""
    number = int(text)
    unit, bytes_ = next(((unit, bytes_) for unit, bytes_ in (("g", 1024**3), ("m", 1024**2), ("k", 1024)) if number and number % bytes_ == 0), ("", 1))
    return "%d%s" % (number // bytes_, unit)


def side(name: str, text: str) -> str:
    """One side of a reason, in the units of the definition."""
    if text.isdigit() and name in ("memory", "memory_swap", "memory_reservation"):
        return size(text) if int(text) else "(none)"
    if text.isdigit() and name == "cpus":
        return "%g" % (int(text) / 10**9) if int(text) else "(none)"
    return text


def service_lines(name: str, entry: Entry) -> list[str]:
    """The service and its action, and its reasons, one a line."""
    what = verb(entry)
    reasons = [] if what == "create" else entry["why"]
    told = ["%s: %s -> %s" % (reason["name"], side(reason["name"], reason["current"]), side(reason["name"], reason["desired"])) for reason in reasons]
    first = ("%-14s %-9s %s" % (name, what, told[0] if told else "")).rstrip()
    return [first, *(" " * (INDENT + 10) + line for line in told[1:])]


def names(found: t.Sequence[str]) -> str:
    more = len(found) - MOST_NAMES
    return ", ".join(found[:MOST_NAMES]) + (" and %d more" % more if more > 0 else "")


def counted(number: int, noun: str) -> str:
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")


def file_lines(differences: t.Sequence[Entry]) -> list[str]:
    """A line per kind of difference: how many files, and which."""
    lines = []
    for kind, done in FILE_VERBS.items():
        paths = [difference["path"] for difference in differences if difference["kind"] == kind]
        if paths:
            lines.append("%-14s %d %s: %s" % ("files", len(paths), done, names(paths)))
    return lines


def images_verb(around: Around) -> str:
    return "loaded" if around.images_loaded else "pulled"


def around_lines(around: Around) -> list[str]:
    told = {
        "engine": "would be installed and started (%s)" % around.engine if around.engine else "",
        "images": "would be %s: %s" % (images_verb(around), ", ".join(around.images)) if around.images else "",
        "swarm": "would be %s" % around.swarm if around.swarm else "",
        "network": "%s would be made" % around.network if around.network else "",
        "secrets": "; ".join(
            text % ", ".join(keys) for text, keys in (("would be made: %s", around.generated), ("read back from the host: %s", around.adopted)) if keys
        ),
    }
    lines = ["%-14s %s" % pair for pair in told.items() if pair[1]]
    if around.images_asked:
        lines.append("%-14s %s" % ("images", "the registry would be asked for every one: a tag that it has moved recreates its services"))
    lines += file_lines(around.differences)
    if around.files_changed and not around.differences:
        lines.append("%-14s %s" % ("files", "stamps of data directories"))
    return [*lines, *("%-14s %s of %s would be run" % ("init job", job, service) for service, job in around.jobs)]


def summary_of(verbs: t.Sequence[str], around: Around) -> str:
    """"2 services would be created, 1 recreated, 3 files put right, nothing else is touched"."""
    told = {what: verbs.count(what) for what in VERBS if what in verbs}
    parts = [(counted(number, "service") if what == next(iter(told)) else str(number), VERBS[what]) for what, number in told.items()]
    more = (
        (around.engine, "the Engine", "installed"),
        (around.images, counted(len(around.images), "image"), images_verb(around)),
        (around.swarm, "the Swarm", around.swarm),
        (around.network, "the network", "made"),
        (around.generated, counted(len(around.generated), "secret"), "made"),
        (around.adopted, counted(len(around.adopted), "secret"), "read back"),
        (around.differences, counted(len(around.differences), "file"), "put right"),
        (around.files_changed and not around.differences, "stamps of data directories", "written"),
        (around.jobs, counted(len(around.jobs), "init job"), "run"),
    )
    parts += [(what, done) for there, what, done in more if there]
    (what, done), *others = parts
    return ", ".join(["%s would be %s" % (what, done), *("%s %s" % other for other in others), "nothing else is touched"])


def report(plan: t.Mapping[str, Entry], strangers: t.Sequence[str], around: Around) -> Report:
    """``plan`` and ``strangers`` as stack_plan returns them."""
    verbs = {name: verb(entry) for name, entry in plan.items()}
    lines = [line for name, entry in plan.items() if verbs[name] for line in service_lines(name, entry)]
    untouched = [name for name, what in verbs.items() if not what]
    lines += ["%-14s %s" % ("untouched", ", ".join(untouched))] if untouched else []
    moved = [name for name, entry in plan.items() if entry.get("moved")]
    lines += ["%-14s %s: set stack_images_update: true to take what it means now" % ("moved tag", name) for name in moved]
    lines += ["%-14s %s: not in the stack any more" % ("left alone", name) for name in strangers]
    lines += around_lines(around)
    changes = any(verbs.values()) or around.files_changed or any(
        (around.jobs, around.images, around.differences, around.network, around.swarm, around.generated, around.adopted, around.engine)
    )
    summary = summary_of([what for what in verbs.values() if what], around) if changes else "nothing would change"
    return Report([*lines, summary[0].upper() + summary[1:] + "."], summary, changes)
