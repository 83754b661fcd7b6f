# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told before anything is changed: facts of a healthy host, each time with one thing wrong."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._check import sentence
from ansible_collections.cozeops.studio.plugins.module_utils._preflight import (
    checks,
    fit_ulimits,
    free_port,
    overlaps,
    problems,
    stack_checks,
    warnings,
)
from ansible_collections.cozeops.studio.tests.unit.plugins.host_facts import ENGINE, GIB, MACHINE
from ansible_collections.cozeops.studio.tests.unit.plugins.samples import ROOT, model_of, service_of

ENTRY = [{"address": "127.0.0.1", "port": 8888, "container_port": 80}]
FACTS: dict[str, t.Any] = {
    "engine": ENGINE,
    "containers": [],
    "images": {"mysql:8.4.5": "sha256:1"},
    "networks": {},
    "listeners": [{"address": "0.0.0.0", "port": 22, "pid": 1, "process": "sshd"}],
    **MACHINE,
    "stack": {"exists": False, "data": {}},
    "neighbours": [],
}


def check(
    peers: t.Sequence[dict[str, t.Any]] = (), managed: bool = True, ports: t.Any = None, model: dict[str, t.Any] | None = None, **facts: t.Any
) -> list[str]:
    wanted = model_of(service_of(ports=ENTRY if ports is None else ports), **(model or {}))
    return problems(wanted, {**copy.deepcopy(FACTS), **facts}, managed, 3 * GIB, 5 * GIB, peers)


def listener(port: int = 8888, address: str = "127.0.0.1", **more: t.Any) -> dict[str, t.Any]:
    return {"address": address, "port": port, "pid": 4711, "process": "nginx", **more}


def container(name: str, state: str = "running", port: int = 8888, address: str = "127.0.0.1", stack: str | None = None) -> dict[str, t.Any]:
    return {"name": name, "stack": stack, "service": None, "state": state, "ports": [{"address": address, "port": port}]}


PROXY = listener(process="docker-proxy")


def test_a_healthy_host_has_no_problem() -> None:
    assert check() == []


# --- ports


def test_a_port_of_a_process_is_told_with_a_free_one() -> None:
    assert check(listeners=[listener()]) == [
        "lab-mysql cannot listen on 127.0.0.1 port 8888: it is taken by nginx (pid 4711). Port 8898 is free: set it in stack_public_url."
    ]


def test_a_process_that_cannot_be_seen_is_told_too() -> None:
    assert "taken by a process (pid unknown)" in check(listeners=[listener(pid=0, process="")])[0]


def test_a_port_of_a_container_is_told_by_its_name() -> None:
    problem = check(listeners=[PROXY], containers=[container("other-web")])[0]
    assert "taken by container other-web." in problem


@pytest.mark.parametrize("state", ["running", "paused"])
def test_the_stacks_own_container_may_have_the_port(state: str) -> None:
    assert check(listeners=[PROXY], containers=[container("lab-mysql", state, stack="lab")]) == []


def test_a_foreign_container_with_a_name_of_ours_is_not_taken_for_ours() -> None:
    (problem,) = check(containers=[container("lab-mysql", "exited", port=1)])
    assert problem.startswith("there is a container lab-mysql which is not of this collection. adopt.yml makes a stack of an installation that others")


def test_a_container_of_another_stack_with_a_like_name_is_not_our_own() -> None:
    assert "container lab-mysql2" in check(listeners=[PROXY], containers=[container("lab-mysql2")])[0]


def test_a_stopped_container_holds_no_port() -> None:
    assert check(containers=[container("other-web", "exited")]) == []


def stopped(address: str, port: int) -> dict[str, t.Any]:
    return {"address": address, "port": port}


def test_a_stopped_neighbours_port_is_its_own() -> None:
    problem = check(neighbours=[{"name": "other", "root": "/opt/cozeops/other", "ports": [stopped("0.0.0.0", 8888), stopped("0.0.0.0", 8898)]}])[0]
    assert "taken by stack other (in /opt/cozeops/other)" in problem
    assert "Port 8899 is free" in problem


