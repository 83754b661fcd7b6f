# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that are whole, and ten and more kinds of broken ones, each with its message."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _archive
from ansible_collections.cozeops.studio.plugins.module_utils._archive import ArchiveError, as_plain_tar, find, read
from ansible_collections.cozeops.studio.tests.unit.plugins.archives import CREATED, docker_files, image, oci_files, sha256, tar_of
from hypothesis import given
from hypothesis import strategies as st

MYSQL = image("mysql:8.4.5", layers=(b"base", b"mysql"))
REDIS = image("redis:8.0", "redis:latest", layers=(b"base", b"redis"))
BIG = image("big:1", layers=(bytes(range(256)) * 4000,))


def zstd(data: bytes) -> bytes:
    if shutil.which("zstd") is None:
        pytest.skip("the command zstd is not there")
    return subprocess.run(["zstd", "-qc"], input=data, check=True, capture_output=True).stdout


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


def write(top: Path, data: bytes, name: str = "image.tar") -> str:
    (top / name).write_bytes(data)
    return str(top / name)


# --- what is whole


@pytest.mark.parametrize("compression", PACKERS)
@pytest.mark.parametrize("prove", [False, True])
@pytest.mark.parametrize("form", [docker_files, oci_files])
def test_an_archive_tells_its_images(tmp_path: Path, compression: str, prove: bool, form: Callable[..., dict[str, bytes]]) -> None:
    found = read(write(tmp_path, PACKERS[compression](tar_of(form(MYSQL)))), prove)
    (only,) = found.images
    assert (found.compression, found.docker_form) == (compression, form is docker_files)
    assert (only.references, only.config_digest, only.platform, only.created) == (("mysql:8.4.5",), MYSQL.config_digest, "linux/amd64", CREATED)
    assert only.layers == tuple("sha256:" + sha256(layer) for layer in MYSQL.layers)
    assert (only.manifest_digest is None) == (form is docker_files)


def test_an_archive_may_have_several_images_with_several_names(tmp_path: Path) -> None:
    found = read(write(tmp_path, tar_of(docker_files(MYSQL, REDIS))), True)
    assert [each.references for each in found.images] == [("mysql:8.4.5",), ("redis:8.0", "redis:latest")]


def test_an_archive_in_both_forms_is_taken_in_that_of_docker_with_the_digest_of_the_manifest(tmp_path: Path) -> None:
    """As docker save writes it since version 25."""
    files = oci_files(MYSQL, packed=False)
    config = MYSQL.config_digest.replace("sha256:", "blobs/sha256/")
    manifest = [{"Config": config, "RepoTags": ["mysql:8.4.5"], "Layers": ["blobs/sha256/" + sha256(layer) for layer in MYSQL.layers]}]
    found = read(write(tmp_path, tar_of({**files, "manifest.json": json.dumps(manifest).encode()})), True)
    (only,) = found.images
    assert found.docker_form
    assert only.manifest_digest == json.loads(files["index.json"])["manifests"][0]["digest"]


def test_a_layer_may_be_a_link_to_that_of_another_image(tmp_path: Path) -> None:
    files = docker_files(MYSQL)
    first, second = (f"{sha256(layer)}/layer.tar" for layer in MYSQL.layers)
    files["elsewhere/layer.tar"] = files.pop(second)
    assert read(write(tmp_path, tar_of(files, {second: "../elsewhere/layer.tar"})), True).images
    del files[first]
    with pytest.raises(ArchiveError, match=f"lacks the layer {first}"):
        read(write(tmp_path, tar_of(files, {second: "../elsewhere/layer.tar"})))


def test_a_layer_may_be_compressed_under_its_own_name(tmp_path: Path) -> None:
    files = docker_files(BIG)
    name = f"{sha256(BIG.layers[0])}/layer.tar"
    files[name] = gzip.compress(files[name])
    assert read(write(tmp_path, tar_of(files)), True).images


