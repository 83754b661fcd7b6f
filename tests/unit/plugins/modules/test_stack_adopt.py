# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation is found, stopped in order, taken and brought back, on an Engine of the test's own."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _adopt
from ansible_collections.cozeops.studio.plugins.modules import stack_adopt
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

docker_errors = pytest.importorskip("docker.errors", reason="the Python package docker is not there")

IMAGES = {"0.2": {"mysql": "mysql:8.4.5", "server": "opencoze/opencoze:0.3.7"}}
DEFINITIONS: dict[str, Any] = {
    "mysql": [
        {
            "name": "mysql",
            "image": "mysql",
            "env_keys": ["MYSQL_PASSWORD"],
            "data": [{"path": "data/mysql", "owner": os.getuid(), "group": os.getgid()}],
            "mounts": [{"source": "data/mysql", "target": "/var/lib/mysql"}],
            "offers": [3306],
            "stop_timeout": 60,
        }
    ],
    "server": [
        {
            "name": "coze-server",
            "image": "server",
            "env_keys": "all",
            "files": [{"path": "conf/env", "env_form": "dotenv"}],
            "trees": [{"path": "conf/resources", "source": "x"}],
            "mounts": [{"source": "conf/env", "target": "/app/.env"}, {"source": "conf/resources", "target": "/app/conf"}],
            "depends_on": {"mysql": "ready"},
        }
    ],
}


