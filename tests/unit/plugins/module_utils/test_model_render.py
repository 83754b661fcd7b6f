# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rendered files have no problems, whatever the names are, and ids stay."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import PROTOCOLS, RELEASES, lint_directory
from ansible_collections.cozeops.studio.plugins.module_utils._model_mask import HIDDEN, mask_text, mask_variables, secrets_of
from ansible_collections.cozeops.studio.plugins.module_utils._model_render import (
    MARK,
    assign_ids,
    document,
    file_name,
    is_ours,
    merged,
    render,
    scalar,
    template_name,
)
from ansible_collections.cozeops.studio.plugins.module_utils._model_yaml import load, plain
from hypothesis import given, settings
from hypothesis import strategies as st

MASK = "********"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAME = TEXT.filter(str.strip)
KEY = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=["Cs"]), min_size=12, max_size=30)


def a_model(**given_: t.Any) -> dict[str, t.Any]:
    options = ("id", "api_key", "icon_uri", "icon_url", "description", "timeout", "capability", "connection", "parameters")
    return {
        **dict.fromkeys(options),
        "name": "Lab",
        "protocol": "openai",
        "base_url": "http://llm:8000/v1",
        "model": "lab",
        **given_,
    }


MODELS = st.lists(
    st.builds(
        a_model,
        name=NAME,
        id=st.none() | st.integers(1, 2**63 - 1),
        protocol=st.sampled_from(PROTOCOLS),
        model=NAME,
        api_key=st.none() | TEXT,
        description=st.none() | TEXT | st.fixed_dictionaries({"zh": TEXT, "en": TEXT}),
        timeout=st.none() | st.sampled_from(["0s", "30s", "1m30s"]),
        capability=st.none() | st.fixed_dictionaries({"json_mode": st.booleans(), "max_tokens": st.integers(0, 10**6)}),
        connection=st.none()
        | st.fixed_dictionaries({"temperature": st.floats(0, 2), "stop": st.lists(TEXT, max_size=3), "custom": st.dictionaries(NAME, TEXT, max_size=3)}),
    ),
    max_size=6,
    unique_by=(lambda model: model["name"], lambda model: model["id"] if model["id"] is not None else model["name"]),
)


def rendered(models: list[dict[str, t.Any]], known: dict[str, int], taken: set[int]) -> list[tuple[str, bytes]]:
    ids = assign_ids(models, known, taken)
    return [(file_name(number), render(document(model, number, None)).encode()) for model, number in zip(models, ids, strict=True)]


@settings(max_examples=60, deadline=None)
@given(models=MODELS, release=st.sampled_from(RELEASES))
def test_what_is_rendered_has_no_problems_and_reads_back(models: list[dict[str, t.Any]], release: str) -> None:
    files = rendered(models, {}, set())
    report = lint_directory(files, release)
    assert (report.problems, report.warnings) == ([], [])
    for model, (dummy, data) in zip(models, files, strict=True):
        read = plain(load(data).node)
        assert is_ours(data)
        assert (read["name"], read["meta"]["conn_config"]["model"]) == (model["name"], model["model"])
        assert read["meta"]["conn_config"]["api_key"] == (model["api_key"] or "")


@settings(max_examples=60, deadline=None)
@given(models=MODELS, order=st.randoms(), more=MODELS)
def test_ids_do_not_depend_on_the_order_and_stay_when_models_come_and_go(models: list[dict[str, t.Any]], order: t.Any, more: list[dict[str, t.Any]]) -> None:
    ids = dict(zip([model["name"] for model in models], assign_ids(models, {}, set()), strict=True))
    assert len(set(ids.values())) == len(ids)
    fewer = [model for model in models if order.random() < 0.7]
    order.shuffle(fewer)
    new = [model for model in more if model["name"] not in ids and model["id"] not in ids.values()]
    later = dict(zip([model["name"] for model in [*new, *fewer]], assign_ids([*new, *fewer], ids, set()), strict=True))
    assert {name: later[name] for name in later if name in ids} == {name: ids[name] for name in later if name in ids}
    assert len(set(later.values())) == len(later)


def test_an_id_that_another_file_has_is_not_given() -> None:
    (first,) = assign_ids([a_model()], {}, set())
    assert assign_ids([a_model()], {}, {first, first + 1}) == [first + 2]
    assert assign_ids([a_model(name="x", id=first), a_model()], {}, set()) == [first, first + 1]
    assert 10**9 <= first < 2**31


def test_an_id_is_read_back_by_the_name_unless_it_is_given() -> None:
    assert assign_ids([a_model()], {"Lab": 7}, set()) == [7]
    assert assign_ids([a_model(id=8)], {"Lab": 7}, set()) == [8]


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12)


@given(VALUES)
@settings(max_examples=150, deadline=None)
def test_every_value_is_read_back_as_it_was_by_this_reader(value: t.Any) -> None:
    found = plain(load(render({"a": value, "b": 1}).encode()).node)
    # null keys are as good as none.
    assert found == without_null({"a": value, "b": 1})


