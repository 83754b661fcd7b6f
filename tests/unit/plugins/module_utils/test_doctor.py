# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings in the order of cause, and the stores that the server's environment names."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _doctor
from ansible_collections.cozeops.studio.plugins.module_utils._doctor import FAIL, WARN
from hypothesis import given
from hypothesis import strategies as st

NEEDS = {
    "mysql": [],
    "etcd": [],
    "minio": [],
    "milvus": ["etcd", "minio"],
    "coze-server": ["mysql", "minio", "milvus"],
    "coze-web": ["coze-server"],
}
ENV = {
    "MYSQL_DSN": "coze:p@ss:w@tcp(mysql:3306)/opencoze?parseTime=True&tls=skip-verify",
    "REDIS_ADDR": "redis:6379",
    "REDIS_PASSWORD": "r",
    "ES_ADDR": "http://a:9200,http://b:9200",
    "ES_VERSION": "v8",
    "STORAGE_TYPE": "minio",
    "STORAGE_BUCKET": "opencoze",
    "MINIO_ENDPOINT": "minio:9000",
    "MINIO_AK": "a",
    "MINIO_SK": "s",
    "VECTOR_STORE_TYPE": "milvus",
    "MILVUS_ADDR": "https://milvus:19530",
    "COZE_MQ_TYPE": "nsq",
    "MQ_NAME_SERVER": "nsqd:4150",
}


def wrong(service: str, level: str = FAIL, what: str = "it is exited", **more: Any) -> dict[str, Any]:
    return {**_doctor.finding(service, level, what), "host": "a", **more}


def test_the_stores_are_those_of_the_environment() -> None:
    found = {store["service"]: store for store in _doctor.server_stores(ENV)}
    assert list(found) == ["mysql", "redis", "elasticsearch", "minio", "milvus", "nsqd"]
    assert (found["mysql"]["password"], found["mysql"]["tls"], found["mysql"]["place"]) == ("p@ss:w", "skip-verify", "mysql:3306/opencoze")
    assert found["elasticsearch"]["urls"] == ["http://a:9200", "http://b:9200"]
    assert (found["milvus"]["host"], found["milvus"]["tls"]) == ("milvus", True)
    assert not any("p@ss" in store["place"] for store in found.values())


@pytest.mark.parametrize(
    ("change", "without"),
    [
        ({"STORAGE_TYPE": "tos"}, "minio"),
        ({"VECTOR_STORE_TYPE": "vikingdb"}, "milvus"),
        ({"COZE_MQ_TYPE": "rmq"}, "nsqd"),
        ({"MYSQL_DSN": "nonsense"}, "mysql"),
        ({"REDIS_ADDR": "http://redis"}, "redis"),
    ],
)
def test_what_cannot_be_asked_is_left_out(change: dict[str, str], without: str) -> None:
    assert without not in [store["service"] for store in _doctor.server_stores({**ENV, **change})]


def test_nothing_is_asked_without_an_environment() -> None:
    assert _doctor.server_stores({}) == []


def test_causes_come_before_what_follows_from_them() -> None:
    found = _doctor.ordered([wrong("coze-web"), wrong("coze-server"), wrong("etcd"), wrong("milvus"), wrong("", WARN), wrong("mysql", WARN)], NEEDS)
    assert [(each["service"], each["after"]) for each in found] == [
        ("etcd", ""),
        ("", ""),
        ("mysql", ""),
        ("milvus", "etcd"),
        ("coze-server", "etcd"),
        ("coze-web", "etcd"),
    ]
    assert _doctor.lines(found) == [
        "1. etcd on a: it is exited.",
        "   for want of it, also: milvus, coze-server, coze-web",
        "2. (doubt) a: it is exited.",
        "3. (doubt) mysql on a: it is exited.",
    ]


def test_a_finding_has_its_line_its_meaning_and_the_way_out() -> None:
    found = _doctor.ordered([wrong("mysql", what="it is exited.", line="[ERROR] no", meaning="It is full.", fix="Make room.")], NEEDS)
    assert _doctor.lines(found) == ["1. mysql on a: it is exited.", "   log: [ERROR] no", "   that is: It is full.", "   way out: Make room."]
    assert _doctor.lines([]) == ["Nothing is wrong that can be seen."]


