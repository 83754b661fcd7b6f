# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers run as least-privileged, bounded and watched as the project promises."""

from __future__ import annotations

from typing import Any

Documents = dict[str, dict[str, Any]]


def test_every_service_of_the_model_runs_and_never_restarted(inspect: Documents) -> None:
    assert {name: (document["State"]["Status"], document["RestartCount"]) for name, document in inspect.items()} == dict.fromkeys(inspect, ("running", 0))


def test_nothing_is_privileged_or_has_a_capability(inspect: Documents) -> None:
    for name, document in inspect.items():
        config = document["HostConfig"]
        assert not config["Privileged"], name
        assert config["CapDrop"] == ["ALL"], name
        assert not config["CapAdd"], name
        assert config["SecurityOpt"] == ["no-new-privileges:true"], name


def test_processes_have_no_effective_capability(host: Any, inspect: Documents) -> None:
    for name, document in inspect.items():
        status = host.file(f"/proc/{document['State']['Pid']}/status").content_string
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert int(fields["CapEff"], 16) == 0, name
        assert fields["NoNewPrivs"] == "1", name


def test_users_are_those_of_the_model(inspect: Documents, model: dict[str, Any]) -> None:
    assert {name: document["Config"]["User"] for name, document in inspect.items()} == {name: service["user"] for name, service in model["services"].items()}


def test_memory_logs_and_restarts_are_bounded(inspect: Documents) -> None:
    for name, document in inspect.items():
        config = document["HostConfig"]
        assert config["Memory"] > 0, name
        assert config["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}, name
        assert config["RestartPolicy"]["Name"] == "unless-stopped", name
        assert document["Config"]["StopTimeout"] >= 10, name
    assert inspect["mysql"]["Config"]["StopTimeout"] == 60


def test_the_limits_of_all_services_fit_a_machine_of_8_gib(inspect: Documents) -> None:
    """With a gibibyte left for the system and its cache."""
    assert sum(document["HostConfig"]["Memory"] for document in inspect.values()) <= 7 * 1024**3


def test_only_the_entry_is_published(inspect: Documents, model: dict[str, Any]) -> None:
    published = {name: document["HostConfig"]["PortBindings"] for name, document in inspect.items() if document["HostConfig"]["PortBindings"]}
    entry = model["entry"]
    by_server = {"coze-server": {"8888/tcp": entry["port"], "8889/tcp": 8889}}
    wanted = by_server if model["release"] == "0.2" else {"coze-web": {"80/tcp": entry["port"]}}
    assert published == {
        name: {port: [{"HostIp": entry["address"], "HostPort": str(number)}] for port, number in ports.items()} for name, ports in wanted.items()
    }


def test_no_anonymous_volume_is_left(inspect: Documents) -> None:
    assert [name for name, document in inspect.items() if any(mount["Type"] == "volume" for mount in document["Mounts"])] == []


def test_the_stack_has_a_network_of_its_own(inspect: Documents) -> None:
    assert {name: list(document["NetworkSettings"]["Networks"]) for name, document in inspect.items()} == {name: ["coze"] for name in inspect}


def test_names_of_both_generations_lead_to_the_stores(host: Any) -> None:
    for name in ("mysql", "coze-mysql", "redis", "coze-redis", "elasticsearch", "coze-elasticsearch", "minio", "etcd", "milvus", "nsqd", "nsqlookupd"):
        assert host.run("docker exec coze-coze-server getent hosts %s", name).rc == 0, name


def test_a_service_sees_only_its_own_keys(inspect: Documents) -> None:
    def keys(name: str) -> set[str]:
        return {pair.split("=", 1)[0] for pair in inspect[name]["Config"]["Env"]}

    assert not {key for key in keys("redis") if key.startswith(("MYSQL_", "MINIO_", "PLUGIN_AES"))}
    assert not {key for key in keys("mysql") if key.startswith(("REDIS_", "MINIO_", "PLUGIN_AES"))}
    assert not {"MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD", "MINIO_ROOT_PASSWORD"} & keys("coze-server")
    assert not {key for key in keys("nsqd") if "PASSWORD" in key or "SECRET" in key}


def test_health_checks_pass(host: Any, inspect: Documents) -> None:
    """The Engine runs them every 30 s, so each is run here by hand, as it would."""
    for name, document in inspect.items():
        test = document["Config"]["Healthcheck"]["Test"]
        assert test[0] == "CMD-SHELL", name
        result = host.run("docker exec %s sh -c %s", document["Name"].lstrip("/"), test[1])
        assert result.rc == 0, (name, result.stdout, result.stderr)
