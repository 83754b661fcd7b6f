# SPDX-License-Identifier: GPL-3.0-or-later
"""How long site.yml takes beside Docker Compose, a docker_container play and the floor. See docs/bench.md.

    .venv/bin/python tests/bench/bench.py [--repeats N] [--quick] [--only cold|noop|key|hosts|archives ...] [--show FILE]

Writes build/bench.json and prints a table. Ends with 1 if a run did not do what it should; a missed target is a result and no failure.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.cozeops.studio.tests.bench.benchkit import figures
from ansible_collections.cozeops.studio.tests.bench.benchkit.contenders import (
    Archives,
    Compose,
    ContainerPlay,
    Floor,
    Series,
    Site,
    must_change,
    only_changed,
    play,
)
from ansible_collections.cozeops.studio.tests.bench.benchkit.figures import BenchError
from ansible_collections.cozeops.studio.tests.bench.benchkit.host import OUTPUT, Host, new_host
from ansible_collections.cozeops.studio.tests.integration.lab_host import ROOT, make_source, why_not

LINE = "0.5"
PARTS = ("cold", "noop", "key", "hosts", "archives")
HOST_COUNTS = (1, 2, 4, 8)
SMALL_STACK = ["nsqlookupd", "nsqd", "nsqadmin", "redis"]

Samples = dict[str, Any]


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def words(series: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in series.items())


def repeated(part: str, contenders: Mapping[str, Callable[[], Series]], repeats: int) -> dict[str, list[float]]:
    """Every contender once as a warm-up, then `repeats` times, in an order that changes from repeat to repeat."""
    found: dict[str, list[float]] = {}
    for repeat in range(-1, repeats):
        for name in figures.turn(list(contenders), max(repeat, 0)):
            series = contenders[name]()
            say(f"{part} {'warm-up' if repeat < 0 else repeat + 1}: {words(series)}")
            for key, value in series.items() if repeat >= 0 else ():
                found.setdefault(key, []).append(round(value, 3))
    return found


def cold(samples: Samples, source: Path, repeats: int) -> None:
    """On one host in turn, which is emptied before each run."""
    with new_host("cold") as host:
        site, compose = Site(host, source), Compose(host, source)
        # Not one of the repeats: it settles the Engine's own configuration, and the floor needs its files.
        say(f"cold, the host's first deployment: {words(site.cold())}")
        floor = Floor(host)
        site.profiles.clear()
        samples["cold"] = repeated("cold", {"site": site.cold, "compose": compose.cold, "floor": floor.cold}, repeats)
        samples["floor_timeline"] = floor.times
        samples.setdefault("profile", {})["cold"] = figures.profile(site.profiles[1:])


def standing(samples: Samples, source: Path, repeats: int, parts: list[str]) -> None:
    """Two hosts with a whole stack each: a stack of ours and one of Compose's do not see each other."""
    with ExitStack() as stack:
        ours, theirs = stack.enter_context(new_host("site")), stack.enter_context(new_host("compose"))
        site, compose = Site(ours, source), Compose(theirs, source)
        say("deploying both stacks")
        site.cold()
        compose.cold()
        if "noop" in parts:
            site.profiles.clear()
            containers = ContainerPlay(ours)
            samples["no_op"] = repeated("noop", {"site": site.no_op, "docker_container": containers.no_op, "compose": compose.no_op}, repeats)
            samples.setdefault("profile", {})["no_op"] = figures.profile(site.profiles[1:])
        if "key" in parts:
            site.profiles.clear()
            samples["one_key"] = repeated("key", {"site": site.one_key, "compose": compose.one_key}, repeats)
            samples.setdefault("profile", {})["one_key"] = figures.profile(site.profiles[1:])
            # By themselves: they make nearly all containers anew, and the machine is busy with that for a while.
            samples["one_key"].update(repeated("key", {"compose_shared_env": compose.one_shared_key}, repeats))


def fleet_inventory(hosts: list[Host]) -> dict[str, Any]:
    """Each host has a stack of its own."""
    return {"coze": {"children": {f"s{number}": {"hosts": {f"h{number}": host.lab.connection()}} for number, host in enumerate(hosts, 1)}}}


