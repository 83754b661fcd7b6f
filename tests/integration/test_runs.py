# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs leave on the controller: a timeline and a report, of runs that succeed, change nothing, only check, and fail.

The tests share a host and stand in the order of its life. Services are few and small: the timeline is the subject.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.module_utils._report import render
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, make_source, why_not

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]

SMALL = ["redis", "etcd", "minio"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source("0.5", tmp_path_factory.mktemp("tree") / "0.5")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    lab_host = LabHost("runs", tmp_path_factory.mktemp("inventory"))
    yield lab_host
    lab_host.destroy()


@pytest.fixture(scope="module")
def given(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {"stack_source": str(source), "stack_services": SMALL, "stack_run_dir": str(tmp_path_factory.mktemp("runs")), "stack_run_keep": 3}


def runs(given: dict[str, Any]) -> list[Path]:
    return sorted(Path(given["stack_run_dir"], "coze").iterdir())


def last(given: dict[str, Any]) -> dict[str, Any]:
    return json.loads((runs(given)[-1] / "timeline.json").read_text(encoding="utf-8"))


def services(timeline: dict[str, Any], host: str = "one") -> dict[str, dict[str, Any]]:
    entry = next(entry for entry in timeline["hosts"] if entry["name"] == host)
    return {service["name"]: service for service in entry["services"]}


def test_check_mode_says_so_and_leaves_no_trace_on_the_host(host: LabHost, given: dict[str, Any]) -> None:
    before = host.trace()
    host.site("--check", **given).must_pass(changed=True)
    assert host.trace() == before
    timeline = last(given)
    assert timeline["run"]["check_mode"] is True
    assert {name: service["status"] for name, service in services(timeline).items()} == dict.fromkeys(SMALL, "planned")
    assert {service["planned"]["action"] for service in services(timeline).values()} == {"recreate"}
    assert [service["started"] for service in services(timeline).values()] == [None] * 3
    assert "Check mode: a run would change something" in (runs(given)[-1] / "report.html").read_text(encoding="utf-8")


def test_a_run_leaves_when_each_service_was_made_started_and_ready(host: LabHost, given: dict[str, Any]) -> None:
    host.site(**given).must_pass(changed=True)
    timeline = last(given)
    run, entry = timeline["run"], timeline["hosts"][0]
    assert (run["outcome"], run["check_mode"], run["playbook"]) == ("changed", False, "site.yml")
    assert run["user"]
    assert entry["engine"]["version"] == host.shell("docker version -f '{{.Server.Version}}'").strip()
    for name, service in services(timeline).items():
        moments = [service[key]["s"] for key in ("planned", "begun", "created", "started", "ready")]
        assert moments == sorted(moments), name
        assert 0 < moments[0] < moments[-1] < run["seconds"]
        assert service["status"] == "ready"
        # Both machines are one here, so that the Engine's own words can be compared with ours.
        told = host.shell(f"docker inspect -f '{{{{.State.StartedAt}}}} {{{{.Created}}}} {{{{.Image}}}}' coze-{name}").split()
        assert service["started"]["at"][:22] == told[0][:22]
        assert service["created"]["at"] <= told[1] <= told[0]
        assert service["image_id"] == told[2]
    jobs = services(timeline)["minio"]["init"]
    assert [job["job"] for job in jobs] == ["bucket_seed"]
    assert services(timeline)["minio"]["ready"]["s"] <= jobs[0]["begun"]["s"] < services(timeline)["minio"]["init_done"]["s"]
    names = [phase["name"] for phase in entry["phases"]]
    assert names[0] == "stack" and {"stack", "service"} <= set(names)
    edges = [phase[key]["s"] for phase in entry["phases"] for key in ("begun", "done")]
    assert edges == sorted(edges)


def test_what_is_left_is_private_and_holds_no_secret(host: LabHost, given: dict[str, Any]) -> None:
    folder = runs(given)[-1]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "timeline.json", folder / "report.html")] == [0o700, 0o600, 0o600]
    secrets = yaml.safe_load((host.folder / "secrets" / "coze.yml").read_text(encoding="utf-8"))
    assert secrets
    for path in (folder / "timeline.json", folder / "report.html"):
        text = path.read_text(encoding="utf-8")
        assert [key for key, value in secrets.items() if str(value) in text] == []


