# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that can be known to go wrong before anything is changed. Pure: model and host facts in, sentences out."""

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._container import container_name, missing_images
from ansible_collections.cozeops.studio.plugins.module_utils._engine import MIN_API, api_tuple

Model = t.Mapping[str, t.Any]
Facts = t.Mapping[str, t.Any]

#: Without these, images of the given service end at once on such a machine.
CPU_NEEDS = {
    "mysql": ({"popcnt", "sse4_1", "sse4_2", "ssse3"}, "MySQL's image is made for x86-64-v2 processors (exit code 127 without it)"),
    "milvus": ({"sse4_2", "avx"}, "Milvus ends with exit code 132 on a processor without AVX"),
}


def gib(size: float) -> str:
    return "%.1f GiB" % (size / 1024**3)


def overlaps(one: str, other: str) -> bool:
    """Whether two listening addresses get in each other's way."""
    wild = {"0.0.0.0", "::", ""}
    return one == other or one in wild or other in wild


def free_port(taken: t.Collection[int], wanted: int) -> int:
    return next(port for port in [*range(wanted + 10, 65536), *range(1024, 65536)] if port not in taken)


def holder(port: t.Mapping[str, t.Any], facts: Facts) -> str | None:
    """Who has the port, in words; None if nobody has. A container is named rather than Docker's proxy for it."""
    for container in facts["containers"]:
        if container["state"] in ("running", "paused") and any(
            have["port"] == port["port"] and overlaps(have["address"], port["address"]) for have in container["ports"]
        ):
            return "container " + container["name"]
    for listener in facts["listeners"]:
        if listener["port"] == port["port"] and overlaps(listener["address"], port["address"]):
            return "%s (pid %s)" % (listener["process"] or "a process", listener["pid"] or "unknown")
    return None


def port_problems(model: Model, facts: Facts) -> t.Iterator[str]:
    taken = {listener["port"] for listener in facts["listeners"]} | {port for other in facts["neighbours"] for port in other["ports"]}
    own = {"container " + container_name(model["name"], name) for name in model["services"]}
    for name, service in model["services"].items():
        for port in service["ports"]:
            who = holder(port, facts)
            if who is None:
                who = next(("stack %s (in %s)" % (other["name"], other["root"]) for other in facts["neighbours"] if port["port"] in other["ports"]), None)
            if who is not None and who not in own:
                yield "%s cannot listen on %s port %s: it is taken by %s. Port %d is free: set it in %s." % (
                    container_name(model["name"], name),
                    port["address"],
                    port["port"],
                    who,
                    free_port(taken, port["port"]),
                    port.get("variable", "stack_public_url"),
                )


def engine_problems(facts: Facts, managed: bool) -> t.Iterator[str]:
    engine = facts["engine"]
    if not engine["reachable"]:
        if not managed:
            yield "%s. With engine_manage: false it must be there already." % engine["error"]
    elif api_tuple(engine["api_version"]) < MIN_API:
        yield "Docker Engine %s speaks API %s; at least %s (Engine 20.10) is needed. Upgrade the Engine." % (
            engine["version"],
            engine["api_version"],
            ".".join(str(part) for part in MIN_API),
        )


def image_problems(model: Model, facts: Facts) -> t.Iterator[str]:
    if model["image_source"] != "present" or not facts["engine"]["reachable"]:
        return
    lacking = missing_images([service["image"] for service in model["services"].values()], facts["images"])
    if lacking:
        yield "stack_image_source is present, but the host has no image %s. Load them, or set stack_image_source to registry." % ", ".join(lacking)


def size_problems(facts: Facts, memory_min: int, disk_min: int) -> t.Iterator[str]:
    total, free = facts["memory"]["total"], facts["disk"]["free"]
    if total < memory_min:
        yield "the host has %s of memory; %s are needed (stack_memory_min)." % (gib(total), gib(memory_min))
    if free < disk_min:
        yield "%s has %s of free space; %s are needed (stack_disk_min)." % (facts["disk"]["path"], gib(free), gib(disk_min))


def data_problems(model: Model, facts: Facts) -> t.Iterator[str]:
    for name, service in model["services"].items():
        for entry in service["data"]:
            found = facts["stack"]["data"].get(entry["path"])
            if not found:
                continue
            path = "%s/%s" % (model["root"], entry["path"])
            stamp = found["stamp"]
            mark = "%s/data/.%s.json" % (model["root"], entry["path"].rsplit("/", 1)[-1])
            if stamp and stamp.get("unreadable"):
                yield "%s, the stamp of %s, cannot be read. If those data are the stack's, write {\"stack\": \"%s\", \"service\": \"%s\"} into it." % (
                    mark,
                    path,
                    model["name"],
                    name,
                )
                continue
            if not found["filled"]:
                if stamp and stamp.get("init") and stamp.get("stack") == model["name"]:
                    yield "%s is empty, but the stack's data were there. Mount or restore them, or remove %s to begin anew." % (path, mark)
                continue
            if stamp is None:
                yield (
                    "%s holds data that this collection has not made (%s has no stamp for it). Move it away to begin with an empty %s,"
                    " or set stack_root to another directory." % (path, model["root"], name)
                )
            elif stamp.get("stack") != model["name"]:
                yield "%s belongs to the stack %s, not to %s. Set stack_name to that, or stack_root to another directory." % (
                    path,
                    stamp.get("stack"),
                    model["name"],
                )


def peer_problems(model: Model, peers: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[str]:
    """Other hosts of the inventory that get in this one's way: a second one of the stack, or one that is the same machine."""
    others = sorted(peer["host"] for peer in peers if peer["name"] == model["name"])
    if others:
        yield "the stack %s is given to %s as well: a stack has one host. Leave one, or give each a stack_name of its own." % (model["name"], ", ".join(others))
    for service in model["services"].values():
        for port in service["ports"]:
            for peer in peers:
                if peer["same_machine"] and peer["port"] == port["port"] and peer["name"] != model["name"]:
                    yield "stacks %s and %s both want port %s of this machine: give one of them another port in stack_public_url." % (
                        model["name"],
                        peer["name"],
                        port["port"],
                    )


def problems(
    model: Model, facts: Facts, managed: bool, memory_min: int, disk_min: int, peers: t.Sequence[t.Mapping[str, t.Any]] = ()
) -> list[str]:
    """All reasons not to begin."""
    return [
        *engine_problems(facts, managed),
        *image_problems(model, facts),
        *port_problems(model, facts),
        *peer_problems(model, peers),
        # A stack that is there already has to be reached most of all when its disk fills up.
        *([] if facts["stack"]["exists"] else size_problems(facts, memory_min, disk_min)),
        *data_problems(model, facts),
    ]


def warnings(model: Model, facts: Facts) -> list[str]:
    """What may go wrong, or was made to fit."""
    found = []
    cpu = facts["cpu"]
    if cpu["machine"] == "x86_64":
        for name, (flags, text) in CPU_NEEDS.items():
            if name in model["services"] and cpu["flags"] and not flags <= set(cpu["flags"]):
                found.append("the processor lacks %s. %s." % (", ".join(sorted(flags - set(cpu["flags"]))), text))
    if cpu["page_size"] != 4096:
        found.append(
            "the kernel's pages have %d bytes. Redis and Milvus images are built for 4096, and may end with 'Unsupported system page size'." % cpu["page_size"]
        )
    return found


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
