# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.cozeops.studio.plugins.module_utils import _container, _entry, _external, _plan_report, _published, _registry, _steps
from jinja2.exceptions import UndefinedError

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
    swarm: str,
    update_images: bool = False,
) -> dict[str, t.Any]:
    """{"lines", "summary", "changes"}, made of the results of stack_plan, stack_info and stack_model."""
    registry = model["image_source"] == "registry"
    steps = _steps.schedule(model, planned["plan"], info["stack"]["data"])
    around = _plan_report.Around(
        jobs=[(step["service"], step["job"]["name"]) for step in steps if step["kind"] == "init"],
        images=missing_images(model, info["images"]) if registry else planned["loading"],
        images_loaded=not registry,
        images_asked=registry and update_images,
        differences=planned["files"]["differences"],
        files_changed=planned["files"]["outdated"],
        network=model["network"] if makes_network else "",
        swarm=swarm,
        generated=resolved["generated"],
        adopted=resolved["adopted"],
        engine="" if info["engine"]["reachable"] else info["engine"]["error"],
    )
    return _plan_report.report(planned["plan"], planned["strangers"], around)._asdict()


def entry_ports(model: t.Mapping[str, t.Any]) -> list[int]:
    """Ports by which people use the stack on its host, the entry's first; none where other services run alone."""
    return [port["port"] for service in model["services"].values() for port in service["ports"] if port.get("variable") != _published.VARIABLE]


def inner_address(entry: t.Mapping[str, t.Any]) -> str:
    """Where the entry answers on its own host."""
    return _container.bracketed({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(entry["address"], entry["address"]))


def way_in(entry: t.Mapping[str, t.Any], local: bool, address: str, user: str, answers: bool = True, ports: t.Sequence[int] = ()) -> list[str]:
    """How to reach the entry from where the play ran, in the operator's words. ``answers``: an open entry was reached from there.

    ``ports`` are all that the stack publishes, the entry's first; the default is the entry's alone.
    """
    loopback = _entry.is_loopback(entry["host"])
    if local or (answers and not loopback):
        return ["Open %s" % entry["url"]]
    target = "%s@%s" % (user, address) if user else address
    inside, outside = inner_address(entry), _container.bracketed(address)
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


def private_address(variables: t.Mapping[str, t.Any]) -> str:
    """By what the other hosts of its stack reach a host: what is set, else the address that Ansible connects to, if it is one."""
    address = str(variables.get("ansible_host", ""))
    return str(variables.get("stack_private_address") or (address if _published.address_of(address) else ""))


def private_addresses(hosts: t.Sequence[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, str]:
    """host -> by what the other hosts of its stack reach it, "" for nothing that can be told."""
    return {host: told("", private_address, hostvars[host]) for host in hosts}


def port_in(variables: t.Mapping[str, t.Any]) -> int:
    return int(_entry.entry_of(variables.get("stack_public_url", DEFAULT_URL), variables.get("stack_listen", ""))["port"])


def told(else_: t.Any, ask: t.Callable[..., t.Any], *arguments: t.Any) -> t.Any:
    """The answer, or the other one where a variable is wrong or cannot be told."""
    try:
        return ask(*arguments)
    except (_entry.EntryError, AnsibleError, UndefinedError):
        return else_


def fleet(hosts: t.Sequence[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]], groups: t.Mapping[str, t.Sequence[str]]) -> dict[str, dict[str, t.Any]]:
    """host -> {"name" (of its stack), "port" (of its entry), "machine"}.

    What is wrong with a host is told by itself; here it has no name, the port 0, or is a machine of its own. So it is also with a variable that needs
    C(hostvars), which there are none of where variables of another host are asked for.
    """
    return {
        host: {
            "name": told("", _entry.stack_of, hostvars[host], groups),
            "port": told(0, port_in, hostvars[host]),
            "machine": told(host, machine_of, host, hostvars[host]),
        }
        for host in hosts
    }


def peers(every: t.Mapping[str, t.Mapping[str, t.Any]], me: str) -> list[dict[str, t.Any]]:
    """Other hosts that have to do with this one: [{"host", "name", "port" (both of its stack), "same_machine"}]. ``every`` is what ``fleet`` found."""
    if me not in every:
        return []
    mine = every[me]
    return [
        {"host": host, "name": theirs["name"], "port": theirs["port"], "same_machine": theirs["machine"] == mine["machine"]}
        for host, theirs in every.items()
        if host != me and (theirs["machine"] == mine["machine"] or theirs["name"] == mine["name"])
    ]


def first_of_machine(hosts: t.Sequence[str], every: t.Mapping[str, t.Mapping[str, t.Any]], me: str) -> bool:
    """Whether none of the hosts before this one is the same machine. ``every`` is what ``fleet`` found."""
    mine = every.get(me, {}).get("machine", me)
    return next(host for host in hosts if host == me or every.get(host, {}).get("machine") == mine) == me


def placement_groups(groups: t.Mapping[str, t.Sequence[str]], hosts: t.Sequence[str]) -> dict[str, list[str]]:
    """Groups that may say where a service runs, with those of these hosts that are in them."""
    found = {group: [host for host in members if host in hosts] for group, members in groups.items() if group.startswith("coze_")}
    return {group: members for group, members in found.items() if members}


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
                found[host] = {key: info[key] for key in ("stack", "containers", "engine", "cpu", "addresses", "network", "networks")}
    return found


def published_hint(parts: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """What hosts publish for other hosts of their stack, and for which. ``parts``: host -> its variables."""
    lines = []
    for part in parts.values():
        model = part["stack_model"]
        for port in model.get("published", []):
            others = ", ".join("%s (%s)" % (host, model["addresses"][host]) for host in port["for_hosts"])
            lines.append("  %s %s on %s for %s" % (port["service"], port["port"], model["addresses"][model["host"]], others))
    return ["Published for hosts of the stack, and for nobody else to reach (docs/distributed.md has the rules for a firewall):", *lines] if lines else []


def store_places(stores: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """The operator's own stores of a model, each with where it is."""
    return ["%s (%s)" % (kind, store["place"]) for kind, store in stores.items()]


def missing_images(model: t.Mapping[str, t.Any], images: t.Mapping[str, str]) -> list[str]:
    """Images of the model that the Engine does not have, each once."""
    return _container.missing_images(_external.images(model), images)


def systemd_word(text: str, command: bool = True) -> str:
    """A word of a unit's line, quoted so that systemd takes it as it is; in a ``command`` a dollar sign has a meaning too."""
    quoted = str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")
    return '"%s"' % (quoted.replace("$", "$$") if command else quoted)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "container_options": container_options,
            "entry_of": entry_of,
            "entry_ports": entry_ports,
            "facts_elsewhere": facts_elsewhere,
            "first_of_machine": first_of_machine,
            "fleet": fleet,
            "local_url": local_url,
            "missing_images": missing_images,
            "peers": peers,
            "placement_groups": placement_groups,
            "plan_lines": plan_lines,
            "plan_report": plan_report,
            "private_addresses": private_addresses,
            "probes": probes,
            "published_hint": published_hint,
            "registry_of": registry_of,
            "stack_hosts": stack_hosts,
            "stack_images": _external.images,
            "stack_name_of": stack_name_of,
            "store_places": store_places,
            "systemd_word": systemd_word,
            "way_in": way_in,
        }
