# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.action.stack_record import run_directory
from ansible_collections.cozeops.studio.plugins.module_utils._report import render
from ansible_collections.cozeops.studio.plugins.module_utils._runs import REPORT, TIMELINE, load, newest, read_text, write_private

SPEC: dict[str, t.Any] = {
    "stack": {"type": "str", "required": True},
    "directory": {"type": "str", "default": ""},
    "timeline": {"type": "str", "default": ""},
    "dest": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):
    """See the module for its options."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(SPEC)
        timeline = self._timeline(arguments, task_vars or {})
        dest = os.path.abspath(os.path.expanduser(arguments["dest"])) if arguments["dest"] else os.path.join(os.path.dirname(timeline), REPORT)
        try:
            page = render(load(timeline))
        except (OSError, ValueError) as exc:
            raise AnsibleActionFail("stack_report_timeline: %s" % exc) from exc
        except (AttributeError, KeyError, TypeError) as exc:
            raise AnsibleActionFail(
                "stack_report_timeline: %s lacks something that a timeline has (%s). Was it edited? Take that of another run." % (timeline, exc)
            ) from exc
        changed = read_text(dest) != page
        if changed and not self._task.check_mode:
            try:
                write_private(dest, page)
            except OSError as exc:
                raise AnsibleActionFail("stack_report_dest: %s cannot be written: %s. Set it to another file." % (dest, exc.strerror)) from exc
        return {"changed": changed, "timeline": timeline, "dest": dest}

    def _timeline(self, arguments: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> str:
        if arguments["timeline"]:
            return os.path.abspath(os.path.expanduser(arguments["timeline"]))
        directory = run_directory(arguments["directory"], variables.get("ansible_inventory_sources") or [])
        found = newest(directory, arguments["stack"])
        if found is None:
            raise AnsibleActionFail(
                "No run of the stack %s has left a %s below %s. Run site.yml first, or name one in stack_report_timeline."
                % (arguments["stack"], TIMELINE, directory)
            )
        return found
