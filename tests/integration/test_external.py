# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack whose stores are the operator's own, on another machine: proved, initialised, used by the product, and refused where they are wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, Run, make_source, play_inventory, why_not

pytestmark = [pytest.mark.long(minutes=5), pytest.mark.skipif(bool(why_not()), reason=why_not())]

PASSWORD = "p'\"a$s\\w#o r:d@/?%"
SECRET = "their$own'secret"
#: Services of the machine with the stores, with the ports by which others reach them.
PORTS = {"mysql": 3306, "redis": 6379, "elasticsearch": 9200, "minio": 9000, "milvus": 19530, "etcd": 2379, "nsqd": 4150}


class Theirs:
    """A machine with stores that others look after, and one with a stack that is to use them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stores = LabHost("external-stores", folder / "stores", "--memory", "5g")
        self.host = LabHost("external-stack", folder / "stack", "--memory", "3g")
        self.address = str(self.stores.facts["address"])
        self.variables: dict[str, Any] = {
            "stack_source": str(make_source("0.5", folder / "source")),
            "stack_image_source": "present",
            "stack_run_dir": str(folder / "runs"),
        }
        self.external: dict[str, Any] = {
            "mysql": {"host": self.address, "user": "tenant", "password": PASSWORD, "database": "tenant_coze", "tls": "skip-verify"},
            "redis": {"host": self.address, "password": "their-redis"},
            "elasticsearch": {"urls": [f"http://{self.address}:9200"]},
            "minio": {"host": self.address, "access_key": "their-access", "secret_key": SECRET, "bucket": "tenant-coze"},
            "milvus": {"host": self.address},
            "nsq": {"host": self.address},
        }

    def provide(self) -> None:
        """The stores, with a database, a user and nothing else of Coze Studio's in them."""
        inventory = {"coze": {"children": {"theirs": {"hosts": {"stores": self.stores.connection()}, "vars": self.variables}}}}
        env = {"REDIS_PASSWORD": "their-redis", "MINIO_ROOT_USER": "their-access", "MINIO_ROOT_PASSWORD": SECRET, "MYSQL_ROOT_PASSWORD": "their-root"}
        services = [*PORTS, "nsqlookupd"]
        folder = self.folder / "theirs"
        folder.mkdir()
        play_inventory(folder, inventory, "site", stack_services=services, stack_env=env).must_pass()
        for service, port in PORTS.items():
            address = "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' theirs-" + service
            self.stores.shell(f"iptables -t nat -A PREROUTING -p tcp -d {self.address} --dport {port} -j DNAT --to $({address}):{port}")
        self.stores.shell("iptables -I DOCKER-USER -j ACCEPT")
        for path in ("project_draft", "coze_resource", "_index_template/project_draft", "_index_template/coze_resource"):
            self.stores.shell(f"docker exec theirs-elasticsearch curl -fsS -XDELETE http://127.0.0.1:9200/{path}")
        self.sql("CREATE DATABASE tenant_coze; CREATE USER tenant IDENTIFIED BY %s; GRANT ALL ON tenant_coze.* TO tenant" % sql_text(PASSWORD))

    def sql(self, text: str) -> str:
        done = subprocess.run(
            ["docker", "exec", "-i", self.stores.container, "docker", "exec", "-i", "theirs-mysql", "mysql", "-uroot", "-ptheir-root", "-N"],
            input=text,
            text=True,
            capture_output=True,
            check=True,
        )
        return done.stdout

    def play(self, playbook: str = "site", *arguments: str, **variables: Any) -> Run:
        given = {**self.variables, "stack_external": self.external, **variables}
        inventory = {"coze": {"children": {"prod": {"hosts": {"one": self.host.connection()}, "vars": given}}}}
        return play_inventory(self.folder, inventory, playbook, *arguments)

    def running(self) -> set[str]:
        return set(self.host.shell("docker ps -a --format '{{.Names}}'").split())


def sql_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theirs]:
    found = Theirs(tmp_path_factory.mktemp("external"))
    found.provide()
    yield found
    for host in (found.stores, found.host):
        host.destroy()


@pytest.fixture(scope="module")
def deployed(theirs: Theirs) -> Theirs:
    before = theirs.host.trace()
    told = theirs.play("site", "--check", "--diff")
    told.must_pass(changed=True)
    assert theirs.host.trace() == before, "check mode changes nothing"
    assert "would recreate coze-server" in told.output and "would recreate mysql" not in told.output
    assert f"would prove {theirs.address}:3306/tenant_coze from the stack's network, and give it what it lacks" in told.flat
    looked = theirs.play("preflight")
    looked.must_pass()
    for row in (f"{theirs.address}:3306/tenant_coze: MySQL", f"{theirs.address}:6379: Redis", "the bucket tenant-coze will be made"):
        assert row in looked.flat
    run = theirs.play("site", "-vvv")
    run.must_pass(changed=True)
    # The last one is what no way of quoting changes.
    for secret in (PASSWORD, SECRET, "their-redis", "w#o r:d@/?%"):
        assert secret not in run.output and json.dumps(secret)[1:-1] not in run.output
    return theirs


