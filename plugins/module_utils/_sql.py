# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SQL text of MySQL's dialect: tokens, statements, and what a schema statement does. Nothing here touches a database.

Only what schema files and migrations are made of is understood: CREATE TABLE, ALTER TABLE, indexes, renames, drops.
Any other statement is kept as text and has no effects that could be checked.
"""

from __future__ import annotations

import re
import typing as t

#: The database whose name upstream wrote into its migrations.
UPSTREAM_DATABASE = "opencoze"


class SqlError(ValueError):
    """The text is not SQL that can be run safely. ``line`` is where, from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


class Token(t.NamedTuple):
    """A piece of the text; all pieces joined give the text again."""

    kind: str  # space, comment, hint (an edge of /*! … */), string, name (in backquotes), word, punct
    text: str
    start: int
    line: int


class Statement(t.NamedTuple):
    """One statement without its semicolon; ``number`` and ``line`` count from 1 in its file."""

    number: int
    line: int
    text: str


class Effect(t.NamedTuple):
    """What holds after a statement: that a table, a column or an index is there, or is not."""

    kind: str  # table, column, index
    table: str
    name: str  # "" for a table
    present: bool
    exact: bool = False  # the spelling counts too: a rename that only changes upper to lower case

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.kind, self.table.lower(), self.name.lower())

    def __str__(self) -> str:
        what = f"{self.kind} {self.table}.{self.name}" if self.name else f"table {self.table}"
        return what if self.present else f"no {what}"


class Clause(t.NamedTuple):
    """A part of an ALTER TABLE that can stand alone. No effects: it cannot be seen whether it was run (MODIFY, COMMENT …)."""

    text: str
    effects: tuple[Effect, ...]


class Change(t.NamedTuple):
    """What a statement does. ``head`` and the clauses, joined, are the statement."""

    verb: str  # "CREATE TABLE", "ALTER TABLE", "INSERT" …
    table: str
    head: str
    clauses: tuple[Clause, ...]

    @property
    def effects(self) -> tuple[Effect, ...]:
        return tuple(effect for clause in self.clauses for effect in clause.effects)


class Table:
    """Names in a table. Columns keep their spelling under the lower-case name, as MySQL compares them."""

    def __init__(self, columns: t.Iterable[str] = (), indexes: t.Iterable[str] = ()) -> None:
        self.columns = {column.lower(): column for column in columns}
        self.indexes = {index.lower() for index in indexes}


