# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
import time
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _resolve
from ansible_collections.cozeops.studio.plugins.module_utils._http import Deadline
from ansible_collections.cozeops.studio.plugins.module_utils._resolve import (
    AAAA,
    CNAME,
    A,
    NameUnknown,
    Resolv,
    candidates,
    parse_hosts,
    parse_reply,
    parse_resolv,
    query,
    resolve,
)
from hypothesis import given
from hypothesis import strategies as st

Zone = dict[tuple[str, int], list[str]]


def record(kind: int, value: bytes) -> bytes:
    """A record whose name is a pointer to that of the question."""
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(value)) + value


def answer(question: bytes, zone: Zone, flags: int = 0) -> bytes:
    """The answer of a name server that knows ``zone``; it gives an alias first, as servers do."""
    place, labels = 12, []
    while question[place]:
        labels.append(question[place + 1 : place + 1 + question[place]].decode())
        place += 1 + question[place]
    kind = struct.unpack(">H", question[place + 1 : place + 3])[0]
    name = ".".join(labels).lower()
    known = any(entry == name for entry, dummy in zone)
    records = [record(kind, ipaddress.ip_address(address).packed) for address in zone.get((name, kind), [])]
    if records:
        records.insert(0, record(CNAME, b"\x05alias\xc0\x0c"))
    head = struct.pack(">HHHHH", 0x8180 | flags | (0 if known else 3), 1, len(records), 0, 0)
    return question[:2] + head + question[12:] + b"".join(records)


class NameServer:
    """UDP and TCP on one port of the loopback. ``mangle`` changes what goes out by UDP; None sends nothing."""

    def __init__(self, zone: Zone, mangle: t.Callable[[bytes], bytes | None] = lambda data: data) -> None:
        self.zone, self.mangle, self.asked = zone, mangle, 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.port = int(self.udp.getsockname()[1])
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def serve_udp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                question, address = self.udp.recvfrom(4096)
                self.asked += 1
                data = self.mangle(answer(question, self.zone))
                if data is not None:
                    self.udp.sendto(data, address)

    def serve_tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock = self.tcp.accept()[0]
                with sock:
                    question = sock.recv(4096)[2:]
                    data = answer(question, self.zone)
                    sock.sendall(struct.pack(">H", len(data)) + data)

    def close(self) -> None:
        self.udp.close()
        self.tcp.close()


Serve = t.Callable[..., NameServer]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Serve]:
    running: list[NameServer] = []

    def start(zone: Zone, **more: t.Any) -> NameServer:
        running.append(NameServer(zone, **more))
        monkeypatch.setattr(_resolve, "PORT", running[-1].port)
        return running[-1]

    yield start
    for one in running:
        one.close()


RESOLV = "nameserver 127.0.0.1\nsearch stack.internal\noptions ndots:0\n"


def test_a_name_of_the_network(serve: Serve) -> None:
    serve({("mysql", A): ["172.18.0.2", "172.18.0.3"]})
    assert resolve("mysql", "", RESOLV, Deadline(5)) == ["172.18.0.2", "172.18.0.3"]


def test_ipv6_comes_behind_ipv4(serve: Serve) -> None:
    serve({("mysql", A): ["172.18.0.2"], ("mysql", AAAA): ["fd00::2"]})
    assert resolve("MySQL", "", RESOLV, Deadline(5)) == ["172.18.0.2", "fd00::2"]


def test_the_hosts_file_comes_first(serve: Serve) -> None:
    server = serve({("host.docker.internal", A): ["10.0.0.1"]})
    assert resolve("host.docker.internal", "172.17.0.1\thost.docker.internal\n", RESOLV, Deadline(5)) == ["172.17.0.1"]
    assert server.asked == 0


def test_an_address_needs_no_resolver() -> None:
    assert resolve("10.1.2.3", "", "", Deadline(5)) == ["10.1.2.3"]
    assert resolve("::1", "", "", Deadline(5)) == ["::1"]


def test_search_domains(serve: Serve) -> None:
    serve({("llm.stack.internal", A): ["10.0.0.9"]})
    assert resolve("llm", "", RESOLV, Deadline(5)) == ["10.0.0.9"]


def test_a_name_that_there_is_not(serve: Serve) -> None:
    serve({("mysql", A): ["172.18.0.2"]})
    with pytest.raises(NameUnknown, match=r"not in /etc/hosts, and the name server 127\.0\.0\.1 does not know it$"):
        resolve("mysqll", "", RESOLV, Deadline(5))


