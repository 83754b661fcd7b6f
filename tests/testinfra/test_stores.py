# SPDX-License-Identifier: GPL-3.0-or-later
"""What the init jobs left in the stores is what the source tree asks for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

TABLES = {"0.2": 45, "0.3": 53, "0.5": 55}


def test_all_tables_of_the_release_are_there(mysql: Callable[[str], list[list[str]]], model: dict[str, Any], source: Path) -> None:
    schema = (source / "docker/volumes/mysql/schema.sql").read_text(encoding="utf-8")
    wanted = set(re.findall(r"CREATE TABLE IF NOT EXISTS `(\w+)`", schema))
    found = {row[0] for row in mysql("SHOW TABLES")}
    assert found == wanted
    assert len(found) == TABLES[model["release"]]


def test_the_column_that_no_schema_has_came_by_migration(mysql: Callable[[str], list[list[str]]], model: dict[str, Any]) -> None:
    columns = {row[0] for row in mysql("SHOW COLUMNS FROM conversation")}
    assert ("user_id" in columns) == (model["release"] == "0.5")


def test_templates_and_indices_use_smartcn(search: Callable[[str], Any]) -> None:
    for name in ("coze_resource", "project_draft"):
        template = search(f"/_index_template/{name}")["index_templates"][0]["index_template"]
        assert template["index_patterns"] == [f"{name}*"]
        mapping = search(f"/{name}/_mapping")[name]["mappings"]
        assert mapping["dynamic"] == "false"
        assert mapping["properties"]["name"]["analyzer"] == "smartcn"
        assert mapping["properties"]["name"]["fields"]["raw"]["type"] == "keyword"
        settings = search(f"/{name}/_settings")[name]["settings"]["index"]
        assert settings["refresh_interval"] == "10ms"
        assert settings["number_of_replicas"] == "0"


def test_every_icon_is_in_the_bucket(host: Any, source: Path, secrets: dict[str, str]) -> None:
    wanted = {
        f"{tree}/{path.relative_to(source / 'docker/volumes/minio' / tree).as_posix()}"
        for tree in ("default_icon", "official_plugin_icon")
        for path in (source / "docker/volumes/minio" / tree).rglob("*")
        if path.is_file()
    }
    script = 'mc alias set here http://127.0.0.1:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" >/dev/null && mc find here/opencoze'
    found = {line.removeprefix("here/opencoze/") for line in host.check_output("docker exec coze-minio sh -c %s", script).splitlines()}
    assert wanted <= found
    assert len(wanted) > 50


def test_redis_asks_for_the_password(host: Any) -> None:
    assert "NOAUTH" in host.run("docker exec coze-redis redis-cli ping").stdout
