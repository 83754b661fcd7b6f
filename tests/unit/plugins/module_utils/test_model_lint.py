# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Model files that are wrong, each made from a good one by a small edit, with the message and the line that it has to give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import RELEASES, lint_directory, url_problems
from ansible_collections.cozeops.studio.plugins.module_utils._model_yaml import integer, plain_tag

UPSTREAM = Path(__file__).resolve().parents[5] / "shared" / "upstream"
TEMPLATES = sorted(path for path in UPSTREAM.glob("*/backend/conf/model/template/*.yaml") if path.name != "model_template_basic.yaml")

GOOD = """\
id: 100
name: Lab
icon_uri: default_icon/openai_v2.png
description:
  zh: a
  en: b
default_parameters:
  - name: temperature
    type: float
    min: "0"
    max: "1"
    default_val:
      default_val: "0.7"
    precision: 1
    options: []
    style:
      widget: slider
meta:
  protocol: openai
  capability:
    function_call: true
    max_tokens: 4096
    input_modal:
      - text
  conn_config:
    base_url: http://llm:8000/v1
    api_key: sk-corpus
    model: lab
    timeout: 30s
    temperature: 0.7
    stop: []
  status: 0
"""
SECRET = "sk-corpus"


def cut(first: str, last: str | None = None) -> str:
    """GOOD without the lines from the one that begins with ``first`` to before the one that begins with ``last``."""
    lines = GOOD.splitlines(keepends=True)
    begin = next(number for number, line in enumerate(lines) if line.lstrip().startswith(first))
    end = begin + 1 if last is None else next(number for number, line in enumerate(lines) if line.lstrip().startswith(last))
    return "".join(lines[:begin] + lines[end:])


