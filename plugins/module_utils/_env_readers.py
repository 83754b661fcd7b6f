# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How two other programs read the text after `KEY=` of one line of a .env file.

Private to this collection. A line that they read differently than a shell gets a warning, and the dotenv form that we
write is checked against them. Both follow the programs to the letter, oddities included:

- godotenv v1.5.1, which the server reads /app/.env with: https://github.com/joho/godotenv/blob/v1.5.1/parser.go
- compose-go v2, docker compose: https://github.com/compose-spec/compose-go/blob/v2.16.2/dotenv/parser.go and template/template.go

Both return None for a text that the program refuses, or that it would read beyond the end of the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Callable

_SPACE = "\t\v\f\r \x85\xa0"
_UNICODE_SPACE = _SPACE + "\n\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

_GODOTENV_VARIABLE = re.compile(r"(\\)?\$\(?\{?([A-Z0-9_]+)?\}?")
_GODOTENV_ESCAPES = {r"\n": "\n", r"\r": "\r"}

_COMPOSE_ESCAPE = re.compile(r'\\(?:[abcfnrtv$"\\]|0[0-9]{0,3})')
_COMPOSE_ESCAPES = {r"\a": "\a", r"\b": "\b", r"\f": "\f", r"\n": "\n", r"\r": "\r", r"\t": "\t", r"\v": "\v", r"\"": '"', r"\\": "\\", r"\$": "$$"}
_COMPOSE_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>[_a-z][_a-z0-9]*)|\{(?:(?P<braced>[_a-z][_a-z0-9]*(?::?[-+?](?:.*))?)\}|(?P<invalid>)))",
    re.IGNORECASE,
)
_COMPOSE_OPERATORS = (":?", "?", ":-", "-", ":+", "+")


def godotenv_value(text: str, env: Mapping[str, str]) -> str | None:
    """The value that godotenv reads, when `env` holds what it read from the lines above."""
    text = text.lstrip(_SPACE)
    if not text.startswith(("'", '"')):
        return _godotenv_expanded(_godotenv_bare(text), env)
    quote = text[0]
    end = next((pos for pos in range(1, len(text)) if text[pos] == quote and text[pos - 1] != "\\"), None)
    if end is None or not _only_comment(text[end + 1:]):
        return None
    value = text[:end].strip(quote)
    if quote == "'":
        return value
    value = re.sub(r"\\.", lambda match: _GODOTENV_ESCAPES.get(match.group(), match.group()), value)
    return _godotenv_expanded(re.sub(r"\\([^$])", r"\1", value), env)


def _godotenv_bare(text: str) -> str:
    for pos in range(len(text) - 1, 0, -1):
        if text[pos] == "#" and text[pos - 1] in _SPACE:
            return text[:pos].strip(_SPACE)
    return text.strip(_SPACE)


def _godotenv_expanded(value: str, env: Mapping[str, str]) -> str:
    def replacement(match: re.Match[str]) -> str:
        if match.group(1):
            return match.group()[1:]
        return env.get(match.group(2), "") if match.group(2) else match.group()

    return _GODOTENV_VARIABLE.sub(replacement, value)


def compose_value(text: str, env: Mapping[str, str]) -> str | None:
    """The value that docker compose reads, when `env` holds what it read from the lines above."""
    text = text.lstrip(_SPACE)
    try:
        if not text.startswith(("'", '"')):
            return _compose_expanded(text.partition(" #")[0].rstrip(_UNICODE_SPACE), env)
        value, end = _compose_quoted(text)
        if not _only_comment(text[end:]):
            return None
        if text[0] == "'":
            return value
        return _compose_expanded(_COMPOSE_ESCAPE.sub(_compose_unescaped, value), env)
    except ValueError:
        return None


def _compose_quoted(text: str) -> tuple[str, int]:
    value = ""
    pos = 1
    while pos < len(text):
        if text[pos] == text[0]:
            return value, pos + 1
        if text[pos] == "\\" and text[pos + 1:pos + 2] == text[0]:
            value += text[0]
            pos += 2
        else:
            width = 2 if text[pos] == "\\" else 1
            value += text[pos:pos + width]
            pos += width
    raise ValueError("unterminated quoted value")


def _compose_unescaped(match: re.Match[str]) -> str:
    found = match.group()
    if not found.startswith(r"\0"):
        return _COMPOSE_ESCAPES.get(found, found)
    digits = found[2:]
    if re.fullmatch("[0-7]{3}", digits) and int(digits, 8) <= 255:
        return chr(int(digits, 8))
    return "\\" + digits


def _compose_expanded(value: str, env: Mapping[str, str]) -> str:
    return _COMPOSE_VARIABLE.sub(lambda match: _compose_reference(match.group(), env), value)


def _compose_reference(text: str, env: Mapping[str, str]) -> str:
    """One match of the pattern, which is greedy: what follows the closing brace is cut off and read by itself."""
    operators = sorted((operator for operator in _COMPOSE_OPERATORS if operator in text), key=text.index)
    end = _first_closing_brace(text)
    text, rest = (text[:end + 1], text[end + 1:]) if end >= 0 else (text, "")
    match = _COMPOSE_VARIABLE.match(text)
    if match is None:
        raise ValueError("invalid template")
    if match.group("escaped"):
        return "$"
    braced = match.group("braced")
    if not braced and not match.group("named"):
        raise ValueError("invalid template")
    if braced and operators and operators[0] in braced:
        name, dummy, word = braced.partition(operators[0])
        return _COMPOSE_APPLY[operators[0][-1]](name, word, ":" in operators[0], env) + _compose_expanded(rest, env)
    return env.get(braced or match.group("named"), "")


def _first_closing_brace(text: str) -> int:
    depth = 0
    pos = 0
    while pos < len(text):
        if text[pos] == "}":
            depth -= 1
            if depth == 0:
                return pos
        if text[pos] == "{":
            depth += 1
            pos += 1
        pos += 1
    return -1


def _compose_default(name: str, word: str, or_empty: bool, env: Mapping[str, str]) -> str:
    absent = name not in env or (or_empty and not env[name])
    return _compose_expanded(word, env) if absent else env[name]


def _compose_alternative(name: str, word: str, not_empty: bool, env: Mapping[str, str]) -> str:
    present = name in env and (env[name] or not not_empty)
    return _compose_expanded(word, env) if present else env.get(name, "")


def _compose_required(name: str, word: str, not_empty: bool, env: Mapping[str, str]) -> str:
    if name not in env or (not_empty and not env[name]):
        raise ValueError("required variable is missing a value")
    return env[name]


_COMPOSE_APPLY: dict[str, Callable[[str, str, bool, Mapping[str, str]], str]] = {
    "-": _compose_default,
    "+": _compose_alternative,
    "?": _compose_required,
}


def _only_comment(rest: str) -> bool:
    rest = rest.lstrip(_UNICODE_SPACE)
    return not rest or rest.startswith("#")
