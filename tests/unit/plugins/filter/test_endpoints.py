# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.cozeops.studio.plugins.filter.endpoints import embedding_refusal, endpoint_lines, endpoints_to_ask

FOUND = {"collections": [{"name": "opencoze_1", "dims": {"dense": 1024}}, {"name": "opencoze_2", "dims": {"dense": 512}}]}


def test_only_collections_of_another_length_are_in_the_way_of_another_length() -> None:
    text = embedding_refusal({"dims": [1024, 512]}, FOUND, "coze")
    assert "(dims 1024 -> 512)" in text
    assert "opencoze_1 has vectors of 1024" in text
    assert "opencoze_2" not in text
    assert "set coze_server_embedding_confirm: coze" in text


def test_every_collection_is_in_the_way_of_another_model() -> None:
    text = embedding_refusal({"model": ["bge-m3", "ada"], "dims": [1024, 512]}, FOUND, "coze")
    assert "(model bge-m3 -> ada, dims 1024 -> 512)" in text
    assert "opencoze_1 has vectors of 1024; opencoze_2 has vectors of 512" in text


def test_an_embedding_model_that_is_taken_away_leaves_them_all_behind() -> None:
    assert "(model bge-m3 -> none)" in embedding_refusal({"model": ["bge-m3", None]}, FOUND, "coze")


@pytest.mark.parametrize("change", [{"dims": [1024, 512]}, {"model": ["a", "b"]}])
def test_nothing_is_in_the_way_where_there_is_no_knowledge_base(change: dict[str, list[object]]) -> None:
    assert embedding_refusal(change, {"collections": []}, "coze") == ""


def test_what_cannot_be_told_is_not_taken_for_nothing() -> None:
    text = embedding_refusal({"dims": [1024, 512]}, {"msg": "via_container: container coze-milvus is not running (exited)"}, "coze")
    assert "cannot be told: via_container: container coze-milvus is not running (exited). Start Milvus" in text


def model(name: str, **given: str) -> dict[str, str]:
    return {"name": name, "protocol": "openai", "base_url": "http://llm/v1", "model": "m", "api_key": "sk-1", **given}


def test_each_endpoint_is_asked_once_and_its_key_is_no_part_of_the_loop() -> None:
    models = [model("A"), model("B"), model("C", api_key="sk-2"), model("D", protocol="claude"), model("E", base_url=""), model("F", protocol="ollama")]
    assert endpoints_to_ask(models) == [{"index": 0, "name": "A"}, {"index": 2, "name": "C"}, {"index": 5, "name": "F"}]


GOOD_CHAT = {"endpoint": {"name": "A"}, "problems": [], "latency": {"plain": 0.4, "first_token": 0.1, "stream": 0.5, "pieces": 7}}
GOOD_VECTORS = {"problems": [], "dims": 1024, "batch": 100, "latency": {"single": 0.1, "batch": 0.3}}


def test_good_endpoints_are_a_line_each() -> None:
    assert endpoint_lines([GOOD_CHAT], GOOD_VECTORS, "bge") == [
        "chat     ok      A  answered after 0.40 s; stream of 7 pieces, the first after 0.10 s",
        "vectors  ok      bge  vectors of 1024 numbers, 100 texts at once in 0.30 s",
    ]


def test_what_is_wrong_is_told_with_its_cure() -> None:
    problems = [{"problem": "HTTP 404.", "cure": "Add /v1"}, {"problem": "No stream", "cure": "Turn it on."}]
    assert endpoint_lines([{**GOOD_CHAT, "problems": problems}], {}) == ["chat     FAILED  A  HTTP 404. Add /v1. No stream. Turn it on."]


def test_a_module_that_could_not_do_its_work_is_no_success() -> None:
    lines = endpoint_lines([{"endpoint": {"name": "A"}, "msg": "via_container: there is no container x"}], {"msg": "no docker"}, "bge")
    assert lines == ["chat     FAILED  A  via_container: there is no container x", "vectors  FAILED  bge  no docker"]


@pytest.mark.parametrize("nothing", [{}, {"skipped": True, "skip_reason": "Conditional result was False"}])
def test_what_was_not_asked_has_no_line(nothing: dict[str, object]) -> None:
    assert endpoint_lines([], nothing) == []
