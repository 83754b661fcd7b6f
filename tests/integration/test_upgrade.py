# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack goes from release to release, goes back when anything fails on the way or when its operator regrets it, and loses nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, make_source, why_not

pytestmark = [pytest.mark.long(minutes=14), pytest.mark.skipif(bool(why_not()), reason=why_not())]

BACKUPS = "/var/backups/cozeops/coze"
STORES = {"mysql", "redis", "elasticsearch", "minio", "etcd", "milvus", "nsqlookupd", "nsqd", "nsqadmin"}
SERVICES = {"0.2": {*STORES, "coze-server"}, "0.3": {*STORES, "coze-server", "coze-web"}, "0.5": {*STORES, "coze-server", "coze-web"}}


class Stack:
    """A stack on a host of the lab, and source trees of all lines."""

    def __init__(self, folder: Path) -> None:
        self.host, self.folder = LabHost("upgrade", folder), folder
        self.sources = {line: make_source(line, folder / line) for line in SERVICES}

    def play(self, playbook: str, line: str, *arguments: str, **variables: Any) -> Any:
        return self.host.play(playbook, *arguments, **{"stack_source": str(self.sources[line]), **variables})

    def sql(self, text: str) -> str:
        return self.host.shell(f"docker exec coze-mysql sh -c 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql -uroot -N $MYSQL_DATABASE -e \"{text}\"'").strip()

    def release(self) -> str:
        return str(json.loads(self.host.shell("cat /opt/cozeops/coze/stack.json"))["release"])

    def running(self) -> set[str]:
        return {name.removeprefix("coze-") for name in self.host.shell("docker ps --format '{{.Names}}'").split()}

    def containers(self) -> str:
        return self.host.shell("docker ps -aq --no-trunc | sort")

    def backups(self) -> list[str]:
        return self.host.shell(f"ls {BACKUPS} 2>/dev/null || true").split()

    def leaves_a_mark(self, name: str) -> None:
        """What somebody has written, in two stores."""
        quoted = f'\\"{name}\\"'
        self.sql(f"INSERT INTO user (id, name, unique_name, email, created_at) VALUES ({int(name[4:])}, {quoted}, {quoted}, {quoted}, 1)")
        self.host.shell(f"docker exec coze-etcd sh -c 'etcdctl put /mark/{name} {name}'")

    def marks(self) -> tuple[set[str], set[str]]:
        rows = set(self.sql("SELECT name FROM user WHERE name LIKE \\\"mark%\\\"").split())
        keys = self.host.shell("docker exec coze-etcd sh -c 'etcdctl get --prefix /mark --keys-only'").split()
        return rows, {key.removeprefix("/mark/") for key in keys}

    def is_well(self, line: str, *marks: str) -> None:
        assert (self.release(), self.running()) == (line, SERVICES[line])
        assert self.marks() == (set(marks), set(marks))
        self.host.play("status").must_pass()
        assert "-previous" not in self.host.shell("docker ps -a --format '{{.Names}}'")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    found = Stack(tmp_path_factory.mktemp("upgrade"))
    found.play("upgrade", "0.3").must_fail("The stack coze is not on this host: there is no /opt/cozeops/coze/stack.json. Deploy it with site.yml.")
    found.play("site", "0.2").must_pass(changed=True)
    yield found
    found.host.destroy()


def test_another_release_is_not_deployed_by_the_way(stack: Stack) -> None:
    before = stack.containers()
    stack.play("site", "0.3").must_fail("The stack coze is of release 0.2, and stack_source has release 0.3. Nothing was changed. Run upgrade.yml")
    assert stack.containers() == before and stack.release() == "0.2"
    stack.play("plan", "0.3").must_pass()


def test_an_upgrade_is_told_then_done_and_a_second_one_has_nothing_to_do(stack: Stack) -> None:
    stack.leaves_a_mark("mark1")
    before = stack.containers()
    told = stack.play("upgrade", "0.3", "--check", "--diff")
    told.must_pass(changed=True)
    for text in ("The stack coze goes from release 0.2 to 0.3:", "ALTER TABLE", "would copy /opt/cozeops/coze to"):
        assert text in told.flat, text
    assert stack.containers() == before and stack.backups() == [] and stack.release() == "0.2"
    run = stack.play("upgrade", "0.3")
    run.must_pass(changed=True)
    stack.is_well("0.3", "mark1")
    (name,) = stack.backups()
    assert f"The backup of before is {BACKUPS}/{name}." in run.flat
    assert json.loads(stack.host.shell(f"cat {BACKUPS}/{name}/manifest.json"))["upgrade"] == {"from": "0.2", "to": "0.3"}
    assert stack.host.shell("ls -d /tmp/cozeops-* 2>/dev/null || true") == ""
    stack.play("upgrade", "0.3").must_pass(changed=False)
    assert stack.backups() == [name]
    stack.play("site", "0.3").must_pass(changed=False)


