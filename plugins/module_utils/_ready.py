# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until containers are ready, all at once, or one has failed. Private to this collection.

What is known of a service is a ``Watch``: plain data, so that a wait can be cut into slices. ``look`` takes one look at one service; ``wait`` runs a
thread per service that looks again and again. The Engine is behind the small ``Engine`` protocol.
"""

from __future__ import annotations

import copy
import datetime
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Callable, NamedTuple, Protocol

from ansible_collections.cozeops.studio.plugins.module_utils._catalogue import explain
from ansible_collections.cozeops.studio.plugins.module_utils._probe import (
    NamespaceDenied,
    Outcome,
    ProcessGone,
    Runner,
    in_netns,
    needs_namespace,
    run_step,
    step_name,
)

INTERVAL = 0.1  # between two attempts at one service
EXEC_INTERVAL = 0.5  # a command in the container costs it more than a packet
INSPECT_INTERVAL = 1.0  # while the process lives; a process that is gone is looked up at once
LINGER = 0.5  # a slice waits this long for more news after the first
FIRST_LOOK = 0.5  # a wait that is over at once gives every other service this long to be looked at
LONG_RUNNING = 60.0  # a container that ran longer than this before the call was not started for it
LINE_LIMIT = 500

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_FRACTION = re.compile(r"\.(\d+)")


class Engine(Protocol):
    """What the wait needs of a Docker Engine."""

    def inspect(self, container: str) -> dict[str, Any] | None:
        """The container's description, None if there is no such container."""

    def logs(self, container: str, lines: int) -> str:
        """Its last lines of output."""

    def run(self, container: str, command: list[str], user: str, timeout: float) -> tuple[int, str]:
        """Exit code and output of a command in it."""


class EngineTrouble(Exception):
    """The Engine did not do what it was asked."""


class Verdict(NamedTuple):
    """Why a container can not get ready any more."""

    kind: str  # missing, created, exited, restarting, oom, refused, namespace, timeout
    reason: str


@dataclass
class Watch:
    """What is known of one service. ``failure`` and ``ready`` end it."""

    name: str
    container: str
    steps: list[dict[str, Any]]
    ready_timeout: float
    baseline: str = ""  # StartedAt that the caller knows of
    started: str = ""  # StartedAt that was seen first
    restarts: int | None = None  # RestartCount that was seen first
    pid: int = 0
    step: int = 0
    attempts: int = 0
    reason: str = "not looked at yet"
    ready: float | None = None
    probe: str = ""
    failure: tuple[str, str] | None = None
    info: dict[str, Any] = field(default_factory=dict)
    inspected: float = 0.0

    # What another slice needs; the rest is seen again.
    KEPT = ("started", "restarts", "pid", "step", "attempts", "reason", "ready", "probe")


def kept(watch: Watch) -> dict[str, Any]:
    """The part of a watch that goes into the next slice."""
    data = asdict(watch)
    return {key: data[key] for key in Watch.KEPT}


def restore(watch: Watch, state: Mapping[str, Any]) -> None:
    """Put back what ``kept`` took."""
    for entry in fields(watch):
        if entry.name in Watch.KEPT and entry.name in state:
            setattr(watch, entry.name, state[entry.name])


def epoch(docker_time: str) -> float:
    """Seconds since 1970 of an Engine's time (nanoseconds, Z or an offset); 0.0 for "never" and for what is not a time."""
    text = docker_time.strip().replace("Z", "+00:00")
    text = _FRACTION.sub(lambda match: "." + match.group(1)[:6].ljust(6, "0"), text)
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    if moment.year < 1970:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp()


def iso(seconds: float) -> str:
    """ISO 8601, UTC, milliseconds."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def judge(info: Mapping[str, Any] | None, watch: Watch) -> Verdict | None:
    """Whether the container's state rules out that it gets ready; None if it may."""
    if info is None:
        return Verdict("missing", f"there is no container {watch.container}" + (" any more" if watch.started else ""))
    state = info.get("State") or {}
    status = str(state.get("Status") or "")
    said = f": {state['Error']}" if state.get("Error") else ""
    count = int(info.get("RestartCount") or 0)
    if status in ("exited", "dead"):
        if state.get("OOMKilled"):
            return Verdict("oom", f"it was killed because it went over its memory limit (exit code {state.get('ExitCode')})")
        return Verdict("exited", f"it ended with exit code {state.get('ExitCode')}{said}")
    if status == "restarting":
        return Verdict("oom" if state.get("OOMKilled") else "restarting", f"it ends again and again, with exit code {state.get('ExitCode')}{said}")
    if status == "removing":
        return Verdict("missing", "it is being removed")
    if status == "created":
        return Verdict("created", f"it was created but never started{said}")
    if watch.restarts is not None and count > watch.restarts:
        return Verdict("restarting", f"it ended and was started again by its restart policy (restart {count})")
    if watch.baseline and epoch(str(state.get("StartedAt") or "")) > epoch(watch.baseline) + 0.001:
        return Verdict("restarting", "it was started again since it was deployed")
    return None


