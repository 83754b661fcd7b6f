# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import struct
import threading
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._exec import ExecError, Finished, run


class Engine:
    """Answers exec calls as the Engine does: frames on a socket, then an exit code."""

    def __init__(self, frames: list[tuple[int, bytes]], codes: t.Sequence[int | None] = (0,), size: int = 0, silent: bool = False) -> None:
        self.frames, self.codes, self.size, self.silent = frames, list(codes), size, silent
        self.received = b""
        self.created: dict[str, t.Any] = {}

    def exec_create(self, container: str, command: list[str], **options: t.Any) -> dict[str, str]:
        self.created = {"container": container, "command": command, **options}
        return {"Id": "x"}

    def exec_start(self, exec_id: str, socket: bool) -> t.Any:
        assert (exec_id, socket) == ("x", True)
        ours, theirs = _pair()
        threading.Thread(target=self._serve, args=(ours,), daemon=True).start()
        return theirs

    def _serve(self, connection: socket.socket) -> None:
        self.connection = connection  # or it is closed when the thread ends
        while len(self.received) < self.size:
            self.received += connection.recv(65536)
        for number, data in self.frames:
            frame = struct.pack(">BxxxL", number, len(data)) + data
            for start in range(0, len(frame), 3):  # in pieces, as they may come
                connection.sendall(frame[start : start + 3])
        if not self.silent:
            connection.close()

    def exec_inspect(self, exec_id: str) -> dict[str, int | None]:
        return {"ExitCode": self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]}


def _pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair()


def test_output_exit_code_and_lines() -> None:
    engine = Engine([(1, "é1\nzwei".encode()[:1]), (1, "é1\nzwei".encode()[1:]), (2, b"oops\n"), (1, b"\nrest")], codes=[None, 3], size=5)
    lines: list[str] = []
    assert run(engine, "c", ["sh", "-c", "x"], b"input", {"A": "1"}, lines.append) == Finished(3, "é1\nzwei\nrest", "oops\n")
    assert lines == ["é1", "zwei"]
    assert engine.received == b"input"
    streams = {"stdin": True, "stdout": True, "stderr": True, "tty": False}
    assert engine.created == {"container": "c", "command": ["sh", "-c", "x"], "environment": {"A": "1"}, **streams}


def test_large_input_arrives_whole() -> None:
    data = bytes(range(256)) * 4000
    engine = Engine([(1, b"ok")], size=len(data))
    assert run(engine, "c", ["cat"], data).out == "ok"
    assert engine.received == data


def test_silence_is_an_error() -> None:
    with pytest.raises(ExecError, match="container c: sh has said nothing for 0 seconds"):
        run(Engine([], silent=True), "c", ["sh"], b"", silence=0.1)
