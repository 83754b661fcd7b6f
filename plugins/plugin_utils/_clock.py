# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's time around a module that tells the host's."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase


class ClockedAction(ActionBase):
    """Runs the module of its name, and notes the controller's time before and after: the host's clock was read in between."""

    TRANSFERS_FILES = False
    MODULE = ""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        before = time.time()
        result: dict[str, t.Any] = self._execute_module(module_name=self.MODULE, module_args=self._task.args, task_vars=task_vars)
        if "clock" in result:
            result["clock"] = {**result["clock"], "before": before, "after": time.time()}
        return result
