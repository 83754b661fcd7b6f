#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_swap
short_description: Keep a container until its successor is proved, and bring it back if that fails
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Exchanges containers for new ones of the same name without losing the earlier ones. M(community.docker.docker_container) removes
    a container before it makes the new one, and takes one that ends at once for started.
  - An exchange is three calls. O(state=aside) stops the container and renames it to C(<name>-previous). Then something else makes the
    new one and proves it. O(state=committed) removes C(<name>-previous), or O(state=restored) removes the new one and has the earlier
    one run again.
  - A container that is put aside is stopped within its own stop timeout, and gets the restart policy V(no), so that it stays stopped
    when the Engine or the machine starts again, whatever its policy was. It keeps its networks and aliases. The restart policy that it
    gets back is V(unless-stopped), as all containers of a stack have it.
  - Volumes are never removed.
notes:
  - A run may be killed anywhere. What it leaves behind is understood by the next one, as the following notes tell. In each case
    C(<name>-previous) stays until a container called C(<name>) was proved, and comes back if that fails.
  - C(<name>) runs, alone - nothing was done yet, or all is done. The plan compares it as ever.
  - C(<name>) is stopped, alone - the run ended after the stop, or before an earlier one that was brought back was started. It is started,
    or put aside if it is to be replaced.
  - C(<name>-previous) is alone - the run ended before the new one was made. A new one is made now.
  - Both are there, and C(<name>) was only created or has ended - it is started and proved if it is as wanted, else removed and made anew.
  - Both are there, and C(<name>) runs - it is proved if it is as wanted, and then the earlier one is removed. Else it is removed and made
    anew. This is also what is found if the run ended between the proof and the removal.
  - Both are there, and the earlier one runs too, started by somebody - as before. The earlier one is stopped before a new one is made, and
    before it is removed.
attributes:
  check_mode:
    support: full
    description: Says what would be done, and does nothing.
  diff_mode:
    support: full
    description: Shows the names, states and identities of the containers before and after.
  idempotent:
    support: full
    description: A second call changes nothing, except that O(state=aside) makes way for one more new container if there is one by then.
  platform:
    platforms: linux
    support: full
    description: The host has to be a Linux machine.
options:
  containers:
    description: Names of the containers. What is not there needs nothing.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(aside) - no container has the name, and the one that had it is kept as C(<name>-previous). If there is one of that name already,
        it is the one that was proved, so it is kept, and the container C(<name>) is removed.
      - V(committed) - C(<name>-previous) is gone. Fails, and keeps it, if C(<name>) does not run.
      - V(restored) - C(<name>-previous) has its name back and runs; what had the name is removed, and the last lines of its log are
        returned. Where there is no C(<name>-previous), nothing is done.
    type: str
    choices: [aside, committed, restored]
    required: true
  root:
    description: The stack's directory on the host. Its env files say what has to be masked.
    type: path
    required: true
  log_lines:
    description: How many last lines of the log of a removed container to return.
    type: int
    default: 50
requirements:
  - docker (Python package) >= 5.0.3
  - Docker Engine >= 20.10
"""

EXAMPLES = r"""
- name: Put the container of NSQ's daemon aside
  cozeops.studio.container_swap:
    root: /opt/cozeops/coze
    state: aside
    containers: [coze-nsqd]

# Here the new one is made, and proved by cozeops.studio.stack_ready.

- name: Remove the earlier containers
  cozeops.studio.container_swap:
    root: /opt/cozeops/coze
    state: committed
    containers: [coze-nsqd, coze-redis]

- name: Bring the earlier container back
  cozeops.studio.container_swap:
    root: /opt/cozeops/coze
    state: restored
    containers: [coze-nsqd]
"""

RETURN = r"""
swaps:
  description: What was done, or in check mode would be, for each container, in the order of O(containers).
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the container.
      type: str
    done:
      description: The steps that were taken, in words.
      type: list
      elements: str
    previous:
      description: Whether C(<name>-previous) was there when the module was called.
      type: bool
    problem:
      description: Why it did not come to its end; empty if it did.
      type: str
    refused:
      description: Whether that is because the new container does not run, which is a reason to bring the earlier one back.
      type: bool
    log:
      description: The last log lines of the container that was removed in favour of the earlier one, secrets masked.
      type: list
      elements: str
  sample: [{"name": "coze-nsqd", "done": ["stopped coze-nsqd", "renamed coze-nsqd to coze-nsqd-previous"], "previous": false,
            "problem": "", "refused": false, "log": []}]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect, inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._ready import LINE_LIMIT, tidy
