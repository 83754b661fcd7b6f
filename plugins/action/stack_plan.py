# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.cozeops.studio.plugins.action.stack_render import manifest
from ansible_collections.cozeops.studio.plugins.module_utils._lock import described
from ansible_collections.cozeops.studio.plugins.plugin_utils._holder import is_gone, this_run

MODULE = "cozeops.studio.stack_plan"
display = Display()


class ActionModule(ActionBase):
    """Runs the module, which is told of files but not given them, and of this run, so that it can lock the stack."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        arguments = {**self._task.args, "files": manifest(self._task.args.get("files") or [])}
        if isinstance(arguments.get("lock"), str):
            arguments["lock"] = this_run(arguments["lock"])
        result = self._plan(arguments, task_vars)
        locked = result.get("locked")
        if locked and is_gone(locked):
            display.warning("The stack was locked %s. That run is no more, so its lock was broken; the plan has what it left unfinished." % described(locked))
            result = self._plan({**arguments, "lock_break": locked}, task_vars)
            locked = result.get("locked")
        if locked is not None and (result["changed"] or result["files"]["outdated"]):
            raise AnsibleActionFail(
                "The stack %s is being changed %s. Nothing was changed by this run. Wait for that one; if it is gone for good, set stack_lock_break to %s."
                % (arguments["model"]["name"], described(locked), arguments["model"]["name"])
            )
        return result

    def _plan(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        result.pop("invocation", None)  # a list of some hundred files tells nobody anything
        return result
