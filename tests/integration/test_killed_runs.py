# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed at random moments, and what the next run makes of it: always what was wanted, and nothing besides."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, Run, make_source, why_not

pytestmark = [pytest.mark.long(minutes=30), pytest.mark.skipif(bool(why_not()), reason=why_not())]

ALL = {"mysql", "redis", "elasticsearch", "minio", "etcd", "milvus", "nsqlookupd", "nsqd", "nsqadmin", "coze-server", "coze-web"}
SEED = 20261130
FIRST, CHANGES = 4, 16
OTHER = "cozeops-lab/another-server:1"
#: What a stack is changed from and to, again and again: memory, environment and the server's image.
WANTED: list[dict[str, Any]] = [
    {},
    {"redis_memory": "200m", "nsq_memory": "100m", "mysql_memory": "1100m", "stack_env": {"LOG_LEVEL": "warn"}, "stack_images": {"coze-server": OTHER}},
]


class Stack:
    def __init__(self, host: LabHost, source: str) -> None:
        self.host, self.source = host, source
        self.dice = random.Random(SEED)
        self.wanted = WANTED[0]

    def site(self, wanted: dict[str, Any]) -> Run:
        return self.host.site(stack_source=self.source, **wanted)

    def killed(self, playbook: str, after: float, **variables: Any) -> bool:
        """Kill a run after so many seconds, with all that it has started here; False if it ended before."""
        with self.host.play_in_background(playbook, **variables) as process:
            time.sleep(after)
            return process.poll() is None

    def moments(self, number: int, length: float) -> list[float]:
        """A random one in each of as many equal parts of a run."""
        return [length * (part + self.dice.random()) / number for part in range(number)]

    def sql(self, text: str) -> str:
        return self.host.shell(f"docker exec coze-mysql sh -c 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql -uroot -N $MYSQL_DATABASE -e \"{text}\"'").strip()

    def leaves_marks(self) -> None:
        """What somebody has written, in a database, a key store and a bucket."""
        self.sql("INSERT INTO user (id, name, unique_name, email, created_at) VALUES (7, \\\"mark\\\", \\\"mark\\\", \\\"mark\\\", 1)")
        self.host.shell("docker exec coze-etcd sh -c 'etcdctl put /mark mark'")

    def has_marks(self) -> bool:
        return self.sql("SELECT name FROM user WHERE id = 7") == "mark" and "mark" in self.host.shell("docker exec coze-etcd sh -c 'etcdctl get /mark'")

    def containers(self) -> dict[str, str]:
        out = self.host.shell("docker ps -a --format '{{.Names}} {{.State}}'")
        return dict(line.split() for line in out.splitlines())

    def is_clean(self) -> None:
        """What is there is the stack, and nothing that a run has left."""
        assert self.containers() == {"coze-" + name: "running" for name in ALL}
        names = " -o ".join(f"-name '{pattern}'" for pattern in ("*.lock", "*.new", "*.tmp", ".ansible*", "*.partial"))
        assert self.host.shell(f"find /opt/cozeops /run/cozeops -path '*/data/*' -prune -o \\( {names} \\) -print") == ""
        assert self.host.shell("ls -d /tmp/cozeops-* /root/.ansible/tmp/* 2>/dev/null || true") == ""

    def is_as_wanted(self, wanted: dict[str, Any], what: str) -> None:
        """After one more run; the next one has nothing to do."""
        run = self.site(wanted)
        assert run.code == 0, f"{what}\n{run!r}"
        self.is_clean()
        again = self.site(wanted)
        assert (again.code, again.changed) == (0, 0), f"{what}\n{again!r}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("killed")
    print(f"seed {SEED}")
    found = Stack(LabHost("resilience-killed", folder), str(make_source("0.5", folder / "source")))
    found.host.shell(f"docker commit $(docker create {json.loads(found.host.shell('docker image inspect cozedev/coze-studio-server:0.5.1'))[0]['Id']}) {OTHER}")
    found.host.shell("docker ps -aq | xargs docker rm")
    yield found
    found.host.destroy()


def test_a_first_deployment_that_was_killed_is_finished_by_the_next_run(stack: Stack) -> None:
    begun = time.monotonic()
    stack.site(WANTED[0]).must_pass(changed=True)
    length = time.monotonic() - begun
    for number, moment in enumerate(stack.moments(FIRST, length)):
        stack.host.play("teardown", stack_teardown_confirm="coze", stack_teardown_data=True).must_pass(changed=True)
        assert stack.killed("site", moment, stack_source=stack.source) or moment > 0.8 * length
        print(f"first deployment {number}: killed after {moment:.1f} of {length:.1f} s: {sorted(stack.containers())}")
        stack.is_as_wanted(WANTED[0], f"first deployment, killed after {moment:.1f} of {length:.1f} s")


@pytest.fixture(scope="module")
def deployed(stack: Stack) -> Stack:
    stack.site(WANTED[0]).must_pass()
    stack.leaves_marks()
    return stack


def test_a_change_that_was_killed_is_finished_by_the_next_run(deployed: Stack) -> None:
    stack = deployed
    begun = time.monotonic()
    stack.site(WANTED[1]).must_pass(changed=True)
    length = time.monotonic() - begun
    for number, moment in enumerate(stack.moments(CHANGES, length)):
        stack.wanted = wanted = WANTED[number % 2]
        assert stack.killed("site", moment, stack_source=stack.source, **wanted) or moment > 0.8 * length
        there = {name: state for name, state in stack.containers().items() if state != "running" or name.endswith("-previous")}
        print(f"change {number}: killed after {moment:.1f} of {length:.1f} s: {there}")
        stack.is_as_wanted(wanted, f"change, killed after {moment:.1f} of {length:.1f} s, with {there}")
        assert stack.has_marks()


@pytest.mark.parametrize("playbook", ["stop", "start", "backup"])
def test_what_a_killed_run_has_stopped_is_started_again(deployed: Stack, playbook: str) -> None:
    """By a start that comes at once, while the host still does what the run before has begun."""
    stack = deployed
    if playbook == "start":
        stack.host.play("stop").must_pass(changed=True)

    def halfway() -> bool:
        running = sum(state == "running" for state in stack.containers().values())
        # A backup is killed when all is stopped: its second pass, or the start that follows.
        return running == 0 if playbook == "backup" else 0 < running < len(ALL)

    with stack.host.play_in_background(playbook) as process:
        while not halfway():
            assert process.poll() is None
            time.sleep(0.1)
    print(f"{playbook}.yml killed: {sorted(name for name, state in stack.containers().items() if state != 'running')} do not run")
    run = stack.host.play("start")
    run.must_pass(changed=True)
    assert "That run is no more, so its lock was broken" in run.flat
    # What goes on behind would have stopped something by now.
    time.sleep(5)
    stack.is_clean()
    assert stack.has_marks()
    stack.host.play("status").must_pass()


def test_a_backup_after_one_that_was_killed_is_whole(deployed: Stack) -> None:
    stack = deployed
    stack.host.shell("cd /var/backups/cozeops/coze && set -- *.partial && test -d $1/tree && mv $1 20200101T000000Z.partial")
    stack.host.play("backup").must_pass(changed=True)
    names = stack.host.shell("ls /var/backups/cozeops/coze").split()
    assert len(names) == 1 and not names[0].endswith(".partial")
    stack.is_as_wanted(stack.wanted, "after a backup")
