# SPDX-License-Identifier: GPL-3.0-or-later
"""Make what a Molecule scenario needs. Standard input: the scenario's molecule.yml as JSON.

usage: molecule_create.py INSTANCE_CONFIG SOURCE
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LAB = [sys.executable, str(ROOT / "tests" / "lab" / "lab.py")]


def run(*argv: str) -> str:
    return subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def make_source(settings: dict[str, Any], dest: Path) -> None:
    """The lab's tree of a line, or upstream's data as they are; the plugin is in neither."""
    shutil.rmtree(dest, ignore_errors=True)
    if "upstream" in settings:
        shutil.copytree(ROOT.parent / "shared" / "upstream" / settings["upstream"], dest, copy_function=shutil.copyfile)
        for path in [dest, *dest.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    else:
        run(sys.executable, "tests/lab/source.py", settings["release"], str(dest))
    run(*LAB, "smartcn", str(dest / "docker" / "volumes" / "elasticsearch" / "analysis-smartcn.zip"))


def make_host(platform: dict[str, Any]) -> dict[str, Any]:
    """One entry of Molecule's instance config."""
    host = json.loads(run(*LAB, "host", "create", platform["name"], *platform.get("lab_options", [])).splitlines()[-1])
    return {
        "instance": platform["name"],
        "address": host["address"],
        "user": host["user"],
        "port": host["port"],
        "identity_file": host["identity_file"],
    }


def main() -> None:
    scenario = json.load(sys.stdin)
    settings = scenario["provisioner"]["inventory"]["group_vars"]["coze"]["lab"]
    make_source(settings, Path(sys.argv[2]))
    Path(sys.argv[1]).write_text(json.dumps([make_host(platform) for platform in scenario["platforms"]]), encoding="utf-8")


if __name__ == "__main__":
    main()
