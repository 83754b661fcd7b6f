# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a shell-style .env file, expand it, and write it resolved.

Private to this collection. Pure functions: no file is opened and the environment of the process is never read.

    parse(text, name)         lines to assignments; never raises, what is wrong with a line stays with its assignment
    expand(assignments, ...)  assignments to values; raises EnvError with all that is wrong in the file
    resolve(text, name, ...)  both
    expand_value(text, env, where)   one string, by the rules inside double quotes
    render(env, form)         an environment as the text of a file
    is_secret_key, mask       what is not to be shown, see _env_mask

A line means what a shell (`set -a; . file`) makes of it. One that only the shell cannot read (`A = 1`, `A=a b`) means
what godotenv and docker compose make of it. Wherever a reader differs there is a warning; see _env_lexer for what is refused.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.cozeops.studio.plugins.module_utils._env_lexer import (
    BLANKS,
    BRACE,
    TILDE,
    GrammarError,
    Reference,
    RunsOn,
    Segment,
    Word,
    template,
    words,
)
from ansible_collections.cozeops.studio.plugins.module_utils._env_mask import MASK, is_secret_key, mask, mask_lines, secret_values
from ansible_collections.cozeops.studio.plugins.module_utils._env_readers import compose_value, godotenv_value

__all__ = [
    "MASK",
    "Assignment",
    "EnvError",
    "EnvResult",
    "Problem",
    "decode",
    "expand",
    "expand_value",
    "is_secret_key",
    "mask",
    "mask_lines",
    "override_strings",
    "parse",
    "render",
    "resolve",
    "secret_values",
]

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_LINE = re.compile(r"(?P<export>export[ \t]+)?(?P<key>[^=#]*?)(?P<blank>[ \t]*)=(?P<rest>.*)", re.DOTALL)
_EXPORTED_NAMES = re.compile(r"export((?:[ \t]+[A-Za-z_][A-Za-z0-9_]*)+)[ \t]*(?:#.*)?", re.ASCII)
_LOOKS_LIKE_A_KEY = re.compile(r"[\w.+\[\] -]{1,48}")
_NEXT_ASSIGNMENT = re.compile(r"\s*(export\s|[A-Z_][A-Z0-9_]*=(?!=))")
_ASSIGNMENT_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=", re.ASCII)
_EXPORT_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(=|(?=[ \t]|$))", re.ASCII)
_BARE_EVERYWHERE = re.compile(r"[A-Za-z0-9_./:@%+,=-]*", re.ASCII)
_FORBIDDEN = {"\n": "a line break", "\r": "a carriage return", "\0": "a NUL character"}
_OVERRIDES = "overrides"


@dataclass(frozen=True)
class Problem:
    """What is wrong, and where. `line` is 0 and `key` is "" where there is none."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.key, self.message) if part)


class EnvError(ValueError):
    """One or more problems; as a string, one per line.

    `rest` is what could be read of a file all the same, without the keys that are broken, and `unread` are those: keys with a problem,
    and keys that refer to them.
    """

    def __init__(self, problems: list[Problem], rest: EnvResult | None = None, unread: frozenset[str] = frozenset()) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
        self.rest = rest
        self.unread = unread


@dataclass(frozen=True)
class Assignment:
    """`key` gets `value`, unless there is a `problem`.

    `source` is the text that godotenv and docker compose take for the value, None where a warning about them is given already.
    A line without a usable key has key "" and a problem.
    """

    file: str
    line: int
    key: str
    value: tuple[Segment, ...] = ()
    source: str | None = None
    problem: str | None = None
    warnings: tuple[str, ...] = ()


class EnvResult(NamedTuple):
    """`env` in the order of the file, then overrides that the file lacks; `names` its keys; `warnings` ready to print.

    `lines` has the line that a value comes from, for each key whose value comes from the file.
    """

    env: dict[str, str]
    names: list[str]
    warnings: list[str]
    lines: dict[str, int]


def decode(data: bytes, name: str) -> str:
    """The text of a file. Raises EnvError with the line when it is not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EnvError([Problem(name, data[:error.start].count(b"\n") + 1, "", "not UTF-8: save the file in that encoding")]) from error


def override_strings(overrides: Mapping[str, object]) -> dict[str, str]:
    """Overrides as YAML gives them: numbers become their digits, booleans `true` or `false`.

    Raises EnvError for a key that no shell has, and for null, lists and dicts.
    """
    strings: dict[str, str] = {}
    problems: list[Problem] = []
    for key, value in overrides.items():
        if isinstance(value, bool):
            strings[str(key)] = "true" if value else "false"
        elif isinstance(value, (str, int, float)):
            strings[str(key)] = str(value)
        elif value is None:
            problems.append(Problem(_OVERRIDES, 0, str(key), 'null is not a value: give "" for an empty one, or leave the key out'))
        else:
            problems.append(Problem(_OVERRIDES, 0, str(key), f"a {type(value).__name__} is not a value: give a string"))
    problems.extend(_override_problems(strings))
    if problems:
        raise EnvError(problems)
    return strings


