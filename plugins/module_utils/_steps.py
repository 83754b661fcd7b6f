# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a run on all hosts of a stack, and what each host has to do with them. Pure.

Steps and rounds are those of ``_definition.schedule`` and ``_definition.rounds``.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _definition

Model = t.Mapping[str, t.Any]
Step = t.Mapping[str, t.Any]
Ready = t.Mapping[str, t.Collection[str]]  # host -> services that were proved ready there in this run


def whole(model: Model, parts: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """The stack on all its hosts: {"services", "plan", "replicas", "data"}, services in order.

    parts: host -> its variables; the others are not of this run. replicas: service -> host -> its entry in the plan, where a service has several hosts; the
    plan has the one of them with most to do.
    """
    found: dict[str, t.Any] = {"services": {}, "plan": {}, "replicas": {}, "data": {}}
    for service, places in model["placement"].items():
        # A service that is not to be started, and does not run, has no plan.
        here = [host for host in places if host in parts and service in parts[host]["__stack_plan"]["plan"]]
        entries = {host: parts[host]["__stack_plan"]["plan"][service] for host in here}
        if here:
            found["services"][service] = parts[here[0]]["stack_model"]["services"][service]
            found["plan"][service] = max(entries.values(), key=lambda entry: entry["action"] != "none")
        if len(places) > 1:
            found["replicas"][service] = entries
    for part in parts.values():
        own = {entry["path"] for service in part["stack_model"]["services"].values() for entry in service["data"]}
        data = part["__stack_info"]["stack"]["data"]
        found["data"].update({path: data[path] for path in own if path in data})
    return found


def schedule(model: Model, plan: t.Mapping[str, t.Any], data: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Steps of a run; ``data`` is what stack_info says of the data directories. ``model`` may be what ``whole`` found."""
    services = model["services"]
    ledgers = {name: ledger_of(service, data) for name, service in services.items()}
    aside = {name: _definition.unfinished(service, data) for name, service in services.items()}
    steps = _definition.schedule(services, {name: entry["action"] for name, entry in plan.items()}, ledgers, aside)
    return _definition.spread(steps, services, plan, model.get("replicas", {}))


def ledger_of(service: t.Mapping[str, t.Any], data: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """The init part of the ledger in the stamp of the service's (first) data directory; empty data have no past."""
    for entry in service["data"]:
        found = data.get(entry["path"], {})
        if found.get("filled") and found.get("stamp"):
            return t.cast("t.Mapping[str, t.Any]", found["stamp"].get("init", {}))
    return {}


def untouched(model: Model, names: t.Sequence[str], steps: t.Sequence[Step]) -> list[str]:
    """Those of the named services that no step touches, nor anything that they depend on: what was proved before the steps holds after them."""
    touched = {step["service"] for step in steps if step.get("kind") != "route"}
    for name, service in model["services"].items():  # each comes after what it depends on
        if touched.intersection(service["depends_on"]):
            touched.add(name)
    return [name for name in names if name not in touched]


def step_line(step: Step) -> str:
    """What a run would do in this step."""
    if step["kind"] == "init":
        return "would run the init job %s of %s" % (step["job"]["name"], step["service"])
    if step["kind"] == "commit":
        return "would prove %s again, and remove its earlier container" % step["service"]
    aside = "".join("set %s aside, whose first start never finished, and " % path for path in step["set_aside"])
    return "would %s%s %s" % (aside, step["action"], step["service"])


def own_steps(steps: t.Sequence[Step], model: Model) -> list[Step]:
    """Those steps of ``schedule`` that start or initialise something on the model's host."""
    return [
        step for step in steps if step["kind"] != "route" and step["service"] in model["services"] and model["host"] in step.get("hosts", [model["host"]])
    ]


def own(rounds: t.Sequence[Step], model: Model) -> list[str]:
    """Services that these rounds start or initialise on the model's host."""
    mine = [step for step in rounds if step["kind"] != "route" and model["host"] in step.get("hosts", [model["host"]])]
    return [name for step in mine for name in step["services"] if name in model["services"]]


def proved(parts: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, list[str]]:
    """host -> services that were proved ready there in this run. ``parts``: host -> its variables; one with nothing to do has only its plan."""
    found = {}
    for host, part in parts.items():
        ready = part["__service_ready"] if "__service_ready" in part else part["__stack_plan"].get("ready", [])
        found[host] = [service for service in ready if service not in part.get("__service_failures", {})]
    return found


def blocked(rounds: t.Sequence[Step], model: Model, ready: Ready) -> dict[str, str]:
    """Services that these rounds would touch on the model's host, and may not, each with why."""
    everywhere = {service for services in ready.values() for service in services}
    found = {}
    for step in rounds:
        for name in own([step], model):
            before = [host for host in step.get("after", []) if name not in ready.get(host, ())]
            places = where(model)
            lacking = [other for other in model["services"][name]["depends_on"] if other in places and other not in everywhere]
            those = ", ".join("%s (%s)" % (other, places[other]) for other in lacking)
            if lacking:
                found[name] = "%s was not touched: it needs %s, not proved ready in this run." % (name, those)
            elif before:
                found[name] = "%s was not touched: the one on %s comes first, and was not proved ready in this run." % (name, ", ".join(before))
    return found


def with_users(names: t.Collection[str], model: Model) -> list[str]:
    """The named services, and those of the model that need one of them, directly or not."""
    found = list(names)
    for name, service in model["services"].items():  # each comes after what it depends on
        if name not in found and set(found).intersection(service["depends_on"]):
            found.append(name)
    return found


def where(model: Model) -> dict[str, str]:
    """service -> where it is, in words: the stack's own, and those that stores of the operator's stand for."""
    theirs = {name: "yours, %s" % store["place"] for store in model.get("external", {}).values() for name in store["replaces"]}
    return {**{name: "on %s" % ", ".join(hosts) for name, hosts in model["placement"].items()}, **theirs}


def turn(step: Step, model: Model, ready: Ready, held: t.Collection[str]) -> dict[str, list[str]]:
    """What the model's host has to do with a step: {"wait": services that others wait for, "services": those that it is the turn of}.

    ``held``: services that were blocked when it was their turn on this host.
    """
    mine = ready.get(model["host"], ())
    needed = [name for name in step["needs"] if name in model["services"] and name not in mine]
    if model["host"] in step.get("after", []):
        replica = step.get("of") or step["service"]
        needed += [replica] if replica not in {*mine, *held} else []
    if step["kind"] == "route":
        # One that is not going to be touched is not left out.
        stays = step["without"] and any(step["of"] not in ready.get(host, ()) for host in step["after"])
        return {"wait": needed, "services": [name for name in step["services"] if name in model["services"] and not stays]}
    out = blocked([step], model, ready)
    return {"wait": needed, "services": [name for name in own([step], model) if name not in out]}
