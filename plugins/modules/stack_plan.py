#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_plan
short_description: Decide what each service of a stack needs
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Compares the containers of a stack with the stack model, property by property, and says for each service which action it needs and why.
  - Nothing is changed, in check mode or out of it. What is told is what the role service then does.
  - A host without an Engine needs everything.
attributes:
  action:
    support: full
    description: The action plugin keeps the contents of files on the controller.
  check_mode:
    support: full
    description: The module only reads.
  diff_mode:
    support: full
    description: Shows what differs, property by property. Secrets appear by name only.
  idempotent:
    support: full
    description: The module only reads.
  platform:
    platforms: linux
    support: full
    description: The host has to be a Linux machine.
options:
  model:
    description: The stack model without its services.
    type: dict
    required: true
    suboptions:
      name:
        description: Name of the stack.
        type: str
        required: true
      root:
        description: The stack's directory on the host.
        type: path
        required: true
      network:
        description: Name of the stack's network.
        type: str
        required: true
      log_options:
        description: Options of the log driver.
        type: dict
        default: {}
  services:
    description: Services of the stack model that run on this host, in order.
    type: list
    elements: dict
    required: true
  directories:
    description: Directories of the stack, as M(cozeops.studio.stack_render) takes them, with all their options.
    type: list
    elements: dict
    default: []
  files:
    description: Files of the stack, as M(cozeops.studio.stack_render) takes them, with all their options. Without them only those of services are compared.
    type: list
    elements: dict
    default: []
  exclusive:
    description: Trees in which every file is the stack's.
    type: list
    elements: str
    default: []
  key:
    description: The key of all digests. By default the one that the host keeps with the stack's secrets.
    type: str
    default: ''
  update_images:
    description: Whether a tag that means another image by now is a reason to recreate. Else it is only told.
    type: bool
    default: false
  loading:
    description: Images that are about to be loaded, so that what the host has under their names does not count.
    type: list
    elements: str
    default: []
  lock:
    description:
      - Who asks, as a dict; the action plugin makes it of a reason. If there is anything to do, the stack is locked for that run, so that no other changes it
        meanwhile. M(cozeops.studio.stack_lock) lets go of it.
    type: dict
  lock_break:
    description: Somebody whose lock is not to count any more, as O(lock) has it. An empty dict stands for anybody.
    type: dict
  state:
    description:
      - With V(defined), containers are to be as the model has them. With V(running) they are only to run, as they are; the model may be the one that the host
        keeps. O(files) and O(directories) are not needed then.
    type: str
    choices: [defined, running]
    default: defined
  only:
    description: With O(state=running), the services that may be touched. By default all of O(services).
    type: list
    elements: str
    default: []
  probe:
    description:
      - Whether to look, once, if the services that need nothing are ready, as M(cozeops.studio.stack_ready) would. It saves that module a call where nothing
        is touched. Needs root.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: See what the stack needs
  cozeops.studio.stack_plan:
    model: "{{ stack_model | ansible.utils.keep_keys(['name', 'root', 'network', 'log_options']) }}"
    services: "{{ stack_model.services.values() | list }}"
  register: plan

- name: Say why MySQL would be touched
  ansible.builtin.debug:
    var: plan.plan.mysql.why
"""

RETURN = r"""
plan:
  description: >-
    What each service needs. The action is one of V(none), V(start), V(reload), V(restart) and V(recreate); a container that is absent is to be recreated.
    Where a container makes way for a new one, C(replaces) is true; where the earlier one of a run that did not end is still kept, C(previous) is.
  returned: always
  type: dict
  sample: {"mysql": {"action": "recreate", "why": [{"name": "memory", "current": "0", "desired": "1073741824"}]}}
strangers:
  description: Containers with the stack's label whose service the model does not have, earlier ones that are kept included. They are left alone.
  returned: always
  type: list
  elements: str
  sample: ["coze-old"]
loading:
  description: As given.
  returned: always
  type: list
  elements: str
  sample: []
files:
  description:
    - How the stack's files and directories differ, as M(cozeops.studio.stack_render) would return it, whether there is anything to be done to them, and
      the files whose contents the host lacks.
  returned: always
  type: dict
  sample: {"outdated": true, "differences": [{"path": "conf/motd", "kind": "create"}], "needed": ["conf/motd"]}
lock:
  description: Whether the stack is locked for this run.
  returned: always
  type: bool
  sample: false
locked:
  description: Who else has locked the stack, if anybody. With something to do, the action plugin fails then.
  returned: when O(lock) is given
  type: dict
  sample: {}
