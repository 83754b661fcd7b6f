# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _running


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "absent_services": _running.absent,
            "container_states": _running.states,
            "kept_model": _running.kept,
            "locking_services": _running.locking_services,
            "other_secrets": _running.other_secrets,
            "startable": _running.startable,
            "stop_waves": _running.stop_waves,
            "to_stop": _running.to_stop,
            "unknown_services": _running.unknown,
            "writers": _running.writers,
        }
