# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine: facts of a healthy one, each time with one thing else, and the row that it makes."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._check import Check, sentence
from ansible_collections.cozeops.studio.plugins.module_utils._preflight_host import host_checks, skew
from ansible_collections.cozeops.studio.tests.unit.plugins.host_facts import DISK, ENGINE, GIB, MACHINE
from ansible_collections.cozeops.studio.tests.unit.plugins.samples import model_of, service_of
from hypothesis import given
from hypothesis import strategies as st

BARE: dict[str, t.Any] = {"engine": ENGINE, "networks": {}, "stack": {"exists": False, "data": {}}, **MACHINE}
POOLS = {"default-address-pools": [{"base": "10.8.0.0/16", "size": 24}]}
NO_ENGINE = {"reachable": False, "error": "no Docker Engine answers: x"}


def set_in(facts: dict[str, t.Any], path: str, value: t.Any) -> None:
    *way, last = path.split("/")
    for name in way:
        facts = facts[name]
    facts[last] = value


def rows(changes: dict[str, t.Any], services: t.Sequence[str] = ("mysql",), lacks_images: bool = True) -> list[Check]:
    facts = copy.deepcopy(BARE)
    for path, value in changes.items():
        set_in(facts, path, copy.deepcopy(value))
    return list(host_checks(model_of(*(service_of(name=name, aliases=[]) for name in services)), facts, 3 * GIB, 5 * GIB, lacks_images))


def row(changes: dict[str, t.Any], name: str, **more: t.Any) -> Check:
    (found,) = [check for check in rows(changes, **more) if check.name == name]
    return found


def disk(**more: t.Any) -> dict[str, t.Any]:
    return {"disk": {**DISK, **more}}


def routes(*entries: tuple[str, str, bool]) -> dict[str, t.Any]:
    docker0 = {"subnet": "172.17.0.0/16", "interface": "docker0", "direct": True}
    return {"network/routes": [docker0, *({"subnet": subnet, "interface": interface, "direct": direct} for subnet, interface, direct in entries)]}


VPN_ALL = routes(("0.0.0.0/1", "tun0", True), ("128.0.0.0/1", "tun0", True))


def test_nothing_is_wrong_with_a_healthy_machine() -> None:
    assert {check.state for check in rows({})} == {"ok"}


