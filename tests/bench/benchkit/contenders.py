# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is compared: site.yml, a play of docker_container tasks, Docker Compose, and the floor. Each checks that it did what it was to do."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.cozeops.studio.tests.bench.benchkit import stacks
from ansible_collections.cozeops.studio.tests.bench.benchkit.figures import SITE, BenchError, seconds_of_role, task_times
from ansible_collections.cozeops.studio.tests.bench.benchkit.host import OUTPUT, Host
from ansible_collections.cozeops.studio.tests.bench.benchkit.runs import Finished, run
from ansible_collections.cozeops.studio.tests.integration.lab_host import ROOT

HERE = Path(__file__).resolve().parent.parent
SERVICES = 11
VERIFY = "cozeops.studio.verify"
COMPOSE_ROOT = "/opt/bench-compose"
FLOOR_ROOT = "/opt/bench-floor"
Series = dict[str, float]


def log_file(what: str) -> Path:
    """A new one for each run."""
    return OUTPUT / "logs" / f"{time.strftime('%H%M%S')}-{time.monotonic_ns() % 1000:03d}-{re.sub(r'[^a-z0-9]+', '-', what.lower())}.log"


def play(what: str, playbook: Path, inventory: Path, variables: Mapping[str, Any], watch_memory: bool = False) -> Finished:
    """ansible-playbook from the root of the checkout, as an operator runs it who was away for a while: no SSH connection is left open."""
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(playbook), "-e", json.dumps(variables)]
    with tempfile.TemporaryDirectory(prefix="bench-") as connections:
        env = {
            "ANSIBLE_SSH_CONTROL_PATH_DIR": connections,
            # So that the banner of a task comes before it and not after, whatever becomes of it.
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true",
        }
        return run(what, argv, log_file(what), env, ROOT, watch_memory)


def changes(output: str) -> int:
    """The sum over the hosts of what the recap says."""
    return sum(int(count) for count in re.findall(r" changed=(\d+) ", output.rpartition("PLAY RECAP")[2]))


def must_change(finished: Finished, wanted: bool) -> None:
    found = changes(finished.output)
    if bool(found) != wanted:
        raise BenchError(f"{finished.what} changed {found} things, but it was to change {'something' if wanted else 'nothing'}:\n{finished.output}")


def only_changed(before: Mapping[str, str], after: Mapping[str, str], wanted: Set[str], may: Set[str] = frozenset()) -> None:
    """Just the wanted containers were started anew, and perhaps some that may be."""
    found = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    if not wanted <= found <= wanted | may:
        raise BenchError(f"started anew: {', '.join(sorted(found)) or 'nothing'}; to be started anew: {', '.join(sorted(wanted)) or 'nothing'}")


class Site:
    """site.yml on one host, with the whole stack."""

    def __init__(self, host: Host, source: Path) -> None:
        self.host, self.source = host, source
        self.profiles: list[list[tuple[str, float]]] = []
        self._level = "info"

    def _play(self, what: str) -> tuple[Finished, Series]:
        variables = {"stack_source": str(self.source), "stack_image_source": "present", "stack_env": {"LOG_LEVEL": self._level}}
        finished = play(what, ROOT / "playbooks" / "site.yml", self.host.lab.folder / "hosts.yml", variables)
        tasks = task_times(finished.lines, finished.seconds)
        verify = seconds_of_role(tasks, VERIFY)
        if verify == 0:
            raise BenchError(f"{what} did not run the role {VERIFY}, whose time is told apart")
        self.profiles.append(tasks)
        return finished, {SITE: finished.seconds - verify, "site": finished.seconds}

    def cold(self) -> Series:
        self.host.clear()
        shutil.rmtree(self.host.lab.folder / "secrets", ignore_errors=True)
        finished, series = self._play("site.yml, cold")
        must_change(finished, True)
        self.host.must_run(SERVICES)
        self.host.answers()
        return series

    def no_op(self) -> Series:
        before = self.host.started()
        finished, series = self._play("site.yml, nothing to do")
        must_change(finished, False)
        only_changed(before, self.host.started(), set())
        return series

    def one_key(self) -> Series:
        self._level = "warn" if self._level == "info" else "info"
        before = self.host.started()
        finished, series = self._play("site.yml, one changed key")
        must_change(finished, True)
        only_changed(before, self.host.started(), {"coze-coze-server"})
        must_have_level(self.host, "coze-coze-server", self._level)
        return series


