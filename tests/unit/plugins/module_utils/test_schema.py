# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._schema import (
    Plan,
    SchemaError,
    Script,
    expected,
    lacking,
    make_plan,
    mark,
    marks_done,
    migration_order,
    read_script,
    tracked,
)
from ansible_collections.cozeops.studio.plugins.module_utils._sql import Table, Tables, simulate

UPSTREAM = pathlib.Path(__file__).resolve().parents[5] / "shared" / "upstream"
SINCE_0_2 = [
    "20250718104121", "20250812093734", "20250813081543", "20250822060516",
    "20251015103940", "20251016034721", "20251024091145", "20251028085526",
]  # fmt: skip


def tables_of(*scripts: Script) -> Tables:
    tables: Tables = {}
    for script in scripts:
        for change in script.changes:
            simulate(tables, change)
    return tables


def script(name: str, *statements: str) -> Script:
    return read_script(name, ";\n".join(statements), "opencoze")


def versions(plan: Plan) -> list[str]:
    return [name.split("_")[0] for name in plan.files]


def steps(plan: Plan) -> list[str]:
    return [f"{step.file.split('_')[0]}#{step.number}" for step in plan.steps]


# --- files and marks ---


def test_order_is_that_of_the_digits() -> None:
    assert migration_order(["10_b.sql", "9_a.sql", "atlas.sum", "x_1.sql", "10_a.sql", "11_c.sql.bak"]) == ["9_a.sql", "10_a.sql", "10_b.sql"]


def test_error_names_file_and_line() -> None:
    with pytest.raises(SchemaError, match=r"^a\.sql, line 2: a string"):
        read_script("a.sql", "SELECT 1;\n'", "opencoze")


def test_byte_order_mark_is_no_part_of_the_first_statement() -> None:
    assert read_script("a.sql", "\ufeffSET NAMES utf8mb4", "opencoze").changes[0].verb == "SET"


def test_marks() -> None:
    done = mark(mark(mark([], "a", 0), "b"), "a", 3)
    assert (marks_done(done, "a"), marks_done(done, "b"), marks_done(done, "c")) == (3, -1, None)
    assert mark(done, "a") == ["b", "a"]


# --- small releases ---

SCHEMA = script(
    "schema.sql",
    "SET NAMES utf8mb4",
    "CREATE DATABASE IF NOT EXISTS opencoze",
    "CREATE TABLE IF NOT EXISTS a (x int, y int)",
    "INSERT INTO a VALUES (1, 2)",
)
M1 = script("1_initial.sql", "CREATE TABLE a (x int)")
M2 = script("2_update.sql", "ALTER TABLE a ADD COLUMN y int", "ALTER TABLE a COMMENT 'c'")
M3 = script("3_update.sql", "ALTER TABLE a MODIFY x bigint")
M4 = script("4_update.sql", "ALTER TABLE a ADD COLUMN z int")
ALL = [M1, M2, M3, M4]


def test_fresh_database_gets_schema_then_what_it_lacks() -> None:
    plan = make_plan(SCHEMA, ALL, {}, [])
    assert steps(plan) == ["schema.sql#1", "schema.sql#3", "schema.sql#4", "3#1", "4#1"]
    assert (plan.loading, plan.lacking, plan.not_needed) == (True, (), ("1_initial.sql", "2_update.sql"))


def test_schema_version_speaks_for_what_cannot_be_seen() -> None:
    assert steps(make_plan(SCHEMA, ALL, {}, [], "3")) == ["schema.sql#1", "schema.sql#3", "schema.sql#4", "4#1"]


def test_schema_version_does_not_hide_what_can_be_seen() -> None:
    assert steps(make_plan(SCHEMA, ALL, {}, [], "4"))[-1] == "4#1"


def test_schema_version_says_nothing_of_a_database_that_exists() -> None:
    assert steps(make_plan(SCHEMA, ALL, {"a": Table(["x", "y"])}, [], "4")) == ["3#1", "4#1"]


def test_complete_database_needs_nothing() -> None:
    for done in ([], ["schema.sql", *(item.name for item in ALL)]):
        assert make_plan(SCHEMA, ALL, {"a": Table(["x", "y", "z"])}, done).steps == ()


def test_tables_that_are_not_ours_do_not_make_a_database_old() -> None:
    assert make_plan(SCHEMA, ALL, {"table_77": Table(["x"]), "atlas_schema_revisions": Table()}, []).loading


