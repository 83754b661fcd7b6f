# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starting and stopping what is there, without making anything anew. Pure, but for ``read_kept``."""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _host
from ansible_collections.cozeops.studio.plugins.module_utils._container import container_name
from ansible_collections.cozeops.studio.plugins.module_utils._definition import in_waves
from ansible_collections.cozeops.studio.plugins.module_utils._plan import by_state

Model = t.Mapping[str, t.Any]
States = t.Mapping[str, str]  # container -> created, running, paused, restarting, exited, dead

#: What a container is in that has a process, or will have one again by itself.
ALIVE = ("running", "restarting")


def kept(model: Model) -> dict[str, t.Any]:
    """The model that a host keeps, as it was before it was written: with its services in order."""
    order = model.get("order") or sorted(model["placement"])
    return {**model, **{part: {name: model[part][name] for name in order if name in model[part]} for part in ("placement", "services")}}


class NoStack(Exception):
    """There is no stack in the directory; the text says so to the operator."""


def read_kept(root: str) -> dict[str, t.Any]:
    """The model that the host keeps in the stack's directory. Raises NoStack."""
    model = _host.load_json("%s/stack.json" % root)
    if not isinstance(model, dict):
        raise NoStack("there is no %s/stack.json: no stack was deployed there" % root)
    return kept(model)


def unknown(model: Model, chosen: t.Sequence[str]) -> str:
    """What is wrong with the services that the operator has named, "" for nothing."""
    strangers = [name for name in chosen if name not in model["placement"]]
    if not strangers:
        return ""
    near = difflib.get_close_matches(strangers[0], model["placement"], n=1)
    return "stack_services: the stack %s has no service %s%s It has %s." % (
        model["name"],
        " and no ".join(strangers),
        ", did you mean %s?" % near[0] if near else ".",
        ", ".join(model["placement"]),
    )


def states(containers: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, str]:
    return {each["name"]: each["state"] for each in containers}


def absent(model: Model, there: States, chosen: t.Sequence[str]) -> list[str]:
    """Services on the model's host that have no container, among those chosen (or all)."""
    return [name for name in model["services"] if (not chosen or name in chosen) and container_name(model["name"], name) not in there]


def startable(model: Model, there: States, chosen: t.Sequence[str]) -> dict[str, t.Any]:
    """The model with those services that are chosen (or all) or that run. What is left out cannot be waited for, and nothing that needs it is started."""

    def counts(name: str) -> bool:
        return not chosen or name in chosen or there.get(container_name(model["name"], name)) in ALIVE

    return {**model, "services": {name: service for name, service in model["services"].items() if counts(name)}}


def plan(model: Model, there: States, chosen: t.Sequence[str]) -> dict[str, dict[str, t.Any]]:
    """As stack_plan has it, of services that are started, made if they have no container, or left alone as they run. ``model`` is what ``startable`` found."""
    found = {}
    for name in model["services"]:
        state = there.get(container_name(model["name"], name), "")
        if chosen and name not in chosen:
            found[name] = by_state("running")
        else:
            found[name] = by_state(state) if state else {"action": "recreate", "why": [{"name": "container", "current": "(absent)", "desired": "running"}]}
    return found


def stop_waves(models: t.Sequence[Model], chosen: t.Sequence[str]) -> list[list[str]]:
    """Services in the order in which they are stopped, those side by side that do not need each other. ``models``: of all hosts of the stack."""
    services: dict[str, t.Any] = {}
    for name in models[0]["placement"] if models else ():
        services.update((name, model["services"][name]) for model in models if name in model["services"])
    waves: list[list[str]] = []
    for name in reversed(in_waves(services)):
        if chosen and name not in chosen:
            continue
        # A wave ends where one is needed by one that is still to be stopped in it.
        if waves and not any(name in services[other]["depends_on"] for other in waves[-1]):
            waves[-1].append(name)
        else:
            waves.append([name])
    return waves


def writers(models: t.Sequence[Model]) -> list[str]:
    """Services that keep nothing themselves and write into those that do: they need one, however far. ``models``: of all hosts of the stack."""
    services = {name: service for model in models for name, service in model["services"].items()}

    def stores_below(name: str) -> bool:
        return any(services[other]["data"] or stores_below(other) for other in services[name]["depends_on"] if other in services)

    return [name for name, service in services.items() if not service["data"] and stores_below(name)]


def to_stop(model: Model, there: States, wave: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """{"service", "container" (as container_batch takes it)} of those of the wave that are on the model's host and not stopped."""
    return [
        {"service": name, "container": {"name": container_name(model["name"], name), "stop_timeout": model["services"][name]["stop_timeout"]}}
        for name in wave
        if name in model["services"] and there.get(container_name(model["name"], name)) in (*ALIVE, "paused")
    ]
