# SPDX-License-Identifier: GPL-3.0-or-later
"""How a stack is, in words: times, sizes, alarms, the table."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _status

NOW = datetime.datetime(2026, 3, 1, 12, 0, 0, tzinfo=datetime.UTC)
GIB = 1024**3


def service(**more: Any) -> dict[str, Any]:
    return {
        "name": "mysql",
        "container": "lab-mysql",
        "image": "mysql:8.4.5",
        "digest": "mysql@sha256:0123456789abcdef",
        "state": "running",
        "since": "2026-03-01T09:00:00.123456789Z",
        "exit_code": 0,
        "oom": False,
        "health": "healthy",
        "restarts": 0,
        "memory": GIB // 2,
        "memory_limit": GIB,
        "disk": 3 * GIB,
        "ready": True,
        "reason": "",
        "drift": [],
        **more,
    }


def state(*services: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "stack": "lab",
        "release": "0.5",
        "url": "http://127.0.0.1:8888",
        "services": list(services or (service(),)),
        "strangers": [],
        "disks": [{"path": "/opt", "size": 100 * GIB, "free": 60 * GIB}],
        "certificate": {},
        "locked": "",
        "changed": {},
        **more,
    }


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0, "0B"), (1023, "1023B"), (1536, "1.5K"), (10 * 1024, "10K"), (GIB, "1.0G"), (5000 * GIB, "4.9T"), (2**60, "1048576T")]
)
def test_sizes(value: int | None, text: str) -> None:
    assert _status.size(value) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [("", ""), ("0001-01-01T00:00:00Z", ""), ("2026-03-01T11:59:15Z", "45s"), ("2026-03-01T11:58:01Z", "119s"), ("2026-03-01T11:30:00Z", "30m")],
)
def test_times(moment: str, text: str) -> None:
    assert _status.ago(moment, NOW) == text


def test_days_and_hours() -> None:
    assert _status.ago("2026-03-01T09:00:00Z", NOW) == "3h"
    assert _status.ago("2026-02-20T09:00:00Z", NOW) == "9d"
    assert _status.ago("2026-03-01T12:00:05Z", NOW) == "0s", "the host's clock is ahead"


@pytest.mark.parametrize(
    ("more", "level", "text"),
    [
        ({"state": ""}, "fail", "mysql has no container: run site.yml"),
        ({"state": "exited", "exit_code": 137, "oom": True}, "fail", "mysql is exited (exit code 137, killed for want of memory): start.yml, or logs.yml"),
        ({"ready": False, "reason": "connection refused on 3306"}, "fail", "mysql is not ready: connection refused on 3306"),
        ({"restarts": 3, "since": "2026-03-01T11:55:00Z"}, "warn", "mysql was restarted 3 times, the last time 5m ago"),
        ({"memory": GIB - 1}, "warn", "mysql uses 1023M of its 1.0G of memory: mysql_memory gives it more"),
        ({"drift": ["memory", "file conf/x"]}, "warn", "mysql is not as it was deployed (memory, file conf/x): site.yml makes it so"),
    ],
)
def test_a_service_that_is_not_well(more: dict[str, Any], level: str, text: str) -> None:
    ((found, words),) = _status.service_alarms(service(**more), NOW)
    assert found == level and words.startswith(text)


def test_a_restart_of_long_ago_is_forgotten() -> None:
    assert _status.service_alarms(service(restarts=3), NOW) == []


@pytest.mark.parametrize(
    ("more", "level", "text"),
    [
        ({"disks": [{"path": "/opt", "size": 100, "free": 14}]}, "warn", "the file system of /opt is 86% full: 14B of 100B are free"),
        ({"disks": [{"path": "/opt", "size": 100, "free": 4}]}, "fail", "the file system of /opt is 96% full"),
        ({"certificate": {"url": "https://x", "days": 20}}, "warn", "the certificate of https://x ends in 20 days"),
        ({"certificate": {"url": "https://x", "days": -1}}, "fail", "the certificate of https://x ends in -1 days"),
        ({"certificate": {"url": "https://x", "problem": "not trusted here (self-signed)"}}, "warn", "the certificate of https://x: not trusted here"),
        ({"locked": "by ann"}, "warn", "the stack is being changed by ann"),
        ({"strangers": ["lab-old"]}, "warn", "lab-old is no service of the stack any more, and its container is still there"),
    ],
)
def test_a_host_that_is_not_well(more: dict[str, Any], level: str, text: str) -> None:
    ((found, words),) = _status.host_alarms(state(**more))
    assert found == level and words.startswith(text)


def test_the_worst_comes_first_and_a_silent_host_is_the_worst() -> None:
    states = {"a": state(service(drift=["memory"])), "b": state(service(state="exited"))}
    found = _status.alarms(states, NOW, ["c"])
    assert [(each["level"], each["host"]) for each in found] == [("fail", "c"), ("fail", "b"), ("warn", "a")]


def test_the_table_leaves_out_what_says_nothing() -> None:
    who = {"who": "ann", "controller": "desk", "playbook": "site.yml", "reason": "why not"}
    changed = {"at": "2026-02-28T10:00:00+00:00", **who, "actions": {"mysql": "restart"}}
    told = _status.document("lab", {"a": state(changed=changed)}, NOW)
    assert _status.lines(told) == [
        "lab, release 0.5, http://127.0.0.1:8888: 1 of 1 service ready",
        "SERVICE  HOST  IMAGE                     STATE    SINCE  MEMORY     DISK  READY",
        "mysql    a     mysql:8.4.5 0123456789ab  running  3h     512M/1.0G  3.0G  yes",
        "last change: 2026-02-28T10:00:00+00:00 by ann from desk (site.yml): restart mysql, because: why not",
    ]
    assert told["well"] and json.loads(json.dumps(told)) == told


def test_what_is_wrong_is_below_the_table_and_marked_in_it() -> None:
    told = _status.document("lab", {"a": state(service(state="exited", ready=False, memory=None))}, NOW)
    assert told["well"] is False
    assert _status.lines(told)[0].endswith("0 of 1 service ready, 1 alarm")
    assert _status.lines(told)[2].startswith("!  mysql")
    assert _status.lines(told)[3].startswith("! a: mysql is exited")


def test_without_a_host_there_is_no_table() -> None:
    told = _status.document("lab", {}, NOW, ["a"])
    assert _status.lines(told)[0] == "lab: 0 of 0 services ready, 1 alarm" and not told["well"]


def test_the_page_has_the_same_and_escapes_it() -> None:
    told = _status.document("lab", {"<a>": state(service(state="exited", exit_code=1))}, NOW)
    page = _status.page(told)
    assert "&lt;a&gt;" in page and "<a>" not in page and "outcome-failed" in page and "mysql is exited" in page


def test_many_services_are_counted() -> None:
    change = {"at": "x", "who": "a", "controller": "b", "playbook": "c", "actions": dict.fromkeys("abcd", "recreate"), "failure": "no"}
    assert _status.change_line(change) == "x by a from b (c): recreate 4 services, which failed"
