# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _mysql
from ansible_collections.cozeops.studio.plugins.module_utils._exec import Finished
from ansible_collections.cozeops.studio.plugins.module_utils._mysql import MysqlError, Session, error_of, run_steps
from ansible_collections.cozeops.studio.plugins.module_utils._schema import Step

SESSION = Session(None, "coze-mysql", "opencoze", "", "MYSQL_ROOT_PASSWORD", 60)
STEPS = [Step("f.sql", 1, 1, "SET NAMES utf8mb4", "SET", True), Step("f.sql", 2, 2, "A", "A"), Step("f.sql", 3, 3, "B", "B"), Step("f.sql", 4, 4, "C", "C")]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("mysql: [Warning] x\nERROR 1060 (42S21) at line 3: Duplicate column name 'a:b'\n", 1060, "MySQL error 1060 (42S21): Duplicate column name 'a:b'"),
        ("ERROR 2003 (HY000): Can't connect to MySQL server on '127.0.0.1:3306' (111)", 2003, "Can't connect"),
        ("neither mysql nor mariadb is in this image", 0, "ended with code 1: neither mysql"),
    ],
)
def test_errors_of_the_client(text: str, code: int, said: str) -> None:
    error = error_of(Finished(1, "", text))
    assert error is not None
    assert error.code == code
    assert said in str(error)


def test_no_error_without_an_exit_code() -> None:
    assert error_of(Finished(0, "", "mysql: [Warning] x")) is None


def test_password_and_sql_are_no_arguments() -> None:
    command = SESSION.command(10)
    assert command[:2] == ["sh", "-c"]
    assert command[3:] == ["sh", "10", _mysql.END, "opencoze", "--host=127.0.0.1"]
    assert "--password" not in command[2]
    assert "MYSQL_PWD=$MYSQL_ROOT_PASSWORD" in command[2]


class Server:
    """Runs batches; a statement that is in ``errors`` ends its batch."""

    def __init__(self, errors: dict[str, int]) -> None:
        self.errors = errors
        self.batches: list[list[str]] = []

    def execute(self, _session: Session, sql: str, on_line: t.Callable[[str], None]) -> Finished:
        statements = [part.split("\nSELECT '")[0].strip() for part in sql.replace("\n;", "").split("';")][:-1]
        self.batches.append(statements)
        for index, statement in enumerate(statements):
            if statement in self.errors:
                return Finished(1, "", f"ERROR {self.errors[statement]} (HY000) at line 1: no")
            on_line(f"{_mysql.MARKER}{index}")
        return Finished(0, "", "")


def test_statement_whose_effect_is_there_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server({"A": 1050, "B": 1060})
    monkeypatch.setattr(_mysql, "_execute", server.execute)
    seen: list[tuple[str, int]] = []
    run_steps(SESSION, STEPS, lambda step, error: seen.append((step.sql, error.code if error else 0)))
    assert server.batches == [["SET NAMES utf8mb4", "A", "B", "C"], ["SET NAMES utf8mb4", "B", "C"], ["SET NAMES utf8mb4", "C"]]
    assert seen == [("SET NAMES utf8mb4", 0), ("A", 1050), ("SET NAMES utf8mb4", 0), ("B", 1060), ("SET NAMES utf8mb4", 0), ("C", 0)]


def test_any_other_error_stops_with_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mysql, "_execute", Server({"B": 1064}).execute)
    seen: list[str] = []
    with pytest.raises(MysqlError) as error:
        run_steps(SESSION, STEPS, lambda step, _error: seen.append(step.sql))
    assert error.value.step == STEPS[2]
    assert seen == ["SET NAMES utf8mb4", "A"]


def test_client_that_ends_early_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mysql, "_execute", lambda *_arguments: Finished(0, "", ""))
    with pytest.raises(MysqlError, match="ended after 0 of 4 statements"):
        run_steps(SESSION, STEPS, lambda _step, _error: None)


def test_tables_are_read_from_the_schema_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    output = "locked\ncolumn\tUser\tName\ncolumn\tUser\tid\nindex\tUser\tPRIMARY\n"
    monkeypatch.setattr(_mysql, "_execute", lambda *_arguments: Finished(0, output, ""))
    tables = _mysql.read_tables(SESSION)
    assert (tables["user"].columns, tables["user"].indexes) == ({"name": "Name", "id": "id"}, {"primary"})
