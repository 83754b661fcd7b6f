# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each secret comes from: operator, the .env's own value, secrets file, host, chance."""

from __future__ import annotations

import itertools

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.module_utils._secrets import (
    ALPHABET,
    Decision,
    Rotation,
    Secret,
    Sources,
    decide,
    missing,
    new_value,
    replaced,
    rotation,
    secret_of,
)
from hypothesis import given
from hypothesis import strategies as st

DB = Secret("DB_PASSWORD", published=("root",), locks="data/mysql")
AES = Secret("AES", published=("published-16bytes",), lengths=(16, 24, 32))
FILE = "/inventory/secrets/coze.yml"
#: In the order in which they win.
PLACES = ("operator", "source_env", "stored", "host")


def choose(secret: Secret = DB, filled: tuple[str, ...] = (), generate: bool = True, **values: str) -> Decision:
    sources = Sources(**{place: {secret.key: values[place]} if place in values else {} for place in PLACES})
    return decide([secret], sources, filled, generate, FILE)


GIVEN = [given_ for size in range(1, 5) for given_ in itertools.combinations(PLACES, size)]


@pytest.mark.parametrize("places", GIVEN, ids=" ".join)
def test_the_first_place_that_has_a_value_wins(places: tuple[str, ...]) -> None:
    decision = choose(**{place: "of-" + place for place in places})
    assert decision.values == {"DB_PASSWORD": "of-" + places[0]}
    assert decision.generated == []
    assert decision.adopted == (["DB_PASSWORD"] if places == ("host",) else [])
    assert decision.problems == []


@pytest.mark.parametrize("source_env", ["", "root"])
@pytest.mark.parametrize("place", ["stored", "host"])
def test_a_blank_or_published_value_of_the_env_is_none(source_env: str, place: str) -> None:
    assert choose(source_env=source_env, **{place: "x"}).values == {"DB_PASSWORD": "x"}


@pytest.mark.parametrize("source_env", [None, "", "root"])
def test_what_nobody_gives_is_made(source_env: str | None) -> None:
    decision = choose(**({} if source_env is None else {"source_env": source_env}))
    assert decision.generated == ["DB_PASSWORD"]
    assert len(decision.values["DB_PASSWORD"]) == 32
    assert set(decision.values["DB_PASSWORD"]) <= set(ALPHABET)


def test_the_operator_may_keep_a_published_value() -> None:
    assert choose(operator="root", stored="x").values == {"DB_PASSWORD": "root"}


@pytest.mark.parametrize("places", [{"stored": "x"}, {"host": "x"}, {}], ids=str)
def test_an_empty_value_of_the_operator_is_refused(places: dict[str, str]) -> None:
    problems = choose(operator="", **places).problems
    assert problems == ["DB_PASSWORD: an empty value is given for it. Leave it out to have one made, or give one."]


@pytest.mark.parametrize("place", ["stored", "host"])
def test_a_blank_value_is_filled(place: str) -> None:
    assert choose(**{place: ""}).generated == ["DB_PASSWORD"]


@pytest.mark.parametrize("generate", [True, False])
def test_nothing_is_made_for_data_that_a_lost_value_locks(generate: bool) -> None:
    decision = choose(filled=("data/mysql",), generate=generate)
    assert decision.values == {}
    assert decision.generated == []
    says = "DB_PASSWORD: %s has no value for it, and data/mysql on the host already holds data made with one. Put that value into %s (or into stack_env)."
    assert decision.problems == [says % (FILE, FILE)]


@pytest.mark.parametrize("place", PLACES)
def test_a_value_from_anywhere_opens_the_data(place: str) -> None:
    assert choose(filled=("data/mysql",), **{place: "x"}).problems == []


def test_other_data_lock_nothing() -> None:
    assert choose(filled=("data/redis",)).generated == ["DB_PASSWORD"]


def test_a_secret_that_locks_nothing_is_made_beside_data() -> None:
    assert choose(Secret("REDIS_PASSWORD"), filled=("data/mysql", "data/redis")).generated == ["REDIS_PASSWORD"]


@pytest.mark.parametrize("places", [{}, {"source_env": "root"}, {"source_env": ""}], ids=str)
def test_check_mode_names_what_it_would_make(places: dict[str, str]) -> None:
    decision = choose(generate=False, **places)
    assert (decision.values, decision.generated, decision.problems) == ({}, ["DB_PASSWORD"], [])


def test_check_mode_takes_what_there_is() -> None:
    assert choose(generate=False, host="x").values == {"DB_PASSWORD": "x"}


@pytest.mark.parametrize("size", [16, 24, 32])
def test_lengths_that_aes_has_are_right(size: int) -> None:
    assert choose(AES, operator="x" * size).problems == []


@pytest.mark.parametrize("size", [1, 15, 17, 31, 33, 64])
@pytest.mark.parametrize("place", PLACES)
def test_other_lengths_are_refused_wherever_they_come_from(place: str, size: int) -> None:
    assert choose(AES, **{place: "x" * size}).problems == ["AES: its value is %d bytes long; it must have 16 or 24 or 32." % size]


def test_lengths_are_counted_in_bytes() -> None:
    assert choose(AES, operator="é" * 8).problems == []
    assert choose(AES, operator="é" * 16).problems == []
    assert "is 34 bytes long" in choose(AES, operator="é" * 17).problems[0]


