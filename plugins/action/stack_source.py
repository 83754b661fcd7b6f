# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.module_utils._release import SourceError, examine


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(
            {"path": {"type": "str", "required": True}, "release": {"type": "str"}, "releases": {"type": "dict", "required": True}}
        )
        if not arguments["path"]:
            raise AnsibleActionFail("stack_source is not set. Set it to a checkout of Coze Studio on the machine that runs Ansible.")
        path = os.path.abspath(os.path.expanduser(arguments["path"]))
        try:
            release = examine(path, arguments["release"] or None, arguments["releases"])
        except SourceError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        return {"changed": False, "path": path, "release": release}
