# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._definition import (
    FIELDS,
    DefinitionError,
    check_order,
    complete,
    environment,
    hide,
    image_reference,
    in_waves,
    job_digest,
    rounds,
    schedule,
    select,
    size_in_bytes,
    spread,
    unfinished,
)
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed
from ansible_collections.cozeops.studio.plugins.module_utils._env_file import EnvError, expand_value
from hypothesis import given
from hypothesis import strategies as st

# --- sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [("768m", 805306368), ("1g", 1024**3), ("1G", 1024**3), ("2k", 2048), ("1gb", 1024**3), ("512", 512), (512, 512), (" 1m ", 1024**2), (None, None)],
)
def test_sizes_are_bytes(text: t.Any, size: int | None) -> None:
    assert size_in_bytes(text, "x") == size


@pytest.mark.parametrize("text", ["", "1.5g", "1t", "-1g", "m", "1 g", "1g1", "one", True, "1gbb"])
def test_what_is_no_size_is_told_with_its_place(text: t.Any) -> None:
    with pytest.raises(DefinitionError, match=r"^service mysql: memory: .* is not a size\. Write a whole number with k, m or g"):
        size_in_bytes(text, "service mysql: memory")


@given(st.integers(0, 10**9), st.sampled_from(["", "k", "m", "g"]), st.sampled_from(["", "b", "B"]))
def test_sizes_are_powers_of_1024(number: int, unit: str, suffix: str) -> None:
    assert size_in_bytes("%d%s%s" % (number, unit, suffix), "x") == number * 1024 ** ["", "k", "m", "g"].index(unit)


# --- completing


def test_a_definition_gets_every_field() -> None:
    service = complete({"name": "a", "memory": "1k"})
    assert list(service) == list(FIELDS)
    assert (service["memory"], service["stop_timeout"], service["depends_on"]) == (1024, 10, {})


@pytest.mark.parametrize(("field", "near"), [("comand", "command"), ("depends", "depends_on"), ("port", "ports"), ("stop_timout", "stop_timeout")])
def test_an_unknown_field_is_told_with_the_nearest(field: str, near: str) -> None:
    with pytest.raises(DefinitionError, match="^service a: unknown field '%s', did you mean '%s'\\?$" % (field, near)):
        complete({"name": "a", field: 1})


def test_a_field_that_is_near_to_none_is_told_alone() -> None:
    with pytest.raises(DefinitionError, match=r"^service a: unknown field 'zzz'$"):
        complete({"name": "a", "zzz": 1})


@pytest.mark.parametrize("definition", [{}, {"name": ""}, {"image": "x"}])
def test_a_definition_needs_a_name(definition: dict[str, t.Any]) -> None:
    with pytest.raises(DefinitionError, match="without a name"):
        complete(definition)


def test_a_condition_has_to_be_known() -> None:
    with pytest.raises(DefinitionError, match=r"^service a: depends_on b: 'initialized' is none of ready, initialised$"):
        complete({"name": "a", "depends_on": {"b": "initialized"}})


@pytest.mark.parametrize("part", ["files", "trees"])
def test_a_wish_for_changes_has_to_be_known(part: str) -> None:
    with pytest.raises(DefinitionError, match=r"^service a: conf/x: on_change 'reboot' is none of none, reload, restart, recreate$"):
        complete({"name": "a", part: [{"path": "conf/x", "on_change": "reboot"}]})


# --- selecting

DEFINITIONS = [{"name": "mysql"}, {"name": "old", "releases": ["0.2"]}, {"name": "web", "releases": ["0.3", "0.5"]}]


@pytest.mark.parametrize(
    ("release", "wanted", "found"),
    [
        ("0.2", None, ["mysql", "old"]),
        ("0.5", None, ["mysql", "web"]),
        ("0.5", [], ["mysql", "web"]),
        ("0.5", ["web"], ["web"]),
        ("0.5", ["web", "mysql"], ["mysql", "web"]),
    ],
)
def test_services_are_those_of_the_release_in_order(release: str, wanted: list[str] | None, found: list[str]) -> None:
    assert [service["name"] for service in select(DEFINITIONS, release, wanted)] == found


