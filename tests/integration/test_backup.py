# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup is made of a stack that runs, and its data are put back after they were spoilt."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, make_source, why_not

pytestmark = [pytest.mark.long(minutes=9), pytest.mark.skipif(bool(why_not()), reason=why_not())]

BACKUPS = "/var/backups/cozeops/coze"
SQL = "docker exec coze-mysql sh -c 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql -uroot -N $MYSQL_DATABASE -e \"%s\"'"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    folder = tmp_path_factory.mktemp("backup")
    lab = LabHost("backup", folder)
    lab.site(stack_source=str(make_source("0.5", folder / "source"))).must_pass(changed=True)
    (folder / "source").rename(folder / "gone")
    # A user's own key in Redis, which no run makes.
    lab.shell("docker exec coze-redis sh -c 'REDISCLI_AUTH=$REDIS_PASSWORD redis-cli set mark here'")
    yield lab
    lab.destroy()


def backups(lab: LabHost) -> list[str]:
    return lab.shell(f"ls {BACKUPS} 2>/dev/null || true").split()


def running(lab: LabHost) -> int:
    return len(lab.shell("docker ps -q").split())


def users(lab: LabHost) -> int:
    return int(lab.shell(SQL % "SELECT COUNT(*) FROM user"))


def test_a_backup_is_made_with_a_short_pause(host: LabHost) -> None:
    ids = host.shell("docker ps -aq --no-trunc | sort")
    told = host.play("backup", "--check")
    told.must_pass(changed=True)
    assert "stop 11 services for as long as it takes" in told.flat and backups(host) == [] and running(host) == 11
    run = host.play("backup")
    run.must_pass(changed=True)
    (name,) = backups(host)
    assert f"{BACKUPS}/{name} has coze: " in run.flat and "The stack paused for " in run.flat
    manifest = json.loads(host.shell(f"cat {BACKUPS}/{name}/manifest.json"))
    assert (manifest["stack"], manifest["release"]) == ("coze", "0.5") and manifest["counts"]["mysql"]["user"] == users(host)
    assert manifest["counts"]["minio"]["opencoze"] > 5 and "project_draft" in manifest["counts"]["elasticsearch"]
    assert running(host) == 11 and host.shell("docker ps -aq --no-trunc | sort") == ids, "nothing is made anew"
    assert host.shell(f"stat -c %a {BACKUPS}").strip() == "700"
    host.play("status").must_pass()


def test_a_second_one_costs_what_is_new(host: LabHost) -> None:
    run = host.play("backup", stack_backup_keep=2)
    run.must_pass(changed=True)
    first, second = backups(host)
    both, one = (int(host.shell(f"du -sm {paths} | tail -n1 | cut -f1")) for paths in (f"-c {BACKUPS}/{first} {BACKUPS}/{second}", f"{BACKUPS}/{first}"))
    assert both < 2 * one


def test_spoilt_data_are_put_back_and_kept_aside(host: LabHost) -> None:
    before, name = users(host), backups(host)[-1]
    host.shell(SQL % "DELETE FROM user")
    host.shell("docker stop -t 5 coze-redis; rm -rf /opt/cozeops/coze/data/minio/opencoze")
    host.play("restore").must_fail("stack_restore_confirm=coze")
    assert users(host) == 0
    told = host.play("restore", "--check", stack_restore_confirm="coze")
    told.must_pass(changed=True)
    assert users(host) == 0
    run = host.play("restore", stack_restore_confirm="coze")
    run.must_pass(changed=True)
    assert f"coze has its data of {name} again; all counts are as they were." in run.flat
    assert users(host) == before and running(host) == 11
    host.play("status").must_pass()
    host.play("doctor").must_pass()
    kept = host.shell("ls -d /opt/cozeops/coze/before-*/data").split()
    assert len(kept) == 1 and host.shell(f"test -d {kept[0]}/minio/opencoze || echo gone").strip() == "gone"


def test_a_damaged_or_foreign_backup_changes_nothing(host: LabHost) -> None:
    name = backups(host)[0]
    since = host.started()
    host.shell(f"echo x >> {BACKUPS}/{name}/tree/stack.json")
    host.play("restore", stack_restore_id=name, stack_restore_confirm="coze").must_fail("is damaged: stack.json is another one than was written.")
    host.play("restore", stack_restore_id="20200101T000000Z", stack_restore_confirm="coze").must_fail("is no finished backup: it has no manifest.json")
    latest = backups(host)[-1]
    host.shell(f"sed -i 's/\"release\": \"0.5\"/\"release\": \"0.3\"/' {BACKUPS}/{latest}/manifest.json")
    host.play("restore", stack_restore_confirm="coze").must_fail("is of coze, release 0.3, and the stack is coze, release 0.5. Nothing was changed.")
    assert host.started() == since


def test_a_backup_that_cannot_be_made_leaves_the_stack_running(host: LabHost) -> None:
    host.shell("mount -t tmpfs -o size=20m tmpfs /mnt")
    had = backups(host)
    run = host.play("backup", stack_backup_dir="/mnt/backups")
    run.must_fail("There is no backup of coze: /mnt/backups has ", "Make room there, or set stack_backup_dir to another file system.")
    assert running(host) == 11 and host.shell("ls -A /mnt/backups").strip() == "" and backups(host) == had
    host.play("backup", stack_services=["mysql"]).must_fail("A backup is of the whole stack, as its stores belong together")


