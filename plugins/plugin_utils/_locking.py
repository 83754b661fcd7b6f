# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an action does about a stack that another run has locked. Private to this collection."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display
from ansible_collections.cozeops.studio.plugins.module_utils._lock import described
from ansible_collections.cozeops.studio.plugins.plugin_utils._holder import is_gone

Result = dict[str, t.Any]
display = Display()


def unless_gone(result: Result, again: t.Callable[[t.Mapping[str, t.Any]], Result]) -> Result:
    """The result; or that of trying ``again`` with the holder whose lock is to be broken, if it was a run of this controller that is no more."""
    locked = result.get("locked")
    if not locked or not is_gone(locked):
        return result
    display.warning("The stack was locked %s. That run is no more, so its lock was broken; the plan has what it left unfinished." % described(locked))
    return again(locked)


def refuse(stack: str, locked: t.Mapping[str, t.Any]) -> None:
    """Raises AnsibleActionFail."""
    raise AnsibleActionFail(
        "The stack %s is being changed %s. Nothing was changed by this run. Wait for that one; if it is gone for good, set stack_lock_break to %s."
        % (stack, described(locked), stack)
    )
