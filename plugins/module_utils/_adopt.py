# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An installation that was made by hand or by Docker Compose: which container is which service, what it uses, and what changes when it becomes a stack.

Pure: what the Engine says of containers and the definitions of services in, findings in words out. Private to this collection.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._container import LABEL_STACK, container_name, published
from ansible_collections.cozeops.studio.plugins.module_utils._definition import image_reference, select
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed
from ansible_collections.cozeops.studio.plugins.module_utils._env_readers import godotenv_value
from ansible_collections.cozeops.studio.plugins.module_utils._preflight import meets
from ansible_collections.cozeops.studio.plugins.module_utils._secrets import Secret

Inspect = t.Mapping[str, t.Any]
Service = t.Mapping[str, t.Any]
Found = dict[str, t.Any]

#: What is put behind the name of a container that was adopted.
KEPT = "-before-adopt"
COMPOSE_SERVICE = "com.docker.compose.service"
COMPOSE_PROJECT = "com.docker.compose.project"
#: The name that the Engine gives to a volume for which nobody has one.
NAMELESS = re.compile("[0-9a-f]{64}")
#: How many names are told of a kind.
SHOWN = 12


def services_of(
    definitions: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]], release: str, images: t.Mapping[str, t.Mapping[str, str]], own: t.Mapping[str, str]
) -> list[dict[str, t.Any]]:
    """What is looked for, of all services of the release, in order. ``images``: release -> key -> reference; ``own``: the operator's images."""
    selected = [service for listed in definitions.values() for service in select(listed, release, None)]
    return [
        {
            "name": service["name"],
            "images": {line: table[service["image"]] for line, table in images.items() if service["image"] in table},
            "wanted": image_reference(service["image"], images[release], own, ""),
            "names": sorted({service["name"], *service["aliases"]}),
            "data": [data_of(service, entry) for entry in service["data"]],
            "trees": [{"path": tree["path"], "target": target_of(service, tree["path"])} for tree in service["trees"] if target_of(service, tree["path"])],
            "env_file": next((target_of(service, file["path"]) for file in service["files"] if "env_form" in file), ""),
            "env_keys": service["env_keys"],
            "env_exclude": service["env_exclude"],
            "stop_timeout": int(service["stop_timeout"]),
            # "8880:8888" is another port for other hosts.
            "ports": [int(str(offer).rsplit(":", 1)[-1]) for offer in service["offers"]],
        }
        for service in selected
    ]


def target_of(service: Service, path: str) -> str:
    """Where a path of the stack is in the container, "" if it is not mounted."""
    for mount in service["mounts"]:
        if path == mount["source"] or path.startswith(mount["source"] + "/"):
            return str(mount["target"]) + path[len(mount["source"]) :]
    return ""


def data_of(service: Service, entry: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        "service": service["name"],
        "path": entry["path"],
        "target": target_of(service, entry["path"]),
        "owner": int(entry["owner"]),
        "group": int(entry["group"]),
        "mode": entry.get("mode", "0700"),
        "made_with": entry.get("made_with", {}),
        "convert": entry.get("convert", {}),
    }


# -- which container is which service


def repository(image: str) -> str:
    """The last part of an image's name: mirrors and namespaces change, as bitnami/ became bitnamilegacy/."""
    return image.partition("@")[0].rsplit("/", 1)[-1].partition(":")[0]


def tag(image: str) -> str:
    return image.partition("@")[0].rsplit("/", 1)[-1].partition(":")[2]


def name_of(inspect: Inspect) -> str:
    return str(inspect["Name"]).lstrip("/")


def labels_of(inspect: Inspect) -> t.Mapping[str, str]:
    return inspect["Config"].get("Labels") or {}


def names_of(inspect: Inspect) -> set[str]:
    """All names by which others know the container, or that Compose knows it by."""
    networks = (inspect.get("NetworkSettings") or {}).get("Networks") or {}
    aliases = {alias for network in networks.values() for alias in (network or {}).get("Aliases") or []}
    return {name_of(inspect), labels_of(inspect).get(COMPOSE_SERVICE, ""), *aliases} - {""}


