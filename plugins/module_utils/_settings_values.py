# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the server and its Go libraries read the value of a single setting. Private to this collection.

No message quotes a value that it is about: it may be a secret, or have one in it.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import typing as t
from collections.abc import Iterable

Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?\.?")
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|(.*?))(?::([^:]*))?", re.DOTALL)
_DIGITS = re.compile(r"[+-]?[0-9]+", re.ASCII)
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_FULL_WIDTH_QUOTES = "\u201c\u201d\u2018\u2019\uff02\uff07\u300c\u300d"


class Verdict(t.NamedTuple):
    """What is wrong with the value of a key: fatal if the server dies of it or a feature cannot work, otherwise a doubt."""

    key: str
    message: str
    fatal: bool = True


class Dsn(t.NamedTuple):
    """A data source name of the Go MySQL driver; without a port it takes 3306."""

    user: str
    password: str
    host: str
    port: int
    database: str
    parameters: str


def go_int(text: str) -> int | None:
    """What strconv.ParseInt(text, 10, 64) reads, None for its error."""
    if not _DIGITS.fullmatch(text):
        return None
    digits = text.lstrip("+-0") or "0"
    value = int(digits) * (-1 if text.startswith("-") else 1) if len(digits) < 20 else 2**63
    return value if -(2**63) <= value < 2**63 else None


def go_bool(text: str) -> bool | None:
    """What strconv.ParseBool reads, None for its error."""
    return True if text in _TRUE else False if text in _FALSE else None


def is_own_host(host: str) -> bool:
    """Whether a name means, inside a container, that container."""
    name = host.lower().rstrip(".")
    address = _address(name)
    if address is None:
        return name == "localhost" or name.endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def host_and_port(text: str) -> tuple[str, int | None]:
    """``redis:6379`` -> ("redis", 6379); the port may be left out. Raises ValueError with what is wrong."""
    if "://" in text:
        raise ValueError("has a scheme in front, and host:port alone is wanted")
    if "," in text:
        raise ValueError("names several addresses, and one is wanted")
    if "/" in text:
        raise ValueError("has a / in it, and host:port alone is wanted")
    if "@" in text:
        raise ValueError("has an @ in it: user and password have settings of their own")
    match = _ADDRESS.fullmatch(text)
    bracketed, name, port = match.groups() if match else (None, "", None)
    if not bracketed and not name:
        raise ValueError("has no host")
    if _address(bracketed) is None if bracketed else not _HOST.fullmatch(name):
        raise ValueError("has no valid host: letters, digits, dots and hyphens only")
    return bracketed or name, None if port is None else _port(port)


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 0 < int(text) < 65536:
        raise ValueError("has no valid port: a number from 1 to 65535")
    return int(text)


def parse_dsn(text: str) -> Dsn:
    """By the rules of github.com/go-sql-driver/mysql: the last /, the last @ before it, and the first : of what is left of that.

    Raises ValueError with what is wrong.
    """
    head, slash, tail = text.rpartition("/")
    credentials, dummy, place = head.rpartition("@")
    user, dummy, password = credentials.partition(":")
    network, bracket, address = place.partition("(")
    database, dummy, parameters = tail.partition("?")
    if not slash:
        raise ValueError("has no / before the name of the database")
    if ")/" in address:
        raise ValueError("has a / after the one before the name of the database: write it as %2F")
    if not bracket or not address.endswith(")"):
        raise ValueError("has no tcp(host:port) between the @ and the /")
    if network not in ("", "tcp"):
        raise ValueError("does not go over tcp: MySQL runs in another container")
    if not database:
        raise ValueError("names no database after the /")
    host, port = host_and_port(address[:-1])
    return Dsn(user, password, host, 3306 if port is None else port, database, parameters)


def dsn_options(text: str) -> dict[str, t.Any]:
    """What a data source name says of where MySQL is and how to log in, option by option. Raises ValueError with what is wrong."""
    dsn = parse_dsn(text)
    told = dict(pair.partition("=")[::2] for pair in dsn.parameters.split("&"))
    return {"host": dsn.host, "port": dsn.port, "user": dsn.user, "password": dsn.password, "database": dsn.database, "tls": told.get("tls", "false")}


def shape_hint(value: str) -> str | None:
    """What was left in a value by copying or by a pipeline of sed, if anything; never with the value itself."""
    if value != value.strip():
        return "a blank or carriage return at its beginning or end is part of the value: take it away"
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return "the quotes are part of the value: take them away"
    if value and (value[0] in _FULL_WIDTH_QUOTES or value[-1] in _FULL_WIDTH_QUOTES):
        return "the full-width quotes are part of the value: take them away, or type the quotes of the keyboard"
    if re.search(r"\s#(\s|$)", value):
        return "a comment is part of the value: give it a line of its own"
    if re.search(r"\$\{[A-Za-z_]", value):
        return "a ${...} in it was not replaced, and nothing replaces it later: write out what it stands for"
    return None


def bypasses_proxy(no_proxy: str, host: str, port: int) -> bool:
    """Whether Go's HTTP client goes to the host directly, by golang.org/x/net/http/httpproxy."""
    name = host.lower()
    address = _address(name)
    if name == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_exempts(entry.strip(), name, address, port) for entry in no_proxy.lower().split(","))


def _exempts(entry: str, name: str, address: Address | None, port: int) -> bool:
    """Whether one entry of NO_PROXY (``*``, an address, a network, ``x``, ``.x`` or ``*.x``, each but the first two with or without a port) names the host."""
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            pass
    match = re.fullmatch(r"\[([^\[\]]*)\]:(.*)|([^:]*):([^:]*)", entry)
    its_host, its_port = (match.group(1) or match.group(3) or "", match.group(2) or match.group(4) or "") if match else (entry, "")
    if not its_host or its_port not in ("", str(port)):
        return False
    its_address = _address(its_host)
    if its_address is not None:
        return its_address == address
    its_host = its_host[1:] if its_host.startswith("*.") else its_host
    return name.endswith(its_host) if its_host.startswith(".") else name == its_host or name.endswith(f".{its_host}")


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def nearest(word: str, known: Iterable[str]) -> str:
    """``; is X meant?``, or nothing."""
    near = difflib.get_close_matches(word, [*known], n=1)
    return f"; is {near[0]} meant?" if near else ""
