# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: what a service's container needs, and why. Pure; the module stack_plan feeds it with what the Engine says.

An action is one of none, start, reload, restart, recreate (create counts as recreate), the later the stronger.
A reason is {"name", "current", "desired"}; for a secret both sides are words, never values.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._container import LABEL_CONFIG, LABEL_SERVICE, LABEL_STACK, nanoseconds
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed, same_recipe
from ansible_collections.cozeops.studio.plugins.module_utils._env_mask import MASK, mask
from ansible_collections.cozeops.studio.plugins.module_utils._swap import previous_name

Options = t.Mapping[str, t.Any]
Inspect = t.Mapping[str, t.Any]
Reason = dict[str, t.Any]
Entry = dict[str, t.Any]  # of a plan: {"action", "why"} and more

ACTIONS = ("none", "start", "reload", "restart", "recreate")
LABELS = (LABEL_STACK, LABEL_SERVICE)


class Property(t.NamedTuple):
    """One property of a container: what the options want, and what the Engine shows, in the same form."""

    name: str
    desired: t.Callable[[Options, Inspect], t.Any]
    current: t.Callable[[Inspect, Inspect], t.Any]


def stronger(one: str, other: str) -> str:
    return max(one, other, key=ACTIONS.index)


def env_pairs(pairs: t.Sequence[str] | None) -> dict[str, str]:
    """["A=1"] -> {"A": "1"}; a name without "=" is left out, as the Engine removes such a key."""
    return dict(pair.split("=", 1) for pair in pairs or [] if "=" in pair)


def mount_form(mount: t.Mapping[str, t.Any]) -> str:
    """Only binds are ever wanted: a mount of another type is shown with its type, and so equals nothing."""
    kind = "" if mount["Type"] == "bind" else mount["Type"] + " "
    return "%s%s:%s:%s" % (kind, mount.get("Source", ""), mount["Target"], "ro" if mount.get("ReadOnly") else "rw")


def mount_forms(mounts: t.Sequence[t.Mapping[str, t.Any]] | None) -> list[str]:
    return sorted(mount_form(mount) for mount in mounts or [])


def wanted_mounts(options: Options, image: Inspect) -> list[str]:
    return sorted("%s:%s:%s" % (mount["source"], mount["target"], "ro" if mount["read_only"] else "rw") for mount in options["mounts"])


def wanted_ports(options: Options, image: Inspect) -> list[str]:
    return sorted("%s/tcp" % port for port in options["published_ports"])


def port_forms(inspect: Inspect, image: Inspect) -> list[str]:
    bindings = inspect["HostConfig"].get("PortBindings") or {}
    forms = []
    for container_port, hosts in bindings.items():
        for host in hosts or []:
            address = host.get("HostIp") or "0.0.0.0"
            forms.append("%s:%s:%s" % ("[%s]" % address if ":" in address else address, host["HostPort"], container_port))
    return sorted(forms)


def wanted_healthcheck(options: Options, image: Inspect) -> dict[str, t.Any] | None:
    check = options.get("healthcheck")
    if check is None:
        return healthcheck_form(image, image)
    test = check["test"]
    return {
        "Test": ["CMD-SHELL", test] if isinstance(test, str) else list(test),
        "Interval": nanoseconds(check["interval"]),
        "Timeout": nanoseconds(check["timeout"]),
        "Retries": check["retries"],
        "StartPeriod": nanoseconds(check["start_period"]),
    }


def healthcheck_form(inspect: Inspect, image: Inspect) -> dict[str, t.Any] | None:
    check = inspect["Config"].get("Healthcheck")
    return check and {name: check.get(name) for name in ("Test", "Interval", "Timeout", "Retries", "StartPeriod") if name in check}


def ulimit_forms(inspect: Inspect, image: Inspect) -> list[str]:
    return sorted("%s:%s:%s" % (limit["Name"], limit["Soft"], limit["Hard"]) for limit in inspect["HostConfig"].get("Ulimits") or [])


def wanted_command(options: Options, image: Inspect) -> t.Any:
    """The image's command, unless the service says a command or an entrypoint."""
    if "command" in options:
        return options["command"]
    return None if "entrypoint" in options else image["Config"].get("Cmd")


def image_default(option: str, field: str) -> t.Callable[[Options, Inspect], t.Any]:
    """The option, or else what the image says."""
    return lambda options, image: options[option] if option in options else image["Config"].get(field)


def config(field: str, empty: t.Any = None) -> t.Callable[[Inspect, Inspect], t.Any]:
    return lambda inspect, image: inspect["Config"].get(field) or empty


