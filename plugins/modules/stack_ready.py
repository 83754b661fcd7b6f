#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_ready
short_description: Wait until services of a stack are ready, or say why they are not
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Polls the probes of all given services at once, about every 100 ms, until those of O(until) are ready.
  - Probes run inside the network namespace of each container, against 127.0.0.1, so no port has to be published and no tool has
    to be in the image. This needs root on the machine that the Docker Engine runs on.
  - A container that exits, restarts, is killed for lack of memory or is removed ends the wait at once, with its exit code,
    the last lines of its log and what the failure catalogue knows about them. Values of secrets are masked.
  - An action plugin of the same name shows progress while the module waits.
attributes:
  check_mode:
    support: full
    description: In check mode nothing was started, so the module looks once, waits for nothing and does not fail for a service.
  diff_mode:
    support: none
    description: The module only reads.
  idempotent:
    support: full
    description: The module only reads.
  platform:
    platforms: linux
    support: full
    description: The host has to be the Linux machine that the Docker Engine runs on.
options:
  services:
    description: The services to wait for.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the service in the stack. C(password_env) is looked up in its file under O(root)/env.
        type: str
        required: true
      container:
        description: Name of its container.
        type: str
        required: true
      probe:
        description:
          - Steps that have to pass, in this order. Each is a dictionary with a C(type), and may have a C(name) (shown in results,
            default the type) and a C(timeout) in seconds for one attempt (default 2; for C(exec) 10).
          - C(tcp) - C(port) accepts connections.
          - C(http) - a request to C(port), with C(path) (default C(/)), C(method), C(headers), C(body) (text, or what is sent as
            JSON), is answered with one of C(status) (default C([200])); the body holds the text C(contains) and is JSON with the
            values of C(json), a dictionary of dotted key to the value or list of values that it may have.
          - C(mysql_handshake) - MySQL greets on C(port).
          - C(redis) - Redis answers PING on C(port), after AUTH with the value of the key C(password_env), if that is given and
            not empty.
          - C(http2) - an HTTP/2 (gRPC) server answers on C(port).
          - C(exec) - the list C(command), run in the container (as C(user), if given), ends with 0 and prints the text C(contains).
        type: list
        elements: dict
        required: true
      ready_timeout:
        description: Seconds that this service may take, from its start or from the call, whichever is later.
        type: float
        default: 120
      started:
        description: C(State.StartedAt) of the container as the caller knows it. A later one means that it restarted, which is a failure.
        type: str
        default: ''
  root:
    description: The stack's directory on the host. Its env files give passwords to probes, and say what has to be masked.
    type: path
    required: true
  until:
    description:
      - Names of the services that have to be ready. The others are polled as well, and what was found is returned, but they are not
        waited for; one that fails still ends the call.
      - Default are all services.
    type: list
    elements: str
  timeout:
    description: Seconds that the whole call may take.
    type: float
    default: 600
  log_lines:
    description: How many last lines of a failed container's log to return.
    type: int
    default: 50
  quiet:
    description: Show no progress.
    type: bool
    default: false
  slice:
    description: Seconds after which one run of the module returns although it is not finished. Set by the action plugin.
    type: float
    default: 0
  state:
    description: What the slice before returned. Set by the action plugin.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Wait for MySQL and Redis
  cozeops.studio.stack_ready:
    root: /opt/cozeops/coze
    services:
      - name: mysql
        container: coze-mysql
        probe:
          - {type: mysql_handshake, port: 3306}
      - name: redis
        container: coze-redis
        ready_timeout: 30
        probe:
          - {type: redis, port: 6379, password_env: REDIS_PASSWORD}

- name: Wait for etcd while Elasticsearch warms up
  cozeops.studio.stack_ready:
    root: /opt/cozeops/coze
    until: [etcd]
    services:
      - name: etcd
        container: coze-etcd
        probe:
          - {type: http, port: 2379, path: /health, json: {health: "true"}}
      - name: elasticsearch
        container: coze-elasticsearch
        probe:
          - {type: http, port: 9200, path: "/_cluster/health?local=true", json: {status: [yellow, green]}}
          - {type: http, port: 9200, path: /_cat/plugins, contains: analysis-smartcn, name: smartcn}
