# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Model files made from plain variables. Private to this collection.

A file is block YAML whose texts are in double quotes with JSON's escapes unless they are simple words: every reader of YAML takes that alike.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import typing as t
from collections.abc import Collection, Mapping, Sequence

#: The first line of each file that is ours. Its beginning is what counts.
MARK = "# Managed by cozeops.studio.model_config"
_HEADER = MARK + ": changes made here are overwritten.\n"

_FIRST_ID = 1_000_000_000
_IDS = 1_000_000_000

_ICONS = {
    "openai": "openai_v2.png",
    "claude": "claude_v2.png",
    "deepseek": "deepseek_v2.png",
    "gemini": "gemini_v2.png",
    "ark": "doubao_v2.png",
    "ollama": "ollama.png",
    "qwen": "qwen_v2.png",
}
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[./-][A-Za-z0-9_]+)*")
_RESERVED = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
# Raw in JSON, but line breaks, or nothing at all, to a reader of YAML.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def is_ours(data: bytes) -> bool:
    return data.decode("utf-8", "replace").lstrip("\ufeff").startswith(MARK)


def file_name(model_id: int) -> str:
    return f"model-{model_id}.yaml"


def assign_ids(models: Sequence[Mapping[str, t.Any]], known: Mapping[str, int], taken: Collection[int]) -> list[int]:
    """The id of each model: as given, else the one that its name already has, else one made from the name.

    Made from the name, all hosts of a stack agree on it, and a model that was removed gets its old one back: another model must
    never get that, because agents and the database remember it. ``taken`` are ids that the directory has in other files.
    """
    kept = {model["name"]: known[model["name"]] for model in models if model["id"] is None and model["name"] in known}
    used = {model["id"] for model in models} | set(kept.values()) | set(taken)
    ids = []
    for model in models:
        name = model["name"]
        if model["id"] is not None:
            ids.append(model["id"])
            continue
        if name not in kept:
            kept[name] = _free_id(name, used)
            used.add(kept[name])
        ids.append(kept[name])
    return ids


def _free_id(name: str, used: Collection[int | None]) -> int:
    number = int(hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest(), 16) % _IDS
    while _FIRST_ID + number in used:
        number = (number + 1) % _IDS
    return _FIRST_ID + number


def template_name(names: Collection[str], protocol: str, model: str) -> str | None:
    """Which of a directory's templates is for a model: that of the model itself, else that of its protocol."""
    wanted = (f"model_template_{protocol}_{model}.yaml", f"model_template_{protocol}.yaml")
    return next((name for name in wanted if name in names), None)


def document(model: Mapping[str, t.Any], model_id: int, template: Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    """The content of a model's file."""
    result: dict[str, t.Any] = copy.deepcopy(dict(template)) if template else minimal(model["name"], model["protocol"])
    result = {"id": model_id, **{key: value for key, value in result.items() if key != "id"}, "name": model["name"]}
    for key in ("icon_uri", "icon_url"):
        if model[key] is not None:
            result[key] = model[key]
    if model["description"] is not None:
        given = model["description"]
        result["description"] = given if isinstance(given, dict) else {"zh": given, "en": given}
    if model["parameters"] is not None:
        result["default_parameters"] = model["parameters"]
    own = {key: model[key] for key in ("base_url", "api_key", "model", "timeout") if model[key] is not None}
    meta = {
        "protocol": model["protocol"],
        **({"capability": model["capability"]} if model["capability"] else {}),
        "conn_config": merged(model["connection"] or {}, own),
    }
    result["meta"] = merged(result.get("meta"), meta)
    return result


def merged(base: t.Any, over: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """``base`` with the keys of ``over``, mappings key by key."""
    result = dict(base) if isinstance(base, Mapping) else {}
    for key, value in over.items():
        result[key] = merged(result.get(key), value) if isinstance(value, Mapping) else value
    return result


def minimal(name: str, protocol: str) -> dict[str, t.Any]:
    """The least that all release lines take; limits that every model of today has."""
    return {
        "name": name,
        "icon_uri": "default_icon/" + _ICONS.get(protocol, _ICONS["openai"]),
        "description": {"zh": name, "en": name},
        "default_parameters": [
            _parameter("temperature", "随机性", "Temperature", "float", "1", "0.7", 1),
            _parameter("max_tokens", "最大长度", "Maximum length", "int", "4096", "4096", 0),
        ],
        "meta": {
            "protocol": protocol,
            "capability": {
                "function_call": True,
                "json_mode": False,
                "prefix_caching": False,
                "reasoning": False,
                "prefill_response": False,
                "input_tokens": 32768,
                "output_tokens": 4096,
                "max_tokens": 32768,
                "input_modal": ["text"],
                "output_modal": ["text"],
            },
            "conn_config": {"base_url": "", "api_key": "", "model": "", "timeout": "0s"},
            "status": 0,
        },
    }


def _parameter(name: str, zh: str, en: str, kind: str, largest: str, default: str, precision: int) -> dict[str, t.Any]:
    label = {"zh": zh, "en": en}
    return {
        "name": name,
        "label": label,
        "desc": label,
        "type": kind,
        "min": "0" if kind == "float" else "1",
        "max": largest,
        "default_val": {"default_val": default},
        "precision": precision,
        "options": [],
        "style": {"widget": "slider", "label": label},
    }


def render(content: Mapping[str, t.Any]) -> str:
    """The text of a file that is ours."""
    return _HEADER + "".join(f"{line}\n" for line in _lines(content, ""))


def _lines(value: t.Any, indent: str) -> list[str]:
    lines = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            lines += _entry(f"{indent}{scalar(str(key))}:", item, indent + "  ")
    else:
        for item in value:
            # A block below a dash begins on its line, in place of the blanks.
            inner = _lines(item, indent + "  ") if _is_block(item) else []
            lines += [f"{indent}- {inner[0].lstrip()}", *inner[1:]] if inner else [f"{indent}- {_flow(item)}"]
    return lines


def _entry(head: str, item: t.Any, indent: str) -> list[str]:
    return [head, *_lines(item, indent)] if _is_block(item) else [f"{head} {_flow(item)}"]


def _is_block(value: t.Any) -> bool:
    return isinstance(value, (Mapping, list, tuple)) and bool(value)


def _flow(value: t.Any) -> str:
    if isinstance(value, Mapping):
        return "{}"
    return "[]" if isinstance(value, (list, tuple)) else scalar(value)


def scalar(value: t.Any) -> str:
    """One value, so that it is read back with its type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, (int, float)):
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), repr(value))
    text = str(value)
    if _WORD.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    return _ESCAPED.sub(lambda match: f"\\u{ord(match.group()):04x}", json.dumps(text, ensure_ascii=False))
