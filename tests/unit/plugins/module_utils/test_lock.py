# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._lock import CHANGES, described, holder_of, is_module, note, older_modules, release, settle, take
from ansible_collections.cozeops.studio.plugins.plugin_utils._holder import is_gone, started, this_run


def run(pid: int, **more: Any) -> dict[str, Any]:
    return {"who": "ann", "controller": "ops", "pid": pid, "started": 7, "since": "2026-01-31T12:00:00+00:00", "playbook": "site.yml", "reason": "", **more}


def test_one_has_it_until_it_lets_go(tmp_path: Path) -> None:
    path = str(tmp_path / "run" / "coze.lock")
    assert holder_of(path) is None
    assert take(path, run(1)) is None
    assert take(path, run(1, since="later")) is None, "a run that has it may ask again"
    assert take(path, run(2)) == run(1)
    assert release(path, run(2)) is False
    assert release(path, run(1)) is True
    assert release(path, run(1)) is False
    assert take(path, run(2)) is None
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_lock_is_broken_for_who_is_named_or_for_anybody(tmp_path: Path) -> None:
    path = str(tmp_path / "coze.lock")
    take(path, run(1))
    assert take(path, run(2), run(3)) == run(1), "another one was meant"
    assert take(path, run(2), run(1)) is None
    assert take(path, run(3), {}) is None
    assert holder_of(path) == run(3)


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_file_that_cannot_be_read_is_somebodys(tmp_path: Path, content: str) -> None:
    path = tmp_path / "coze.lock"
    path.write_text(content)
    assert take(str(path), run(1)) == {}
    assert described({}) == "by a run that has left no word of itself"


def test_of_many_at_once_one_gets_it(tmp_path: Path) -> None:
    path, got = str(tmp_path / "coze.lock"), []
    barrier = threading.Barrier(8)

    def ask(number: int) -> None:
        barrier.wait()
        got.append(take(path, run(number)) is None)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got.count(True) == 1


def test_who_has_it_is_told_in_words() -> None:
    assert described(run(42)) == "by ann on ops since 2026-01-31T12:00:00+00:00 (site.yml, process 42)"
    assert described(run(42, reason="new model")).endswith("process 42): new model")


def test_changes_are_lines(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    for number in range(2):
        note(str(tmp_path), {"number": number, "reason": "ü\n"})
    lines = (tmp_path / CHANGES).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"number": 0, "reason": "ü\n"}, {"number": 1, "reason": "ü\n"}]
    assert stat.S_IMODE(os.stat(tmp_path / CHANGES).st_mode) == 0o600


def test_a_run_on_this_machine_that_is_no_more_is_gone() -> None:
    mine = this_run("why")
    assert mine["pid"] == os.getppid()
    assert mine["reason"] == "why"
    assert mine["started"] == started(os.getppid()) > 0
    assert is_gone(mine) is False
    assert is_gone({**mine, "started": 1}) is True, "another process has its number now"
    assert is_gone({**mine, "pid": 2**22 + 1}) is True
    assert is_gone({**mine, "pid": 2**22 + 1, "controller": "elsewhere"}) is False, "nobody can tell from here"


@pytest.mark.parametrize(
    ("words", "is_one"),
    [
        (["/usr/bin/python3.13", ""], True),
        (["/usr/bin/python3", "/root/.ansible/tmp/x/AnsiballZ_stack_plan.py", ""], True),
        (["python3", "-m", "http.server"], False),
        (["/bin/sh", "-c", "python3"], False),
        ([""], False),
    ],
)
def test_a_module_is_known_by_its_arguments(words: list[str], is_one: bool) -> None:
    assert is_module(words) is is_one


def process(proc: Path, pid: int, parent: int, started: int, words: str = "/usr/bin/python3\0", terminal: int = 0) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cmdline").write_text(words)
    # A name may have anything in it.
    fields = ["S", str(parent), "1", "1", str(terminal), *["0"] * 14, str(started)]
    (proc / str(pid) / "stat").write_text("%d (python) 3) %s 0\n" % (pid, " ".join(fields)))


def test_what_another_run_has_begun_is_older_and_no_parent(tmp_path: Path) -> None:
    process(tmp_path, 50, 40, 900)
    process(tmp_path, 40, 1, 890)
    process(tmp_path, 60, 1, 500)
    process(tmp_path, 61, 1, 500, terminal=34816)
    process(tmp_path, 62, 1, 950)
    process(tmp_path, 63, 1, 500, words="/usr/bin/mysqld\0")
    (tmp_path / "meminfo").write_text("")
    assert older_modules(str(tmp_path), me=50) == {60}


def test_a_lock_is_broken_when_what_was_begun_has_ended(tmp_path: Path) -> None:
    path, proc = str(tmp_path / "coze.lock"), tmp_path / "proc"
    me = os.getpid()
    process(proc, me, 1, 900)
    process(proc, me + 1, 1, 500)
    take(path, run(1))
    timer = threading.Timer(0.5, (proc / str(me + 1) / "cmdline").unlink)
    timer.start()
    begun = time.monotonic()
    assert take(path, run(2), run(1), lambda: settle(20, str(proc))) is None
    assert 0.4 < time.monotonic() - begun < 10
    timer.join()
    begun = time.monotonic()
    (proc / str(me + 1) / "cmdline").write_text("/usr/bin/python3")
    settle(0.3, str(proc))
    assert 0.3 <= time.monotonic() - begun < 5, "what never ends is not waited for for ever"


def test_who_has_waited_too_does_not_break_the_new_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "coze.lock")
    take(path, run(1))

    def other() -> None:
        os.unlink(path)
        take(path, run(3))

    assert take(path, run(2), run(1), other) == run(3)
