# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import typing as t
from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _via_container as via
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.module_utils._http import Connect
from ansible_collections.cozeops.studio.plugins.module_utils._resolve import NameUnknown


@pytest.fixture
def listener() -> t.Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield int(sock.getsockname()[1])


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    """What the Engine says of the container, to be changed by a test; its namespace is this one."""
    info: dict[str, t.Any] = {"State": {"Pid": 4711, "Status": "running"}, "HostsPath": "", "ResolvConfPath": ""}
    monkeypatch.setattr(via, "connect", lambda: None)
    monkeypatch.setattr(via, "inspect_or_none", lambda client, name: info)
    monkeypatch.setattr(via, "in_netns", lambda pid, work: work())
    return info


@pytest.mark.parametrize("addresses", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"], ["127.0.0.2", "127.0.0.1", "127.0.0.3"]])
def test_the_next_address_is_tried_if_one_refuses(listener: int, addresses: list[str]) -> None:
    connected = via.connector("c", "".join("%s llm\n" % address for address in addresses), "", 5)
    with connected("llm", listener) as sock:
        assert sock.getpeername()[0] == "127.0.0.1"


def test_the_last_refusal_is_raised(listener: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        via.connector("c", "127.0.0.2 llm\n127.0.0.3 llm\n", "", 5)("llm", listener)


def test_an_unknown_name_is_told_with_the_container() -> None:
    with pytest.raises(NameUnknown, match="container coze-server does not know the name llm: it is not in /etc/hosts"):
        via.connector("coze-server", "", "nameserver 127.0.0.1\n", 1)("llm", 80)


def test_without_a_container_the_ordinary_way_is_left(engine: dict[str, t.Any]) -> None:
    assert via.as_container(None, 5, lambda connect: connect) is None


def test_the_engines_copies_of_the_files_are_read(engine: dict[str, t.Any], tmp_path: Path, listener: int) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 llm\n")
    engine["HostsPath"] = str(tmp_path / "hosts")

    def work(connect: Connect | None) -> str:
        assert connect is not None
        with connect("llm", listener) as sock:
            return str(sock.getpeername()[0])

    assert via.as_container("c", 5, work) == "127.0.0.1"


def test_files_that_cannot_be_read_are_told(engine: dict[str, t.Any], tmp_path: Path) -> None:
    engine["HostsPath"] = str(tmp_path / "missing")
    with pytest.raises(EngineError, match=r"via_container: reading .*missing of container c needs root on the Engine's own machine"):
        via.as_container("c", 5, lambda connect: None)


def test_a_container_that_does_not_run(engine: dict[str, t.Any]) -> None:
    engine["State"] = {"Pid": 0, "Status": "exited"}
    with pytest.raises(EngineError, match=r"container c is not running \(exited\)"):
        via.as_container("c", 5, lambda connect: None)
