# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolving, as operators see it: real runs of role stack's `resolve`, in which every host of the inventory is a case of its own.

No Engine is asked, and nothing outside a temporary directory is written.
"""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.cozeops.studio.plugins.action.stack_model import join_lines, write_private
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed
from ansible_collections.cozeops.studio.tests.unit.plugins.samples import lab_tree

ROOT = Path(__file__).resolve().parents[4]
BIN = Path(sys.executable).parent
VAULT_PASSWORD = "vault-pass-of-the-test"
VAULT = VaultLib([("team", VaultSecret(VAULT_PASSWORD.encode()))])

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Resolve
      ansible.builtin.import_role:
        name: cozeops.studio.stack
        tasks_from: resolve
      vars:
        _stack_roles: "{{ roles_of_the_case }}"
    - name: Keep what the test looks at
      ansible.builtin.debug:
        msg: "{{ __stack_model | keep(kept) }}"
      no_log: true
"""

# Cheaper than a module that writes a file.
KEEP = """
import json


def keep(value, path):
    with open(path, "w") as handle:
        json.dump(value, handle)


class FilterModule:
    def filters(self):
        return {"keep": keep}
"""


class Run(NamedTuple):
    """What a run printed, and what each host failed with."""

    text: str
    failures: dict[str, str]
    top: Path

    def model(self, host: str) -> dict[str, Any]:
        assert host not in self.failures, self.failures[host]
        return json.loads((self.top / "kept" / host).read_text())

    def file(self, host: str, path: str) -> dict[str, Any]:
        return next(entry for entry in self.model(host)["files"] if entry["path"] == path)

    def env(self, host: str, service: str) -> dict[str, str]:
        lines = self.file(host, "env/%s.env" % service)["content"].splitlines()
        return dict(line.split("=", 1) for line in lines)


class Vaulted:
    """A value that the inventory holds encrypted."""

    def __init__(self, text: str) -> None:
        self.data = VAULT.encrypt(text, vault_id="team").decode()


