# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._coze_admin import (
    CLASSES,
    SANDBOX,
    AdminError,
    Row,
    Wanted,
    basic_config,
    create_model,
    delete_model,
    differences,
    fit_to_save,
    is_absent,
    is_denied,
    is_named,
    knowledge_config,
    list_models,
    masked,
    plan,
    reason,
    save_basic_config,
    served_ids,
    wanted_models,
    with_admins,
)
from ansible_collections.cozeops.studio.plugins.module_utils._coze_api import Coze, CozeError
from ansible_collections.cozeops.studio.tests.unit.plugins.coze_fake import Fake, row, serving
from hypothesis import given
from hypothesis import strategies as st

URL = "http://models:8000/v1"
A = Wanted("A", "openai", URL, "qwen3", "sk-0123456789", None)
B = Wanted("B", "ollama", "http://models:11434", "llama", "", None)


def as_row(number: int, wanted: Wanted, **other: t.Any) -> Row:
    return Row(number, wanted.name, wanted.protocol, wanted.base_url, wanted.model, masked(wanted.key), bool(wanted.base64))._replace(**other)


@pytest.fixture
def fake() -> t.Iterator[Fake]:
    with serving(Fake("0.5")) as running:
        running.users["a@b.c"] = "p"
        yield running


@pytest.fixture
def coze(fake: Fake) -> Coze:
    session = Coze(fake.url)
    session.login("a@b.c", "p")
    return session


# -- the basic configuration


def test_settings_are_saved_whole(fake: Fake, coze: Coze) -> None:
    before = dict(fake.basic)
    save_basic_config(coze, {**basic_config(coze), "disable_user_registration": True})
    assert fake.basic == {**before, "disable_user_registration": True}


@pytest.mark.parametrize("lost", [{"sandbox_config": None}, {}])
def test_the_sandbox_gets_settings_where_it_would_have_none(lost: dict[str, t.Any]) -> None:
    saved = fit_to_save({"code_runner_type": 1, "server_host": "h", **lost})
    assert saved["sandbox_config"] == SANDBOX
    assert saved["sandbox_config"] is not SANDBOX


def test_a_sandbox_that_has_settings_keeps_them() -> None:
    config = {"code_runner_type": 1, "server_host": "h", "sandbox_config": {"allow_net": "x"}}
    assert fit_to_save(config) == config


def test_without_the_sandbox_nothing_is_made_up() -> None:
    config = {"code_runner_type": 0, "server_host": "h", "sandbox_config": None}
    assert fit_to_save(config) == config


def test_settings_without_a_host_are_refused() -> None:
    with pytest.raises(AdminError, match=r"set SERVER_HOST in the \.env"):
        fit_to_save({"server_host": ""})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "a@b.c"),
        ("x@y.z", "x@y.z,a@b.c"),
        ("x@y.z,A@B.C", "x@y.z,A@B.C"),
        ("X@y.z, a@b.c", "x@y.z,a@b.c"),  # a blank is part of the address to the server
        (",a@b.c,", ",a@b.c,"),
    ],
)
def test_naming_an_administrator(before: str, after: str) -> None:
    assert with_admins(before, ["a@b.c"]) == after


@given(st.lists(st.sampled_from(["a@b.c", "A@b.c", " a@b.c", "x@y.z", ""])), st.lists(st.sampled_from(["a@b.c", "Q@r.s"]), min_size=1))
def test_naming_is_idempotent_and_forgets_nobody(known: list[str], wanted: list[str]) -> None:
    before = ",".join(known)
    after = with_admins(before, wanted)
    assert with_admins(after, wanted) == after
    assert all(is_named(after, email) for email in wanted)
    assert {address.strip().lower() for address in known} - {""} <= {address.strip().lower() for address in after.split(",")}


# -- refusals


def test_an_account_that_is_no_administrator(fake: Fake, coze: Coze) -> None:
    fake.basic["admin_emails"] = "x@y.z"
    with pytest.raises(CozeError) as caught:
        list_models(coze)
    assert is_denied(caught.value)
    assert not is_absent(caught.value)
    assert "admin_emails" in reason(caught.value, "a@b.c")
    assert "have one of them add a@b.c there" in reason(caught.value, "a@b.c")


