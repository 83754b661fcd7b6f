# SPDX-License-Identifier: GPL-3.0-or-later
"""Making and proving bundles, on directories of a few bytes."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _bundle
from ansible_collections.cozeops.studio.plugins.module_utils._archive import ArchiveError, read
from ansible_collections.cozeops.studio.plugins.module_utils._archive_index import CHECKSUMS, INCOMPLETE, MANIFEST, bundle_index
from ansible_collections.cozeops.studio.plugins.module_utils._bundle import BundleError, Wanted
from ansible_collections.cozeops.studio.tests.unit.plugins.archives import docker_files, image, tar_of
from hypothesis import given
from hypothesis import strategies as st

REDIS = image("bitnamilegacy/redis:8.0")


def test_archives_are_named_as_people_name_them() -> None:
    assert _bundle.archive_names(["bitnamilegacy/elasticsearch:8.18.0", "mysql:8.4.5", "mysql:8.4.5", "host:5000/a/b:1"]) == {
        "bitnamilegacy/elasticsearch:8.18.0": "images/elasticsearch_8.18.0-save.tgz",
        "host:5000/a/b:1": "images/b_1-save.tgz",
        "mysql:8.4.5": "images/mysql_8.4.5-save.tgz",
    }


NAME = st.from_regex(r"([a-z]{1,3}/){0,2}[a-z]{1,2}:[0-9]", fullmatch=True)


@given(st.lists(NAME, max_size=12))
def test_no_two_images_have_one_archive(references: list[str]) -> None:
    names = _bundle.archive_names(references)
    assert set(names) == set(references)
    assert len(set(names.values())) == len(names)


def test_images_by_digest_are_refused_all_at_once() -> None:
    with pytest.raises(BundleError, match=r"a@sha256:1: an archive cannot(.|\n)*b@sha256:2: an archive cannot"):
        _bundle.archive_names(["b@sha256:2", "a@sha256:1", "c:1"])


def test_what_the_engine_has() -> None:
    names = {"docker.io/library/mysql:8": "images/m.tgz", "redis:8": "images/r.tgz"}
    found = [{"RepoTags": ["mysql:8", "other:1"], "Id": "sha256:1", "Size": 7}, {"RepoTags": None, "Id": "sha256:2", "Size": 1}]
    assert _bundle.on_engine(names, found) == ([Wanted("docker.io/library/mysql:8", "images/m.tgz", "sha256:1", 7)], ["redis:8"])


def archive(path: Path, *made: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(tar_of(docker_files(*made))))
    return path


def test_an_archive_counts_only_if_it_has_the_image(tmp_path: Path) -> None:
    path = str(archive(tmp_path / "r.tgz", REDIS))
    wanted = Wanted(REDIS.references[0], "r.tgz", REDIS.config_digest, 1)
    held = _bundle.held(path, wanted, read)
    assert held is not None and held.config_digest == REDIS.config_digest
    assert _bundle.held(path, wanted._replace(id="sha256:0"), read) is None
    assert _bundle.held(path, wanted._replace(reference="redis:9"), read) is None
    assert _bundle.held(path + "x", wanted, read) is None
    Path(path).write_bytes(Path(path).read_bytes()[:-9])
    assert _bundle.held(path, wanted, read) is None


@pytest.mark.parametrize("name", [MANIFEST, INCOMPLETE])
def test_only_a_new_an_empty_or_a_bundles_directory_is_taken(tmp_path: Path, name: str) -> None:
    _bundle.refuse_place(str(tmp_path / "new" / "one"))
    _bundle.refuse_place(str(tmp_path))
    (tmp_path / "photo.jpg").write_text("x")
    with pytest.raises(BundleError, match="has other files in it"):
        _bundle.refuse_place(str(tmp_path))
    with pytest.raises(BundleError, match="is not a directory"):
        _bundle.refuse_place(str(tmp_path / "photo.jpg"))
    (tmp_path / name).write_text("{}")
    _bundle.refuse_place(str(tmp_path))


def test_a_place_that_may_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may write everywhere
    with pytest.raises(BundleError, match="may not write to %s" % tmp_path):
        _bundle.refuse_place(str(tmp_path / "new"))


def test_room_is_asked_for_before_anything_is_written(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    _bundle.refuse_room(str(tmp_path / "new"), [])
    _bundle.refuse_room(str(tmp_path / "new"), [Wanted("a:1", "a", "", 1000)])
    with pytest.raises(BundleError, match=r"GB are free, and the bundle's images may need"):
        _bundle.refuse_room(str(tmp_path / "new"), [Wanted("a:1", "a", "", free)])


@pytest.mark.parametrize("size", [0, 1, 100, 2 * _bundle.CHUNK, 5 * _bundle.CHUNK + 17])
def test_what_is_packed_any_gzip_unpacks(tmp_path: Path, size: int) -> None:
    data = os.urandom(min(size, 1000)) * (size // 1000 + 1)
    source, target = tmp_path / "partial" / "a.tar", tmp_path / "images" / "a.tgz"
    source.parent.mkdir()
    source.write_bytes(data[:size])
    _bundle.pack(str(source), str(target))
    assert subprocess.run(["gzip", "-dc", str(target)], check=size > 0, capture_output=True).stdout == data[:size]
    assert [path.name for path in (tmp_path / "partial").iterdir()] == ["a.tar"]
    first = target.read_bytes()
    _bundle.pack(str(source), str(target), threads=1)
    assert target.read_bytes() == first


def tree(top: Path, *paths: str) -> Path:
    for path in paths:
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(path)
    return top


def test_of_a_source_tree_secrets_and_data_stay_where_they_are(tmp_path: Path) -> None:
    wanted = ["LICENSE-APACHE", "docker/.env.example", "docker/volumes/a/b.sql"]
    tree(tmp_path, *wanted, "docker/.env", "docker/volumes/.git/x", "docker/volumes/a/.hidden", "docker/data/mysql/ibdata1", "README.md")
    assert _bundle.source_files(str(tmp_path), ["docker/.env.example", "docker/volumes", "backend/conf"]) == wanted


def test_only_files_that_differ_are_copied(tmp_path: Path) -> None:
    source, target = tree(tmp_path / "s", "a", "b/c", "d"), tree(tmp_path / "t", "a", "d")
    (target / "d").write_text("x")
    assert _bundle.copies(str(source), ["a", "b/c", "d"], str(target)) == ["b/c", "d"]
    (tmp_path / "partial").mkdir()
    _bundle.copy(str(source / "b/c"), str(target / "b/c"), str(tmp_path / "partial"))
    assert (target / "b/c").read_text() == "b/c" and not list((tmp_path / "partial").iterdir())


# --- a whole bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    archive(tmp_path / "images/redis_8.0-save.tgz", REDIS)
    tree(tmp_path, "source/0.5/docker/x", "python/a.whl", INCOMPLETE, "partial/a.tar")
    wanted = Wanted(REDIS.references[0], "images/redis_8.0-save.tgz", REDIS.config_digest, 1)
    held = _bundle.held(str(tmp_path / wanted.archive), wanted, read)
    assert held is not None
    document = _bundle.manifest(str(tmp_path), [(wanted, held)], {"python": {"python": "3.11"}})
    _bundle.write_manifest(str(tmp_path), {**document, "made": "2026-01-31T12:00:00Z"})
    return tmp_path


def test_a_bundle_is_what_deployments_read(bundle: Path) -> None:
    known = bundle_index(str(bundle))
    assert [(place.reference, place.image.config_digest) for place in known.places] == [(REDIS.references[0], REDIS.config_digest)]
    assert _bundle.verify(str(bundle)) == {"files": 3, "bytes": sum(path.stat().st_size for path in bundle.rglob("*/*") if path.is_file())}
    assert not (bundle / "partial").exists() and not (bundle / INCOMPLETE).exists()
    subprocess.run(["sha256sum", "--quiet", "--check", CHECKSUMS], cwd=bundle, check=True)


def test_a_bundle_that_is_not_finished_is_not_read(bundle: Path) -> None:
    (bundle / INCOMPLETE).touch()
    with pytest.raises(ArchiveError, match="was not finished"):
        bundle_index(str(bundle))


def test_everything_that_is_wrong_is_told_at_once(bundle: Path) -> None:
    (bundle / "python/a.whl").write_text("python/a.wh1")
    (bundle / "source/0.5/docker/x").unlink()
    (bundle / "images/other.tgz").write_text("x")
    with pytest.raises(BundleError) as caught:
        _bundle.verify(str(bundle))
    lines = sorted(str(caught.value).replace(str(bundle) + "/", "").splitlines())
    assert lines == [
        "images/other.tgz is not of the bundle. Remove it.",
        "python/a.whl is damaged: its checksum is not the one in manifest.json. Copy it again.",
        "source/0.5/docker/x is missing. Copy it again.",
    ]


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda top: (top / MANIFEST).write_text((top / MANIFEST).read_text().replace("8.0", "8.1")), "manifest.json is damaged"),
        (lambda top: (top / MANIFEST).write_text("{"), "is not the manifest of a bundle"),
        (lambda top: (top / MANIFEST).unlink(), "is not the manifest of a bundle"),
        (lambda top: (top / CHECKSUMS).unlink(), "SHA256SUMS cannot be read"),
        (lambda top: (top / CHECKSUMS).write_text("x\n"), "SHA256SUMS:1 is no line of sha256sum"),
        (lambda top: (top / CHECKSUMS).write_text(""), "manifest.json is damaged"),
    ],
)
def test_a_manifest_that_cannot_be_trusted(bundle: Path, edit: Any, text: str) -> None:
    edit(bundle)
    with pytest.raises(BundleError, match=text):
        _bundle.verify(str(bundle))


def test_a_part_is_the_same_while_it_is_for_the_same_and_all_there(bundle: Path) -> None:
    before = json.loads((bundle / MANIFEST).read_text())
    assert _bundle.same_part(before, str(bundle), "python", {"python": "3.11"})
    assert not _bundle.same_part(before, str(bundle), "python", {"python": "3.12"})
    assert not _bundle.same_part(before, str(bundle), "packages", {})
    assert not _bundle.same_part({}, str(bundle), "python", {"python": "3.11"})
    (bundle / "python/a.whl").write_text("python/b.whl")
    assert not _bundle.same_part(before, str(bundle), "python", {"python": "3.11"})
