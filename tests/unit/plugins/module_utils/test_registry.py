# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of image registries, against a small one of our own; and references, against the docker package."""

from __future__ import annotations

import base64
import socket
import time
import typing as t

import docker.auth
import docker.utils
import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _registry
from ansible_collections.cozeops.studio.plugins.module_utils._registry import Reference, Registry, RegistryError, challenge, login_of, parse, platforms
from ansible_collections.cozeops.studio.tests.unit.plugins.registry_fake import INDEX, MANIFEST, TOKEN, Fake, index_of, registry
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "0" * 64


# --- references


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("mysql", ("docker.io", "library/mysql", "latest")),
        ("mysql:8.4.5", ("docker.io", "library/mysql", "8.4.5")),
        ("docker.io/mysql:8", ("docker.io", "library/mysql", "8")),
        ("index.docker.io/a/b", ("docker.io", "a/b", "latest")),
        ("nsqio/nsq:v1.2.1", ("docker.io", "nsqio/nsq", "v1.2.1")),
        ("localhost/a", ("localhost", "a", "latest")),
        ("r.example.com:5000/x/y/z:1", ("r.example.com:5000", "x/y/z", "1")),
        ("mysql:8@" + DIGEST, ("docker.io", "library/mysql", DIGEST)),
    ],
)
def test_references(text: str, parts: tuple[str, str, str]) -> None:
    assert parse(text) == parts


WORD = st.from_regex(r"\A[a-z0-9]{1,6}\Z")
HOST = st.sampled_from(["", "localhost/", "r.example.com/", "r:5000/", "docker.io/", "index.docker.io/"])
TAG = st.sampled_from(["", ":1", ":v2.5-x", "@" + DIGEST])


@given(host=HOST, path=st.lists(WORD, min_size=1, max_size=3), tag=TAG)
def test_references_are_read_as_the_docker_package_reads_them(host: str, path: list[str], tag: str) -> None:
    text = host + "/".join(path) + tag
    name, version = docker.utils.parse_repository_tag(text)
    wanted_host, wanted_path = docker.auth.resolve_repository_name(name)
    found = parse(text)
    assert found.registry == wanted_host
    assert found.repository == ("library/" + wanted_path if wanted_host == "docker.io" and "/" not in wanted_path else wanted_path)
    assert found.version == (version or "latest")


@pytest.mark.parametrize(
    ("name", "local"),
    [("localhost", True), ("localhost:5000", True), ("127.0.0.1:5000", True), ("[::1]:5000", True), ("r.example.com:5000", False), ("192.0.2.1", False)],
)
def test_this_machines_registry_may_speak_http(name: str, local: bool) -> None:
    assert _registry.is_local(name) is local


@pytest.mark.parametrize(("machine", "platform"), [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64"), ("riscv64", "linux/riscv64")])
def test_the_platform_of_a_machine(machine: str, platform: str) -> None:
    assert _registry.platform_of(machine) == platform


# --- headers and documents


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('Bearer realm="https://a/t?x=1,2",service="s"', ("bearer", {"realm": "https://a/t?x=1,2", "service": "s"})),
        ("Basic realm=x", ("basic", {"realm": "x"})),
        ("", ("", {})),
        ("Negotiate", ("negotiate", {})),
    ],
)
def test_challenges(header: str, found: tuple[str, dict[str, str]]) -> None:
    assert challenge(header) == found


@given(st.text())
def test_any_header_is_read_without_an_error(header: str) -> None:
    scheme, parameters = challenge(header)
    assert scheme == scheme.lower()
    assert isinstance(parameters, dict)


AUTH = base64.b64encode(b"me:s3:cret").decode()


@pytest.mark.parametrize(
    ("document", "name", "login"),
    [
        ({"auths": {"r:5000": {"auth": AUTH}}}, "r:5000", ("me", "s3:cret")),
        ({"auths": {"https://r:5000": {"auth": AUTH}}}, "r:5000", ("me", "s3:cret")),
        ({"auths": {"https://index.docker.io/v1/": {"auth": AUTH}}}, "docker.io", ("me", "s3:cret")),
        ({"auths": {"r": {}}, "credsStore": "pass"}, "r", None),
        ({"auths": {"r": {"auth": "%%%"}}}, "r", None),
        ({"auths": []}, "r", None),
        (None, "r", None),
    ],
)
def test_logins(document: t.Any, name: str, login: tuple[str, str] | None) -> None:
    assert login_of(document, name) == login


def test_attestations_are_no_platforms() -> None:
    assert platforms(index_of("linux/arm64", "linux/amd64")) == ["linux/amd64", "linux/arm64"]
    assert platforms([]) == platforms({}) == []


# --- a registry


def ask(fake: Fake, name: str = "coze/mysql", version: str = "8", login: tuple[str, str] | None = None, timeout: float = 5) -> list[str]:
    return Registry(fake.host, login, timeout, insecure=True).platforms(Reference(fake.host, name, version))


def fill(fake: Fake) -> None:
    fake.images["coze/mysql/manifests/8"] = (INDEX, index_of("linux/amd64", "linux/arm64"))
    fake.images["coze/single/manifests/1"] = (MANIFEST, {"config": {"digest": DIGEST}})
    fake.blobs["coze/single/blobs/" + DIGEST] = {"os": "linux", "architecture": "arm64"}
    fake.images["coze/old/manifests/1"] = ("application/vnd.docker.distribution.manifest.v1+prettyjws", {"schemaVersion": 1})


