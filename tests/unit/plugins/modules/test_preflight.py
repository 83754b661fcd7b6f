# SPDX-License-Identifier: GPL-3.0-or-later
"""The module preflight: with a fake of the Engine, and with a small registry on this machine in place of one."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.modules import preflight
from ansible_collections.cozeops.studio.tests.unit.plugins.registry_fake import INDEX, index_of, registry
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

Call = Callable[..., list[tuple[str, str, str, str]]]


def raising(exc: Exception) -> Any:
    def call(*_args: Any, **_kwargs: Any) -> Any:
        raise exc

    return call


def engine(**more: Any) -> Any:
    """An Engine on amd64 that has redis:8 and an image for another machine, and whose registry has the rest."""
    stored = {"redis:8": "amd64", "arm:1": "arm64"}
    return SimpleNamespace(
        **{
            "version": lambda: {"Os": "linux", "Arch": "amd64"},
            "info": dict,
            "images": lambda: [{"RepoTags": [name], "RepoDigests": None} for name in stored],
            "inspect_network": lambda _name: {"IPAM": {"Config": [{"Subnet": "127.0.0.0/8"}]}},
            "inspect_image": lambda name: {"Os": "linux", "Architecture": stored[name]},
            "inspect_distribution": lambda _name, auth_config: {
                "Platforms": [{"os": "linux", "architecture": "amd64"}, {"os": "unknown", "architecture": "unknown"}]
            },
            **more,
        }
    )


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """(area, name, state, sentence) of each row; twice, and in check mode too, it has to be the same and no change."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def run(client: Any = None, once: bool = False, **args: Any) -> list[tuple[str, str, str, str]]:
        monkeypatch.setattr(preflight, "connect", raising(EngineError("no Docker Engine answers: x")) if client is None else lambda **_kwargs: client)
        results = [run_main(preflight.main, capsys, args, check) for check in ([True] if once else [True, False, False, True])]
        assert not any(result["failed"] or result["changed"] for result in results)
        assert all(result["checks"] == results[0]["checks"] for result in results)
        return [(row["area"], row["name"], row["state"], " ".join(filter(None, [row["found"], row["cure"]]))) for row in results[0]["checks"]]

    return run


def test_nothing_to_check(call: Call) -> None:
    assert call() == call(engine()) == []


# --- images, by an Engine


def test_an_image_that_is_there_is_not_looked_for(call: Call) -> None:
    client = engine(inspect_distribution=raising(AssertionError("asked")), info=lambda: {"HttpProxy": "http://p"})
    assert call(client, images=["redis:8", "redis:8"]) == [("image", "redis:8", "ok", "on the host, for linux/amd64")]


def test_an_image_of_another_platform_is_told(call: Call) -> None:
    ((area, name, state, text),) = call(engine(), images=["arm:1"])
    assert (area, name, state) == ("image", "arm:1", "fail")
    assert text.startswith("arm:1 is there for linux/arm64 only, and the host is linux/amd64 Set stack_images")


def test_the_registry_is_asked_for_the_rest(call: Call) -> None:
    client = engine(info=lambda: {"HttpsProxy": "http://p"})
    assert call(client, images=["mysql:8"]) == [("image", "mysql:8", "ok", "in the registry, for linux/amd64")]


def test_the_registry_may_have_other_platforms_only(call: Call) -> None:
    client = engine(info=lambda: {"HttpsProxy": "p"}, inspect_distribution=lambda _name, auth_config: {"Platforms": [{"os": "linux", "architecture": "s390x"}]})
    assert call(client, images=["mysql:8"])[0][2] == "fail"


