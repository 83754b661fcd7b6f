# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _host
from hypothesis import given
from hypothesis import strategies as st

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LITTLE = pytest.mark.skipif(sys.byteorder != "little", reason="recorded on a little-endian machine")


def line(local: str, state: str = "0A", inode: int = 4711) -> str:
    return "   0: %s 00000000:0000 %s 00000000:00000000 00:00000000 00000000     0        0 %d 1 0 100 0 0 10 0\n" % (local, state, inode)


# --- sockets


@LITTLE
@pytest.mark.parametrize(
    ("raw", "address"),
    [
        ("0100007F", "127.0.0.1"),
        ("00000000", "0.0.0.0"),
        ("0101A8C0", "192.168.1.1"),
        ("0" * 32, "::"),
        ("00000000000000000000000001000000", "::1"),
        ("B80D0120000000000000000001000000", "2001:db8::1"),
        ("0000000000000000FFFF00000100007F", "127.0.0.1"),
    ],
)
def test_addresses_are_read_as_the_kernel_writes_them(raw: str, address: str) -> None:
    assert _host.address_of(raw) == address


@LITTLE
def test_only_listening_sockets_are_taken() -> None:
    text = HEAD + line("0100007F:22B8") + line("0100007F:0016", state="01") + line("00000000:0050", inode=1)
    assert _host.listening(text) == [("127.0.0.1", 8888, "4711"), ("0.0.0.0", 80, "1")]


@pytest.mark.parametrize("text", ["", HEAD, HEAD + "garbage\n"])
def test_no_sockets(text: str) -> None:
    assert _host.listening(text) == []


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")])
def test_a_listener_of_this_process_is_found(family: socket.AddressFamily, address: str) -> None:
    try:
        listener = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip("this machine has no %s" % address)
    with listener:
        port = listener.getsockname()[1]
        found = [entry for entry in _host.listeners() if entry["port"] == port]
    assert found == [{"address": address, "port": port, "pid": os.getpid(), "process": _host.read("/proc/self/comm").strip()}]


