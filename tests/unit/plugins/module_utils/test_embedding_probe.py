# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _embedding_probe as embedding
from ansible_collections.cozeops.studio.plugins.module_utils._embedding_probe import Unusable, Vectors, Wish, cosine, read_vectors
from ansible_collections.cozeops.studio.plugins.module_utils._endpoint import trouble
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.lists(st.floats(-1e3, 1e3).filter(lambda number: abs(number) > 1e-3), min_size=3, max_size=3)


def data(*vectors: t.Any) -> dict[str, t.Any]:
    return {"data": [{"object": "embedding", "index": number, "embedding": vector} for number, vector in enumerate(vectors)]}


def test_vectors_and_their_places() -> None:
    assert read_vectors("openai", data([1, 0.5]), 1) == ([[1.0, 0.5]], [0])
    assert read_vectors("ark", {"data": [{"embedding": [1]}]}, 1) == ([[1.0]], [])
    assert read_vectors("ollama", {"embeddings": [[1, 2]]}, 1) == ([[1.0, 2.0]], [])
    assert read_vectors("http", {"dense": [[1, 2]], "sparse": None}, 1) == ([[1.0, 2.0]], [])


@pytest.mark.parametrize(
    ("kind", "payload", "wanted", "says"),
    [
        ("openai", {}, 1, "no list data"),
        ("openai", {"data": ["x"]}, 1, "no list data"),
        ("ollama", {"embedding": [1]}, 1, "no list embeddings"),
        ("http", {"dense": None}, 1, "no list dense"),
        ("openai", data([1], [2]), 3, "texts: 3, vectors: 2"),
        ("openai", data([1], [2, 3]), 2, "different lengths: 1, 2"),
        ("openai", data("AACAPw=="), 1, "base64"),
        ("openai", data([]), 1, "no list of numbers"),
        ("openai", data(None), 1, "no list of numbers"),
        ("openai", data(["0.1"]), 1, "something else than numbers in it: '0.1'"),
        ("openai", data([True]), 1, "something else than numbers in it: True"),
        ("openai", data([math.inf]), 1, "not finite"),
        ("openai", data([0, 0.0]), 1, "all zeros"),
    ],
)
def test_vectors_that_are_wrong(kind: str, payload: dict[str, t.Any], wanted: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_vectors(kind, payload, wanted)


@given(NUMBERS, NUMBERS, st.floats(0.01, 100))
def test_cosine(one: list[float], other: list[float], factor: float) -> None:
    assert cosine(one, [factor * number for number in one]) == pytest.approx(1)
    assert cosine(one, [-number for number in one]) == pytest.approx(-1)
    assert cosine(one, other) == pytest.approx(cosine(other, one))  # pylint: disable=arguments-out-of-order
    assert -1.0001 <= cosine(one, other) <= 1.0001


def test_cosine_of_different_lengths() -> None:
    assert cosine([1.0], [1.0, 2.0]) == 0


@given(st.lists(st.text(max_size=3), min_size=2, max_size=6, unique=True), st.integers(1, 60))
def test_a_batch_has_its_size_and_its_ends(texts: list[str], size: int) -> None:
    batch = embedding.batch_texts(texts, size)
    assert len(batch) == size
    assert batch[0] == texts[0]
    assert size == 1 or batch[-1] == texts[1]


@given(st.integers(2, 2048), st.data())
def test_the_largest_batch_is_found(refused: int, source: st.DataObject) -> None:
    limit = source.draw(st.integers(1, refused - 1))
    asked: list[int] = []

    def ask(size: int) -> Vectors:
        asked.append(size)
        if size > limit:
            raise Unusable(trouble("no", ""), None)
        return Vectors([[float(size)]], [], 0.0)

    works, answer = embedding.largest(ask, refused)
    assert works == limit
    assert (answer.vectors[0][0] if answer else 1) == limit
    assert len(asked) <= embedding.MOST_TRIES


def test_requests_are_what_the_product_sends() -> None:
    assert embedding.request_body("openai", "m", ["a"], 64) == {"model": "m", "input": ["a"], "encoding_format": "float", "dimensions": 64}
    assert embedding.request_body("openai", "m", ["a"], 0) == {"model": "m", "input": ["a"], "encoding_format": "float"}
    assert embedding.request_body("ollama", "m", ["a"], 0) == {"model": "m", "input": ["a"]}
    assert embedding.request_body("http", "", ["a"], 0) == {"texts": ["a"], "need_sparse": False}


def wish(kind: str = "openai", dims: int = 1024) -> Wish:
    return Wish(kind, "m", dims, 100, ["a", "b"], "auto")


@pytest.mark.parametrize(
    ("kind", "dims", "right"),
    [("openai", 1024, True), ("openai", 768, False), ("ark", 2048, True), ("ark", 768, False), ("http", 2048, False)],
)
def test_only_ark_cuts_longer_vectors_to_size(kind: str, dims: int, right: bool) -> None:
    found = embedding.dims_problems(wish(kind), dims, 0, None)
    assert (not found) == right
    if found:
        assert "vectors of %d numbers, not 1024" % dims in found[0]["problem"]
        assert "Set dims to %d (%s_EMBEDDING_DIMS)" % (dims, kind.upper()) in found[0]["cure"]


def test_dims_of_0_are_any() -> None:
    assert embedding.dims_problems(wish(dims=0), 5, 0, None) == []


A, B, C = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("vectors", "indexes", "says"),
    [
        ([A, C, B], [0, 1, 2], ""),
        ([A, C, B], [], ""),
        ([B, C, A], [2, 1, 0], "in another order than the texts (index 2, 1, 0 ...)"),
        ([C, A, B], [0, 1, 2], "that of the first text is at place 2 of 3"),
        ([A, B, C], [], "that of the last text is at place 2 of 3"),
        ([A, C, C], [], "The last text of a batch got another vector than it gets alone"),
    ],
)
def test_order_of_a_batch(vectors: list[list[float]], indexes: list[int], says: str) -> None:
    found = embedding.order_problems(Vectors(vectors, indexes, 0.0), A, B)
    assert says in (found[0]["problem"] if found else "")
    assert bool(found) == bool(says)
