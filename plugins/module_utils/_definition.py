# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Service definitions: what roles say of their services, checked, expanded and put in order.

Roles write definitions (see docs/service-definition.md); the result is the ``services`` part of the stack model,
which holds no secret's value: a secret is ``{"hmac": "<64 hex digits>"}``.
"""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._digest import canonical, keyed

Definition = t.Mapping[str, t.Any]
Service = dict[str, t.Any]
Step = dict[str, t.Any]
Entry = t.Mapping[str, t.Any]

#: Every field of a definition, with the value that it has when a role does not write it.
FIELDS: dict[str, t.Any] = {
    "name": None,
    "releases": None,
    "image": None,
    "command": None,
    "entrypoint": None,
    "user": None,
    "env": {},
    "env_keys": [],
    "env_exclude": [],
    "data": [],
    "files": [],
    "trees": [],
    "chat_models": None,
    "mounts": [],
    "tmpfs": {},
    "ports": [],
    "aliases": [],
    "offers": [],
    "depends_on": {},
    "replicas": False,
    "front": None,
    "memory": None,
    "cpus": None,
    "pids_limit": None,
    "ulimits": {},
    "cap_add": [],
    "extra_hosts": {},
    "stop_timeout": 10,
    "stop_signal": None,
    "healthcheck": None,
    "probe": [],
    "ready_timeout": 120,
    "reload": None,
    "init": [],
}

#: A tag or a digest at the end of an image reference. Without one, the Engine means and lists the tag latest.
TAGGED = re.compile(r"(:[^/:]+|@sha256:[0-9a-f]+)$")

CONDITIONS = ("ready", "initialised")
ON_CHANGE = ("none", "reload", "restart", "recreate")
SIZE = re.compile(r"^(\d+)([kmg]?)b?$", re.IGNORECASE)
UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


class DefinitionError(ValueError):
    """A definition that cannot be used; the text names the service and the field."""


def size_in_bytes(value: t.Any, where: str) -> int | None:
    """"768m" -> 805306368; None stays None. Raises DefinitionError."""
    if value is None:
        return None
    match = SIZE.match(str(value).strip())
    if match is None:
        raise DefinitionError("%s: %r is not a size. Write a whole number with k, m or g behind it, such as 768m." % (where, value))
    return int(match.group(1)) * UNITS[match.group(2).lower()]


def complete(definition: Definition) -> Service:
    """The definition with every field, or DefinitionError for a field that does not exist."""
    name = definition.get("name")
    if not name:
        raise DefinitionError("a service definition without a name: %r" % (definition,))
    for field in definition:
        if field not in FIELDS:
            near = difflib.get_close_matches(field, FIELDS, n=1)
            raise DefinitionError("service %s: unknown field %r%s" % (name, field, ", did you mean %r?" % near[0] if near else ""))
    service = {field: definition.get(field, default) for field, default in FIELDS.items()}
    for other, condition in service["depends_on"].items():
        if condition not in CONDITIONS:
            raise DefinitionError("service %s: depends_on %s: %r is none of %s" % (name, other, condition, ", ".join(CONDITIONS)))
    for entry in [*service["files"], *service["trees"]]:
        if entry.get("on_change", "restart") not in ON_CHANGE:
            raise DefinitionError("service %s: %s: on_change %r is none of %s" % (name, entry.get("path"), entry["on_change"], ", ".join(ON_CHANGE)))
    service["memory"] = size_in_bytes(service["memory"], "service %s: memory" % name)
    return service


def select(definitions: t.Iterable[Definition], release: str, wanted: t.Sequence[str] | None) -> list[Service]:
    """Completed definitions of the release, in order; with ``wanted``, only those services.

    Raises DefinitionError for a wanted service that the release does not have.
    """
    services = [complete(definition) for definition in definitions if release in (definition.get("releases") or [release])]
    names = [service["name"] for service in services]
    unknown = [name for name in wanted or [] if name not in names]
    if unknown:
        raise DefinitionError("stack_services: release %s has no service %s. It has %s." % (release, ", ".join(unknown), ", ".join(names)))
    return [service for service in services if not wanted or service["name"] in wanted]


def check_order(services: t.Sequence[Service]) -> None:
    """Raise DefinitionError if a service stands before one that it depends on: the order is the schedule."""
    seen: set[str] = set()
    names = {service["name"] for service in services}
    for service in services:
        late = [other for other in service["depends_on"] if other in names and other not in seen]
        if late:
            raise DefinitionError("service %s depends on %s, which comes later in the order" % (service["name"], ", ".join(late)))
        seen.add(service["name"])


def image_reference(key: str, table: t.Mapping[str, str], overrides: t.Mapping[str, str], prefix: str) -> str:
    """The image of a release-table key: the operator's as it is, else the table's behind the mirror's prefix."""
    if key in overrides:
        return overrides[key] if TAGGED.search(overrides[key]) else overrides[key] + ":latest"
    if key not in table:
        raise DefinitionError("no image is known for %r: set stack_images: {%s: name:tag}" % (key, key))
    return (prefix.rstrip("/") + "/" if prefix else "") + table[key]


