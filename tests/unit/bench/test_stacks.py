# SPDX-License-Identifier: GPL-3.0-or-later
"""The same containers in other words, and what is read of processes and recaps."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.module_utils._container import options
from ansible_collections.cozeops.studio.tests.bench.benchkit import contenders, host, runs, stacks
from ansible_collections.cozeops.studio.tests.bench.benchkit.figures import BenchError
from ansible_collections.cozeops.studio.tests.integration.lab_host import ROOT

COMPOSE = ROOT / "tests" / "bench" / "compose" / "docker-compose.yml"


def service(name: str, **more: object) -> dict[str, object]:
    """A service of the stack model, with nothing but what it has to have."""
    return {
        "name": name, "image": f"{name}:1", "command": None, "entrypoint": None, "user": None, "mounts": [], "tmpfs": {}, "ports": [], "aliases": [name],
        "extra_hosts": {}, "memory": None, "cpus": None, "pids_limit": None, "ulimits": {}, "cap_add": [], "stop_timeout": 10, "stop_signal": None,
        "healthcheck": None, "config": "v1:0", "depends_on": {}, "probe": [{"type": "tcp", "port": 1}], "init": [], "data": [], **more,
    }  # fmt: skip


def model() -> dict[str, object]:
    store = service("store", data=[{"path": "data/store", "owner": 999, "group": 0}], mounts=[{"source": "data/store", "target": "/data"}])
    return {
        "name": "coze", "root": "/opt/a", "network": "coze", "log_options": {"max-size": "1m"},
        "services": {"app": service("app", depends_on={"store": "ready"}), "store": store},
    }  # fmt: skip


def test_the_play_has_a_task_per_container_with_the_options_that_site_yml_gives() -> None:
    (play,) = stacks.container_play(model(), ["store", "app"])
    tasks = [task["community.docker.docker_container"] for task in play["tasks"]]
    assert [task["name"] for task in tasks] == ["coze-store", "coze-app"]
    for task, name in zip(tasks, ["store", "app"], strict=True):
        assert options(model(), model()["services"][name]).items() <= task.items()  # type: ignore[index]
        assert task["comparisons"] == {"*": "strict"} and task["state"] == "started"
    assert yaml.safe_load(yaml.safe_dump([play])) == [play]


def test_the_floor_starts_the_same_containers_from_a_directory_of_its_own() -> None:
    spec = stacks.floor_spec(model(), ["store", "app"], "/opt/b")
    assert spec["directories"] == [{"path": "/opt/b/data/store", "owner": 999, "group": 0}]
    assert [each["service"] for each in spec["services"]] == ["store", "app"]
    assert spec["services"][0]["options"]["mounts"][0]["source"] == "/opt/b/data/store"
    assert spec["services"][1]["options"]["env_file"] == "/opt/b/env/app.env"
    assert spec["services"][1]["depends_on"] == {"store": "ready"}
    assert "/opt/a" not in str(spec)


def test_a_process_is_found_with_all_that_stem_from_it_and_no_other() -> None:
    assert runs.descendants({2: 1, 3: 2, 4: 3, 5: 1, 6: 5, 1: 0}, 2) == {2, 3, 4}


def test_the_parent_is_found_whatever_the_process_is_called() -> None:
    assert runs.parent_of("42 (a) b (c 7) S 17 42 42 0 -1") == 17


def test_the_changes_of_all_hosts_are_counted_and_nothing_before_the_recap() -> None:
    recap = "one : ok=9 changed=3 unreachable=0\n\nPLAY RECAP ***\none : ok=9    changed=2    unreachable=0\ntwo : ok=9    changed=10   unreachable=0\n"
    assert contenders.changes(recap) == 12


def test_only_the_containers_that_were_to_be_started_anew_may_be() -> None:
    before = {"a": "1", "b": "1", "c": "1"}
    contenders.only_changed(before, {"a": "1", "b": "2", "c": "1"}, {"b"})
    with pytest.raises(BenchError, match="started anew: a, b; to be started anew: b"):
        contenders.only_changed(before, {"a": "2", "b": "2", "c": "1"}, {"b"})
    with pytest.raises(BenchError, match="started anew: c; to be started anew: nothing"):
        contenders.only_changed(before, {"a": "1", "b": "1"}, set())
    contenders.only_changed(before, {"a": "1", "b": "2", "c": "2"}, {"b"}, may={"c"})
    with pytest.raises(BenchError, match="started anew: c; to be started anew: b"):
        contenders.only_changed(before, {"a": "1", "b": "1", "c": "2"}, {"b"}, may={"c"})


def test_a_container_that_restarts_again_and_again_does_not_run() -> None:
    inspected = {
        "Name": "/coze-x", "Config": {"Env": ["A=1=2"]},
        "State": {"StartedAt": "t", "Running": True, "Restarting": True, "Health": {"Status": "starting"}},
    }  # fmt: skip
    assert host.container_of(inspected) == host.Container("coze-x", "t", False, "starting", {"A": "1=2"})


def test_compose_has_the_images_of_the_release_table() -> None:
    """Else two stacks would be compared that are not the same."""
    table = yaml.safe_load((ROOT / "roles/stack/vars/main.yml").read_text(encoding="utf-8"))
    wanted = set(table["_stack_backing_images"].values()) | {f"cozedev/coze-studio-{part}:0.5.1" for part in ("server", "web")}
    assert all(f"'{image}'" in table["_stack_releases"]["0.5"]["images"] for image in wanted - set(table["_stack_backing_images"].values()))
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    assert {each["image"] for each in services.values()} == wanted
    assert len(services) == contenders.SERVICES


def test_compose_checks_the_health_of_its_services_as_upstream_does() -> None:
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    checks = {name: each["healthcheck"] for name, each in services.items() if "healthcheck" in each}
    paces = {name: (check["interval"], check["timeout"], check["retries"], check["start_period"]) for name, check in checks.items()}
    assert paces.pop("mysql") == ("10s", "5s", 5, "30s")
    assert paces.pop("minio") == ("30s", "10s", 3, "30s")
    assert set(paces.values()) == {("5s", "10s", 10, "10s")}
    assert set(paces) == {"redis", "elasticsearch", "etcd", "milvus", "nsqlookupd", "nsqd"}
