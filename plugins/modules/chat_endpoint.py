#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chat_endpoint
short_description: Prove that a chat model answers as Coze Studio needs it
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Coze Studio takes any address, key and model name for a chat model, and fails when somebody talks to an agent. This module asks the endpoint the
    way the server does, once for an answer in one piece and once for a stream, and fails with what has to be changed.
  - An answer has to have its text in C(choices[0].message.content), or in pieces in C(choices[0].delta.content), and to end with the
    C(finish_reason) V(stop). For O(protocol=ollama) these are C(message.content) and C(done_reason).
  - A stream may end without C([DONE]), have comments and other fields in it, begin with a role or with a thought, and end with an event that has
    usage alone.
  - It writes nothing. At most two answers are asked for, and up to three lists of models to find out what is wrong.
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
      - The address of the endpoint as the server is given it, that is without C(/chat/completions).
      - For V(ollama) in O(protocol) it is the root of the host.
    type: str
    required: true
  model:
    description:
      - The name by which the endpoint knows the model.
    type: str
    required: true
  api_key:
    description:
      - The key for the endpoint. It is not shown anywhere.
    type: str
  protocol:
    description:
      - The protocol of the model, as in O(cozeops.studio.model_config#module:models[].protocol).
      - V(claude) and V(gemini) are refused, since their requests are other ones. Such models can only be tried in the product.
    type: str
    choices: [openai, qwen, deepseek, ark, ollama, claude, gemini]
    default: openai
  stream:
    description:
      - Whether to ask for a stream as well, for a stream only, or for none.
      - Agents use streams. Parts of workflows and of knowledge bases do not.
    type: str
    choices: [both, only, never]
    default: both
  prompt:
    description:
      - What to ask. The default is what the server itself asks when it tries a model.
    type: str
    default: 1+1=?
  timeout:
    description:
      - Seconds for each answer as a whole.
    type: float
    default: 60
  first_token_timeout:
    description:
      - Seconds within which a stream has to have its first piece of text or of thought.
    type: float
    default: 30
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
  - module: cozeops.studio.embedding_endpoint
  - module: cozeops.studio.model_config
"""

EXAMPLES = r"""
- name: The model answers, seen from coze-server
  cozeops.studio.chat_endpoint:
    base_url: http://host.docker.internal:8000/v1
    model: qwen2.5-7b-instruct
    api_key: "{{ llm_key }}"
    via_container: coze-coze-server

- name: An Ollama, before anything is deployed
  cozeops.studio.chat_endpoint:
    base_url: http://gpu1.example.com:11434
    protocol: ollama
    model: qwen2.5:7b
    timeout: 180
    first_token_timeout: 120
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
      sample: /v1 is missing at the end of base_url (HTTP 404)
    cure:
      description: What to change.
      type: str
      sample: Set base_url to http://llm.example.com/v1
sent:
  description: The requests, in order, with the key masked and long texts and lists shortened.
  type: list
  elements: dict
  returned: always
  sample:
    - method: POST
      url: http://llm.example.com/v1/chat/completions
      headers: {"Authorization": "Bearer ********", "Content-Type": "application/json"}
      body: {"model": "qwen", "messages": [{"role": "user", "content": "1+1=?"}]}
received:
  description: The answers to RV(sent), in the same order, with the beginnings of their bodies. RV(ignore:status) is V(none) if there was none.
  type: list
  elements: dict
  returned: always
  sample:
    - status: 200
      content_type: application/json
      body: '{"choices": [{"message": {"content": "2"}, "finish_reason": "stop"}]}'
      seconds: 0.412
answer:
  description: The beginning of the text of the answer, of the stream if both were asked for. Empty if there was none.
  type: str
  returned: always
  sample: "2"
latency:
  description: How long it took. A value is V(none) if it was not asked for or did not come.
  type: dict
  returned: always
  contains:
    plain:
      description: Seconds until the answer in one piece was there.
      type: float
      sample: 0.412
    first_token:
      description: Seconds until the first piece of text or of thought of the stream.
      type: float
      sample: 0.151
    stream:
      description: Seconds until the end of the stream.
      type: float
      sample: 0.433
    pieces:
      description: How many pieces of text the stream had.
      type: int
      sample: 7
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._chat_probe import PATHS, SHOWN, Stream, Whole, probe_stream, probe_whole
from ansible_collections.cozeops.studio.plugins.module_utils._endpoint import (
    Endpoint,
    ca_problems,
    is_loopback_url,
    rounded,
    sentences,
    settings_problems,
    trouble,
    url_secrets,
)
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.module_utils._http import Connect
from ansible_collections.cozeops.studio.plugins.module_utils._via_container import as_container

NOTHING: dict[str, t.Any] = {
    "changed": False,
    "problems": [],
    "sent": [],
    "received": [],
    "answer": "",
    "latency": {"plain": None, "first_token": None, "stream": None, "pieces": None},
}


def probe(given: dict[str, t.Any], connect: Connect | None) -> dict[str, t.Any]:
    """The module's result, without a verdict."""
    endpoint = Endpoint(given["base_url"], given["api_key"] or "", given["timeout"], connect, given["validate_certs"], given["ca_path"])
    question = (endpoint, given["protocol"], given["model"], given["prompt"])
    whole = probe_whole(*question) if given["stream"] != "only" else Whole()
    streamed = probe_stream(*question, given["first_token_timeout"]) if given["stream"] != "never" and whole.answered else Stream()
    problems = [*whole.problems, *streamed.problems]
    latency = {
        "plain": rounded(whole.seconds),
        "first_token": rounded(streamed.first_token),
        "stream": rounded(streamed.seconds),
        "pieces": len(streamed.content) if streamed.events else None,
    }
    answer = endpoint.hide(("".join(streamed.content) or whole.content)[:SHOWN])
    return {**NOTHING, "problems": problems, "sent": endpoint.sent, "received": endpoint.received, "answer": answer, "latency": latency}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "base_url": {"type": "str", "required": True},
            "model": {"type": "str", "required": True},
            "api_key": {"type": "str", "no_log": True},
            "protocol": {"type": "str", "choices": [*PATHS, "claude", "gemini"], "default": "openai"},
            "stream": {"type": "str", "choices": ["both", "only", "never"], "default": "both"},
            "prompt": {"type": "str", "default": "1+1=?"},
            "timeout": {"type": "float", "default": 60},
            "first_token_timeout": {"type": "float", "default": 30},
            "via_container": {"type": "str"},
            "validate_certs": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
        },
        supports_check_mode=True,
    )
    given = module.params
    module.no_log_values.update(url_secrets(given["base_url"]))
    if given["protocol"] not in PATHS:
        problem = "Endpoints of the protocol %s are not asked by this module: their requests have another shape" % given["protocol"]
        refusal = [trouble(problem, "Leave the model out of the check, and try it in the product")]
    else:
        refusal = settings_problems(given["base_url"], PATHS[given["protocol"]], given["api_key"] or "", given["via_container"])
        refusal += ca_problems(given["ca_path"])
    if refusal:
        module.fail_json(msg=sentences(refusal), **{**NOTHING, "problems": refusal})
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
