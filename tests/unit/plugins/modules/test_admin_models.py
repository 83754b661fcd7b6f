# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.modules import admin_models
from ansible_collections.cozeops.studio.tests.unit.plugins.coze_fake import Fake, row, serving
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

EMAIL, PASSWORD = "verify@coze.cozeops.internal", "s3cret-of-verify"
URL = "http://models:8000/v1"
KEY = "sk-0123456789abcdef"
A = {"name": "A", "protocol": "openai", "base_url": URL, "model": "qwen3", "api_key": KEY}
B = {"name": "B", "protocol": "ollama", "base_url": "http://models:11434", "model": "llama"}
Call = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def fake() -> t.Iterator[Fake]:
    with serving(Fake("0.5")) as running:
        running.users[EMAIL] = PASSWORD
        running.rows.clear()
        running.file_models.clear()
        yield running


@pytest.fixture
def call(fake: Fake, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(check: bool = False, **args: t.Any) -> dict[str, t.Any]:
        given = {"url": fake.url, "email": EMAIL, "password": PASSWORD, "_ansible_diff": True, "file_ids": [], **args}
        return run_main(admin_models.main, capsys, {key: value for key, value in given.items() if value is not None}, check)

    return run


def done(result: dict[str, t.Any]) -> list[tuple[t.Any, ...]]:
    return [(model["name"], model["action"], model["id"], model["deleted"]) for model in result["models"]]


def writes(fake: Fake) -> list[str]:
    return [path for path in fake.calls if path.endswith(("/create", "/delete", "/save"))]


def test_check_do_again_and_again_in_check_mode(fake: Fake, call: Call) -> None:
    check = call(check=True, models=[A, B])
    assert (check["changed"], done(check), fake.rows) == (True, [("A", "created", None, []), ("B", "created", None, [])], {})
    did = call(models=[A, B])
    assert (did["changed"], done(did)) == (True, [("A", "created", 100002, []), ("B", "created", 100003, [])])
    assert [held["name"] for held in fake.rows.values()] == ["A", "B"]
    assert did["diff"] == check["diff"]
    assert did["table"] == ["A: created, id 100002", "B: created, id 100003"]
    before = len(writes(fake))
    for again in (call(models=[A, B]), call(check=True, models=[A, B])):
        assert (again["changed"], done(again)) == (False, [("A", "none", 100002, []), ("B", "none", 100003, [])])
        assert (again["table"], again["warnings"], "diff" in again) == ([], [], False)
    assert len(writes(fake)) == before


def test_a_model_that_differs_is_made_anew_before_the_old_one_goes(fake: Fake, call: Call) -> None:
    call(models=[A])
    fake.calls.clear()
    result = call(models=[{**A, "base_url": "http://other:8000/v1", "api_key": "sk-another-key-9"}])
    assert done(result) == [("A", "replaced", 100003, [100002])]
    assert result["models"][0]["why"] == ["base_url", "api_key"]
    assert [path.rpartition("/")[2] for path in writes(fake)] == ["create", "delete"]
    assert list(fake.rows) == [100003]
    assert result["warnings"] == [
        "models: A: it was made anew, with the id 100003, since base_url and api_key differ. Agents that use 100002 have to choose it again."
    ]
    assert result["diff"]["before"]["A"]["api_key"] == "********"
    assert result["diff"]["after"]["A"] == {
        "protocol": "openai",
        "base_url": "http://other:8000/v1",
        "model": "qwen3",
        "api_key": "******** (changed)",
        "enable_base64_url": False,
    }


def test_one_that_does_not_answer_is_told_with_the_servers_words_and_the_others_are_made(fake: Fake, call: Call) -> None:
    fake.dead |= {URL, "http://gone/v1"}
    result = call(models=[A, {**A, "name": "C", "base_url": "http://gone/v1"}, B], purge=True)
    assert (result["failed"], result["changed"]) == (True, True)
    assert done(result) == [("A", "failed", None, []), ("C", "failed", None, []), ("B", "created", 100002, [])]
    first, second = result["msg"].splitlines()
    assert first.startswith("models: A: not created: generate model failed: failed to create chat completion")
    assert "is base_url right as seen from its container" in first
    assert second.startswith("models: C: not created")
    assert KEY not in json.dumps(result)


def test_the_old_one_stays_while_the_new_one_cannot_be_made(fake: Fake, call: Call) -> None:
    fake.rows[7] = row("A", key=KEY, model="old")
    fake.rows[8] = row("Unwanted")
    fake.dead.add(URL)
    result = call(models=[A], purge=True)
    assert (result["failed"], result["changed"], sorted(fake.rows)) == (True, False, [7, 8])


def test_unwanted_models(fake: Fake, call: Call) -> None:
    fake.rows[8] = row("Unwanted")
    fake.table_counts = True
    kept = call(models=[], purge=False)
    assert (kept["changed"], kept["others"], kept["models"]) == (False, [{"id": 8, "name": "Unwanted"}], [])
    check = call(check=True, models=[], purge=True)
    assert (check["changed"], done(check), list(fake.rows)) == (True, [("Unwanted", "deleted", 8, [8])], [8])
    assert (done(call(models=[], purge=True)), fake.rows) == (done(check), {})
    assert call(models=[], purge=True)["changed"] is False


def test_a_model_of_a_file_is_never_deleted(fake: Fake, call: Call) -> None:
    fake.rows = {100: row("A", key=KEY, model="old"), 200: row("Unwanted")}
    fake.file_models = {100: "A", 200: "Unwanted"}
    result = call(models=[A], purge=True, file_ids=[100, 200])
    assert done(result) == [("A", "replaced", 100002, []), ("Unwanted", "left", 200, [])]
    assert sorted(fake.rows) == [100, 200, 100002]
    assert sum("is left, since a model file or MODEL_OPENCOZE_ID_0 of the server has its id" in text for text in result["warnings"]) == 2
    again = call(models=[A], purge=True, file_ids=[100, 200])
    assert (again["changed"], done(again)) == (False, [("A", "none", 100002, []), ("Unwanted", "left", 200, [])])


def test_without_the_ids_of_files_a_deletion_comes_with_a_warning(fake: Fake, call: Call) -> None:
    fake.rows[100] = row("Unwanted")
    result = call(models=[], purge=True, file_ids=None)
    assert "remove it there before the next start, which would end with a duplicate key" in result["warnings"][0]


def test_doubles_go_with_a_warning(fake: Fake, call: Call) -> None:
    fake.rows = {1: row("A", key=KEY), 2: row("A", key=KEY), 3: row("A", key=KEY, model="old")}
    fake.table_counts = True
    result = call(models=[A])
    assert (done(result), list(fake.rows)) == ([("A", "none", 2, [1, 3])], [2])
    assert result["changed"] is True
    assert "A is there 3 times (ids 1, 2, 3): kept is 2, the newest that fits." in result["warnings"][0]
    assert result["table"] == ["A: 2 stays, deleted 1, 3"]


def test_a_table_that_is_not_served_is_made_to_count(fake: Fake, call: Call) -> None:
    fake.rows = {1: row("A", key=KEY)}
    fake.file_models = {100: "Something else"}
    result = call(models=[A])
    assert (done(result), list(fake.rows), fake.table_counts) == ([("A", "replaced", 100002, [1])], [100002], True)
    assert "since it is not served, since the server still serves its model files" in result["warnings"][0]
    assert call(models=[A])["changed"] is False


def test_images_are_switched_only_where_it_is_said(fake: Fake, call: Call) -> None:
    fake.rows = {1: row("A", key=KEY, base64=True)}
    fake.table_counts = True
    assert call(models=[A])["changed"] is False
    assert done(call(models=[{**A, "enable_base64_url": False}])) == [("A", "replaced", 100002, [1])]
    assert done(call(models=[{**A, "connection": {"enable_base64_url": True}}])) == [("A", "replaced", 100003, [100002])]
    assert fake.rows[100003]["base64"] is True


def test_keys_that_are_listed_as_they_are(fake: Fake, call: Call) -> None:
    fake.faults.add("keys_shown")
    call(models=[A])
    result = call(models=[A])
    assert result["changed"] is False
    assert KEY not in json.dumps(call(models=[{**A, "model": "m"}]))


def test_an_account_that_is_no_administrator(fake: Fake, call: Call) -> None:
    fake.basic["admin_emails"] = "x@y.z"
    result = call(models=[A])
    assert result["failed"] is True
    assert "Cannot read the models: %s is no administrator: admin_emails in the settings of /admin names other accounts." % EMAIL in result["msg"]
    assert "have one of them add %s there" % EMAIL in result["msg"]
    assert not fake.sessions


@pytest.mark.parametrize("release", ["0.2", "0.3"])
def test_a_server_without_administration(release: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Fake(release)) as fake:
        fake.users[EMAIL] = PASSWORD
        result = run_main(admin_models.main, capsys, {"url": fake.url, "email": EMAIL, "password": PASSWORD, "models": []})
    assert result["failed"] is True
    assert "This server has no administration: it is of a release line before 0.5." in result["msg"]


def test_a_wrong_password(call: Call) -> None:
    result = call(models=[A], password="wrong-password")
    assert result["failed"] is True
    assert "Cannot log in as %s" % EMAIL in result["msg"]
    assert "no such account, or its password is another one" in result["msg"]


def test_bad_options_are_told_before_anything_is_sent(fake: Fake, call: Call) -> None:
    result = call(models=[{**A, "protocol": "opnai"}, A])
    assert result["failed"] is True
    assert "did you mean openai?" in result["msg"]
    assert "models: A: the name is there twice" in result["msg"]
    assert not fake.calls


def test_a_deletion_that_fails(fake: Fake, call: Call) -> None:
    fake.rows[7] = row("A", key=KEY, model="old")
    fake.faults.add("model_delete")
    result = call(models=[A])
    assert (result["failed"], result["changed"]) == (True, True)
    assert "models: A: the old one with the id 7 could not be deleted" in result["msg"]
    fake.faults.clear()
    assert done(call(models=[A])) == [("A", "none", 100002, [7])]


def test_leaves_no_session_of_its_own(fake: Fake, call: Call) -> None:
    call(models=[A])
    assert not fake.sessions


def test_a_url_with_a_path(call: Call) -> None:
    assert "more than the entry" in call(models=[], url="http://127.0.0.1:8888/admin")["msg"]


@pytest.mark.parametrize(
    ("dead", "denied", "check"),
    [(False, False, False), (True, False, False), (False, True, False), (False, False, True)],
    ids=["good", "dead", "denied", "check"],
)
def test_never_prints_a_key_or_the_password(fake: Fake, call: Call, dead: bool, denied: bool, check: bool) -> None:
    fake.rows[7] = row("A", key="sk-the-old-one-77", model="old")
    fake.dead |= {URL} if dead else set()
    fake.basic["admin_emails"] = "x@y.z" if denied else ""
    result = call(check=check, models=[{**A, "connection": {"api_key": "sk-in-connection-9"}}], file_ids=None)
    text = json.dumps(result)
    for secret in (KEY, PASSWORD, "sk-in-connection-9", "sk-the-old-one-77", "sk-t"):
        assert secret not in text
    # Names of models are no secrets, though the option is one.
    assert "A" in str(result["invocation"])