def test_an_ipv4_address_of_a_socket_for_both_families_is_one() -> None:
    try:
        listener = socket.create_server(("::ffff:127.0.0.1", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    except (OSError, ValueError):
        pytest.skip("this machine has no IPv6")
    with listener:
        port = listener.getsockname()[1]
        assert [entry["address"] for entry in _host.listeners() if entry["port"] == port] == ["127.0.0.1"]


def test_a_socket_that_is_connected_is_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        assert client.getsockname()[1] not in {entry["port"] for entry in _host.listeners()}


def test_no_sockets_have_no_owners() -> None:
    assert _host.socket_owners(set()) == {}


# --- the machine


def test_memory_and_processor_of_this_machine() -> None:
    memory = _host.memory()
    assert memory["total"] >= memory["available"] > 2**20
    assert memory["swap"] >= 0
    assert _host.cpu()["page_size"] == os.sysconf("SC_PAGE_SIZE")


def test_disk_of_a_directory_that_will_be(tmp_path: Path) -> None:
    found = _host.disk(str(tmp_path / "a" / "b"))
    assert found["path"] == str(tmp_path)
    assert found["free"] > 0


def test_disk_of_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _host.disk("a/b")["path"] == str(tmp_path)


def test_disk_is_what_df_says(tmp_path: Path) -> None:
    """An oracle: coreutils reads the mounts by itself."""
    out = subprocess.run(["df", "--output=fstype,target,itotal", str(tmp_path)], check=True, capture_output=True, text=True).stdout
    kind, mount, inodes = out.splitlines()[1].split()
    found = _host.disk(str(tmp_path / "not yet"))
    assert (found["type"], found["mount"], found["inodes"]) == (kind, mount, int(inodes))
    assert found["size"] >= found["free"]


MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw,errors=remount-ro
23 22 8:2 / /srv rw,noexec - xfs /dev/sdb1 rw
24 22 0:40 / /srv/my\\040data rw - nfs4 server:/x ro,vers=4.2
25 22 0:41 / /opt rw shared:1 - overlay overlay rw
26 22 0:42 / /opt rw - tmpfs tmpfs rw
garbage
"""


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        ("/", ("/", "ext4", (), "8:1")),
        ("/srvx", ("/", "ext4", (), "8:1")),
        ("/srv/a/b", ("/srv", "xfs", ("noexec",), "8:2")),
        ("/srv/my data/x", ("/srv/my data", "nfs4", ("ro",), "0:40")),
        ("/opt/cozeops", ("/opt", "tmpfs", (), "0:42")),
    ],
)
def test_the_mount_that_a_path_is_on(path: str, mount: tuple[object, ...]) -> None:
    assert _host.mount_of(path, MOUNTS) == mount


def test_no_mounts() -> None:
    assert _host.mount_of("/", "") is None


@pytest.mark.parametrize(("device", "turns"), [("8:1", True), ("8:2", False), ("0:40", None)])
def test_a_disk_that_turns(monkeypatch: pytest.MonkeyPatch, device: str, turns: bool | None) -> None:
    monkeypatch.setattr(os.path, "realpath", lambda path: path.replace("8:1", "sda/sda1"))
    files = {"/sys/dev/block/sda/sda1/../queue/rotational": "1\n", "/sys/dev/block/8:2/queue/rotational": "0\n"}
    monkeypatch.setattr(_host, "read", lambda path: files.get(path, ""))
    assert _host.rotational(device) is turns


@pytest.mark.parametrize(
    ("membership", "files", "limit"),
    [
        ("0::/\n", {"/sys/fs/cgroup/memory.max": "max\n"}, None),
        ("0::/\n", {"/sys/fs/cgroup/memory.max": "400\n"}, 400),
        ("0::/lxc/a\n", {"/sys/fs/cgroup/lxc/memory.max": "300\n", "/sys/fs/cgroup/lxc/a/memory.max": "400\n"}, 300),
        ("9:cpu:/\n5:memory:/docker/x\n", {"/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "500"}, 500),
        ("5:memory:/\n", {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("", {}, None),
    ],
)
def test_a_host_may_be_in_a_control_group(monkeypatch: pytest.MonkeyPatch, membership: str, files: dict[str, str], limit: int | None) -> None:
    monkeypatch.setattr(_host, "read", lambda path: files.get(path, ""))
    assert _host.memory_limit(membership, 1000) == limit


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"/sys/fs/cgroup/cgroup.controllers": "memory cpu pids\n"}, {"version": 2, "controllers": ["cpu", "memory", "pids"]}),
        ({"/proc/cgroups": "#name\tid\tn\ton\nmemory\t1\t2\t1\npids\t1\t2\t0\n"}, {"version": 1, "controllers": ["memory"]}),
        ({}, {"version": 1, "controllers": []}),
    ],
)
def test_control_groups(monkeypatch: pytest.MonkeyPatch, files: dict[str, str], found: dict[str, object]) -> None:
    monkeypatch.setattr(_host, "read", lambda path: files.get(path, ""))
    assert _host.cgroup() == found


def test_settings_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"/proc/sys/vm/max_map_count": "65530\n", "/proc/sys/net/ipv4/ip_forward": "0\n", "/sys/fs/selinux/enforce": "1"}
    monkeypatch.setattr(_host, "read", lambda path: files.get(path, ""))
    kernel = _host.kernel()
    assert kernel["selinux"] == "enforcing"
    assert kernel["sysctl"] == {
        "vm.max_map_count": 65530,
        "vm.overcommit_memory": None,
        "net.core.somaxconn": None,
        "net.ipv4.ip_forward": 0,
        "net.bridge.bridge-nf-call-iptables": None,
    }


@pytest.mark.parametrize(("text", "found"), [("# x\nENABLED=yes\n", ["ufw"]), ("ENABLED=no\n", []), ("", [])])
def test_a_firewall(monkeypatch: pytest.MonkeyPatch, text: str, found: list[str]) -> None:
    monkeypatch.setattr(_host, "read", lambda path: text if path == "/etc/ufw/ufw.conf" else "")
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    assert _host.firewalls() == found


LIMITS = "Limit  Soft Hard Units\nMax open files            1024                 20000                files\n"


def limit_of(monkeypatch: pytest.MonkeyPatch, **texts: str) -> int | None:
    """The limit, where docker.pid and the status and limits of that process are as given."""
    files = {"/var/run/docker.pid": texts.get("pid", "4711\n")}
    place = "/proc/%s/" % (files["/var/run/docker.pid"].strip() or "self")
    files.update({place + "status": "CapEff:\t%s\n" % texts.get("capabilities", "00000000a80425fb"), place + "limits": texts.get("limits", LIMITS)})
    monkeypatch.setattr(_host, "read", lambda path: files.get(path, ""))
    return _host.open_files_limit()


def test_the_engine_cannot_grant_more_open_files_than_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limit_of(monkeypatch) == 20000


def test_an_engine_that_may_raise_limits_grants_any_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limit_of(monkeypatch, capabilities="000001ffffffffff") is None


def test_an_engine_that_is_not_there_will_have_what_this_process_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limit_of(monkeypatch, pid="") == 20000


@pytest.mark.parametrize("limits", ["Max open files  unlimited unlimited files\n", ""])
def test_no_limit_of_open_files(monkeypatch: pytest.MonkeyPatch, limits: str) -> None:
    assert limit_of(monkeypatch, limits=limits) is None


@pytest.mark.parametrize(("text", "settings"), [(None, {}), ('{"a": 1}', {"a": 1}), ('{"a": ', None)])
def test_the_engines_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, settings: object) -> None:
    path = tmp_path / "daemon.json"
    if text is not None:
        path.write_text(text)
    exists, read = os.path.exists, _host.read
    place = {"/etc/docker/daemon.json": str(path)}
    monkeypatch.setattr(os.path, "exists", lambda name: exists(place.get(name, name)))
    monkeypatch.setattr(_host, "read", lambda name: 'ID="debian"\nVERSION_ID="13"\n' if name == "/etc/os-release" else read(place.get(name, name)))
    system = _host.system()
    assert (system["distribution"], system["version"], system["daemon_settings"]) == ("debian", "13", settings)


# --- the stack's files


@pytest.mark.parametrize("text", [None, "", "{", "null"])
def test_a_document_that_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "x").write_text(text)
    assert _host.load_json(str(tmp_path / "x")) is None


def test_data_directories_say_what_they_hold_and_whose_they_are(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("mysql", "redis", "etcd"):
        (data / name).mkdir(parents=True)
    (data / "mysql" / "ibdata1").touch()
    (data / "redis" / ".hidden").touch()
    (data / ".mysql.json").write_text(json.dumps({"stack": "lab"}))
    (data / "file").touch()
    assert _host.data_directories(str(tmp_path)) == {
        "data/etcd": {"filled": False, "stamp": None},
        "data/mysql": {"filled": True, "stamp": {"stack": "lab"}},
        "data/redis": {"filled": True, "stamp": None},
    }


def test_a_host_without_a_stack_has_no_data(tmp_path: Path) -> None:
    assert _host.data_directories(str(tmp_path)) == {}


def write_env(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def test_wanted_keys_are_read_from_every_env_file(tmp_path: Path) -> None:
    write_env(tmp_path, "env/mysql.env", "A=a=b#'c\"\nOTHER=x\n")
    write_env(tmp_path, "env/redis.env", "B=\nC=c")
    write_env(tmp_path, "state/secrets.env", "KEY=k\n")
    assert _host.env_values(str(tmp_path), ["A", "B", "C", "KEY", "NONE"]) == {"A": "a=b#'c\"", "C": "c", "KEY": "k"}


def test_an_empty_value_is_found_elsewhere(tmp_path: Path) -> None:
    write_env(tmp_path, "env/a.env", "A=\n")
    write_env(tmp_path, "env/b.env", "A=x\n")
    assert _host.env_values(str(tmp_path), ["A"]) == {"A": "x"}


def test_a_host_without_a_stack_has_no_values(tmp_path: Path) -> None:
    assert _host.env_values(str(tmp_path), ["A"]) == {}


def test_a_root_may_have_any_name(tmp_path: Path) -> None:
    write_env(tmp_path, "a[b]*/env/x.env", "A=a\n")
    assert _host.env_values(str(tmp_path / "a[b]*"), ["A"]) == {"A": "a"}


@given(value=st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1))
def test_any_value_of_one_line_comes_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    root = tmp_path_factory.getbasetemp() / "values"
    write_env(root, "env/x.env", "A=%s\nB=b\n" % value)
    assert _host.env_values(str(root), ["A", "B"]) == {"A": value, "B": "b"}


def test_addresses_are_those_by_which_others_can_reach_the_host() -> None:
    fib_trie = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 192.0.2.7
        /32 host LOCAL
     |-- 192.0.2.255
        /32 link BROADCAST
Local:
     |-- 192.0.2.7
        /32 host LOCAL
"""
    if_inet6 = """20010db8000000000000000000000007 02 40 00 80     eth0
fe800000000000000000000000000001 02 40 20 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""
    assert _host.addresses(fib_trie, if_inet6) == ["192.0.2.7", "2001:db8::7"]
    assert _host.addresses("", "") == []
