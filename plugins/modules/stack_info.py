#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_info
short_description: Tell what a host has for a Coze Studio stack
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Reads what a deployment depends on, in one call - the Docker Engine, its containers, images and networks, the stack's own
    files, ports in use, memory, disk, processor, kernel, routes, proxies and clock.
  - An action plugin of the same name notes the controller's time before and after, so that the clocks can be compared.
  - It needs neither an Engine nor the Python package docker; what is missing is told, and is no failure.
attributes:
  action:
    support: partial
    description: The action plugin adds the controller's time to RV(clock). Everything else is done on the host.
  check_mode:
    support: full
    description: The module only reads.
  diff_mode:
    support: none
    description: The module only reads.
  idempotent:
    support: full
    description: The module only reads.
  platform:
    platforms: linux
    support: full
    description: The host has to be a Linux machine.
options:
  root:
    description: The stack's directory on the host.
    type: path
    required: true
  secrets:
    description:
      - Keys whose values are read back from the stack's environment files. A task that asks for any must have C(no_log).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: See what the host has
  cozeops.studio.stack_info:
    root: /opt/cozeops/coze
  register: host

- name: Say which Engine runs there
  ansible.builtin.debug:
    msg: "{{ host.engine.version | default(host.engine.error) }}"
"""

RETURN = r"""
engine:
  description: The Docker Engine, or why it cannot be used.
  returned: always
  type: dict
  sample:
    reachable: true
    version: "26.1.5"
    api_version: "1.45"
    driver: overlay2
    rootless: false
    userns: false
    selinux: false
    live_restore: false
    root: /var/lib/docker
    insecure_registries: [127.0.0.0/8]
    mirrors: []
    address_pools: []
containers:
  description: All containers, with the stack and service that their labels name, and the ports that they publish.
  returned: always
  type: list
  elements: dict
  sample: [{"name": "coze-web", "stack": "coze", "service": "web", "state": "running", "ports": [{"address": "127.0.0.1", "port": 8888}]}]
images:
  description: References (tags and digests) of all images, with the image's id.
  returned: always
  type: dict
  sample: {"mysql:8.4.5": "sha256:0123"}
networks:
  description: Names of all networks, with the stack that each was made for, or null.
  returned: always
  type: dict
  sample: {"bridge": null, "coze": "coze"}
listeners:
  description: Listening TCP sockets and who listens.
  returned: always
  type: list
  elements: dict
  sample: [{"address": "127.0.0.1", "port": 8888, "pid": 4711, "process": "docker-proxy"}]
memory:
  description: Memory and swap of the host in bytes, and the limit of the control group that the whole host is in, or null.
  returned: always
  type: dict
  sample: {"total": 8589934592, "available": 6442450944, "swap": 0, "limit": null}
disk:
  description: The file system where the stack's directory is or will be. Sizes are in bytes; of the mount options, C(ro) and C(noexec) are told.
  returned: always
  type: dict
  sample:
    path: /opt
    free: 53687091200
    size: 107374182400
    inodes_free: 6000000
    inodes: 6553600
    mount: /
    type: ext4
    options: []
    rotational: false
engine_disk:
  description: The same of the Engine's own directory, where images and logs are.
  returned: always
  type: dict
  sample: {"path": "/var/lib/docker", "free": 53687091200, "type": "ext4", "options": [], "rotational": false}
cpu:
  description: Machine, processors, page size, and those processor flags that a store needs.
  returned: always
  type: dict
  sample: {"machine": "x86_64", "count": 4, "flags": ["avx2"], "page_size": 4096}
kernel:
  description: Settings of the kernel that containers feel, control groups, SELinux (enforcing, permissive or empty) and firewalls.
  returned: always
  type: dict
  sample:
    release: 6.12.0
    sysctl: {"vm.max_map_count": 65530, "net.ipv4.ip_forward": 1}
    cgroup: {"version": 2, "controllers": ["cpu", "memory", "pids"]}
    selinux: ""
    firewalls: []
clock:
  description:
    - What the host takes for the time, in seconds since 1970, and the controller's time just before and after. Without the action plugin, the latter two
      are missing.
  returned: always
  type: dict
  sample: {"host": 1790000000.2, "before": 1790000000.0, "after": 1790000000.4}
network:
  description: Subnets of Docker's networks, and the routes of the host, default ones left out.
  returned: always
  type: dict
  sample: {"subnets": {"bridge": ["172.17.0.0/16"]}, "routes": [{"subnet": "192.0.2.0/24", "interface": "eth0", "direct": true}]}
addresses:
  description: Addresses of the host, without those of its loopback and its link-local ones.
  returned: always
  type: list
  elements: str
  sample: ["192.0.2.7", "2001:db8::7"]
proxies:
  description: Proxies of the Engine, and those that the docker command puts into containers. Passwords are masked.
  returned: always
  type: dict
  sample: {"engine": {"http": "", "https": "", "no_proxy": ""}, "client": {"http": "", "https": "", "no_proxy": ""}, "client_file": /root/.docker/config.json}
system:
  description: What the operating system is and has, as far as the Engine is concerned, and the version of Python that modules run with.
  returned: always
  type: dict
  sample:
    systemd: true
    docker_installed: true
    distribution: debian
    version: "13"
    daemon_settings: {}
    open_files_limit: 524288
    python: 3.13.5
stack:
  description: The stack as the host keeps it.
  returned: always
  type: dict
  contains:
    exists:
      description: Whether a run has deployed it here.
      type: bool
    model:
      description: The stack model of the last run, or null.
      type: dict
    data:
      description: Data directories, whether each holds anything, and its stamp.
      type: dict
    adopting:
      description: Whether adopt.yml was cut off there.
      type: bool
  sample: {"exists": true, "data": {"data/mysql": {"filled": true, "stamp": {"stack": "coze"}}}}
