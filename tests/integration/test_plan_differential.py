# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan against an oracle: community.docker's docker_container in check mode, given exactly what the role service gives it.

Wherever the oracle says that something differs, the plan has to say an action. The table tells where the oracle is blind, or where the plan is meant to be
silent, and why. A change of a definition is tried in both directions, and the container that is made of it must need nothing.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.community.docker.plugins.modules import docker_container
from ansible_collections.cozeops.studio.plugins.action.container_batch import ALWAYS
from ansible_collections.cozeops.studio.plugins.module_utils import _files
from ansible_collections.cozeops.studio.plugins.module_utils._container import LABEL_CONFIG, options
from ansible_collections.cozeops.studio.plugins.module_utils._definition import FIELDS, complete, hide
from ansible_collections.cozeops.studio.plugins.module_utils._digest import config_digest
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect, inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._env_file import is_secret_key
from ansible_collections.cozeops.studio.plugins.modules import stack_plan
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

Data = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
KEY = "k" * 64
SECRET = "s3cret-of-the-test"
NSQ = "nsqio/nsq:v1.2.1"
#: Tags of our own, which tests may move and remove: the image, another one, and one that says everything that an image can.
IMAGE, OTHER_IMAGE, TALKATIVE_IMAGE = "dif-nsq:1", "dif-nsq:2", "dif-nsq:talkative"
IMAGES = {
    OTHER_IMAGE: ["LABEL another=image"],
    TALKATIVE_IMAGE: [
        "USER 65534:65534",
        'ENTRYPOINT ["/nsqlookupd"]',
        'CMD ["--verbose=false"]',
        "ENV OF_IMAGE=1",
        "STOPSIGNAL SIGQUIT",
        "HEALTHCHECK --interval=40s CMD true",
        "EXPOSE 4161",
        "WORKDIR /tmp",
    ],
}
NETWORK, OTHER_NETWORK, VOLUME = "dif", "dif-other", "dif-volume"
#: Two stacks with one definition: the first one's container stays as it is while the second one's is changed.
STILL, MOVED = "dif-still", "dif-moved"
RENAMED = "dif-moved-renamed"
ADDRESSES = {STILL: "127.0.0.9", MOVED: "127.0.0.10"}

HEALTHCHECK = {"test": "true", "interval": "30s", "timeout": "5s", "retries": 3, "start_period": "1m"}
ENV = {"PLAIN": "one two", "AWKWARD": "'\"$\\ #%&=@:/?é漢字", "EMPTY": "", "STORE_PASSWORD": SECRET}
LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}

#: Every property has a value here, so that each can be changed and taken away.
DEFINITION: Data = {
    "name": "svc",
    "image": IMAGE,
    "command": ["/nsqlookupd", "--verbose=false"],
    "user": "65534:65534",
    "env": ENV,
    "data": [{"path": "data/svc", "owner": 65534, "group": 65534}],
    "files": [
        {"path": "conf/single", "source": "single", "on_change": "restart"},
        {"path": "conf/reloaded/x", "source": "reloaded", "on_change": "reload"},
        {"path": "conf/baked", "source": "baked", "on_change": "recreate"},
        {"path": "conf/passive", "source": "passive", "on_change": "none"},
    ],
    "trees": [{"path": "conf/tree", "source": "tree"}],
    "mounts": [
        {"source": "data/svc", "target": "/lab"},
        {"source": "conf/single", "target": "/single", "read_only": True},
        {"source": "conf/tree", "target": "/tree", "read_only": True},
    ],
    "tmpfs": {"/data": "uid=65534,gid=65534,mode=0700"},
    "ports": [{"port": 48151, "container_port": 4161}],
    "aliases": ["svc", "coze-svc"],
    "memory": "64m",
    "cpus": 1.5,
    "pids_limit": 100,
    "ulimits": {"nofile": 1024},
    "cap_add": ["CHOWN"],
    "extra_hosts": {"llm": "192.0.2.1"},
    "stop_timeout": 20,
    "stop_signal": "SIGTERM",
    "healthcheck": HEALTHCHECK,
    "reload": [["true"]],
    "probe": [{"type": "tcp", "port": 4161}],
}
#: As little as a definition can say: everything else is the image's, or the Engine's.
BARE: Data = {"name": "svc", "image": IMAGE, "command": ["/nsqlookupd"], "tmpfs": {"/data": "mode=0700"}}
TALKATIVE: Data = {"name": "svc", "image": TALKATIVE_IMAGE, "tmpfs": {"/data": "mode=0700"}}