def test_a_neighbour_with_other_ports_is_none_of_ours() -> None:
    for port in (stopped("0.0.0.0", 8898), stopped("10.1.0.1", 8888)):
        assert check(neighbours=[{"name": "other", "root": "/x", "ports": [port]}]) == []


@pytest.mark.parametrize(
    ("theirs", "ours", "clash"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("::", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("", "127.0.0.1", True),
        ("192.0.2.1", "127.0.0.1", False),
        ("127.0.0.1", "192.0.2.1", False),
        ("::1", "127.0.0.1", False),
    ],
)
def test_addresses_that_get_in_each_others_way(theirs: str, ours: str, clash: bool) -> None:
    assert overlaps(theirs, ours) is clash
    assert bool(check(listeners=[listener(address=theirs)], ports=[{**ENTRY[0], "address": ours}])) is clash


def test_each_port_is_told() -> None:
    ports = [*ENTRY, {"address": "127.0.0.1", "port": 8889, "container_port": 8889, "variable": "coze_server_storage_port"}]
    found = check(listeners=[listener(), listener(8889)], ports=ports)
    assert [problem.rpartition(" ")[2] for problem in found] == ["stack_public_url.", "coze_server_storage_port."]


@pytest.mark.parametrize(("taken", "wanted", "free"), [([], 8888, 8898), ([8898, 8899], 8888, 8900), ([65535], 65530, 1024), ([1024], 65535, 1025)])
def test_a_free_port_is_found(taken: list[int], wanted: int, free: int) -> None:
    assert free_port(taken, wanted) == free


def test_a_port_at_the_end_of_the_range_is_told_too() -> None:
    assert "Port 1024 is free" in check(listeners=[listener(65535)], ports=[{**ENTRY[0], "port": 65535}])[0]


# --- the Engine

SILENT = {"reachable": False, "error": "no Docker Engine answers: x"}


def test_an_engine_that_does_not_answer_is_brought() -> None:
    assert check(engine=SILENT) == []


def test_an_engine_that_nobody_brings_has_to_be_there() -> None:
    assert check(engine=SILENT, managed=False) == ["no Docker Engine answers: x. With engine_manage: false it must be there already."]


@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("version", ["1.40", "1.9", ""])
def test_an_old_engine_is_told(managed: bool, version: str) -> None:
    found = check(engine={**ENGINE, "version": "19.03", "api_version": version}, managed=managed)
    assert found == ["Docker Engine 19.03 speaks API %s; at least 1.41 (Engine 20.10) is needed. Upgrade the Engine." % version]


@pytest.mark.parametrize("version", ["1.41", "1.100", "2.0"])
def test_an_engine_that_is_new_enough_is_right(version: str) -> None:
    assert check(engine={**ENGINE, "version": "x", "api_version": version}) == []


# --- images

PRESENT = {"image_source": "present"}


def test_an_absent_image_is_told() -> None:
    assert check(model=PRESENT, images={"redis:8.0": "x"}) == [
        "stack_image_source is present, but the host has no image mysql:8.4.5. Load them, or set stack_image_source to registry."
    ]


@pytest.mark.parametrize("facts", [{}, {"images": {}, "engine": SILENT}], ids=["there", "no engine yet"])
def test_images_that_are_there_or_cannot_be_known(facts: dict[str, t.Any]) -> None:
    assert check(model=PRESENT, **facts) == []


def test_a_registry_has_what_is_absent() -> None:
    assert check(images={}) == []


# --- sizes


def test_too_little_memory_is_told_with_the_variable() -> None:
    assert check(memory={**MACHINE["memory"], "total": 2 * GIB}) == ["the host has 2.0 GiB of memory; 3.0 GiB are needed (stack_memory_min)."]


def test_too_little_disk_is_told_with_the_place() -> None:
    assert check(disk={**MACHINE["disk"], "free": 1.25 * GIB}) == ["/opt has 1.2 GiB of free space; 5.0 GiB are needed (stack_disk_min)."]


def test_just_enough_is_enough() -> None:
    assert check(memory={**MACHINE["memory"], "total": 3 * GIB}, disk={**MACHINE["disk"], "free": 5 * GIB}) == []


# --- data


def data(filled: bool, stamp: dict[str, t.Any] | None, path: str = "data/mysql") -> dict[str, t.Any]:
    return {"exists": True, "data": {path: {"filled": filled, "stamp": stamp}}}


def test_data_of_another_installation_is_told() -> None:
    found = check(stack=data(True, None))
    assert len(found) == 1
    assert found[0].startswith("%s/data/mysql holds data that this collection has not made" % ROOT)


def test_data_of_another_stack_is_told() -> None:
    found = check(stack=data(True, {"stack": "other"}))
    assert found == ["%s/data/mysql belongs to the stack other, not to lab. Set stack_name to that, or stack_root to another directory." % ROOT]


@pytest.mark.parametrize(
    "stack", [data(True, {"stack": "lab"}), data(False, None), data(False, {"stack": "other"}), data(True, None, "data/other"), {"exists": False, "data": {}}]
)
def test_other_data_are_no_problem(stack: dict[str, t.Any]) -> None:
    assert check(stack=stack) == []


# --- peers


def test_two_stacks_that_want_one_port_are_told() -> None:
    found = check(peers=[{"host": "b", "name": "other", "port": 8888, "same_machine": True}])
    assert found == ["stacks lab and other both want port 8888 of this machine: give one of them another port in stack_public_url."]


@pytest.mark.parametrize(("port", "same_machine"), [(8898, True), (8888, False)])
def test_a_peer_that_wants_nothing_of_ours_is_no_problem(port: int, same_machine: bool) -> None:
    assert check(peers=[{"host": "b", "name": "other", "port": port, "same_machine": same_machine}]) == []


def test_a_machine_that_is_two_hosts_of_one_stack_is_refused() -> None:
    (found,) = check(peers=[{"host": "b", "name": "lab", "port": 8888, "same_machine": True}])
    assert found.startswith("the stack lab is given to b as well, which is the same machine.")
    assert check(peers=[{"host": "b", "name": "lab", "port": 8888, "same_machine": False}]) == []


# --- the stack on several hosts


NETWORKS: dict[str, t.Any] = {"networks": {}, "network": {"subnets": {}, "routes": []}, "addresses": ["10.1.0.2"]}


def elsewhere(**more: t.Any) -> dict[str, t.Any]:
    """What is known of another host: one like the first, which is in no Swarm."""
    return {"stack": {"exists": False, "data": {}}, "containers": [], "engine": ENGINE, "cpu": MACHINE["cpu"], **NETWORKS, **more}


def across(other: dict[str, t.Any] | None = None, **more: t.Any) -> list[tuple[str, str]]:
    """(state, text) of a stack with mysql on a and redis on b."""
    usual = {"hosts": ["a", "b"], "placement": {"mysql": ["a"], "redis": ["b"]}, "network_kind": "overlay", "network_subnet": ""}
    model = model_of(service_of(), **{**usual, **more})
    found = stack_checks(model, copy.deepcopy(FACTS), {"b": elsewhere() if other is None else other})
    return [(each.state, sentence(each)) for each in found]


def routed(subnet: str) -> dict[str, t.Any]:
    return {"subnets": {}, "routes": [{"subnet": subnet, "interface": "eth0", "direct": True}]}


def ours(service: str) -> dict[str, t.Any]:
    return {"name": "lab-" + service, "stack": "lab", "service": service, "state": "running", "ports": []}


def filled(service: str, stack: str = "lab") -> dict[str, t.Any]:
    return {"exists": True, "data": {"data/" + service: {"filled": True, "stamp": {"stack": stack, "service": service}}}}


def test_hosts_that_fit_are_named() -> None:
    assert across() == [("ok", "a, b")]
    assert stack_checks(model_of(service_of()), FACTS, {}) == [], "nothing is said of a stack with one host"


@pytest.mark.parametrize(
    ("other", "more", "state", "says"),
    [
        ({"containers": [ours("mysql")]}, {}, "fail", "mysql of the stack lab is to run on a, and its container is on b. Put mysql back on b"),
        ({"stack": filled("mysql")}, {}, "fail", "and its data is on b."),
        ({}, {"placement": {"mysql": ["a"]}, "hosts": ["a"], "network_kind": "bridge"}, "fail", "no service of the stack lab is to run on b. Put it into a"),
        ({}, {"network_kind": "bridge"}, "fail", "stack_network is bridge, which does not reach from a to b. Set it to overlay, or to published."),
        ({}, {"network_kind": "published", "addresses": {"a": "10.1.0.1", "b": "10.1.0.9"}}, "fail", "b is to be reached by 10.1.0.9, and has 10.1.0.2."),
        ({"network": routed("10.0.0.0/8")}, {}, "warn", "a Swarm takes networks from 10.0.1.0/24 on, and hosts have routes there: b to 10.0.0.0/8 via eth0"),
        ({"network": routed("10.7.0.0/24")}, {"network_subnet": "10.7.0.0/16"}, "fail", "stack_network_subnet is 10.7.0.0/16, and hosts have routes there"),
        ({"engine": {**ENGINE, "swarm": {**ENGINE["swarm"], "state": "locked"}}}, {}, "fail", "b: its place in a Swarm is in the state locked"),
        ({"cpu": {**MACHINE["cpu"], "machine": "aarch64"}}, {}, "warn", "the hosts differ: a has x86_64, b has aarch64."),
        ({"engine": {**ENGINE, "version": "20.10.24"}}, {}, "warn", "b has 20.10."),
    ],
)
def test_hosts_that_do_not_fit_are_told(other: dict[str, t.Any], more: dict[str, t.Any], state: str, says: str) -> None:
    ((found, text),) = across(elsewhere(**other), **more)
    assert (found, says in text) == (state, True), text


@pytest.mark.parametrize(
    "other",
    [
        {"containers": [ours("redis")]},
        {"containers": [{**ours("mysql"), "stack": "blue"}]},
        {"stack": filled("mysql", "blue")},
        {"engine": {"reachable": False, "error": "none"}},
        {"engine": {**ENGINE, "version": ENGINE["version"] + ".9"}},
        {"network": routed("10.0.0.0/8"), "networks": {"lab": "lab"}},
        {"network": {"subnets": {"other": ["10.0.1.0/24"]}, "routes": [{"subnet": "10.0.1.0/24", "interface": "br-1", "direct": True}]}},
    ],
)
def test_what_is_right_elsewhere_is_no_problem(other: dict[str, t.Any]) -> None:
    assert across(elsewhere(**other)) == [("ok", "a, b")]


# --- all at once


def test_every_problem_is_told_at_once() -> None:
    found = check(
        listeners=[listener()],
        engine={**ENGINE, "version": "19.03", "api_version": "1.40"},
        memory={**MACHINE["memory"], "total": 1},
        disk={**MACHINE["disk"], "free": 1},
        stack={**data(True, None), "exists": False},
        peers=[{"host": "b", "name": "other", "port": 8888, "same_machine": True}],
        images={},
        model=PRESENT,
    )
    assert len(found) == 7


# --- warnings


def warned(service: str = "mysql", **cpu: t.Any) -> list[str]:
    return warnings(model_of(service_of(name=service)), {**FACTS, "cpu": {**FACTS["cpu"], **cpu}})


def test_a_processor_that_has_all_is_not_told() -> None:
    assert warned("mysql") == warned("milvus") == []


@pytest.mark.parametrize(
    ("service", "flags", "says"), [("mysql", ["avx"], "lacks cx16, lahf_lm, popcnt, sse4_1, sse4_2, ssse3."), ("milvus", ["sse4_2"], "lacks avx. Milvus")]
)
def test_a_processor_that_lacks_something_is_told(service: str, flags: list[str], says: str) -> None:
    assert says in warned(service, flags=flags)[0]


@pytest.mark.parametrize("cpu", [{"machine": "aarch64", "flags": []}, {"flags": []}])
def test_a_processor_that_cannot_be_judged_is_not_told(cpu: dict[str, t.Any]) -> None:
    assert warned(**cpu) == []


def test_a_service_without_needs_is_not_told() -> None:
    assert warned("redis", flags=["avx"]) == []


def test_large_pages_are_told() -> None:
    assert "pages have 65536 bytes" in warned(page_size=65536)[0]


# --- limits


@pytest.mark.parametrize(("limit", "fitted"), [(20000, 20000), (65536, 65536), (10**6, 65536), (None, 65536)])
def test_open_files_fit_the_engines_limit(limit: int | None, fitted: int) -> None:
    model = model_of(service_of(ulimits={"nofile": 65536, "memlock": -1}))
    told = fit_ulimits(model, {"system": {"open_files_limit": limit}})
    assert model["services"]["mysql"]["ulimits"] == {"nofile": fitted, "memlock": -1}
    assert told == (["mysql: open files lowered from 65536 to 20000, the limit of the Docker Engine on this host."] if fitted == 20000 else [])


def test_a_service_without_limits_keeps_none() -> None:
    model = model_of(service_of(ulimits={}))
    assert fit_ulimits(model, {"system": {"open_files_limit": 1024}}) == []
    assert model["services"]["mysql"]["ulimits"] == {}


# --- a stack that is there already


def test_a_deployed_stack_can_be_run_again_with_little_room_but_not_with_none() -> None:
    there = {**data(True, {"stack": "lab", "init": {}}), "exists": True}
    assert check(disk={**MACHINE["disk"], "free": GIB}, stack=there) == []
    (found,) = check(disk={**MACHINE["disk"], "free": 1}, stack=there)
    assert "is full: 0 MB are free" in found


def test_data_that_are_gone_are_not_made_anew_in_silence() -> None:
    (found,) = check(stack=data(False, {"stack": "lab", "init": {"mysql_schema": {}}}))
    assert "is empty, but the stack's data were there. Mount or restore them, or remove" in found


def test_a_stamp_that_cannot_be_read_is_told_with_what_to_write() -> None:
    (found,) = check(stack=data(True, {"unreadable": True}))
    assert 'write {"stack": "lab", "service": "mysql"} into it' in found


# --- as rows


def test_a_healthy_host_is_shown_with_what_was_found() -> None:
    found = checks(model_of(service_of(ports=ENTRY)), copy.deepcopy(FACTS), True, 3 * GIB, 5 * GIB)
    assert {check.state for check in found} == {"ok"}
    assert {"engine", "port", "host", "disk", "kernel", "network"} <= {check.area for check in found}
    assert all(check.found and not check.cure for check in found)


def test_what_is_wrong_is_a_row_with_a_way_out() -> None:
    found = checks(model_of(service_of(ports=ENTRY)), {**copy.deepcopy(FACTS), "listeners": [listener()]}, True, 3 * GIB, 5 * GIB)
    (row,) = [check for check in found if check.state != "ok"]
    assert row == ("port", "port 8888 of mysql", "fail", row.found, "Port 8898 is free: set it in stack_public_url.")


def test_the_stacks_own_container_is_told_as_such() -> None:
    facts = {**copy.deepcopy(FACTS), "listeners": [PROXY], "containers": [container("lab-mysql", stack="lab")]}
    found = checks(model_of(service_of(ports=ENTRY)), facts, True, 0, 0)
    assert [check.found for check in found if check.area == "port"] == ["127.0.0.1 has the stack's own container"]


@pytest.mark.parametrize(("free", "state"), [(64 * 1024**2, "warn"), (32 * 1024**2, "warn"), (32 * 1024**2 - 1, "fail"), (0, "fail")])
def test_a_deployed_stack_is_warned_of_little_room_and_refused_a_full_disk(free: int, state: str) -> None:
    facts = {**copy.deepcopy(FACTS), "disk": {**MACHINE["disk"], "free": free}, "stack": {"exists": True, "data": {}}}
    found = checks(model_of(service_of()), facts, True, 3 * GIB, 5 * GIB)
    assert [check.state for check in found if check.name == "free space"] == [state]
