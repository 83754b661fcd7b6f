# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's model server: the forms that other tests rely on, and that its documentation is whole."""

from __future__ import annotations

import base64
import http.client
import json
import math
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.cozeops.studio.tests.unit.plugins.model_server import KEY, SOURCE, server, serving

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def lab() -> Iterator[Any]:
    with serving() as running:
        yield running


def ask(lab: Any, method: str, path: str, body: Any = None, key: str | None = KEY) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", lab.server_port, timeout=5)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response.status, json.loads(data) if response.headers.get_content_type() == "application/json" else data


def embed(lab: Any, texts: list[str], model: str = "lab-embed", **more: Any) -> list[Any]:
    status, answer = ask(lab, "POST", "/v1/embeddings", {"model": model, "input": texts, **more})
    assert status == 200, answer
    return [item["embedding"] for item in answer["data"]]


def dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("model", server.MODELS)
def test_every_model_is_documented_and_listed(lab: Any, model: str) -> None:
    assert model in server.__doc__.replace(",", " ").split()
    assert model in [item["id"] for item in ask(lab, "GET", "/v1/models")[1]["data"]]


def test_every_documented_model_exists() -> None:
    documented = {word for word in server.__doc__.replace(",", " ").split() if word.startswith(("lab-chat", "lab-embed"))}
    assert documented == set(server.MODELS)


@pytest.mark.parametrize("prefix", ["/v1", "/compatible-mode/v1", "/api/v3"])
def test_a_chat_below_any_prefix(lab: Any, prefix: str) -> None:
    status, answer = ask(lab, "POST", f"{prefix}/chat/completions", {"model": "lab-chat", "messages": MESSAGES})
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "The lab model heard: hi")
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
def test_a_stream(lab: Any, options: dict[str, Any]) -> None:
    data = ask(lab, "POST", "/v1/chat/completions", {"model": "lab-chat", "messages": MESSAGES, "stream": True, **options})[1]
    *events, done = [line.removeprefix(b"data: ") for line in data.split(b"\n\n") if line]
    assert done == b"[DONE]"
    payloads = [json.loads(event) for event in events]
    assert ("usage" in payloads[-1]) == bool(options)
    assert "".join(each["choices"][0]["delta"].get("content", "") for each in payloads if each["choices"]) == "The lab model heard: hi"


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/v1x/embeddings", "/v1/completions", "/", "/x/api/chat"])
def test_other_paths_are_404(lab: Any, path: str) -> None:
    status, answer = ask(lab, "POST", path, {})
    assert (status, answer["error"]["type"]) == (404, "invalid_request_error")


@pytest.mark.parametrize(("key", "says"), [("wrong", "Incorrect API key provided: wrong"), (None, "didn't provide an API key"), ("", "didn't provide")])
def test_a_wrong_key(lab: Any, key: str | None, says: str) -> None:
    status, answer = ask(lab, "POST", "/v1/embeddings", {"model": "lab-embed", "input": "a"}, key)
    assert status == 401 and says in answer["error"]["message"]


@pytest.mark.parametrize("body", [[], {}, {"model": 5}, {"model": "lab-chat"}, {"model": "lab-chat", "messages": []}])
def test_bad_requests_are_refused(lab: Any, body: Any) -> None:
    assert ask(lab, "POST", "/v1/chat/completions", body)[0] == 400


def test_a_server_without_a_key_takes_any() -> None:
    with serving(key="") as lab:
        assert ask(lab, "GET", "/v1/models", key=None)[0] == 200


def test_vectors_are_of_length_1_and_the_same_for_the_same_text(lab: Any) -> None:
    first, again, other = embed(lab, ["the cat sat", "the cat sat", "something else"])
    assert first == again != other
    assert len(first) == 1024 and math.isclose(dot(first, first), 1, abs_tol=1e-6)
    assert embed(lab, ["the cat sat"]) == [first]


def test_texts_that_share_words_are_near(lab: Any) -> None:
    question, near, far = embed(lab, ["where is the blue whale", "a blue whale is in the sea", "tax return of last year"])
    assert dot(question, near) > dot(question, far) + 0.2
    question, near, far = embed(lab, ["知识库是什么", "什么是知识库", "天下雨了"])
    assert dot(question, near) > dot(question, far) + 0.2


@pytest.mark.parametrize("dims", [1, 64, 1024])
def test_dimensions(lab: Any, dims: int) -> None:
    (vector,) = embed(lab, ["a"], dimensions=dims)
    assert len(vector) == dims and math.isclose(dot(vector, vector), 1, abs_tol=1e-6)


def test_base64_holds_the_same_numbers(lab: Any) -> None:
    (plain,), (packed,) = embed(lab, ["a"]), embed(lab, ["a"], encoding_format="base64")
    assert struct.unpack("<1024f", base64.b64decode(packed)) == pytest.approx(plain, abs=1e-6)


def test_the_command_takes_the_port_that_it_is_told(lab: Any) -> None:
    argv = [sys.executable, str(SOURCE), "--host", "127.0.0.1", "--port", str(lab.server_port)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    # A taken one: on a free one it would run on. That it then answers is shown by its container.
    assert done.returncode == 1 and "Address already in use" in done.stderr
