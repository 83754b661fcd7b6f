# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedding variable: what it becomes in each release, what it may not say, and what settings mean read back."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._embedding import (
    KINDS,
    EmbeddingError,
    embedding_change,
    embedding_env,
    embedding_of,
    env_rules,
    kinds_of,
)
from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import RELEASES
from ansible_collections.cozeops.studio.plugins.module_utils._settings_table import KNOWN
from hypothesis import assume, given
from hypothesis import strategies as st

Options = dict[str, t.Any]

OPENAI: Options = {"type": "openai", "base_url": "http://llm:8000/v1", "model": "bge-m3", "api_key": "sk-c0rpus", "dims": 1024, "batch_size": 10}
ARK: Options = {"type": "ark", "base_url": "https://ark.example.com/api/v3", "model": "ep-1", "api_key": "sk-c0rpus", "dims": 2048}
OLLAMA: Options = {"type": "ollama", "base_url": "http://ollama:11434", "model": "bge-m3", "dims": 1024}
GEMINI: Options = {"type": "gemini", "model": "gemini-embedding-001", "api_key": "sk-c0rpus", "dims": 768, "backend": 1}
HTTP: Options = {"type": "http", "base_url": "http://embed:6543", "dims": 1024}

OPENAI_ENV = {
    "EMBEDDING_TYPE": "openai",
    "OPENAI_EMBEDDING_BASE_URL": "http://llm:8000/v1",
    "OPENAI_EMBEDDING_MODEL": "bge-m3",
    "OPENAI_EMBEDDING_API_KEY": "sk-c0rpus",
    "OPENAI_EMBEDDING_DIMS": "1024",
    "OPENAI_EMBEDDING_REQUEST_DIMS": "1024",
    "EMBEDDING_MAX_BATCH_SIZE": "10",
}
ARK_ENV = {
    "EMBEDDING_TYPE": "ark",
    "ARK_EMBEDDING_BASE_URL": "https://ark.example.com/api/v3",
    "ARK_EMBEDDING_MODEL": "ep-1",
    "ARK_EMBEDDING_API_KEY": "sk-c0rpus",
    "ARK_EMBEDDING_DIMS": "2048",
}


@pytest.mark.parametrize(
    ("options", "release", "env"),
    [
        ({}, "0.5", {}),
        (OPENAI, "0.5", OPENAI_ENV),
        (OPENAI, "0.3", {**OPENAI_ENV, "OPENAI_EMBEDDING_BY_AZURE": "false"}),
        ({**OPENAI, "send_dimensions": False}, "0.2", {**OPENAI_ENV, "OPENAI_EMBEDDING_BY_AZURE": "false", "OPENAI_EMBEDDING_REQUEST_DIMS": ""}),
        ({**OPENAI, "send_dimensions": False}, "0.5", {**OPENAI_ENV, "OPENAI_EMBEDDING_DIMS": "0", "OPENAI_EMBEDDING_REQUEST_DIMS": "0"}),
        ({**OPENAI, "by_azure": True, "api_version": "v1"}, "0.3", {**OPENAI_ENV, "OPENAI_EMBEDDING_BY_AZURE": "true", "OPENAI_EMBEDDING_API_VERSION": "v1"}),
        ({**OPENAI, "dims": "1024", "batch_size": "10"}, "0.5", OPENAI_ENV),
        (ARK, "0.5", ARK_ENV),
        (ARK, "0.3", ARK_ENV),
        (ARK, "0.2", {**ARK_ENV, "ARK_EMBEDDING_AK": "sk-c0rpus"}),
        ({**ARK, "api_type": "multi_modal_api"}, "0.3", {**ARK_ENV, "ARK_EMBEDDING_API_TYPE": "multi_modal_api"}),
        (
            OLLAMA,
            "0.2",
            {
                "EMBEDDING_TYPE": "ollama",
                "OLLAMA_EMBEDDING_BASE_URL": "http://ollama:11434",
                "OLLAMA_EMBEDDING_MODEL": "bge-m3",
                "OLLAMA_EMBEDDING_DIMS": "1024",
            },
        ),
        (
            GEMINI,
            "0.3",
            {
                "EMBEDDING_TYPE": "gemini",
                "GEMINI_EMBEDDING_MODEL": "gemini-embedding-001",
                "GEMINI_EMBEDDING_API_KEY": "sk-c0rpus",
                "GEMINI_EMBEDDING_DIMS": "768",
                "GEMINI_EMBEDDING_BACKEND": "1",
            },
        ),
        (HTTP, "0.5", {"EMBEDDING_TYPE": "http", "HTTP_EMBEDDING_ADDR": "http://embed:6543", "HTTP_EMBEDDING_DIMS": "1024"}),
    ],
)
def test_the_variable_becomes_the_keys_of_the_release(options: Options, release: str, env: dict[str, str]) -> None:
    assert embedding_env(options, release) == env
    assert set(env) <= KNOWN


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("options", [OPENAI, ARK, OLLAMA, GEMINI, HTTP], ids=lambda options: options["type"])
def test_what_the_variable_becomes_means_the_same_read_back_and_breaks_no_rule(options: Options, release: str) -> None:
    if options["type"] not in kinds_of(release):
        with pytest.raises(EmbeddingError, match=r"type: gemini is there from release 0\.3 on"):
            embedding_env(options, release)
        return
    env = embedding_env(options, release)
    read = embedding_of(env, release)
    assert read is not None
    asked = {key: value for key, value in options.items() if key != "backend"}
    assert {key: read[key] for key in asked} == asked
    assert read["send_dimensions"] == (options["type"] == "openai")
    assert list(env_rules(env, release)) == []