def test_only_what_is_ours_runs_and_the_product_works_on_theirs(deployed: Theirs) -> None:
    assert deployed.running() == {"prod-coze-server", "prod-coze-web"}
    deployed.play("verify").must_pass()
    assert int(deployed.sql("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'tenant_coze'")) >= 55
    assert int(deployed.sql("SELECT COUNT(*) FROM tenant_coze.user")) > 0
    assert deployed.sql("SELECT COUNT(*) FROM opencoze.user").strip() == "0", "another database of theirs is not touched"
    indices = deployed.stores.shell("docker exec theirs-elasticsearch curl -fsS 'http://127.0.0.1:9200/_cat/indices?h=index'").split()
    assert {"project_draft", "coze_resource"} <= set(indices)
    made = deployed.stores.shell("docker exec theirs-minio sh -c 'find /data/tenant-coze/default_icon /data/tenant-coze/official_plugin_icon -name xl.meta'")
    assert len(made.splitlines()) > 5
    secrets = (deployed.folder / "secrets" / "prod.yml").read_text()
    assert "MYSQL" not in secrets and "REDIS" not in secrets and "MINIO" not in secrets, "no secret is made for what is not ours"
    assert PASSWORD not in deployed.host.shell("cat /opt/cozeops/prod/stack.json")


def test_a_second_run_changes_nothing(deployed: Theirs) -> None:
    before = deployed.host.started("prod")
    deployed.play().must_pass(changed=False)
    planned = deployed.play("plan", stack_plan_exit_on_change=True)
    planned.must_pass(changed=False)
    assert deployed.host.started("prod") == before


@pytest.mark.parametrize(
    ("store", "options", "says"),
    [
        ("mysql", {"password": "wrong"}, "stack_external.mysql: {address}:3306/tenant_coze: Access denied for user 'tenant'@"),
        ("mysql", {"database": "opencoze"}, "to database 'opencoze' (MySQL error 1044). Grant the user all privileges on it."),
        ("mysql", {"tls": True}, "stack_external.mysql: {address}:3306/tenant_coze: the certificate of {address}:3306 is not trusted"),
        ("mysql", {"pasword": "x"}, "stack_external.mysql: pasword is no option of it; did you mean password?"),
        ("redis", {"password": "wrong"}, "stack_external.redis: {address}:6379: redis: WRONGPASS"),
        ("redis", {"port": 9}, "stack_external.redis: {address}:9: {address}:9 refuses connections: nothing listens there. Nothing was changed."),
        ("redis", {"host": "127.0.0.1"}, "stack_external.redis.host: 127.0.0.1 means each container itself. Set the name or address"),
        ("elasticsearch", {"version": "v7"}, "it is Elasticsearch 8.18.0, and version is v7: set that to v8"),
        ("minio", {"secret_key": "wrong"}, "it does not know this pair of access_key and secret_key (SignatureDoesNotMatch)"),
        ("minio", {"tls": True}, "{address}:9000 does not speak TLS"),
        ("milvus", {"port": 6379}, "stack_external.milvus: {address}:6379: "),
        ("nsq", {"port": 6379}, "stack_external.nsq: {address}:6379: "),
        ("kafka", {"host": "kafka.example"}, "stack_external: nsq and kafka stand for the same. Leave one."),
        ("nqs", {"host": "x"}, "stack_external: nqs is no store that may be yours; did you mean nsq?"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_changed(deployed: Theirs, store: str, options: dict[str, Any], says: str) -> None:
    before = deployed.host.trace()
    external = {**deployed.external, store: {**deployed.external.get(store, {}), **options}}
    deployed.play("site", stack_external=external).must_fail(says.format(address=deployed.address))
    assert deployed.host.trace() == before


def test_a_store_that_is_down_is_named_and_waited_for(deployed: Theirs) -> None:
    deployed.stores.shell("docker stop -t 1 theirs-redis")
    try:
        deployed.play("site", stack_env={"LOG_LEVEL": "warn"}).must_fail(f"stack_external.redis: {deployed.address}:6379: ", "Nothing was changed.")
    finally:
        deployed.stores.shell("docker start theirs-redis")
    deployed.play("site", stack_env={"LOG_LEVEL": "warn"}).must_pass(changed=True)


def test_our_milvus_works_on_their_etcd_and_minio(deployed: Theirs) -> None:
    etcd = {"endpoints": [f"{deployed.address}:2379"], "root_path": "tenant"}
    external = {"etcd": etcd, "minio": {**deployed.external["minio"], "milvus_bucket": "tenant-milvus"}}
    given = {"stack_name": "vectors", "stack_external": external, "stack_services": ["milvus"]}
    deployed.play("site", **given).must_pass(changed=True)
    assert "vectors-milvus" in deployed.running() and "vectors-etcd" not in deployed.running()
    deployed.stores.shell("docker exec theirs-minio ls /data/tenant-milvus")
    deployed.play("site", **given).must_pass(changed=False)