def test_ledger_decides_what_cannot_be_seen() -> None:
    existing: Tables = {"a": Table(["x", "y"])}
    assert steps(make_plan(SCHEMA, ALL, existing, ["schema.sql", M1.name, M2.name, M3.name])) == ["4#1"]


def test_later_migration_in_effect_is_proof_for_an_earlier_one() -> None:
    assert make_plan(SCHEMA, ALL, {"a": Table(["x", "y", "z"])}, []).files == []


def test_file_that_the_ledger_began_is_gone_on_with() -> None:
    existing: Tables = {"a": Table(["x", "y"])}
    assert steps(make_plan(SCHEMA, ALL, existing, ["schema.sql", M1.name, "2_update.sql#1"])) == ["2#2", "3#1", "4#1"]


def test_load_that_was_cut_off_is_gone_on_with() -> None:
    plan = make_plan(SCHEMA, ALL, {"a": Table(["x", "y"])}, ["schema.sql#3", "3_update.sql#0"], "2")
    assert steps(plan) == ["schema.sql#1", "schema.sql#4", "3#1", "4#1"]
    assert plan.loading


def test_ledger_of_other_data_is_not_believed() -> None:
    plan = make_plan(SCHEMA, ALL, {}, ["schema.sql", M1.name, M2.name, M3.name, M4.name])
    assert (plan.loading, plan.done) == (True, ())
    assert "loaded anew" in plan.warnings[0]


def test_effect_that_the_ledger_knows_and_the_database_lacks() -> None:
    plan = make_plan(SCHEMA, ALL, {"a": Table(["x", "y"])}, ["schema.sql", *(item.name for item in ALL)])
    assert steps(plan) == ["4#1"]
    assert "4_update.sql is in the ledger, but the database lacks what it makes (ALTER TABLE a: column a.z)" in plan.warnings[0]


def test_tables_that_no_migration_makes_come_from_the_schema_after_the_migrations() -> None:
    schema = script("schema.sql", "SET NAMES utf8mb4", "CREATE TABLE a (x int)", "CREATE TABLE b (x int)", "INSERT INTO b VALUES (1)")
    migration = script("1_update.sql", "ALTER TABLE a ADD COLUMN y int")
    plan = make_plan(schema, [migration], {"a": Table(["x"])}, [])
    assert steps(plan) == ["1#1", "schema.sql#1", "schema.sql#3"]
    assert tracked(plan, "schema.sql") == {"1_update.sql"}


def test_part_of_a_statement_that_is_missing_is_run_alone() -> None:
    migration = script("1_update.sql", "ALTER TABLE `a` ADD COLUMN p int, MODIFY x text, ADD COLUMN q int, ADD INDEX i (p)")
    plan = make_plan(SCHEMA, [migration], {"a": Table(["x", "y", "P"])}, [])
    assert [step.sql for step in plan.steps] == ["ALTER TABLE `a` ADD COLUMN q int, ADD INDEX i (p)"]


def test_statement_whose_drop_holds_by_itself_is_run_whole() -> None:
    migration = script("1_update.sql", "ALTER TABLE a DROP COLUMN gone, MODIFY x text, ADD COLUMN q int")
    whole = make_plan(SCHEMA, [migration], {"a": Table(["x", "y", "gone"])}, [])
    assert [step.sql for step in whole.steps] == ["ALTER TABLE a DROP COLUMN gone, MODIFY x text, ADD COLUMN q int"]


def test_name_that_a_later_statement_undoes_is_no_reason_to_run() -> None:
    migrations = [script("1_update.sql", "ALTER TABLE a ADD COLUMN t int"), script("2_update.sql", "ALTER TABLE a RENAME COLUMN t TO y")]
    assert make_plan(SCHEMA, migrations, {"a": Table(["x", "y"])}, []).steps == ()


def test_index_that_is_dropped_and_made_again() -> None:
    migration = script("1_update.sql", "ALTER TABLE a DROP INDEX i", "ALTER TABLE a ADD COLUMN w int, DROP PRIMARY KEY, ADD PRIMARY KEY (w), ADD INDEX i (w)")
    assert [step.sql for step in make_plan(SCHEMA, [migration], {"a": Table(["x", "y"], ["i"])}, []).steps] == [item.text for item in migration.statements]
    assert make_plan(SCHEMA, [migration], {"a": Table(["x", "y", "w"], ["i"])}, []).steps == ()