def edit(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


#: text, line, part of the message, releases for which it is a problem
ALL, OLD, NEW = RELEASES, RELEASES[:2], RELEASES[2:]
BAD: list[tuple[str, str, int, str, tuple[str, ...]]] = [
    # --- YAML ---
    ("empty", "", 1, "the file is empty", ALL),
    ("blank", "\n\n", 1, "the file is empty", ALL),
    ("comments only", "# a\n# b\n", 1, "the file is empty", ALL),
    ("null document", "---\n", 1, "the file is empty", ALL),
    ("list", "- id: 1\n", 1, "no mapping", ALL),
    ("text", "hello\n", 1, "no mapping", ALL),
    ("second document", GOOD + "---\nid: 2\n", 33, "second YAML document", ALL),
    ("second document after a header", "---\n" + GOOD + "\n---\nid: 2\n", 35, "second YAML document", ALL),
    ("second document without a mark", GOOD + "...\nid: 2\n", 34, "second YAML document", ALL),
    ("second document that is broken", GOOD + "---\nid: [\n", 33, "second YAML document", ALL),
    ("second document that is empty", GOOD + "---\n", 33, "second YAML document", ALL),
    ("duplicate key", GOOD.replace("name: Lab\n", "name: Lab\nname: Lob\n"), 3, "the key name is there twice (first at line 2)", ALL),
    ("duplicate key below", edit("    model: lab\n", "    model: lab\n    api_key: x\n"), 29, "api_key is there twice (first at line 27)", ALL),
    ("duplicate key in a flow mapping", edit("    stop: []\n", "    custom: {a: 1, a: 2}\n"), 31, "the key a is there twice", ALL),
    ("duplicate id", GOOD + "id: 101\n", 33, "the key id is there twice (first at line 1)", ALL),
    ("tab", edit("    model: lab\n", "\tmodel: lab\n"), 28, "a tab in the indentation", ALL),
    ("tab after blanks", edit("    model: lab\n", "  \tmodel: lab\n"), 28, "a tab in the indentation", ALL),
    ("two tabs, the second", edit("    model: lab\n    timeout: 30s\n", "\tmodel: lab\n\ttimeout: 30s\n"), 29, "a tab in the indentation", ALL),
    ("unclosed quote", edit("name: Lab", 'name: "Lab'), 10, "not valid YAML: did not find expected key", ALL),
    ("unclosed quote, the last one", edit("status: 0", 'status: "0'), 32, "not valid YAML: found unexpected end of stream", ALL),
    ("unclosed bracket", edit("stop: []", "stop: ["), 32, "not valid YAML: did not find expected ',' or ']' (in what begins at line 31)", ALL),
    ("no colon", edit("name: Lab", "name Lab"), 3, "not valid YAML", ALL),
    ("no blank after the colon", edit("name: Lab", "name:Lab"), 3, "not valid YAML", ALL),
    ("indented too little", edit("    api_key", "   api_key"), 27, "not valid YAML: did not find expected key (in what begins at line 19)", ALL),
    ("indented too much", edit("    api_key", "     api_key"), 27, "not valid YAML: mapping values are not allowed in this context", ALL),
    ("colon in a name", edit("name: Lab", "name: Lab: big"), 2, "mapping values are not allowed", ALL),
    ("at sign", edit("api_key: sk-corpus", "api_key: @sk"), 27, "cannot start any token", ALL),
    ("bad escape", edit("name: Lab", 'name: "L\\ab\\q"'), 2, "unknown escape", ALL),
    ("undefined alias", edit("name: Lab", "name: *Lab"), 2, "undefined alias", ALL),
    ("jinja left over", edit("name: Lab", "name: {{ name }}"), 2, "name has to be text, not a mapping", ALL),
    ("control character", edit("name: Lab", "name: La\x07b"), 2, "U+0007", ALL),
    ("nul", edit("name: Lab", "name: La\x00b"), 2, "U+0000", ALL),
    ("nested for ever", edit("stop: []", "custom: " + "[" * 3000 + "]" * 3000), 1, "nested too deeply", ALL),
    # --- id and name ---
    ("no id", cut("id:"), 1, "id is missing", ALL),
    ("id null", edit("id: 100", "id:"), 1, "id is missing", ALL),
    ("id quoted", edit("id: 100", 'id: "100"'), 1, "id has to be a whole number without quotes, not text in quotes", ALL),
    ("id quoted once", edit("id: 100", "id: '100'"), 1, "not text in quotes", ALL),
    ("id text", edit("id: 100", "id: gpt"), 1, "id has to be a whole number", ALL),
    ("id float", edit("id: 100", "id: 100.5"), 1, "not a number", ALL),
    ("id time", edit("id: 100", "id: 12:30"), 1, "id has to be a whole number", ALL),
    ("id tagged as text", edit("id: 100", "id: !!str 100"), 1, "id has to be a whole number", ALL),
    ("id bool", edit("id: 100", "id: true"), 1, "not true or false", ALL),
    ("id list", edit("id: 100", "id: [100]"), 1, "not a list", ALL),
    ("id zero", edit("id: 100", "id: 0"), 1, "between 1 and", ALL),
    ("id negative", edit("id: 100", "id: -5"), 1, "between 1 and", ALL),
    ("id of more than 64 bits", edit("id: 100", "id: 9223372036854775808"), 1, "between 1 and", ALL),
    ("no name", cut("name:"), 1, "name is missing", ALL),
    ("name empty", edit("name: Lab", 'name: ""'), 2, "name is missing", ALL),
    ("name blank", edit("name: Lab", 'name: " "'), 2, "name is missing", ALL),
    ("name list", edit("name: Lab", "name: [Lab]"), 2, "name has to be text, not a list", ALL),
    # --- what only the older releases need ---
    ("no icon", cut("icon_uri"), 1, "icon_uri is missing", OLD),
    ("icon empty", edit("icon_uri: default_icon/openai_v2.png", 'icon_uri: ""\nicon_url: ""'), 3, "icon_uri is missing", OLD),
    ("no capability", cut("capability", "conn_config"), 18, "meta.capability is missing", OLD),
    ("capability null", cut("function_call", "conn_config"), 18, "meta.capability is missing", OLD),
    ("no default_val", cut("default_val:", "precision"), 8, "default_val is missing", OLD),
    ("default_val without default", edit('      default_val: "0.7"', '      balance: "0.7"'), 12, "default_val has no key default_val", OLD),
    # --- meta ---
    ("no meta: protocol", GOOD[: GOOD.index("meta:")], 1, "meta.protocol is missing", ALL),
    ("no meta: connection", GOOD[: GOOD.index("meta:")], 1, "meta.conn_config is missing", ALL),
    ("no conn_config", cut("conn_config", "status"), 18, "meta.conn_config is missing", ALL),
    ("conn_config null", cut("base_url", "status"), 18, "meta.conn_config is missing", ALL),
    ("conn_config text", cut("base_url", "status").replace("conn_config:", "conn_config: x"), 25, "meta.conn_config has to be a mapping", ALL),
    ("meta list", GOOD[: GOOD.index("meta:")] + "meta: []\n", 18, "meta has to be a mapping, not a list", ALL),
    ("no protocol", cut("protocol"), 18, "meta.protocol is missing", ALL),
    ("protocol empty", edit("protocol: openai", 'protocol: ""'), 19, "meta.protocol is missing", ALL),
    ("protocol unknown, old", edit("protocol: openai", "protocol: openia"), 19, "has no client for it; known are openai", OLD),
    ("protocol unknown, new", edit("protocol: openai", "protocol: openia"), 19, "release 0.5 takes it for ark", NEW),
    ("protocol of another case", edit("protocol: openai", "protocol: OpenAI"), 19, "unknown protocol OpenAI", ALL),
    ("protocol without a client", edit("protocol: openai", "protocol: ernie"), 19, "unknown protocol ernie", ALL),
    # --- address ---
    ("chat/completions", edit("8000/v1", "8000/v1/chat/completions"), 26, "ends in /chat/completions, which the client appends itself", ALL),
    ("chat/completions and a slash", edit("8000/v1", "8000/v1/chat/completions/"), 26, "ends in /chat/completions", ALL),
    ("embeddings", edit("8000/v1", "8000/v1/embeddings"), 26, "ends in /embeddings", ALL),
    ("localhost", edit("http://llm", "http://localhost"), 26, "has the host localhost, which inside the container is the container", ALL),
    ("127.0.0.1", edit("http://llm", "http://127.0.0.1"), 26, "has the host 127.0.0.1", ALL),
    ("127.1.2.3", edit("http://llm", "http://127.1.2.3"), 26, "has the host 127.1.2.3", ALL),
    ("0.0.0.0", edit("http://llm", "http://0.0.0.0"), 26, "has the host 0.0.0.0", ALL),
    ("::1", edit("http://llm", "http://[::1]"), 26, "has the host ::1", ALL),
    ("no scheme", edit("http://llm:8000/v1", "llm.example.com/v1"), 26, "is no URL", ALL),
    ("another scheme", edit("http://llm", "ftp://llm"), 26, "is no URL", ALL),
    ("blank in the URL", edit("http://llm", "http://l lm"), 26, "is no URL", ALL),
    ("port that was left as a word", edit(":8000/v1", ":port/v1"), 26, "is no URL", ALL),
    ("bad address", edit("http://llm:8000", "http://[llm"), 26, "is no URL", ALL),
    # --- types ---
    ("duration without a unit", edit("timeout: 30s", "timeout: 30"), 29, "timeout has to have a unit, as 30s", ALL),
    ("duration zero", edit("timeout: 30s", "timeout: 0"), 29, "timeout has to have a unit, as 0s", ALL),
    ("duration quoted without a unit", edit("timeout: 30s", 'timeout: "30"'), 29, "timeout is no duration, as 30s", ALL),
    ("duration in words", edit("timeout: 30s", "timeout: 30 seconds"), 29, "timeout is no duration", ALL),
    ("duration of an unknown unit", edit("timeout: 30s", "timeout: 1d"), 29, "timeout is no duration", ALL),
    ("duration list", edit("timeout: 30s", "timeout: [30s]"), 29, "timeout has to have a unit", ALL),
    ("temperature quoted", edit("temperature: 0.7", 'temperature: "0.7"'), 30, "temperature has to be a number, not text in quotes", ALL),
    ("temperature text", edit("temperature: 0.7", "temperature: hot"), 30, "temperature has to be a number, not text", ALL),
    ("temperature comma", edit("temperature: 0.7", "temperature: 0,7"), 30, "temperature has to be a number, not text", ALL),
    ("max_tokens quoted", edit("max_tokens: 4096", 'max_tokens: "4096"'), 22, "meta.capability.max_tokens has to be a whole number, not text in quotes", ALL),
    ("max_tokens too large", edit("max_tokens: 4096", "max_tokens: 99999999999999999999"), 22, "not one of more than 64 bits", ALL),
    ("max_tokens with a unit", edit("max_tokens: 4096", "max_tokens: 4k"), 22, "has to be a whole number, not text", ALL),
    ("function_call number", edit("function_call: true", "function_call: 1"), 21, "function_call has to be true or false, not a whole number", ALL),
    ("function_call text", edit("function_call: true", "function_call: ja"), 21, "function_call has to be true or false, not text", ALL),
    ("stop text", edit("stop: []", "stop: bye"), 31, "stop has to be a list, not text", ALL),
    ("stop mappings", edit("stop: []", "stop: [{a: b}]"), 31, "stop[] has to be text, not a mapping", ALL),
    ("description text", cut("zh:", "default_parameters").replace("description:", "description: both"), 4, "description has to be a mapping, not text", ALL),
    ("parameters mapping", edit("  - name: temperature", "    name: temperature"), 8, "default_parameters has to be a list, not a mapping", ALL),
    ("parameter text", edit("  - name: temp", "  - temperature\n  - name: temp"), 8, "default_parameters[0] has to be a mapping, not text", ALL),
    ("precision text", edit("precision: 1", "precision: one"), 14, "default_parameters[0].precision has to be a whole number", ALL),
    ("options mapping", edit("options: []", "options: {a: b}"), 15, "default_parameters[0].options has to be a list", ALL),
    ("status text", edit("status: 0", "status: on"), 32, "meta.status has to be a whole number", ALL),
    ("base_url list", edit("base_url: http://llm:8000/v1", "base_url: [http://llm/v1]"), 26, "meta.conn_config.base_url has to be text, not a list", ALL),
    ("openai text", edit("stop: []", "openai: x"), 31, "meta.conn_config.openai has to be a mapping", ALL),
    ("by_azure text", edit("stop: []", "openai: {by_azure: maybe}"), 31, "meta.conn_config.openai.by_azure has to be true or false", ALL),
    ("headers list", edit("stop: []", "gemini: {headers: [a]}"), 31, "meta.conn_config.gemini.headers has to be a mapping", ALL),
    ("key that is a list", GOOD + "? [a, b]\n: 1\n", 33, "a key has to be text", ALL),
]

DOUBTFUL: list[tuple[str, str, int, str, tuple[str, ...]]] = [
    ("unknown key", edit("base_url:", "base_ur: x\n    base_url:"), 26, "key meta.conn_config.base_ur: the server ignores it; is base_url meant?", ALL),
    ("unknown key on top", GOOD + "nmae: x\n", 33, "unknown key nmae: the server ignores it; is name meant?", ALL),
    ("unknown key without a value", GOOD + "nmae:\n", 33, "unknown key nmae", ALL),
    ("unknown key that is like none", GOOD + "zzzzzz: x\n", 33, "unknown key zzzzzz: the server ignores it", ALL),
    ("unknown key of a parameter", edit("precision: 1", "precison: 1"), 14, "default_parameters[0].precison: the server ignores it; is precision meant?", ALL),
    ("key of another case", edit("timeout: 30s", "Timeout: 30s"), 29, "is timeout meant?", ALL),
    ("key at the wrong level", edit("  protocol: openai", "  timeout: 3s\n  protocol: openai"), 19, "unknown key meta.timeout", ALL),
    ("key of a later release", edit("stop: []", "enable_base64_url: true"), 31, "unknown key meta.conn_config.enable_base64_url", OLD),
    ("model empty", edit("model: lab", 'model: ""'), 28, "meta.conn_config.model is empty", ALL),
    ("no base_url", cut("base_url"), 25, "meta.conn_config.base_url is empty", ALL),
    ("whole number with a fraction", edit("max_tokens: 4096", "max_tokens: 1.5"), 22, "cuts off the rest", ALL),
    ("status of a deleted one", edit("status: 0", "status: 10"), 32, "meta.status 10 is deleted", ALL),
    ("status unknown", edit("status: 0", "status: 7"), 32, "meta.status 7 is not known", ALL),
    ("modal", edit("- text", "- txt"), 24, "meta.capability.input_modal txt is not known", OLD),
    ("parameter's name", edit("name: temperature", "name: heat"), 8, "name heat is not known", OLD),
    ("parameter's type", edit("type: float", "type: double"), 9, "type double is not known", OLD),
    ("widget", edit("widget: slider", "widget: knob"), 17, "style.widget knob is not known", OLD),
]

FINE = [
    ("as it is", GOOD),
    ("carriage returns", GOOD.replace("\n", "\r\n")),
    ("old carriage returns", GOOD.replace("\n", "\r")),
    ("byte order mark", "\ufeff" + GOOD),
    ("document start", "---\n" + GOOD),
    ("document end", GOOD + "...\n"),
    ("no line break at the end", GOOD.rstrip()),
    ("comments", "# a\n" + GOOD + "# b\n"),
    ("tab in a text", edit("name: Lab", 'name: "L\tab"')),
    ("tab before a comment", edit("name: Lab", "name: Lab\t# x")),
    ("hexadecimal id", edit("id: 100", "id: 0x64")),
    ("id with a separator", edit("id: 100", "id: 100_000")),
    ("largest id", edit("id: 100", "id: 9223372036854775807")),
    ("number as a text", edit("name: Lab", "name: 4")),
    ("yes as a switch", edit("function_call: true", "function_call: yes")),
    ("whole number as a number", edit("temperature: 0.7", "temperature: 1")),
    ("number with an exponent", edit("temperature: 0.7", "temperature: 7e-1")),
    ("null", edit("temperature: 0.7", "temperature:")),
    ("long duration", edit("timeout: 30s", "timeout: 1h2m3.5s")),
    ("duration zero as text", edit("timeout: 30s", 'timeout: "0"')),
    ("icon by its address", edit("icon_uri: default_icon/openai_v2.png", "icon_url: http://x/y.png")),
    ("anchor and alias", edit("  zh: a\n  en: b", "  zh: &a a\n  en: *a")),
    ("merge", edit("    model: lab\n", "    <<: {model: lab}\n")),
    ("custom keys", edit("stop: []", "custom: {any: {thing: 1}}")),
    ("flow", "{id: 1, name: a, icon_uri: b, meta: {protocol: ark, capability: {}, conn_config: {base_url: 'https://x/v3/', model: m}}}\n"),
    ("host that begins like localhost", edit("http://llm", "http://localhosts.example.com")),
    ("the host of the containers", edit("http://llm", "http://host.docker.internal")),
    ("embeddings in the middle", edit("8000/v1", "8000/embeddings/v1")),
]


def lint(text: str, release: str) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    report = lint_directory([("m.yaml", text.encode())], release)
    for problem in [*report.problems, *report.warnings]:
        assert problem.file == "m.yaml"
        assert SECRET not in str(problem)
    return [(one.line, one.message) for one in report.problems], [(one.line, one.message) for one in report.warnings]


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    assert len(BAD) >= 60
    names = [case[0] for case in BAD + DOUBTFUL]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("text", "line", "message", "releases"), [pytest.param(*case[1:], id=case[0]) for case in BAD])