def test_with_updates_the_registry_is_asked_for_all(call: Call) -> None:
    client = engine(info=lambda: {"HttpsProxy": "p"}, inspect_image=raising(AssertionError("asked")))
    assert call(client, images=["redis:8"], image_update=True)[0][3] == "in the registry, for linux/amd64"


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("manifest unknown: manifest unknown", "docker.io has no x/y:1"),
        ("pull access denied for x/y", "docker.io refuses x/y:1"),
        ("toomanyrequests: You have reached your limit", "allows no more pulls"),
        ('Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host', "the name of docker.io cannot be resolved"),
        ("x509: certificate signed by unknown authority", "the certificate of docker.io is not trusted"),
        ("http: server gave HTTP response to HTTPS client", "docker.io speaks http, not https"),
        ("proxyconnect tcp: dial tcp 192.0.2.1:3128: connect: refused", "the Engine's proxy cannot be reached"),
        ("context deadline exceeded", "docker.io cannot be reached: context deadline exceeded"),
    ],
)
def test_what_an_engine_says_is_told_with_a_way_out(call: Call, said: str, says: str) -> None:
    client = engine(info=lambda: {"HttpsProxy": "p"}, inspect_distribution=raising(docker.errors.APIError("500", explanation=said)))
    ((dummy, name, state, text),) = call(client, images=["x/y:1"])
    assert (name, state, says in text) == ("x/y:1", "fail", True)


def test_an_engine_that_gives_no_answer(call: Call) -> None:
    client = engine(info=lambda: {"HttpsProxy": "p"}, inspect_distribution=raising(TimeoutError("timed out")))
    assert call(client, images=["x/y:1"])[0][3].startswith("docker.io cannot be reached: timed out")


def test_an_engine_that_hangs_is_left_behind(call: Call) -> None:
    def hang(_name: str, auth_config: Any) -> dict[str, Any]:
        time.sleep(20)
        return {}  # to a thread that nobody listens to any more

    client = engine(info=lambda: {"HttpsProxy": "p"}, inspect_distribution=hang)
    begin = time.monotonic()
    rows = call(client, once=True, images=["x/y:1", "redis:8"], timeout=0.2)
    assert time.monotonic() - begin < 5
    assert [(name, state) for dummy, name, state, text in rows] == [("redis:8", "ok"), ("x/y:1", "fail")]
    assert "docker.io gave no answer in time" in rows[1][3]


def test_images_that_have_to_be_there(call: Call) -> None:
    rows = call(engine(), images=["redis:8", "mysql:8"], image_source="present")
    assert [(name, state) for dummy, name, state, text in rows] == [("mysql:8", "fail"), ("redis:8", "ok")]


def test_images_that_have_to_be_there_without_an_engine(call: Call) -> None:
    ((dummy, name, state, text),) = call(images=["redis:8", "mysql:8"], image_source="present")
    assert (name, state, "could have 2 images" in text) == ("images", "warn", True)


@pytest.mark.parametrize("client", [None, engine()], ids=["no engine", "engine"])
def test_archives_are_left_to_the_stack_model(call: Call, client: Any) -> None:
    assert call(client, images=["a:1"], image_source="archive") == []


# --- images, without an Engine


def test_a_registry_is_asked_by_the_host_itself(call: Call) -> None:
    platform = preflight._registry.platform_of(preflight.os.uname().machine)
    with registry("token") as fake:
        fake.images["a/here/manifests/1"] = (INDEX, index_of(platform))
        fake.images["a/other/manifests/1"] = (INDEX, index_of("linux/s390x"))
        rows = call(images=["%s/a/%s:1" % (fake.host, name) for name in ("here", "other", "gone")])
    states = {name.rsplit("/", 1)[-1]: (state, text) for area, name, state, text in rows if area == "image"}
    assert states["here:1"] == ("ok", "in the registry, for " + platform)
    assert states["other:1"][0] == "fail"
    assert "for linux/s390x only" in states["other:1"][1]
    assert states["gone:1"][1].startswith("%s has no a/gone 1" % fake.host)
    assert not [row for row in rows if row[0] == "name"], "an address needs no name server"


