# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to this collection: run a function in the network namespace of a container."""

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect, inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._probe import NamespaceDenied, ProcessGone, in_netns

T = t.TypeVar("T")


def running_pid(name: str) -> int:
    """The process id of a running container's first process. Raises EngineError."""
    info = inspect_or_none(connect(), name)
    if info is None:
        raise EngineError("via_container: there is no container %s on this host" % name)
    pid = int(info["State"].get("Pid") or 0)
    if not pid:
        raise EngineError("via_container: container %s is not running (%s)" % (name, info["State"].get("Status")))
    return pid


def via_container(name: str | None, work: t.Callable[[], T]) -> T:
    """The result of ``work``, whose sockets are opened in the container's network namespace if a name is given. Raises EngineError."""
    if name is None:
        return work()
    try:
        return in_netns(running_pid(name), work)
    except ProcessGone as exc:
        raise EngineError("via_container: container %s stopped just now" % name) from exc
    except NamespaceDenied as exc:
        raise EngineError("via_container: entering the network of %s needs root on the Engine's own machine (%s)" % (name, exc)) from exc
