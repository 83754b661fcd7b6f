# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's source trees have what upstream's have: tables, keys, icons; and the same input gives the same bytes."""

from __future__ import annotations

import importlib.util
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
UPSTREAM = ROOT.parent / "shared" / "upstream"
TABLES = {"0.2": 45, "0.3": 53, "0.5": 55}
IMAGES = {"0.2": "opencoze", "0.3": "coze-server-0.3", "0.5": "coze-server"}


def load() -> Any:
    spec = importlib.util.spec_from_file_location("lab_source", ROOT / "tests" / "lab" / "source.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


source = load()
every_line = pytest.mark.parametrize("line", source.LINES)


def text_of(line: str, name: str) -> str:
    return source.files(line)[name].decode()


def keys_of(env: str) -> list[str]:
    return re.findall(r"^export (\w+) ?=", env, re.M)


def upstream(version: str, name: str) -> Path:
    path = UPSTREAM / f"coze-studio-{version}" / name
    if not path.exists():
        pytest.skip("no upstream data beside the checkout")
    return path


@every_line
def test_the_schema_has_as_many_tables_as_upstreams(line: str) -> None:
    names = source.table_names(text_of(line, "docker/volumes/mysql/schema.sql"))
    assert len(names) == len(set(names)) == TABLES[line]


@pytest.mark.parametrize(("line", "version"), [("0.2", "0.2.2"), ("0.5", "0.5.1")])
def test_tables_keys_and_files_are_upstreams(line: str, version: str) -> None:
    schema = upstream(version, "docker/volumes/mysql/schema.sql").read_text(encoding="utf-8")
    assert set(source.table_names(schema)) == set(source.table_names(text_of(line, "docker/volumes/mysql/schema.sql")))
    env = upstream(version, "docker/.env.example").read_text(encoding="utf-8")
    assert set(keys_of(env)) == set(keys_of(text_of(line, "docker/.env.example")))
    minio = upstream(version, "docker/volumes/minio")
    icons = {path.relative_to(minio).as_posix() for path in minio.rglob("*") if path.is_file()}
    assert {f"docker/volumes/minio/{name}" for name in icons} == {name for name in source.files(line) if "/minio/" in name}


@every_line
def test_no_key_is_there_twice(line: str) -> None:
    keys = keys_of(text_of(line, "docker/.env.example"))
    assert len(keys) == len(set(keys))


def test_a_line_has_its_own_keys() -> None:
    keys = {line: set(keys_of(text_of(line, "docker/.env.example"))) for line in source.LINES}
    assert "MINIO_PROXY_ENDPOINT" in keys["0.2"] - keys["0.3"] - keys["0.5"]
    assert {"WEB_LISTEN_ADDR", "ES_NUMBER_OF_SHARDS", "OCEANBASE_HOST"} <= (keys["0.3"] & keys["0.5"]) - keys["0.2"]
    assert {"COZE_SAAS_API_KEY", "NATS_SERVER_URL", "MINIO_USE_SSL"} <= keys["0.5"] - keys["0.3"] - keys["0.2"]


@every_line
def test_files_that_a_line_must_have_and_must_not(line: str) -> None:
    files = source.files(line)
    since = {
        "backend/conf/workflow/config.yaml": "0.3",
        "docker/nginx/conf.d/default.conf": "0.3",
        "docker/nginx/nginx.conf": "0.3",
        "backend/conf/model/model_meta.json": "0.5",
        "backend/conf/admin/index.html": "0.5",
        "backend/conf/plugin/common/oauth_schema.json": "0.2",
        "backend/conf/prompt/nl2sql_template_jinja2.json": "0.2",
        "docker/docker-compose.yml": "0.2",
        "docker/volumes/etcd/etcd.conf.yml": "0.2",
    }
    assert {name for name in since if name in files} == {name for name, first in since.items() if first <= line}
    assert files["docker/volumes/etcd/etcd.conf.yml"] == b""
    assert sum("/default_icon/" in name for name in files) == (38 if line == "0.2" else 92)
    assert sum("/official_plugin_icon/" in name for name in files) == 22


def test_the_newest_schema_lacks_the_column_that_only_a_migration_makes() -> None:
    table = re.search(r"`conversation` \((.*?)^\)", text_of("0.5", "docker/volumes/mysql/schema.sql"), re.M | re.S)
    assert table is not None
    assert "user_id" not in table[1]
    assert "ADD COLUMN `user_id`" in text_of("0.5", "docker/atlas/migrations/20251028085526_update.sql")


@every_line
def test_the_image_of_the_server_has_the_lines_own_env_file(line: str) -> None:
    baked = ROOT / "tests" / "lab" / "images" / IMAGES[line] / "env"
    assert baked.read_bytes() == source.files(line)["docker/.env.example"], f"copy the line's docker/.env.example to {baked}"


def test_icons_are_pictures() -> None:
    picture = source.files("0.2")["docker/volumes/minio/default_icon/user_default_icon.png"]
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (16, 16)
    at = picture.index(b"IDAT")
    size = struct.unpack(">I", picture[at - 4 : at])[0]
    assert len(zlib.decompress(picture[at + 4 : at + 4 + size])) == 16 * (1 + 3 * 16)


@every_line
def test_the_tree_is_the_same_each_time(line: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert source.assemble(line, one) == source.assemble(line, two)
    trees = [{path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()} for root in (one, two)]
    assert trees[0] == trees[1]
    assert source.assemble(line, one) == []


def test_what_was_laid_into_a_tree_stays_and_what_was_changed_comes_back(tmp_path: Path) -> None:
    source.assemble("0.2", tmp_path)
    (tmp_path / "extra.zip").write_bytes(b"zip")
    (tmp_path / "docker/.env.example").write_text("changed", encoding="utf-8")
    assert source.assemble("0.2", tmp_path) == ["docker/.env.example"]
    assert (tmp_path / "extra.zip").exists()


def test_a_folder_that_is_not_its_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x", encoding="utf-8")
    with pytest.raises(source.SourceError, match="not made by this tool"):
        source.assemble("0.5", tmp_path)
    source.assemble("0.5", tmp_path / "tree")
    with pytest.raises(source.SourceError, match=r"line 0\.5"):
        source.assemble("0.3", tmp_path / "tree")
    with pytest.raises(source.SourceError, match="no release line"):
        source.assemble("0.4", tmp_path / "other")


@pytest.mark.parametrize(
    ("lines", "found"), [("all", "0.2 0.3 0.5"), ("0.2", "0.2"), ("0.3+", "0.3 0.5"), ("0.2-0.3", "0.2 0.3"), ("0.5", "0.5"), ("0.5+", "0.5")]
)
def test_marks(lines: str, found: str) -> None:
    assert [line for line in source.LINES if source.applies(lines, line)] == found.split()
