# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.plugin_utils._holder import this_run
from ansible_collections.cozeops.studio.plugins.plugin_utils._locking import refuse, unless_gone


class ActionModule(ActionBase):
    """Tells the module who asks, and fails where another run has the lock."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        arguments = {**self._task.args, "holder": this_run(str(self._task.args.get("reason") or ""))}
        result = unless_gone(self._ask(arguments, task_vars), lambda gone: self._ask({**arguments, "lock_break": gone}, task_vars))
        if result.get("locked") is not None:
            refuse(str(arguments.get("stack")), result["locked"])
        return result

    def _ask(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(module_name="cozeops.studio.stack_lock", module_args=arguments, task_vars=task_vars)
        return result
