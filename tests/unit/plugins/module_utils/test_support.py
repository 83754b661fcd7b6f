# SPDX-License-Identifier: GPL-3.0-or-later
"""What is put together for those who are to help has no secret in it."""

from __future__ import annotations

import io
import json
import tarfile

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _support
from hypothesis import given
from hypothesis import strategies as st

SECRET = "s3cr3t'\"$x"


@pytest.mark.parametrize(("text", "seconds"), [(90, 90), ("90", 90), ("1.5m", 90), (" 6 h ", 21600), ("2d", 172800)])
def test_spans_of_time(text: object, seconds: float) -> None:
    assert _support.span(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1h", "1w", "1h30m"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no span of time: write a number with s, m, h or d behind it"):
        _support.span(text)


def test_a_container_is_shown_without_its_passwords() -> None:
    inspect = {"Id": "1", "Config": {"Env": ["MYSQL_PASSWORD=" + SECRET, "MYSQL_USER=coze", "PLAIN"], "Cmd": ["run", "--key=" + SECRET]}}
    text = _support.masked_inspect(inspect, [SECRET, json.dumps(SECRET)[1:-1]])
    assert SECRET not in text and json.dumps(SECRET)[1:-1] not in text
    assert json.loads(text)["Config"]["Env"][:2] == ["MYSQL_PASSWORD=********", "MYSQL_USER=coze"]


def test_an_environment_is_shown_without_its_secrets() -> None:
    assert _support.masked_env({"API_KEY": "abcd", "LEVEL": "info", "URL": "http://u:abcd@h"}, ["abcd"]) == "API_KEY=********\nLEVEL=info\nURL=********\n"


def test_a_file_with_a_secret_left_in_it_is_named() -> None:
    assert _support.leaks({"a": "x " + SECRET, "b": "x"}, [SECRET]) == ["a"]


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}\.log", fullmatch=True), st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_an_archive_has_what_was_put_into_it(files: dict[str, str]) -> None:
    with tarfile.open(fileobj=io.BytesIO(_support.archive(files, "coze-one", 1.5))) as tar:
        found = {member.name: tar.extractfile(member).read().decode() for member in tar.getmembers()}  # type: ignore[union-attr]
        assert {member.mode for member in tar.getmembers()} <= {0o600}
    assert found == {"coze-one/" + name: text for name, text in files.items()}


def test_a_long_log_is_cut_at_a_line() -> None:
    assert _support.cut("one\ntwo\nthree\n", 100) == "one\ntwo\nthree\n"
    assert _support.cut("one\ntwo\nthree\n", 9) == "(8 characters before this were left out)\nthree\n"
