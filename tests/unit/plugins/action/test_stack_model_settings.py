# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolving what an operator says of models, embeddings and settings; every host is a case of its own, as in test_stack_model."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed
from ansible_collections.cozeops.studio.tests.unit.plugins.action.test_stack_model import Run, run_play, write
from ansible_collections.cozeops.studio.tests.unit.plugins.samples import lab_tree

MODELS = "conf/coze-server/resources/model"
KEY = "sk-of-the-test-0123456789"
LAB = {"name": "Lab", "protocol": "openai", "base_url": "http://llm:8000/v1", "model": "lab", "api_key": KEY}
EMBEDDING = {"type": "openai", "base_url": "http://llm:8000/v1", "model": "bge-m3", "api_key": KEY, "dims": 1024, "batch_size": 10}
#: What is wrong in docker-only recipes that people follow, in our own words.
MISTAKES = {
    "SERVER_HOST": "localhost0.0.0.0:8888",
    "PLUGIN_AES_STATE_SECRET": "\"'0123456789abc'\"",
    "EMBEDDING_TYPE": "openai",
    "OPENAI_EMBEDDING_BASE_URL": "http://llm:8000/v1/embeddings",
    "OPENAI_EMBEDDING_MODEL": "bge",
    "OPENAI_EMBEDDING_DIMS": "512",
    "OPENAI_EMBEDDING_REQUEST_DIMS": "1024",
    "MQ_NAME_SERVER": "nsqlookupd:4161",
    "STORAGE_TYPE": "mino",
}

#: Of those, what is no mistake by itself (of the two sizes, the one that is asked for), and what is mended.
RIGHT = ("SERVER_HOST", "EMBEDDING_TYPE", "OPENAI_EMBEDDING_MODEL", "OPENAI_EMBEDDING_DIMS")


def host_with(top: Path, host: str, env: dict[str, Any], digests: dict[str, str], models: list[dict[str, Any]]) -> None:
    """A host that has the stack already, with such a server."""
    server = {"ports": [], "env": env, "file_digests": digests, "chat_models": {"path": MODELS, "models": models}}
    write(top / "roots" / host / "stack.json", json.dumps({"name": "lab", "services": {"coze-server": server}}))
    write(top / "roots" / host / "state" / "secrets.env", "STACK_DIGEST_KEY=%s\n" % ("h" * 64))


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("settings")
    for line in ("0.2", "0.5"):
        lab_tree(line, place / ("source-" + line))
    write(place / "hand" / "bad.yaml", "id: 7\nname: Hand\nicon_uri: a.png\nmeta:\n  protocol: openai\n  capability: {}\n")
    meta = {"protocol": "ollama", "conn_config": {"model": "q", "base_url": "http://g"}}
    write(place / "hand-good" / "hand.yaml", yaml.safe_dump({"id": 7, "name": "Hand", "meta": meta}))
    example = (place / "source-0.2" / "docker" / ".env.example").read_text()
    write(place / "faq.env", example + "\n" + "\n".join("%s=%s" % pair for pair in MISTAKES.items()) + "\n")
    host_with(place, "changed", {}, {MODELS + "/model-100.yaml": "of before", MODELS + "/model-300.yaml": "x"}, [
        {"id": 100, "name": "Lab", "file": "model-100.yaml"},
        {"id": 300, "name": "Gone", "file": "model-300.yaml"},
    ])
    old = {"EMBEDDING_TYPE": "openai", "OPENAI_EMBEDDING_BASE_URL": "http://llm:8000/v1", "OPENAI_EMBEDDING_MODEL": "bge-m3", "OPENAI_EMBEDDING_DIMS": "512"}
    for host in ("other_dims", "other_dims_confirmed", "same_dims"):
        host_with(place, host, old, {}, [])
    return place