ready:
  description: Services that need nothing and are ready. Why another is not, M(cozeops.studio.stack_ready) tells.
  returned: when O(probe) is true
  type: list
  elements: str
  sample: ["mysql", "redis"]
timeline:
  description: Their entries, as M(cozeops.studio.stack_ready) returns them.
  returned: when O(probe) is true
  type: list
  elements: dict
  sample: [{"service": "redis", "started": "2026-01-31T12:00:00.120Z", "ready": "2026-01-31T14:00:00.010Z", "seconds": 0.01, "probe": "redis", "already": true}]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _host, _lock, _running
from ansible_collections.cozeops.studio.plugins.module_utils._container import container_name
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect
from ansible_collections.cozeops.studio.plugins.module_utils._plan import plan_service, with_looks
from ansible_collections.cozeops.studio.plugins.module_utils._plan_host import decide, labels_by_name, look_at, states_by_name, strangers
from ansible_collections.cozeops.studio.plugins.module_utils._render import compare


def needs_nothing(entry: t.Mapping[str, t.Any]) -> bool:
    return entry["action"] == "none" and not entry.get("previous")


def as_text(model: t.Mapping[str, t.Any], plan: t.Mapping[str, t.Mapping[str, t.Any]], side: str) -> str:
    """One side of the diff: a line per reason."""
    lines = ["%s: %s: %s\n" % (container_name(model["name"], name), why["name"], why[side]) for name, entry in plan.items() for why in entry["why"]]
    return "".join(lines)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "model": {
                "type": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "root": {"type": "path", "required": True},
                    "network": {"type": "str", "required": True},
                    "log_options": {"type": "dict", "default": {}},
                },
            },
            "services": {"type": "list", "elements": "dict", "required": True},
            "directories": {"type": "list", "elements": "dict", "default": []},
            "files": {"type": "list", "elements": "dict", "default": []},
            "exclusive": {"type": "list", "elements": "str", "default": []},
            "key": {"type": "str", "default": "", "no_log": True},
            "update_images": {"type": "bool", "default": False},
            "loading": {"type": "list", "elements": "str", "default": []},
            "lock": {"type": "dict"},
            "lock_break": {"type": "dict"},
            "state": {"type": "str", "choices": ["defined", "running"], "default": "defined"},
            "only": {"type": "list", "elements": "str", "default": []},
            "probe": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    model, services = module.params["model"], module.params["services"]
    key = module.params["key"] or _host.env_values(model["root"], ["STACK_DIGEST_KEY"]).get("STACK_DIGEST_KEY", "")
    lock, locked = _lock.lock_file(model["name"]), None
    wanted = None if module.check_mode else module.params["lock"]

    def fail(message: str) -> None:
        if wanted:
            _lock.release(lock, wanted)
        module.fail_json(msg=message)

    if wanted:
        try:
            locked = _lock.take(lock, wanted, module.params["lock_break"], _lock.settle)
        except OSError as exc:
            module.fail_json(msg="the stack cannot be locked: %s" % exc)
    others: list[str] = []
    seen: dict[str, t.Any] = {"ready": [], "timeline": []} if module.params["probe"] else {}
    try:
        files = compare(model["root"].rstrip("/"), module.params, key)
    except (OSError, ValueError) as exc:
        fail(str(exc))
    try:
        client = connect()
        containers = labels_by_name(client)
        if module.params["state"] == "running":
            plan = _running.plan({**model, "services": {service["name"]: service for service in services}}, states_by_name(client), module.params["only"])
        else:
            plan = {service["name"]: decide(client, module.params, service, key, containers) for service in services}
        others = strangers(containers, model["name"], [service["name"] for service in services])
        if module.params["probe"]:
            seen = look_at(client, model, [service for service in services if needs_nothing(plan[service["name"]])])
            only = module.params["only"]
            plan = with_looks(plan, [service for service in services if not only or service["name"] in only], seen.pop("starting"))
    except EngineError as exc:
        if not module.check_mode:
            fail(str(exc))
        plan = {service["name"]: plan_service(service, {}, None, None, ("none", []), "") for service in services}
    changed = not all(needs_nothing(entry) for entry in plan.values())
    if wanted and locked is None and not changed and not files.changed:
        _lock.release(lock, wanted)
        wanted = None
    module.exit_json(
        changed=changed,
        lock=bool(wanted) and locked is None,
        locked=locked,
        plan=plan,
        strangers=others,
        loading=module.params["loading"],
        files={"outdated": files.changed, "differences": files.differences, "needed": files.needed},
        **seen,
        diff={"before": as_text(model, plan, "current"), "after": as_text(model, plan, "desired")},
    )


if __name__ == "__main__":
    main()
