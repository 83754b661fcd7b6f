# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait, against an Engine that is a dict and a process that is this one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _ready
from ansible_collections.cozeops.studio.plugins.module_utils._ready import (
    FIRST_LOOK,
    EngineTrouble,
    Watch,
    counted_from,
    epoch,
    failure_entry,
    iso,
    judge,
    kept,
    overdue,
    restore,
    tidy,
    timeline_entry,
    wait,
)

Answer = Callable[[], "tuple[int, str]"]


def inspected(status: str = "running", restarts: int = 0, started: float | None = None, pid: int | None = None, **state: Any) -> dict[str, Any]:
    return {
        "RestartCount": restarts,
        "State": {
            "Status": status,
            "Pid": (os.getpid() if status == "running" else 0) if pid is None else pid,
            "StartedAt": iso(time.time() if started is None else started),
            "ExitCode": 0,
            "OOMKilled": False,
            "Error": "",
            **state,
        },
    }


class FakeEngine:
    """Containers by name; probes are commands, answered by functions."""

    def __init__(self, containers: dict[str, Any], answers: dict[str, Answer] | None = None) -> None:
        self.containers, self.answers = containers, answers or {}
        self.calls: list[str] = []

    def inspect(self, container: str) -> dict[str, Any] | None:
        found = self.containers.get(container)
        if isinstance(found, Exception):
            raise found
        return found() if callable(found) else found

    def logs(self, container: str, lines: int) -> str:
        return f"log of {container}\n"

    def run(self, container: str, command: list[str], user: str, timeout: float) -> tuple[int, str]:
        self.calls.append(f"{container} {command[0]}")
        return self.answers[command[0]]()


def ok() -> tuple[int, str]:
    return 0, ""


def not_yet() -> tuple[int, str]:
    return 1, "not yet"


def after(seconds: float) -> Answer:
    due = time.time() + seconds
    return lambda: ok() if time.time() >= due else not_yet()


def watch(name: str, *commands: str, **more: Any) -> Watch:
    steps: list[dict[str, Any]] = [{"type": "exec", "command": [command]} for command in commands or (name,)]
    return Watch(name=name, container=f"c-{name}", steps=steps, **{"ready_timeout": 60, **more})


def go(watches: list[Watch], engine: FakeEngine, until: list[str] | None = None, timeout: float = 10, **more: Any) -> dict[str, Watch]:
    names = [entry.name for entry in watches] if until is None else until
    return {entry.name: entry for entry in wait(watches, engine, lambda service, key: "", names, time.time(), timeout, **more)}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ready, "EXEC_INTERVAL", 0.02)
    monkeypatch.setattr(_ready, "INSPECT_INTERVAL", 0.05)


# --- times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:01.123456789Z", 1.123456),
        ("2026-01-31T12:00:00.123456789Z", 1769860800.123457),
        ("2026-01-31T12:00:00Z", 1769860800),
        ("1970-01-01T02:00:01+02:00", 1.0),
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
        ("soon", 0.0),
    ],
)
def test_times_of_the_engine(text: str, seconds: float) -> None:
    assert epoch(text) == pytest.approx(seconds)


def test_times_are_written_in_utc_with_milliseconds() -> None:
    assert iso(1.5) == "1970-01-01T00:00:01.500Z"


# --- judge


@pytest.mark.parametrize(
    ("info", "kind", "words"),
    [
        (None, "missing", "there is no container c-x"),
        (inspected("exited", ExitCode=2), "exited", "it ended with exit code 2"),
        (inspected("exited", ExitCode=127, Error="exec: no such file"), "exited", "it ended with exit code 127: exec: no such file"),
        (inspected("exited", ExitCode=137, OOMKilled=True), "oom", "it was killed because it went over its memory limit (exit code 137)"),
        (inspected("dead", ExitCode=1), "exited", "it ended with exit code 1"),
        (inspected("restarting", ExitCode=1), "restarting", "it ends again and again, with exit code 1"),
        (inspected("removing"), "missing", "it is being removed"),
        (inspected("created", Error="port is already allocated"), "created", "it was created but never started: port is already allocated"),
    ],
)
def test_states_that_end_the_wait(info: dict[str, Any] | None, kind: str, words: str) -> None:
    verdict = judge(info, watch("x"))
    assert verdict is not None
    assert (verdict.kind, verdict.reason) == (kind, words)


@pytest.mark.parametrize("info", [inspected(), inspected(restarts=3), inspected("paused"), inspected(OOMKilled=True)])
def test_states_that_do_not(info: dict[str, Any]) -> None:
    assert judge(info, watch("x")) is None


def test_more_restarts_than_at_first_sight_end_the_wait() -> None:
    assert judge(inspected(restarts=3), watch("x", restarts=3)) is None
    verdict = judge(inspected(restarts=4), watch("x", restarts=3))
    assert verdict is not None
    assert verdict.kind == "restarting"


def test_a_later_start_than_the_caller_knows_ends_the_wait() -> None:
    assert judge(inspected(started=1000.0), watch("x", baseline=iso(1000.0))) is None
    verdict = judge(inspected(started=1001.0), watch("x", baseline=iso(1000.0)))
    assert verdict is not None
    assert verdict.kind == "restarting"


