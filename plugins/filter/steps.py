# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _definition, _placement, _steps


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "blocked": _steps.blocked,
            "ledger_of": _steps.ledger_of,
            "own": _steps.own,
            "own_steps": _steps.own_steps,
            "proved": _steps.proved,
            "replica_alias": _placement.replica_alias,
            "rounds": _definition.rounds,
            "schedule": _steps.schedule,
            "step_line": _steps.step_line,
            "turn": _steps.turn,
            "untouched": _steps.untouched,
            "whole": _steps.whole,
            "with_users": _steps.with_users,
        }
