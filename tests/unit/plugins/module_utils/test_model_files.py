# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module model_config does not show: its own tests cover the rest of _model_files."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._model_files import MODEL_OPTIONS, ModelError, connections, plan

HAND = b"""\
id: 7
name: Hand
icon_uri: a.png
meta:
  protocol: ollama
  capability: {}
  conn_config: {base_url: "http://gpu:11434", model: qwen}
"""


def model(**given: Any) -> dict[str, Any]:
    return {**dict.fromkeys(MODEL_OPTIONS), "name": "Lab", "protocol": "openai", "base_url": "http://llm:8000/v1", "model": "lab", **given}


def where(name: str) -> str:
    return "/tree/" + name


def test_the_variable_is_named_as_the_operator_knows_it() -> None:
    with pytest.raises(ModelError) as caught:
        plan([model(base_url="http://localhost/v1")], {"hand.yaml": HAND.replace(b"id: 7", b"id: x")}, "0.2", None, where, "coze_server_models")
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [("/tree/hand.yaml", 1), ("coze_server_models: Lab", 0)]


def test_nothing_is_written_for_files_that_are_there() -> None:
    directory = plan([], {"hand.yaml": HAND}, "0.2", None, where)
    assert (directory.wanted, directory.unwanted, list(directory.files)) == ([], [], ["hand.yaml"])


def test_connections_are_told_in_the_order_in_which_the_server_reads_the_files() -> None:
    directory = plan([model(id=100, api_key="sk-1")], {"hand.yaml": HAND}, "0.2", None, where)
    assert connections(directory.files) == [
        {"name": "Hand", "protocol": "ollama", "base_url": "http://gpu:11434", "model": "qwen", "api_key": ""},
        {"name": "Lab", "protocol": "openai", "base_url": "http://llm:8000/v1", "model": "lab", "api_key": "sk-1"},
    ]
