# SPDX-License-Identifier: GPL-3.0-or-later
"""chat_endpoint and embedding_endpoint from inside a container's network, against the lab's model server in a container and on this host."""

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
from ansible_collections.cozeops.studio.plugins.modules import chat_endpoint, embedding_endpoint
from ansible_collections.cozeops.studio.tests.unit.plugins.model_server import server
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

pytestmark = [pytest.mark.integration, pytest.mark.skipif(os.geteuid() != 0, reason="entering a network namespace needs root")]

MODELS = "cozeops-lab/model-server:latest"
NSQ = "nsqio/nsq:v1.2.1"  # any image will do for the container that asks
KEY = "sk-integration-0123"
SEARCHED = "endpoints-test.internal"
Call = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def client() -> Any:
    try:
        api = connect()
    except EngineError as exc:
        pytest.skip(str(exc))
    present = {tag for image in api.images() for tag in image.get("RepoTags") or []}
    lacking = {MODELS, NSQ} - present
    if lacking:
        pytest.skip(f"lab images are missing: {', '.join(sorted(lacking))}")
    return api


@pytest.fixture(scope="module")
def names(client: Any) -> Iterator[dict[str, str]]:
    """A network with the model server and a container that asks it; the names of all three."""
    stem = f"endpoints-{uuid.uuid4().hex[:8]}"
    found = {"network": stem, "models": f"{stem}-models", "asks": f"{stem}-asks", "alone": f"{stem}-alone"}
    client.create_network(stem, driver="bridge")
    try:
        hardened = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"], "read_only": True, "mem_limit": "128m"}
        aliases = client.create_networking_config({stem: client.create_endpoint_config(aliases=["llm", f"gpu.{SEARCHED}"])})
        host = client.create_host_config(network_mode=stem, **hardened)
        client.create_container(MODELS, name=found["models"], user="65534", environment={"LAB_MODEL_KEY": KEY}, host_config=host, networking_config=aliases)
        client.start(found["models"])
        address = client.inspect_container(found["models"])["NetworkSettings"]["Networks"][stem]["IPAddress"]
        extra = {"by-hosts.example.com": address, "host.docker.internal": "host-gateway"}
        host = client.create_host_config(network_mode=stem, extra_hosts=extra, dns_search=[SEARCHED])
        client.create_container(NSQ, command=["sleep", "600"], name=found["asks"], host_config=host)
        client.create_container(NSQ, command=["sleep", "600"], name=found["alone"], host_config=client.create_host_config(network_mode="none"))
        for which in ("asks", "alone"):
            client.start(found[which])
        wait_for_server(client, found["models"])
        yield found
    finally:
        for name in (found["models"], found["asks"], found["alone"]):
            try:
                client.remove_container(name, force=True, v=True)
            except Exception as exc:  # one that was never made must not keep the others
                print(f"{name}: {exc}")
        client.remove_network(stem)


def wait_for_server(client: Any, name: str) -> None:
    code = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8000/healthz').read())"
    for dummy in range(50):
        run = client.exec_create(name, ["python3", "-c", code])
        output = client.exec_start(run)
        if client.exec_inspect(run)["ExitCode"] == 0:
            return
        time.sleep(0.2)
    raise AssertionError(f"the model server does not answer: {output!r}")


