# SPDX-License-Identifier: GPL-3.0-or-later
"""What each host of a stack has to do with the steps of a run."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _steps
from ansible_collections.cozeops.studio.tests.unit.plugins.samples import model_of, service_of

JOB = {"name": "mysql_schema", "digest": "d1"}
DONE = {"stack": "lab", "init": {"mysql_schema": {"digest": "d1"}}}


def data(filled: bool = True, stamp: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"data/mysql": {"filled": filled, "stamp": stamp}}


@pytest.mark.parametrize(
    ("found", "due"),
    [
        ({}, True),
        (data(False), True),
        (data(True), True),
        (data(True, {"stack": "lab"}), True),
        (data(True, {"init": {"mysql_schema": {"digest": "older"}}}), True),
        (data(False, DONE), True),
        (data(True, DONE), False),
    ],
    ids=["no directory", "empty", "no stamp", "nothing done", "another was done", "emptied since", "done"],
)
def test_a_job_is_due_unless_the_data_have_it(found: dict[str, Any], due: bool) -> None:
    service = service_of(init=[JOB])
    steps = _steps.schedule(model_of(service), {"mysql": {"action": "none", "why": []}}, found)
    assert [step["kind"] for step in steps] == (["init"] if due else [])


def test_a_service_without_data_has_no_ledger() -> None:
    assert _steps.ledger_of(service_of(data=[]), data(True, DONE)) == {}


def test_the_schedule_takes_its_actions_from_the_plan() -> None:
    plan = {"mysql": {"action": "restart", "why": []}, "redis": {"action": "none", "why": []}}
    model = model_of(service_of(), service_of(name="redis"))
    assert [(step["service"], step["action"]) for step in _steps.schedule(model, plan, {})] == [("mysql", "restart")]


def test_what_was_proved_holds_unless_a_step_touches_it_or_what_it_depends_on() -> None:
    needs = {"mysql": {}, "redis": {}, "server": {"mysql": "initialised", "redis": "ready"}, "web": {"server": "ready"}}
    model = {"services": {name: {"depends_on": depends_on} for name, depends_on in needs.items()}}

    def left(*touched: str) -> list[str]:
        return _steps.untouched(model, ["mysql", "redis", "server", "web"], [{"kind": "start", "service": name} for name in touched])

    assert left() == ["mysql", "redis", "server", "web"]
    assert left("web") == ["mysql", "redis", "server"]
    assert left("redis") == ["mysql"]
    assert _steps.untouched(model, ["web", "mysql"], [{"kind": "start", "service": "server"}]) == ["mysql"]


def test_steps_say_what_would_be_done() -> None:
    assert _steps.step_line({"kind": "start", "service": "mysql", "action": "recreate", "set_aside": []}) == "would recreate mysql"
    begun = _steps.step_line({"kind": "start", "service": "mysql", "action": "start", "set_aside": ["data/mysql"]})
    assert begun == "would set data/mysql aside, whose first start never finished, and start mysql"
    assert _steps.step_line({"kind": "init", "service": "mysql", "job": JOB}) == "would run the init job mysql_schema of mysql"
    assert _steps.step_line({"kind": "commit", "service": "mysql"}) == "would prove mysql again, and remove its earlier container"


def part(*services: str, **depends: list[str]) -> dict[str, Any]:
    own = {name: {"name": name, "depends_on": dict.fromkeys(depends.get(name, []), "ready"), "data": [{"path": "data/" + name}]} for name in services}
    return {
        "stack_model": {"services": own, "placement": {"mysql": ["a"], "redis": ["b"], "server": ["b"]}},
        "__stack_plan": {"plan": {name: {"action": "none"} for name in services}},
        "__stack_info": {"stack": {"data": {"data/mysql": {"filled": "mysql" in services}}}},
    }


def test_the_whole_stack_has_what_each_host_says_of_its_own() -> None:
    parts = {"b": part("redis", "server"), "a": part("mysql")}
    found = _steps.whole(parts["a"]["stack_model"], parts)
    assert list(found["services"]) == list(found["plan"]) == ["mysql", "redis", "server"]
    assert found["data"] == {"data/mysql": {"filled": True}}, "what b has of it is not mysql's"
    assert list(_steps.whole(parts["a"]["stack_model"], {"b": parts["b"]})["services"]) == ["redis", "server"], "a is not of this run"


def test_replicas_are_planned_host_by_host() -> None:
    parts = {"a": part("server"), "b": part("server")}
    for each in parts.values():
        each["stack_model"]["placement"] = {"server": ["a", "b"]}
    parts["b"]["__stack_plan"]["plan"]["server"] = {"action": "recreate"}
    found = _steps.whole(parts["a"]["stack_model"], parts)
    assert found["plan"] == {"server": {"action": "recreate"}}
    assert found["replicas"] == {"server": {"a": {"action": "none"}, "b": {"action": "recreate"}}}


def step_of(*services: str, kind: str = "make", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "services": list(services), "service": services[0], "needs": [], **more}


def test_a_service_may_not_start_before_what_it_needs_is_proved() -> None:
    model = {**part("redis", "server", server=["mysql", "redis", "left_out"])["stack_model"], "host": "b"}
    steps = [step_of("mysql", "redis"), step_of("server")]
    assert _steps.blocked(steps, model, {"a": ["mysql"], "b": ["redis"]}) == {}
    assert _steps.blocked(steps, model, {"a": [], "b": ["redis"]}) == {"server": "server was not touched: it needs mysql (on a), not proved ready in this run."}


def test_replicas_take_turns() -> None:
    model = {**part("server")["stack_model"], "host": "b"}
    first, second = step_of("server", kind="start", hosts=["a"], after=[]), step_of("server", kind="start", hosts=["b"], after=["a"])
    assert _steps.turn(first, model, {"a": [], "b": []}, []) == {"wait": [], "services": []}, "it is a's"
    assert _steps.turn(second, {**model, "host": "a"}, {"a": [], "b": []}, []) == {"wait": ["server"], "services": []}, "b goes on when a's is ready"
    assert _steps.turn(second, model, {"a": ["server"], "b": []}, []) == {"wait": [], "services": ["server"]}
    assert _steps.turn(second, model, {"a": [], "b": []}, []) == {"wait": [], "services": []}
    assert _steps.turn(second, {**model, "host": "a"}, {"a": [], "b": []}, ["server"])["wait"] == [], "it was not started here"
    assert _steps.blocked([first, second], model, {"a": []}) == {
        "server": "server was not touched: the one on a comes first, and was not proved ready in this run."
    }


@pytest.mark.parametrize(("without", "ready", "services"), [("b", ["server"], ["web"]), ("b", [], []), ("", [], ["web"])])
def test_the_front_leaves_out_only_what_is_going_to_be_touched(without: str, ready: list[str], services: list[str]) -> None:
    model = {**part("web")["stack_model"], "host": "c"}
    route = step_of("web", kind="route", of="server", without=without, after=["a"])
    assert _steps.turn(route, model, {"a": ready, "c": []}, []) == {"wait": [], "services": services}
    assert _steps.own([route], model) == []


def test_what_was_proved_is_told_by_each_host() -> None:
    parts = {
        "a": {"__stack_plan": {"ready": ["etcd"]}},
        "b": {"__stack_plan": {"ready": ["redis"]}, "__service_ready": ["redis", "mysql"], "__service_failures": {"mysql": "its init job failed"}},
    }
    assert _steps.proved(parts) == {"a": ["etcd"], "b": ["redis"]}


def test_what_needs_a_service_is_told_however_far() -> None:
    model = model_of(
        service_of(name="mysql"),
        service_of(name="redis"),
        service_of(name="coze-server", depends_on={"mysql": "ready"}),
        service_of(name="coze-web", depends_on={"coze-server": "ready"}),
    )
    assert _steps.with_users(["mysql"], model) == ["mysql", "coze-server", "coze-web"]
    assert _steps.with_users([], model) == []
    assert _steps.with_users(["etcd"], model) == ["etcd"], "one of another host"


def test_a_store_of_the_operators_own_is_needed_like_a_service() -> None:
    server = service_of(name="coze-server", depends_on={"mysql": "ready"})
    model = {**model_of(server), "host": "a", "placement": {"coze-server": ["a"]}, "external": {"mysql": {"replaces": ["mysql"], "place": "db:3306/c"}}}
    rounds = [{"kind": "make", "services": ["coze-server"], "needs": ["mysql"]}]
    assert _steps.blocked(rounds, model, {"a": []}) == {
        "coze-server": "coze-server was not touched: it needs mysql (yours, db:3306/c), not proved ready in this run."
    }
    assert _steps.blocked(rounds, model, {"a": ["mysql"]}) == {}
