#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: embedding_endpoint
short_description: Prove that an embedding model gives the vectors that Coze Studio needs
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - With wrong settings for embeddings Coze Studio starts, and fails when a document is put into a knowledge base. This module asks the endpoint the
    way the server does, and fails with what has to be changed.
  - It proves that a text gets a vector of O(dims) numbers, the same one each time; whether C(dimensions) is accepted; that a batch of O(batch_size)
    texts is taken, in the order of the texts, with the vectors that they get alone.
  - If the batch is refused, the largest one that works is searched for.
  - It writes nothing. At most about 20 requests are made, usually 4.
attributes:
  check_mode:
    description: Can run in check mode and tell what would change without changing it.
    support: full
    details:
      - It changes nothing, so that it does the same in check mode. The requests are made, and may cost something.
  diff_mode:
    description: Returns what differs when diff mode is on.
    support: none
  idempotent:
    description: Changes nothing when it is run again with the same options.
    support: full
options:
  base_url:
    description:
      - The address of the endpoint as the server is given it, that is without C(/embeddings).
      - For V(ollama) in O(type) it is the root of the host, for V(http) what comes before C(/embedding).
    type: str
    required: true
  model:
    description:
      - The name by which the endpoint knows the model. Required unless O(type=http), which has none.
    type: str
  api_key:
    description:
      - The key for the endpoint. It is not shown anywhere.
    type: str
  type:
    description:
      - What the server has as C(EMBEDDING_TYPE).
      - V(ark) is its text API. V(http) is the product's own protocol, C(POST /embedding) and C(GET /support_status).
      - V(gemini) is refused, since its requests are other ones. Such models can only be tried in the product.
    type: str
    choices: [openai, ark, ollama, http, gemini]
    default: openai
  dims:
    description:
      - How many numbers a vector has to have. The default is the server's own.
      - With V(0) any number is right, and RV(dims) tells which it is.
    type: int
    default: 1024
  batch_size:
    description:
      - How many texts the server sends at once, its C(EMBEDDING_MAX_BATCH_SIZE). The default is the server's own.
    type: int
    default: 100
  input:
    description:
      - Texts to ask for, two at least. The rest of a batch is made up.
    type: list
    elements: str
    default: ["The quick brown fox jumps over the lazy dog.", "知识库是什么？"]
  send_dimensions:
    description:
      - Whether the server sends O(dims) as C(dimensions), which some model servers refuse. Only V(openai) in O(type) does.
      - Release 0.5.1 always does, unless its C(OPENAI_EMBEDDING_DIMS) is 0. Older ones do if C(OPENAI_EMBEDDING_REQUEST_DIMS) is set.
      - With V(auto) either way will do, and RV(accepts_dimensions) tells whether they may be sent.
    type: str
    choices: ["auto", "true", "false"]
    default: auto
  timeout:
    description:
      - Seconds for each answer.
    type: float
    default: 60
  via_container:
    description:
      - Name of a container on this host in whose network the requests are made, usually that of coze-server. Names are resolved as the container
        does it, so that those of other containers, of its hosts file and of its search domains work.
      - An address such as V(127.0.0.1) is refused then, since in a container it is the container itself.
      - Needs the Python package docker on the host, and root.
    type: str
  validate_certs:
    description:
      - Whether the certificate of an https O(base_url) must be valid.
    type: bool
    default: true
  ca_path:
    description:
      - A file with certificates of authorities in PEM form, on the host that the task runs on, to trust instead of the system's.
      - The server trusts those of its image.
    type: path
notes:
  - The endpoint is asked directly. Variables such as C(https_proxy) are not looked at, as the server does not have them unless they are set for it.
  - Without O(via_container) a success says that the endpoint can be reached from the host that the task runs on, not that it can from the container.
seealso:
  - module: cozeops.studio.chat_endpoint
"""

EXAMPLES = r"""
- name: The embedding model, seen from coze-server
  cozeops.studio.embedding_endpoint:
    base_url: http://host.docker.internal:8000/v1
    model: bge-m3
    api_key: "{{ embedding_key }}"
    dims: 1024
    batch_size: 10
    via_container: coze-coze-server

- name: What a model is like
  cozeops.studio.embedding_endpoint:
    base_url: http://gpu1.example.com:11434
    type: ollama
    model: nomic-embed-text
    dims: 0
  register: embedding

- name: Show it
  ansible.builtin.debug:
    msg: "{{ embedding.dims }} numbers, {{ embedding.batch }} texts at once"
"""

RETURN = r"""
problems:
  description: What is wrong, and what to do about each. The module fails if there are any.
  type: list
  elements: dict
  returned: always
  contains:
    problem:
      description: What is wrong.
      type: str
      sample: The model makes vectors of 768 numbers, not 1024
    cure:
      description: What to change.
      type: str
      sample: Set dims to 768 (OPENAI_EMBEDDING_DIMS), or use a model that makes 1024
sent:
  description: The requests, in order, with the key masked and long texts and lists shortened.
  type: list
  elements: dict
  returned: always
  sample:
    - method: POST
      url: http://llm.example.com/v1/embeddings
      headers: {"Authorization": "Bearer ********", "Content-Type": "application/json"}
      body: {"model": "bge-m3", "input": ["one text"], "encoding_format": "float", "dimensions": 1024}
