# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _swarm


def swarm_steps(hosts: t.Sequence[str], engines: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """What C(_swarm.steps) says, with C(problems), and C(done): whether there is nothing to do. engines: host -> what stack_info said of its Engine."""
    swarms = {host: engine["swarm"] for host, engine in engines.items() if engine["reachable"]}
    found = _swarm.steps(hosts, swarms)
    problems = _swarm.problems(hosts, swarms)
    return {**found, "problems": problems, "done": not (problems or found["init"] or found["join"])}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"swarm_ghosts": _swarm.ghosts, "swarm_steps": swarm_steps}
