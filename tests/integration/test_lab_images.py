# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's images run as upstream's do: same uid, no capability, 0700 data directories, and each does its work."""
from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

LAB = pathlib.Path(__file__).resolve().parents[1] / "lab"
sys.path.insert(0, str(LAB))

from labkit import docker as engine  # noqa: E402

pytestmark = pytest.mark.integration

# Facts about upstream's images: the USER that they set, and the uid:gid of the user that the service runs as (None: whoever it is told to be).
UPSTREAM = {
    "mysql": ("", "mysql", "999:999"),
    "redis": ("1001", "redis", "1001:0"),
    "elasticsearch": ("1001", "elasticsearch", "1001:0"),
    "etcd": ("1001", "etcd", "1001:0"),
    "web": ("", "nginx", "101:101"),
    "minio": ("", None, None),
    "milvus": ("", None, None),
    "nsq": ("", None, None),
}
HARDENED = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"]
NAME = "lab-images-test"
PASSWORD = 'p"w\\ \'x'


def run(*args: str, check: bool = True) -> str:
    return engine.docker(*args, check=check).stdout.strip()


def inside(service: str, *command: str, env: dict[str, str] | None = None) -> str:
    given = [arg for key, value in (env or {}).items() for arg in ("-e", f"{key}={value}")]
    return run("exec", *given, f"{NAME}-{service}", *command)


def eventually(service: str, *command: str, seconds: float = 60, env: dict[str, str] | None = None) -> str:
    """The command's output as soon as it succeeds; the container's log if it never does or the container ends."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return inside(service, *command, env=env)
        except engine.LabError as error:
            state = run("inspect", "-f", "{{.State.Status}}", f"{NAME}-{service}")
            if state != "running" or time.monotonic() > deadline:
                log = engine.docker("logs", "--tail", "20", f"{NAME}-{service}")
                raise AssertionError(f"{service} ({state}): {error}\n{log.stdout}{log.stderr}") from error
            time.sleep(0.3)


@pytest.fixture(scope="session")
def images() -> dict[str, dict[str, Any]]:
    if not engine.engine_version():
        pytest.skip("no Docker Engine answers: run tests/lab/lab.py engine")
    built = subprocess.run([sys.executable, str(LAB / "lab.py"), "images"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    listed = subprocess.run([sys.executable, str(LAB / "lab.py"), "list", "--json"], capture_output=True, text=True, check=True)
    return {image["name"]: image for image in json.loads(listed.stdout)}


def start(images: dict[str, dict[str, Any]], data: pathlib.Path, service: str, user: str, target: str, *more: str, image: str = "") -> None:
    """A container without any capability, its data directory owned by its uid and closed to all others."""
    options, command = (more[: more.index("--")], more[more.index("--") + 1:]) if "--" in more else (more, ())
    mount = ["-v", f"{data / service}:{target}"] if target else []
    names = ["--name", f"{NAME}-{service}", "--network", NAME, "--network-alias", service]
    run("run", "-d", *names, *HARDENED, "--memory", "1g", *(["--user", user] if user else []), *mount, *options, images[image or service]["tag"], *command)


def own(data: pathlib.Path, owners: dict[str, str], image: str) -> None:
    script = "set -e; cd /data; " + "; ".join(f"mkdir {name}; chown {owner} {name}; chmod 700 {name}" for name, owner in owners.items())
    run("run", "--rm", "--user", "0:0", "--entrypoint", "sh", "-v", f"{data}:/data", image, "-c", script)


def clean(data: pathlib.Path, image: str) -> None:
    names = run("ps", "-aq", "-f", f"name=^{NAME}-").split()
    if names:
        run("rm", "-fv", *names)
    engine.docker("network", "rm", NAME, check=False)
    run("run", "--rm", "--user", "0:0", "--entrypoint", "sh", "-v", f"{data}:/data", image, "-c", "rm -rf /data/*")


@pytest.fixture(scope="session")
def stack(images: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All services at once; each test waits for its own."""
    data = tmp_path_factory.mktemp("data")
    helper = images["nsq"]["tag"]
    clean(data, helper)
    bitnami = {"redis": "1001:0", "elasticsearch": "1001:0", "etcd": "1001:0"}
    owners = {"mysql": "999:999", **bitnami, "minio": "1000:1000", "milvus": "1000:1000", "nsqd": "65534:65534"}
    own(data, owners, helper)
    run("network", "create", NAME)
    schema = data / "schema.sql"
    schema.write_text("CREATE TABLE note (id INT PRIMARY KEY, body JSON, title VARCHAR(20)) DEFAULT CHARSET utf8mb4;\n", encoding="utf-8")
    schema.chmod(0o644)

    mysql = {"MYSQL_ROOT_PASSWORD": PASSWORD, "MYSQL_DATABASE": "my_db", "MYSQL_USER": "coze", "MYSQL_PASSWORD": PASSWORD}
    given = [arg for key, value in mysql.items() for arg in ("-e", f"{key}={value}")]
    start(images, data, "mysql", "999:999", "/var/lib/mysql", *given, "-v", f"{schema}:/docker-entrypoint-initdb.d/schema.sql:ro")
    start(images, data, "etcd", "", "/bitnami/etcd", "-e", "ALLOW_NONE_AUTHENTICATION=yes")
    start(images, data, "minio", "1000:1000", "/data", "-e", "MINIO_ROOT_USER=lab", "-e", "MINIO_ROOT_PASSWORD=labsecret", "--", "server", "/data")
    install = "elasticsearch-plugin install file:///opt/lab/analysis-smartcn.zip && exec /opt/bitnami/scripts/elasticsearch/run.sh"
    java = ["-e", "ELASTICSEARCH_HEAP_SIZE=400m", "-e", "ES_JAVA_OPTS=-Dlab.test=1"]
    start(images, data, "elasticsearch", "", "/bitnami/elasticsearch/data", *java, "--", "bash", "-c", install)
    start(images, data, "redis", "", "/bitnami/redis/data", "-e", f"REDIS_PASSWORD={PASSWORD}", "-e", "REDIS_IO_THREADS=4")
    start(images, data, "nsqlookupd", "65534", "", "--", "/nsqlookupd", image="nsq")
    nsqd = ["/nsqd", "--data-path=/data", "--lookupd-tcp-address=nsqlookupd:4160", "--broadcast-address=nsqd"]
    start(images, data, "nsqd", "65534", "/data", "--", *nsqd, image="nsq")
    start(images, data, "nsqadmin", "65534", "", "--", "/nsqadmin", "--lookupd-http-address=nsqlookupd:4161", image="nsq")
    scratch = ("/run", "/tmp", "/var/cache/nginx", "/var/lib/nginx", "/var/log/nginx")
    tmpfs = [arg for path in scratch for arg in ("--tmpfs", f"{path}:uid=101,gid=101,mode=700")]
    start(images, data, "web", "101:101", "", *tmpfs)
    eventually("minio", "curl", "-sf", "http://127.0.0.1:9000/minio/health/ready")
    milvus = {"ETCD_ENDPOINTS": "etcd:2379", "MINIO_ADDRESS": "minio:9000", "MINIO_ACCESS_KEY_ID": "lab", "MINIO_SECRET_ACCESS_KEY": "labsecret"}
    start(images, data, "milvus", "1000:1000", "/var/lib/milvus", *[arg for key, value in milvus.items() for arg in ("-e", f"{key}={value}")])
    yield
    clean(data, helper)


