# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way in: what the public URL of a stack decides, and where a stack's name comes from."""

from __future__ import annotations

import ipaddress
import posixpath
import re
import typing as t
from urllib.parse import urlsplit

STACK_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
DEFAULT_PORTS = {"http": 80, "https": 443}


class EntryError(ValueError):
    """A name or an address that cannot be used; the text says which variable, and what to set."""


def check_stack_name(name: str) -> str:
    """The name itself. Containers, a network and a directory are called after it, so Docker's rules hold."""
    if not STACK_NAME.fullmatch(name):
        raise EntryError(
            "stack_name: %r is no name for a stack. Use 1 to 40 characters of a-z, 0-9, '_', '.' and '-', and begin with a letter or a digit." % name
        )
    return name


def check_root(root: str) -> str:
    """The stack's directory itself. It is mounted, and removed by a teardown, so nothing about it may be open."""
    if not posixpath.isabs(root) or posixpath.normpath(root) in ("/", "//"):
        raise EntryError("stack_root: %r is no directory for a stack. Set it to an absolute path, such as /opt/cozeops/coze." % root)
    return root


def stack_name_of(group_names: t.Sequence[str], groups: t.Mapping[str, t.Sequence[str]]) -> str:
    """The stack that a host belongs to: its group below ``coze``, or ``coze``.

    Groups that begin with ``coze_`` say where a service runs, and ``cozeops_`` is for those that a run makes; they name no stack.
    Raises EntryError for two candidates.
    """
    members = set(groups.get("coze", []))
    candidates = [
        group
        for group in group_names
        if group not in ("all", "ungrouped", "coze") and not group.startswith(("coze_", "cozeops_")) and members.issuperset(groups.get(group, []))
    ]
    if len(candidates) > 1:
        raise EntryError(
            "stack_name: the host is in the groups %s, and each could be its stack. Set stack_name in the group that is." % ", ".join(sorted(candidates))
        )
    return candidates[0] if candidates else "coze"


def stack_of(variables: t.Mapping[str, t.Any], groups: t.Mapping[str, t.Sequence[str]]) -> str:
    """The stack of the host that has these variables: the name that it is given, else as ``stack_name_of`` finds it."""
    return str(variables.get("stack_name") or stack_name_of(variables["group_names"], groups))


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_listen(listen: str) -> tuple[str, int]:
    """"0.0.0.0:8888" -> ("0.0.0.0", 8888); "[::]:80" -> ("::", 80). Raises EntryError."""
    address, _colon, port = listen.rpartition(":")
    address = address.strip("[]")
    try:
        ipaddress.ip_address(address)
        number = int(port)
    except ValueError as exc:
        raise EntryError("stack_listen: %r is not address:port. Write it like 0.0.0.0:8888 or [::]:8888." % listen) from exc
    return address, check_port(number, "stack_listen")


def check_port(port: int, variable: str) -> int:
    if not 0 < port < 65536:
        raise EntryError("%s: %d is not a port; ports go from 1 to 65535." % (variable, port))
    return port


def entry_of(url: str, listen: str = "") -> dict[str, t.Any]:
    """{"url", "scheme", "host", "authority", "address", "port"}: authority is host:port as in the URL, address and port
    are where the entry listens. Raises EntryError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise EntryError("stack_public_url: %s has an address or a port that is none: %s." % (url, exc)) from exc
    more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc or url.split() != [url]
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or more:
        raise EntryError("stack_public_url: %r is not of the form http://host:port (or https), without a path." % url)
    if parts.hostname in ("0.0.0.0", "::"):
        raise EntryError(
            "stack_public_url: %s is no address that people can use. Write the one they use; to listen on all, set stack_listen to 0.0.0.0:PORT." % url
        )
    if listen:
        address, listen_port = split_listen(listen)
    elif parts.scheme == "https":
        raise EntryError(
            "stack_public_url: %s is https, and the entry itself speaks http: set stack_listen to where your TLS proxy reaches it,"
            " such as 127.0.0.1:8888." % url
        )
    else:
        address = ("::1" if ":" in parts.hostname else "127.0.0.1") if is_loopback(parts.hostname) else "0.0.0.0"
        listen_port = check_port(DEFAULT_PORTS[parts.scheme] if port is None else port, "stack_public_url")
    return {"url": url.rstrip("/"), "scheme": parts.scheme, "host": parts.hostname, "authority": parts.netloc, "address": address, "port": listen_port}