def test_a_service_that_the_release_has_not_is_told_with_those_it_has() -> None:
    with pytest.raises(DefinitionError, match=r"^stack_services: release 0\.2 has no service web, webb\. It has mysql, old\.$"):
        select(DEFINITIONS, "0.2", ["mysql", "web", "webb"])


# --- order


def test_an_order_in_which_all_comes_after_what_it_needs_is_right() -> None:
    check_order([complete({"name": "a"}), complete({"name": "b", "depends_on": {"a": "ready", "absent": "ready"}})])


def test_a_service_before_what_it_needs_is_told() -> None:
    services = [complete({"name": "b", "depends_on": {"a": "ready", "c": "ready"}}), complete({"name": "a"}), complete({"name": "c"})]
    with pytest.raises(DefinitionError, match=r"^service b depends on a, c, which comes later in the order$"):
        check_order(services)


def test_a_service_cannot_wait_for_itself() -> None:
    with pytest.raises(DefinitionError):
        check_order([complete({"name": "a", "depends_on": {"a": "ready"}})])


# --- images


@pytest.mark.parametrize(
    ("overrides", "prefix", "reference"),
    [
        ({}, "", "mysql:8.4.5"),
        ({}, "mirror.example.com/x", "mirror.example.com/x/mysql:8.4.5"),
        ({}, "mirror.example.com/x/", "mirror.example.com/x/mysql:8.4.5"),
        ({"mysql": "own/mysql@sha256:1"}, "mirror.example.com", "own/mysql@sha256:1"),
        ({"redis": "x"}, "", "mysql:8.4.5"),
    ],
)
def test_an_image_is_the_operators_or_the_tables(overrides: dict[str, str], prefix: str, reference: str) -> None:
    assert image_reference("mysql", {"mysql": "mysql:8.4.5"}, overrides, prefix) == reference


def test_an_image_that_nobody_knows_says_what_to_set() -> None:
    with pytest.raises(DefinitionError, match=r"set stack_images: \{kafka: name:tag\}$"):
        image_reference("kafka", {}, {}, "")


# --- environment

ENV = {"A": "a", "B": "b", "EMPTY": ""}


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"env_keys": ["B", "MISSING", "EMPTY"]}, {"B": "b", "EMPTY": ""}),
        ({"env_keys": "all"}, ENV),
        ({"env_keys": "all", "env_exclude": ["A", "EMPTY"]}, {"B": "b"}),
        ({"env_keys": ["A"], "env": {"A": "x", "PORT": 6379, "C": "${B}-$A", "D": "${MISSING:-d}"}}, {"A": "x", "PORT": "6379", "C": "b-a", "D": "d"}),
    ],
)
def test_a_service_sees_its_own_keys_only(more: dict[str, t.Any], found: dict[str, str]) -> None:
    assert environment(complete({"name": "a", **more}), ENV, expand_value) == found


def test_an_undefined_reference_names_service_and_key() -> None:
    with pytest.raises(EnvError, match=r"service milvus: env KEY.*MISSING"):
        environment(complete({"name": "milvus", "env": {"KEY": "${MISSING}"}}), ENV, expand_value)


def test_secrets_are_shown_as_keyed_digests() -> None:
    shown = hide({"PASSWORD": "p", "PUBLIC": "x", "EMPTY_PASSWORD": ""}, {"PASSWORD", "EMPTY_PASSWORD"}, "key")
    assert shown == {"PASSWORD": {"hmac": keyed("key", "p")}, "PUBLIC": "x", "EMPTY_PASSWORD": ""}


# --- digests of init jobs

JOB = {"name": "schema", "inputs": ["conf/mysql", "conf/one.sql"], "database": "opencoze"}
INPUTS = {"conf/mysql/schema.sql": "1", "conf/mysql/migrations/a.sql": "2", "conf/one.sql": "3", "conf/mysql-other/x": "4", "conf/redis": "5"}


