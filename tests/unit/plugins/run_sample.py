# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run of site.yml as the callback sees it, for tests of the timeline and of the report."""

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._ready import iso
from ansible_collections.cozeops.studio.plugins.module_utils._timeline import MAKES, HostLog, RunLog, Task, Wait, document

BEGUN = 1769860800.0  # 2026-01-31T12:00:00Z

#: Service to what it depends on, and to the seconds that it takes to get ready.
SERVICES: dict[str, tuple[dict[str, str], float]] = {
    "mysql": ({}, 7.9),
    "redis": ({}, 0.2),
    "elasticsearch": ({}, 9.0),
    "minio": ({}, 0.5),
    "etcd": ({}, 0.6),
    "milvus": ({"etcd": "ready", "minio": "ready"}, 5.0),
    "nsqlookupd": ({}, 0.3),
    "nsqd": ({"nsqlookupd": "ready"}, 0.3),
    "nsqadmin": ({"nsqlookupd": "ready"}, 0.3),
    "coze-server": (
        {"mysql": "initialised", "redis": "ready", "elasticsearch": "initialised", "minio": "initialised", "milvus": "ready", "nsqd": "ready"},
        0.9,
    ),
    "coze-web": ({"coze-server": "ready"}, 0.2),
}
RAN_BEFORE = "redis"
FAILURE = {
    "service": "coze-server",
    "kind": "exited",
    "reason": "it ended with exit code 1",
    "exit_code": 1,
    "findings": [{"meaning": "Redis refused the password.", "fix": "Set REDIS_PASSWORD."}],
}


def step(service: str, kind: str = "start", **more: t.Any) -> dict[str, t.Any]:
    return {"kind": kind, "service": service, **more}


def host_log(fails: bool = False, check: bool = False, ahead: float = 0.0) -> HostLog:
    """A host on which all services but one are made, in turn, a second each. ``ahead``: seconds by which its clock is wrong."""
    model = {
        "name": "coze",
        "release": "0.5",
        "entry": {"url": "http://127.0.0.1:8888"},
        "services": {name: {"image": f"mirror.example/library/{name}:8.1", "depends_on": needs, "ports": []} for name, (needs, _time) in SERVICES.items()},
    }
    why = [{"name": "container", "current": "absent", "desired": "running"}, {"name": "env MYSQL_PASSWORD", "current": "(secret)", "desired": "(another)"}]
    log = HostLog(
        stack="coze",
        model=model,
        info={
            "engine": {"version": "26.1.5", "api_version": "1.45", "reachable": True},
            "system": {"distribution": "debian", "version": "13"},
            "images": {"mirror.example/library/mysql:8.1": "sha256:" + "ab12" * 16},
        },
        plan={"plan": {name: {"action": "none" if name == RAN_BEFORE else "recreate", "why": [] if name == RAN_BEFORE else why} for name in SERVICES}},
        planned=BEGUN + 4,
        outcome="failed" if fails else "changed",
    )

    def done(role: str, begin: float, end: float, action: str = "ansible.builtin.file", of: t.Mapping[str, t.Any] | None = None) -> None:
        log.tasks.append(Task("cozeops.studio." + role, f"Task of {role}", action, of or {}, BEGUN + begin, BEGUN + end))

    done("stack", 0.2, 2.1)
    done("images", 2.2, 2.6)
    done("stack", 2.6, 4.0)
    if check:
        return log
    seen: list[dict[str, t.Any]] = []
    for number, (name, (_needs, takes)) in enumerate(SERVICES.items()):
        begin = 4.1 + number
        done("service", begin, begin + 0.01, "ansible.builtin.include_tasks", step(name, action="recreate"))
        if name == RAN_BEFORE:
            seen.append({"service": name, "started": iso(BEGUN - 4000 + ahead), "ready": iso(BEGUN + begin + ahead), "seconds": 0.1, "already": True})
            continue
        done("service", begin + 0.1, begin + 0.9, MAKES, step(name, action="recreate"))
        if not (fails and name in ("coze-server", "coze-web")):
            started = BEGUN + begin + 0.7
            seen.append({"service": name, "started": iso(started + ahead), "ready": iso(started + takes + ahead), "seconds": takes, "probe": "tcp"})
    log.waits = [Wait(BEGUN + 4.1, BEGUN + 18, seen, [FAILURE] if fails else [])]
    done("mysql", 14.0, 15.8, "cozeops.studio.mysql_schema", step("mysql", "init", job="mysql_schema"))
    done("minio", 15.8, 16.4, "cozeops.studio.bucket_seed", step("minio", "init", job="bucket_seed"))
    if fails:
        log.failure = (BEGUN + 18, "service : Say what failed", "coze-server failed: it ended with exit code 1\n  | panic: NOAUTH redis://:hunter2@redis:6379")
    else:
        done("verify", 18.8, 22.0)
        log.checks = [{"step": name, "ok": True, "seconds": 0.42, "detail": "listed after 0.4 s, in look 3"} for name in ("entry", "api", "search")]
    return log


def run_log(hosts: t.Mapping[str, HostLog], check: bool = False, ended: bool = True) -> RunLog:
    about = {"playbook": "site.yml", "user": "root (sudo by alice)", "controller": "ctl", "check_mode": check}
    versions = {"collection": "0.1.0", "ansible_core": "2.19.1", "python": "3.11.2"}
    return RunLog(BEGUN, BEGUN + 23 if ended else None, about, versions, hosts)


def timeline(hosts: int = 1, fails: bool = False, check: bool = False) -> dict[str, t.Any]:
    return document(run_log({f"coze{number}": host_log(fails, check) for number in range(1, hosts + 1)}, check))
