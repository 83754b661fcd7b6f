# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""This run of ansible-playbook, as the holder of a lock. Private to this collection."""

from __future__ import annotations

import os
import socket
import sys
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._ledger import now
from ansible_collections.cozeops.studio.plugins.module_utils._runs import user


def started(pid: int) -> int:
    """When the process was started, in ticks since boot; 0 if there is none, or this is no Linux."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as stream:
            # The name, in brackets, may have blanks in it.
            return int(stream.read().rpartition(")")[2].split()[19])
    except OSError:
        return 0


def this_run(reason: str) -> dict[str, t.Any]:
    """The holder that this process's run is; an action is run by a child of it."""
    pid = os.getppid()
    words = [os.path.basename(word) for word in sys.argv if word.endswith((".yml", ".yaml"))] or [os.path.basename(word) for word in sys.argv[:1]]
    return {
        "who": user(),
        "controller": socket.gethostname(),
        "pid": pid,
        "started": started(pid),
        "since": now(),
        "playbook": words[-1],
        "reason": reason,
    }


def is_gone(holder: t.Mapping[str, t.Any]) -> bool:
    """Whether the holder was a run on this machine that is no more. Of other machines nobody can tell."""
    return holder.get("controller") == socket.gethostname() and started(int(holder.get("pid") or 0)) != holder.get("started")
