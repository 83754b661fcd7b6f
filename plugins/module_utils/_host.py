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
import time
import typing as t

LISTEN = "0A"
#: capabilities(7)
CAP_SYS_RESOURCE = 24
#: Of /proc/cpuinfo: what MySQL's and Milvus' images ask of a processor.
CPU_FLAGS = frozenset(("avx", "avx2", "avx512f", "cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"))
SYSCTLS = ("vm.max_map_count", "vm.overcommit_memory", "net.core.somaxconn", "net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables")
CGROUPS = "/sys/fs/cgroup"
ENGINE_PID = "/var/run/docker.pid"
ENGINE_ROOT = "/var/lib/docker"


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


def addresses(fib_trie: str, if_inet6: str) -> list[str]:
    """Addresses of the host, by /proc/net/fib_trie and /proc/net/if_inet6; without loopback and link-local ones."""
    found = []
    lines = fib_trie.splitlines()
    for line, below in zip(lines, lines[1:]):
        if "/32 host LOCAL" in below:
            found.append(ipaddress.ip_address(line.split()[-1]))
    found += [ipaddress.ip_address(bytes.fromhex(line.split()[0])) for line in if_inet6.splitlines() if line.strip()]
    return [str(each) for each in dict.fromkeys(found) if not each.is_loopback and not each.is_link_local]


def listeners() -> list[dict[str, t.Any]]:
    """[{"address", "port", "pid", "process"}] of the host's listening TCP sockets."""
    sockets = [entry for name in ("tcp", "tcp6") for entry in listening(read("/proc/net/" + name))]
    owners = socket_owners({inode for _address, _port, inode in sockets})
    return [
        {"address": address, "port": port, "pid": owners.get(inode, (0, ""))[0], "process": owners.get(inode, (0, ""))[1]}
        for address, port, inode in sockets
    ]


def memory() -> dict[str, t.Any]:
    """{"total", "available", "swap", "limit" (of the host's own control group, None if it has none)} in bytes."""
    values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in read("/proc/meminfo").splitlines() if ":" in line}
    return {
        "total": values.get("MemTotal", 0),
        "available": values.get("MemAvailable", 0),
        "swap": values.get("SwapTotal", 0),
        "limit": memory_limit(read("/proc/1/cgroup"), values.get("MemTotal", 0)),
    }


def memory_limit(membership: str, total: int) -> int | None:
    """The lowest limit over the first process, whose membership is the text of /proc/1/cgroup: a host that is a container has one."""
    found = []
    for line in membership.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            top, name = CGROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = CGROUPS + "/memory", "memory.limit_in_bytes"
        else:
            continue
        while True:
            text = read(os.path.join(top, path.lstrip("/"), name)).strip()
            found += [int(text)] if text.isdigit() else []
            if path in ("/", ""):
                break
            path = os.path.dirname(path)
    # Without a limit, version 1 shows a number that is larger than any memory.
    return min((limit for limit in found if limit < total), default=None)


class Mount(t.NamedTuple):
    """A line of /proc/self/mountinfo."""

    point: str
    kind: str
    options: tuple[str, ...]
    device: str


def unescape(path: str) -> str:
    """A path of mountinfo, which has blanks and the like in octal."""
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, char)
    return path


def mount_of(path: str, text: str) -> Mount | None:
    """The mount that an absolute path is on, by the text of /proc/self/mountinfo. A later mount on the same point hides the earlier."""
    found: Mount | None = None
    for line in text.splitlines():
        left, sign, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if not sign or len(fields) < 6 or not kind:
            continue
        point = unescape(fields[4])
        inside = point == "/" or path == point or path.startswith(point + "/")
        if inside and (found is None or len(point) >= len(found.point)):
            # What the file system itself is mounted with may be stricter than this mount of it.
            options = {*fields[5].split(","), *(kind[2].split(",") if len(kind) > 2 else [])}
            found = Mount(point, kind[0], tuple(sorted(options & {"ro", "noexec"})), fields[2])
    return found