@pytest.fixture(scope="module")
def run(top: Path) -> Run:
    old_line = {"stack_source": str(top / "source-0.2")}
    return run_play(top, {
        "bad_models": {
            "coze_server_models": [{**LAB, "base_url": "http://localhost:8000/v1/chat/completions"}, {**LAB, "name": "Two", "protocol": "openia"}],
            "coze_server_models_dir": str(top / "hand"),
        },
        "bad_options": {
            "coze_server_models": [{"name": "Lab", "protocol": "openai", "base_url": "http://llm/v1", "modle": "lab"}],
            "coze_server_embedding": {"dim": 1},
        },
        "no_directory": {"coze_server_models_dir": str(top / "nowhere")},
        "good": {"coze_server_models": [{**LAB, "id": 100}, {**LAB, "name": "Two", "timeout": "90s"}], "coze_server_models_dir": str(top / "hand-good")},
        "good_old": {**old_line, "coze_server_models": [LAB], "coze_server_embedding": EMBEDDING},
        "hundred": {"coze_server_models": [{**LAB, "name": "Model %d" % number} for number in range(100)]},
        "administration": {"coze_server_models": [LAB], "coze_server_models_in": "admin"},
        "changed": {"coze_server_models": [{**LAB, "id": 100}]},
        "embedding": {"coze_server_embedding": EMBEDDING},
        "clash": {"coze_server_embedding": EMBEDDING, "stack_env": {"OPENAI_EMBEDDING_DIMS": "768"}},
        "bad_embedding": {"coze_server_embedding": {"type": "opanai", "dims": 1024}},
        "faq": {**old_line, "stack_env_src": str(top / "faq.env")},
        "other_dims": {"coze_server_embedding": EMBEDDING},
        "other_dims_confirmed": {"coze_server_embedding": EMBEDDING, "coze_server_embedding_confirm": "lab"},
        "same_dims": {"coze_server_embedding": {**EMBEDDING, "dims": 512, "batch_size": 20}},
    }, "-vvv")


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("bad_models", "{top}/hand/bad.yaml:4: meta.conn_config is missing: the server fails without a connection"),
        ("bad_models", "coze_server_models: Lab: meta.conn_config.base_url ends in /chat/completions, which the client appends itself: leave it out"),
        ("bad_models", "coze_server_models: Lab: meta.conn_config.base_url has the host localhost, which inside the container is the container"),
        ("bad_models", "coze_server_models: Two: unknown protocol openia"),
        ("bad_options", "coze_server_models[0]: modle is no option of it; did you mean model?"),
        ("bad_options", "missing required arguments: model found in coze_server_models"),
        ("bad_options", "coze_server_embedding: dim is no option of it; did you mean dims?"),
        ("no_directory", "coze_server_models_dir: there is no directory {top}/nowhere on this machine"),
        ("clash", "OPENAI_EMBEDDING_DIMS: coze_server_embedding and stack_env give different values for it: take one of them away."),
        ("bad_embedding", "coze_server_embedding.type: has to be one of openai, ark, ollama, gemini, http; is openai meant?"),
        ("other_dims", "The embedding model is to be another one (dims 512 -> 1024), and which knowledge bases it would leave behind cannot be told"),
        ("other_dims", "set coze_server_embedding_confirm: lab"),
    ],
)
def test_bad_input_is_told(run: Run, host: str, says: str) -> None:
    message = run.failures.get(host, "no failure")
    assert says.format(top=run.top) in message
    assert "Traceback" not in message


@pytest.mark.parametrize("key", [key for key in MISTAKES if key not in RIGHT])
def test_every_mistake_of_an_environment_file_is_named_with_its_line(run: Run, key: str) -> None:
    lines = (run.top / "faq.env").read_text().splitlines()
    line = max(number for number, text in enumerate(lines, 1) if text.startswith(key + "="))
    assert "%s/faq.env:%d: %s: " % (run.top, line, key) in run.failures["faq"]


def test_a_mistake_that_is_mended_here_is_told_as_a_warning(run: Run) -> None:
    # The other mistakes of that file end the run, so it has a case of its own.
    top = run.top
    example = (top / "source-0.2" / "docker" / ".env.example").read_text()
    env = write(top / "host.env", example + "\nSERVER_HOST=localhost0.0.0.0:8888\n")
    again = run_play(top, {"host": {"stack_source": str(top / "source-0.2"), "stack_env_src": str(env)}})
    assert "host" not in again.failures, again.failures
    flat = " ".join(again.text.split())
    assert re.search(r"host\.env:\d+: SERVER_HOST: .* is taken instead", flat)


def models_of(run: Run, host: str) -> list[dict[str, Any]]:
    return list(run.model(host)["model"]["services"]["coze-server"]["chat_models"]["models"])


