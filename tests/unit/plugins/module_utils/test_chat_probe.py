# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._chat_probe import Part, judge_whole, part_of, request_body
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.sampled_from(["choices", "message", "delta", "content", "error", "done"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def whole(content: t.Any, reason: t.Any = "stop", **more: t.Any) -> dict[str, t.Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": content, **more}, "finish_reason": reason}]}


def test_the_answer_that_the_faq_shows_is_right() -> None:
    payload = {"choices": [{"message": {"role": "assistant", "content": "中国首都是北京。"}, "finish_reason": "stop", "index": 0}]}
    assert judge_whole(payload, "openai") == (None, "中国首都是北京。")


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (whole("a", "length"), 'finish_reason is "length"'),
        (whole("a", None), "has no finish_reason"),
        (whole("a", "content_filter"), 'finish_reason is "content_filter", not "stop"'),
        (whole(None), "has no content"),
        (whole(""), "has no content"),
        (whole(["a"]), "has no content"),
        (whole(None, reasoning_content="hm"), "has a thought, but no content"),
        (whole(None, "length", reasoning_content="hm"), 'finish_reason is "length"'),
        ({"choices": []}, "has no choices[0]"),
        ({"choices": None}, "has no choices[0]"),
        ({"choices": ["a"]}, "has no choices[0]"),
        ({}, "has no choices[0]"),
        ({"error": {"message": "boom"}}, "reports an error, although with HTTP 200: boom"),
    ],
)
def test_answers_that_are_wrong(payload: dict[str, t.Any], says: str) -> None:
    found = judge_whole(payload, "openai")[0]
    assert found is not None
    assert says in found["problem"]
    assert found["cure"]


def test_answers_of_ollama() -> None:
    right = {"message": {"role": "assistant", "content": "2"}, "done": True, "done_reason": "stop"}
    assert judge_whole(right, "ollama") == (None, "2")
    # Old ones say no more than done.
    assert judge_whole({**right, "done_reason": ""}, "ollama") == (None, "2")
    cut = judge_whole({**right, "done_reason": "length"}, "ollama")[0]
    assert cut is not None and 'done_reason is "length"' in cut["problem"]


@pytest.mark.parametrize(
    ("payload", "part"),
    [
        ({"choices": [{"delta": {"role": "assistant"}, "finish_reason": None}]}, Part("", "", None, True)),
        ({"choices": [{"delta": {"content": "a"}}]}, Part("a", "", None, True)),
        ({"choices": [{"delta": {"reasoning_content": "hm", "content": None}}]}, Part("", "hm", None, True)),
        ({"choices": [{"delta": {}, "finish_reason": "stop"}]}, Part("", "", "stop", True)),
        ({"choices": [{"delta": None, "finish_reason": "stop"}]}, Part("", "", "stop", True)),
        ({"choices": [], "usage": {"total_tokens": 3}}, Part("", "", None, False)),
        ({"message": {"content": "a", "thinking": "hm"}, "done": False}, Part("a", "hm", None, True)),
    ],
)
def test_parts_of_a_stream(payload: dict[str, t.Any], part: Part) -> None:
    assert part_of(payload, "delta") == part


@given(st.dictionaries(st.sampled_from(["choices", "message", "error", "done", "done_reason"]), JSON, max_size=4), st.sampled_from(["openai", "ollama"]))
def test_any_json_gets_a_verdict(payload: dict[str, t.Any], protocol: str) -> None:
    found, text = judge_whole(payload, protocol)
    assert isinstance(text, str)
    assert found is not None or text
    part_of(payload, "delta")


def test_requests_are_what_the_product_sends() -> None:
    messages = [{"role": "user", "content": "hi"}]
    assert request_body("openai", "m", "hi", False) == {"model": "m", "messages": messages}
    assert request_body("ark", "m", "hi", True) == {"model": "m", "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    assert request_body("ollama", "m", "hi", False) == {"model": "m", "messages": messages, "stream": False}
