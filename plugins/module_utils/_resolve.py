# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to this collection: resolve a name as a container does, from its hosts and resolv.conf, and DNS (RFC 1035) over its own network.

The system's resolver is not used for it: it reads the files of the host, and if it were made to see the container's, it would load libraries
of the container into a process of root's (CVE-2019-14271 was that).
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._http import Deadline

A, CNAME, AAAA, IN = 1, 5, 28, 1
NXDOMAIN = 3
RCODES = {1: "FORMERR", 2: "SERVFAIL", NXDOMAIN: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
PORT = 53
TRY_SECONDS = 5.0  # for one packet, as resolvers have it
TRIES = 2
MOST_SERVERS = 3


class NameUnknown(OSError):
    """A name that does not resolve; the text says why."""


class Resolv(t.NamedTuple):
    """What a resolv.conf says."""

    servers: list[str]
    search: list[str]
    ndots: int


class Reply(t.NamedTuple):
    rcode: int
    truncated: bool
    addresses: list[str]


def parse_hosts(text: str) -> dict[str, list[str]]:
    """name -> addresses, in the order of the file. Lines that are none are left out."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1 and _is_address(words[0]):
            for name in words[1:]:
                found.setdefault(name.lower().rstrip("."), []).append(words[0])
    return found


def parse_resolv(text: str) -> Resolv:
    servers: list[str] = []
    search: list[str] = []
    ndots = 1
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        if words[0] == "nameserver" and len(words) > 1 and _is_address(words[1].partition("%")[0]):
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = [word for word in words[1:] if word != "."]
        elif words[0] == "options":
            given = [word[len("ndots:") :] for word in words[1:] if word.startswith("ndots:")]
            ndots = min(int(given[-1]), 15) if given and given[-1].isdigit() else ndots
    return Resolv(servers[:MOST_SERVERS] or ["127.0.0.1"], search, ndots)


def candidates(name: str, resolv: Resolv) -> list[str]:
    """The full names to ask for, in order."""
    if name.endswith("."):
        return [name[:-1]]
    searched = ["%s.%s" % (name, domain.rstrip(".")) for domain in resolv.search]
    return [name, *searched] if name.count(".") >= resolv.ndots else [*searched, name]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# --- DNS


def query(ident: int, name: str, kind: int) -> bytes:
    """A question for one name. Raises ValueError for what is no name."""
    labels = name.encode("idna").split(b".") if not name.isascii() else name.encode().split(b".")
    if not all(0 < len(label) < 64 for label in labels) or sum(len(label) + 1 for label in labels) > 254:
        raise ValueError("%r is no host name" % name)
    return struct.pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 0) + b"".join(bytes([len(label)]) + label for label in labels) + struct.pack(">BHH", 0, kind, IN)


def _after_name(data: bytes, place: int) -> int:
    """The place behind a name; where it points to does not matter here."""
    while True:
        size = data[place]
        if size >= 0xC0:
            return place + 2
        place += 1 + size
        if size == 0:
            return place


def parse_reply(data: bytes, question: bytes) -> Reply | None:
    """The answer to ``question``; None if it is none. Aliases are not followed: a resolver sends their addresses along."""
    try:
        flags, asked, answers = struct.unpack_from(">HHH", data, 2)
        place = _after_name(data, 12)
        # The server repeats the question: what does not match it is somebody else's answer.
        if not flags & 0x8000 or asked != 1 or data[:2] != question[:2] or data[12 : place + 4].lower() != question[12:].lower():
            return None
        place += 4
        kind = struct.unpack(">H", question[-4:-2])[0]
        addresses = []
        for dummy in range(answers):
            place = _after_name(data, place)
            found, family, size = struct.unpack_from(">HH4xH", data, place)
            value = data[place + 10 : place + 10 + size]
            if (found, family, size) == (kind, IN, 4 if kind == A else 16) and len(value) == size:
                addresses.append(str(ipaddress.ip_address(value)))
            place += 10 + size
    except (IndexError, struct.error):
        return None
    return Reply(flags & 15, bool(flags & 0x0200), addresses)


def _exchange(server: str, question: bytes, deadline: Deadline) -> Reply | None:
    """Ask one server by UDP, and by TCP if the answer does not fit. Raises OSError."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(min(TRY_SECONDS, deadline.left()))
        sock.connect((server, PORT))
        sock.send(question)
        reply = parse_reply(sock.recv(65535), question)
    if reply is None or not reply.truncated:
        return reply
    with socket.create_connection((server, PORT), min(TRY_SECONDS, deadline.left())) as sock, sock.makefile("rb") as stream:
        sock.sendall(struct.pack(">H", len(question)) + question)
        size = stream.read(2)
        return parse_reply(stream.read(int.from_bytes(size, "big")), question) if len(size) == 2 else None


def ask(resolv: Resolv, name: str, kind: int, deadline: Deadline) -> tuple[list[str], str]:
    """Addresses of a full name, and what is wrong if there are none. Raises socket.timeout past the deadline."""
    trouble = ""
    for server in resolv.servers * TRIES:
        question = query(int.from_bytes(os.urandom(2), "big"), name, kind)
        try:
            reply = _exchange(server, question, deadline)
        except OSError as exc:
            deadline.left()
            trouble = "%s does not answer (%s)" % (server, exc)
            continue
        if reply is None:
            trouble = "%s answers something else than DNS" % server
        elif reply.rcode in (0, NXDOMAIN):
            return reply.addresses, "" if reply.addresses else "%s does not know it" % server
        else:
            trouble = "%s answers %s" % (server, RCODES.get(reply.rcode, str(reply.rcode)))
    return [], trouble


def resolve(name: str, hosts: str, resolv: str, deadline: Deadline) -> list[str]:
    """The addresses of ``name``, given the texts of a hosts file and a resolv.conf. Raises NameUnknown, and socket.timeout."""
    if _is_address(name):
        return [name]
    listed = parse_hosts(hosts).get(name.lower().rstrip("."))
    if listed:
        return listed
    settings = parse_resolv(resolv)
    troubles: list[str] = []
    for full in candidates(name, settings):
        try:
            found = [ask(settings, full, kind, deadline) for kind in (A, AAAA)]
        except (ValueError, UnicodeError):
            raise NameUnknown("%r is no host name" % name) from None
        addresses = [address for some, dummy in found for address in some]
        if addresses:
            return addresses
        troubles += [trouble for dummy, trouble in found if trouble]
    raise NameUnknown("it is not in /etc/hosts, and the name server %s" % ", ".join(dict.fromkeys(troubles)))