def rotational(device: str) -> bool | None:
    """Whether the block device major:minor turns; None where the kernel does not say, as of a network file system."""
    place = os.path.join("/sys/dev/block", device)
    # A partition has no queue of its own.
    text = read(os.path.join(place, "queue/rotational")) or read(os.path.join(os.path.realpath(place), "../queue/rotational"))
    return text.strip() == "1" if text.strip() else None


def existing(path: str) -> str:
    """The path, or the nearest of its parents that exists."""
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def disk(path: str) -> dict[str, t.Any]:
    """What will hold the path, of which some parent exists: {"path", "free" and "size" in bytes, "inodes_free", "inodes" (0: not counted), "mount",
    "type", "options" (ro and noexec, if set), "rotational"}."""
    path = existing(path)
    stats = os.statvfs(path)
    mount = mount_of(os.path.realpath(path), read("/proc/self/mountinfo"))
    return {
        "path": path,
        "free": stats.f_bavail * stats.f_frsize,
        "size": stats.f_blocks * stats.f_frsize,
        "inodes_free": stats.f_favail,
        "inodes": stats.f_files,
        "mount": mount.point if mount else "",
        "type": mount.kind if mount else "",
        "options": list(mount.options) if mount else [],
        "rotational": rotational(mount.device) if mount else None,
    }


def disks(*paths: str) -> list[dict[str, t.Any]]:
    """What will hold these paths, each file system once."""
    return list({found["mount"]: found for found in map(disk, paths)}.values())


def cpu() -> dict[str, t.Any]:
    """{"machine", "count", "flags" (those that matter), "page_size"}."""
    flags = next((line.split(":", 1)[1].split() for line in read("/proc/cpuinfo").splitlines() if line.startswith("flags")), [])
    return {
        "machine": os.uname().machine,
        "count": os.cpu_count() or 1,
        "flags": sorted(CPU_FLAGS & set(flags)),
        "page_size": os.sysconf("SC_PAGE_SIZE"),
    }


def kernel() -> dict[str, t.Any]:
    """{"release", "sysctl" (name to number, None where the kernel has it not), "cgroup": {"version", "controllers"}, "selinux", "firewalls"}."""
    values = {name: read("/proc/sys/" + name.replace(".", "/")).strip() for name in SYSCTLS}
    return {
        "release": os.uname().release,
        "sysctl": {name: int(value) if value.isdigit() else None for name, value in values.items()},
        "cgroup": cgroup(),
        "selinux": {"1": "enforcing", "0": "permissive"}.get(read("/sys/fs/selinux/enforce").strip(), ""),
        "firewalls": firewalls(),
    }


def cgroup() -> dict[str, t.Any]:
    """{"version", "controllers"} of the control groups that an Engine here can use."""
    unified = read(CGROUPS + "/cgroup.controllers")
    if unified:
        return {"version": 2, "controllers": sorted(unified.split())}
    lines = [line.split() for line in read("/proc/cgroups").splitlines() if not line.startswith("#")]
    return {"version": 1, "controllers": sorted(fields[0] for fields in lines if len(fields) == 4 and fields[3] == "1")}


def firewalls() -> list[str]:
    """Firewalls that this host's start-up turns on."""
    found = ["firewalld"] if os.path.exists("/run/firewalld.pid") or os.path.exists("/var/run/firewalld.pid") else []
    return found + (["ufw"] if "ENABLED=yes" in read("/etc/ufw/ufw.conf").splitlines() else [])


def clock() -> dict[str, float]:
    """{"host"}: what the host takes for the time, in seconds since 1970."""
    return {"host": time.time()}


def open_files_limit() -> int | None:
    """How many open files the Engine can grant a container; None if it may grant any number.

    Where none runs, one that is started from here will have what this process has.
    """
    pid = read(ENGINE_PID).strip() or "self"
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


def docker_config() -> str:
    """Where the Docker client of this user keeps its settings."""
    return os.path.join(os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker"), "config.json")
