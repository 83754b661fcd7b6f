#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_batch
short_description: Make or stop several containers side by side
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Runs M(community.docker.docker_container) for each container, several at once over the host's one connection. On a bare host most of the time that a
    stack takes to start would be spent on calling that module for one container after the other.
  - Each container is made anew, also if there is one of its name already, and started. Images are not pulled.
  - When some cannot be made, the others are all the same, and the failure names each.
attributes:
  action:
    support: full
    description: The action plugin runs the module for each container.
  check_mode:
    support: none
    description: What would be made is told by M(cozeops.studio.stack_plan). In check mode the task is skipped.
  diff_mode:
    support: none
    description: A container that is made anew has no difference to show.
  idempotent:
    support: none
    description: Containers are made anew each time. M(cozeops.studio.stack_plan) tells which need to be.
  platform:
    platforms: linux
    support: full
    description: The host has to be a Linux machine.
options:
  containers:
    description: >-
      Containers, each with options of M(community.docker.docker_container), C(name) and C(image) among them. Those options that say what is done with
      a container rather than what it is are set already.
    type: list
    elements: dict
    required: true
  state:
    description: V(made) makes each anew; V(stopped) stops those that run, for which C(name) and C(stop_timeout) are enough.
    type: str
    choices: [made, stopped]
    default: made
seealso:
  - module: community.docker.docker_container
"""

EXAMPLES = r"""
- name: Make two containers
  cozeops.studio.container_batch:
    containers:
      - name: demo-redis
        image: bitnamilegacy/redis:8.0
        env_file: /opt/cozeops/demo/env/redis.env
      - name: demo-etcd
        image: bitnamilegacy/etcd:3.5
        env_file: /opt/cozeops/demo/env/etcd.env
"""

RETURN = r"""
containers:
  description: What became of each container, in the order given. C(msg) is there for one that could not be made.
  returned: always
  type: list
  elements: dict
  sample:
    - {"name": "demo-redis", "changed": true, "failed": false}
    - {"name": "demo-etcd", "changed": false, "failed": true, "msg": "demo-etcd could not be made: the reason"}
"""