def without_null(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    return [without_null(item) for item in value] if isinstance(value, list) else value


@given(TEXT)
@settings(max_examples=150, deadline=None)
def test_a_text_is_a_text_to_yaml_1_1_too(text: str) -> None:
    assert yaml.safe_load(scalar(text)) == text


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_minimal_file_is_valid_in_all_lines(release: str, protocol: str) -> None:
    report = lint_directory(rendered([a_model(protocol=protocol)], {}, set()), release)
    assert (report.problems, report.warnings) == ([], [])


def test_what_a_template_says_stays_unless_the_model_says_otherwise() -> None:
    template = {
        "id": 1,
        "name": "T",
        "icon_uri": "i",
        "default_parameters": [{"name": "top_p"}],
        "meta": {"protocol": "ark", "capability": {"json_mode": True, "max_tokens": 1}, "conn_config": {"timeout": "9s", "ark": {"region": "r"}}},
    }
    model = a_model(capability={"max_tokens": 2}, connection={"ark": {"retry_times": 3}, "top_p": 0.5}, description="d")
    assert document(model, 5, template) == {
        "id": 5,
        "name": "Lab",
        "icon_uri": "i",
        "default_parameters": [{"name": "top_p"}],
        "description": {"zh": "d", "en": "d"},
        "meta": {
            "protocol": "openai",
            "capability": {"json_mode": True, "max_tokens": 2},
            "conn_config": {
                "timeout": "9s",
                "ark": {"region": "r", "retry_times": 3},
                "top_p": 0.5,
                "base_url": "http://llm:8000/v1",
                "model": "lab",
            },
        },
    }
    assert template["id"] == 1


def test_the_template_of_the_model_comes_before_that_of_the_protocol() -> None:
    names = ["model_template_ark.yaml", "model_template_ark_doubao.yaml"]
    assert [template_name(names, *which) for which in (("ark", "doubao"), ("ark", "x"), ("qwen", "x"))] == [names[1], names[0], None]


def test_merged() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": 1}, {"a": {"b": 3}, "d": {"e": 1}}) == {"a": {"b": 3, "c": 2}, "d": {"e": 1}}
    assert merged(None, {"a": 1}) == {"a": 1}


# --- masks ---


@settings(max_examples=100, deadline=None)
@given(key=KEY, name=NAME)
def test_a_key_is_never_in_a_masked_text(key: str, name: str) -> None:
    data = render(document(a_model(name=name, api_key=key, connection={"ark": {"custom_header": {"X": key + "h"}}}), 1, None)).encode()
    text = mask_text(data)
    assert secrets_of(data) == {key, key + "h"}
    assert text.count(f": {MASK}\n") == 2
    assert plain(load(text.replace(MASK, "x").encode()).node)["meta"]["conn_config"]["api_key"] == "x"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("api_key: sk-1234\nb: 1\n", f"api_key: {MASK}\nb: 1\n"),
        ("api_key: 'sk-1234'  # was sk-0000\nb: 1\n", f"api_key: {MASK}\nb: 1\n"),
        ("api_key: |\n  sk-1234\nb: 1\n", f"api_key: {MASK}\nb: 1\n"),
        ("api_key: >-\n  sk-1234\n  more\nb: 1\n", f"api_key: {MASK}\nb: 1\n"),
        ("api_key: sk\n  1234\nb: 1\n", f"api_key: {MASK}\nb: 1\n"),
        ("{api_key: sk-1234, b: 1}\n", f"{{api_key: {MASK}, b: 1}}\n"),
        ("a: 漢字😀\n\"api_key\": sk-1234\nb: 漢\n", f"a: 漢字😀\n\"api_key\": {MASK}\nb: 漢\n"),
        ("claude: {secret_access_key: a1b2c3, region: r}\n", f"claude: {{secret_access_key: {MASK}, region: r}}\n"),
        ("custom: {any: [a1b2c3, d4e5]}\nmax_tokens: 1\n", f"custom: {{any: [{MASK}, {MASK}]}}\nmax_tokens: 1\n"),
        ("# api_key: sk-0000\na: 1\n", f"# api_key: {MASK}\na: 1\n"),
        ("api_key: sk-1234\na: 1  # as sk-1234\n", f"api_key: {MASK}\na: 1  # as {MASK}\n"),
        ("base_url: https://me:hunter2@llm/v1\n", f"base_url: https://me:{MASK}@llm/v1\n"),
        ("base_url: https://llm/v1?key=abcdef&x=1\n", f"base_url: https://llm/v1?key={MASK}&x=1\n"),
        ("x: &k sk-1234\napi_key: *k\n", f"x: {MASK}\napi_key: *k\n"),
        ("api_key: ''\nb: 1\n", "api_key: ''\nb: 1\n"),
        ("api_key:\nb: 1\n", "api_key:\nb: 1\n"),
        ("api_key: [sk-1234\n", HIDDEN),
        ("\tapi_key: sk-1234\n", HIDDEN),
        ("api_key: sk-1234\r\nb: 1\r\n", f"api_key: {MASK}\nb: 1\n"),
    ],
)  # fmt: skip
def test_keys_are_masked_in_text_of_any_form(text: str, shown: str) -> None:
    assert mask_text(text.encode()) == shown


def test_a_key_that_changes_is_marked() -> None:
    assert mask_text(b"api_key: new1\n", {"old1"}) == f"api_key: {MASK} (changed)\n"
    assert mask_text(b"api_key: old1\n", {"old1"}) == f"api_key: {MASK}\n"


def test_variables_are_masked() -> None:
    given_ = {"models": [a_model(api_key="sk-1", connection={"claude": {"secret_access_key": "s"}, "custom": {"x": 5}, "temperature": 0.1})]}
    shown = mask_variables(given_)["models"][0]
    assert (shown["api_key"], shown["name"], shown["timeout"]) == (MASK, "Lab", None)
    assert shown["connection"] == {"claude": {"secret_access_key": MASK}, "custom": {"x": MASK}, "temperature": 0.1}


def test_ours_is_known_by_the_first_line() -> None:
    assert is_ours(MARK.encode()) and is_ours(b"\xef\xbb\xbf" + MARK.encode())
    assert not is_ours(b"\n" + MARK.encode()) and not is_ours(b"id: 1\n") and not is_ours(b"")
