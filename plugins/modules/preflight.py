#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check what the network of a host lets a deployment have
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Checks, from the host and before anything is deployed, whether names can be resolved, whether every image can be had for the host's platform,
    whether the addresses that are to be published are the host's and free, and whether the endpoints of models answer.
  - Registries are asked by the Docker Engine, with its log-ins, mirrors and proxies. Where no Engine answers, the host asks them itself, and then with the
    proxies of its environment and the log-ins that the docker command has kept in a file.
  - It only reads. A port is bound for a moment, where nothing listens on it, and nothing is sent to an endpoint but a request without a key.
  - A check that fails does not fail the module. It needs neither an Engine nor the Python package docker.
extends_documentation_fragment:
  - cozeops.studio.registry_login
attributes:
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
  images:
    description: The images that the stack needs.
    type: list
    elements: str
    default: []
  image_source:
    description:
      - Where they come from. With V(registry), those that the host lacks are looked for there. With V(present), they have to be on the host.
      - With V(archive) nothing is checked here. M(cozeops.studio.stack_model) looks into archives.
    type: str
    choices: [registry, present, archive]
    default: registry
  authority:
    description: Certificate (PEM) of an authority to be trusted besides the system's. The registry is asked by the module then, not by the Engine.
    type: str
    default: ''
  image_update:
    description: Whether registries are asked for images that the host has, too.
    type: bool
    default: false
  ports:
    description: The ports that are to be published.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: The address of the host.
        type: str
        required: true
      port:
        description: The port.
        type: int
        required: true
      service:
        description: The service that it is for.
        type: str
        required: true
      variable:
        description: The variable that says the port.
        type: str
        default: stack_public_url
  endpoints:
    description: The endpoints that containers are going to use, such as those of chat models.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What it is for.
        type: str
        required: true
      url:
        description:
          - Its URL, as it is configured. C(host.docker.internal) is taken for the host's address in Docker's default network.
        type: str
        required: true
  endpoints_proxied:
    description: Whether containers reach the endpoints through a proxy. It is not used here, so what cannot be reached is a doubt only.
    type: bool
    default: false
  timeout:
    description: Seconds for one answer. The whole takes about three times as long at most, as everything is asked side by side.
    type: float
    default: 5
seealso:
  - module: cozeops.studio.stack_info
"""

EXAMPLES = r"""
- name: See whether the host can have the images, and reach a model
  cozeops.studio.preflight:
    images:
      - mysql:8.4.5
      - registry.example.com/mirror/redis:8.0
    ports:
      - {address: 0.0.0.0, port: 8888, service: coze-web}
    endpoints:
      - {name: chat model, url: "https://llm.example.com/v1"}
  register: reach

- name: Show it as a table
  ansible.builtin.debug:
    msg: "{{ reach.checks | cozeops.studio.preflight_table }}"
"""

RETURN = r"""
checks:
  description: What was checked.
  returned: success
  type: list
  elements: dict
  contains:
    area:
      description: What the check is about.
      type: str
      sample: image
    name:
      description: The image, name, port or endpoint.
      type: str
      sample: mysql:8.4.5
    state:
      description: One of V(ok), V(warn) and V(fail).
      type: str
      sample: fail
    found:
      description: What was found.
      type: str
      sample: docker.io has no library/mysql 8.4.5
    cure:
      description: What to do; empty where nothing needs to be done.
      type: str
      sample: Correct stack_images or stack_image_prefix.