def test_a_bad_file_is_told_with_its_line(text: str, line: int, message: str, releases: tuple[str, ...]) -> None:
    for release in RELEASES:
        found = [one for one in lint(text, release)[0] if one[0] == line and message in one[1]]
        assert len(found) == (release in releases), (release, lint(text, release))


@pytest.mark.parametrize(("text", "line", "message", "releases"), [pytest.param(*case[1:], id=case[0]) for case in DOUBTFUL])
def test_a_doubt_is_no_problem(text: str, line: int, message: str, releases: tuple[str, ...]) -> None:
    for release in RELEASES:
        problems, warnings = lint(text, release)
        assert problems == []
        assert len([one for one in warnings if one[0] == line and message in one[1]]) == (release in releases), (release, warnings)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in FINE])
def test_a_good_file_gives_nothing(text: str, release: str) -> None:
    assert lint(text, release) == ([], [])


def test_the_reader_that_is_not_in_c_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with_c = {name: lint(text, "0.2") for name, text, *_rest in BAD + DOUBTFUL if name != "nested for ever"}
    monkeypatch.delattr(yaml, "CSafeLoader")
    syntax = re.compile("not valid YAML.*")
    for name, text, *_rest in BAD + DOUBTFUL:
        if name != "nested for ever":
            problems, warnings = lint(text, "0.2")
            # It has other words, and sometimes sees where the block began instead of where it ended.
            if any(syntax.match(message) for dummy, message in with_c[name][0]):
                assert any(syntax.match(message) for dummy, message in problems), name
            else:
                assert (problems, warnings) == with_c[name], name
    for name, text in FINE:
        # The one thing that it is too strict about.
        if name != "tab before a comment":
            assert lint(text, "0.2") == ([], []), name


