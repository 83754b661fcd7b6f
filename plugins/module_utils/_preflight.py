# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that can be known to go wrong before anything is changed. Pure: model and host facts in, checks or sentences out."""

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _external, _placement, _published, _swarm
from ansible_collections.cozeops.studio.plugins.module_utils._check import FAIL, WARN, Check, fail, ok, sentences, warn
from ansible_collections.cozeops.studio.plugins.module_utils._container import container_name, missing_images
from ansible_collections.cozeops.studio.plugins.module_utils._engine import MIN_API, api_tuple
from ansible_collections.cozeops.studio.plugins.module_utils._preflight_host import host_checks

Model = t.Mapping[str, t.Any]
Facts = t.Mapping[str, t.Any]
Checks = t.Iterator[Check]


def overlaps(one: str, other: str) -> bool:
    """Whether two listening addresses get in each other's way."""
    wild = {"0.0.0.0", "::", ""}
    return one == other or one in wild or other in wild


def meets(port: t.Mapping[str, t.Any], others: t.Iterable[t.Mapping[str, t.Any]]) -> bool:
    return any(other["port"] == port["port"] and overlaps(other["address"], port["address"]) for other in others)


def free_port(taken: t.Collection[int], wanted: int) -> int:
    return next(port for port in [*range(wanted + 10, 65536), *range(1024, 65536)] if port not in taken)


def holder(port: t.Mapping[str, t.Any], facts: Facts) -> str | None:
    """Who has the port, in words; None if nobody has. A container is named rather than Docker's proxy for it."""
    for container in facts["containers"]:
        if container["state"] in ("running", "paused") and meets(port, container["ports"]):
            return "container " + container["name"]
    for listener in facts["listeners"]:
        if meets(port, [listener]):
            return "%s (pid %s)" % (listener["process"] or "a process", listener["pid"] or "unknown")
    return None


def port_checks(model: Model, facts: Facts) -> Checks:
    taken = {listener["port"] for listener in facts["listeners"]} | {port["port"] for other in facts["neighbours"] for port in other["ports"]}
    own = {"container " + container_name(model["name"], name) for name in model["services"]}
    for name, service in model["services"].items():
        for port in service["ports"]:
            who = holder(port, facts)
            if who is None:
                who = next(("stack %s (in %s)" % (other["name"], other["root"]) for other in facts["neighbours"] if meets(port, other["ports"])), None)
            row = "port %s of %s" % (port["port"], name)
            if who is not None and who not in own:
                yield fail(
                    "port",
                    row,
                    "%s cannot listen on %s port %s: it is taken by %s." % (container_name(model["name"], name), port["address"], port["port"], who),
                    "Port %d is free: set it in %s." % (free_port(taken, port["port"]), port.get("variable", "stack_public_url")),
                )
            else:
                yield ok("port", row, "%s %s" % (port["address"], "has the stack's own container" if who else "is free"))


def name_checks(model: Model, facts: Facts) -> Checks:
    """Containers of others that have the name of one of the stack's: a run would take them for earlier ones of its own, and remove them."""
    own = {container_name(model["name"], name) for name in model["services"]}
    for name in sorted(each["name"] for each in facts["containers"] if each["name"] in own and not each["stack"]):
        yield fail(
            "container",
            name,
            "there is a container %s which is not of this collection." % name,
            "adopt.yml makes a stack of an installation that others have made, with its data. Otherwise rename or remove it, or set another stack_name.",
        )


def engine_check(facts: Facts, managed: bool) -> Check:
    area, name = "engine", "Docker Engine"
    engine = facts["engine"]
    if not engine["reachable"]:
        if managed:
            return ok(area, name, "will be provided (%s)" % engine["error"])
        return fail(area, name, engine["error"] + ".", "With engine_manage: false it must be there already.")
    if api_tuple(engine["api_version"]) < MIN_API:
        return fail(
            area,
            name,
            "Docker Engine %s speaks API %s; at least %s (Engine 20.10) is needed."
            % (engine["version"], engine["api_version"], ".".join(str(part) for part in MIN_API)),
            "Upgrade the Engine.",
        )
    return ok(area, name, "%s, API %s" % (engine["version"], engine["api_version"]))