def host_config(field: str, empty: t.Any = None) -> t.Callable[[Inspect, Inspect], t.Any]:
    return lambda inspect, image: inspect["HostConfig"].get(field) or empty


def option(name: str, empty: t.Any = None) -> t.Callable[[Options, Inspect], t.Any]:
    return lambda options, image: options.get(name, empty) or empty


def swap_by_hand(inspect: Inspect, image: Inspect) -> int | None:
    """The limit of memory and swap, if it is none that the Engine sets by itself: twice the memory, or none where the kernel counts no swap."""
    memory, swap = inspect["HostConfig"].get("Memory") or 0, inspect["HostConfig"].get("MemorySwap") or 0
    return None if swap in (0, -1, 2 * memory) else swap


#: What no service says. It is there only if somebody has changed the container, or made it anew, by hand.
UNSAID = {
    "cpu_shares": "CpuShares",
    "cpu_period": "CpuPeriod",
    "cpu_quota": "CpuQuota",
    "cpuset_cpus": "CpusetCpus",
    "cpuset_mems": "CpusetMems",
    "memory_reservation": "MemoryReservation",
    "blkio_weight": "BlkioWeight",
    "pid_mode": "PidMode",
    "devices": "Devices",
    "groups": "GroupAdd",
    "dns_servers": "Dns",
    "sysctls": "Sysctls",
    "volumes_from": "VolumesFrom",
}


#: Everything that options() can say, in the order in which reasons are told.
PROPERTIES = (
    Property("image", lambda options, image: image.get("Id"), lambda inspect, image: inspect["Image"]),
    Property("command", wanted_command, config("Cmd")),
    Property("entrypoint", image_default("entrypoint", "Entrypoint"), config("Entrypoint")),
    Property("user", lambda options, image: options.get("user", image["Config"].get("User") or ""), config("User", "")),
    Property("hostname", option("hostname"), config("Hostname")),
    Property("mounts", wanted_mounts, lambda inspect, image: mount_forms(inspect["HostConfig"].get("Mounts"))),
    Property("binds", lambda options, image: [], host_config("Binds", [])),
    Property("tmpfs", lambda options, image: dict(entry.split(":", 1) for entry in options["tmpfs"]), host_config("Tmpfs", {})),
    Property("published_ports", wanted_ports, port_forms),
    Property(
        "extra_hosts",
        lambda options, image: sorted("%s:%s" % pair for pair in options["etc_hosts"].items()),
        lambda inspect, image: sorted(inspect["HostConfig"].get("ExtraHosts") or []),
    ),
    Property("restart_policy", option("restart_policy", "no"), lambda inspect, image: inspect["HostConfig"]["RestartPolicy"]["Name"] or "no"),
    Property("memory", lambda options, image: int(options.get("memory", 0)), host_config("Memory", 0)),
    Property("cpus", lambda options, image: round(float(options.get("cpus", 0)) * 10**9), host_config("NanoCpus", 0)),
    Property("pids_limit", option("pids_limit", 0), lambda inspect, image: max(inspect["HostConfig"].get("PidsLimit") or 0, 0)),
    Property("ulimits", lambda options, image: sorted(options["ulimits"]), ulimit_forms),
    Property("cap_add", lambda options, image: sorted(options["capabilities"]), lambda inspect, image: capabilities(inspect, "CapAdd")),
    Property("cap_drop", lambda options, image: sorted(options["cap_drop"]), lambda inspect, image: capabilities(inspect, "CapDrop")),
    Property(
        "security_opts",
        lambda options, image: sorted(options["security_opts"]),
        lambda inspect, image: sorted(inspect["HostConfig"].get("SecurityOpt") or []),
    ),
    Property("privileged", option("privileged", False), host_config("Privileged", False)),
    Property("read_only", lambda options, image: False, host_config("ReadonlyRootfs", False)),
    Property("init", option("init", False), host_config("Init", False)),
    Property("stop_timeout", option("stop_timeout", 10), config("StopTimeout", 10)),
    Property(
        "stop_signal",
        lambda options, image: options.get("stop_signal") or image["Config"].get("StopSignal") or "SIGTERM",
        config("StopSignal", "SIGTERM"),
    ),
    Property("healthcheck", wanted_healthcheck, healthcheck_form),
    Property("log_driver", option("log_driver"), lambda inspect, image: inspect["HostConfig"]["LogConfig"]["Type"]),
    Property("log_options", option("log_options", {}), lambda inspect, image: inspect["HostConfig"]["LogConfig"].get("Config") or {}),
    Property(
        "labels",
        lambda options, image: {name: options["labels"][name] for name in LABELS},
        lambda inspect, image: {name: (inspect["Config"].get("Labels") or {}).get(name) for name in LABELS},
    ),
    Property("working_dir", lambda options, image: image["Config"].get("WorkingDir") or "", config("WorkingDir", "")),
    Property("memory_swap", lambda options, image: None, swap_by_hand),
    *(Property(name, lambda options, image: None, host_config(field)) for name, field in UNSAID.items()),
)


