# SPDX-License-Identifier: GPL-3.0-or-later
"""Chat models and embeddings in a whole deployment, from variables to a knowledge base. The model server runs on the host, as an Ollama would.

The tests share a host and stand in the order of its life.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.module_utils._coze_api import Coze
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, Run, make_source, why_not

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]

KEY = "sk-of-the-lab-42"
BASE = "http://host.docker.internal:8000/v1"
LAB = {"name": "Lab", "protocol": "openai", "base_url": BASE, "model": "lab-chat", "api_key": KEY}
EMBEDDING = {"type": "openai", "base_url": BASE, "model": "lab-embed", "api_key": KEY, "dims": 1024, "batch_size": 10}


class Stack:
    """The stack of these tests, and what it was last told."""

    def __init__(self, host: LabHost, source: Path, folder: Path) -> None:
        self.host, self.folder = host, folder
        self.url = f"http://{host.facts['address']}:8888"
        self.given: dict[str, Any] = {"stack_source": str(source), "stack_public_url": self.url}

    def site(self, *arguments: str, **changes: Any) -> Run:
        """A run with what earlier runs were given, and changes that stay."""
        self.given.update(changes)
        run = self.host.site(*arguments, **self.given)
        assert KEY not in run.output
        return run

    def login(self) -> Coze:
        secrets = yaml.safe_load((self.folder / "secrets" / "coze.yml").read_text(encoding="utf-8"))
        coze = Coze(self.url)
        coze.login("verify@coze.cozeops.internal", secrets["VERIFY_PASSWORD"])
        return coze

    def trace(self) -> str:
        """What a run may have touched: containers, and all files but those that the stores write."""
        files = "find /opt/cozeops/coze -path '*/data/*' -prune -o -printf '%p %m %u %s %T@\\n' | sort"
        return self.host.shell(f"docker ps -a --no-trunc --format '{{{{.ID}}}}' | sort; {files}")

    def conf(self, script: str) -> str:
        return self.host.shell(f"cd /opt/cozeops/coze/conf/coze-server/resources/model && {script}")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("inventory")
    host = LabHost("models", folder)
    gateway = host.shell("docker network inspect bridge -f '{{(index .IPAM.Config 0).Gateway}}'").strip()
    host.shell(f"docker run -d --name model-server -p {gateway}:8000:8000 -e LAB_MODEL_KEY={KEY} cozeops-lab/model-server")
    yield Stack(host, make_source("0.5", tmp_path_factory.mktemp("tree") / "0.5"), folder)
    host.destroy()


def test_models_and_an_embedding_model_are_deployed_and_asked(stack: Stack) -> None:
    run = stack.site(coze_server_models=[LAB], coze_server_embedding=EMBEDDING)
    run.must_pass(changed=True)
    assert "chat     ok      Lab  answered after" in run.output
    assert "vectors  ok      lab-embed  vectors of 1024 numbers, 10 texts at once" in run.output
    assert stack.conf("stat -c '%a %u' model-*.yaml").split() == ["600", "0"]
    assert [model["name"] for model in stack.login().model_types()] == ["Lab"]


def test_a_run_that_changes_nothing_asks_no_model(stack: Stack) -> None:
    before = stack.host.started()
    run = stack.site()
    run.must_pass(changed=False)
    assert "chat     ok" not in run.output
    assert stack.host.started() == before


def test_the_playbook_verify_always_asks(stack: Stack) -> None:
    run = stack.host.play("verify", **stack.given)
    run.must_pass(changed=False)
    assert "chat     ok      Lab" in run.output


def test_a_new_key_and_a_new_model_restart_the_server_alone(stack: Stack) -> None:
    before = stack.host.started()
    second = {**LAB, "name": "Second", "id": 200}
    checked = stack.site("--check", "--diff", coze_server_models=[{**LAB, "timeout": "90s"}, second])
    checked.must_pass(changed=True)
    assert stack.host.started() == before
    run = stack.site()
    run.must_pass(changed=True)
    after = stack.host.started()
    assert {name for name in before if before[name] != after[name]} == {"coze-coze-server"}
    flat = " ".join(run.output.split())
    assert "release 0.5 took model" in flat, "the first model's file is another one than the database was made of"
    assert sorted(model["name"] for model in stack.login().model_types()) == ["Lab", "Second"]


def test_wrong_models_change_nothing(stack: Stack) -> None:
    trace = stack.trace()
    models = [{**LAB, "base_url": "http://127.0.0.1:8000/v1/chat/completions"}, {**LAB, "id": 7}]
    run = stack.host.site(**{**stack.given, "coze_server_models": models})
    run.must_fail("coze_server_models: Lab: meta.conn_config.base_url ends in /chat/completions", "coze_server_models: Lab: the name is there twice")
    assert stack.trace() == trace


def test_a_model_that_the_endpoint_does_not_have_is_named_with_what_it_has(stack: Stack) -> None:
    run = stack.host.play("verify", **{**stack.given, "coze_server_models": [{**LAB, "model": "lab-caht"}, {**LAB, "name": "Second", "api_key": "wrong"}]})
    run.must_fail("chat FAILED Lab", "lab-chat", "chat FAILED Second")
    assert "vectors  ok" in run.output, "one that fails does not keep the others from being asked"


def test_the_embedding_model_is_held_by_knowledge_bases(stack: Stack) -> None:
    coze = stack.login()
    space = str(coze.spaces()[0]["id"])
    base = {"space_id": space, "name": "kept", "description": "", "format_type": 0}
    knowledge = coze.call("/api/knowledge/create", base)["dataset_id"]
    sources = [{"name": "doc", "source_info": {"document_source": 2, "custom_content": "one. two. three"}}]
    strategy = {"chunk_type": 1, "separator": ".", "max_tokens": 200}
    body = {"dataset_id": knowledge, "format_type": 0, "document_bases": sources, "chunk_strategy": strategy}
    document = coze.call("/api/knowledge/document/create", body)["document_infos"][0]["document_id"]
    deadline = time.monotonic() + 60
    while coze.call("/api/knowledge/document/progress/get", {"document_ids": [document]})["data"][0]["status"] != 1:
        assert time.monotonic() < deadline, "the document is not indexed"
        time.sleep(0.5)
    trace = stack.trace()
    shorter = {**EMBEDDING, "dims": 512}
    refused = stack.host.site(**{**stack.given, "coze_server_embedding": shorter})
    refused.must_fail("dims 1024 -> 512", f"opencoze_{knowledge} has vectors of 1024", "set coze_server_embedding_confirm: coze")
    assert stack.trace() == trace
    checked = stack.host.site("--check", **{**stack.given, "coze_server_embedding": shorter})
    checked.must_fail("dims 1024 -> 512")
    before = stack.host.started()
    confirmed = stack.site(coze_server_embedding=shorter, coze_server_embedding_confirm="coze")
    confirmed.must_pass(changed=True)
    assert "vectors of 512 numbers" in confirmed.output
    after = stack.host.started()
    assert {name for name in before if before[name] != after[name]} <= {"coze-coze-server", "coze-coze-web"}


def test_models_can_live_in_the_administration(stack: Stack) -> None:
    run = stack.site(coze_server_models_in="admin", coze_server_models=[LAB])
    run.must_pass(changed=True)
    assert stack.conf("ls").split() == ["model_meta.json", "template"] or "model-" not in stack.conf("ls")
    assert [model["name"] for model in stack.login().model_types() if model["name"] == "Lab"] == ["Lab"]
    stack.site().must_pass(changed=False)
    run = stack.site(coze_server_models=[{**LAB, "model": "lab-chat-slow"}])
    run.must_pass(changed=True)
    stack.site().must_pass(changed=False)
