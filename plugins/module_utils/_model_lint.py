# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules for model files: what the server's loader and its clients make of each key. Private to this collection.

Lines 0.2 and 0.3 read the whole file; from 0.5 on only the connection counts, but the file is still read as a whole, and a wrong type
anywhere in it keeps the server from starting.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import typing as t
from collections.abc import Iterable, Iterator
from urllib.parse import SplitResult, urlsplit

from ansible_collections.cozeops.studio.plugins.module_utils._model_yaml import (
    Entries,
    Finding,
    Node,
    Problem,
    entries,
    integer,
    kind,
    line_of,
    load,
)

RELEASES = ("0.2", "0.3", "0.5")
PROTOCOLS = ("openai", "claude", "deepseek", "gemini", "ark", "ollama", "qwen")
LARGEST = 2**63 - 1

_TEXT = {"zh": "str", "en": "str"}
_CONNECTION: dict[str, t.Any] = {
    "base_url": "str",
    "api_key": "str",
    "model": "str",
    "timeout": "duration",
    "temperature": "float",
    "frequency_penalty": "float",
    "presence_penalty": "float",
    "top_p": "float",
    "max_tokens": "int",
    "top_k": "int",
    "stop": "strings",
    "enable_thinking": "bool",
    "openai": {"by_azure": "bool", "api_version": "str", "response_format": {"type": "str", "jsonschema": "any"}},
    "claude": {
        "by_bedrock": "bool",
        "access_key": "str",
        "secret_access_key": "str",
        "session_token": "str",
        "region": "str",
        "budget_tokens": "int",
    },
    "ark": {"region": "str", "access_key": "str", "secret_key": "str", "retry_times": "int", "custom_header": "map"},
    "deepseek": {"response_format_type": "str"},
    "qwen": {"response_format": "any"},
    "gemini": {
        "backend": "int",
        "project": "str",
        "location": "str",
        "api_version": "str",
        "headers": "map",
        "timeout_ms": "int",
        "include_thoughts": "bool",
        "thinking_budget": "int",
    },
    "custom": "map",
}
_SINCE_05 = {"enable_base64_url": "bool", "max_completion_tokens": "int"}
_CAPABILITY = {
    "function_call": "bool",
    "json_mode": "bool",
    "prefix_caching": "bool",
    "reasoning": "bool",
    "prefill_response": "bool",
    "input_tokens": "int",
    "output_tokens": "int",
    "max_tokens": "int",
    "input_modal": "strings",
    "output_modal": "strings",
}
_PARAMETER = {
    "name": "str",
    "label": _TEXT,
    "desc": _TEXT,
    "type": "str",
    "min": "str",
    "max": "str",
    "default_val": {"default_val": "str", "creative": "str", "balance": "str", "precise": "str"},
    "precision": "int",
    "options": [{"label": "str", "value": "str"}],
    "style": {"widget": "str", "label": _TEXT},
}
_WORDS = {
    "name": ("temperature", "top_p", "top_k", "max_tokens", "response_format", "frequency_penalty", "presence_penalty"),
    "type": ("int", "float", "boolean", "string"),
    "widget": ("slider", "radio_buttons"),
    "modal": ("text", "image", "file", "audio", "video"),
}
_STATUS = {0: "in use", 1: "in use", 5: "pending", 10: "deleted"}

_DURATION = re.compile(r"[-+]?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)")
# Of YAML 1.1, which the loader takes for a switch but not for other text.
_SWITCHES = frozenset(word for one in ("y", "yes", "on", "n", "no", "off") for word in (one, one.capitalize(), one.upper()))
_NAMES = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "map": "a mapping", "list": "a list"}


class Model(t.NamedTuple):
    """A model as a file has it, as far as it could be read."""

    id: int | None
    name: str
    file: str
    line: int


class Report(t.NamedTuple):
    """All problems and doubts of a directory, and its models, in the order of the files."""

    problems: list[Problem]
    warnings: list[Problem]
    models: list[Model]


def is_old(release: str) -> bool:
    return release in ("0.2", "0.3")


def schema(release: str) -> dict[str, t.Any]:
    connection = _CONNECTION if is_old(release) else {**_CONNECTION, **_SINCE_05}
    return {
        "id": "any",  # has rules of its own
        "name": "str",
        "icon_uri": "str",
        "icon_url": "str",
        "description": _TEXT,
        "default_parameters": [_PARAMETER],
        "meta": {"protocol": "str", "capability": _CAPABILITY, "conn_config": connection, "status": "int"},
    }


def lint_directory(files: Iterable[tuple[str, bytes]], release: str) -> Report:
    """Examine all files; ``files`` are (name, content), in the order in which the server reads them."""
    report = Report([], [], [])
    first: dict[int, Model] = {}
    for name, data in files:
        findings, model = lint_file(name, data, release)
        if model and model.id is not None:
            other = first.setdefault(model.id, model)
            if other is not model:
                findings.append(Finding(model.line, f"id {model.id} is also that of {other.file}:{other.line}: give one of the two models another"))
        if model:
            report.models.append(model)
        for finding in sorted(findings):
            (report.problems if finding.fatal else report.warnings).append(Problem(name, finding.line, finding.message))
    return report


