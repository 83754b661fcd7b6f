# SPDX-License-Identifier: GPL-3.0-or-later
"""env_file against Docker Compose of Debian, and the shell beside it, in one container for all lines.

Each line is a file of its own, after lines that set X and EMPTY, so that a line that one reader refuses does not hide another. Compared are the
lines that we take:

- With the shell, those without a warning that a shell does something else (runs a command, puts a home directory or the process's variable).
- With Compose, all: where its value is not ours, or it refuses the line, there has to be a warning that names it.
- Where there is such a warning, its value has to be another one, or a refusal: no warning is false.
"""

from __future__ import annotations

import json
import random
import subprocess
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._env_file import EnvError, EnvResult, resolve
from ansible_collections.cozeops.studio.plugins.module_utils._env_readers import compose_value
from ansible_collections.cozeops.studio.tests.integration.lab_host import why_not

pytestmark = pytest.mark.integration

BEFORE = "X=ex\nEMPTY=\n"
COUNT = 600
PARTS = [*"aBX$}-+'\"\\#= \t;é~0", "${X}", "$X", "${X:-", " #", "\\n", "${EMPTY:+", "${NO-", "${NO:-d}", "'x y'", '"x $X"', "'$X'", '"a\\"b"', "\\$"]
PARTS += ["a b", "# c"]
#: Beginnings of warnings of lines that a shell would not take for a setting, or for another one.
NOT_A_SHELLS = ("a shell would", "bash may", "is not set: taken as empty")

# Runs in the container, where Compose needs no Engine. It reads every env_file of a project in one call, but refuses all for the sake of one:
# then each half is tried. Lines that it is expected to refuse come one by one, which saves calls and decides nothing. In what it prints, a $ is $$.
READERS = r"""
import json, os, subprocess, sys

lines, suspects = json.load(sys.stdin)
before = sys.argv[1]
clean = {"PATH": os.environ["PATH"], "HOME": "/tmp"}
os.chdir("/tmp")
for number, line in enumerate(lines):
    with open(f"{number}.env", "w", encoding="utf-8") as stream:
        stream.write(before + line + "\n")

def compose(numbers):
    services = {f"s{number}": {"image": "x", "env_file": [f"{number}.env"]} for number in numbers}
    with open("project.json", "w", encoding="utf-8") as stream:
        json.dump({"services": services}, stream)
    argv = ["docker", "compose", "-p", "oracle", "-f", "project.json", "config", "--format", "json"]
    done = subprocess.run(argv, env=clean, capture_output=True, text=True)
    if done.returncode == 0:
        found = json.loads(done.stdout)["services"]
        return {number: found[f"s{number}"]["environment"].get("KEY") for number in numbers}
    if len(numbers) == 1:
        return {numbers[0]: None}
    middle = len(numbers) // 2
    return {**compose(numbers[:middle]), **compose(numbers[middle:])}

def shell(number):
    script = 'set -a; . "$1" 2>/dev/null; printf %s "$KEY"'
    return subprocess.run(["bash", "-c", script, "bash", f"./{number}.env"], env=clean, capture_output=True, timeout=10).stdout.decode("utf-8", "replace")

read = {}
likely = [number for number in range(len(lines)) if number not in suspects]
for batch in [likely[first:first + 50] for first in range(0, len(likely), 50)] + [[number] for number in suspects]:
    read.update(compose(batch))
version = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True, check=True).stdout.strip()
unescaped = [None if read[number] is None else read[number].replace("$$", "$") for number in range(len(lines))]
json.dump({"version": version, "compose": unescaped, "shell": [shell(number) for number in range(len(lines))]}, sys.stdout)
"""


class Line(t.NamedTuple):
    """A line, what we make of it, and what the two others do; None where Compose refuses it."""

    text: str
    ours: str
    warnings: str
    compose: str | None
    shell: str

    @property
    def names_compose(self) -> bool:
        return "docker compose" in self.warnings


def taken(line: str) -> EnvResult | None:
    try:
        result = resolve(f"{BEFORE}{line}\n", ".env", undefined="empty")
    except EnvError:
        return None
    return result if list(result.env) == ["X", "EMPTY", "KEY"] else None


def generated(count: int) -> dict[str, EnvResult]:
    """Lines that we take, always the same ones."""
    chance = random.Random(7)
    lines: dict[str, EnvResult] = {}
    while len(lines) < count:
        value = "".join(chance.choice(PARTS) for dummy in range(chance.randint(0, 6)))
        line = f"{chance.choice(['KEY=', 'KEY=', 'KEY=', 'export KEY=', 'KEY = '])}{value}"
        result = taken(line)
        if result:
            lines[line] = result
    return lines


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    wanted = generated(COUNT)
    argv = ["docker", "run", "--rm", "-i", "--network", "none", "--entrypoint", "python3", "cozeops-lab/host", "-c", READERS, BEFORE]
    suspects = [number for number, line in enumerate(wanted) if compose_value(line.partition("=")[2], {"X": "ex", "EMPTY": ""}) is None]
    done = subprocess.run(argv, input=json.dumps([[*wanted], suspects]), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(f"Docker Compose {found['version']}, {len(wanted)} lines, {found['compose'].count(None)} of them refused by it")
    return [
        Line(text, result.env["KEY"], "\n".join(result.warnings), compose, shell)
        for (text, result), compose, shell in zip(wanted.items(), found["compose"], found["shell"], strict=True)
    ]


def test_we_read_a_line_as_the_shell_does(lines: list[Line]) -> None:
    comparable = [line for line in lines if not any(mark in line.warnings for mark in NOT_A_SHELLS)]
    assert [line for line in comparable if line.ours != line.shell] == []
    assert len(comparable) > COUNT / 3


def test_a_line_without_a_warning_is_read_alike_by_compose(lines: list[Line]) -> None:
    silent = [line for line in lines if not line.names_compose]
    assert [line for line in silent if line.ours != line.compose] == []
    assert len(silent) > COUNT / 4


def test_where_compose_differs_we_follow_the_shell_and_say_so(lines: list[Line]) -> None:
    differing = [line for line in lines if line.compose != line.ours]
    assert [line for line in differing if not line.names_compose] == []
    assert len(differing) > COUNT / 10


def test_a_warning_that_names_compose_is_true(lines: list[Line]) -> None:
    false_alarms = [line for line in lines if line.names_compose and line.compose == line.ours]
    assert false_alarms == []
