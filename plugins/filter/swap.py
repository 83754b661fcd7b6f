# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _container, _settle

Plan = t.Mapping[str, t.Mapping[str, t.Any]]


def swaps(plan: Plan) -> list[str]:
    """Services of which an earlier container is there to come back, once their step is taken."""
    return [name for name, entry in plan.items() if entry.get("replaces") or entry.get("previous")]


def commits(plan: Plan) -> list[dict[str, str]]:
    """Steps for services that are as wanted, and need but a proof before their earlier container goes."""
    return [{"kind": "commit", "service": name} for name, entry in plan.items() if entry.get("previous") and entry["action"] == "none"]


def container_names(services: t.Sequence[str], stack: str) -> list[str]:
    return [_container.container_name(stack, service) for service in services]


def batch_failures(model: t.Mapping[str, t.Any], services: t.Sequence[str], result: t.Mapping[str, t.Any]) -> dict[str, str]:
    """service -> why it failed, of a failed container_batch; if it did not come to make any, all have its reason."""
    made = {entry["name"]: entry for entry in result.get("containers") or []}
    if not made:
        return {service: str(result.get("msg")) for service in services}
    found = {service: made[_container.container_name(model["name"], service)] for service in services}
    return {service: entry["msg"] for service, entry in found.items() if entry["failed"]}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "batch_failures": batch_failures,
            "commits": commits,
            "container_names": container_names,
            "swaps": swaps,
            "swap_outcome": _settle.outcome,
            "swap_after_swap": _settle.after_swap,
            "swap_after_wait": _settle.after_wait,
            "swap_report": _settle.report,
        }