def test_a_registry_whose_name_is_none(call: Call) -> None:
    rows = call(images=["nosuch.invalid:5000/a:1"])
    assert [(area, name, state) for area, name, state, text in rows] == [("name", "nosuch.invalid", "fail"), ("image", "nosuch.invalid:5000/a:1", "fail")]


def test_a_login_of_the_docker_command_is_used_and_not_shown(call: Call, tmp_path: Path) -> None:
    with registry("basic") as fake:
        fake.images["a/here/manifests/1"] = (INDEX, index_of())
        (tmp_path / ".docker").mkdir()
        (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {fake.host: {"auth": "bWU6czNjcmV0"}}}))
        rows = call(images=[fake.host + "/a/here:1"])
    assert rows == [("image", fake.host + "/a/here:1", "ok", "in the registry, for a platform that is not told")]


# --- names, ports, endpoints


def test_with_a_proxy_the_host_need_not_know_the_registry(call: Call) -> None:
    assert [row[0] for row in call(engine(), images=["nosuch.invalid/a:1"])] == ["name", "image"]
    assert [row[0] for row in call(engine(info=lambda: {"HttpProxy": "http://p"}), images=["nosuch.invalid/a:1"])] == ["image"]


def test_a_port_on_which_something_listens_is_not_tried(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert call(ports=[{"address": "0.0.0.0", "port": port, "service": "web"}]) == []
    rows = call(ports=[{"address": "127.0.0.1", "port": port, "service": "web"}, {"address": "192.0.2.222", "port": port, "service": "web"}])
    assert [(name, state) for dummy, name, state, text in rows] == [("listen on 127.0.0.1:%d" % port, "ok"), ("listen on 192.0.2.222:%d" % port, "fail")]


def test_each_endpoint_is_asked_once(call: Call) -> None:
    with registry() as fake:
        url = "http://host.docker.internal:%d/v2/" % fake.server_address[1]
        rows = call(engine(), once=True, endpoints=[*({"name": "m%d" % number, "url": url} for number in range(5)), {"name": "bad", "url": "x"}])
        assert [path for dummy, path, key in fake.seen] == ["/v2/"]
    assert [(area, name, state) for area, name, state, text in rows] == [("endpoint", "m0, m1, m2 and 2 more", "ok"), ("endpoint", "bad", "fail")]


def test_the_hosts_name_in_containers_needs_an_engine(call: Call) -> None:
    ((dummy, name, state, text),) = call(endpoints=[{"name": "m", "url": "http://host.docker.internal:1/"}])
    assert (name, state, text.startswith("not checked:")) == ("m", "ok", True)
    client = engine(inspect_network=raising(docker.errors.NotFound("x")))
    assert call(client, endpoints=[{"name": "m", "url": "http://host.docker.internal:1/"}])[0][3].startswith("not checked:")


def test_a_hundred_endpoints_do_not_add_up(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=200) as silent:
        port = silent.getsockname()[1]
        begin = time.monotonic()
        rows = call(engine(), once=True, timeout=0.5, endpoints=[{"name": "m", "url": "http://host.docker.internal:%d/%d" % (port, n)} for n in range(100)])
    assert time.monotonic() - begin < 6
    assert len(rows) == 100
    assert {state for dummy, name, state, text in rows} == {"fail"}


def test_a_proxy_of_the_containers_makes_doubts_of_failures(call: Call) -> None:
    rows = call(endpoints=[{"name": "m", "url": "http://nosuch.invalid/v1"}], endpoints_proxied=True)
    assert [(area, state) for area, name, state, text in rows] == [("endpoint", "warn")]


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ({"IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}}, "172.17.0.1"),
        ({"IPAM": {"Config": [{"Subnet": "fd00::/64"}, {"Subnet": "10.1.0.0/16", "Gateway": "10.1.9.9"}]}}, "10.1.9.9"),
        ({"IPAM": None}, None),
        ({}, None),
    ],
)
def test_the_hosts_address_in_a_network(network: dict[str, Any], address: str | None) -> None:
    assert preflight.gateway_of(network) == address
