# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.modules import stack_info
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

SUMMARY = {
    "Names": ["/coze-coze-web"],
    "State": "running",
    "Labels": {"cozeops.stack": "coze", "cozeops.service": "coze-web", "other": "x"},
    "Ports": [
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8888, "Type": "tcp"},
        {"IP": "0.0.0.0", "PrivatePort": 81, "PublicPort": 8888, "Type": "tcp"},
        {"PrivatePort": 443, "Type": "tcp"},
    ],
}
INFO = {
    "Driver": "overlay2",
    "Name": "box",
    "Swarm": {
        "LocalNodeState": "active",
        "NodeID": "n",
        "NodeAddr": "10.0.0.1",
        "ControlAvailable": True,
        "RemoteManagers": [{"NodeID": "n", "Addr": "10.0.0.1:2377"}],
    },
    "SecurityOptions": ["name=seccomp,profile=default", "name=userns"],
    "LiveRestoreEnabled": True,
    "DockerRootDir": "/",
    "RegistryConfig": {
        "InsecureRegistryCIDRs": ["127.0.0.0/8"],
        "IndexConfigs": {"docker.io": {"Secure": True}, "r:5000": {"Secure": False}},
        "Mirrors": ["https://m/"],
    },
    "DefaultAddressPools": [{"Base": "10.0.0.0/8", "Size": 24}],
}
DETAILS = {
    "name": "box",
    "swarm": {"state": "active", "error": "", "node": "n", "address": "10.0.0.1", "manager": True, "managers": ["n"], "addresses": ["10.0.0.1:2377"]},
    "driver": "overlay2",
    "rootless": False,
    "userns": True,
    "selinux": False,
    "live_restore": True,
    "root": "/",
    "insecure_registries": ["127.0.0.0/8", "r:5000"],
    "mirrors": ["https://m/"],
    "address_pools": [{"base": "10.0.0.0/8", "size": 24}],
}
CLIENT = SimpleNamespace(
    version=lambda: {"Version": "26.1.5", "ApiVersion": "1.45"},
    images=lambda: [{"Id": "sha256:1", "RepoTags": ["mysql:8.4.5", "x:y"], "RepoDigests": ["mysql@sha256:2"]}, {"Id": "sha256:3", "RepoTags": None}],
    containers=lambda **_kwargs: [SUMMARY, {"Names": ["/plain"], "State": "exited", "Labels": None, "Ports": None}],
    networks=lambda: [
        {"Name": "coze", "Labels": {"cozeops.stack": "coze"}, "IPAM": {"Config": [{"Subnet": "172.18.0.0/16"}, {"Gateway": "x"}]}},
        {"Name": "bridge"},
        {"Name": "none", "IPAM": {"Config": None}},
    ],
    info=lambda: INFO,
)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A deployed stack, and beside it a second one and strangers."""
    root = tmp_path / "coze"
    write(root / "stack.json", {"name": "coze", "services": {"web": {"ports": [{"port": 8888}]}}})
    write(root / "data" / ".mysql.json", {"stack": "coze"})
    (root / "data" / "mysql").mkdir()
    write(root / "env" / "mysql.env", "MYSQL_PASSWORD=s3cret-of-mysql\n")
    ports = [{"address": "127.0.0.1", "port": 9001, "container_port": 80}, {"address": "0.0.0.0", "port": 9000, "container_port": 81}]
    write(tmp_path / "blue" / "stack.json", {"name": "blue", "services": {"web": {"ports": ports}, "mysql": {"ports": []}}})
    write(tmp_path / "strange" / "stack.json", {"version": 3})
    write(tmp_path / "list" / "stack.json", ["x"])
    write(tmp_path / "broken" / "stack.json", "{")
    return root


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, root: Path, client: Any = CLIENT, check: bool = False, **args: Any
) -> dict[str, Any]:
    def connect() -> Any:
        if client is None:
            raise EngineError("no Docker Engine answers: x")
        return client

    monkeypatch.setattr(stack_info, "connect", connect)
    return run_main(stack_info.main, capsys, {"root": str(root), **args}, check)


@pytest.mark.parametrize("check", [False, True])
def test_tells_what_the_engine_has(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stack: Path, check: bool) -> None:
    result = call(capsys, monkeypatch, stack, check=check)
    assert (result["failed"], result["changed"]) == (False, False)
    assert result["engine"] == {"reachable": True, "version": "26.1.5", "api_version": "1.45", **DETAILS}
    assert result["images"] == {"mysql:8.4.5": "sha256:1", "x:y": "sha256:1", "mysql@sha256:2": "sha256:1"}
    assert result["networks"] == {"bridge": None, "coze": "coze", "none": None}
    assert result["network"]["subnets"] == {"coze": ["172.18.0.0/16"]}
    assert result["engine_disk"]["path"] == "/"
    assert result["containers"] == [
        {"name": "coze-coze-web", "stack": "coze", "service": "coze-web", "state": "running", "ports": [{"address": "0.0.0.0", "port": 8888}]},
        {"name": "plain", "stack": None, "service": None, "state": "exited", "ports": []},
    ]


def test_no_engine_is_told_and_no_failure(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = call(capsys, monkeypatch, tmp_path, client=None)
    assert result["failed"] is False
    assert result["engine"] == {"reachable": False, "error": "no Docker Engine answers: x"}
    assert (result["containers"], result["images"], result["networks"]) == ([], {}, {})


def test_a_bare_host_has_no_stack(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = call(capsys, monkeypatch, tmp_path / "none" / "coze", client=None)
    assert result["stack"] == {"exists": False, "model": None, "data": {}, "adopting": False}
    assert result["neighbours"] == []
    assert result["disk"]["path"] == str(tmp_path)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("slash", ["", "/"])
def test_tells_the_stack_and_its_neighbours(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stack: Path, slash: str) -> None:
    result = call(capsys, monkeypatch, Path(f"{stack}{slash}"))
    assert result["stack"]["exists"] is True
    assert result["stack"]["model"]["name"] == "coze"
    assert result["stack"]["data"] == {"data/mysql": {"filled": False, "stamp": {"stack": "coze"}}}
    ports = [{"address": "127.0.0.1", "port": 9001}, {"address": "0.0.0.0", "port": 9000}]
    assert result["neighbours"] == [{"name": "blue", "root": str(stack.parent / "blue"), "ports": ports}]


def test_a_neighbourhood_may_have_any_name(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path / "[a]" / "blue" / "stack.json", {"name": "blue", "services": {}})
    assert [other["name"] for other in call(capsys, monkeypatch, tmp_path / "[a]" / "coze")["neighbours"]] == ["blue"]


def test_tells_who_listens(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = call(capsys, monkeypatch, tmp_path)["listeners"]
    assert [entry["pid"] for entry in found if entry["port"] == port] == [os.getpid()]


def test_tells_secrets_only_when_asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stack: Path) -> None:
    assert "s3cret-of-mysql" not in str(call(capsys, monkeypatch, stack))


def test_reads_back_the_secrets_asked_for(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stack: Path) -> None:
    assert call(capsys, monkeypatch, stack, secrets=["MYSQL_PASSWORD", "OTHER"])["secrets"] == {"MYSQL_PASSWORD": "s3cret-of-mysql"}


def test_an_engine_that_tells_little_is_taken_as_it_is() -> None:
    found = stack_info.engine_details({})
    assert (found["root"], found["mirrors"], found["address_pools"], found["rootless"]) == ("/var/lib/docker", [], [], False)


def test_tells_the_clock_and_the_proxies_without_their_passwords(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxies = {"default": {"httpProxy": "http://u:pa/s@s@p:3128", "noProxy": "a"}}
    write(tmp_path / "docker" / "config.json", {"proxies": proxies, "auths": {"r": {"auth": "c2VjcmV0"}}})
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    before = time.time()
    result = call(capsys, monkeypatch, tmp_path, client=None)
    assert before <= result["clock"]["host"] <= time.time()
    assert result["proxies"]["client"] == {"http": "http://********@p:3128", "https": "", "no_proxy": "a"}
    assert "c2VjcmV0" not in str(result)
    assert "pa/s" not in str(result)
