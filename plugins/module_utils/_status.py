# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a stack is, in a table, and what of it is worth an alarm. Pure.

A state of a host is what the module stack_status returns; alarms are (level, text), with the level FAIL or WARN.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._html import tag
from ansible_collections.cozeops.studio.plugins.module_utils._report import amount, cell, section, wide
from ansible_collections.cozeops.studio.plugins.module_utils._report import document as html
from ansible_collections.cozeops.studio.plugins.module_utils._report import table as cards

State = t.Mapping[str, t.Any]

FAIL, WARN = "fail", "warn"
#: Shares of a file system, and of a memory limit.
DISK_WARN, DISK_FAIL, MEMORY_WARN = 0.85, 0.95, 0.92
CERTIFICATE_WARN_DAYS, CERTIFICATE_FAIL_DAYS = 30, 3
#: A container that was restarted is new for this long, in seconds.
RECENT = 3600
MANY = 3
HEADS = ("", "SERVICE", "HOST", "IMAGE", "STATE", "SINCE", "RESTARTS", "MEMORY", "DISK", "READY", "DRIFT")
MARKS = {FAIL: "!", WARN: "?", "": ""}


def size(value: float | None) -> str:
    """1536 -> "1.5K"; "" for nothing known."""
    if value is None:
        return ""
    number, unit = float(value), "B"
    for unit in ("B", "K", "M", "G", "T"):
        if number < 1024 or unit == "T":
            break
        number /= 1024
    return "%d%s" % (number, unit) if number >= 10 or unit == "B" else "%.1f%s" % (number, unit)


