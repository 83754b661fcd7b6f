# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that make way for new ones, on the Engine of this machine, and whole runs that fail or are killed, on a host of their own.

The runs share a host and stand in the order of its life; each leaves the stack as it found it, or says what it changed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.modules import container_swap
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, make_source, why_not
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]

NSQ = "nsqio/nsq:v1.2.1"
NAME, KEPT, PEER, NETWORK = "swap-nsq", "swap-nsq-previous", "swap-peer", "swap-net"
SECRET = "swap-s3cret-of-the-test"


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], check=False, text=True, capture_output=True)
    if done.returncode != 0:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def eventually(check: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not true after {seconds} s"
        time.sleep(0.1)


# -- the module, on the Engine of this machine


class Bench:
    """A container in a network, with an alias and a published port, and the module."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys, self.port = root, capsys, free_port()
        (root / "env").mkdir()
        (root / "env" / "nsq.env").write_text(f"NSQ_PASSWORD={SECRET}\n")

    def make(self, *command: str, policy: str = "unless-stopped", start: bool = True) -> str:
        """A container as the role would make it; its id."""
        given = ["--name", NAME, "--network", NETWORK, "--network-alias", "swap-alias", "--publish", f"127.0.0.1:{self.port}:4161", "--restart", policy]
        docker("create", *given, "--stop-timeout", "5", "--tmpfs", "/data", NSQ, *(command or ["/nsqlookupd"]))
        if start:
            docker("start", NAME)
        return self.inspect(NAME)["Id"]

    def inspect(self, name: str) -> dict[str, Any]:
        return json.loads(docker("inspect", name))[0]

    def names(self) -> dict[str, str]:
        """name -> id of what there is."""
        lines = docker("ps", "-a", "--no-trunc", "--filter", f"name={NAME}", "--format", "{{.Names}} {{.ID}}").splitlines()
        return dict(line.split() for line in lines)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=2) as answer:
                return answer.read() == b"OK"
        except OSError:
            return False

    def address(self) -> str:
        """What the alias leads to."""
        return docker("exec", PEER, "getent", "hosts", "swap-alias").split()[0]

    def swap(self, state: str, check: bool = False) -> dict[str, Any]:
        return run_main(container_swap.main, self.capsys, {"root": str(self.root), "state": state, "containers": [NAME]}, check)

    def four_times(self, state: str) -> dict[str, Any]:
        """Check, do, again, again in check mode; the result of the second."""
        before = self.names()
        check = self.swap(state, check=True)
        assert self.names() == before
        done = self.swap(state)
        again, again_in_check = self.swap(state), self.swap(state, check=True)
        assert [run["failed"] for run in (check, done, again, again_in_check)] == [False] * 4
        assert [run["changed"] for run in (check, done, again, again_in_check)] == [True, True, False, False]
        assert steady(check["diff"]) == steady(done["diff"])
        assert again["diff"]["before"] == again["diff"]["after"]
        return done


def steady(diff: dict[str, str]) -> dict[str, str]:
    """A container that ends again and again is one moment running and the next restarting."""
    return {key: text.replace("restarting", "running") for key, text in diff.items()}


def clear() -> None:
    subprocess.run(["docker", "rm", "-f", NAME, KEPT, PEER], capture_output=True, check=False)
    subprocess.run(["docker", "network", "rm", NETWORK], capture_output=True, check=False)


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    clear()
    docker("network", "create", NETWORK)
    docker("run", "-d", "--name", PEER, "--network", NETWORK, "--tmpfs", "/data", NSQ, "/nsqlookupd")
    yield Bench(tmp_path, capsys)
    clear()


def test_a_new_container_takes_the_port_and_the_alias_and_the_old_one_goes(bench: Bench) -> None:
    old = bench.make()
    bench.four_times("aside")
    assert bench.names() == {KEPT: old}
    new = bench.make()
    eventually(bench.answers)
    bench.four_times("committed")
    assert bench.names() == {NAME: new}
    assert bench.answers()
    assert bench.address() == bench.inspect(NAME)["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]


def test_the_old_container_comes_back_with_its_port_alias_and_restart_policy(bench: Bench) -> None:
    old = bench.make()
    aliases = set(bench.inspect(NAME)["NetworkSettings"]["Networks"][NETWORK]["Aliases"])
    bench.swap("aside")
    assert bench.inspect(KEPT)["HostConfig"]["RestartPolicy"]["Name"] == "no"
    bench.make("sh", "-c", f"echo bad password {SECRET}; exit 3")
    eventually(lambda: bench.inspect(NAME)["RestartCount"] > 0)
    done = bench.four_times("restored")
    assert bench.names() == {NAME: old}
    eventually(bench.answers)
    shown = bench.inspect(NAME)
    assert set(shown["NetworkSettings"]["Networks"][NETWORK]["Aliases"]) == aliases
    assert shown["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert bench.address() == shown["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
    assert done["swaps"][0]["log"][-1].startswith("bad password")
    assert SECRET not in json.dumps(done)


def test_the_old_container_comes_back_where_the_new_one_could_not_be_started(bench: Bench) -> None:
    old = bench.make()
    bench.swap("aside")
    bench.make("/no-such-command", start=False)
    assert subprocess.run(["docker", "start", NAME], capture_output=True, check=False).returncode != 0
    bench.four_times("restored")
    assert bench.names() == {NAME: old}
    eventually(bench.answers)


def test_the_old_container_is_kept_while_the_new_one_does_not_run(bench: Bench) -> None:
    old = bench.make()
    bench.swap("aside")
    new = bench.make(start=False)
    result = bench.swap("committed")
    assert (result["failed"], result["msg"]) == (True, f"{NAME} is created, so {KEPT} is kept")
    assert bench.names() == {NAME: new, KEPT: old}


def test_a_paused_and_an_ended_container_are_put_aside_too(bench: Bench) -> None:
    old = bench.make()
    docker("pause", NAME)
    bench.four_times("aside")
    bench.four_times("restored")
    docker("stop", NAME)
    bench.four_times("aside")
    bench.four_times("restored")
    assert bench.names() == {NAME: old}
    eventually(bench.answers)


# -- whole runs


SMALL = {"stack_services": ["redis", "nsqlookupd", "nsqd", "nsqadmin"]}
EVERY = {"coze-redis", "coze-nsqlookupd", "coze-nsqd", "coze-nsqadmin"}
#: In place of Redis: one that ends at once, and one that runs and never answers on Redis' port.
ENDS, DEAF = {"redis": "bitnamilegacy/etcd:3.5"}, {"redis": "swap/deaf:1"}
LABELS = "--label cozeops.stack=coze --label cozeops.service=redis"


class Lab(LabHost):
    """A lab host with a stack of four small services."""

    source: Path

    def run(self, *arguments: str, **variables: Any) -> Any:
        return self.site(*arguments, **{"stack_source": str(self.source), **SMALL, **variables})

    def run_that_is_killed(self) -> None:
        """Between the stop of the earlier container of Redis and the proof of the new one."""
        with self.site_in_background(stack_source=str(self.source), **SMALL, stack_images=DEAF) as process:
            eventually(lambda: DEAF["redis"] in self.shell("docker ps --format '{{.Image}}'"), 60)
            os.killpg(process.pid, signal.SIGKILL)

    def ids(self) -> dict[str, str]:
        """name -> id of every container of the host."""
        return dict(line.split() for line in self.shell("docker ps -a --format '{{.Names}} {{.ID}}'").splitlines())

    def inspect(self, name: str) -> dict[str, Any]:
        return json.loads(self.shell(f"docker inspect {name}"))[0]

    def redis_answers(self) -> bool:
        return "PONG" in self.shell("docker exec coze-redis sh -c 'REDISCLI_AUTH=\"$REDIS_PASSWORD\" redis-cli ping' 2>&1", check=False)

    def restart_engine(self, signal_name: str) -> None:
        """TERM: in order. KILL: as after a crash; the Engine then ends what it finds running and, as of 26.1, starts only what has the policy always."""
        self.shell(f"kill -{signal_name} $(cat /run/docker.pid); while pgrep -x dockerd >/dev/null; do sleep 0.1; done; rm -f /run/docker.pid")
        self.shell("setsid --fork dockerd >> /var/log/dockerd.log 2>&1 < /dev/null; until docker info >/dev/null 2>&1; do sleep 0.2; done")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab_host = Lab("swap", tmp_path_factory.mktemp("inventory"))
    try:
        lab_host.source = make_source("0.5", tmp_path_factory.mktemp("tree") / "0.5")
        change = "--change 'ENTRYPOINT [\"/nsqlookupd\"]' --change 'CMD []'"
        lab_host.shell(f"docker create --name swap-tmp {NSQ} /nsqlookupd && docker commit {change} swap-tmp {DEAF['redis']} && docker rm -v swap-tmp")
        lab_host.run().must_pass()
        assert set(lab_host.ids()) == EVERY
        yield lab_host
    finally:
        lab_host.destroy()


@pytest.fixture
def others_untouched(lab: Lab) -> Iterator[None]:
    """Nothing but Redis was started meanwhile, and no container is left behind."""
    before = lab.started()
    yield
    after = lab.started()
    assert {name for name in after if after[name] != before[name]} <= {"coze-redis"}
    assert set(lab.ids()) == EVERY


def settled(lab: Lab) -> None:
    """The containers are as the default settings want them: a run touches none. It may put the stack's files right."""
    before = lab.started()
    lab.run().must_pass()
    assert lab.started() == before
    assert lab.redis_answers()


@pytest.mark.usefixtures("others_untouched")
def test_a_new_image_that_exits_at_once_leaves_the_old_container_running(lab: Lab) -> None:
    before = lab.ids()
    run = lab.run(stack_images=ENDS)
    run.must_fail(
        "redis failed (container coze-redis)",
        "ALLOW_NONE_AUTHENTICATION=yes",
        "Its earlier container runs again and is ready.",
        "It uses data/redis, which the new container may have changed.",
    )
    assert lab.ids() == before
    settled(lab)


@pytest.mark.usefixtures("others_untouched")
def test_a_new_image_that_never_gets_ready_leaves_the_old_container_running(lab: Lab) -> None:
    before = lab.ids()
    run = lab.run(stack_images=DEAF, redis_ready_timeout=4)
    run.must_fail("connection refused on 6379", "Its earlier container runs again and is ready.")
    assert lab.ids() == before
    settled(lab)


@pytest.mark.parametrize("definition", ["a new one", "the old one", "the one that never gets ready"])
def test_a_killed_run_is_put_right_by_the_next_one(lab: Lab, definition: str, others_untouched: None) -> None:
    before = lab.ids()
    lab.run_that_is_killed()
    assert set(lab.ids()) == {*EVERY, "coze-redis-previous"}
    if definition == "the one that never gets ready":
        run = lab.run(stack_images=DEAF, redis_ready_timeout=4)
        run.must_fail("connection refused on 6379", "Its earlier container runs again and is ready.")
        assert lab.ids() == before
    else:
        given = {"redis_memory": "200m"} if definition == "a new one" else {}
        check = lab.run("--check", **given)
        check.must_pass(changed=True)
        assert "container coze-redis-previous" in check.output
        assert "would recreate redis" in check.output
        lab.run(**given).must_pass(changed=True)
        assert lab.inspect("coze-redis")["HostConfig"]["Memory"] == (200 if given else 256) * 1024**2
        if given:
            lab.run().must_pass(changed=True)
    settled(lab)


#: What a run may leave that is killed while the container of Redis is exchanged, made by hand; and whether the next run has a container as it wants it.
LEFT = {
    "stopped": ("docker stop coze-redis", True),
    "renamed": ("docker stop coze-redis; docker rename coze-redis coze-redis-previous", False),
    "created": (
        f"docker stop coze-redis; docker rename coze-redis coze-redis-previous; docker create --name coze-redis --network coze {LABELS} {DEAF['redis']}",
        False,
    ),
    "brought back, not started": ("docker stop coze-redis; docker update --restart unless-stopped coze-redis", True),
    "both running": (
        f"docker rename coze-redis coze-redis-previous; docker run -d --name coze-redis --network coze {LABELS} {DEAF['redis']}",
        False,
    ),
}


@pytest.mark.usefixtures("others_untouched")
@pytest.mark.parametrize("left", LEFT)
def test_a_run_goes_on_from_what_a_killed_one_left(lab: Lab, left: str) -> None:
    script, as_wanted = LEFT[left]
    before = lab.ids()["coze-redis"]
    lab.shell(script)
    lab.run().must_pass(changed=True)
    assert (lab.ids()["coze-redis"] == before) == as_wanted
    settled(lab)


@pytest.mark.usefixtures("others_untouched")
@pytest.mark.parametrize("state", ["running", "stopped"])
def test_what_was_not_proved_is_proved_and_kept(lab: Lab, state: str) -> None:
    """The run ended between the new container's start and the removal of the earlier one; the new one is as wanted."""
    lab.shell(f"docker create --name coze-redis-previous --network coze {LABELS} {DEAF['redis']}")
    if state == "stopped":
        lab.shell("docker stop coze-redis")
    before = lab.ids()["coze-redis"]
    check = lab.run("--check")
    check.must_pass(changed=True)
    assert ("would prove redis again, and remove its earlier container" if state == "running" else "would start redis") in check.output
    run = lab.run()
    run.must_pass(changed=True)
    assert "kept by a run that did not end" in " ".join(run.output.split())
    assert lab.ids()["coze-redis"] == before
    settled(lab)


@pytest.mark.parametrize(("signal_name", "policy"), [("TERM", "unless-stopped"), ("KILL", "unless-stopped"), ("KILL", "always")])
def test_no_restart_of_the_engine_starts_the_earlier_container(lab: Lab, signal_name: str, policy: str) -> None:
    """One that was made by another tool may have the policy always, with which the Engine starts it though it was stopped by hand."""
    lab.shell(f"docker update --restart {policy} coze-redis")
    lab.run_that_is_killed()
    lab.restart_engine(signal_name)
    if signal_name == "TERM":
        eventually(lambda: lab.inspect("coze-redis")["State"]["Status"] == "running")
    assert lab.inspect("coze-redis-previous")["State"]["Status"] == "exited"
    lab.run().must_pass(changed=True)
    assert set(lab.ids()) == EVERY
    settled(lab)


def test_what_was_proved_stays_new_and_what_depends_on_the_failed_one_is_not_touched(lab: Lab) -> None:
    before = lab.ids()
    # The image has none of NSQ's commands, so the Engine cannot even start it.
    run = lab.run(stack_images={"nsq": "cozedev/coze-studio-web:0.5.1"}, redis_memory="210m")
    run.must_fail(
        "coze-nsqlookupd could not be made",
        "nsqlookupd failed: ",
        "Its earlier container runs again and is ready.",
        "New, proved and kept: redis.",
        "Not touched any more: nsqd, nsqadmin.",
    )
    after = lab.ids()
    assert {name for name in EVERY if after[name] != before[name]} == {"coze-redis"}
    assert set(after) == EVERY
    assert lab.inspect("coze-redis")["HostConfig"]["Memory"] == 210 * 1024**2
    started = lab.started()
    lab.run(redis_memory="210m").must_pass()
    assert lab.started() == started


def test_a_failed_init_job_takes_its_service_back(lab: Lab, tmp_path: Path) -> None:
    given = {"stack_services": ["mysql"]}
    lab.run(**given).must_pass()
    before = lab.ids()
    schema = lab.source / "docker/volumes/mysql/schema.sql"
    good = schema.read_text(encoding="utf-8")
    schema.write_text(good + "\nCREATE TABLE IF NOT EXISTS `swap_broken` (`id` nonsense);\n", encoding="utf-8")
    try:
        run = lab.run(**given, mysql_memory="1200m")
    finally:
        schema.write_text(good, encoding="utf-8")
    run.must_fail("mysql failed: its init job mysql_schema failed", "Its earlier container runs again and is ready.", "It uses data/mysql")
    assert lab.ids() == before
    lab.run(**given).must_pass()
    lab.run(**given).must_pass(changed=False)
    lab.shell("docker rm -f coze-mysql")


def test_teardown_removes_an_earlier_container_too(lab: Lab) -> None:
    lab.shell(f"docker create --name coze-redis-previous --network coze {LABELS} {DEAF['redis']}")
    lab.play("teardown", stack_teardown_confirm="coze").must_pass(changed=True)
    assert lab.ids() == {}