def test_a_server_without_administration() -> None:
    with serving(Fake("0.2")) as fake:
        coze = Coze(fake.url)
        coze.register("a@b.c", "p")
        with pytest.raises(CozeError) as caught:
            basic_config(coze)
    assert is_absent(caught.value)
    assert "before 0.5" in reason(caught.value, "a@b.c")


def test_no_session_is_another_matter(fake: Fake) -> None:
    with pytest.raises(CozeError) as caught:
        basic_config(Coze(fake.url))
    assert not is_denied(caught.value)
    assert "session is not valid" in reason(caught.value, "a@b.c")


# -- models over the API


def test_models_are_listed_with_what_they_are_compared_by(fake: Fake, coze: Coze) -> None:
    fake.rows = {300: row("Z", of=20, base64=True, key=""), 100: row("Y", of=77), 200: row("X", key="sk-0123456789")}
    fake.rows[100]["class"] = 2
    assert list_models(coze) == [
        Row(100, "Y", "ark", URL, "qwen3", "sk***ke", False),
        Row(200, "X", "openai", URL, "qwen3", "sk-0***6789", False),
        Row(300, "Z", "ollama", URL, "qwen3", "", True),
    ]


def test_creating_and_deleting(fake: Fake, coze: Coze) -> None:
    assert served_ids(coze) == {100}
    made = create_model(coze, B._replace(base64=True))
    assert fake.rows[made] == {"name": "B", "class": 20, "base_url": "http://models:11434", "api_key": "", "model": "llama", "base64": True}
    assert served_ids(coze) == {100001, made}
    delete_model(coze, made)
    assert list(fake.rows) == [100001]


def test_settings_of_knowledge_bases(coze: Coze) -> None:
    assert knowledge_config(coze)["embedding_config"]["type"] == 1


@pytest.mark.parametrize(("key", "shown"), [("", ""), ("abcd", "****"), ("sk-fake", "sk***ke"), ("sk-56789", "sk***89"), ("sk-012345", "sk-0***2345")])
def test_keys_are_masked_as_the_server_does(key: str, shown: str) -> None:
    assert masked(key) == shown


# -- what is wrong with models


def options(**other: t.Any) -> dict[str, t.Any]:
    return {"name": "A", "protocol": "openai", "base_url": URL, "model": "m", "api_key": None, **other}


def test_every_problem_of_every_model_is_told_at_once() -> None:
    models = [options(protocol="opnai", model=" "), options(base_url="http://localhost:8000/v1/chat/completions"), options(name="")]
    with pytest.raises(AdminError) as caught:
        wanted_models(models)
    lines = str(caught.value).splitlines()
    assert [line.partition(" ")[2].partition(" ")[0] for line in lines] == ["A:", "A:", "A:", "A:", "A:", "without"]
    for part in ("did you mean openai?", "model is empty", "the name is there twice", "ends in /chat/completions", "host localhost", "name is empty"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("given_options", "base64"),
    [
        ({}, None),
        ({"enable_base64_url": True}, True),
        ({"connection": {"enable_base64_url": False}}, False),
        ({"connection": {"temperature": 1}}, None),
        ({"enable_base64_url": False, "connection": {"enable_base64_url": True}}, False),
    ],
)
def test_options_of_files_serve_too(given_options: dict[str, t.Any], base64: bool | None) -> None:
    assert wanted_models([options(**given_options)])[0].base64 is base64


@pytest.mark.parametrize("protocol", CLASSES)
def test_an_empty_address_is_the_protocols_own(protocol: str) -> None:
    assert wanted_models([options(protocol=protocol, base_url="")])[0].base_url == ""


# -- what differs


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, ()),
        ({"base_url": URL + "/"}, ()),
        ({"base_url": URL + "2"}, ("base_url",)),
        ({"protocol": "ark"}, ("protocol",)),
        ({"model": "other"}, ("model",)),
        ({"key": "sk-0***6788"}, ("api_key",)),
        ({"key": "sk-0123456789"}, ()),  # a version that does not mask
        ({"base64": True}, ()),
    ],
)
def test_differences(changed: dict[str, t.Any], found: tuple[str, ...]) -> None:
    assert differences(as_row(1, A, **changed), A) == found


@pytest.mark.parametrize(("has", "wants", "differs"), [(True, True, False), (True, False, True), (False, True, True), (None, True, False)])
def test_images_count_where_both_sides_say_something(has: bool | None, wants: bool, differs: bool) -> None:
    assert bool(differences(as_row(1, A, base64=has), A._replace(base64=wants))) is differs


