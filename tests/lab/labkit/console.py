# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator sees: progress lines with times, tables, one kind of error."""
from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence

_START = time.monotonic()
_LOCK = threading.Lock()


class LabError(Exception):
    """Something the operator can act on; its text is all that is shown."""


def say(text: str) -> None:
    """One progress line. On stderr, so that stdout stays data (tables, JSON)."""
    with _LOCK:
        print(f"[lab {time.monotonic() - _START:6.1f}s] {text}", file=sys.stderr, flush=True)


def shout(text: str) -> None:
    """A warning that is not overlooked."""
    rule = "!" * 78
    with _LOCK:
        print("\n".join([rule, *(f"!! {line}" for line in text.strip().splitlines()), rule]), file=sys.stderr, flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns, left aligned, two blanks between them."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip() for row in [head, *rows]]
    return "\n".join(lines)


def tail(path: str, count: int) -> str:
    """The last lines of a log file, empty if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-count:]).rstrip()
    except OSError:
        return ""
