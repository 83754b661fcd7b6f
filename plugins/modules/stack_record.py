#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_record
short_description: Have the timeline of a run written down
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Says where the timeline and the report of this run are kept on the controller. The callback of the same name, which the playbooks of this
    collection load, writes them while the run goes on and at its end, also if it fails.
  - They are C(timeline.json) and C(report.html) in O(directory)/<stack>/<time>, or O(directory)/several/<time> for a run of several stacks. Only their
    owner can read them. Neither holds a secret.
  - A playbook of your own that does not import one of the collection needs C(callbacks_enabled = cozeops.studio.stack_record), else nothing is written.
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: full
    description: Changes nothing. The timeline is written in check mode too, and says so.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
  platform:
    platforms: posix
    support: full
    description: Runs on the controller.
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  directory:
    description:
      - Where runs are kept on the controller. It may not lie in an inventory folder, since Ansible reads every file there.
      - The default is C(build/runs) of a checkout of the collection, else C(cozeops/runs) in the user's C($XDG_STATE_HOME) or C(~/.local/state).
    type: str
    default: ''
  keep:
    description: How many runs of a stack are kept. The oldest are removed. With V(0) all are kept.
    type: int
    default: 20
  report:
    description: Whether to draw the report as well.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Keep the timeline of this run
  cozeops.studio.stack_record:
    stack: coze
    directory: /var/log/cozeops
"""

RETURN = r"""
directory:
  description: The directory of runs, as a full path.
  returned: always
  type: str
  sample: /root/.local/state/cozeops/runs
stack:
  description: As given.
  returned: always
  type: str
  sample: coze
keep:
  description: As given.
  returned: always
  type: int
  sample: 20
report:
  description: As given.
  returned: always
  type: bool
  sample: true
"""