def test_an_index_may_lead_to_indexes_and_to_what_is_not_here(tmp_path: Path) -> None:
    files = oci_files(MYSQL)
    (descriptor,) = json.loads(files.pop("index.json"))["manifests"]
    note = {"digest": "sha256:" + "1" * 64, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    other = {"digest": "sha256:" + "2" * 64, "platform": {"architecture": "arm64"}}
    inner = json.dumps({"manifests": [other, {"digest": descriptor["digest"]}, note]}).encode()
    files[f"blobs/sha256/{sha256(inner)}"] = inner
    outer = {"digest": "sha256:" + sha256(inner), "annotations": {"io.containerd.image.name": "docker.io/library/mysql:8.4.5"}}
    files["index.json"] = json.dumps({"manifests": [outer]}).encode()
    (only,) = read(write(tmp_path, tar_of(files)), True).images
    assert (only.references, only.manifest_digest) == (("docker.io/library/mysql:8.4.5",), descriptor["digest"])


def test_the_variant_is_a_part_of_the_platform(tmp_path: Path) -> None:
    files = docker_files(image("a:1", architecture="arm64", variant="v8"))
    assert read(write(tmp_path, tar_of(files))).images[0].platform == "linux/arm64/v8"


@given(st.lists(st.lists(st.binary(max_size=2000), min_size=1, max_size=4), min_size=1, max_size=4), st.sampled_from(["", "gzip", "xz"]), st.booleans())
def test_whatever_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, layers: list[list[bytes]], compression: str, oci: bool) -> None:
    """Python's tarfile has written it; every digest is compared."""
    images = [image(f"image{number}:1", layers=each) for number, each in enumerate(layers)]
    path = write(tmp_path_factory.mktemp("a"), PACKERS[compression](tar_of((oci_files if oci else docker_files)(*images))))
    for prove in (False, True):
        assert [each.config_digest for each in read(path, prove).images] == [made.config_digest for made in images]


# --- what is not