# -- the plan


def told(steps: t.Sequence[t.Any]) -> list[tuple[t.Any, ...]]:
    return [(step.name, step.action, step.keep and step.keep.id, [row.id for row in step.gone], [row.id for row in step.left]) for step in steps]


def test_nothing_to_do() -> None:
    rows = [as_row(1, A), as_row(2, B)]
    assert told(plan([A, B], rows, {1, 2}, purge=True)) == [("A", "none", 1, [], []), ("B", "none", 2, [], [])]


def test_what_lacks_is_created_and_what_differs_is_replaced() -> None:
    rows = [as_row(2, B, model="old")]
    steps = plan([A, B], rows, {2}, purge=False)
    assert told(steps) == [("A", "create", None, [], []), ("B", "replace", None, [2], [])]
    assert steps[1].why == ("model",)


def test_of_several_the_newest_that_fits_stays() -> None:
    rows = [as_row(5, A, model="old"), as_row(3, A), as_row(1, A), as_row(4, A)]
    assert told(plan([A], rows, {1, 3, 4, 5}, purge=False)) == [("A", "delete", 4, [1, 3, 5], [])]


def test_unwanted_ones_go_only_when_purged() -> None:
    rows = [as_row(1, A), as_row(2, B), as_row(3, B)]
    assert told(plan([A], rows, {1, 2, 3}, purge=False)) == [("A", "none", 1, [], [])]
    assert told(plan([A], rows, {1, 2, 3}, purge=True)) == [("A", "none", 1, [], []), ("B", "delete", None, [2, 3], [])]


def test_what_a_file_brings_back_is_left() -> None:
    rows = [as_row(100, A, model="old"), as_row(101, A), as_row(200, B)]
    assert told(plan([A], rows, {100, 101, 200}, purge=True, file_ids=[100, 200])) == [("A", "none", 101, [], [100]), ("B", "none", None, [], [200])]
    assert told(plan([A], rows[:1], {100}, purge=False, file_ids=[100])) == [("A", "replace", None, [], [100])]


def test_one_is_made_anew_if_the_table_is_not_served() -> None:
    rows = [as_row(1, A), as_row(2, B)]
    steps = plan([A, B], rows, {100}, purge=False)
    assert told(steps) == [("A", "replace", None, [1], []), ("B", "none", 2, [], [])]
    assert "not served" in steps[0].why[0]


def test_none_is_made_anew_if_another_is_created_anyway() -> None:
    assert told(plan([A, B], [as_row(1, A)], {100}, purge=False)) == [("A", "none", 1, [], []), ("B", "create", None, [], [])]


def test_none_is_made_anew_if_the_files_are_the_same_models() -> None:
    assert told(plan([A], [as_row(100, A), as_row(7, B)], {100}, purge=False)) == [("A", "none", 100, [], [])]


MODELS = st.builds(Wanted, st.sampled_from("AB"), st.just("openai"), st.sampled_from([URL, "http://x/v1"]), st.sampled_from(["m", "n"]), st.just(""), st.none())


@given(
    st.lists(MODELS, max_size=3, unique_by=lambda model: model.name),
    st.lists(MODELS, max_size=5),
    st.booleans(),
    st.sets(st.integers(1, 5), max_size=3),
    st.booleans(),
)
def test_after_a_plan_was_carried_out_there_is_nothing_to_do(wanted: list[Wanted], held: list[Wanted], counts: bool, files: set[int], purge: bool) -> None:
    rows = {number: as_row(number, model) for number, model in enumerate(held, 1)}
    first = dict(rows)
    served = set(rows) if counts else set(files)
    for step in plan(wanted, list(rows.values()), served, purge, files):
        if step.wanted is not None and step.keep is None:
            rows[max(rows, default=0) + 10] = as_row(max(rows, default=0) + 10, step.wanted)
            counts = True
        for gone in step.gone:
            del rows[gone.id]
    assert {number for number in first if number in files} <= set(rows)
    again = plan(wanted, list(rows.values()), set(rows) if counts else set(files), purge, files)
    assert [step.action for step in again if step.action != "none"] == []
    assert all(any(not differences(row, model) for row in rows.values() if row.name == model.name) for model in wanted)
    if purge:
        assert {row.name for number, row in rows.items() if number not in files} <= {model.name for model in wanted}
