# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are containers: sshd and, if they are not bare, an Engine of their own that has the stack's images."""
from __future__ import annotations

import json
import pathlib
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from . import docker, engine, store
from .console import LabError, say

USER = "ops"
PORT = 22
WAIT_SECONDS = 60
PREFIX = "cozeops-lab-host-"
STOCK = "cozeops-lab-stock-"  # volumes that hold the stack's images, for hosts to start from
OFFLINE = "cozeops-lab-offline"  # a network without a route out, which this machine reaches all the same
IMAGE, IMAGE_BARE = "cozeops-lab/host", "cozeops-lab/host-bare"

# All that an Engine inside a container needs short of --privileged, which an Engine without CAP_SYS_RESOURCE refuses.
RIGHTS = [
    *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--security-opt", "systempaths=unconfined"),
    *("--cgroupns", "host", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--device-cgroup-rule", "a *:* rwm"),
]

# Image layers never change once they are there, so a copy may share their files (hard links); all else is copied.
# Volumes are linked from one mount of their common folder: links do not cross mounts.
COPY_STOCK = """
set -eu
cd /volumes
[ -e "$1/_data/.complete" ] || exit 3
rm -rf "$2/_data/image" "$2/_data/overlay2"
cp -a "$1/_data/image" "$2/_data/image"
cp -al "$1/_data/overlay2" "$2/_data/overlay2"
"""


def key_file(folder: pathlib.Path) -> pathlib.Path:
    """The lab's own ssh key, made once."""
    key = folder / "ssh" / "id_ed25519"
    if not key.is_file():
        engine.install_missing(["ssh-keygen"])
        key.parent.mkdir(parents=True, exist_ok=True)
        key.parent.chmod(0o700)
        subprocess.run([engine.find("ssh-keygen") or "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(key)], check=True)
    return key


def _wait(what: str, ready: Callable[[], bool], container: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if ready():
            return
        state = docker.docker("inspect", "-f", "{{.State.Status}}", container).stdout.strip()
        if state != "running":
            raise LabError(f"{container} is {state}: {docker.docker('logs', '--tail', '20', container, check=False).stderr}")
        time.sleep(0.1)
    log = docker.docker("exec", container, "tail", "-n", "20", "/var/log/dockerd.log", check=False).stdout
    raise LabError(f"{container}: no {what} in {WAIT_SECONDS} s\n{log}")


def _ssh_answers(address: str) -> bool:
    try:
        with socket.create_connection((address, PORT), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _engine_answers(container: str) -> bool:
    return docker.docker("exec", container, "docker", "version", check=False).returncode == 0


def _address(container: dict[str, Any]) -> str:
    (network,) = container["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def _run(container: str, volume: str, bare: bool, extra: list[str]) -> None:
    run = ["run", "-d", "--init", "--name", container, *RIGHTS, "--tmpfs", "/run:exec,mode=755", "--stop-timeout", "60"]
    docker.docker(*run, "-v", f"{volume}:/var/lib/docker", *extra, IMAGE_BARE if bare else IMAGE)


def _copy_stock(source: str, target: str) -> bool:
    """Give a volume the images of a stock; False if that stock was never finished."""
    root = docker.docker("info", "-f", "{{.DockerRootDir}}").stdout.strip()
    mount = ["-v", f"{root}/volumes:/volumes", "--entrypoint", "sh", "--network", "none"]
    done = docker.docker("run", "--rm", *mount, IMAGE_BARE, "-c", COPY_STOCK, "copy", source, target, check=False)
    if done.returncode not in (0, 3):
        raise LabError(f"copying the images failed: {done.stderr.strip()}")
    return done.returncode == 0


def _volumes(prefix: str) -> list[str]:
    return docker.docker("volume", "ls", "-q", "-f", f"name=^{prefix}").stdout.split()


def _load(container: str, images: Mapping[str, str]) -> None:
    """Bring a host's Engine to just these images; what it has already is not sent."""
    listed = docker.docker("exec", container, "docker", "images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").stdout
    have = dict(line.split() for line in listed.splitlines())
    lacking = [tag for tag in sorted(images) if have.get(tag) != images[tag]]
    if lacking:
        say(f"loading {len(lacking)} images")
        store.stream(lacking, [docker.client(), "exec", "-i", container, "docker", "load", "-q"])
    old = [tag for tag in have if tag not in images]
    if old:
        docker.docker("exec", container, "docker", "rmi", *old, check=False)
    docker.docker("exec", container, "docker", "image", "prune", "-f")


def _make_stock(volume: str, images: Mapping[str, str]) -> None:
    """Load the images once, into a volume that hosts are copied from; an older stock gives what has not changed."""
    builder = PREFIX + "stock-builder"
    docker.docker("rm", "-fv", builder, check=False)
    docker.docker("volume", "rm", volume, check=False)
    docker.docker("volume", "create", volume)
    older = [name for name in _volumes(STOCK) if name != volume]
    any(_copy_stock(name, volume) for name in older)
    _run(builder, volume, False, [])
    _wait("Engine", lambda: _engine_answers(builder), builder)
    _load(builder, images)
    docker.docker("stop", builder)
    docker.docker("rm", builder)
    docker.docker("run", "--rm", "-v", f"{volume}:/stock", "--entrypoint", "touch", IMAGE_BARE, "/stock/.complete")
    for name in older:
        docker.docker("volume", "rm", name, check=False)


def _stock(images: Mapping[str, str], target: str) -> None:
    volume = STOCK + store.digest_of(images)[:16]
    if volume not in _volumes(STOCK) or not _copy_stock(volume, target):
        _make_stock(volume, images)
        _copy_stock(volume, target)


def access(name: str, folder: pathlib.Path) -> dict[str, Any]:
    """How to reach a host that runs."""
    container = docker.inspect("container", [PREFIX + name])[PREFIX + name]
    return {"name": name, "address": _address(container), "port": PORT, "user": USER, "identity_file": str(key_file(folder))}


def _revive(name: str, found: dict[str, Any], bare: bool) -> None:
    if (docker.labels(found).get("bare") == "yes") != bare:
        raise LabError(f"host {name} exists and is {'not ' if bare else ''}bare: `lab.py host destroy {name}` first")
    if not found["State"]["Running"]:
        docker.docker("start", PREFIX + name)


def _offline_network() -> list[str]:
    if docker.docker("network", "inspect", OFFLINE, check=False).returncode != 0:
        docker.docker("network", "create", "--internal", OFFLINE)
    return ["--network", OFFLINE]


def _new(name: str, key: pathlib.Path, bare: bool, memory: str, images: Mapping[str, str], offline: bool) -> None:
    container = PREFIX + name
    docker.docker("volume", "create", "--label", f"{docker.LABEL_PREFIX}host={name}", container)
    if images:
        _stock(images, container)
    public = key.with_name(key.name + ".pub").read_text(encoding="utf-8").strip()
    labels = {"host": name, "bare": "yes" if bare else "no"}
    network = _offline_network() if offline else []
    extra = network + [arg for label, value in labels.items() for arg in ("--label", f"{docker.LABEL_PREFIX}{label}={value}")]
    _run(container, container, bare, [*extra, "--hostname", name, "--memory", memory, "-e", f"LAB_AUTHORIZED_KEY={public}"])


def create(name: str, folder: pathlib.Path, bare: bool, memory: str, images: Mapping[str, str], offline: bool = False) -> dict[str, Any]:
    """A host that answers; one that is there already is only started if need be. `images`: tags and ids that it shall have."""
    container = PREFIX + name
    key = key_file(folder)
    found = docker.inspect("container", [container])
    if found:
        _revive(name, found[container], bare)
    else:
        _new(name, key, bare, memory, images, offline)
    result = access(name, folder)
    _wait("sshd", lambda: _ssh_answers(result["address"]), container)
    if not bare:
        _wait("Engine", lambda: _engine_answers(container), container)
    return result


def destroy(name: str) -> bool:
    """Remove a host and its disk; False if there was none."""
    container = PREFIX + name
    there = container in docker.inspect("container", [container])
    if there:
        docker.docker("rm", "-fv", container)
    if container in docker.inspect("volume", [container]):
        docker.docker("volume", "rm", container)
    return there


def listed() -> list[dict[str, str]]:
    """All hosts of the lab on this Engine."""
    names = docker.docker("ps", "-aq", "-f", f"label={docker.LABEL_PREFIX}host").stdout.split()
    found = json.loads(docker.docker("inspect", *names).stdout) if names else []
    return [
        {"name": docker.labels(each)["host"], "container": each["Name"].lstrip("/"), "state": each["State"]["Status"],
         "address": _address(each), "bare": docker.labels(each)["bare"]}
        for each in found
    ]