@pytest.mark.parametrize("name", UPSTREAM)
def test_uid_is_upstreams(images: dict[str, dict[str, Any]], name: str) -> None:
    user, service, expected = UPSTREAM[name]
    for tag in images[name]["tags"]:
        config = json.loads(run("image", "inspect", "-f", "{{json .Config}}", tag))
        assert config.get("User", "") == user
        assert config["Labels"]["studio.cozeops.lab.holds"] == images[name]["holds"]
    if service:
        tag = images[name]["tag"]
        assert run("run", "--rm", "--entrypoint", "sh", tag, "-c", f"echo $(id -u {service}):$(id -g {service})") == expected
    assert images[name]["uid"] == (expected or "any")


@pytest.mark.parametrize(("container", "uid"), [
    ("mysql", "999"), ("redis", "1001"), ("elasticsearch", "1001"), ("etcd", "1001"), ("minio", "1000"), ("milvus", "1000"),
    ("nsqd", "65534"), ("nsqlookupd", "65534"), ("nsqadmin", "65534"), ("web", "101"),
])
@pytest.mark.usefixtures("stack")
def test_runs_without_a_capability(container: str, uid: str) -> None:
    status = eventually(container, "cat", "/proc/1/status", seconds=5)
    fields = dict(line.split(":", 1) for line in status.splitlines())
    assert fields["Uid"].split() == [uid] * 4
    assert [int(fields[key], 16) for key in ("CapPrm", "CapEff", "CapBnd")] == [0, 0, 0]


@pytest.mark.usefixtures("stack")
def test_mysql_is_initialised_and_answers_over_tcp() -> None:
    login = {"MYSQL_PWD": PASSWORD}
    client = ["mysql", "-h127.0.0.1", "-N", "my_db"]
    eventually("mysql", *client, "-ucoze", "-e", "SELECT 1", env=login)
    sql = "INSERT INTO note VALUES (1, '{\"a\": [1, 2]}', '知识库'); SELECT JSON_EXTRACT(body, '$.a[1]') FROM note WHERE title = '知识库'"
    assert inside("mysql", *client, "-ucoze", "--default-character-set=utf8mb4", "-e", sql, env=login) == "2"
    assert inside("mysql", *client, "-uroot", "-e", "SELECT CURRENT_USER()", env=login) == "root@%"


@pytest.mark.usefixtures("stack")
def test_redis_wants_its_password_and_keeps_a_value() -> None:
    login = {"REDISCLI_AUTH": PASSWORD}
    assert eventually("redis", "redis-cli", "set", "a", "1", env=login) == "OK"
    assert inside("redis", "redis-cli", "get", "a", env=login) == "1"
    assert "NOAUTH" in inside("redis", "redis-cli", "get", "a")
    assert PASSWORD not in inside("redis", "sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline")