@given(st.sets(st.sampled_from(sorted(NEEDS)), min_size=1))
def test_there_is_always_a_cause_and_it_needs_nothing_that_failed(failed: set[str]) -> None:
    found = _doctor.ordered([wrong(name) for name in sorted(failed)], NEEDS)
    causes = [each["service"] for each in found if not each["after"]]
    assert causes

    def below(name: str) -> set[str]:
        return {each for need in NEEDS[name] for each in {need} | below(need)}

    for each in found:
        assert bool(each["after"]) == bool(below(each["service"]) & failed)
        if each["after"]:
            assert each["after"] in causes and each["after"] in below(each["service"])


@pytest.mark.parametrize(
    ("disk", "level", "says"),
    [
        ({"free": 4}, WARN, "the file system of /opt is 96% full"),
        ({"free": 0}, FAIL, "the file system of /opt is 100% full"),
        ({"inodes_free": 1}, FAIL, "the file system of /opt has hardly any inodes left (1 of 100)"),
        ({"options": ["ro"]}, FAIL, "the file system of /opt is mounted read-only"),
    ],
)
def test_disks(disk: dict[str, Any], level: str, says: str) -> None:
    usual = {"path": "/opt", "size": 100, "free": 50, "inodes": 100, "inodes_free": 50, "options": []}
    assert _doctor.disk_findings([usual]) == []
    (found,) = _doctor.disk_findings([{**usual, **disk}])
    assert (found["level"], found["what"]) == (level, says)
    assert _doctor.disk_findings([{**usual, "inodes": 0, "inodes_free": 0}]) == [], "a file system that does not count them"


def test_memory() -> None:
    assert _doctor.memory_findings({"available": 1024**3}) == []
    (found,) = _doctor.memory_findings({"available": 100 * 1024**2})
    assert found["what"] == "the host has 100 MB of memory left"


ENTRY = {"name": "coze-web", "ports": [{"address": "127.0.0.1", "port": 8888, "container_port": 80, "variable": "stack_public_url"}]}


@pytest.mark.parametrize(("address", "said"), [("127.0.0.1", True), ("0.0.0.0", True), ("::", True), ("10.0.0.1", False)])
def test_who_holds_the_port_of_a_service_that_does_not_run(address: str, said: bool) -> None:
    for port in (8888, 8889):
        found = _doctor.port_findings(ENTRY, [{"address": address, "port": port, "pid": 7, "process": "nginx"}])
        assert bool(found) == (said and port == 8888)
    (told,) = _doctor.port_findings(ENTRY, [{"address": "0.0.0.0", "port": 8888, "pid": 0, "process": ""}])
    assert told["what"] == "another process listens on its port 8888" and "set stack_public_url to what is free" in told["fix"]


def test_vectors_of_another_length_than_the_model_makes() -> None:
    found = [{"name": "opencoze_1", "dims": {"dense": 1024}}, {"name": "opencoze_2", "dims": {"dense": 768}}, {"name": "opencoze_3", "dims": {}}]
    (told,) = _doctor.vector_findings("milvus", found, 1024)
    assert (told["level"], told["what"]) == (WARN, "the vectors of opencoze_2 have another length than the 1024 of the embedding model")
    assert _doctor.vector_findings("milvus", found, None) == [] == _doctor.vector_findings("milvus", [], 1024)
    assert "and 2 more have" in _doctor.vector_findings("milvus", [found[1]] * 5, 1024)[0]["what"]


@pytest.mark.parametrize(("host", "level"), [(100.5, None), (101.9, None), (1000.0, FAIL), (-900.0, FAIL)])
def test_clocks_that_do_not_agree(host: float, level: str | None) -> None:
    found = _doctor.clock_findings({"host": host, "before": 100.0, "after": 101.0})
    assert [each["level"] for each in found] == ([level] if level else [])
    assert _doctor.clock_findings({"host": host}) == []
