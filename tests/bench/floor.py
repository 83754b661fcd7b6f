# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: how soon the same containers are ready when nothing is done but to start them. Runs on the host, as root.

    python3 floor.py SPEC.json

One process, one loop: a container is made as soon as what it depends on is ready, every probe is tried every 20 ms, and an init job
runs as soon as its store answers. Nothing is planned, compared, written or reported. SPEC.json comes from benchkit/stacks.py, and
_probe.py, which is the collection's and needs nothing else, lies beside this file: both sides have to prove the same.
Prints {service: {"started": seconds, "ready": seconds, "initialised": seconds}} as JSON.
"""

from __future__ import annotations

import glob
import http.client
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import _probe
import docker
from docker.types import Healthcheck, LogConfig, Mount, Ulimit

POLL_SECONDS = 0.02
LIMIT_SECONDS = 300.0
UNITS = {"s": 10**9, "m": 60 * 10**9}


def nanoseconds(duration: str) -> int:
    return int(duration[:-1]) * UNITS[duration[-1]]


def healthcheck(check: Mapping[str, Any]) -> Healthcheck:
    times = {key: nanoseconds(check[key]) for key in ("interval", "timeout", "start_period") if key in check}
    return Healthcheck(test=["CMD-SHELL", check["test"]], retries=check["retries"], **times)


def start(client: docker.DockerClient, options: Mapping[str, Any]) -> str:
    """Make and start a container from the options of community.docker.docker_container; its id."""
    api = client.api
    ports: dict[int, tuple[str, int]] = {}
    for published in options["published_ports"]:
        address, port, inside = published.rsplit(":", 2)
        ports[int(inside)] = (address, int(port))
    with open(options["env_file"], encoding="utf-8") as lines:
        env = [line.rstrip("\n") for line in lines if line.strip() and not line.startswith("#")]
    host_config = api.create_host_config(
        mounts=[Mount(each["target"], each["source"], type="bind", read_only=each["read_only"]) for each in options["mounts"]],
        tmpfs=dict(each.split(":", 1) for each in options["tmpfs"]),
        port_bindings=ports,
        extra_hosts=options["etc_hosts"],
        restart_policy={"Name": options["restart_policy"]},
        mem_limit=options.get("memory"),
        ulimits=[Ulimit(name=name, soft=int(soft), hard=int(hard)) for name, soft, hard in (each.split(":") for each in options["ulimits"])],
        cap_add=options["capabilities"],
        cap_drop=options["cap_drop"],
        security_opt=options["security_opts"],
        log_config=LogConfig(type=options["log_driver"], config=options["log_options"]),
    )
    network = options["networks"][0]
    made = api.create_container(
        image=options["image"],
        command=options.get("command"),
        entrypoint=options.get("entrypoint"),
        user=options.get("user"),
        name=options["name"],
        hostname=options["hostname"],
        environment=env,
        ports=list(ports),
        host_config=host_config,
        networking_config=api.create_networking_config({network["name"]: api.create_endpoint_config(aliases=network["aliases"])}),
        healthcheck=healthcheck(options["healthcheck"]) if options.get("healthcheck") else None,
        stop_timeout=options["stop_timeout"],
        stop_signal=options.get("stop_signal"),
        labels=options["labels"],
    )
    api.start(made["Id"])
    return str(made["Id"])


class Service:
    """A container from its start to the end of its init jobs."""

    def __init__(self, client: docker.DockerClient, spec: Mapping[str, Any], begin: float) -> None:
        self.client, self.spec, self.begin = client, spec, begin
        self.times: dict[str, float] = {}
        self.error = ""
        self._id = ""
        self._pid = 0
        self._steps = list(spec["probe"])

    def now(self, what: str) -> None:
        self.times[what] = round(time.monotonic() - self.begin, 3)

    def start(self) -> None:
        self._id = start(self.client, self.spec["options"])
        self._pid = self.client.api.inspect_container(self._id)["State"]["Pid"]
        self.now("started")

    def exec(self, command: list[str], user: str = "", timeout: float = 60.0) -> tuple[int, str]:
        api = self.client.api
        made = api.exec_create(self._id, command, user=user)
        output = api.exec_start(made["Id"]).decode("utf-8", "replace")
        return api.exec_inspect(made["Id"])["ExitCode"], output

    def env(self, key: str) -> str:
        with open(self.spec["options"]["env_file"], encoding="utf-8") as lines:
            pairs = (line.rstrip("\n").partition("=") for line in lines)
            return next((value for name, _sign, value in pairs if name == key), "")

    def probe(self) -> None:
        """Try the first step that is not done; a service is ready when all were."""
        while self._steps:
            step = self._steps[0]
            if _probe.needs_namespace(step):
                try:
                    done = _probe.in_netns(self._pid, lambda: _probe.run_step(step, self.env, self.exec))  # noqa: B023 (called at once)
                except _probe.ProcessGone:
                    state = self.client.api.inspect_container(self._id)["State"]
                    raise SystemExit(f"floor: {self.spec['service']} has ended with code {state['ExitCode']}") from None
            else:
                done = _probe.run_step(step, self.env, self.exec)
            if not done.ok:
                return
            self._steps.pop(0)
        self.now("ready")
        threading.Thread(target=self._init, daemon=True).start()

    def _init(self) -> None:
        try:
            for job in self.spec["init"]:
                JOBS[job["name"]](self, job)
            self.now("initialised")
        except Exception as error:  # told by the main thread
            self.error = f"{type(error).__name__}: {error}"

    def must(self, script: str) -> None:
        code, output = self.exec(["sh", "-ec", script])
        if code != 0:
            raise RuntimeError(f"{script}: exit code {code}: {output}")


def mysql_schema(service: Service, job: Mapping[str, Any]) -> None:
    """The schema, then the migrations that it does not have in it."""
    folder = f"{service.spec['root']}/{job['inputs'][0]}"
    names = sorted(map(os.path.basename, glob.glob(f"{folder}/migrations/*.sql")))
    newer = [f"/cozeops/migrations/{name}" for name in names if name.split("_")[0] > job["schema_version"]]
    files = " ".join(["/cozeops/schema.sql", *newer])
    service.must(f'cat {files} | MYSQL_PWD="$MYSQL_PASSWORD" mysql --protocol=tcp -h127.0.0.1 -u"$MYSQL_USER" {job["database"]}')


def search_index(service: Service, job: Mapping[str, Any]) -> None:
    """The templates, and an index of each."""

    def put(connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
        connection.request("PUT", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"PUT {path}: HTTP {answer.status} {text!r}")

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", 9200, timeout=60)
        for path in sorted(glob.glob(f"{service.spec['root']}/{job['inputs'][0]}/*.json")):
            name = os.path.basename(path).split(".")[0]
            with open(path, "rb") as source:
                put(connection, f"/_index_template/{name}", source.read())
            put(connection, f"/{name}", b"")

    _probe.in_netns(service._pid, work)


def bucket_seed(service: Service, job: Mapping[str, Any]) -> None:
    """The bucket, and the icons in it."""
    bucket = f"here/{job['bucket']}"
    service.must(
        'mc -q alias set here http://127.0.0.1:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD"'
        f" && mc -q mb -p {bucket}"
        f" && mc -q cp -r /default_icon/ {bucket}/default_icon/ && mc -q cp -r /official_plugin_icon/ {bucket}/official_plugin_icon/"
    )


JOBS = {"mysql_schema": mysql_schema, "search_index": search_index, "bucket_seed": bucket_seed}


def prepare(client: docker.DockerClient, spec: Mapping[str, Any]) -> None:
    for directory in spec["directories"]:
        os.makedirs(directory["path"], mode=0o700)
        os.chown(directory["path"], directory["owner"], directory["group"])
    client.api.create_network(spec["network"], check_duplicate=True)


def main(path: str) -> int:
    begin = time.monotonic()
    with open(path, encoding="utf-8") as source:
        spec = json.load(source)
    client = docker.from_env(timeout=120)
    prepare(client, spec)
    services = {each["service"]: Service(client, each, begin) for each in spec["services"]}
    while not all("initialised" in service.times for service in services.values()):
        turn = time.monotonic()
        for name, service in services.items():
            if service.error:
                raise SystemExit(f"floor: {name}: {service.error}")
            needs = service.spec["depends_on"].items()
            if "started" not in service.times and all(until in services[other].times for other, until in needs):
                service.start()
            elif "started" in service.times and "ready" not in service.times:
                service.probe()
        if turn - begin > LIMIT_SECONDS:
            late = [name for name, service in services.items() if "initialised" not in service.times]
            raise SystemExit(f"floor: not ready after {LIMIT_SECONDS:.0f} s: {', '.join(late)}")
        time.sleep(max(0.0, POLL_SECONDS - (time.monotonic() - turn)))
    print(json.dumps({name: service.times for name, service in services.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
