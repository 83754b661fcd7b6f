# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.cozeops.studio.plugins.module_utils import _container, _definition, _entry, _placement, _plan_report, _registry

#: As in the defaults of role stack, for a host whose defaults are not loaded.
DEFAULT_URL = "http://127.0.0.1:8888"


def stack_name_of(group_names: t.Sequence[str], groups: t.Mapping[str, t.Sequence[str]]) -> str:
    try:
        return _entry.stack_name_of(group_names, groups)
    except _entry.EntryError as exc:
        raise AnsibleFilterError(str(exc)) from exc


def entry_of(url: str, listen: str = "") -> dict[str, t.Any]:
    try:
        return _entry.entry_of(url, listen)
    except _entry.EntryError as exc:
        raise AnsibleFilterError(str(exc)) from exc


def registry_of(reference: str) -> str:
    return _registry.parse(reference).registry


def schedule(model: t.Mapping[str, t.Any], plan: t.Mapping[str, t.Any], data: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
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


def container_options(service: t.Mapping[str, t.Any], model: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return _container.options(model, service)


def probes(model: t.Mapping[str, t.Any], names: t.Sequence[str], patience: float = 0) -> list[dict[str, t.Any]]:
    """What stack_ready is to watch: the named services, in the model's order, each for ``patience`` seconds at least."""
    return [
        {
            "name": name,
            "container": _container.container_name(model["name"], name),
            "probe": service["probe"],
            "ready_timeout": max(float(service["ready_timeout"]), patience) if patience else service["ready_timeout"],
        }
        for name, service in model["services"].items()
        if name in names
    ]


def untouched(model: t.Mapping[str, t.Any], names: t.Sequence[str], steps: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Those of the named services that no step touches, nor anything that they depend on: what was proved before the steps holds after them."""
    touched = {step["service"] for step in steps if step.get("kind") != "route"}
    for name, service in model["services"].items():  # each comes after what it depends on
        if touched.intersection(service["depends_on"]):
            touched.add(name)
    return [name for name in names if name not in touched]


def step_line(step: t.Mapping[str, t.Any]) -> str:
    """What a run would do in this step."""
    if step["kind"] == "init":
        return "would run the init job %s of %s" % (step["job"]["name"], step["service"])
    if step["kind"] == "commit":
        return "would prove %s again, and remove its earlier container" % step["service"]
    aside = "".join("set %s aside, whose first start never finished, and " % path for path in step["set_aside"])
    return "would %s%s %s" % (aside, step["action"], step["service"])


def plan_lines(plan: t.Mapping[str, t.Any], strangers: t.Sequence[str] = ()) -> list[str]:
    """A line per service that is touched, with the reasons, one for all the others, and one for containers of services that are no more.

    A service that is as wanted, but was not proved before its run ended, is to be committed.
    """
    lines = []
    for name, entry in plan.items():
        if entry["action"] != "none" or entry.get("previous"):
            why = "; ".join("%s: %s -> %s" % (reason["name"], reason["current"], reason["desired"]) for reason in entry["why"])
            lines.append("%-14s %-9s %s" % (name, "commit" if entry["action"] == "none" else entry["action"], why))
        elif entry.get("moved"):
            lines.append("%-14s %-9s %s" % (name, "none", "its tag means another image by now; set stack_images_update: true to take it"))
    untouched = [name for name, entry in plan.items() if entry["action"] == "none" and not entry.get("previous")]
    lines += ["untouched      " + ", ".join(untouched)] if untouched else []
    return lines + (["left alone     not in the stack any more: " + ", ".join(strangers)] if strangers else [])


def plan_report(
    model: t.Mapping[str, t.Any],
    planned: t.Mapping[str, t.Any],
    info: t.Mapping[str, t.Any],
    resolved: t.Mapping[str, t.Any],
    makes_network: bool,
    update_images: bool = False,
) -> dict[str, t.Any]:
    """{"lines", "summary", "changes"}, made of the results of stack_plan, stack_info and stack_model."""
    registry = model["image_source"] == "registry"
    steps = schedule(model, planned["plan"], info["stack"]["data"])
    around = _plan_report.Around(
        jobs=[(step["service"], step["job"]["name"]) for step in steps if step["kind"] == "init"],
        images=missing_images(model, info["images"]) if registry else planned["loading"],
        images_loaded=not registry,
        images_asked=registry and update_images,
        differences=planned["files"]["differences"],
        files_changed=planned["files"]["outdated"],
        network=model["network"] if makes_network else "",
        generated=resolved["generated"],
        adopted=resolved["adopted"],
        engine="" if info["engine"]["reachable"] else info["engine"]["error"],
    )
    return _plan_report.report(planned["plan"], planned["strangers"], around)._asdict()


def bracketed(address: str) -> str:
    """The address as it stands before a colon and a port."""
    return "[%s]" % address if ":" in address else address


def inner_address(entry: t.Mapping[str, t.Any]) -> str:
    """Where the entry answers on its own host."""
    return bracketed({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(entry["address"], entry["address"]))


def way_in(entry: t.Mapping[str, t.Any], local: bool, address: str, user: str, answers: bool = True, ports: t.Sequence[int] = ()) -> list[str]:
    """How to reach the entry from where the play ran, in the operator's words. ``answers``: an open entry was reached from there.

    ``ports`` are all that the stack publishes, the entry's first; the default is the entry's alone.
    """
    loopback = _entry.is_loopback(entry["host"])
    if local or (answers and not loopback):
        return ["Open %s" % entry["url"]]
    target = "%s@%s" % (user, address) if user else address
    inside, outside = inner_address(entry), bracketed(address)
    forward = " ".join("-L %s:%s:%s" % (port, inside, port) for port in ports or [entry["port"]])
    tunnel = "  ssh -N %s %s      and open http://127.0.0.1:%s" % (forward, target, entry["port"])
    if not loopback:
        return [
            "%s does not answer from here: a firewall, a name that leads elsewhere, or a proxy that is not set up yet. Until then:" % entry["url"],
            tunnel,
        ]
    return [
        "%s answers on the host itself only. From here:" % entry["url"],
        tunnel,
        "To open it to others, set stack_public_url to the address by which they know the host, such as http://%s:%s" % (outside, entry["port"]),
    ]


def local_url(entry: t.Mapping[str, t.Any]) -> str:
    """The entry as the stack's own host reaches it, whatever name or proxy people use."""
    return "http://%s:%s" % (inner_address(entry), entry["port"])


def machine_of(host: str, variables: t.Mapping[str, t.Any]) -> str:
    """What tells whether two inventory names are one machine: the address that Ansible connects to, or the local one."""
    local = variables.get("ansible_connection") in ("local", "ansible.builtin.local")
    return "localhost" if local else str(variables.get("ansible_host", host))


def peers(hosts: t.Sequence[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]], groups: t.Mapping[str, t.Sequence[str]], me: str) -> list[dict[str, t.Any]]:
    """Other hosts of the inventory: [{"host", "name" (of its stack), "port" (of its entry), "same_machine"}]."""
    found = []
    for host in hosts:
        theirs = hostvars[host]
        if host != me:
            entry = entry_of(theirs.get("stack_public_url", DEFAULT_URL), theirs.get("stack_listen", ""))
            name = theirs.get("stack_name") or stack_name_of(theirs["group_names"], groups)
            same = machine_of(host, theirs) == machine_of(me, hostvars[me])
            found.append({"host": host, "name": name, "port": entry["port"], "same_machine": same})
    return found


def first_of_machine(hosts: t.Sequence[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]], me: str) -> bool:
    """Whether no host before this one is the same machine."""
    mine = machine_of(me, hostvars[me])
    return next(host for host in hosts if host == me or machine_of(host, hostvars[host]) == mine) == me


def stack_hosts(found: t.Sequence[t.Mapping[str, t.Any]], hosts: t.Sequence[str], me: str, name: str) -> list[str]:
    """Hosts of the stack of that name, in the inventory's order; ``found`` is what ``peers`` found."""
    own = {me, *(peer["host"] for peer in found if peer["name"] == name)}
    return [host for host in hosts if host in own] or [me]


def facts_elsewhere(hosts: t.Sequence[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]], me: str) -> dict[str, t.Any]:
    """host -> what stack_info found there that matters to the whole stack, of those other hosts that were asked in this run."""
    found = {}
    for host in hosts:
        if host != me and "__stack_info" in hostvars[host]:
            info = hostvars[host]["__stack_info"]
            if "stack" in info:
                found[host] = {key: info[key] for key in ("stack", "containers", "engine", "cpu")}
    return found


