# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab host as the bench sees it: commands over SSH as an operator gives them, and, not timed, what runs on it and whether it answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cozeops.studio.tests.bench.benchkit.figures import BenchError
from ansible_collections.cozeops.studio.tests.integration.lab_host import ROOT, LabHost

PREFIX = "bench-"
OUTPUT = ROOT / "build" / "bench"
ANSWER_SECONDS = 90

# Both pages and the API; an unknown account can only be told by a server that has its database.
ANSWERS = """
import json, sys, time, urllib.error, urllib.request
site = "http://127.0.0.1:8888"
login = urllib.request.Request(
    site + "/api/passport/web/email/login/", b'{"email":"bench@example.invalid","password":"x"}', {"Content-Type": "application/json"})
begin = time.monotonic()
while True:
    try:
        urllib.request.urlopen(site, timeout=5).read()
        answer = urllib.request.urlopen(login, timeout=5).read()
        if json.loads(answer)["code"] == 700000003:
            break
        reason = answer.decode("utf-8", "replace")[:200]
    except Exception as error:
        reason = str(error)
    if time.monotonic() - begin > %d:
        sys.exit("no answer on " + site + ": " + reason)
    time.sleep(0.05)
print(time.monotonic() - begin)
"""


class Container(NamedTuple):
    name: str
    started: str
    running: bool
    health: str  # "" without a check
    env: dict[str, str]


class Host:
    """One host container with the stack's images on its disk."""

    def __init__(self, name: str, folder: Path) -> None:
        self.lab = LabHost(PREFIX + name, folder)

    def ssh(self, command: str) -> list[str]:
        """A command on the host, in a connection of its own."""
        facts = self.lab.facts
        options = ["BatchMode=yes", "ControlPath=none", "LogLevel=ERROR", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        given = [word for option in options for word in ("-o", option)]
        return ["ssh", "-i", facts["identity_file"], "-p", str(facts["port"]), *given, f"{facts['user']}@{facts['address']}", command]

    def shell(self, script: str) -> str:
        return self.lab.shell(script)

    def push(self, source: Path, target: str) -> None:
        """A folder's content."""
        self.lab.push(source, target)

    def write(self, path: str, text: str) -> None:
        argv = ["docker", "exec", "-i", self.lab.container, "sh", "-c", 'cat > "$1"', "sh", path]
        subprocess.run(argv, input=text, text=True, check=True)

    def model(self) -> dict[str, Any]:
        """The stack model that site.yml left."""
        found: dict[str, Any] = json.loads(self.shell("cat /opt/cozeops/coze/stack.json"))
        return found

    def containers(self) -> dict[str, Container]:
        out = self.shell("docker ps -aq | xargs -r docker inspect")
        return {each.name: each for each in map(container_of, json.loads(out or "[]"))}

    def started(self) -> dict[str, str]:
        return {name: each.started for name, each in self.containers().items()}

    def must_run(self, count: int) -> dict[str, Container]:
        """All containers run, and none is known to be ill."""
        found = self.containers()
        wrong = [f"{each.name} ({'running' if each.running else 'not running'}, {each.health or 'no check'})"
                 for each in found.values() if not each.running or each.health == "unhealthy"]  # fmt: skip
        if wrong or len(found) != count:
            raise BenchError(f"{self.lab.name} has {len(found)} containers, not {count}; wrong: {', '.join(wrong) or 'none'}")
        return found

    def answers(self) -> float:
        """Seconds until the product answers, from now. BenchError if it does not."""
        argv = ["docker", "exec", "-i", self.lab.container, "python3", "-c", ANSWERS % ANSWER_SECONDS]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            states = self.shell("docker ps -a --format '{{.Names}} {{.Status}}'")
            raise BenchError(f"{self.lab.name}: {done.stderr.strip()}\n{states}")
        return float(done.stdout)

    def clear(self) -> None:
        """No container, no network, no data of anybody; images stay."""
        self.shell("docker ps -aq | xargs -r docker rm -fv >/dev/null; docker network prune -f >/dev/null; docker volume prune -af >/dev/null")
        self.shell("rm -rf /opt/cozeops /opt/bench-floor /opt/bench-compose/docker/data; sync")


def container_of(inspected: Mapping[str, Any]) -> Container:
    state = inspected["State"]
    pairs = (item.partition("=") for item in inspected["Config"].get("Env") or [])
    return Container(
        inspected["Name"].lstrip("/"),
        state["StartedAt"],
        bool(state["Running"]) and not state.get("Restarting"),
        (state.get("Health") or {}).get("Status", ""),
        {name: value for name, _sign, value in pairs},
    )


@contextmanager
def new_host(name: str) -> Iterator[Host]:
    """A fresh host; one of that name that an earlier run left is removed first."""
    subprocess.run(["docker", "rm", "-fv", f"cozeops-lab-host-{PREFIX}{name}"], check=False, capture_output=True)
    subprocess.run(["docker", "volume", "rm", f"cozeops-lab-host-{PREFIX}{name}"], check=False, capture_output=True)
    host = Host(name, OUTPUT / name)
    try:
        yield host
    finally:
        host.lab.destroy()