def strangers(containers: t.Iterable[Inspect]) -> list[Inspect]:
    """Containers that are not of this collection, and were not adopted before."""
    return [each for each in containers if LABEL_STACK not in labels_of(each) and not name_of(each).endswith(KEPT)]


def candidates(service: Service, services: t.Sequence[Service], containers: t.Sequence[Inspect]) -> list[Inspect]:
    """Containers that may be the service: by image where no other service has that image too, and by name. Where names tell, they decide."""
    repositories = {repository(image) for image in service["images"].values()}
    alone = not any(other is not service and repositories & {repository(image) for image in other["images"].values()} for other in services)
    named = [each for each in containers if names_of(each) & set(service["names"])]
    right = [each for each in named if repository(each["Config"]["Image"]) in repositories]
    if right or named:
        return right or named
    return [each for each in containers if alone and repository(each["Config"]["Image"]) in repositories]


def match(services: t.Sequence[Service], containers: t.Sequence[Inspect], chosen: t.Mapping[str, str]) -> tuple[dict[str, Inspect], list[str]]:
    """(service -> its container, what is wrong). ``chosen``: the operator's choice, service -> name of a container."""
    found: dict[str, Inspect] = {}
    by_name = {name_of(each): each for each in containers}
    known = [service["name"] for service in services]
    problems = [
        "stack_adopt_containers: this release has no service %s. It has %s." % (name, ", ".join(known)) for name in chosen if name not in known
    ]
    for service in services:
        name = service["name"]
        if name in chosen:
            if chosen[name] in by_name:
                found[name] = by_name[chosen[name]]
            else:
                problems.append("stack_adopt_containers: %s: there is no container %s that is not a stack's on this host." % (name, chosen[name]))
            continue
        maybe = [each for each in candidates(service, services, containers) if name_of(each) not in chosen.values()]
        if len(maybe) > 1:
            problems.append(
                "%s may be any of the containers %s. Say which: set stack_adopt_containers: {%s: %s}."
                % (name, ", ".join(sorted(map(name_of, maybe))), name, sorted(map(name_of, maybe))[0])
            )
        elif maybe:
            found[name] = maybe[0]
    for container in sorted({name_of(each) for each in found.values()}):
        users = [name for name, each in found.items() if name_of(each) == container]
        if len(users) > 1:
            problems.append("The container %s may be %s. Set stack_adopt_containers for each." % (container, " and ".join(users)))
    return found, problems


def line_problem(service: Service, inspect: Inspect, release: str) -> str:
    """What is wrong with the container's image as that of the release, "" for nothing."""
    image, images = str(inspect["Config"]["Image"]), service["images"]
    same = [line for line in images if repository(images[line]) == repository(image)]
    tagged = [line for line in same if tag(images[line]) == tag(image)]
    others = tagged or same
    if not others or release in others:
        return ""
    return (
        "The container %s runs %s, which is of release %s, and stack_source is a tree of release %s. Set stack_source to a tree of the release that runs; "
        "upgrade.yml goes on from there." % (name_of(inspect), image, " or ".join(others), release)
    )


# -- what it uses


def environment(inspect: Inspect, file_text: str = "") -> dict[str, str]:
    """The environment of the container; of a file that the server reads by itself, what that does not have."""
    pairs = (str(item).partition("=") for item in inspect["Config"].get("Env") or [])
    return {**read_dotenv(file_text), **{key: value for key, _sign, value in pairs}}


