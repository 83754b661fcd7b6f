# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress
import json
import shutil
import subprocess
import sys

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _routes
from ansible_collections.cozeops.studio.plugins.module_utils._host import read
from ansible_collections.cozeops.studio.plugins.module_utils._routes import DEFAULT_POOLS, Route, candidates, foreign, ipv4, next_network, routes
from hypothesis import given
from hypothesis import strategies as st

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"


@pytest.mark.skipif(sys.byteorder != "little", reason="recorded on a little-endian machine")
def test_routes_are_read_as_the_kernel_writes_them() -> None:
    text = HEAD + (
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
        "tun0\t0000100A\t0100080A\t0003\t0\t0\t0\t0000F0FF\t0\t0\t0\n"
        "down0\t000012AC\t00000000\t0000\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
        "cut\n"
    )
    assert routes(text) == [Route("172.17.0.0/16", "docker0", True), Route("10.16.0.0/12", "tun0", False)]


def test_routes_of_this_machine_are_those_of_ip() -> None:
    if shutil.which("ip") is None:
        pytest.skip("this machine has no ip command to compare with")
    listed = json.loads(subprocess.run(["ip", "-4", "-j", "route"], check=True, capture_output=True, text=True).stdout or "[]")
    wanted = {(str(ipaddress.ip_network(entry["dst"])), entry["dev"], "gateway" not in entry) for entry in listed if entry["dst"] != "default"}
    assert {tuple(route) for route in routes(read("/proc/net/route"))} == wanted


def test_docker_begins_with_its_default_pools() -> None:
    found = [str(network) for network in candidates(DEFAULT_POOLS)]
    assert found[:4] == ["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/16"]
    assert len(found) == 15 + 16
    assert found[-1] == "192.168.240.0/20"


def test_a_large_pool_is_not_walked_to_its_end() -> None:
    assert len(list(candidates([("10.0.0.0/8", 30)]))) == _routes.MOST


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        ([], "172.17.0.0/16"),
        (["172.17.0.0/16", "172.18.3.0/24"], "172.19.0.0/16"),
        (["172.16.0.0/12"], "192.168.0.0/20"),
        (["172.16.0.0/12", "192.168.0.0/16"], None),
        (["0.0.0.0/1", "128.0.0.0/1"], None),
        (["fd00::/8"], "172.17.0.0/16"),
    ],
)
def test_the_next_network(taken: list[str], chosen: str | None) -> None:
    found = next_network(DEFAULT_POOLS, ipv4(taken))
    assert (str(found) if found else None) == chosen


def test_dockers_own_routes_are_not_foreign() -> None:
    own, other = Route("172.18.0.0/16", "br-1", True), Route("172.18.0.0/24", "tun0", True)
    assert foreign([own, other], ipv4(["172.18.0.0/16"])) == [other]


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 32)), max_size=20))
def test_a_network_that_is_chosen_touches_nothing(numbers: list[tuple[int, int]]) -> None:
    taken = [ipaddress.IPv4Network((number, size), strict=False) for number, size in numbers]
    found = next_network(DEFAULT_POOLS, taken)
    free = [network for network in candidates(DEFAULT_POOLS) if all(network[-1] < other[0] or other[-1] < network[0] for other in taken)]
    assert found == (free[0] if free else None)
