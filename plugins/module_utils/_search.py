# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Index templates and mappings of Elasticsearch, compared. Pure."""

from __future__ import annotations

import typing as t

SUFFIX = ".index-template.json"


def normal(value: t.Any) -> t.Any:
    """A value as Elasticsearch may give it back: it answers settings with strings for numbers and booleans ("1", "false")."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, dict):
        return {key: normal(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [normal(item) for item in value]
    return value


def normal_settings(settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Settings as a tree under "index", whichever way they were written: {"a.b": 1}, {"index.a.b": 1}, {"index": {"a": {"b": 1}}}."""
    tree: dict[str, t.Any] = {}
    for path, value in sorted(_leaves(settings, ())):
        keys = path if path[0] == "index" else ("index", *path)
        branch = tree
        for key in keys[:-1]:
            branch = branch.setdefault(key, {})
        branch[keys[-1]] = normal(value)
    return tree


def _leaves(tree: t.Mapping[str, t.Any], above: tuple[str, ...]) -> t.Iterator[tuple[tuple[str, ...], t.Any]]:
    for key, value in tree.items():
        path = (*above, *key.split("."))
        if isinstance(value, dict):
            yield from _leaves(value, path)
        elif value is not None:
            yield path, value


def normal_template(template: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """An index template in one form. What is empty is left out: Elasticsearch adds "composed_of": [] and the like."""
    inner = template.get("template") or {}
    patterns = template.get("index_patterns") or []
    parts = {
        **{key: normal(value) for key, value in template.items() if key not in ("template", "index_patterns")},
        "index_patterns": [patterns] if isinstance(patterns, str) else list(patterns),
        "settings": normal_settings(inner.get("settings") or {}),
        "mappings": normal(inner.get("mappings") or {}),
        "aliases": normal(inner.get("aliases") or {}),
    }
    return {key: value for key, value in parts.items() if value not in ({}, [], "", None)}


def template_differences(wanted: t.Mapping[str, t.Any], stored: t.Mapping[str, t.Any]) -> list[str]:
    """Names of the parts that differ. A part that only the store has counts if it is one that changes indices."""
    ours, theirs = normal_template(wanted), normal_template(stored)
    parts = set(ours) | ({"settings", "mappings", "aliases", "composed_of", "priority"} & set(theirs))
    return sorted(part for part in parts if ours.get(part) != theirs.get(part))


class MappingCheck(t.NamedTuple):
    """``wrong``: the index was not made from the template. ``absent``: fields that a newer template has."""

    wrong: list[str]
    absent: list[str]


def check_mapping(template: t.Mapping[str, t.Any], mapping: t.Mapping[str, t.Any]) -> MappingCheck:
    """The mapping of an index against the one of its template. More fields in the index are no fault."""
    wanted, found = normal((template.get("template") or {}).get("mappings") or {}), normal(mapping)
    wrong: list[str] = []
    absent: list[str] = []
    if "dynamic" in wanted and found.get("dynamic") != wanted["dynamic"]:
        wrong.append(f"dynamic is {found.get('dynamic', 'true')}, not {wanted['dynamic']}")
    _compare_fields(wanted.get("properties") or {}, found.get("properties") or {}, "", wrong, absent)
    return MappingCheck(wrong, absent)


def _compare_fields(wanted: t.Mapping[str, t.Any], found: t.Mapping[str, t.Any], above: str, wrong: list[str], absent: list[str]) -> None:
    for name, field in sorted(wanted.items()):
        path = above + name
        if name not in found:
            absent.append(path)
            continue
        for key in ("type", "analyzer"):
            if key in field and found[name].get(key) != field[key]:
                wrong.append(f"field {path} has {key} {found[name].get(key, 'none')}, not {field[key]}")
        lacking = sorted(set(field.get("fields") or {}) - set(found[name].get("fields") or {}))
        wrong.extend(f"field {path} has no sub-field {sub}" for sub in lacking)
        _compare_fields(field.get("properties") or {}, found[name].get("properties") or {}, path + ".", wrong, absent)


def reason(answer: t.Any) -> str:
    """What Elasticsearch gives as the cause of an error."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        causes = [error, error.get("caused_by") or {}]
        return ": ".join(str(cause["reason"]) for cause in causes if cause.get("reason"))
    return str(error or answer)