@pytest.mark.parametrize("auth", ["none", "token"])
@pytest.mark.parametrize(
    ("name", "version", "found"),
    [("coze/mysql", "8", ["linux/amd64", "linux/arm64"]), ("coze/single", "1", ["linux/arm64"]), ("coze/old", "1", [])],
)
def test_platforms_of_an_image(auth: str, name: str, version: str, found: list[str]) -> None:
    with registry(auth) as fake:
        fill(fake)
        assert ask(fake, name, version) == found
        assert fake.seen[-1][2] == ("Bearer " + TOKEN if auth == "token" else "")


def test_a_pull_is_not_spent_on_an_image_that_is_not_there() -> None:
    with registry() as fake, pytest.raises(RegistryError, match="has no coze/mysql 8"):
        ask(fake)
    assert [(method, path) for method, path, dummy in fake.seen] == [("GET", "/v2/"), ("HEAD", "/v2/coze/mysql/manifests/8")]


def test_a_login_is_used_where_the_registry_wants_one() -> None:
    with registry("basic") as fake:
        fill(fake)
        assert ask(fake, login=("me", "s3cret")) == ["linux/amd64", "linux/arm64"]
        with pytest.raises(RegistryError, match="wants a login"):
            ask(fake)
        with pytest.raises(RegistryError, match=r"refuses coze/mysql \(HTTP 401\)") as caught:
            ask(fake, login=("me", "wr0ng-word"))
        assert "wr0ng-word" not in str(caught.value) + caught.value.cure


@pytest.mark.parametrize(
    ("path", "fault", "says"),
    [
        ("/v2/", 503, "answers with HTTP 503"),
        ("/token", 403, "refuses coze/mysql"),
        ("/v2/coze/mysql/manifests/8", 429, "allows no more pulls for now"),
        ("/v2/coze/mysql/manifests/8", 403, "refuses coze/mysql (HTTP 403)"),
    ],
)
def test_refusals_are_told_with_a_way_out(path: str, fault: int, says: str) -> None:
    with registry("token") as fake:
        fill(fake)
        fake.faults[path] = fault
        with pytest.raises(RegistryError) as caught:
            ask(fake)
    assert says in str(caught.value)
    assert caught.value.cure


def test_a_registry_that_is_silent_is_waited_for_only_so_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = "127.0.0.1:%d" % silent.getsockname()[1]
        begin = time.monotonic()
        with pytest.raises(RegistryError, match=r"gave no answer within 0\.3 s"):
            Registry(host, None, 0.3).platforms(Reference(host, "a", "1"))
        assert time.monotonic() - begin < 3


def test_a_registry_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = "127.0.0.1:%d" % listener.getsockname()[1]
    with pytest.raises(RegistryError, match="refuses connections"):
        Registry(host, None, 2, insecure=True).platforms(Reference(host, "a", "1"))


def test_a_name_that_is_none() -> None:
    with pytest.raises(RegistryError, match=r"the name nosuch\.invalid cannot be resolved"):
        Registry("nosuch.invalid:5000", None, 5).platforms(Reference("nosuch.invalid:5000", "a", "1"))


def test_http_is_not_spoken_to_a_registry_that_is_elsewhere() -> None:
    with registry() as fake:
        fill(fake)
        with pytest.raises(RegistryError, match="cannot be reached"):
            Registry(fake.host, None, 2).platforms(Reference(fake.host, "coze/mysql", "8"))
        assert fake.seen == []


# --- what an Engine says


@pytest.mark.parametrize(
    ("said", "found", "cure", "final"),
    [
        ("manifest for r.io/a:1 not found: manifest unknown", "r.io has no r.io/a:1", "Correct stack_images", True),
        ('Head "https://r.io/v2/a/manifests/1": no basic auth credentials', "r.io refuses", "Set stack_registry_login", True),
        ("denied: requested access to the resource is denied", "r.io refuses", "Set stack_registry_login", True),
        ("x509: certificate signed by unknown authority", "not trusted", "Set stack_registry_ca", True),
        ("server gave HTTP response to HTTPS client", "speaks http", "insecure-registries", True),
        ("toomanyrequests: You have reached your pull rate limit", "allows no more", "Set stack_registry_login", False),
        ("dial tcp: lookup r.io: no such host", "cannot be resolved", "name servers", False),
        ("net/http: TLS handshake timeout", "cannot be reached", "Open the way", False),
        ("received unexpected HTTP status: 503", "cannot be reached", "Open the way", False),
        ("Get https://r.io:4043/v2/: EOF", "cannot be reached", "Open the way", False),
    ],
)
def test_what_an_engine_says_is_told_in_words(said: str, found: str, cure: str, final: bool) -> None:
    told = _registry.engine_reason(said, "r.io/a:1")
    assert found in told[0] and cure in told[1]
    assert _registry.is_final(said) is final


def test_a_given_login_is_for_its_registry_alone() -> None:
    logins = [{"registry": "docker.io", "username": "a", "password": "1"}, {"registry": "r.io:5000", "username": "b", "password": "2"}]
    assert _registry.given_login(logins, "docker.io") == {"username": "a", "password": "1"}
    assert _registry.given_login(logins, "r.io:5000") == {"username": "b", "password": "2"}
    assert _registry.given_login(logins, "r.io") is None
    assert _registry.given_login([{"registry": _registry.HUB_LOGIN, "username": "c", "password": "3"}], "docker.io") == {"username": "c", "password": "3"}
