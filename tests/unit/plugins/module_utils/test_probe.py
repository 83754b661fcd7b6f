# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes against real sockets on this machine's loopback."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _probe
from ansible_collections.cozeops.studio.plugins.module_utils._probe import Outcome, in_netns, run_step, step_errors

Talk = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(talk: Talk) -> Iterator[int]:
    """A server that has one conversation with everybody who calls; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listener.accept()
                with connection, contextlib.suppress(OSError):
                    talk(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def no_run(command: list[str], user: str, timeout: float) -> tuple[int, str]:
    raise AssertionError("no command expected")


def attempt(step: dict, env: dict[str, str] | None = None, run=no_run) -> Outcome:
    return run_step(step, lambda key: (env or {}).get(key, ""), run)


def silent(connection: socket.socket) -> None:
    time.sleep(1)


# --- tcp and what sockets say


def test_tcp_passes_when_something_listens() -> None:
    with server(silent) as port:
        assert attempt({"type": "tcp", "port": port}).ok


@pytest.mark.parametrize("kind", ["tcp", "http", "mysql_handshake", "redis", "http2"])
def test_a_closed_port_is_told(kind: str) -> None:
    port = closed_port()
    assert attempt({"type": kind, "port": port}) == Outcome(False, f"connection refused on {port}")


@pytest.mark.parametrize("kind", ["http", "mysql_handshake", "redis", "http2"])
def test_a_server_that_says_nothing_is_told(kind: str) -> None:
    with server(silent) as port:
        assert attempt({"type": kind, "port": port, "timeout": 0.2}) == Outcome(False, f"no answer on {port} within 0.2 s")


@pytest.mark.parametrize("kind", ["mysql_handshake", "redis", "http2"])
def test_a_server_that_hangs_up_is_told(kind: str) -> None:
    with server(lambda connection: None) as port:
        assert attempt({"type": kind, "port": port}) == Outcome(False, f"connection reset on {port}")


# --- MySQL


def mysql_packet(payload: bytes) -> Talk:
    return lambda connection: connection.sendall(len(payload).to_bytes(3, "little") + b"\x00" + payload)


def test_mysql_greeting_passes() -> None:
    with server(mysql_packet(b"\x0a8.4.5\x00" + bytes(60))) as port:
        assert attempt({"type": "mysql_handshake", "port": port}).ok


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"Host '172.18.0.1' is not allowed to connect", "mysql: error 1130: Host '172.18.0.1' is not allowed to connect"),
        (b"#08004Too many connections", "mysql: error 1130: Too many connections"),
    ],
)
def test_mysql_error_packet_is_told(text: bytes, shown: str) -> None:
    with server(mysql_packet(b"\xff" + struct.pack("<H", 1130) + text)) as port:
        assert attempt({"type": "mysql_handshake", "port": port}) == Outcome(False, shown)


def test_another_protocol_on_the_mysql_port_is_told() -> None:
    with server(mysql_packet(b"HELLO")) as port:
        assert attempt({"type": "mysql_handshake", "port": port}) == Outcome(False, f"mysql: what answers on {port} is not MySQL")


# --- Redis


def redis(answers: dict[str, bytes], heard: list[bytes] | None = None) -> Talk:
    def talk(connection: socket.socket) -> None:
        while data := connection.recv(4096):
            if heard is not None:
                heard.append(data)
            connection.sendall(answers[data.split(b"\r\n")[2].decode()])

    return talk


def test_redis_without_password_passes() -> None:
    with server(redis({"PING": b"+PONG\r\n"})) as port:
        assert attempt({"type": "redis", "port": port, "password_env": "REDIS_PASSWORD"}).ok


def test_redis_gets_the_password_of_the_env_file_as_one_word() -> None:
    heard: list[bytes] = []
    with server(redis({"AUTH": b"+OK\r\n", "PING": b"+PONG\r\n"}, heard)) as port:
        assert attempt({"type": "redis", "port": port, "password_env": "REDIS_PASSWORD"}, {"REDIS_PASSWORD": 'a b"é'}).ok
    assert heard[0] == b"*2\r\n$4\r\nAUTH\r\n$6\r\n" + 'a b"é'.encode() + b"\r\n"


@pytest.mark.parametrize(
    ("answers", "env", "reason", "final"),
    [
        ({"PING": b"-NOAUTH Authentication required.\r\n"}, {}, "redis: NOAUTH: it asks for a password, and REDIS_PASSWORD is given none", True),
        (
            {"AUTH": b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"},
            {"REDIS_PASSWORD": "secret1"},
            "redis: WRONGPASS: the password in REDIS_PASSWORD is not accepted",
            True,
        ),
        (
            {"AUTH": b"-ERR AUTH <password> called without any password configured for the default user.\r\n"},
            {"REDIS_PASSWORD": "secret1"},
            "redis: it runs without a password although REDIS_PASSWORD is set",
            True,
        ),
        ({"PING": b"-LOADING Redis is loading the dataset in memory\r\n"}, {}, "redis: LOADING: it is reading its data", False),
        ({"PING": b"-MISCONF Errors writing to the AOF file\r\n"}, {}, "redis: MISCONF Errors writing to the AOF file", False),
    ],
)
def test_redis_refusals(answers: dict[str, bytes], env: dict[str, str], reason: str, final: bool) -> None:
    with server(redis(answers)) as port:
        assert attempt({"type": "redis", "port": port, "password_env": "REDIS_PASSWORD"}, env) == Outcome(False, reason, final)


# --- HTTP/2


def test_http2_passes_when_settings_come_back() -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        heard.append(connection.recv(4096))
        connection.sendall(struct.pack(">BHBBL", 0, 6, 4, 0, 0) + b"\x00\x05\x00\x00\x40\x00")

    with server(talk) as port:
        assert attempt({"type": "http2", "port": port}).ok
    assert heard == [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP/1"), (struct.pack(">BHBBL", 0, 8, 7, 0, 0) + bytes(8), "is not an HTTP/2 server")],
)
def test_http2_tells_other_servers(answer: bytes, reason: str) -> None:
    with server(lambda connection: (connection.recv(4096), connection.sendall(answer))) as port:
        outcome = attempt({"type": "http2", "port": port})
    assert not outcome.ok
    assert reason in outcome.reason


# --- HTTP


def whole_request(connection: socket.socket) -> bytes:
    """Head and body, which may come in several packets."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65536)
    head, _blank, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    while length and len(body) < int(length.group(1)):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def http(status: str, body: str, heard: list[bytes] | None = None) -> Talk:
    def talk(connection: socket.socket) -> None:
        request = whole_request(connection)
        if heard is not None:
            heard.append(request)
        content = body.encode()
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode() + content)

    return talk