class Engine:
    """A Docker Engine with containers in it; what is done to them is noted."""

    def __init__(self) -> None:
        self.containers_: dict[str, dict[str, Any]] = {}
        self.files: dict[tuple[str, str], dict[str, bytes]] = {}
        self.volumes: dict[str, dict[str, Any]] = {}
        self.done: list[str] = []
        self.dies = 0

    def add(self, name: str, image: str, mounts: list[dict[str, str]], env: list[str], policy: str = "no") -> None:
        self.containers_[name] = {
            "Id": name,
            "Name": "/" + name,
            "Created": len(self.containers_),
            "Image": "sha256:" + image,
            "State": {"Status": "running", "Pid": 0, "ExitCode": 0},
            "Config": {"Image": image, "Env": env, "Labels": {}, "User": "root"},
            "HostConfig": {"RestartPolicy": {"Name": policy, "MaximumRetryCount": 0}, "PortBindings": {}, "Privileged": True},
            "NetworkSettings": {"Networks": {"net": {}}},
            "Mounts": mounts,
        }

    def containers(self, all: bool, filters: Any = None) -> list[dict[str, Any]]:
        found = [each for each in self.containers_.values() if not filters or "cozeops.stack" in each["Config"]["Labels"]]
        return [{"Id": each["Id"], "Created": each["Created"], "Names": [each["Name"]]} for each in found]

    def inspect_container(self, name: str) -> dict[str, Any]:
        if name not in self.containers_:
            raise docker_errors.NotFound("no container " + name)
        return self.containers_[name]

    def inspect_image(self, _name: str) -> dict[str, Any]:
        return {"Config": {"Env": ["PATH=/bin"]}}

    def inspect_volume(self, name: str) -> dict[str, Any]:
        return self.volumes[name]

    def get_archive(self, name: str, path: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        if (name, path) not in self.files:
            raise docker_errors.NotFound("no such path")
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            for inner, content in self.files[name, path].items():
                member = tarfile.TarInfo(inner)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return iter([data.getvalue()[start : start + 700] for start in range(0, len(data.getvalue()), 700)]), {}

    def update_container(self, name: str, restart_policy: dict[str, Any]) -> None:
        self.containers_[name]["HostConfig"]["RestartPolicy"] = restart_policy
        self.done.append("policy %s %s" % (name, restart_policy["Name"]))

    def stop(self, name: str, timeout: int) -> None:
        self.containers_[name]["State"]["Status"] = "exited"
        self.done.append("stop %s %d" % (name, timeout))

    def rename(self, name: str, to: str) -> None:
        self.containers_[name]["Name"] = "/" + to

    def start(self, name: str) -> None:
        if self.dies:
            self.dies -= 1
        else:
            self.containers_[name]["State"]["Status"] = "running"
        self.done.append("start " + name)

    def remove_container(self, name: str, v: bool, force: bool) -> None:
        assert not v and force
        del self.containers_[name]
        self.done.append("remove " + name)

    def networks(self, filters: Any) -> list[dict[str, Any]]:
        return []


class Lab:
    def __init__(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.engine, self.root, self.data, self.capsys = Engine(), tmp_path / "root", tmp_path / "theirs", capsys
        self.data.mkdir()
        (self.data / "ibdata1").write_text("rows")
        self.services = _adopt.services_of(DEFINITIONS, "0.2", IMAGES, {})
        self.engine.add("coze-server", "opencoze/opencoze:0.3.7", [{"Type": "bind", "Source": "/srv/conf", "Destination": "/app/conf"}], ["A=1"])
        self.engine.add("db", "mysql:8.4.5", [{"Type": "bind", "Source": str(self.data), "Destination": "/var/lib/mysql"}], ["MYSQL_PASSWORD=x"], "always")
        self.engine.files["coze-server", "/app/.env"] = {".env": b"export KEY=0123456789abcdef\nA=2\n"}
        self.engine.files["coze-server", "/app/conf"] = {"conf/model/a.yaml": b"id: 1\n"}

    def run(self, state: str, check: bool = False, **more: Any) -> dict[str, Any]:
        secrets = [{"key": "MYSQL_PASSWORD", "published": ["x"]}, {"key": "KEY"}]
        given = {"services": self.services, "release": "0.2", "secrets": secrets} if state == "found" else {}
        return run_main(stack_adopt.main, self.capsys, {"root": str(self.root), "stack": "coze", "state": state, **given, **more}, check)

    def names(self) -> set[str]:
        return {each["Name"].lstrip("/") for each in self.engine.containers_.values()}


@pytest.fixture
def lab(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Lab:
    found = Lab(tmp_path, capsys)
    monkeypatch.setattr(stack_adopt, "connect", lambda timeout=60: found.engine)
    monkeypatch.setattr(stack_adopt, "listens", lambda _pid, _port: True)
    monkeypatch.setattr(stack_adopt, "PAUSE_SECONDS", 0.01)
    return found


def test_what_is_found(lab: Lab) -> None:
    found = lab.run("found")
    assert found["problems"] == [] and not found["changed"] and not found["unfinished"]
    assert list(found["found"]) == ["mysql", "coze-server"]
    (entry,) = found["found"]["mysql"]["data"]
    assert (entry["source"], entry["to"], entry["filled"], entry["copied"]) == (str(lab.data), str(lab.root / "data/mysql"), True, False)
    assert found["found"]["coze-server"]["env"] == {"A": "1", "KEY": "0123456789abcdef"}
    assert [(file["path"], file["at"]) for file in found["found"]["coze-server"]["files"]] == [("conf/resources/model/a.yaml", "/srv/conf/model/a.yaml")]
    assert found["secrets"] == {"MYSQL_PASSWORD": "x", "KEY": "0123456789abcdef"} and found["public"] == ["MYSQL_PASSWORD"]
    assert lab.engine.done == [] and not lab.root.exists()


@pytest.mark.parametrize(("content", "problems"), [({}, 0), ({"mysql/ibdata1": b"x"}, 1)])
def test_data_in_a_containers_layer_are_looked_for(lab: Lab, content: dict[str, bytes], problems: int) -> None:
    lab.engine.containers_["db"]["Mounts"] = []
    lab.engine.files["db", "/var/lib/mysql"] = content
    assert len(lab.run("found")["problems"]) == problems


@pytest.mark.parametrize(
    ("volume", "told"),
    [
        ({"Driver": "local", "Options": None}, ""),
        ({"Driver": "nfs"}, "one of the driver nfs"),
        ({"Driver": "local", "Options": {"o": "bind"}}, "by options of its own"),
    ],
)
def test_volumes_are_copied_if_they_are_directories(lab: Lab, volume: dict[str, Any], told: str) -> None:
    lab.engine.containers_["db"]["Mounts"] = [{"Type": "volume", "Name": "v", "Source": str(lab.data), "Destination": "/var/lib/mysql"}]
    lab.engine.volumes["v"] = volume
    found = lab.run("found")
    assert [told in problem for problem in found["problems"]] == ([True] if told else [])
    if not told:
        assert found["found"]["mysql"]["data"][0]["copied"]
        assert not lab.run("taken", found=found["found"])["failed"]
        assert (lab.data / "ibdata1").exists() and (lab.root / "data/mysql/ibdata1").read_text() == "rows"


def test_it_is_stopped_in_order_taken_and_brought_back(lab: Lab) -> None:
    found = lab.run("found")["found"]
    assert lab.run("taken", check=True, found=found)["changed"] and lab.engine.done == [] and not lab.root.exists()
    taken = lab.run("taken", found=found)
    assert lab.names() == {"db-before-adopt", "coze-server-before-adopt"}
    # The policy first: one that always restarts would come back.
    assert lab.engine.done == ["policy coze-server no", "stop coze-server 10", "policy db no", "stop db 60"]
    assert taken["done"][-1] == f"moved {lab.data} to {lab.root}/data/mysql" and not lab.data.exists()
    text = (lab.root / "adopting.json").read_text()
    assert "MYSQL_PASSWORD" not in text and json.loads(text)["containers"][0]["policy"]["Name"] == "always"
    lab.engine.add("coze-mysql", "mysql:8.4.5", [], [])
    lab.engine.containers_["coze-mysql"]["Config"]["Labels"] = {"cozeops.stack": "coze"}
    lab.engine.done.clear()
    lab.engine.dies = 3
    back = lab.run("returned")
    assert back["problems"] == [] and lab.names() == {"db", "coze-server"}
    assert lab.engine.done[:2] == ["stop coze-mysql 10", "remove coze-mysql"]
    started = [line for line in lab.engine.done if line.startswith("start")]
    assert started == ["start db"] * 4 + ["start coze-server"], "what ends is started again"
    assert lab.engine.done[-1] == "policy coze-server no" and "policy db always" in lab.engine.done
    assert (lab.data / "ibdata1").read_text() == "rows" and sorted(os.listdir(lab.root)) == [Path(back["kept"]).name, "state"]
    assert not lab.run("returned")["changed"], "once is enough"


def test_what_was_cut_off_is_known(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    found = lab.run("found")["found"]

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(stack_adopt._adopt_data, "take", full)
        failed = lab.run("taken", found=found)
    assert failed["failed"] and "No space left on device" in failed["msg"]
    assert lab.run("found")["unfinished"]
    assert not lab.run("returned")["failed"] and lab.names() == {"db", "coze-server"}
    assert not lab.run("found")["unfinished"]


def test_a_container_that_is_gone_is_said(lab: Lab) -> None:
    lab.run("taken", found=lab.run("found")["found"])
    del lab.engine.containers_["db"]
    back = lab.run("returned")
    assert back["problems"] == ["db is gone: make it anew as you made it, on the same directories."]
    assert (lab.data / "ibdata1").exists()


def test_a_server_that_does_not_come_back_is_said(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.run("taken", found=lab.run("found")["found"])
    monkeypatch.setattr(stack_adopt, "READY_SECONDS", 0.05)
    monkeypatch.setattr(stack_adopt, "listens", lambda _pid, _port: False)
    back = lab.run("returned")
    assert back["problems"] == ["db runs, and does not answer on port 3306 after 0 s: see docker logs db."]


def test_a_success_is_ended(lab: Lab) -> None:
    lab.run("taken", found=lab.run("found")["found"])
    assert lab.run("committed")["changed"] and sorted(os.listdir(lab.root)) == ["data", "state"]
    assert not lab.run("committed")["changed"]
    assert lab.run("found")["found"] == {}