received:
  description: The answers to RV(sent), in the same order, with the beginnings of their bodies. RV(ignore:status) is V(none) if there was none.
  type: list
  elements: dict
  returned: always
  sample:
    - status: 200
      content_type: application/json
      body: '{"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1, ...'
      seconds: 0.035
dims:
  description: How many numbers a vector has. V(none) if none was got.
  type: int
  returned: always
  sample: 1024
batch:
  description: O(batch_size) if such a batch was taken, else the largest that was. V(none) if that is not known.
  type: int
  returned: always
  sample: 100
accepts_dimensions:
  description: Whether vectors of the length O(dims) were got by sending C(dimensions). V(none) if they were not sent.
  type: bool
  returned: always
  sample: true
latency:
  description: How long it took. A value is V(none) if there was no such answer.
  type: dict
  returned: always
  contains:
    single:
      description: Seconds until the vector of one text was there.
      type: float
      sample: 0.035
    batch:
      description: Seconds until those of a batch of RV(batch) texts were.
      type: float
      sample: 0.291
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _embedding_probe as embedding
from ansible_collections.cozeops.studio.plugins.module_utils._endpoint import (
    Endpoint,
    Problem,
    ca_problems,
    is_loopback_url,
    sentences,
    settings_problems,
    trouble,
    url_secrets,
)
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.module_utils._http import Connect
from ansible_collections.cozeops.studio.plugins.module_utils._via_container import as_container

LARGEST_BATCH = 2048
LARGEST_DIMS = 32768  # what Milvus takes
INPUT = ["The quick brown fox jumps over the lazy dog.", "知识库是什么？"]
NOTHING: dict[str, t.Any] = {
    "changed": False,
    "problems": [],
    "sent": [],
    "received": [],
    "dims": None,
    "batch": None,
    "accepts_dimensions": None,
    "latency": {"single": None, "batch": None},
}


def refusal(given: dict[str, t.Any]) -> list[Problem]:
    """What is wrong with the options themselves."""
    if given["type"] not in embedding.PATHS:
        problem = "Endpoints of the type %s are not asked by this module: their requests have another shape" % given["type"]
        return [trouble(problem, "Leave it out of the check, and try it in the product")]
    found = settings_problems(given["base_url"], embedding.PATHS[given["type"]], given["api_key"] or "", given["via_container"])
    found += ca_problems(given["ca_path"])
    if given["type"] != "http" and not given["model"]:
        found.append(trouble("model is missing", "Set it to the name of the embedding model"))
    if given["type"] != "openai" and given["send_dimensions"] == "true":
        found.append(trouble("send_dimensions is true, but the server sends no dimensions to endpoints of the type %s" % given["type"], "Leave it out"))
    if not 0 <= given["dims"] <= LARGEST_DIMS:
        found.append(trouble("dims is %d" % given["dims"], "Set it to a number up to %d, the most that Milvus takes; 0 is any" % LARGEST_DIMS))
    if not 1 <= given["batch_size"] <= LARGEST_BATCH:
        found.append(trouble("batch_size is %d" % given["batch_size"], "Set it to a number between 1 and %d" % LARGEST_BATCH))
    if len(set(given["input"])) < 2 or not all(text.strip() for text in given["input"]):
        found.append(trouble("input has to have two different texts at least, and none without letters", "Set it to some, or leave it out"))
    return found


def probe(given: dict[str, t.Any], connect: Connect | None) -> dict[str, t.Any]:
    """The module's result, without a verdict."""
    endpoint = Endpoint(given["base_url"], given["api_key"] or "", given["timeout"], connect, given["validate_certs"], given["ca_path"])
    texts = list(dict.fromkeys(given["input"]))
    wish = embedding.Wish(given["type"], given["model"] or "", given["dims"], given["batch_size"], texts, given["send_dimensions"])
    found = embedding.probe(endpoint, wish)
    return {
        **NOTHING,
        "problems": found.problems,
        "sent": endpoint.sent,
        "received": endpoint.received,
        "dims": found.dims,
        "batch": found.batch,
        "accepts_dimensions": found.accepts_dimensions,
        "latency": found.latency,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "base_url": {"type": "str", "required": True},
            "model": {"type": "str"},
            "api_key": {"type": "str", "no_log": True},
            "type": {"type": "str", "choices": [*embedding.PATHS, "gemini"], "default": "openai"},
            "dims": {"type": "int", "default": 1024},
            "batch_size": {"type": "int", "default": 100},
            "input": {"type": "list", "elements": "str", "default": INPUT},
            "send_dimensions": {"type": "str", "choices": ["auto", "true", "false"], "default": "auto"},
            "timeout": {"type": "float", "default": 60},
            "via_container": {"type": "str"},
            "validate_certs": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
        },
        supports_check_mode=True,
    )
    given = module.params
    module.no_log_values.update(url_secrets(given["base_url"]))
    problems = refusal(given)
    if problems:
        module.fail_json(msg=sentences(problems), **{**NOTHING, "problems": problems})
    if not given["via_container"] and is_loopback_url(given["base_url"]):
        module.warn("base_url has a loopback address, which is another one in coze-server's container: this check says nothing about that.")
    try:
        result = as_container(given["via_container"], given["timeout"], lambda connect: probe(given, connect))
    except EngineError as exc:
        module.fail_json(msg=str(exc), **NOTHING)
    if result["problems"]:
        module.fail_json(msg=sentences(result["problems"]), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
