# SPDX-License-Identifier: GPL-3.0-or-later
"""One timed run of a command on the controller: seconds, output with the time of each line, processor time and memory."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ansible_collections.cozeops.studio.tests.bench.benchkit.figures import BenchError

SAMPLE_SECONDS = 0.25
# An unfinished run is not slow, it hangs.
LIMIT_SECONDS = 900.0


class Finished(NamedTuple):
    what: str
    seconds: float
    code: int
    lines: list[tuple[float, str]]  # seconds since the start, text
    cpu_seconds: float  # user and system, with all children that were waited for
    largest_process_mb: float
    memory_mb: float  # of all processes together, shared pages counted once; 0 if not watched

    @property
    def output(self) -> str:
        return "".join(text for dummy, text in self.lines)


def descendants(parents: Mapping[int, int], root: int) -> set[int]:
    """A process and all that stem from it; `parents` maps process to parent."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    todo = [root]
    while todo:
        pid = todo.pop()
        if pid not in found:
            found.add(pid)
            todo += children.get(pid, [])
    return found


def parent_of(stat: str) -> int:
    """From /proc/PID/stat, whose second field is a name in brackets that may hold blanks and brackets."""
    return int(stat.rpartition(")")[2].split()[1])


def _parents() -> dict[int, int]:
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found[int(name)] = parent_of(Path("/proc", name, "stat").read_text(encoding="utf-8", errors="replace"))
            except OSError:  # it has ended
                continue
    return found


def _proportional_kb(pid: int) -> int:
    """The process's share of memory: a page that n processes have counts as 1/n."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


class _Memory:
    """The most memory that a process and its descendants had, looked at four times a second."""

    def __init__(self, pid: int) -> None:
        self.most_kb = 0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self.most_kb = max(self.most_kb, sum(map(_proportional_kb, descendants(_parents(), self._pid))))

    def stop(self) -> float:
        self._done.set()
        self._thread.join()
        return self.most_kb / 1024


def run(what: str, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, watch_memory: bool = False) -> Finished:
    """Run and time it; the output goes to `log` as well. A run that fails is a BenchError."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    begin = time.monotonic()
    process = subprocess.Popen(
        argv, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, encoding="utf-8", errors="replace", start_new_session=True,
    )  # fmt: skip
    memory = _Memory(process.pid) if watch_memory else None
    timer = threading.Timer(LIMIT_SECONDS, process.kill)
    timer.start()
    lines: list[tuple[float, str]] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append((time.monotonic() - begin, line))
        # Not wait(): only this tells what the process and its children have used.
        dummy, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        timer.cancel()
        most = memory.stop() if memory else 0.0
        if process.returncode is None:
            process.kill()
            process.wait()
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(f"{at:8.3f} {text}" for at, text in lines), encoding="utf-8")
    finished = Finished(what, seconds, process.returncode, lines, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, most)
    if finished.code != 0:
        end = "".join(text for dummy, text in lines[-40:])
        raise BenchError(f"{what} ended with code {finished.code} after {seconds:.0f} s; the whole output is in {log}, this is its end:\n{end}")
    return finished
