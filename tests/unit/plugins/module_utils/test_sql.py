# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._sql import (
    Effect,
    SqlError,
    Table,
    Tables,
    describe,
    holds,
    rewrite_database,
    simulate,
    split,
    tokens,
    understand,
)
from hypothesis import given
from hypothesis import strategies as st

# --- the splitter ---

WORDS = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(lambda word: word != "delimiter")
INSIDE = st.text(alphabet=st.sampled_from(list("ab;'\"`-#/*\\ \né中")), max_size=8)
SINGLE = INSIDE.map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "''") + "'")
ESCAPED = INSIDE.map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'")
DOUBLE = INSIDE.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '""') + '"')
NAME = INSIDE.map(lambda text: "`" + text.replace("`", "``") + "`")
COMMENT_INSIDE = st.text(alphabet=st.sampled_from(list("ab;'\"`-# \\中")), max_size=8)
COMMENT = st.one_of(
    COMMENT_INSIDE.map(lambda text: f"-- {text}\n"),
    COMMENT_INSIDE.map(lambda text: f"#{text}\n"),
    COMMENT_INSIDE.map(lambda text: f"/* {text} */"),
)
GAP = st.one_of(st.sampled_from([" ", "\n", "\t \r\n"]), COMMENT.map(lambda text: f" {text} "))
PIECE = st.one_of(WORDS, SINGLE, ESCAPED, DOUBLE, NAME, st.sampled_from(["(", ")", ",", "=", ".", "1", "/*!40101 set x=';' */"]))
STATEMENT = st.tuples(WORDS, st.lists(st.tuples(PIECE, GAP), max_size=6)).map(lambda parts: f"{parts[0]} " + "".join(piece + gap for piece, gap in parts[1]))


def bare(statement: str) -> str:
    """Without the space and comments behind its last piece, as the splitter gives it."""
    pieces = tokens(statement)
    while pieces and pieces[-1].kind in ("space", "comment"):
        pieces.pop()
    return "".join(piece.text for piece in pieces)


@given(st.lists(st.tuples(STATEMENT, GAP), max_size=5), st.booleans())
def test_split_gives_back_what_was_joined(pairs: list[tuple[str, str]], closed: bool) -> None:
    text = ";".join(gap + statement for statement, gap in pairs) + (";" if closed else "")
    assert [item.text for item in split(text)] == [bare(statement) for statement, _gap in pairs]


@given(st.lists(STATEMENT, max_size=4))
def test_lines_are_those_of_the_file(statements: list[str]) -> None:
    text = ";\n\n".join(statements)
    for item in split(text):
        assert "\n".join(text.split("\n")[item.line - 1 :]).find(item.text) >= 0


@given(st.text(alphabet=st.sampled_from(list("ab;'\"`-#/*\\! \n")), max_size=30))
def test_any_text_is_split_or_refused(text: str) -> None:
    line = 1
    try:
        joined = "".join(token.text for token in tokens(text))
        split(text)
    except SqlError as exc:
        joined, line = text, exc.line
    assert joined == text
    assert 1 <= line <= text.count("\n") + 1


def test_statements_are_numbered_with_their_lines() -> None:
    found = split("-- a; b\nSELECT 1;\n\n;;/* x; */ SELECT\n ';' ; # end")
    assert [(item.number, item.line, item.text) for item in found] == [(1, 2, "SELECT 1"), (2, 4, "SELECT\n ';'")]


def test_two_minus_signs_without_a_space_are_no_comment() -> None:
    assert [item.text for item in split("SELECT 5--1; SELECT 2")] == ["SELECT 5--1", "SELECT 2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1;\nSELECT 'a", "line 2: a string that begins with ' is never closed"),
        ('SELECT\n"a', 'line 2: a string that begins with " is never closed'),
        ("SELECT `a", "line 1: a name that begins with ` is never closed"),
        ("\n/* a", "line 2: a comment that begins with /* is never closed"),
        ("\n/*!40101 SET x", "line 2: a comment that begins with /* is never closed"),
        ("SELECT 1 */", "line 1: */ without /*"),
        ("SELECT 1\\G", "line 1: a backslash outside of a string"),
        ("SELECT 1;\ndelimiter //", "line 2: DELIMITER is not supported"),
    ],
)
def test_what_cannot_be_run_safely_is_refused(text: str, said: str) -> None:
    with pytest.raises(SqlError) as error:
        split(text)
    assert str(error.value).startswith(said)


# --- the database's name ---


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ALTER TABLE `opencoze`.`user` ADD x int", "ALTER TABLE `shop`.`user` ADD x int"),
        ("INSERT INTO opencoze.t VALUES ('opencoze.t', \"`opencoze`.x\")", "INSERT INTO `shop`.t VALUES ('opencoze.t', \"`opencoze`.x\")"),
        ("SELECT `opencoze` . t.opencoze FROM opencoze", "SELECT `shop` . t.opencoze FROM opencoze"),
        ("SELECT a.opencoze.b", "SELECT a.opencoze.b"),
        ("CREATE DATABASE IF NOT EXISTS opencoze COLLATE x", "CREATE DATABASE IF NOT EXISTS `shop` COLLATE x"),
        ("USE opencoze", "USE `shop`"),
        ("SELECT 1 /* opencoze.t */", "SELECT 1 /* opencoze.t */"),
        ("SELECT opencoze2.t, OPENCOZE.t", "SELECT opencoze2.t, OPENCOZE.t"),
    ],
)
def test_only_the_qualifier_is_rewritten(text: str, wanted: str) -> None:
    assert rewrite_database(text, "shop") == wanted
    assert rewrite_database(text, "opencoze") == text


