# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command in a container with something on its standard input.

Two traps of the SDK shape this. A half-closed connection is not the same thing for all its versions and transports, so
the command has to know by itself when its input ends (``head -c``, ``read``). And what a command prints at once may
come in one packet with the answer's headers, and is then lost: so every command reads its input before it prints.
"""

from __future__ import annotations

import codecs
import socket
import struct
import time
import typing as t

STDERR = 2


class ExecError(Exception):
    """The command could not be run, or did not end. The text is for the operator."""


class Finished(t.NamedTuple):
    code: int
    out: str
    err: str


def run(
    client: t.Any,
    container: str,
    command: t.Sequence[str],
    stdin: bytes,
    environment: t.Mapping[str, str] | None = None,
    on_line: t.Callable[[str], None] | None = None,
    silence: float = 600,
) -> Finished:
    """Exit code and output of a command. ``on_line`` gets each line of standard output as it comes.

    ``client`` is a docker.APIClient; ``silence``: seconds without output after which to give up. Raises ExecError.
    """
    created = client.exec_create(container, list(command), stdin=True, stdout=True, stderr=True, tty=False, environment=dict(environment or {}))
    stream = client.exec_start(created["Id"], socket=True)
    # For a Unix socket the SDK gives a SocketIO, which refuses to write; the socket below it does both.
    connection = getattr(stream, "_sock", stream)
    connection.settimeout(silence)
    collected = {1: _Text(on_line), STDERR: _Text(None)}
    try:
        connection.sendall(stdin)
        for number, data in _frames(connection):
            collected[STDERR if number == STDERR else 1].add(data)
    except socket.timeout as exc:
        raise ExecError(f"container {container}: {command[0]} has said nothing for {silence:.0f} seconds; it may still be at work there") from exc
    except OSError as exc:
        raise ExecError(f"container {container}: the connection to {command[0]} broke ({exc}); did the container stop?") from exc
    finally:
        stream.close()
    return Finished(_exit_code(client, created["Id"]), collected[1].end(), collected[STDERR].end())


class _Text:
    """Collects bytes as text and hands on whole lines."""

    def __init__(self, on_line: t.Callable[[str], None] | None) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.on_line = on_line
        self.text = ""
        self.seen = 0

    def add(self, data: bytes, final: bool = False) -> None:
        self.text += self.decoder.decode(data, final)
        while "\n" in self.text[self.seen :]:
            end = self.text.index("\n", self.seen)
            if self.on_line:
                self.on_line(self.text[self.seen : end])
            self.seen = end + 1

    def end(self) -> str:
        self.add(b"", final=True)
        return self.text


def _frames(connection: t.Any) -> t.Iterator[tuple[int, bytes]]:
    """(stream, data) of the Engine's multiplexed stream: 1 is standard output, 2 is standard error."""
    while True:
        header = _exactly(connection, 8)
        if len(header) < 8:
            return
        number, length = struct.unpack(">BxxxL", header)
        yield number, _exactly(connection, length)


def _exactly(connection: t.Any, length: int) -> bytes:
    """As many bytes, or fewer if the connection ends before."""
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            break
        data += piece
    return data


def _exit_code(client: t.Any, exec_id: str) -> int:
    """The Engine may know the exit code a moment later than the connection ends."""
    for _attempt in range(50):
        code = client.exec_inspect(exec_id)["ExitCode"]
        if code is not None:
            return int(code)
        time.sleep(0.1)
    raise ExecError("the command's connection ended, but the command did not: was the module cut off from the Engine?")
