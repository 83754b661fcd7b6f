# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which statements of a schema file and its migrations a database still needs. Pure: names in, steps out.

The database is the authority for everything that can be seen in it (tables, columns, indexes); the ledger decides
about the rest (MODIFY, COMMENT, INSERT …), and where it knows nothing, later migrations that are in effect are taken
as proof that the earlier ones were run. So a database that another tool made, or an older release, gets what it lacks:

* A database with none of the schema's tables is fresh: the schema file is loaded, then the migrations it lacks.
* Otherwise the migrations come first, in order, and only then those tables of the schema file that are still missing.
  The other way round CREATE TABLE IF NOT EXISTS would make a table in its newest shape, and an older migration that
  adds a column to it would fail. Rows that the schema file inserts go into a fresh database only: later they are the
  operator's.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._sql import (
    DATABASE_VERBS,
    SESSION_VERBS,
    Change,
    Clause,
    Effect,
    SqlError,
    Statement,
    Table,
    Tables,
    describe,
    holds,
    rewrite_database,
    simulate,
    split,
    understand,
)


class SchemaError(Exception):
    """A file cannot be used. The text names file and line, for the operator."""


class Script(t.NamedTuple):
    """A file of SQL; ``changes`` belong to ``statements`` one by one."""

    name: str
    statements: tuple[Statement, ...]
    changes: tuple[Change, ...]

    @property
    def version(self) -> str:
        """The digits before the first underscore: migrations are in the order of their versions."""
        return self.name.split("_", maxsplit=1)[0]


class Step(t.NamedTuple):
    """A statement to run. ``session``: it only prepares the connection and is no change of the database."""

    file: str
    number: int
    line: int
    sql: str
    what: str
    session: bool = False


class Plan(t.NamedTuple):
    steps: tuple[Step, ...]
    loading: bool  # the schema file is loaded: the database is fresh, or a load was cut off
    done: tuple[str, ...]  # the ledger's marks to go on from
    not_needed: tuple[str, ...]  # migrations that have nothing to do
    lacking: tuple[str, ...]  # defined by the files, and not there even after all steps
    warnings: tuple[str, ...]

    @property
    def files(self) -> list[str]:
        """The files that have something to do, in order."""
        return list(dict.fromkeys(step.file for step in self.steps if not step.session))


class _Place(t.NamedTuple):
    script: int
    statement: int


class _Verdict(t.NamedTuple):
    """What the database says about a statement."""

    checkable: bool  # it has effects that can be seen and that no later statement undoes
    proof: bool  # all of them hold, and one of them is that something is there
    missing: tuple[Clause, ...]  # clauses whose effects do not hold
    partly: bool  # a part of it was run: something that it makes is there, something is not


def read_script(name: str, text: str, database: str) -> Script:
    """Raises SchemaError with file and line."""
    try:
        statements = tuple(item._replace(text=rewrite_database(item.text, database)) for item in split(text.lstrip("\ufeff")))
        return Script(name, statements, tuple(understand(item.text) for item in statements))
    except SqlError as exc:
        raise SchemaError(f"{name}, {exc}") from exc


def migration_order(names: t.Iterable[str]) -> list[str]:
    """Migration files among the names of a directory, oldest first."""
    found = [name for name in names if re.fullmatch(r"\d+_.*\.sql", name)]
    return sorted(found, key=lambda name: (int(name.split("_", maxsplit=1)[0]), name))


def marks_done(done: t.Sequence[str], name: str) -> int | None:
    """How far a file is according to the ledger: the number of its last statement that was run; -1 whole; None unknown."""
    if name in done:
        return -1
    parts = [int(mark.rpartition("#")[2]) for mark in done if mark.startswith(name + "#")]
    return max(parts) if parts else None


def tracked(plan: Plan, schema: str) -> set[str]:
    """The files whose progress the ledger follows: not one that is in it as a whole, nor tables that are only filled in."""
    return {name for name in plan.files if name not in plan.done and (plan.loading or name != schema)}


def mark(done: t.Sequence[str], name: str, number: int | None = None) -> list[str]:
    """The ledger's list after a statement (``file#number``) or after the whole file (``file``)."""
    others = [item for item in done if item != name and not item.startswith(name + "#")]
    return [*others, name if number is None else f"{name}#{number}"]


