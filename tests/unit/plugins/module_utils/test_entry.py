# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._entry import (
    EntryError,
    check_port,
    check_root,
    check_stack_name,
    entry_of,
    is_loopback,
    split_listen,
    stack_name_of,
)
from hypothesis import given
from hypothesis import strategies as st

# --- names


@pytest.mark.parametrize("name", ["coze", "0", "a-b_c.d", "x" * 40])
def test_a_name_that_docker_takes_is_right(name: str) -> None:
    assert check_stack_name(name) == name


@pytest.mark.parametrize("name", ["", "Coze", "-a", ".a", "_a", "a b", "a/b", "é", "x" * 41, "coze\n", "..", "a:b"])
def test_another_name_is_refused_with_what_to_use(name: str) -> None:
    with pytest.raises(EntryError, match=r"is no name for a stack. Use 1 to 40 characters of a-z"):
        check_stack_name(name)


@pytest.mark.parametrize("root", ["/opt/cozeops/coze", "/srv/a b"])
def test_an_absolute_directory_is_right(root: str) -> None:
    assert check_root(root) == root


@pytest.mark.parametrize("root", ["", "coze", "./coze", "~/coze", "/", "//", "/opt/.."])
def test_another_directory_is_refused(root: str) -> None:
    with pytest.raises(EntryError, match=r"^stack_root: .* is no directory for a stack. Set it to an absolute path"):
        check_root(root)


GROUPS = {"all": ["h1", "h2", "x"], "coze": ["h1", "h2"], "prod": ["h1"], "test": ["h2"], "coze_mysql": ["h1"], "debian": ["h1", "x"]}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["coze"], "coze"),
        (["coze", "prod"], "prod"),
        (["coze", "coze_mysql", "prod", "debian", "all", "ungrouped"], "prod"),
        (["debian"], "coze"),
        ([], "coze"),
    ],
)
def test_a_stack_is_called_after_its_group(names: list[str], found: str) -> None:
    assert stack_name_of(names, GROUPS) == found


def test_two_groups_that_could_be_the_stack_are_told() -> None:
    with pytest.raises(EntryError, match=r"^stack_name: the host is in the groups prod, test, and each could be its stack"):
        stack_name_of(["coze", "test", "prod"], GROUPS)


def test_without_a_group_coze_the_name_is_coze() -> None:
    assert stack_name_of(["web"], {"web": ["h"]}) == "coze"


# --- addresses


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "coze.example.com"])
def test_no_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("listen", "found"),
    [("0.0.0.0:8888", ("0.0.0.0", 8888)), ("127.0.0.1:80", ("127.0.0.1", 80)), ("[::]:80", ("::", 80)), ("[2001:db8::1]:65535", ("2001:db8::1", 65535))],
)
def test_where_to_listen(listen: str, found: tuple[str, int]) -> None:
    assert split_listen(listen) == found


@pytest.mark.parametrize("listen", ["8888", ":8888", "localhost:8888", "1.2.3.4", "1.2.3.4:", "1.2.3.4:http", "[::1]", "1.2.3.4.5:80"])
def test_where_nobody_can_listen(listen: str) -> None:
    with pytest.raises(EntryError, match=r"^stack_listen: .* is not address:port\. Write it like"):
        split_listen(listen)


@pytest.mark.parametrize("port", [1, 65535])
def test_a_port(port: int) -> None:
    assert check_port(port, "x") == port


@pytest.mark.parametrize("port", [-1, 0, 65536, 99999])
def test_no_port(port: int) -> None:
    with pytest.raises(EntryError, match=r"^stack_listen: .* is not a port; ports go from 1 to 65535"):
        split_listen("0.0.0.0:%d" % port)


# --- URLs


@pytest.mark.parametrize(
    ("url", "listen", "host", "authority", "address", "port"),
    [
        ("http://127.0.0.1:8888", "", "127.0.0.1", "127.0.0.1:8888", "127.0.0.1", 8888),
        ("http://127.0.0.1:8888/", "", "127.0.0.1", "127.0.0.1:8888", "127.0.0.1", 8888),
        ("http://localhost", "", "localhost", "localhost", "127.0.0.1", 80),
        ("http://[::1]:8888", "", "::1", "[::1]:8888", "::1", 8888),
        ("http://[2001:db8::1]:8888", "", "2001:db8::1", "[2001:db8::1]:8888", "0.0.0.0", 8888),
        ("http://coze.example.com", "", "coze.example.com", "coze.example.com", "0.0.0.0", 80),
        ("http://192.0.2.1:9000", "", "192.0.2.1", "192.0.2.1:9000", "0.0.0.0", 9000),
        ("http://coze.example.com", "10.0.0.1:8080", "coze.example.com", "coze.example.com", "10.0.0.1", 8080),
        ("https://coze.example.com", "127.0.0.1:8888", "coze.example.com", "coze.example.com", "127.0.0.1", 8888),
        ("https://coze.example.com:8443", "[::]:8888", "coze.example.com", "coze.example.com:8443", "::", 8888),
    ],
)
def test_a_url_decides_where_the_entry_listens(url: str, listen: str, host: str, authority: str, address: str, port: int) -> None:
    assert entry_of(url, listen) == {
        "url": url.rstrip("/"),
        "scheme": url.split(":", maxsplit=1)[0],
        "host": host,
        "authority": authority,
        "address": address,
        "port": port,
    }


@pytest.mark.parametrize(
    "url",
    [
        "",
        "coze.example.com",
        "127.0.0.1:8888",
        "ftp://host",
        "http://",
        "http://:80",
        "http://host/path",
        "http://host?x=1",
        "http://host/#x",
        "http://user:password@host",
        "http://localhost ",
        "http:// localhost",
    ],
)
def test_what_is_no_entry_is_refused(url: str) -> None:
    with pytest.raises(EntryError, match=r"^stack_public_url: .* is not of the form http://host:port"):
        entry_of(url)


@pytest.mark.parametrize("url", ["http://host:99999", "http://host:-1", "http://host:x", "http://host:0", "http://[::1", "http://[x]:80"])
def test_a_port_or_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(EntryError, match=r"^stack_public_url: "):
        entry_of(url)


def test_https_needs_a_place_for_the_proxy_to_reach() -> None:
    with pytest.raises(EntryError, match="is https, and the entry itself speaks http: set stack_listen"):
        entry_of("https://coze.example.com")


@given(st.text(max_size=30) | st.text(max_size=20).map(lambda text: "http://" + text))
def test_any_text_is_an_entry_or_an_error_in_words(url: str) -> None:
    with contextlib.suppress(EntryError):
        assert 0 < entry_of(url)["port"] < 65536
