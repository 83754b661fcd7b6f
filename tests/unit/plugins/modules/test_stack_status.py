# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host tells of a stack's memory, disk, certificate and changes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.plugins.modules import stack_status
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_memory_of_either_version_of_control_groups(tmp_path: Path) -> None:
    proc, cgroup = tmp_path / "proc", tmp_path / "cgroup"
    write(proc / "7" / "cgroup", "0::/docker/abc\n")
    write(cgroup / "docker" / "abc" / "memory.current", "1000\n")
    write(cgroup / "docker" / "abc" / "memory.stat", "anon 500\ninactive_file 300\n")
    write(proc / "8" / "cgroup", "12:pids:/docker/def\n4:cpu,memory:/docker/def\n")
    write(cgroup / "memory" / "docker" / "def" / "memory.usage_in_bytes", "2000\n")
    write(cgroup / "memory" / "docker" / "def" / "memory.stat", "inactive_file 1\ntotal_inactive_file 500\n")
    assert stack_status.memory_of(7, str(cgroup), str(proc)) == 700
    assert stack_status.memory_of(8, str(cgroup), str(proc)) == 1500
    assert stack_status.memory_of(9, str(cgroup), str(proc)) is None, "it has ended"


def test_sizes_of_directories_are_counted_once_there_is_one(tmp_path: Path) -> None:
    write(tmp_path / "data" / "mysql" / "ibdata", "x" * 100_000)
    assert stack_status.size_of([str(tmp_path / "none")], 5) is None
    assert stack_status.size_of([str(tmp_path / "data" / "mysql")], 0) is None, "not asked for"
    assert (stack_status.size_of([str(tmp_path / "data" / "mysql"), str(tmp_path / "none")], 5) or 0) >= 100_000
    assert stack_status.size_of([str(tmp_path / "data")], 0.000001) is None, "it takes too long"


def test_the_last_change_is_the_last_line(tmp_path: Path) -> None:
    assert stack_status.last_change(str(tmp_path)) == {}
    write(tmp_path / "state" / "changes.log", '{"at": "1"}\n{"at": "2"}\n\n')
    assert stack_status.last_change(str(tmp_path)) == {"at": "2"}
    write(tmp_path / "state" / "changes.log", '{"at": "1"}\n{"at": ')
    assert stack_status.last_change(str(tmp_path)) == {}, "a line that was cut off"


def test_drift_is_not_that_something_is_down() -> None:
    why = [{"name": name, "current": "", "desired": ""} for name in ("state", "container", "memory", "file conf/x")]
    assert stack_status.drift({"action": "recreate", "why": why}) == ["memory", "file conf/x"]


def test_a_certificate_that_cannot_be_seen_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"https://127.0.0.1:{port}"
    found = stack_status.certificate_of(url)
    assert found["url"] == url and found["problem"].startswith("not seen from here (")


def test_a_host_without_the_stack_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_main(stack_status.main, capsys, {"root": str(tmp_path)})
    assert result["failed"] and result["msg"] == f"there is no {tmp_path}/stack.json: no stack was deployed there"