@pytest.mark.parametrize(
    ("changes", "name", "state", "says"),
    [
        # host
        ({"system/python": "3.8.10"}, "Python", "fail", "modules run with Python 3.8.10; install Python 3.9 or newer"),
        ({"system/python": "3.9.2"}, "Python", "ok", "3.9.2"),
        ({"cpu/count": 1}, "processors", "warn", "Give the machine two processors."),
        ({"cpu/count": 1, "stack/exists": True}, "processors", "ok", "1, x86_64"),
        ({"cpu/flags": ["avx"]}, "processor for mysql", "warn", "lacks cx16, lahf_lm, popcnt, sse4_1, sse4_2, ssse3. MySQL's image"),
        ({"cpu/page_size": 65536}, "memory pages", "warn", "have 65536 bytes. Redis and Milvus images"),
        ({"memory/total": 2 * GIB}, "memory", "fail", "the host has 2.0 GiB of memory; 3.0 GiB are needed (stack_memory_min)."),
        ({"memory/limit": 2 * GIB}, "memory", "fail", "2.0 GiB of memory (the limit of its control group); 3.0 GiB"),
        ({"memory/limit": 4 * GIB}, "memory", "ok", "4.0 GiB (the limit of its control group), 6.0 GiB available"),
        ({"memory/total": 2 * GIB, "stack/exists": True}, "memory", "warn", "the host has 2.0 GiB"),
        ({"memory/available": 1 * GIB}, "free memory", "warn", "1.0 GiB of memory are available; the rest is in use; the stack needs 3.0 GiB"),
        ({"kernel/selinux": "enforcing"}, "SELinux", "ok", "enforcing"),
        ({"kernel/selinux": "enforcing", "engine/selinux": True}, "SELinux", "warn", "container_file_t"),
        ({"kernel/firewalls": ["ufw"]}, "firewall", "ok", "ufw is on: ports that Docker publishes pass by it"),
        # disk
        (disk(free=GIB), "free space", "fail", "/opt has 1.0 GiB of free space; 5.0 GiB are needed (stack_disk_min)."),
        ({**disk(free=GIB), "stack/exists": True}, "free space", "warn", "/opt has 1.0 GiB"),
        ({**disk(free=31 * 1024**2), "stack/exists": True}, "free space", "fail", "/opt is full: 31 MB are free; Make room there first"),
        ({"engine_disk": {**DISK, "path": "/var/lib/docker", "mount": "/var", "free": GIB}}, "space for images", "warn", "/var/lib/docker has 1.0 GiB"),
        (disk(inodes_free=10), "inodes", "warn", "/opt has 10 inodes left"),
        (disk(rotational=True), "kind of disk", "ok", "it turns"),
        (disk(options=["ro"]), "file system", "fail", "/opt is on ext4, which is mounted read-only; Mount it for writing"),
        (disk(options=["noexec"]), "file system", "ok", "noexec, which is no harm"),
        (disk(type="exfat"), "file system", "fail", "it knows no owners"),
        (disk(type="squashfs"), "file system", "fail", "it cannot be written to"),
        (disk(type="nfs4"), "file system", "warn", "/opt is on nfs4; stores get slow"),
        (disk(type="cifs"), "file system", "warn", "Permission denied"),
        (disk(type="9p"), "file system", "warn", "shared folder"),
        (disk(type="fuse.sshfs"), "file system", "warn", "file system of a program"),
        (disk(type="fuseblk"), "file system", "warn", "/opt is on fuseblk"),
        (disk(type="tmpfs"), "file system", "warn", "it is memory"),
        (disk(type="overlay"), "file system", "warn", "the layer of a container"),
        ({**disk(type="overlay"), "stack/exists": True}, "file system", "ok", "/opt is on overlay"),
        (disk(type=""), "file system", "ok", "a file system that cannot be told"),
        # kernel
        ({"kernel/cgroup": {"version": 1, "controllers": ["cpu"]}}, "control groups", "warn", "version 1, without the controllers memory and pids; limits"),
        ({"kernel/sysctl/net.ipv4.ip_forward": 0}, "net.ipv4.ip_forward", "warn", "set it to 1"),
        ({}, "vm.max_map_count", "ok", "65530 (Elasticsearch asks for 262144, but not of a single node)"),
        ({"kernel/sysctl/vm.max_map_count": 262144}, "vm.max_map_count", "ok", "262144"),
        ({"kernel/sysctl/vm.overcommit_memory": 1}, "vm.overcommit_memory", "ok", "1"),
        ({"kernel/sysctl/net.core.somaxconn": 128}, "net.core.somaxconn", "ok", "128 (Redis asks for 511)"),
        # clock
        ({"clock/host": 1003.0}, "clock", "warn", "the host's clock is 2 s ahead of the controller's; let both follow a time server"),
        ({"clock/host": 990.0}, "clock", "warn", "the host's clock is 10 s behind the controller's"),
        ({"clock/host": 1100.0}, "clock", "fail", "100 s ahead"),
        ({"clock/host": 900.0}, "clock", "fail", "100 s behind"),
        ({"clock/host": 1002.4}, "clock", "ok", "to 1.9 s"),
        ({"clock": {"host": 1.0}}, "clock", "ok", "not checked"),
        # Engine
        ({"engine/rootless": True}, "rights", "warn", "rootless; data cannot be given"),
        ({"engine/userns": True}, "rights", "warn", "userns-remap"),
        ({"engine/live_restore": False}, "live-restore", "ok", "off: containers stop"),
        ({"engine/driver": "vfs"}, "storage driver", "warn", "use overlay2"),
        ({"engine/insecure_registries": ["127.0.0.0/8", "r:5000"]}, "insecure registries", "ok", "r:5000"),
        ({"engine/mirrors": ["https://u:p@m/"]}, "mirrors", "ok", "https://********@m/"),
        # networks
        ({}, "next network", "ok", "172.18.0.0/16, which no route of the host needs"),
        ({"networks": {"lab": "lab"}, "network/subnets/lab": ["172.18.0.0/16"]}, "the stack's network", "ok", "lab is there, 172.18.0.0/16"),
        (routes(("172.18.5.0/24", "tun0", True)), "next network", "ok", "172.19.0.0/16"),
        (routes(("172.16.0.0/12", "tun0", False)), "next network", "warn", "Docker may take 172.18.0.0/16 for the next network, and the host has routes there"),
        (VPN_ALL, "next network", "fail", "have no range that is free of networks and routes; set default-address-pools"),
        ({**VPN_ALL, "engine/address_pools": [{"base": "10.0.0.0/8", "size": 24}]}, "next network", "fail", "pools (10.0.0.0/8)"),
        ({"engine/address_pools": [{"base": "10.9.0.0/16", "size": 24}]}, "next network", "ok", "10.9.0.0/24"),
        ({"engine": NO_ENGINE, "system/daemon_settings": POOLS}, "next network", "ok", "10.8.0.0/24"),
        ({"engine": NO_ENGINE, "system/daemon_settings": None, "network/subnets": {}, "network/routes": []}, "next network", "ok", "172.17.0.0/16"),
        (routes(("172.16.0.0/12", "tun0", False)), "Docker's networks", "warn", "bridge (172.17.0.0/16) and 172.16.0.0/12 via tun0; what those routes"),
        # proxies
        ({"proxies/engine": {"http": "", "https": "http://p:3128", "no_proxy": ""}}, "of the Engine", "ok", "http://p:3128 (NO_PROXY: none)"),
        (
            {"proxies/client": {"http": "http://p:3128", "https": "", "no_proxy": "localhost"}},
            "of the docker command",
            "warn",
            "/root/.docker/config.json gives containers the proxy http://p:3128 (NO_PROXY: localhost); those that the docker command starts",
        ),
        ({"proxies/client": {"http": "http://p:3128", "https": "", "no_proxy": ""}}, "of the docker command", "warn", "add mysql to its noProxy."),
        ({"proxies/client": {"http": "http://p:3128", "https": "", "no_proxy": "mysql"}}, "of the docker command", "ok", "NO_PROXY: mysql"),
    ],
)
def test_one_thing_else(changes: dict[str, t.Any], name: str, state: str, says: str) -> None:
    found = row(changes, name)
    assert (found.state, says in sentence(found)) == (state, True), found
    assert bool(found.cure) == (state != "ok")


