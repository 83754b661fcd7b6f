# SPDX-License-Identifier: GPL-3.0-or-later
"""Installations made by hand and by Docker Compose become stacks with what their users have made, or stay what they are."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.module_utils._coze_api import Coze
from ansible_collections.cozeops.studio.tests.bench.benchkit.contenders import COMPOSE_ROOT, Compose
from ansible_collections.cozeops.studio.tests.bench.benchkit.host import Host
from ansible_collections.cozeops.studio.tests.integration import by_hand
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, Run, make_source, why_not

pytestmark = [pytest.mark.long(minutes=15), pytest.mark.skipif(bool(why_not()), reason=why_not())]

ROOT = "/opt/cozeops/coze"
EMAIL, PASSWORD = "ann@example.com", "ann-writes-prompts"
IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
COMPOSE_PASSWORD = "chosen-by-hand-1"
# Redis in a named volume, as some have it; the rest as in the file, in directories.
OVERRIDE = """
services:
  redis:
    volumes: ["redis:/bitnami/redis/data"]
volumes:
  redis:
"""


class Installation:
    """An installation that others have made on a host of the lab, and what its users make and find in it."""

    def __init__(self, host: LabHost, source: Path, containers: dict[str, str]) -> None:
        self.host, self.source, self.containers = host, source, containers
        self.url = f"http://{host.facts['address']}:8888"
        self.stored = ""

    def adopt(self, *arguments: str, **variables: Any) -> Run:
        return self.host.play("adopt", *arguments, **{"stack_source": str(self.source), "stack_public_url": self.url, **variables})

    def inside(self, service: str, script: str, adopted: bool) -> str:
        """A script in the container of a store, the earlier one or the stack's."""
        name = f"coze-{service}" if adopted else self.containers[service]
        return self.host.shell(f"docker exec {name} sh -c '{script}'").strip()

    def is_used(self) -> None:
        """An account, a prompt (MySQL, and Elasticsearch by way of NSQ) and a file by the product; and a mark in the stores that it has no call for."""
        coze = Coze(self.url, timeout=60)
        coze.register(EMAIL, PASSWORD)
        coze.create_prompt(coze.spaces()[0]["id"], "ann's prompt", "be kind")
        self.stored = coze.upload_file(IMAGE, "png")[1]
        self.inside("redis", "redis-cli set mark kept", False)
        self.inside("etcd", "etcdctl put /mark kept", False)
        self.found(False)

    def found(self, adopted: bool) -> None:
        """All of it is there, in the old containers or in the stack's."""
        coze = Coze(self.url, timeout=60)
        coze.login(EMAIL, PASSWORD)
        space = coze.spaces()[0]["id"]
        for _look in range(60):
            names = [each.get("name") for each in coze.search_library(space, "ann")]
            if names:
                break
        assert names == ["ann's prompt"]
        alias = 'mc alias set here http://localhost:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" >/dev/null'
        digest = self.inside("minio", f"{alias} && mc cat here/opencoze/{self.stored} | base64 -w0", adopted)
        assert digest == base64.b64encode(IMAGE).decode()
        assert self.inside("redis", 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli get mark 2>/dev/null', adopted) == "kept"
        assert self.inside("etcd", "etcdctl get /mark --print-value-only", adopted) == "kept"

    def documents(self, adopted: bool) -> str:
        return self.inside("elasticsearch", "curl -s localhost:9200/coze_resource/_count", adopted)

    def state(self) -> str:
        """Containers with what they are and when they were started, networks, and files of ours."""
        return self.host.shell(
            "docker ps -aq | xargs docker inspect -f '{{.Id}} {{.Name}} {{.State.StartedAt}} {{.HostConfig.RestartPolicy.Name}}' | sort;"
            " docker network ls --format '{{.Name}}' | sort; find /opt /run/cozeops 2>/dev/null | sort"
        )

    def containers_now(self) -> dict[str, tuple[str, str, str]]:
        """name -> id, restart policy and whether it runs."""
        out = self.host.shell("docker ps -aq | xargs docker inspect -f '{{.Name}} {{.Id}} {{.HostConfig.RestartPolicy.Name}} {{.State.Running}}'")
        return {line.split()[0].lstrip("/"): (line.split()[1], line.split()[2], line.split()[3]) for line in out.splitlines()}

    def secrets(self) -> dict[str, str]:
        path = self.host.folder / "secrets" / "coze.yml"
        return dict(yaml.safe_load(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def is_a_stack(self, release: str) -> None:
        """The data are the stack's, a second run has nothing to do, and what was there before is stopped."""
        self.found(True)
        given = {"stack_source": str(self.source), "stack_public_url": self.url}
        self.host.site(**given).must_pass(changed=False)
        self.host.play("status").must_pass()
        assert json.loads(self.host.shell(f"cat {ROOT}/stack.json"))["release"] == release
        now = self.containers_now()
        for name in self.containers.values():
            assert now[name + "-before-adopt"][1:] == ("no", "false")
        assert self.host.shell(f"ls -A {ROOT}").split() == ["conf", "data", "env", "stack.json", "state"]
        self.adopt(stack_adopt_confirm="coze").must_fail(f"The stack coze is on this host already, in {ROOT}.")


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("adopt")
    host = LabHost("adopt", folder)
    source = make_source("0.2", folder / "source")
    nothing = host.play("adopt", stack_source=str(source))
    nothing.must_fail("No container of a Coze Studio installation was found on one.", "to begin with a new stack, run site.yml")
    by_hand.install(host, source)
    found = Installation(host, source, {name: "coze-" + name for name in by_hand.NAMES})
    found.is_used()
    yield found
    host.destroy()


def test_what_changes_is_shown_and_nothing_is_done(hand: Installation) -> None:
    before = hand.state()
    for run in (hand.adopt(), hand.adopt("--check", "--diff")):
        for text in (
            "/srv/coze/data/mysql",
            f"-> {ROOT}/data/mysql",
            "0.0.0.0:3306",
            "bitnami/redis:8.0",
            "coze-coze-server",
            "Settings that get another value: MAX_REQUEST_BODY_SIZE.",
            "Settings that only the containers of now have: OWN_SETTING.",
            "/srv/coze/coze_conf/model/hand.yaml.example",
            "MYSQL_ROOT_PASSWORD, MYSQL_PASSWORD, MINIO_ROOT_PASSWORD, PLUGIN_AES_AUTH_SECRET",
            "Without a mounted directory for data: coze-nsqd.",
        ):
            assert text in run.flat, f"{text}\n{run!r}"
        # It is a password here, and a word elsewhere.
        assert "coze123" not in run.output and "minioadmin123" not in run.output
    hand.adopt().must_fail("Nothing was changed.", "To go on, set stack_adopt_confirm=coze.")
    hand.adopt("--check").must_pass(changed=True)
    assert hand.state() == before and hand.secrets() == {}


def test_what_cannot_be_adopted_is_refused_with_the_way_out(hand: Installation, tmp_path: Path) -> None:
    before = hand.state()
    confirmed: dict[str, Any] = {"stack_adopt_confirm": "coze"}
    newer = str(make_source("0.5", tmp_path / "newer"))
    hand.adopt(**confirmed, stack_source=newer).must_fail(
        "The container coze-server runs opencoze/opencoze:0.3.7, which is of release 0.2, and stack_source is a tree of release 0.5."
    )
    hand.adopt(**confirmed, stack_services=["mysql"]).must_fail("adopt.yml takes an installation as a whole")
    hand.adopt(**confirmed, stack_env={"MYSQL_ROOT_PASSWORD": "another"}).must_fail("MYSQL_ROOT_PASSWORD: data/mysql was made with another value")
    hand.adopt(**confirmed, stack_env={"MYSQL_DATABASE": "other"}).must_fail("Set stack_env: {MYSQL_DATABASE: opencoze}.")
    hand.adopt(**confirmed, stack_adopt_containers={"mysgl": "x", "redis": "nobody"}).must_fail(
        "this release has no service mysgl", "redis: there is no container nobody"
    )
    assert hand.state() == before and hand.secrets() == {}


def test_of_two_containers_one_has_to_be_named(hand: Installation) -> None:
    hand.host.shell("docker create --name redis bitnami/redis:8.0; docker run -d --name layered -e ALLOW_NONE_AUTHENTICATION=yes bitnami/etcd:3.5")
    hand.host.shell("until docker exec layered etcdctl put /x y; do sleep 0.5; done")
    before = hand.state()
    hand.adopt(stack_adopt_confirm="coze").must_fail(
        "redis may be any of the containers coze-redis, redis. Say which: set stack_adopt_containers: {redis: coze-redis}."
    )
    hand.adopt(stack_adopt_confirm="coze", stack_adopt_containers={"redis": "coze-redis", "etcd": "layered"}).must_fail(
        "The data of etcd (/bitnami/etcd in the container layered) are in the container's own layer"
    )
    assert hand.state() == before and hand.secrets() == {}
    hand.host.shell("docker rm -f redis layered")


def owners(hand: Installation) -> str:
    """Of each data directory, its own owner and mode, and who owns anything in it: files come and go with every start."""
    places = "/srv/coze/data/* /srv/coze/data/bitnami/*"
    return hand.host.shell(f"for each in {places}; do stat -c '%n %u:%g %a' $each; find $each -printf '%U:%G\\n' | sort -u; done")


def test_a_failure_on_the_way_brings_everything_back(hand: Installation) -> None:
    containers, owned = hand.containers_now(), owners(hand)
    # An image that has no such command: the last service to come fails.
    run = hand.adopt(stack_adopt_confirm="coze", stack_images={"coze-server": "nsqio/nsq:v1.2.1"})
    run.must_fail("Adopting coze failed: ", "The installation runs as before, with its data.")
    assert hand.containers_now() == containers and owners(hand) == owned
    hand.found(False)
    left = hand.host.shell(f"ls -A {ROOT}").split()
    assert [name for name in left if not name.startswith("failed-adoption-")] == ["state"] and len(left) == 2
    assert "coze" not in hand.host.shell("docker network ls --format '{{.Name}}'").split() and hand.host.shell("ls /run/cozeops").strip() == ""
    # Where a lock had the operator wait, and what a later attempt finds, are the same as before.
    assert hand.secrets()["MYSQL_ROOT_PASSWORD"] == "root" and "PLUGIN_AES_OAUTH_TOKEN_SECRET" in hand.secrets()
    hand.host.shell(f"rm -r {ROOT}/failed-adoption-*")


def test_what_was_cut_off_is_taken_back_and_done(hand: Installation) -> None:
    given = {"stack_source": str(hand.source), "stack_public_url": hand.url, "stack_adopt_confirm": "coze"}
    with hand.host.play_in_background("adopt", **given) as process:
        for _look in range(600):
            if "coze-mysql-before-adopt" in hand.host.shell("docker ps -a --format '{{.Names}}'").split() and hand.host.shell(
                "docker ps -q --filter label=cozeops.stack=coze"
            ):
                break
        else:
            raise AssertionError("the stack's first container did not come")
        os.killpg(process.pid, signal.SIGKILL)
    hand.host.shell(f"test -f {ROOT}/adopting.json")
    hand.adopt().must_fail("An earlier run of adopt.yml on one was cut off. Run it with stack_adopt_confirm=coze")
    run = hand.adopt(stack_adopt_confirm="coze")
    run.must_pass(changed=True)
    assert "coze goes on with the data of before." in run.flat
    hand.host.shell(f"rm -rf {ROOT}/failed-adoption-*")
    hand.is_a_stack("0.2")
    # Of the settings this one is in the image alone, and no cipher takes it: nothing can have been made with it.
    assert len(hand.secrets()["PLUGIN_AES_OAUTH_TOKEN_SECRET"]) == 32 and hand.secrets()["PLUGIN_AES_AUTH_SECRET"] == "^*6x3hdu2nc%-p38"
    names = set(hand.host.shell("docker ps --format '{{.Names}}'").split())
    assert not {name for name in names if name.endswith("-before-adopt")} and len(names) == 10
    open_ports = hand.host.shell("docker ps --format '{{.Ports}}' | grep -o '[0-9.]*:[0-9-]*->' | sort -u").split()
    assert open_ports == ["0.0.0.0:8888-8889->"], "of all that was open, the entry and its files"


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("adopt-compose")
    source = make_source("0.5", folder / "source")
    host = Host("adopt-compose", folder / "host")
    made = Compose(host, source)
    # Open to the test, and with a password of its own.
    host.shell(
        f"cd {COMPOSE_ROOT}/docker && sed -i 's/^export WEB_LISTEN_ADDR=.*/export WEB_LISTEN_ADDR=0.0.0.0:8888/;"
        f" s/^export MYSQL_PASSWORD=.*/export MYSQL_PASSWORD={COMPOSE_PASSWORD}/' .env && grep -q 0.0.0.0:8888 .env"
    )
    host.write(f"{COMPOSE_ROOT}/docker/docker-compose.override.yml", OVERRIDE)
    made.cold()
    names = ("mysql", "redis", "elasticsearch", "minio", "etcd", "milvus", "nsqlookupd", "nsqd", "nsqadmin", "coze-server", "coze-web")
    found = Installation(host.lab, source, {name: f"coze-bench-{name}-1" for name in names})
    found.is_used()
    yield found
    host.lab.destroy()


def test_an_installation_by_compose_becomes_a_stack(compose: Installation) -> None:
    indexed = compose.documents(False)
    run = compose.adopt(stack_adopt_confirm="coze")
    run.must_pass(changed=True)
    for text in ("coze-bench-mysql-1", f"{COMPOSE_ROOT}/docker/data/mysql", "(copied)", "coze-bench_coze-network"):
        assert text in run.flat, text
    assert COMPOSE_PASSWORD not in run.output and compose.secrets()["MYSQL_PASSWORD"] == COMPOSE_PASSWORD
    compose.is_a_stack("0.5")
    assert json.loads(compose.documents(True))["count"] >= json.loads(indexed)["count"] > 0
    # The volume is what it was: it goes with the old container, when its operator says so.
    assert "dump.rdb" in compose.host.shell("ls /var/lib/docker/volumes/coze-bench_redis/_data")
    compose.host.shell("docker ps -a --format '{{.Names}}' | grep before-adopt | xargs docker rm")
    compose.found(True)
