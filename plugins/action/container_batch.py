# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible.plugins.action import ActionBase
from ansible_collections.cozeops.studio.plugins.plugin_utils._apart import apart, submit

MODULE = "community.docker.docker_container"
SPEC: dict[str, t.Any] = {
    "containers": {"type": "list", "elements": "dict", "required": True},
    "state": {"type": "str", "choices": ["made", "stopped"], "default": "made"},
}
#: What no container differs in, by what is done. The plan has decided, so the module is not to compare again.
ALWAYS: dict[str, dict[str, t.Any]] = {
    "made": {
        "state": "started",
        "recreate": True,
        "pull": "never",
        "comparisons": {"*": "strict"},
        "command_handling": "correct",
        "networks_cli_compatible": True,
    },
    "stopped": {"state": "stopped", "comparisons": {"*": "ignore"}},
}
AT_ONCE = 4  # sessions on one SSH connection; the server's own limit is 10


class ActionModule(ActionBase):
    """See the module for its options."""

    TRANSFERS_FILES = False
    _supports_check_mode = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(SPEC)
        containers = arguments["containers"]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            # What the module says has the container's environment in it.
            made = [submit(pool, apart(self, silent=True)._make, container, arguments["state"], task_vars) for container in containers]
        return summary([each.result() for each in made])

    def _make(self, container: t.Mapping[str, t.Any], state: str, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        result = self._execute_module(module_name=MODULE, module_args={**ALWAYS[state], **container}, task_vars=task_vars)
        made = {"name": container["name"], "changed": bool(result.get("changed")), "failed": bool(result.get("failed"))}
        return {**made, "msg": "%s could not be %s: %s" % (container["name"], state, result.get("msg"))} if made["failed"] else made


def summary(made: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """The result of the whole; its message has one line for each container that could not be made."""
    result: dict[str, t.Any] = {"changed": any(entry["changed"] for entry in made), "containers": list(made)}
    failed = [entry["msg"] for entry in made if entry["failed"]]
    return {**result, "failed": True, "msg": "\n".join(failed)} if failed else result