def parse(text: str, name: str) -> list[Assignment]:
    """Read the lines of a .env file; `name` is the file's name in messages."""
    file_warnings = []
    if text.startswith("\ufeff"):
        text = text[1:]
        file_warnings.append(f"{name}: a byte order mark is skipped; a shell takes it for part of the first line")
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
        file_warnings.append(f"{name}: carriage returns at line ends are dropped; a shell keeps them in the values")
    assignments: list[Assignment] = []
    first_lines: dict[str, int] = {}
    for number, line in _logical_lines(text):
        for assignment in _read_line(line, name, number):
            first = first_lines.setdefault(assignment.key, number)
            again = assignment.key and first != number and assignment.value != (Reference(assignment.key, "", ()),)
            warnings = [_located(assignment, f"set again, after line {first}: the last one counts")] if again else []
            assignments.append(_with_warning(assignment, *warnings))
    if assignments and file_warnings:
        assignments[0] = _with_warning(assignments[0], *file_warnings)
    return assignments


def expand(assignments: list[Assignment], overrides: Mapping[str, str] | None = None, undefined: str = "error") -> EnvResult:
    """Expand the references, from top to bottom.

    A key in `overrides` gets that value, literally, wherever the file sets it; its text in the file is not looked at.
    Overrides that the file lacks come last, but can be referred to from every line.
    A reference to what is not set is a problem, or empty and a warning with `undefined="empty"`. Raises EnvError, with what could be read.
    """
    given = dict(overrides or {})
    problems = _override_problems(given)
    env: dict[str, str] = {}
    lines = {assignment.key: assignment.line for assignment in assignments}
    appended = {key: value for key, value in given.items() if key not in lines}
    known: Mapping[str, str] = ChainMap(env, appended)
    warnings: list[str] = []
    unread: set[str] = set()
    for assignment in assignments:
        if assignment.key in given:
            env[assignment.key] = given[assignment.key]
            continue
        warnings.extend(assignment.warnings)
        scope = _Scope(known, undefined, lines, assignment.line)
        value = "" if assignment.problem else _expanded(assignment.value, scope)
        for message in [assignment.problem] if assignment.problem else scope.problems:
            problems.append(Problem(assignment.file, assignment.line, assignment.key, message))
        warnings.extend(_located(assignment, message) for message in scope.warnings)
        if not assignment.problem and not scope.problems:
            warnings.extend(_reader_warnings(assignment, value, known))
        if assignment.key:
            # A broken key counts as set, so that it is reported once and not for each reference to it.
            env[assignment.key] = value
            broken = bool(assignment.problem or scope.problems) or not unread.isdisjoint(_names(assignment.value))
            (unread.add if broken else unread.discard)(assignment.key)
    env.update(appended)
    sound = {key: value for key, value in env.items() if key not in unread}
    result = EnvResult(sound, list(sound), warnings, {key: number for key, number in lines.items() if key in sound and key not in given})
    if problems:
        raise EnvError(problems, result, frozenset(unread))
    return result


def resolve(text: str, name: str, overrides: Mapping[str, str] | None = None, undefined: str = "error") -> EnvResult:
    """parse and expand. Raises EnvError with all problems of the file."""
    return expand(parse(text, name), overrides, undefined)


def expand_value(text: str, env: Mapping[str, str], where: str, undefined: str = "error") -> str:
    r"""Expand `${X}` and its like in one string by the rules inside double quotes (`\$` is a dollar sign).

    `where` names the place in messages. Raises EnvError.
    """
    scope = _Scope(env, undefined)
    try:
        value = _expanded(template(text), scope)
    except GrammarError as error:
        raise EnvError([Problem(where, 0, "", str(error))]) from error
    if scope.problems:
        raise EnvError([Problem(where, 0, "", message) for message in scope.problems])
    return value


def render(env: Mapping[str, str], form: str) -> str:
    """The text of a file with these values.

    `docker` is literal KEY=VALUE lines; `dotenv` is quoted so that a shell and godotenv read the same values back.
    Raises EnvError for values that the form cannot hold.
    """
    if form not in ("docker", "dotenv"):
        raise ValueError(f"unknown form {form}")
    lines: list[str] = []
    problems: list[Problem] = []
    for key, value in env.items():
        message = _key_problem(key) or _value_problem(value)
        text = value if form == "docker" or message else _dotenv_text(value)
        if message or text is None:
            message = message or "no quoting gives this value in a shell and in godotenv alike: use the docker form, or a value without quotes or backslashes"
            problems.append(Problem(f"{form} form", 0, key, message))
        lines.append(f"{key}={text}\n")
    if problems:
        raise EnvError(problems)
    return "".join(lines)


