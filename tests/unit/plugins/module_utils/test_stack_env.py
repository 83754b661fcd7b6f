# SPDX-License-Identifier: GPL-3.0-or-later
"""The .env with presets, secrets and the operator's words over it."""

from __future__ import annotations

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._env_file import EnvError, resolve
from ansible_collections.cozeops.studio.plugins.module_utils._secrets import Secret
from ansible_collections.cozeops.studio.plugins.module_utils._stack_env import build, dotenv_text, lenient, literal_problems, preset_values
from hypothesis import given
from hypothesis import strategies as st

FILE = 'PASSWORD=root\nHOST=db\nDSN="user:${PASSWORD}@tcp(${HOST})/x"\n'
WANTED = [Secret("PASSWORD"), Secret("KEY_OF_THE_STACK", in_env=False)]

# --- reading what can be read


def test_a_good_file_is_read_whole() -> None:
    assert lenient(FILE, "x", {}).env == {"PASSWORD": "root", "HOST": "db", "DSN": "user:root@tcp(db)/x"}


def test_the_operators_words_are_seen() -> None:
    assert lenient(FILE, "x", {"HOST": "h", "NEW": "n"}).env["DSN"] == "user:root@tcp(h)/x"
    assert lenient(FILE, "x", {"NEW": "n"}).env["NEW"] == "n"


def test_an_undefined_reference_is_empty_for_now() -> None:
    assert lenient('A="x${NONE}"\n', "x", {}).env == {"A": "x"}


@pytest.mark.parametrize("bad", ["B='not closed", "B=$(date)", "B=`date`", "B=${"])
def test_what_cannot_be_read_has_no_value_yet(bad: str) -> None:
    env = lenient("A=a\n%s\n" % bad, "x", {}).env
    assert env.get("A", "a") == "a"
    assert not env.get("B")


@given(st.text(max_size=60))
def test_any_text_at_all_is_survived(text: str) -> None:
    assert isinstance(lenient(text, "x", {}).env, dict)


# --- presets

PRESET = {"key": "LOG_LEVEL", "published": ["debug"], "value": "info"}


@pytest.mark.parametrize("env", [{}, {"LOG_LEVEL": ""}, {"LOG_LEVEL": "debug"}])
def test_a_preset_takes_the_place_of_a_published_value(env: dict[str, str]) -> None:
    assert preset_values([PRESET], env, {}, "0.5") == {"LOG_LEVEL": "info"}


def test_a_preset_leaves_the_files_own_value() -> None:
    assert preset_values([PRESET], {"LOG_LEVEL": "warn"}, {}, "0.5") == {}


@pytest.mark.parametrize("word", ["debug", ""])
def test_a_preset_leaves_the_operators_word(word: str) -> None:
    assert preset_values([PRESET], {"LOG_LEVEL": word}, {"LOG_LEVEL": word}, "0.5") == {}


@pytest.mark.parametrize(("release", "found"), [("0.5", {"LOG_LEVEL": "info"}), ("0.2", {})])
def test_a_preset_may_be_for_some_releases(release: str, found: dict[str, str]) -> None:
    assert preset_values([{**PRESET, "releases": ["0.3", "0.5"]}], {}, {}, release) == found


@pytest.mark.parametrize(("model", "found"), [("", {"LOG_LEVEL": "info"}), ("gpt", {})])
def test_a_preset_may_give_way_to_another_key(model: str, found: dict[str, str]) -> None:
    assert preset_values([{**PRESET, "unless": "MODEL_ID_0"}], {"MODEL_ID_0": model}, {}, "0.5") == found


def test_a_presets_value_is_text() -> None:
    assert preset_values([{"key": "PORT", "published": [], "value": 8888}], {}, {}, "0.5") == {"PORT": "8888"}


# --- building


def test_references_follow_a_secret() -> None:
    assert build(FILE, "x", {}, {}, {"PASSWORD": "s3cret"}, WANTED).env["DSN"] == "user:s3cret@tcp(db)/x"


def test_the_operators_word_is_over_all() -> None:
    env = build(FILE, "x", {"PASSWORD": "mine"}, {"PASSWORD": "preset"}, {"PASSWORD": "s3cret"}, WANTED).env
    assert (env["PASSWORD"], env["DSN"]) == ("mine", "user:mine@tcp(db)/x")


def test_a_secret_is_over_a_preset() -> None:
    assert build(FILE, "x", {}, {"PASSWORD": "preset"}, {"PASSWORD": "s3cret"}, WANTED).env["PASSWORD"] == "s3cret"


def test_a_secret_of_no_env_stays_out_of_it() -> None:
    assert "KEY_OF_THE_STACK" not in build(FILE, "x", {}, {}, {"PASSWORD": "s", "KEY_OF_THE_STACK": "k"}, WANTED).env


def test_a_key_that_is_replaced_need_not_be_readable() -> None:
    env = build('AES="cn+$PJ(HhJ[5d*z9"\n', "x", {}, {}, {"AES": "0123456789abcdef"}, [Secret("AES")]).env
    assert env == {"AES": "0123456789abcdef"}


@pytest.mark.parametrize("text", ["A=${NONE}\n", "A='x\n"])
def test_what_is_not_replaced_has_to_be_readable(text: str) -> None:
    with pytest.raises(EnvError, match=r"/src/docker/\.env:1: A: "):
        build(text, "/src/docker/.env", {}, {}, {}, [])


# --- /app/.env


@given(st.dictionaries(st.sampled_from(["A", "B", "C"]), st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=20)))
def test_a_dotenv_file_says_the_value_or_nothing(env: dict[str, str]) -> None:
    read = resolve(dotenv_text(env), "x").env
    assert list(read) == list(env)
    assert all(read[key] in (value, "") for key, value in env.items())


def test_common_values_are_in_the_dotenv_file() -> None:
    env = {"DSN": "u:p@tcp(db:3306)/x?charset=utf8mb4", "EMPTY": "", "SPACE": "a b", "HASH": "a #b", "DOLLAR": "$HOME", "JSON": '{"a": 1}'}
    assert resolve(dotenv_text(env), "x").env == env


# --- env files


def test_a_blank_at_the_end_is_told() -> None:
    problems = literal_problems({"A": "x ", "B": "x\t", "C": " x", "D": ""}, "service mysql")
    assert [problem.split(" ends")[0] for problem in problems] == ["service mysql: the value of A", "service mysql: the value of B"]
