# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log in to a MySQL server over a socket, and learn what it says: no more of the protocol than that.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import struct
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._probe import receive

CAN_TLS = 0x800
CAN_NAME_PLUGIN = 0x80000
#: CLIENT_LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH
CAPABILITIES = 0x1 | 0x8 | 0x200 | 0x8000 | CAN_NAME_PLUGIN
PACKET = 1 << 24
UTF8MB4 = 45

OK, MORE, SWITCH, ERROR = 0x00, 0x01, 0xFE, 0xFF
FAST_OK, FULL = 0x03, 0x04


class Refused(Exception):
    """What the server says, with its code; 0 for what is no MySQL at all."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Login(t.NamedTuple):
    """The server's version, and whether the password was tried: without TLS some servers take it only encrypted with a key of theirs."""

    version: str
    tried: bool


class Wire:
    """Packets over a socket: three bytes of length, one of sequence."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sequence = 0

    def read(self) -> bytes:
        header = receive(self.sock, 4)
        size = int.from_bytes(header[:3], "little")
        if size > 65536:
            raise Refused(0, "what answers is not MySQL")
        self.sequence = header[3] + 1
        return receive(self.sock, size)

    def write(self, payload: bytes) -> None:
        self.sock.sendall(len(payload).to_bytes(3, "little") + bytes([self.sequence & 0xFF]) + payload)
        self.sequence += 1


def login(
    sock: socket.socket, user: str, password: str, database: str, tls: t.Callable[[socket.socket], ssl.SSLSocket] | None, must_tls: bool
) -> Login:
    """Raises Refused, or OSError. ``tls`` wraps the socket, where the server can do that; ``must_tls``: without it the password is not sent."""
    wire = Wire(sock)
    greeting = wire.read()
    if greeting[:1] == bytes([ERROR]):
        raise refusal(greeting)
    if greeting[:1] != b"\x0a":
        raise Refused(0, "what answers is not MySQL")
    version, salt, can, plugin = parse_greeting(greeting)
    encrypted = bool(tls and can & CAN_TLS)
    if must_tls and not encrypted:
        raise Refused(0, "it does not offer TLS, which tls asks for")
    flags = CAPABILITIES | (CAN_TLS if encrypted else 0)
    head = struct.pack("<IIB23x", flags, PACKET, UTF8MB4)
    if encrypted and tls:
        wire.write(head)
        wire.sock = tls(sock)
    answer = scramble(plugin, password, salt)
    wire.write(head + user.encode() + b"\0" + bytes([len(answer)]) + answer + database.encode() + b"\0" + plugin.encode() + b"\0")
    return Login(version, finish(wire, plugin, password, salt, encrypted))


def parse_greeting(greeting: bytes) -> tuple[str, bytes, int, str]:
    """(version, salt, capabilities, plugin)."""
    version, dummy, rest = greeting[1:].partition(b"\0")
    salt, rest = rest[4:12], rest[13:]
    low, dummy, dummy, high, size = struct.unpack_from("<HBHHB", rest)
    rest = rest[8 + 10 :]
    more = max(13, size - 8)
    salt += rest[:more].rstrip(b"\0")
    plugin = rest[more:].partition(b"\0")[0].decode()
    return version.decode("utf-8", "replace"), salt, low | high << 16, plugin or "mysql_native_password"


def scramble(plugin: str, password: str, salt: bytes) -> bytes:
    """The first answer of a client. A plugin that is not known here gets none, and asks again."""
    secret = password.encode()
    if not secret:
        return b""
    if plugin == "mysql_native_password":
        once = hashlib.sha1(secret).digest()
        mask = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()
    elif plugin == "caching_sha2_password":
        once = hashlib.sha256(secret).digest()
        mask = hashlib.sha256(hashlib.sha256(once).digest() + salt).digest()
    else:
        return b""
    return bytes(one ^ other for one, other in zip(once, mask))


def finish(wire: Wire, plugin: str, password: str, salt: bytes, encrypted: bool) -> bool:
    """Answer until the server lets in; whether the password was tried. Raises Refused."""
    while True:
        packet = wire.read()
        kind, rest = packet[0], packet[1:]
        if kind == OK:
            return True
        if kind == ERROR:
            raise refusal(packet)
        if kind == SWITCH:
            name, dummy, data = rest.partition(b"\0")
            plugin, salt = name.decode(), data.rstrip(b"\0")
            if plugin == "mysql_clear_password":
                if not encrypted:
                    return False
                wire.write(password.encode() + b"\0")
            else:
                wire.write(scramble(plugin, password, salt))
        elif kind == MORE and rest[:1] == bytes([FULL]):
            if not encrypted:
                return False
            wire.write(password.encode() + b"\0")
        elif kind != MORE or rest[:1] != bytes([FAST_OK]):
            raise Refused(0, "it asks for a login of a kind (%s) that is not known here" % plugin)


def refusal(packet: bytes) -> Refused:
    text = packet[3:]
    return Refused(int.from_bytes(packet[1:3], "little"), (text[6:] if text[:1] == b"#" else text).decode("utf-8", "replace"))