def test_table_that_a_migration_drops_is_not_expected() -> None:
    migrations = [script("1_a.sql", "CREATE TABLE old (x int)", "ALTER TABLE old ADD COLUMN y int"), script("2_b.sql", "DROP TABLE old")]
    assert set(expected(SCHEMA, migrations)) == {"a"}
    assert make_plan(SCHEMA, migrations, {"a": Table(["x", "y"])}, []).lacking == ()


def test_column_that_nothing_adds_is_told_beforehand() -> None:
    plan = make_plan(SCHEMA, [], {"a": Table(["x"])}, [])
    assert plan.lacking == ("column a.y",)


def test_session_statements_alone_are_nothing_to_do() -> None:
    migration = script("1_update.sql", "SET FOREIGN_KEY_CHECKS = 0", "ALTER TABLE a ADD COLUMN y int")
    assert make_plan(SCHEMA, [migration], {"a": Table(["x", "y"])}, []).steps == ()
    assert [step.session for step in make_plan(SCHEMA, [migration], {"a": Table(["x"])}, []).steps] == [True, False]


# --- the real files ---


def release(version: str) -> tuple[Script, list[Script]]:
    folder = UPSTREAM / f"coze-studio-{version}" / "docker"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    migrations = folder / "atlas" / "migrations"
    scripts = [read_script(name, (migrations / name).read_text(), "opencoze") for name in migration_order(path.name for path in migrations.iterdir())]
    return read_script("schema.sql", (folder / "volumes" / "mysql" / "schema.sql").read_text(), "opencoze"), scripts


@pytest.mark.parametrize(("version", "tables", "migrations"), [("0.2.2", 45, 9), ("0.5.1", 55, 17)])
def test_real_schema_and_migrations_define_the_same(version: str, tables: int, migrations: int) -> None:
    schema, scripts = release(version)
    assert (len(tables_of(schema)), len(tables_of(*scripts)), len(scripts)) == (tables, tables, migrations)
    assert lacking(tables_of(schema), tables_of(*scripts)) == []
    assert lacking(tables_of(*scripts), tables_of(schema)) == (["column conversation.user_id"] if version == "0.5.1" else [])


@pytest.mark.parametrize(("schema_version", "wanted"), [("", ["schema.sql", *SINCE_0_2[-2:]]), ("20251024091145", ["schema.sql", "20251028085526"])])
def test_real_fresh_database(schema_version: str, wanted: list[str]) -> None:
    schema, scripts = release("0.5.1")
    plan = make_plan(schema, scripts, {}, [], schema_version)
    assert (versions(plan), plan.lacking) == (wanted, ())


def test_real_upgrade_from_line_0_2() -> None:
    old_schema, old_scripts = release("0.2.2")
    schema, scripts = release("0.5.1")
    ledger = ["schema.sql", *(item.name for item in old_scripts)]
    for existing in (tables_of(old_schema), tables_of(*old_scripts)):
        for done in ([], ledger):
            plan = make_plan(schema, scripts, existing, done)
            assert (versions(plan), plan.lacking) == (SINCE_0_2, ())


def test_real_upgrade_from_line_0_3() -> None:
    schema, scripts = release("0.5.1")
    existing = tables_of(*(item for item in scripts if item.version < "20251"))
    assert len(existing) == 53
    assert versions(make_plan(schema, scripts, existing, [])) == SINCE_0_2[4:]


def test_real_database_of_0_5_0_lacks_one_column() -> None:
    schema, scripts = release("0.5.1")
    plan = make_plan(schema, scripts, tables_of(schema), ["schema.sql", *(item.name for item in scripts[:-1])])
    assert [step.what for step in plan.steps] == ["ALTER TABLE conversation: column conversation.user_id"]


def test_real_migrations_cut_off_anywhere_are_gone_on_with() -> None:
    schema, scripts = release("0.5.1")
    start = tables_of(*(item for item in scripts if item.version < "20251"))
    plan = make_plan(schema, scripts, start, [])
    for stop in range(len(plan.steps)):
        existing = tables_of(*(item for item in scripts if item.version < "20251"))
        done = [f"{name}#0" for name in plan.files]
        for step in plan.steps[:stop]:
            source = next(item for item in scripts if item.name == step.file)
            simulate(existing, source.changes[step.number - 1])
            done = mark(done, step.file, None if step.number == len(source.statements) else step.number)
        assert make_plan(schema, scripts, existing, done).steps == plan.steps[stop:]
