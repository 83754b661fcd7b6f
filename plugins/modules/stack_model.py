#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_model
short_description: Resolve the model of a stack from the operator's words and a source tree
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Puts together, on the controller, the one document that says what a stack is - every service with image, environment, mounts, probes and order.
  - Makes the secrets that the stack lacks, once, and keeps them in a file beside the inventory.
  - Checks everything that can be checked before anything is changed on the host.
  - Everything is done by the action plugin. The result holds secrets outside RV(model), so a task needs C(no_log).
attributes:
  action:
    support: full
    description: The work is done by the action plugin, on the controller.
  check_mode:
    support: full
    description: No secret is made. Stand-ins take their place, so that the rest can be told.
  diff_mode:
    support: none
    description: What it makes is secret.
  idempotent:
    support: full
    description: Secrets are made once; later runs read them.
  platform:
    platforms: posix
    support: full
    description: Runs on the controller.
options:
  name:
    description: Name of the stack.
    type: str
    required: true
  root:
    description: The stack's directory on the host.
    type: str
    required: true
  source:
    description: Source tree on the controller.
    type: str
    required: true
  release:
    description: Release line.
    type: str
    required: true
  release_table:
    description: What the release table says of that line.
    type: dict
    required: true
  env_src:
    description: The C(.env) to read. The default is C(docker/.env) or C(docker/.env.example) of the source tree.
    type: str
  env:
    description: Values that win over the file's.
    type: dict
    default: {}
  embedding:
    description: The embedding model, of which settings are made.
    type: dict
    default: {}
  secrets_file:
    description: File on the controller that keeps the stack's secrets; it may be encrypted with Ansible Vault.
    type: str
    required: true
  definitions:
    description: Service definitions by role, in order.
    type: dict
    required: true
  secrets:
    description: Keys that must have a value of their own.
    type: list
    elements: dict
    default: []
  presets:
    description: Values that take the place of published ones.
    type: list
    elements: dict
    default: []
  services:
    description: Limit to these services.
    type: list
    elements: str
    default: []
  images:
    description: Image references that win over the release table's.
    type: dict
    default: {}
  image_prefix:
    description: Prefix (a mirror) for the release table's images.
    type: str
    default: ""
  image_source:
    description: Where images come from.
    type: str
    choices: [registry, present, archive]
    default: registry
  archive_dir:
    description: Bundle or directory of image archives on the controller, if that is where images come from.
    type: str
    default: ''
  network:
    description: Name of the stack's network. By default the stack's name, with C(-overlay) behind it for a network across hosts.
    type: str
    default: ''
  network_kind:
    description: Kind of that network. With V(auto) it is an overlay where the stack has several hosts.
    type: str
    choices: [auto, bridge, overlay]
    default: auto
  host:
    description: Inventory name of the host that the model is for.
    type: str
    required: true
  hosts:
    description: All hosts of the stack, in order. By default this one alone.
    type: list
    elements: str
    default: []
  groups:
    description: Inventory groups with their hosts. Those that are called after a service or a role, such as C(coze_mysql), say where it runs.
    type: dict
    default: {}
  elsewhere:
    description: What M(cozeops.studio.stack_info) said of the other hosts of the stack, by name.
    type: dict
    default: {}
  together:
    description: All hosts of this run. The stack's hosts among them have to be in O(elsewhere).
    type: list
    elements: str
    default: []
  host_secrets:
    description: Secrets that were read back from the stack's hosts. They are used where nothing else has a value.
    type: dict
    default: {}
  rotate:
    description:
      - Secrets that become others, by name; with an empty list all that can. One that differs from what the stack on the hosts has becomes what the operator
        or the secrets file gives; others get a value by chance, which takes the old one's place in the secrets file.
      - Without this option, a secret that data were made with must be the one of then.
    type: list
    elements: str
  made_with:
    description:
      - Secrets of an installation that is to be adopted. They are used as O(host_secrets) are; another value for what its data were made with is refused.
      - An empty one says that nothing can have been made with it.
    type: dict
    default: {}
  log_options:
    description: Options of the log driver.
    type: dict
    default: {}
  entry:
    description: Where people come in.
    type: dict
    required: true
  facts:
    description: What M(cozeops.studio.stack_info) said of the host.
    type: dict
    required: true
  peers:
    description: Other stacks of the inventory on the same machine, with their ports.
    type: list
    elements: dict
    default: []
  engine_managed:
    description: Whether a missing Docker Engine is going to be installed.
    type: bool
    default: true
  memory_min:
    description: Memory that the host must have.
    type: str
    default: "0"
  disk_min:
    description: Free space that the stack's file system must have.
    type: str
    default: "0"
  preflight:
    description:
      - What to do about checks that fail. With V(enforce) the module fails, and warns of those that warn. With V(report) they are only returned.
    type: str
    choices: [enforce, report]
    default: enforce
"""

EXAMPLES = r"""
# The role stack is the example: it is the only user of this module.
- name: Resolve the model of a stack
  ansible.builtin.import_role:
    name: cozeops.studio.stack
    tasks_from: resolve
"""

RETURN = r"""
lost:
  description:
    - Secrets for which the controller has no value, while the stack exists. If there are any, nothing else is returned, and the module is to be called
      again with what its hosts have of them.
  returned: always
  type: list
  elements: str
  sample: []
model:
  description: The stack model; it holds no secret's value.
  returned: success
  type: dict
  sample: {"name": "coze", "root": "/opt/cozeops/coze", "release": "0.5", "services": {}}
files:
  description: Files for M(cozeops.studio.stack_render), with contents.
  returned: success
  type: list
  elements: dict
  sample: []
directories:
  description: Directories for M(cozeops.studio.stack_render).
  returned: success
  type: list
  elements: dict
  sample: []
exclusive:
  description: Trees in which every file is the stack's.
  returned: success
  type: list
  elements: str
  sample: [conf/coze-server/resources]
images_due:
  description: Images of archives that the host may lack.
  returned: success
  type: list
  elements: str
  sample: ["mysql:8.4.5"]
digest_key:
  description: The key of all digests in the model and in the files. It is a secret.
  returned: success
  type: str
  sample: 5f1d7a84db00d2fce00b31a7fc73224f
checks:
  description: What was checked, whatever came of it.
  returned: success
  type: list
  elements: dict
  sample: [{"area": "host", "name": "memory", "state": "ok", "found": "8.0 GiB, 6.0 GiB available, 0.0 GiB swap", "cure": ""}]
generated:
  description: Names of secrets that were (or, in check mode, would be) made.
  returned: success
  type: list
  elements: str
  sample: [MYSQL_PASSWORD]
adopted:
  description: Names of secrets that were read back from the host.
  returned: success
  type: list
  elements: str
  sample: []
rotated:
  description: New values of secrets that become others.
  returned: success
  type: dict
  sample: {}
secrets:
  description: Values of secrets that are in no service's environment.
  returned: success
  type: dict
  sample: {}
chat_models:
  description: All chat models of the stack with where they are, keys included.
  returned: success
  type: list
  elements: dict
  sample: []
embedding:
  description: The embedding model as the server reads the settings, key included; empty if none is configured.
  returned: success
  type: dict
  sample: {}
embedding_change:
  description: What of the embedding model is another one than the stack on the host has, each as old and new.
  returned: success
  type: dict
  sample: {"dims": [1024, 512]}
"""
