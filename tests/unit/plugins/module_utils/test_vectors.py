# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._vectors import VectorError, collections, dims_of, misfits

NEW = {"fields": [{"name": "id", "type": "Int64"}, {"name": "dense", "type": "FloatVector", "params": [{"key": "dim", "value": "1024"}]}]}
OLD = {"fields": [{"name": "id", "type": "Int64"}, {"name": "dense", "type": "FloatVector(768)"}]}


class Milvus:
    """Answers as one of the two versions does: what it does not know is 404."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.asked = answers, [""][:0]

    def __call__(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, bytes]:
        self.asked.append("%s %s %s" % (method, path, json.dumps(body)))
        if path not in self.answers:
            return 404, b"404 page not found"
        answer = self.answers[path]
        return answer if isinstance(answer, tuple) else (200, json.dumps(answer).encode())


def test_the_newer_interface_is_asked_first() -> None:
    milvus = Milvus({
        "/v2/vectordb/collections/list": {"code": 0, "data": ["opencoze_2", "other", "opencoze_1"]},
        "/v2/vectordb/collections/describe": {"code": 0, "data": NEW},
    })
    assert collections(milvus, "opencoze_") == [{"name": "opencoze_1", "dims": {"dense": 1024}}, {"name": "opencoze_2", "dims": {"dense": 1024}}]
    assert milvus.asked[1] == 'POST /v2/vectordb/collections/describe {"collectionName": "opencoze_1"}'


def test_the_older_interface_is_asked_where_the_newer_is_missing() -> None:
    milvus = Milvus({
        "/v1/vector/collections": {"code": 200, "data": ["a&b"]},
        "/v1/vector/collections/describe?collectionName=a%26b": {"code": 200, "data": OLD},
    })
    assert collections(milvus, "") == [{"name": "a&b", "dims": {"dense": 768}}]


def test_no_collection_is_an_empty_list() -> None:
    assert collections(Milvus({"/v2/vectordb/collections/list": {"code": 0, "data": []}}), "") == []


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ({}, "neither version of Milvus's HTTP interface"),
        ({"/v2/vectordb/collections/list": {"code": 1800, "message": "user hasn't authenticated"}}, "user hasn't authenticated"),
        ({"/v2/vectordb/collections/list": (500, b"oops")}, "HTTP 500: oops"),
        ({"/v2/vectordb/collections/list": (200, b"")}, "HTTP 200: (empty)"),
        ({"/v2/vectordb/collections/list": {"code": 0, "data": None}, "/v1/vector/collections": (404, b"")}, "neither version"),
    ],
)
def test_what_is_no_answer_is_told(answers: dict[str, Any], text: str) -> None:
    with pytest.raises(VectorError) as caught:
        collections(Milvus(answers), "")
    assert text in str(caught.value)


def test_only_vectors_have_a_length() -> None:
    assert dims_of({"fields": [{"name": "text", "type": "VarChar", "params": [{"key": "max_length", "value": "9"}]}]}) == {}
    assert dims_of(None) == {}
    assert dims_of({"fields": [{"name": "sparse", "type": "SparseFloatVector", "params": None}]}) == {}


def test_collections_of_other_lengths_do_not_fit() -> None:
    found = [{"name": "a", "dims": {"x": 768}}, {"name": "b", "dims": {"x": 1024, "y": 1024}}, {"name": "c", "dims": {}}]
    assert misfits(found, 1024) == ["a has vectors of 768", "c has vectors of unknown length"]
    assert misfits(found, None) == ["a has vectors of 768", "b has vectors of 1024", "c has vectors of unknown length"]