@pytest.mark.parametrize(
    ("options", "release", "problems"),
    [
        ({"base_url": "http://x/v1"}, "0.5", ["type: is missing: one of openai, ark, ollama, gemini, http"]),
        ({"type": "OpenAI"}, "0.5", ["type: has to be one of openai, ark, ollama, gemini, http; is openai meant?"]),
        ({"type": ["ark"]}, "0.2", ["type: has to be one of openai, ark, ollama, http"]),
        ({"type": "openai"}, "0.5", ["base_url: is missing", "model: is missing", "dims: is missing"]),
        ({"type": "ark", "dims": 2048}, "0.5", ["base_url: is missing", "model: is missing", "api_key: is missing"]),
        ({**OPENAI, "modle": "x"}, "0.5", ["modle: type openai has no such option; is model meant?"]),
        ({**OLLAMA, "api_key": "sk-c0rpus"}, "0.5", ["api_key: type ollama has no such option"]),
        ({**ARK, "send_dimensions": True}, "0.5", ["send_dimensions: type ark has no such option"]),
        ({**OPENAI, "dims": 0}, "0.5", ["dims: has to be a whole number above 0"]),
        ({**OPENAI, "dims": "many"}, "0.5", ["dims: has to be a whole number above 0"]),
        ({**OPENAI, "dims": True}, "0.5", ["dims: has to be a whole number above 0"]),
        ({**OPENAI, "dims": 1024.5}, "0.5", ["dims: has to be a whole number above 0"]),
        ({**OPENAI, "batch_size": -1}, "0.5", ["batch_size: has to be a whole number above 0"]),
        ({**OPENAI, "send_dimensions": "maybe"}, "0.5", ["send_dimensions: has to be true or false"]),
        ({**OPENAI, "api_key": 12345}, "0.5", ["api_key: has to be text"]),
        ({**OPENAI, "api_key": "sk\nc0rpus"}, "0.5", ["api_key: has a line break in it"]),
        ({**OPENAI, "model": None}, "0.5", ["model: has to be text"]),
        ({**OPENAI, "model": ""}, "0.5", ["model: is empty"]),
        ({**OPENAI, "base_url": "http://llm:8000/v1/embeddings"}, "0.5", ["base_url: ends in /embeddings"]),
        ({**OPENAI, "base_url": "http://localhost:8000/v1"}, "0.2", ["base_url: has the host localhost"]),
        ({**OPENAI, "base_url": "llm:8000/v1"}, "0.3", ["base_url: is no URL"]),
        ({**ARK, "api_type": "text"}, "0.5", ["api_type: has to be one of text_api, multi_modal_api"]),
        ({**GEMINI, "backend": 3}, "0.5", ["backend: has to be one of 1, 2"]),
        ({**OPENAI, "dims": "x", "model": 1, "nmae": 2}, "0.5", ["dims: ", "model: ", "nmae: "]),
    ],
)
def test_all_that_is_wrong_is_told_at_once(options: Options, release: str, problems: list[str]) -> None:
    with pytest.raises(EmbeddingError) as caught:
        embedding_env(options, release)
    assert len(caught.value.problems) == len(problems), caught.value.problems
    for problem, expected in zip(sorted(caught.value.problems), sorted(problems), strict=True):
        assert problem.startswith(f"coze_server_embedding.{expected}")
    assert "c0rpus" not in str(caught.value)


