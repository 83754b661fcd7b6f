# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._redact import read_env, redact, stack_secrets


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "server.env").write_text(
        "MYSQL_PASSWORD=pa=ss w/rd\nMYSQL_DSN=coze:dsnpass@tcp(mysql:3306)/opencoze\nMYSQL_HOST=mysql\nPIN_SECRET=abc\nREDIS_PASSWORD=\n"
    )
    (tmp_path / "env" / "minio.env").write_text('MINIO_ROOT_PASSWORD=qu"ote\\1\n')
    return tmp_path


def test_values_are_literal(root: Path) -> None:
    assert read_env(str(root), "server")["MYSQL_PASSWORD"] == "pa=ss w/rd"
    assert read_env(str(root), "minio")["MINIO_ROOT_PASSWORD"] == 'qu"ote\\1'


def test_no_file_is_no_values(root: Path) -> None:
    assert read_env(str(root), "nothing") == {}
    assert stack_secrets(str(root / "nowhere")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tried pa=ss w/rd twice", "tried ******** twice"),
        ("tried pa%3Dss%20w%2Frd", "tried ********"),
        ('{"p": "qu\\"ote\\\\1"}', '{"p": "********"}'),
        ("password dsnpass of a DSN", "password ******** of a DSN"),
        ("host mysql and abc stay", "host mysql and abc stay"),
        ("mysql open, dsn: coze:other@tcp(mysql:3306)/x", "mysql open, dsn: coze:********@tcp(mysql:3306)/x"),
        ("proxy http://me:other@proxy:3128/", "proxy http://me:********@proxy:3128/"),
        ("GET http://minio:9000/a@b", "GET http://minio:9000/a@b"),
    ],
)
def test_secrets_are_masked_in_every_spelling(root: Path, text: str, expected: str) -> None:
    assert redact(text, stack_secrets(str(root))) == expected
