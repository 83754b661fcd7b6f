# SPDX-License-Identifier: GPL-3.0-or-later
"""The module, with an Engine that is a dict of containers."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.modules import container_swap
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main
from docker.errors import APIError, NotFound

SECRET = "engine-s3cret"
NAME, KEPT = "lab-nsqd", "lab-nsqd-previous"


class Engine:
    """What the module asks of an APIClient, and what was asked of it."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.failing: dict[str, Exception] = {}

    def add(self, name: str, identity: str, status: str = "running", policy: str = "unless-stopped", log: str = "", stop_timeout: int | None = 30) -> None:
        self.containers[name] = {
            "Id": identity,
            "State": {"Status": status},
            "HostConfig": {"RestartPolicy": {"Name": policy}},
            "Config": {"StopTimeout": stop_timeout},
            "log": log,
        }

    def _call(self, verb: str, *arguments: Any) -> None:
        self.calls.append((verb, *arguments))
        if verb in self.failing:
            raise self.failing[verb]

    def inspect_container(self, name: str) -> dict[str, Any]:
        if "inspect" in self.failing:
            raise self.failing["inspect"]
        if name not in self.containers:
            raise NotFound(name)
        return self.containers[name]

    def stop(self, name: str, timeout: int) -> None:
        self._call("stop", name, timeout)
        self.containers[name]["State"]["Status"] = "exited"

    def rename(self, name: str, new: str) -> None:
        self._call("rename", name, new)
        assert new not in self.containers
        self.containers[new] = self.containers.pop(name)

    def update_container(self, name: str, restart_policy: dict[str, Any]) -> None:
        self._call("update", name, restart_policy["Name"])
        self.containers[name]["HostConfig"]["RestartPolicy"] = restart_policy

    def remove_container(self, name: str, v: bool, force: bool) -> None:
        self._call("remove", name)
        assert not v, "volumes stay"
        del self.containers[name]

    def start(self, name: str) -> None:
        self._call("start", name)
        self.containers[name]["State"]["Status"] = "running"

    def logs(self, name: str, stdout: bool, stderr: bool, tail: int) -> bytes:
        return "\n".join(self.containers[name]["log"].splitlines()[-tail:]).encode()

    def shown(self) -> dict[str, tuple[str, str, str]]:
        return {name: (info["Id"], info["State"]["Status"], info["HostConfig"]["RestartPolicy"]["Name"]) for name, info in self.containers.items()}


class Host:
    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys, self.engine = root, capsys, Engine()
        self.reachable = True
        (root / "env").mkdir()
        (root / "env" / "nsqd.env").write_text(f"NSQ_PASSWORD={SECRET}\n")
        monkeypatch.setattr(container_swap, "connect", self.connect)

    def connect(self) -> Engine:
        if not self.reachable:
            raise EngineError("no Docker Engine answers: x")
        return self.engine

    def swap(self, state: str, *names: str, check: bool = False, **more: Any) -> dict[str, Any]:
        return run_main(container_swap.main, self.capsys, {"root": str(self.root), "state": state, "containers": list(names or [NAME]), **more}, check)

    def four_times(self, state: str) -> list[dict[str, Any]]:
        """Check, do, again, again in check mode. A check does nothing, and shows what the run then shows."""
        before = copy.deepcopy(self.engine.containers)
        check = self.swap(state, check=True)
        assert self.engine.containers == before
        assert self.engine.calls == []
        done = self.swap(state)
        assert {**check, "invocation": {}} == {**done, "invocation": {}}
        after = copy.deepcopy(self.engine.containers)
        again = [self.swap(state), self.swap(state, check=True)]
        assert self.engine.containers == after
        assert [run["failed"] for run in (check, done, *again)] == [False] * 4
        return [check, done, *again]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(tmp_path, monkeypatch, capsys)


def changes(runs: list[dict[str, Any]]) -> list[bool]:
    return [run["changed"] for run in runs]


def test_a_container_is_put_aside_within_its_own_stop_timeout(host: Host) -> None:
    host.engine.add(NAME, "old")
    runs = host.four_times("aside")
    assert changes(runs) == [True, True, False, False]
    assert host.engine.shown() == {KEPT: ("old", "exited", "no")}
    assert host.engine.calls[0] == ("stop", NAME, 30)
    assert runs[1]["swaps"][0]["done"] == ["stopped lab-nsqd", "renamed lab-nsqd to lab-nsqd-previous", "gave lab-nsqd-previous the restart policy no"]
    assert runs[1]["diff"] == {"before": "lab-nsqd: running, container old\n", "after": "lab-nsqd-previous: exited, container old\n"}


def test_a_container_without_a_stop_timeout_has_the_engines(host: Host) -> None:
    host.engine.add(NAME, "old", stop_timeout=None)
    host.swap("aside")
    assert host.engine.calls[0] == ("stop", NAME, 10)


def test_what_is_not_there_needs_nothing(host: Host) -> None:
    for state in ("aside", "committed", "restored"):
        assert changes(host.four_times(state)) == [False] * 4


def test_an_unproved_one_makes_way_and_the_proved_one_is_kept(host: Host) -> None:
    host.engine.add(NAME, "new", "created")
    host.engine.add(KEPT, "old", "exited", "no")
    assert changes(host.four_times("aside")) == [True, True, False, False]
    assert host.engine.shown() == {KEPT: ("old", "exited", "no")}