#: Tables by lower-case name.
Tables = dict[str, Table]

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--(?=[\s\x00-\x1f]|\Z)[^\n]* | \#[^\n]* | /\*(?![!])(?:[^*]|\*(?!/))*\*/)
  | (?P<hint>/\*!\d* | \*/)
  | (?P<string>'[^'\\]*(?:(?:\\.|'')[^'\\]*)*' | "[^"\\]*(?:(?:\\.|"")[^"\\]*)*")
  | (?P<name>`[^`]*(?:``[^`]*)*`)
  | (?P<word>[\w$]+)
  | (?P<open>['"`\\]|/\*)
  | (?P<punct>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPEN = {
    "'": "a string that begins with ' is never closed",
    '"': 'a string that begins with " is never closed',
    "`": "a name that begins with ` is never closed",
    "/*": "a comment that begins with /* is never closed",
    "\\": "a backslash outside of a string: the mysql client takes it for a command of its own",
}
_INSIGNIFICANT = ("space", "comment", "hint")
#: Statements that only prepare the session: no change of the database.
SESSION_VERBS = ("SET", "USE")
#: The database exists before the schema is loaded, so these have nothing to do.
DATABASE_VERBS = ("CREATE DATABASE", "CREATE SCHEMA", "USE")


def tokens(text: str) -> list[Token]:
    """Raises SqlError for a string, name or comment that is not closed, and for a backslash outside of a string."""
    found: list[Token] = []
    line, hint_line = 1, 0
    for match in _TOKEN.finditer(text):
        kind, value = str(match.lastgroup), match.group()
        if kind == "open":
            raise SqlError(line, _OPEN[value])
        if kind == "hint":
            if value == "*/" and not hint_line:
                raise SqlError(line, "*/ without /*")
            hint_line = 0 if value == "*/" else line
        found.append(Token(kind, value, match.start(), line))
        line += value.count("\n")
    if hint_line:
        raise SqlError(hint_line, _OPEN["/*"])
    return found


def split(text: str) -> list[Statement]:
    """The statements of a file, in order, each with its comments inside but without those around it. Raises SqlError."""
    statements: list[Statement] = []
    first: Token | None = None
    end, in_hint = 0, False
    for token in [*tokens(text), Token("punct", ";", len(text), 0)]:
        if token.kind == "hint":
            in_hint = token.text != "*/"
        if token.kind == "punct" and token.text == ";" and not in_hint:
            if first is not None:
                statements.append(Statement(len(statements) + 1, first.line, text[first.start : end]))
            first = None
            continue
        if token.kind in ("space", "comment"):
            continue
        if first is None:
            first = token
            if token.kind == "word" and token.text.upper() == "DELIMITER":
                raise SqlError(token.line, "DELIMITER is not supported: stored procedures and triggers cannot be loaded from here")
        end = token.start + len(token.text)
    return statements


def rewrite_database(text: str, database: str, original: str = UPSTREAM_DATABASE) -> str:
    """The statement with the qualifier ``original``. replaced by ``database``; text in strings and comments stays as it is."""
    if database == original:
        return text
    pieces = tokens(text)
    code = [(index, token) for index, token in enumerate(pieces) if token.kind not in _INSIGNIFICANT]
    quoted = "`" + database.replace("`", "``") + "`"
    replaced = {index for place, (index, token) in enumerate(code) if _is_database([item for _index, item in code], place, original)}
    return "".join(quoted if index in replaced else token.text for index, token in enumerate(pieces))


def _is_database(code: t.Sequence[Token], place: int, name: str) -> bool:
    token = code[place]
    if token.kind not in ("name", "word") or identifier(token) != name:
        return False
    before = [item.text.upper() for item in code[max(0, place - 4) : place]]
    if before[-1:] == ["."]:
        return False
    if place + 1 < len(code) and code[place + 1].text == ".":
        return True
    while before and before[-1] in ("IF", "NOT", "EXISTS"):
        before.pop()
    return before[-1:] in (["DATABASE"], ["SCHEMA"], ["USE"])


def identifier(token: Token) -> str:
    """The name that a token stands for."""
    return token.text[1:-1].replace("``", "`") if token.kind == "name" else token.text


class _Reader:
    """Walks over the tokens that mean something."""

    def __init__(self, text: str, code: t.Sequence[Token]) -> None:
        self.text = text
        self.code = code
        self.at = 0

    def take(self, *words: str) -> bool:
        """Step over the words if all of them come next, unquoted."""
        coming = self.code[self.at : self.at + len(words)]
        if [token.text.upper() for token in coming if token.kind == "word"] != list(words):
            return False
        self.at += len(words)
        return True

    def take_any(self, *words: str) -> bool:
        return any(self.take(word) for word in words)

    def punct(self, sign: str) -> bool:
        if self.at < len(self.code) and self.code[self.at].kind == "punct" and self.code[self.at].text == sign:
            self.at += 1
            return True
        return False

    def name(self) -> str:
        """The next identifier, without the database before it; "" if there is none."""
        last = ""
        while self.at < len(self.code) and self.code[self.at].kind in ("name", "word"):
            last = identifier(self.code[self.at])
            self.at += 1
            if not self.punct("."):
                break
        return last

    def rest(self) -> list[Token]:
        return list(self.code[self.at :])

    def source(self, part: t.Sequence[Token]) -> str:
        """The text from the first to the last token of a part, with what lies between."""
        return self.text[part[0].start : part[-1].start + len(part[-1].text)] if part else ""


def _parts(code: t.Sequence[Token]) -> list[list[Token]]:
    """Tokens cut at the commas that are in no brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in code:
        if token.kind == "punct":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if token.text == "," and depth == 0:
                parts.append([])
                continue
        parts[-1].append(token)
    return [part for part in parts if part]


def _bracket(code: t.Sequence[Token]) -> list[Token]:
    """What is inside the bracket that opens with the first token."""
    depth = 0
    for index, token in enumerate(code):
        if token.kind == "punct":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0:
            return list(code[1:index])
    return list(code[1:])


def understand(text: str) -> Change:
    """What a statement does. Never fails: an unknown statement is one clause without effects."""
    reader = _Reader(text, [token for token in tokens(text) if token.kind not in _INSIGNIFICANT])
    if reader.take("CREATE"):
        return _create(reader)
    if reader.take("ALTER", "TABLE"):
        return _alter(reader)
    if reader.take("DROP"):
        return _drop(reader)
    if reader.take("RENAME", "TABLE"):
        return _rename_tables(reader)
    return _opaque(reader, reader.code[0].text.upper() if reader.code else "")


def _whole(reader: _Reader, verb: str, table: str, effects: t.Iterable[Effect]) -> Change:
    """A statement that cannot be run in parts."""
    return Change(verb, table, "", (Clause(reader.text, tuple(effects)),))


def _opaque(reader: _Reader, verb: str) -> Change:
    return _whole(reader, verb, "", ())


def _create(reader: _Reader) -> Change:
    for word in ("DATABASE", "SCHEMA"):
        if reader.take(word):
            return _opaque(reader, f"CREATE {word}")
    if reader.take("TABLE"):
        reader.take("IF", "NOT", "EXISTS")
        table = reader.name()
        inside = _bracket(reader.rest()) if reader.punct("(") and _step_back(reader) else []
        effects = [Effect("table", table, "", True)]
        for part in _parts(inside):
            effects.extend(_added(_Reader(reader.text, part), table))
        return _whole(reader, "CREATE TABLE", table, effects)
    reader.take_any("UNIQUE", "FULLTEXT", "SPATIAL")
    if reader.take("INDEX"):
        index = reader.name()
        while reader.rest() and not reader.take("ON"):
            reader.at += 1
        table = reader.name()
        return _whole(reader, "CREATE INDEX", table, [Effect("index", table, index, True)])
    return _opaque(reader, "CREATE")


def _step_back(reader: _Reader) -> bool:
    reader.at -= 1
    return True


def _added(reader: _Reader, table: str) -> list[Effect]:
    """Effects of one definition: of a column, or of an index that has a name."""
    if reader.take_any("PRIMARY", "CONSTRAINT", "FOREIGN", "CHECK"):
        return []
    if reader.take_any("UNIQUE", "FULLTEXT", "SPATIAL"):
        reader.take_any("INDEX", "KEY")
        kind = "index"
    else:
        kind = "index" if reader.take_any("INDEX", "KEY") else "column"
    name = reader.name()
    return [Effect(kind, table, name, True)] if name else []


def _alter(reader: _Reader) -> Change:
    table = reader.name()
    head = reader.text[: reader.rest()[0].start] if reader.rest() else reader.text
    clauses = tuple(Clause(reader.source(part), tuple(_altered(_Reader(reader.text, part), table))) for part in _parts(reader.rest()))
    return Change("ALTER TABLE", table, head, clauses)


def _altered(reader: _Reader, table: str) -> list[Effect]:
    """Effects of one clause of ALTER TABLE."""
    if reader.take("ADD"):
        reader.take("COLUMN")
        reader.take("IF", "NOT", "EXISTS")
        if reader.punct("("):
            _step_back(reader)
            return [effect for part in _parts(_bracket(reader.rest())) for effect in _added(_Reader(reader.text, part), table)]
        return _added(reader, table)
    if reader.take("DROP"):
        if reader.take_any("PRIMARY", "FOREIGN", "CONSTRAINT", "CHECK"):
            return []
        kind = "index" if reader.take_any("INDEX", "KEY") else "column"
        reader.take("COLUMN")
        reader.take("IF", "EXISTS")
        return [Effect(kind, table, reader.name(), False)]
    if reader.take("CHANGE"):
        reader.take("COLUMN")
        return _renamed("column", table, reader.name(), reader.name())
    if reader.take("RENAME"):
        for kind, words in (("column", ("COLUMN",)), ("index", ("INDEX", "KEY"))):
            if reader.take_any(*words):
                old = reader.name() if not _word_follows(reader, "TO") else ""
                reader.take("TO")
                return _renamed(kind, table, old, reader.name())
        reader.take_any("TO", "AS")
        return [Effect("table", table, "", False), Effect("table", reader.name(), "", True)]
    return []


def _word_follows(reader: _Reader, word: str) -> bool:
    rest = reader.rest()
    return bool(rest) and rest[0].kind == "word" and rest[0].text.upper() == word


def _renamed(kind: str, table: str, old: str, new: str) -> list[Effect]:
    if not old or not new or old == new:
        return []
    if old.lower() == new.lower():
        return [Effect(kind, table, new, True, exact=True)]
    return [Effect(kind, table, old, False), Effect(kind, table, new, True)]


def _drop(reader: _Reader) -> Change:
    if reader.take("TABLE"):
        reader.take("IF", "EXISTS")
        names = [_Reader(reader.text, part).name() for part in _parts(reader.rest())]
        return _whole(reader, "DROP TABLE", ", ".join(names), [Effect("table", name, "", False) for name in names])
    if reader.take("INDEX"):
        index = reader.name()
        reader.take("ON")
        table = reader.name()
        return _whole(reader, "DROP INDEX", table, [Effect("index", table, index, False)])
    return _opaque(reader, "DROP")


def _rename_tables(reader: _Reader) -> Change:
    effects: list[Effect] = []
    for part in _parts(reader.rest()):
        pair = _Reader(reader.text, part)
        old = pair.name()
        pair.take("TO")
        effects += [Effect("table", old, "", False), Effect("table", pair.name(), "", True)]
    return _whole(reader, "RENAME TABLE", effects[0].table if effects else "", effects)


def describe(change: Change, clauses: t.Sequence[Clause] | None = None) -> str:
    """A few words for an operator: what a statement is for."""
    effects = [effect for clause in (change.clauses if clauses is None else clauses) for effect in clause.effects]
    if change.verb in ("CREATE TABLE", "DROP TABLE"):
        return f"{change.verb} {change.table}"
    if effects:
        return f"{change.verb} {change.table}: " + ", ".join(str(effect) for effect in effects)
    return f"{change.verb} {change.table}".strip()


def holds(tables: Tables, effect: Effect) -> bool:
    """Is it so in these tables?"""
    table = tables.get(effect.table.lower())
    if effect.kind == "table":
        return (table is not None) == effect.present
    if table is None:
        return not effect.present
    name = effect.name.lower()
    there = name in (table.columns if effect.kind == "column" else table.indexes)
    if effect.exact and effect.kind == "column":
        return table.columns.get(name) == effect.name
    return there == effect.present


def simulate(tables: Tables, change: Change) -> None:
    """What running the statement does to the names. CREATE TABLE leaves a table that is there as it is."""
    if change.verb == "CREATE TABLE" and change.table.lower() in tables:
        return
    for effect in change.effects:
        _apply(tables, effect)


def _apply(tables: Tables, effect: Effect) -> None:
    key, name = effect.table.lower(), effect.name.lower()
    if effect.kind == "table":
        if effect.present:
            tables.setdefault(key, Table())
        else:
            tables.pop(key, None)
        return
    table = tables.setdefault(key, Table())
    if effect.kind == "column":
        table.columns.pop(name, None)
        if effect.present:
            table.columns[name] = effect.name
    else:
        table.indexes.discard(name)
        if effect.present:
            table.indexes.add(name)