def capabilities(inspect: Inspect, field: str) -> list[str]:
    """Without the prefix CAP_, which newer Engines write."""
    return sorted(name[4:] if name.startswith("CAP_") else name for name in inspect["HostConfig"].get(field) or [])


def shown(value: t.Any) -> str:
    return "(none)" if value in (None, "", [], {}) else str(value)


def tag_moved(options: Options, inspect: Inspect, image: Inspect) -> bool:
    """True if the container was made from the same reference when it still meant another image."""
    return inspect["Config"].get("Image") == options["image"] and inspect["Image"] != image["Id"]


def property_reasons(options: Options, inspect: Inspect, image: Inspect, update_images: bool) -> list[Reason]:
    reasons = []
    for prop in PROPERTIES:
        if prop.name == "image" and not update_images and tag_moved(options, inspect, image):
            continue
        desired, current = prop.desired(options, image), prop.current(inspect, image)
        if desired != current and (desired or current):
            reasons.append({"name": prop.name, "current": shown(current), "desired": shown(desired)})
    return reasons


def env_reasons(env: t.Mapping[str, t.Any], inspect: Inspect, image: Inspect, key: str) -> list[Reason]:
    """Keys that are new, gone or different. ``env`` has a keyed digest in place of each secret."""
    current = env_pairs(inspect["Config"].get("Env"))
    masked = mask(current)
    desired: dict[str, t.Any] = {**env_pairs(image["Config"].get("Env")), **env}
    reasons = []
    for name in [*desired, *(name for name in current if name not in desired)]:
        want, have = desired.get(name), current.get(name)
        secret = isinstance(want, t.Mapping)
        if (secret and have is not None and t.cast("t.Mapping[str, str]", want)["hmac"] == keyed(key, have)) or want == have:
            continue
        if secret:
            reasons.append({"name": "env " + name, "current": "(not set)" if have is None else "(another secret)", "desired": "(secret)"})
        else:
            # What is no secret now, or no longer wanted, may have been one when it was set.
            silent = want is None or masked.get(name) == MASK
            told = "(not set)" if have is None else "(set)" if silent else have
            reasons.append({"name": "env " + name, "current": told, "desired": "(not set)" if want is None else want})
    return reasons


def network_reasons(options: Options, inspect: Inspect) -> list[Reason]:
    """Networks that are missing or too many, and aliases that are missing or too many."""
    current = inspect["NetworkSettings"].get("Networks") or {}
    # The Engine adds names of its own: these are nobody's wish and nobody's fault.
    own = {inspect["Id"][:12], inspect["Name"].lstrip("/"), inspect["Config"].get("Hostname")}
    desired = {network["name"]: set(network["aliases"]) - own for network in options["networks"]}
    reasons = []
    for name in sorted({*desired, *current}):
        if name not in current:
            reasons.append({"name": "network " + name, "current": "(not connected)", "desired": "connected"})
        elif name not in desired:
            reasons.append({"name": "network " + name, "current": "connected", "desired": "(not connected)"})
        else:
            aliases = set(current[name].get("Aliases") or []) - own
            if aliases != desired[name]:
                reasons.append({"name": "aliases on " + name, "current": shown(sorted(aliases)), "desired": shown(sorted(desired[name]))})
    return reasons


def file_reasons(
    service: t.Mapping[str, t.Any], on_host: t.Mapping[str, t.Mapping[str, t.Any]], since: float, made: float | None = None
) -> tuple[str, list[Reason]]:
    """What changed files ask for, and which they are. ``on_host`` has the trees' directories too, without a digest.

    ``on_host`` maps a path to {"digest", "mtime"} (seconds since the epoch); ``since`` is when the container last read its
    files, ``made`` when it was made, which is what counts for files that ask for another one [since]. A file that still
    differs will be written by this run; one that is younger than the container was written by a run that did not get to
    the restart.
    """
    action, reasons = "none", []
    limits = {"recreate": since if made is None else made}
    for path, digest in sorted(service["file_digests"].items()):
        wish = service["on_change"].get(path, "restart")
        found = on_host.get(path)
        if wish == "none" or (found is not None and found["digest"] == digest and found["mtime"] <= limits.get(wish, since)):
            continue
        action = stronger(action, wish)
        current = "(absent)" if found is None else "(read before it changed)" if found["digest"] == digest else "(other content)"
        reasons.append({"name": "file " + path, "current": current, "desired": "(read as it is now)"})
    for path, found in sorted(on_host.items()):
        # A directory is as old as the last file that was put into it or taken out of it.
        wish = next((wish for tree, wish in service["tree_changes"].items() if path == tree or path.startswith(tree + "/")), "none")
        if "digest" not in found and wish != "none" and not reasons and found["mtime"] > limits.get(wish, since):
            action = stronger(action, wish)
            reasons.append({"name": "directory " + path, "current": "(read before it changed)", "desired": "(read as it is now)"})
        elif "digest" in found and path not in service["file_digests"]:
            action = stronger(action, wish)
            reasons.append({"name": "file " + path, "current": "(no longer wanted)", "desired": "(absent)"})
    return action, reasons