def lint_file(name: str, data: bytes, release: str) -> tuple[list[Finding], Model | None]:
    """What is wrong with a file, and its model if there is one."""
    document = load(data)
    if document.node is None:
        return document.findings, None
    findings = list(document.findings)
    if kind(document.node) != "map":
        return [*findings, Finding(line_of(document.node), "the file is no mapping: it has to begin with keys such as id: and name:")], None
    findings += _map_findings(document.node, schema(release), "")
    top = entries(document.node)
    findings += _rules(document.node, top, release)
    line = line_of(top["id"][1]) if "id" in top else line_of(document.node)
    return findings, Model(_id_of(top), _text(top, "name"), name, line)


# --- types ---


def _map_findings(node: Node, spec: dict[str, t.Any], where: str) -> Iterator[Finding]:
    for key, (dummy, value) in entries(node).items():
        if key in spec:
            yield from _type_findings(value, spec[key], f"{where}{key}")
    # Not by entries(): a key without a value may be misspelt too.
    for key_node, dummy in node.value:
        if kind(key_node) in ("map", "list"):
            yield Finding(line_of(key_node), "a key has to be text")
        elif kind(key_node) != "merge" and key_node.value not in spec:
            yield Finding(line_of(key_node), f"unknown key {where}{key_node.value}: the server ignores it{_nearest(key_node.value, spec)}", False)


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, [*known], n=1)
    return f"; is {near[0]} meant?" if near else ""


def _type_findings(node: Node, spec: t.Any, where: str) -> Iterator[Finding]:
    wanted = spec if isinstance(spec, str) else "map" if isinstance(spec, dict) else "list"
    found = kind(node)
    if isinstance(spec, dict) and found == "map":
        yield from _map_findings(node, spec, f"{where}.")
    elif isinstance(spec, list) and found == "list":
        for number, item in enumerate(node.value):
            yield from _type_findings(item, spec[0], f"{where}[{number}]")
    elif wanted == "strings":
        yield from _strings_findings(node, where)
    elif wanted == "duration":
        yield from _duration_findings(node, where)
    elif wanted == "int" and found == "float":
        yield Finding(line_of(node), f"{where} is a whole number to the server, which cuts off the rest: write it as one", False)
    elif not _fits(node, wanted):
        yield Finding(line_of(node), f"{where} has to be {_NAMES[wanted]}, not {_described(node)}: the server does not start with it")


def _fits(node: Node, wanted: str) -> bool:
    found = kind(node)
    if wanted == "any" or found == "null" or wanted == found:
        return not (wanted == "int" and found == "int" and not _is_int64(node.value))
    if wanted == "str":
        return found not in ("map", "list")
    if wanted == "float":
        return found == "int"
    return wanted == "bool" and found == "str" and node.value in _SWITCHES


def _is_int64(text: str) -> bool:
    value = integer(text)
    return value is not None and -LARGEST - 1 <= value <= LARGEST


def _described(node: Node) -> str:
    # Never the value: it may be a key in the wrong place.
    found = kind(node)
    if found == "str" and node.style in ("'", '"'):
        return "text in quotes"
    if found == "int" and not _is_int64(node.value):
        return "one of more than 64 bits"
    return _NAMES.get(found, "something else")


def _strings_findings(node: Node, where: str) -> Iterator[Finding]:
    if kind(node) != "list":
        yield Finding(line_of(node), f"{where} has to be a list, not {_described(node)}: the server does not start with it")
        return
    for item in node.value:
        yield from _type_findings(item, "str", f"{where}[]")


def _duration_findings(node: Node, where: str) -> Iterator[Finding]:
    if kind(node) != "str":
        given = node.value if kind(node) in ("int", "float") else "0"
        yield Finding(line_of(node), f"{where} has to have a unit, as {given}s: the server does not start with it")
    elif not _DURATION.fullmatch(node.value):
        given = f"{node.value}s" if re.fullmatch(r"[0-9.]+", node.value) else "30s or 1m30s"
        yield Finding(line_of(node), f"{where} is no duration, as {given}: the server does not start with it")


# --- rules ---


def _text(top: Entries, key: str) -> str:
    return str(top[key][1].value).strip() if key in top and kind(top[key][1]) not in ("map", "list") else ""


def _id_of(top: Entries) -> int | None:
    if "id" not in top or kind(top["id"][1]) != "int":
        return None
    value = integer(top["id"][1].value)
    return value if value is not None and 0 < value <= LARGEST else None