def look(watch: Watch, engine: Engine, env: Callable[[str], str], now: Callable[[], float] = time.time) -> None:
    """One look at one service: its state if need be, then its next probe steps until one is not passed. Updates ``watch``."""
    watch.attempts += 1
    if not _alive(watch.pid) or now() - watch.inspected >= INSPECT_INTERVAL:
        try:
            info = engine.inspect(watch.container)
        except EngineTrouble as exc:
            watch.reason = str(exc)
            return
        verdict = judge(info, watch)
        if verdict is not None or info is None:
            watch.info, watch.failure = info or {}, verdict
            return
        _note(watch, info, now())
        if info["State"].get("Paused"):
            watch.reason = "the container is paused"
            return
    outcome = _probe(watch, engine, env)
    if watch.step >= len(watch.steps):
        watch.probe = step_name(watch.steps[-1]) if watch.steps else ""
        watch.reason = ""
        watch.ready = now()  # last: the thread that reads looks at this first
        return
    watch.reason = outcome.reason
    if outcome.final:
        watch.failure = Verdict("refused", outcome.reason)
    elif watch.info.get("State", {}).get("OOMKilled"):
        watch.failure = Verdict("oom", "one of its processes was killed because the container went over its memory limit")


def _note(watch: Watch, info: dict[str, Any], now: float) -> None:
    state = info["State"]
    started = str(state.get("StartedAt") or "")
    if watch.started != started:  # first sight, or somebody restarted it: begin again
        watch.started, watch.step = started, 0
    if watch.restarts is None:
        watch.restarts = int(info.get("RestartCount") or 0)
    watch.pid, watch.info, watch.inspected = int(state.get("Pid") or 0), info, now


def _probe(watch: Watch, engine: Engine, env: Callable[[str], str]) -> Outcome:
    """Run the steps that are left; advances ``watch.step``."""

    def run(command: list[str], user: str, timeout: float) -> tuple[int, str]:
        return engine.run(watch.container, command, user, timeout)

    outcome = Outcome(True)
    while watch.step < len(watch.steps):
        step = watch.steps[watch.step]
        try:
            outcome = _attempt(step, watch.pid, env, run)
        except ProcessGone:
            outcome = Outcome(False, f"its process {watch.pid} is not on this machine; the Engine has to run where the module runs")
        except NamespaceDenied as exc:
            watch.failure = Verdict("namespace", f"its network namespace cannot be entered ({exc}); the play needs become: true")
            return Outcome(False, watch.failure[1])
        except EngineTrouble as exc:
            outcome = Outcome(False, str(exc))
        if not outcome.ok:
            return outcome
        watch.step += 1
    return outcome


def _attempt(step: Mapping[str, Any], pid: int, env: Callable[[str], str], run: Runner) -> Outcome:
    if needs_namespace(step):
        return in_netns(pid, lambda: run_step(step, env, run))
    return run_step(step, env, run)


def _alive(pid: int) -> bool:
    return pid > 0 and os.path.exists(f"/proc/{pid}/ns/net")


def _pause(watch: Watch) -> float:
    step = watch.steps[min(watch.step, len(watch.steps) - 1)]
    return INTERVAL if needs_namespace(step) else EXEC_INTERVAL


