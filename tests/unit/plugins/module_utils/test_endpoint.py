# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import http.server
import threading
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _endpoint as endpoint
from ansible_collections.cozeops.studio.plugins.module_utils._endpoint import Endpoint, EndpointError, settings_problems, status_problem, trouble
from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import url_problems
from hypothesis import given
from hypothesis import strategies as st

KEY = "sk-secret-0123"


@contextlib.contextmanager
def answering(status: int, body: str = "", headers: dict[str, str] | None = None) -> t.Iterator[str]:
    """A server that gives one and the same answer to everything; its base_url."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET

        def log_message(self, *dummy: t.Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield "http://127.0.0.1:%d/v1" % server.server_port
        server.shutdown()


def verdict(status: int, body: str = "", headers: dict[str, str] | None = None, key: str = KEY) -> str:
    """What is said of such an answer, problem and cure in one line."""
    with answering(status, body, headers) as base:
        asked = Endpoint(base, key, 5)
        reply = asked.post("/chat/completions", {"model": "m"})
        return endpoint.sentences([status_problem(asked, reply, "openai", "/chat/completions", "m")])


# --- before any request


@pytest.mark.parametrize(
    ("url", "path", "problem", "cure"),
    [
        ("http://h/v1/chat/completions", "/chat/completions", "ends in /chat/completions, which the client appends itself", "the part of the address before"),
        ("http://h/v1/embeddings/", "/embeddings", "ends in /embeddings", "such as http://host:8000/v1"),
        ("http://h:11434/api/chat", "/api/chat", "ends in /api/chat", "Leave it out"),
        ("http://h/embedding", "/embedding", "ends in /embedding", "Leave it out"),
        ("h:8000/v1", "/chat/completions", "is no URL", "http:// or https://"),
        ("http://[::1", "/chat/completions", "is no URL", "such as http://host:8000/v1"),
        ("http://h/v1?api-version=1", "/chat/completions", "has a query", "Leave it out"),
        ("http://user:pass@h/v1", "/chat/completions", "has a user or a password", "api_key"),
    ],
)
def test_an_address_that_cannot_be_right(url: str, path: str, problem: str, cure: str) -> None:
    found = settings_problems(url, path, "", None)
    assert problem in found[0]["problem"] and cure in found[0]["cure"]
    assert len(found) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "x.localhost"])
def test_a_loopback_is_wrong_in_a_container_only(host: str) -> None:
    url = "http://%s:11434/v1" % host
    assert settings_problems(url, "/embeddings", "", None) == []
    found = settings_problems(url, "/embeddings", "", "coze-coze-server")
    assert "inside the container is the container" in found[0]["problem"]
    assert "host.docker.internal" in found[0]["cure"]
    assert endpoint.is_loopback_url(url)


def test_the_linter_speaks_of_a_loopback_as_it_is_expected_here() -> None:
    # _endpoint tells these findings from the others by how they begin.
    assert [message for message in url_problems("http://localhost/v1") if message.startswith("has the host ")]
    assert not endpoint.is_loopback_url("http://llm.example.com/v1")


@pytest.mark.parametrize("key", ["sk-1\n", "sk 1", "ключ", "\u00a0sk"])
def test_a_key_that_was_copied_badly(key: str) -> None:
    (found,) = settings_problems("http://h/v1", "/embeddings", key, None)
    assert found["problem"].startswith("api_key has a blank")
    assert key.strip() not in str(found)


@given(st.text(max_size=60), st.text(max_size=10))
def test_any_address_gets_a_verdict_that_does_not_repeat_it(url: str, key: str) -> None:
    for found in settings_problems(url, "/embeddings", key, "c"):
        assert found["problem"] and found["cure"]
    assert isinstance(endpoint.url_secrets(url), list)


def test_secrets_of_an_address() -> None:
    assert endpoint.url_secrets("http://u:p%40ss@h/v1?key=abcd&n=1") == ["abcd", "p%40ss", "p@ss"]
    assert endpoint.url_secrets("http://h/v1") == []


# --- statuses


@pytest.mark.parametrize(
    ("status", "body", "headers", "says"),
    [
        (401, '{"error": {"message": "bad key"}}', {}, "The endpoint refuses the key (HTTP 401: bad key). Set api_key to a key"),
        (403, "", {}, "refuses the key (HTTP 403: (empty))"),
        (403, "<html>denied</html>", {"Via": "1.1 squid"}, "A proxy is in the way (HTTP 403"),
        (407, "", {"Proxy-Authenticate": "Basic"}, "NO_PROXY has to name this host"),
        (503, "", {"X-Squid-Error": "ERR_CONNECT_FAIL 111"}, "A proxy is in the way"),
        (502, "<html>nginx</html>", {}, "A gateway answers so too if the server behind it does not run"),
        (301, "", {"Location": "https://h/v1?token=c0ffee"}, "The endpoint sends elsewhere (HTTP 301, to https://h/v1)."),
        (429, '{"error": {"message": "slow down"}}', {"Retry-After": "20"}, "says to come again after 20 s (HTTP 429: slow down)"),
        (429, "", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "has had too many requests (HTTP 429"),
        (400, '{"error": {"message": "Model Not Exist"}}', {}, "does not know the model m (HTTP 400: Model Not Exist)"),
        (400, '{"error": "context too long"}', {}, "The endpoint refuses the request (HTTP 400: context too long)"),
        (404, '{"error": {"message": "The model `m` does not exist.", "code": "model_not_found"}}', {}, "does not know the model m"),
        (404, "404 page not found", {}, "There is no /chat/completions below base_url (HTTP 404: 404 page not found)"),
        (405, '{"detail": "Method Not Allowed"}', {}, "There is no /chat/completions below base_url (HTTP 405: Method Not Allowed)"),
        (500, '{"message": "boom"}', {}, "The endpoint fails (HTTP 500: boom). See its log"),
        (402, '{"error": {"message": "Insufficient Balance"}}', {}, "refuses the request (HTTP 402: Insufficient Balance)"),
    ],
)
def test_what_a_status_means(status: int, body: str, headers: dict[str, str], says: str) -> None:
    assert says in verdict(status, body, headers)


def test_a_missing_key_is_no_wrong_key() -> None:
    assert "The endpoint wants a key" in verdict(401, key="")


def test_an_endpoint_that_repeats_the_key_does_not_bring_it_into_the_output() -> None:
    with answering(401, '{"error": {"message": "Incorrect API key provided: %s"}}' % KEY, {"Location": KEY}) as base:
        asked = Endpoint(base, KEY, 5)
        reply = asked.post("/chat/completions", {"model": "m"})
        found = status_problem(asked, reply, "openai", "/chat/completions", "m")
        assert KEY not in str((found, asked.sent, asked.received))
        assert asked.sent[0]["headers"]["Authorization"] == "Bearer ********"


def test_no_answer_is_recorded_too() -> None:
    asked = Endpoint("http://127.0.0.1:1/v1", KEY, 5)
    with pytest.raises(EndpointError, match="refuses connections") as caught:
        asked.post("/embeddings", {})
    assert "127.0.0.1 only" in caught.value.found["cure"]
    assert (len(asked.sent), asked.received[0]["status"]) == (1, None)


def test_long_things_are_shown_short() -> None:
    with answering(200, "x" * 5000) as base:
        asked = Endpoint(base, "", 5)
        asked.post("/embeddings", {"input": ["t" * 1000] * 10})
        assert asked.sent[0]["body"]["input"][3:] == ["... and 7 more"]
        assert len(asked.sent[0]["body"]["input"][0]) == len(asked.received[0]["body"]) - 4 == 400


# --- models


def test_the_nearest_models_are_named_first() -> None:
    found = endpoint.unknown_model("qwen2.5", ["gpt-%d" % number for number in range(30)] + ["qwen2.5:7b"], "HTTP 404")
    assert "it offers qwen2.5:7b, gpt-0," in found["problem"] and found["problem"].endswith("and 11 more")
    assert found["cure"] == "Set model to one of these: is qwen2.5:7b meant?"


def test_a_model_of_the_wrong_kind() -> None:
    found = endpoint.unknown_model("bge-m3", ["bge-m3"], "HTTP 404")
    assert "lists the model bge-m3, but not for this use" in found["problem"]


def test_ollama_leaves_the_tag_latest_out() -> None:
    assert endpoint.listed("qwen", ["qwen:latest"])
    assert not endpoint.listed("qwen", ["qwen:7b"])


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ('{"data": [{"id": "a"}, {"id": 1}, "x"]}', ["a"]),
        ('{"data": []}', None),
        ('{"data": {}}', None),
        ("[]", None),
        ("<html>", None),
    ],
)
def test_lists_of_models(body: str, names: list[str] | None) -> None:
    with answering(200, body) as base:
        assert Endpoint(base, "", 5).models("openai") == names


# --- bodies


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "", "{", "\ufeff{}", "[" * 100_000])
def test_what_is_no_json(text: str) -> None:
    assert endpoint.parsed(text.encode()) is None


@given(st.binary(max_size=200))
def test_any_body_has_a_message(body: bytes) -> None:
    assert endpoint.error_message(body)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error": {"message": "a"}}', "a"),
        (b'{"error": "b"}', "b"),
        (b'{"message": "c", "code": 1}', "c"),
        (b'{"detail": "d"}', "d"),
        (b'{"error": {"code": 5}}', '{"error": {"code": 5}}'),
        (b"[1]", "[1]"),
        (b"", "(empty)"),
    ],
)
def test_error_messages_of_all_forms(body: bytes, text: str) -> None:
    assert endpoint.error_message(body) == text


def test_sentences_end_once() -> None:
    assert endpoint.sentences([trouble("A", "B?"), trouble("C.", "D")]) == "A. B?\nC. D."