def test_an_odd_database_name_is_quoted() -> None:
    assert rewrite_database("SELECT opencoze.t", "a`b-c") == "SELECT `a``b-c`.t"


# --- what a statement does ---


def effects(text: str) -> list[str]:
    return [str(effect) for effect in understand(text).effects]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "CREATE TABLE IF NOT EXISTS `db`.`a` (`key` int DEFAULT (1 + (2)) COMMENT 'x, y)', b decimal(20,5), PRIMARY KEY (`key`)) COMMENT 'z (x'",
            ["table a", "column a.key", "column a.b"],
        ),
        (
            "CREATE TABLE a (KEY `k` (b, `key`), UNIQUE INDEX u (b), CONSTRAINT c FOREIGN KEY (b) REFERENCES z (id), FULLTEXT INDEX f (b))",
            ["table a", "index a.k", "index a.u", "index a.f"],
        ),
        ("CREATE TABLE b LIKE a", ["table b"]),
        ("ALTER TABLE a ADD COLUMN `b` int AFTER `c`, ADD c decimal(1,2), ADD COLUMN IF NOT EXISTS d int", ["column a.b", "column a.c", "column a.d"]),
        ("ALTER TABLE a ADD (x int, y decimal(1,2), KEY z (x))", ["column a.x", "column a.y", "index a.z"]),
        ("ALTER TABLE a ADD INDEX i (b), ADD UNIQUE KEY j (b), ADD UNIQUE k (b), ADD PRIMARY KEY (b)", ["index a.i", "index a.j", "index a.k"]),
        ("ALTER TABLE a DROP COLUMN b, DROP c, DROP INDEX i, DROP PRIMARY KEY, DROP FOREIGN KEY f", ["no column a.b", "no column a.c", "no index a.i"]),
        ("ALTER TABLE a RENAME COLUMN `to` TO c, RENAME INDEX i TO j", ["no column a.to", "column a.c", "no index a.i", "index a.j"]),
        ("ALTER TABLE a CHANGE b c int, CHANGE COLUMN d d bigint", ["no column a.b", "column a.c"]),
        ("ALTER TABLE a RENAME TO b", ["no table a", "table b"]),
        ("ALTER TABLE a MODIFY COLUMN b text, COMMENT 'x, ADD y', COLLATE utf8mb4_bin, AUTO_INCREMENT 8", []),
        ("CREATE UNIQUE INDEX i USING BTREE ON `db`.`a` (b)", ["index a.i"]),
        ("DROP INDEX i ON a", ["no index a.i"]),
        ("DROP TABLE IF EXISTS `db`.a, b", ["no table a", "no table b"]),
        ("RENAME TABLE a TO b, c TO d", ["no table a", "table b", "no table c", "table d"]),
        ("INSERT INTO a VALUES (1)", []),
        ("/*!40101 SET NAMES utf8 */", []),
        ("CREATE DATABASE opencoze", []),
    ],
)
def test_effects(text: str, wanted: list[str]) -> None:
    assert effects(text) == wanted


def test_rename_that_changes_only_the_case_is_seen_by_the_spelling() -> None:
    change = understand("ALTER TABLE a RENAME COLUMN `Name` TO `name`")
    tables: Tables = {"a": Table(["Name"])}
    assert not holds(tables, change.effects[0])
    simulate(tables, change)
    assert holds(tables, change.effects[0])
    assert list(tables["a"].columns.values()) == ["name"]


def test_clauses_and_head_are_the_statement() -> None:
    change = understand('ALTER TABLE `db`.`a` ADD COLUMN b int, MODIFY c text COMMENT "x, y"')
    assert change.head + ", ".join(clause.text for clause in change.clauses) == 'ALTER TABLE `db`.`a` ADD COLUMN b int, MODIFY c text COMMENT "x, y"'


@given(st.lists(PIECE, max_size=12).map(" ".join))
def test_no_statement_is_too_odd(rest: str) -> None:
    for start in ("", "CREATE TABLE a ", "ALTER TABLE a ", "CREATE INDEX ", "DROP TABLE ", "RENAME TABLE ", "ALTER TABLE a ADD ", "CREATE TABLE a (b int, "):
        describe(understand(start + rest))


def test_create_table_leaves_a_table_that_is_there() -> None:
    tables: Tables = {"a": Table(["x"])}
    simulate(tables, understand("CREATE TABLE IF NOT EXISTS A (y int)"))
    assert list(tables["a"].columns) == ["x"]


def test_drops_and_renames() -> None:
    tables: Tables = {"a": Table(["x", "y"], ["i"]), "b": Table()}
    simulate(tables, understand("ALTER TABLE a DROP X, RENAME INDEX i TO j"))
    simulate(tables, understand("DROP TABLE b"))
    assert list(tables) == ["a"]
    assert (list(tables["a"].columns), tables["a"].indexes) == (["y"], {"j"})
    assert holds(tables, Effect("column", "nowhere", "x", False))
    assert not holds(tables, Effect("index", "nowhere", "x", True))
