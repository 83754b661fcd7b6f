# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readiness probes: small clients that talk to a service on 127.0.0.1 of its own network namespace.

Private to this collection. A probe step is a dict, see ``STEP_TYPES``. A probe makes one attempt, never waits longer than the step's ``timeout`` for a
socket, and answers with an ``Outcome``.
"""

from __future__ import annotations

import ctypes
import errno
import http.client
import json
import os
import socket
import struct
import threading
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, TypeVar

T = TypeVar("T")

LOOPBACK = "127.0.0.1"
CLONE_NEWNET = 0x40000000
SOCKET_TIMEOUT = 2.0
EXEC_TIMEOUT = 10.0
BODY_LIMIT = 256 * 1024

COMMON_KEYS = {"type", "name", "timeout"}
# type -> (keys that must be there, keys that may be there)
STEP_TYPES: dict[str, tuple[set[str], set[str]]] = {
    "tcp": ({"port"}, set()),
    "http": ({"port"}, {"path", "method", "headers", "body", "status", "contains", "json"}),
    "mysql_handshake": ({"port"}, set()),
    "redis": ({"port"}, {"password_env"}),
    "http2": ({"port"}, set()),
    "exec": ({"command"}, {"contains", "user"}),
}

HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HTTP2_EMPTY_SETTINGS = struct.pack(">BHBBL", 0, 0, 4, 0, 0)
HTTP2_SETTINGS = 4


class Outcome(NamedTuple):
    """What one attempt found. ``final`` means that waiting longer cannot help."""

    ok: bool
    reason: str = ""
    final: bool = False


class ProcessGone(Exception):
    """The container's process does not exist (any more)."""


class NamespaceDenied(Exception):
    """The network namespace exists, but this process may not enter it."""


READY = Outcome(True)

# Runs a command in the container: (command, user, timeout in seconds) -> (exit code, output).
Runner = Callable[[list[str], str, float], "tuple[int, str]"]
# Looks up a key of the service's env file on the host: key -> value, "" if blank or missing.
EnvLookup = Callable[[str], str]


def step_errors(step: Any) -> list[str]:
    """Everything that is wrong with a probe step; an empty list if it can be run."""
    if not isinstance(step, Mapping):
        return [f"a probe step is a mapping, not {step!r}"]
    kind = step.get("type")
    if kind not in STEP_TYPES:
        return [f"unknown probe type {kind!r}; use one of {', '.join(sorted(STEP_TYPES))}"]
    required, optional = STEP_TYPES[kind]
    errors = [f"{kind}: {key} is missing" for key in sorted(required - set(step))]
    errors += [f"{kind}: unknown key {key!r}" for key in sorted(set(step) - required - optional - COMMON_KEYS, key=str)]
    if "port" in required and "port" in step:
        try:
            in_range = 0 < int(step["port"]) < 65536
        except (TypeError, ValueError):
            in_range = False
        if not in_range:
            errors.append(f"{kind}: {step['port']!r} is not a port")
    if kind == "exec" and "command" in step and not (isinstance(step["command"], list) and step["command"]):
        errors.append("exec: command is a list of words")
    if kind == "http" and not isinstance(step.get("json") or {}, Mapping):
        errors.append("http: json is a mapping of dotted key to value")
    return errors


def step_name(step: Mapping[str, Any]) -> str:
    """How a step is called in results."""
    return str(step.get("name") or step["type"])


def run_step(step: Mapping[str, Any], env: EnvLookup, run: Runner) -> Outcome:
    """Make one attempt at ``step``. Socket probes connect to the loopback of the namespace that the calling thread is in."""
    kind = step["type"]
    timeout = float(step.get("timeout") or (EXEC_TIMEOUT if kind == "exec" else SOCKET_TIMEOUT))
    if kind == "exec":
        return probe_exec(step, timeout, run)
    port = int(step["port"])
    try:
        if kind == "http":
            return probe_http(step, port, timeout)
        if kind == "redis":
            return probe_redis(port, timeout, str(step.get("password_env") or ""), env)
        if kind == "mysql_handshake":
            return probe_mysql(port, timeout)
        if kind == "http2":
            return probe_http2(port, timeout)
        return probe_tcp(port, timeout)
    except OSError as exc:
        return Outcome(False, socket_reason(exc, port, timeout))