def flipped(data: bytes, needle: bytes) -> bytes:
    at = data.index(needle)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def without(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {each: data for each, data in files.items() if each != name}


LAYER = f"{sha256(MYSQL.layers[1])}/layer.tar"
CONFIG = sha256(MYSQL.config) + ".json"
WHOLE = tar_of(docker_files(MYSQL))
BIG_TAR = tar_of(docker_files(BIG))
BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "a web page": (b"<!DOCTYPE html><title>404</title>", "is a web page"),
    "a text": (b"version https://git-lfs.github.com/spec/v1\n", "is no archive: it begins with 'version https://git-lfs"),
    "a tar cut short": (BIG_TAR[:300_000], r"damaged or incomplete: unexpected end of data, in the part from byte 0 of the file"),
    "a gzip cut short": (gzip.compress(BIG_TAR)[:3000], r"damaged or incomplete: compressed file ended before the end-of-stream marker"),
    "a gzip whose end is cut": (gzip.compress(WHOLE)[:-4], r"damaged or incomplete: compressed file ended before"),
    "a gzip with another checksum": (gzip.compress(WHOLE)[:-8] + b"\0" * 8, r"damaged or incomplete: (CRC|incorrect)"),
    "an xz cut short": (lzma.compress(BIG_TAR)[:-20], "damaged or incomplete: compressed file ended before"),
    "a flipped bit in a layer": (flipped(WHOLE, b"mysql\0"), f"the layer {LAYER} is damaged: its checksum is [0-9a-f]+ and not {sha256(b'mysql')}"),
    "a flipped bit in a configuration": (flipped(WHOLE, b"amd64"), f"the configuration {CONFIG} is damaged"),
    "no layer": (tar_of(without(docker_files(MYSQL), LAYER)), f"lacks the layer {LAYER}"),
    "no configuration": (tar_of(without(docker_files(MYSQL), CONFIG)), f"lacks {CONFIG}"),
    "no manifest": (tar_of(without(docker_files(MYSQL), "manifest.json")), r"holds no image: it has neither manifest\.json nor index\.json"),
    "a manifest that is no JSON": (tar_of({**docker_files(MYSQL), "manifest.json": b"[{"}), r"manifest\.json is not JSON"),
    "a manifest of another kind": (tar_of({**docker_files(MYSQL), "manifest.json": b"[1]"}), r"manifest\.json is not a list of images"),
    "a manifest of nothing": (tar_of({"manifest.json": b"[]"}), "holds no image"),
    "too few layers": (
        tar_of({**docker_files(MYSQL), "manifest.json": json.dumps([{"Config": CONFIG, "RepoTags": ["a:1"], "Layers": [LAYER]}]).encode()}),
        "a:1 names 1 layers, and its configuration 2",
    ),
    "no configuration of an image": (tar_of({"x.json": b"{}", "manifest.json": b'[{"Config": "x.json", "Layers": []}]'}), "is no image configuration"),
    "a path that leads out": (tar_of({"../../etc/passwd": b"x"}), "holds the path ../../etc/passwd, which leads out of it"),
    "an absolute path": (tar_of({"/etc/passwd": b"x"}), "holds the path /etc/passwd"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_archive_is_told_with_its_name(tmp_path: Path, case: str) -> None:
    data, message = BROKEN[case]
    path = write(tmp_path, data, "broken.tgz")
    with pytest.raises(ArchiveError, match=re.escape(path) + ".*" + message):
        read(path, prove=True)


def test_a_flipped_bit_in_a_blob_is_told(tmp_path: Path) -> None:
    files = oci_files(MYSQL)
    layer = sha256(gzip.compress(MYSQL.layers[0], mtime=0))
    files[f"blobs/sha256/{layer}"] = gzip.compress(b"other", mtime=0)
    with pytest.raises(ArchiveError, match=f"the layer blobs/sha256/{layer} is damaged"):
        read(write(tmp_path, tar_of(files)), prove=True)


def test_a_manifest_of_oci_that_was_changed_is_told(tmp_path: Path) -> None:
    files = oci_files(MYSQL)
    name = json.loads(files["index.json"])["manifests"][0]["digest"].replace("sha256:", "blobs/sha256/")
    files[name] += b" "
    with pytest.raises(ArchiveError, match=f"{name} is damaged"):
        read(write(tmp_path, tar_of(files)), prove=True)


def test_a_zstd_cut_short_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, zstd(BIG_TAR)[:-20])
    with pytest.raises(ArchiveError, match=re.escape(path) + " is damaged or incomplete"):
        read(path, prove=True)


def test_without_anything_that_reads_zstd_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, b"\x28\xb5\x2f\xfd" + b"x" * 600)
    monkeypatch.setattr(_archive.shutil, "which", lambda command: None)
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(ArchiveError, match="install the package zstd"):
        read(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="cannot be read: No such file"):
        read(str(tmp_path / "none.tar"))


# --- for older Engines


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize("form", [docker_files, oci_files])
def test_a_plain_tar_is_in_the_form_of_docker(tmp_path: Path, compression: str, form: Callable[..., dict[str, bytes]]) -> None:
    archive = read(write(tmp_path, PACKERS[compression](tar_of(form(MYSQL, REDIS)))))
    target = str(tmp_path / "plain.tar")
    as_plain_tar(archive, target)
    plain = read(target, prove=True)
    assert (plain.compression, plain.docker_form) == ("", True)
    names = [reference for each in plain.images for reference in each.references]
    assert names == ["mysql:8.4.5", "redis:8.0", "redis:latest"]
    assert {each.config_digest for each in plain.images} == {MYSQL.config_digest, REDIS.config_digest}
    with tarfile.open(target) as tar:
        assert "manifest.json" in tar.getnames()


# --- directories


def test_archives_are_found_by_their_names_in_two_places(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("b.tgz", "a.tar.zst", "images/c-save.tgz", "notes.txt", "layer.gz"):
        (tmp_path / name).write_bytes(b"")
    assert [Path(path).name for path in find(str(tmp_path))] == ["a.tar.zst", "b.tgz", "c-save.tgz"]
