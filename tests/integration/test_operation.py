# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack is stopped, started and looked at without its source tree, and nothing is made anew."""

from __future__ import annotations

import json
import subprocess
import tarfile
import time
from collections.abc import Iterator

import pytest
import yaml
from ansible_collections.cozeops.studio.tests.integration.lab_host import ROOT, LabHost, make_source, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

ALL = {"mysql", "redis", "elasticsearch", "minio", "etcd", "milvus", "nsqlookupd", "nsqd", "nsqadmin", "coze-server", "coze-web"}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    folder = tmp_path_factory.mktemp("operation")
    lab = LabHost("operation", folder)
    lab.play("stop").must_fail("The stack coze is not on this host: there is no /opt/cozeops/coze/stack.json. Deploy it with site.yml")
    lab.site(stack_source=str(make_source("0.5", folder / "source"))).must_pass(changed=True)
    # What follows needs neither the source nor the secrets.
    for path in ("source", "secrets"):
        (folder / path).rename(folder / ("gone-" + path))
    yield lab
    lab.destroy()


def ids(lab: LabHost) -> str:
    return lab.shell("docker ps -aq --no-trunc | sort")


def trace(lab: LabHost) -> str:
    """Containers and files, but for data that services write as they run."""
    return ids(lab) + lab.shell("find /opt/cozeops /run/cozeops -name data -prune -o -printf '%p %m %u %s %T@\\n' | sort")


def running(lab: LabHost) -> set[str]:
    return {name.removeprefix("coze-") for name in lab.shell("docker ps --format '{{.Names}}'").split()}


def times(lab: LabHost, what: str) -> dict[str, str]:
    """service -> when it was started or ended."""
    out = lab.shell("docker ps -aq | xargs docker inspect -f '{{.Name}} {{.State.%s}}'" % what)
    return {line.split()[0].removeprefix("/coze-"): line.split()[1] for line in out.splitlines()}


def test_all_is_stopped_and_started_in_order(host: LabHost) -> None:
    before, files = ids(host), trace(host)
    told = host.play("stop", "--check")
    told.must_pass(changed=True)
    assert "would stop coze-web, coze-server, " in told.flat
    assert trace(host) == files, "check mode changes nothing"
    host.play("stop", stack_reason="moving the rack").must_pass(changed=True)
    assert running(host) == set()
    ended = times(host, "FinishedAt")
    assert ended["coze-web"] < ended["coze-server"] < ended["mysql"] and ended["coze-server"] < ended["milvus"] < ended["etcd"]
    assert all(code in ("0", "143", "2") or name == "/coze-milvus" for name, code in (line.split() for line in exits(host)))
    host.play("stop").must_pass(changed=False)
    told = host.play("start", "--check")
    told.must_pass(changed=True)
    assert "would start coze-server" in told.flat and running(host) == set()
    started = host.play("start")
    started.must_pass(changed=True)
    assert running(host) == ALL and ids(host) == before
    begun = times(host, "StartedAt")
    assert begun["mysql"] < begun["coze-server"] < begun["coze-web"] and begun["etcd"] < begun["milvus"] < begun["coze-server"]
    assert "coze-web" in started.output.partition("Show the timeline")[2], "readiness was proved"
    host.play("start").must_pass(changed=False)
    changes = host.shell("tail -n 2 /opt/cozeops/coze/state/changes.log")
    assert '"reason": "moving the rack"' in changes and '"mysql": "stop"' in changes and '"mysql": "start"' in changes


def exits(lab: LabHost) -> list[str]:
    return lab.shell("docker ps -aq | xargs docker inspect -f '{{.Name}} {{.State.ExitCode}}'").splitlines()


def test_status_tells_how_everything_is(host: LabHost) -> None:
    before = trace(host)
    begun = time.monotonic()
    run = host.play("status", stack_status_dir=str(host.folder / "status"))
    took = time.monotonic() - begun
    run.must_pass(changed=False)
    assert trace(host) == before
    assert "coze, release 0.5, http://127.0.0.1:8888: 11 of 11 services ready" in run.flat
    assert "last change: " in run.flat and "start.yml" in run.flat
    told = json.loads((host.folder / "status" / "coze.json").read_text())
    services = {service["name"]: service for service in told["hosts"]["one"]["services"]}
    assert set(services) == ALL and told["well"] and not [alarm for alarm in told["alarms"] if "file system" not in alarm["text"]]
    assert all(service["ready"] and service["memory"] > 0 and not service["drift"] for service in services.values())
    assert services["mysql"]["disk"] > 1_000_000 and services["mysql"]["memory_limit"] == 1024**3
    page = (host.folder / "status" / "coze.html").read_text()
    assert "11 of 11 services ready" in page and "<script" not in page
    assert took < 15


