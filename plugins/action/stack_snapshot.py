# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.plugins.action import ActionBase

VARIABLE = "stack_backup_passphrase"


class ActionModule(ActionBase):
    """Encrypts the private files of a copy, and decrypts them, on the controller: hosts need no library for it, and never see the passphrase."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        vault = VaultLib([("default", VaultSecret(str(arguments.pop("passphrase", "") or "").encode()))])
        secret = vault.secrets[0][1].bytes
        state = arguments.get("state")
        if state == "finished" and secret and not self._task.check_mode:
            found = self._module({**arguments, "state": "read"}, task_vars)
            if found.get("failed"):
                return found
            arguments["private"] = json.dumps(found["private"])
            arguments["sealed"] = vault.encrypt(arguments["private"]).decode()
        # Data are never encrypted.
        if state in ("verified", "restored") and [part for part in arguments.get("parts", []) if part != "data"]:
            found = self._module({**arguments, "state": "read"}, task_vars)
            if found.get("failed"):
                return found
            private = opened(vault, found["sealed"], found["path"]) if found["sealed"] else ""
            if state == "restored":
                arguments["private"] = private
        return self._module(arguments, task_vars)

    def _module(self, arguments: t.Mapping[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(module_name="cozeops.studio.stack_snapshot", module_args=dict(arguments), task_vars=task_vars)
        # What was sent is none of the result's business.
        result.pop("invocation", None)
        return result


def opened(vault: VaultLib, sealed: str, path: str) -> str:
    """The private files, as JSON. Raises AnsibleActionFail for a passphrase that is missing or wrong."""
    if not vault.secrets[0][1].bytes:
        raise AnsibleActionFail("%s is encrypted. Nothing was changed. Set %s to the passphrase that it was made with." % (path, VARIABLE))
    try:
        return str(vault.decrypt(sealed).decode())
    except AnsibleError as exc:
        raise AnsibleActionFail("%s: %s is not the passphrase that it was made with. Nothing was changed." % (path, VARIABLE)) from exc
