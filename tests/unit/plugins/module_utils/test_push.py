# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in a registry, and how skopeo is called; that it does what it is told is tested against a registry."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _push
from ansible_collections.cozeops.studio.plugins.module_utils._archive import Image
from ansible_collections.cozeops.studio.plugins.module_utils._archive_index import Place
from ansible_collections.cozeops.studio.plugins.module_utils._bundle import BundleError
from ansible_collections.cozeops.studio.plugins.module_utils._definition import image_reference

LOGIN = {"registry": "r.io:5000", "username": "ops", "password": "p:'\"$ #ü"}


def place(reference: str, digest: str = "sha256:1") -> Place:
    return Place(reference, "/b/x.tgz", Image((reference,), digest, None, "linux/amd64", (), ""))


@pytest.mark.parametrize("reference", ["mysql:8.4.5", "bitnamilegacy/redis:8.0", "minio/minio:RELEASE.2025-06-13T11-33-47Z-cpuv1"])
def test_names_are_those_that_the_prefix_makes(reference: str) -> None:
    (job,) = _push.targets([place(reference)], "r.io:5000/coze")
    assert job.target == image_reference("x", {"x": reference}, {}, "r.io:5000/coze")


def test_the_registry_that_an_image_came_from_is_left_out() -> None:
    assert [job.target for job in _push.targets([place("docker.io/library/mysql:8"), place("q.io/a/b:1")], "r.io")] == ["r.io/mysql:8", "r.io/a/b:1"]


def test_two_images_of_one_name_are_refused() -> None:
    assert len(_push.targets([place("a/b:1"), place("q.io/a/b:1")], "r.io")) == 1
    with pytest.raises(BundleError, match=r"a/b:1 and q.io/a/b:1 would both be r.io/a/b:1"):
        _push.targets([place("a/b:1"), place("q.io/a/b:1", "sha256:2")], "r.io")


def test_without_skopeo_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_push.shutil, "which", lambda _name: None)
    with pytest.raises(BundleError, match="install the package skopeo"):
        _push.Skopeo("r.io", [], "")


FAKE = """#!/bin/sh
printf '%s\\n' "$@" >>"$LOG"
while [ "$1" != --authfile ]; do shift; done
cp "$2" "$LOG.auth"
stat -c %a "$2" >"$LOG.mode"
echo "unauthorized: authentication required" >&2
exit 1
"""


@pytest.mark.parametrize("logins", [[], [LOGIN]])
def test_the_password_goes_through_a_private_file_that_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logins: Any) -> None:
    command = tmp_path / "skopeo"
    command.write_text(FAKE)
    command.chmod(0o755)
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setattr(_push.shutil, "which", lambda _name: str(command))
    (tmp_path / "ca.pem").write_text("x")
    with _push.Skopeo("r.io:5000", logins, str(tmp_path / "ca.pem")) as skopeo:
        folder = Path(skopeo._scratch.name)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with pytest.raises(BundleError, match=r"r.io:5000/a:1 cannot be pushed: r.io:5000 refuses .* Set stack_registry_login") as caught:
            skopeo.lacking(_push.targets([place("a:1")], "r.io:5000"))
    assert not folder.exists()
    assert LOGIN["password"] not in (tmp_path / "log").read_text() + str(caught.value)
    auth = base64.b64encode(f"ops:{LOGIN['password']}".encode()).decode()
    assert json.loads((tmp_path / "log.auth").read_text()) == {"auths": {"r.io:5000": {"auth": auth}} if logins else {}}
