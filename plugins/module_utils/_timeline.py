# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timeline of a run: what was seen of each host while it went on, put together as one document. Private to this collection.

Two clocks are in it. The controller's says when tasks began and ended, the host's when containers started and got ready. A container cannot have started
outside the task that started it, so the tasks tell by how much a host's clock is off, and all times of the document are the controller's.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from ansible_collections.cozeops.studio.plugins.module_utils._ready import epoch, iso
from ansible_collections.cozeops.studio.plugins.module_utils._redact import redact

SCHEMA = 1
MESSAGE_LIMIT = 6000  # characters of a failure's message
WHY_LIMIT = 500  # characters of each side of a reason
MAKES = "cozeops.studio.container_batch"
STARTS = "community.docker.docker_container"
PROVES = "cozeops.studio.stack_ready"
#: What tasks do that only prepare or note something; the rest of a step's tasks act on the service.
IDLE = ("debug", "fail", "include_role", "include_tasks", "set_fact")

Event = dict[str, t.Any]


class Task(t.NamedTuple):
    """A task that a host has done. ``step`` is the one of the service role's schedule that it belongs to."""

    role: str
    name: str
    action: str
    step: t.Mapping[str, t.Any]
    begun: float
    done: float
    failed: bool = False
    unmade: t.Sequence[str] = ()  # of several services that it starts, those that it could not


class Wait(t.NamedTuple):
    """One call of stack_ready, with what it returned."""

    begun: float
    done: float
    timeline: t.Sequence[t.Mapping[str, t.Any]]
    failures: t.Sequence[t.Mapping[str, t.Any]]


@dataclass
class HostLog:
    """What was seen of a host."""

    stack: str = ""
    tasks: list[Task] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    source: t.Mapping[str, t.Any] = field(default_factory=dict)  # what stack_source, stack_info, stack_plan and product_check returned
    info: t.Mapping[str, t.Any] = field(default_factory=dict)
    plan: t.Mapping[str, t.Any] = field(default_factory=dict)
    planned: float = 0.0
    model: t.Mapping[str, t.Any] = field(default_factory=dict)
    checks: list[t.Mapping[str, t.Any]] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)  # services whose earlier container was brought back
    failure: tuple[float, str, str] | None = None  # when, task, message
    outcome: str = "unfinished"  # or ok, changed, failed, unreachable


@dataclass
class RunLog:
    """What was seen of a run. ``done`` is None while it goes on."""

    begun: float
    done: float | None
    about: t.Mapping[str, t.Any]  # playbook, user, controller, check_mode, limit, tags
    versions: t.Mapping[str, str]
    hosts: t.Mapping[str, HostLog]


def document(run: RunLog) -> dict[str, t.Any]:
    """The timeline as it is written to the controller. It has no value of a secret, as none of its sources has."""
    last = max([run.begun, *(task.done for log in run.hosts.values() for task in log.tasks)]) if run.done is None else run.done
    check = bool(run.about.get("check_mode"))
    return {
        "schema": SCHEMA,
        "run": {
            **run.about,
            "begun": iso(run.begun),
            "done": None if run.done is None else iso(run.done),
            "seconds": round(last - run.begun, 3),
            "outcome": worst([log.outcome for log in run.hosts.values()]),
        },
        "versions": dict(run.versions),
        "hosts": [host_entry(name, log, run.begun, check) for name, log in run.hosts.items()],
    }


def dump(timeline: t.Mapping[str, t.Any]) -> str:
    """The document as text."""
    return json.dumps(timeline, indent=2, ensure_ascii=False) + "\n"


def worst(outcomes: t.Collection[str]) -> str:
    """The outcome of a run whose hosts had these."""
    if not outcomes or "unfinished" in outcomes:
        return "unfinished"
    if "failed" in outcomes or "unreachable" in outcomes:
        return "failed"
    return "changed" if "changed" in outcomes else "ok"


