# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._search import check_mapping, normal_settings, reason, template_differences

NAME = {"type": "text", "analyzer": "smartcn", "search_analyzer": "smartcn", "fields": {"raw": {"type": "keyword"}}}
TEMPLATE: dict[str, t.Any] = {
    "index_patterns": ["a*"],
    "template": {
        "settings": {"number_of_shards": 1, "analysis": {"analyzer": {"smartcn": {"type": "smartcn"}, "text": {"filter": ["lowercase", "stop"]}}}},
        "mappings": {"dynamic": False, "properties": {"name": NAME, "create_time": {"type": "long"}}},
    },
    "priority": 200,
    "_meta": {"description": "x"},
}


def stored() -> dict[str, t.Any]:
    """The template as Elasticsearch gives it back."""
    answer = copy.deepcopy(TEMPLATE)
    answer["template"]["settings"] = {"index": {"number_of_shards": "1", "analysis": TEMPLATE["template"]["settings"]["analysis"]}}
    answer["template"]["mappings"]["dynamic"] = "false"
    answer["composed_of"] = []
    return answer


def test_what_elasticsearch_gives_back_is_the_same() -> None:
    assert template_differences(TEMPLATE, stored()) == []


@pytest.mark.parametrize(
    ("path", "value", "differs"),
    [
        (("priority",), 100, ["priority"]),
        (("index_patterns",), ["b*"], ["index_patterns"]),
        (("template", "settings", "index", "number_of_shards"), "2", ["settings"]),
        (("template", "mappings", "properties", "more"), {"type": "long"}, ["mappings"]),
        (("composed_of",), ["other"], ["composed_of"]),
        (("template", "aliases"), {"x": {}}, ["aliases"]),
        (("created_date_millis",), 7, []),
    ],
)
def test_differences_are_named(path: tuple[str, ...], value: t.Any, differs: list[str]) -> None:
    answer = stored()
    branch = answer
    for key in path[:-1]:
        branch = branch[key]
    branch[path[-1]] = value
    assert template_differences(TEMPLATE, answer) == differs


@pytest.mark.parametrize(
    "settings", [{"a.b": 1, "c": True}, {"index.a.b": "1", "index.c": "true"}, {"index": {"a": {"b": 1}, "c": True}}, {"a": {"b": "1"}, "index": {"c": "true"}}]
)
def test_settings_are_one_tree(settings: dict[str, t.Any]) -> None:
    assert normal_settings(settings) == {"index": {"a": {"b": "1"}, "c": "true"}}


def test_index_of_the_template_is_right() -> None:
    mapping = {"dynamic": "false", "properties": {"name": NAME, "create_time": {"type": "long"}, "theirs": {"type": "text"}}}
    assert check_mapping(TEMPLATE, mapping) == ([], [])


def test_index_made_by_a_write_is_wrong() -> None:
    made = {"properties": {"name": {"type": "text", "fields": {"keyword": {"type": "keyword"}}}, "create_time": {"type": "long"}}}
    assert check_mapping(TEMPLATE, made).wrong == [
        "dynamic is true, not false",
        "field name has analyzer none, not smartcn",
        "field name has no sub-field raw",
    ]


def test_index_of_an_older_template_lacks_fields() -> None:
    assert check_mapping(TEMPLATE, {"dynamic": "false", "properties": {"name": NAME}}) == ([], ["create_time"])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": {"reason": "a", "caused_by": {"reason": "b"}}}, "a: b"),
        ({"error": "no handler"}, "no handler"),
        ("<html>", "<html>"),
        ({"error": {"reason": "a"}}, "a"),
    ],
)
def test_reason_of_an_error(answer: t.Any, said: str) -> None:
    assert reason(answer) == said
