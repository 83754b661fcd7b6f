# SPDX-License-Identifier: GPL-3.0-or-later
"""What every kind of test may use."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "logs"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --no-long-after."""
    parser.addoption("--no-long-after", type=float, metavar="SECONDS", help="skip long tests that would end later than that (seconds since the epoch)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What every change needs comes first, so that a limit of time hits what says little more."""
    items.sort(key=lambda item: item.get_closest_marker("long") is not None)


#: For each mark `long`, why its tests are skipped, or "". A file whose first test began is run to its end.
TOO_LATE: dict[int, str] = {}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips long tests that would not end in time."""
    limit, mark = item.config.getoption("--no-long-after"), item.get_closest_marker("long")
    if limit is None or mark is None:
        return
    if id(mark) not in TOO_LATE:
        minutes = mark.kwargs["minutes"]
        late = time.time() + 60 * minutes > limit
        TOO_LATE[id(mark)] = f"takes about {minutes} minutes, which are not left; make test LONG=all has the time" if late else ""
    if TOO_LATE[id(mark)]:
        pytest.skip(TOO_LATE[id(mark)])


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def run_logged() -> Callable[..., str]:
    """Run a long command with its output in build/logs/NAME.log; a failure shows the end of that, or of its lines that match `keep`."""

    def run(
        name: str,
        argv: Sequence[str | Path],
        cwd: Path = ROOT,
        env: Mapping[str, str] | None = None,
        timeout: int = 1800,
        keep: str = "",
    ) -> str:
        LOGS.mkdir(parents=True, exist_ok=True)
        log = LOGS / f"{name}.log"
        environment = {**os.environ, "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}", "NO_COLOR": "1", **(env or {})}
        with log.open("wb") as output:
            try:
                code: int | str = subprocess.run(
                    argv, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=timeout, check=False
                ).returncode
            except subprocess.TimeoutExpired:
                code = f"none, it was stopped after {timeout} s"
        text = log.read_text(encoding="utf-8", errors="replace")
        if code != 0:
            end = "\n".join([line for line in text.splitlines() if re.search(keep, line)][-150:])
            print(f"{' '.join(map(str, argv))}\n\n{end}")
            pytest.fail(f"{name}: exit code {code}; the whole output is in {log}", pytrace=False)
        return text

    return run
