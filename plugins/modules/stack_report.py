#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_report
short_description: Draw the timeline of a run as a web page
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Makes one HTML file of the timeline that a run has left on the controller - bars of who started when, what changed and why, the topology, what the
    use of the product has shown, all times and versions. The page needs nothing from elsewhere and runs no script.
  - No host is asked.
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: full
    description: Tells whether the file would change, and does not write it.
  diff_mode:
    support: none
    description: The difference of two pages says nothing to a reader.
  idempotent:
    support: full
    description: The page depends on the timeline alone.
  platform:
    platforms: posix
    support: full
    description: Runs on the controller.
options:
  stack:
    description: Name of the stack whose last run is drawn.
    type: str
    required: true
  directory:
    description: Where runs are kept, as for M(cozeops.studio.stack_record).
    type: str
    default: ''
  timeline:
    description: Path of a C(timeline.json) on the controller. The default is that of the stack's last run.
    type: str
    default: ''
  dest:
    description: Path of the page on the controller. Its directory must exist. The default is C(report.html) beside the timeline.
    type: str
    default: ''
seealso:
  - module: cozeops.studio.stack_record
"""

EXAMPLES = r"""
- name: Draw the last run
  cozeops.studio.stack_report:
    stack: coze
    dest: /srv/www/coze.html
"""

RETURN = r"""
timeline:
  description: Path of the timeline that was drawn.
  returned: success
  type: str
  sample: /root/.local/state/cozeops/runs/coze/20260131T120000Z/timeline.json
dest:
  description: Path of the page.
  returned: success
  type: str
  sample: /root/.local/state/cozeops/runs/coze/20260131T120000Z/report.html
"""
