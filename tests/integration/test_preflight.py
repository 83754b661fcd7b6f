# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook preflight on a host that has nothing yet but Python: everything is shown, and nothing is changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, Run, make_source, why_not

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]

ROW = re.compile(r"^ *([a-z]+) {2,}(\S.*?) {2,}(ok|warn|fail) {2,}(.*)$", re.MULTILINE)
PROXIES = {"proxies": {"default": {"httpProxy": "http://me:s3cret-word@192.0.2.1:3128", "noProxy": "localhost"}}}


def rows(run: Run) -> dict[tuple[str, str], tuple[str, str]]:
    return {(area, name): (state, found) for area, name, state, found in ROW.findall(run.output)}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source("0.5", tmp_path_factory.mktemp("tree") / "0.5")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    lab_host = LabHost("preflight", tmp_path_factory.mktemp("inventory"), "--bare")
    yield lab_host
    lab_host.destroy()


@pytest.fixture(scope="module")
def troubled(host: LabHost, source: Path) -> Iterator[Run]:
    """One run against a port that is taken, a proxy, too little memory and a model that does not answer; beside a stack of no release."""
    host.shell("mkdir -p /root/.docker && cat > /root/.docker/config.json <<'END'\n%s\nEND" % json.dumps(PROXIES))
    host.shell("setsid --fork python3 -m http.server 8888 --bind 127.0.0.1 >/dev/null 2>&1")
    host.shell("while ! python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 8888))' 2>/dev/null; do sleep 0.1; done")
    pid = host.shell("pgrep -f 'http.server 8888'").split()[0]
    old = (host.folder / "hosts.yml").read_text(encoding="utf-8")
    wrong = {**host.connection(), "stack_release": "0.9", "stack_name": "wrong", "stack_public_url": "http://127.0.0.1:8898"}
    host.write_inventory({"coze": {"hosts": {"one": {**host.connection(), "stack_name": "coze"}, "two": wrong}}})
    before = host.trace()
    try:
        yield host.play(
            "preflight",
            stack_source=str(source),
            stack_memory_min="9000g",
            stack_image_source="registry",
            stack_image_prefix="registry.invalid/mirror",
            coze_server_models=[
                {"name": "lab", "id": 100, "protocol": "openai", "model": "m", "api_key": "key-of-the-model", "base_url": "http://192.0.2.1:9/v1"}
            ],
        )
        assert host.trace() == before
    finally:
        host.shell(f"kill {pid}; rm -r /root/.docker")
        (host.folder / "hosts.yml").write_text(old, encoding="utf-8")


def test_a_bare_host_that_fits_passes_and_stays_bare(host: LabHost, source: Path) -> None:
    before = host.trace()
    run = host.play("preflight", stack_source=str(source))
    run.must_pass(changed=False)
    found = rows(run)
    assert host.trace() == before
    assert not (host.folder / "secrets").exists()
    assert "will be provided" in found["engine", "Docker Engine"][1]
    assert {state for state, dummy in found.values()} <= {"ok", "warn"}
    areas = {area for area, dummy in found}
    assert {"controller", "source", "engine", "port", "host", "disk", "kernel", "network", "image"} <= areas
    assert re.search(r"\d+ ok, \d+ warn, 0 fail", run.output)
    assert max(len(line) for line in run.output.splitlines() if ROW.match(line)) <= 160


def test_what_only_warns_is_enough_for_the_strict(host: LabHost, source: Path) -> None:
    """A host that is a container keeps its data in the layer of one, which is told."""
    run = host.play("preflight", "--check", stack_source=str(source), stack_preflight_strict=True)
    run.must_fail("one is not ready for the stack coze:", "file system")
    assert re.search(r"[1-9]\d* warn, 0 fail", run.output)


def test_every_failure_is_shown_before_the_end(troubled: Run) -> None:
    found = rows(troubled)
    assert troubled.code != 0
    assert found["port", "port 8888 of coze-web"][0] == "fail"
    assert "taken by python3 (pid" in " ".join(troubled.output.split())
    assert found["host", "memory"][0] == "fail"
    assert found["name", "registry.invalid"] == ("fail", "the name registry.invalid cannot be resolved")
    assert found["image", "registry.invalid/mirror/mysql:8.4.5"][0] == "fail"
    assert found["endpoint", "model lab"][0] == "fail"
    assert found["host", "clock"][0] == "ok"
    troubled.must_fail("is free: set it in stack_public_url.", "9000.0 GiB are needed (stack_memory_min).", "one is not ready for the stack coze:")


def test_a_proxy_that_does_not_spare_the_stack_is_told_without_its_password(troubled: Run) -> None:
    assert rows(troubled)["proxy", "of the docker command"][0] == "warn"
    assert "http://********@192.0.2.1:3128" in troubled.output
    assert not [word for word in ("s3cret-word", "key-of-the-model") if word in troubled.output]


def test_a_wrong_variable_of_one_host_does_not_stop_the_other(troubled: Run) -> None:
    troubled.must_fail("stack_release: '0.9' is not a release line.")
    assert re.search(r"\d+ ok, \d+ warn, \d+ fail", troubled.output)
    assert troubled.changed == 0
    assert "Traceback" not in troubled.output
