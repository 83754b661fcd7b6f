# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import hmac
import json
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._digest import canonical, config_digest, keyed, same_recipe
from hypothesis import given
from hypothesis import strategies as st

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=20,
)
DICTS = st.dictionaries(st.text(st.characters(codec="utf-8")), PLAIN, max_size=6)


def turned(value: t.Any) -> t.Any:
    """The same value with the keys of every dict in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(list(value))}
    return [turned(each) for each in value] if isinstance(value, list) else value


@given(DICTS)
def test_the_order_of_keys_does_not_matter(value: dict[str, t.Any]) -> None:
    assert canonical(turned(value)) == canonical(value)
    assert config_digest("k", turned(value)) == config_digest("k", value)


@given(PLAIN)
def test_canonical_form_loses_nothing(value: t.Any) -> None:
    assert json.loads(canonical(value)) == value


@given(DICTS, DICTS)
def test_values_that_differ_have_forms_that_differ(one: dict[str, t.Any], other: dict[str, t.Any]) -> None:
    assert (canonical(one) == canonical(other)) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


def test_canonical_form_is_for_good() -> None:
    assert canonical({"b": [1, None, True], "a": "é"}) == '{"a":"é","b":[1,null,true]}'


def test_the_order_of_a_list_matters() -> None:
    assert config_digest("k", {"command": ["a", "b"]}) != config_digest("k", {"command": ["b", "a"]})


def test_keyed_is_hmac_sha256() -> None:
    assert keyed("key", "text") == hmac.new(b"key", b"text", hashlib.sha256).hexdigest()


@given(st.text(st.characters(codec="utf-8")))
def test_text_and_its_bytes_have_one_digest(text: str) -> None:
    assert keyed("k", text) == keyed("k", text.encode())


def test_another_key_gives_another_digest() -> None:
    assert config_digest("one", {}) != config_digest("other", {})


@pytest.mark.parametrize(("label", "same"), [(config_digest("k", {}), True), ("v1:x", True), ("v2:x", False), ("", False), ("v10:x", False)])
def test_only_labels_of_this_recipe_are_comparable(label: str, same: bool) -> None:
    assert same_recipe(label) is same
