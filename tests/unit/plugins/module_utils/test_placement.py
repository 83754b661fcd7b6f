# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host runs what."""

from __future__ import annotations

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._placement import PlacementError, group_of, idle, moved, place, replica_alias
from hypothesis import given
from hypothesis import strategies as st

SERVICES = {"mysql": "mysql", "nsqlookupd": "nsq", "nsqd": "nsq", "coze-server": "coze_server", "coze-web": "coze_web"}
HOSTS = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("name", "group"),
    [("mysql", "coze_mysql"), ("coze-server", "coze_server"), ("coze_server", "coze_server"), ("nsqd", "coze_nsqd"), ("nsq", "coze_nsq")],
)
def test_groups_are_called_after_services_and_roles(name: str, group: str) -> None:
    assert group_of(name) == group


def test_without_groups_all_is_on_the_first_host() -> None:
    assert place("lab", SERVICES, HOSTS, {"coze": HOSTS, "prod": HOSTS}, SERVICES) == {service: ["a"] for service in SERVICES}


def test_a_group_of_a_service_goes_before_one_of_its_role() -> None:
    groups = {"coze_nsq": ["b"], "coze_nsqd": ["c"], "coze_web": ["c", "elsewhere"]}
    found = place("lab", SERVICES, HOSTS, groups, SERVICES)
    assert found == {"mysql": ["a"], "nsqlookupd": ["b"], "nsqd": ["c"], "coze-server": ["a"], "coze-web": ["c"]}


def test_what_may_have_replicas_may_have_several_hosts() -> None:
    groups = {"coze_server": ["c", "x", "b"]}
    assert place("lab", {"coze-server": "coze_server"}, HOSTS, groups, SERVICES, ["coze-server"]) == {"coze-server": ["b", "c"]}
    assert replica_alias("coze-server", "Host_1.example") == "coze-server-without-host-1-example"


def test_replicas_need_names_that_differ_in_dns() -> None:
    with pytest.raises(PlacementError, match=r"^group coze_server: names of the hosts a_1, a\.1 differ only in what no DNS name has"):
        place("lab", {"coze-server": "coze_server"}, ["a_1", "a.1"], {"coze_server": ["a_1", "a.1"]}, SERVICES, ["coze-server"])


def test_groups_for_other_stacks_and_for_services_left_out_are_no_matter() -> None:
    groups = {"coze_mysql": ["x", "y"], "coze_kafka": ["x"], "coze_web": ["b"]}
    assert place("lab", {"mysql": "mysql"}, HOSTS, groups, SERVICES) == {"mysql": ["a"]}


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(PlacementError) as caught:
        place("lab", SERVICES, HOSTS, {"coze_mysgl": ["b", "x"], "coze_nsq": ["c", "b"]}, SERVICES)
    assert str(caught.value).splitlines() == [
        (
            "group coze_mysgl: it has hosts of the stack lab (b), and names none of its services; did you mean coze_mysql? Groups that begin with coze_ say"
            " where a service runs: coze_mysql, coze_nsq, coze_nsqd, coze_nsqlookupd, coze_server, coze_web."
        ),
        "group coze_nsq: the hosts b, c of the stack lab are in it, and nsqlookupd runs on one host. Leave one.",
        "group coze_nsq: the hosts b, c of the stack lab are in it, and nsqd runs on one host. Leave one.",
    ]


@given(st.dictionaries(st.sampled_from(sorted(SERVICES)), st.sampled_from([*HOSTS, "x"])))
def test_any_split_is_followed(wish: dict[str, str]) -> None:
    groups = {group_of(service): [host] for service, host in wish.items()}
    found = place("lab", SERVICES, HOSTS, groups, SERVICES)
    assert found == {service: [wish[service] if wish.get(service, "x") != "x" else "a"] for service in SERVICES}
    assert set(idle(HOSTS, found)) == set(HOSTS) - {host for places in found.values() for host in places}


def test_a_service_that_is_somewhere_else_is_told_with_what_is_there() -> None:
    placement = {"mysql": ["a"], "redis": ["b"]}
    assert moved("lab", placement, {"a": ["mysql"], "b": ["redis"]}, {"a": ["mysql"], "b": []}) == []
    (found,) = moved("lab", placement, {"b": ["mysql"]}, {"b": ["mysql"]})
    assert found.startswith("mysql of the stack lab is to run on a, and its container and its data is on b. Put mysql back on b (group coze_mysql), or stop it")
    assert moved("lab", placement, {}, {"a": ["mysql"], "b": ["mysql"]}) == [], "an old copy of data that were taken along"
