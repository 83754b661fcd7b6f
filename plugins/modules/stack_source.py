#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_source
short_description: Tell the release line of a Coze Studio source tree
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Reads a source tree on the controller, says which release line it is of, and fails if it lacks a file that the line needs.
  - Checks that those files are fit to be used, and the versions of what runs on the controller.
  - Everything is done by the action plugin, on the controller.
attributes:
  action:
    support: full
    description: The work is done by the action plugin, on the controller.
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Only reads.
  idempotent:
    support: full
    description: Only reads.
  platform:
    platforms: posix
    support: full
    description: Runs on the controller.
options:
  path:
    description: The source tree.
    type: str
    required: true
  release:
    description: The release line that it is meant to be of.
    type: str
  releases:
    description: The release table, by line.
    type: dict
    required: true
  images:
    description: Images that win over those of the release table, by their keys there. A plugin in the tree has to be of its image's version.
    type: dict
    default: {}
  preflight:
    description:
      - What to do about checks that fail. With V(enforce) the module fails, and warns of those that warn. With V(report) they are only returned.
      - A tree that is of no line, or lacks a file, is a failure either way.
    type: str
    choices: [enforce, report]
    default: enforce
"""

EXAMPLES = r"""
- name: See which release a checkout is of
  cozeops.studio.stack_source:
    path: ~/coze-studio
    releases:
      "0.5":
        marks:
          has: [backend/conf/model/model_meta.json]
        requires: [docker/volumes/mysql/schema.sql]
"""

RETURN = r"""
path:
  description: Absolute path of the tree.
  returned: success
  type: str
  sample: /home/me/coze-studio
release:
  description: The release line.
  returned: success
  type: str
  sample: "0.5"
checks:
  description: What was checked, whatever came of it.
  returned: success
  type: list
  elements: dict
  sample: [{"area": "source", "name": "line ends", "state": "ok", "found": "of Unix", "cure": ""}]
"""
