# SPDX-License-Identifier: GPL-3.0-or-later
"""What a controller needs for an inventory of many stacks: plan.yml against N names, which are all one lab host.

usage: scale.py [COUNT ...]      (default: 10 50 100)

For each count: seconds of the run, processor seconds of the controller for each stack, and the most memory of all its processes. A name is a machine of its
own for Ansible, with an SSH connection of its own and a whole stack that is not deployed yet; only what the host does for its answers is done by one. See
docs/scale.md.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.cozeops.studio.tests.bench.benchkit.runs import Finished, run
from ansible_collections.cozeops.studio.tests.integration.lab_host import ROOT, LabHost, make_source, playbook_argv

COUNTS = (10, 50, 100)
LINE = "0.5"


def inventory(count: int, host: LabHost, variables: dict[str, Any]) -> dict[str, Any]:
    """``count`` stacks with a host each, which are one and the same for SSH alone."""
    common = host.connection()
    common["ansible_ssh_common_args"] += f" -o HostName={common.pop('ansible_host')} -o HostKeyAlias=lab"
    # Its sshd takes ten newcomers at a time.
    common["ansible_ssh_retries"] = 8
    stacks = {f"s{number}": {"hosts": {f"h{number}": {"ansible_host": f"h{number}.invalid"}}} for number in range(1, count + 1)}
    return {"coze": {"children": stacks, "vars": {**common, **variables}}}


def measured(count: int, host: LabHost, variables: dict[str, Any], folder: Path) -> Finished:
    path = folder / f"{count}.yml"
    path.write_text(yaml.safe_dump(inventory(count, host, variables)), encoding="utf-8")
    return run(f"plan.yml, {count} stacks", [sys.executable, *playbook_argv(path, "plan")[1:]], folder / f"{count}.log", cwd=ROOT, watch_memory=True)


def main() -> None:
    counts = [int(word) for word in sys.argv[1:]] or list(COUNTS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        host = LabHost("scale", folder / "host")
        try:
            variables = {"stack_source": str(make_source(LINE, folder / "source")), "stack_image_source": "present"}
            measured(2, host, variables, folder)
            print("stacks  seconds  seconds/stack  processor seconds/stack  memory MB", flush=True)
            for count in counts:
                found = measured(count, host, variables, folder)
                row = (count, found.seconds, found.seconds / count, found.cpu_seconds / count, found.memory_mb)
                print("%6d  %7.1f  %13.2f  %23.2f  %9.0f" % row, flush=True)
        finally:
            host.destroy()


if __name__ == "__main__":
    main()