@pytest.mark.parametrize(
    ("env", "release", "expected"),
    [
        ({}, "0.5", None),
        ({"EMBEDDING_TYPE": "openai", "OPENAI_EMBEDDING_MODEL": "m"}, "0.5", None),
        ({"EMBEDDING_TYPE": "nope", "OPENAI_EMBEDDING_MODEL": "m"}, "0.5", None),
        ({**OPENAI_ENV, "VECTOR_STORE_TYPE": "vikingdb", "VIKING_DB_MODEL_NAME": "m"}, "0.5", None),
        (OPENAI_ENV, "0.5", {"dims": 1024, "batch_size": 10, "send_dimensions": True}),
        ({**OPENAI_ENV, "OPENAI_EMBEDDING_REQUEST_DIMS": "0"}, "0.5", {"dims": 1024, "send_dimensions": True}),
        ({**OPENAI_ENV, "OPENAI_EMBEDDING_DIMS": "0"}, "0.5", {"dims": None, "send_dimensions": False}),
        ({**OPENAI_ENV, "OPENAI_EMBEDDING_DIMS": "x"}, "0.5", {"dims": 1024, "send_dimensions": True}),
        ({**OPENAI_ENV, "OPENAI_EMBEDDING_DIMS": "x"}, "0.3", {"dims": None, "send_dimensions": True}),
        ({**OPENAI_ENV, "OPENAI_EMBEDDING_REQUEST_DIMS": ""}, "0.2", {"dims": 1024, "send_dimensions": False}),
        ({**OPENAI_ENV, "EMBEDDING_MAX_BATCH_SIZE": "x"}, "0.2", {"batch_size": 100}),
        ({key: value for key, value in ARK_ENV.items() if key != "EMBEDDING_TYPE"}, "0.5", {"type": "ark", "dims": 2048, "send_dimensions": False}),
        ({key: value for key, value in ARK_ENV.items() if key != "EMBEDDING_TYPE"}, "0.3", None),
        ({**{key: value for key, value in ARK_ENV.items() if "API_KEY" not in key}, "ARK_EMBEDDING_AK": "old"}, "0.2", {"api_key": "old"}),
    ],
)
def test_what_settings_mean_in_each_release(env: dict[str, str], release: str, expected: Options | None) -> None:
    read = embedding_of(env, release)
    if expected is None:
        assert read is None
    else:
        assert read is not None
        assert {key: read[key] for key in expected} == expected
        assert set(read) == {"type", "base_url", "model", "api_key", "dims", "batch_size", "send_dimensions"}


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (OPENAI_ENV, OPENAI_ENV, {}),
        ({}, OPENAI_ENV, {}),
        (OPENAI_ENV, {**OPENAI_ENV, "OPENAI_EMBEDDING_BASE_URL": "http://other/v1", "OPENAI_EMBEDDING_API_KEY": "k", "EMBEDDING_MAX_BATCH_SIZE": "1"}, {}),
        (OPENAI_ENV, {**OPENAI_ENV, "OPENAI_EMBEDDING_DIMS": "512"}, {"dims": (1024, 512)}),
        (OPENAI_ENV, {**OPENAI_ENV, "OPENAI_EMBEDDING_DIMS": "0"}, {}),
        (OPENAI_ENV, {**OPENAI_ENV, "OPENAI_EMBEDDING_MODEL": "m"}, {"model": ("bge-m3", "m")}),
        (OPENAI_ENV, ARK_ENV, {"type": ("openai", "ark"), "model": ("bge-m3", "ep-1"), "dims": (1024, 2048)}),
        (OPENAI_ENV, {}, {"type": ("openai", None), "model": ("bge-m3", None), "dims": (1024, None)}),
    ],
)
def test_a_change_that_knowledge_bases_do_not_survive_is_told(old: dict[str, str], new: dict[str, str], changes: dict[str, t.Any]) -> None:
    assert embedding_change(old, new, "0.5") == changes


OPTION_NAMES = st.sampled_from(["type", "base_url", "model", "api_key", "dims", "batch_size", "send_dimensions", "by_azure", "backend", "api_type", "x"])
OPTION_WORDS = st.sampled_from([*KINDS, "http://llm/v1", "http://localhost/v1", "http://[x", "1", "", "true"])
OPTION_VALUES = st.one_of(OPTION_WORDS, st.integers(-2, 2048), st.booleans(), st.none(), st.text(max_size=8))


@given(st.dictionaries(OPTION_NAMES, OPTION_VALUES), st.sampled_from(RELEASES))
def test_whatever_the_variable_says_it_becomes_sound_settings_or_is_refused_with_reasons(options: Options, release: str) -> None:
    assume(options)
    try:
        env = embedding_env(options, release)
    except EmbeddingError as error:
        env, problems = {}, error.problems
    else:
        problems = []
    if env:
        assert not [verdict for verdict in env_rules(env, release) if verdict.fatal]
        assert all(isinstance(value, str) for value in env.values())
        assert embedding_of(env, release) is not None
    else:
        assert problems
    assert all(problem.startswith("coze_server_embedding.") for problem in problems)