def read_dotenv(text: str) -> dict[str, str]:
    """As the server's own reader takes a file; lines that it refuses are left out."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, sign, rest = line.strip().partition("=")
        key = key.strip().removeprefix("export ").strip()
        value = godotenv_value(rest, found) if sign and key and not key.startswith("#") else None
        if value is not None:
            found[key] = value
    return found


def ports_of(inspect: Inspect) -> list[dict[str, t.Any]]:
    """[{"address", "port"}] that the container publishes, also when it does not run."""
    bindings = (inspect.get("HostConfig") or {}).get("PortBindings") or {}
    pairs = {(bound.get("HostIp") or "0.0.0.0", int(bound["HostPort"])) for listed in bindings.values() for bound in listed or [] if bound.get("HostPort")}
    return [{"address": address, "port": port} for address, port in sorted(pairs)]


def place_of(target: str, mounts: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """{"kind": bind, volume, layer or split, "source", "volume"} of what is at the target in a container."""
    inside = [mount for mount in mounts if mount["Destination"].startswith(target + "/")]
    holding = [mount for mount in mounts if target == mount["Destination"] or target.startswith(mount["Destination"].rstrip("/") + "/")]
    if inside:
        return {"kind": "split", "source": inside[0]["Destination"], "volume": ""}
    if not holding:
        return {"kind": "layer", "source": "", "volume": ""}
    mount = max(holding, key=lambda each: len(each["Destination"]))
    return {
        "kind": mount["Type"] if mount["Type"] in ("bind", "volume") else "layer",
        "source": str(mount.get("Source") or "") + target[len(mount["Destination"].rstrip("/")) :],
        "volume": mount.get("Name") or "",
    }


def describe(service: Service, inspect: Inspect, file_text: str = "") -> Found:
    """What there is to know of a service's container. It has secrets in it (``env``)."""
    host = inspect.get("HostConfig") or {}
    policy = host.get("RestartPolicy") or {}
    mounts = inspect.get("Mounts") or []
    return {
        "service": service["name"],
        "container": name_of(inspect),
        "id": inspect["Id"],
        "image": inspect["Config"]["Image"],
        "state": inspect["State"]["Status"],
        "policy": {"Name": policy.get("Name") or "no", "MaximumRetryCount": policy.get("MaximumRetryCount") or 0},
        "privileged": bool(host.get("Privileged")),
        "user": inspect["Config"].get("User") or "",
        "networks": sorted((inspect.get("NetworkSettings") or {}).get("Networks") or {}),
        "ports": ports_of(inspect),
        "project": labels_of(inspect).get(COMPOSE_PROJECT, ""),
        "env": environment(inspect, file_text),
        "whole": service["env_keys"] == "all",
        "names": service["names"],
        "env_exclude": service["env_exclude"],
        "stop_timeout": service["stop_timeout"],
        "offers": service["ports"],
        "data": [{**entry, **place_of(entry["target"], mounts)} for entry in service["data"]],
    }


def container_problem(inspect: t.Mapping[str, t.Any]) -> str:
    """Why a container cannot be put aside and brought back, "" if it can."""
    name = name_of(inspect)
    if (inspect.get("HostConfig") or {}).get("AutoRemove"):
        return "The container %s was started with --rm: stopped, it would be gone, and its volumes with it. Make it anew without that." % name
    if "com.docker.swarm.service.id" in ((inspect.get("Config") or {}).get("Labels") or {}):
        return "The container %s is one of a Swarm service, which would start another one. Make it anew with docker run." % name
    return ""


def data_problem(entry: t.Mapping[str, t.Any], container: str) -> str:
    """What is in the way of taking a data directory, "" for nothing.

    ``entry`` has also "filled" (whether anything is there), "taken" (whether something else is where it is to go), "foreign" (how a volume is no directory)
    and "inside" (whether it is below the stack's directory already).
    """
    if not entry["filled"] and not entry["foreign"]:
        return ""
    where = "The data of %s (%s in the container %s)" % (entry["service"], entry["target"], container)
    if entry["kind"] == "layer":
        return "%s are in the container's own layer, where they cannot be moved from. Copy them into a directory (docker cp) and mount that." % where
    if entry["kind"] == "split":
        return "%s are in parts: %s is a mount of its own. Bring them into one directory, and mount that." % (where, entry["source"])
    if entry["foreign"]:
        return "%s are in the volume %s, which is %s. Copy them into a directory, and mount that." % (where, entry["volume"], entry["foreign"])
    if entry["inside"]:
        cure = "Set stack_root to another directory of that file system."
        return "%s are in %s, below stack_root, where the stack has its own. %s" % (where, entry["source"], cure)
    if entry["taken"]:
        return "%s are to go to %s, where something is already. Move that away, or set stack_root to another directory." % (where, entry["to"])
    return ""


