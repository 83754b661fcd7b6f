# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab host, and the site playbook run against it, for tests of whole deployments."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB = [sys.executable, str(ROOT / "tests" / "lab" / "lab.py")]


def why_not() -> str:
    """Why lab hosts cannot be used here; "" if they can."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        return "no Docker Engine answers: run `make lab`"
    wanted = "cozeops-lab/host"
    if subprocess.run(["docker", "image", "inspect", wanted], capture_output=True, check=False).returncode != 0:
        return f"the image {wanted} is not built: run `make lab`"
    return ""


class Run:
    """A finished run of ansible-playbook."""

    def __init__(self, argv: list[str], code: int, output: str) -> None:
        self.argv, self.code, self.output = argv, code, output

    def __repr__(self) -> str:
        return f"$ {' '.join(self.argv)}\n{self.output}\n(exit code {self.code})"

    @property
    def flat(self) -> str:
        """The output as one line, so that it does not matter where it was wrapped."""
        return " ".join(self.output.replace("''", "'").split())

    def must_fail(self, *texts: str) -> None:
        """The run has failed, and says every text, however it is wrapped."""
        missing = [text for text in texts if text not in self.flat]
        if self.code == 0 or missing:
            raise AssertionError(f"exit code {self.code}, not said: {missing}\n{self!r}")

    def must_pass(self, changed: bool | None = None) -> None:
        """The run has succeeded and, if asked, changed something or nothing."""
        if self.code != 0 or (changed is not None and changed != bool(self.changed)):
            raise AssertionError(f"exit code {self.code}, changed {self.changed}\n{self!r}")

    @property
    def changed(self) -> int:
        recap = self.output.rsplit("PLAY RECAP", 1)[-1]
        return sum(int(part.split("=")[1]) for part in recap.split() if part.startswith("changed="))


def playbook_argv(inventory: Path, playbook: str, *arguments: str, **variables: Any) -> list[str]:
    argv = [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), str(ROOT / "playbooks" / f"{playbook}.yml")]
    return [*argv, "-e", json.dumps(variables), *arguments]


def finished(argv: list[str]) -> Run:
    """A run from the root of the checkout, to its end."""
    done = subprocess.run(argv, cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=600)
    return Run(argv[2:], done.returncode, done.stdout)


def play_inventory(folder: Path, inventory: Mapping[str, Any], playbook: str, *arguments: str, **variables: Any) -> Run:
    """A playbook against an inventory, which is written into the folder as it is: the order of stacks and hosts counts."""
    path = folder / "hosts.yml"
    path.write_text(yaml.safe_dump(dict(inventory), sort_keys=False), encoding="utf-8")
    return finished(playbook_argv(path, playbook, *arguments, **variables))


class HostContainer:
    """A host container that is there, as root sees it through the Engine of this machine."""

    def __init__(self, name: str) -> None:
        self.name, self.container = name, "cozeops-lab-host-" + name

    def shell(self, script: str, check: bool = True) -> str:
        """A script as root on the host."""
        done = subprocess.run(["docker", "exec", self.container, "sh", "-c", script], check=False, text=True, capture_output=True)
        if check and done.returncode != 0:
            raise AssertionError(f"{script}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def push(self, source: Path, target: str) -> None:
        """A folder's content, to a folder on the host."""
        self.shell(f"mkdir -p {target}")
        with tempfile.TemporaryFile() as archive:
            subprocess.run(["tar", "-C", str(source), "-cf", "-", "."], stdout=archive, check=True)
            archive.seek(0)
            subprocess.run(["docker", "exec", "-i", self.container, "tar", "-C", target, "-xf", "-", "--no-same-owner"], stdin=archive, check=True)


