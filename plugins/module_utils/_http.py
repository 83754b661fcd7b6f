# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to this collection: HTTP requests on the standard library, within a time, over whatever way a connection is made.

http.client has a timeout for each read only, so that a server that sends a byte now and then holds it for ever. Here the time is for the whole.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import ssl
import time
import typing as t
from urllib.parse import urlsplit

Connect = t.Callable[[str, int], socket.socket]


class Target(t.NamedTuple):
    """Where to connect to."""

    scheme: str
    host: str
    port: int


def target_of_url(url: str) -> Target:
    """The URL's place; without a port, the scheme's own."""
    parts = urlsplit(url)
    return Target(parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


class Answer(t.NamedTuple):
    """An HTTP answer, whatever it is."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get_content_type()


class Deadline:
    """A point in time that may be moved; ``seconds`` is how long there was until it, for messages."""

    def __init__(self, seconds: float) -> None:
        self.move(seconds)

    def move(self, seconds: float, since: float | None = None) -> None:
        """End ``seconds`` after ``since`` (monotonic), which is now if it is not given."""
        self.seconds = seconds
        self.until = (time.monotonic() if since is None else since) + seconds

    def left(self) -> float:
        """Raises socket.timeout if there is no time left."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        return left


def tls_context(validate_certs: bool = True, ca_path: str | None = None) -> ssl.SSLContext:
    """Raises OSError (ssl.SSLError is one) if ``ca_path`` is no file with certificates."""
    context = ssl.create_default_context(cafile=ca_path)
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def excerpt(body: bytes, size: int = 160) -> str:
    """The beginning of a body on one line."""
    text = re.sub(r"\s+", " ", body[: size * 4].decode("utf-8", "replace")).strip()
    return (text[:size] + " ...") if len(text) > size else (text or "(empty)")


def transport_message(exc: Exception, host: str, port: int, timeout: float) -> str:
    """Why no answer came, in the operator's words."""
    where = "%s:%d" % (host, port)
    if isinstance(exc, socket.timeout):
        return "%s gave no answer within %.3g s" % (where, timeout)
    if isinstance(exc, ConnectionRefusedError):
        return "%s refuses connections: nothing listens there" % where
    if isinstance(exc, socket.gaierror):
        return "the name %s cannot be resolved" % host
    if isinstance(exc, ssl.SSLCertVerificationError):
        return "the certificate of %s is not trusted: %s" % (where, exc.verify_message)
    if isinstance(exc, ssl.SSLError):
        return "%s does not speak TLS as https needs it (%s): should url begin with http://?" % (where, getattr(exc, "reason", None) or exc)
    if isinstance(exc, http.client.IncompleteRead):
        return "%s closed the connection in the middle of the answer" % where
    if isinstance(exc, (http.client.HTTPException, ConnectionResetError, BrokenPipeError)):
        return "%s closed the connection without a valid HTTP answer (%s)" % (where, type(exc).__name__)
    return "%s cannot be reached: %s" % (where, exc)


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv_into(buffer)


class _Socket:
    """What http.client needs of a socket, with one deadline for all that is sent and received."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock, self._deadline = sock, deadline

    def sendall(self, data: t.Any) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def makefile(self, *dummy: t.Any, **also_dummy: t.Any) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock, self._deadline))

    def close(self) -> None:
        """Nothing: http.client closes when the headers are there, and the body is still to come."""


def opened(target: Target, deadline: Deadline, connect: Connect | None, tls: t.Callable[[], ssl.SSLContext]) -> socket.socket:
    """A socket to ``target``, with TLS for https. ``connect`` (host, port -> a connected socket) replaces the ordinary way."""
    left = deadline.left()
    sock = connect(target.host, target.port) if connect is not None else socket.create_connection((target.host, target.port), left)
    if target.scheme != "https":
        return sock
    try:
        sock.settimeout(deadline.left())
        return tls().wrap_socket(sock, server_hostname=target.host)
    except BaseException:
        sock.close()
        raise


@contextlib.contextmanager
def requested(
    target: Target,
    method: str,
    path: str,
    body: bytes | None,
    headers: t.Mapping[str, str],
    deadline: Deadline,
    connect: Connect | None = None,
    tls: t.Callable[[], ssl.SSLContext] = tls_context,
) -> t.Iterator[http.client.HTTPResponse]:
    """Send one request; the answer as soon as its headers are there. Raises OSError and http.client.HTTPException.

    Environment variables such as http_proxy mean nothing here: ``target`` is asked itself.
    """
    connection = http.client.HTTPConnection(target.host, target.port)
    with opened(target, deadline, connect, tls) as sock:
        connection.sock = _Socket(sock, deadline)
        connection.request(method, path, body=body, headers=dict(headers, Connection="close"))
        with connection.getresponse() as response:
            yield response


def read_pieces(response: http.client.HTTPResponse, limit: int) -> t.Iterator[bytes]:
    """The body, as it comes. Raises socket.timeout past the request's deadline, and OSError if it is longer than ``limit`` bytes."""
    # Of the Content-Length; read1() keeps no account of it in every Python, and takes a connection that closes too early for the end.
    announced = response.length
    size = 0
    while announced is None or size < announced:
        piece = response.read1(65536)
        if not piece:
            if announced is not None:
                raise http.client.IncompleteRead(b"", announced - size)
            return
        size += len(piece)
        if size > limit:
            raise OSError("the answer is longer than %d bytes" % limit)
        yield piece


def read_body(response: http.client.HTTPResponse, limit: int) -> bytes:
    """The whole body; see read_pieces."""
    return b"".join(read_pieces(response, limit))