def secrets_in_use(wanted: t.Sequence[Secret], services: t.Sequence[Service], found: t.Mapping[str, Found]) -> dict[str, str]:
    """key -> value that the installation uses, published ones too; "" where its value cannot have been used for anything.

    What a service that takes the whole environment says differently than the one that the key is for is left out, as nobody can tell which holds.
    """
    values = {}
    for secret in wanted:
        users = [service for service in services if service["name"] in found and (service["env_keys"] == "all" or secret.key in service["env_keys"])]
        seen = {found[service["name"]]["env"].get(secret.key, "") for service in users} - {""}
        if len(seen) == 1 and secret.in_env:
            value = seen.pop()
            values[secret.key] = value if not secret.lengths or len(value.encode()) in secret.lengths else ""
    return values


def facts_without(info: t.Mapping[str, t.Any], found: t.Mapping[str, Found], stack: str) -> dict[str, t.Any]:
    """What the host has, as it will be once these containers are stopped and their data are in the stack's directory."""
    gone = {each["container"] for each in found.values()}
    ports = [port for each in found.values() for port in each["ports"]]
    data = {
        entry["path"]: {"filled": True, "stamp": {"stack": stack, "service": entry["service"]}}
        for each in found.values()
        for entry in each["data"]
        if entry["filled"]
    }
    return {
        **info,
        "containers": [container for container in info["containers"] if container["name"] not in gone],
        "listeners": [listener for listener in info["listeners"] if not meets(listener, ports)],
        "stack": {**info["stack"], "data": {**info["stack"]["data"], **data}},
    }


# -- what changes


def in_words(ports: t.Iterable[str]) -> str:
    return ", ".join(ports) or "none"


def comes_along(entry: t.Mapping[str, t.Any]) -> bool:
    """Whether the data come along, as far as can be told: a volume that nobody has named is there for every image that asks for one."""
    return bool(entry["mounted"] and (entry["filled"] or not NAMELESS.fullmatch(entry["volume"])))


def changes(model: t.Mapping[str, t.Any], name: str, old: Found) -> list[tuple[str, str, str]]:
    """(what, now, then) of a service, only what differs."""
    service = model["services"][name]
    closed = in_words("%s:%s" % (port["address"], port["port"]) for port in old["ports"])
    rows = [
        ("container", old["container"], container_name(model["name"], name)),
        ("image", old["image"], service["image"]),
        ("network", ", ".join(old["networks"]), model["network"]),
        ("ports", closed, in_words(entry.rsplit(":", 1)[0] for entry in published(service))),
        ("privileged", "yes" if old["privileged"] else "no", "no"),
        ("user", old["user"] or "the image's", service["user"] or "the image's"),
        ("restart", old["policy"]["Name"], "unless-stopped"),
    ]
    rows += [("data", entry["source"], entry["to"] + (" (copied)" if entry["copied"] else "")) for entry in old["data"] if comes_along(entry)]
    return [row for row in rows if row[1] != row[2]]


def table(model: t.Mapping[str, t.Any], found: t.Mapping[str, Found]) -> list[str]:
    """What changes, service by service."""
    rows = [(name, *row) for name in model["services"] if name in found for row in changes(model, name, found[name])]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines, before = [], ""
    for name, what, now, then in rows:
        lines.append("%-*s  %-*s  %-*s  -> %s" % (widths[0], "" if name == before else name, widths[1], what, widths[2], now, then))
        before = name
    fresh = [name for name in model["services"] if name not in found]
    return lines + (["made anew, as there is no container for it: %s" % ", ".join(fresh)] if fresh else [])