def host_entry(name: str, log: HostLog, begun: float, check: bool) -> dict[str, t.Any]:
    """The part of a host."""
    offset = clock_offset(windows(log))

    def at(moment: float) -> Event:
        return {"at": iso(moment), "s": round(moment - begun, 3)}

    engine, system = log.info.get("engine") or {}, log.info.get("system") or {}
    failed = log.outcome in ("failed", "unreachable") and log.failure is not None
    return {
        "name": name,
        "stack": str(log.model.get("name") or log.stack),
        "release": str(log.model.get("release") or log.source.get("release") or ""),
        "url": str((log.model.get("entry") or {}).get("url") or ""),
        "outcome": log.outcome,
        "failure": {**at(log.failure[0]), "task": log.failure[1], "message": tidy(log.failure[2], MESSAGE_LIMIT)} if failed and log.failure else None,
        "engine": {key: str(engine[key]) for key in ("version", "api_version", "error") if engine.get(key)},
        "system": " ".join(str(system[key]) for key in ("distribution", "version") if system.get(key)),
        "clock_offset": round(offset, 3),
        "phases": [{"name": phase, "begun": at(start), "done": at(end)} for phase, start, end in phases(log.tasks)],
        "services": [service_entry(service, log, at, offset, begun, check) for service in (log.model.get("services") or log.plan.get("plan") or {})],
        "strangers": list(log.plan.get("strangers") or []),
        "checks": [{key: step.get(key) for key in ("step", "ok", "seconds", "detail")} for step in log.checks],
    }


def service_entry(name: str, log: HostLog, at: t.Callable[[float], Event], offset: float, begun: float, check: bool) -> dict[str, t.Any]:
    """The part of a service: what it is, what was planned for it, and when what happened to it."""
    model = (log.model.get("services") or {}).get(name) or {}
    plan = (log.plan.get("plan") or {}).get(name) or {}
    acted = actions(name, "start", log.tasks)
    made = [task for task in acted if task.action == MAKES]
    seen = sight(name, log.waits)
    started, ready = (epoch(str(seen[key])) - offset if seen else None for key in ("started", "ready"))
    jobs = init_jobs(name, log.tasks)
    failed = service_failure(name, log, at)
    created = min([made[0].begun, *([] if started is None or started < made[0].begun - abs(offset) - 1 else [started])]) if made else None
    image = str(model.get("image") or "")
    entry = {
        "name": name,
        "image": image,
        "image_id": str((log.info.get("images") or {}).get(image) or ""),
        "depends_on": dict(model.get("depends_on") or {}),
        "ports": [port.get("port") for port in model.get("ports") or []],
        "planned": {**at(log.planned), "action": str(plan["action"]), "why": [reason(each) for each in plan.get("why") or []]} if plan else None,
        "begun": at(acted[0].begun) if acted else None,
        "created": None if created is None else at(created),
        "started": None if started is None else at(started),
        "ready": None if ready is None else at(ready),
        "done": at(acted[-1].done) if acted else None,
        "already": bool(seen and started is not None and (seen.get("already") or started < begun)),
        "probe": str(seen.get("probe") or "") if seen else "",
        "init": [{"job": job, "begun": at(first), "done": at(last), "ok": ok} for job, first, last, ok in jobs],
        "init_done": at(jobs[-1][2]) if jobs and all(ok for *_others, ok in jobs) else None,
        "failed": failed,
        "restored": name in log.restored,
    }
    return {**entry, "status": status(entry, check)}


def status(entry: t.Mapping[str, t.Any], check: bool) -> str:
    """In one word: failed, restored, planned, untouched, ready, begun, unreached."""
    if entry["failed"]:
        return "restored" if entry["restored"] else "failed"
    idle = entry["planned"] is not None and entry["planned"]["action"] == "none"
    if check and entry["planned"]:
        return "untouched" if idle else "planned"
    if entry["ready"]:
        return "untouched" if idle and not entry["init"] else "ready"
    return "begun" if entry["begun"] else "unreached"


def sight(name: str, waits: t.Iterable[Wait]) -> t.Mapping[str, t.Any] | None:
    """The entry of the service's last start that saw it ready first."""
    entries = [entry for wait in waits for entry in wait.timeline if entry["service"] == name]
    return min(entries, key=lambda entry: (-epoch(str(entry["started"])), epoch(str(entry["ready"])))) if entries else None


