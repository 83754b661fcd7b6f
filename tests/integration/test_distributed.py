# SPDX-License-Identifier: GPL-3.0-or-later
"""One stack on three hosts that a Swarm joins: stores on two, the server and the entry on the third."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, Run, make_source, play_inventory, why_not

pytestmark = [pytest.mark.long(minutes=9), pytest.mark.skipif(bool(why_not()), reason=why_not())]

NAMES = ("da", "db", "dc")
WHERE = {
    "da": {"mysql", "redis", "elasticsearch", "minio"},
    "db": {"etcd", "milvus", "nsqlookupd", "nsqd", "nsqadmin"},
    "dc": {"coze-server", "coze-web"},
}
GROUPS = {"coze_mysql": "da", "coze_etcd": "db", "coze_milvus": "db", "coze_nsq": "db", "coze_server": "dc", "coze_web": "dc"}


class Three:
    """The hosts, and the inventory that has them as one stack called prod."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts = {name: self._host(name) for name in NAMES}
        self.variables: dict[str, Any] = {
            "stack_source": str(make_source("0.5", folder / "source")),
            "stack_image_source": "present",
            "stack_run_dir": str(folder / "runs"),
        }

    def _host(self, name: str) -> LabHost:
        return LabHost("distributed-" + name, self.folder / name, "--memory", "4g")

    def replace(self, name: str) -> None:
        self.hosts[name].destroy()
        self.hosts[name] = self._host(name)

    def reboot(self, name: str) -> None:
        subprocess.run(["docker", "restart", "-t", "5", self.hosts[name].container], check=True, stdout=subprocess.DEVNULL)
        self.hosts[name] = self._host(name)

    def play(self, playbook: str = "site", *arguments: str, groups: dict[str, str] | None = None, of: dict[str, Any] | None = None, **variables: Any) -> Run:
        """``of``: further variables of the host db."""
        hosts = {name: {**host.connection(), **((of or {}) if name == "db" else {})} for name, host in self.hosts.items()}
        placed = {group: {"hosts": {host: {}}} for group, host in {**GROUPS, **(groups or {})}.items()}
        inventory = {"coze": {"children": {"prod": {"hosts": hosts, "vars": self.variables}}}, **placed}
        return play_inventory(self.folder, inventory, playbook, *arguments, **variables)

    def running(self) -> dict[str, set[str]]:
        return {name: {container.removeprefix("prod-") for container in host.started("prod")} for name, host in self.hosts.items()}

    def started(self) -> dict[str, str]:
        return {container: since for host in self.hosts.values() for container, since in host.started("prod").items()}

    def files(self) -> list[str]:
        """All but the data, which the stores change as they run."""
        return [host.shell("find /opt/cozeops -name data -prune -o -printf '%p %m %u %s %T@\\n' | sort") for host in self.hosts.values()]

    def trace(self) -> list[str]:
        return [host.trace() for host in self.hosts.values()]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    found = Three(tmp_path_factory.mktemp("distributed"))
    yield found
    for host in found.hosts.values():
        host.destroy()


@pytest.fixture(scope="module")
def deployed(three: Three) -> Three:
    before = three.trace()
    told = three.play("site", "--check", "--diff")
    told.must_pass(changed=True)
    assert three.trace() == before, "check mode changes nothing"
    for text in ("would begin a Swarm", "would join the Swarm of da", "would make the network prod-overlay", "would recreate milvus"):
        assert text in told.output
    planned = three.play("plan")
    assert planned.output.count("swarm          would be joined") == 2 and planned.output.count("swarm          would be begun") == 1
    three.play("site").must_pass(changed=True)
    return three


def test_every_service_is_where_its_group_says(deployed: Three) -> None:
    assert deployed.running() == WHERE
    deployed.play("verify").must_pass()