def test_the_earlier_one_goes_when_the_new_one_is_proved(host: Host) -> None:
    host.engine.add(NAME, "new")
    host.engine.add(KEPT, "old", "exited", "no")
    runs = host.four_times("committed")
    assert changes(runs) == [True, True, False, False]
    assert host.engine.shown() == {NAME: ("new", "running", "unless-stopped")}
    assert (runs[1]["swaps"][0]["previous"], runs[2]["swaps"][0]["previous"]) == (True, False)


def test_the_earlier_one_stays_if_the_new_one_has_ended(host: Host) -> None:
    host.engine.add(NAME, "new", "restarting")
    host.engine.add(KEPT, "old", "exited", "no")
    result = host.swap("committed")
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"] == "lab-nsqd is restarting, so lab-nsqd-previous is kept"
    assert result["swaps"][0]["refused"] is True
    assert set(host.engine.containers) == {NAME, KEPT}


def test_the_earlier_one_comes_back_and_the_log_of_the_new_one_is_kept_without_secrets(host: Host) -> None:
    host.engine.add(NAME, "new", "restarting", log=f"one\n\x1b[31mbad password {SECRET}\x1b[0m\nthree\n")
    host.engine.add(KEPT, "old", "exited", "no")
    runs = host.four_times("restored")
    assert changes(runs) == [True, True, False, False]
    assert host.engine.shown() == {NAME: ("old", "running", "unless-stopped")}
    assert [verb for verb, *_rest in host.engine.calls] == ["stop", "remove", "update", "rename", "start"]
    assert runs[1]["swaps"][0]["log"][0] == "one"
    assert runs[1]["swaps"][0]["log"][1].startswith("bad password ")
    assert SECRET not in str(runs)


def test_only_the_last_lines_of_a_log_are_kept(host: Host) -> None:
    host.engine.add(NAME, "new", log="\n".join(map(str, range(100))))
    host.engine.add(KEPT, "old", "exited", "no")
    assert host.swap("restored", log_lines=2)["swaps"][0]["log"] == ["98", "99"]


def test_several_are_swapped_in_one_call_each_once(host: Host) -> None:
    for name in ("lab-a", "lab-b"):
        host.engine.add(name, name)
    result = host.swap("aside", "lab-a", "lab-missing", "lab-b", "lab-a")
    assert [entry["name"] for entry in result["swaps"]] == ["lab-a", "lab-missing", "lab-b"]
    assert set(host.engine.containers) == {"lab-a-previous", "lab-b-previous"}


# --- trouble


@pytest.mark.parametrize("verb", ["stop", "rename", "update"])
def test_trouble_while_putting_aside_is_told_without_secrets_and_can_be_gone_on_from(host: Host, verb: str) -> None:
    host.engine.add(NAME, "old")
    host.engine.failing[verb] = APIError(f"server error with {SECRET}")
    result = host.swap("aside")
    assert result["failed"] is True
    assert "run the playbook again" in result["msg"]
    assert SECRET not in str(result)
    host.engine.failing.clear()
    assert host.swap("aside")["failed"] is False
    assert host.engine.shown() == {KEPT: ("old", "exited", "no")}


def test_a_container_that_cannot_be_renamed_runs_again(host: Host) -> None:
    host.engine.add(NAME, "old")
    host.engine.failing["rename"] = APIError("no")
    assert host.swap("aside")["msg"].endswith("It runs again.")
    assert host.engine.shown()[NAME][1] == "running"


def test_a_container_that_can_neither_be_renamed_nor_started_is_told(host: Host) -> None:
    host.engine.add(NAME, "old")
    host.engine.failing = {"rename": APIError("no"), "start": APIError(f"no {SECRET}")}
    message = host.swap("aside")["msg"]
    assert "It is stopped, and could not be started again: " in message
    assert SECRET not in message


@pytest.mark.parametrize("verb", ["stop", "remove", "update", "rename"])
def test_trouble_while_bringing_back_can_be_gone_on_from(host: Host, verb: str) -> None:
    host.engine.add(NAME, "new")
    host.engine.add(KEPT, "old", "exited", "no")
    host.engine.failing[verb] = APIError("server error")
    assert host.swap("restored")["failed"] is True
    host.engine.failing.clear()
    assert host.swap("restored")["failed"] is False
    assert host.engine.shown() == {NAME: ("old", "running", "unless-stopped")}


def test_trouble_with_one_does_not_keep_the_others(host: Host) -> None:
    host.engine.add("lab-a-previous", "a", "exited", "no")
    host.engine.add("lab-b", "b")
    host.engine.add("lab-b-previous", "c", "exited", "no")
    result = host.swap("committed", "lab-a", "lab-b")
    assert result["failed"] is True
    assert set(host.engine.containers) == {"lab-a-previous", "lab-b"}


def test_an_engine_that_stops_answering_is_told(host: Host) -> None:
    host.engine.failing["inspect"] = OSError("connection reset")
    assert host.swap("aside")["msg"] == "lab-nsqd could not be looked at: connection reset"


def test_without_an_engine_a_run_fails_and_a_check_has_nothing_to_do(host: Host) -> None:
    host.reachable = False
    assert host.swap("aside")["msg"] == "no Docker Engine answers: x"
    assert changes([host.swap("aside", check=True)]) == [False]


def test_a_check_fails_for_nothing(host: Host) -> None:
    host.engine.add(NAME, "new", "exited")
    host.engine.add(KEPT, "old", "exited", "no")
    result = host.swap("committed", check=True)
    assert (result["failed"], result["changed"]) == (False, False)
    assert result["swaps"][0]["problem"]
