# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._ready import iso
from ansible_collections.cozeops.studio.plugins.module_utils._timeline import (
    MAKES,
    STARTS,
    HostLog,
    Task,
    Wait,
    clock_offset,
    document,
    dump,
    phases,
    tidy,
    windows,
    worst,
)
from ansible_collections.cozeops.studio.tests.unit.plugins.run_sample import BEGUN, RAN_BEFORE, SERVICES, host_log, run_log, step, timeline
from hypothesis import given
from hypothesis import strategies as st


def services(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {service["name"]: service for service in found["hosts"][0]["services"]}


def moments(service: dict[str, Any]) -> dict[str, float | None]:
    return {key: service[key] and service[key]["s"] for key in ("planned", "begun", "created", "started", "ready", "done", "init_done")}


def test_every_step_of_a_service_has_its_time() -> None:
    mysql = services(timeline())["mysql"]
    assert moments(mysql) == {"planned": 4.0, "begun": 4.2, "created": 4.2, "started": 4.8, "ready": 12.7, "done": 5.0, "init_done": 15.8}
    assert mysql["started"]["at"] == "2026-01-31T12:00:04.800Z"
    assert mysql["planned"]["action"] == "recreate"
    assert [job["job"] for job in mysql["init"]] == ["mysql_schema"]
    assert mysql["image_id"].startswith("sha256:ab12")
    assert mysql["status"] == "ready"


def test_what_ran_before_has_no_time_of_its_own() -> None:
    before = services(timeline())[RAN_BEFORE]
    assert moments(before) == {"planned": 4.0, "begun": None, "created": None, "started": -4000.0, "ready": 5.1, "done": None, "init_done": None}
    assert (before["already"], before["status"]) == (True, "untouched")


def test_the_run_is_described() -> None:
    found = timeline(hosts=2)
    assert found["schema"] == 1
    assert found["run"]["seconds"] == 23.0
    assert (found["run"]["begun"], found["run"]["outcome"]) == ("2026-01-31T12:00:00.000Z", "changed")
    host = found["hosts"][1]
    assert (host["name"], host["stack"], host["release"], host["url"]) == ("coze2", "coze", "0.5", "http://127.0.0.1:8888")
    assert (host["engine"], host["system"]) == ({"version": "26.1.5", "api_version": "1.45"}, "debian 13")
    assert [phase["name"] for phase in host["phases"]] == ["stack", "images", "stack", "service", "verify"]


def test_check_mode_plans_and_no_more() -> None:
    found = timeline(check=True)
    assert found["run"]["check_mode"] is True
    assert {service["status"] for service in services(found).values()} == {"planned", "untouched"}
    assert all(service["started"] is None for service in services(found).values())


def test_a_failure_has_the_exit_reason_and_no_password() -> None:
    found = timeline(fails=True)
    server = services(found)["coze-server"]
    assert server["status"] == "failed"
    assert (server["failed"]["reason"], server["failed"]["exit_code"]) == ("it ended with exit code 1", 1)
    assert (server["failed"]["meaning"], server["failed"]["s"]) == ("Redis refused the password.", 18.0)
    assert services(found)["coze-web"]["status"] == "begun"
    assert found["run"]["outcome"] == "failed"
    assert "it ended with exit code 1" in found["hosts"][0]["failure"]["message"]
    assert "hunter2" not in dump(found)


def test_a_container_that_was_brought_back_is_told_apart() -> None:
    log = host_log(fails=True)
    log.restored = ["coze-server"]
    assert services(document(run_log({"one": log})))["coze-server"]["status"] == "restored"


def test_a_task_that_failed_is_a_reason_too() -> None:
    log = host_log(fails=True)
    log.waits = []
    log.tasks.append(Task("cozeops.studio.service", "Make coze-web", MAKES, step("coze-web", action="recreate"), BEGUN + 17, BEGUN + 17.5, True))
    failed = services(document(run_log({"one": log})))["coze-web"]["failed"]
    assert (failed["reason"], failed["kind"], failed["s"]) == ("the task failed: Make coze-web", "task", 17.5)


def making(*services: str) -> dict[str, Any]:
    return {"kind": "make", "services": list(services), "needs": []}


def test_containers_that_are_made_together_have_a_time_each() -> None:
    log = host_log()
    log.tasks = [task for task in log.tasks if not task.step.get("action")]
    log.tasks.append(Task("cozeops.studio.service", "Make both", MAKES, making("mysql", "etcd"), BEGUN + 4.2, BEGUN + 8.9))
    found = services(document(run_log({"one": log})))
    assert [found[name]["created"]["s"] for name in ("mysql", "etcd")] == [4.2, 4.2]
    assert found["mysql"]["started"]["s"] != found["etcd"]["started"]["s"]
    assert found["coze-web"]["created"] is None


def test_of_containers_that_are_made_together_only_those_failed_that_could_not_be_made() -> None:
    log = host_log(fails=True)
    log.waits = []
    log.tasks.append(Task("cozeops.studio.service", "Make both", MAKES, making("mysql", "coze-web"), BEGUN + 17, BEGUN + 17.5, True, ["coze-web"]))
    found = services(document(run_log({"one": log})))
    assert (found["mysql"]["failed"], found["coze-web"]["failed"]["reason"]) == (None, "the task failed: Make both")


def test_clocks_are_told_by_containers_that_were_made_together() -> None:
    log = HostLog(tasks=[Task("", "", MAKES, making("a", "b"), BEGUN, BEGUN + 2)])
    seen = [{"service": name, "started": iso(BEGUN + 61), "ready": iso(BEGUN + 62)} for name in ("a", "b")]
    log.waits = [Wait(BEGUN + 2, BEGUN + 3, seen, [])]
    assert windows(log) == [(BEGUN + 62, BEGUN + 2, BEGUN + 3)] * 2 + [(BEGUN + 61, BEGUN, BEGUN + 2)] * 2


def test_a_container_that_is_removed_for_its_data_tells_no_clock() -> None:
    log = HostLog(tasks=[Task("", "", STARTS, step("a", action="start", set_aside=["data/a"]), BEGUN, BEGUN + 2)])
    log.waits = [Wait(BEGUN + 2, BEGUN + 3, [{"service": "a", "started": iso(BEGUN), "ready": iso(BEGUN + 1)}], [])]
    assert len(windows(log)) == 1


def test_an_init_job_that_failed_is_not_done() -> None:
    log = host_log()
    log.tasks = [task._replace(failed=True) if task.action.endswith("mysql_schema") else task for task in log.tasks]
    mysql = services(document(run_log({"one": log})))["mysql"]
    assert (mysql["init_done"], mysql["init"][0]["ok"], mysql["status"]) == (None, False, "failed")


def test_a_run_that_ended_early_is_a_timeline_all_the_same() -> None:
    log = HostLog(stack="coze", outcome="failed", failure=(BEGUN + 1, "stack : Say what is wrong", "stack_source is not set"))
    found = document(run_log({"one": log}))
    assert found["hosts"][0]["services"] == []
    assert found["hosts"][0]["failure"]["message"] == "stack_source is not set"


def test_a_run_that_goes_on_is_unfinished() -> None:
    log = host_log()
    log.outcome = "unfinished"
    found = document(run_log({"one": log}, ended=False))["run"]
    assert (found["done"], found["outcome"], found["seconds"]) == (None, "unfinished", 22.0)


@pytest.mark.parametrize("ahead", [-86400.0, -30.0, 30.0, 7200.5])
def test_a_clock_that_is_off_changes_no_order(ahead: float) -> None:
    found = document(run_log({"one": host_log(ahead=ahead)}))
    assert found["hosts"][0]["clock_offset"] == pytest.approx(ahead, abs=1.0)
    for service in services(found).values():
        if service["name"] != RAN_BEFORE:
            order = [service[key]["s"] for key in ("planned", "begun", "created", "started", "ready")]
            assert order == sorted(order)
            assert service["status"] == "ready"


def test_a_clock_that_is_right_is_left_alone() -> None:
    assert timeline()["hosts"][0]["clock_offset"] == 0.0


@given(st.floats(-1e6, 1e6), st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=20))
def test_the_offset_puts_every_event_into_its_window(offset: float, events: list[tuple[float, float, float]]) -> None:
    pairs = [(moment + offset, moment - before, moment + after) for moment, before, after in events]
    found = clock_offset(pairs)
    assert all(earliest - 0.01 <= host - found <= latest + 0.01 for host, earliest, latest in pairs)