def test_all_problems_of_all_files_are_told_in_order() -> None:
    two = cut("icon_uri").replace("id: 100", 'id: "1"').replace("30s", "30").replace("http://llm", "http://localhost")
    files = [("a.yaml", GOOD), ("b.yml", two), ("c.yaml", ""), ("d.yaml", edit("name: Lab", "name: Other"))]
    report = lint_directory([(name, text.encode()) for name, text in files], "0.2")
    assert [(one.file, one.line) for one in report.problems] == [("b.yml", 1), ("b.yml", 1), ("b.yml", 25), ("b.yml", 28), ("c.yaml", 1), ("d.yaml", 1)]
    assert str(report.problems[-1]) == "d.yaml:1: id 100 is also that of a.yaml:1: give one of the two models another"
    assert [(model.file, model.id, model.name) for model in report.models] == [("a.yaml", 100, "Lab"), ("b.yml", None, "Lab"), ("d.yaml", 100, "Other")]


def test_ids_that_are_written_differently_are_still_the_same() -> None:
    report = lint_directory([("a.yaml", GOOD.encode()), ("b.yaml", edit("id: 100", "id: 0x64").encode())], "0.5")
    assert [one.file for one in report.problems] == ["b.yaml"]


def test_a_file_that_is_not_utf8() -> None:
    report = lint_directory([("a.yaml", b"id: 1\nname: \xff\n")], "0.2")
    assert [str(one) for one in report.problems] == ["a.yaml:2: not UTF-8: save the file in that encoding"]