from ansible_collections.cozeops.studio.plugins.module_utils._ready_engine import TROUBLE, DockerEngine
from ansible_collections.cozeops.studio.plugins.module_utils._redact import redact, stack_secrets
from ansible_collections.cozeops.studio.plugins.module_utils._swap import (
    STATES,
    Seen,
    Step,
    after,
    alive,
    as_text,
    complaint,
    previous_name,
    refusal,
    seen,
    steps,
    told,
)

DEFAULT_STOP_TIMEOUT = 10  # the Engine's own


def take(client: t.Any, step: Step) -> None:
    """One step, on the Engine. A container that is gone need not be removed."""
    if step.verb == "stop":
        info = inspect_or_none(client, step.container)
        timeout = (info or {}).get("Config", {}).get("StopTimeout")
        # Said, so that the client waits that long too.
        client.stop(step.container, timeout=DEFAULT_STOP_TIMEOUT if timeout is None else timeout)
    elif step.verb == "remove":
        if inspect_or_none(client, step.container) is not None:
            client.remove_container(step.container, v=False, force=True)
    elif step.verb == "rename":
        client.rename(step.container, step.to)
    elif step.verb == "policy":
        client.update_container(step.container, restart_policy={"Name": step.to, "MaximumRetryCount": 0})
    elif step.verb == "start":
        client.start(step.container)


def present(client: t.Any, name: str) -> dict[str, Seen]:
    """The container and its earlier one, by name, as far as they are there."""
    found = {candidate: seen(inspect_or_none(client, candidate)) for candidate in (name, previous_name(name))}
    return {candidate: container for candidate, container in found.items() if container is not None}


def swap(client: t.Any, name: str, params: t.Mapping[str, t.Any], clean: t.Callable[[str], str], check: bool) -> tuple[dict[str, t.Any], str, str]:
    """What was done for one container, and the two sides of its diff."""
    try:
        before = present(client, name)
    except TROUBLE as exc:
        problem = "%s could not be looked at: %s" % (name, clean(str(exc)))
        return {"name": name, "done": [], "previous": False, "problem": problem, "refused": False, "log": []}, "", ""
    current, previous, state = before.get(name), before.get(previous_name(name)), params["state"]
    refused = problem = refusal(state, name, current, previous)
    wanted = [] if refused else steps(state, name, current, previous)
    log = ""
    if state == "restored" and current and previous:
        log = DockerEngine(client).logs(name, params["log_lines"])
    taken: list[Step] = []
    for step in wanted:
        try:
            if not check:
                take(client, step)
            taken.append(step)
        except TROUBLE as exc:
            problem = complaint(step, clean(str(exc)))
            problem += go_on(client, state, step, current, clean)
            break
    result = {
        "name": name,
        "done": [told(step) for step in taken],
        "previous": previous is not None,
        "problem": problem,
        "refused": bool(refused),
        "log": [clean(line)[:LINE_LIMIT] for line in tidy(log, params["log_lines"])],
    }
    return result, as_text(before), as_text(after(taken, before))


def go_on(client: t.Any, state: str, failed: Step, current: Seen | None, clean: t.Callable[[str], str]) -> str:
    """A container that was stopped and then could not be put aside goes on under its name. What to add to the problem."""
    if state != "aside" or failed.verb != "rename" or current is None or not alive(current):
        return ""
    try:
        client.start(failed.container)
    except TROUBLE as exc:
        return " It is stopped, and could not be started again: %s" % clean(str(exc))
    return " It runs again."


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "containers": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": list(STATES), "required": True},
            "root": {"type": "path", "required": True},
            "log_lines": {"type": "int", "default": 50},
        },
        supports_check_mode=True,
    )
    params, check = module.params, module.check_mode
    secrets = stack_secrets(params["root"])

    def clean(text: str) -> str:
        return redact(text, secrets)

    try:
        client = connect()
    except EngineError as exc:
        if not check:
            module.fail_json(msg=str(exc))
        # Without an Engine there is no container, so there would be nothing to do.
        module.exit_json(changed=False, swaps=[], diff={"before": "", "after": ""})
    outcomes = [swap(client, name, params, clean, check) for name in dict.fromkeys(params["containers"])]
    swaps = [outcome for outcome, _before, _after in outcomes]
    result = {
        "changed": any(entry["done"] for entry in swaps),
        "swaps": swaps,
        "diff": {"before": "".join(before for _outcome, before, _after in outcomes), "after": "".join(later for _outcome, _before, later in outcomes)},
    }
    problems = [entry["problem"] for entry in swaps if entry["problem"]]
    if problems and not check:
        module.fail_json(msg="\n".join(problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
