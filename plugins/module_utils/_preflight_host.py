# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is checked of the machine itself, whatever the stack: pure, from the facts that stack_info returns."""

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _proxy, _routes
from ansible_collections.cozeops.studio.plugins.module_utils._check import Check, fail, ok, warn
from ansible_collections.cozeops.studio.plugins.module_utils._settings_values import bypasses_proxy

Model = t.Mapping[str, t.Any]
Facts = t.Mapping[str, t.Any]
Checks = t.Iterator[Check]

GIB = 1024**3
#: What Elasticsearch asks for where it is no single node, and Redis for its queue of connections.
MAX_MAP_COUNT = 262144
SOMAXCONN = 511
INODES_MIN = 100000
SKEW_WARN, SKEW_FAIL = 2.0, 60.0
PYTHON_MIN = (3, 9)

#: Without these, images of the given service end at once on such a machine.
CPU_NEEDS = {
    "mysql": (
        {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"},
        "MySQL's image is made for x86-64-v2 processors (exit code 127 without it).",
    ),
    "milvus": ({"sse4_2", "avx"}, "Milvus ends with exit code 132 on a processor without AVX."),
}
CPU_CURE = "Give the virtual machine its host's processor model, or set stack_images to an image that is made for this one."

MIB = 1024**2
#: Bytes without which not even what a run writes itself has room.
FULL = 32 * MIB

NO_OWNERS = "it knows no owners, and every store needs its data to be its own. Set stack_root to a directory on ext4 or xfs."
LOCAL_DISK = "Set stack_root to a directory on a local disk with ext4 or xfs."
#: File systems that data do not belong on: state, what is wrong or missing, and what to do.
FILE_SYSTEMS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("vfat", "msdos", "exfat", "ntfs", "ntfs3"), ("fail", NO_OWNERS)),
    **dict.fromkeys(("iso9660", "squashfs", "erofs"), ("fail", "it cannot be written to. " + LOCAL_DISK)),
    **dict.fromkeys(("nfs", "nfs4"), ("warn", "stores get slow or lose locks there, and root squashing denies them owners. " + LOCAL_DISK)),
    **dict.fromkeys(("cifs", "smb3", "smbfs"), ("warn", "it has owners by its mount options only, and stores end with 'Permission denied'. " + LOCAL_DISK)),
    **dict.fromkeys(("9p", "virtiofs", "drvfs", "vboxsf"), ("warn", "a shared folder of the hypervisor may refuse owners, locks and fsync. " + LOCAL_DISK)),
    **dict.fromkeys(("tmpfs", "ramfs"), ("warn", "it is memory, and its data are gone when the machine restarts. " + LOCAL_DISK)),
    "overlay": ("warn", "it is the layer of a container or of a live system, and its data go with that. Mount a disk, or set stack_root to one."),
}


def gib(size: float) -> str:
    return "%.1f GiB" % (size / GIB)


# -- processor, memory, disk


def cpu_checks(model: Model, facts: Facts) -> Checks:
    cpu = facts["cpu"]
    found = "%d, %s" % (cpu["count"], cpu["machine"])
    if cpu["count"] < 2 and not facts["stack"]["exists"]:
        yield warn("host", "processors", found, "Starts take longer than they are waited for. Give the machine two processors.")
    else:
        yield ok("host", "processors", found)
    if cpu["machine"] == "x86_64" and cpu["flags"]:
        for name, (flags, text) in CPU_NEEDS.items():
            if name in model["services"]:
                lacking = sorted(flags - set(cpu["flags"]))
                if lacking:
                    yield warn("host", "processor for " + name, "the processor lacks %s." % ", ".join(lacking), text + " " + CPU_CURE)
                else:
                    yield ok("host", "processor for " + name, "has %s" % ", ".join(sorted(flags)))
    if cpu["page_size"] == 4096:
        yield ok("host", "memory pages", "4096 bytes")
    else:
        yield warn(
            "host",
            "memory pages",
            "the kernel's pages have %d bytes." % cpu["page_size"],
            "Redis and Milvus images are built for 4096, and may end with 'Unsupported system page size'. Boot a kernel with pages of 4096 bytes.",
        )