@pytest.mark.parametrize(
    ("status", "body", "step", "reason"),
    [
        ("200 OK", "OK", {}, ""),
        ("200 OK", "OK", {"contains": "OK"}, ""),
        ("503 Service Unavailable", "not  yet\n", {"path": "/healthz"}, "HTTP 503 from /healthz: not yet"),
        ("503 Service Unavailable", "", {}, "HTTP 503 from /"),
        ("401 Unauthorized", '{"code":401}', {"status": [401], "json": {"code": 401}}, ""),
        ("200 OK", '{"code":401}', {"status": [401], "json": {"code": 401}}, 'HTTP 200 from /: {"code":401}'),
        ("200 OK", '{"code":700012006,"msg":"x"}', {"json": {"code": 700012006}}, ""),
        ("200 OK", '{"code":0}', {"json": {"code": 700012006}}, "/: code is 0, not 700012006"),
        ("200 OK", '{"health":"true"}', {"json": {"health": "true"}}, ""),
        ("200 OK", '{"health":"true"}', {"json": {"health": True}}, ""),
        ("200 OK", '{"health":true}', {"json": {"health": "true"}}, ""),
        ("200 OK", '{"health":"false"}', {"json": {"health": "true"}}, "/: health is false, not true"),
        ("200 OK", '{"status":"yellow"}', {"json": {"status": ["yellow", "green"]}}, ""),
        ("200 OK", '{"status":"red"}', {"json": {"status": ["yellow", "green"]}}, "/: status is red, not yellow or green"),
        ("200 OK", '{"data":{"list":[{"id":"7"}]}}', {"json": {"data.list.0.id": 7}}, ""),
        ("200 OK", '{"a.b":1}', {"json": {"a.b": 1}}, ""),
        ("200 OK", '{"data":{}}', {"json": {"data.list.0.id": 7}}, "/: data.list.0.id is null, not 7"),
        ("200 OK", "<html>", {"json": {"code": 0}}, "the answer of / is not JSON: <html>"),
        ("200 OK", "es smartcn", {"contains": "analysis-smartcn"}, "the answer of / lacks 'analysis-smartcn'"),
    ],
)
def test_http_answers(status: str, body: str, step: dict, reason: str) -> None:
    with server(http(status, body)) as port:
        assert attempt({"type": "http", "port": port, **step}) == Outcome(not reason, reason)


