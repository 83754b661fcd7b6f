# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.cozeops.studio.plugins.filter import stack
from ansible_collections.cozeops.studio.plugins.module_utils import _container
from ansible_collections.cozeops.studio.tests.unit.plugins.samples import model_of, service_of

ENTRY = {"url": "http://127.0.0.1:8888", "host": "127.0.0.1", "address": "127.0.0.1", "port": 8888}
JOB = {"name": "mysql_schema", "digest": "d1"}
DONE = {"stack": "lab", "init": {"mysql_schema": {"digest": "d1"}}}


def data(filled: bool = True, stamp: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"data/mysql": {"filled": filled, "stamp": stamp}}


def reason(name: str, current: str = "a", desired: str = "b") -> dict[str, str]:
    return {"name": name, "current": current, "desired": desired}


def test_filters_have_their_names() -> None:
    names = {"container_options", "entry_of", "plan_lines", "plan_report", "probes", "stack_name_of", "way_in"}
    assert names <= set(stack.FilterModule().filters())


# --- errors are the operator's


def test_a_bad_url_is_an_error_of_the_filter() -> None:
    with pytest.raises(AnsibleFilterError, match="stack_public_url"):
        stack.entry_of("nonsense")


def test_an_unclear_group_is_an_error_of_the_filter() -> None:
    with pytest.raises(AnsibleFilterError, match="Set stack_name in the group that is"):
        stack.stack_name_of(["a", "b"], {"coze": ["h"], "a": ["h"], "b": ["h"]})


# --- the plan as a person reads it


def a_report(update_images: bool = False, planned: dict[str, Any] | None = None, rendered: dict[str, Any] | None = None, **model: Any) -> dict[str, Any]:
    """The report on a stack of one service that is as wanted, but for what is given."""
    info = {
        "engine": {"reachable": True},
        "images": {"mysql:8.4.5": "sha256:1"},
        "networks": {"lab": "lab"},
        "stack": {"data": data(True, DONE)},
    }
    plan = planned or {"plan": {"mysql": {"action": "none", "why": []}}, "strangers": []}
    plan = {"loading": [], **plan, "files": rendered or {"outdated": False, "differences": []}}
    whole = model_of(service_of(init=[JOB]), **{name: value for name, value in model.items() if name not in info})
    facts = {name: model.get(name, value) for name, value in info.items()}
    return stack.plan_report(whole, plan, facts, {"generated": [], "adopted": []}, not facts["networks"], "", update_images)


def test_a_stack_that_is_as_wanted_needs_nothing() -> None:
    report = a_report()
    assert report == {"lines": ["untouched      mysql", "Nothing would change."], "summary": "nothing would change", "changes": False}


@pytest.mark.parametrize(
    ("given", "summary"),
    [
        ({"networks": {}}, "the network would be made"),
        ({"images": {}}, "1 image would be pulled"),
        ({"engine": {"reachable": False, "error": "no Engine"}}, "the Engine would be installed"),
        ({"stack": {"data": data(True, {"stack": "lab"})}}, "1 init job would be run"),
        ({"rendered": {"outdated": True, "differences": [{"path": "conf/x", "kind": "create"}]}}, "1 file would be put right"),
        ({"rendered": {"outdated": True, "differences": []}}, "stamps of data directories would be written"),
    ],
)
def test_whatever_is_not_as_wanted_is_in_the_report(given: dict[str, Any], summary: str) -> None:
    report = a_report(**given)
    assert (report["summary"], report["changes"]) == (summary + ", nothing else is touched", True)


def test_images_that_have_to_be_present_are_not_pulled() -> None:
    assert a_report(images={}, image_source="present")["changes"] is False
    assert a_report(True, image_source="present")["lines"] == a_report()["lines"]


# --- what modules get


def test_container_options_are_those_that_the_plan_compares() -> None:
    service = service_of()
    assert stack.container_options(service, model_of(service)) == _container.options(model_of(service), service)


def test_probes_are_those_of_the_named_services_in_the_models_order() -> None:
    probe = [{"type": "tcp", "port": 1}]
    model = model_of(service_of(probe=probe, ready_timeout=7), service_of(name="redis"), service_of(name="etcd"))
    found = stack.probes(model, ["etcd", "mysql"])
    assert [entry["name"] for entry in found] == ["mysql", "etcd"]
    assert found[0] == {"name": "mysql", "container": "lab-mysql", "probe": probe, "ready_timeout": 7}


