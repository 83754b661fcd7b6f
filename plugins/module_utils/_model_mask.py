# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Model files, and the variables that they are made from, without their keys. Private to this collection."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Collection, Iterator

from ansible_collections.cozeops.studio.plugins.module_utils._env_mask import MASK, is_secret_key
from ansible_collections.cozeops.studio.plugins.module_utils._model_yaml import Node, kind, load, plain, spans
from ansible_collections.cozeops.studio.plugins.module_utils._redact import SHORTEST, redact

HIDDEN = "(this text is not readable as YAML, so that its keys cannot be told apart: it is not shown)\n"

# Mappings of which anything may be a credential.
_FREE = frozenset(("custom", "custom_header", "headers"))
_COMMENTED = re.compile(
    r"(#.*?(?:api_?key|secret\w*|access_key|\w*token|passw\w*|authorization)[\"']?\s*[:=]\s*)(\S.*)$", re.IGNORECASE | re.MULTILINE
)
_QUERY = re.compile(r"([?&][\w-]*(?:key|token|secret|sig)[\w-]*=)[^&\s\"']+", re.IGNORECASE)


def secrets_of(data: bytes) -> set[str]:
    """The keys in a file; none if it cannot be read."""
    node = load(data).node
    return {str(secret.value) for secret in _secret_nodes(node, False, set())} if node is not None else set()


def mask_text(data: bytes, known: Collection[str] | None = None, searched: Collection[str] = ()) -> str:
    """The text of a file for a diff. With ``known``, those that the file had before, a key that is another one is marked.

    ``searched`` are further keys to hide wherever they are. Text that is no YAML is hidden as a whole.
    """
    document = load(data)
    if document.node is None:
        return document.text if not document.text.strip() else HIDDEN
    nodes = list(_secret_nodes(document.node, False, set()))
    values = {(node.start_mark.line, node.start_mark.column): str(node.value) for node in nodes}
    pieces = []
    done = 0
    for (start, end), value in zip(spans(document.text, nodes), (values[place] for place in sorted(values))):
        rest = re.compile(r"[ \t]+#.*").match(document.text, end)
        block = document.text[start] in "|>"
        pieces += [document.text[done:start], MASK, " (changed)" if known is not None and value not in known else "", "\n" if block else ""]
        done = rest.end() if rest else end
    text = "".join([*pieces, document.text[done:]])
    text = _QUERY.sub(lambda match: match.group(1) + MASK, _COMMENTED.sub(lambda match: match.group(1) + MASK, text))
    hidden = {*values.values(), *searched}
    return redact(text, sorted((value for value in hidden if len(value) >= SHORTEST), key=len, reverse=True))


def _secret_nodes(node: Node, free: bool, seen: set[tuple[int, bool]]) -> Iterator[Node]:
    """The scalars below a node that are secrets, each once; aliases lead to what they stand for."""
    if (id(node), free) in seen:
        return
    seen.add((id(node), free))
    what = kind(node)
    if what == "list":
        for item in node.value:
            yield from _secret_nodes(item, free, seen)
    elif what == "map":
        for key, value in node.value:
            name = "" if kind(key) in ("map", "list") else key.value
            yield from _secret_nodes(value, free or name in _FREE or is_secret_key(name), seen)
    elif free and node.value and plain(node) not in (None, True, False):
        yield node


def mask_variables(value: t.Any, free: bool = False) -> t.Any:
    """Plain data with the same things hidden."""
    if isinstance(value, dict):
        return {key: mask_variables(item, free or key in _FREE or is_secret_key(str(key))) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_variables(item, free) for item in value]
    if free and value not in (None, "", True, False):
        return MASK
    return _QUERY.sub(lambda match: match.group(1) + MASK, redact(value, ())) if isinstance(value, str) else value