"""

import contextlib
import ipaddress
import os
import re
import typing as t
import urllib.request

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _host, _reach, _registry
from ansible_collections.cozeops.studio.plugins.module_utils._check import Check, fail, ok, rows, warn
from ansible_collections.cozeops.studio.plugins.module_utils._container import missing_images
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect
from ansible_collections.cozeops.studio.plugins.module_utils._preflight import overlaps

try:
    import docker.errors

    ENGINE_ERRORS: tuple[type[Exception], ...] = (EngineError, docker.errors.DockerException, OSError)
except ImportError:
    ENGINE_ERRORS = (EngineError, OSError)

Job = tuple[t.Callable[[], Check], Check]


def platform_check(reference: str, wanted: str, platforms: t.Sequence[str], where: str) -> Check:
    if platforms and wanted not in platforms:
        cure = "Set stack_images to an image for this machine, or stack_image_prefix to a mirror that has it."
        return fail("image", reference, "%s is there for %s only, and the host is %s" % (reference, ", ".join(platforms), wanted), cure)
    return ok("image", reference, "%s, for %s" % (where, wanted if platforms else "a platform that is not told"))


class Host:
    """The host's Engine, if one answers, and what is known without it."""

    def __init__(self, timeout: float, logins: t.Sequence[t.Mapping[str, str]] = (), authority: str = "") -> None:
        self.timeout, self.logins, self.authority = timeout, logins, authority
        self.client: t.Any = None
        self.images: list[str] = []
        self.platform = _registry.platform_of(os.uname().machine)
        settings = _host.system()["daemon_settings"]
        self.settings = settings if isinstance(settings, dict) else {}
        self.proxied = bool(urllib.request.getproxies())
        self.gateway: str | None = None
        try:
            # For the Engine's own work, which is several questions, one after the other.
            client = connect(timeout=max(int(timeout * 2.5), 2))
            version, info, images = client.version(), client.info(), client.images()
        except ENGINE_ERRORS:
            return
        self.client = client
        self.images = [name for image in images for name in [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]]
        self.platform = "%s/%s" % (version["Os"], version["Arch"])
        self.proxied = bool(info.get("HttpProxy") or info.get("HttpsProxy"))
        with contextlib.suppress(*ENGINE_ERRORS):  # an Engine may be set up without a default network
            self.gateway = gateway_of(client.inspect_network("bridge"))

    def in_store(self, reference: str) -> Check:
        try:
            image = self.client.inspect_image(reference)
        except ENGINE_ERRORS as exc:
            return fail("image", reference, "the Engine cannot tell of it: %s" % exc, "Load it again.")
        return platform_check(reference, self.platform, ["%s/%s" % (image["Os"], image["Architecture"])], "on the host")

    def from_engine(self, reference: str) -> Check:
        try:
            login = _registry.given_login(self.logins, _registry.parse(reference).registry)
            found = self.client.inspect_distribution(reference, auth_config=login).get("Platforms") or []
        except ENGINE_ERRORS as exc:
            return fail("image", reference, *_registry.engine_reason(str(getattr(exc, "explanation", None) or exc), reference))
        platforms = sorted({"%s/%s" % (each["os"], each["architecture"]) for each in found if each.get("os", "unknown") != "unknown"})
        return platform_check(reference, self.platform, platforms, "in the registry")

    def from_registry(self, reference: str) -> Check:
        parts = _registry.parse(reference)
        given = _registry.given_login(self.logins, parts.registry)
        login = (given["username"], given["password"]) if given else _registry.login_of(_host.load_json(_host.docker_config()), parts.registry)
        insecure = _registry.is_local(parts.registry) or parts.registry in (self.settings.get("insecure-registries") or [])
        try:
            found = _registry.Registry(parts.registry, login, self.timeout, insecure, self.authority).platforms(parts)
        except _registry.RegistryError as exc:
            return fail("image", reference, str(exc), exc.cure)
        return platform_check(reference, self.platform, found, "in the registry")


def gateway_of(network: t.Mapping[str, t.Any]) -> str | None:
    """The host's address in a network of Docker's; older Engines do not name the first one, which is the default."""
    for config in (network.get("IPAM") or {}).get("Config") or []:
        subnet = ipaddress.ip_network(config.get("Subnet", "::/128"), strict=False)
        if subnet.version == 4:
            return str(config.get("Gateway") or subnet[1])
    return None


def image_jobs(given: t.Mapping[str, t.Any], host: Host) -> t.Iterator[Job]:
    references = sorted(set(given["images"]))
    # Archives are on the controller, where the stack model has looked into them.
    if not references or given["image_source"] == "archive":
        return
    if given["image_source"] == "present" and host.client is None:
        cure = "The Engine that is installed will have none: load them before the stack is deployed, or set stack_image_source to registry."
        row = warn("image", "images", "no Engine answers that could have %d images" % len(references), cure)
        yield (lambda: row), row
        return
    lacking = set(missing_images(references, host.images))
    for reference in references:
        late = fail("image", reference, "%s gave no answer in time" % _registry.parse(reference).registry, _registry.UNREACHABLE)
        if reference not in lacking and not given["image_update"]:
            yield bound(host.in_store, reference), late
        elif given["image_source"] == "present":
            row = fail("image", reference, "the host does not have it", "Load it, or set stack_image_source to registry.")
            yield bound(Check, *row), row
        else:
            # An Engine that does not know the authority yet would refuse what it takes when it does.
            yield bound(host.from_registry if host.client is None or host.authority else host.from_engine, reference), late