def expected(schema: Script, migrations: t.Sequence[Script]) -> Tables:
    """Tables and columns that must be there in the end.

    A CREATE TABLE of a migration counts for its table only if the schema file has that table too: its columns may
    have been changed since in ways that migrations do not tell.
    """
    tables: Tables = {}
    for change in schema.changes:
        simulate(tables, change)
    of_schema = set(tables)
    last = _last_effects(migrations)
    for place, change in _walk(migrations):
        for effect in change.effects if change.table.lower() not in of_schema else _checks(change):
            if effect.present and effect.kind != "index" and _stands(effect, place, last):
                table = tables.setdefault(effect.table.lower(), Table())
                if effect.kind == "column":
                    table.columns[effect.name.lower()] = effect.name
    return tables


def lacking(wanted: Tables, existing: Tables) -> list[str]:
    """ "table x", "column x.y": what is wanted and not there."""
    found: list[str] = []
    for name in sorted(wanted):
        if name not in existing:
            found.append(f"table {name}")
            continue
        found.extend(f"column {name}.{spelt}" for column, spelt in wanted[name].columns.items() if column not in existing[name].columns)
    return found


def make_plan(
    schema: Script,
    migrations: t.Sequence[Script],
    existing: Tables,
    done: t.Sequence[str],
    schema_version: str = "",
) -> Plan:
    """The steps that bring a database to what the files define.

    ``existing``: what the database has now (it is not changed). ``done``: the ledger's marks.
    ``schema_version``: newest migration whose effect the schema file holds; it matters for a fresh database only, and
    only for statements whose effect cannot be seen.
    """
    tables = {name: _copy(table) for name, table in existing.items()}
    own = {change.table.lower() for change in schema.changes if change.verb == "CREATE TABLE"}
    warnings: list[str] = []
    begun = marks_done(done, schema.name)
    fresh = not own & set(tables)
    if fresh and done:
        warnings.append("the ledger knows of a schema, but the database has none of its tables: it is loaded anew")
        done, begun = [], None
    loading = fresh or (begun is not None and begun >= 0)
    steps: list[Step] = []
    if loading:
        steps += _load(schema, tables, begun or 0)
    migrating, not_needed = _migrate(migrations, tables, done, schema_version if loading else "", warnings)
    steps += migrating
    if not loading:
        steps += _create_missing(schema, tables)
    return Plan(tuple(steps), loading, tuple(done), tuple(not_needed), tuple(lacking(expected(schema, migrations), tables)), tuple(warnings))


def _copy(table: Table) -> Table:
    return Table(table.columns.values(), table.indexes)


def _step(script: Script, index: int, sql: str = "", clauses: t.Sequence[Clause] | None = None) -> Step:
    statement, change = script.statements[index], script.changes[index]
    return Step(script.name, statement.number, statement.line, sql or statement.text, describe(change, clauses), change.verb in SESSION_VERBS)


def _load(schema: Script, tables: Tables, begun: int) -> list[Step]:
    """The schema file from behind its first ``begun`` statements; SET is always repeated, it belongs to the session."""
    steps = []
    for index, change in enumerate(schema.changes):
        if change.verb in DATABASE_VERBS:
            continue
        simulate(tables, change)
        if schema.statements[index].number > begun or change.verb in SESSION_VERBS:
            steps.append(_step(schema, index))
    return steps


def _create_missing(schema: Script, tables: Tables) -> list[Step]:
    """Session statements and the CREATE TABLE of every table that is not there; nothing if all are."""
    steps, needed = [], False
    for index, change in enumerate(schema.changes):
        missing = change.verb == "CREATE TABLE" and change.table.lower() not in tables
        if missing or (change.verb in SESSION_VERBS and change.verb not in DATABASE_VERBS):
            steps.append(_step(schema, index))
        if missing:
            needed = True
            simulate(tables, change)
    return steps if needed else []


def _walk(migrations: t.Sequence[Script]) -> t.Iterator[tuple[_Place, Change]]:
    for script_index, script in enumerate(migrations):
        for index, change in enumerate(script.changes):
            yield _Place(script_index, index), change