def by_state(status: str) -> Entry:
    """What a container that is right needs in order to run, and why; ``status`` as the Engine has it."""
    if status == "running":
        return {"action": "none", "why": []}
    # One that ends again and again counts as started for the Engine.
    return {"action": "restart" if status == "restarting" else "start", "why": [{"name": "state", "current": status, "desired": "running"}]}


def plan_service(
    service: t.Mapping[str, t.Any],
    options: Options,
    inspect: Inspect | None,
    image: Inspect | None,
    files: tuple[str, list[Reason]],
    key: str,
    update_images: bool = False,
    origin: Inspect | None = None,
) -> dict[str, t.Any]:
    """{"action", "why"} of one service, and "moved" if its tag means another image by now, which is only told.

    ``inspect`` None: no container; ``image`` None: the Engine lacks the image. ``origin`` is the image that the container
    was made from, for a tag that has moved; None if it is gone.
    """
    if inspect is None:
        return {"action": "recreate", "why": [{"name": "container", "current": "(absent)", "desired": "running"}]}
    if image is None:
        return {"action": "recreate", "why": [{"name": "image", "current": inspect["Config"]["Image"], "desired": options["image"] + " (not on the host yet)"}]}
    # What a container has from its image is no wish of ours, so a moved tag alone must not make it differ.
    base = image if update_images or origin is None else origin
    why = [*property_reasons(options, inspect, base, update_images), *env_reasons(service["env"], inspect, base, key), *network_reasons(options, inspect)]
    label = (inspect["Config"].get("Labels") or {}).get(LABEL_CONFIG, "")
    if not why and same_recipe(label) and label != service["config"]:
        why.append({"name": "definition", "current": label, "desired": service["config"]})
    action, changed_files = files
    if why or action == "recreate":
        return {"action": "recreate", "why": [*why, *changed_files]}
    moved = {"moved": True} if tag_moved(options, inspect, image) else {}
    entry = by_state(inspect["State"]["Status"])
    # Whatever a changed file asks of a running container, starting does.
    return {"action": action if entry["action"] == "none" else entry["action"], "why": [*entry["why"], *changed_files], **moved}


def with_looks(plan: t.Mapping[str, Entry], services: t.Sequence[t.Mapping[str, t.Any]], starting: t.Mapping[str, int]) -> dict[str, Entry]:
    """The plan, with a restart of services that are likely to end, or have, before what they need is there.

    ``starting``: service -> how often its restart policy has started it, of those that have run for a short while and are not ready. Such a service may wait
    for long until its restart policy tries again, and until then nobody can tell it from one that will never be ready.
    """
    found = dict(plan)
    for service in services:
        entry, restarts = plan[service["name"]], starting.get(service["name"])
        if restarts is None or entry["action"] != "none":
            continue
        lacking = [other for other in service["depends_on"] if other in starting or found.get(other, {}).get("action", "none") != "none"]
        if restarts or lacking:
            told = ", started %d times by its restart policy" % restarts if restarts else " before %s" % ", ".join(lacking)
            reason = {"name": "state", "current": "running, not ready" + told, "desired": "ready"}
            found[service["name"]] = {**entry, "action": "restart", "why": [*entry["why"], reason]}
    return found


def with_swap(entry: t.Mapping[str, t.Any], name: str, exists: bool, previous: bool) -> dict[str, t.Any]:
    """The entry, with "replaces" if a container makes way for a new one, and "previous" if an earlier one is still kept.

    The latter is a reason by itself: the container ``name`` is not known to be good, so it has to be proved before the earlier one goes.
    """
    replaces = {"replaces": True} if exists and entry["action"] == "recreate" else {}
    if not previous:
        return {**entry, **replaces}
    reason = {"name": "container " + previous_name(name), "current": "kept by a run that did not end", "desired": "(absent, once %s is proved)" % name}
    return {**entry, "why": [*entry["why"], reason], **replaces, "previous": True}
