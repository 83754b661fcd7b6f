# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _archive
from ansible_collections.cozeops.studio.plugins.module_utils._archive import ArchiveError
from ansible_collections.cozeops.studio.plugins.module_utils._archive_cache import ReadOnce, cache_file
from ansible_collections.cozeops.studio.plugins.module_utils._archive_index import (
    checksums_of,
    choose,
    damaged,
    file_stem,
    index,
    wrong_platform,
)
from ansible_collections.cozeops.studio.tests.unit.plugins.archives import docker_files, image, tar_of

MYSQL = image("mysql:8.4.5", layers=(b"mysql",))
REDIS = image("bitnamilegacy/redis:8.0", layers=(b"redis",))
ARM = image("mysql:8.4.5", layers=(b"mysql",), architecture="arm64")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mysql_8.4.5-save.tgz").write_bytes(gzip.compress(tar_of(docker_files(MYSQL))))
    (tmp_path / "redis_8.0-save.tgz").write_bytes(gzip.compress(tar_of(docker_files(REDIS))))
    return tmp_path


def as_bundle(folder: Path, **more: Any) -> Path:
    files = [{"path": path.name, "size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in folder.glob("*.tgz")]
    images = [
        {"reference": made.references[0], "archive": name, "config_digest": made.config_digest, "manifest_digest": None, "platform": "linux/amd64"}
        for made, name in ((MYSQL, "mysql_8.4.5-save.tgz"), (REDIS, "redis_8.0-save.tgz"))
    ]
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "files": files, "images": images, **more}))
    return folder


# --- directories


def test_a_directory_of_archives_has_what_is_in_them(folder: Path) -> None:
    found = index(str(folder))
    assert [(place.reference, Path(place.archive).name) for place in found.places] == [
        ("mysql:8.4.5", "mysql_8.4.5-save.tgz"),
        ("bitnamilegacy/redis:8.0", "redis_8.0-save.tgz"),
    ]


def test_a_file_is_a_directory_of_one(folder: Path) -> None:
    assert [place.reference for place in index(str(folder / "redis_8.0-save.tgz")).places] == ["bitnamilegacy/redis:8.0"]


def test_archives_with_likely_names_are_read_first_and_no_more_than_needed(folder: Path) -> None:
    asked: list[str] = []

    def reader(path: str) -> _archive.Archive:
        asked.append(Path(path).name)
        return _archive.read(path)

    index(str(folder), ["docker.io/bitnamilegacy/redis:8.0"], reader)
    assert asked == ["redis_8.0-save.tgz"]


def test_an_archive_with_another_name_is_found_all_the_same(folder: Path) -> None:
    (folder / "redis_8.0-save.tgz").rename(folder / "x.tar.gz")
    assert choose(index(str(folder), ["bitnamilegacy/redis:8.0"]), ["bitnamilegacy/redis:8.0"])[0].archive.endswith("x.tar.gz")


@pytest.mark.parametrize(
    ("reference", "stem"),
    [
        ("bitnamilegacy/elasticsearch:8.18.0", "elasticsearch_8.18.0"),
        ("docker.io/library/mysql:8.4.5", "mysql_8.4.5"),
        ("minio/minio:RELEASE.2025-06-13T11-33-47Z-cpuv1", "minio_RELEASE.2025-06-13T11-33-47Z-cpuv1"),
    ],
)
def test_files_are_named_after_images(reference: str, stem: str) -> None:
    assert file_stem(reference) == stem


def test_an_archive_that_cannot_be_read_matters_only_if_something_is_missing(folder: Path) -> None:
    (folder / "broken.tar").write_bytes(b"<html>")
    assert choose(index(str(folder), ["mysql:8.4.5"]), ["mysql:8.4.5"])
    for wanted, said in ([], "broken.tar is a web page"), (["other:1"], "broken.tar is a web page.*no archive in .* has the image other:1"):
        with pytest.raises(ArchiveError, match=re.compile(said, re.DOTALL)):
            choose(index(str(folder), wanted), wanted)


def test_a_directory_without_archives_and_one_that_is_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="holds no archive"):
        index(str(tmp_path))
    with pytest.raises(ArchiveError, match="does not exist on this machine"):
        index(str(tmp_path / "none"))


# --- the choice


def test_an_image_that_no_archive_has_is_told_with_those_near_it(folder: Path) -> None:
    with pytest.raises(ArchiveError) as told:
        choose(index(str(folder)), ["mysql:8.4.6", "mysql:8.4.5", "etcd:3"])
    first, second = str(told.value).splitlines()
    assert first == f"no archive in {folder} has the image mysql:8.4.6; near it are mysql:8.4.5. Add an archive, or set stack_images to what there is."
    assert "has the image etcd:3" in second


def test_an_image_by_digest_is_refused_with_the_reason(folder: Path) -> None:
    with pytest.raises(ArchiveError, match="an archive cannot have an image by its registry's digest"):
        choose(index(str(folder)), ["mysql@sha256:" + "1" * 64])