def test_status_fails_for_what_is_not_well(host: LabHost) -> None:
    host.shell("docker stop -t 2 coze-redis; docker update --memory 900m --memory-swap 900m coze-mysql; echo >> /opt/cozeops/coze/conf/coze-web/nginx.conf")
    run = host.play("status")
    run.must_fail("The stack coze is not well: redis is exited (exit code 0): start.yml, or logs.yml to see why.")
    for text in ("mysql is not as it was deployed (memory, memory_swap): site.yml makes it so", "(file conf/coze-web/nginx.conf)"):
        assert text in run.flat
    host.play("status", stack_status_fail=False).must_pass(changed=False)
    host.shell("docker update --memory 1g --memory-swap 2g coze-mysql; sed -i '$d' /opt/cozeops/coze/conf/coze-web/nginx.conf")
    host.play("start").must_pass(changed=True)
    host.play("status").must_pass()


def test_logs_are_collected_without_a_secret(host: LabHost) -> None:
    run = host.play("logs", stack_logs_dir=str(host.folder / "logs"))
    run.must_pass(changed=False)
    (path,) = (host.folder / "logs").iterdir()
    with tarfile.open(path) as tar:
        files = {member.name.split("/")[1]: tar.extractfile(member).read().decode() for member in tar.getmembers()}  # type: ignore[union-attr]
    assert {f"{name}.log" for name in ALL} | {f"{name}.inspect.json" for name in ALL} | {"versions.txt", "stack.json", "changes.log"} <= set(files)
    assert "ready for connections" in files["mysql.log"] and "Docker Engine: 26" in files["versions.txt"]
    assert "MYSQL_PASSWORD=********" in files["mysql.env"] and json.loads(files["mysql.inspect.json"])["State"]["Running"]
    secrets = yaml.safe_load((host.folder / "gone-secrets" / "coze.yml").read_text()).values()
    assert len(secrets) > 5
    assert [name for name, text in files.items() for secret in secrets if secret in text] == []
    assert str(path) in run.flat and path.stat().st_mode & 0o077 == 0


def test_one_log_is_followed_as_it_comes(host: LabHost) -> None:
    given = {"stack_services": ["redis"], "logs_follow": True, "stack_logs_follow_seconds": 6, "stack_logs_since": "1s"}
    argv = host._argv("logs", (), given)
    process = subprocess.Popen(argv, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(4)
    host.shell("docker exec coze-redis sh -c 'REDISCLI_AUTH=$REDIS_PASSWORD redis-cli bgsave'")
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 0, out
    lines = [line for line in out.splitlines() if "Background saving" in line]
    assert any("Background saving" in line for line in lines) and len(lines) == len(set(lines)), out
    host.play("logs", logs_follow=True).must_fail("To follow a log, name one service")
    host.play("logs", stack_logs_since="soon").must_fail("'soon' is no span of time: write a number with s, m, h or d behind it, such as 30m")


def test_chosen_services_are_restarted_and_others_run_on(host: LabHost) -> None:
    before, same = times(host, "StartedAt"), ids(host)
    host.play("restart", stack_services=["redis", "coze-web"]).must_pass(changed=True)
    after = times(host, "StartedAt")
    assert {name for name in after if after[name] != before[name]} == {"redis", "coze-web"} and ids(host) == same


def test_what_needs_a_stopped_service_is_not_started(host: LabHost) -> None:
    host.play("stop", stack_services=["mysql", "coze-server"]).must_pass(changed=True)
    assert running(host) == ALL - {"mysql", "coze-server"}
    host.play("start", stack_services=["coze-server"]).must_fail("coze-server was not touched: it needs mysql (on one), not proved ready in this run.")
    assert running(host) == ALL - {"mysql", "coze-server"}
    host.play("start", stack_services=["mysql", "coze-server"]).must_pass(changed=True)
    assert running(host) == ALL


def test_what_cannot_be_is_said_and_nothing_is_touched(host: LabHost) -> None:
    before = times(host, "StartedAt")
    host.play("restart", stack_services=["mysgl"]).must_fail("the stack coze has no service mysgl, did you mean mysql?")
    host.play("stop", stack_name="other", stack_root="/opt/cozeops/coze").must_fail("The directory /opt/cozeops/coze is of the stack coze, not of other.")
    host.shell("mkdir -p /run/cozeops; echo '{\"who\": \"ann\", \"controller\": \"other\", \"pid\": 1}' > /run/cozeops/coze.lock")
    host.play("stop").must_fail("The stack coze is being changed by ann on other")
    host.shell("rm /run/cozeops/coze.lock")
    assert times(host, "StartedAt") == before
    host.shell("docker stop -t 1 coze-nsqadmin && docker rm coze-nsqadmin")
    host.play("start").must_fail("nsqadmin of the stack coze has no container on this host, and nothing is made anew here. Run site.yml")
    host.play("stop").must_pass(changed=True)
    begun = time.monotonic()
    others = sorted(ALL - {"nsqadmin"})
    host.play("start", stack_services=others).must_pass(changed=True)
    assert running(host) == set(others) and time.monotonic() - begun < 120