def digest_of(job: dict[str, t.Any], files: dict[str, str]) -> str:
    return job_digest("key", {"name": "mysql"}, job, files)


@pytest.mark.parametrize("path", ["conf/mysql/schema.sql", "conf/mysql/migrations/a.sql", "conf/one.sql"])
def test_a_changed_input_makes_another_job(path: str) -> None:
    assert digest_of(JOB, {**INPUTS, path: "new"}) != digest_of(JOB, INPUTS)


@pytest.mark.parametrize("path", ["conf/mysql-other/x", "conf/redis"])
def test_another_file_leaves_the_job_as_it_is(path: str) -> None:
    assert digest_of(JOB, {**INPUTS, path: "new"}) == digest_of(JOB, INPUTS)


def test_another_word_makes_another_job() -> None:
    assert digest_of({**JOB, "database": "other"}, INPUTS) != digest_of(JOB, INPUTS)


def test_the_digest_does_not_count_itself() -> None:
    assert digest_of({**JOB, "digest": "x"}, INPUTS) == digest_of(JOB, INPUTS)


# --- the schedule

SEED = ["mysql", "redis", "elasticsearch", "minio", "etcd", "milvus", "server", "web"]


@st.composite
def stacks(draw: st.DrawFn) -> tuple[dict[str, t.Any], dict[str, str], dict[str, t.Any]]:
    """Services in a right order, with actions and ledgers."""
    names = draw(st.lists(st.sampled_from(SEED), unique=True, min_size=1))
    services: dict[str, t.Any] = {}
    for index, name in enumerate(names):
        needs = {other: draw(st.sampled_from(["ready", "initialised"])) for other in names[:index] if draw(st.booleans())}
        if draw(st.booleans()):
            needs["elsewhere"] = draw(st.sampled_from(["ready", "initialised"]))
        jobs = [{"name": "job%d" % number, "digest": "d%d" % number} for number in range(draw(st.integers(0, 2)))]
        services[name] = {**complete({"name": name, "depends_on": needs, "init": jobs}), "role": name}
    actions = {name: draw(st.sampled_from(["none", "start", "reload", "restart", "recreate"])) for name in names}
    ledgers = {
        name: {job["name"]: {"digest": draw(st.sampled_from([job["digest"], "older"]))} for job in service["init"] if draw(st.booleans())}
        for name, service in services.items()
    }
    return services, actions, ledgers


@given(stacks())
def test_a_schedule_keeps_every_promise(stack: tuple[dict[str, t.Any], dict[str, str], dict[str, t.Any]]) -> None:
    services, actions, ledgers = stack
    aside = {name: ["data/" + name] for name in list(services)[::2]}
    steps = schedule(services, actions, ledgers, aside)
    starts = {step["service"]: index for index, step in enumerate(steps) if step["kind"] == "start"}
    inits = [(step["service"], step["job"]["name"], index) for index, step in enumerate(steps) if step["kind"] == "init"]
    due = {(name, job["name"]) for name, service in services.items() for job in service["init"] if ledgers[name].get(job["name"]) != {"digest": job["digest"]}}

    assert set(starts) == {name for name in services if actions[name] != "none"}, "starts are the wanted ones"
    order = [name for name in in_waves(services) if name in starts]
    assert list(starts) == order
    assert sorted((service, job) for service, job, _index in inits) == sorted(due), "each job that is due comes once, and no other"
    for step in steps:
        if step["kind"] == "start":
            assert step["action"] == actions[step["service"]]
            touched = step["action"] in ("start", "recreate")
            assert step["set_aside"] == (aside.get(step["service"], []) if touched else []), "data are only set aside under a container that does not run"
            assert step["needs"] == [other for other in services[step["service"]]["depends_on"] if other != "elsewhere"]
        else:
            assert (step["needs"], step["role"]) == ([step["service"]], step["service"])
    for name, index in starts.items():
        for other, condition in services[name]["depends_on"].items():
            assert starts.get(other, -1) < index, "%s starts after %s" % (name, other)
            if condition == "initialised":
                assert all(at < index for service, _job, at in inits if service == other), "%s starts after the jobs of %s" % (name, other)
    for service, _job, at in inits:
        assert starts.get(service, -1) < at, "a job of %s comes after its start" % service


