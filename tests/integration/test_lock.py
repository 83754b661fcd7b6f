# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that come at the same time, one that was killed, and what is kept of each change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, make_source, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

LOCK = "/run/cozeops/coze.lock"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    found = LabHost("lock", tmp_path_factory.mktemp("inventory"), "--memory", "2g")
    yield found
    found.destroy()


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    source = make_source("0.5", tmp_path_factory.mktemp("tree") / "0.5")
    runs = str(tmp_path_factory.mktemp("runs"))
    return {"stack_source": str(source), "stack_services": ["redis", "nsqlookupd"], "stack_memory_min": "1g", "stack_run_dir": runs}


def changes(host: LabHost) -> list[dict[str, Any]]:
    return [json.loads(line) for line in host.shell("cat /opt/cozeops/coze/state/changes.log 2>/dev/null || true").splitlines()]


def is_locked(host: LabHost) -> bool:
    return host.shell(f"test -e {LOCK} && echo yes || true").strip() == "yes"


def test_a_change_is_noted_and_the_lock_let_go(host: LabHost, given: dict[str, Any]) -> None:
    host.site(**given, stack_reason="the first").must_pass(changed=True)
    (entry,) = changes(host)
    assert (entry["reason"], entry["playbook"], entry["failure"]) == ("the first", "site.yml", "")
    assert entry["actions"] == {"redis": "recreate", "nsqlookupd": "recreate"}
    assert not is_locked(host)
    host.site(**given).must_pass(changed=False)
    host.site("--check", **given, redis_memory="90m").must_pass(changed=True)
    assert changes(host) == [entry], "a run that changes nothing is no change"


def test_a_failure_is_noted_too(host: LabHost, given: dict[str, Any]) -> None:
    run = host.site(**given, stack_images={"redis": "nsqio/nsq:v1.2.1"})
    run.must_fail("redis failed")
    assert changes(host)[-1]["failure"]
    assert not is_locked(host)
    host.site(**given).must_pass()


def test_who_comes_second_is_told_and_changes_nothing(host: LabHost, given: dict[str, Any]) -> None:
    since = "2026-01-31T12:00:00+00:00"
    holder = {"who": "ann", "controller": "elsewhere", "pid": 1, "started": 1, "since": since, "playbook": "site.yml", "reason": "more memory"}
    host.shell(f"mkdir -p /run/cozeops && cat > {LOCK} <<'END'\n{json.dumps(holder)}\nEND")
    before = host.started()
    host.site(**given).must_pass(changed=False)
    run = host.site(**given, redis_memory="90m")
    run.must_fail("The stack coze is being changed by ann on elsewhere since " + since + " (site.yml, process 1): more memory.")
    run.must_fail("if it is gone for good, set stack_lock_break to coze.")
    assert host.started() == before
    host.site(**given, redis_memory="90m", stack_lock_break="coze").must_pass(changed=True)
    assert not is_locked(host)


def test_a_run_that_was_killed_is_in_nobodys_way(host: LabHost, given: dict[str, Any]) -> None:
    with host.site_in_background(**given, redis_memory="100m", nsq_memory="70m") as process:
        while not is_locked(host):
            assert process.poll() is None
    assert is_locked(host)
    run = host.site(**given, redis_memory="100m", nsq_memory="70m")
    run.must_pass(changed=True)
    assert "That run is no more, so its lock was broken" in " ".join(run.output.split())
    assert not is_locked(host)
