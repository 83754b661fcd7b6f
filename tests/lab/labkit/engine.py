# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes sure that a Docker Engine answers on this machine."""
from __future__ import annotations

import os
import shutil
import subprocess
import time

from . import docker
from .console import LabError, say, tail

LOG = "/var/log/dockerd-lab.log"
WAIT_SECONDS = 60

# Commands that the lab needs, and the packages that have them; the first one that removes nothing is taken.
# In Debian 13 the client is a package of its own; in Debian 12 it is part of docker.io.
NEEDED = {
    "docker": ["docker-cli", "docker.io"],
    "dockerd": ["docker.io", "docker-ce"],
    "iptables": ["iptables"],
    "mmdebstrap": ["mmdebstrap"],
    "ssh-keygen": ["openssh-client"],
}
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def find(command: str) -> str | None:
    """Where a command is; sbin is looked at too, as it is not in every user's PATH."""
    return shutil.which(command, path=os.environ.get("PATH", "") + ":" + _SBIN + ":/usr/bin:/bin")


def _apt(*args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    return subprocess.run(["apt-get", *args], env=env, capture_output=True, text=True, check=False)


def removes(simulation: str) -> list[str]:
    """Packages that an `apt-get install -s` would remove."""
    return [line.split()[1] for line in simulation.splitlines() if line.startswith("Remv ")]


def _harmless(packages: list[str]) -> str:
    """The first package that apt can install without removing another (docker.io and docker-ce-cli exclude each other)."""
    reasons = []
    for package in packages:
        tried = _apt("install", "-s", "--no-install-recommends", package)
        gone = removes(tried.stdout)
        if tried.returncode == 0 and not gone:
            return package
        reasons.append(f"{package}: " + (f"would remove {', '.join(gone)}" if gone else (tried.stderr.strip() or "apt-get gave no reason").splitlines()[-1]))
    raise LabError("cannot install an Engine beside what is here; " + "; ".join(reasons))


def install_missing(commands: list[str]) -> None:
    """Packages for those commands that are not there."""
    missing = [command for command in commands if not find(command)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise LabError(f"{', '.join(missing)} missing and not root: run `sudo lab.py engine` once")
    if not find("apt-get"):
        raise LabError(f"{', '.join(missing)} missing, and this machine has no apt-get: install them by hand")
    say(f"installing what is missing: {', '.join(missing)}")
    updated = _apt("update")  # one source that is down need not matter: what counts is whether the packages can be had
    packages = [_harmless(NEEDED[command]) for command in missing]
    done = _apt("install", "-y", "--no-install-recommends", *dict.fromkeys(packages))
    if done.returncode:
        raise LabError("apt-get install failed:\n" + (updated.stderr + done.stdout + done.stderr)[-3000:])


def _start() -> subprocess.Popen[bytes] | None:
    """By systemd where it runs; else dockerd itself: the init script sets limits that a container may not set."""
    if os.path.isdir("/run/systemd/system"):
        say("starting docker.service")
        subprocess.run(["systemctl", "start", "docker"], check=False)
        return None
    say(f"starting dockerd, log in {LOG}")
    with open(LOG, "ab") as log:
        env = {**os.environ, "PATH": os.environ.get("PATH", "") + ":" + _SBIN}
        return subprocess.Popen([find("dockerd") or "dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True)


def _wait(process: subprocess.Popen[bytes] | None) -> str:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        version = docker.engine_version()
        if version:
            return version
        if process and process.poll() is not None:
            raise LabError(f"dockerd ended with code {process.returncode}; last lines of {LOG}:\n{tail(LOG, 20)}")
        time.sleep(0.2)
    raise LabError(f"no Engine answered in {WAIT_SECONDS} s; last lines of {LOG}:\n{tail(LOG, 20)}")


def ensure() -> str:
    """An Engine that answers; its version."""
    version = docker.engine_version()
    if version:
        say(f"Docker Engine {version} answers")
        return version
    if os.environ.get("DOCKER_HOST"):
        raise LabError(f"no Engine answers at DOCKER_HOST={os.environ['DOCKER_HOST']}")
    install_missing(["docker", "dockerd", "iptables"])
    if os.geteuid() != 0:
        raise LabError("no Engine answers, and only root can start one: run `sudo lab.py engine` once")
    version = _wait(_start())
    say(f"Docker Engine {version} is up")
    return version
