# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to this collection: whether a chat endpoint answers as coze-server's clients need it, in one piece and as a stream.

What they need: ``choices[0].message.content``, or pieces in ``choices[0].delta.content`` of events, and ``finish_reason`` "stop" at the end.
Ollama's own protocol has lines of JSON with ``message.content`` instead, the last with ``done_reason``.
"""

from __future__ import annotations

import http.client
import json
import time
import typing as t
from collections.abc import Iterator, Sequence
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
    status_problem,
    trouble,
)
from ansible_collections.cozeops.studio.plugins.module_utils._http import Deadline, excerpt, read_body, read_pieces
from ansible_collections.cozeops.studio.plugins.module_utils._sse import DataLine, data_lines, lines

#: Protocols of which the requests are known here. Those of claude and gemini have other shapes and other paths for each release of their clients.
PATHS = {
    "openai": "/chat/completions",
    "qwen": "/chat/completions",
    "deepseek": "/chat/completions",
    "ark": "/chat/completions",
    "ollama": "/api/chat",
}
MOST = 8 * 1024 * 1024  # bytes of an answer
DONE = "[DONE]"
SHOWN = 500
CUT = "See the log of the model server, and of every proxy before it: one with a limit of time or size, or that buffers, cuts streams"


def family(protocol: str) -> str:
    """Which of the two shapes a protocol has."""
    return "ollama" if protocol == "ollama" else "openai"


def request_body(protocol: str, model: str, prompt: str, stream: bool) -> Json:
    body: Json = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    if family(protocol) == "ollama":
        return {**body, "stream": stream}
    # What the product's client sends, the options too: there are servers that refuse them.
    return {**body, "stream": True, "stream_options": {"include_usage": True}} if stream else body


# --- what an answer says


class Part(t.NamedTuple):
    """What an answer, or one event of a stream, says."""

    content: str
    thinking: str
    reason: str | None  # why it ended, if it did
    choices: bool  # whether there was anything to read


def part_of(payload: Json, key: str) -> Part:
    """``key`` is message or delta; Ollama has message for both, and no choices."""
    if "choices" not in payload and "message" in payload:
        message, reason = payload["message"], payload.get("done_reason") or ("stop" if payload.get("done") else None)
    else:
        choices = payload.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
        if choice is None:
            return Part("", "", None, False)
        message, reason = choice.get(key), choice.get("finish_reason")
    said = message if isinstance(message, dict) else {}
    return Part(_text(said.get("content")), _text(said.get("reasoning_content") or said.get("thinking")), reason if isinstance(reason, str) else None, True)


def _text(value: t.Any) -> str:
    return value if isinstance(value, str) else ""


def end_problem(part: Part, where: str, protocol: str) -> Problem | None:
    """What is wrong with how an answer ended, and with what it says as a whole. ``where`` begins the sentence."""
    name = "done_reason" if family(protocol) == "ollama" else "finish_reason"
    if part.reason == "length":
        cure = "Raise the limit of tokens of the model server (for models that think first, the thought counts too), or ask less in prompt"
        return trouble('%s was cut off: its %s is "length", not "stop"' % (where, name), cure)
    if not part.content and part.thinking:
        return trouble("%s has a thought, but no content" % where, "Raise the limit of tokens, or switch the thinking of the model off")
    if not part.content:
        return trouble("%s has no content" % where, "Is it a chat model? coze-server shows content and nothing else")
    if part.reason is None:
        return trouble('%s has no %s, which has to be "stop" at its end' % (where, name), "The model server, or a gateway before it, has to send it: update it")
    if part.reason != "stop":
        return trouble('%s ended for another reason: its %s is "%s", not "stop"' % (where, name, part.reason), "See the manual of the endpoint for that reason")
    return None


def error_in(payload: Json) -> str:
    """The text of an error object in a body with status 200."""
    return error_message(json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")) if payload.get("error") else ""


# --- the answer in one piece


class Whole(t.NamedTuple):
    problems: Sequence[Problem] = ()
    answered: bool = True  # with an answer that can be judged: if not, a stream would fail for the same reason
    content: str = ""
    seconds: float | None = None


def probe_whole(endpoint: Endpoint, protocol: str, model: str, prompt: str) -> Whole:
    """One request without a stream."""
    path = PATHS[protocol]
    try:
        reply = endpoint.post(path, request_body(protocol, model, prompt, False), MOST)
    except EndpointError as exc:
        return Whole([exc.found], answered=False)
    payload = parsed(reply.body)
    if reply.status != 200:
        return Whole([status_problem(endpoint, reply, family(protocol), path, model)], False, "", reply.seconds)
    if not isinstance(payload, dict):
        return Whole([not_json(endpoint, reply, family(protocol))], False, "", reply.seconds)
    problem, content = judge_whole(payload, protocol)
    problems = [trouble(endpoint.hide(problem["problem"]), problem["cure"])] if problem else []
    return Whole(problems, not error_in(payload), content, reply.seconds)


def judge_whole(payload: Json, protocol: str) -> tuple[Problem | None, str]:
    """What is wrong with an answer, and its text."""
    error = error_in(payload)
    if error:
        return trouble("The endpoint reports an error, although with HTTP 200: %s" % error, "See its log"), ""
    part = part_of(payload, "message")
    if not part.choices:
        what = "message" if family(protocol) == "ollama" else "choices[0]"
        return trouble("The answer has no %s: %s" % (what, excerpt(json.dumps(payload).encode())), "Is base_url that of a compatible API?"), ""
    return end_problem(part, "The answer", protocol), part.content


# --- the stream


@dataclass
class Stream:
    """What came of a stream, piece by piece. Times are seconds since the request began."""

    problems: list[Problem] = field(default_factory=list)
    content: list[str] = field(default_factory=list)
    thinking: bool = False
    reason: str | None = None
    events: int = 0
    first_token: float | None = None
    seconds: float | None = None
    done: bool = False  # a last event said so

    @property
    def part(self) -> Part:
        return Part("".join(self.content), "x" if self.thinking else "", self.reason, self.events > 0)


def probe_stream(endpoint: Endpoint, protocol: str, model: str, prompt: str, first_token_timeout: float) -> Stream:
    """One request with a stream, read to its end."""
    path = PATHS[protocol]
    result = Stream()
    deadline = Deadline(endpoint.timeout)
    try:
        with endpoint.open("POST", endpoint.base_url + path, request_body(protocol, model, prompt, True), deadline) as (response, began):
            kind = response.headers.get_content_type()
            if response.status == 200 and kind not in ("application/json", "text/html"):
                _follow(endpoint, result, response, protocol, began)
                return _judged(result, protocol, first_token_timeout)
            body = read_body(response, MOST)
            reply = Reply(response.status, response.headers, body, time.monotonic() - began)
            endpoint.note(reply.status, reply.headers, excerpt(body, SHOWN), reply.seconds)
    except EndpointError as exc:
        result.problems.append(_broken(result, exc, deadline))
        return result
    result.seconds = reply.seconds
    result.problems.append(_no_stream(endpoint, reply, protocol, path, model))
    return result


def _broken(result: Stream, exc: EndpointError, deadline: Deadline) -> Problem:
    """An error that came after the stream had begun is told otherwise than one that came before."""
    if result.events == 0 and result.first_token is None:
        return exc.found
    said = "after %d events" % result.events
    if isinstance(exc.__cause__, TimeoutError) or type(exc.__cause__).__name__ == "timeout":
        problem = "The stream stalls: %s it was not at its end within %.3g s" % (said, deadline.seconds)
        return trouble(problem, "Raise timeout if the model is slow. Else: " + CUT)
    return trouble("The stream breaks off %s: %s" % (said, exc.reason), CUT)


def _no_stream(endpoint: Endpoint, reply: Reply, protocol: str, path: str, model: str) -> Problem:
    if reply.status != 200:
        if "stream_options" in reply.body[:SHOWN].decode("utf-8", "replace"):
            problem = "The endpoint refuses stream_options, which coze-server sends with every stream (HTTP %d)" % reply.status
            return trouble(problem, "Update the model server, or put a gateway before it that leaves stream_options out")
        return status_problem(endpoint, reply, family(protocol), path, model)
    payload = parsed(reply.body)
    if not isinstance(payload, dict):
        return not_json(endpoint, reply, family(protocol))
    error = error_in(payload)
    if error:
        return trouble("The endpoint reports an error, although with HTTP 200: %s" % endpoint.hide(error), "See its log")
    return trouble(
        'The endpoint ignores "stream": true, and answers in one piece, which coze-server cannot read',
        "Use a model server that streams, or switch streams on in the gateway before it",
    )


def _follow(endpoint: Endpoint, result: Stream, response: http.client.HTTPResponse, protocol: str, began: float) -> None:
    """Read a stream; what is wrong with its form goes to the problems. The record is made in any case."""
    head: list[bytes] = []

    def recorded() -> Iterator[bytes]:
        for piece in read_pieces(response, MOST):
            if sum(map(len, head)) < SHOWN * 4:
                head.append(piece)
            yield piece

    try:
        (_follow_lines if family(protocol) == "ollama" else _follow_events)(endpoint, result, recorded(), began)
    finally:
        result.seconds = time.monotonic() - began
        endpoint.note(response.status, response.headers, excerpt(b"".join(head), SHOWN), result.seconds, events=result.events)


def _follow_lines(endpoint: Endpoint, result: Stream, pieces: Iterator[bytes], began: float) -> None:
    for line in lines(pieces, keep_last=True):
        if line.strip() and not _take(endpoint, result, parsed(line), line.decode("utf-8", "replace"), began):
            return


def _follow_events(endpoint: Endpoint, result: Stream, pieces: Iterator[bytes], began: float) -> None:
    unread: list[DataLine] = []
    for line in data_lines(pieces):
        if line.text == DONE:
            result.done = True
            break
        payload = parsed(line.text.encode())
        if not isinstance(payload, dict):
            unread.append(line)
        elif not _take(endpoint, result, payload, line.text, began):
            return
    if unread:
        first = [line.text for line in unread if line.event == unread[0].event]
        if isinstance(parsed("\n".join(first).encode()), dict):
            problem = "The events of the stream have their JSON on several data: lines, and coze-server reads each line for itself"
            result.problems.append(trouble(problem, "The model server, or a gateway before it, has to send each event in one line"))
        else:
            result.problems.append(_unreadable(endpoint, first[0]))


def _unreadable(endpoint: Endpoint, text: str) -> Problem:
    said = endpoint.hide(excerpt(text.encode()))
    cure = "Is base_url that of a compatible API? If it is, see the log of the model server"
    return trouble("The stream has an event that is not a JSON object: %s" % said, cure)


def _take(endpoint: Endpoint, result: Stream, payload: t.Any, text: str, began: float) -> bool:
    """Take in one event. False if nothing good can follow."""
    if not isinstance(payload, dict):
        result.problems.append(_unreadable(endpoint, text))
        return False
    result.events += 1
    error = error_in(payload)
    if error:
        problem = "The endpoint reports an error in the middle of the stream: %s" % endpoint.hide(error)
        result.problems.append(trouble(problem, "See its log"))
        return False
    # An event without choices is allowed: the last has usage alone, and some servers begin with one.
    part = part_of(payload, "delta")
    if (part.content or part.thinking) and result.first_token is None:
        result.first_token = time.monotonic() - began
    if part.content:
        result.content.append(part.content)
    result.thinking = result.thinking or bool(part.thinking)
    result.reason = part.reason or result.reason
    return True


def _judged(result: Stream, protocol: str, first_token_timeout: float) -> Stream:
    if result.problems:
        return result
    if result.events == 0:
        result.problems.append(trouble("The stream is empty", "See the log of the model server. " + CUT))
    elif result.reason is None and not result.done and result.content:
        result.problems.append(trouble("The stream ends after %d events without saying that it is at its end" % result.events, CUT))
    else:
        problem = end_problem(result.part, "The stream", protocol)
        result.problems += [problem] if problem else []
    if result.first_token is not None and result.first_token > first_token_timeout:
        problem_text = "The first token came after %.1f s, later than the %.3g s of first_token_timeout" % (result.first_token, first_token_timeout)
        cure = "Keep the model in memory (Ollama: OLLAMA_KEEP_ALIVE), use a smaller one, or raise first_token_timeout if that is quick enough for the users"
        result.problems.append(trouble(problem_text, cure))
    return result