@pytest.mark.usefixtures("stack")
def test_etcd_keeps_a_value() -> None:
    assert eventually("etcd", "etcdctl", "put", "a", "1") == "OK"
    assert inside("etcd", "etcdctl", "get", "a", "--print-value-only") == "1"


@pytest.mark.usefixtures("stack")
def test_minio_keeps_an_object() -> None:
    eventually("minio", "mc", "alias", "set", "lab", "http://127.0.0.1:9000", "lab", "labsecret")
    inside("minio", "sh", "-c", "mc mb lab/icons && echo hello | mc pipe lab/icons/a.txt")
    assert inside("minio", "mc", "cat", "lab/icons/a.txt") == "hello"


@pytest.mark.usefixtures("stack")
def test_nsq_takes_a_message_and_is_found() -> None:
    assert eventually("nsqd", "curl", "-sf", "-d", "hello", "http://127.0.0.1:4151/pub?topic=news") == "OK"
    assert json.loads(inside("nsqd", "curl", "-sf", "http://127.0.0.1:4151/stats?format=json"))["topics"][0]["depth"] == 1
    found = json.loads(eventually("nsqlookupd", "curl", "-sf", "http://127.0.0.1:4161/lookup?topic=news"))
    assert found["producers"][0]["broadcast_address"] == "nsqd"
    assert "news" in json.loads(eventually("nsqadmin", "curl", "-sf", "http://127.0.0.1:4171/api/topics"))["topics"]


@pytest.mark.usefixtures("stack")
def test_web_serves_as_its_own_user() -> None:
    assert "Coze Studio" in eventually("web", "curl", "-sf", "http://127.0.0.1/")


@pytest.mark.usefixtures("stack")
def test_elasticsearch_has_the_plugin_and_the_filters_that_templates_use() -> None:
    def ask(path: str, body: dict[str, Any]) -> Any:
        command = ["curl", "-sf", "-H", "Content-Type: application/json", "-d", json.dumps(body), f"http://127.0.0.1:9200{path}"]
        return json.loads(eventually("elasticsearch", *command))

    tokens = ask("/_analyze", {"analyzer": "smartcn", "text": "我是中国人"})["tokens"]
    assert [token["token"] for token in tokens] == ["我", "是", "中国", "人"]
    tokens = ask("/_analyze", {"tokenizer": "standard", "filter": ["lowercase", "stop", "snowball"], "text": "The Running dogs"})["tokens"]
    assert [token["token"] for token in tokens] == ["run", "dog"]
    ask("/news/_doc?refresh=true", {"title": "hello"})
    assert ask("/news/_search", {"query": {"match": {"title": "hello"}}})["hits"]["total"]["value"] == 1
    assert json.loads(inside("elasticsearch", "curl", "-sf", "http://127.0.0.1:9200/"))["version"]["number"] == "8.18.0"


@pytest.mark.usefixtures("stack")
def test_milvus_finds_the_nearest_vector() -> None:
    def ask(path: str, body: dict[str, Any]) -> Any:
        command = ["curl", "-sf", "-H", "Content-Type: application/json", "-H", "Authorization: Bearer root:Milvus", "-d", json.dumps(body)]
        answer = json.loads(inside("milvus", *command, f"http://127.0.0.1:19530/v1/vector/{path}"))
        assert answer["code"] == 200, answer
        return answer["data"]

    eventually("milvus", "curl", "-sf", "http://127.0.0.1:9091/healthz")
    ask("collections/create", {"collectionName": "lab", "dimension": 4, "metricType": "L2"})
    ask("insert", {"collectionName": "lab", "data": [{"vector": [1, 0, 0, 0]}, {"vector": [0, 1, 0, 0]}]})
    deadline = time.monotonic() + 30
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < deadline:  # what was written becomes visible a moment later
        found = ask("search", {"collectionName": "lab", "vector": [0, 0.9, 0, 0], "limit": 1})
    assert found[0]["distance"] == pytest.approx(0.01, abs=0.001)
    assert "by-dev" in inside("etcd", "etcdctl", "get", "", "--prefix", "--keys-only", "--limit", "5")


@pytest.fixture
def host(images: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    del images  # hosts need them built
    yield lab_host("create", "--no-images")
    lab("host", "destroy", NAME)


def lab(*args: str) -> str:
    return subprocess.run([sys.executable, str(LAB / "lab.py"), *args], capture_output=True, text=True, check=True).stdout


def lab_host(action: str, *options: str) -> dict[str, Any]:
    return dict(json.loads(lab("host", action, NAME, *options)))


def test_a_host_has_an_engine_of_its_own_and_is_made_once(host: dict[str, Any]) -> None:
    assert lab_host("create", "--no-images") == host
    options = [arg for option in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR") for arg in ("-o", option)]
    target = ["-i", host["identity_file"], "-p", str(host["port"]), f"{host['user']}@{host['address']}"]
    command = ["ssh", *options, *target, "sudo docker info -f '{{.Name}} {{.Driver}}'"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == [NAME, "overlay2"]