neighbours:
  description: Other stacks on this host and the ports that are theirs, running or not.
  returned: always
  type: list
  elements: dict
  sample: [{"name": "other", "root": "/opt/cozeops/other", "ports": [{"address": 127.0.0.1, "port": 8898}]}]
secrets:
  description: Values of the keys asked for by O(secrets).
  returned: when O(secrets) is not empty
  type: dict
  sample: {}
"""

import glob
import os
import platform
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _host, _proxy, _routes, _swarm
from ansible_collections.cozeops.studio.plugins.module_utils._adopt_data import journal_path
from ansible_collections.cozeops.studio.plugins.module_utils._container import LABEL_SERVICE, LABEL_STACK
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect


def container_of(summary: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    labels = summary.get("Labels") or {}
    ports = {(port.get("IP", ""), port["PublicPort"]) for port in summary.get("Ports") or [] if port.get("PublicPort")}
    return {
        "name": summary["Names"][0].lstrip("/"),
        "stack": labels.get(LABEL_STACK),
        "service": labels.get(LABEL_SERVICE),
        "state": summary["State"],
        "ports": [{"address": address, "port": port} for address, port in sorted(ports)],
    }


def engine_details(info: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What of the Engine's own account of itself (GET /info) a deployment depends on."""
    security = {option.split(",")[0] for option in info.get("SecurityOptions") or []}
    registry = info.get("RegistryConfig") or {}
    indexes = registry.get("IndexConfigs") or {}
    return {
        "name": info.get("Name", ""),
        "driver": info.get("Driver", ""),
        "rootless": "name=rootless" in security,
        "userns": "name=userns" in security,
        "selinux": "name=selinux" in security,
        "live_restore": bool(info.get("LiveRestoreEnabled")),
        "root": info.get("DockerRootDir") or _host.ENGINE_ROOT,
        "insecure_registries": [*(registry.get("InsecureRegistryCIDRs") or []), *(name for name, index in indexes.items() if not index.get("Secure", True))],
        "mirrors": registry.get("Mirrors") or [],
        "swarm": _swarm.facts_of(info),
        "address_pools": [{"base": pool["Base"], "size": pool["Size"]} for pool in info.get("DefaultAddressPools") or []],
    }


def subnets(network: t.Mapping[str, t.Any]) -> list[str]:
    configs = (network.get("IPAM") or {}).get("Config") or []
    return [config["Subnet"] for config in configs if config.get("Subnet")]


def engine_facts() -> dict[str, t.Any]:
    """Everything that the Engine tells: the keys engine, containers, images, networks, subnets."""
    nothing: dict[str, t.Any] = {"containers": [], "images": {}, "networks": {}, "subnets": {}}
    try:
        client = connect()
    except EngineError as exc:
        return {"engine": {"reachable": False, "error": str(exc)}, **nothing}
    version = client.version()
    images = {}
    for image in client.images():
        for reference in [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]:
            images[reference] = image["Id"]
    networks = client.networks()
    return {
        "engine": {
            "reachable": True,
            "version": version["Version"],
            "api_version": version["ApiVersion"],
            **engine_details(client.info()),
        },
        "containers": [container_of(summary) for summary in client.containers(all=True)],
        "images": images,
        "networks": {network["Name"]: (network.get("Labels") or {}).get(LABEL_STACK) for network in networks},
        "subnets": {network["Name"]: subnets(network) for network in networks if subnets(network)},
    }


def neighbours(root: str) -> list[dict[str, t.Any]]:
    """Stacks in the directories beside this one."""
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(os.path.dirname(root)), "*", "stack.json"))):
        model = _host.load_json(path)
        if os.path.dirname(path) != root and isinstance(model, dict) and {"name", "services"} <= set(model):
            ports = [{"address": port["address"], "port": port["port"]} for service in model["services"].values() for port in service["ports"]]
            found.append({"name": model["name"], "root": os.path.dirname(path), "ports": ports})
    return found


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
        },
        supports_check_mode=True,
    )
    root = module.params["root"].rstrip("/")
    model = _host.load_json(os.path.join(root, "stack.json"))
    engine = engine_facts()
    system = _host.system()
    client_file = _host.docker_config()
    result = {
        "network": {"subnets": engine.pop("subnets"), "routes": [route._asdict() for route in _routes.routes(_host.read("/proc/net/route"))]},
        **engine,
        "listeners": _host.listeners(),
        "addresses": _host.addresses(_host.read("/proc/net/fib_trie"), _host.read("/proc/net/if_inet6")),
        "memory": _host.memory(),
        "disk": _host.disk(root),
        "engine_disk": _host.disk(engine["engine"].get("root") or _host.ENGINE_ROOT),
        "cpu": _host.cpu(),
        "kernel": _host.kernel(),
        "clock": _host.clock(),
        "proxies": {
            "engine": _proxy.shown(_proxy.engine_settings(_host.read(_host.ENGINE_PID).strip(), system["daemon_settings"])),
            "client": _proxy.shown(_proxy.of_client(_host.load_json(client_file))),
            "client_file": client_file,
        },
        "system": {**system, "open_files_limit": _host.open_files_limit(), "python": platform.python_version()},
        "stack": {"exists": model is not None, "model": model, "data": _host.data_directories(root), "adopting": os.path.exists(journal_path(root))},
        "neighbours": neighbours(root),
    }
    if module.params["secrets"]:
        result["secrets"] = _host.env_values(root, module.params["secrets"])
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