def model_problems(model: t.Mapping[str, t.Any], found: t.Mapping[str, Found]) -> list[str]:
    """What only shows beside the model: stores that were not found, and settings that data were made with."""
    problems = [
        "%s has no container here that could be found, and it keeps data. Set stack_adopt_containers: {%s: NAME}; a store of yours outside goes into "
        "stack_external." % (name, name)
        for name, service in model["services"].items()
        if service["data"] and name not in found
    ]
    everything = {key: value for service in model["services"].values() for key, value in service["env"].items()}
    for name, old in found.items():
        wanted = {**everything, **(model["services"][name]["env"] if name in model["services"] else {})}
        for entry in old["data"]:
            for key, setting in entry["made_with"].items() if entry["filled"] else ():
                used = next((each["env"][key] for each in (old, *found.values()) if each["env"].get(key)), "")
                if used and wanted.get(key, used) != used:
                    problems.append(
                        "%s: the data of %s were made with %s, and the stack would have %s. Set stack_env: {%s: %s}."
                        % (setting, name, used, wanted[key] or "nothing", setting, used)
                    )
    return problems


def plain_names(value: str, found: t.Mapping[str, Found]) -> str:
    """The value with services by their own names: coze-mysql:3306 and mysql:3306 are one place."""
    for name, old in found.items():
        others = sorted({*old["names"], old["container"]} - {name}, key=lambda each: -len(each))
        if others:
            value = re.sub(r"(?<![\w.-])(%s)(?![\w.-])" % "|".join(map(re.escape, others)), name, value)
    return value


def other_settings(model: t.Mapping[str, t.Any], found: t.Mapping[str, Found], known: t.Collection[str], key: str) -> dict[str, list[str]]:
    """{"other": keys whose value is another one, "gone": keys that only the installation has}, of services that take the whole environment.

    ``known``: keys that are told otherwise, or are this collection's to set. ``key``: that of the model's digests.
    """
    everything = {key: value for service in model["services"].values() for key, value in service["env"].items()}
    other: set[str] = set()
    gone: set[str] = set()
    for name, old in found.items():
        if not old["whole"] or name not in model["services"]:
            continue
        wanted = {**everything, **model["services"][name]["env"]}
        for setting in {*old["env"]} - {*known, *old["image_env"], *old["env_exclude"]}:
            value = plain_names(old["env"][setting], found)
            if setting not in wanted:
                gone |= {setting} if value else set()
            elif (keyed(key, value) != wanted[setting]["hmac"]) if isinstance(wanted[setting], dict) else value != wanted[setting]:
                other.add(setting)
    return {"other": sorted(other), "gone": sorted(gone)}


def some(names: t.Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" and %d more" % (len(names) - SHOWN) if len(names) > SHOWN else "")


def notes(
    found: t.Mapping[str, Found], settings: t.Mapping[str, t.Sequence[str]], files: t.Sequence[str], public: t.Sequence[str]
) -> list[str]:
    """What the operator is to know besides the table. ``files``: paths of theirs that the source has otherwise; ``public``: published passwords in use."""
    lines = []
    if settings["other"]:
        lines.append("Settings that get another value: %s. To keep them as they are, name the .env of now in stack_env_src." % some(settings["other"]))
    if settings["gone"]:
        lines.append("Settings that only the containers of now have: %s. To keep them, put them into stack_env or the .env." % some(settings["gone"]))
    if files:
        told = "Files that are mounted now and that stack_source does not have like that: %s. They stay where they are; take over what is yours."
        lines.append(told % some(files))
    if public:
        lines.append("Public passwords and keys are in use, and stay for now, as data were made with them: %s. rotate.yml changes them." % some(public))
    unkept = [each["container"] for each in found.values() if any(not comes_along(entry) for entry in each["data"])]
    if unkept:
        lines.append("Without a mounted directory for data: %s. What is kept otherwise, such as messages that wait, does not come along." % ", ".join(unkept))
    asides = ", ".join(each["container"] + KEPT for each in found.values())
    lines.append("The containers of now are stopped and kept as %s." % asides)
    return lines


def files_of_theirs(found: t.Mapping[str, Found], digests: t.Mapping[str, str]) -> list[str]:
    """Where files of the installation are that the stack is going to have with other contents, or not at all. ``digests``: path in the stack -> SHA-256."""
    return sorted(file["at"] for old in found.values() for file in old["files"] if digests.get(file["path"]) != file["sha256"])
