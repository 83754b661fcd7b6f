# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.cozeops.studio.plugins.filter.timeline import FilterModule, timeline_table


def entry(service: str, started: str, ready: str, seconds: float, **more: Any) -> dict[str, Any]:
    return {"service": service, "started": f"2026-01-31T12:{started}Z", "ready": f"2026-01-31T12:{ready}Z", "seconds": seconds, "probe": "tcp", **more}


MYSQL = entry("mysql", "00:00.000", "00:08.000", 8.0)
REDIS = entry("redis", "00:02.000", "00:04.000", 2.0)


def test_overlap_is_seen_over_one_axis() -> None:
    assert timeline_table([REDIS, MYSQL], width=9) == [
        "service  started (UTC)  ready after  0 --8.0 s",
        "mysql    12:00:00             8.0 s  #########",
        "redis    12:00:02             2.0 s    ###",
    ]


def test_what_ran_before_does_not_stretch_the_axis() -> None:
    old = entry("etcd", "00:00.000", "40:00.500", 0.5, already=True)
    new = entry("milvus", "40:00.000", "40:04.000", 4.0)
    assert timeline_table([old, new], width=9) == [
        "service  started (UTC)  ready after  0 --4.0 s",
        "etcd     before               0.5 s  ==",
        "milvus   12:40:00             4.0 s  #########",
    ]


def test_hosts_get_a_column_when_told() -> None:
    lines = timeline_table([{**MYSQL, "host": "db1"}, {**REDIS, "host": "app1"}])
    assert lines[0].startswith("host  service")
    assert lines[1].startswith("db1   mysql")


def test_the_earliest_sight_of_the_last_start_counts() -> None:
    seen_again = entry("redis", "00:02.000", "00:09.000", 7.0)
    assert timeline_table([MYSQL, seen_again, REDIS]) == timeline_table([MYSQL, REDIS])
    restarted = entry("redis", "00:05.000", "00:06.000", 1.0)
    assert timeline_table([MYSQL, REDIS, restarted]) == timeline_table([MYSQL, restarted])


def test_a_single_moment_and_nothing() -> None:
    assert timeline_table([entry("redis", "00:02.000", "00:02.000", 0.0)])[1].endswith("0.0 s  #")
    assert timeline_table([]) == []


@pytest.mark.parametrize("bad", ["text", [{"service": "x"}], [entry("x", "soon", "00:01.000", 1.0)], None, [1]])
def test_anything_else_is_refused(bad: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="timeline that stack_ready returns"):
        timeline_table(bad)


def test_the_filter_has_its_name() -> None:
    assert FilterModule().filters() == {"timeline_table": timeline_table}