def wait(
    watches: Sequence[Watch],
    engine: Engine,
    env: Callable[[str, str], str],
    until: Iterable[str],
    begun: float,
    timeout: float,
    slice_seconds: float = 0.0,
    once: bool = False,
) -> list[Watch]:
    """Look at all services at once until those of ``until`` are ready, one has failed, or the time is over.

    env: (service, key) -> value; begun: when the first slice began; timeout: seconds from then; slice_seconds: come back after this long, or soon after
    something changed (0: stay); once: look once and come back. Returns copies, which a late thread does not change any more.
    """
    stop = threading.Event()
    names = set(until)
    looked: set[str] = set()
    known = {watch.name for watch in watches if watch.ready is not None}

    def body(watch: Watch) -> None:
        while not stop.is_set() and watch.ready is None and watch.failure is None:
            look(watch, engine, lambda key: env(watch.name, key))
            looked.add(watch.name)
            if once:
                return
            stop.wait(_pause(watch))

    threads = [threading.Thread(target=body, args=(watch,), daemon=True) for watch in watches if watch.ready is None]
    for thread in threads:
        thread.start()
    entered, news = time.time(), 0.0
    while True:
        all_looked = len(looked) == len(threads)
        seen = [copy.copy(watch) for watch in watches]
        _recheck(seen, watches, engine)
        now = time.time()
        if once and not any(thread.is_alive() for thread in threads):
            seen = [copy.copy(watch) for watch in watches]
            break
        failed = any(watch.failure for watch in seen)
        if failed or overdue(seen, names, begun, timeout, now):
            break
        # What is ready besides need not be waited for the next time.
        if _all_ready(seen, names) and (all_looked or now - entered >= FIRST_LOOK):
            break
        if not news and any(watch.ready is not None and watch.name not in known for watch in seen):
            news = now
        if slice_seconds and (now - entered >= slice_seconds or (news and now - news >= LINGER)):
            break
        stop.wait(INTERVAL / 4)
    stop.set()
    return seen


def _all_ready(watches: Iterable[Watch], until: set[str]) -> bool:
    return all(watch.ready is not None for watch in watches if watch.name in until)


def _recheck(seen: Sequence[Watch], watches: Sequence[Watch], engine: Engine) -> None:
    """A service that was ready may end while others are waited for."""
    for shown, watch in zip(seen, watches):
        if shown.ready is not None and shown.failure is None and not _alive(shown.pid):
            try:
                info = engine.inspect(shown.container)
            except EngineTrouble:
                continue
            verdict = judge(info, shown)
            if verdict is not None:
                watch.info = shown.info = info or {}
                watch.failure = shown.failure = Verdict(verdict.kind, "it was ready, then " + verdict.reason)
            elif info is not None:
                watch.pid = shown.pid = int(info["State"].get("Pid") or 0)


def since(watch: Watch, begun: float) -> float:
    """From when its waiting time counts: the start of the container, or of the call if that is later."""
    return max(begun, epoch(watch.started))


def overdue(watches: Iterable[Watch], until: set[str], begun: float, timeout: float, now: float) -> list[Watch]:
    """Services of ``until`` whose time is over; all that are not ready if the whole call's is."""
    late = [watch for watch in watches if watch.name in until and watch.ready is None and watch.failure is None]
    if now - begun >= timeout:
        return late
    return [watch for watch in late if now - since(watch, begun) >= watch.ready_timeout]


def counted_from(watch: Watch, begun: float) -> float:
    """From when its seconds are told: the start of the container, or of the call if it ran long before."""
    started = epoch(watch.started)
    return started if begun - started <= LONG_RUNNING else begun


def timeline_entry(watch: Watch, begun: float) -> dict[str, Any]:
    """When a ready service started, and how long it took; ``already`` marks one that ran long before the call."""
    ready, base = watch.ready or 0.0, counted_from(watch, begun)
    entry = {
        "service": watch.name,
        "started": iso(epoch(watch.started)),
        "ready": iso(ready),
        "seconds": round(max(0.0, ready - base), 2),
        "probe": watch.probe,
    }
    return {**entry, "already": True} if base == begun else entry


def failure_entry(watch: Watch, verdict: Verdict, log: str, lines: int, clean: Callable[[str], str]) -> dict[str, Any]:
    """Everything an operator needs to know of a failed service, without secrets."""
    state = watch.info.get("State") or {}
    status = str(state.get("Status") or "missing")
    ended = status in ("exited", "dead", "restarting")
    code = int(state.get("ExitCode") or 0) if ended else None
    said = [str(state["Error"])] if state.get("Error") else []
    raw = tidy(log, lines)
    oom = bool(state.get("OOMKilled"))
    return {
        "service": watch.name,
        "container": watch.container,
        "kind": verdict.kind,
        "reason": clean(verdict.reason),
        "state": status,
        "exit_code": code,
        "oom": oom,
        "restarts": int(watch.info.get("RestartCount") or 0),
        "log": [clean(line)[:LINE_LIMIT] for line in raw],
        "findings": [
            {"id": finding.id, "meaning": finding.meaning, "fix": finding.fix, "line": clean(finding.line)[:LINE_LIMIT]}
            for finding in explain(watch.name, code, oom, [*raw, *said])
        ],
    }


def tidy(log: str, lines: int) -> list[str]:
    """The last lines of a log that are not empty, without colours and control characters."""
    cleaned = (_CONTROL.sub("", line).rstrip() for line in log.replace("\r\n", "\n").split("\n"))
    return [line for line in cleaned if line][-lines:] if lines else []
