# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that come from archives on the controller, on a host of its own that has none.

The tests share a host and stand in the order of its life.
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, make_source, why_not

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]

REDIS, NSQ = "bitnamilegacy/redis:8.0", "nsqio/nsq:v1.2.1"
LOAD = "Load images from archives"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source("0.5", tmp_path_factory.mktemp("tree") / "0.5")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    lab_host = LabHost("archives", tmp_path_factory.mktemp("inventory"), "--no-images")
    yield lab_host
    lab_host.destroy()


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two images under the names that people give to such files."""
    folder = tmp_path_factory.mktemp("archives")
    for reference, name in ((REDIS, "redis_8.0-save.tgz"), (NSQ, "nsq_v1.2.1-save.tgz")):
        save(["docker"], reference, folder / name)
    return folder


def save(docker: list[str], reference: str, path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=1) as packed, subprocess.Popen([*docker, "save", reference], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        shutil.copyfileobj(process.stdout, packed)
    assert process.returncode == 0


@pytest.fixture
def given(source: Path, archives: Path) -> dict[str, Any]:
    return {
        "stack_source": str(source),
        "stack_services": ["redis", "nsqlookupd", "nsqd"],
        "stack_image_source": "archive",
        "stack_archive_dir": str(archives),
    }


def images(host: LabHost) -> str:
    return host.shell("docker images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | sort")


def test_what_is_not_in_the_archives_is_told_before_anything_is_done(host: LabHost, given: dict[str, Any], tmp_path: Path) -> None:
    before = host.trace()
    host.site(**{**given, "stack_archive_dir": ""}).must_fail("stack_image_source is archive, and stack_archive_dir is not set")
    host.site(**{**given, "stack_archive_dir": str(tmp_path)}).must_fail(f"stack_archive_dir: {tmp_path} holds no archive")
    shutil.copy(Path(given["stack_archive_dir"]) / "redis_8.0-save.tgz", tmp_path)
    host.site(**{**given, "stack_archive_dir": str(tmp_path)}).must_fail(f"no archive in {tmp_path} has the image {NSQ}", f"it has {REDIS}")
    assert host.trace() == before


def test_a_damaged_archive_is_named_and_nothing_is_loaded(host: LabHost, given: dict[str, Any], tmp_path: Path) -> None:
    for path in Path(given["stack_archive_dir"]).iterdir():
        shutil.copy(path, tmp_path)
    broken = tmp_path / "nsq_v1.2.1-save.tgz"
    with broken.open("r+b") as handle:
        handle.truncate(broken.stat().st_size // 2)
    host.site(**{**given, "stack_archive_dir": str(tmp_path)}).must_fail(str(broken))
    assert images(host) == ""


def test_check_mode_and_the_plan_tell_and_send_nothing(host: LabHost, given: dict[str, Any]) -> None:
    before = host.trace()
    run = host.play("plan", **given)
    run.must_pass()
    assert f"images         would be loaded: {REDIS}, {NSQ}" in run.output, run
    run = host.site("--check", "--diff", **given)
    run.must_pass()
    assert f"load {REDIS} from {given['stack_archive_dir']}/redis_8.0-save.tgz" in run.output, run
    assert (host.trace(), images(host)) == (before, "")


def test_the_stack_is_deployed_from_them(host: LabHost, given: dict[str, Any]) -> None:
    host.site(**given).must_pass(changed=True)
    assert [line.split()[0] for line in images(host).splitlines()] == [REDIS, NSQ]
    assert set(host.started()) == {"coze-redis", "coze-nsqlookupd", "coze-nsqd"}


def test_a_second_run_has_nothing_to_load(host: LabHost, given: dict[str, Any]) -> None:
    before = images(host), host.started()
    run = host.site(**given)
    run.must_pass(changed=False)
    assert f"TASK [cozeops.studio.images : {LOAD}" not in run.output, run
    assert (images(host), host.started()) == before


def test_what_the_engine_has_under_another_name_is_tagged(host: LabHost, given: dict[str, Any]) -> None:
    before = images(host), host.started()
    host.shell(f"docker tag {REDIS} elsewhere/redis:1 && docker rmi {REDIS}")
    host.site(**given).must_pass(changed=True)
    host.shell("docker rmi elsewhere/redis:1")
    assert (images(host), host.started()) == before


def test_only_a_newer_build_of_a_tag_is_loaded_and_only_its_services_are_made_anew(host: LabHost, given: dict[str, Any], tmp_path: Path) -> None:
    shutil.copy(Path(given["stack_archive_dir"]) / "redis_8.0-save.tgz", tmp_path)
    host.shell(f"docker tag {NSQ} kept/nsq:1 && printf 'FROM {NSQ}\\nLABEL build=2\\n' | docker build -q -t {NSQ} -")
    newer = host.shell(f"docker image inspect -f '{{{{.Id}}}}' {NSQ}").strip()
    save(["docker", "exec", host.container, "docker"], NSQ, tmp_path / "nsq_v1.2.1-save.tgz")
    host.shell(f"docker rmi {NSQ} && docker tag kept/nsq:1 {NSQ} && docker rmi kept/nsq:1")
    assert newer not in images(host)
    before = host.started()

    given["stack_archive_dir"] = str(tmp_path)
    told = host.play("plan", **given)
    told.must_pass()
    assert f"would be loaded: {NSQ}" in told.output and "1 image loaded" in " ".join(told.output.split()), told
    run = host.site("--diff", **given)
    run.must_pass(changed=True)
    assert f"load {REDIS}" not in run.output, run
    assert f"{NSQ} {newer}" in images(host)
    after = host.started()
    assert {name for name in after if after[name] != before[name]} == {"coze-nsqlookupd", "coze-nsqd"}
    host.site(**given).must_pass(changed=False)


def test_with_the_store_of_containerd_what_was_loaded_is_known_again(host: LabHost, given: dict[str, Any]) -> None:
    host.play("teardown", stack_teardown_confirm="coze", **given).must_pass()
    host.shell(
        'echo \'{"features": {"containerd-snapshotter": true}}\' >/etc/docker/daemon.json; kill $(cat /var/run/docker.pid);'
        " while [ -e /var/run/docker.pid ]; do sleep 0.2; done; setsid --fork dockerd >>/var/log/dockerd.log 2>&1 </dev/null;"
        " for i in $(seq 300); do docker version >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1"
    )
    assert images(host) == ""
    host.site(**given).must_pass(changed=True)
    assert [line.split()[0] for line in images(host).splitlines()] == [REDIS, NSQ]
    before = host.started()
    run = host.site("--diff", **given)
    run.must_pass(changed=False)
    # Here the digest of an archive's image says nothing, so the host is asked.
    assert LOAD in run.output and host.started() == before
