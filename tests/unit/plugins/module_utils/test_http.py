# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._http import (
    Deadline,
    Target,
    excerpt,
    read_body,
    read_pieces,
    requested,
    tls_context,
    transport_message,
)


@contextlib.contextmanager
def raw_server(reply: t.Callable[[socket.socket], None]) -> t.Iterator[int]:
    """A server for one connection: it reads the request, then ``reply`` has the socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as sock:
                sock.recv(65536)
                reply(sock)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(5)


def get(port: int, seconds: float = 5, limit: int = 100_000) -> tuple[int, bytes]:
    with requested(Target("http", "127.0.0.1", port), "GET", "/", None, {}, Deadline(seconds)) as response:
        return response.status, read_body(response, limit)


def sends(*pieces: bytes, pause: float = 0.0) -> t.Callable[[socket.socket], None]:
    def reply(sock: socket.socket) -> None:
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(pause)

    return reply


def endless(head: bytes) -> t.Callable[[socket.socket], None]:
    return sends(head, *[b"x"] * 100, pause=0.05)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.0 200 OK\nContent-Length: 5\n\nhello",
    ],
)
def test_bodies_of_all_framings(answer: bytes) -> None:
    with raw_server(sends(answer)) as port:
        assert get(port) == (200, b"hello")


def test_an_empty_body() -> None:
    with raw_server(sends(b"HTTP/1.1 204 No Content\r\n\r\n")) as port:
        assert get(port) == (204, b"")


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello"],
)
def test_a_body_that_breaks_off_is_told(answer: bytes) -> None:
    with raw_server(sends(answer)) as port, pytest.raises(http.client.IncompleteRead):
        get(port)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n",
        b"",
    ],
    ids=["headers", "body", "chunk", "status"],
)
def test_what_drips_does_not_outlast_the_deadline(head: bytes) -> None:
    with raw_server(endless(head)) as port:
        began = time.monotonic()
        with pytest.raises(socket.timeout):
            get(port, seconds=0.3)
        assert time.monotonic() - began < 1.5


def test_a_body_that_is_too_long_is_cut() -> None:
    with raw_server(sends(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000)) as port, pytest.raises(OSError, match="longer than 1000 bytes"):
        get(port, limit=1000)


def test_pieces_come_as_they_are_sent() -> None:
    found: list[tuple[bytes, float]] = []
    with (
        raw_server(sends(b"HTTP/1.1 200 OK\r\n\r\n", b"one", b"two", pause=0.3)) as port,
        requested(Target("http", "127.0.0.1", port), "GET", "/", None, {}, Deadline(5)) as response,
    ):
        found += [(piece, time.monotonic()) for piece in read_pieces(response, 1000)]
    assert [piece for piece, dummy in found] == [b"one", b"two"]
    assert found[1][1] - found[0][1] > 0.2


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with raw_server(sends(b"HTTP/1.1 200 OK\r\n\r\nhello")) as port:
        assert get(port) == (200, b"hello")


def test_deadline_can_be_moved() -> None:
    deadline = Deadline(0)
    with pytest.raises(socket.timeout):
        deadline.left()
    deadline.move(5, since=time.monotonic() - 1)
    assert 3 < deadline.left() <= 4
    assert deadline.seconds == 5


@pytest.mark.parametrize(
    ("body", "size", "text"),
    [(b" a\n\tb ", 10, "a b"), (b"", 10, "(empty)"), (b"abcdef", 3, "abc ..."), ("é".encode() * 3, 10, "ééé"), (b"\xff", 5, "\ufffd")],
)
def test_excerpt(body: bytes, size: int, text: str) -> None:
    assert excerpt(body, size) == text


@pytest.mark.parametrize(
    ("exc", "says"),
    [
        (TimeoutError(), "h:1 gave no answer within 2.5 s"),
        (ConnectionRefusedError(), "nothing listens there"),
        (socket.gaierror(-2, "x"), "the name h cannot be resolved"),
        (http.client.IncompleteRead(b""), "in the middle of the answer"),
        (http.client.BadStatusLine("x"), "without a valid HTTP answer (BadStatusLine)"),
        (ConnectionResetError(), "without a valid HTTP answer"),
        (ssl.SSLError(1, "x"), "does not speak TLS"),
        (OSError(101, "Network is unreachable"), "cannot be reached"),
    ],
)
def test_transport_message(exc: Exception, says: str) -> None:
    assert says in transport_message(exc, "h", 1, 2.5)


def test_a_wrong_file_of_authorities_is_an_os_error(tmp_path: t.Any) -> None:
    (tmp_path / "no.pem").write_text("hello")
    for name in ("no.pem", "nothing.pem"):
        with pytest.raises(OSError):  # noqa: PT011 - which one depends on OpenSSL
            tls_context(True, str(tmp_path / name))
