# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.modules import embedding_endpoint
from ansible_collections.cozeops.studio.tests.unit.plugins.model_server import KEY, server, serving
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

Call = t.Callable[..., dict[str, t.Any]]
FOUND = ("dims", "batch", "accepts_dimensions")


@pytest.fixture(scope="module")
def lab() -> t.Iterator[t.Any]:
    with serving() as running:
        yield running


@pytest.fixture
def call(lab: t.Any, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(model: str | None = "lab-embed", base: str = "/v1", check: bool = False, **args: t.Any) -> dict[str, t.Any]:
        lab.seen.clear()
        given = {"base_url": lab.root + base, "model": model, "api_key": KEY, "batch_size": 20, "timeout": 10, **args}
        return run_main(embedding_endpoint.main, capsys, {key: value for key, value in given.items() if value is not None}, check)

    return run


def found(result: dict[str, t.Any]) -> tuple[t.Any, ...]:
    return tuple(result[key] for key in FOUND)


@pytest.mark.parametrize("check", [False, True])
def test_a_good_model_is_proved_and_nothing_is_changed(lab: t.Any, call: Call, check: bool) -> None:
    for dummy in range(2):
        result = call(check=check)
        assert (result["failed"], result["changed"], result["problems"]) == (False, False, [])
        assert found(result) == (1024, 20, True)
        assert list(lab.seen) == ["POST /v1/embeddings 200"] * 4
        assert 0 <= result["latency"]["single"] < 10 and 0 < result["latency"]["batch"] < 10


def test_the_defaults_are_those_of_the_server(call: Call) -> None:
    assert found(call(batch_size=None)) == (1024, 100, True)


def test_what_was_sent_and_received_is_returned_in_short(lab: t.Any, call: Call) -> None:
    result = call()
    sent = result["sent"]
    assert sent[0]["url"] == lab.root + "/v1/embeddings"
    assert sent[0]["body"] == {"model": "lab-embed", "input": embedding_endpoint.INPUT[:1], "encoding_format": "float", "dimensions": 1024}
    assert sent[2]["body"]["input"][-1] == "... and 17 more"
    assert sent[0]["headers"]["Authorization"] == "Bearer ********"
    assert len(result["received"]) == 4 and max(len(one["body"]) for one in result["received"]) < 500


FAULTS = {
    "768": ["makes vectors of 768 numbers, not 1024", "Set dims to 768 (OPENAI_EMBEDDING_DIMS)", "make them anew"],
    "batch-10": ["A batch of 20 texts fails (HTTP 400", "not be larger than 10", "Set batch_size (EMBEDDING_MAX_BATCH_SIZE) to 10, the largest that works"],
    "shuffled": ["come in another order than the texts (index 19, 18, 17 ...)", "keep the order"],
    "misordered": ["in the wrong order: that of the first text is at place 20 of 20"],
    "few": ["A batch of 20 texts fails", "texts: 20, vectors: 19"],
    "nan": ["has NaN or Infinity for numbers, which is no JSON"],
    "strings": ["a vector has something else than numbers in it"],
    "ragged": ["the vectors of one answer have different lengths: 1023, 1024"],
    "base64": ["a vector is text (base64, it seems)"],
    "random": ["The same text got another vector the second time"],
    "image": ["refuses the request (HTTP 400: Model lab-embed-image does not support this api", "a model for embeddings of texts"],
    "500": ["The endpoint fails (HTTP 500"],
    "no-dimensions": ['refuses "dimensions", which the server would send: dimensions is currently not supported', "OPENAI_EMBEDDING_DIMS=0", "REQUEST_DIMS"],
}


def test_every_fault_of_the_server_is_in_the_table() -> None:
    assert set(FAULTS) == set(server.EMBED_FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_what_to_do(lab: t.Any, call: Call, fault: str) -> None:
    result = call("lab-embed-" + fault, send_dimensions="true")
    assert (result["failed"], result["changed"]) == (True, False)
    for text in FAULTS[fault]:
        assert text in result["msg"]
    assert all(one["problem"] and one["cure"] for one in result["problems"])
    assert len(lab.seen) <= 20


@pytest.mark.parametrize(
    ("model", "args", "wanted"),
    [
        ("lab-embed-no-dimensions", {}, (1024, 20, False)),
        ("lab-embed-no-dimensions", {"send_dimensions": "false"}, (1024, 20, None)),
        ("lab-embed-768", {"dims": 768}, (768, 20, True)),
        ("lab-embed-768", {"dims": 0}, (768, 20, None)),
        ("lab-embed", {"dims": 512}, (512, 20, True)),
        ("lab-embed-batch-10", {"batch_size": 10}, (1024, 10, True)),
        ("lab-embed-shuffled", {"batch_size": 1}, (1024, 1, True)),
    ],
)
def test_what_fits_is_no_problem(call: Call, model: str, args: dict[str, t.Any], wanted: tuple[t.Any, ...]) -> None:
    result = call(model, **args)
    assert (result["failed"], result.get("msg")) == (False, None)
    assert found(result) == wanted


def test_dimensions_that_are_not_sent_do_not_shorten(call: Call) -> None:
    result = call(dims=512, send_dimensions="false")
    assert "makes vectors of 1024 numbers, not 512. Set dims to 1024" in result["msg"]


def test_several_problems_are_told_at_once(call: Call) -> None:
    result = call("lab-embed-batch-10", dims=512, send_dimensions="false")
    assert len(result["problems"]) == 2
    assert result["msg"].count("\n") == 1


@pytest.mark.parametrize("size", [11, 2048])
def test_the_search_for_the_largest_batch_is_bounded(lab: t.Any, call: Call, size: int) -> None:
    result = call("lab-embed-batch-10", batch_size=size)
    assert result["batch"] == 10
    assert len(lab.seen) <= 20


def test_the_search_tells_the_order_too(lab: t.Any, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    real = server.embeddings

    def both(model: str, fault: str, body: dict[str, t.Any]) -> t.Any:
        real(model, "batch-10", body)
        return real(model, "misordered", body)

    monkeypatch.setattr(server, "embeddings", both)
    result = call()
    assert result["batch"] == 10
    assert "that of the first text is at place 10 of 10" in result["msg"]


# --- types


@pytest.mark.parametrize(("kind", "base", "wanted"), [("ark", "/api/v3", (1024, 20, None)), ("ollama", "", (1024, 20, None)), ("http", "", (1024, 20, None))])
def test_other_types(call: Call, kind: str, base: str, wanted: tuple[t.Any, ...]) -> None:
    result = call(type=kind, base=base, model=None if kind == "http" else "lab-embed")
    assert (result["failed"], result.get("msg")) == (False, None)
    assert found(result) == wanted


def test_longer_vectors_of_an_ark_are_cut_to_size(call: Call) -> None:
    assert call(type="ark", base="/api/v3", dims=512)["failed"] is False


def test_dims_of_an_ollama(call: Call) -> None:
    assert "Set dims to 768 (OLLAMA_EMBEDDING_DIMS)" in call("lab-embed-768", type="ollama", base="")["msg"]


@pytest.mark.parametrize(
    ("status", "says"),
    [(b"1\n", "coze-server then supposes 3"), (b"2", "the bare digit 1"), (b"x", "GET /support_status answers HTTP 200 with 'x'"), (b"3", "")],
)
def test_support_status_of_the_own_protocol(call: Call, monkeypatch: pytest.MonkeyPatch, status: bytes, says: str) -> None:
    real = server.Handler.do_GET
    monkeypatch.setattr(server.Handler, "do_GET", lambda self: self.send_bytes(200, status, "text/plain") if self.path == "/support_status" else real(self))
    result = call(type="http", base="", model=None)
    assert result["failed"] is bool(says)
    assert says in result.get("msg", "")


def test_sparse_vectors_that_are_announced_have_to_come(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.Handler, "do_GET", lambda self: self.send_bytes(200, b"3", "text/plain"))
    monkeypatch.setattr(server.Handler, "coze_embed", lambda self, body: self.send_json(200, {"dense": [server.vector(text) for text in body["texts"]]}))
    assert "announces sparse vectors, but /embedding with need_sparse gives none" in call(type="http", base="", model=None)["msg"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"type": "gemini"}, "Endpoints of the type gemini are not asked"),
        ({"model": None}, "model is missing"),
        ({"type": "ark", "send_dimensions": "true"}, "the server sends no dimensions to endpoints of the type ark"),
        ({"dims": -1}, "dims is -1"),
        ({"dims": 99999}, "the most that Milvus takes"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"input": ["a", "a"]}, "two different texts"),
        ({"input": ["a", " "]}, "none without letters"),
        ({"base": "/v1/embeddings"}, "base_url ends in /embeddings"),
        ({"base_url": "http://localhost:8000/v1", "via_container": "c"}, "inside the container is the container"),
        ({"api_key": "sk \n"}, "api_key has a blank, a line end"),
    ],
)
def test_options_that_cannot_be_right_are_refused_before_any_request(lab: t.Any, call: Call, args: dict[str, t.Any], says: str) -> None:
    result = call(**args)
    assert result["failed"] is True
    assert says in result["msg"]
    assert (list(lab.seen), result["sent"], result["dims"]) == ([], [], None)


# --- the address, the key, the model


def test_v1_is_missing(lab: t.Any, call: Call) -> None:
    assert "Set base_url to %s/v1." % lab.root in call(base="")["msg"]


def test_an_unknown_model(call: Call) -> None:
    assert "is lab-embed meant?" in call("lab-embd")["msg"]


def test_a_chat_model_makes_no_vectors(call: Call) -> None:
    assert "lists the model lab-chat, but not for this use" in call("lab-chat")["msg"]


def test_a_wrong_key_is_asked_for_once(lab: t.Any, call: Call) -> None:
    assert "refuses the key (HTTP 401" in call(api_key="sk-of-somebody-else")["msg"]
    assert len(lab.seen) == 1


@pytest.mark.parametrize("model", ["lab-embed", "lab-embed-500", "lab-embed-batch-10", "nothing"])
def test_the_key_is_in_no_output(call: Call, model: str) -> None:
    assert KEY not in json.dumps(call(model))