"""

RETURN = r"""
timeline:
  description:
    - When each ready service started and got ready.
    - RV(timeline[].seconds) counts from the container's start; for one that ran long before the call, RV(timeline[].already) is
      true and it counts from the call.
  returned: always
  type: list
  elements: dict
  contains:
    service:
      description: Name of the service.
      type: str
    started:
      description: When its container started (ISO 8601, UTC).
      type: str
    ready:
      description: When its last probe passed (ISO 8601, UTC).
      type: str
    seconds:
      description: How long it took.
      type: float
    probe:
      description: Name of the last probe.
      type: str
    already:
      description: Only present, and true, if the container ran long before the call.
      type: bool
  sample:
    - {"service": "redis", "started": "2026-01-31T12:00:00.120Z", "ready": "2026-01-31T12:00:00.750Z", "seconds": 0.63, "probe": "redis"}
ready:
  description: Names of the services that are ready.
  returned: always
  type: list
  elements: str
  sample: [redis]
waiting:
  description: Why each other service is not ready yet.
  returned: always
  type: dict
  sample: {"elasticsearch": "connection refused on 9200"}
failures:
  description: Services that cannot get ready, or did not in time.
  returned: always
  type: list
  elements: dict
  contains:
    service:
      description: Name of the service.
      type: str
    container:
      description: Name of its container.
      type: str
    kind:
      description: One of missing, created, exited, restarting, oom, refused (the service answers, and will never answer otherwise), namespace, timeout.
      type: str
    reason:
      description: What happened, in words.
      type: str
    state:
      description: State of the container.
      type: str
    exit_code:
      description: Its exit code; null while it runs.
      type: int
    oom:
      description: Whether the kernel killed one of its processes for lack of memory.
      type: bool
    restarts:
      description: How often its restart policy started it again.
      type: int
    log:
      description: Its last log lines, secrets masked.
      type: list
      elements: str
    findings:
      description: Matching entries of the failure catalogue, best first, each with id, meaning, fix and line.
      type: list
      elements: dict
  sample: []
elapsed:
  description: Seconds since the call began.
  returned: always
  type: float
  sample: 7.4
finished:
  description: False if the module only reached the end of a slice.
  returned: always
  type: bool
  sample: true
state:
  description: What the next slice needs.
  returned: when O(slice) is not 0
  type: dict
  sample: {}
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect
from ansible_collections.cozeops.studio.plugins.module_utils._probe import step_errors
from ansible_collections.cozeops.studio.plugins.module_utils._ready import (
    Engine,
    Verdict,
    Watch,
    counted_from,
    failure_entry,
    kept,
    overdue,
    restore,
    since,
    timeline_entry,
    wait,
)
from ansible_collections.cozeops.studio.plugins.module_utils._ready_engine import DockerEngine
from ansible_collections.cozeops.studio.plugins.module_utils._redact import read_env, redact, stack_secrets

ARGUMENT_SPEC: dict[str, t.Any] = {
    "services": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "probe": {"type": "list", "elements": "dict", "required": True},
            "ready_timeout": {"type": "float", "default": 120},
            "started": {"type": "str", "default": ""},
        },
    },
    "root": {"type": "path", "required": True},
    "until": {"type": "list", "elements": "str"},
    "timeout": {"type": "float", "default": 600},
    "log_lines": {"type": "int", "default": 50},
    "quiet": {"type": "bool", "default": False},
    "slice": {"type": "float", "default": 0},
    "state": {"type": "dict", "default": {}},
}


def problems(services: t.Sequence[t.Mapping[str, t.Any]], until: t.Sequence[str]) -> list[str]:
    """What is wrong with the arguments."""
    names = [service["name"] for service in services]
    found = [f"service {name} is given twice" for name in sorted({name for name in names if names.count(name) > 1})]
    found += [f"until: there is no service {name}" for name in until if name not in names]
    for service in services:
        if not service["probe"]:
            found.append(f"service {service['name']}: it has no probe, and a state alone proves nothing")
        found += [f"service {service['name']}: probe {number}: {error}" for number, step in enumerate(service["probe"], 1) for error in step_errors(step)]
    return found