def test_a_run_that_changes_nothing_says_what_ran_before(host: LabHost, given: dict[str, Any]) -> None:
    before = host.started()
    host.site(**given).must_pass(changed=False)
    timeline = last(given)
    assert timeline["run"]["outcome"] == "ok"
    assert {service["status"] for service in services(timeline).values()} == {"untouched"}
    assert all(service["already"] and service["begun"] is None for service in services(timeline).values())
    assert host.started() == before


def test_a_run_that_fails_leaves_the_reason_and_old_runs_go(host: LabHost, given: dict[str, Any]) -> None:
    kept = runs(given)
    run = host.site(**given, stack_images={"redis": "minio/minio:RELEASE.2025-06-13T11-33-47Z-cpuv1"})
    assert run.code != 0
    timeline = last(given)
    assert timeline["run"]["outcome"] == "failed"
    redis = services(timeline)["redis"]
    assert redis["status"] in ("failed", "restored")
    assert redis["failed"]["reason"]
    assert timeline["hosts"][0]["failure"]["message"]
    assert runs(given)[:2] == kept[-2:]
    assert len(runs(given)) == 3


def test_one_file_for_several_hosts_and_one_that_is_not_reached(host: LabHost, given: dict[str, Any], tmp_path: Path) -> None:
    old = (host.folder / "hosts.yml").read_text(encoding="utf-8")
    gone = {**host.connection(), "ansible_port": 1, "stack_name": "other", "stack_public_url": "http://127.0.0.1:8899"}
    host.write_inventory({"coze": {"hosts": {"one": {**host.connection(), "stack_name": "coze"}, "gone": gone}}})
    try:
        run = host.site(**{**given, "stack_run_dir": str(tmp_path)})
    finally:
        (host.folder / "hosts.yml").write_text(old, encoding="utf-8")
    assert run.code != 0
    (path,) = tmp_path.glob("several/*/timeline.json")
    timeline = json.loads(path.read_text(encoding="utf-8"))
    assert {entry["name"]: entry["outcome"] for entry in timeline["hosts"]} == {"one": "changed", "gone": "unreachable"}
    gone_entry = next(entry for entry in timeline["hosts"] if entry["name"] == "gone")
    assert gone_entry["services"] == []
    assert "connect" in gone_entry["failure"]["message"].lower()


def test_the_report_is_drawn_again_from_the_timeline(host: LabHost, given: dict[str, Any], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    host.play("report", stack_run_dir=given["stack_run_dir"], stack_report_dest=str(page)).must_pass(changed=True)
    assert page.read_text(encoding="utf-8") == render(last(given))
    host.play("report", stack_run_dir=given["stack_run_dir"], stack_report_dest=str(page)).must_pass(changed=False)
    nothing = host.play("report", stack_run_dir=str(tmp_path))
    nothing.must_fail("No run of the stack coze has left a timeline.json below", "Run site.yml first")


def test_a_place_inside_the_inventory_is_refused(host: LabHost, given: dict[str, Any]) -> None:
    run = host.play("site", "-i", str(host.folder), **{**given, "stack_run_dir": str(host.folder / "runs")})
    run.must_fail("stack_run_dir:", "lies in the inventory folder", "Set it to a directory elsewhere")
    assert not (host.folder / "runs").exists()


def test_a_place_that_cannot_be_written_fails_no_run(host: LabHost, given: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run = host.site(**{**given, "stack_run_dir": str(tmp_path / "file")})
    run.must_pass()
    assert "The timeline of this run is not kept" in run.output