@given(stacks(), st.sets(st.sampled_from(SEED)))
def test_rounds_are_the_schedule_with_starts_side_by_side(stack: tuple[dict[str, t.Any], dict[str, str], dict[str, t.Any]], swaps: set[str]) -> None:
    services, actions, ledgers = stack
    steps = schedule(services, actions, ledgers, {name: ["data/" + name] for name in list(services)[::3]})
    found = rounds(steps, swaps)
    alone = {step["service"]: step for step in steps if step["kind"] == "start"}

    flat = [("start", name) if step["kind"] != "init" else ("init", step["job"]) for step in found for name in step["services"]]
    assert flat == [("start", step["service"]) if step["kind"] == "start" else ("init", step["job"]["name"]) for step in steps], "the order is the same"
    for step in found:
        if step["kind"] == "start":
            assert {**step, "services": [step["service"]]} == step
            assert step["service"] in swaps or step["set_aside"] or step["action"] != "recreate"
        elif step["kind"] == "make":
            for name in step["services"]:
                assert not (alone[name]["action"] != "recreate" or alone[name]["set_aside"] or name in swaps)
                assert set(alone[name]["needs"]) <= set(step["needs"]), "all that it needs is waited for first"
                assert not set(alone[name]["needs"]) & set(step["services"]), "no two need each other"
            assert set(step["needs"]) == {other for name in step["services"] for other in alone[name]["needs"]}
    for one, other in itertools.pairwise(found):
        if one["kind"] == other["kind"] == "make":
            assert set(alone[other["services"][0]]["needs"]) & set(one["services"]), "rounds are as long as they can be"


@given(stacks())
def test_a_second_run_has_nothing_to_do(stack: tuple[dict[str, t.Any], dict[str, str], dict[str, t.Any]]) -> None:
    services, _actions, _ledgers = stack
    done = {name: {job["name"]: {"digest": job["digest"]} for job in service["init"]} for name, service in services.items()}
    assert schedule(services, dict.fromkeys(services, "none"), done, {}) == []


def summary(services: dict[str, t.Any], **actions: str) -> list[str]:
    given_ = {name: actions.get(name, "recreate") for name in services}
    return ["%s %s" % (step["kind"], step["service"]) for step in schedule(services, given_, {}, {})]


def three() -> dict[str, t.Any]:
    jobs = [{"name": "schema", "digest": "d"}]
    return {
        "mysql": {**complete({"name": "mysql", "init": jobs}), "role": "mysql"},
        "redis": {**complete({"name": "redis"}), "role": "redis"},
        "server": {**complete({"name": "server", "depends_on": {"mysql": "initialised", "redis": "ready"}}), "role": "server"},
    }


def test_stores_start_before_the_first_job_runs() -> None:
    assert summary(three()) == ["start mysql", "start redis", "init mysql", "start server"]


def test_what_depends_on_nothing_starts_first_and_the_slowest_store_is_initialised_last() -> None:
    services = three()
    services["redis"]["init"] = [{"name": "seed", "digest": "d"}]
    services["server"]["depends_on"] = {"mysql": "initialised", "redis": "initialised"}
    late = {"milvus": {**complete({"name": "milvus", "depends_on": {"mysql": "ready"}}), "role": "milvus"}, "nsq": {**complete({"name": "nsq"}), "role": "nsq"}}
    ordered = {**{name: services[name] for name in ("mysql", "redis")}, **late, "server": services["server"]}
    ordered["server"]["depends_on"]["milvus"] = "ready"
    wanted = ["start mysql", "start redis", "start nsq", "start milvus", "init redis", "init mysql", "start server"]
    assert summary(ordered) == wanted


