# SPDX-License-Identifier: GPL-3.0-or-later
"""stack_ready against real services in containers of this machine's Engine, which have no network but their own loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect
from ansible_collections.cozeops.studio.plugins.module_utils._ready_engine import DockerEngine
from ansible_collections.cozeops.studio.plugins.modules import stack_ready

pytestmark = [pytest.mark.integration, pytest.mark.skipif(os.geteuid() != 0, reason="entering a network namespace needs root")]

REDIS = "bitnamilegacy/redis:8.0"
NSQ = "nsqio/nsq:v1.2.1"
REDIS_PROBE = [{"type": "redis", "port": 6379, "password_env": "REDIS_PASSWORD"}]
PASSWORD = "correct-horse-1"


@pytest.fixture(scope="module")
def client() -> Any:
    try:
        api = connect()
    except EngineError as exc:
        pytest.skip(str(exc))
    present = {tag for image in api.images() for tag in image.get("RepoTags") or []}
    lacking = {REDIS, NSQ} - present
    if lacking:
        pytest.skip(f"lab images are missing: {', '.join(sorted(lacking))}")
    return api


@pytest.fixture
def start(client: Any) -> Iterator[Callable[..., str]]:
    """Start a container; its name."""
    names: list[str] = []

    def run(image: str, command: list[str] | None = None, environment: dict[str, str] | None = None, **host: Any) -> str:
        name = f"rdy-{uuid.uuid4().hex[:8]}"
        config = client.create_host_config(network_mode="none", **host)
        client.create_container(image, command=command, name=name, environment=environment, host_config=config, volumes=[])
        names.append(name)
        client.start(name)
        return name

    yield run
    for name in names:
        client.remove_container(name, force=True, v=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "redis.env").write_text(f"REDIS_PASSWORD={PASSWORD}\n")
    return tmp_path


def service(name: str, container: str, probe: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"name": name, "container": container, "probe": probe, "ready_timeout": 60.0, "started": "", **more}


def look(client: Any, root: Path, *services: dict[str, Any], **more: Any) -> dict[str, Any]:
    params = {"services": list(services), "root": str(root), "until": None, "timeout": 60.0, "log_lines": 50, "slice": 0.0, "state": {}, **more}
    return stack_ready.run(params, DockerEngine(client))


def test_real_services_get_ready_in_their_namespaces(client: Any, root: Path, start: Callable[..., str]) -> None:
    redis = start(REDIS, environment={"REDIS_PASSWORD": PASSWORD})
    lookupd = start(NSQ, ["/nsqlookupd"])
    nsqd = start(NSQ, ["/nsqd"], tmpfs={"/data": ""})
    result = look(
        client,
        root,
        service("redis", redis, REDIS_PROBE),
        service("nsqlookupd", lookupd, [{"type": "http", "port": 4161, "path": "/ping", "contains": "OK"}]),
        service(
            "nsqd",
            nsqd,
            [
                {"type": "tcp", "port": 4150},
                {"type": "http", "port": 4151, "path": "/info", "json": {"version": ["1.2.0", "1.2.1"], "tcp_port": 4150}},
                {"type": "exec", "command": ["sh", "-c", "echo yes"], "contains": "yes", "name": "echo"},
            ],
        ),
    )
    assert result["failures"] == []
    assert sorted(result["ready"]) == ["nsqd", "nsqlookupd", "redis"]
    timeline = {entry["service"]: entry for entry in result["timeline"]}
    assert timeline["nsqd"]["probe"] == "echo"
    assert all(0 < entry["seconds"] < 60 and not entry.get("already") for entry in timeline.values())


def test_one_that_never_gets_ready_is_told_with_its_last_reason(client: Any, root: Path, start: Callable[..., str]) -> None:
    lookupd = start(NSQ, ["/nsqlookupd"])
    other = start(NSQ, ["sh", "-c", "echo warming up; sleep 600"])
    services = [
        service("nsqlookupd", lookupd, [{"type": "http", "port": 4161, "path": "/ping"}]),
        service("elasticsearch", other, [{"type": "http", "port": 9200}], ready_timeout=2.0),
    ]
    begun = time.time()
    result = look(client, root, *services)
    assert 2 <= time.time() - begun < 20
    assert result["ready"] == ["nsqlookupd"]
    (failure,) = result["failures"]
    assert (failure["kind"], failure["state"], failure["exit_code"], failure["log"]) == ("timeout", "running", None, ["warming up"])
    assert failure["reason"].endswith("connection refused on 9200")


def test_those_that_are_not_waited_for_do_not_hold_the_call(client: Any, root: Path, start: Callable[..., str]) -> None:
    lookupd = start(NSQ, ["/nsqlookupd"])
    other = start(NSQ, ["sleep", "600"])
    result = look(
        client,
        root,
        service("nsqlookupd", lookupd, [{"type": "http", "port": 4161, "path": "/ping"}]),
        service("elasticsearch", other, [{"type": "http", "port": 9200}]),
        until=["nsqlookupd"],
    )
    assert (result["ready"], result["failures"]) == (["nsqlookupd"], [])
    assert result["waiting"] == {"elasticsearch": "connection refused on 9200"}


def test_one_that_exits_ends_the_wait_at_once_with_its_last_words(client: Any, root: Path, start: Callable[..., str]) -> None:
    words = f"[ERROR] [MY-010457] [Server] --initialize specified but the data directory has files in it. {PASSWORD}"
    name = start(NSQ, ["sh", "-c", f"sleep 1; echo '{words}' >&2; exit 1"])
    begun = time.time()
    result = look(client, root, service("mysql", name, [{"type": "mysql_handshake", "port": 3306}]))
    assert time.time() - begun < 20
    (failure,) = result["failures"]
    assert (failure["kind"], failure["exit_code"]) == ("exited", 1)
    assert failure["findings"][0]["id"] == "mysql-dirty-directory"
    assert failure["log"] == [words.replace(PASSWORD, "********")]
    assert PASSWORD not in json.dumps(result)


def test_a_restart_loop_ends_the_wait(client: Any, root: Path, start: Callable[..., str]) -> None:
    name = start(NSQ, ["sh", "-c", "echo boom; sleep 1; exit 3"], restart_policy={"Name": "always"})
    begun = time.time()
    result = look(client, root, service("nsqd", name, [{"type": "tcp", "port": 4150}]))
    assert time.time() - begun < 20
    (failure,) = result["failures"]
    assert failure["kind"] == "restarting"
    assert "boom" in failure["log"]


def test_one_that_is_killed_for_its_memory_is_told(client: Any, root: Path, start: Callable[..., str]) -> None:
    name = start(NSQ, ["sh", "-c", "sleep 1; exec tail /dev/zero"], mem_limit="32m", memswap_limit="32m")
    result = look(client, root, service("milvus", name, [{"type": "http2", "port": 19530}]), timeout=120.0)
    (failure,) = result["failures"]
    assert (failure["kind"], failure["exit_code"], failure["oom"]) == ("oom", 137, True)
    assert failure["findings"][0]["id"] == "out-of-memory"


def test_a_refused_password_is_told_at_once(client: Any, root: Path, start: Callable[..., str]) -> None:
    name = start(REDIS, environment={"REDIS_PASSWORD": "another"})
    result = look(client, root, service("redis", name, REDIS_PROBE))
    (failure,) = result["failures"]
    assert (failure["kind"], failure["reason"]) == ("refused", "redis: WRONGPASS: the password in REDIS_PASSWORD is not accepted")


def test_a_container_that_is_not_there_or_was_never_started(client: Any, root: Path) -> None:
    name = f"rdy-{uuid.uuid4().hex[:8]}"
    client.create_container(NSQ, command=["/nsqd"], name=name)
    try:
        result = look(client, root, service("a", "rdy-nothing", [{"type": "tcp", "port": 1}]), service("b", name, [{"type": "tcp", "port": 1}]))
    finally:
        client.remove_container(name, force=True, v=True)
    assert {failure["kind"] for failure in result["failures"]} <= {"missing", "created"}
    assert result["failures"]


def test_one_that_is_removed_while_it_is_waited_for(client: Any, root: Path) -> None:
    name = f"rdy-{uuid.uuid4().hex[:8]}"
    client.create_container(NSQ, command=["sleep", "600"], name=name)
    client.start(name)
    threading.Timer(1.0, lambda: client.remove_container(name, force=True, v=True)).start()
    result = look(client, root, service("nsqd", name, [{"type": "tcp", "port": 4150}]))
    assert result["failures"][0]["kind"] in ("missing", "exited")


def test_a_command_that_hangs_is_told(client: Any, root: Path, start: Callable[..., str]) -> None:
    name = start(NSQ, ["sleep", "600"])
    probe = [{"type": "exec", "command": ["sleep", "30"], "timeout": 0.5}]
    assert look(client, root, service("x", name, probe), timeout=1.5)["failures"][0]["reason"].endswith("sleep did not end within 0.5 s")
    probe = [{"type": "exec", "command": ["/no/such"]}]
    assert "/no/such" in look(client, root, service("x", name, probe), timeout=1.0)["failures"][0]["reason"]


def ansible(tmp_path: Path, arguments: dict[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
    """One task with stack_ready on localhost."""
    play = [{"hosts": "all", "gather_facts": False, "tasks": [{"name": "Wait", "cozeops.studio.stack_ready": arguments}]}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    binary = Path(sys.executable).parent / "ansible-playbook"
    argv = [str(binary), "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}", *options, str(tmp_path / "play.yml")]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", "LC_ALL": "C.UTF-8"}
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment, check=False)


def test_the_operator_sees_progress(root: Path, tmp_path: Path, start: Callable[..., str]) -> None:
    fast = start(NSQ, ["/nsqlookupd"])
    slow = start(NSQ, ["sh", "-c", "sleep 5; exec /nsqlookupd"])
    probe = [{"type": "http", "port": 4161, "path": "/ping"}]
    services = [{"name": "fast", "container": fast, "probe": probe}, {"name": "slow", "container": slow, "probe": probe}]
    done = ansible(tmp_path, {"root": str(root), "services": services}, "-c", "local")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith(f"  {root.name}: ")]
    assert "fast ready after" in lines[0]
    assert "waiting for slow" in lines[0]
    assert "connection refused on 4161" in lines[0]
    assert "slow ready after" in lines[-1]
    assert "ok=1" in done.stdout
    assert "changed=0" in done.stdout


def test_the_operator_sees_why_it_failed(root: Path, tmp_path: Path, start: Callable[..., str]) -> None:
    name = start(NSQ, ["sh", "-c", f"echo 'nginx: [emerg] host not found in upstream \"coze-server\"; {PASSWORD}'; exit 1"])
    services = [{"name": "coze-web", "container": name, "probe": [{"type": "http", "port": 80}]}]
    done = ansible(tmp_path, {"root": str(root), "services": services}, "-c", "local")
    assert done.returncode == 2
    assert f"coze-web failed (container {name}): it ended with exit code 1" in done.stdout
    assert "What to do: Start the server and MinIO first" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_check_mode_neither_waits_nor_fails(client: Any, root: Path, tmp_path: Path) -> None:
    services = [{"name": "x", "container": "rdy-nothing", "probe": [{"type": "tcp", "port": 1}]}]
    done = ansible(tmp_path, {"root": str(root), "services": services}, "-c", "local", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_host_that_cannot_be_reached_is_unreachable(root: Path, tmp_path: Path) -> None:
    services = [{"name": "x", "container": "y", "probe": [{"type": "tcp", "port": 1}]}]
    done = ansible(tmp_path, {"root": str(root), "services": services}, "-c", "ssh", "-e", "ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_retries=0")
    assert done.returncode == 4
    assert "unreachable=1" in done.stdout


def test_no_engine_is_a_clear_error(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    services = [{"name": "x", "container": "y", "probe": [{"type": "tcp", "port": 1}]}]
    done = ansible(tmp_path, {"root": str(root), "services": services}, "-c", "local")
    assert done.returncode == 2
    assert "no Docker Engine answers" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