class Wish(NamedTuple):
    """What is wanted, other than the definition above."""

    definition: Mapping[str, Any] = {}
    log_options: Mapping[str, str] = LOG_OPTIONS
    network: str = NETWORK
    base: Mapping[str, Any] = DEFINITION


class Seen(NamedTuple):
    """What the plan says, and what the oracle says: "changed", "diff" (it says that nothing changed, and shows a difference), "failed" or ""."""

    action: str
    reasons: list[str]
    oracle: str
    entry: Data


engine = functools.cache(connect)


def why_not() -> str:
    """Why this cannot be tried here; "" if it can."""
    if os.geteuid() != 0:
        return "files of a stack belong to root, and so must the tests"
    try:
        present = {tag for image in engine().images() for tag in image.get("RepoTags") or []}
    except EngineError as exc:
        return str(exc)
    return "" if NSQ in present else f"the lab image {NSQ} is missing: run `make lab`"


pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]


def docker(*arguments: str, text: str = "", check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], input=text, check=False, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr}")
    return done.stdout


class Stack:
    """One service's container and files on this machine, the plan for it and the oracle."""

    def __init__(self, name: str, top: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.name, self.root, self.tree, self.capsys = name, top / name, top / "source", capsys
        self.container = f"{name}-svc"

    def resolve(self, wish: Wish) -> tuple[Data, Data]:
        """(model, service), as the stack model has them."""
        model = {"name": self.name, "root": str(self.root), "network": wish.network, "log_options": dict(wish.log_options)}
        service = complete(copy.deepcopy({**wish.base, **wish.definition}))
        service["ports"] = [{"address": ADDRESSES[self.name], **port} for port in service["ports"]]
        files, service["on_change"] = _files.collect(service, _files.Sources(str(self.tree), KEY, lambda *given: "", lambda *given: ""))
        service["tree_changes"] = _files.tree_changes(service)
        service["file_digests"] = {entry["path"]: entry["digest"] for entry in files}
        own = {key: str(value) for key, value in service["env"].items()}
        service["env"] = hide(own, {key for key in own if is_secret_key(key)}, KEY)
        made_of = {name: value for name, value in options(model, {**service, "config": ""}).items() if name != "labels"}
        service["config"] = config_digest(KEY, {"options": made_of, "env": service["env"]})
        (self.root / "env/svc.env").write_text("".join(f"{key}={value}\n" for key, value in own.items()), encoding="utf-8")
        return model, service

    def lay_out(self) -> None:
        """The files as a run has written them, an hour ago."""
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in ("env", "state", "data/svc", "data/other", "conf/reloaded", "conf/tree"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "state/secrets.env").write_text(f"STACK_DIGEST_KEY={KEY}\n", encoding="utf-8")
        for name, path in (("single", "single"), ("reloaded", "reloaded/x"), ("baked", "baked"), ("passive", "passive"), ("tree/a", "tree/a")):
            shutil.copyfile(self.tree / name, self.root / "conf" / path)
        self.age()

    def age(self) -> None:
        then = time.time() - 3600
        for folder, folders, names in os.walk(self.root):
            for name in [*folders, *names]:
                os.utime(os.path.join(folder, name), (then, then))

    def docker_container(self, wish: Wish, check: bool, **more: Any) -> Data:
        model, service = self.resolve(wish)
        arguments = {**ALWAYS["made"], **options(model, service), "_ansible_diff": True, **more}
        return run_main(docker_container.main, self.capsys, arguments, check)

    def make(self, wish: Wish, **more: Any) -> None:
        result = self.docker_container(wish, False, **more)
        assert not result["failed"], result["msg"]

    def look(self, wish: Wish, **arguments: Any) -> Seen:
        model, service = self.resolve(wish)
        result = run_main(stack_plan.main, self.capsys, {"model": model, "services": [service], **arguments}, check=True)
        assert not result["failed"], result["msg"]
        assert SECRET not in json.dumps(result)
        entry = result["plan"]["svc"]
        assert bool(entry["why"]) == (entry["action"] != "none") == result["changed"]
        # The digest in a label is our own way of seeing: the oracle is to look at the properties.
        found = inspect_or_none(engine(), self.container)
        labels = {**options(model, service)["labels"], **({LABEL_CONFIG: found["Config"]["Labels"].get(LABEL_CONFIG, "")} if found else {})}
        oracle = self.docker_container(wish, True, recreate=False, labels=labels)
        diff = oracle.get("diff") or {}
        word = "failed" if oracle["failed"] else "changed" if oracle["changed"] else "diff" if diff.get("before") != diff.get("after") else ""
        return Seen(entry["action"], [reason["name"] for reason in entry["why"]], word, entry)


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The source tree, the networks and the images."""
    folder = tmp_path_factory.mktemp("dif")
    for name in ("single", "reloaded", "baked", "passive", "tree/a"):
        path = folder / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}\n", encoding="utf-8")
    leave_nothing()
    for network in (NETWORK, OTHER_NETWORK):
        docker("network", "create", network)
    docker("tag", NSQ, IMAGE)
    for tag, lines in IMAGES.items():
        docker("build", "--tag", tag, "-", text="\n".join([f"FROM {NSQ}", *lines]))
    yield folder
    leave_nothing()


def leave_nothing() -> None:
    """Take away what these tests make on the Engine, also what a run that was killed has left."""
    containers = {name for stack in (STILL, MOVED) for name in docker("ps", "-aq", "--filter", f"name=^{stack}-").split()}
    if containers:
        docker("rm", "--force", "--volumes", *containers)
    docker("network", "rm", NETWORK, OTHER_NETWORK, check=False)
    docker("volume", "rm", VOLUME, check=False)
    docker("rmi", IMAGE, *IMAGES, check=False)


@pytest.fixture
def still(top: Path, capsys: pytest.CaptureFixture[str]) -> Stack:
    """A stack whose container is running and as it should be; no test changes it."""
    stack = Stack(STILL, top, capsys)
    if inspect_or_none(engine(), stack.container) is None:
        stack.lay_out()
        stack.make(Wish())
    return stack


@pytest.fixture
def stack(top: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Stack]:
    """A stack whose files are as they should be; whatever container the last test has left is replaced."""
    moved = Stack(MOVED, top, capsys)
    moved.lay_out()
    yield moved
    if inspect_or_none(engine(), RENAMED):
        engine().remove_container(RENAMED, force=True)


# -- definitions


class Case(NamedTuple):
    """A change of a definition, the reasons to be told, and what the oracle says on the way there and back."""

    id: str
    wish: Wish
    reasons: list[str]
    oracle: str = "changed"
    back: str = "changed"
    #: Why the oracle is silent, or the plan.
    note: str = ""


def change(id_: str, reasons: str | list[str], oracle: str = "changed", back: str = "changed", note: str = "", **definition: Any) -> Case:
    """A change of one field; the reason is told by its name where it has one of its own."""
    return Case(id_, Wish(definition), [reasons] if isinstance(reasons, str) else reasons, oracle, back, note)


def without(name: str) -> Data:
    return {key: value for key, value in ENV.items() if key != name}


def mounts(**last: Any) -> list[Data]:
    return [*DEFINITION["mounts"][:-1], *([{**DEFINITION["mounts"][-1], **last}] if last else [])]


LIMITS = "limits that can be changed on a live container are shown, but not counted, in check mode (module.py: limits_differ)"
UNGIVEN = "an option that is not given is not compared"
ALIASES = "aliases are compared as a set that may have more"

DEFINITION_CASES = [
    change("image", "image", image=OTHER_IMAGE),
    change("command changed", "command", command=["/nsqlookupd", "--verbose=true"]),
    change("command with one word more", "command", command=[*DEFINITION["command"], "--inactive-producer-timeout=5m"]),
    change("entrypoint added", "entrypoint", back="", note=UNGIVEN, entrypoint=["/usr/bin/env"]),
    change("user", "user", user="0:0"),
    change("user of the image", "user", user=None, oracle="", note=UNGIVEN),
    change("env key added", "env MORE", env={**ENV, "MORE": "1"}),
    change("env value changed", "env PLAIN", env={**ENV, "PLAIN": "one  two"}),
    change("env value emptied", "env PLAIN", env={**ENV, "PLAIN": ""}),
    change("env key removed", "env EMPTY", env=without("EMPTY")),
    change("env secret changed", "env STORE_PASSWORD", env={**ENV, "STORE_PASSWORD": SECRET + "2"}),
    change("env secret removed", "env STORE_PASSWORD", env=without("STORE_PASSWORD")),
    change("env secret added", "env STORE_TOKEN", env={**ENV, "STORE_TOKEN": SECRET}),
    change("env key of the image overridden", "env PATH", env={**ENV, "PATH": "/usr/bin:/bin"}),
    change("mount added", "mounts", mounts=[*DEFINITION["mounts"], {"source": "data/other", "target": "/other"}]),
    change("mount removed", "mounts", mounts=mounts()),
    change("mount of another source", "mounts", mounts=mounts(source="data/other")),
    change("mount at another target", "mounts", mounts=mounts(target="/tree2")),
    change("mount writable", "mounts", mounts=mounts(read_only=False)),
    change("tmpfs added", "tmpfs", tmpfs={**DEFINITION["tmpfs"], "/run": "mode=0755"}),
    change("tmpfs with other options", "tmpfs", tmpfs={"/data": "uid=65534,gid=65534,mode=0750"}),
    change("port added", "published_ports", ports=[*DEFINITION["ports"], {"port": 48150, "container_port": 4160}]),
    change("port changed", "published_ports", ports=[{"port": 48152, "container_port": 4161}]),
    change("port on another address", "published_ports", ports=[{"address": "127.0.0.11", "port": 48151, "container_port": 4161}]),
    change("port removed", "published_ports", ports=[]),
    change("alias added", f"aliases on {NETWORK}", aliases=["svc", "coze-svc", "third"], back="", note=ALIASES),
    change("alias removed", f"aliases on {NETWORK}", aliases=["svc"], oracle="", note=ALIASES),
    change("extra host added", "extra_hosts", extra_hosts={"llm": "192.0.2.1", "proxy": "192.0.2.2"}),
    change("extra host changed", "extra_hosts", extra_hosts={"llm": "192.0.2.3"}),
    change("extra host removed", "extra_hosts", extra_hosts={}),
    change("extra host of the machine", "extra_hosts", extra_hosts={"llm": "host-gateway"}),
    change("memory", "memory", memory="80m", oracle="diff", back="diff", note=LIMITS),
    change("memory unlimited", "memory", memory=None, oracle="", back="diff", note=f"{UNGIVEN}, and {LIMITS}"),
    change("cpus", "cpus", cpus=1.25),
    change("cpus unlimited", "cpus", cpus=None, oracle="", note=UNGIVEN),
    change("pids limit", "pids_limit", pids_limit=101),
    change("pids unlimited", "pids_limit", pids_limit=None, oracle="", note=UNGIVEN),
    change("ulimit changed", "ulimits", ulimits={"nofile": 1025}),
    change("ulimit added", "ulimits", ulimits={"nofile": 1024, "core": 0}),
    change("ulimit removed", "ulimits", ulimits={}),
    change("capability added", "cap_add", cap_add=["CHOWN", "NET_BIND_SERVICE"]),
    change("capability removed", "cap_add", cap_add=[]),
    change("stop timeout", "stop_timeout", stop_timeout=30),
    change("stop signal", "stop_signal", stop_signal="SIGQUIT"),
    change("stop signal of the image", "definition", stop_signal=None, oracle="", back="changed", note=UNGIVEN),
    change("healthcheck test", "healthcheck", healthcheck={**HEALTHCHECK, "test": "exit 0"}),
    change("healthcheck test as a list", "healthcheck", healthcheck={**HEALTHCHECK, "test": ["CMD", "true"]}),
    change("healthcheck interval", "healthcheck", healthcheck={**HEALTHCHECK, "interval": "31s"}),
    change("healthcheck timeout", "healthcheck", healthcheck={**HEALTHCHECK, "timeout": "6s"}),
    change("healthcheck retries", "healthcheck", healthcheck={**HEALTHCHECK, "retries": 4}),
    change("healthcheck start period", "healthcheck", healthcheck={**HEALTHCHECK, "start_period": "61s"}),
    change("healthcheck none", "healthcheck", healthcheck=None, oracle="", note=UNGIVEN),
    Case("log options", Wish(log_options={"max-size": "11m", "max-file": "3"}), ["log_options"]),
    Case("log options fewer", Wish(log_options={"max-size": "10m"}), ["log_options"]),
    Case("log options none", Wish(log_options={}), ["log_options"]),
    Case("network", Wish(network=OTHER_NETWORK), [f"network {NETWORK}", f"network {OTHER_NETWORK}"]),
    # What is no property of the container.
    change("probe", [], oracle="", back="", probe=[]),
    change("ready timeout", [], oracle="", back="", ready_timeout=5),
    change("reload command", [], oracle="", back="", reload=[["false"]]),
    change("init job", [], oracle="", back="", init=[{"name": "mysql_schema", "inputs": []}]),
    change("dependency", [], oracle="", back="", depends_on={"other": "ready"}),
    change("data directory", [], oracle="", back="", data=[{"path": "data/svc", "owner": 0, "group": 0}]),
]


@pytest.mark.parametrize("case", DEFINITION_CASES, ids=lambda case: case.id)
def test_a_changed_definition(still: Stack, stack: Stack, case: Case) -> None:
    action = "recreate" if case.reasons else "none"
    seen = still.look(case.wish)
    assert (seen.action, seen.reasons, seen.oracle) == (action, case.reasons, case.oracle)

    stack.make(case.wish)
    made = stack.look(case.wish)
    assert (made.action, made.reasons, made.oracle) == ("none", [], "")

    back = stack.look(Wish())
    assert (back.action, sorted(back.reasons), back.oracle) == (action, sorted(case.reasons), case.back)


@pytest.mark.parametrize("base", [DEFINITION, BARE, TALKATIVE], ids=["everything is said", "nothing is said", "the image says it"])
def test_a_container_that_was_made_of_its_definition_needs_nothing(stack: Stack, base: Data) -> None:
    wish = Wish(base=base)
    stack.make(wish)
    seen = stack.look(wish)
    assert (seen.action, seen.reasons, seen.oracle) == ("none", [], "")


@pytest.mark.parametrize("base", [BARE, TALKATIVE], ids=["nothing is said", "the image says it"])
def test_what_is_no_longer_said_is_taken_away(stack: Stack, base: Data) -> None:
    stack.make(Wish({"image": base["image"]}))
    seen = stack.look(Wish(base=base))
    told = {reason.split(" ")[0] for reason in seen.reasons}
    wanted = {"env", "mounts", "published_ports", "aliases", "extra_hosts", "memory", "cpus", "pids_limit", "ulimits", "cap_add", "stop_timeout", "healthcheck"}
    assert (seen.action, wanted - told) == ("recreate", set())


def test_every_field_of_a_definition_is_tried() -> None:
    elsewhere = {
        "name",  # another service
        "releases",
        "env_keys",  # with env_exclude, where env comes from
        "env_exclude",
        "files",  # below
        "trees",
        "chat_models",  # files, once they are resolved
        "replicas",  # where and in which order, and nothing of the container
        "front",
        "offers",  # ports, once it is known which hosts need them
    }
    tried = {field for case in DEFINITION_CASES for field in case.wish.definition}
    assert set(FIELDS) - tried == elsewhere


# -- the container that lives


class Deed(NamedTuple):
    """What was done to a container, or to a file, and what has to come of it."""

    id: str
    do: Callable[[Stack], object]
    action: str
    reasons: list[str]
    oracle: str = "changed"
    note: str = ""


def cli(*arguments: str) -> Callable[[Stack], object]:
    """A docker command about the container, whose name takes the place of @."""
    return lambda stack: docker(*(stack.container if word == "@" else word for word in arguments))


def several(*deeds: Callable[[Stack], object]) -> Callable[[Stack], object]:
    return lambda stack: [deed(stack) for deed in deeds]


def by_hand(**more: Any) -> Callable[[Stack], object]:
    """The container made anew with one option more, labels and all."""
    return lambda stack: stack.make(Wish(), **more)


STATE, ON_NETWORK = ["state"], [f"aliases on {NETWORK}"]

CONTAINER_DEEDS = [
    Deed("nothing", lambda stack: None, "none", [], ""),
    Deed("restarted", cli("restart", "--time", "0", "@"), "none", [], ""),
    Deed("stopped", cli("stop", "--time", "0", "@"), "start", STATE),
    Deed("killed", cli("kill", "@"), "start", STATE),
    Deed("paused", cli("pause", "@"), "start", STATE, "", "a paused container counts as a started one"),
    Deed("removed", cli("rm", "--force", "--volumes", "@"), "recreate", ["container"]),
    Deed("renamed", cli("rename", "@", RENAMED), "recreate", ["container"]),
    Deed("created, and never started", by_hand(state="present"), "start", STATE),
    Deed("memory updated", cli("update", "--memory", "50m", "--memory-swap", "100m", "@"), "recreate", ["memory"], "diff", LIMITS),
    Deed("restart policy updated", cli("update", "--restart", "no", "@"), "recreate", ["restart_policy"], "diff", LIMITS),
    Deed("restart policy updated to always", cli("update", "--restart", "always", "@"), "recreate", ["restart_policy"], "diff", LIMITS),
    Deed("cpus updated", cli("update", "--cpus", "1", "@"), "recreate", ["cpus"]),
    Deed("pids limit updated", cli("update", "--pids-limit", "99", "@"), "recreate", ["pids_limit"]),
    Deed("cpu shares updated", cli("update", "--cpu-shares", "100", "@"), "recreate", ["cpu_shares"], "", UNGIVEN),
    Deed("processors updated", cli("update", "--cpuset-cpus", "0", "@"), "recreate", ["cpuset_cpus"], "", UNGIVEN),
    Deed("swap updated", cli("update", "--memory", "64m", "--memory-swap", "100m", "@"), "recreate", ["memory_swap"], "", UNGIVEN),
    Deed("reservation updated", cli("update", "--memory-reservation", "32m", "@"), "recreate", ["memory_reservation"], "", UNGIVEN),
    Deed("network disconnected", cli("network", "disconnect", NETWORK, "@"), "recreate", [f"network {NETWORK}"]),
    Deed("another network connected", cli("network", "connect", OTHER_NETWORK, "@"), "recreate", [f"network {OTHER_NETWORK}"]),
    Deed(
        "alias lost by a reconnect",
        several(cli("network", "disconnect", NETWORK, "@"), cli("network", "connect", "--alias", "svc", NETWORK, "@")),
        "recreate",
        ON_NETWORK,
    ),
    Deed(
        "alias gained by a reconnect",
        several(
            cli("network", "disconnect", NETWORK, "@"),
            cli("network", "connect", "--alias", "svc", "--alias", "coze-svc", "--alias", "third", NETWORK, "@"),
        ),
        "recreate",
        ON_NETWORK,
        "",
        ALIASES,
    ),
    *(
        Deed(f"by hand: {name}", by_hand(**given), "recreate", reasons.split(), oracle, "" if oracle else UNGIVEN)
        for name, given, reasons, oracle in (
            ("another image", {"image": OTHER_IMAGE}, "image", "changed"),
            # The Engine takes the security options away along with it.
            ("privileged", {"privileged": True}, "security_opts privileged", "changed"),
            ("init", {"init": True}, "init", "changed"),
            ("another host name", {"hostname": "other"}, "hostname", "changed"),
            ("capabilities kept", {"cap_drop": []}, "cap_drop", "changed"),
            ("new privileges", {"security_opts": []}, "security_opts", "changed"),
            ("a log driver", {"log_driver": "none", "log_options": {}}, "log_driver log_options", "changed"),
            ("another stack's label", {"labels": {"cozeops.stack": "x", "cozeops.service": "svc"}}, "labels", "changed"),
            ("a volume", {"mounts": None, "volumes": [f"{VOLUME}:/lab"]}, "mounts binds", "changed"),
            ("read only", {"read_only": True}, "read_only", ""),
            ("processes of the machine", {"pid_mode": "host"}, "security_opts pid_mode", "changed"),
            ("memory of the machine", {"ipc_mode": "host"}, "security_opts", "changed"),
            ("a device", {"devices": ["/dev/null:/dev/lab"]}, "devices", ""),
            ("another group", {"groups": ["0"]}, "groups", ""),
            ("name servers", {"dns_servers": ["192.0.2.53"]}, "dns_servers", ""),
            ("a kernel setting", {"sysctls": {"net.ipv4.ip_forward": "1"}}, "sysctls", ""),
            ("another directory", {"working_dir": "/tmp"}, "working_dir", ""),
        )
    ),
]


@pytest.mark.parametrize("deed", CONTAINER_DEEDS, ids=lambda deed: deed.id)
def test_a_container_that_was_changed(stack: Stack, deed: Deed) -> None:
    stack.make(Wish())
    deed.do(stack)
    seen = stack.look(Wish())
    assert (seen.action, seen.reasons, seen.oracle) == (deed.action, deed.reasons, deed.oracle)


# -- what a tag means


def test_a_moved_tag_is_told_and_taken_only_when_asked_for(stack: Stack) -> None:
    stack.make(Wish())
    docker("tag", OTHER_IMAGE, IMAGE)
    try:
        seen = stack.look(Wish())
        asked = stack.look(Wish(), update_images=True)
    finally:
        docker("tag", NSQ, IMAGE)
    assert (seen.action, seen.entry["moved"], seen.oracle) == ("none", True, "changed")
    assert (asked.action, asked.reasons) == ("recreate", ["image"])


def test_an_image_that_was_removed_has_to_come_back(stack: Stack) -> None:
    stack.make(Wish())
    docker("rmi", IMAGE)
    try:
        seen = stack.look(Wish())
    finally:
        docker("tag", NSQ, IMAGE)
    assert (seen.action, seen.reasons, seen.oracle) == ("recreate", ["image"], "failed")


# -- files


def file(path: str, deed: Callable[[Path], object]) -> Callable[[Stack], object]:
    return lambda stack: deed(stack.root / path)


def edit(path: Path) -> None:
    path.write_text("by hand\n", encoding="utf-8")


def edit_and_undo(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    edit(path)
    path.write_text(text, encoding="utf-8")


def reloaded_since(stack: Stack) -> None:
    edit_and_undo(stack.root / "conf/reloaded/x")
    (stack.root / "state/svc.reloaded").write_text("", encoding="utf-8")


restart = cli("restart", "--time", "0", "@")

FILE_DEEDS = [
    Deed("edited: restart", file("conf/single", edit), "restart", ["file conf/single"]),
    Deed("edited: reload", file("conf/reloaded/x", edit), "reload", ["file conf/reloaded/x"]),
    Deed("edited: recreate", file("conf/baked", edit), "recreate", ["file conf/baked"]),
    Deed("edited: none", file("conf/passive", edit), "none", []),
    Deed(
        "edited: the strongest counts",
        several(file("conf/single", edit), file("conf/reloaded/x", edit)),
        "restart",
        ["file conf/reloaded/x", "file conf/single"],
    ),
    Deed("edited in a tree", file("conf/tree/a", edit), "restart", ["file conf/tree/a"]),
    Deed("read before it was put right", file("conf/single", edit_and_undo), "restart", ["file conf/single"]),
    Deed("put right, and reloaded since", reloaded_since, "none", []),
    Deed("put right, and restarted since", several(file("conf/single", edit_and_undo), restart), "none", []),
    Deed("put right, but only restarted since", several(file("conf/baked", edit_and_undo), restart), "recreate", ["file conf/baked"]),
    Deed("deleted", file("conf/reloaded/x", Path.unlink), "reload", ["file conf/reloaded/x"]),
    Deed("deleted in a tree", file("conf/tree/a", Path.unlink), "restart", ["file conf/tree/a"]),
    Deed("one too many in a tree", file("conf/tree/b", edit), "restart", ["directory conf/tree", "file conf/tree/b"]),
    Deed("one too many outside of trees", file("conf/other", edit), "none", []),
    Deed("mode changed", file("conf/single", lambda path: path.chmod(0o600)), "none", [], note="stack_render puts it right, under the running container"),
    Deed("data changed", file("data/svc/x", edit), "none", [], note="data are the service's own"),
    Deed("edited, and stopped", several(file("conf/single", edit), cli("stop", "--time", "0", "@")), "start", ["state", "file conf/single"]),
]


@pytest.mark.parametrize("deed", FILE_DEEDS, ids=lambda deed: deed.id)
def test_a_file_that_was_changed(stack: Stack, deed: Deed) -> None:
    if stack.look(Wish()).action != "none":
        stack.make(Wish())
    deed.do(stack)
    seen = stack.look(Wish())
    wanted = "changed" if "state" in deed.reasons else ""  # of files, the oracle knows nothing
    assert (seen.action, seen.reasons, seen.oracle) == (deed.action, deed.reasons, wanted)


def test_an_environment_file_that_was_edited_is_put_right_before_it_is_read(stack: Stack) -> None:
    stack.make(Wish())
    model, service = stack.resolve(Wish())
    with (stack.root / "env/svc.env").open("a", encoding="utf-8") as env:
        env.write("BY_HAND=1\n")
    result = run_main(stack_plan.main, stack.capsys, {"model": model, "services": [service]}, check=True)
    assert result["plan"]["svc"]["action"] == "none"


# -- the tables themselves


def test_where_the_oracle_is_blind_the_reason_is_told() -> None:
    silent = [case.id for case in [*DEFINITION_CASES, *CONTAINER_DEEDS] if not case.oracle and case.reasons and not case.note]
    assert silent == []
    assert len(DEFINITION_CASES) + len(CONTAINER_DEEDS) + len(FILE_DEEDS) >= 40
