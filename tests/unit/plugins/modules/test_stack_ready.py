# SPDX-License-Identifier: GPL-3.0-or-later
"""One slice of the module against an Engine that is a dict."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._ready import iso
from ansible_collections.cozeops.studio.plugins.modules import stack_ready


class FakeEngine:
    def __init__(self, **containers: dict[str, Any] | None) -> None:
        self.containers = containers

    def inspect(self, container: str) -> dict[str, Any] | None:
        return self.containers.get(container)

    def logs(self, container: str, lines: int) -> str:
        return "dial coze:topsecret@tcp(mysql:3306)\npanic: yaml: line 3: topsecret\n"

    def run(self, container: str, command: list[str], user: str, timeout: float) -> tuple[int, str]:
        return int(command[1]), "topsecret was refused"


def container(status: str = "running", **state: Any) -> dict[str, Any]:
    pid = os.getpid() if status == "running" else 0
    return {"RestartCount": 0, "State": {"Status": status, "Pid": pid, "StartedAt": iso(time.time() - 2), "ExitCode": 0, **state}}


def service(name: str, code: int = 0, **more: Any) -> dict[str, Any]:
    return {"name": name, "container": name, "probe": [{"type": "exec", "command": ["exit", code]}], "ready_timeout": 60.0, "started": "", **more}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "server.env").write_text("MYSQL_PASSWORD=topsecret\n")
    return tmp_path


def run(root: Path, engine: FakeEngine, *services: dict[str, Any], check_mode: bool = False, **more: Any) -> dict[str, Any]:
    params = {"services": list(services), "root": str(root), "until": None, "timeout": 60.0, "log_lines": 50, "slice": 0.0, "state": {}, **more}
    return stack_ready.run(params, engine, check_mode)


def test_ready_services_are_told_with_their_times(root: Path) -> None:
    result = run(root, FakeEngine(a=container()), service("a"))
    assert (result["finished"], result["ready"], result["waiting"], result["failures"]) == (True, ["a"], {}, [])
    assert 2 <= result["timeline"][0]["seconds"] < 4
    assert "state" not in result


def test_a_failed_service_is_told_and_explained_without_secrets(root: Path) -> None:
    result = run(root, FakeEngine(server=container("exited", ExitCode=2)), service("server"))
    assert result["finished"]
    assert result["failures"][0]["exit_code"] == 2
    assert result["failures"][0]["findings"][0]["id"] == "server-yaml"
    assert "topsecret" not in str(result)
    assert stack_ready.summary(result["failures"]).startswith("server (container server): it ended with exit code 2.\nA YAML file")


def test_reasons_hold_no_secrets(root: Path) -> None:
    result = run(root, FakeEngine(a=container()), service("a", 1), slice=0.3)
    assert result["waiting"] == {"a": "exit ended with 1: ******** was refused"}
    assert not result["finished"]
    assert "topsecret" not in str(result)


def test_a_late_service_is_a_failure_with_its_last_reason(root: Path) -> None:
    result = run(root, FakeEngine(a=container(), b=container()), service("a", 1), service("b"), timeout=0.5)
    assert result["finished"]
    assert result["ready"] == ["b"]
    assert result["failures"][0]["kind"] == "timeout"
    assert re.match(r"it is not ready after \d s: exit ended with 1", result["failures"][0]["reason"])


def test_a_slice_is_continued(root: Path) -> None:
    engine = FakeEngine(a=container(), b=container())
    first = run(root, engine, service("a"), service("b", 1), slice=0.3)
    assert (first["finished"], first["ready"]) == (False, ["a"])
    assert first["state"]["services"]["b"]["waited"] >= 2
    second = run(root, engine, service("a"), service("b"), slice=0.3, state=first["state"])
    assert (second["finished"], second["ready"]) == (True, ["a", "b"])
    assert second["timeline"][0] == first["timeline"][0]
    assert second["elapsed"] >= first["elapsed"]


def test_check_mode_looks_once_and_never_fails(root: Path) -> None:
    result = run(root, FakeEngine(a=container()), service("a", 1), service("b"), check_mode=True)
    assert result["finished"]
    assert result["waiting"]["a"].startswith("exit ended with 1")
    assert [failure["kind"] for failure in result["failures"]] == ["missing"]


@pytest.mark.parametrize(
    ("services", "until", "problem"),
    [
        ([service("a"), service("a")], [], "service a is given twice"),
        ([service("a")], ["b"], "until: there is no service b"),
        ([service("a", probe=[])], [], "service a: it has no probe, and a state alone proves nothing"),
        ([service("a", probe=[{"type": "tcp"}])], [], "service a: probe 1: tcp: port is missing"),
    ],
)
def test_bad_arguments_are_told(services: list[dict[str, Any]], until: list[str], problem: str) -> None:
    assert stack_ready.problems(services, until) == [problem]
