# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._container import (
    bind_mounts,
    container_name,
    env_file,
    missing_images,
    nanoseconds,
    normal_reference,
    options,
    published,
)
from ansible_collections.cozeops.studio.tests.unit.plugins.samples import ROOT, model_of, service_of


def made(**more: t.Any) -> dict[str, t.Any]:
    service = service_of(**more)
    return options(model_of(service), service)


def test_names_and_paths() -> None:
    assert container_name("coze", "mysql") == "coze-mysql"
    assert env_file("/opt/x", "mysql") == "/opt/x/env/mysql.env"


def test_a_relative_source_is_in_the_stacks_directory() -> None:
    mounts = bind_mounts("/r", {"mounts": [{"source": "data/a", "target": "/a"}, {"source": "/etc/x", "target": "/x", "read_only": True}]})
    assert mounts == [
        {"type": "bind", "source": "/r/data/a", "target": "/a", "read_only": False},
        {"type": "bind", "source": "/etc/x", "target": "/x", "read_only": True},
    ]


@pytest.mark.parametrize(("address", "form"), [("127.0.0.1", "127.0.0.1:80:8080"), ("::", "[::]:80:8080")])
def test_ports_name_their_address(address: str, form: str) -> None:
    assert published({"ports": [{"address": address, "port": 80, "container_port": 8080}]}) == [form]


@pytest.mark.parametrize(("text", "number"), [("30s", 30 * 10**9), ("2m", 120 * 10**9)])
def test_durations_are_nanoseconds(text: str, number: int) -> None:
    assert nanoseconds(text) == number


def test_every_container_has_least_rights() -> None:
    wanted = made(cap_add=[])
    assert (wanted["privileged"], wanted["cap_drop"], wanted["capabilities"]) == (False, ["ALL"], [])
    assert wanted["security_opts"] == ["no-new-privileges:true"]


def test_every_container_rotates_its_log_and_comes_back() -> None:
    wanted = made()
    assert (wanted["log_driver"], wanted["log_options"]["max-size"], wanted["restart_policy"]) == ("json-file", "10m", "unless-stopped")


def test_no_secret_is_among_the_options() -> None:
    assert "root-s3cret" not in str(made())
    assert made()["env_file"] == ROOT + "/env/mysql.env"


@pytest.mark.parametrize("field", ["command", "entrypoint", "user", "memory", "cpus", "pids_limit", "stop_signal", "healthcheck"])
def test_what_a_service_does_not_say_is_left_to_the_image(field: str) -> None:
    assert field not in made(**{field: None})


def test_labels_name_stack_service_and_digest() -> None:
    service = service_of()
    assert options(model_of(service), service)["labels"] == {"cozeops.stack": "lab", "cozeops.service": "mysql", "cozeops.config": service["config"]}


@pytest.mark.parametrize(
    ("reference", "normal"),
    [
        ("mysql:8.4.5", "mysql:8.4.5"),
        ("docker.io/library/mysql:8.4.5", "mysql:8.4.5"),
        ("docker.io/minio/minio:x", "minio/minio:x"),
        ("mysql:8.4.5@sha256:00", "mysql@sha256:00"),
        ("mirror:5000/mysql@sha256:00", "mirror:5000/mysql@sha256:00"),
        ("mirror:5000/library/mysql:8", "mirror:5000/library/mysql:8"),
    ],
)
def test_a_reference_is_known_however_it_is_written(reference: str, normal: str) -> None:
    assert normal_reference(reference) == normal
    assert missing_images([reference], [normal]) == []
    assert missing_images([reference, reference], ["other:1"]) == [reference]
