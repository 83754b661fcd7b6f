# SPDX-License-Identifier: GPL-3.0-or-later
"""One stack on two hosts that share no network: what one needs of the other is published on private addresses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, Run, make_source, play_inventory, why_not
from ansible_collections.cozeops.studio.tests.tools.steady_load import SteadyLoad

pytestmark = [pytest.mark.long(minutes=4), pytest.mark.skipif(bool(why_not()), reason=why_not())]

PORT = 8888


class Two:
    """The hosts, and the inventory that has them as one stack called pub, with a server on each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts = {name: LabHost("published-" + name, folder / name, "--memory", "5g") for name in ("pa", "pb")}
        self.address = {name: str(host.facts["address"]) for name, host in self.hosts.items()}
        self.variables: dict[str, Any] = {
            "stack_source": str(make_source("0.5", folder / "source")),
            "stack_image_source": "present",
            "stack_run_dir": str(folder / "runs"),
            "stack_network": "published",
            "stack_public_url": f"http://{self.address['pa']}:{PORT}",
        }

    def play(self, playbook: str = "site", *arguments: str, of: dict[str, Any] | None = None, **variables: Any) -> Run:
        """``of``: further variables of the host pb."""
        hosts = {name: {**host.connection(), **((of or {}) if name == "pb" else {})} for name, host in self.hosts.items()}
        stack = {"pub": {"hosts": hosts, "vars": self.variables}}
        placed = {group: {"hosts": {"pb": {}}} for group in ("coze_etcd", "coze_milvus", "coze_nsq")}
        inventory = {"coze": {"children": stack}, **placed, "coze_server": {"hosts": {"pa": {}, "pb": {}}}}
        return play_inventory(self.folder, inventory, playbook, *arguments, **variables)

    def started(self) -> dict[str, dict[str, str]]:
        return {name: host.started("pub") for name, host in self.hosts.items()}

    def published(self, name: str) -> set[str]:
        """service address:port, of what others than the host itself can reach."""
        out = self.hosts[name].shell(
            "docker ps -q | xargs docker inspect -f '{{$name := .Name}}{{range $port, $places := .NetworkSettings.Ports}}"
            "{{range $places}}{{println $name .HostIp .HostPort}}{{end}}{{end}}'"
        )
        return {line.strip().removeprefix("/pub-") for line in out.splitlines() if line.strip()}

    def trace(self) -> list[str]:
        return [host.trace() for host in self.hosts.values()]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    found = Two(tmp_path_factory.mktemp("published"))
    yield found
    for host in found.hosts.values():
        host.destroy()


@pytest.fixture(scope="module")
def deployed(two: Two) -> Two:
    run = two.play()
    run.must_pass(changed=True)
    assert "Published for hosts of the stack, and for nobody else to reach" in run.flat
    assert f"milvus 19530 on {two.address['pb']} for pa ({two.address['pa']})" in run.flat
    return two


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"of": {"stack_private_address": "203.0.113.5"}}, "stack_private_address: pb has 203.0.113.5, which is no private address. Most stores know no"),
        ({"of": {"stack_private_address": "10.9.8.7"}}, "stack_private_address: pb is to be reached by 10.9.8.7, and has "),
        ({"of": {"stack_private_address": "eth0"}}, "stack_private_address: pb's, 'eth0', is no address. Set it to the one by which the other hosts"),
        ({"stack_network": "bridge"}, "stack_network is bridge, which does not reach from pa to pb. Set it to overlay, or to published."),
    ],
)
def test_what_cannot_be_published_on_is_refused_before_anything_is_changed(two: Two, given: dict[str, Any], says: str) -> None:
    before = two.trace()
    two.play("site", **given).must_fail(says)
    assert two.trace() == before


def test_the_product_works_and_only_what_is_needed_is_published_on_private_addresses(deployed: Two) -> None:
    deployed.play("verify").must_pass()
    pa, pb = deployed.address["pa"], deployed.address["pb"]
    assert deployed.published("pa") == {
        *(f"{service} {pa} {port}" for service, port in (("mysql", 3306), ("redis", 6379), ("elasticsearch", 9200), ("minio", 9000), ("coze-server", 8880))),
        f"coze-web 0.0.0.0 {PORT}",
    }
    assert deployed.published("pb") == {
        *(f"{service} {pb} {port}" for service, port in (("milvus", 19530), ("coze-server", 8880))),
        *(f"nsqd {pb} {port}" for port in (4150, 4151)),
    }
    assert "Swarm: inactive" in deployed.hosts["pa"].shell("docker info 2>/dev/null | grep Swarm")


def test_a_second_run_changes_nothing(deployed: Two) -> None:
    before = deployed.started()
    deployed.play().must_pass(changed=False)
    assert deployed.started() == before


def test_a_change_of_both_servers_fails_no_request(deployed: Two) -> None:
    before = deployed.started()
    load = SteadyLoad(deployed.address["pa"], PORT, 50)
    thread = threading.Thread(target=load.run)
    thread.start()
    try:
        deployed.play("site", stack_env={"LOG_LEVEL": "warn"}).must_pass(changed=True)
    finally:
        load.over.set()
        thread.join()
    after = deployed.started()
    changed = {(name, container) for name in after for container, since in after[name].items() if since != before[name][container]}
    assert changed == {("pa", "pub-coze-server"), ("pb", "pub-coze-server")}
    assert load.failures == [] and load.requests > 200