def environment(service: Service, env: t.Mapping[str, str], expand: t.Callable[[str, t.Mapping[str, str], str], str]) -> dict[str, str]:
    """The container's own environment: its keys of the stack's env, then its literals, expanded against that env."""
    keys = list(env) if service["env_keys"] == "all" else service["env_keys"]
    own = {key: env[key] for key in keys if key in env and key not in service["env_exclude"]}
    for key, template in service["env"].items():
        own[key] = expand(str(template), env, "service %s: env %s" % (service["name"], key))
    return own


def hide(env: t.Mapping[str, str], secret_names: t.Collection[str], key: str) -> dict[str, t.Any]:
    """The environment as the model shows it: a secret is its keyed digest."""
    return {name: {"hmac": keyed(key, value)} if value and name in secret_names else value for name, value in env.items()}


def job_digest(key: str, service: Service, job: t.Mapping[str, t.Any], files: t.Mapping[str, str]) -> str:
    """What an init job was given: its own words and the digests of every file under its inputs."""
    inputs = {path: digest for path, digest in files.items() if any(path == root or path.startswith(root + "/") for root in job.get("inputs", []))}
    return keyed(key, canonical({"job": {name: value for name, value in job.items() if name != "digest"}, "service": service["name"], "inputs": inputs}))


def unfinished(service: t.Mapping[str, t.Any], data: t.Mapping[str, t.Any]) -> list[str]:
    """Data directories whose first start was cut short: begun by us, filled, and no init job ever got done on them.

    Only those that are marked ``first_start: atomic``: their software can neither go on with them nor begin again in them.
    ``data`` is what stack_info says of the data directories.
    """
    paths = [entry["path"] for entry in service["data"] if entry.get("first_start") == "atomic"]
    found = {path: data.get(path) or {} for path in paths}
    return [path for path, state in found.items() if state.get("filled") and state.get("stamp") and not state["stamp"].get("init")]


def schedule(
    services: t.Mapping[str, Service], actions: t.Mapping[str, str], ledgers: t.Mapping[str, t.Any], aside: t.Mapping[str, t.Sequence[str]]
) -> list[Step]:
    """The steps of a run, in order: starts, and the init jobs that are due, each with the services it waits for.

    Services start in waves, each in the order given: first those that depend on nothing, then those that depend on these, and so on. So what the next wave
    waits for has had the time of a whole wave to get ready. A service's init jobs come right before the first service that needs it initialised, those of
    the store that was started last first, as the order begins with the slowest ones; jobs that nobody waits for come last. A service whose action is none
    has no step. A start names the data directories that are to be set aside before it. ``ledgers`` maps a service to
    its ledger's ``init`` part ({job: {"digest": …}}), ``aside`` to what ``unfinished`` found of it.
    """
    due = {
        name: [job for job in service["init"] if ledgers.get(name, {}).get(job["name"], {}).get("digest") != job["digest"]]
        for name, service in services.items()
    }
    steps: list[Step] = []

    def flush(name: str) -> None:
        for job in due.pop(name, []):
            steps.append({"kind": "init", "service": name, "job": job, "needs": [name], "role": services[name]["role"]})

    for name in in_waves(services):
        service = services[name]
        for other in reversed(list(services)):
            if service["depends_on"].get(other) == "initialised":
                flush(other)
        if actions.get(name, "none") != "none":
            steps.append(
                {
                    "kind": "start",
                    "service": name,
                    "action": actions[name],
                    "needs": [other for other in service["depends_on"] if other in services],
                    "set_aside": list(aside.get(name, [])) if actions[name] in ("start", "recreate") else [],
                }
            )
    for name in list(due):
        flush(name)
    return steps