@given(stacks())
def test_waves_are_the_longest_way_to_a_service_without_needs(stack: tuple[dict[str, t.Any], dict[str, str], dict[str, t.Any]]) -> None:
    services = stack[0]

    def longest(name: str) -> int:
        return max((1 + longest(other) for other in services[name]["depends_on"] if other in services), default=0)

    assert in_waves(services) == [name for level in range(len(services)) for name in services if longest(name) == level]


def test_a_due_job_runs_though_nothing_is_started() -> None:
    assert summary(three(), mysql="none", redis="none", server="none") == ["init mysql"]


def test_jobs_that_nobody_waits_for_come_last() -> None:
    services = three()
    services["server"]["depends_on"] = {"redis": "ready"}
    assert summary(services) == ["start mysql", "start redis", "start server", "init mysql"]


def test_a_service_that_the_plan_does_not_name_is_not_started() -> None:
    assert [step["service"] for step in schedule(three(), {}, {}, {})] == ["mysql"]


# --- data of a first start that never finished


@pytest.mark.parametrize(
    ("entry", "found", "paths"),
    [
        ({"first_start": "atomic"}, {"filled": True, "stamp": {"init": {}}}, ["data/mysql"]),
        ({"first_start": "atomic"}, {"filled": True, "stamp": {"init": {"mysql_schema": {}}}}, []),
        ({"first_start": "atomic"}, {"filled": False, "stamp": {"init": {}}}, []),
        ({"first_start": "atomic"}, {"filled": True, "stamp": None}, []),
        ({"first_start": "atomic"}, None, []),
        ({}, {"filled": True, "stamp": {"init": {}}}, []),
    ],
    ids=["begun", "job done", "empty", "not ours", "absent", "can go on"],
)
def test_only_data_that_were_begun_and_never_finished_are_set_aside(entry: dict[str, t.Any], found: dict[str, t.Any] | None, paths: list[str]) -> None:
    service = complete({"name": "mysql", "data": [{"path": "data/mysql", "owner": 999, "group": 999, **entry}]})
    assert unfinished(service, {} if found is None else {"data/mysql": found}) == paths


# --- services with several hosts

KEEP, NEW, SWAP = {"action": "none"}, {"action": "recreate"}, {"action": "recreate", "replaces": True}


def told(replicas: dict[str, t.Any], web: dict[str, t.Any]) -> list[str]:
    """What is done, in order: host, or -host where it is left out, or +all."""
    services = {
        "server": {**complete({"name": "server", "replicas": True, "front": "web"}), "role": "server"},
        "web": {**complete({"name": "web", "depends_on": {"server": "ready"}}), "role": "web"},
    }
    plan = {"server": max(replicas.values(), key=lambda entry: entry["action"] != "none"), "web": web}
    steps = schedule(services, {name: entry["action"] for name, entry in plan.items()}, {}, {})
    found = rounds(spread(steps, services, plan, {"server": replicas}), ["server"])
    for one, other in itertools.pairwise([step for step in found if "hosts" in step]):
        assert other["after"] == one["hosts"]
    mine = [step for step in found if step["kind"] == "route" or step.get("service") == "server"]
    return [("-" + step["without"] if step["without"] else "+all") if step["kind"] == "route" else step["hosts"][0] for step in mine]


@pytest.mark.parametrize(
    ("replicas", "web", "order"),
    [
        ({"a": NEW, "b": NEW}, NEW, ["a", "b"]),
        ({"a": SWAP, "b": SWAP}, KEEP, ["-a", "a", "-b", "b", "+all"]),
        ({"a": SWAP, "b": NEW}, KEEP, ["b", "-a", "a", "+all"]),
        ({"a": KEEP, "b": NEW}, KEEP, ["b"]),
        ({"a": KEEP, "b": {"action": "restart"}}, {"action": "reload"}, ["-b", "b", "+all"]),
        ({"a": SWAP, "b": SWAP}, NEW, ["a", "b"]),
        ({"a": KEEP, "b": KEEP}, SWAP, []),
    ],
)
def test_replicas_change_one_after_another(replicas: dict[str, t.Any], web: dict[str, t.Any], order: list[str]) -> None:
    assert told(replicas, web) == order