def lacking_images(model: Model, facts: Facts) -> list[str]:
    return missing_images(_external.images(model), facts["images"])


def image_checks(model: Model, facts: Facts) -> Checks:
    if model["image_source"] != "present" or not facts["engine"]["reachable"]:
        return
    lacking = lacking_images(model, facts)
    if lacking:
        yield fail(
            "image",
            "images",
            "stack_image_source is present, but the host has no image %s." % ", ".join(lacking),
            "Load them, or set stack_image_source to registry.",
        )
    else:
        yield ok("image", "images", "all are there")


def data_checks(model: Model, facts: Facts) -> Checks:
    for name, service in model["services"].items():
        for entry in service["data"]:
            found = facts["stack"]["data"].get(entry["path"])
            if found:
                yield data_check(model, name, entry["path"], found)


def data_check(model: Model, name: str, place: str, found: t.Mapping[str, t.Any]) -> Check:
    path = "%s/%s" % (model["root"], place)
    stamp = found["stamp"]
    mark = "%s/data/.%s.json" % (model["root"], place.rsplit("/", 1)[-1])
    area, row = "data", "data of " + name
    if stamp and stamp.get("unreadable"):
        return fail(
            area,
            row,
            "%s, the stamp of %s, cannot be read." % (mark, path),
            "If those data are the stack's, write {\"stack\": \"%s\", \"service\": \"%s\"} into it." % (model["name"], name),
        )
    if not found["filled"]:
        if stamp and stamp.get("init") and stamp.get("stack") == model["name"]:
            return fail(
                area, row, "%s is empty, but the stack's data were there." % path, "Mount or restore them, or remove %s to begin anew." % mark
            )
        return ok(area, row, "%s is empty" % path)
    if stamp is None:
        return fail(
            area,
            row,
            "%s holds data that this collection has not made (%s has no stamp for it)." % (path, model["root"]),
            "Move it away to begin with an empty %s, or set stack_root to another directory." % name,
        )
    if stamp.get("stack") != model["name"]:
        return fail(
            area,
            row,
            "%s belongs to the stack %s, not to %s." % (path, stamp.get("stack"), model["name"]),
            "Set stack_name to that, or stack_root to another directory.",
        )
    return ok(area, row, "%s is the stack's own" % path)


def peer_checks(model: Model, peers: t.Sequence[t.Mapping[str, t.Any]]) -> Checks:
    """Other hosts of the inventory that get in this one's way, as they are the same machine."""
    others = sorted(peer["host"] for peer in peers if peer["name"] == model["name"] and peer["same_machine"])
    if others:
        yield fail(
            "inventory",
            "hosts of the stack",
            "the stack %s is given to %s as well, which is the same machine." % (model["name"], ", ".join(others)),
            "Leave one, or give each a stack_name of its own.",
        )
    for service in model["services"].values():
        for port in service["ports"]:
            for peer in peers:
                if peer["same_machine"] and peer["port"] == port["port"] and peer["name"] != model["name"]:
                    yield fail(
                        "inventory",
                        "port %s" % port["port"],
                        "stacks %s and %s both want port %s of this machine:" % (model["name"], peer["name"], port["port"]),
                        "give one of them another port in stack_public_url.",
                    )


