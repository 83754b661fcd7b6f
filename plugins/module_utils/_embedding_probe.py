# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to this collection: whether an embedding endpoint gives the vectors that coze-server needs.

The server takes the vectors of an answer in the order in which they come, whatever their ``index`` says, and Milvus refuses one whose length is
not that of its collection. Only the client for ark cuts a longer vector to size.
"""

from __future__ import annotations

import math
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ansible_collections.cozeops.studio.plugins.module_utils._endpoint import (
    Endpoint,
    EndpointError,
    Json,
    Problem,
    Reply,
    error_message,
    not_json,
    parsed,
    rounded,
    status_problem,
    trouble,
)

#: Types of which the requests are known here; that of gemini is another one.
PATHS = {"openai": "/embeddings", "ark": "/embeddings", "ollama": "/api/embed", "http": "/embedding"}
PREFIX = {"openai": "OPENAI_EMBEDDING", "ark": "ARK_EMBEDDING", "ollama": "OLLAMA_EMBEDDING", "http": "HTTP_EMBEDDING"}
SUPPORT_STATUS = "/support_status"
DENSE, DENSE_AND_SPARSE = 1, 3
MOST = 64 * 1024 * 1024  # bytes of an answer
MOST_TRIES = 12  # requests to find the largest batch
SAME = 0.99  # cosine of two vectors of one text: batches are computed in another order of additions
TOO_MANY = (400, 413, 422)  # what a batch that is too large is refused with

Vector = list[float]


class Wish(t.NamedTuple):
    """What the endpoint has to do."""

    kind: str
    model: str
    dims: int  # 0: any
    batch_size: int
    texts: Sequence[str]
    send_dimensions: str  # auto, true or false


@dataclass
class Result:
    problems: list[Problem] = field(default_factory=list)
    dims: int | None = None
    batch: int | None = None
    accepts_dimensions: bool | None = None
    single_seconds: float | None = None
    batch_seconds: float | None = None

    @property
    def latency(self) -> dict[str, float | None]:
        return {"single": rounded(self.single_seconds), "batch": rounded(self.batch_seconds)}


class Unusable(Exception):
    """An answer without vectors."""

    def __init__(self, found: Problem, reply: Reply | None) -> None:
        super().__init__(found["problem"])
        self.found = found
        self.reply = reply


class Vectors(t.NamedTuple):
    """The vectors of an answer, in its own order, and the place of each text in it by the indexes that it gives (empty if it gives none)."""

    vectors: list[Vector]
    indexes: list[int]
    seconds: float


# --- requests and answers


def request_body(kind: str, model: str, texts: Sequence[str], dims: int) -> Json:
    """``dims`` is 0 if it is not to be sent."""
    if kind == "http":
        return {"texts": list(texts), "need_sparse": False}
    if kind == "ollama":
        return {"model": model, "input": list(texts)}
    body: Json = {"model": model, "input": list(texts), "encoding_format": "float"}
    return {**body, "dimensions": dims} if dims else body


def read_vectors(kind: str, payload: Json, wanted: int) -> tuple[list[Vector], list[int]]:
    """Vectors and indexes of an answer to ``wanted`` texts. Raises ValueError with what is wrong."""
    if kind in ("openai", "ark"):
        data = payload.get("data")
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            raise ValueError("the answer has no list data of objects with an embedding")
        raw = [item.get("embedding") for item in data]
        indexes = [item["index"] for item in data if isinstance(item.get("index"), int)]
    else:
        name = "dense" if kind == "http" else "embeddings"
        if not isinstance(payload.get(name), list):
            raise ValueError("the answer has no list %s" % name)
        raw, indexes = payload[name], []
    vectors = [read_vector(one) for one in raw]
    if len(vectors) != wanted:
        raise ValueError("texts: %d, vectors: %d" % (wanted, len(vectors)))
    sizes = sorted({len(vector) for vector in vectors})
    if len(sizes) > 1:
        raise ValueError("the vectors of one answer have different lengths: %s" % ", ".join(map(str, sizes)))
    return vectors, indexes if len(indexes) == len(vectors) else []


def read_vector(raw: t.Any) -> Vector:
    """Raises ValueError with what is wrong."""
    if isinstance(raw, str):
        raise ValueError("a vector is text (base64, it seems) although encoding_format float was asked for")
    if not isinstance(raw, list) or not raw:
        raise ValueError("a vector is no list of numbers")
    for number in raw:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise ValueError("a vector has something else than numbers in it: %.40r" % (number,))
        if not math.isfinite(number):
            raise ValueError("a vector has a number in it that is not finite")
    if not any(raw):
        raise ValueError("a vector is all zeros")
    return [float(number) for number in raw]


def cosine(one: Vector, other: Vector) -> float:
    """-1 to 1; 0 for vectors of different lengths."""
    if len(one) != len(other):
        return 0.0
    return sum(a * b for a, b in zip(one, other)) / (math.hypot(*one) * math.hypot(*other))


def embed(endpoint: Endpoint, wish: Wish, texts: Sequence[str], dims: int) -> Vectors:
    """One request. Raises Unusable, with the reply if there was one that was refused."""
    path = PATHS[wish.kind]
    try:
        reply = endpoint.post(path, request_body(wish.kind, wish.model, texts, dims), MOST)
    except EndpointError as exc:
        raise Unusable(exc.found, None) from exc
    if reply.status != 200:
        if len(texts) > 1 and reply.status in TOO_MANY:
            raise Unusable(trouble("HTTP %d: %s" % (reply.status, endpoint.hide(error_message(reply.body))), ""), reply)
        raise Unusable(status_problem(endpoint, reply, _family(wish.kind), path, wish.model), reply)
    payload = parsed(reply.body)
    if not isinstance(payload, dict):
        raise Unusable(not_json(endpoint, reply, _family(wish.kind)), None)
    if payload.get("error"):
        raise Unusable(trouble("The endpoint reports an error, although with HTTP 200: %s" % endpoint.hide(error_message(reply.body)), "See its log"), None)
    try:
        vectors, indexes = read_vectors(wish.kind, payload, len(texts))
    except ValueError as exc:
        problem = "The vectors are not as they have to be: %s" % endpoint.hide(str(exc))
        raise Unusable(trouble(problem, "Use another model or model server. A gateway in between may have changed the answer too"), None) from exc
    return Vectors(vectors, indexes, reply.seconds)


def _family(kind: str) -> str:
    return "openai" if kind == "ark" else kind


# --- the probe


def probe(endpoint: Endpoint, wish: Wish) -> Result:
    """All that can be found out. The first request decides whether there is more to ask."""
    result = Result()
    if wish.kind == "http":
        result.problems += support_problems(endpoint)
    try:
        first, sent_dims = _first(endpoint, wish, result)
    except Unusable as exc:
        result.problems.append(exc.found)
        return result
    result.dims, result.single_seconds = len(first.vectors[0]), first.seconds
    result.problems += dims_problems(wish, result.dims, sent_dims, result.accepts_dimensions)
    try:
        again = embed(endpoint, wish, wish.texts[:1], sent_dims)
        same = cosine(first.vectors[0], again.vectors[0])
        if same < SAME:
            problem = "The same text got another vector the second time (their cosine is %.3f, not 1)" % same
            result.problems.append(trouble(problem, "Search would find by chance: use another model, or one server behind the address instead of several"))
        else:
            _batch(endpoint, wish, result, first.vectors[0], sent_dims)
    except Unusable as exc:
        result.problems.append(exc.found)
    return result


def _first(endpoint: Endpoint, wish: Wish, result: Result) -> tuple[Vectors, int]:
    """The first vector, and the ``dimensions`` to send from then on (0: none). Notes whether they are accepted."""
    text = wish.texts[:1]
    if wish.kind != "openai" or wish.send_dimensions == "false" or not wish.dims:
        return embed(endpoint, wish, text, 0), 0
    refusal = ""
    try:
        sized: Vectors | None = embed(endpoint, wish, text, wish.dims)
    except Unusable as exc:
        # It may be for another reason: what is asked without them tells.
        if exc.reply is None or exc.reply.status not in TOO_MANY:
            raise
        refusal, sized = error_message(exc.reply.body), None
    if sized is not None:
        result.accepts_dimensions = len(sized.vectors[0]) == wish.dims
        return sized, wish.dims
    plain = embed(endpoint, wish, text, 0)
    result.accepts_dimensions = False
    if wish.send_dimensions == "true":
        cure = "Have them not sent: releases from 0.5 on with %s_DIMS=0, older ones without %s_REQUEST_DIMS" % (PREFIX["openai"], PREFIX["openai"])
        result.problems.append(trouble('The endpoint refuses "dimensions", which the server would send: %s' % endpoint.hide(refusal), cure))
    return plain, 0


def dims_problems(wish: Wish, dims: int, sent: int, accepted: bool | None) -> list[Problem]:
    """What is wrong with the length of the vectors."""
    if wish.dims in (0, dims) or (wish.kind == "ark" and dims > wish.dims):
        return []
    ignored = ', and it ignores "dimensions"' if sent and accepted is False else ""
    cure = (
        "Set dims to %d (%s_DIMS), or use a model that makes %d. Knowledge bases that exist keep the length that they were made with: make them anew"
        % (dims, PREFIX[wish.kind], wish.dims)
    )
    return [trouble("The model makes vectors of %d numbers, not %d%s" % (dims, wish.dims, ignored), cure)]


def batch_texts(texts: Sequence[str], size: int) -> list[str]:
    """``size`` texts, the first of ``texts`` first and, from two on, its second (or another one) last."""
    last = texts[1] if len(texts) > 1 and texts[1] != texts[0] else "the last text of a batch"
    middle = [*texts[2:size], *("text %d of a batch" % number for number in range(size))]
    return [texts[0], *middle[: size - 2], last][: max(size, 1)] if size > 1 else [texts[0]]


def _batch(endpoint: Endpoint, wish: Wish, result: Result, first: Vector, dims: int) -> None:
    """Whether a batch of the wanted size is taken, and has the same vectors in the same order as single texts. Raises Unusable."""
    if wish.batch_size == 1:
        result.batch = 1
        return

    def ask(size: int) -> Vectors:
        return embed(endpoint, wish, batch_texts(wish.texts, size), dims)

    answer: Vectors | None = None
    try:
        answer = ask(wish.batch_size)
        result.batch = wish.batch_size
    except Unusable as exc:
        if exc.reply is None or exc.reply.status not in TOO_MANY:
            result.problems.append(_batch_problem(wish.batch_size, exc.found, None))
            return
        result.batch, answer = largest(ask, wish.batch_size)
        result.problems.append(_batch_problem(wish.batch_size, exc.found, result.batch))
    if answer is None:
        return
    result.batch_seconds = answer.seconds
    last = embed(endpoint, wish, batch_texts(wish.texts, 2)[1:], dims).vectors[0]
    result.problems += order_problems(answer, first, last)


def _batch_problem(size: int, found: Problem, works: int | None) -> Problem:
    problem = "A batch of %d texts fails (%s)" % (size, found["problem"])
    if works is None:
        return trouble(problem, "Set batch_size (EMBEDDING_MAX_BATCH_SIZE) to less. %s" % found["cure"] if found["cure"] else "See the log of the model server")
    return trouble(problem, "Set batch_size (EMBEDDING_MAX_BATCH_SIZE) to %d, the largest that works" % works)


def largest(ask: Callable[[int], Vectors], refused: int) -> tuple[int, Vectors | None]:
    """The largest batch below ``refused`` that is taken, 1 at least, and its answer. A bounded number of requests."""
    works, answer, tries = 1, None, 0
    while refused - works > 1 and tries < MOST_TRIES:
        middle = (works + refused) // 2
        tries += 1
        try:
            answer = ask(middle)
            works = middle
        except Unusable:
            refused = middle
    return works, answer


def order_problems(answer: Vectors, first: Vector, last: Vector) -> list[Problem]:
    """Whether a batch has the vectors of its first and last text at these places."""
    cure = "Use another model server, or have the gateway before it keep the order"
    if answer.indexes and answer.indexes != list(range(len(answer.indexes))):
        problem = "The vectors of a batch come in another order than the texts (index %s ...), and coze-server takes them as they come"
        return [trouble(problem % ", ".join(map(str, answer.indexes[:3])), cure)]
    for place, single, name in ((0, first, "first"), (len(answer.vectors) - 1, last, "last")):
        if cosine(answer.vectors[place], single) >= SAME:
            continue
        found = [number for number, vector in enumerate(answer.vectors) if cosine(vector, single) >= SAME]
        if found:
            problem = "The vectors of a batch are in the wrong order: that of the %s text is at place %d of %d"
            return [trouble(problem % (name, found[0] + 1, len(answer.vectors)), cure)]
        problem = "The %s text of a batch got another vector than it gets alone (their cosine is %.3f, not 1)" % (name, cosine(answer.vectors[place], single))
        return [trouble(problem, "Use another model server, or set batch_size (EMBEDDING_MAX_BATCH_SIZE) to 1")]
    return []


# --- Coze Studio's own protocol


def support_problems(endpoint: Endpoint) -> list[Problem]:
    """What is wrong with GET /support_status, and with sparse vectors if it announces them."""
    try:
        reply = endpoint.call("GET", endpoint.base_url + SUPPORT_STATUS, limit=4096)
    except EndpointError as exc:
        return [exc.found]
    # The server reads it with strconv.ParseInt, which takes no blank and no line end.
    status = reply.body.decode("ascii", "replace")
    if reply.status != 200 or status not in (str(DENSE), str(DENSE_AND_SPARSE)):
        problem = "GET %s answers HTTP %d with %.40r, and coze-server then supposes %d" % (SUPPORT_STATUS, reply.status, status, DENSE_AND_SPARSE)
        return [trouble(problem, "Let it answer with the bare digit %d (dense vectors), or %d (dense and sparse ones)" % (DENSE, DENSE_AND_SPARSE))]
    if status == str(DENSE):
        return []
    try:
        reply = endpoint.post(PATHS["http"], {"texts": ["1+1=?"], "need_sparse": True}, MOST)
    except EndpointError as exc:
        return [exc.found]
    payload = parsed(reply.body)
    sparse = payload.get("sparse") if isinstance(payload, dict) else None
    if reply.status == 200 and isinstance(sparse, list) and len(sparse) == 1 and isinstance(sparse[0], dict):
        return []
    problem = "GET %s announces sparse vectors, but %s with need_sparse gives none (HTTP %d)" % (SUPPORT_STATUS, PATHS["http"], reply.status)
    return [trouble(problem, "Let it answer %d, or give sparse, a list with one object of number to number for each text" % DENSE)]