def test_an_answer_that_does_not_fit_is_asked_for_by_tcp(serve: Serve) -> None:
    many = ["10.0.%d.1" % number for number in range(200)]
    serve({("many", A): many}, mangle=lambda data: data[:2] + struct.pack(">HHHHH", 0x8380, 1, 0, 0, 0) + data[12:22])
    assert resolve("many", "", RESOLV, Deadline(5)) == many


def test_answers_to_other_questions_are_not_taken(serve: Serve) -> None:
    serve({("mysql", A): ["6.6.6.6"]}, mangle=lambda data: bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(NameUnknown, match="something else than DNS"):
        resolve("mysql", "", RESOLV, Deadline(5))


def test_a_server_that_fails_is_told(serve: Serve) -> None:
    serve({("mysql", A): ["6.6.6.6"]}, mangle=lambda data: data[:3] + bytes([data[3] & 0xF0 | 2]) + data[4:])
    with pytest.raises(NameUnknown, match=r"127\.0\.0\.1 answers SERVFAIL"):
        resolve("mysql", "", RESOLV, Deadline(5))


def test_a_server_that_is_silent_does_not_outlast_the_deadline(serve: Serve) -> None:
    serve({}, mangle=lambda data: None)
    began = time.monotonic()
    with pytest.raises(socket.timeout):
        resolve("mysql", "", RESOLV, Deadline(0.3))
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("name", ["a..b", "x" * 64, "a" + ".a" * 130, ".", "é" * 70])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(NameUnknown, match="no host name"):
        resolve(name, "", "nameserver 127.0.0.1\n", Deadline(1))


def test_parse_hosts() -> None:
    text = "# c\n127.0.0.1 localhost\n::1\tlocalhost ip6-localhost # x\n10.0.0.1 LLM llm.example.com.\nno-address name\n10.0.0.2\n"
    assert parse_hosts(text) == {
        "localhost": ["127.0.0.1", "::1"],
        "ip6-localhost": ["::1"],
        "llm": ["10.0.0.1"],
        "llm.example.com": ["10.0.0.1"],
    }


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("nameserver 127.0.0.11\noptions ndots:0\n", Resolv(["127.0.0.11"], [], 0)),
        ("domain a\nsearch b c .\n; x\n# y\nnameserver 1.1.1.1\nnameserver ::1\nnameserver no\n", Resolv(["1.1.1.1", "::1"], ["b", "c"], 1)),
        ("options edns0 ndots:99 trust-ad\n", Resolv(["127.0.0.1"], [], 15)),
        ("options ndots:x\nnameserver\n", Resolv(["127.0.0.1"], [], 1)),
        ("nameserver 1.1.1.1\n" * 5, Resolv(["1.1.1.1"] * 3, [], 1)),
    ],
)
def test_parse_resolv(text: str, settings: Resolv) -> None:
    assert parse_resolv(text) == settings


@pytest.mark.parametrize(
    ("name", "ndots", "wanted"),
    [
        ("llm", 1, ["llm.a", "llm.b", "llm"]),
        ("llm", 0, ["llm", "llm.a", "llm.b"]),
        ("llm.x", 1, ["llm.x", "llm.x.a", "llm.x.b"]),
        ("llm.x", 2, ["llm.x.a", "llm.x.b", "llm.x"]),
        ("llm.", 1, ["llm"]),
    ],
)
def test_candidates(name: str, ndots: int, wanted: list[str]) -> None:
    assert candidates(name, Resolv([], ["a", "b."], ndots)) == wanted


@given(st.binary(max_size=80))
def test_no_packet_breaks_the_reader(data: bytes) -> None:
    question = query(7, "mysql", A)
    assert parse_reply(data, question) is None or data[:2] == question[:2]


@given(st.integers(0, 200), st.integers(0, 255))
def test_no_damage_breaks_the_reader(place: int, value: int) -> None:
    question = query(7, "mysql", A)
    data = bytearray(answer(question, {("mysql", A): ["10.0.0.1"] * 3}))
    data[place % len(data)] = value
    reply = parse_reply(bytes(data), question)
    assert reply is None or len(reply.addresses) <= 3


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=40))
def test_texts_of_any_kind_are_read(hosts: str, resolv: str, name: str) -> None:
    parse_hosts(hosts)
    candidates(name, parse_resolv(resolv))


@given(st.lists(st.ip_addresses(v=4).map(str), max_size=5))
def test_addresses_come_in_the_order_of_the_answer(addresses: list[str]) -> None:
    question = query(4711, "MySQL.Stack.internal", A)
    reply = parse_reply(answer(question, {("mysql.stack.internal", A): addresses}), question)
    assert reply is not None
    assert reply.addresses == addresses
