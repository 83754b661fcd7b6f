# SPDX-License-Identifier: GPL-3.0-or-later
"""A model server for the lab: deterministic, OpenAI-compatible, and broken on demand.

    server.py [--host 0.0.0.0] [--port 8000] [--api-key KEY] [--delay SECONDS]

The key comes from LAB_MODEL_KEY if --api-key is not given; without one every key is accepted. --delay is how slow the slow models are.

What it answers:

    POST /v1/chat/completions  POST /v1/embeddings  GET /v1/models    OpenAI's (below any prefix, v1 or any other version, such as ark's /api/v3)
    POST /api/chat             POST /api/embed      GET /api/tags     Ollama's own
    POST /embedding            GET /support_status                    Coze Studio's own protocol (EMBEDDING_TYPE=http)
    GET  /healthz

Everything else is 404, so that a base_url without /v1 fails as it does with a real server. The vectors of texts that share words are near to each
other. A fault is chosen by the name of the model, so that one running server has all of them:

    lab-chat                   no fault. Streams begin with a piece that has only the role, and end with usage (if asked for) and [DONE]
    lab-chat-no-done           the stream ends without [DONE]: that is allowed
    lab-chat-no-blank          "data:" without a blank behind it: that is allowed
    lab-chat-keepalive         lines end in CRLF, comments and other fields in between: that is allowed
    lab-chat-dribble           Chinese, each byte of the stream in a chunk and packet of its own: that is allowed
    lab-chat-reasoning         reasoning_content comes before content: that is allowed
    lab-chat-multiline         each event has its JSON on several data: lines, which SSE allows and clients that read by lines do not join
    lab-chat-slow              waits --delay seconds before the first token, or before the whole answer
    lab-chat-stall             says nothing more after the first piece; if not streamed, nothing at all
    lab-chat-drip              the answer that is not streamed comes one byte each half second, with no end in sight
    lab-chat-error             an error object in the middle of the stream; if not streamed, HTTP 200 with it
    lab-chat-cut               the connection breaks in the middle
    lab-chat-no-finish         no finish_reason, although the stream ends with [DONE]
    lab-chat-short             the stream ends properly as HTTP has it, but with neither finish_reason nor [DONE]
    lab-chat-length            finish_reason is "length"
    lab-chat-null              content is null
    lab-chat-no-choices        choices is empty
    lab-chat-html              a web page with status 200
    lab-chat-not-json          what should be JSON is not
    lab-chat-no-stream         ignores "stream": true
    lab-chat-no-options        refuses stream_options with 400
    lab-chat-500, lab-chat-429 HTTP 500; HTTP 429 with Retry-After: 7
    lab-chat-redirect          HTTP 308 to another path

    lab-embed                  no fault: 1024 numbers, takes "dimensions" up to 1024
    lab-embed-768              768 numbers, ignores "dimensions"
    lab-embed-no-dimensions    1024 numbers, refuses "dimensions" with 400
    lab-embed-batch-10         refuses more than 10 texts with 400
    lab-embed-shuffled         the vectors come in another order, each with its right index
    lab-embed-misordered       the same with indexes that count from 0
    lab-embed-few              one vector less than texts, if there are several
    lab-embed-nan              a NaN in each vector
    lab-embed-strings          numbers as strings
    lab-embed-ragged           the second vector of an answer is shorter
    lab-embed-base64           always base64, whatever encoding_format says
    lab-embed-random           another vector each time
    lab-embed-image            takes images only: refuses texts with 400
    lab-embed-500              HTTP 500
"""
from __future__ import annotations

import argparse
import base64
import collections
import contextlib
import hashlib
import hmac
import html
import http.server
import json
import math
import os
import random
import re
import struct
import sys
import threading
import time
import typing as t

Json = dict[str, t.Any]

CREATED = 1700000000
NATURAL_DIMS = 1024
LARGEST_BODY = 32 * 1024 * 1024
RETRY_AFTER = 7
CHINESE = "二加二等于四。"
ALLOWED = ("", "no-done", "no-blank", "keepalive", "dribble", "reasoning")
CHAT_FAULTS = (
    *("multiline", "slow", "stall", "drip", "error", "cut", "no-finish", "short", "length", "null", "no-choices", "html", "not-json"),
    *("no-stream", "no-options", "500", "429", "redirect"),
)
EMBED_FAULTS = (
    *("768", "no-dimensions", "batch-10", "shuffled", "misordered", "few", "nan", "strings", "ragged", "base64", "random", "image", "500"),
)