def must_have_level(host: Host, container: str, level: str) -> None:
    found = host.containers()[container].env.get("LOG_LEVEL")
    if found != level:
        raise BenchError(f"{container} has LOG_LEVEL={found}, not {level}")


def order_of(host: Host) -> list[str]:
    """Services in the order in which site.yml made their containers."""
    names = host.shell("docker ps -aq | xargs docker inspect -f '{{.Created}} {{.Name}}' | sort | cut -d/ -f2").split()
    return [name.partition("-")[2] for name in names]


class ContainerPlay:
    """One docker_container task per container of site.yml's own stack."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.path = OUTPUT / "docker_container.yml"
        self.path.write_text(yaml.safe_dump(stacks.container_play(host.model(), order_of(host)), sort_keys=False), encoding="utf-8")

    def no_op(self) -> Series:
        before = self.host.started()
        finished = play("docker_container play, nothing to do", self.path, self.host.lab.folder / "hosts.yml", {})
        must_change(finished, False)
        only_changed(before, self.host.started(), set())
        return {"docker_container": finished.seconds}


class Compose:
    """The same stack under Docker Compose, which runs on the host. The source tree is there before anything is timed."""

    def __init__(self, host: Host, source: Path) -> None:
        self.host = host
        host.push(source, COMPOSE_ROOT)
        host.push(HERE / "compose", f"{COMPOSE_ROOT}/docker")
        self._set_shared_level("info")
        self._set_level("info")

    def _set_level(self, level: str) -> None:
        self._level = level
        self.host.write(f"{COMPOSE_ROOT}/docker/server.env", f"LOG_LEVEL={level}\n")

    def _set_shared_level(self, level: str) -> None:
        """In .env, which all but the NSQ and web containers have whole. Upstream's level, debug, would have the server do more than site.yml has it do."""
        self._shared_level = level
        line = f"export LOG_LEVEL={level}"
        self.host.shell(f"cd {COMPOSE_ROOT}/docker && sed 's/^export LOG_LEVEL=.*/{line}/' .env.example > .env && grep -qx '{line}' .env")

    def _up(self, what: str, *options: str) -> Finished:
        argv = self.host.ssh(f"cd {COMPOSE_ROOT}/docker && sudo -n docker compose up -d {' '.join(options)}")
        return run(f"Compose, {what}", argv, log_file(f"compose {what}"))

    def cold(self) -> Series:
        self.host.clear()
        finished = self._up("cold", "--wait")
        rest = self.host.answers()
        self.host.must_run(SERVICES)
        return {"compose": finished.seconds, "compose_until_it_answers": finished.seconds + rest}

    def no_op(self) -> Series:
        before = self.host.started()
        finished = self._up("nothing to do")
        only_changed(before, self.host.started(), set())
        return {"compose": finished.seconds}

    def one_key(self) -> Series:
        self._set_level("warn" if self._level == "info" else "info")
        before = self.host.started()
        finished = self._up("one changed key", "--wait")
        rest = self.host.answers()
        # With a container, Compose makes those anew that depend on it.
        only_changed(before, self.host.started(), {"coze-bench-coze-server-1"}, may={"coze-bench-coze-web-1"})
        must_have_level(self.host, "coze-bench-coze-server-1", self._level)
        return {"compose": finished.seconds, "compose_until_it_answers": finished.seconds + rest}

    def one_shared_key(self) -> Series:
        """The key in .env, as upstream's file has it: every container that has .env is made anew."""
        self._set_shared_level("warn" if self._shared_level == "info" else "info")
        before = self.host.started()
        finished = self._up("one changed key of the shared file", "--wait")
        after = self.host.started()
        if sum(before[name] != after[name] for name in before) < 2:
            raise BenchError("a changed key in .env made Compose touch fewer than two containers")
        return {"compose_shared_env": finished.seconds}