def needs_namespace(step: Mapping[str, Any]) -> bool:
    """Whether the step has to run inside the container's network namespace."""
    return step["type"] != "exec"


def in_netns(pid: int, fn: Callable[[], T]) -> T:
    """Call ``fn`` in the network namespace of process ``pid`` and return what it returns.

    A thread of its own does it, since a thread cannot be trusted to find its way back. Raises ProcessGone, NamespaceDenied, or what ``fn`` raises.
    """
    values: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            _enter(pid)
            values.append(fn())
        except BaseException as exc:  # handed to the caller's thread  # pylint: disable=broad-except
            errors.append(exc)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return values[0]


def _enter(pid: int) -> None:
    try:
        fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError) as exc:
        raise ProcessGone(f"process {pid} does not exist") from exc
    except PermissionError as exc:
        raise NamespaceDenied(str(exc.strerror)) from exc
    try:
        _setns(fd)
    except PermissionError as exc:
        raise NamespaceDenied(str(exc.strerror)) from exc
    finally:
        os.close(fd)


def _setns(fd: int) -> None:
    setns = getattr(os, "setns", None)  # Python 3.12
    if setns is not None:
        setns(fd, CLONE_NEWNET)
        return
    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def socket_reason(exc: OSError, port: int, timeout: float) -> str:
    """A few words for what a socket said."""
    if isinstance(exc, socket.timeout):
        return f"no answer on {port} within {timeout:g} s"
    if isinstance(exc, ConnectionRefusedError):
        return f"connection refused on {port}"
    if isinstance(exc, (ConnectionResetError, BrokenPipeError)):
        return f"connection reset on {port}"
    if exc.errno in (errno.ENETUNREACH, errno.EADDRNOTAVAIL):
        return f"the container's loopback is not up ({exc.strerror})"
    return f"{exc.strerror or exc} on {port}"


def probe_tcp(port: int, timeout: float) -> Outcome:
    """Something accepts connections."""
    socket.create_connection((LOOPBACK, port), timeout).close()
    return READY


def probe_mysql(port: int, timeout: float) -> Outcome:
    """MySQL sends its greeting (protocol 10), not an error packet.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
    """
    with socket.create_connection((LOOPBACK, port), timeout) as sock:
        header = receive(sock, 4)
        size = int.from_bytes(header[:3], "little")
        payload = receive(sock, size) if 0 < size < 65536 else b""
    if not payload:
        return Outcome(False, f"mysql: no greeting on {port}")
    if payload[0] == 10:
        return READY
    if payload[0] == 0xFF and len(payload) >= 3:
        text = payload[3:]
        if text[:1] == b"#":  # an SQL state of five characters
            text = text[6:]
        return Outcome(False, f"mysql: error {int.from_bytes(payload[1:3], 'little')}: {_short(text)}")
    return Outcome(False, f"mysql: what answers on {port} is not MySQL")


def probe_redis(port: int, timeout: float, password_env: str, env: EnvLookup) -> Outcome:
    """Redis takes the password (if there is one) and answers PING."""
    password = env(password_env) if password_env else ""
    with socket.create_connection((LOOPBACK, port), timeout) as sock:
        return redis_answers(sock, password, password_env or "no password_env")


def redis_answers(sock: socket.socket, password: str, key: str) -> Outcome:
    """Log in on a connection, if there is a password, and PING. ``key`` is where the password is from, for messages."""
    if password:
        answer = redis_call(sock, b"AUTH", password.encode())
        if answer != "+OK":
            return _redis_refusal(answer, key)
    answer = redis_call(sock, b"PING")
    return READY if answer == "+PONG" else _redis_refusal(answer, key)


def redis_call(sock: socket.socket, *words: bytes) -> str:
    sock.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
    line = b""
    while not line.endswith(b"\r\n") and len(line) < 1024:
        line += receive(sock, 1)
    return line.decode("utf-8", "replace").strip()


