# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Swapping a container for a new one: the steps from what is there to what is wanted. Pure; the module container_swap takes them.

The names are all the memory there is: the earlier container is called ``<name>-previous`` from its stop until the new one is proved. So a run
that was killed anywhere leaves something that the next one understands.
"""

from __future__ import annotations

import typing as t

Inspect = t.Mapping[str, t.Any]

STATES = ("aside", "committed", "restored")

#: What every container of a stack has (see _container.options), so what an earlier one gets back.
RESTART_POLICY = "unless-stopped"


class Step(t.NamedTuple):
    """One call of the Engine. ``to``: the new name, or the new restart policy."""

    verb: str  # stop, remove, rename, policy, start
    container: str
    to: str = ""


class Seen(t.NamedTuple):
    """A container as far as a swap is concerned."""

    identity: str
    status: str
    policy: str


def previous_name(name: str) -> str:
    """What a container is called while its successor is not proved."""
    return name + "-previous"


def seen(inspect: Inspect | None) -> Seen | None:
    if inspect is None:
        return None
    return Seen(inspect["Id"], inspect["State"]["Status"], (inspect["HostConfig"].get("RestartPolicy") or {}).get("Name") or "no")


def alive(container: Seen) -> bool:
    """Whether it runs, or would run again by itself."""
    return container.status in ("running", "paused", "restarting")


def stopping(name: str, container: Seen) -> list[Step]:
    return [Step("stop", name)] if alive(container) else []


def steps(state: str, name: str, current: Seen | None, previous: Seen | None) -> list[Step]:
    """The steps to one of STATES. ``current`` is called ``name``, ``previous`` is its earlier one; None if there is none."""
    return {"aside": aside, "committed": committed, "restored": restored}[state](name, current, previous)


def aside(name: str, current: Seen | None, previous: Seen | None) -> list[Step]:
    """Make room for a new one. Of two, the one that was proved is kept."""
    kept = previous_name(name)
    if current is not None and previous is not None:
        return [*stopping(name, current), Step("remove", name), *aside(name, None, previous)]
    if current is not None:
        # The name first: what has it is understood by the next run. The policy, since the Engine starts others than unless-stopped at its own start.
        return [*stopping(name, current), Step("rename", name, kept), *resting(kept, current)]
    return [*stopping(kept, previous), *resting(kept, previous)] if previous is not None else []


def resting(name: str, container: Seen) -> list[Step]:
    return [Step("policy", name, "no")] if container.policy != "no" else []


def committed(name: str, current: Seen | None, previous: Seen | None) -> list[Step]:
    """Let go of the earlier one. See ``refusal`` before."""
    kept = previous_name(name)
    return [*stopping(kept, previous), Step("remove", kept)] if previous is not None else []


def restored(name: str, current: Seen | None, previous: Seen | None) -> list[Step]:
    """Take the new one away, and have the earlier one run under its name."""
    if previous is None:
        return []
    kept = previous_name(name)
    away = [*stopping(name, current), Step("remove", name)] if current is not None else []
    policy = [Step("policy", kept, RESTART_POLICY)] if previous.policy != RESTART_POLICY else []
    return [*away, *policy, Step("rename", kept, name), *([] if previous.status == "running" else [Step("start", name)])]


def refusal(state: str, name: str, current: Seen | None, previous: Seen | None) -> str:
    """Why the steps may not be taken; "" if they may. Nobody lets go of the earlier container while the new one does not run."""
    if state == "committed" and previous is not None and (current is None or current.status != "running"):
        found = "does not exist" if current is None else "is %s" % current.status
        return "%s %s, so %s is kept" % (name, found, previous_name(name))
    return ""


def after(taken: t.Iterable[Step], containers: t.Mapping[str, Seen]) -> dict[str, Seen]:
    """What the steps make of the containers, by name."""
    result = dict(containers)
    for step in taken:
        container = result.pop(step.container)
        if step.verb == "rename":
            result[step.to] = container
        elif step.verb == "stop":
            result[step.container] = container._replace(status="exited")
        elif step.verb == "start":
            result[step.container] = container._replace(status="running")
        elif step.verb == "policy":
            result[step.container] = container._replace(policy=step.to)
    return result


def as_text(containers: t.Mapping[str, Seen]) -> str:
    """One side of the diff: a line per container."""
    return "".join("%s: %s, container %s\n" % (name, container.status, container.identity[:12]) for name, container in sorted(containers.items()))


def told(step: Step) -> str:
    """A step that was taken, in words."""
    words = {
        "stop": "stopped %s" % step.container,
        "remove": "removed %s" % step.container,
        "rename": "renamed %s to %s" % (step.container, step.to),
        "policy": "gave %s the restart policy %s" % (step.container, step.to),
        "start": "started %s" % step.container,
    }
    return words[step.verb]


def complaint(step: Step, error: str) -> str:
    """A step that failed, and what to do."""
    words = {
        "stop": "could not be stopped",
        "remove": "could not be removed",
        "rename": "could not be renamed to %s" % step.to,
        "policy": "could not be given the restart policy %s" % step.to,
        "start": "could not be started",
    }
    return "%s %s: %s. Cure that and run the playbook again; it goes on from here." % (step.container, words[step.verb], error.rstrip("."))