yaml.SafeDumper.add_representer(Vaulted, lambda dumper, value: dumper.represent_scalar("!vault", value.data, style="|"))


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def run_play(top: Path, hosts: dict[str, dict[str, Any]], *arguments: str) -> Run:
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "stack_name": "lab",
        "stack_root": "%s/roots/{{ inventory_hostname }}" % top,
        "stack_source": str(top / "source-0.5"),
        "stack_secrets_file": "%s/secrets/{{ inventory_hostname }}.yml" % top,
        "stack_public_url": "http://127.0.0.1:%d" % free_port(),
        "stack_memory_min": "0",
        "stack_disk_min": "0",
        "kept": "%s/kept/{{ inventory_hostname }}" % top,
        # Reading all roles takes a while, and few cases are about all of them.
        "roles_of_the_case": ["mysql", "coze_server"],
    }
    (top / "kept").mkdir(exist_ok=True)
    write(top / "filter_plugins" / "keep.py", KEEP)
    write(top / "hosts.yml", yaml.safe_dump({"all": {"vars": common, "hosts": hosts}}))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "LC_ALL": "C.UTF-8",
        "DOCKER_HOST": "unix:///nonexistent/docker.sock",
        "ANSIBLE_CONFIG": str(write(top / "ansible.cfg", "[defaults]\nforks = 4\nnocolor = true\n[connection]\npipelining = true\n")),
        "ANSIBLE_LOCAL_TEMP": str(top / "tmp"),
        "ANSIBLE_REMOTE_TEMP": str(top / "tmp"),
    }
    vault = "team@%s" % write(top / "password", VAULT_PASSWORD)
    command = [BIN / "ansible-playbook", "-i", top / "hosts.yml", "--vault-id", vault, write(top / "play.yml", PLAY)]
    done = subprocess.run([*command, *arguments], cwd=top, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    text = done.stdout + done.stderr
    # The last task that failed for a host is the one that speaks to the operator.
    found = re.findall(r"^fatal: \[([^\]]+)\]: FAILED! => (\{.*?^\}|\{.*\}$)", text, re.M | re.S)
    failures = {host: json.loads(result).get("msg", "") for host, result in found}
    assert "PLAY RECAP" in text, text
    return Run(text, failures, top)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def env_of(top: Path, name: str, *lines: str) -> str:
    """A .env that is the source's and then the given lines."""
    text = (top / "source-0.5" / "docker" / ".env.example").read_text()
    return str(write(top / "env" / name, text + "\n".join(lines) + "\n"))


def cases(top: Path, taken: int) -> dict[str, dict[str, Any]]:
    write(top / "roots" / "unfit" / "data" / "mysql" / "ibdata1", "x")
    write(top / "roots" / "locked" / "data" / "mysql" / "ibdata1", "x")
    write(top / "roots" / "locked" / "data" / ".mysql.json", '{"stack": "lab"}')
    write(top / "roots" / "adopt" / "stack.json", '{"name": "lab", "services": {}}')
    write(top / "roots" / "adopt" / "env" / "mysql.env", "MYSQL_ROOT_PASSWORD=of-the-host-root\nMYSQL_PASSWORD=of-the-host\n")
    write(top / "roots" / "adopt" / "state" / "secrets.env", "STACK_DIGEST_KEY=%s\n" % ("h" * 64))
    everything = "MYSQL_ROOT_PASSWORD: r00t-pass\nMYSQL_PASSWORD: p4ssword\n" + "".join("PLUGIN_AES_%s: %s\n" % (name, "0123456789abcdef") for name in AES)
    write(top / "secrets" / "unfit.yml", everything)
    write(top / "secrets" / "vaulted.yml", VAULT.encrypt("# mine\nMYSQL_PASSWORD: vaulted-s3cret\n", vault_id="team").decode())
    write(top / "secrets" / "inline.yml", yaml.safe_dump({"MYSQL_PASSWORD": Vaulted("inline-s3cret")}))
    write(top / "secrets" / "broken.yml", "[a, b]\n")
    return {
        "nowhere": {"stack_source": str(top / "nowhere")},
        "gap": {"stack_source": str(top / "source-gap")},
        "disagree": {"stack_release": "0.2"},
        "no_env": {"stack_env_src": str(top / "none.env")},
        "bad_env": {"stack_env_src": env_of(top, "bad.env", "GOOD=1", "BAD_REFERENCE=x${NO_SUCH_KEY}", "BAD_QUOTE='never closed")},
        "bad_name": {"stack_name": "Not A Name"},
        "bad_url": {"stack_public_url": "coze.example.com"},
        "typo_stack": {"stack_sorce": "x"},
        "no_service": {"stack_services": ["mysql", "kafka"]},
        "bad_secret": {"stack_env": {"PLUGIN_AES_AUTH_SECRET": "too-short", "MYSQL_PASSWORD": ""}},
        "bad_size": {"mysql_memory": "one gigabyte"},
        "locked": {},
        "unfit": {
            "stack_public_url": "http://127.0.0.1:%d" % taken,
            "stack_memory_min": "900000g",
            "stack_disk_min": "900000g",
            "roles_of_the_case": ["mysql", "coze_server", "coze_web"],
        },
        "broken": {},
        "good": {"roles_of_the_case": ALL_ROLES},
        "adopt": {},
        "vaulted": {},
        "inline": {},
        "operator": {"stack_env": {"MYSQL_PASSWORD": "operators-own", "NEW_KEY": "${MYSQL_DSN}"}, "mysql_memori": "2g"},
        "operator_vault": {"stack_env": {"MYSQL_PASSWORD": Vaulted("operators-vaulted")}},
        "old": {"stack_source": str(top / "source-0.2"), "stack_services": ["coze-server"]},
    }


ALL_ROLES = yaml.safe_load((ROOT / "roles" / "stack" / "vars" / "main.yml").read_text())["_stack_roles"]
AES = ("AUTH_SECRET", "STATE_SECRET", "OAUTH_TOKEN_SECRET")
KEPT = ("good", "vaulted", "adopt", "inline")


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("resolve")
    for line in ("0.2", "0.5"):
        lab_tree(line, place / ("source-" + line))
    lab_tree("0.5", place / "source-gap")
    (place / "source-gap" / "docker" / "volumes" / "elasticsearch" / "analysis-smartcn.zip").unlink()
    (place / "source-gap" / "backend" / "conf" / "plugin" / "common" / "oauth_schema.json").unlink()
    return place


@pytest.fixture(scope="module")
def first(top: Path) -> Iterator[Run]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield run_play(top, cases(top, listener.getsockname()[1]), "-vvv")


@pytest.fixture(scope="module")
def label(first: Run) -> str:
    """Of a service in the first run; later runs write their models over it."""
    return first.model("good")["model"]["services"]["mysql"]["config"]


@pytest.fixture(scope="module")
def before(top: Path, first: Run, label: str) -> dict[str, bytes]:
    """The secrets files after the first run."""
    return {host: (top / "secrets" / (host + ".yml")).read_bytes() for host in KEPT}


@pytest.fixture(scope="module")
def again(top: Path, before: dict[str, bytes]) -> Run:
    return run_play(top, {host: {"roles_of_the_case": ALL_ROLES} if host == "good" else {} for host in before})


@pytest.fixture(scope="module")
def checked(top: Path, first: Run) -> Run:
    return run_play(top, {"fresh": {}, "locked": {}}, "--check", "--diff", "-vvv")


def secrets_of(top: Path, host: str) -> dict[str, str]:
    data = (top / "secrets" / (host + ".yml")).read_bytes()
    return yaml.safe_load(VAULT.decrypt(data) if data.startswith(b"$ANSIBLE_VAULT") else data)


# --- bad input


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("nowhere", "stack_source: {top}/nowhere is not a directory. Set stack_source to a checkout of Coze Studio on the machine that runs Ansible."),
        ("gap", "stack_source: {top}/source-gap lacks docker/volumes/elasticsearch/analysis-smartcn.zip, which release line 0.5 needs."),
        ("gap", "stack_source: {top}/source-gap lacks backend/conf/plugin/common/oauth_schema.json, which release line 0.5 needs."),
        ("disagree", "stack_release is 0.2, but {top}/source-0.5 is a source tree of line 0.5. Set stack_release to 0.5 (or leave it out)"),
        ("no_env", "stack_env_src: there is no file {top}/none.env. Set stack_env_src to the .env of this stack."),
        ("bad_env", "{top}/env/bad.env:{reference}: BAD_REFERENCE: "),
        ("bad_env", "NO_SUCH_KEY"),
        ("bad_env", "{top}/env/bad.env:{quote}: BAD_QUOTE: "),
        ("bad_name", "stack_name: 'Not A Name' is no name for a stack."),
        ("bad_url", "stack_public_url: 'coze.example.com' is not of the form http://host:port"),
        ("typo_stack", "stack_sorce is no variable of this collection; did you mean stack_source?"),
        ("no_service", "stack_services: release 0.5 has no service kafka. It has mysql, coze-server."),
        ("bad_secret", "PLUGIN_AES_AUTH_SECRET: its value is 9 bytes long; it must have 16 or 24 or 32."),
        ("bad_secret", "MYSQL_PASSWORD: an empty value is given for it."),
        ("bad_size", "service mysql: memory: 'one gigabyte' is not a size."),
        ("locked", "MYSQL_ROOT_PASSWORD: {top}/secrets/locked.yml has no value for it, and data/mysql on the host already holds data made with one."),
        ("unfit", "{top}/roots/unfit/data/mysql holds data that this collection has not made"),
        ("unfit", "it is taken by "),
        ("unfit", " (pid {pid}). Port "),
        ("unfit", "are needed (stack_memory_min)."),
        ("unfit", "are needed (stack_disk_min)."),
        ("broken", "{top}/secrets/broken.yml: is to hold 'KEY: value' lines"),
    ],
)
def test_bad_input_is_told(first: Run, host: str, says: str) -> None:
    lines = len((first.top / "source-0.5" / "docker" / ".env.example").read_text().splitlines())
    message = first.failures.get(host, "no failure")
    assert says.format(top=first.top, reference=lines + 2, quote=lines + 3, pid=os.getpid()) in message
    assert "Traceback" not in message


