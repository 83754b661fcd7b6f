# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of a Linux host that a deployment depends on, read from /proc and the file system; nothing is run or changed."""

from __future__ import annotations

import glob
import ipaddress
import json
import os
import struct
import typing as t

LISTEN = "0A"
#: capabilities(7)
CAP_SYS_RESOURCE = 24


def address_of(hexadecimal: str) -> str:
    """The address part of a line of /proc/net/tcp or tcp6: "0100007F" -> "127.0.0.1"."""
    raw = bytes.fromhex(hexadecimal)
    # The kernel prints each 32-bit word in the machine's byte order.
    words = struct.unpack("=%dI" % (len(raw) // 4), raw)
    packed = struct.pack(">%dI" % len(words), *words)
    address = ipaddress.ip_address(packed)
    # A socket for both families (Java's are) that is bound to an IPv4 address has that address.
    return str(getattr(address, "ipv4_mapped", None) or address)


def listening(text: str) -> list[tuple[str, int, str]]:
    """(address, port, inode) of every listening socket in the text of /proc/net/tcp or /proc/net/tcp6."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTEN:
            address, port = fields[1].rsplit(":", 1)
            found.append((address_of(address), int(port, 16), fields[9]))
    return found


def read(path: str, default: str = "") -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return default


def socket_owners(inodes: t.Collection[str]) -> dict[str, tuple[int, str]]:
    """inode -> (pid, command name), for the given sockets."""
    owners: dict[str, tuple[int, str]] = {}
    if not inodes:
        return owners
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            target = os.readlink(link)
        except OSError:
            continue  # the process ended, or closed it, since the listing
        if target.startswith("socket:[") and target[8:-1] in inodes:
            pid = int(link.split("/")[2])
            owners[target[8:-1]] = (pid, read("/proc/%d/comm" % pid).strip())
    return owners


def listeners() -> list[dict[str, t.Any]]:
    """[{"address", "port", "pid", "process"}] of the host's listening TCP sockets."""
    sockets = [entry for name in ("tcp", "tcp6") for entry in listening(read("/proc/net/" + name))]
    owners = socket_owners({inode for _address, _port, inode in sockets})
    return [
        {"address": address, "port": port, "pid": owners.get(inode, (0, ""))[0], "process": owners.get(inode, (0, ""))[1]}
        for address, port, inode in sockets
    ]


def memory() -> dict[str, int]:
    """{"total", "available"} in bytes."""
    values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in read("/proc/meminfo").splitlines() if ":" in line}
    return {"total": values.get("MemTotal", 0), "available": values.get("MemAvailable", 0)}


def disk(path: str) -> dict[str, t.Any]:
    """{"path", "free"}: free bytes of the file system that will hold the path, of which some parent exists."""
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    stats = os.statvfs(path)
    return {"path": path, "free": stats.f_bavail * stats.f_frsize}


def cpu() -> dict[str, t.Any]:
    """{"machine", "flags" (those that matter), "page_size"}."""
    flags = next((line.split(":", 1)[1].split() for line in read("/proc/cpuinfo").splitlines() if line.startswith("flags")), [])
    return {
        "machine": os.uname().machine,
        "flags": sorted({"avx", "avx2", "avx512f", "popcnt", "sse4_1", "sse4_2", "ssse3"} & set(flags)),
        "page_size": os.sysconf("SC_PAGE_SIZE"),
    }


def open_files_limit() -> int | None:
    """How many open files the Engine can grant a container; None if it may grant any number.

    Where none runs, one that is started from here will have what this process has.
    """
    pid = read("/var/run/docker.pid").strip() or "self"
    status = dict(line.split(":\t", 1) for line in read("/proc/%s/status" % pid).splitlines() if ":\t" in line)
    if int(status.get("CapEff", "0"), 16) >> CAP_SYS_RESOURCE & 1:
        return None
    for line in read("/proc/%s/limits" % pid).splitlines():
        if line.startswith("Max open files"):
            hard = line.split()[4]
            return int(hard) if hard.isdigit() else None
    return None


def system() -> dict[str, t.Any]:
    """{"systemd", "docker_installed", "distribution" (ID of os-release), "version", "daemon_settings" (daemon.json, None if it is none)}."""
    release = dict(line.split("=", 1) for line in read("/etc/os-release").splitlines() if "=" in line)
    path = "/etc/docker/daemon.json"
    return {
        "systemd": os.path.isdir("/run/systemd/system"),
        "docker_installed": any(os.path.exists(os.path.join(folder, "dockerd")) for folder in ("/usr/bin", "/usr/sbin", "/usr/local/bin")),
        "distribution": release.get("ID", "").strip('"'),
        "version": release.get("VERSION_ID", "").strip('"'),
        "daemon_settings": load_json(path) if os.path.exists(path) else {},
    }


def load_json(path: str) -> t.Any:
    """The document, or None if there is none or it is cut off."""
    try:
        return json.loads(read(path) or "null")
    except ValueError:
        return None


def data_directories(root: str) -> dict[str, dict[str, t.Any]]:
    """Every data directory of a stack: "data/<name>" -> {"filled", "stamp"} (stamp None: not made by this collection)."""
    found = {}
    base = os.path.join(root, "data")
    for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        path = os.path.join(base, name)
        if os.path.isdir(path):
            mark = os.path.join(base, ".%s.json" % name)
            stamp = load_json(mark)
            if os.path.exists(mark) and not isinstance(stamp, dict):
                stamp = {"unreadable": True}
            found["data/" + name] = {"filled": bool(os.listdir(path)), "stamp": stamp}
    return found


def read_env_file(path: str) -> dict[str, str]:
    """The literal KEY=VALUE lines of an environment file; empty if there is no such file."""
    # Not splitlines(): a value may hold other characters that Python takes for the end of a line.
    pairs = (line.partition("=") for line in read(path).split("\n"))
    return {key: value for key, sign, value in pairs if sign and key}


def env_values(root: str, keys: t.Collection[str]) -> dict[str, str]:
    """The wanted keys of a stack's environment and secrets files, which are literal KEY=VALUE lines."""
    found: dict[str, str] = {}
    for path in [*sorted(glob.glob(os.path.join(glob.escape(root), "env", "*.env"))), os.path.join(root, "state", "secrets.env")]:
        for key, value in read_env_file(path).items():
            if key in keys and value:
                found.setdefault(key, value)
    return found