@pytest.mark.parametrize(("own", "patience", "wanted"), [(7, 60, 60), (70, 60, 70), ("7", 60, 60), ("70", 60, 70)])
def test_probes_may_be_given_more_time(own: Any, patience: float, wanted: float) -> None:
    assert stack.probes(model_of(service_of(ready_timeout=own)), ["mysql"], patience)[0]["ready_timeout"] == wanted


# --- what is shown


def test_a_plan_is_a_line_for_each_service_that_is_touched() -> None:
    plan = {
        "mysql": {"action": "recreate", "why": [reason("memory", "1", "2"), reason("user")]},
        "redis": {"action": "none", "why": []},
        "etcd": {"action": "none", "why": [], "moved": True},
        "minio": {"action": "start", "why": [reason("state", "exited", "running")]},
    }
    lines = stack.plan_lines(plan)
    assert [line.split()[:2] for line in lines] == [["mysql", "recreate"], ["etcd", "none"], ["minio", "start"], ["untouched", "redis,"]]
    assert lines[0].endswith("memory: 1 -> 2; user: a -> b")
    assert "stack_images_update: true" in lines[1]
    assert lines[3].endswith("redis, etcd")


def test_a_plan_shows_what_has_to_be_proved_before_its_earlier_container_goes() -> None:
    why = [reason("container lab-mysql-previous", "kept", "(absent)")]
    lines = stack.plan_lines({"mysql": {"action": "none", "why": why, "previous": True}, "redis": {"action": "recreate", "why": why, "previous": True}})
    assert [line.split()[:2] for line in lines] == [["mysql", "commit"], ["redis", "recreate"]]
    assert lines[0].endswith("container lab-mysql-previous: kept -> (absent)")


def test_a_plan_that_touches_all_names_nothing_untouched() -> None:
    assert stack.plan_lines({"mysql": {"action": "start", "why": []}})[0].startswith("mysql")
    assert stack.plan_lines({}) == []


# --- the way in


def test_on_the_machine_itself_the_url_is_all() -> None:
    assert stack.way_in(ENTRY, True, "localhost", "") == ["Open http://127.0.0.1:8888"]


def test_an_entry_that_is_open_is_just_opened() -> None:
    assert stack.way_in({**ENTRY, "url": "http://coze.example.com", "host": "coze.example.com"}, False, "192.0.2.1", "root") == ["Open http://coze.example.com"]


def test_an_open_entry_that_does_not_answer_from_here_is_reached_by_ssh() -> None:
    entry = {**ENTRY, "url": "http://coze.example.com", "host": "coze.example.com", "address": "0.0.0.0", "port": 80}
    lines = stack.way_in(entry, False, "192.0.2.1", "root", False)
    assert lines[0].startswith("http://coze.example.com does not answer from here: a firewall,")
    assert lines[1].startswith("  ssh -N -L 80:127.0.0.1:80 root@192.0.2.1 ")


@pytest.mark.parametrize(("user", "target"), [("root", "root@192.0.2.1"), ("", "192.0.2.1")])
def test_a_loopback_entry_of_another_machine_is_reached_by_ssh(user: str, target: str) -> None:
    lines = stack.way_in(ENTRY, False, "192.0.2.1", user)
    assert lines[0] == "http://127.0.0.1:8888 answers on the host itself only. From here:"
    assert lines[1].split("      ")[0] == "  ssh -N -L 8888:127.0.0.1:8888 " + target
    assert lines[1].endswith("open http://127.0.0.1:8888")
    assert lines[2].endswith("set stack_public_url to the address by which they know the host, such as http://192.0.2.1:8888")


def test_ipv6_addresses_have_brackets_where_a_port_follows() -> None:
    lines = stack.way_in({**ENTRY, "url": "http://[::1]:8888", "host": "::1", "address": "::1"}, False, "2001:db8::1", "root")
    assert "-L 8888:[::1]:8888 root@2001:db8::1 " in lines[1]
    assert lines[2].endswith("http://[2001:db8::1]:8888")