def test_an_address_is_not_repeated_in_a_message() -> None:
    assert "hunter2" not in str([*url_problems("http://me:hunter2@localhost/v1/chat/completions")])


def test_a_mapping_that_contains_itself() -> None:
    assert lint(edit("stop: []", "custom: &a {b: *a}"), "0.2") == ([], [])


@pytest.mark.parametrize(
    ("text", "tag"),
    [("1", "int"), ("-1", "int"), ("0o17", "int"), ("017", "int"), ("1_0", "int"), ("_1", "str"), ("0x", "str"), ("08", "float"), ("1.", "float"),
     (".5", "float"), ("1e5", "float"), (".inf", "float"), ("yes", "str"), ("12:30", "str"), ("2026-01-01", "str"), ("~", "null"), ("True", "bool")],
)  # fmt: skip
def test_plain_scalars_are_what_the_server_takes_them_for(text: str, tag: str) -> None:
    assert plain_tag(text).rpartition(":")[2] == tag


def test_integers() -> None:
    assert [integer(text) for text in ("10", "+10", "-0x1F", "0b11", "017", "0o17", "0", "1_000")] == [10, 10, -31, 3, 15, 15, 0, 1000]


@pytest.mark.skipif(not TEMPLATES, reason="the product's templates are not here")
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parents[4].name}-{path.stem}")
def test_the_product_s_own_templates_have_no_problem(path: Path) -> None:
    release = "0.5" if "0.5" in str(path) else "0.2"
    report = lint_directory([(path.name, path.read_bytes())], release)
    assert report.problems == []
    assert all("model is empty" in one.message for one in report.warnings)
