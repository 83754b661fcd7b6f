# SPDX-License-Identifier: GPL-3.0-or-later
"""Further runs of the site playbook on a running stack."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

Site = Callable[..., subprocess.CompletedProcess[str]]


def started(host: Any, model: dict[str, Any]) -> dict[str, str]:
    names = " ".join(f"{model['name']}-{service}" for service in model["services"])
    out = host.check_output("docker inspect -f '{{.Name}} {{.State.StartedAt}}' " + names)
    return dict(line.split(" ", 1) for line in out.splitlines())


def changed(output: str) -> set[str]:
    return set(re.findall(r"changed=(\d+)", output))


def test_a_check_of_the_running_stack_completes_and_sees_nothing_to_do(host: Any, model: dict[str, Any], site: Site) -> None:
    before = started(host, model)
    result = site("--check", "--diff")
    assert result.returncode == 0, result.stdout
    assert changed(result.stdout) == {"0"}, result.stdout
    assert started(host, model) == before


def test_another_run_restarts_nothing(host: Any, model: dict[str, Any], site: Site) -> None:
    before = started(host, model)
    result = site()
    assert result.returncode == 0, result.stdout
    assert changed(result.stdout) == {"0"}, result.stdout
    assert started(host, model) == before


def test_no_run_prints_a_secret(secrets: dict[str, str], site: Site) -> None:
    result = site("--check", "--diff", "-vvv")
    assert result.returncode == 0, result.stdout[-3000:]
    assert [key for key, value in secrets.items() if value in result.stdout] == []


def test_the_output_says_how_to_get_in(site: Site) -> None:
    result = site()
    assert "ssh -N -L 8888:127.0.0.1:8888" in result.stdout
    assert "stack_public_url" in result.stdout
