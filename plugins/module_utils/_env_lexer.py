# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The value grammar of a shell-style .env file: text to literal pieces and references.

Private to this collection. It knows quoting and `$`, and nothing of lines, keys or files: see _env_file.
What bash and dash read differently is refused, so that one text has one meaning.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Union

BLANKS = " \t"
_METACHARACTERS = ";&|<>()"
_SPECIAL_PARAMETERS = "0123456789@*#?-$!"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(:?[-?+]|\})")
_LITERAL_DOLLAR = r"if the $ is meant literally, put the value in single quotes or write \$"

TILDE = "tilde"
BRACE = "brace"


class Reference(NamedTuple):
    """`${name}`, or `${name<operator>word}` with one of the operators :- - :? ? :+ + ."""

    name: str
    operator: str
    word: tuple[Segment, ...]


Segment = Union[str, Reference]


class Word(NamedTuple):
    """One shell word. `quoting` is true when quotes or backslashes were used in it."""

    segments: tuple[Segment, ...]
    start: int
    end: int
    quoting: bool


class GrammarError(ValueError):
    """The text cannot be read; the message says why, without quoting the text (it may be a secret)."""


class RunsOn(GrammarError):
    """As GrammarError, but a shell would go on reading on the next line."""


def words(text: str, notes: set[str]) -> list[Word]:
    """Split what follows `KEY=` into shell words, up to a comment.

    Adds TILDE and BRACE to `notes` where a shell would expand a bare `~` or (bash, after export) `{a,b}`.
    """
    found: list[Word] = []
    pos = 0
    while True:
        while pos < len(text) and text[pos] in BLANKS:
            pos += 1
        if pos >= len(text) or (text[pos] == "#" and (pos > 0 or found)):
            return found
        segments, end = _bare(text, pos, notes, in_braces=False)
        found.append(Word(_merged(segments), pos, end, any(char in "'\"\\" for char in text[pos:end])))
        pos = end


def template(text: str) -> tuple[Segment, ...]:
    """Read a whole string by the rules inside double quotes; a double quote is an ordinary character here."""
    segments, dummy = _quoted(text, 0, "")
    return _merged(segments)


def _bare(text: str, pos: int, notes: set[str], in_braces: bool) -> tuple[list[Segment], int]:
    segments: list[Segment] = []
    tilde_expands = True
    while pos < len(text):
        char = text[pos]
        if char == "}" if in_braces else char in BLANKS:
            break
        follows_start, tilde_expands = tilde_expands, False
        if char == "'":
            end = text.find("'", pos + 1)
            if end < 0:
                raise RunsOn("the single quote is not closed")
            segments.append(text[pos + 1:end])
            pos = end + 1
        elif char == '"':
            inner, pos = _quoted(text, pos + 1, '"')
            segments.extend(inner)
            pos += 1
        elif char == "\\":
            if pos + 1 == len(text):
                raise RunsOn("a backslash at the end of the line: continued lines are refused")
            segments.append(text[pos + 1])
            pos += 2
        elif char == "$":
            segment, pos = _dollar(text, pos, notes, quoted=False)
            segments.append(segment)
        elif char == "`":
            raise GrammarError("command substitution (a backtick) is refused; put the value in single quotes if it is meant literally")
        elif char in _METACHARACTERS and not in_braces:
            raise GrammarError(f"an unquoted {char} ends the value in a shell: put the value in quotes")
        else:
            if char == "~" and follows_start:
                notes.add(TILDE)
            if char == "{" and not in_braces:
                notes.add(BRACE)
            tilde_expands = char == ":"
            segments.append(char)
            pos += 1
    return segments, pos


def _quoted(text: str, pos: int, stop: str) -> tuple[list[Segment], int]:
    """Read up to `stop`: a closing quote, the } of a reference inside quotes, or "" for the end of the text."""
    segments: list[Segment] = []
    escapable = '$`"\\' + ("}" if stop == "}" else "")
    while pos < len(text) and text[pos] != stop:
        char = text[pos]
        if char == "\\" and text[pos + 1:pos + 2] and text[pos + 1] in escapable:
            segments.append(text[pos + 1])
            pos += 2
        elif char == "$":
            segment, pos = _dollar(text, pos, set(), quoted=True)
            segments.append(segment)
        elif char == "`":
            raise GrammarError(r"command substitution (a backtick) is refused; use single quotes or write \` if it is meant literally")
        elif stop == "}" and char in "'\"":
            raise GrammarError("a quote inside ${...} inside double quotes is read differently by each shell: leave it out")
        else:
            segments.append(char)
            pos += 1
    if stop and pos >= len(text):
        raise RunsOn("the double quote is not closed" if stop == '"' else "${ is not closed by }")
    return segments, pos


def _dollar(text: str, pos: int, notes: set[str], quoted: bool) -> tuple[Segment, int]:
    following = text[pos + 1:pos + 2]
    if following == "{":
        return _braced(text, pos, notes, quoted)
    if following == "(":
        raise GrammarError(f"command substitution $( is refused; {_LITERAL_DOLLAR}")
    if following == "[" or (following in ("'", '"') and not quoted):
        raise GrammarError(f"${following} is read differently by each shell; {_LITERAL_DOLLAR}")
    if following and following in _SPECIAL_PARAMETERS:
        raise GrammarError(f"${following} is a parameter of the shell itself; {_LITERAL_DOLLAR}")
    name = _NAME.match(text, pos + 1)
    if name is None:
        return "$", pos + 1
    return Reference(name.group(), "", ()), name.end()


def _braced(text: str, pos: int, notes: set[str], quoted: bool) -> tuple[Segment, int]:
    match = _BRACED.match(text, pos)
    if match is None:
        if "}" not in text[pos:]:
            raise GrammarError(f"${{ is not closed by }}; {_LITERAL_DOLLAR}")
        raise GrammarError(f"only ${{X}}, ${{X:-d}}, ${{X-d}}, ${{X:?m}}, ${{X?m}}, ${{X:+a}} and ${{X+a}} are read; {_LITERAL_DOLLAR}")
    name, operator = match.groups()
    if operator == "}":
        return Reference(name, "", ()), match.end()
    if quoted:
        segments, end = _quoted(text, match.end(), "}")
    else:
        segments, end = _bare(text, match.end(), notes, in_braces=True)
    if end >= len(text):
        raise GrammarError("${ is not closed by }")
    return Reference(name, operator, _merged(segments)), end + 1


def _merged(segments: list[Segment]) -> tuple[Segment, ...]:
    merged: list[Segment] = []
    for segment in segments:
        if isinstance(segment, str) and merged and isinstance(merged[-1], str):
            merged[-1] += segment
        elif segment != "":
            merged.append(segment)
    return tuple(merged)
