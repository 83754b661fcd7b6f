#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_lock
short_description: Lock a stack, or let go of it and note what was changed
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - M(cozeops.studio.stack_plan) locks a stack for a run that is going to change it. This lets go of the lock, if it is this run's, and adds a line to
    the list of changes that the stack keeps (C(state/changes.log) in its directory, a JSON object a line).
  - With O(state=taken) it locks the stack, for a run that changes something without a plan.
attributes:
  action:
    support: full
    description: The action plugin tells the module which run this is.
  check_mode:
    support: full
    description: Nothing is done.
  diff_mode:
    support: none
    description: There is nothing to show.
  idempotent:
    support: none
    description: Each call adds a line.
  platform:
    platforms: linux
    support: full
    description: The host has to be a Linux machine.
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  root:
    description: The stack's directory on the host.
    type: path
    required: true
  state:
    description: V(free) lets go of the lock, and notes what was done; V(taken) takes it, and fails if another run has it.
    type: str
    choices: [free, taken]
    default: free
  lock_break:
    description: A holder whose lock does not count any more; an empty one stands for any.
    type: dict
  release:
    description: Release line of the stack.
    type: str
    default: ''
  reason:
    description: Why the run was made, in the operator's words.
    type: str
    default: ''
  actions:
    description: What was done to which services, as the plan had it.
    type: dict
    default: {}
  files:
    description: Number of files that were changed.
    type: int
    default: 0
  failure:
    description: What went wrong. Empty if nothing did.
    type: str
    default: ''
  holder:
    description: This run. The action plugin gives it.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Let go of the stack
  cozeops.studio.stack_lock:
    stack: coze
    root: /opt/cozeops/coze
    actions: {redis: restart}
"""

RETURN = r"""
released:
  description: Whether the lock was this run's, and is gone.
  returned: when O(state=free)
  type: bool
  sample: true
locked:
  description: Who else has the lock, if anybody. The action plugin fails then.
  returned: when O(state=taken)
  type: dict
  sample: {}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._ledger import now
from ansible_collections.cozeops.studio.plugins.module_utils._lock import lock_file, note, release, settle, take


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "root": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["free", "taken"], "default": "free"},
            "lock_break": {"type": "dict"},
            "release": {"type": "str", "default": ""},
            "reason": {"type": "str", "default": ""},
            "actions": {"type": "dict", "default": {}},
            "files": {"type": "int", "default": 0},
            "failure": {"type": "str", "default": ""},
            "holder": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    params = module.params
    if module.check_mode:
        module.exit_json(changed=False, released=False)
    if params["state"] == "taken":
        try:
            module.exit_json(changed=False, locked=take(lock_file(params["stack"]), params["holder"], params["lock_break"], settle))
        except OSError as exc:
            module.fail_json(msg="the stack cannot be locked: %s" % exc)
    who = {key: params["holder"].get(key, "") for key in ("who", "controller", "playbook")}
    entry = {"at": now(), **who, **{key: params[key] for key in ("reason", "release", "actions", "files", "failure")}}
    try:
        note(params["root"], entry)
        released = release(lock_file(params["stack"]), params["holder"])
    except OSError as exc:
        module.fail_json(msg="what was changed could not be noted: %s" % exc)
    module.exit_json(changed=False, released=released)


if __name__ == "__main__":
    main()
