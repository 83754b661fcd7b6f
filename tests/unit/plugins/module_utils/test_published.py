# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts publish for each other, and what containers know of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _published
from hypothesis import given
from hypothesis import strategies as st

SERVICES: list[dict[str, Any]] = [
    {"name": "mysql", "role": "mysql", "depends_on": {}, "offers": [3306], "aliases": ["mysql", "coze-mysql"]},
    {"name": "etcd", "role": "etcd", "depends_on": {}, "offers": [2379], "aliases": ["etcd"]},
    {"name": "milvus", "role": "milvus", "depends_on": {"etcd": "ready"}, "offers": [19530], "aliases": ["milvus"]},
    {"name": "nsqlookupd", "role": "nsq", "depends_on": {}, "offers": [4160, 4161], "aliases": ["nsqlookupd"]},
    {"name": "nsqd", "role": "nsq", "depends_on": {"nsqlookupd": "ready"}, "offers": [4150, 4151], "aliases": ["nsqd"]},
    {"name": "nsqadmin", "role": "nsq", "depends_on": {"nsqlookupd": "ready"}, "offers": [], "aliases": ["nsqadmin"]},
    {
        "name": "coze-server",
        "role": "coze_server",
        "depends_on": {"mysql": "initialised", "milvus": "ready", "nsqd": "ready"},
        "offers": ["8880:8888"],
        "aliases": ["coze-server"],
    },
    {"name": "coze-web", "role": "coze_web", "depends_on": {"coze-server": "ready"}, "offers": [], "aliases": ["coze-web"]},
]
NAMES = [service["name"] for service in SERVICES]
HOSTS = ["a", "b", "c"]
ADDRESSES = {"a": "10.0.0.1", "b": "10.0.0.2", "c": "fd00::3"}


def placed(**elsewhere: list[str]) -> dict[str, list[str]]:
    return {name: elsewhere.get(name.replace("-", "_"), ["a"]) for name in NAMES}


def test_on_one_host_nothing_is_published() -> None:
    assert _published.ports("a", SERVICES, placed()) == []
    assert _published.upstreams(SERVICES, placed(), "a", ADDRESSES) == {}


def test_only_what_another_host_needs_is_published() -> None:
    placement = placed(milvus=["b"])
    assert _published.ports("a", SERVICES, placement) == [("etcd", 2379, 2379, ["b"])]
    assert _published.ports("b", SERVICES, placement) == [("milvus", 19530, 19530, ["a"])]
    assert _published.hosts_entries(SERVICES[6], "a", SERVICES, placement, ADDRESSES) == {"milvus": "10.0.0.2"}
    assert _published.hosts_entries(SERVICES[2], "b", SERVICES, placement, ADDRESSES) == {"etcd": "10.0.0.1"}


def test_services_of_a_role_reach_each_other_both_ways() -> None:
    placement = placed(nsqadmin=["b"])
    assert [port[:2] for port in _published.ports("a", SERVICES, placement)] == [("nsqlookupd", 4160), ("nsqlookupd", 4161), ("nsqd", 4150), ("nsqd", 4151)]
    assert set(_published.hosts_entries(SERVICES[5], "b", SERVICES, placement, ADDRESSES)) == {"nsqlookupd", "nsqd"}


def test_each_of_several_servers_is_published_even_beside_the_entry() -> None:
    placement = placed(coze_server=["a", "c"])
    assert ("coze-server", 8880, 8888, ["a"]) in _published.ports("a", SERVICES, placement)
    assert ("coze-server", 8880, 8888, ["a"]) in _published.ports("c", SERVICES, placement)
    assert _published.upstreams(SERVICES, placement, "a", ADDRESSES)["coze-server"] == {"a": "10.0.0.1:8880", "c": "[fd00::3]:8880"}


@given(st.fixed_dictionaries({name: st.lists(st.sampled_from(HOSTS), min_size=1, max_size=2 if name == "coze-server" else 1, unique=True) for name in NAMES}))
def test_whatever_a_container_needs_elsewhere_is_published_there_and_known_to_it(placement: dict[str, list[str]]) -> None:
    every = {host: _published.ports(host, SERVICES, placement) for host in HOSTS}
    for user in SERVICES:
        for host in placement[user["name"]]:
            known = _published.hosts_entries(user, host, SERVICES, placement, ADDRESSES)
            told = _published.upstreams(SERVICES, placement, host, ADDRESSES)
            for service in SERVICES:
                if service["name"] not in user["depends_on"] or placement[service["name"]] == [host]:
                    continue
                for place in placement[service["name"]]:
                    offers = [_published.offered(offer)[0] for offer in service["offers"]]
                    assert offers == [port.port for port in every[place] if port.service == service["name"] and host in port.for_hosts]
                    assert told[service["name"]][place] == _published.with_port(ADDRESSES[place], offers[0])
                if host not in placement[service["name"]]:
                    assert {known[alias] for alias in service["aliases"]} == {ADDRESSES[placement[service["name"]][0]]}
    for host, ports in every.items():
        for port in ports:
            assert set(port.for_hosts) - {host} or len(placement[port.service]) > 1, "nothing is published for the host itself alone"


@pytest.mark.parametrize(
    ("addresses", "says"),
    [
        ({"a": "10.0.0.1", "b": ""}, "stack_private_address: b: is not set, and ansible_host is no address. Set it to the one by which"),
        ({"a": "10.0.0.1", "b": "b.example"}, "stack_private_address: b's, 'b.example', is no address."),
        ({"a": "10.0.0.1", "b": "8.8.8.8"}, "stack_private_address: b has 8.8.8.8, which is no private address."),
        ({"a": "10.0.0.1", "b": "127.0.0.1"}, "stack_private_address: b has 127.0.0.1, which is no private address."),
        ({"a": "10.0.0.1", "b": "2001:db8::1"}, "stack_private_address: b has 2001:db8::1, which is no private address."),
        ({"a": "10.0.0.1", "b": "10.0.0.9"}, "stack_private_address: b is to be reached by 10.0.0.9, and has 10.0.0.2. Set one of these."),
        ({"a": "10.0.0.1", "b": "10.0.0.1"}, "stack_private_address: b is to be reached by 10.0.0.1, and has 10.0.0.2. Set one of these."),
    ],
)
def test_addresses_that_will_not_do(addresses: dict[str, str], says: str) -> None:
    found = _published.problems(["a", "b"], addresses, {"a": ["10.0.0.1"], "b": ["10.0.0.2"]})
    assert found and found[0].startswith(says)


def test_addresses_that_will_do() -> None:
    assert _published.problems(HOSTS, ADDRESSES, {"a": ["10.0.0.1"], "c": ["fd00::3"]}) == []
    assert _published.problems(["a", "b"], {"a": "10.0.0.1", "b": "10.0.0.1"}, {}) == [
        "stack_private_address: b has the same address as another host of the stack, 10.0.0.1."
    ]
