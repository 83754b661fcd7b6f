# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that come from a registry of one's own, with TLS by an authority of its own and a login.

The tests share a registry and a host, and stand in the order of their lives.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, Registry, Run, finished, make_source, playbook_argv, why_not

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]

PASSWORD = """p'"$ \\ #%&=@:/?ü"""
IMAGES = ["bitnamilegacy/redis:8.0", "nsqio/nsq:v1.2.1"]
CERTIFICATES = "/etc/docker/certs.d"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    started = Registry("registry", tmp_path_factory.mktemp("registry"), "ops", PASSWORD)
    yield started
    started.destroy()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    lab_host = LabHost("registry", tmp_path_factory.mktemp("inventory"), "--no-images")
    yield lab_host
    lab_host.destroy()


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> dict[str, Any]:
    return {
        "stack_source": str(make_source("0.5", tmp_path_factory.mktemp("tree") / "0.5")),
        "stack_services": ["redis", "nsqlookupd", "nsqd"],
        "stack_image_source": "registry",
        "stack_image_prefix": f"{registry.name}/coze",
        "stack_registry_login": [registry.login],
        "stack_registry_ca": str(registry.authority),
        "images_pull_retries": 0,
    }


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, given: dict[str, Any]) -> Path:
    dest = tmp_path_factory.mktemp("bundle") / "b"
    local(tmp_path_factory.mktemp("local"), **{**given, "stack_image_prefix": "", "bundle_dest": str(dest), "bundle_parts": ["images"]}).must_pass()
    return dest


def local(folder: Path, *arguments: str, **variables: Any) -> Run:
    (folder / "hosts.yml").write_text(yaml.safe_dump({"coze": {"hosts": {"far": {"ansible_host": "192.0.2.1"}}}}))
    return finished(playbook_argv(folder / "hosts.yml", "bundle", *arguments, **variables))


def says_no_password(run: Run) -> Run:
    flat = run.output
    assert PASSWORD not in flat and json.dumps(PASSWORD)[1:-1] not in flat
    return run


def test_a_bundle_is_pushed_once(tmp_path: Path, registry: Registry, bundle: Path, given: dict[str, Any]) -> None:
    push = {"bundle_dest": str(bundle), "bundle_state": "pushed", "bundle_registry": given["stack_image_prefix"]}
    access = {key: given[key] for key in ("stack_registry_login", "stack_registry_ca")}
    local(tmp_path, **{**push, **access, "bundle_registry": ""}).must_fail("bundle_registry is not set")
    local(tmp_path, **push, stack_registry_ca=given["stack_registry_ca"]).must_fail(f"{registry.name} refuses", "Set stack_registry_login")
    of_another = {key: value for key, value in registry.login.items() if key != "registry"}  # of Docker Hub, as nothing is said
    local(tmp_path, **push, **{**access, "stack_registry_login": [of_another]}).must_fail(f"{registry.name} refuses", "Set stack_registry_login")
    local(tmp_path, **push, stack_registry_login=given["stack_registry_login"]).must_fail("is not trusted", "Set stack_registry_ca")
    run = says_no_password(local(tmp_path, "--check", "--diff", "-vvv", **push, **access))
    run.must_pass(changed=True)
    assert registry.repositories() == []
    run = says_no_password(local(tmp_path, "-vvv", **push, **access))
    run.must_pass(changed=True)
    assert registry.repositories() == ["coze/bitnamilegacy/redis", "coze/nsqio/nsq"]
    run = local(tmp_path, **push, **access)
    run.must_pass(changed=False)
    assert "0 images were pushed, 2 were there" in " ".join(run.output.split())


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({"stack_registry_ca": ""}, ["2 of 2 images could not be pulled", "the certificate of", "Set stack_registry_ca"]),
        ({"stack_registry_login": []}, ["refuses", "Set stack_registry_login"]),
        ({"stack_registry_login": "wrong"}, ["refuses", "Set stack_registry_login"]),
        ({"stack_images": {"redis": "{name}/coze/bitnamilegacy/redis:9"}}, ["1 of 2 images could not be pulled", "has no", "redis:9", "Correct stack_images"]),
        ({"stack_registry_ca": "/no/such/file"}, ["/no/such/file"]),
    ],
)
def test_what_is_in_the_way_is_told(host: LabHost, registry: Registry, given: dict[str, Any], changes: dict[str, Any], texts: list[str]) -> None:
    host.shell(f"rm -rf {CERTIFICATES}")
    if changes.get("stack_registry_login") == "wrong":
        changes = {"stack_registry_login": [{**registry.login, "password": "wrong"}]}
    if "stack_images" in changes:
        changes = {"stack_images": {key: image.format(name=registry.name) for key, image in changes["stack_images"].items()}}
    says_no_password(host.site(**{**given, **changes})).must_fail(*texts)
    assert host.started() == {}