class Floor:
    """floor.py on the host, with the files that site.yml had written for its own stack."""

    def __init__(self, host: Host) -> None:
        self.host = host
        spec = stacks.floor_spec(host.model(), order_of(host), FLOOR_ROOT)
        host.shell("rm -rf /opt/bench-kept && mkdir /opt/bench-kept && cp -a /opt/cozeops/coze/env /opt/cozeops/coze/conf /opt/bench-kept/")
        host.push(HERE, "/opt/bench-code")
        host.write("/opt/bench-code/_probe.py", (ROOT / "plugins" / "module_utils" / "_probe.py").read_text(encoding="utf-8"))
        host.write("/opt/bench-code/spec.json", json.dumps(spec))
        self.times: dict[str, dict[str, float]] = {}

    def cold(self) -> Series:
        self.host.clear()
        self.host.shell(f"cp -a /opt/bench-kept {FLOOR_ROOT} && sync")
        finished = run("floor, cold", self.host.ssh("sudo -n python3 /opt/bench-code/floor.py /opt/bench-code/spec.json"), log_file("floor cold"))
        self.times = json.loads(finished.output)
        self.host.must_run(SERVICES)
        self.host.answers()
        return {"floor": finished.seconds}


class Archives:
    """A host's images, from the archives of a bundle on this machine."""

    def __init__(self, host: Host, source: Path) -> None:
        self.host = host
        self.inventory = host.lab.folder / "hosts.yml"
        self.bundle = OUTPUT / "bundle"
        bundle = {"bundle_dest": str(self.bundle), "bundle_parts": ["images"], "stack_source": str(source)}
        play("bundle", ROOT / "playbooks" / "bundle.yml", self.inventory, bundle)
        self.files = sorted((self.bundle / "images").iterdir())
        self.megabytes = round(sum(path.stat().st_size for path in self.files) / 1e6)
        self.playbook = host.lab.folder / "load.yml"
        load = {"name": "Load", "cozeops.studio.image_archive": {"path": str(self.bundle)}}
        self.playbook.write_text(yaml.safe_dump([{"hosts": "coze", "gather_facts": False, "become": True, "tasks": [load]}]), encoding="utf-8")

    def _clear(self) -> None:
        self.host.shell("docker images -q | sort -u | xargs -r docker rmi -f >/dev/null; sync")

    def _must_have_all(self) -> None:
        found = len(set(self.host.shell("docker images -q").split()))
        if found != len(self.files):
            raise BenchError(f"the host has {found} images of {len(self.files)} archives")

    def image_archive(self) -> Series:
        self._clear()
        finished = play("image_archive", self.playbook, self.inventory, {})
        must_change(finished, True)
        self._must_have_all()
        return {"image_archive": finished.seconds}

    def all_present(self) -> Series:
        self._must_have_all()
        finished = play("image_archive, all present", self.playbook, self.inventory, {})
        must_change(finished, False)
        return {"all_present": finished.seconds}

    def docker_load(self) -> Series:
        """Each file copied and then loaded, as recipes tell people to."""
        return self._loop("docker_load", "cat >/var/tmp/archive", "sudo docker load -q -i /var/tmp/archive && rm /var/tmp/archive")

    def streamed(self) -> Series:
        """Nothing on the host's disk but what the Engine puts there."""
        return self._loop("docker_load_streamed", "sudo docker load -q")

    def _loop(self, what: str, takes: str, *then: str) -> Series:
        self._clear()
        seconds = self._load(what, takes, *then)
        self._must_have_all()
        return {what: seconds}

    def _load(self, what: str, takes: str, *then: str) -> float:
        """One file after the other, over SSH."""
        commands = [" ".join(shlex.quote(word) for word in self.host.ssh(command)) for command in (takes, *then)]
        loop = 'set -e; for file; do %s <"$file"; %s; done' % (commands[0], "; ".join(commands[1:]) or ":")
        return run(what, ["sh", "-c", loop, "sh", *map(str, self.files)], log_file(what)).seconds
