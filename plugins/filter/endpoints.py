# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._vectors import misfits

#: Protocols that the module chat_endpoint speaks.
ASKABLE = ("openai", "qwen", "deepseek", "ark", "ollama")


def embedding_refusal(change: t.Mapping[str, t.Sequence[t.Any]], vectors: t.Mapping[str, t.Any], stack: str) -> str:
    """Why the embedding model must not be changed, for the operator; "" if no knowledge base minds.

    ``change`` maps what differs (type, model, dims) to [old, new]; ``vectors`` is the result of the module vector_info.
    """
    what = ", ".join("%s %s -> %s" % (key, old, new or "none") for key, (old, new) in change.items())
    confirm = "to go on all the same, set coze_server_embedding_confirm: %s, and make them anew afterwards." % stack
    if "collections" not in vectors:
        return "The embedding model is to be another one (%s), and which knowledge bases it would leave behind cannot be told: %s. Start Milvus; or %s" % (
            what,
            str(vectors.get("msg", "no answer")).rstrip("."),
            confirm,
        )
    # Vectors of another model cannot be compared, whatever their length.
    only_dims = set(change) == {"dims"}
    found = misfits(vectors["collections"], change["dims"][1] if only_dims else None)
    if not found:
        return ""
    return (
        "The embedding model is to be another one (%s), and the knowledge bases that there are do not fit it: %s. They could no longer be searched or "
        "added to. Leave coze_server_embedding (or the keys of the .env) as it was; %s" % (what, "; ".join(found), confirm)
    )


def endpoints_to_ask(models: t.Sequence[t.Mapping[str, str]]) -> list[dict[str, t.Any]]:
    """{index, name} of each chat model that can be asked, each endpoint once; without its key, as a loop shows its items.

    Models of a protocol that no module speaks, or without an address or a name, are left out.
    """
    found: dict[tuple[str, ...], dict[str, t.Any]] = {}
    for index, model in enumerate(models):
        if model["protocol"] in ASKABLE and model["base_url"] and model["model"]:
            found.setdefault(tuple(model[key] for key in ("protocol", "base_url", "model", "api_key")), {"index": index, "name": model["name"]})
    return list(found.values())


def endpoint_lines(models: t.Sequence[t.Mapping[str, t.Any]], embedding: t.Mapping[str, t.Any], embedding_model: str = "") -> list[str]:
    """What the endpoints answered, for people: results of a loop over chat_endpoint, and that of embedding_endpoint ({} if it was not asked)."""
    rows = [("chat", result["endpoint"]["name"], result, chat_words) for result in models]
    rows += [("vectors", embedding_model, embedding, embedding_words)]
    return [
        "%-7s  %-6s  %s  %s" % (kind, "FAILED" if wrong else "ok", name, wrong or words(result))
        for kind, name, result, words in rows
        if result and not result.get("skipped")
        for wrong in [what_is_wrong(result)]
    ]


def what_is_wrong(result: t.Mapping[str, t.Any]) -> str:
    """"" if nothing is. A module that could not do its work at all has no list of problems."""
    if "problems" not in result:
        return str(result.get("msg") or "it could not be asked")
    return " ".join("%s. %s." % (problem["problem"].rstrip("."), problem["cure"].rstrip(".")) for problem in result["problems"])


def chat_words(result: t.Mapping[str, t.Any]) -> str:
    latency = result["latency"]
    return "answered after %.2f s; stream of %s pieces, the first after %.2f s" % (latency["plain"], latency["pieces"], latency["first_token"])


def embedding_words(result: t.Mapping[str, t.Any]) -> str:
    return "vectors of %s numbers, %s texts at once in %.2f s" % (result["dims"], result["batch"], result["latency"]["batch"])


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"embedding_refusal": embedding_refusal, "endpoint_lines": endpoint_lines, "endpoints_to_ask": endpoints_to_ask}
