# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How single values are read, against tables and against the Go libraries of the server."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._settings_values import (
    Dsn,
    bypasses_proxy,
    go_bool,
    go_int,
    host_and_port,
    is_own_host,
    nearest,
    parse_dsn,
    shape_hint,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("coze:pw@tcp(mysql:3306)/opencoze?parseTime=True", Dsn("coze", "pw", "mysql", 3306, "opencoze", "parseTime=True")),
        ("coze:p@:/w(@tcp(mysql:3306)/db", Dsn("coze", "p@:/w(", "mysql", 3306, "db", "")),
        ("coze@tcp(mysql)/db", Dsn("coze", "", "mysql", 3306, "db", "")),
        ("tcp([::1]:33)/db", Dsn("", "", "::1", 33, "db", "")),
    ],
)
def test_a_dsn_is_read_as_the_driver_does(text: str, expected: Dsn) -> None:
    assert parse_dsn(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("coze:pw@tcp(mysql:3306)", "no / before"),
        ("coze:pw@mysql:3306/db", "no tcp(host:port)"),
        ("coze:pw@tcp(mysql:3306/db", "no tcp(host:port)"),
        ("coze:pw@unix(/tmp/s)/db", "not go over tcp"),
        ("coze:pw@tcp(mysql:3306)/", "names no database"),
        ("coze:pw@tcp(mysql:3306)/db?loc=Asia/Shanghai", "%2F"),
        ("coze:pw@tcp(mysql:port)/db", "no valid port"),
        ("coze:pw@tcp(${MYSQL_HOST}:3306)/db", "no valid host"),
        ("mysql://coze:pw@mysql:3306/db", "no tcp(host:port)"),
    ],
)
def test_a_dsn_that_the_driver_refuses_says_why(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")) as caught:
        parse_dsn(text)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("redis:6379", ("redis", 6379)), ("redis", ("redis", None)), ("[::1]:6379", ("::1", 6379)), ("[::1]", ("::1", None)), ("10.0.0.1:1", ("10.0.0.1", 1))],
)
def test_addresses(text: str, expected: tuple[str, int | None]) -> None:
    assert host_and_port(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("redis://redis:6379", "scheme"),
        ("a:1,b:2", "several"),
        ("redis:6379/0", "a /"),
        ("u@redis:6379", "an @"),
        ("", "no host"),
        (":6379", "no host"),
        ("redis:", "no valid port"),
        ("redis:0", "no valid port"),
        ("redis:65536", "no valid port"),
        ("redis:six", "no valid port"),
        ("redis :6379", "no valid host"),
        ("redis:6379:6379", "no valid host"),
        ("::1", "no valid host"),
        ("\u201credis:6379", "no valid host"),
    ],
)
def test_what_is_no_address_says_why(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        host_and_port(text)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.8.8.8", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"])
def test_names_of_the_container_itself(host: str) -> None:
    assert is_own_host(host)


@pytest.mark.parametrize("host", ["mysql", "localhost.example.com", "10.0.0.1", "host.docker.internal", "", "1270.0.0.1"])
def test_names_of_others(host: str) -> None:
    assert not is_own_host(host)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("'x'", "quotes"),
        ('"x"', "quotes"),
        ("\u201cx\u201d", "full-width"),
        ("x\uff02", "full-width"),
        ("x ", "blank"),
        ("\u3000x", "blank"),
        ("x\r", "carriage return"),
        ("x # c", "comment"),
        ("3600      # seconds", "comment"),
        ("a${X}b", "not replaced"),
    ],
)
def test_what_was_left_in_a_value_is_named(value: str, hint: str) -> None:
    assert hint in (shape_hint(value) or "")


@pytest.mark.parametrize("value", ["", "x", "'", "x'y", "a#b", "#x", "a b", "$x", "p$5", "{x}"])
def test_other_values_have_nothing_left_in_them(value: str) -> None:
    assert shape_hint(value) is None


def test_nearest_names_what_was_meant() -> None:
    assert nearest("minioo", ("minio", "s3")) == "; is minio meant?"
    assert nearest("zzz", ("minio", "s3")) == ""


@given(st.text())
def test_no_reader_raises_anything_else_than_a_value_error_without_the_text(text: str) -> None:
    go_int(text)
    go_bool(text)
    is_own_host(text)
    shape_hint(text)
    bypasses_proxy(text, "minio", 9000)
    for reader in (host_and_port, parse_dsn):
        message = ""
        try:
            reader(f"zQ9{text}")
        except ValueError as error:
            message = str(error)
        assert "zQ9" not in message


# --- the Go libraries ---