class LabHost(HostContainer):
    """One host container, reached over SSH as an operator would, and as root through the Engine of this machine."""

    def __init__(self, name: str, folder: Path, *options: str) -> None:
        super().__init__(name)
        self.folder = folder
        out = subprocess.run([*LAB, "host", "create", name, *options], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.facts: dict[str, Any] = json.loads(out.splitlines()[-1])
        self.write_inventory({"coze": {"hosts": {"one": self.connection()}}})

    def connection(self) -> dict[str, Any]:
        return {
            "ansible_host": self.facts["address"],
            "ansible_port": self.facts["port"],
            "ansible_user": self.facts["user"],
            "ansible_ssh_private_key_file": self.facts["identity_file"],
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        }

    def write_inventory(self, document: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(dict(document)), encoding="utf-8")

    def destroy(self) -> None:
        subprocess.run([*LAB, "host", "destroy", self.name], check=True, stdout=subprocess.DEVNULL)

    def reboot(self, power_cut: bool = False) -> None:
        """Stop the host, or cut its power, and start it; it may come back with another address."""
        how = ["kill"] if power_cut else ["stop", "-t", "90"]
        for step in (how, ["start"]):
            subprocess.run(["docker", *step, self.container], check=True, stdout=subprocess.DEVNULL)
        out = subprocess.run([*LAB, "host", "create", self.name], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.facts = json.loads(out.splitlines()[-1])
        self.write_inventory({"coze": {"hosts": {"one": self.connection()}}})

    def trace(self) -> str:
        """What a run may leave behind: containers, networks, files."""
        return self.shell(
            "docker ps -a --format '{{.Names}} {{.ID}}' | sort; docker network ls -q | sort;"
            " find /opt /etc/docker -printf '%p %m %u %s %T@\\n' 2>/dev/null | sort"
        )

    def started(self, stack: str = "coze") -> dict[str, str]:
        out = self.shell(f"docker ps -aq --filter label=cozeops.stack={stack} | xargs -r docker inspect -f '{{{{.Name}}}} {{{{.State.StartedAt}}}}'")
        return dict(line.lstrip("/").split(" ", 1) for line in out.splitlines())

    def _argv(self, playbook: str, arguments: tuple[str, ...], variables: Mapping[str, Any]) -> list[str]:
        return playbook_argv(self.folder / "hosts.yml", playbook, *arguments, **{"stack_image_source": "present", **variables})

    def play(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        return finished(self._argv(playbook, arguments, variables))

    def site(self, *arguments: str, **variables: Any) -> Run:
        return self.play("site", *arguments, **variables)

    @contextmanager
    def site_in_background(self, **variables: Any) -> Iterator[subprocess.Popen[bytes]]:
        with self.play_in_background("site", **variables) as process:
            yield process

    @contextmanager
    def play_in_background(self, playbook: str, **variables: Any) -> Iterator[subprocess.Popen[bytes]]:
        """A run that the test may kill; it and its children are gone at the end, but not what they have begun on the host."""
        argv = self._argv(playbook, (), variables)
        process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                # Each has a session of its own, ends its task, and then waits for ever for a run that is no more.
                workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                for group in (process.pid, *map(int, workers)):
                    with suppress(ProcessLookupError):
                        os.killpg(group, signal.SIGKILL)
            process.wait()

    def wait_for_container(self, name: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while name not in self.shell("docker ps --format '{{.Names}}'").split():
            assert time.monotonic() < deadline, f"no container {name} after {seconds} s"
            time.sleep(0.2)


def make_source(line: str, dest: Path) -> Path:
    """The lab's source tree of a line, with the plugin that no tree carries."""
    subprocess.run([sys.executable, str(ROOT / "tests" / "lab" / "source.py"), line, str(dest)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*LAB, "smartcn", str(dest / "docker/volumes/elasticsearch/analysis-smartcn.zip")], check=True, stdout=subprocess.DEVNULL)
    return dest


class Registry:
    """The lab's image registry: TLS by an authority of its own, and a login."""

    def __init__(self, name: str, folder: Path, user: str, password: str, *options: str) -> None:
        subprocess.run([*LAB, "images", "registry"], check=True, stdout=subprocess.DEVNULL)
        self.container, self.folder = "cozeops-lab-registry-" + name, folder
        self.destroy()
        run = ["docker", "run", "-d", "--name", self.container, *options, "-e", f"LAB_USER={user}", "-e", f"LAB_PASSWORD={password}"]
        subprocess.run([*run, "cozeops-lab/registry"], check=True, stdout=subprocess.DEVNULL)
        address = ["docker", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.container]
        self.name = subprocess.run(address, check=True, capture_output=True, text=True).stdout.strip() + ":5000"
        self.login = {"registry": self.name, "username": user, "password": password}
        self.authority = folder / "ca.crt"
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while not self._answers():
            if time.monotonic() > deadline:
                raise AssertionError("the registry does not answer")
            time.sleep(0.1)

    def _answers(self) -> bool:
        subprocess.run(["docker", "cp", f"{self.container}:/certs/ca.crt", str(self.authority)], check=False, capture_output=True)
        try:
            self._get("/v2/")
        except OSError:
            return False
        return True

    def _get(self, path: str, **headers: str) -> Any:
        context = ssl.create_default_context(cafile=str(self.authority))
        auth = base64.b64encode(f"{self.login['username']}:{self.login['password']}".encode()).decode()
        request = urllib.request.Request(f"https://{self.name}{path}", headers={"Authorization": "Basic " + auth, **headers})
        return urllib.request.urlopen(request, timeout=10, context=context)

    def repositories(self) -> list[str]:
        return sorted(json.load(self._get("/v2/_catalog"))["repositories"] or [])

    def digest(self, repository: str, tag: str) -> str:
        answer = self._get(f"/v2/{repository}/manifests/{tag}", Accept="application/vnd.docker.distribution.manifest.v2+json")
        return str(answer.headers["Docker-Content-Digest"])

    def push(self, image: str, target: str) -> None:
        """An image of this machine's Engine."""
        certificates = self.folder / "certificates"
        certificates.mkdir(exist_ok=True)
        shutil.copy(self.authority, certificates)
        creds = f"{self.login['username']}:{self.login['password']}"
        argv = ["skopeo", "copy", "--quiet", "--dest-creds", creds, "--dest-cert-dir", str(certificates)]
        subprocess.run([*argv, f"docker-daemon:{image}", f"docker://{self.name}/{target}"], check=True)

    def destroy(self) -> None:
        subprocess.run(["docker", "rm", "-fv", self.container], check=False, capture_output=True)
