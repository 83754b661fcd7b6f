# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import calendar
import os
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

MODULE = "cozeops.studio.stack_logs"
PAUSE = 1.0
display = Display()


class ActionModule(ActionBase):
    """Writes what the module has collected on the controller, or shows what it follows."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.get("follow") in (True, "true", "yes"):
            return self._follow(arguments, task_vars)
        result = self._ask(arguments, task_vars)
        content = result.pop("content", None)
        if content is None:
            return result
        path = os.path.join(os.path.abspath(os.path.expanduser(arguments["directory"])), arguments["name"] + ".tar.gz")
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(base64.b64decode(content))
        except OSError as exc:
            raise AnsibleActionFail("%s cannot be written on the controller: %s" % (path, exc.strerror)) from exc
        return {**result, "archive": path}

    def _follow(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """Show lines as they come. A slice begins with the second of the last line, whose lines were shown already."""
        until = time.monotonic() + float(arguments.get("follow_seconds") or 0)
        shown: list[str] = []
        count = 0
        while True:
            result = self._ask(arguments, task_vars)
            if result.get("failed"):
                return result
            lines = result.pop("lines")
            new = lines[len(shown) :] if lines[: len(shown)] == shown else [line for line in lines if line not in shown]
            for line in new:
                display.display(line)
            count += len(new)
            if arguments.get("follow_seconds") and time.monotonic() >= until:
                return {"changed": False, "msg": "%d lines were shown" % count}
            second = lines[-1][:19] if lines else ""
            shown = [line for line in lines if line[:19] == second]
            arguments["after"] = seconds_of(second) if second else result["now"] - 1
            time.sleep(PAUSE)

    def _ask(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        return result


def seconds_of(moment: str) -> float:
    """2026-01-31T12:00:00, which is UTC, in seconds since 1970."""
    return float(calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%S")))