def stack_checks(model: Model, facts: Facts, elsewhere: t.Mapping[str, Facts]) -> list[Check]:
    """What only shows when all hosts of a stack are looked at. ``elsewhere``: host -> what is known of the others."""
    if not elsewhere and len(model["hosts"]) < 2:
        return []
    area, row, every = "stack", "hosts of the stack", {model["host"]: facts, **elsewhere}
    running = {host: [each["service"] for each in one["containers"] if each["stack"] == model["name"]] for host, one in every.items()}
    data = {
        host: [
            state["stamp"]["service"]
            for state in one["stack"]["data"].values()
            if state["filled"] and state["stamp"] and state["stamp"].get("stack") == model["name"]
        ]
        for host, one in every.items()
    }
    found = [fail(area, row, sentence, "") for sentence in _placement.moved(model["name"], model["placement"], running, data)]
    idle = [host for host in every if host not in model["hosts"]]
    if idle:
        cure = "Put it into a group such as coze_milvus, give it a stack_name of its own, or take it out of the stack."
        found.append(fail(area, row, "no service of the stack %s is to run on %s." % (model["name"], ", ".join(idle)), cure))
    if model["network_kind"] == "bridge" and len(model["hosts"]) > 1:
        problem = "stack_network is bridge, which does not reach from %s." % " to ".join(model["hosts"])
        found.append(fail(area, row, problem, "Set it to overlay, or to published."))
    if model["network_kind"] == "published":
        local = {host: one["addresses"] for host, one in every.items()}
        found += [fail(area, row, sentence, "") for sentence in _published.problems(model["hosts"], model.get("addresses", {}), local)]
    used = {host: one for host, one in every.items() if host in model["hosts"]}
    if model["network_kind"] == "overlay":
        swarms = {host: one["engine"]["swarm"] for host, one in used.items() if one["engine"]["reachable"]}
        found += [fail(area, row, sentence, "") for sentence in _swarm.problems(model["hosts"], swarms)]
        if not any(model["network"] in one["networks"] for one in used.values()):
            found += overlay_range(model, {host: one["network"] for host, one in used.items()})
    found += alike(area, "processors", {host: one["cpu"]["machine"] for host, one in used.items()}, "An image may not run on all of them.")
    versions = {host: ".".join(one["engine"]["version"].split(".")[:2]) for host, one in used.items() if one["engine"]["reachable"]}
    found += alike(area, "Engine versions", versions, "They can work together; keep them near each other.")
    return found or [ok(area, row, ", ".join(model["hosts"]))]


def overlay_range(model: Model, networks: t.Mapping[str, Facts]) -> Checks:
    """Whether the addresses of the overlay that is to be made are others' on one of the hosts."""
    chosen = model["network_subnet"]
    crossed = _swarm.crossed(chosen or _swarm.FIRST_NETWORKS, networks)
    if crossed:
        what = "stack_network_subnet is %s" % chosen if chosen else "a Swarm takes networks from 10.0.1.0/24 on"
        yield (fail if chosen else warn)(
            "network",
            "the overlay",
            "%s, and hosts have routes there: %s" % (what, "; ".join(crossed)),
            "What they lead to could not be reached from containers: set stack_network_subnet to a range that nothing else uses.",
        )


def alike(area: str, row: str, values: t.Mapping[str, str], harm: str) -> list[Check]:
    """A warning where hosts differ."""
    if len(set(values.values())) < 2:
        return []
    return [warn(area, row, "the hosts differ: %s." % ", ".join("%s has %s" % pair for pair in values.items()), harm)]


def checks(
    model: Model, facts: Facts, managed: bool, memory_min: int, disk_min: int, peers: t.Sequence[t.Mapping[str, t.Any]] = ()
) -> list[Check]:
    """Everything that the facts tell, each a row; those that fail are the reasons not to begin."""
    return [
        engine_check(facts, managed),
        *image_checks(model, facts),
        *name_checks(model, facts),
        *port_checks(model, facts),
        *peer_checks(model, peers),
        *host_checks(model, facts, memory_min, disk_min, bool(lacking_images(model, facts))),
        *data_checks(model, facts),
    ]


def problems(
    model: Model, facts: Facts, managed: bool, memory_min: int, disk_min: int, peers: t.Sequence[t.Mapping[str, t.Any]] = ()
) -> list[str]:
    """All reasons not to begin."""
    return sentences(checks(model, facts, managed, memory_min, disk_min, peers), FAIL)


def warnings(model: Model, facts: Facts) -> list[str]:
    """What may go wrong."""
    return sentences(checks(model, facts, True, 0, 0), WARN)


def fit_ulimits(model: t.MutableMapping[str, t.Any], facts: Facts) -> list[str]:
    """Lower limits of open files that the Engine could not grant (a container over it does not start); say which."""
    limit = facts["system"]["open_files_limit"]
    found = []
    for name, service in model["services"].items():
        wanted = service["ulimits"].get("nofile")
        if limit is not None and wanted is not None and wanted > limit:
            service["ulimits"] = {**service["ulimits"], "nofile": limit}
            found.append("%s: open files lowered from %d to %d, the limit of the Docker Engine on this host." % (name, wanted, limit))
    return found
