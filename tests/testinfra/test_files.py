# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the stack: owners, modes, and where secrets are and are not."""

from __future__ import annotations

from typing import Any

ROOT = "/opt/cozeops/coze"


def test_nobody_but_root_enters_the_stack(host: Any) -> None:
    root = host.file(ROOT)
    assert (root.user, root.group, root.mode) == ("root", "root", 0o700)


def test_files_with_secrets_are_0600(host: Any, model: dict[str, Any]) -> None:
    paths = ["stack.json", "state/secrets.env", *(f"env/{name}.env" for name in model["services"]), "conf/coze-server/env"]
    assert {path: (host.file(f"{ROOT}/{path}").mode, host.file(f"{ROOT}/{path}").uid) for path in paths} == dict.fromkeys(paths, (0o600, 0))


def test_data_directories_belong_to_the_uid_that_uses_them(host: Any, model: dict[str, Any]) -> None:
    for service in model["services"].values():
        for entry in service["data"]:
            folder = host.file(f"{ROOT}/{entry['path']}")
            assert (folder.uid, folder.gid, folder.mode) == (entry["owner"], entry["group"], 0o700), entry["path"]


def test_no_secret_stands_anywhere_but_where_it_is_read(host: Any, secrets: dict[str, str]) -> None:
    for key, value in secrets.items():
        found = host.run("grep -rlF -e %s %s --exclude-dir=data", value, ROOT).stdout.split()
        assert all(path.startswith((f"{ROOT}/env/", f"{ROOT}/state/", f"{ROOT}/conf/coze-server/env")) for path in found), (key, found)


def test_published_defaults_are_gone(host: Any) -> None:
    for default in ("coze123", "minioadmin123", "^*6x3hdu2nc%-p38", "osj^kfhsd*(z!sno", "cn+$PJ(HhJ[5d*z9", "cn+(HhJ[5d*z9"):
        found = host.run("grep -rhF -e %s %s/env %s/conf/coze-server/env", default, ROOT, ROOT).stdout.splitlines()
        # An example for a store that the stack does not have.
        assert [line for line in found if not line.startswith("OCEANBASE_PASSWORD=")] == [], default


def test_references_follow_the_new_passwords(host: Any, secrets: dict[str, str]) -> None:
    env = dict(line.split("=", 1) for line in host.file(f"{ROOT}/env/coze-server.env").content_string.splitlines())
    assert f":{secrets['MYSQL_PASSWORD']}@tcp(mysql:3306)/" in env["MYSQL_DSN"]
    assert env["MINIO_SK"] == secrets["MINIO_ROOT_PASSWORD"]
    assert env["REDIS_PASSWORD"] == secrets["REDIS_PASSWORD"]