def test_preflight_and_check_mode_know_the_way_in_and_leave_nothing(host: LabHost, given: dict[str, Any]) -> None:
    host.shell(f"rm -rf {CERTIFICATES}; docker image prune -af >/dev/null")
    before = host.trace()
    says_no_password(host.play("preflight", "-vvv", **given)).must_pass()
    run = says_no_password(host.site("--check", "--diff", "-vvv", **given))
    run.must_pass()
    assert f"pull {given['stack_image_prefix']}/{IMAGES[0]}" in run.output, run
    assert host.trace() == before


def test_the_stack_is_deployed_from_it_and_no_login_stays(host: LabHost, given: dict[str, Any]) -> None:
    run = says_no_password(host.site("-vvv", "--diff", **given))
    run.must_pass(changed=True)
    listed = host.shell("docker images --format '{{.Repository}}:{{.Tag}}' | sort").split()
    assert listed == [f"{given['stack_image_prefix']}/{image}" for image in IMAGES]
    assert set(host.started()) == {"coze-redis", "coze-nsqlookupd", "coze-nsqd"}
    assert host.shell("find / -xdev -path '*/.docker/config.json' -size +0") == ""
    host.site(**given).must_pass(changed=False)


def test_an_image_by_its_digest(host: LabHost, registry: Registry, given: dict[str, Any]) -> None:
    digest = registry.digest("coze/nsqio/nsq", "v1.2.1")
    pinned = {**given, "stack_images": {"nsq": f"{registry.name}/coze/nsqio/nsq@{digest}"}}
    before = host.started()
    host.shell("docker image prune -af >/dev/null")
    host.site(**pinned).must_pass(changed=True)
    after = host.started()
    assert {name for name in after if after[name] != before[name]} == {"coze-nsqlookupd", "coze-nsqd"}
    host.site(**pinned).must_pass(changed=False)
    wrong = {"nsq": f"{registry.name}/coze/nsqio/nsq@sha256:{'0' * 64}"}
    host.site(**{**given, "stack_images": wrong}).must_fail("1 of 1 images could not be pulled", "has no")
    assert host.started() == after


def test_a_moved_tag_is_taken_only_when_asked_for(host: LabHost, registry: Registry, given: dict[str, Any], tmp_path: Path) -> None:
    host.site(**given).must_pass()
    name = f"{given['stack_image_prefix']}/{IMAGES[1]}"
    host.shell(f"docker pull -q {name}", check=False)  # whatever it is, it is the host's by now
    before = host.started()
    newer = "cozeops-lab-registry/nsq:v1.2.1"
    subprocess.run(["docker", "build", "-q", "-t", newer, "-"], input=f"FROM {IMAGES[1]}\nLABEL build=2\n", check=True, text=True, stdout=subprocess.DEVNULL)
    try:
        registry.push(newer, "coze/nsqio/nsq:v1.2.1")
    finally:
        subprocess.run(["docker", "rmi", newer], check=True, stdout=subprocess.DEVNULL)
    host.site(**given).must_pass(changed=False)
    begun = time.monotonic()
    host.site(**given, stack_images_update=True).must_pass(changed=True)
    print(f"taken in {time.monotonic() - begun:.1f} s")
    after = host.started()
    assert {name for name in after if after[name] != before[name]} == {"coze-nsqlookupd", "coze-nsqd"}
    host.site(**given, stack_images_update=True).must_pass(changed=False)