def watches_of(services: t.Iterable[t.Mapping[str, t.Any]], state: t.Mapping[str, t.Any]) -> list[Watch]:
    """A watch per service, continued from the slice before."""
    watches = []
    for service in services:
        watch = Watch(
            name=service["name"],
            container=service["container"],
            steps=service["probe"],
            ready_timeout=service["ready_timeout"],
            baseline=service["started"],
        )
        restore(watch, state.get("services", {}).get(watch.name, {}))
        watches.append(watch)
    return watches


def verdicts(watches: t.Iterable[Watch], late: t.Iterable[Watch], begun: float, now: float) -> list[tuple[Watch, Verdict]]:
    """Failed services, and those whose time is over."""
    failed = [(watch, Verdict(*watch.failure)) for watch in watches if watch.failure is not None]
    return failed + [(watch, Verdict("timeout", f"it is not ready after {now - since(watch, begun):.0f} s: {watch.reason}")) for watch in late]


def run(params: t.Mapping[str, t.Any], engine: Engine, check_mode: bool = False) -> dict[str, t.Any]:
    """One slice: wait, and describe what was found."""
    root, lines = params["root"], params["log_lines"]
    until = {service["name"] for service in params["services"]} if params["until"] is None else set(params["until"])
    state = params["state"] or {}
    begun = float(state.get("begun") or time.time())
    watches = wait(
        watches_of(params["services"], state),
        engine,
        lambda service, key: read_env(root, service).get(key, ""),
        until,
        begun,
        params["timeout"],
        params["slice"],
        once=check_mode,
    )
    now = time.time()
    late = [] if check_mode else overdue(watches, until, begun, params["timeout"], now)
    secrets = stack_secrets(root)

    def clean(text: str) -> str:
        return redact(text, secrets)

    failures = [
        failure_entry(watch, verdict, engine.logs(watch.container, lines) if verdict.kind != "missing" else "", lines, clean)
        for watch, verdict in verdicts(watches, late, begun, now)
    ]
    ready = [watch for watch in watches if watch.ready is not None and watch.failure is None]
    pending = until - {watch.name for watch in ready}
    result = {
        "timeline": [timeline_entry(watch, begun) for watch in sorted(ready, key=lambda watch: watch.ready or 0.0)],
        "ready": [watch.name for watch in ready],
        "waiting": {watch.name: clean(watch.reason) for watch in watches if watch.ready is None and watch.failure is None},
        "failures": failures,
        "elapsed": round(now - begun, 2),
        "finished": bool(failures) or not pending or check_mode,
    }
    if params["slice"]:
        services = {watch.name: {**kept(watch), "reason": clean(watch.reason), "waited": now - counted_from(watch, begun)} for watch in watches}
        result["state"] = {"begun": begun, "services": services}
    return result


def summary(failures: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """What failed, and the best explanation that is known; the log is left to the results."""
    lines = []
    for failure in failures:
        lines.append(f"{failure['service']} (container {failure['container']}): {failure['reason']}.")
        lines += [f"{finding['meaning']} {finding['fix']}" for finding in failure["findings"][:1]]
    return "\n".join(lines)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    wrong = problems(params["services"], params["until"] or [])
    if wrong:
        module.fail_json(msg="stack_ready: " + "; ".join(wrong))
    try:
        engine = DockerEngine(connect())
    except EngineError as exc:
        if not module.check_mode:
            module.fail_json(msg=str(exc))
        waiting = {service["name"]: str(exc) for service in params["services"]}
        module.exit_json(changed=False, timeline=[], ready=[], waiting=waiting, failures=[], elapsed=0.0, finished=True)
    result = run(params, engine, module.check_mode)
    if result["failures"] and not module.check_mode:
        module.fail_json(msg=summary(result["failures"]), changed=False, **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