def test_bad_input_leaves_nothing_behind(first: Run) -> None:
    assert {path.stem for path in (first.top / "secrets").glob("*.yml")} & set(first.failures) == {"unfit", "broken"}, "these two were there before"
    assert set(os.listdir(first.top / "roots")) == {"unfit", "locked", "adopt"}


def test_a_misspelt_variable_of_a_service_is_a_warning(first: Run) -> None:
    assert "operator" not in first.failures
    assert "mysql_memori is no variable of this collection; did you mean mysql_memory?" in first.text


def test_only_the_misspelt_is_told(first: Run) -> None:
    assert set(re.findall(r"(\w+) is no variable of this collection", first.text)) == {"stack_sorce", "mysql_memori"}


def test_all_other_hosts_are_resolved(first: Run) -> None:
    assert not set(first.failures) & {"good", "adopt", "vaulted", "inline", "operator", "operator_vault", "old"}


# --- secrets


def test_new_secrets_are_private_and_whole(first: Run) -> None:
    path = first.top / "secrets" / "good.yml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o022 == 0
    found = secrets_of(first.top, "good")
    stores = {"MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD", "REDIS_PASSWORD", "MINIO_ROOT_PASSWORD"}
    assert {"STACK_DIGEST_KEY", *stores, *("PLUGIN_AES_" + name for name in AES)} <= set(found)
    assert len(set(found.values())) == len(found)
    assert sorted(found) == sorted(first.model("good")["generated"])


