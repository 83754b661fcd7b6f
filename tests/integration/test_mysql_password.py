# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of a real MySQL get other passwords: check, do, again, again in check mode, first beside the old ones and then alone."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t

import pytest
from ansible_collections.cozeops.studio.tests.integration.test_init_jobs import LEAST_RIGHTS, MYSQL, call, docker, refused, start, succeed, wait_for

#: What MySQL's image takes at the first start, with all that SQL, a shell or an environment file might trip over.
OLD = 'old "`$x#%é &;'
NEW, OTHER = "new \"`$y#%ü 'q\\", "other"

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def mysql() -> t.Iterator[str]:
    container = start(
        "password", MYSQL, *LEAST_RIGHTS, "--user", "999:999", "--memory", "768m",
        "--tmpfs", "/var/run/mysqld:uid=999", "--tmpfs", "/var/lib/mysql:uid=999,mode=0700",
        "-e", f"MYSQL_ROOT_PASSWORD={OLD}", "-e", "MYSQL_DATABASE=opencoze", "-e", "MYSQL_USER=coze", "-e", f"MYSQL_PASSWORD={OLD}",
        "--", "--performance-schema=OFF", "--innodb-buffer-pool-size=64M",
    )  # fmt: skip
    wait_for("MySQL does not answer", lambda: "Access denied" in refused(container))
    yield container
    docker("rm", "-fv", container)


def takes(container: str, user: str, password: str) -> bool:
    client = ["docker", "exec", "-i", "-e", f"MYSQL_PWD={password}", container, "mysql", "-h127.0.0.1", "--protocol=tcp", f"-u{user}", "-e", "SELECT 1"]
    return subprocess.run(client, capture_output=True, check=False).returncode == 0


def taken(container: str, user: str) -> list[str]:
    return [password for password in (OLD, NEW, OTHER) if takes(container, user, password)]


def four(options: dict[str, t.Any]) -> list[str]:
    checked = succeed("mysql_password", options, check=True)
    done = succeed("mysql_password", options)
    assert checked["changed"] and done["changed"] and checked["accounts"] == done["accounts"]
    for check in (False, True):
        again = succeed("mysql_password", options, check)
        assert (again["changed"], again["accounts"]) == (False, [])
    return list(done["accounts"])


def test_first_both_and_then_one(mysql: str) -> None:
    options = {"container": mysql, "accounts": {"root": NEW, "coze": NEW}}
    assert four(options) == ["coze@%", "root@%", "root@localhost"]
    assert taken(mysql, "root") == taken(mysql, "coze") == [OLD, NEW]
    assert four({**options, "state": "only"}) == ["coze@%", "root@%", "root@localhost"]
    assert taken(mysql, "root") == taken(mysql, "coze") == [NEW]


def test_one_account_and_a_password_that_only_a_file_has(mysql: str, tmp_path: pathlib.Path) -> None:
    options = {"container": mysql, "accounts": {"coze": OTHER}}
    result = call("mysql_password", options)
    assert result["failed"] and "takes neither the new password of root nor one that is known to this host" in result["msg"]
    (tmp_path / "mysql.env").write_text(f"A=b\nMYSQL_ROOT_PASSWORD={NEW}\n")
    options["login_env"] = str(tmp_path / "mysql.env")
    assert four(options) == ["coze@%"]
    assert (taken(mysql, "coze"), taken(mysql, "root")) == ([NEW, OTHER], [NEW])
    # Back to the older of the two: that one is to stay.
    back = {**options, "accounts": {"coze": NEW}, "state": "only"}
    assert four(back) == ["coze@%"]
    assert taken(mysql, "coze") == [NEW]


def test_a_user_that_is_not_there_changes_nothing(mysql: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "mysql.env").write_text(f"MYSQL_ROOT_PASSWORD={NEW}\n")
    result = call("mysql_password", {"container": mysql, "accounts": {"coze": OTHER, "nobody": OTHER}, "login_env": str(tmp_path / "mysql.env")})
    assert result["failed"] and "has no user nobody. Nothing was changed." in result["msg"]
    assert taken(mysql, "coze") == [NEW]
    result = call("mysql_password", {"container": "nonesuch-mysql", "accounts": {"root": NEW}})
    assert result["failed"] and "there is no container nonesuch-mysql" in result["msg"]
