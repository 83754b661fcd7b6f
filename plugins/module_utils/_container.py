# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service's container is, in the words of community.docker.docker_container.

This is the one place that turns a service of the model into a container; the plan compares running containers with it,
and the role service hands it to docker_container.
"""

from __future__ import annotations

import typing as t

Service = t.Mapping[str, t.Any]

LABEL_STACK = "cozeops.stack"
LABEL_SERVICE = "cozeops.service"
LABEL_CONFIG = "cozeops.config"

NANOSECONDS = {"s": 10**9, "m": 60 * 10**9}


def container_name(stack: str, service: str) -> str:
    return "%s-%s" % (stack, service)


def env_file(root: str, service: str) -> str:
    return "%s/env/%s.env" % (root, service)


def bind_mounts(root: str, service: Service) -> list[dict[str, t.Any]]:
    """Mounts with absolute sources; a relative source is one of the stack's own paths."""
    return [
        {
            "type": "bind",
            "source": mount["source"] if mount["source"].startswith("/") else "%s/%s" % (root, mount["source"]),
            "target": mount["target"],
            "read_only": bool(mount.get("read_only", False)),
        }
        for mount in service["mounts"]
    ]


def bracketed(address: str) -> str:
    """The address as it stands before a colon and a port."""
    return "[%s]" % address if ":" in address else address


def published(service: Service) -> list[str]:
    """"address:port:container_port", with brackets round an IPv6 address."""
    return [
        "%s:%s:%s" % (bracketed(port["address"]), port["port"], port["container_port"])
        for port in service["ports"]
    ]


def options(model: t.Mapping[str, t.Any], service: Service) -> dict[str, t.Any]:
    """The options of docker_container for a service, without state and without what the plan decides."""
    root = model["root"]
    wanted: dict[str, t.Any] = {
        "name": container_name(model["name"], service["name"]),
        "image": service["image"],
        "command": service["command"],
        "entrypoint": service["entrypoint"],
        "user": service["user"],
        "env_file": env_file(root, service["name"]),
        "mounts": bind_mounts(root, service),
        "tmpfs": ["%s:%s" % (target, mode) for target, mode in sorted(service["tmpfs"].items())],
        "published_ports": published(service),
        "networks": [{"name": model["network"], "aliases": sorted(service["aliases"])}],
        "etc_hosts": dict(service["extra_hosts"]),
        "hostname": service["name"],
        "restart_policy": "unless-stopped",
        "memory": None if service["memory"] is None else str(service["memory"]),
        "cpus": service["cpus"],
        "pids_limit": service["pids_limit"],
        "ulimits": ["%s:%s:%s" % (name, limit, limit) for name, limit in sorted(service["ulimits"].items())],
        "capabilities": sorted(service["cap_add"]),
        "cap_drop": ["ALL"],
        "security_opts": ["no-new-privileges:true"],
        "privileged": False,
        "init": False,
        "stop_timeout": service["stop_timeout"],
        "stop_signal": service["stop_signal"],
        "healthcheck": service["healthcheck"],
        "log_driver": "json-file",
        "log_options": model["log_options"],
        "labels": {LABEL_STACK: model["name"], LABEL_SERVICE: service["name"], LABEL_CONFIG: service["config"]},
    }
    return {name: value for name, value in wanted.items() if value is not None}


def nanoseconds(duration: str) -> int:
    """"30s" -> 30000000000, as the Engine stores it."""
    return int(duration[:-1]) * NANOSECONDS[duration[-1]]


def normal_reference(reference: str) -> str:
    """An image reference as the Engine lists it: without Docker Hub's own prefixes, and without a tag before a digest."""
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        if reference.startswith(prefix):
            reference = reference[len(prefix) :]
    name, at, digest = reference.partition("@")
    if at and ":" in name.rsplit("/", 1)[-1]:
        name = name.rsplit(":", 1)[0]
    return name + at + digest


def missing_images(wanted: t.Iterable[str], present: t.Iterable[str]) -> list[str]:
    """Wanted references, sorted and each once, that are not among those present, however either is written."""
    there = {normal_reference(reference) for reference in present}
    return sorted({reference for reference in wanted if normal_reference(reference) not in there})
