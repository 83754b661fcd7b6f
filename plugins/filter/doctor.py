# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _doctor


def diagnosis(found: t.Mapping[str, t.Mapping[str, t.Any]], silent: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """{"findings" (ordered), "lines", "well"}. ``found``: host -> what stack_doctor has returned; ``silent``: hosts that could not be looked at."""
    needs: dict[str, list[str]] = {}
    every = [{**_doctor.finding("", _doctor.FAIL, "it could not be looked at", "See the reason above."), "host": host} for host in silent]
    for host, result in found.items():
        needs.update(result["needs"])
        every += [{**each, "host": host} for each in [*_doctor.clock_findings(result["clock"]), *result["findings"]]]
    ordered = _doctor.ordered(every, needs)
    return {"findings": ordered, "lines": _doctor.lines(ordered), "well": not any(each["level"] == _doctor.FAIL for each in ordered)}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"diagnosis": diagnosis}
