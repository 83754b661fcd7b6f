# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _proxy
from ansible_collections.cozeops.studio.plugins.module_utils._proxy import engine_settings, hidden, is_set, of_client, of_environment, of_unit, shown

NONE = {"http": "", "https": "", "no_proxy": ""}


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, NONE),
        ({"HTTP_PROXY": "a", "no_proxy": "x"}, {"http": "a", "https": "", "no_proxy": "x"}),
        ({"HTTPS_PROXY": "A", "https_proxy": "b"}, {"http": "", "https": "A", "no_proxy": ""}),
    ],
)
def test_of_environment(environment: dict[str, str], found: dict[str, str]) -> None:
    assert of_environment(environment) == found
    assert is_set(found) == bool(environment)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"proxies": {"default": {"httpProxy": "a", "httpsProxy": "b", "noProxy": "c"}}}, {"http": "a", "https": "b", "no_proxy": "c"}),
        ({"proxies": {"tcp://x": {"httpProxy": "a"}}}, NONE),
        ({"proxies": []}, NONE),
        ({"proxies": {"default": None}}, NONE),
        ([], NONE),
        (None, NONE),
    ],
)
def test_of_client(document: t.Any, found: dict[str, str]) -> None:
    assert of_client(document) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[Service]\nEnvironment="HTTP_PROXY=http://p:1" "NO_PROXY=a,b"\n', {"HTTP_PROXY": "http://p:1", "NO_PROXY": "a,b"}),
        ("Environment=A=1\nEnvironment=\nEnvironment=B=2 \\\n  C=3\n", {"B": "2", "C": "3"}),
        ("# Environment=A=1\nEnvironmentFile=/x\nEnvironment='open\n", {}),
        ("", {}),
    ],
)
def test_of_unit(text: str, found: dict[str, str]) -> None:
    assert of_unit(text) == found


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://p:3128", "http://p:3128"),
        ("http://u:p@p:3128", "http://********@p:3128"),
        ("u:pa@ss/w@p:3128", "********@p:3128"),
        ("", ""),
    ],
)
def test_passwords_are_hidden(url: str, seen: str) -> None:
    assert hidden(url) == seen
    assert shown({**NONE, "http": url}) == {**NONE, "http": seen}


UNIT = "/etc/systemd/system/docker.service.d/http-proxy.conf"


@pytest.mark.parametrize(
    ("pid", "files", "settings", "found"),
    [
        ("7", {"/proc/7/environ": "A=1\0HTTPS_PROXY=run\0"}, {}, {**NONE, "https": "run"}),
        ("7", {"/proc/7/environ": "A=1\0", UNIT: "Environment=HTTP_PROXY=unit"}, {}, NONE),
        ("", {UNIT: "Environment=HTTP_PROXY=unit NO_PROXY=x"}, {}, {"http": "unit", "https": "", "no_proxy": "x"}),
        ("7", {UNIT: "Environment=HTTP_PROXY=unit"}, {"proxies": {"http-proxy": "own", "no-proxy": "y"}}, {"http": "own", "https": "", "no_proxy": "y"}),
        ("", {}, None, NONE),
    ],
)
def test_of_the_engine(monkeypatch: pytest.MonkeyPatch, pid: str, files: dict[str, str], settings: t.Any, found: dict[str, str]) -> None:
    monkeypatch.setattr(_proxy, "read", lambda path: files.get(path, ""))
    monkeypatch.setattr(_proxy.glob, "glob", lambda pattern: [path for path in files if pattern.startswith("/etc") and path == UNIT])
    assert engine_settings(pid, settings) == found
