# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A YAML file as nodes that know their line, read as the server's loader (go-yaml v3) reads it. Private to this collection.

What is plain text to YAML 1.1 may be a number to that loader and the other way round, so plain scalars are told apart here.
Nodes are PyYAML's: a scalar's ``value`` is its text, a mapping's a list of pairs of nodes.
"""

from __future__ import annotations

import re
import traceback
import typing as t
from collections.abc import Iterator

try:
    import yaml
except ImportError:
    YAML_ERROR: str | None = traceback.format_exc()
else:
    YAML_ERROR = None

Node = t.Any  # yaml.Node: PyYAML may be missing when this is imported
Entries = dict[str, tuple[Node, Node]]

_TAG = "tag:yaml.org,2002:"
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_BASES = {"x": 16, "b": 2, "o": 8}


class Problem(t.NamedTuple):
    """What is wrong, and where. Line 0: the file as a whole."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class Finding(t.NamedTuple):
    """A problem (or with ``fatal`` false a doubt) at a line of a file that the caller knows."""

    line: int
    message: str
    fatal: bool = True


class Document(t.NamedTuple):
    """The first document of a file; ``node`` is None if there is none that can be read."""

    text: str
    node: Node
    findings: list[Finding]


def load(data: bytes) -> Document:
    """Read a file. A byte order mark and carriage returns are taken as they are meant, as the server does."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Document("", None, [Finding(data.count(b"\n", 0, error.start) + 1, "not UTF-8: save the file in that encoding")])
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    control = _CONTROL.search(text)
    if control:
        return Document(text, None, [Finding(text.count("\n", 0, control.start()) + 1, f"the character U+{ord(control.group()):04X} is not allowed in YAML")])
    try:
        node, findings = _compose(text)
        if node is not None:
            findings += _duplicate_keys(node, set())
    except yaml.YAMLError as error:
        return Document(text, None, _syntax_findings(text, error))
    except RecursionError:
        return Document(text, None, [Finding(1, "nested too deeply to be read")])
    if node is None or kind(node) == "null":
        return Document(text, None, [Finding(1, "the file is empty: the server does not start with it; remove it"), *findings])
    return Document(text, node, findings)


def _compose(text: str) -> tuple[Node, list[Finding]]:
    # The C loader is that of the server, line for line, and many times faster; not every build of PyYAML has it.
    loader: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    inherited = loader.resolve
    loader.resolve = lambda kind, value, implicit: (
        plain_tag(value) if kind is yaml.ScalarNode and implicit[0] else inherited(kind, value, implicit)
    )
    try:
        node = loader.get_node() if loader.check_node() else None
        return node, list(_second_document(loader, text, node))
    finally:
        loader.dispose()


def _second_document(loader: t.Any, text: str, first: Node) -> Iterator[Finding]:
    if first is None:
        return
    try:
        if not loader.check_node():
            return
        begins = line_of(loader.get_node())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        begins = mark.line + 1 if mark else 1
    lines = text.split("\n")
    divider = next((number for number in range(min(begins, len(lines)), first.end_mark.line, -1) if lines[number - 1].startswith("---")), begins)
    yield Finding(divider, "a second YAML document begins here: the server reads only the first one; put each model into a file of its own")


def _syntax_findings(text: str, error: t.Any) -> list[Finding]:
    """The one place where the reader gave up; and tabs, which are often why, wherever they are."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    lines = text.removesuffix("\n").split("\n")
    line = min(mark.line + 1 if mark else 1, len(lines))
    tabs = [number for number, content in enumerate(lines, 1) if re.match(r" *\t[ \t]*[^\s#]", content)]
    findings = [Finding(number, "a tab in the indentation: YAML wants blanks") for number in tabs]
    if line not in tabs:
        # libyaml tells where the block began, and that is where people find the cause.
        context = getattr(error, "context_mark", None)
        since = f" (in what begins at line {context.line + 1})" if context and context.line + 1 != line else ""
        # Only the reader's own words: what it quotes of the text may be a key.
        words = re.sub(r"(?<= )'(?!<)[^' ]{2,}'", "something", str(getattr(error, "problem", None) or "unreadable"))
        findings.append(Finding(line, f"not valid YAML: {words}{since}"))
    return sorted(findings)


