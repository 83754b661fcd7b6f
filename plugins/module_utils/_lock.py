# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is changing a stack: a file on its host that one run can have at a time, and a line for each change.

A holder is {"who", "controller", "pid", "started" (ticks since boot), "since" (UTC), "playbook", "reason"}: a run of ansible-playbook on some machine.
"""

from __future__ import annotations

import json
import os
import time
import typing as t

#: Gone with a reboot of the host, as is what was done when it went down.
DIRECTORY = "/run/cozeops"
CHANGES = "state/changes.log"
#: Seconds that a run which breaks a lock waits for what the run before has begun on the host. The longest is the stop of a store.
SETTLE = 150.0

Holder = t.Mapping[str, t.Any]


def lock_file(stack: str) -> str:
    return os.path.join(DIRECTORY, stack + ".lock")


def same(one: Holder, other: Holder) -> bool:
    """Whether it is one run."""
    return all(one.get(key) == other.get(key) for key in ("controller", "pid", "started"))


def holder_of(path: str) -> dict[str, t.Any] | None:
    """Who has it; None if nobody has. One that is just being written, or cannot be read, is somebody's."""
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def is_module(arguments: t.Sequence[str]) -> bool:
    """Whether a process with these arguments is a module of Ansible's: an interpreter that gets it from its input, or is given its file."""
    words = [word for word in arguments if word]
    if not words or not os.path.basename(words[0]).startswith("python"):
        return False
    return len(words) == 1 or any("AnsiballZ_" in word for word in words[1:])


def older_modules(proc: str = "/proc", me: int = 0) -> set[int]:
    """Processes of modules that were started before this one (``me``), which are none of its parents and no session of a person's."""
    mine = _started(proc, me or os.getpid())
    parents, pid = set(), me or os.getpid()
    while pid > 1 and pid not in parents:
        parents.add(pid)
        pid = _stat(proc, pid, 1)
    others = [name for name in os.listdir(proc) if name.isdigit() and int(name) not in parents]
    modules = [int(name) for name in others if is_module(_read(proc, name, "cmdline").split("\0")) and not _has_terminal(proc, name)]
    return {pid for pid in modules if _started(proc, pid) < mine}


def _read(proc: str, pid: str, name: str) -> str:
    try:
        with open(os.path.join(proc, pid, name), encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:  # it has ended
        return ""


def _stat(proc: str, pid: int, field: int) -> int:
    """A number of the process's stat, counted from behind its name; 0 for a process that is no more."""
    fields = _read(proc, str(pid), "stat").rpartition(")")[2].split()
    return int(fields[field]) if len(fields) > field else 0


def _started(proc: str, pid: int) -> int:
    return _stat(proc, pid, 19)


def _has_terminal(proc: str, pid: str) -> bool:
    return _stat(proc, int(pid), 4) != 0


def settle(seconds: float = SETTLE, proc: str = "/proc") -> None:
    """Wait until those modules have ended that run now: a run that is killed leaves the ones behind that it has begun on the host."""
    deadline = time.monotonic() + seconds
    waited = older_modules(proc)
    while waited and time.monotonic() < deadline:
        time.sleep(0.2)
        waited &= older_modules(proc)


def take(path: str, holder: Holder, breaks: Holder | None = None, settled: t.Callable[[], None] = lambda: None) -> dict[str, t.Any] | None:
    """Take the lock; None, or who has it. A run that has it already keeps it. Raises OSError.

    ``breaks``: a holder whose lock does not count any more; an empty one stands for any. Before it is broken, ``settled`` is called.
    """
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        found = holder_of(path)
        if found is not None and same(found, holder):
            return None
        if found is not None and breaks is not None and (not breaks or same(breaks, found)):
            settled()
            if holder_of(path) == found:  # and not yet that of a run which has waited as this one did
                os.unlink(path)
            found = None
        return take(path, holder) if found is None else found  # broken here, or let go in between
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(dict(holder), stream)
    return None


def release(path: str, holder: Holder) -> bool:
    """Let go of it; False if another has it, or nobody."""
    found = holder_of(path)
    if found is None or not same(found, holder):
        return False
    os.unlink(path)
    return True


def note(root: str, entry: t.Mapping[str, t.Any]) -> None:
    """Add a line to the stack's list of changes; nothing where there is no stack that could have one. Raises OSError."""
    path = os.path.join(root, CHANGES)
    if not os.path.isdir(os.path.dirname(path)):
        return
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(dict(entry), ensure_ascii=False) + "\n")


def described(holder: Holder) -> str:
    """The holder in words."""
    if not holder.get("who"):
        return "by a run that has left no word of itself"
    words = "by %s on %s since %s (%s, process %s)" % tuple(holder.get(key, "?") for key in ("who", "controller", "since", "playbook", "pid"))
    return words + (": " + holder["reason"] if holder.get("reason") else "")
