# SPDX-License-Identifier: GPL-3.0-or-later
"""The same containers in other people's words: as a play of docker_container tasks, and as the floor's specification. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.cozeops.studio.plugins.module_utils._container import options


def with_root(model: Mapping[str, Any], root: str) -> dict[str, Any]:
    """The stack model as it would be in another directory."""
    return {**model, "root": root}


def container_play(model: Mapping[str, Any], order: Sequence[str]) -> list[dict[str, Any]]:
    """One task per container, as the module's documentation has it, and every option compared, as an operator needs to notice a change."""
    tasks = [
        {
            "name": f"Run {name}",
            "community.docker.docker_container": {
                **options(model, model["services"][name]),
                "state": "started",
                "command_handling": "correct",
                "comparisons": {"*": "strict"},
            },
        }
        for name in order
    ]
    return [{"name": "Run the containers", "hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}]


def floor_spec(model: Mapping[str, Any], order: Sequence[str], root: str) -> dict[str, Any]:
    """What floor.py needs: containers in the order in which they may start, and the empty directories for their data."""
    moved = with_root(model, root)
    services = [moved["services"][name] for name in order]
    return {
        "network": moved["network"],
        "directories": [{"path": f"{root}/{data['path']}", "owner": data["owner"], "group": data["group"]} for each in services for data in each["data"]],
        "services": [
            {
                "service": each["name"],
                "root": root,
                "options": options(moved, each),
                "depends_on": each["depends_on"],
                "probe": each["probe"],
                "init": each["init"],
            }
            for each in services
        ],
    }
