# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import typing as t
from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _ledger, _via_container
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.module_utils._probe import NamespaceDenied, ProcessGone
from ansible_collections.cozeops.studio.plugins.modules import account
from ansible_collections.cozeops.studio.tests.unit.plugins.coze_fake import Fake, serving
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

EMAIL, PASSWORD = "admin@example.com", "s3cret-of-admin"
Call = t.Callable[..., dict[str, t.Any]]


@pytest.fixture(params=["0.2", "0.3", "0.5"])
def fake(request: pytest.FixtureRequest) -> t.Iterator[Fake]:
    with serving(Fake(request.param)) as running:
        yield running


@pytest.fixture
def call(fake: Fake, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(check: bool = False, **args: t.Any) -> dict[str, t.Any]:
        return run_main(account.main, capsys, {"url": fake.url, "email": EMAIL, "password": PASSWORD, **args}, check)

    return run


def test_registers_what_is_missing(fake: Fake, call: Call) -> None:
    result = call()
    assert (result["changed"], result["exists"]) == (True, True)
    assert result["user"] == {"id": "7711000000000000001", "name": "admin", "email": EMAIL}
    assert fake.users == {EMAIL: PASSWORD}


def test_an_account_that_was_made_sure_of_is_named_in_the_ledger(fake: Fake, call: Call, tmp_path: Path) -> None:
    ledger = tmp_path / ".mysql.json"
    _ledger.write(str(ledger), {"stack": "coze", "init": {"mysql_schema": {"digest": "1"}}})
    assert call(check=True, ledger=str(ledger))["changed"] is False
    assert "accounts" not in _ledger.read(str(ledger))["init"]
    call(ledger=str(ledger))
    call(ledger=str(ledger), email="Second@Example.com")
    found = _ledger.read(str(ledger))
    assert (found["stack"], found["init"]["mysql_schema"]) == ("coze", {"digest": "1"})
    assert found["init"]["accounts"]["done"] == [EMAIL, "second@example.com"]
    before = ledger.read_bytes()
    assert call(ledger=str(ledger))["changed"] is False
    assert ledger.read_bytes() == before


def test_an_account_of_which_nothing_is_known_is_not_named(fake: Fake, call: Call, tmp_path: Path) -> None:
    fake.faults.add("registration")
    call(ledger=str(tmp_path / ".mysql.json"), registration_closed="warn")
    assert not (tmp_path / ".mysql.json").exists()


def test_a_ledger_that_cannot_be_read_is_named(call: Call, tmp_path: Path) -> None:
    (tmp_path / ".mysql.json").write_text("{")
    result = call(ledger=str(tmp_path / ".mysql.json"))
    assert (result["failed"], result["changed"]) == (True, True)
    assert "The account admin@example.com is there, but that cannot be noted: ledger " in result["msg"]


def test_leaves_no_session_of_its_own(fake: Fake, call: Call) -> None:
    call()
    assert not fake.sessions


def test_does_not_log_in_to_what_exists(fake: Fake, call: Call) -> None:
    fake.users[EMAIL] = PASSWORD
    fake.sessions[EMAIL] = "of-the-human"
    result = call()
    assert (result["changed"], result["exists"]) == (False, True)
    assert result["user"] == {"id": None, "name": None, "email": EMAIL}
    assert fake.sessions == {EMAIL: "of-the-human"}
    assert not [path for path in fake.calls if "login" in path]


def test_existing_account_with_another_password_is_left_alone(fake: Fake, call: Call) -> None:
    fake.users[EMAIL] = "another"
    assert call()["failed"] is False
    assert fake.users == {EMAIL: "another"}


def test_check_only_proves_the_password(fake: Fake, call: Call) -> None:
    fake.users[EMAIL] = PASSWORD
    result = call(check_only=True)
    assert (result["changed"], result["exists"], result["user"]["name"]) == (False, True, "admin")
    assert not fake.sessions


def test_check_only_creates_nothing(fake: Fake, call: Call) -> None:
    result = call(check_only=True)
    assert result["failed"] is True
    assert "Cannot log in to the account admin@example.com" in result["msg"]
    assert "no such account, or its password" in result["msg"]
    assert not fake.users


@pytest.mark.parametrize(("check_only", "says"), [(False, "would be registered if there is none"), (True, "would end the user's session")])
def test_check_mode_sends_nothing_and_says_that_it_does_not_know(fake: Fake, call: Call, check_only: bool, says: str) -> None:
    result = call(check=True, check_only=check_only)
    assert (result["changed"], result["exists"]) == (False, None)
    assert says in result["warnings"][0]
    assert not fake.calls


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("redis", "Redis is the usual cause"),
        ("registration", "Set DISABLE_USER_REGISTRATION=false"),
        ("no_web", "not the API's JSON but text/html"),
    ],
)
def test_says_what_to_set(fake: Fake, call: Call, fault: str, says: str) -> None:
    fake.faults.add(fault)
    result = call()
    assert result["failed"] is True
    assert "Cannot register the account admin@example.com" in result["msg"]
    assert says in result["msg"]