@pytest.mark.parametrize("key", ["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"])
def test_a_published_value_does_not_stay(first: Run, key: str) -> None:
    assert first.env("good", "mysql")[key] == secrets_of(first.top, "good")[key]


def test_references_follow_the_new_secret(first: Run) -> None:
    dsn = first.env("good", "coze-server")["MYSQL_DSN"]
    assert dsn.startswith("coze:%s@tcp(mysql:3306)/opencoze?" % secrets_of(first.top, "good")["MYSQL_PASSWORD"])


@pytest.mark.parametrize(
    ("host", "password"),
    [
        ("operator", "operators-own"),
        ("operator_vault", "operators-vaulted"),
        ("vaulted", "vaulted-s3cret"),
        ("inline", "inline-s3cret"),
        ("adopt", "of-the-host"),
    ],
)
def test_a_value_that_is_given_wins_and_references_follow_it(first: Run, host: str, password: str) -> None:
    assert first.env(host, "mysql")["MYSQL_PASSWORD"] == password
    assert first.env(host, "coze-server")["MYSQL_DSN"].startswith("coze:%s@tcp(" % password)


@pytest.mark.parametrize("host", ["operator", "operator_vault"])
def test_what_the_operator_gives_is_not_stored(first: Run, host: str) -> None:
    assert "MYSQL_PASSWORD" not in secrets_of(first.top, host)


def test_what_the_host_has_is_stored(first: Run) -> None:
    found = secrets_of(first.top, "adopt")
    assert (found["MYSQL_PASSWORD"], found["MYSQL_ROOT_PASSWORD"], found["STACK_DIGEST_KEY"]) == ("of-the-host", "of-the-host-root", "h" * 64)
    assert sorted(first.model("adopt")["adopted"]) == ["MYSQL_PASSWORD", "MYSQL_ROOT_PASSWORD", "STACK_DIGEST_KEY"]


def test_a_vaulted_file_stays_vaulted(first: Run) -> None:
    data = (first.top / "secrets" / "vaulted.yml").read_bytes()
    assert data.startswith(b"$ANSIBLE_VAULT;1.2;AES256;team\n")
    text = VAULT.decrypt(data).decode()
    assert text.startswith("# mine\nMYSQL_PASSWORD: vaulted-s3cret\n")
    assert "STACK_DIGEST_KEY: " in text


def test_a_value_that_is_vaulted_by_itself_stays_so(first: Run) -> None:
    text = (first.top / "secrets" / "inline.yml").read_text()
    assert text.startswith("MYSQL_PASSWORD: !vault")
    assert "inline-s3cret" not in text


