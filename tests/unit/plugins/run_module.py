# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Call a module's main() as Ansible does, and read the JSON that it prints."""

from __future__ import annotations

import json
import typing as t
from unittest import mock

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args


def run_main(main: t.Callable[[], None], capsys: pytest.CaptureFixture[str], args: dict[str, t.Any], check: bool = False) -> dict[str, t.Any]:
    """The module's result. ``failed`` and ``warnings`` (a list of strings) are always in it."""
    warnings: list[str] = []
    # Ansible collects warnings for the life of the process, which here is that of all tests.
    given = patch_module_args({**args, "_ansible_check_mode": check})
    with given, mock.patch.object(AnsibleModule, "warn", lambda self, text: warnings.append(text)), pytest.raises(SystemExit):
        main()
    return {"failed": False, **json.loads(capsys.readouterr().out), "warnings": warnings}