def test_a_healthy_machine_stays_so_with_other_things_told() -> None:
    """No row of the table above is there by itself: a machine has these only with the fault."""
    names = {check.name for check in rows({})}
    assert not names & {"free memory", "space for images", "inodes", "rights", "Docker's networks", "of the docker command", "net.ipv4.ip_forward"}


@pytest.mark.parametrize(
    ("services", "expected"), [(["mysql", "milvus"], ["processor for mysql", "processor for milvus"]), (["redis"], [])], ids=["both", "neither"]
)
def test_a_processor_is_judged_for_the_services_that_are_deployed(services: list[str], expected: list[str]) -> None:
    assert [check.name for check in rows({}, services=services) if check.name.startswith("processor for")] == expected


@pytest.mark.parametrize("cpu", [{"cpu/machine": "aarch64"}, {"cpu/flags": []}])
def test_a_processor_that_cannot_be_judged_is_not(cpu: dict[str, t.Any]) -> None:
    assert not [check for check in rows(cpu) if check.name.startswith("processor for")]


def test_images_that_are_there_need_no_more_space() -> None:
    changes = {"engine_disk": {**DISK, "path": "/var/lib/docker", "mount": "/var", "free": GIB}}
    assert not [check for check in rows(changes, lacks_images=False) if check.name == "space for images"]


def test_without_an_engine_nothing_is_said_of_one() -> None:
    assert not [check for check in rows({"engine": NO_ENGINE, "kernel/sysctl/net.ipv4.ip_forward": 0}) if check.area == "engine" or "ip_forward" in check.name]


def test_an_alias_that_is_spared_is_enough() -> None:
    facts = copy.deepcopy(BARE)
    facts["proxies"]["client"] = {"http": "http://p:3128", "https": "", "no_proxy": "coze-mysql"}
    model = model_of(service_of(aliases=["coze-mysql"]))
    assert [check.state for check in host_checks(model, facts, 0, 0, False) if check.area == "proxy"] == ["ok"]


@given(before=st.floats(0, 1e9), trip=st.floats(0, 30), at=st.floats(0, 1), off=st.floats(-1000, 1000))
def test_skew_is_never_more_than_the_clocks_are_apart(before: float, trip: float, at: float, off: float) -> None:
    """Whenever in the round trip the clock was read: what is told is proved, and wrong by no more than the round trip."""
    found = skew({"before": before, "after": before + trip, "host": before + trip * at + off})
    assert abs(found) <= abs(off) + 1e-6
    assert abs(found - off) <= trip + 1e-6