def test_a_downgrade_is_refused(stack: Stack) -> None:
    before = stack.containers()
    for playbook in ("upgrade", "site"):
        run = stack.play(playbook, "0.2")
        run.must_fail("cannot read what 0.3 has written", "rollback.yml")
    assert stack.containers() == before and len(stack.backups()) == 1


def broken_migration(stack: Stack) -> dict[str, Any]:
    """A tree whose last migration fails in its second statement, for a reason that only MySQL sees."""
    tree = stack.folder / "broken"
    shutil.copytree(stack.sources["0.5"], tree)
    text = "ALTER TABLE `user` ADD COLUMN `extra` int NULL;\nALTER TABLE `user` ADD COLUMN `more` int NOT NULL DEFAULT 'x';\n"
    (tree / "docker/atlas/migrations/20991231000000_update.sql").write_text(text)
    return {"stack_source": str(tree)}


FAILURES: dict[str, tuple[Any, str]] = {
    "the schema": (broken_migration, "its init job mysql_schema failed"),
    "a store": ({"stack_images": {"etcd": "nsqio/nsq:v1.2.1"}}, "etcd"),
    "the server": ({"stack_images": {"coze-server": "nsqio/nsq:v1.2.1"}}, "coze-server"),
    "the entry": ({"stack_images": {"coze-web": "nsqio/nsq:v1.2.1"}}, "coze-web"),
    "the proof of the product": ({"verify_password": "not-the-password-1"}, "verify@"),
}


@pytest.mark.parametrize("step", FAILURES)
def test_an_upgrade_that_fails_ends_where_it_began(stack: Stack, step: str) -> None:
    variables, says = FAILURES[step]
    run = stack.play("upgrade", "0.5", **(variables(stack) if callable(variables) else variables))
    run.must_fail("The upgrade of coze failed: ", says, "The stack is what it was before the upgrade, release and data, and works.")
    stack.is_well("0.3", "mark1")
    assert "extra" not in stack.sql("SHOW COLUMNS FROM user").split()
    assert stack.sql("SHOW TABLES LIKE \\\"kv_entries\\\"") == ""
    stack.play("site", "0.3").must_pass(changed=False)
    # For the disk of the test's machine.
    stack.host.shell("rm -rf /opt/cozeops/coze/before-*")


def test_without_room_for_a_backup_nothing_is_touched(stack: Stack) -> None:
    stack.host.shell("mount -t tmpfs -o size=20m tmpfs /mnt")
    before = stack.containers()
    stack.play("upgrade", "0.5", stack_backup_dir="/mnt/backups").must_fail("There is no backup of coze: /mnt/backups has ")
    assert stack.containers() == before
    stack.is_well("0.3", "mark1")


def test_what_is_regretted_later_is_taken_back(stack: Stack) -> None:
    stack.play("upgrade", "0.5").must_pass(changed=True)
    stack.is_well("0.5", "mark1")
    stack.leaves_a_mark("mark2")
    before = stack.containers()
    stack.host.play("rollback").must_fail("stack_restore_confirm=coze", "What was written since is not in them.", "(release 0.3)")
    stack.host.play("rollback", "--check", stack_restore_confirm="coze").must_pass(changed=True)
    assert stack.containers() == before and stack.release() == "0.5"
    run = stack.host.play("rollback", stack_restore_confirm="coze")
    run.must_pass(changed=True)
    assert "coze has its release 0.3 and its data of " in run.flat and "see that stack_source is of release 0.3" in run.flat
    stack.is_well("0.3", "mark1")
    kept = stack.host.shell("ls -d /opt/cozeops/coze/before-*").split()
    assert len(kept) == 1 and set(stack.host.shell(f"ls {kept[0]}").split()) == {"conf", "data", "env", "stack.json"}
    stack.play("site", "0.5").must_fail("Run upgrade.yml")
    stack.play("site", "0.3").must_pass(changed=False)


def test_a_backup_brings_the_stack_to_a_host_that_has_nothing(stack: Stack) -> None:
    name = stack.backups()[-1]
    stack.host.shell("mkdir /elsewhere && cp -a /var/backups/cozeops/coze /elsewhere/coze")
    stack.host.play("teardown", stack_teardown_confirm="coze", stack_teardown_data=True).must_pass(changed=True)
    stack.host.shell("rm -rf /opt/cozeops/coze")
    told = {"stack_backup_dir": "/elsewhere/coze", "stack_restore_confirm": "coze"}
    stack.host.play("restore", **told).must_fail("The stack coze is not on this host")
    run = stack.host.play("restore", stack_restore_whole=True, **told)
    run.must_pass(changed=True)
    assert f"data of {name} again; all counts are as they were." in run.flat
    stack.is_well("0.3", "mark1")
    # The directory itself is not in a backup: its mode is put right, and no container is touched.
    since = stack.host.started()
    stack.play("site", "0.3").must_pass()
    assert stack.host.started() == since
    stack.play("site", "0.3").must_pass(changed=False)