def actions(name: str, kind: str, tasks: t.Iterable[Task]) -> list[Task]:
    """Tasks that have acted on the service, in steps of this kind."""
    return [
        task
        for task in tasks
        if name in served(task.step, kind) and task.action != PROVES and task.action.rsplit(".", 1)[-1] not in IDLE
    ]


def served(step: t.Mapping[str, t.Any], kind: str) -> t.Sequence[str]:
    """The services of a step; none if it is of another kind. A step that makes several containers starts each."""
    if step.get("kind") == "make" and kind == "start":
        return t.cast("list[str]", step["services"])
    return [str(step.get("service"))] if step.get("kind") == kind else []


def init_jobs(name: str, tasks: t.Iterable[Task]) -> list[tuple[str, float, float, bool]]:
    """(job, begun, done, whether it succeeded) of every init job that was run for the service, in order."""
    found: dict[str, list[Task]] = {}
    for task in actions(name, "init", tasks):
        found.setdefault(str(task.step.get("job") or ""), []).append(task)
    return [(job, done[0].begun, done[-1].done, not any(task.failed for task in done)) for job, done in found.items()]


def service_failure(name: str, log: HostLog, at: t.Callable[[float], Event]) -> dict[str, t.Any] | None:
    """Why the service did not get ready, with the exit code if its container has ended; None if nothing of it failed."""
    for wait in log.waits:
        for failure in wait.failures:
            if failure["service"] == name:
                best: t.Mapping[str, t.Any] = next(iter(failure.get("findings") or []), {})
                return {
                    **at(wait.done),
                    "reason": tidy(str(failure["reason"]), MESSAGE_LIMIT),
                    "kind": str(failure.get("kind") or ""),
                    "exit_code": failure.get("exit_code"),
                    "meaning": str(best.get("meaning") or ""),
                    "fix": str(best.get("fix") or ""),
                }
    for task in [*actions(name, "start", log.tasks), *actions(name, "init", log.tasks)]:
        if task.failed and (not task.unmade or name in task.unmade):
            return {**at(task.done), "reason": "the task failed: " + task.name, "kind": "task", "exit_code": None, "meaning": "", "fix": ""}
    return None


def reason(why: t.Mapping[str, t.Any]) -> dict[str, str]:
    """A reason of the plan."""
    return {key: tidy(str(why.get(key)), WHY_LIMIT) for key in ("name", "current", "desired")}


def tidy(text: str, limit: int) -> str:
    """``text`` without what looks like a password, and not longer than ``limit``."""
    text = redact(text.strip(), [])
    return text if len(text) <= limit else text[: limit - 3] + "..."


def phases(tasks: t.Sequence[Task]) -> list[tuple[str, float, float]]:
    """(role, begun, done) of tasks in a row that belong together: those of one role, and all that a step of the schedule includes."""
    found: list[tuple[str, float, float]] = []
    for task in tasks:
        name = "service" if task.step else task.role.rsplit(".", 1)[-1]
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1], max(found[-1][2], task.done))
        elif name:
            found.append((name, task.begun, task.done))
    return found


def windows(log: HostLog) -> list[tuple[float, float, float]]:
    """(time by the host's clock, earliest, latest by the controller's) of everything that must have happened while a task ran."""
    found = [(epoch(str(entry["ready"])), wait.begun, wait.done) for wait in log.waits for entry in wait.timeline]
    for task in log.tasks:
        # Where data are set aside, docker_container removes.
        if task.failed or not (task.action == MAKES or (task.action == STARTS and not task.step.get("set_aside"))):
            continue
        for service in served(task.step, "start"):
            seen = sight(service, log.waits)
            if seen and not seen.get("already") and service not in log.restored:
                found.append((epoch(str(seen["started"])), task.begun, task.done))
    return found


def clock_offset(pairs: t.Sequence[tuple[float, float, float]], slack: float = 0.002) -> float:
    """Seconds by which the host's clock is ahead; 0.0 if every event fits into its window as it is.

    Else the middle of what would fit all. A clock that was set while the run went on fits no window; the middle is taken then too.
    slack: the host's times are cut to milliseconds.
    """
    if all(earliest - slack <= host <= latest + slack for host, earliest, latest in pairs):
        return 0.0
    return (max(host - latest for host, _earliest, latest in pairs) + min(host - earliest for host, earliest, _latest in pairs)) / 2
