# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to this collection: run a function in the network namespace of a container."""

from __future__ import annotations

import socket
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect, inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._http import Connect, Deadline
from ansible_collections.cozeops.studio.plugins.module_utils._probe import NamespaceDenied, ProcessGone, in_netns
from ansible_collections.cozeops.studio.plugins.module_utils._resolve import NameUnknown, resolve

T = t.TypeVar("T")


def running(name: str) -> dict[str, t.Any]:
    """What the Engine knows of a container that runs. Raises EngineError."""
    info = inspect_or_none(connect(), name)
    if info is None:
        raise EngineError("via_container: there is no container %s on this host" % name)
    if not info["State"].get("Pid"):
        raise EngineError("via_container: container %s is not running (%s)" % (name, info["State"].get("Status")))
    return info


def running_pid(name: str) -> int:
    """The process id of a running container's first process. Raises EngineError."""
    return int(running(name)["State"]["Pid"])


def via_container(name: str | None, work: t.Callable[[], T]) -> T:
    """The result of ``work``, whose sockets are opened in the container's network namespace if a name is given. Raises EngineError.

    Names do not resolve there, as the resolver asks the host's servers from a network that may not reach them: see as_container.
    """
    if name is None:
        return work()
    return _inside(name, running_pid(name), work)


def as_container(name: str | None, timeout: float, work: t.Callable[[Connect | None], T]) -> T:
    """The result of ``work``, which gets a way to connect that knows the container's names too (None if no name is given). Raises EngineError.

    ``timeout`` (seconds) is for each connection. What it raises is an OSError, NameUnknown for a name that the container cannot resolve.
    """
    if name is None:
        return work(None)
    info = running(name)
    hosts, resolv = (_text_of(name, str(info.get(key) or "")) for key in ("HostsPath", "ResolvConfPath"))
    return _inside(name, int(info["State"]["Pid"]), lambda: work(connector(name, hosts, resolv, timeout)))


def connector(container: str, hosts: str, resolv: str, timeout: float) -> Connect:
    """A way to connect by the texts of a container's hosts and resolv.conf."""

    def connected(host: str, port: int) -> socket.socket:
        deadline = Deadline(timeout)
        try:
            addresses = resolve(host, hosts, resolv, deadline)
        except NameUnknown as exc:
            raise NameUnknown("container %s does not know the name %s: %s" % (container, host, exc)) from exc
        for address in addresses[:-1]:
            try:
                return socket.create_connection((address, port), deadline.left())
            except OSError:
                deadline.left()
        return socket.create_connection((addresses[-1], port), deadline.left())

    return connected


def _text_of(name: str, path: str) -> str:
    if not path:
        return ""
    try:
        # The Engine's own copies: what is in the container may be a link to anywhere.
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as exc:
        raise EngineError("via_container: reading %s of container %s needs root on the Engine's own machine (%s)" % (path, name, exc.strerror)) from exc


def _inside(name: str, pid: int, work: t.Callable[[], T]) -> T:
    try:
        return in_netns(pid, work)
    except ProcessGone as exc:
        raise EngineError("via_container: container %s stopped just now" % name) from exc
    except NamespaceDenied as exc:
        raise EngineError("via_container: entering the network of %s needs root on the Engine's own machine (%s)" % (name, exc)) from exc
