# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and stopping what is there."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _running
from hypothesis import given
from hypothesis import strategies as st

NEEDS = {"mysql": [], "etcd": [], "milvus": ["etcd"], "coze-server": ["mysql", "milvus"], "coze-web": ["coze-server"]}
PLACEMENT = {name: ["a"] for name in NEEDS}


def model(*names: str) -> dict[str, Any]:
    services = {name: {"depends_on": dict.fromkeys(NEEDS[name], "ready"), "stop_timeout": 10} for name in names or NEEDS}
    return {"name": "lab", "placement": PLACEMENT, "services": services}


def all_in(state: str, **others: str) -> dict[str, str]:
    return {"lab-" + name: others.get(name.replace("-", "_"), state) for name in NEEDS}


def test_a_model_that_was_kept_is_in_order_again() -> None:
    written = {**model(), "order": list(NEEDS)}
    written = {**written, "services": dict(sorted(written["services"].items())), "placement": dict(sorted(PLACEMENT.items()))}
    assert list(written["services"]) != list(NEEDS)
    found = _running.kept(written)
    assert list(found["services"]) == list(found["placement"]) == list(NEEDS)


def test_services_that_do_not_exist_are_named_with_the_nearest() -> None:
    assert _running.unknown(model(), ["mysql"]) == ""
    assert _running.unknown(model(), ["mysgl"]) == (
        "stack_services: the stack lab has no service mysgl, did you mean mysql? It has mysql, etcd, milvus, coze-server, coze-web."
    )


def test_everything_that_is_stopped_is_started() -> None:
    there = all_in("running", milvus="exited", mysql="created", etcd="paused")
    found = _running.plan(_running.startable(model(), there, []), there, [])
    assert {name: entry["action"] for name, entry in found.items()} == {
        "mysql": "start",
        "etcd": "start",
        "milvus": "start",
        "coze-server": "none",
        "coze-web": "none",
    }
    assert found["milvus"]["why"] == [{"name": "state", "current": "exited", "desired": "running"}]


def test_what_waits_for_its_restart_policy_is_started_anew_unless_others_were_chosen() -> None:
    there = all_in("running", mysql="restarting", coze_server="restarting")
    found = _running.plan(_running.startable(model(), there, []), there, [])
    assert {name for name, entry in found.items() if entry["action"] == "restart"} == {"mysql", "coze-server"}
    assert found["mysql"]["why"] == [{"name": "state", "current": "restarting", "desired": "running"}]
    found = _running.plan(_running.startable(model(), there, ["mysql"]), there, ["mysql"])
    assert {name: entry["action"] for name, entry in found.items() if entry["action"] != "none"} == {"mysql": "restart"}


def test_of_chosen_services_only_these_are_started_and_what_is_down_is_not_waited_for() -> None:
    there = all_in("exited", mysql="running")
    part = _running.startable(model(), there, ["etcd"])
    assert list(part["services"]) == ["mysql", "etcd"]
    assert {name: entry["action"] for name, entry in _running.plan(part, there, ["etcd"]).items()} == {"mysql": "none", "etcd": "start"}


def test_what_has_no_container_cannot_be_started() -> None:
    there = all_in("exited")
    del there["lab-etcd"]
    assert _running.absent(model(), there, []) == ["etcd"]
    assert _running.absent(model(), there, ["mysql"]) == []
    assert _running.absent(model("mysql"), {}, []) == ["mysql"], "services of other hosts are not looked for here"


def test_what_needs_others_is_stopped_before_them() -> None:
    parts = [model("mysql", "coze-server", "coze-web"), model("etcd", "milvus")]
    assert _running.stop_waves(parts, []) == [["coze-web"], ["coze-server"], ["milvus"], ["etcd", "mysql"]]
    assert _running.stop_waves([model()], ["coze-server", "mysql"]) == [["coze-server"], ["mysql"]]
    assert _running.stop_waves([], []) == []


@given(st.sets(st.sampled_from(sorted(NEEDS))))
def test_no_wave_has_one_that_another_of_it_or_of_a_later_one_needs(chosen: set[str]) -> None:
    waves = _running.stop_waves([model()], sorted(chosen))
    assert sorted(name for wave in waves for name in wave) == sorted(chosen or NEEDS)
    for number, wave in enumerate(waves):
        for name in wave:
            later = {other for each in waves[number + 1 :] for other in each}
            assert not any(name in NEEDS[other] for other in later | set(wave))


def test_writers_are_those_above_the_stores() -> None:
    services = {
        "mysql": {"data": [{}], "depends_on": {}},
        "nsqlookupd": {"data": [], "depends_on": {}},
        "nsqd": {"data": [{}], "depends_on": {"nsqlookupd": "ready"}},
        "nsqadmin": {"data": [], "depends_on": {"nsqlookupd": "ready"}},
        "coze-server": {"data": [], "depends_on": {"mysql": "ready", "nsqd": "ready"}},
        "coze-web": {"data": [], "depends_on": {"coze-server": "ready"}},
    }
    parts = [{"services": {name: services[name] for name in names}} for names in (["mysql", "nsqlookupd", "nsqd", "nsqadmin"], ["coze-server", "coze-web"])]
    assert _running.writers(parts) == ["coze-server", "coze-web"]
    assert _running.writers([]) == []


@pytest.mark.parametrize("state", ["running", "restarting", "paused", "exited", "created", "dead"])
def test_only_what_has_a_process_is_stopped(state: str) -> None:
    stops = state in ("running", "restarting", "paused")
    found = _running.to_stop(model("mysql"), {"lab-mysql": state}, ["mysql", "milvus"])
    assert found == ([{"service": "mysql", "container": {"name": "lab-mysql", "stop_timeout": 10}}] if stops else [])


def with_env(**passwords: str) -> dict[str, Any]:
    """A store and a server, with digests of a password and a setting that is no secret."""
    env = {key: {"hmac": value} for key, value in passwords.items()}
    return {"services": {"mysql": {"data": [{"path": "data/mysql"}], "role": "mysql", "env": {**env, "PLAIN": "1"}}, "server": {"data": [], "env": env}}}


def test_passwords_that_data_were_made_with_are_compared() -> None:
    assert _running.other_secrets(with_env(A="1", B="2"), with_env(A="1", B="2")) == []
    assert _running.other_secrets(with_env(A="1", B="2"), with_env(A="1", B="3")) == ["B"]
    assert _running.other_secrets(with_env(A="1"), {"services": {}}) == []
    plain = with_env(A="1")
    plain["services"]["mysql"]["env"]["PLAIN"] = "2"
    assert _running.other_secrets(with_env(A="1"), plain) == [], "a setting goes back with no data"


def test_services_whose_data_open_with_a_key() -> None:
    secrets = [{"key": "A", "locks": "data/mysql"}, {"key": "B"}, {"key": "C", "locks": "data/other"}]
    assert _running.locking_services(with_env(A="1"), secrets, ["A", "B"]) == ["mysql"]
    assert _running.locking_services(with_env(A="1"), secrets, ["B", "C"]) == []
