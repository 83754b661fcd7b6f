# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.module_utils._runs import default_directory, inventory_around

COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SPEC: dict[str, t.Any] = {
    "stack": {"type": "str", "required": True},
    "directory": {"type": "str", "default": ""},
    "keep": {"type": "int", "default": 20},
    "report": {"type": "bool", "default": True},
}


class ActionModule(ActionBase):
    """See the module for its options. The callback of the same name does the work when it sees the result."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(SPEC)
        directory = run_directory(arguments["directory"], (task_vars or {}).get("ansible_inventory_sources") or [])
        if arguments["keep"] < 0:
            raise AnsibleActionFail("stack_run_keep is %d. Set it to the number of runs to keep, or to 0 to keep all." % arguments["keep"])
        return {**arguments, "directory": directory, "changed": False}


def run_directory(given: str, sources: t.Sequence[str]) -> str:
    """The directory of runs as a full path. Raises AnsibleActionFail for one that would become a part of the inventory."""
    directory = os.path.abspath(os.path.expanduser(given)) if given else default_directory(COLLECTION, os.environ)
    inventory = inventory_around(directory, sources)
    if inventory is not None:
        raise AnsibleActionFail(
            "stack_run_dir: %s lies in the inventory folder %s, where Ansible takes every file for a part of the inventory. Set it to a directory elsewhere."
            % (directory, inventory)
        )
    return directory