def whole(model: t.Mapping[str, t.Any], parts: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """The stack on all its hosts: {"services", "plan", "replicas", "data"}, services in order.

    parts: host -> its variables; the others are not of this run. replicas: service -> host -> its entry in the plan, where a service has several hosts; the
    plan has the one of them with most to do.
    """
    found: dict[str, t.Any] = {"services": {}, "plan": {}, "replicas": {}, "data": {}}
    for service, places in model["placement"].items():
        here = [host for host in places if host in parts]
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


def proved(parts: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, list[str]]:
    """host -> services that were proved ready there in this run. ``parts``: host -> its variables; one with nothing to do has only its plan."""
    found = {}
    for host, part in parts.items():
        ready = part["__service_ready"] if "__service_ready" in part else part["__stack_plan"].get("ready", [])
        found[host] = [service for service in ready if service not in part.get("__service_failures", {})]
    return found


def own_steps(steps: t.Sequence[t.Mapping[str, t.Any]], model: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    """Those steps of ``schedule`` that start or initialise something on the model's host."""
    return [
        step for step in steps if step["kind"] != "route" and step["service"] in model["services"] and model["host"] in step.get("hosts", [model["host"]])
    ]


def own(rounds: t.Sequence[t.Mapping[str, t.Any]], model: t.Mapping[str, t.Any]) -> list[str]:
    """Services that these rounds start or initialise on the model's host."""
    mine = [step for step in rounds if step["kind"] != "route" and model["host"] in step.get("hosts", [model["host"]])]
    return [name for step in mine for name in step["services"] if name in model["services"]]


def blocked(rounds: t.Sequence[t.Mapping[str, t.Any]], model: t.Mapping[str, t.Any], ready: t.Mapping[str, t.Collection[str]]) -> dict[str, str]:
    """Services that these rounds would touch on the model's host, and may not, each with why. ``ready``: host -> services that were proved in this run."""
    everywhere = {service for services in ready.values() for service in services}
    found = {}
    for step in rounds:
        for name in own([step], model):
            before = [host for host in step.get("after", []) if name not in ready.get(host, ())]
            lacking = [other for other in model["services"][name]["depends_on"] if other in model["placement"] and other not in everywhere]
            those = ", ".join("%s (on %s)" % (other, ", ".join(model["placement"][other])) for other in lacking)
            if lacking:
                found[name] = "%s was not touched: it needs %s, not proved ready in this run." % (name, those)
            elif before:
                found[name] = "%s was not touched: the one on %s comes first, and was not proved ready in this run." % (name, ", ".join(before))
    return found


def turn(
    step: t.Mapping[str, t.Any], model: t.Mapping[str, t.Any], ready: t.Mapping[str, t.Collection[str]], held: t.Collection[str]
) -> dict[str, list[str]]:
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


def missing_images(model: t.Mapping[str, t.Any], images: t.Mapping[str, str]) -> list[str]:
    """Images of the model that the Engine does not have, each once."""
    return _container.missing_images([service["image"] for service in model["services"].values()], images)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "blocked": blocked,
            "container_options": container_options,
            "entry_of": entry_of,
            "facts_elsewhere": facts_elsewhere,
            "first_of_machine": first_of_machine,
            "ledger_of": ledger_of,
            "local_url": local_url,
            "missing_images": missing_images,
            "peers": peers,
            "own": own,
            "own_steps": own_steps,
            "plan_lines": plan_lines,
            "plan_report": plan_report,
            "probes": probes,
            "proved": proved,
            "registry_of": registry_of,
            "replica_alias": _placement.replica_alias,
            "rounds": _definition.rounds,
            "schedule": schedule,
            "stack_hosts": stack_hosts,
            "stack_name_of": stack_name_of,
            "turn": turn,
            "step_line": step_line,
            "untouched": untouched,
            "way_in": way_in,
            "whole": whole,
        }
