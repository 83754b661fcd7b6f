# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the network of a host lets through: names, addresses to listen on, and endpoints over HTTP. Each call is bounded, and many run side by side."""

from __future__ import annotations

import errno
import http.client
import ipaddress
import queue
import socket
import ssl
import threading
import time
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cozeops.studio.plugins.module_utils._check import Check, fail, ok, warn
from ansible_collections.cozeops.studio.plugins.module_utils._registry import unreachable

#: The name by which containers know their host.
GATEWAY_NAME = "host.docker.internal"

Result = t.TypeVar("Result")


class Endpoint(t.NamedTuple):
    """Where a model is asked: scheme, host, port and path of its URL."""

    name: str
    scheme: str
    host: str
    port: int
    path: str

    @property
    def address(self) -> str:
        return "%s:%d" % ("[%s]" % self.host if ":" in self.host else self.host, self.port)


def together(jobs: t.Sequence[t.Callable[[], Result]], seconds: float, workers: int = 16) -> list[Result | None]:
    """The results of all jobs, in their order; None for one that was not done in time, or has raised.

    A name server that is silent cannot be told to hurry, so its thread is left behind: they end with the process.
    """
    results: list[Result | None] = [None] * len(jobs)
    waiting: queue.Queue[int] = queue.Queue()
    for number in range(len(jobs)):
        waiting.put(number)
    done: queue.Queue[tuple[int, Result | None]] = queue.Queue()

    def work() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            result = None
            try:
                result = jobs[number]()
            finally:
                done.put((number, result))

    for dummy in range(min(workers, len(jobs))):
        threading.Thread(target=work, daemon=True).start()
    deadline = time.monotonic() + seconds
    for dummy in range(len(jobs)):
        try:
            number, result = done.get(timeout=max(deadline - time.monotonic(), 0.001))
        except queue.Empty:
            break
        results[number] = result
    return results


# -- names


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def name_check(host: str) -> Check:
    """Whether the host's resolver knows a name."""
    try:
        found = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError):
        cure = "Correct it, or the name servers in /etc/resolv.conf of the host, or add it to /etc/hosts."
        return fail("name", host, "the name %s cannot be resolved" % host, cure)
    return ok("name", host, ", ".join(found[:3]) + (" and %d more" % (len(found) - 3) if len(found) > 3 else ""))


def name_late(host: str, seconds: float) -> Check:
    return fail("name", host, "no name server answers for %s within %.3g s" % (host, seconds), "Correct the name servers in /etc/resolv.conf of the host.")


# -- ports


def bind_check(address: str, port: int, service: str, variable: str) -> Check:
    """Whether the host has the address and lets a port of it be taken. The port is only bound, never listened on, and given back at once."""
    area, name = "port", "listen on %s:%d" % (address, port)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as handle:
            # As Docker's own: connections of a former listener that are still closing are no hindrance.
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            handle.bind((address, port))
    except OSError as exc:
        if exc.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return fail(
                area,
                name,
                "the host has no address %s, on which %s is to listen" % (address, service),
                "Set %s to an address of the host, or to 0.0.0.0." % ("stack_listen" if variable == "stack_public_url" else variable),
            )
        if exc.errno == errno.EADDRINUSE:
            return fail(area, name, "port %d is taken by something that does not listen yet" % port, "Set another port in %s." % variable)
        if exc.errno in (errno.EACCES, errno.EPERM):
            return warn(area, name, "this user may not take port %d" % port, "Run the playbook with become, as the Engine runs as root.")
        return fail(area, name, "port %d cannot be taken: %s" % (port, exc.strerror), "Set another port in %s." % variable)
    return ok(area, name, "can be taken")


# -- endpoints


def endpoint_of(name: str, url: str) -> Endpoint | Check:
    """The parts of a URL, or the row that says why it is none. A URL may hold a key in its query: it is not shown."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = url.partition("?")[0].rpartition("@")[2]
        return fail("endpoint", name, "%s is no URL" % (shown or "an empty text"), "Write base_url as http://host:port/v1 or https://host/v1.")
    return Endpoint(name, parts.scheme, parts.hostname, port or {"http": 80, "https": 443}[parts.scheme], parts.path or "/")


def endpoint_check(endpoint: Endpoint, timeout: float, connect_to: str | None = None, proxied: bool = False) -> Check:
    """Whether anything speaks HTTP there. No key is sent, so a refusal for want of one is right.

    connect_to: the address to use in place of the name. proxied: containers go another way, so a failure here is a doubt only.
    """
    area = "endpoint"
    if endpoint.host == "localhost" or (is_address(endpoint.host) and ipaddress.ip_address(endpoint.host).is_loopback):
        return fail(
            area,
            endpoint.name,
            "%s is the container itself, not the host" % endpoint.address,
            "Write http://%s:%d, and let the model server listen on 0.0.0.0 (Ollama: OLLAMA_HOST)." % (GATEWAY_NAME, endpoint.port),
        )
    state = warn if proxied else fail
    way = " The containers' proxy was not tried." if proxied else ""
    try:
        status = request(endpoint, timeout, connect_to)
    except (OSError, http.client.HTTPException) as exc:
        where = endpoint.address + (" (%s)" % connect_to if connect_to else "")
        if isinstance(exc, ssl.SSLError) and not isinstance(exc, ssl.SSLCertVerificationError):
            return state(area, endpoint.name, "%s does not speak TLS as https needs it" % where, "Should base_url begin with http://?" + way)
        if isinstance(exc, http.client.HTTPException):
            return state(area, endpoint.name, "%s does not speak HTTP (%s)" % (where, type(exc).__name__), "Should base_url begin with https://?" + way)
        cure = "Start what is to listen there, let it listen on more than 127.0.0.1, or correct base_url or a firewall." + way
        return state(area, endpoint.name, unreachable(exc, where, timeout), cure)
    if status >= 500:
        return warn(area, endpoint.name, "%s answers with HTTP %d" % (endpoint.address, status), "The way is open, but the server is not well: look at it.")
    return ok(area, endpoint.name, "%s answers (HTTP %d)" % (endpoint.address, status))


def request(endpoint: Endpoint, timeout: float, connect_to: str | None) -> int:
    """The status of a GET of the endpoint's path."""
    connection: http.client.HTTPConnection
    if endpoint.scheme == "https":
        connection = http.client.HTTPSConnection(endpoint.host, endpoint.port, timeout=timeout, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(connect_to or endpoint.host, endpoint.port, timeout=timeout)
    try:
        connection.request("GET", endpoint.path, headers={"Host": endpoint.address, "Accept": "*/*"})
        return connection.getresponse().status
    finally:
        connection.close()


def endpoint_late(endpoint: Endpoint, timeout: float, proxied: bool) -> Check:
    cure = "Correct base_url, or the name servers or a firewall on the way." + (" The containers' proxy was not tried." if proxied else "")
    return (warn if proxied else fail)("endpoint", endpoint.name, "%s gave no answer within %.3g s" % (endpoint.address, timeout), cure)