def test_models_become_private_files(run: Run) -> None:
    file = run.file("good", MODELS + "/model-100.yaml")
    content = yaml.safe_load(file["content"])
    assert (content["id"], content["name"], content["meta"]["conn_config"]["api_key"]) == (100, "Lab", KEY)
    assert (file["mode"], file["secret"]) == ("0600", True)
    service = run.model("good")["model"]["services"]["coze-server"]
    assert service["on_change"][file["path"]] == "restart"
    assert service["file_digests"][file["path"]] == file["digest"]
    names = [(model["name"], model["file"]) for model in service["chat_models"]["models"]]
    assert names[0] == ("Hand", "hand.yaml") and sorted(name for name, dummy in names) == ["Hand", "Lab", "Two"]


def test_files_written_by_hand_are_taken_as_they_are(run: Run) -> None:
    assert run.file("good", MODELS + "/hand.yaml")["src"] == str(run.top / "hand-good" / "hand.yaml")


def test_the_endpoints_of_all_models_are_returned(run: Run) -> None:
    assert [(model["name"], model["base_url"], model["api_key"]) for model in run.model("good")["chat_models"]] == [
        ("Hand", "http://g", ""),
        ("Lab", LAB["base_url"], KEY),
        ("Two", LAB["base_url"], KEY),
    ]


def test_a_model_s_id_is_made_of_its_name_on_every_host(run: Run) -> None:
    ids = {host: {model["name"]: model["id"] for model in models_of(run, host)} for host in ("good", "good_old", "hundred")}
    assert ids["good"]["Lab"] == 100
    assert ids["good_old"]["Lab"] >= 1_000_000_000
    assert len(set(ids["hundred"].values())) == 100


def test_a_hundred_models_are_rendered_and_checked(run: Run) -> None:
    assert len([entry for entry in run.model("hundred")["files"] if entry["path"].startswith(MODELS + "/model-")]) == 100


def test_models_of_the_administration_have_no_files(run: Run) -> None:
    result = run.model("administration")
    assert not [entry for entry in result["files"] if entry["path"].startswith(MODELS + "/model-1")]
    assert result["model"]["services"]["coze-server"]["chat_models"]["models"] == []
    assert [model["name"] for model in result["chat_models"]] == ["Lab"]


def test_a_change_that_the_database_may_not_see_is_told(run: Run) -> None:
    assert "changed" not in run.failures
    flat = " ".join(run.text.split())
    assert "model-100.yaml: release 0.5 took model 100 (Lab) into its database when it first saw that id, and serves the changed file" in flat
    assert "model-300.yaml: release 0.5 took model 300 (Gone) into its database when it first saw that id, and no longer serves it" in flat


def test_an_embedding_model_becomes_settings(run: Run) -> None:
    env = run.env("embedding", "coze-server")
    assert (env["EMBEDDING_TYPE"], env["OPENAI_EMBEDDING_DIMS"], env["EMBEDDING_MAX_BATCH_SIZE"]) == ("openai", "1024", "10")
    assert env["OPENAI_EMBEDDING_API_KEY"] == KEY
    result = run.model("embedding")
    assert (result["embedding"]["model"], result["embedding"]["dims"], result["embedding"]["batch_size"]) == ("bge-m3", 1024, 10)
    assert result["embedding_change"] == {}
    assert result["model"]["services"]["coze-server"]["env"]["OPENAI_EMBEDDING_API_KEY"] == {"hmac": keyed(key_of(run, "embedding"), KEY)}


def key_of(run: Run, host: str) -> str:
    return str(yaml.safe_load((run.top / "secrets" / (host + ".yml")).read_text())["STACK_DIGEST_KEY"])


def test_another_length_of_vectors_can_be_confirmed(run: Run) -> None:
    assert run.model("other_dims_confirmed")["embedding_change"] == {"dims": [512, 1024]}


def test_what_knowledge_bases_do_not_mind_is_not_asked_about(run: Run) -> None:
    assert run.model("same_dims")["embedding_change"] == {}


def test_no_key_is_in_the_whole_output(run: Run) -> None:
    assert KEY not in run.text
    assert all(KEY not in json.dumps(run.model(host)["model"]) for host in ("good", "good_old", "hundred", "administration", "embedding"))
