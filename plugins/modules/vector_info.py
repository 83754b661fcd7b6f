#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vector_info
short_description: List the collections of a Milvus and the lengths of their vectors
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Asks Milvus by its HTTP interface. The length of the vectors of a collection is fixed when it is made, so that a knowledge base only works with an
    embedding model of that length.
notes:
  - Works with Milvus 2.3 and later.
attributes:
  check_mode:
    support: full
    description: It only reads.
  diff_mode:
    support: none
    description: Nothing is changed.
  idempotent:
    support: full
    description: It only reads.
  platform:
    platforms: linux
    support: full
    description: O(via_container) needs a Linux machine.
options:
  host:
    description: Name or address of Milvus. With O(via_container) it is seen from inside that container.
    type: str
    default: 127.0.0.1
  port:
    description: Its port, that of gRPC.
    type: int
    default: 19530
  token:
    description: Token or C(user:password), if Milvus wants one.
    type: str
  prefix:
    description: Tell only collections whose names begin with this. Those of Coze Studio's knowledge bases begin with C(opencoze_).
    type: str
    default: ""
  via_container:
    description:
      - Name of a container on this host in whose network namespace the requests are made. Milvus need not be published then.
      - Needs the Python package docker on the host, and root.
    type: str
  timeout:
    description: Seconds to wait for each answer.
    type: float
    default: 10
"""

EXAMPLES = r"""
- name: See which knowledge bases there are, and how long their vectors are
  cozeops.studio.vector_info:
    via_container: coze-milvus
    prefix: opencoze_
  register: vectors
"""

RETURN = r"""
collections:
  description: The collections, by name. A vector field and its length make an entry of RV(ignore:dims).
  returned: success
  type: list
  elements: dict
  sample: [{"name": "opencoze_7571180334562869248", "dims": {"dense_text_content": 1024}}]
"""

import http.client
import json
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.module_utils._vectors import VectorError, collections
from ansible_collections.cozeops.studio.plugins.module_utils._via_container import via_container

#: A list of ten thousand collections is shorter.
MAX_BODY = 4 * 1024 * 1024


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 19530},
            "token": {"type": "str", "no_log": True},
            "prefix": {"type": "str", "default": ""},
            "via_container": {"type": "str"},
            "timeout": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    given = module.params

    def ask(method: str, path: str, body: dict[str, t.Any] | None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", **({"Authorization": "Bearer " + given["token"]} if given["token"] else {})}
        connection = http.client.HTTPConnection(given["host"], given["port"], timeout=given["timeout"])
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
            response = connection.getresponse()
            return response.status, response.read(MAX_BODY)
        finally:
            connection.close()

    try:
        found = via_container(given["via_container"], lambda: collections(ask, given["prefix"]))
    except EngineError as exc:
        module.fail_json(msg=str(exc))
    except (VectorError, OSError, http.client.HTTPException) as exc:
        module.fail_json(msg="Milvus at %s:%d: %s" % (given["host"], given["port"], exc))
    module.exit_json(changed=False, collections=found)


if __name__ == "__main__":
    main()