def test_bad_email(call: Call) -> None:
    result = call(email="admin")
    assert result["failed"] is True
    assert "invalid parameter : Invalid email" in result["msg"]


def test_slow_server(fake: Fake, call: Call) -> None:
    fake.faults.add("slow")
    assert "gave no answer within 0.2 s" in call(timeout=0.2)["msg"]


def test_nothing_listens(call: Call) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        assert "refuses connections" in call(url="http://127.0.0.1:%d" % port)["msg"]


def test_url_with_a_path(call: Call) -> None:
    result = call(url="http://127.0.0.1:8888/sign")
    assert result["failed"] is True
    assert "more than the entry" in result["msg"]


@pytest.mark.parametrize("faults", [set(), {"redis"}, {"registration"}, {"no_web"}])
def test_never_prints_the_password(fake: Fake, call: Call, faults: set[str]) -> None:
    fake.faults |= faults
    result = call()
    result.pop("invocation", None)
    assert PASSWORD not in str(result)


def test_via_container_runs_in_its_namespace(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    entered = []

    def in_netns(pid: int, work: t.Callable[[], t.Any]) -> t.Any:
        entered.append(pid)
        return work()

    monkeypatch.setattr(_via_container, "connect", lambda: None)
    monkeypatch.setattr(_via_container, "inspect_or_none", lambda client, name: {"State": {"Pid": 4711, "Status": "running"}})
    monkeypatch.setattr(_via_container, "in_netns", in_netns)
    assert call(via_container="coze-coze-server")["changed"] is True
    assert entered == [4711]


@pytest.mark.parametrize(
    ("info", "says"),
    [(None, "there is no container coze-coze-server"), ({"State": {"Pid": 0, "Status": "exited"}}, "is not running (exited)")],
)
def test_via_container_that_is_not_there(call: Call, monkeypatch: pytest.MonkeyPatch, info: dict[str, t.Any] | None, says: str) -> None:
    monkeypatch.setattr(_via_container, "connect", lambda: None)
    monkeypatch.setattr(_via_container, "inspect_or_none", lambda client, name: info)
    result = call(via_container="coze-coze-server")
    assert result["failed"] is True
    assert says in result["msg"]


@pytest.mark.parametrize(("fault", "says"), [(ProcessGone("x"), "stopped just now"), (NamespaceDenied("Operation not permitted"), "needs root")])
def test_namespace_that_cannot_be_entered(call: Call, monkeypatch: pytest.MonkeyPatch, fault: Exception, says: str) -> None:
    def in_netns(pid: int, work: t.Callable[[], t.Any]) -> t.Any:
        raise fault

    monkeypatch.setattr(_via_container, "running_pid", lambda name: 4711)
    monkeypatch.setattr(_via_container, "in_netns", in_netns)
    assert says in call(via_container="coze-coze-server")["msg"]


def test_no_engine(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect() -> None:
        raise EngineError("no Docker Engine answers")

    monkeypatch.setattr(_via_container, "connect", connect)
    assert call(via_container="coze-coze-server")["msg"] == "no Docker Engine answers"


def test_closed_registration_can_be_no_failure_and_ends_no_session(fake: Fake, call: Call) -> None:
    fake.faults.add("registration")
    fake.users[EMAIL] = PASSWORD
    fake.sessions[EMAIL] = "of-the-human"
    result = call(registration_closed="warn")
    assert (result["failed"], result["changed"], result["exists"]) == (False, False, None)
    assert fake.sessions == {EMAIL: "of-the-human"}


# -- the password


def test_password_check_do_again_and_again_in_check_mode(fake: Fake, call: Call) -> None:
    fake.users[EMAIL] = "the-old-one"
    check = call(check=True, current_password="the-old-one")
    assert (check["changed"], check["password_changed"], fake.users) == (False, None, {EMAIL: "the-old-one"})
    assert "its password changed if it is still current_password" in check["warnings"][0]
    did = call(current_password="the-old-one")
    assert (did["changed"], did["password_changed"], did["exists"], fake.users) == (True, True, True, {EMAIL: PASSWORD})
    assert not fake.sessions
    again = call(current_password="the-old-one")
    assert (again["failed"], again["changed"], again["password_changed"]) == (False, False, False)
    assert call(check=True, current_password="the-old-one")["changed"] is False
    assert sum("/reset/" in path for path in fake.calls) == 1


def test_a_new_account_has_the_new_password_at_once(fake: Fake, call: Call) -> None:
    result = call(current_password="the-old-one")
    assert (result["changed"], result["password_changed"], fake.users) == (True, False, {EMAIL: PASSWORD})
    assert not [path for path in fake.calls if "login" in path or "/reset/" in path]


def test_a_wrong_current_password_changes_nothing(fake: Fake, call: Call) -> None:
    fake.users[EMAIL] = "another"
    fake.sessions[EMAIL] = "of-the-human"
    result = call(current_password="the-old-one")
    assert result["failed"] is True
    assert "Neither password nor current_password logs in to the account admin@example.com: set current_password" in result["msg"]
    assert (fake.users, fake.sessions) == ({EMAIL: "another"}, {EMAIL: "of-the-human"})
    assert not [path for path in fake.calls if "/reset/" in path]


def test_closed_registration_does_not_keep_a_password_from_being_changed(fake: Fake, call: Call) -> None:
    fake.faults.add("registration")
    fake.users[EMAIL] = "the-old-one"
    assert (call(current_password="the-old-one")["changed"], fake.users) == (True, {EMAIL: PASSWORD})


def test_the_password_of_another_account_is_never_changed(fake: Fake, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.users[EMAIL] = "the-old-one"
    login = account.Coze.login
    # What MySQL takes for the same address need not be it.
    monkeypatch.setattr(account.Coze, "login", lambda self, email, password: {**login(self, email, password), "email": "ädmin@example.com"})
    result = call(current_password="the-old-one")
    assert result["failed"] is True
    assert "The server knows this account as ädmin@example.com" in result["msg"]
    assert not [path for path in fake.calls if "/reset/" in path]


def test_a_failed_change_does_not_show_the_url_with_the_password(fake: Fake, call: Call) -> None:
    fake.users[EMAIL] = "the-old-one"
    fake.faults.add("reset")
    secret = "p&ss w+rd"
    result = call(current_password="the-old-one", password=secret)
    assert (result["failed"], result["changed"], fake.users) == (True, False, {EMAIL: "the-old-one"})
    assert "Cannot change the password of the account admin@example.com" in result["msg"]
    assert "/password/reset/: HTTP 500, code 500: cannot GET" in result["msg"]
    assert secret not in str(result)
    assert "p%26ss" not in str(result)


def test_check_only_and_a_change_exclude_each_other(fake: Fake, call: Call) -> None:
    assert "give one of the two" in call(check_only=True, current_password="x")["msg"]
    assert not fake.calls


# -- the administrator

PROBE = {"probe_email": "verify@coze.cozeops.internal", "probe_password": "s3cret-of-probe"}


@pytest.fixture
def fake05() -> t.Iterator[Fake]:
    with serving(Fake("0.5")) as running:
        running.users[PROBE["probe_email"]] = PROBE["probe_password"]
        yield running


@pytest.fixture
def claim(fake05: Fake, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(check: bool = False, **args: t.Any) -> dict[str, t.Any]:
        given = {"url": fake05.url, "email": EMAIL, "password": PASSWORD, "admin": True, "release": "0.5", **PROBE, **args}
        return run_main(account.main, capsys, {key: value for key, value in given.items() if value is not None}, check)

    return run


def admins(fake: Fake) -> str:
    return t.cast("str", fake.basic["admin_emails"])


def logins(fake: Fake) -> int:
    return sum("/login/" in path for path in fake.calls)


def test_a_new_account_makes_itself_the_administrator(fake05: Fake, claim: Call) -> None:
    settings = dict(fake05.basic)
    result = claim(email="Admin@Example.com")
    assert (result["changed"], result["admin"], result["warnings"]) == (True, True, [])
    assert fake05.basic == {**settings, "admin_emails": EMAIL}
    assert logins(fake05) == 0
    assert not fake05.sessions


def test_the_second_run_is_quiet_and_ends_no_session(fake05: Fake, claim: Call) -> None:
    claim()
    fake05.sessions[EMAIL] = "of-the-human"
    for check in (False, True):
        result = claim(check=check)
        assert (result["failed"], result["changed"], result["admin"]) == (False, False, None)
        assert [text for text in result["warnings"] if "in check mode" not in text] == []
    assert fake05.sessions == {EMAIL: "of-the-human"}
    assert admins(fake05) == EMAIL


def test_an_account_that_exists_is_made_it_by_the_helper(fake05: Fake, claim: Call) -> None:
    fake05.users[EMAIL] = "not-told"
    fake05.sessions[EMAIL] = "of-the-human"
    check = claim(check=True)
    assert (check["changed"], check["admin"], admins(fake05)) == (True, True, "")
    result = claim()
    assert (result["changed"], result["admin"], admins(fake05)) == (True, True, EMAIL)
    assert fake05.sessions == {EMAIL: "of-the-human"}


def test_a_helper_that_is_an_administrator_too_can_tell_for_ever(fake05: Fake, claim: Call) -> None:
    claim(probe_admin=True)
    assert admins(fake05) == "%s,%s" % (EMAIL, PROBE["probe_email"])
    for check in (False, True):
        result = claim(probe_admin=True, check=check)
        assert (result["changed"], result["admin"]) == (False, True)
    fake05.basic["admin_emails"] = PROBE["probe_email"]
    assert (claim(probe_admin=True, check=True)["changed"], claim(probe_admin=True)["changed"]) == (True, True)
    assert admins(fake05) == "%s,%s" % (PROBE["probe_email"], EMAIL)


def test_a_helper_is_made_an_administrator_only_if_it_is_ours(fake05: Fake, claim: Call) -> None:
    result = claim(probe_admin=True, probe_password="wrong-one")
    assert result["failed"] is True
    assert "is not made an administrator, since it does not exist or probe_password is not its password" in result["msg"]
    assert admins(fake05) == ""


def test_administrators_that_others_named_are_kept(fake05: Fake, claim: Call) -> None:
    fake05.basic["admin_emails"] = "boss@example.com,%s" % PROBE["probe_email"]
    assert claim()["changed"] is True
    assert admins(fake05) == "boss@example.com,%s,%s" % (PROBE["probe_email"], EMAIL)


def test_a_new_account_that_nobody_here_can_name(fake05: Fake, claim: Call) -> None:
    fake05.basic["admin_emails"] = "boss@example.com"
    result = claim()
    assert (result["failed"], result["changed"]) == (True, True)
    assert "admin@example.com is no administrator, and cannot become one by itself" in result["msg"]
    assert admins(fake05) == "boss@example.com"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"probe_email": None, "probe_password": None}, "give probe_email and probe_password, an account that nobody uses"),
        ({"probe_password": "wrong-one"}, "does not exist, or probe_password is not its password"),
    ],
)
def test_without_a_helper_it_is_not_known(fake05: Fake, claim: Call, args: dict[str, t.Any], says: str) -> None:
    fake05.users[EMAIL] = PASSWORD
    result = claim(**args)
    assert (result["failed"], result["changed"], result["admin"]) == (False, False, None)
    assert says in result["warnings"][0]
    assert admins(fake05) == ""


