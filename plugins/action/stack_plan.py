# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.action.stack_render import manifest
from ansible_collections.cozeops.studio.plugins.plugin_utils._holder import this_run
from ansible_collections.cozeops.studio.plugins.plugin_utils._locking import refuse, unless_gone

MODULE = "cozeops.studio.stack_plan"


class ActionModule(ActionBase):
    """Runs the module, which is told of files but not given them, and of this run, so that it can lock the stack."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        arguments = {**self._task.args, "files": manifest(self._task.args.get("files") or [])}
        if isinstance(arguments.get("lock"), str):
            arguments["lock"] = this_run(arguments["lock"])
        result = unless_gone(self._plan(arguments, task_vars), lambda gone: self._plan({**arguments, "lock_break": gone}, task_vars))
        locked = result.get("locked")
        if locked is not None and (result["changed"] or result["files"]["outdated"]):
            refuse(arguments["model"]["name"], locked)
        return result

    def _plan(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        result.pop("invocation", None)  # a list of some hundred files tells nobody anything
        return result