def test_a_wrong_value_is_not_told() -> None:
    assert "hunter2" not in choose(AES, operator="hunter2").problems[0]


def test_every_secret_is_decided_for_itself() -> None:
    sources = Sources({"A": "a"}, {}, {"B": "b"}, {"C": "c"})
    decision = decide([Secret(key) for key in "ABCD"], sources, [], True, FILE)
    assert list(decision.values) == ["A", "B", "C", "D"]
    assert (decision.adopted, decision.generated) == (["C"], ["D"])


def test_only_what_the_controller_lacks_is_asked_of_the_host() -> None:
    sources = Sources({"A": ""}, {"B": "b", "C": "c"}, {"D": "d", "E": ""}, {"E": "of the host"})
    assert [secret.key for secret in missing([Secret(key) for key in "ABCDE"], sources)] == ["E"]


@given(st.integers(1, 200))
def test_new_values_have_their_length_and_need_no_quotes(size: int) -> None:
    value = new_value(size)
    assert len(value) == size
    assert value.isalnum()
    assert value.isascii()


def test_new_values_differ() -> None:
    assert len({new_value(32) for dummy in range(100)}) == 100


def test_a_new_aes_key_fits() -> None:
    assert choose(AES).problems == []


def test_a_roles_words_become_a_secret() -> None:
    assert secret_of({"key": "A", "published": ["x"], "lengths": [16], "in_env": False}) == Secret("A", ("x",), (16,), in_env=False)


def test_a_misspelt_field_of_a_role_is_refused() -> None:
    with pytest.raises(TypeError, match="publisched"):
        secret_of({"key": "A", "publisched": []})


def test_a_value_that_an_image_would_cut_off_is_refused() -> None:
    secret = Secret("MYSQL_PASSWORD", forbidden="'\\")
    decision = decide([secret], Sources({"MYSQL_PASSWORD": "it's"}, {}, {}, {}), [], True, "secrets.yml")
    assert decision.problems == ["MYSQL_PASSWORD: its value has \"'\" in it, which its image's scripts do not take. Use letters and digits."]


ROTATES = [Secret("A", rotates=True, published=("public",)), Secret("B", rotates=True, locks="data/b"), Secret("AES", locks="data/b"), Secret("ADMIN")]


def rotate(keys: tuple[str, ...] = (), used: str = "AB", **places: dict[str, str]) -> Rotation:
    sources = Sources(**{place: places.get(place, {}) for place in PLACES})
    return rotation(ROTATES, keys, sources, {key: {"digest of in use"} for key in used}, "digest of {}".format)


STORED = {"A": "in use", "B": "in use"}


def test_all_that_can_get_another_value() -> None:
    assert rotate(stored=STORED) == Rotation(["A", "B"], ["A", "B"], [])
    assert rotate(("B",), stored=STORED) == Rotation(["B"], ["B"], [])
    assert rotate(used="A", stored=STORED) == Rotation(["A"], ["A"], []), "what no service uses is none of the stack's"


@pytest.mark.parametrize("place", ["stored", "operator", "source_env"])
def test_a_value_that_differs_from_the_one_in_use_becomes_that_one(place: str) -> None:
    assert rotate(("B",), **{"stored": STORED, place: {"B": "given"}}) == Rotation(["B"], [], [])


def test_what_the_operator_gives_is_not_made_up() -> None:
    assert rotate(stored=STORED, operator={"A": "in use"}) == Rotation(["B"], ["B"], [])
    found = rotate(("A",), stored=STORED, operator={"A": "in use"})
    assert found.problems == ["A: its value is given in stack_env or the .env, and is the one in use. Give the new one there."]
    assert rotate(("A",), stored=STORED, source_env={"A": "public"}).renewed == ["A"], "a published value is none"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("NONE", "stack_rotate_keys: the stack makes no secret NONE. It can have A, B."),
        ("AES", "stack_rotate_keys: AES stays as it is: what data/b holds was written with it, and could not be read any more."),
        ("ADMIN", "stack_rotate_keys: ADMIN stays as it is: rotate.yml does not know how."),
        ("B", "stack_rotate_keys: no service of the stack uses B."),
    ],
)
def test_what_cannot_become_another_one(key: str, said: str) -> None:
    assert rotate((key,), used="A", stored=STORED) == Rotation([], [], [said])


def test_a_secret_that_is_renewed_gets_a_new_value() -> None:
    sources = Sources({}, {}, {"DB_PASSWORD": "old"}, {})
    decision = decide([DB], sources, ["data/mysql"], True, FILE, ["DB_PASSWORD"])
    assert decision.generated == ["DB_PASSWORD"] and decision.values["DB_PASSWORD"] != "old" and decision.problems == []
    assert decide([DB], sources, ["data/mysql"], False, FILE, ["DB_PASSWORD"]).values == {}


KEYS = st.sampled_from(["A", "B_1", "C", "LONG_KEY"])
VALUES = st.one_of(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20), st.integers(), st.just("two\nlines\n"))


@given(st.dictionaries(KEYS, VALUES), st.sets(KEYS))
def test_lines_of_a_key_are_taken_out_and_all_others_stay(document: dict[str, object], gone: set[str]) -> None:
    text = "# A head\n" + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=4096)
    left = replaced(text, gone)
    assert (yaml.safe_load(left) or {}) == {key: value for key, value in document.items() if key not in gone}
    assert left.startswith("# A head\n")
    assert replaced(text, ()) == text