def bound(function: t.Callable[..., Check], *arguments: t.Any) -> t.Callable[[], Check]:
    return lambda: function(*arguments)


def registry_names(given: t.Mapping[str, t.Any], host: Host) -> set[str]:
    """Hosts of registries that are going to be asked, unless a proxy does it."""
    if given["image_source"] != "registry" or host.proxied:
        return set()
    wanted = given["images"] if given["image_update"] else missing_images(given["images"], host.images)
    found = {_registry.parse(reference).registry for reference in wanted}
    return {re.sub(r":\d+$", "", _registry.HUB_HOST if name == _registry.HUB else name) for name in found}


def endpoints_of(given: t.Sequence[t.Mapping[str, str]]) -> tuple[list[_reach.Endpoint], list[Check]]:
    """The endpoints, each address once with the names of all that use it, and rows for those that are none."""
    found: dict[tuple[str, str, int, str], list[str]] = {}
    wrong = []
    for entry in given:
        parsed = _reach.endpoint_of(entry["name"], entry["url"])
        if isinstance(parsed, Check):
            wrong.append(parsed)
        else:
            found.setdefault(parsed[1:], []).append(parsed.name)
    shown = {parts: ", ".join(names[:3]) + (" and %d more" % (len(names) - 3) if len(names) > 3 else "") for parts, names in found.items()}
    return [_reach.Endpoint(shown[parts], *parts) for parts in found], wrong


def endpoint_jobs(endpoints: t.Sequence[_reach.Endpoint], host: Host, timeout: float, proxied: bool) -> t.Iterator[Job]:
    for endpoint in endpoints:
        inner = endpoint.host == _reach.GATEWAY_NAME
        if inner and host.gateway is None:
            row = ok("endpoint", endpoint.name, "not checked: without an Engine the host has no address by the name %s yet" % endpoint.host)
            yield bound(Check, *row), row
        else:
            yield (
                bound(_reach.endpoint_check, endpoint, timeout, host.gateway if inner else None, proxied),
                _reach.endpoint_late(endpoint, timeout, proxied),
            )


def port_checks(ports: t.Iterable[t.Mapping[str, t.Any]]) -> t.Iterator[Check]:
    """Where something listens, nothing is tried: stack_model tells whose the port is."""
    listeners = _host.listeners()
    for port in ports:
        if not any(each["port"] == port["port"] and overlaps(each["address"], port["address"]) for each in listeners):
            yield _reach.bind_check(port["address"], port["port"], port["service"], port["variable"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "images": {"type": "list", "elements": "str", "default": []},
            "image_source": {"type": "str", "choices": ["registry", "present", "archive"], "default": "registry"},
            "image_update": {"type": "bool", "default": False},
            "login": _registry.LOGIN,
            "authority": {"type": "str", "default": ""},
            "ports": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "address": {"type": "str", "required": True},
                    "port": {"type": "int", "required": True},
                    "service": {"type": "str", "required": True},
                    "variable": {"type": "str", "default": "stack_public_url"},
                },
            },
            "endpoints": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"name": {"type": "str", "required": True}, "url": {"type": "str", "required": True}},
            },
            "endpoints_proxied": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    given = module.params
    timeout = given["timeout"]
    host = Host(timeout, given["login"], given["authority"])
    endpoints, wrong = endpoints_of(given["endpoints"])
    # A proxy resolves names by itself.
    asked = [] if given["endpoints_proxied"] else [endpoint.host for endpoint in endpoints]
    names = (registry_names(given, host) | set(asked)) - {_reach.GATEWAY_NAME, "localhost"}
    jobs: list[Job] = [
        *((bound(_reach.name_check, name), _reach.name_late(name, 3 * timeout)) for name in sorted(names) if not _reach.is_address(name)),
        *image_jobs(given, host),
        *endpoint_jobs(endpoints, host, timeout, given["endpoints_proxied"]),
    ]
    results = _reach.together([job for job, dummy in jobs], 3 * timeout)
    found = [result or late for result, (dummy, late) in zip(results, jobs)]
    module.exit_json(changed=False, checks=rows([*port_checks(given["ports"]), *found, *wrong]))


if __name__ == "__main__":
    main()