def _checks(change: Change) -> tuple[Effect, ...]:
    """Effects by which to see whether a statement was run. A CREATE TABLE is known by its table."""
    return change.effects[:1] if change.verb == "CREATE TABLE" else change.effects


_Last = dict[tuple[str, str, str], _Place]


def _last_effects(migrations: t.Sequence[Script]) -> _Last:
    """Where each name is touched for the last time; ("dropped", table, "") is where a table is dropped."""
    last: _Last = {}
    for place, change in _walk(migrations):
        for effect in _checks(change):
            last[effect.key] = place
            if effect.kind == "table" and not effect.present:
                last[("dropped", effect.table.lower(), "")] = place
    return last


def _stands(effect: Effect, place: _Place, last: _Last) -> bool:
    """No later statement touches the same name."""
    dropped = last.get(("dropped", effect.table.lower(), ""))
    return last.get(effect.key, place) <= place and (dropped is None or dropped <= place)


def _judge(change: Change, place: _Place, last: _Last, tables: Tables) -> _Verdict:
    checks = set(_checks(change))
    standing = [[effect for effect in clause.effects if effect in checks and _stands(effect, place, last)] for clause in change.clauses]
    flat = [effect for effects in standing for effect in effects]
    missing = tuple(clause for clause, effects in zip(change.clauses, standing) if not all(holds(tables, effect) for effect in effects))
    made = any(effect.present and holds(tables, effect) for effect in flat)
    return _Verdict(bool(flat), bool(flat) and not missing and made, missing, bool(missing) and made)


def _migrate(migrations: t.Sequence[Script], tables: Tables, done: t.Sequence[str], schema_version: str, warnings: list[str]) -> tuple[list[Step], list[str]]:
    """The steps of all migrations, and the names of those that have none. ``tables`` is what they leave."""
    last = _last_effects(migrations)
    proofs = {place for place, change in _walk(migrations) if _judge(change, place, last, tables).proof}
    newest_proof = max(proofs, default=None)
    steps: list[Step] = []
    not_needed: list[str] = []
    for number, script in enumerate(migrations):
        own = _migrate_one(script, number, tables, last, _Knowledge(done, proofs, newest_proof, schema_version), warnings)
        if any(not step.session for step in own):
            steps += own
        else:
            not_needed.append(script.name)
    return steps, not_needed


class _Knowledge(t.NamedTuple):
    """What is known of statements whose effect cannot be seen."""

    done: t.Sequence[str]
    proofs: set[_Place]
    newest_proof: _Place | None
    schema_version: str

    def was_run(self, script: Script, place: _Place) -> bool:
        """By the ledger, by the schema file, by a later statement that is in effect, or by another one of the same file.

        The last only where the ledger did not begin the file: a file that was begun may have been cut off anywhere.
        """
        if self.recorded(script, place) or (self.schema_version and int(script.version) <= int(self.schema_version)):
            return True
        if self.newest_proof is not None and place < self.newest_proof:
            return True
        return marks_done(self.done, script.name) is None and any(proof.script == place.script for proof in self.proofs)

    def recorded(self, script: Script, place: _Place) -> bool:
        so_far = marks_done(self.done, script.name)
        return so_far is not None and (so_far == -1 or script.statements[place.statement].number <= so_far)


def _migrate_one(script: Script, number: int, tables: Tables, last: _Last, known: _Knowledge, warnings: list[str]) -> list[Step]:
    steps: list[Step] = []
    for index, change in enumerate(script.changes):
        if change.verb in DATABASE_VERBS:
            continue
        if change.verb in SESSION_VERBS:
            steps.append(_step(script, index))
            continue
        place = _Place(number, index)
        verdict = _judge(change, place, last, tables)
        if (verdict.checkable and not verdict.missing) or (not verdict.missing and known.was_run(script, place)):
            continue
        if known.recorded(script, place):
            warnings.append(f"{script.name} is in the ledger, but the database lacks what it makes ({describe(change, verdict.missing)}): it is run again")
        if verdict.partly and change.head:
            steps.append(_step(script, index, change.head + ", ".join(clause.text for clause in verdict.missing), verdict.missing))
        else:
            steps.append(_step(script, index))
        simulate(tables, change)
    return steps