PASSPHRASE = "p'\"$s \\#:"


def test_passwords_in_a_backup_are_encrypted(host: LabHost) -> None:
    # Every second password is a quoted one: the values themselves must not be in any file of the backup.
    secrets = host.shell("cat /opt/cozeops/coze/env/mysql.env /opt/cozeops/coze/state/secrets.env")
    values = [line.partition("=")[2] for line in secrets.splitlines() if "PASSWORD" in line or "KEY" in line]
    run = host.play("backup", "-vvv", stack_backup_passphrase=PASSPHRASE)
    run.must_pass(changed=True)
    assert "Its passwords are encrypted with stack_backup_passphrase" in run.flat
    assert not [value for value in [*values, "p'\"$s"] if value in run.output]
    path = f"{BACKUPS}/{backups(host)[-1]}"
    for value in values:
        assert host.shell(f"grep -rlF -e '{value}' {path} --exclude-dir=data || true") == ""
    assert host.shell(f"head -c 14 {path}/tree/private.vault") == "$ANSIBLE_VAULT"
    since = host.started()
    whole = {"stack_restore_confirm": "coze", "stack_restore_whole": True}
    host.play("restore", **whole).must_fail("is encrypted. Nothing was changed. Set stack_backup_passphrase to the passphrase that it was made with.")
    host.play("restore", **whole, stack_backup_passphrase="other").must_fail("stack_backup_passphrase is not the passphrase that it was made with. Nothing was")
    assert host.started() == since
    host.shell("sed -i 's/^MYSQL_PASSWORD=.*/MYSQL_PASSWORD=spoilt/' /opt/cozeops/coze/env/*.env")
    host.play("restore", **whole, stack_backup_passphrase=PASSPHRASE).must_pass(changed=True)
    assert host.shell("cat /opt/cozeops/coze/env/mysql.env /opt/cozeops/coze/state/secrets.env") == secrets
    host.play("status").must_pass()


def mark(lab: LabHost, stack: str) -> str:
    return lab.shell(f"docker exec {stack}-redis sh -c 'REDISCLI_AUTH=$REDIS_PASSWORD redis-cli get mark'").strip()


def test_a_stack_of_another_name_is_made_of_a_backup(host: LabHost) -> None:
    second = {"stack_name": "second", "stack_restore_of": "coze", "stack_backup_passphrase": PASSPHRASE}
    since = host.started()
    host.play("restore", **second).must_fail("Only data would go back. Nothing was changed. A backup of coze becomes a stack of another name with")
    host.play("restore", **second, stack_restore_whole=True).must_fail("This makes second of coze, with its release, files and data of")
    assert host.started("second") == {}
    run = host.play("restore", **second, stack_restore_whole=True, stack_restore_confirm="second")
    run.must_pass(changed=True)
    assert "second has the data of coze of " in run.flat and "all counts are as they were. Its stores run." in run.flat
    assert mark(host, "second") == "here" and "second-coze-web" not in host.started("second")
    # Its own place for people to come in.
    own = {"stack_name": "second", "stack_source": str(host.folder / "gone"), "stack_public_url": "http://127.0.0.1:8898"}
    host.site(**own).must_pass(changed=True)
    assert len(host.started("second")) == 11 and host.started() == since
    # Those of the first, and an administrator and a prober of its own.
    assert int(host.shell(SQL.replace("coze-mysql", "second-mysql") % "SELECT COUNT(*) FROM user")) == users(host) + 2
    host.site(**own).must_pass(changed=False)
    host.play("restore", **second, stack_restore_whole=True, stack_restore_confirm="second").must_fail("The stack second is there already")
    host.play("teardown", stack_name="second", stack_teardown_confirm="second", stack_teardown_data=True).must_pass(changed=True)
    assert host.started() == since and host.shell("ls /opt/cozeops").split() == ["coze"]


def test_a_stack_moves_to_another_directory(host: LabHost) -> None:
    new = {"stack_root": "/srv/coze", "stack_restore_whole": True, "stack_restore_confirm": "coze", "stack_backup_passphrase": PASSPHRASE}
    host.play("restore", **new).must_fail("of coze run, and not from /srv/coze. Nothing was changed.")
    before = users(host)
    run = host.play("backup", stack_backup_stop=True, stack_backup_passphrase=PASSPHRASE)
    run.must_pass(changed=True)
    assert running(host) == 0 and "The stack is stopped, since" in run.flat
    host.play("restore", **new).must_pass(changed=True)
    assert running(host) == 11 and users(host) == before and mark(host, "coze") == "here"
    assert '"Source":"/opt/cozeops' not in host.shell("docker ps -q | xargs docker inspect -f '{{json .Mounts}}'")
    host.shell("rm -r /opt/cozeops/coze")
    there = {"stack_root": "/srv/coze", "stack_source": str(host.folder / "gone")}
    host.site(**there).must_pass()
    host.site(**there).must_pass(changed=False)
    host.play("status", stack_root="/srv/coze").must_pass()
