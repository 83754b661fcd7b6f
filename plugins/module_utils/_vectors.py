# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collections of a Milvus and the lengths of their vectors, by its HTTP interface. Private to this collection.

Milvus 2.4 and later have version 2 of that interface, 2.3 has version 1; both are at the port of gRPC.
https://milvus.io/api-reference/restful/v2.5.x/About.md
"""

from __future__ import annotations

import json
import re
import typing as t
from urllib.parse import quote

#: (method, path, body) -> (HTTP status, body)
Ask = t.Callable[[str, str, t.Optional[dict[str, t.Any]]], "tuple[int, bytes]"]
#: A collection: its name, and its vector fields with their lengths.
Collection = dict[str, t.Any]

_SIZED = re.compile(r"(\w*Vector)\((\d+)\)")


class VectorError(Exception):
    """Milvus does not answer as it should; the text is for the operator."""


def collections(ask: Ask, prefix: str) -> list[Collection]:
    """``{"name", "dims": {field: length}}`` of each collection whose name begins with the prefix, by name. Raises VectorError, OSError."""
    names = _call(ask, "POST", "/v2/vectordb/collections/list", {})
    newer = names is not None
    if not newer:
        names = _call(ask, "GET", "/v1/vector/collections", None)
    if not isinstance(names, list):
        raise VectorError("what answers has neither version of Milvus's HTTP interface: is it Milvus 2.3 or later?")
    return [{"name": name, "dims": dims_of(_describe(ask, name, newer))} for name in sorted(str(name) for name in names) if name.startswith(prefix)]


def _describe(ask: Ask, name: str, newer: bool) -> t.Any:
    if newer:
        return _call(ask, "POST", "/v2/vectordb/collections/describe", {"collectionName": name})
    return _call(ask, "GET", "/v1/vector/collections/describe?collectionName=" + quote(name, safe=""), None)


def _call(ask: Ask, method: str, path: str, body: dict[str, t.Any] | None) -> t.Any:
    """The data of an answer; None if Milvus does not know the path."""
    status, content = ask(method, path, body)
    if status == 404:
        return None
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or status != 200 or answer.get("code") not in (0, 200):
        said = answer.get("message") if isinstance(answer, dict) else None
        raise VectorError("%s: HTTP %d: %s" % (path.partition("?")[0], status, said or content[:160].decode("utf-8", "replace") or "(empty)"))
    return answer.get("data")


def dims_of(description: t.Any) -> dict[str, int]:
    """Vector fields with their lengths, of a description in either version."""
    found: dict[str, int] = {}
    for field in (description.get("fields") if isinstance(description, dict) else None) or []:
        sized = _SIZED.fullmatch(str(field.get("type")))
        params = {param.get("key"): param.get("value") for param in field.get("params") or []}
        size = sized.group(2) if sized else params.get("dim")
        if size is not None and str(size).isdigit():
            found[str(field.get("name"))] = int(size)
    return found


def misfits(found: t.Sequence[Collection], dims: int | None) -> list[str]:
    """Sentences for the collections that a model of ``dims`` (None: of any other kind) cannot search."""
    return [
        "%s has vectors of %s" % (one["name"], " and ".join(str(size) for size in sorted(set(one["dims"].values()))) or "unknown length")
        for one in found
        if dims is None or set(one["dims"].values()) != {dims}
    ]