class _Scope:
    """What a reference can see, and what was found while expanding one value."""

    def __init__(self, env: Mapping[str, str], undefined: str, lines: Mapping[str, int] | None = None, line: int = 0) -> None:
        if undefined not in ("error", "empty"):
            raise ValueError(f"undefined is error or empty, not {undefined}")
        self.env = env
        self.later = {key: number for key, number in (lines or {}).items() if number > line}
        self.undefined = undefined
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def miss(self, name: str) -> str:
        """Record a reference to a name that is not set; returns the value to go on with."""
        if self.undefined == "empty":
            self.warnings.append(f"{name} is not set: taken as empty")
        elif name in self.later:
            self.problems.append(f"{name} is not set above this line, only on line {self.later[name]}: move that line up")
        else:
            self.problems.append(
                f"{name} is not set (the environment of the process is not read): set it above or in the overrides, write ${{{name}:-}} for an optional one, "
                "or put the value in single quotes if the $ is meant literally"
            )
        return ""


def _expanded(segments: tuple[Segment, ...], scope: _Scope) -> str:
    return "".join(segment if isinstance(segment, str) else _referenced(segment, scope) for segment in segments)


def _referenced(reference: Reference, scope: _Scope) -> str:
    name, operator, word = reference
    value = scope.env.get(name)
    if not operator:
        return scope.miss(name) if value is None else value
    present = value is not None and (value != "" or not operator.startswith(":"))
    if operator.endswith("+"):
        return _expanded(word, scope) if present else ""
    if present and value is not None:
        return value
    if operator.endswith("?"):
        scope.problems.append(f"{name} is not set{' or empty' if ':' in operator else ''}: {_shown(word) or 'it is required'}")
        return ""
    return _expanded(word, scope)


def _names(segments: tuple[Segment, ...]) -> Iterator[str]:
    """The names that a value refers to, at any depth."""
    for segment in segments:
        if not isinstance(segment, str):
            yield segment.name
            yield from _names(segment.word)