def _names(prefix: str, variants: t.Iterable[str]) -> list[str]:
    return [prefix + ("-" + variant if variant else "") for variant in variants]


CHAT_MODELS = _names("lab-chat", (*ALLOWED, *CHAT_FAULTS))
EMBED_MODELS = _names("lab-embed", ("", *EMBED_FAULTS))
MODELS = CHAT_MODELS + EMBED_MODELS


class Refusal(Exception):
    """An answer other than 200, with an error object in OpenAI's form."""

    def __init__(self, status: int, message: str, kind: str = "invalid_request_error", code: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_object(message, kind, code)
        self.headers = headers or {}


def error_object(message: str, kind: str, code: str | None) -> Json:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


# --- chat


def reply(model: str, messages: t.Any) -> str:
    """The answer to the last message of a user."""
    if model.endswith("-dribble"):
        return CHINESE
    asked = [message.get("content") for message in messages if isinstance(message, dict) and message.get("role") == "user"]
    text = asked[-1] if asked else ""
    if isinstance(text, list):  # parts, as they are sent with pictures
        text = " ".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
    return "The lab model heard: %s" % text


def usage(messages: t.Any, text: str) -> Json:
    asked, said = len(json.dumps(messages).split()), len(text.split())
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def completion(model: str, fault: str, messages: t.Any) -> Json:
    text = reply(model, messages)
    message: Json = {"role": "assistant", "content": None if fault == "null" else text}
    if fault == "reasoning":
        message["reasoning_content"] = "Let me think."
    reason = {"length": "length", "no-finish": None, "short": None}.get(fault, "stop")
    choices = [] if fault == "no-choices" else [{"index": 0, "message": message, "finish_reason": reason}]
    return {
        "id": "chatcmpl-lab",
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": choices,
        "usage": usage(messages, text),
    }


def chunk(model: str, delta: Json, reason: str | None = None) -> Json:
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
    return {"id": "chatcmpl-lab", "object": "chat.completion.chunk", "created": CREATED, "model": model, "choices": choices}


def chunks(model: str, fault: str, messages: t.Any, with_usage: bool) -> t.Iterator[Json]:
    """The events of a stream, without [DONE]."""
    text = reply(model, messages)
    yield chunk(model, {"role": "assistant", "content": ""})
    if fault == "reasoning":
        for word in ("Let me", " think."):
            yield chunk(model, {"reasoning_content": word})
    pieces = re.findall(r"\s*\S+", text) if fault != "dribble" else list(text)
    for number, piece in enumerate(pieces):
        if fault == "error" and number == 2:
            yield error_object("The engine ran out of memory", "server_error", "internal_error")
            return
        if fault == "no-choices":
            yield {**chunk(model, {}), "choices": []}
        else:
            yield chunk(model, {"content": None if fault == "null" else piece})
    if fault not in ("no-finish", "short", "no-choices"):
        yield chunk(model, {}, "length" if fault == "length" else "stop")
    if with_usage:
        yield {**chunk(model, {}), "choices": [], "usage": usage(messages, text)}


def sse(fault: str, events: t.Iterable[Json]) -> t.Iterator[bytes]:
    """Events as they go over the wire, [DONE] included."""
    end = "\r\n" if fault == "keepalive" else "\n"
    head = "data:" if fault == "no-blank" else "data: "
    for event in events:
        text = json.dumps(event, ensure_ascii=False)
        if fault == "keepalive":
            yield (": ping" + end + end + "event: message" + end + "retry: 1000" + end).encode()
        if fault == "multiline":
            text = json.dumps(event, ensure_ascii=False, indent=1)
        yield ("".join(head + line + end for line in text.split("\n")) + end).encode()
    if fault not in ("no-done", "short", "error"):
        yield (head + "[DONE]" + end + end).encode()


# --- embeddings


def vector(text: str, dims: int = NATURAL_DIMS, salt: str = "") -> list[float]:
    """A vector of length 1, the same for the same text, and near to those of texts that share words with it."""
    noise = random.Random(hashlib.sha256((salt + text).encode()).digest())
    values = [noise.gauss(0, 0.02) for dummy in range(NATURAL_DIMS)]
    # Letters of scripts without blanks are words too.
    for word in re.findall(r"[\u3040-\u9fff]|[^\W\u3040-\u9fff]+", (salt + text).lower()):
        place = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        for number in range(8):
            values[(place >> (7 * number)) % NATURAL_DIMS] += 1.0 if place >> number & 1 else -1.0
    values = values[:dims]
    norm = math.sqrt(sum(value * value for value in values))
    return [round(value / norm, 9) for value in values]


def texts_of(given: t.Any) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise Refusal(400, "'input' has to be a text or a list of texts that is not empty")
    return texts


def natural_vectors(fault: str, texts: list[str], dims: int = NATURAL_DIMS) -> list[list[float]]:
    salt = str(time.monotonic_ns()) if fault == "random" else ""
    return [vector(text, dims, salt) for text in texts]


def embeddings(model: str, fault: str, body: Json) -> Json:
    texts, asked = texts_of(body.get("input")), body.get("dimensions")
    if fault == "image":
        raise Refusal(400, "Model %s does not support this api: its input is images" % model, code="InvalidParameter")
    if fault == "batch-10" and len(texts) > 10:
        message = "<400> InternalError.Algo.InvalidParameter: Value error, batch size is invalid, it should not be larger than 10.: input.contents"
        raise Refusal(400, message, code="InvalidParameter")
    if asked is not None and fault == "no-dimensions":
        raise Refusal(400, "dimensions is currently not supported", "BadRequestError")
    if asked is not None and (not isinstance(asked, int) or not 0 < asked <= NATURAL_DIMS) and fault != "768":
        raise Refusal(400, "'dimensions' has to be between 1 and %d" % NATURAL_DIMS)
    vectors = natural_vectors(fault, texts, 768 if fault == "768" else asked or NATURAL_DIMS)
    as_base64 = fault == "base64" or body.get("encoding_format") == "base64"
    data = [{"object": "embedding", "index": number, "embedding": spoilt(fault, one, as_base64)} for number, one in enumerate(vectors)]
    if fault in ("shuffled", "misordered"):
        data.reverse()
    if fault == "misordered":
        data = [{**item, "index": number} for number, item in enumerate(data)]
    if fault == "ragged":
        data[1:2] = [{**item, "embedding": item["embedding"][:-1]} for item in data[1:2]]
    tokens = sum(len(text.split()) for text in texts)
    return {
        "object": "list",
        "data": data[:-1] if fault == "few" and len(data) > 1 else data,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def spoilt(fault: str, values: list[float], as_base64: bool) -> t.Any:
    if as_base64:
        return base64.b64encode(struct.pack("<%df" % len(values), *values)).decode("ascii")
    if fault == "nan":
        return [math.nan, *values[1:]]
    return [str(value) for value in values] if fault == "strings" else values


# --- the server


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a packet for each piece
    server: Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self.send_json(200, {"status": "ok"})
        elif path == "/support_status":
            self.send_bytes(200, b"1", "text/plain")
        elif path == "/api/tags":
            self.send_json(200, {"models": [{"name": name, "model": name} for name in MODELS]})
        elif re.search(r"/v\d+/models$", path):
            self.answer(lambda body: self.models(), {})
        else:
            self.not_found()

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        routes: list[tuple[str, t.Callable[[Json], None]]] = [
            (r"/v\d+/chat/completions$", self.chat),
            (r"/v\d+/embeddings$", self.embed),
            (r"^/api/chat$", self.ollama_chat),
            (r"^/api/embed$", self.ollama_embed),
            (r"^/embedding$", self.coze_embed),
        ]
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > LARGEST_BODY:
            self.close_connection = True
            self.send_json(411, error_object("a body of known length and at most 32 MiB is needed", "invalid_request_error", None))
            return
        raw = self.rfile.read(int(size))
        for pattern, call in routes:
            if re.search(pattern, path):
                self.answer(call, raw)
                return
        self.not_found()

    def answer(self, call: t.Callable[[Json], None], raw: t.Any) -> None:
        """Run a call; refusals become answers. A client that went away is no matter."""
        try:
            if re.search(r"/v\d+/", self.path):
                self.check_key()
            body = raw if isinstance(raw, dict) else self.parsed(raw)
            call(body)
        except Refusal as refusal:
            self.send_json(refusal.status, refusal.body, refusal.headers)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def parsed(self, raw: bytes) -> Json:
        try:
            body = json.loads(raw)
        except ValueError:
            raise Refusal(400, "We could not parse the JSON body of your request.") from None
        if not isinstance(body, dict):
            raise Refusal(400, "The body has to be a JSON object.")
        return body

    def check_key(self) -> None:
        key, sent = self.server.key, self.headers.get("Authorization", "")
        if key and not hmac.compare_digest(sent.encode(), ("Bearer %s" % key).encode()):
            if not sent:
                raise Refusal(401, "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth.")
            raise Refusal(401, "Incorrect API key provided: %s." % sent[len("Bearer ") :], code="invalid_api_key")

    def fault(self, body: Json, prefix: str, known: list[str]) -> tuple[str, str]:
        """The model asked for, and what is wrong with it. Raises Refusal for one that there is not."""
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise Refusal(400, "you must provide a model parameter")
        if model not in known:
            raise Refusal(404, "The model `%s` does not exist or you do not have access to it." % model, code="model_not_found")
        fault = model[len(prefix) + 1 :]
        if fault == "500":
            raise Refusal(500, "The server had an error while processing your request.", "server_error", "internal_error")
        if fault == "429":
            raise Refusal(429, "Rate limit reached for requests", "requests", "rate_limit_exceeded", {"Retry-After": str(RETRY_AFTER)})
        return model, fault

    # -- OpenAI's

    def models(self) -> None:
        self.send_json(200, {"object": "list", "data": [{"id": name, "object": "model", "created": CREATED, "owned_by": "lab"} for name in MODELS]})

    def chat(self, body: Json) -> None:
        model, fault = self.fault(body, "lab-chat", CHAT_MODELS)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refusal(400, "'messages' has to be a list that is not empty")
        stream = bool(body.get("stream")) and fault != "no-stream"
        options = body.get("stream_options") or {}
        if options and fault == "no-options":
            raise Refusal(400, "Unrecognized request argument supplied: stream_options")
        if fault == "html":
            self.send_bytes(200, ("<!doctype html><title>%s</title>" % html.escape("Welcome to nginx!")).encode(), "text/html")
        elif fault == "redirect":
            self.send_bytes(308, b"", "text/plain", {"Location": "/elsewhere" + self.path + "?token=c0ffee"})
        elif stream:
            self.stream(fault, sse(fault, chunks(model, fault, messages, bool(options.get("include_usage")))))
        else:
            self.whole(fault, completion(model, fault, messages))

    def whole(self, fault: str, payload: Json) -> None:
        data = json.dumps(payload, ensure_ascii=False).encode()
        if fault == "slow":
            self.server.stopped.wait(self.server.delay)
        if fault == "stall":
            self.server.stopped.wait()
            self.close_connection = True
        elif fault == "error":
            self.send_json(200, error_object("The engine ran out of memory", "server_error", "internal_error"))
        elif fault == "not-json":
            self.send_bytes(200, b"{'choices': oops", "application/json")
        elif fault in ("cut", "drip"):
            self.close_connection = True
            self.begin(200, "application/json", {"Content-Length": str(len(data) * 1000)})
            self.wfile.write(data[:20])
            for byte in data[20:] if fault == "drip" else b"":
                if self.server.stopped.wait(0.5):
                    return
                self.wfile.write(bytes([byte]))
        else:
            self.send_bytes(200, data, "application/json")

    def stream(self, fault: str, parts: t.Iterator[bytes]) -> None:
        """Parts of a body as HTTP chunks."""
        if fault == "slow":
            self.server.stopped.wait(self.server.delay)
        self.begin(200, "text/event-stream; charset=utf-8", {"Transfer-Encoding": "chunked", "Cache-Control": "no-cache"})
        for number, part in enumerate(parts):
            if number == 2 and fault in ("stall", "cut", "drip"):
                if fault != "cut":
                    self.server.stopped.wait()
                self.close_connection = True
                return
            sent = b"data: {'choices': oops\n\n" if fault == "not-json" and number == 1 else part
            pieces = [bytes([byte]) for byte in sent] if fault == "dribble" else [sent]
            for piece in pieces:
                self.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def embed(self, body: Json) -> None:
        model, fault = self.fault(body, "lab-embed", EMBED_MODELS)
        self.send_json(200, embeddings(model, fault, body))

    # -- Ollama's: lines of JSON, error is a text

    def ollama_chat(self, body: Json) -> None:
        try:
            model, fault = self.fault(body, "lab-chat", CHAT_MODELS)
        except Refusal as refusal:
            self.ollama_error(refusal, body)
            return
        text = reply(model, body.get("messages") or [])
        head = {"model": model, "created_at": "2023-11-14T22:13:20Z"}
        if body.get("stream") is False:
            whole = {**head, "message": {"role": "assistant", "content": text}, "done": True, "done_reason": "length" if fault == "length" else "stop"}
            self.send_json(200, whole)
            return
        lines: list[Json] = [{**head, "message": {"role": "assistant", "content": piece}, "done": False} for piece in re.findall(r"\s*\S+", text)]
        if fault == "error":
            lines[2:] = [{"error": "the engine ran out of memory"}]
        elif fault not in ("short", "no-finish"):
            reason = "length" if fault == "length" else "stop"
            lines.append({**head, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": reason})
        data = iter([(json.dumps(line) + "\n").encode() for line in lines])
        self.stream(fault, data)

    def ollama_embed(self, body: Json) -> None:
        try:
            model, fault = self.fault(body, "lab-embed", EMBED_MODELS)
            answer = embeddings(model, fault, {"input": body.get("input")})
        except Refusal as refusal:
            self.ollama_error(refusal, body)
            return
        self.send_json(200, {"model": model, "embeddings": [item["embedding"] for item in answer["data"]]})

    def ollama_error(self, refusal: Refusal, body: Json) -> None:
        text = "model '%s' not found" % body.get("model") if refusal.status == 404 else refusal.body["error"]["message"]
        self.send_json(refusal.status, {"error": text}, refusal.headers)

    # -- Coze Studio's

    def coze_embed(self, body: Json) -> None:
        texts = texts_of(body.get("texts"))
        answer: Json = {"dense": natural_vectors("", texts)}
        if body.get("need_sparse"):
            answer["sparse"] = [{str(place): 1.0 for place in range(len(text.split()))} for text in texts]
        self.send_json(200, answer)

    # -- answers

    def begin(self, status: int, kind: str, headers: t.Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def send_bytes(self, status: int, data: bytes, kind: str, headers: t.Mapping[str, str] | None = None) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.begin(status, kind, {"Content-Length": str(len(data)), **(headers or {})})
            self.wfile.write(data)

    def send_json(self, status: int, payload: Json, headers: t.Mapping[str, str] | None = None) -> None:
        self.send_bytes(status, json.dumps(payload, ensure_ascii=False).encode(), "application/json", headers)

    def not_found(self) -> None:
        message = "Invalid URL (%s %s)" % (self.command, self.path.partition("?")[0])
        self.send_json(404, error_object(message, "invalid_request_error", None))

    def log_request(self, code: t.Any = "-", size: t.Any = "-") -> None:
        # A request that is no HTTP has no path.
        line = "%s %s %s" % (self.command, getattr(self, "path", "").partition("?")[0], getattr(code, "value", code))
        self.server.seen.append(line)
        if self.server.verbose:
            print(line, file=sys.stderr, flush=True)

    def log_message(self, format: str, *args: t.Any) -> None:
        if self.server.verbose:
            print(format % args, file=sys.stderr, flush=True)


class Server(http.server.ThreadingHTTPServer):
    """``seen`` has its last answers, "METHOD path status"; ``stopped`` wakes the requests that hang."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], key: str, delay: float, verbose: bool) -> None:
        super().__init__(address, Handler)
        self.key, self.delay, self.verbose = key, delay, verbose
        self.stopped = threading.Event()
        self.seen: collections.deque[str] = collections.deque(maxlen=1000)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Clients that go away in the middle are what some of the faults are for."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def shutdown(self) -> None:
        self.stopped.set()
        super().shutdown()


def make_server(port: int = 8000, host: str = "127.0.0.1", key: str = "", delay: float = 2.0, verbose: bool = False) -> Server:
    """A server that listens; call serve_forever in a thread, and shutdown and server_close at the end."""
    return Server((host, port), key, delay, verbose)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--api-key", default=os.environ.get("LAB_MODEL_KEY", ""))
    parser.add_argument("--delay", type=float, default=2.0)
    given = parser.parse_args()
    server = make_server(given.port, given.host, given.api_key, given.delay, verbose=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    server.stopped.set()
    server.server_close()


if __name__ == "__main__":
    main()
