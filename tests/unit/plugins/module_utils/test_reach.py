# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, ports and endpoints, against real sockets of this machine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _reach
from ansible_collections.cozeops.studio.plugins.module_utils._check import Check
from ansible_collections.cozeops.studio.plugins.module_utils._reach import Endpoint, bind_check, endpoint_check, endpoint_of, name_check, together
from ansible_collections.cozeops.studio.tests.unit.plugins.registry_fake import Fake, registry
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def fake() -> Iterator[Fake]:
    with registry() as server:
        yield server


# --- side by side


def test_jobs_run_side_by_side_and_in_order() -> None:
    barrier = threading.Barrier(3, timeout=5)
    assert together([lambda number=number: (barrier.wait(), number)[1] for number in range(3)], 10) == [0, 1, 2]  # type: ignore[misc]


def test_more_jobs_than_workers_are_all_done() -> None:
    assert together([lambda number=number: number for number in range(50)], 10, workers=2) == list(range(50))  # type: ignore[misc]


def test_a_job_that_hangs_is_left_behind() -> None:
    release = threading.Event()
    begin = time.monotonic()
    try:
        assert together([lambda: release.wait(20) or "late", lambda: "in time"], 0.3) == [None, "in time"]
        assert time.monotonic() - begin < 3
    finally:
        release.set()


def test_no_jobs() -> None:
    assert together([], 1) == []


# --- names


def test_a_name_is_resolved() -> None:
    assert name_check("localhost") == Check("name", "localhost", "ok", name_check("localhost").found)
    assert "127.0.0.1" in name_check("localhost").found or "::1" in name_check("localhost").found


@pytest.mark.parametrize("name", ["nosuch.invalid", "a" * 300, "a..b"])
def test_a_name_that_cannot_be_resolved(name: str) -> None:
    found = name_check(name)
    assert (found.state, found.found) == ("fail", "the name %s cannot be resolved" % name)


def test_many_addresses_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.%d" % number, 0)) for number in range(1, 6)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: addresses)
    assert name_check("x").found == "192.0.2.1, 192.0.2.2, 192.0.2.3 and 2 more"


# --- ports


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_port_that_is_free_is_given_back() -> None:
    port = free_port()
    assert bind_check("127.0.0.1", port, "web", "stack_public_url").state == "ok"
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = bind_check("127.0.0.1", port, "web", "some_port")
        assert (found.state, found.cure) == ("fail", "Set another port in some_port.")
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass  # whoever listens is not disturbed


@pytest.mark.parametrize(("variable", "named"), [("stack_public_url", "stack_listen"), ("other_port", "other_port")])
def test_an_address_that_the_host_does_not_have(variable: str, named: str) -> None:
    found = bind_check("192.0.2.222", 18888, "web", variable)
    assert (found.state, found.found) == ("fail", "the host has no address 192.0.2.222, on which web is to listen")
    assert named in found.cure


# --- endpoints


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://llm.example.com/v1", ("https", "llm.example.com", 443, "/v1")),
        ("http://192.0.2.1:11434", ("http", "192.0.2.1", 11434, "/")),
        ("http://[2001:db8::1]:8000/v1", ("http", "2001:db8::1", 8000, "/v1")),
        ("HTTP://Host/V1", ("http", "host", 80, "/V1")),
    ],
)
def test_the_parts_of_an_endpoint(url: str, parts: tuple[str, str, int, str]) -> None:
    assert endpoint_of("x", url) == ("x", *parts)


@pytest.mark.parametrize("url", ["", "llm.example.com/v1", "ftp://x/", "http://", "http://x:port/", "http://x:99999/", "http://[::1/"])
def test_a_url_that_is_none_is_told(url: str) -> None:
    found = endpoint_of("x", url)
    assert isinstance(found, Check)
    assert found.state == "fail"
    assert "base_url" in found.cure


@given(st.text())
def test_any_text_is_an_endpoint_or_a_row(url: str) -> None:
    found = endpoint_of("x", url)
    assert isinstance(found, (Check, Endpoint))


def test_a_key_in_a_wrong_url_is_not_shown() -> None:
    assert "s3cret" not in str(endpoint_of("x", "ftp://me:s3cret@h/?key=s3cret"))


def at(fake: Fake, path: str = "/v2/", host: str = "llm.example.com", scheme: str = "http") -> Endpoint:
    return Endpoint("m", scheme, host, fake.server_address[1], path)


@pytest.mark.parametrize(("fault", "state", "says"), [(None, "ok", "HTTP 200"), (401, "ok", "HTTP 401"), (404, "ok", "HTTP 404"), (502, "warn", "HTTP 502")])
def test_an_endpoint_that_answers(fake: Fake, fault: int | None, state: str, says: str) -> None:
    if fault:
        fake.faults["/v2/"] = fault
    found = endpoint_check(at(fake), 5, connect_to="127.0.0.1")
    assert (found.state, says in found.found) == (state, True)
    assert fake.seen == [("GET", "/v2/", "")]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_the_containers_own_address_is_none_of_the_hosts(fake: Fake, host: str) -> None:
    found = endpoint_check(at(fake, host=host), 5)
    assert found.state == "fail"
    assert "http://host.docker.internal:%d" % fake.server_address[1] in found.cure
    assert fake.seen == []


def test_an_endpoint_that_refuses() -> None:
    found = endpoint_check(Endpoint("m", "http", "llm.example.com", free_port(), "/"), 5, connect_to="127.0.0.1")
    assert found.state == "fail"
    assert "(127.0.0.1) refuses connections" in found.found


def test_an_endpoint_that_is_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = Endpoint("m", "http", "llm.example.com", silent.getsockname()[1], "/")
        found = endpoint_check(endpoint, 0.3, connect_to="127.0.0.1")
    assert (found.state, "no answer within 0.3 s" in found.found) == ("fail", True)


def test_an_endpoint_whose_name_is_none() -> None:
    found = endpoint_check(Endpoint("m", "https", "nosuch.invalid", 443, "/v1"), 5)
    assert (found.state, found.found) == ("fail", "the name nosuch.invalid cannot be resolved")


def test_an_endpoint_that_speaks_something_else() -> None:
    def greet(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-x\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=greet, args=(listener,), daemon=True).start()
        found = endpoint_check(Endpoint("m", "http", "x.example.com", listener.getsockname()[1], "/"), 5, connect_to="127.0.0.1")
    assert (found.state, "does not speak HTTP" in found.found) == ("fail", True)


def test_https_where_http_is_spoken(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reach, "is_address", lambda host: False)
    found = endpoint_check(at(fake, host="127.0.0.1", scheme="https"), 5)
    assert (found.state, "does not speak TLS" in found.found) == ("fail", True)
    assert "http://" in found.cure


def test_behind_a_proxy_a_failure_is_a_doubt() -> None:
    found = endpoint_check(Endpoint("m", "http", "llm.example.com", free_port(), "/"), 5, "127.0.0.1", proxied=True)
    assert (found.state, "proxy was not tried" in found.cure) == ("warn", True)
    assert _reach.endpoint_late(Endpoint("m", "http", "x", 1, "/"), 1, proxied=True).state == "warn"