def _redis_refusal(answer: str, key: str) -> Outcome:
    if answer.startswith(("-WRONGPASS", "-ERR invalid password")):
        return Outcome(False, f"redis: WRONGPASS: the password in {key} is not accepted", final=True)
    if answer.startswith("-NOAUTH"):
        return Outcome(False, f"redis: NOAUTH: it asks for a password, and {key} is given none", final=True)
    if "without any password configured" in answer or "no password is set" in answer:
        return Outcome(False, f"redis: it runs without a password although {key} is set", final=True)
    if answer.startswith("-LOADING"):
        return Outcome(False, "redis: LOADING: it is reading its data")
    return Outcome(False, f"redis: {_short(answer.lstrip('-').encode())}")


def probe_http2(port: int, timeout: float) -> Outcome:
    """An HTTP/2 server (every gRPC server is one) answers our SETTINGS with its own, as RFC 9113, section 3.4 wants."""
    with socket.create_connection((LOOPBACK, port), timeout) as sock:
        sock.sendall(HTTP2_PREFACE + HTTP2_EMPTY_SETTINGS)
        header = receive(sock, 9)
    if header[:5] == b"HTTP/":
        return Outcome(False, f"http2: what answers on {port} speaks HTTP/1")
    if header[3] == HTTP2_SETTINGS and int.from_bytes(header[5:9], "big") == 0:
        return READY
    return Outcome(False, f"http2: what answers on {port} is not an HTTP/2 server")


def probe_http(step: Mapping[str, Any], port: int, timeout: float) -> Outcome:
    """A request gets one of the expected statuses, and a body with the expected text or JSON values."""
    path = str(step.get("path") or "/")
    headers = {str(key): str(value) for key, value in (step.get("headers") or {}).items()}
    body = step.get("body")
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout)
    try:
        connection.request(str(step.get("method") or "GET"), path, body=body.encode() if isinstance(body, str) else body, headers=headers)
        response = connection.getresponse()
        content = response.read(BODY_LIMIT)
    except http.client.HTTPException as exc:
        return Outcome(False, f"no HTTP answer on {port} ({type(exc).__name__})")
    finally:
        connection.close()
    return http_outcome(step, path, response.status, content)


def http_outcome(step: Mapping[str, Any], path: str, status: int, content: bytes) -> Outcome:
    """Judge an HTTP answer."""
    accepted = step.get("status") or [200]
    if status not in [int(code) for code in (accepted if isinstance(accepted, list) else [accepted])]:
        text = _short(content)
        return Outcome(False, f"HTTP {status} from {path}" + (f": {text}" if text else ""))
    wanted = step.get("contains")
    if wanted and str(wanted) not in content.decode("utf-8", "replace"):
        return Outcome(False, f"the answer of {path} lacks {wanted!r}")
    if not step.get("json"):
        return READY
    try:
        document = json.loads(content)
    except ValueError:
        return Outcome(False, f"the answer of {path} is not JSON: {_short(content)}")
    for key, value in step["json"].items():
        found = _dig(document, str(key))
        choices = value if isinstance(value, list) else [value]
        if _text(found) not in [_text(choice) for choice in choices]:
            return Outcome(False, f"{path}: {key} is {_text(found)}, not {' or '.join(_text(choice) for choice in choices)}")
    return READY


def probe_exec(step: Mapping[str, Any], timeout: float, run: Runner) -> Outcome:
    """A command in the container ends with 0, and says what it should say."""
    command = [str(word) for word in step["command"]]
    code, output = run(command, str(step.get("user") or ""), timeout)
    if code != 0:
        lines = [line for line in output.splitlines() if line.strip()]
        return Outcome(False, f"{command[0]} ended with {code}" + (f": {_short(lines[-1].encode())}" if lines else ""))
    wanted = step.get("contains")
    if wanted and str(wanted) not in output:
        return Outcome(False, f"the output of {command[0]} lacks {wanted!r}")
    return READY


def receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            raise ConnectionResetError(errno.ECONNRESET, "closed")
        data += chunk
    return data


def _dig(document: Any, dotted: str) -> Any:
    """The value at ``a.b.0.c``; None if there is none. A key that itself holds dots is found as it is."""
    if isinstance(document, Mapping) and dotted in document:
        return document[dotted]
    value = document
    for part in dotted.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _text(value: Any) -> str:
    """One spelling for values that YAML and JSON write differently (true and "true", 0 and "0")."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _short(content: bytes, limit: int = 160) -> str:
    text = " ".join(content.decode("utf-8", "replace").split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
