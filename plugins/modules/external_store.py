#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: external_store
version_added: 0.1.0
short_description: Prove that stores outside the stack answer, take their login, and are what the server can work with
description:
  - Asks each store, in its own protocol, with the login that the server is going to use. A store that does not answer yet is asked again until
    O(timeout); one that refuses is told at once.
  - Nothing is written to a store.
  - Asked from the host itself, or with O(network) from a container that is made in that network for the time of the question. That container is the same as
    any other of the network - its names, its routes, its firewall - and is gone afterwards.
author: cozeops.studio contributors (@cozeops)
attributes:
  check_mode:
    description: Can run in check mode, and changes nothing anyway.
    support: full
  diff_mode:
    description: Nothing is changed that could be shown.
    support: none
options:
  stores:
    description:
      - The stores, each with C(kind), C(place) (where it is, in words), C(probe) (how it is asked) and the options of its kind.
      - C(probe) is one of V(mysql), V(redis), V(elasticsearch), V(s3), V(milvus), V(etcd), V(nsqd), V(kafka), V(nats), V(http) and V(tcp).
    type: list
    elements: dict
    required: true
  network:
    description: Name of a network of the Engine to ask from. The default is the host's own.
    type: str
  image:
    description: An image that the host has, with C(sleep) in it. Needed with O(network).
    type: str
  name:
    description: Name of the container. One of that name is removed first. Needed with O(network).
    type: str
  timeout:
    description: How long to ask a store that does not answer yet, in seconds.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: See whether the Redis of the company takes the password
  no_log: true
  cozeops.studio.external_store:
    stores:
      - {kind: redis, place: "redis.example.com:6379", probe: redis, host: redis.example.com, port: 6379, password: "{{ redis_password }}"}
"""

RETURN = r"""
checks:
  description: A row for each store, as in the table of the preflight.
  returned: success
  type: list
  elements: dict
  sample: [{"area": "external", "name": "redis", "state": "ok", "found": "redis.example.com:6379: Redis 8.0.2", "cure": ""}]
problems:
  description: A sentence for each store that cannot be used as it is. It is for the play to fail, as what this module is given has to stay out of the log.
  returned: success
  type: list
  elements: str
  sample: ["stack_external.redis: redis.example.com:6379: redis: WRONGPASS: the password in the option password is not accepted."]
"""

import concurrent.futures
import contextlib
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _check
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect, inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._http import Connect
from ansible_collections.cozeops.studio.plugins.module_utils._store_probe import PROBES, Bad, Way, probe
from ansible_collections.cozeops.studio.plugins.module_utils._via_container import as_container

REQUEST_TIMEOUT = 5.0
PAUSE = 0.5
#: The container ends by itself, should this be killed.
LIFE = "600"


@contextlib.contextmanager
def standing_in(network: str, image: str, name: str) -> t.Iterator[str]:
    """A container of the network that does nothing. Raises EngineError."""
    from docker.errors import APIError  # there is a client, so there is the package

    client = connect()

    def remove() -> None:
        if inspect_or_none(client, name) is not None:
            client.remove_container(name, force=True, v=True)

    try:
        remove()
        host = client.create_host_config(network_mode=network, cap_drop=["ALL"], security_opt=["no-new-privileges:true"], mem_limit="64m")
        client.create_container(image, entrypoint=["sleep"], command=[LIFE], name=name, user="65534:65534", host_config=host)
        try:
            client.start(name)
            yield name
        finally:
            remove()
    except APIError as exc:
        raise EngineError("a container in the network %s, to ask from, cannot be made: %s" % (network, exc)) from exc


def ask(store: t.Mapping[str, t.Any], connected: Connect | None, until: float) -> _check.Check:
    """The row of one store."""
    where = str(store["place"])
    while True:
        try:
            return _check.ok("external", store["kind"], "%s: %s" % (where, probe(store, Way(connected, REQUEST_TIMEOUT))))
        except Bad as exc:
            if exc.final or time.monotonic() + PAUSE > until:
                return _check.fail("external", store["kind"], "%s: %s." % (where, str(exc).rstrip(".")), "")
        time.sleep(PAUSE)


def ask_all(stores: t.Sequence[t.Mapping[str, t.Any]], container: str | None, timeout: float) -> list[_check.Check]:
    until = time.monotonic() + timeout

    def one(store: t.Mapping[str, t.Any]) -> _check.Check:
        # Each in a thread of its own, which is what enters the network.
        return as_container(container, REQUEST_TIMEOUT, lambda connected: ask(store, connected, until))

    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(one, stores))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            # Passwords are among the options; the tasks of this collection have no_log.
            "stores": {"type": "list", "elements": "dict", "required": True},
            "network": {"type": "str"},
            "image": {"type": "str"},
            "name": {"type": "str"},
            "timeout": {"type": "float", "default": 30},
        },
        required_by={"network": ["image", "name"]},
        supports_check_mode=True,
    )
    params = module.params
    for store in params["stores"]:
        lacking = [key for key in ("kind", "place", "probe") if key not in store]
        if lacking:
            module.fail_json(msg="stores: one lacks %s" % ", ".join(lacking))
        if store["probe"] not in PROBES:
            module.fail_json(msg="stores: probe is %s, which is none of %s" % (store["probe"], ", ".join(PROBES)))
    try:
        with standing_in(params["network"], params["image"], params["name"]) if params["network"] else contextlib.nullcontext() as container:
            checks = ask_all(params["stores"], container, params["timeout"])
    except EngineError as exc:
        module.fail_json(msg=str(exc))
    problems = ["stack_external.%s: %s" % (check.name, _check.sentence(check)) for check in checks if check.state == _check.FAIL]
    module.exit_json(changed=False, checks=_check.rows(checks), problems=problems)


if __name__ == "__main__":
    main()