def _shown(segments: tuple[Segment, ...]) -> str:
    """The text of a message; references in it stay names, since they may be secrets."""
    return "".join(segment if isinstance(segment, str) else f"${{{segment.name}}}" for segment in segments)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines. One whose quote is not closed is joined with those up to its end, unless an assignment comes first."""
    lines = text.rstrip("\r").split("\n")
    index = 0
    while index < len(lines):
        joined = lines[index]
        taken = 1
        if _runs_on(joined):
            following = index + 1
            candidate = joined
            while following < len(lines) and not _NEXT_ASSIGNMENT.match(lines[following]):
                candidate += "\n" + lines[following]
                following += 1
                if not _runs_on(candidate):
                    joined, taken = candidate, following - index
                    break
        yield index + 1, joined
        index += taken


def _runs_on(line: str) -> bool:
    match = _LINE.fullmatch(line.lstrip(BLANKS))
    if match is None or line.lstrip(BLANKS).startswith("#"):
        return False
    try:
        words(match.group("rest"), set())
    except RunsOn:
        return True
    except GrammarError:
        return False
    return False


def _read_line(line: str, name: str, number: int) -> list[Assignment]:
    stripped = line.lstrip(BLANKS)
    if not stripped.strip() or stripped.startswith("#"):
        return []
    match = _LINE.fullmatch(stripped)
    if match is None:
        return _read_names(stripped, name, number)
    key = match.group("key")
    message = _key_problem(key) or _line_problem(line, number)
    if message:
        return [Assignment(name, number, key if _LOOKS_LIKE_A_KEY.fullmatch(key) else "", problem=message)]
    notes: set[str] = set()
    try:
        found = words(match.group("rest"), notes)
    except GrammarError as error:
        return [Assignment(name, number, key, problem=str(error))]
    spaced = match.group("blank") != "" or (match.group("rest")[:1] in BLANKS and bool(found))
    assignments = _several(match, found, name, number) or [_single(match, found, spaced, name, number)]
    hints = _note_warnings(notes, match.group("export") is not None)
    return [_with_warning(assignment, *(_located(assignment, hint) for hint in hints)) for assignment in assignments]


def _read_names(line: str, name: str, number: int) -> list[Assignment]:
    """A line without `=`: `export A` says again what A is, everything else is no setting."""
    match = _EXPORTED_NAMES.fullmatch(line)
    if match:
        return [Assignment(name, number, key, (Reference(key, "", ()),)) for key in match.group(1).split()]
    key = line.partition("#")[0].strip()
    return [Assignment(name, number, key if _KEY.fullmatch(key) else "", problem="there is no =: a line is KEY=VALUE, a comment or blank")]


def _several(match: re.Match[str], found: list[Word], name: str, number: int) -> list[Assignment]:
    """`A=1 B=2` and `export A=1 B`, two settings in a shell: the assignments, or none if the line is not of that kind."""
    rest = match.group("rest")
    first = found[:1] if rest[:1] not in BLANKS else []
    others = found[len(first):]
    setting = _EXPORT_WORD if match.group("export") else _ASSIGNMENT_WORD
    if match.group("blank") or not others or not all(setting.match(rest, word.start) for word in others):
        return []
    assignments = [Assignment(name, number, match.group("key"), first[0].segments if first else ())]
    for word in others:
        key, equals, dummy = rest[word.start:word.end].partition("=")
        head, *tail = word.segments
        value = (str(head)[len(key) + 1:], *tail) if equals else (Reference(key, "", ()),)
        assignments.append(Assignment(name, number, key, tuple(part for part in value if part != "")))
    warning = "several settings on one line, as a shell reads it; godotenv and docker compose take all of it for one value"
    return [_with_warning(assignment, _located(assignment, warning)) for assignment in assignments]


def _single(match: re.Match[str], found: list[Word], spaced: bool, name: str, number: int) -> Assignment:
    key, rest = match.group("key", "rest")
    if len(found) > 1 and any(word.quoting for word in found):
        message = "text after a blank outside the quotes: put the whole value in one pair of quotes"
        return Assignment(name, number, key, problem=message)
    value: list[Segment] = []
    for index, word in enumerate(found):
        if index:
            value.append(rest[found[index - 1].end:word.start])
        value.extend(word.segments)
    assignment = Assignment(name, number, key, tuple(value), rest)
    if spaced:
        assignment = _with_warning(assignment, _located(assignment, "a blank beside the = is skipped; a shell would run a command: write KEY=VALUE"))
    if len(found) > 1:
        warning = "a value with blanks and without quotes is taken whole; a shell would run a command: put it in quotes"
        assignment = _with_warning(assignment, _located(assignment, warning))
    return assignment


def _note_warnings(notes: set[str], exported: bool) -> list[str]:
    hints = []
    if TILDE in notes:
        hints.append("~ stays as it is; a shell would put the home directory: write the path out, or quote it")
    if BRACE in notes and exported:
        hints.append("{ stays as it is; bash may expand braces after export: put the value in quotes")
    return hints


def _key_problem(key: str) -> str | None:
    if _KEY.fullmatch(key):
        return None
    if key.endswith("+"):
        return "+= is refused: only bash knows it"
    return "not a name for a variable: letters, digits and _ only, and no digit first" if key else "there is no name before the ="


def _line_problem(line: str, number: int) -> str | None:
    if "\n" in line:
        return f"the value runs over lines {number} to {number + line.count(chr(10))}: multi-line values are refused, docker cannot take them"
    return _value_problem(line)


def _value_problem(value: str) -> str | None:
    found = next((what for char, what in _FORBIDDEN.items() if char in value), None)
    return f"{found} in the value is refused, docker cannot take it" if found else None


def _override_problems(overrides: Mapping[str, str]) -> list[Problem]:
    problems = []
    for key, value in overrides.items():
        message = _key_problem(key) or _value_problem(value)
        if message:
            problems.append(Problem(_OVERRIDES, 0, key, message))
    return problems


def _reader_warnings(assignment: Assignment, value: str, env: Mapping[str, str]) -> list[str]:
    if assignment.source is None:
        return []
    readers = {"godotenv": godotenv_value, "docker compose": compose_value}
    differing = [reader for reader, read in readers.items() if read(assignment.source, env) != value]
    if not differing:
        return []
    return [_located(assignment, f"read as a shell does; {' and '.join(differing)} would not get this value from the line")]


def _dotenv_text(value: str) -> str | None:
    """The plainest quoting of a value that a shell and godotenv, and docker compose if possible, read alike."""
    escaped = re.sub(r'([\\"$`])', r"\\\1", value)
    candidates = [value] if _BARE_EVERYWHERE.fullmatch(value) else [f"'{value}'", f'"{escaped}"']
    candidates = [text for text in candidates if _shell_value(text) == value and godotenv_value(text, {}) == value]
    return next((text for text in candidates if compose_value(text, {}) == value), candidates[0] if candidates else None)


def _shell_value(text: str) -> str | None:
    try:
        found = words(text, set())
    except GrammarError:
        return None
    segments = found[0].segments if found else ()
    return "".join(str(segment) for segment in segments) if len(found) <= 1 else None


def _located(assignment: Assignment, message: str) -> str:
    return str(Problem(assignment.file, assignment.line, assignment.key, message))


def _with_warning(assignment: Assignment, *warnings: str) -> Assignment:
    return Assignment(
        assignment.file, assignment.line, assignment.key, assignment.value, assignment.source, assignment.problem, (*assignment.warnings, *warnings)
    )
