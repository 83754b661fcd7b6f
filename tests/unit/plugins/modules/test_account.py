# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _via_container
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