def _rules(node: Node, top: Entries, release: str) -> Iterator[Finding]:
    here = line_of(node)
    yield from _id_rules(top, here)
    if not _text(top, "name") and not ("name" in top and kind(top["name"][1]) in ("map", "list")):
        yield Finding(line_of(top["name"][1]) if "name" in top else here, "name is missing")
    if is_old(release) and not _text(top, "icon_uri") and not _text(top, "icon_url"):
        at = line_of(top["icon_uri"][1]) if "icon_uri" in top else here
        yield Finding(at, "icon_uri is missing: the server does not start with it; use one of its own, such as default_icon/openai_v2.png")
    meta_line = line_of(top["meta"][0]) if "meta" in top else here
    meta = entries(top["meta"][1]) if "meta" in top else {}
    yield from _protocol_rules(meta, meta_line, release)
    if is_old(release) and "capability" not in meta:
        yield Finding(meta_line, "meta.capability is missing: the server fails when it lists its models")
    if "conn_config" in meta:
        yield from _connection_rules(entries(meta["conn_config"][1]), line_of(meta["conn_config"][0]))
    else:
        yield Finding(meta_line, "meta.conn_config is missing: the server fails without a connection")
    yield from _word_rules(top, meta, release)


def _id_rules(top: Entries, here: int) -> Iterator[Finding]:
    if "id" not in top:
        yield Finding(here, "id is missing: give the model a whole number of its own")
        return
    node = top["id"][1]
    if kind(node) != "int":
        yield Finding(line_of(node), f"id has to be a whole number without quotes, not {_described(node)}")
    elif _id_of(top) is None:
        yield Finding(line_of(node), f"id has to be between 1 and {LARGEST}")


def _protocol_rules(meta: Entries, here: int, release: str) -> Iterator[Finding]:
    known = ", ".join(PROTOCOLS)
    protocol = _text(meta, "protocol")
    if not protocol:
        if not ("protocol" in meta and kind(meta["protocol"][1]) in ("map", "list")):
            yield Finding(line_of(meta["protocol"][1]) if "protocol" in meta else here, f"meta.protocol is missing: one of {known}")
    elif protocol not in PROTOCOLS:
        effect = "has no client for it" if is_old(release) else "takes it for ark"
        yield Finding(
            line_of(meta["protocol"][1]),
            f"unknown protocol {protocol}: release {release} {effect}; known are {known}{_nearest(protocol, PROTOCOLS)}",
        )


def _connection_rules(connection: Entries, here: int) -> Iterator[Finding]:
    url = _text(connection, "base_url")
    if url:
        at = line_of(connection["base_url"][1])
        yield from (Finding(at, f"meta.conn_config.base_url {message}") for message in url_problems(url))
    for key, effect in (("base_url", "the client's own default is used"), ("model", "endpoints refuse requests without one")):
        if not _text(connection, key) and not (key in connection and kind(connection[key][1]) in ("map", "list")):
            yield Finding(line_of(connection[key][1]) if key in connection else here, f"meta.conn_config.{key} is empty: {effect}", False)


def url_problems(url: str) -> Iterator[str]:
    """What is wrong with the address of a model; without the address, which may have a password in it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        yield "is no URL"
        return
    if parts.scheme not in ("http", "https") or not host or not _has_good_port(parts) or re.search(r"\s", url):
        yield "is no URL: it has to begin with http:// or https:// and a host, its port has to be a number, and there must be no blanks"
    path = parts.path.rstrip("/").lower()
    for end in ("/chat/completions", "/embeddings"):
        if path.endswith(end):
            yield f"ends in {end}, which the client appends itself: leave it out"
    if _is_loopback(host):
        yield f"has the host {host}, which inside the container is the container: use the host's name, or host.docker.internal"


def _has_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _word_rules(top: Entries, meta: Entries, release: str) -> Iterator[Finding]:
    """Values of which only some mean something."""
    if "status" in meta and kind(meta["status"][1]) == "int":
        status = integer(meta["status"][1].value)
        if status not in (0, 1):
            meaning = _STATUS.get(status, "not known") if status is not None else "not known"
            yield Finding(line_of(meta["status"][1]), f"meta.status {status} is {meaning}: 0 is a model in use", False)
    if not is_old(release):
        return
    capability = entries(meta["capability"][1]) if "capability" in meta else {}
    for key in ("input_modal", "output_modal"):
        if key in capability and kind(capability[key][1]) == "list":
            for item in capability[key][1].value:
                yield from _word(item, "modal", f"meta.capability.{key}")
    parameters = top["default_parameters"][1] if "default_parameters" in top else None
    for item in parameters.value if parameters is not None and kind(parameters) == "list" else []:
        yield from _parameter_rules(item, entries(item))


def _parameter_rules(node: Node, parameter: Entries) -> Iterator[Finding]:
    if kind(node) != "map":
        return
    for key in ("name", "type"):
        if key in parameter:
            yield from _word(parameter[key][1], key, f"default_parameters: {key}")
    style = entries(parameter["style"][1]) if "style" in parameter else {}
    if "widget" in style:
        yield from _word(style["widget"][1], "widget", "default_parameters: style.widget")
    if "default_val" not in parameter:
        yield Finding(line_of(node), "default_parameters: default_val is missing")
    elif kind(parameter["default_val"][1]) == "map" and "default_val" not in entries(parameter["default_val"][1]):
        yield Finding(line_of(parameter["default_val"][0]), "default_parameters: default_val has no key default_val")


def _word(node: Node, words: str, where: str) -> Iterator[Finding]:
    known = _WORDS[words]
    if kind(node) not in ("map", "list") and node.value not in known:
        yield Finding(line_of(node), f"{where} {node.value} is not known: one of {', '.join(known)}", False)
