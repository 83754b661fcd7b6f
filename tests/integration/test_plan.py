# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook plan on a host of its own: what it says, that it changes nothing, and how it exits.

The tests share a host and stand in the order of its life: nothing on it, a running stack, a stack that is not as wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, Run, make_source, why_not

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source("0.5", tmp_path_factory.mktemp("tree") / "0.5")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    lab_host = LabHost("plan", tmp_path_factory.mktemp("inventory"))
    yield lab_host
    lab_host.destroy()


@pytest.fixture
def given(source: Path) -> dict[str, Any]:
    return {"stack_source": str(source), "stack_services": ["redis", "nsqlookupd", "nsqd"]}


def plan(host: LabHost, **variables: Any) -> Run:
    """The playbook's run, which must leave nothing behind on the host, nor a secret on the controller."""
    secrets = host.folder / "secrets"
    before = host.trace(), sorted(secrets.glob("*"))
    run = host.play("plan", **variables)
    assert (host.trace(), sorted(secrets.glob("*"))) == before
    return run


def says(run: Run, *texts: str) -> None:
    run.must_pass()
    flat = " ".join(run.output.split())
    assert [text for text in texts if text not in flat] == [], run


def test_a_host_without_an_engine_that_answers(host: LabHost, given: dict[str, Any]) -> None:
    host.shell("kill $(cat /var/run/docker.pid); while [ -e /var/run/docker.pid ]; do sleep 0.2; done")
    try:
        run = plan(host, **given)
    finally:
        host.shell("setsid --fork dockerd >>/var/log/dockerd.log 2>&1 </dev/null")
        host.shell("for i in $(seq 300); do docker version >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1")
    says(run, "redis create", "nsqd create", "network coze would be made", "REDIS_PASSWORD", "3 services would be created, the Engine installed")


def test_a_host_with_nothing_on_it(host: LabHost, given: dict[str, Any]) -> None:
    says(plan(host, **given), "redis create", "files", "3 services would be created, the network made", "nothing else is touched")


def test_in_ci_a_host_with_nothing_on_it_fails(host: LabHost, given: dict[str, Any]) -> None:
    run = plan(host, stack_plan_exit_on_change=True, **given)
    run.must_fail("The stack coze is not as wanted: 3 services would be created", "stack_plan_exit_on_change")
    assert run.code == 2


def test_a_running_stack_needs_nothing(host: LabHost, given: dict[str, Any]) -> None:
    host.site(**given).must_pass()
    run = plan(host, stack_plan_exit_on_change=True, **given)
    run.must_pass(changed=False)
    says(run, "untouched redis, nsqlookupd, nsqd", "Nothing would change.")


def test_one_changed_variable_and_a_hand_on_the_host(host: LabHost, given: dict[str, Any]) -> None:
    host.shell("docker stop -t 1 coze-nsqd >/dev/null")
    changed = {**given, "redis_memory": "300m", "stack_services": ["redis", "nsqd"]}
    run = plan(host, **changed)
    says(
        run,
        "redis recreate memory: 256m -> 300m",
        "nsqd start state: exited -> running",
        "left alone coze-nsqlookupd: not in the stack any more",
        "files 1 changed: stack.json",
        "1 service would be recreated, 1 started, 1 file put right, nothing else is touched.",
    )
    run = plan(host, stack_plan_exit_on_change=True, **changed)
    run.must_fail("1 service would be recreated, 1 started")
    assert run.code == 2


def test_a_changed_secret_is_told_by_name_only(host: LabHost, given: dict[str, Any]) -> None:
    run = plan(host, stack_env={"REDIS_PASSWORD": "an0therS3cret"}, **given)
    says(run, "redis recreate env REDIS_PASSWORD: (another secret) -> (secret)")
    # The variables of the command line are not printed.
    assert "an0therS3cret" not in run.output
