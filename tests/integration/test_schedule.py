# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller gets a timer for each stack that systemd takes, and that calls what an operator would."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import Run, play_inventory

WHY_NOT = (
    "systemd-analyze is not here"
    if shutil.which("systemd-analyze") is None
    else "systemd runs here: a real timer would be started"
    if os.path.exists("/run/systemd/system")
    else ""
)
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

UNIT = "cozeops-backup-team_blue"


def schedule(folder: Path, *arguments: str, **variables: Any) -> Run:
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    inventory = {"coze": {"vars": local, "children": {"team_blue": {"hosts": {"blue1": None, "blue2": None}}}}}
    return play_inventory(folder, inventory, "schedule", *arguments, stack_unit_dir=str(folder / "units"), **variables)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "with space %h"
    (place / "units").mkdir(parents=True)
    return place


def units(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "units").iterdir())


def test_a_timer_is_written_and_taken_away(folder: Path) -> None:
    given = {"stack_backup_schedule": "*-*-* 03:30"}
    schedule(folder, "--check", **given).must_pass(changed=True)
    assert units(folder) == []
    run = schedule(folder, **given)
    run.must_pass(changed=True)
    assert "systemd does not run here, so that nothing was started." in run.flat
    assert units(folder) == [UNIT + ".service", UNIT + ".timer"]
    paths = [str(folder / "units" / name) for name in units(folder)]
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    assert [line for line in (done.stdout + done.stderr).splitlines() if UNIT in line] == []
    text = Path(paths[0]).read_text(encoding="utf-8")
    words = shlex.split(text.partition("ExecStart=")[2].splitlines()[0])
    words = [word.replace("$$", "$").replace("%%", "%") for word in words]
    assert words[words.index("-i") + 1] == str(folder / "hosts.yml") and words[words.index("--limit") + 1] == "blue1,blue2"
    # What the unit calls is there, and takes its arguments.
    subprocess.run([*words, "--list-hosts"], check=True, capture_output=True)
    schedule(folder, **given).must_pass(changed=False)
    schedule(folder, "--check").must_pass(changed=True)
    assert len(units(folder)) == 2
    schedule(folder).must_pass(changed=True)
    assert units(folder) == []
    schedule(folder).must_pass(changed=False)


def test_a_time_that_systemd_does_not_know_changes_nothing(folder: Path) -> None:
    schedule(folder, stack_backup_schedule="every night").must_fail("stack_backup_schedule: systemd does not know the time every night", "man systemd.time")
    assert units(folder) == []