ORACLE_GO = Path(__file__).with_name("settings_oracle.go")
ORACLE_MOD = """
module oracle

go 1.24

require github.com/go-sql-driver/mysql v1.7.1
require golang.org/x/net v0.41.0
"""
Ask = t.Callable[[dict[str, list[t.Any]]], dict[str, list[t.Any]]]


@pytest.fixture(scope="module")
def ask_go(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is not installed: values are not compared with what the server's libraries make of them")
    source = tmp_path_factory.mktemp("oracle")
    (source / "go.mod").write_text(ORACLE_MOD, encoding="utf-8")
    shutil.copy(ORACLE_GO, source / "main.go")
    env = {**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    # Only getting the modules may fail for want of a network; what comes after has to work.
    try:
        subprocess.run([go, "mod", "tidy"], cwd=source, env=env, capture_output=True, timeout=120, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"the Go modules of the server's libraries cannot be had here: {error}")
    subprocess.run([go, "build", "-o", "oracle", "."], cwd=source, env=env, check=True, timeout=300)

    def ask(questions: dict[str, list[t.Any]]) -> dict[str, list[t.Any]]:
        done = subprocess.run([source / "oracle"], input=json.dumps(questions).encode(), stdout=subprocess.PIPE, check=True, timeout=60)
        answers: dict[str, list[t.Any]] = json.loads(done.stdout)
        return answers

    return ask


def joined(seed: int, parts: list[str], count: int, longest: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choice(parts) for dummy in range(chance.randint(0, longest))) for dummy in range(count)]


def test_dsns_are_read_as_the_driver_reads_them(ask_go: Ask) -> None:
    parts = ["coze", "p", ":", "@", "/", "tcp(", "mysql", ":3306", ")", ")/", "db", "?x=1", "(", "@tcp(mysql:3306)/db", "unix(", "@tcp(", "10.0.0.1"]
    samples = [*joined(1, parts, 4000, 8), *(f"{head}@tcp(mysql:3306)/db" for head in joined(2, [*parts, "#", " "], 2000, 6))]
    wrong: list[t.Any] = []
    read = 0
    for sample, found in zip(samples, ask_go({"dsns": samples})["Dsns"], strict=True):
        try:
            dsn = parse_dsn(sample)
        except ValueError:
            # We refuse more than the driver does: other networks, no address (it takes 127.0.0.1 then) or one that cannot be, no database.
            if found and found[2] == "tcp" and found[4] and found[3] != "127.0.0.1:3306" and _is_address(found[3]):
                wrong.append((sample, None, found))
            continue
        read += 1
        host = f"[{dsn.host}]" if ":" in dsn.host else dsn.host
        if found is None or [dsn.user, dsn.password, f"{host}:{dsn.port}", dsn.database] != [found[0], found[1], found[3], found[4]]:
            wrong.append((sample, dsn, found))
    assert wrong[:20] == []
    assert read > 500


def _is_address(text: str) -> bool:
    try:
        host_and_port(text)
    except ValueError:
        return False
    return True


def test_numbers_and_switches_are_read_as_go_reads_them(ask_go: Ask) -> None:
    samples = ["", "0", "-0", "+1", "007", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "0" * 40 + "7", "1e3", "1_0", "٣", " 1"]
    samples += ["true", "True", "TRUE", "tRUE", "t", "T", "1", "false", "False", "FALSE", "f", "F", "yes", "on", *joined(3, [*"0123456789+-_ x"], 2000, 21)]
    answers = ask_go({"numbers": samples})
    assert [go_int(sample) for sample in samples] == answers["Ints"]
    assert [go_bool(sample) for sample in samples] == answers["Bools"]


def test_no_proxy_is_read_as_go_reads_it(ask_go: Ask) -> None:
    entries = ["minio", "MINIO", ".minio", "*.minio", "*", "minio:9000", "minio:1", "10.0.0.0/8", "10.0.0.1", "10.0.0.1:9000", "10.0.0.1:1", "::1/128"]
    entries += ["example.com", ".example.com", "*.example.com", "a.example.com", "", ":9000", "in", "*.", "."]
    entries += ["[fd00::1]", "[fd00::1]:9000", "fd00::1", "fd00::/16"]
    hosts = ["minio", "a.example.com", "example.com", "xexample.com", "10.0.0.1", "10.0.0.2", "localhost", "127.0.0.1", "127.1.1.1", "::1", "fd00::1", "Minio"]
    chance = random.Random(4)
    samples = [[", ".join(chance.sample(entries, chance.randint(0, 3))), chance.choice(hosts), "9000"] for dummy in range(4000)]
    found = ask_go({"proxies": samples})["Proxies"]
    wrong = [(sample, real) for sample, real in zip(samples, found, strict=True) if bypasses_proxy(sample[0], sample[1], int(sample[2])) != real]
    assert wrong[:20] == []
    assert 500 < sum(found) < 3500
