# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Molecule scenario, as a test. `molecule test` removes what the scenario made, also when it fails."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
#: Several hosts each, an installation before ours, a bundle with everything in it, or a whole life; with the minutes that they take.
LONG = {"adopt": 5, "distributed": 6, "fleet": 3, "lifecycle": 9, "offline": 6, "offline_fleet": 3}


def missing_data(scenario: str) -> str:
    """The data of others that a scenario deploys and that are not beside this checkout; "" if it needs none or has them."""
    document = yaml.safe_load((ROOT / "molecule" / scenario / "molecule.yml").read_text(encoding="utf-8"))
    release = document["provisioner"]["inventory"]["group_vars"]["coze"]["lab"].get("upstream", "")
    return release if release and not (ROOT.parent / "shared" / "upstream" / release).is_dir() else ""


@pytest.mark.molecule
@pytest.mark.parametrize("scenario", [pytest.param(name, marks=[pytest.mark.long(minutes=LONG[name])] if name in LONG else []) for name in SCENARIOS])
def test_scenario(scenario: str, run_logged: Callable[..., str]) -> None:
    if missing_data(scenario):
        pytest.skip(f"the data of {missing_data(scenario)} are not beside this checkout (../shared/upstream)")
    run_logged(f"molecule-{scenario}", [Path(sys.prefix) / "bin" / "molecule", "test", "--scenario-name", scenario], timeout=1800)
