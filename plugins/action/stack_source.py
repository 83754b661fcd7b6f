# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import json
import os
import platform
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_core
from ansible_collections.cozeops.studio.plugins.module_utils._check import FAIL, WARN, rows, sentences
from ansible_collections.cozeops.studio.plugins.module_utils._controller import controller_checks, tree_checks
from ansible_collections.cozeops.studio.plugins.module_utils._release import SourceError, examine


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(
            {
                "path": {"type": "str", "required": True},
                "release": {"type": "str"},
                "releases": {"type": "dict", "required": True},
                "images": {"type": "dict", "default": {}},
                "preflight": {"type": "str", "default": "enforce", "choices": ["enforce", "report"]},
            }
        )
        if not arguments["path"]:
            raise AnsibleActionFail("stack_source is not set. Set it to a checkout of Coze Studio on the machine that runs Ansible.")
        path = os.path.abspath(os.path.expanduser(arguments["path"]))
        try:
            release = examine(path, arguments["release"] or None, arguments["releases"])
            source = tree_checks(path, arguments["releases"][release], arguments["images"])
        except SourceError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        except OSError as exc:
            raise AnsibleActionFail("stack_source: %s cannot be read: %s" % (exc.filename, exc.strerror)) from exc
        checks = [*controller_checks(platform.python_version(), ansible_core, installed("community.docker")), *source]
        enforce = arguments["preflight"] == "enforce"
        problems = sentences(checks, FAIL)
        if problems and enforce:
            raise AnsibleActionFail("\n".join(problems))
        result = {"changed": False, "path": path, "release": release, "checks": rows(checks)}
        doubts = sentences(checks, WARN)
        return {**result, "warnings": doubts} if doubts and enforce else result


def installed(collection: str) -> str | None:
    """The version of a collection, "" if it tells none (a checkout), None if there is no such collection."""
    try:
        spec = importlib.util.find_spec("ansible_collections." + collection)
    except ModuleNotFoundError:
        return None
    if spec is None:
        return None
    for place in spec.submodule_search_locations or []:
        manifest = os.path.join(place, "MANIFEST.json")
        if os.path.isfile(manifest):
            with open(manifest, encoding="utf-8") as handle:
                return str(json.load(handle)["collection_info"]["version"])
    return ""
