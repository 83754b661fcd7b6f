#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: product_check
short_description: Prove that a Coze Studio works, as its users would
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Coze Studio starts with wrong settings of Redis or Elasticsearch and fails only in use. This module uses it, through its entry, with an account
    of its own.
  - The steps are V(entry) (the web page), V(api) (the release line's answer without a session), V(account) (log in, or register), V(models) (the list
    of chat models), V(prompt) (create one), V(search) (find it in the library), V(upload) (store an icon and fetch it back, byte for byte), V(icon)
    (fetch a default icon) and V(cleanup).
  - Links to stored files are followed as a browser does that reaches nothing but O(url)'s host.
  - A step that fails does not stop those that do not need it, so that one run tells of every fault.
  - The prompt is deleted at the end, also after a failure. The uploaded icon, about 150 bytes, stays in the bucket, since the API has no call to delete
    it. The account is kept for the next check. What stays is returned in RV(left).
attributes:
  check_mode:
    description: Can run in check mode and tell what would change without changing it.
    support: partial
    details:
      - It proves by writing, so that in check mode it is skipped.
  diff_mode:
    description: Returns what differs when diff mode is on.
    support: none
  idempotent:
    description: Changes nothing when it is run again with the same options.
    support: full
    details:
      - Only the run that registers the account reports a change.
options:
  url:
    description:
      - The entry of Coze Studio as people use it, without a path.
    type: str
    required: true
  host_header:
    description:
      - The host, with its port if it is not the default one, by which people know the entry, if that name does not lead to it from here. The server
        and coze-web make links to stored files of it.
    type: str
  email:
    description:
      - The account to use. It is registered if there is none.
      - Do not give an account that a person uses. Logging in ends the session that this person has.
    type: str
    required: true
  password:
    description:
      - The account's password.
    type: str
    required: true
  release:
    description:
      - The release line that is expected to answer.
    type: str
    choices: ["0.2", "0.3", "0.5"]
    required: true
  timeout:
    description:
      - Seconds that each step may take. Usually only V(search) needs more than one.
    type: float
    default: 60
  via_container:
    description:
      - Name of a container on this host in whose network namespace the requests are made, if the entry is not published. O(url) is then seen from
        inside it, for example V(http://127.0.0.1:80) in coze-web.
      - Needs the Python package docker on the host, and root.
    type: str
  validate_certs:
    description:
      - Whether the certificate of an https O(url) must be valid.
    type: bool
    default: true
seealso:
  - module: cozeops.studio.account
"""

EXAMPLES = r"""
- name: The product works
  cozeops.studio.product_check:
    url: http://127.0.0.1:8888
    email: verify@coze.cozeops.internal
    password: "{{ verify_password }}"
    release: "0.5"

- name: The same before the entry is published
  cozeops.studio.product_check:
    url: http://127.0.0.1:80
    via_container: coze-coze-web
    email: verify@coze.cozeops.internal
    password: "{{ verify_password }}"
    release: "0.5"
"""

RETURN = r"""
steps:
  description: What was done, in order. Returned on failure too.
  type: list
  elements: dict
  returned: always, but not in check mode
  contains:
    step:
      description: The step's name.
      type: str
      sample: search
    ok:
      description: Whether it succeeded. False as well if it was not tried, since it needs a step that failed.
      type: bool
      sample: true
    seconds:
      description: How long it took.
      type: float
      sample: 0.42
    detail:
      description: What was found, or what was expected and what came.
      type: str
      sample: listed after 0.4 s, in look 3
table:
  description: RV(steps) as lines to print.
  type: list
  elements: str
  returned: always, but not in check mode
  sample: ["search   ok        0.42 s  listed after 0.4 s, in look 3"]
left:
  description: What the check made and could not remove.
  type: list
  elements: str
  returned: always, but not in check mode
  sample: ["file BIZ_BOT_ICON/1_2_abc.png in the bucket (the API has no call to delete it)"]
registered:
  description: Whether this run registered the account. This alone is a change.
  type: bool
  returned: always, but not in check mode
  sample: false
seconds:
  description: How long all of it took.
  type: float
  returned: always, but not in check mode
  sample: 1.93
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._coze_api import Coze
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.module_utils._product_check import Run, perform, table
from ansible_collections.cozeops.studio.plugins.module_utils._via_container import via_container


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "host_header": {"type": "str"},
            "email": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "release": {"type": "str", "choices": ["0.2", "0.3", "0.5"], "required": True},
            "timeout": {"type": "float", "default": 60},
            "via_container": {"type": "str"},
            "validate_certs": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        coze = Coze(given["url"], timeout=given["timeout"], host_header=given["host_header"], validate_certs=given["validate_certs"])
    except ValueError as exc:
        module.fail_json(msg=str(exc))
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, msg="The product is proved to work by using it, which writes: not done in check mode.")
    run = Run(coze, given["release"], given["email"], given["password"], given["timeout"])
    began = time.monotonic()
    try:
        steps, complaints = via_container(given["via_container"], lambda: perform(run))
    except EngineError as exc:
        module.fail_json(msg=str(exc), steps=[], table=[], left=[], registered=False, seconds=0.0)
    for warning in run.warnings:
        module.warn(warning)
    result = {
        "changed": run.registered,
        "registered": run.registered,
        "steps": steps,
        "table": table(steps),
        "left": run.left,
        "seconds": round(time.monotonic() - began, 2),
    }
    if complaints:
        module.fail_json(msg="\n".join(complaints), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
