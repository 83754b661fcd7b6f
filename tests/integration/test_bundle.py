# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook bundle on this machine, for a small stack. The tests share a bundle and stand in the order of its life.

That an Engine and a whole stack come from a bundle is shown by the Molecule scenario offline.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cozeops.studio.tests.integration.lab_host import ROOT, Run, finished, make_source, playbook_argv, why_not

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]

REDIS, NSQ = "cozeops-lab-bundle/redis:1", "cozeops-lab-bundle/nsq:1"
PARTS = ["images", "source", "collection"]


@pytest.fixture(scope="module")
def images() -> Iterator[None]:
    """Names of the test's own, so that none that others use comes to mean something else."""
    for given, name in (("bitnamilegacy/redis:8.0", REDIS), ("nsqio/nsq:v1.2.1", NSQ)):
        subprocess.run(["docker", "tag", given, name], check=True)
    yield
    subprocess.run(["docker", "rmi", REDIS, NSQ], check=False, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def dest(tmp_path_factory: pytest.TempPathFactory, images: None) -> Path:
    return tmp_path_factory.mktemp("bundle") / "b"


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory, dest: Path) -> Path:
    folder = tmp_path_factory.mktemp("inventory")
    given = {
        "stack_source": str(make_source("0.5", folder / "tree")),
        "stack_services": ["redis", "nsqlookupd", "nsqd"],
        "stack_images": {"redis": REDIS, "nsq": NSQ},
        "stack_image_source": "archive",
        "stack_archive_dir": "/in/the/room",
        "bundle_dest": str(dest),
        "bundle_parts": PARTS,
    }
    # Hosts of the inventory are not asked for anything.
    document = {"coze": {"hosts": {"far": {"ansible_host": "192.0.2.1", "ansible_become": True}}, "vars": given}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(document))
    return folder / "hosts.yml"


def bundle(inventory: Path, *arguments: str, **variables: Any) -> Run:
    return finished(playbook_argv(inventory, "bundle", *arguments, **variables))


def times(dest: Path) -> dict[str, int]:
    return {str(path.relative_to(dest)): path.stat().st_mtime_ns for path in dest.rglob("*") if path.is_file()}


def test_images_that_cannot_be_had_are_all_named(inventory: Path, dest: Path) -> None:
    lacking = {"redis": "cozeops-lab-bundle/none:1", "nsq": "cozeops-lab-bundle/none:2"}
    run = bundle(inventory, stack_images=lacking, bundle_pull=False)
    run.must_fail("bundle_pull is false", "cozeops-lab-bundle/none:1", "cozeops-lab-bundle/none:2")
    assert times(dest).keys() <= {"INCOMPLETE"}


def test_places_that_are_not_for_a_bundle(inventory: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("x")
    bundle(inventory, bundle_dest=str(tmp_path)).must_fail(f"{tmp_path} has other files in it")
    bundle(inventory, bundle_dest=str(tmp_path / "photo.jpg")).must_fail("is not a directory")
    bundle(inventory, bundle_dest="").must_fail("bundle_dest is not set")
    assert os.listdir(tmp_path) == ["photo.jpg"]


def test_check_mode_writes_nothing(inventory: Path, dest: Path) -> None:
    before = times(dest)
    run = bundle(inventory, "--check", "--diff")
    run.must_pass(changed=True)
    assert "would write images/redis_1-save.tgz" in run.output and "write source/0.5/docker/volumes/mysql/schema.sql" in run.output, run
    assert times(dest) == before


def test_one_that_is_interrupted_goes_on_where_it_was(inventory: Path, dest: Path) -> None:
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(playbook_argv(inventory, "bundle"), cwd=ROOT, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
    first = dest / "images" / "nsq_1-save.tgz"
    deadline = time.monotonic() + 120
    while not list(dest.glob("images/*.tgz")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert first.is_file() and (dest / "INCOMPLETE").is_file() and not (dest / "manifest.json").exists()
    bundle(inventory, bundle_state="verified").must_fail(f"{dest} is a bundle that was not finished")
    made = first.stat().st_mtime_ns

    bundle(inventory).must_pass(changed=True)
    assert first.stat().st_mtime_ns == made
    assert not (dest / "INCOMPLETE").exists() and not (dest / "partial").exists()


def test_it_has_what_the_stack_needs_and_no_more(dest: Path) -> None:
    subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=dest, check=True)
    document = json.loads((dest / "manifest.json").read_text())
    assert [image["reference"] for image in document["images"]] == [NSQ, REDIS]
    for image in document["images"]:
        inspected = subprocess.run(["docker", "image", "inspect", "-f", "{{.Id}}", image["reference"]], check=True, capture_output=True, text=True)
        assert image["config_digest"] == inspected.stdout.strip()
    assert (document["releases"], document["platform"], document["collection_version"]) == (["0.5"], "linux/amd64", "0.1.0")
    assert sorted(path.name for path in dest.iterdir()) == ["SHA256SUMS", "collection", "images", "manifest.json", "source"]


def test_a_second_run_writes_nothing(inventory: Path, dest: Path) -> None:
    before = times(dest)
    bundle(inventory).must_pass(changed=False)
    bundle(inventory, "--check").must_pass(changed=False)
    assert times(dest) == before
    run = bundle(inventory, bundle_state="verified")
    run.must_pass(changed=False)
    assert f"{dest} is whole" in " ".join(run.output.split())


def test_only_what_changed_is_written_anew(inventory: Path, dest: Path) -> None:
    before = times(dest)
    subprocess.run(["docker", "build", "-q", "-t", NSQ, "-"], input=f"FROM {NSQ}\nLABEL build=2\n", check=True, text=True, stdout=subprocess.DEVNULL)
    (dest / "source/0.5/docker/volumes/mysql/schema.sql").write_text("of another hand")
    (dest / "source/0.5/docker/volumes/mysql/stray.sql").write_text("")
    bundle(inventory).must_pass(changed=True)
    after = times(dest)
    changed = {path for path in after if after[path] != before.get(path)}
    assert changed == {"images/nsq_1-save.tgz", "source/0.5/docker/volumes/mysql/schema.sql", "manifest.json", "SHA256SUMS"}
    assert after.keys() == before.keys()


def test_a_damaged_bundle_is_told_and_mended(inventory: Path, dest: Path) -> None:
    path = dest / "images" / "redis_1-save.tgz"
    kept = path.stat()
    with path.open("r+b") as handle:
        handle.seek(path.stat().st_size // 2)
        handle.write(b"\0" * 64)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))  # as a bad disk would
    next((dest / "collection").iterdir()).unlink()
    bundle(inventory, bundle_state="verified").must_fail(f"{path} is damaged", ".tar.gz is missing")
    bundle(inventory).must_pass(changed=True)
    bundle(inventory, bundle_state="verified").must_pass()


def test_distributions_that_cannot_be_had_are_told(inventory: Path) -> None:
    run = bundle(inventory, bundle_parts=["packages"], bundle_distributions="debian-99")
    run.must_fail("bundle_distributions: debian-99 cannot be fetched on this machine")