def test_one_name_for_two_images_is_refused(folder: Path) -> None:
    (folder / "other.tar").write_bytes(tar_of(docker_files(image("mysql:8.4.5", layers=(b"newer",)))))
    with pytest.raises(ArchiveError, match=r"mysql:8\.4\.5 is another image in .*mysql_8\.4\.5-save\.tgz than in .*other\.tar\. Remove the archive"):
        choose(index(str(folder)), ["mysql:8.4.5"])


def test_the_same_image_in_two_archives_is_none_the_worse(folder: Path) -> None:
    (folder / "other.tar").write_bytes(tar_of(docker_files(MYSQL)))
    assert len(choose(index(str(folder)), ["mysql:8.4.5"])) == 1


def test_another_platform_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of(docker_files(ARM)))
    places = choose(index(str(tmp_path)), [])
    assert wrong_platform(places, "linux/arm64/v8") == []
    (sentence,) = wrong_platform(places, "linux/amd64")
    assert sentence.startswith("mysql:8.4.5 in ")
    assert "is for linux/arm64, and the host is linux/amd64" in sentence


# --- bundles


def test_a_bundle_is_known_without_reading_its_archives(folder: Path) -> None:
    as_bundle(folder)
    found = index(str(folder), reader=lambda path: pytest.fail("it was read"))
    assert [place.image.config_digest for place in found.places] == [MYSQL.config_digest, REDIS.config_digest]
    assert all(damaged(place.archive, found) == "" for place in found.places)


def test_a_file_of_a_bundle_that_is_not_as_it_was_is_told(folder: Path) -> None:
    found = index(str(as_bundle(folder)))
    first, second = (Path(place.archive) for place in found.places)
    data = first.read_bytes()
    first.write_bytes(data[:-1] + b"x")
    second.write_bytes(b"")
    assert damaged(str(first), found) == f"{first} is damaged: its checksum is not the one in manifest.json. Copy it again."
    assert damaged(str(second), found).startswith(f"{second} has 0 bytes, and its bundle says ")
    second.unlink()
    assert "cannot be read: No such file" in damaged(str(second), found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not the manifest of a bundle"),
        ("[]", "is not the manifest of a bundle"),
        ('{"format": 1}', "is not the manifest of a bundle: KeyError 'images'"),
        ('{"format": 2, "images": [], "files": []}', "has format 2, and this collection reads format 1"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ArchiveError, match=re.escape(str(tmp_path / "manifest.json")) + " " + said):
        index(str(tmp_path))


# --- checksums


def test_checksums_beside_archives_are_known(folder: Path) -> None:
    path = folder / "mysql_8.4.5-save.tgz"
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n{'0' * 64} *redis_8.0-save.tgz\n\n")
    found = index(str(folder))
    assert damaged(str(path), found) == ""
    assert damaged(str(folder / "redis_8.0-save.tgz"), found).endswith("its checksum is not the one in SHA256SUMS. Copy it again.")


def test_checksums_may_be_elsewhere(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    sums = tmp_path_factory.mktemp("sums") / "sums.txt"
    sums.write_text(f"{'0' * 64}  {folder}/mysql_8.4.5-save.tgz\n")
    found = index(str(folder), checksums=str(sums))
    assert damaged(str(folder / "mysql_8.4.5-save.tgz"), found)


def test_a_line_that_is_no_checksum_is_told_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "sums").write_text(f"{'0' * 64}  a\nnonsense\n")
    with pytest.raises(ArchiveError, match=r"sums:2 is no line of sha256sum: 'nonsense'"):
        checksums_of(str(tmp_path / "sums"))
    with pytest.raises(ArchiveError, match="cannot be read"):
        checksums_of(str(tmp_path / "none"))


# --- what was read before


def test_an_archive_is_read_again_only_if_it_is_another(folder: Path, tmp_path: Path) -> None:
    path, cache = str(folder / "mysql_8.4.5-save.tgz"), tmp_path / "cache" / "archives.json"
    first = ReadOnce(str(cache))
    archive = first(path)
    assert first.save() == []
    second = ReadOnce(str(cache), lambda path: pytest.fail("it was read again"))
    assert second(path) == archive == second.found[path]
    assert second.save() == []
    os.utime(path, (1, 1))
    with pytest.raises(pytest.fail.Exception):
        ReadOnce(str(cache), lambda path: pytest.fail("it is read"))(path)


@pytest.mark.parametrize("text", ["{", '{"format": 0, "archives": {}}', "[]"])
def test_notes_that_cannot_be_used_are_made_anew(folder: Path, tmp_path: Path, text: str) -> None:
    cache = tmp_path / "archives.json"
    cache.write_text(text)
    once = ReadOnce(str(cache))
    once(str(folder / "mysql_8.4.5-save.tgz"))
    assert once.save() == []
    assert json.loads(cache.read_text())["format"] == 1


def test_a_place_where_nothing_can_be_noted_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    once = ReadOnce(str(tmp_path / "file" / "archives.json"))
    once(str(folder / "mysql_8.4.5-save.tgz"))
    (warning,) = once.save()
    assert warning.startswith("what was read of archives is not remembered")


def test_notes_are_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_file() == "/somewhere/cozeops/archives.json"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_file() == os.path.expanduser("~/.cache/cozeops/archives.json")