def test_the_settings_are_saved_fit_to_start_with(fake05: Fake, claim: Call) -> None:
    fake05.basic["sandbox_config"] = None
    claim()
    assert fake05.basic["sandbox_config"]["timeout_seconds"] == 60
    assert fake05.basic["server_host"] == "http://localhost:8888"


def test_settings_that_cannot_be_saved(fake05: Fake, claim: Call) -> None:
    fake05.basic["server_host"] = ""
    result = claim()
    assert result["failed"] is True
    assert "set SERVER_HOST in the .env" in result["msg"]


def test_check_only_proves_the_administrator(fake05: Fake, claim: Call) -> None:
    claim()
    proved = claim(check_only=True)
    assert (proved["failed"], proved["changed"], proved["admin"]) == (False, False, True)
    fake05.basic["admin_emails"] = ""
    assert "every account is while admin_emails is empty" in claim(check_only=True)["msg"]
    fake05.basic["admin_emails"] = "boss@example.com"
    assert "admin@example.com is no administrator: admin_emails" in claim(check_only=True)["msg"]
    assert admins(fake05) == "boss@example.com"
    assert claim(check_only=True, check=True)["admin"] is None


@pytest.mark.parametrize("release", ["0.2", "0.3"])
@pytest.mark.parametrize("told", [True, False])
def test_older_lines_have_no_administrators(release: str, told: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Fake(release)) as fake:
        args = {"url": fake.url, "email": EMAIL, "password": PASSWORD, "admin": True, **({"release": release} if told else {})}
        result = run_main(account.main, capsys, args)
        assert result["failed"] is True
        assert "release lines before 0.5 have no administration" in result["msg"]
        assert bool(fake.calls) is not told


def test_a_password_change_and_a_claim_in_one_run(fake05: Fake, claim: Call) -> None:
    fake05.users[EMAIL] = "the-old-one"
    result = claim(current_password="the-old-one", probe_email=None, probe_password=None)
    assert (result["changed"], result["password_changed"], result["admin"]) == (True, True, True)
    assert (fake05.users[EMAIL], admins(fake05)) == (PASSWORD, EMAIL)


def test_the_helpers_password_is_never_printed(fake05: Fake, claim: Call) -> None:
    for args in ({}, {"probe_admin": True}, {"check_only": True}, {"probe_password": "wrong-secret", "probe_admin": True}):
        result = claim(**args)
        assert PROBE["probe_password"] not in str(result)
        assert "wrong-secret" not in str(result)
