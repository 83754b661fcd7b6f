# SPDX-License-Identifier: GPL-3.0-or-later
"""`--check --diff` is honest: what it tells is what the run then does, and what the host shows afterwards.

The cases share a host and stand in the order of its life. Each begins where the one before has ended, with nothing left to do but what the case brings; so
what one leaves behind is seen by the next. Three accounts are compared: what the check tells, what the run reports, and the host before and after.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, Run, make_source, why_not

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]

ROOT = "/opt/cozeops/coze"
SERVICES = ["redis", "minio", "nsqlookupd"]

#: Tasks that may report a change -> what that says. A group in the pattern is the service; "" is for what another line says.
BOTH = {
    r"Put the stack model together": "secrets",
    r"Write the stack's files": "files",
    r"Plan what each service needs": "plan",
}
#: In check mode, where the step is told by a message.
TOLD = {**BOTH, r"Tell that the network would be made": "network", r"Tell what would be done": ""}
MESSAGE = r"\s+msg: would (?P<action>create|recreate|restart|reload|start|run the init job) (?P<what>\S+)"
DONE = {
    **BOTH,
    r"Make the stack's network": "network",
    r"(?:Make the containers -|Start or restart the container) coze-(.+)": "touched",
    # Where the container makes way for a new one it is first put aside, and goes when that is proved: two halves of what is told as one.
    r"Put the earlier container aside - coze-(\S+)": "touched",
    r"Remove the earlier containers - .*": "",
    r"Make the bucket and upload the icons": "run the init job bucket_seed",
}
ACTION = r"Take the action of the plan - (?P<action>\S+) (?P<what>.+)"


class Account(NamedTuple):
    """What changed, or would: "secrets", "files", "plan", "network", "<action> <service>", "run the init job <job>"; and the paths of files."""

    things: set[str]
    paths: set[str]


def things_of(run: Run, table: dict[str, str]) -> set[str]:
    """What a run says that it has changed, or would change. A task that reports a change and is in no table is an error."""
    found, task = set(), ""
    for line in run.output.splitlines():
        header = re.match(r"(?:TASK|RUNNING HANDLER) \[(?:[\w.]+ : )?(.*)\] \**$", line)
        task = header.group(1) if header else task
        if re.match(r"changed: \[", line):
            match, thing = next(((match, thing) for pattern, thing in table.items() for match in [re.fullmatch(pattern, task)] if match), (None, ""))
            assert match is not None, f"a task reports a change, and no table knows it: {task}\n{run}"
            found |= {f"{thing} {what}".rstrip() for what in re.split(r", (?:coze-)?", "".join(match.groups()))}
        words = re.match(MESSAGE, line) if task == "Tell what would be done" else re.fullmatch(ACTION, task) if header else None
        if words:
            found |= {f"{words['action']} {what}" for what in words["what"].split(", ")}
    # What was to be done to a service is told with its action; that it was done, by a task that reports a change.
    touched = {thing.split()[1] for thing in found if thing.startswith("touched ")}
    acted = {thing.split()[1] for thing in found if thing.split(" ")[0] in ("recreate", "restart", "start")}
    assert table is TOLD or touched == acted, run
    return {thing for thing in found if thing and not thing.startswith("touched ")}


def paths_of(run: Run) -> set[str]:
    """Paths that the diff of stack_render shows."""
    text = re.split(r"TASK \[[^\]]*Write the stack's files\]", run.output)
    block = text[1].split("\nTASK [")[0] if len(text) > 1 else ""
    shown = re.findall(r"^(\S+): (?:new|changed|removed|other)\b", block, re.MULTILINE)
    return {*shown, *re.findall(r"^\+\+\+ after: (.+)$", block, re.MULTILINE)}


class Truth(NamedTuple):
    """The host and the controller as they are."""

    containers: dict[str, str]
    files: dict[str, str]
    networks: set[str]
    secrets: str

    def since(self, before: Truth) -> Account:
        """What is other than it was; of services the names alone."""
        things = {name.removeprefix("coze-") for name in self.containers if self.containers[name] != before.containers.get(name)}
        things |= {"network"} if self.networks != before.networks else set()
        things |= {"secrets"} if self.secrets != before.secrets else set()
        paths = {path for path in {*self.files, *before.files} if self.files.get(path) != before.files.get(path)}
        return Account(things, paths)


def truth(host: LabHost) -> Truth:
    # Data are the services' own, and with them the stamps, in which init jobs are recorded; state has times of reloads, and the list of changes.
    passed = "-name '*.reloaded' -prune -o -name changes.log -prune"
    listing = host.shell(
        f"cd {ROOT} 2>/dev/null || exit 0;"
        " find . -path './data/*/*' -prune -o -path './data/.*' -prune -o -name '*.reloaded' -prune -o -type d -printf '%p d %m %U %G\\n';"
        f" find . -path ./data -prune -o {passed} -o -type f -printf '%p f %m %U %G ' -exec sh -c 'sha256sum <\"$1\"' - {{}} \\;"
    )
    files = dict(line.removeprefix("./").split(" ", 1) for line in listing.splitlines())
    ids = host.shell("docker ps -aq --filter label=cozeops.stack=coze | xargs -r docker inspect -f '{{.Name}} {{.Id}} {{.State.StartedAt}} {{.State.Status}}'")
    networks = set(host.shell("docker network ls --format '{{.Name}}'").split())
    secrets = host.folder / "secrets" / "coze.yml"
    text = secrets.read_text(encoding="utf-8") if secrets.exists() else ""
    return Truth(dict(line.lstrip("/").split(" ", 1) for line in ids.splitlines()), files, networks, text)


class Scene:
    def __init__(self, host: LabHost, tree: Path) -> None:
        self.host, self.tree = host, tree
        self.given: dict[str, Any] = {"stack_source": str(tree), "stack_services": SERVICES}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    host = LabHost("check", tmp_path_factory.mktemp("inventory"))
    host.shell("docker tag nsqio/nsq:v1.2.1 nsqio/nsq:another")
    yield Scene(host, make_source("0.5", tmp_path_factory.mktemp("tree") / "0.5"))
    host.destroy()


class Case(NamedTuple):
    id: str
    #: What is done to the host, the controller or the variables before.
    do: Callable[[Scene], object]
    #: What has to change; "" for a case in which the files are too many to be named.
    things: set[str]
    paths: set[str] | None = None


def variables(**more: Any) -> Callable[[Scene], object]:
    """From now on these variables too."""
    return lambda scene: scene.given.update(more)


def shell(script: str) -> Callable[[Scene], object]:
    return lambda scene: scene.host.shell(script)


def new_icon(scene: Scene) -> None:
    icons = scene.tree / "docker/volumes/minio/default_icon"
    shutil.copyfile(next(icons.iterdir()), icons / "of_the_test.png")


INIT = "run the init job bucket_seed"

CASES = [
    Case("a host with nothing on it", lambda scene: None, {"secrets", "files", "network", "plan", INIT, *(f"recreate {name}" for name in SERVICES)}),
    Case("a running stack", lambda scene: None, set(), set()),
    Case("a key of one service", variables(stack_env={"REDIS_IO_THREADS": "2"}), {"files", "plan", "recreate redis"}, {"env/redis.env", "stack.json"}),
    Case("a memory limit", variables(redis_memory="300m"), {"files", "plan", "recreate redis"}, {"stack.json"}),
    Case("another image", variables(stack_images={"nsq": "nsqio/nsq:another"}), {"files", "plan", "recreate nsqlookupd"}, {"stack.json"}),
    Case(
        "files edited by hand",
        shell(f"cd {ROOT} && echo x >>env/redis.env && chmod 600 conf && f=$(ls conf/minio/default_icon/* | head -1) && echo x >$f && chmod 711 state"),
        {"files"},
    ),
    Case(
        "a container that was stopped, and one that was changed by hand",
        shell("docker stop -t 1 coze-nsqlookupd && docker update --restart no coze-redis"),
        {"plan", "start nsqlookupd", "recreate redis"},
        set(),
    ),
    Case("a file more in the source tree", new_icon, {"files", INIT}, {"conf/minio/default_icon/of_the_test.png", "stack.json"}),
    Case("the secrets file lost", lambda scene: (scene.host.folder / "secrets/coze.yml").unlink(), {"secrets"}, set()),
    Case("a service left out", variables(stack_services=["redis", "minio"]), {"files"}, {"stack.json"}),
    Case("log options", variables(stack_log_options={"max-size": "5m"}), {"files", "plan", "recreate redis", "recreate minio"}, {"stack.json"}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_check_tells_what_the_run_then_does(scene: Scene, case: Case) -> None:
    case.do(scene)
    before = truth(scene.host)
    check = scene.host.site("--check", "--diff", **scene.given)
    check.must_pass()
    assert truth(scene.host) == before, "the check has changed something"
    told = Account(things_of(check, TOLD), paths_of(check))

    run = scene.host.site("--diff", **scene.given)
    run.must_pass()
    done = Account(things_of(run, DONE), paths_of(run))
    shown = truth(scene.host).since(before)

    assert told.things == done.things == case.things, check
    assert told.paths == done.paths, check
    assert told.paths == shown.paths, check
    assert case.paths is None or told.paths == case.paths
    # Files are compared above, and of plan and init jobs the host shows nothing by itself.
    assert {thing.split()[-1] for thing in told.things - {"files", "plan", INIT}} == shown.things


def test_at_the_end_neither_has_anything_to_say(scene: Scene) -> None:
    check = scene.host.site("--check", "--diff", **scene.given)
    check.must_pass(changed=False)
    scene.host.site(**scene.given).must_pass(changed=False)