def test_a_second_run_changes_nothing(deployed: Three) -> None:
    before = deployed.started()
    deployed.play("site").must_pass(changed=False)
    planned = deployed.play("plan", stack_plan_exit_on_change=True)
    planned.must_pass(changed=False)
    assert planned.output.count("Nothing would change.") == 3
    deployed.play("site", "--limit", "dc").must_pass(changed=False)
    assert deployed.started() == before


def test_what_needs_a_failed_service_of_another_host_is_not_touched_and_the_rest_goes_on(deployed: Three) -> None:
    before = deployed.started()
    run = deployed.play("site", mysql_memory="20m", nsq_memory="80m", stack_env={"LOG_LEVEL": "warn"})
    run.must_fail("mysql failed: ", "coze-server was not touched: it needs mysql (on da), not proved ready in this run.")
    after = deployed.started()
    changed = {name for name, since in after.items() if since != before[name]}
    assert changed == {"prod-mysql", "prod-nsqlookupd", "prod-nsqd", "prod-nsqadmin"}, "mysql's earlier container runs again"
    deployed.play("site").must_pass(changed=True)
    deployed.play("site").must_pass(changed=False)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"of": {"ansible_port": 9}}, "db of the stack prod could not be looked at, for the reason above. Nothing was changed. To go on"),
        ({"of": {"milvus_memory": "one"}}, "db of the stack prod cannot go on, for the reason above. Nothing was changed. To go on without, add"),
        ({"groups": {"coze_redis": "dc"}}, "redis of the stack prod is to run on dc, and its container and its data is on da. Put redis back"),
        ({"groups": {"coze_minio": "dc", "coze_mysgl": "db"}}, "group coze_mysgl: it has hosts of the stack prod (db), and names none of its services; did"),
        ({"stack_network": "bridge"}, "stack_network is bridge, which does not reach from da to db to dc. Set it to overlay, or to published."),
    ],
)
def test_bad_input_changes_nothing_on_any_host(deployed: Three, given: dict[str, Any], says: str) -> None:
    before = deployed.started(), deployed.files()
    deployed.play("site", **given).must_fail(says)
    assert (deployed.started(), deployed.files()) == before


def test_lost_secrets_are_read_back_from_all_hosts(deployed: Three) -> None:
    (path,) = (deployed.folder / "secrets").glob("*.yml")
    lost = yaml.safe_load(path.read_text())
    path.unlink()
    before = deployed.started()
    run = deployed.play("site", "-vvv")
    run.must_pass()
    found = yaml.safe_load(path.read_text())
    assert {key: found[key] for key in ("MYSQL_PASSWORD", "REDIS_PASSWORD", "STACK_DIGEST_KEY")} == {
        key: lost[key] for key in ("MYSQL_PASSWORD", "REDIS_PASSWORD", "STACK_DIGEST_KEY")
    }
    assert not [value for value in lost.values() if value in run.output]
    assert deployed.started() == before


def test_a_host_that_was_rebooted_comes_back(deployed: Three) -> None:
    deployed.reboot("db")
    deployed.play("site").must_pass()
    assert deployed.running() == WHERE


def test_a_host_that_is_lost_can_be_replaced(deployed: Three) -> None:
    deployed.replace("db")
    deployed.play("site").must_pass(changed=True)
    assert deployed.running() == WHERE
    nodes = deployed.hosts["da"].shell("docker node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'")
    assert len(nodes.splitlines()) == 3 and "Down" not in nodes, nodes
    deployed.play("site").must_pass(changed=False)


def test_teardown_leaves_nothing_of_the_stack_but_its_data(deployed: Three) -> None:
    deployed.play("teardown", stack_teardown_confirm="prod").must_pass(changed=True)
    assert deployed.running() == {name: set() for name in NAMES}
    for host in deployed.hosts.values():
        assert "prod" not in host.shell("docker network ls --format '{{.Name}}'")
    deployed.play("site").must_pass(changed=True)
    assert deployed.running() == WHERE