# --- wait


def test_it_ends_when_all_are_ready() -> None:
    engine = FakeEngine({"c-a": inspected(), "c-b": inspected()}, {"a": ok, "b": after(0.2)})
    seen = go([watch("a"), watch("b")], engine)
    assert all(entry.ready for entry in seen.values())
    assert seen["a"].ready < seen["b"].ready
    assert seen["b"].probe == "exec"


def test_services_are_polled_side_by_side() -> None:
    barrier = threading.Barrier(3, timeout=5)

    def meet() -> tuple[int, str]:
        barrier.wait()
        return ok()

    names = ["a", "b", "c"]
    engine = FakeEngine({f"c-{name}": inspected() for name in names}, dict.fromkeys(names, meet))
    assert all(entry.ready for entry in go([watch(name) for name in names], engine).values())


def test_it_ends_when_those_of_until_are_ready_and_tells_of_the_others() -> None:
    engine = FakeEngine({"c-a": inspected(), "c-b": inspected(), "c-c": inspected()}, {"a": ok, "b": after(0.2), "c": not_yet})
    seen = go([watch("a"), watch("b"), watch("c")], engine, until=["b"])
    assert seen["a"].ready
    assert seen["b"].ready
    assert seen["c"].ready is None
    assert seen["c"].reason == "c ended with 1: not yet"


def slow(seconds: float) -> Answer:
    """Passes, but takes its time."""

    def look() -> tuple[int, str]:
        time.sleep(seconds)
        return ok()

    return look


def test_it_looks_at_each_once_before_it_ends() -> None:
    engine = FakeEngine({"c-a": inspected(), "c-b": inspected()}, {"a": ok, "b": slow(0.2)})
    assert go([watch("a"), watch("b")], engine, until=["a"])["b"].ready


def test_a_look_that_takes_long_does_not_keep_it() -> None:
    engine = FakeEngine({"c-a": inspected(), "c-b": inspected()}, {"a": ok, "b": slow(FIRST_LOOK + 2)})
    begun = time.monotonic()
    assert go([watch("a"), watch("b")], engine, until=["a"])["b"].ready is None
    assert FIRST_LOOK <= time.monotonic() - begun < FIRST_LOOK + 1


def test_steps_pass_in_order_and_only_once() -> None:
    engine = FakeEngine({"c-a": inspected()}, {"one": ok, "two": after(0.1), "three": ok})
    assert go([watch("a", "one", "two", "three")], engine)["a"].ready
    assert engine.calls.count("c-a one") == 1
    assert engine.calls.count("c-a two") > 1
    assert engine.calls.index("c-a three") == len(engine.calls) - 1


def test_a_restart_by_hand_begins_with_the_first_step_again() -> None:
    starts = iter([1000.0, 1000.0, 2000.0])
    last = [0.0]

    def container() -> dict[str, Any]:
        last[0] = next(starts, last[0])
        return inspected(started=last[0])

    engine = FakeEngine({"c-a": container}, {"one": ok, "two": after(0.3)})
    assert go([watch("a", "one", "two")], engine)["a"].ready
    assert engine.calls.count("c-a one") == 2


def test_a_container_that_ends_ends_the_wait_at_once() -> None:
    state = {"c-a": inspected(), "c-b": inspected()}
    engine = FakeEngine(state, {"a": not_yet, "b": not_yet})
    threading.Timer(0.2, lambda: state.update({"c-a": inspected("exited", ExitCode=1)})).start()
    begun = time.time()
    seen = go([watch("a"), watch("b")], engine, until=["b"])
    assert time.time() - begun < 2
    assert seen["a"].failure == ("exited", "it ended with exit code 1")


def test_a_ready_container_that_ends_while_others_are_waited_for() -> None:
    state = {"c-a": inspected(), "c-b": inspected()}

    def ready_then_gone() -> tuple[int, str]:
        state["c-a"] = inspected("exited", ExitCode=3)
        return ok()

    engine = FakeEngine(state, {"a": ready_then_gone, "b": not_yet})
    first = watch("a")
    threading.Timer(0.3, lambda: setattr(first, "pid", 0)).start()  # its process is gone
    seen = go([first, watch("b")], engine)
    assert seen["a"].failure == ("exited", "it was ready, then it ended with exit code 3")


def test_memory_counts_only_while_a_service_is_not_ready() -> None:
    engine = FakeEngine({"c-a": inspected(OOMKilled=True), "c-b": inspected(OOMKilled=True)}, {"a": ok, "b": not_yet})
    assert go([watch("a")], engine)["a"].failure is None
    failure = go([watch("b")], engine)["b"].failure
    assert failure is not None
    assert failure[0] == "oom"


def test_an_engine_in_trouble_is_waited_for() -> None:
    state: dict[str, Any] = {"c-a": EngineTrouble("the Docker Engine does not answer: x")}
    engine = FakeEngine(state, {"a": ok})
    threading.Timer(0.2, lambda: state.update({"c-a": inspected()})).start()
    assert go([watch("a")], engine)["a"].ready
    assert go([watch("a")], FakeEngine({"c-a": EngineTrouble("gone")}), timeout=0.2)["a"].reason == "gone"


