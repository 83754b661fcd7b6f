#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_pull
short_description: Pull several images side by side
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Has the host's Engine pull images, some at once, with logins that are given for this and left nowhere on the host.
  - A pull that fails for a reason that may pass is tried again; the Engine goes on where it ended. All that failed are told, each with its reason.
  - M(community.docker.docker_image_pull) pulls one image, and takes logins from a file on the host only.
extends_documentation_fragment:
  - cozeops.studio.registry_login
attributes:
  check_mode:
    support: full
    description: Says which images would be pulled, as far as that can be known without asking a registry.
  diff_mode:
    support: full
    description: Names each image that comes or changes.
  idempotent:
    support: full
    description: An image that the Engine has is not pulled, or comes as it was with O(update=true).
  platform:
    platforms: linux
    support: full
    description: The host has to be a Linux machine with a Docker Engine of at least 20.10.
options:
  images:
    description: Images, as name and tag, or name and digest.
    type: list
    elements: str
    required: true
  update:
    description: Whether to ask for images that the host has as well, since their tags may have moved.
    type: bool
    default: false
  retries:
    description: How often a pull that failed is tried again, with five seconds between.
    type: int
    default: 3
  at_once:
    description: How many images are pulled at the same time. The Engine takes three layers of each at once.
    type: int
    default: 3
"""

EXAMPLES = r"""
- name: Pull two images from a mirror
  cozeops.studio.image_pull:
    images:
      - registry.example.com/mirror/mysql:8.4.5
      - registry.example.com/mirror/bitnamilegacy/redis:8.0
    login:
      - registry: registry.example.com
        username: puller
        password: "{{ vault_puller }}"
"""

RETURN = r"""
pulled:
  description: Images that came, or that are other ones now.
  returned: success
  type: list
  elements: str
  sample: ["registry.example.com/mirror/mysql:8.4.5"]
seconds:
  description: How long each image took that was asked for.
  returned: when not in check mode
  type: dict
  sample: {"registry.example.com/mirror/mysql:8.4.5": 12.4}
"""

import json
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect
from ansible_collections.cozeops.studio.plugins.module_utils._registry import LOGIN, engine_reason, given_login, is_final, parse

PAUSE = 5.0
#: Seconds without a word from the Engine, which tells of its progress several times a second.
SILENCE = 300


def id_of(client: t.Any, reference: str) -> str | None:
    from docker.errors import ImageNotFound  # there is a client, so there is the package

    try:
        return str(client.inspect_image(reference)["Id"])
    except ImageNotFound:
        return None


def pull(reference: str, login: dict[str, str] | None) -> str:
    """Have the Engine pull the image; "" or what is said against it."""
    from docker.errors import DockerException

    try:
        # Each has a connection of its own.
        for line in connect(SILENCE).pull(reference, stream=True, decode=True, auth_config=login):
            if line.get("error"):
                return str(line["error"])
    except (DockerException, EngineError, OSError, json.JSONDecodeError) as exc:
        return str(getattr(exc, "explanation", None) or exc)
    return ""


def patiently(reference: str, login: dict[str, str] | None, retries: int) -> tuple[str, float]:
    """("" or what was said at last, seconds)"""
    begun = time.monotonic()
    said = pull(reference, login)
    while said and retries > 0 and not is_final(said):
        retries -= 1
        time.sleep(PAUSE)
        said = pull(reference, login)
    return said, round(time.monotonic() - begun, 1)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "images": {"type": "list", "elements": "str", "required": True},
            "login": LOGIN,
            "update": {"type": "bool", "default": False},
            "retries": {"type": "int", "default": 3},
            "at_once": {"type": "int", "default": 3},
        },
        supports_check_mode=True,
    )
    given = module.params
    images = list(dict.fromkeys(given["images"]))
    try:
        client = connect()
        before = {reference: id_of(client, reference) for reference in images}
    except EngineError as exc:
        if not module.check_mode:
            module.fail_json(msg=str(exc))
        before = dict.fromkeys(images)  # the run installs or starts one first
    lacking = [reference for reference in images if before[reference] is None]
    if module.check_mode:
        module.exit_json(changed=bool(lacking), pulled=lacking, **diff(module, lacking))
    due = images if given["update"] else lacking
    logins = [given_login(given["login"], parse(reference).registry) for reference in due]
    with ThreadPoolExecutor(max(given["at_once"], 1)) as pool:
        results = dict(zip(due, pool.map(patiently, due, logins, [given["retries"]] * len(due))))
    problems = {reference: said for reference, (said, dummy) in results.items() if said}
    pulled = [reference for reference in due if reference not in problems and id_of(client, reference) != before[reference]]
    result = {"changed": bool(pulled), "pulled": pulled, "seconds": {reference: seconds for reference, (dummy, seconds) in results.items()}}
    if problems:
        reasons = {reference: engine_reason(said, reference) for reference, said in problems.items()}
        lines = ["%s: %s. %s (The Engine says: %s)" % (reference, *reasons[reference], said.strip()) for reference, said in problems.items()]
        module.fail_json(msg="\n".join(["%d of %d images could not be pulled." % (len(problems), len(due)), *lines]), **result)
    module.exit_json(**result, **diff(module, pulled))


def diff(module: AnsibleModule, references: t.Sequence[str]) -> dict[str, t.Any]:
    return {"diff": {"prepared": "".join("pull %s\n" % reference for reference in references)}} if references else {}


if __name__ == "__main__":
    main()