@pytest.mark.parametrize("host", KEPT)
def test_a_later_run_changes_no_secret(before: dict[str, bytes], again: Run, host: str) -> None:
    assert (again.top / "secrets" / (host + ".yml")).read_bytes() == before[host]
    result = again.model(host)
    assert (result["changed"], result["generated"], result["adopted"]) == (False, [], [])


def test_no_secret_is_in_the_whole_output(first: Run) -> None:
    known = {"operators-own", "operators-vaulted", "vaulted-s3cret", "inline-s3cret", VAULT_PASSWORD}
    for host in ("good", "adopt", "operator", "operator_vault", "old", "unfit", "vaulted"):
        known |= set(secrets_of(first.top, host).values())
    assert len(known) > 30
    assert [value for value in known if value in first.text] == []


def test_no_secret_is_in_the_model(first: Run) -> None:
    text = json.dumps(first.model("good")["model"])
    assert [key for key, value in secrets_of(first.top, "good").items() if value in text] == []


# --- check mode


def test_check_mode_resolves_and_makes_no_secret(checked: Run) -> None:
    result = checked.model("fresh")
    assert result["changed"] is True
    assert "MYSQL_PASSWORD" in result["generated"]
    assert not (checked.top / "secrets" / "fresh.yml").exists()


def test_check_mode_refuses_what_a_run_would_refuse(checked: Run) -> None:
    assert "has no value for it, and data/mysql on the host already holds data" in checked.failures["locked"]


# --- the model


def test_services_are_in_the_seed_order(first: Run) -> None:
    order = ["mysql", "redis", "elasticsearch", "minio", "etcd", "milvus", "nsqlookupd", "nsqd", "nsqadmin", "coze-server", "coze-web"]
    # JSON that Ansible writes has its keys in the order of the model.
    assert list(first.model("good")["model"]["services"]) == order


def test_a_limited_stack_has_those_services_only(first: Run) -> None:
    assert list(first.model("old")["model"]["services"]) == ["coze-server"]


def test_the_older_line_publishes_server_and_storage(first: Run) -> None:
    model = first.model("old")["model"]
    assert model["release"] == "0.2"
    assert [port["container_port"] for port in model["services"]["coze-server"]["ports"]] == [8888, 8889]


def test_only_the_entry_is_published(first: Run) -> None:
    services = first.model("good")["model"]["services"]
    assert [name for name, service in services.items() if service["ports"]] == ["coze-web"]


@pytest.mark.parametrize("host", ["good", "old", "vaulted"])
def test_every_file_has_the_digest_of_its_content(first: Run, host: str) -> None:
    result = first.model(host)
    key = next(entry for entry in result["files"] if entry["path"] == "state/secrets.env")["content"].split("STACK_DIGEST_KEY=")[1].split("\n")[0]
    for entry in result["files"]:
        data = entry["content"].encode() if entry.get("content") is not None else Path(entry["src"]).read_bytes()
        assert entry["digest"] == keyed(key, data), entry["path"]


def test_files_with_secrets_are_private(first: Run) -> None:
    values = set(secrets_of(first.top, "good").values())
    for entry in first.model("good")["files"]:
        if any(value in (entry.get("content") or "") for value in values):
            assert (entry["mode"], entry["secret"]) == ("0600", True), entry["path"]


def test_a_second_run_gives_containers_the_same_labels(label: str, again: Run) -> None:
    assert again.model("good")["model"]["services"]["mysql"]["config"] == label


# --- writing the secrets file


@pytest.mark.parametrize(("head", "text"), [("", "B: b\n"), ("A: a\n", "A: a\nB: b\n"), ("A: a", "A: a\nB: b\n")])
def test_lines_are_appended_on_lines_of_their_own(head: str, text: str) -> None:
    assert join_lines(head, "B: b\n") == text


def test_a_private_file_is_so_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        write_private(str(tmp_path / "secrets" / "x.yml"), b"A: a\n")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "secrets" / "x.yml").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert os.listdir(tmp_path / "secrets") == ["x.yml"]