def fleet(samples: Samples, source: Path, repeats: int) -> None:
    """Small stacks: what is measured is the controller and not how much the hosts have to do."""
    folder = OUTPUT / "fleet"
    folder.mkdir(parents=True, exist_ok=True)
    variables = {"stack_source": str(source), "stack_image_source": "present", "stack_services": SMALL_STACK}
    with ExitStack() as stack:
        hosts = [stack.enter_context(new_host(f"fleet-{number}")) for number in range(1, max(HOST_COUNTS) + 1)]
        for count in HOST_COUNTS:
            (folder / f"{count}.yml").write_text(yaml.safe_dump(fleet_inventory(hosts[:count])), encoding="utf-8")

        def site(count: int, what: str, changes: bool) -> Series:
            finished = play(f"site.yml, {count} hosts, {what}", ROOT / "playbooks" / "site.yml", folder / f"{count}.yml", variables, watch_memory=True)
            must_change(finished, changes)
            return {
                "seconds": finished.seconds,
                "cpu_seconds": finished.cpu_seconds,
                "memory_mb": finished.memory_mb,
                "largest_process_mb": finished.largest_process_mb,
            }

        say(f"deploying {len(hosts)} small stacks")
        site(len(hosts), "first", changes=True)
        for host in hosts:
            host.must_run(len(SMALL_STACK))

        def no_op(count: int) -> Series:
            before = [host.started() for host in hosts]
            series = site(count, "nothing to do", changes=False)
            for host, had in zip(hosts, before):
                only_changed(had, host.started(), set())
            return {f"{count} {name}": value for name, value in series.items()}

        found = repeated("hosts", {str(count): partial(no_op, count) for count in HOST_COUNTS}, repeats)
        samples["hosts"] = figures.by_first_word(found)


def archives(samples: Samples, source: Path, repeats: int) -> None:
    """All images of a stack, from the archives of a bundle; each removes first what was loaded before."""
    with new_host("archives") as host:
        loads = Archives(host, source)
        # Whoever comes before it, all_present finds all.
        contenders = {"image_archive": loads.image_archive, "docker_load": loads.docker_load, "streamed": loads.streamed, "all_present": loads.all_present}
        samples["archives"] = repeated("archives", contenders, repeats)
        samples["archives_mb"] = loads.megabytes


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    memory = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()[0].split()[1]
    ansible = subprocess.run([Path(sys.executable).parent / "ansible", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return {"processors": os.cpu_count(), "memory_gb": round(int(memory) / 2**20, 1), "ansible": ansible, "load_before": load()}


def load() -> list[float]:
    return [round(value, 2) for value in os.getloadavg()]


def measure(parts: list[str], repeats: int) -> Samples:
    samples: Samples = {"machine": {**machine(), "repeats": repeats}}
    source = make_source(LINE, OUTPUT / "source")
    if "cold" in parts:
        cold(samples, source, repeats)
    if "noop" in parts or "key" in parts:
        standing(samples, source, repeats, parts)
    if "hosts" in parts:
        fleet(samples, source, repeats)
    if "archives" in parts:
        archives(samples, source, repeats)
    samples["machine"]["load_after"] = load()
    return samples


def show(path: Path) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    print(figures.table(found))
    about = found["samples"]["machine"]
    print(f"\n{about['processors']} processors, {about['memory_gb']} GB, {about['ansible']}, {about['repeats']} repeats, load {about['load_before'][0]} before")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="runs of each contender after the warm-up (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="one repeat: to see that it works; the figures mean little")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be given more than once (default: all)")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench.json", help="where to write (default: build/bench.json)")
    parser.add_argument("--show", type=Path, metavar="FILE", help="run nothing, print the table of an earlier run")
    given = parser.parse_args()
    if given.repeats < 1:
        parser.error("--repeats: at least 1")
    return given


def main() -> int:
    given = arguments()
    if given.show:
        show(given.show)
        return 0
    if reason := why_not():
        print(f"bench: {reason}", file=sys.stderr)
        return 1
    # So that the hosts go when the run is ended from outside.
    signal.signal(signal.SIGTERM, lambda *dummy: sys.exit(143))
    try:
        samples = measure(given.only or list(PARTS), 1 if given.quick else given.repeats)
        found = figures.document(samples)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    show(given.output)
    say(f"written to {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