def memory_checks(facts: Facts, memory_min: int) -> Checks:
    memory, exists = facts["memory"], facts["stack"]["exists"]
    limit = memory["limit"]
    total = memory["total"] if limit is None else min(memory["total"], limit)
    # A stack that is there already has to be reached most of all when memory or disk is short.
    state = warn if exists else fail
    bound = "" if limit is None else " (the limit of its control group)"
    if total < memory_min:
        yield state("host", "memory", "the host has %s of memory%s" % (gib(total), bound), "%s are needed (stack_memory_min)." % gib(memory_min))
    else:
        yield ok("host", "memory", "%s%s, %s available, %s swap" % (gib(total), bound, gib(memory["available"]), gib(memory["swap"])))
    if not exists and memory["available"] < memory_min <= total:
        yield warn(
            "host",
            "free memory",
            "%s of memory are available; the rest is in use" % gib(memory["available"]),
            "the stack needs %s (stack_memory_min): stop what is not needed, or the kernel may kill a store (exit code 137)." % gib(memory_min),
        )


def disk_checks(facts: Facts, disk_min: int, lacks_images: bool) -> Checks:
    disk, engine, exists = facts["disk"], facts["engine_disk"], facts["stack"]["exists"]
    state = warn if exists else fail
    if disk["free"] < FULL:
        yield fail(
            "disk",
            "free space",
            "%s is full: %d MB are free" % (disk["path"], disk["free"] // MIB),
            "Make room there first: files could only be written in part, and stores refuse to write. status.yml then tells what still does not run.",
        )
    elif disk["free"] < disk_min:
        yield state("disk", "free space", "%s has %s of free space" % (disk["path"], gib(disk["free"])), "%s are needed (stack_disk_min)." % gib(disk_min))
    else:
        yield ok("disk", "free space", "%s of %s on %s" % (gib(disk["free"]), gib(disk["size"]), disk["path"]))
    # Where the images lie; on the same file system it has been told already.
    if engine["mount"] != disk["mount"] and lacks_images and engine["free"] < disk_min:
        yield warn(
            "disk",
            "space for images",
            "%s has %s of free space" % (engine["path"], gib(engine["free"])),
            "images need several GiB there: make room, or give the Engine another data-root.",
        )
    if disk["inodes"] > 0 and disk["inodes_free"] < INODES_MIN:
        yield warn("disk", "inodes", "%s has %d inodes left" % (disk["path"], disk["inodes_free"]), "stores make many small files: remove what is not needed.")
    yield file_system(facts)
    if disk["rotational"]:
        yield ok("disk", "kind of disk", "it turns: starts and searches take longer than on a solid one")


def file_system(facts: Facts) -> Check:
    disk = facts["disk"]
    kind = disk["type"]
    found = "%s is on %s" % (disk["path"], kind or "a file system that cannot be told")
    if "ro" in disk["options"]:
        return fail("disk", "file system", "%s, which is mounted read-only" % found, "Mount it for writing, or set stack_root to another directory.")
    if kind.startswith("fuse"):
        return warn("disk", "file system", found, "a file system of a program may refuse owners, locks and fsync. " + LOCAL_DISK)
    state, text = FILE_SYSTEMS.get(kind, ("ok", ""))
    # Once data are there, this is known.
    if state == "ok" or (kind == "overlay" and facts["stack"]["exists"]):
        return ok("disk", "file system", found + (" (noexec, which is no harm: nothing is run from there)" if "noexec" in disk["options"] else ""))
    return Check("disk", "file system", state, found, text)


# -- kernel, clock


def kernel_checks(facts: Facts) -> Checks:
    kernel = facts["kernel"]
    sysctl, cgroup = kernel["sysctl"], kernel["cgroup"]
    yield from cgroup_checks(cgroup)
    if facts["engine"]["reachable"] and sysctl["net.ipv4.ip_forward"] == 0:
        yield warn(
            "kernel",
            "net.ipv4.ip_forward",
            "it is 0, so that nothing gets out of a container, and nobody in",
            "set it to 1 in /etc/sysctl.d and restart the Engine, which turns it on when it starts.",
        )
    notes = {
        "vm.max_map_count": (MAX_MAP_COUNT, "Elasticsearch asks for %d, but not of a single node" % MAX_MAP_COUNT),
        "vm.overcommit_memory": (1, "Redis asks for 1: with 0 it may fail to save while memory is short"),
        "net.core.somaxconn": (SOMAXCONN, "Redis asks for %d" % SOMAXCONN),
        "net.bridge.bridge-nf-call-iptables": (0, ""),
    }
    for name, (least, note) in notes.items():
        value = sysctl[name]
        if value is not None:
            yield ok("kernel", name, "%d%s" % (value, " (%s)" % note if note and value < least else ""))


def cgroup_checks(cgroup: t.Mapping[str, t.Any]) -> Checks:
    lacking = [name for name in ("memory", "pids") if name not in cgroup["controllers"]]
    found = "version %d" % cgroup["version"]
    if lacking:
        yield warn(
            "kernel",
            "control groups",
            "%s, without the controllers %s" % (found, " and ".join(lacking)),
            "limits of the services' %s are not kept: boot with cgroup_enable=memory, or enable them for the Engine." % " and ".join(lacking),
        )
    else:
        yield ok("kernel", "control groups", found + " with memory and pids")


def skew(clock: t.Mapping[str, float]) -> float:
    """Seconds by which the host's clock is ahead (or, below 0, behind) at least; 0 if the time of the round trip explains the difference."""
    if clock["host"] > clock["after"]:
        return clock["host"] - clock["after"]
    return min(clock["host"] - clock["before"], 0.0)


def clock_check(clock: t.Mapping[str, float]) -> Check:
    if "before" not in clock:
        return ok("host", "clock", "not checked: the controller's time was not noted")
    off = skew(clock)
    if abs(off) <= SKEW_WARN:
        return ok("host", "clock", "agrees with the controller's to %.1f s" % max(abs(off), clock["after"] - clock["before"]))
    found = "the host's clock is %.0f s %s the controller's" % (abs(off), "ahead of" if off > 0 else "behind")
    cure = "let both follow a time server (systemd-timesyncd, chrony): logins, signed addresses of files and TLS go by the clock."
    return (fail if abs(off) > SKEW_FAIL else warn)("host", "clock", found, cure)


def system_checks(facts: Facts) -> Checks:
    version = facts["system"]["python"]
    if tuple(int(part) for part in version.split(".")[:2]) < PYTHON_MIN:
        yield fail("host", "Python", "modules run with Python %s" % version, "install Python 3.9 or newer, and set ansible_python_interpreter to it.")
    else:
        yield ok("host", "Python", version)
    engine, kernel = facts["engine"], facts["kernel"]
    if kernel["selinux"] == "enforcing" and engine.get("selinux"):
        yield warn(
            "host",
            "SELinux",
            "it is enforcing, and the Engine labels containers",
            "files below stack_root need the type container_file_t: semanage fcontext -a -t container_file_t 'STACK_ROOT(/.*)?', then restorecon.",
        )
    elif kernel["selinux"]:
        yield ok("host", "SELinux", kernel["selinux"])
    if kernel["firewalls"]:
        yield ok("host", "firewall", "%s is on: ports that Docker publishes pass by it" % " and ".join(kernel["firewalls"]))


# -- Engine and networks


def engine_details(facts: Facts) -> Checks:
    engine = facts["engine"]
    if engine["rootless"]:
        yield warn(
            "engine",
            "rights",
            "the Engine is rootless",
            "data cannot be given to the uids of the stores, and probes cannot enter the containers' network: use an Engine that runs as root.",
        )
    elif engine["userns"]:
        yield warn(
            "engine",
            "rights",
            "the Engine remaps users (userns-remap)",
            "data that belong to a store's uid are not its own inside: take userns-remap out of daemon.json.",
        )
    elif not engine["live_restore"]:
        yield ok("engine", "live-restore", "off: containers stop when the Engine is restarted")
    if engine["driver"] == "vfs":
        yield warn("engine", "storage driver", "vfs, which copies every layer of an image", "use overlay2: vfs takes many times the space and time.")
    else:
        yield ok("engine", "storage driver", engine["driver"])
    beyond = [name for name in engine["insecure_registries"] if name not in ("127.0.0.0/8", "::1/128")]
    if beyond:
        yield ok("engine", "insecure registries", ", ".join(beyond))
    if engine["mirrors"]:
        yield ok("engine", "mirrors", ", ".join(_proxy.hidden(mirror) for mirror in engine["mirrors"]))


def pools_of(facts: Facts) -> list[tuple[str, int]]:
    """Where networks are taken from: by the Engine's word, or by daemon.json of one that does not run yet."""
    given = facts["engine"].get("address_pools")
    if given is None:
        settings = facts["system"]["daemon_settings"]
        given = settings.get("default-address-pools") if isinstance(settings, dict) else None
    return [(pool["base"], int(pool["size"])) for pool in given or []] or list(_routes.DEFAULT_POOLS)


def network_checks(model: Model, facts: Facts) -> Checks:
    subnets = facts["network"]["subnets"]
    have = _routes.ipv4(subnet for group in subnets.values() for subnet in group)
    foreign = _routes.foreign((_routes.Route(**route) for route in facts["network"]["routes"]), have)
    hidden = ["%s (%s) and %s via %s" % (name, subnet, route.subnet, route.interface) for name, subnet, route in crossings(subnets, foreign)]
    if hidden:
        yield warn(
            "network",
            "Docker's networks",
            "networks overlap with routes of the host: %s" % "; ".join(hidden),
            "what those routes lead to cannot be reached: remove the network, and set default-address-pools in daemon.json (engine_settings) to a free range.",
        )
    if model["network"] in facts["networks"]:
        if not hidden:
            own = "".join(", " + subnet for subnet in subnets.get(model["network"], []))
            yield ok("network", "the stack's network", "%s is there%s" % (model["network"], own))
        return
    yield next_network_check(pools_of(facts), have, foreign)


def crossings(subnets: t.Mapping[str, t.Sequence[str]], foreign: t.Sequence[_routes.Route]) -> t.Iterator[tuple[str, str, _routes.Route]]:
    for name, group in subnets.items():
        for subnet in group:
            for network in _routes.ipv4([subnet]):
                yield from ((name, subnet, route) for route in _routes.crossing(network, foreign))


def next_network_check(pools: t.Sequence[tuple[str, int]], have: t.Sequence[t.Any], foreign: t.Sequence[_routes.Route]) -> Check:
    """Docker passes over networks that are on an interface of the host; Engines before 26 also over those behind a gateway."""
    area, name = "network", "next network"
    cure = "set default-address-pools in daemon.json (engine_settings) to a range that nothing else uses, or stack_network_name to a network that exists."
    direct = [*have, *_routes.ipv4(route.subnet for route in foreign if route.direct)]
    chosen = _routes.next_network(pools, direct)
    if chosen is None:
        bases = ", ".join(base for base, dummy in pools)
        return fail(area, name, "Docker's address pools (%s) have no range that is free of networks and routes" % bases, cure)
    crossed = _routes.crossing(chosen, foreign)
    if crossed:
        ways = ", ".join("%s via %s" % (route.subnet, route.interface) for route in crossed)
        return warn(area, name, "Docker may take %s for the next network, and the host has routes there: %s" % (chosen, ways), cure)
    return ok(area, name, "%s, which no route of the host needs" % chosen)


# -- proxies (those of the .env are judged with it)


def proxy_text(settings: t.Mapping[str, str]) -> str:
    return "%s (NO_PROXY: %s)" % (settings["https"] or settings["http"], settings["no_proxy"] or "none")


def names_of(name: str, service: t.Mapping[str, t.Any]) -> list[str]:
    """By which others of the stack know a service."""
    return [name, *service["aliases"]]


def unspared(no_proxy: str, services: t.Mapping[str, t.Any], names: t.Iterable[str]) -> list[str]:
    """Services that would be asked through the proxy, whichever of their names is used."""
    return [name for name in names if not any(bypasses_proxy(no_proxy, known, 80) for known in names_of(name, services[name]))]


def proxy_checks(model: Model, facts: Facts) -> Checks:
    proxies, services = facts["proxies"], model["services"]
    if _proxy.is_set(proxies["engine"]):
        yield ok("proxy", "of the Engine", proxy_text(proxies["engine"]))
    client = proxies["client"]
    if _proxy.is_set(client):
        lacking = unspared(client["no_proxy"], services, services)
        found = "%s gives containers the proxy %s" % (proxies["client_file"], proxy_text(client))
        if lacking:
            cure = "those that the docker command starts would ask the stack's services through it: add %s to its noProxy." % ",".join(lacking)
            yield warn("proxy", "of the docker command", found, cure)
        else:
            yield ok("proxy", "of the docker command", found)


def host_checks(model: Model, facts: Facts, memory_min: int, disk_min: int, lacks_images: bool) -> Checks:
    """All of the above, in the order in which they are shown."""
    yield from system_checks(facts)
    yield clock_check(facts["clock"])
    yield from cpu_checks(model, facts)
    yield from memory_checks(facts, memory_min)
    yield from disk_checks(facts, disk_min, lacks_images)
    yield from kernel_checks(facts)
    if facts["engine"]["reachable"]:
        yield from engine_details(facts)
    yield from network_checks(model, facts)
    yield from proxy_checks(model, facts)