def _duplicate_keys(node: Node, seen: set[int]) -> Iterator[Finding]:
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _duplicate_keys(item, seen)
        return
    first: dict[str, int] = {}
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in first:
            yield Finding(line_of(key), f"the key {key.value} is there twice (first at line {first[key.value]}): the server does not start with it")
        elif isinstance(key, yaml.ScalarNode):
            first[key.value] = line_of(key)
        yield from _duplicate_keys(value, seen)


def plain_tag(value: str) -> str:
    """The type of a scalar without quotes, by the rules of go-yaml v3."""
    if value in ("", "~", "null", "Null", "NULL"):
        return _TAG + "null"
    if value in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return _TAG + "bool"
    if value == "<<":
        return _TAG + "merge"
    if integer(value) is not None:
        return _TAG + "int"
    return _TAG + ("float" if _FLOAT.fullmatch(value) else "str")


def integer(value: str) -> int | None:
    """The number that a plain scalar is, or None."""
    digits = value.replace("_", "")
    if value[:1] == "_" or not _INTEGER.fullmatch(digits):
        return None
    sign, body = (digits[0], digits[1:]) if digits[0] in "+-" else ("", digits)
    if len(body) > 1 and body[0] == "0":
        base = _BASES.get(body[1].lower())
        rest = body[2:] if base else body[1:]
        return int(sign + rest, base or 8) if rest else None
    return int(sign + body)


def line_of(node: Node) -> int:
    return int(node.start_mark.line) + 1


def kind(node: Node) -> str:
    """``map``, ``list``, or for a scalar ``str``, ``int``, ``float``, ``bool``, ``null`` (or the name of another tag)."""
    if isinstance(node, yaml.MappingNode):
        return "map"
    if isinstance(node, yaml.SequenceNode):
        return "list"
    return str(node.tag).rpartition(":")[2]


def entries(node: Node) -> Entries:
    """The keys of a mapping with their nodes; those that ``<<`` merges come after its own. A value null is as good as none."""
    own: Entries = {}
    merged: list[Node] = []
    for key, value in node.value if kind(node) == "map" else []:
        if kind(key) == "merge":
            merged += value.value if kind(value) == "list" else [value]
        elif isinstance(key, yaml.ScalarNode):
            own.setdefault(key.value, (key, value))
    for other in merged:
        for name, pair in (entries(other) if other is not node else {}).items():
            own.setdefault(name, pair)
    return {name: pair for name, pair in own.items() if kind(pair[1]) != "null"}


def plain(node: Node) -> t.Any:
    """The node as dicts, lists and scalars."""
    what = kind(node)
    if what == "map":
        return {name: plain(value) for name, (dummy, value) in entries(node).items()}
    if what == "list":
        return [plain(item) for item in node.value]
    if what == "int":
        return integer(node.value)
    if what == "float":
        return float(node.value.replace(".inf", "inf").replace(".nan", "nan"))
    return {"null": None, "bool": node.value.lower() == "true"}.get(what, node.value)


def spans(text: str, nodes: list[Node]) -> list[tuple[int, int]]:
    """Where scalars lie in the text that they were read from, in order; by line and column, which all of PyYAML's readers count alike."""
    starts = [0, *(match.end() for match in re.finditer("[\n\x85\u2028\u2029]", text))]

    def offset(mark: t.Any) -> int:
        return min(starts[min(mark.line, len(starts) - 1)] + mark.column, len(text))

    return sorted({(offset(node.start_mark), offset(node.end_mark)) for node in nodes})