# --- peers

GROUPS = {"coze": ["a", "b", "c"], "one": ["a"], "two": ["b"], "three": ["c"]}


def host(group: str, **more: Any) -> dict[str, Any]:
    return {"group_names": ["coze", group], **more}


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [
        ({"ansible_host": "192.0.2.1"}, {"ansible_host": "192.0.2.1"}, True),
        ({"ansible_host": "192.0.2.1"}, {"ansible_host": "192.0.2.2"}, False),
        ({}, {}, False),
        ({}, {"ansible_host": "a"}, True),
        ({"ansible_connection": "local"}, {"ansible_connection": "ansible.builtin.local"}, True),
        ({"ansible_connection": "local"}, {}, False),
    ],
)
def test_peers_are_the_other_hosts_and_whether_they_are_this_machine(mine: dict[str, Any], theirs: dict[str, Any], same: bool) -> None:
    hostvars = {"a": host("one", **mine), "b": host("two", **theirs)}
    found = stack.peers(stack.fleet(["a", "b"], hostvars, GROUPS), "a")
    assert found == ([{"host": "b", "name": "two", "port": 8888, "same_machine": True}] if same else []), "others are no matter"


def test_a_peers_own_words_are_heard() -> None:
    hostvars = {"a": host("one", ansible_host="x"), "b": host("two", ansible_host="x", stack_name="blue", stack_public_url="http://x:9000")}
    assert stack.peers(stack.fleet(["a", "b"], hostvars, GROUPS), "a") == [{"host": "b", "name": "blue", "port": 9000, "same_machine": True}]


def test_hosts_of_one_stack_are_peers() -> None:
    found = stack.fleet(["a", "b"], {name: host("one", stack_name="one") for name in ("a", "b")}, GROUPS)
    assert stack.peers(found, "a") == [{"host": "b", "name": "one", "port": 8888, "same_machine": False}]
    assert stack.peers({}, "a") == [], "a host that is in no group"


def test_what_is_wrong_with_a_peer_is_its_own_matter() -> None:
    hostvars = {"a": host("one"), "b": {"group_names": ["coze", "one", "two"], "stack_public_url": "nonsense"}}
    assert stack.fleet(["a", "b"], hostvars, {**GROUPS, "one": ["a", "b"], "two": ["b"]})["b"] == {"name": "", "port": 0, "machine": "b"}


def test_groups_of_a_stack_are_those_that_have_its_hosts() -> None:
    groups = {"coze": ["a"], "coze_mysql": ["x", "a"], "coze_redis": ["x"], "other": ["a"]}
    assert stack.placement_groups(groups, ["a", "b"]) == {"coze_mysql": ["a"]}


# --- one stack on several hosts


def test_hosts_of_a_stack_are_in_the_order_of_the_inventory() -> None:
    found = [{"host": "c", "name": "one"}, {"host": "a", "name": "one"}, {"host": "x", "name": "two"}]
    assert stack.stack_hosts(found, ["a", "x", "b", "c"], "b", "one") == ["a", "b", "c"]
    assert stack.stack_hosts([], [], "local", "one") == ["local"], "a host that is in no group"


def test_what_is_known_of_other_hosts_is_of_those_that_were_asked() -> None:
    matters: dict[str, Any] = {"stack": {}, "containers": [], "engine": {}, "cpu": {}, "addresses": [], "network": {}, "networks": {}}
    info = {**matters, "memory": {}}
    hostvars = {"a": {"__stack_info": info}, "b": {"__stack_info": info}, "c": {"__stack_info": {"unreachable": True}}, "d": {}}
    assert stack.facts_elsewhere(["a", "b", "c", "d"], hostvars, "a") == {"b": matters}


def test_a_machine_with_several_names_has_a_first() -> None:
    every = {"a": {"machine": "192.0.2.1"}, "b": {"machine": "192.0.2.1"}, "c": {"machine": "c"}}
    assert [stack.first_of_machine(["a", "b", "c"], every, host) for host in "abc"] == [True, False, True]
    assert stack.first_of_machine(["b", "c"], every, "b"), "the other one has failed"
    assert stack.first_of_machine(["x"], {}, "x"), "a host that is in no group"