def ago(moment: str, now: datetime.datetime) -> str:
    """How long ago a time of Docker's was, in its largest unit: 45s, 12m, 3h, 8d; "" for none."""
    if not moment or moment.startswith("0001"):
        return ""
    seconds = max(0, int((now - at(moment)).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length or (unit == "d" and seconds >= length):
            return "%d%s" % (seconds // length, unit)
    return "%ds" % seconds


def service_alarms(service: State, now: datetime.datetime) -> list[tuple[str, str]]:
    """What is wrong with one service."""
    name, state = service["name"], service["state"]
    found = []
    if not state:
        return [(FAIL, "%s has no container: run site.yml" % name)]
    if state != "running":
        killed = ", killed for want of memory" if service["oom"] else ""
        return [(FAIL, "%s is %s (exit code %s%s): start.yml, or logs.yml to see why" % (name, state, service["exit_code"], killed))]
    if not service["ready"]:
        found.append((FAIL, "%s is not ready: %s" % (name, service["reason"])))
    young = ago(service["since"], now) and (now - at(service["since"])).total_seconds() < RECENT
    if service["restarts"] and young:
        found.append((WARN, "%s was restarted %d times, the last time %s ago" % (name, service["restarts"], ago(service["since"], now))))
    limit, used = service["memory_limit"], service["memory"]
    if limit and used is not None and used > limit * MEMORY_WARN:
        found.append((WARN, "%s uses %s of its %s of memory: %s_memory gives it more" % (name, size(used), size(limit), name.replace("-", "_"))))
    if service["drift"]:
        found.append((WARN, "%s is not as it was deployed (%s): site.yml makes it so" % (name, ", ".join(service["drift"]))))
    return found


def at(moment: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(moment[:19]).replace(tzinfo=datetime.timezone.utc)


def host_alarms(state: State) -> list[tuple[str, str]]:
    """What is wrong with what services share: disks, certificate, lock."""
    found = []
    for disk in state["disks"]:
        share = 1 - disk["free"] / disk["size"] if disk["size"] else 0.0
        if share >= DISK_WARN:
            found.append((FAIL if share >= DISK_FAIL else WARN, "the file system of %s is %d%% full: %s of %s are free" % (
                disk["path"], share * 100, size(disk["free"]), size(disk["size"]))))  # fmt: skip
    certificate = state["certificate"]
    if certificate and certificate.get("problem"):
        found.append((WARN, "the certificate of %s: %s" % (certificate["url"], certificate["problem"])))
    elif certificate and certificate["days"] < CERTIFICATE_WARN_DAYS:
        level = FAIL if certificate["days"] < CERTIFICATE_FAIL_DAYS else WARN
        found.append((level, "the certificate of %s ends in %d days" % (certificate["url"], certificate["days"])))
    if state["locked"]:
        found.append((WARN, "the stack is being changed %s" % state["locked"]))
    found += [(WARN, "%s is no service of the stack any more, and its container is still there" % name) for name in state["strangers"]]
    return found


def alarms(states: t.Mapping[str, State], now: datetime.datetime, silent: t.Sequence[str] = ()) -> list[dict[str, str]]:
    """All, the worst first: {"level", "host", "text"}. ``silent``: hosts of the stack that could not be looked at."""
    found = [{"level": FAIL, "host": host, "text": "it could not be looked at"} for host in silent]
    for host, state in states.items():
        pairs = [*host_alarms(state), *(pair for service in state["services"] for pair in service_alarms(service, now))]
        found += [{"level": level, "host": host, "text": text} for level, text in pairs]
    return sorted(found, key=lambda each: each["level"] != FAIL)


def cells(host: str, service: State, now: datetime.datetime) -> tuple[str, ...]:
    levels = [level for level, dummy in service_alarms(service, now)]
    worst = FAIL if FAIL in levels else WARN if levels else ""
    digest = service["digest"].rpartition("sha256:")[2][:12]
    memory = size(service["memory"]) + ("/" + size(service["memory_limit"]) if service["memory_limit"] and service["memory"] is not None else "")
    return (
        MARKS[worst],
        service["name"],
        host,
        "%s %s" % (service["image"], digest),
        service["state"] or "absent",
        ago(service["since"], now),
        str(service["restarts"] or ""),
        memory,
        size(service["disk"]),
        {True: "yes", False: "no"}[bool(service["ready"])] if service["state"] else "",
        "yes" if service["drift"] else "",
    )


def summary(states: t.Mapping[str, State], found: t.Sequence[t.Mapping[str, str]]) -> str:
    """One line on the whole stack."""
    services = [service for state in states.values() for service in state["services"]]
    ready = sum(bool(service["ready"]) for service in services)
    words = "%d of %s ready" % (ready, amount(len(services), "service"))
    bad = sum(each["level"] == FAIL for each in found)
    doubts = len(found) - bad
    return words + (", " + amount(bad, "alarm") if bad else "") + (", " + amount(doubts, "warning") if doubts else "")


def change_line(change: t.Mapping[str, t.Any]) -> str:
    """The last change, by whom, in words."""
    done: dict[str, list[str]] = {}
    for service, action in change.get("actions", {}).items():
        done.setdefault(action, []).append(service)
    actions = ", ".join("%s %s" % (action, ", ".join(names) if len(names) <= MANY else "%d services" % len(names)) for action, names in done.items())
    words = "%s by %s from %s (%s)" % (change["at"], change["who"] or "?", change["controller"] or "?", change["playbook"] or "?")
    words += ": " + actions if actions else ""
    words += ", because: " + change["reason"] if change.get("reason") else ""
    return words + (", which failed" if change.get("failure") else "")


def document(stack: str, states: t.Mapping[str, State], now: datetime.datetime, silent: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """The stack on all its hosts, for other programs: {"stack", "at", "well", "summary", "alarms", "changed", "hosts"}."""
    found = alarms(states, now, silent)
    changes = sorted((state["changed"] for state in states.values() if state["changed"]), key=lambda change: str(change["at"]))
    return {
        "stack": stack,
        "at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "well": not any(each["level"] == FAIL for each in found),
        "summary": summary(states, found),
        "alarms": found,
        "changed": changes[-1] if changes else {},
        "hosts": dict(states),
    }


def heading(told: t.Mapping[str, t.Any]) -> str:
    """The first line on a stack. ``told`` is what ``document`` made."""
    first: State = next(iter(told["hosts"].values()), {})
    where = ", release %s, %s" % (first["release"], first["url"]) if first else ""
    return "%s%s: %s" % (told["stack"], where, told["summary"])


def table(told: t.Mapping[str, t.Any]) -> list[tuple[str, ...]]:
    """Heads and rows. A column with nothing in it is left out, as it says nothing."""
    now = at(told["at"])
    rows = [HEADS, *(cells(host, service, now) for host, state in told["hosts"].items() for service in state["services"])]
    shown = [column for column in range(len(HEADS)) if any(row[column] for row in rows[1:])]
    return [tuple(row[column] for column in shown) for row in rows]


def lines(told: t.Mapping[str, t.Any]) -> list[str]:
    """The table of one stack on all its hosts, alarms below it."""
    rows = table(told)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        heading(told),
        *("  ".join(word.ljust(width) for word, width in zip(row, widths)).rstrip() for row in rows),
        *("%s %s: %s" % (MARKS[each["level"]], each["host"], each["text"]) for each in told["alarms"]),
        *(["last change: " + change_line(told["changed"])] if told["changed"] else []),
    ]


def page(told: t.Mapping[str, t.Any]) -> str:
    """The same as an HTML page."""
    heads, *rows = table(told)
    body = [tag("tr", [cell(head, content) for head, content in zip(heads, row)]) for row in rows]
    worst = told["alarms"]
    return html(
        "Coze Studio: %s" % told["stack"],
        "failed" if not told["well"] else "changed" if worst else "ok",
        tag(
            "header",
            tag("h1", told["stack"]),
            tag("p", tag("strong", told["summary"], class_="badge")),
            tag("p", heading(told), ", ", told["at"], class_="intro"),
        ),
        section("Alarms", "", tag("ul", [tag("li", each["host"], ": ", each["text"]) for each in worst])) if worst else None,
        section("Services", "", wide("Services", cards(heads, body))) if rows else None,
        section("Last change", "", tag("p", change_line(told["changed"]))) if told["changed"] else None,
    )
