# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._html import join, tag
from ansible_collections.cozeops.studio.plugins.module_utils._report import render, service_bars, tick
from ansible_collections.cozeops.studio.plugins.module_utils._report_style import COLOURS, STYLE
from ansible_collections.cozeops.studio.plugins.module_utils._topology import columns, links
from ansible_collections.cozeops.studio.tests.unit.plugins.run_sample import SERVICES, timeline
from hypothesis import given, settings
from hypothesis import strategies as st

VOID = {"meta", "link"}
HOSTILE = "</td></script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&amp;\x00\u202e"


class Page(HTMLParser):
    """The page as an HTML parser that we have not made sees it. Fails on an element that is not closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _value in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """Elements and the names of their attributes: what no text may change."""
        return [(name, tuple(sorted(attributes))) for name, attributes in self.elements]


def everywhere(value: Any, text: str) -> Any:
    """The document with ``text`` added to every text that is not ours (a time, a state, a kind)."""
    ours = {"at", "begun", "done", "status", "outcome", "action", "kind", "url"}

    def change(item: Any, key: str) -> Any:
        if isinstance(item, dict):
            # Names of dependencies follow the names of services.
            if key == "depends_on":
                return {name + text: condition for name, condition in item.items()}
            return {name: change(inner, name) for name, inner in item.items()}
        if isinstance(item, list):
            return [change(inner, key) for inner in item]
        return item + text if isinstance(item, str) and item and key not in ours else item

    return change(value, "")


@pytest.mark.parametrize("arguments", [{}, {"fails": True}, {"check": True}, {"hosts": 3}, {"hosts": 2, "fails": True}])
def test_the_page_is_well_formed_and_needs_nothing_else(arguments: dict[str, Any]) -> None:
    page = Page(render(timeline(**arguments)))
    names = {name for name, _attributes in page.elements}
    assert not names & {"script", "img", "iframe", "object", "embed", "base", "form"}
    assert {attributes["href"] for name, attributes in page.elements if name == "link"} == {"data:,"}
    assert [name for _element, attributes in page.elements for name in attributes if name.startswith("on") or name in ("src", "srcset")] == []
    assert not re.search(r"url\(|@import", STYLE)


def test_the_page_tells_what_happened() -> None:
    text = Page(render(timeline())).text
    for words in (
        "Coze Studio: coze",
        "11 services on 1 host: 1 untouched, 10 ready",
        "by root (sudo by alice) on ctl",
        "container : absent → running",
        "init job mysql_schema",
        "listed after 0.4 s, in look 3",
        "26.1.5 (API 1.45)",
        "ab12ab12ab12",
        "12:00:04.800",
    ):
        assert words in text


def test_a_failure_is_told_first() -> None:
    text = Page(render(timeline(fails=True))).text
    assert "Failed" in text
    assert text.index("Why coze1 failed") < text.index("Timeline")
    assert "it ended with exit code 1. Redis refused the password. Set REDIS_PASSWORD." in text


def test_check_mode_is_told() -> None:
    text = Page(render(timeline(check=True))).text
    assert "Check mode: a run would change something" in text
    assert "Nothing was changed on any host." in text
    assert "What a run would change, and why" in text


def test_a_run_that_ended_early_is_a_page_all_the_same() -> None:
    document = timeline(fails=True)
    document["hosts"][0] |= {"services": [], "phases": [], "engine": {}, "system": ""}
    text = Page(render(document)).text
    assert "The run ended before a plan was made." in text
    assert "No service is known" in text
    document["hosts"] = []
    assert "0 services on 0 hosts" in Page(render(document)).text


def test_ids_of_images_are_short() -> None:
    document = timeline()
    document["hosts"][0]["services"][0]["planned"]["why"] = [{"name": "image", "current": "sha256:" + "ab" * 32, "desired": "sha256:" + "cd" * 32}]
    assert "image : abababababab → cdcdcdcdcdcd" in Page(render(document)).text


@pytest.mark.parametrize("arguments", [{"hosts": 2}, {"fails": True}])
def test_hostile_names_are_text(arguments: dict[str, Any]) -> None:
    document = timeline(**arguments)
    plain, hostile = Page(render(document)), Page(render(everywhere(document, HOSTILE)))
    assert hostile.shape() == plain.shape()
    assert "<script>alert('x')</script>" in hostile.text
    assert "\u202e" not in hostile.text and "\x00" not in hostile.text


@settings(max_examples=60)
@given(st.text(max_size=40))
def test_no_text_changes_the_shape_of_the_page(text: str) -> None:
    document = timeline(fails=True)
    assert Page(render(everywhere(document, text))).shape() == Page(render(document)).shape()


def test_a_link_is_one_of_the_web_only() -> None:
    document = timeline()
    document["hosts"][0]["url"] = "javascript:alert(1)"
    assert [attributes for name, attributes in Page(render(document)).elements if name == "a"] == []


class Text(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found = ""
        self.feed(html)
        self.close()

    def handle_data(self, data: str) -> None:
        self.found += data


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Cf", "Cn"])))
def test_text_comes_out_of_a_parser_as_it_went_in(text: str) -> None:
    assert Text(tag("p", text)).found == text
    assert Page(tag("p", "x", title=text)).elements[0][1]["title"] == text


def test_markup_is_only_what_was_made_as_such() -> None:
    assert join([tag("b", "<i>"), ["&", None, 1]]) == "<b>&lt;i&gt;</b>&amp;1"


# -- bars


def test_bars_of_a_service_follow_each_other() -> None:
    mysql = timeline()["hosts"][0]["services"][0]
    assert [(kind, begin, end) for kind, begin, end, _words in service_bars(mysql)] == [("make", 4.2, 4.8), ("start", 4.8, 12.7), ("init", 14.0, 15.8)]
    redis = timeline()["hosts"][0]["services"][1]
    assert [kind for kind, *_others in service_bars(redis)] == ["seen"]
    server = next(each for each in timeline(fails=True)["hosts"][0]["services"] if each["name"] == "coze-server")
    assert [(kind, end) for kind, _begin, end, _words in service_bars(server)] == [("make", 14.0), ("bad", 18.0)]


def test_every_bar_is_on_the_axis() -> None:
    document = timeline()
    document["run"]["seconds"] = 3.0  # as of a run that was killed: services went on
    for _element, attributes in Page(render(document)).elements:
        match = re.fullmatch(r"left:([\d.]+)%;width:([\d.]+)%", attributes.get("style") or "")
        if match:
            assert float(match.group(1)) + float(match.group(2)) <= 100.01


@given(st.floats(0.001, 1e6))
def test_marks_are_few_and_round(span: float) -> None:
    step = tick(span)
    assert 1.9 <= span / step <= 5.001
    assert f"{step:e}"[0] in "125"


# -- topology


def test_a_dependency_leads_to_the_right_and_to_the_own_stack() -> None:
    hosts = timeline(hosts=2)["hosts"]
    hosts[1]["stack"] = "other"
    edges = links(hosts)
    assert {first[0] == then[0] for first, then, _condition in edges} == {True}
    depth = columns(hosts, edges)
    assert all(depth[first] < depth[then] for first, then, _condition in edges)
    assert max(depth.values()) == 3 and depth[0, "coze-web"] == 3


def test_a_service_that_lives_elsewhere_is_found_there() -> None:
    hosts = timeline(hosts=2)["hosts"]
    for host, name in ((hosts[0], "coze-server"), (hosts[1], "mysql")):
        host["services"] = [service for service in host["services"] if service["name"] == name]
    assert links(hosts) == [((1, "mysql"), (0, "coze-server"), "initialised")]


def test_a_circle_is_drawn_all_the_same() -> None:
    document = timeline()
    document["hosts"][0]["services"][0]["depends_on"] = {"coze-web": "ready"}
    Page(render(document))


# -- colours


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_and_bars_stand_out(scheme: int) -> None:
    colours = {name: values[scheme] for name, values in COLOURS.items()}
    grounds = ("page", "card")
    weak = [(name, ground) for name in ("text", "soft", "start", "good", "bad", "init") for ground in grounds if contrast(colours[name], colours[ground]) < 4.5]
    weak += [(name, ground) for name in ("make", "line") for ground in grounds if contrast(colours[name], colours[ground]) < 3]
    weak += [("soft", "phase")] if contrast(colours["soft"], colours["phase"]) < 4.5 else []
    assert weak == []


def test_rendering_changes_nothing_and_depends_on_nothing_else() -> None:
    document = timeline(hosts=2)
    before = copy.deepcopy(document)
    assert render(document) == render(document)
    assert document == before
    assert len(SERVICES) == 11
