# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is changing a stack: a file on its host that one run can have at a time, and a line for each change.

A holder is {"who", "controller", "pid", "started" (ticks since boot), "since" (UTC), "playbook", "reason"}: a run of ansible-playbook on some machine.
"""

from __future__ import annotations

import json
import os
import typing as t

#: Gone with a reboot of the host, as is what was done when it went down.
DIRECTORY = "/run/cozeops"
CHANGES = "state/changes.log"

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


def take(path: str, holder: Holder, breaks: Holder | None = None) -> dict[str, t.Any] | None:
    """Take the lock; None, or who has it. A run that has it already keeps it. Raises OSError.

    ``breaks``: a holder whose lock does not count any more; an empty one stands for any.
    """
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        found = holder_of(path)
        if found is not None and same(found, holder):
            return None
        if found is not None and breaks is not None and (not breaks or same(breaks, found)):
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
    """Add a line to the stack's list of changes. Raises OSError."""
    path = os.path.join(root, CHANGES)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(dict(entry), ensure_ascii=False) + "\n")


def described(holder: Holder) -> str:
    """The holder in words."""
    if not holder.get("who"):
        return "by a run that has left no word of itself"
    words = "by %s on %s since %s (%s, process %s)" % tuple(holder.get(key, "?") for key in ("who", "controller", "since", "playbook", "pid"))
    return words + (": " + holder["reason"] if holder.get("reason") else "")
