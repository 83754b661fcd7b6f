# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's part of image_archive, with an Engine that is a dict."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.modules import image_archive
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main
from docker.errors import ImageNotFound

ID, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
LAYERS = ["sha256:" + "a" * 64]
WANTED = {"reference": "redis:8", "config_digest": ID, "manifest_digest": None, "layers": LAYERS, "created": "2026-01-31T12:00:00.50Z"}
CONTAINERD = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}

Call = Callable[..., dict[str, Any]]


class Engine:
    """Archives are JSON: {name: id}."""

    def __init__(self, images: dict[str, str], root: Path, info: dict[str, Any]) -> None:
        self.images, self.about = images, {"DockerRootDir": str(root / "not" / "yet"), **info}

    def version(self) -> dict[str, Any]:
        return {"Version": "26.1.5", "Os": "linux", "Arch": "amd64"}

    def info(self) -> dict[str, Any]:
        return self.about

    def inspect_image(self, name: str) -> dict[str, Any]:
        found = self.images.get(name) or next((id_ for id_ in self.images.values() if id_ == name), None)
        if found is None:
            raise ImageNotFound(name)
        return {"Id": found, "RootFS": {"Layers": LAYERS}, "Created": "2026-01-31T12:00:00.5Z"}

    def load_image(self, chunks: Iterable[bytes]) -> list[dict[str, Any]]:
        document = json.loads(b"".join(chunks))
        if "error" in document:
            return [{"stream": "begun"}, {"error": document["error"]}]
        self.images.update(document)
        return [{"stream": "Loaded image"}]

    def tag(self, image: str, repository: str, tag: str) -> None:
        assert image in self.images.values()
        self.images[f"{repository}:{tag}"] = image


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(images: dict[str, str] | None, check: bool = False, info: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
        def connect(_timeout: int = 0) -> Engine:
            if images is None:
                raise EngineError("nothing answers")
            return Engine(images, tmp_path, info or {})

        monkeypatch.setattr(image_archive, "connect", connect)
        return run_main(image_archive.main, capsys, {"path": "/archives", "wanted": [WANTED], **args}, check)

    return run


@pytest.mark.parametrize(
    ("images", "state"),
    [
        ({}, "missing"),
        ({"redis:8": ID}, "present"),
        ({"redis:8": OTHER}, "missing"),
        ({"other:1": ID}, "retag"),
        ({"redis:8": OTHER, "other:1": ID}, "retag"),
    ],
)
def test_what_is_there_is_told(call: Call, images: dict[str, str], state: str) -> None:
    before = dict(images)
    result = call(images, check=True)
    assert (result["states"], result["changed"]) == ({"redis:8": state}, state == "retag")
    assert images == before
    call(images)
    assert images == ({**before, "redis:8": ID} if state == "retag" else before)
    assert call(images)["states"] == {"redis:8": "missing" if state == "missing" else "present"}


def test_a_manifest_digest_will_do(call: Call) -> None:
    assert call({"redis:8": OTHER}, wanted=[{**WANTED, "manifest_digest": OTHER}])["states"] == {"redis:8": "present"}


@pytest.mark.parametrize(
    ("info", "wanted", "state"),
    [
        (CONTAINERD, {}, "present"),
        (CONTAINERD, {"created": "2026-01-31T12:00:01Z"}, "missing"),
        (CONTAINERD, {"layers": ["sha256:" + "b" * 64]}, "missing"),
        (CONTAINERD, {"layers": []}, "missing"),
        ({}, {}, "missing"),
    ],
)
def test_the_store_of_containerd_names_images_anew(call: Call, info: dict[str, Any], wanted: dict[str, Any], state: str) -> None:
    assert call({"redis:8": OTHER}, info=info, wanted=[{**WANTED, **wanted}])["states"] == {"redis:8": state}


@pytest.mark.parametrize("sent", [True, False])
def test_archives_are_loaded_and_removed_if_they_were_sent(call: Call, tmp_path: Path, sent: bool) -> None:
    path, images = tmp_path / "0", dict[str, str]()
    path.write_text(json.dumps({"redis:8": ID}))
    result = call(images, load=[str(path)], **({"tmp_dir": str(tmp_path)} if sent else {}))
    assert (result["changed"], result["problems"], result["states"]) == (True, {}, {"redis:8": "present"})
    assert path.exists() is not sent
    assert (result["room"]["tmp"] is not None) is sent


def test_what_the_engine_says_against_an_archive_is_told(call: Call, tmp_path: Path) -> None:
    broken, gone = tmp_path / "0", tmp_path / "1"
    broken.write_text(json.dumps({"error": "unexpected EOF"}))
    result = call({}, load=[str(broken), str(gone)], tmp_dir=str(tmp_path))
    assert result["problems"][str(broken)] == "unexpected EOF"
    assert "No such file" in result["problems"][str(gone)]
    assert not broken.exists()


def test_the_engine_gets_archives_unpacked(call: Call, tmp_path: Path) -> None:
    whole, short, images = tmp_path / "0", tmp_path / "1", dict[str, str]()
    # pigz and its like write more than one member.
    whole.write_bytes(gzip.compress(b'{"redis:8"') + gzip.compress(f': "{ID}"}}'.encode()))
    short.write_bytes(gzip.compress(b"{" * 5000)[:-9])
    result = call(images, load=[str(whole), str(short)])
    assert (images, list(result["problems"])) == ({"redis:8": ID}, [str(short)])
    assert "end-of-stream" in result["problems"][str(short)]


def test_without_an_engine_only_check_mode_goes_on(call: Call) -> None:
    assert call(None, check=True)["states"] == {"redis:8": "missing"}
    assert "nothing answers" in call(None)["msg"]
