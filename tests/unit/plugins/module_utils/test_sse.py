# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import re

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._sse import data_lines, lines
from hypothesis import given
from hypothesis import strategies as st

PARTS = [b"data:", b"data: ", b"data", b"data :x", b"Data: x", b": ping", b"event: message", b"retry: 3", b"\n", b"\r", b"\r\n", b"\n\n", b" ", b"[DONE]"]
PARTS += [b"data: a\r\n", b"data:b\r", b"data: c\n", b"\r\n\r\n", "二加二".encode(), b"\xef\xbb\xbf", b"\xff", b'{"a": 1}']
BODIES = st.lists(st.sampled_from(PARTS) | st.binary(max_size=4), max_size=30).map(b"".join)


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(edges)]


def whole(body: bytes) -> list[list[str]]:
    """The data of each event, by the words of the standard, from the body as a whole; the last event need not be finished."""
    complete = re.split(rb"\r\n|\n|\r", body.removeprefix(b"\xef\xbb\xbf"))[:-1]
    events: list[list[str]] = [[]]
    for line in complete:
        if line == b"":
            events.append([])
        match = re.fullmatch(rb"data(?:: ?(.*))?", line, re.DOTALL)
        if match:
            events[-1].append((match.group(1) or b"").decode("utf-8", "replace"))
    return [event for event in events if event]


def grouped(pieces: list[bytes]) -> list[list[str]]:
    return [[line.text for line in group] for dummy, group in itertools.groupby(data_lines(pieces), key=lambda line: line.event)]


@given(BODIES, st.lists(st.integers(0, 400), max_size=20))
def test_events_do_not_depend_on_how_the_bytes_come(body: bytes, places: list[int]) -> None:
    assert grouped(cut(body, places)) == whole(body)


@given(BODIES)
def test_every_byte_for_itself(body: bytes) -> None:
    assert grouped([bytes([byte]) for byte in body]) == whole(body)


@given(BODIES, st.lists(st.integers(0, 400), max_size=20))
def test_lines_with_the_last_one_are_the_whole_body(body: bytes, places: list[int]) -> None:
    found = list(lines(cut(body, places), keep_last=True))
    wanted = re.split(rb"\r\n|\n|\r", body)
    assert found == (wanted[:-1] if wanted[-1] == b"" else wanted)


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [["a"], ["b"]]),
        (b"data:a\ndata:b\n", [["a", "b"]]),
        (b"data:a\r\ndata:b\rdata:c\n\rdata:d\r", [["a", "b", "c"], ["d"]]),
        (b"data:  two blanks\n\n", [[" two blanks"]]),
        (b": ping\r\n\r\nevent: x\r\ndata: a\r\n\r\n", [["a"]]),
        (b"data: unfinished", []),
        (b"data\n\n", [[""]]),
    ],
)
def test_events(body: bytes, events: list[list[str]]) -> None:
    assert grouped([body]) == grouped([bytes([byte]) for byte in body]) == events == whole(body)


def test_a_line_is_there_before_its_event_ends() -> None:
    def pieces() -> object:
        yield b"data: a\n"
        raise AssertionError("the next piece was waited for")

    assert next(data_lines(pieces())).text == "a"  # type: ignore[arg-type]
