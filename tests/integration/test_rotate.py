# SPDX-License-Identifier: GPL-3.0-or-later
"""The passwords of a stack become others, with all that use them, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, Run, make_source, why_not

pytestmark = [pytest.mark.long(minutes=7), pytest.mark.skipif(bool(why_not()), reason=why_not())]

KEYS = ["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD", "REDIS_PASSWORD", "MINIO_ROOT_PASSWORD"]
SQL = "docker exec coze-mysql sh -c 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql -uroot -N $MYSQL_DATABASE -e \"%s\"'"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source("0.5", tmp_path_factory.mktemp("source") / "source")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Iterator[LabHost]:
    lab = LabHost("rotate", tmp_path_factory.mktemp("rotate"))
    rotate(lab, source).must_fail("The stack coze is not on this host: there is no /opt/cozeops/coze/stack.json. Deploy it with site.yml.")
    lab.site(stack_source=str(source)).must_pass(changed=True)
    lab.shell("docker exec coze-redis sh -c 'REDISCLI_AUTH=$REDIS_PASSWORD redis-cli set mark here'")
    yield lab
    lab.destroy()


def rotate(lab: LabHost, source: Path, *arguments: str, **variables: Any) -> Run:
    return lab.play("rotate", *arguments, stack_source=str(source), **variables)


def secrets(lab: LabHost) -> dict[str, str]:
    return {key: str(value) for key, value in yaml.safe_load((lab.folder / "secrets" / "coze.yml").read_text(encoding="utf-8")).items()}


def accepted(lab: LabHost, values: dict[str, str]) -> list[str]:
    """Keys whose values the running stores take."""
    asks = {
        "MYSQL_ROOT_PASSWORD": "docker exec -i -e MYSQL_PWD=\"$V\" coze-mysql mysql -h127.0.0.1 -uroot -e 'SELECT 1'",
        "MYSQL_PASSWORD": "docker exec -i -e MYSQL_PWD=\"$V\" coze-mysql mysql -h127.0.0.1 -ucoze -e 'SELECT 1'",
        "REDIS_PASSWORD": 'docker exec -i -e REDISCLI_AUTH="$V" coze-redis redis-cli ping | grep -q PONG',
        "MINIO_ROOT_PASSWORD": 'docker exec -i -e V="$V" -e MC_CONFIG_DIR=/tmp/.mc coze-minio sh -c \'mc alias set x http://127.0.0.1:9000 minioadmin "$V"\'',
    }
    found = []
    for key in KEYS:
        argv = ["docker", "exec", "-e", "V=" + values[key], lab.container, "sh", "-c", asks[key]]
        if subprocess.run(argv, capture_output=True, check=False).returncode == 0:
            found.append(key)
    return found


def held(lab: LabHost) -> tuple[str, str, str]:
    """What people have in the stores: users, lasting files, and a key of Redis."""
    users = lab.shell(SQL % "SELECT id, email FROM user ORDER BY id")
    objects = lab.shell("ls /opt/cozeops/coze/data/minio/opencoze /opt/cozeops/coze/data/minio/opencoze/BIZ_BOT_ICON")
    key = lab.shell("docker exec coze-redis sh -c 'REDISCLI_AUTH=$REDIS_PASSWORD redis-cli get mark'")
    return users, objects, key


def test_all_passwords_become_others(host: LabHost, source: Path) -> None:
    old, since = secrets(host), host.started()
    assert accepted(host, old) == KEYS
    told = rotate(host, source, "--check")
    told.must_pass(changed=True)
    assert "coze gets other values for MYSQL_ROOT_PASSWORD, MYSQL_PASSWORD, REDIS_PASSWORD, MINIO_ROOT_PASSWORD" in told.flat
    assert "mysql, redis, minio, milvus, coze-server will be stopped, and made anew." in told.flat
    assert (secrets(host), host.started(), accepted(host, old)) == (old, since, KEYS)
    before = held(host)
    run = rotate(host, source, "-vvv")
    run.must_pass(changed=True)
    new = secrets(host)
    assert [key for key in {**old, **new} if old.get(key) != new.get(key)] == KEYS
    assert [value for value in {*old.values(), *new.values()} if value in run.output] == [], "no secret is shown"
    assert (accepted(host, new), accepted(host, old)) == (KEYS, [])
    # The files of the check of the product are there as well.
    users, objects, mark = held(host)
    assert (users, mark) == (before[0], before[2]) and set(before[1].split()) <= set(objects.split())
    unmoved = {name for name, time in host.started().items() if since[name] == time}
    assert {"coze-elasticsearch", "coze-etcd", "coze-nsqd"} <= unmoved
    host.site(stack_source=str(source)).must_pass(changed=False)
    host.play("status").must_pass()
    host.play("doctor").must_pass()


def test_the_operators_own_value_is_taken_whatever_is_in_it(host: LabHost, source: Path) -> None:
    hard = {"MYSQL_PASSWORD": 'a"$b`c #d;%25&e=@:/?(é', "MINIO_ROOT_PASSWORD": "a'\"$b`c\\ #d;%25&e=@:/?(é"}
    old = secrets(host)
    host.site(stack_source=str(source), stack_env=hard).must_fail(
        "MYSQL_PASSWORD: data/mysql was made with another value. Give that one again, or run rotate.yml, which changes it in the data too."
    )
    run = rotate(host, source, stack_env=hard, stack_rotate_keys=list(hard))
    run.must_pass(changed=True)
    assert accepted(host, {**old, **hard}) == KEYS and set(accepted(host, old)) == {"MYSQL_ROOT_PASSWORD", "REDIS_PASSWORD"}
    rotate(host, source, stack_env=hard, stack_rotate_keys=list(hard)).must_fail(
        "MYSQL_PASSWORD: its value is given in stack_env or the .env, and is the one in use. Give the new one there."
    )
    rotate(host, source, stack_rotate_keys=["PLUGIN_AES_AUTH_SECRET"]).must_fail("what data/mysql holds was written with it, and could not be read any more")
    # Back to those of the secrets file.
    rotate(host, source, stack_rotate_keys=list(hard)).must_pass(changed=True)
    assert accepted(host, old) == KEYS and secrets(host) == old


def test_what_was_cut_off_goes_on(host: LabHost, source: Path) -> None:
    old = secrets(host)
    mysql = "docker inspect -f '{{.Id}} {{.State.Running}}' coze-mysql"
    before = host.shell(mysql)
    with host.play_in_background("rotate", stack_source=str(source)) as process:
        # MySQL has its new container, and the others are stopped.
        deadline = time.monotonic() + 300
        while host.shell(mysql, check=False).split()[1:] != ["true"] or host.shell(mysql, check=False) == before:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGKILL)
    assert "coze-coze-server" not in host.shell("docker ps --format '{{.Names}}'").split()
    new = secrets(host)
    assert old["MYSQL_PASSWORD"] != new["MYSQL_PASSWORD"]
    run = rotate(host, source)
    run.must_pass(changed=True)
    last = secrets(host)
    assert accepted(host, last) == KEYS and accepted(host, old) == []
    assert held(host)[2].strip() == "here"
    host.site(stack_source=str(source)).must_pass(changed=False)


def test_an_older_backup_goes_back_with_its_passwords(host: LabHost, source: Path) -> None:
    host.play("backup").must_pass(changed=True)
    old = secrets(host)
    rotate(host, source).must_pass(changed=True)
    host.play("restore", stack_restore_confirm="coze").must_fail(
        "was made when MYSQL_PASSWORD, MYSQL_ROOT_PASSWORD, REDIS_PASSWORD, MINIO_ROOT_PASSWORD", "had another value. Nothing was changed."
    )
    host.play("restore", stack_restore_confirm="coze", stack_restore_whole=True).must_pass(changed=True)
    assert accepted(host, old) == KEYS
    host.site(stack_source=str(source)).must_fail("or run rotate.yml, which changes it in the data too")
    rotate(host, source).must_pass(changed=True)
    assert accepted(host, secrets(host)) == KEYS and accepted(host, old) == []