def test_a_namespace_that_is_closed_to_us_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(pid: int, fn: Callable[[], Any]) -> Any:
        raise _ready.NamespaceDenied("Operation not permitted")

    monkeypatch.setattr(_ready, "in_netns", denied)
    entry = Watch(name="a", container="c-a", steps=[{"type": "tcp", "port": 1}], ready_timeout=60)
    failure = go([entry], FakeEngine({"c-a": inspected()}))["a"].failure
    assert failure is not None
    assert failure[0] == "namespace"
    assert "become: true" in failure[1]


def test_it_ends_with_the_call_and_with_the_service_that_is_late() -> None:
    engine = FakeEngine({"c-a": inspected(), "c-b": inspected()}, {"a": not_yet, "b": not_yet})
    for watches, timeout in (([watch("a"), watch("b")], 0.3), ([watch("a", ready_timeout=0.3), watch("b")], 60)):
        begun = time.time()
        seen = go(watches, engine, timeout=timeout)
        assert 0.3 <= time.time() - begun < 2
        assert not any(entry.ready for entry in seen.values())


def test_a_slice_ends_soon_after_news_or_when_it_is_over() -> None:
    engine = FakeEngine({"c-a": inspected(), "c-b": inspected()}, {"a": after(0.2), "b": not_yet})
    begun = time.time()
    seen = go([watch("a"), watch("b")], engine, timeout=60, slice_seconds=30)
    assert seen["a"].ready
    assert time.time() - begun < 2
    begun = time.time()
    go([seen["a"], watch("b")], engine, timeout=60, slice_seconds=0.3)  # a was told before: no news
    assert 0.3 <= time.time() - begun < 2


def test_once_looks_once() -> None:
    engine = FakeEngine({"c-a": inspected()}, {"a": ok, "b": not_yet})
    seen = go([watch("a"), watch("b")], engine, once=True)
    assert seen["a"].ready
    assert seen["b"].failure == ("missing", "there is no container c-b")
    assert engine.calls == ["c-a a"]


# --- late ones, slices, results


def test_time_counts_from_the_start_or_the_call_whichever_is_later() -> None:
    old, young = watch("old", started=iso(0.0), ready_timeout=10), watch("young", started=iso(105.0), ready_timeout=10)
    names = {"old", "young"}
    assert overdue([old, young], names, 100.0, 60, 109.0) == []
    assert overdue([old, young], names, 100.0, 60, 111.0) == [old]
    assert overdue([old, young], {"young"}, 100.0, 60, 111.0) == []
    assert overdue([old, young], names, 100.0, 8, 109.0) == [old, young]


def test_a_watch_survives_its_slice() -> None:
    before = watch("a", started="x", restarts=2, pid=7, step=1, reason="why", ready=5.0, probe="tcp")
    later = watch("a")
    restore(later, {**kept(before), "waited": 3.0})
    assert kept(later) == kept(before)


def test_seconds_count_from_the_start_or_from_the_call_if_it_ran_long_before() -> None:
    new = watch("a", started=iso(1000.0), ready=1007.25, probe="tcp")
    assert timeline_entry(new, 1002.0) == {
        "service": "a",
        "started": "1970-01-01T00:16:40.000Z",
        "ready": "1970-01-01T00:16:47.250Z",
        "seconds": 7.25,
        "probe": "tcp",
    }
    old = timeline_entry(watch("a", started=iso(100.0), ready=1000.5, probe="tcp"), 1000.0)
    assert (old["seconds"], old["already"]) == (0.5, True)
    assert counted_from(new, 1002.0) == 1000.0


def test_a_failure_tells_everything_without_secrets() -> None:
    failed = watch("mysql", info=inspected("exited", restarts=1, ExitCode=1))
    log = "start\n\x1b[31mERROR\x1b[0m [MY-010457] secret1\n"
    entry = failure_entry(failed, _ready.Verdict("exited", "it ended with secret1"), log, 50, lambda text: text.replace("secret1", "***"))
    findings = entry.pop("findings")
    assert entry == {
        "service": "mysql",
        "container": "c-mysql",
        "kind": "exited",
        "reason": "it ended with ***",
        "state": "exited",
        "exit_code": 1,
        "oom": False,
        "restarts": 1,
        "log": ["start", "ERROR [MY-010457] ***"],
    }
    assert [(finding["id"], finding["line"]) for finding in findings] == [("mysql-dirty-directory", "ERROR [MY-010457] ***")]


def test_what_the_engine_said_is_explained_as_well() -> None:
    info = inspected("created", Error="Bind for 127.0.0.1:8888 failed: port is already allocated")
    entry = failure_entry(watch("web", info=info), _ready.Verdict("created", "x"), "", 50, str)
    assert entry["findings"][0]["id"] == "port-in-use"
    assert entry["exit_code"] is None


def test_a_log_is_cut_to_its_last_lines() -> None:
    assert tidy("a\r\n\nb\x00\nc\n", 2) == ["b", "c"]
    assert tidy("a\n", 0) == []