def test_the_offset_of_nothing_and_of_a_clock_that_jumped() -> None:
    assert clock_offset([]) == 0.0
    assert clock_offset([(10.0, 0.0, 0.0), (20.0, 0.0, 0.0)]) == pytest.approx(15.0)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [([], "unfinished"), (["ok", "ok"], "ok"), (["ok", "changed"], "changed"), (["changed", "unreachable"], "failed"), (["unfinished", "ok"], "unfinished")],
)
def test_the_worst_host_decides(outcomes: list[str], expected: str) -> None:
    assert worst(outcomes) == expected


def test_a_step_is_one_phase_whatever_roles_it_takes() -> None:
    tasks = [Task("c.s.stack", "", "a", {}, 0, 1), Task("c.s.service", "", "a", step("mysql"), 1, 2), Task("c.s.mysql", "", "a", step("mysql", "init"), 2, 4)]
    assert phases(tasks) == [("stack", 0, 1), ("service", 1, 4)]


def test_long_words_are_cut() -> None:
    assert tidy("x" * 20, 10) == "xxxxxxx..."
    assert tidy(" short ", 10) == "short"


def test_it_is_json() -> None:
    found = timeline(hosts=2, fails=True)
    assert json.loads(dump(found)) == found
    assert list(SERVICES) == [service["name"] for service in found["hosts"][0]["services"]]