def runs(entry: t.Mapping[str, t.Any]) -> bool:
    """Whether the plan's entry is of a service that serves now, and will until its turn comes."""
    return entry["action"] in ("none", "reload", "restart") or bool(entry.get("replaces"))


def spread(
    steps: t.Sequence[Step], services: t.Mapping[str, Service], plan: t.Mapping[str, Entry], replicas: t.Mapping[str, t.Mapping[str, Entry]]
) -> list[Step]:
    """The steps of ``schedule``, with a start of a service that has several hosts as one step per host, one after another.

    Such a step names its C(hosts), and in C(after) the hosts whose replica has to be ready first. Those that are new come first, so that they can stand in for
    the others. Before one that serves is touched, the service that passes requests to it (its C(front)) is told to leave it out, by a step of the kind
    C(route) with C(without), and after the last one to take all. ``plan``: service -> entry; ``replicas``: service -> host -> entry.
    """
    found: list[Step] = []
    for step in steps:
        entries = replicas.get(step["service"]) if step["kind"] == "start" else None
        if entries is None:
            found.append(step)
            continue
        front = services[step["service"]]["front"]
        passes = front in plan and runs(plan[front])
        due = sorted((host for host in entries if entries[host]["action"] != "none"), key=lambda host: runs(entries[host]))
        after: list[str] = []
        route = {"kind": "route", "service": front, "services": [front], "of": step["service"], "needs": []}
        for host in due:
            if passes and runs(entries[host]):
                found.append({**route, "without": host, "after": after})
            found.append({**step, "action": entries[host]["action"], "hosts": [host], "after": after})
            after = [host]
        if passes and any(runs(entries[host]) for host in due):
            found.append({**route, "without": "", "after": after})
    return found


def rounds(steps: t.Sequence[Step], swaps: t.Collection[str]) -> list[Step]:
    """The steps of ``schedule``, with starts in a row that can be done side by side as one step of the kind C(make): {"kind", "services", "needs"}.

    These are services that get a container without having had one, and that do not need each other. A step that stays by itself names its
    C(services) too, and an init step its job by name. ``swaps`` are the services whose earlier container has to be put aside first.
    """
    found: list[Step] = []
    for step in steps:
        if step["kind"] == "init":
            # Without the digest of its job, which is another one in each stack: what is the same on all hosts is taken side by side.
            found.append({**step, "job": step["job"]["name"], "services": [step["service"]]})
        elif step["kind"] == "route":
            found.append(step)
        elif step["action"] != "recreate" or step["set_aside"] or step["service"] in swaps or "hosts" in step:
            found.append({**step, "services": [step["service"]]})
        elif found and found[-1]["kind"] == "make" and not set(step["needs"]).intersection(found[-1]["services"]):
            last = found[-1]
            needs = [*last["needs"], *(other for other in step["needs"] if other not in last["needs"])]
            found[-1] = {**last, "services": [*last["services"], step["service"]], "needs": needs}
        else:
            found.append({"kind": "make", "services": [step["service"]], "needs": step["needs"]})
    return found


def in_waves(services: t.Mapping[str, Service]) -> list[str]:
    """The names, each behind all that depend on less; ``services`` are in a right order."""
    waves: dict[str, int] = {}
    for name, service in services.items():
        waves[name] = 1 + max((waves[other] for other in service["depends_on"] if other in waves), default=0)
    return sorted(services, key=waves.__getitem__)