@pytest.fixture
def chat(names: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Call:
    def run(host: str = "llm:8000", **args: Any) -> dict[str, Any]:
        given = {"base_url": f"http://{host}/v1", "model": "lab-chat", "api_key": KEY, "via_container": names["asks"], "timeout": 10, **args}
        return run_main(chat_endpoint.main, capsys, {key: value for key, value in given.items() if value is not None})

    return run


def test_an_alias_of_the_network(chat: Call) -> None:
    result = chat()
    assert (result["failed"], result.get("msg"), result["answer"]) == (False, None, "The lab model heard: 1+1=?")
    assert result["latency"]["pieces"] == 5


def test_the_host_itself_does_not_know_that_name(chat: Call) -> None:
    assert "the name llm cannot be resolved" in chat(via_container=None)["msg"]


@pytest.mark.parametrize("host", ["by-hosts.example.com", "gpu", f"gpu.{SEARCHED}"])
def test_names_of_the_hosts_file_and_of_search_domains(chat: Call, host: str) -> None:
    assert chat(f"{host}:8000").get("msg") is None


def test_the_name_of_the_container(names: dict[str, str], chat: Call) -> None:
    assert chat(f"{names['models']}:8000").get("msg") is None


def test_host_docker_internal_is_the_host(chat: Call) -> None:
    running = server.make_server(port=0, host="0.0.0.0", key=KEY)
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        result = chat(f"host.docker.internal:{running.server_port}")
        assert result.get("msg") is None
        assert list(running.seen) == ["POST /v1/chat/completions 200"] * 2
    finally:
        running.shutdown()
        running.server_close()


def test_a_name_that_there_is_not(names: dict[str, str], chat: Call) -> None:
    result = chat("llmm:8000")
    assert f"container {names['asks']} does not know the name llmm: it is not in /etc/hosts, and the name server 127.0.0.11 does not know it" in result["msg"]
    assert "coze_server_extra_hosts" in result["msg"]


def test_a_port_on_which_nothing_listens(chat: Call) -> None:
    assert "llm:8001 refuses connections" in chat("llm:8001")["msg"]


def test_a_container_without_a_network(names: dict[str, str], chat: Call) -> None:
    result = chat(via_container=names["alone"])
    assert f"container {names['alone']} does not know the name llm" in result["msg"]


def test_a_loopback_is_refused(chat: Call) -> None:
    assert "inside the container is the container" in chat("127.0.0.1:8000")["msg"]


@pytest.mark.parametrize(
    ("model", "says"),
    [("lab-chat-dribble", None), ("lab-chat-cut", "closed the connection in the middle"), ("lab-chat-length", '"length"'), ("lab-chaat", "is lab-chat meant?")],
)
def test_faults_are_told_from_there_too(chat: Call, model: str, says: str | None) -> None:
    result = chat(model=model)
    assert (result.get("msg") is None) if says is None else (says in result["msg"])


def test_embeddings(names: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    args = {"base_url": "http://llm:8000/v1", "api_key": KEY, "via_container": names["asks"]}
    good = run_main(embedding_endpoint.main, capsys, {**args, "model": "lab-embed"})
    assert (good.get("msg"), good["dims"], good["batch"], good["accepts_dimensions"]) == (None, 1024, 100, True)
    limited = run_main(embedding_endpoint.main, capsys, {**args, "model": "lab-embed-batch-10"})
    assert "Set batch_size (EMBEDDING_MAX_BATCH_SIZE) to 10" in limited["msg"]


def test_the_key_of_the_environment_is_wanted(chat: Call) -> None:
    assert "The endpoint wants a key" in chat(api_key=None)["msg"]


def test_the_operator_sees_the_reason_and_not_the_key(names: dict[str, str], tmp_path: Path) -> None:
    arguments = {"base_url": "http://llm:8000", "model": "lab-chat", "api_key": KEY, "via_container": names["asks"]}
    play = [{"hosts": "all", "gather_facts": False, "tasks": [{"name": "Ask", "cozeops.studio.chat_endpoint": arguments}]}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    binary = Path(sys.executable).parent / "ansible-playbook"
    argv = [str(binary), "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", "-vvv", "--check", str(tmp_path / "play.yml")]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 2
    assert "Set base_url to http://llm:8000/v1." in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr


def test_the_server_ends_when_it_is_stopped(client: Any, names: dict[str, str]) -> None:
    name = f"{names['network']}-stop"
    client.create_container(MODELS, name=name, host_config=client.create_host_config(network_mode="none"))
    try:
        client.start(name)
        wait_for_server(client, name)
        client.stop(name, timeout=10)
        assert client.inspect_container(name)["State"]["ExitCode"] == 0
    finally:
        client.remove_container(name, force=True, v=True)