def test_http_sends_method_headers_and_body() -> None:
    heard: list[bytes] = []
    step = {"type": "http", "method": "POST", "path": "/login/?x=1", "headers": {"Origin": "http://x"}, "body": {"email": "nobody@example.com"}}
    with server(http("200 OK", "{}", heard)) as port:
        assert attempt({**step, "port": port}).ok
    head, body = heard[0].split(b"\r\n\r\n")
    assert head.startswith(b"POST /login/?x=1 HTTP/1.1\r\n")
    assert b"\r\nOrigin: http://x\r\n" in head
    assert b"\r\nContent-Type: application/json" in head
    assert json.loads(body) == {"email": "nobody@example.com"}


def test_http_tells_what_is_not_http() -> None:
    with server(lambda connection: (connection.recv(4096), connection.sendall(b"\x0a8.4\x00\r\n"))) as port:
        assert attempt({"type": "http", "port": port}) == Outcome(False, f"no HTTP answer on {port} (BadStatusLine)")


# --- exec


@pytest.mark.parametrize(
    ("answer", "step", "reason"),
    [
        ((0, "1\n"), {}, ""),
        ((0, "one\n"), {"contains": "one"}, ""),
        ((0, "one\n"), {"contains": "two"}, "the output of mysql lacks 'two'"),
        ((1, "warning\nERROR 1045 (28000): Access denied\n"), {}, "mysql ended with 1: ERROR 1045 (28000): Access denied"),
        ((2, ""), {}, "mysql ended with 2"),
    ],
)
def test_exec_answers(answer: tuple[int, str], step: dict, reason: str) -> None:
    calls = []

    def run(command: list[str], user: str, timeout: float) -> tuple[int, str]:
        calls.append((command, user, timeout))
        return answer

    assert attempt({"type": "exec", "command": ["mysql", "-e", 1], "user": "999", "timeout": 3, **step}, run=run) == Outcome(not reason, reason)
    assert calls == [(["mysql", "-e", "1"], "999", 3.0)]


# --- steps


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("tcp", "a probe step is a mapping, not 'tcp'"),
        ({"port": 1}, "unknown probe type None; use one of exec, http, http2, mysql_handshake, redis, tcp"),
        ({"type": "tcp"}, "tcp: port is missing"),
        ({"type": "tcp", "port": "x"}, "tcp: 'x' is not a port"),
        ({"type": "tcp", "port": 70000}, "tcp: 70000 is not a port"),
        ({"type": "tcp", "port": 1, "path": "/"}, "tcp: unknown key 'path'"),
        ({"type": "exec", "command": "true"}, "exec: command is a list of words"),
        ({"type": "http", "port": 1, "json": ["x"]}, "http: json is a mapping of dotted key to value"),
    ],
)
def test_bad_steps_are_told(step: object, error: str) -> None:
    assert step_errors(step) == [error]


def test_good_steps_have_no_errors() -> None:
    assert step_errors({"type": "http", "port": "9200", "path": "/", "json": {"status": ["green"]}, "name": "health", "timeout": 1}) == []


# --- network namespaces


def can_enter() -> bool:
    try:
        in_netns(os.getpid(), lambda: None)
    except _probe.NamespaceDenied:
        return False
    return True


needs_root = pytest.mark.skipif(not can_enter(), reason="entering a network namespace needs root")


@needs_root
def test_a_function_runs_in_the_namespace_of_a_process() -> None:
    assert in_netns(os.getpid(), lambda: os.readlink("/proc/thread-self/ns/net")) == os.readlink("/proc/self/ns/net")


@needs_root
def test_what_the_function_raises_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        in_netns(os.getpid(), lambda: 1 // 0)


def test_a_process_that_is_gone_is_told() -> None:
    with pytest.raises(_probe.ProcessGone):
        in_netns(2**22 + 1, lambda: None)


def test_a_kernel_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(_probe, "_setns", refuse)
    with pytest.raises(_probe.NamespaceDenied, match="Operation not permitted"):
        in_netns(os.getpid(), lambda: None)
