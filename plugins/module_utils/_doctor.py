# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a stack, in the order of cause and not of noise. Pure.

A finding is {"service" ("": of the host), "level" (FAIL or WARN), "what", "meaning", "fix", "line" (of a log), "host"}.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._check import OK
from ansible_collections.cozeops.studio.plugins.module_utils._preflight import overlaps
from ansible_collections.cozeops.studio.plugins.module_utils._preflight_host import clock_check
from ansible_collections.cozeops.studio.plugins.module_utils._settings_values import dsn_options, host_and_port

FAIL, WARN = "fail", "warn"

Env = t.Mapping[str, str]
Finding = dict[str, t.Any]

MEMORY_LEAST = 200 * 1024**2  # bytes that should be left for what is not planned
INODES_WARN = 0.95


def finding(service: str, level: str, what: str, fix: str = "", meaning: str = "", line: str = "") -> Finding:
    return {"service": service, "level": level, "what": what, "meaning": meaning, "fix": fix, "line": line}


def server_stores(env: Env) -> list[dict[str, t.Any]]:
    """The stores that the server's environment names, each as ``_store_probe.probe`` takes it, with C(service), the one that it is or stands for.

    What cannot be read is left out: whether the environment is right is the business of a deployment.
    """
    readers = (_mysql, _redis, _elasticsearch, _storage, _vectors, _queue)
    found = []
    for reader in readers:
        try:
            store = reader(env)
        except (KeyError, ValueError):
            continue
        if store:
            found.append(store)
    return found


def _mysql(env: Env) -> dict[str, t.Any]:
    options = dsn_options(env["MYSQL_DSN"])
    place = "%s:%d/%s" % (options["host"], options["port"], options["database"])
    return {"service": "mysql", "kind": "mysql", "probe": "mysql", "place": place, **options}


def _place(text: str, default: int) -> dict[str, t.Any]:
    host, port = host_and_port(text)
    return {"host": host, "port": port or default, "place": "%s:%d" % (host, port or default)}


def _redis(env: Env) -> dict[str, t.Any]:
    return {"service": "redis", "kind": "redis", "probe": "redis", "password": env.get("REDIS_PASSWORD", ""), **_place(env["REDIS_ADDR"], 6379)}


def _elasticsearch(env: Env) -> dict[str, t.Any]:
    login = {"user": env.get("ES_USERNAME", ""), "password": env.get("ES_PASSWORD", ""), "version": env["ES_VERSION"]}
    return {"service": "elasticsearch", "kind": "elasticsearch", "probe": "elasticsearch", "place": env["ES_ADDR"], "urls": env["ES_ADDR"].split(","), **login}


def _storage(env: Env) -> dict[str, t.Any]:
    if env["STORAGE_TYPE"] != "minio":
        return {}
    keys = {"access_key": env["MINIO_AK"], "secret_key": env["MINIO_SK"], "bucket": env["STORAGE_BUCKET"], "tls": env.get("MINIO_USE_SSL") == "true"}
    return {"service": "minio", "kind": "minio", "probe": "s3", **_place(env["MINIO_ENDPOINT"], 9000), **keys}


def _vectors(env: Env) -> dict[str, t.Any]:
    if env["VECTOR_STORE_TYPE"] != "milvus":
        return {}
    address = env["MILVUS_ADDR"]
    login = {"user": env.get("MILVUS_USER", ""), "password": env.get("MILVUS_PASSWORD", ""), "token": env.get("MILVUS_TOKEN", "")}
    place = _place(re.sub(r"^https?://", "", address).rstrip("/"), 19530)
    return {"service": "milvus", "kind": "milvus", "probe": "milvus", "tls": address.startswith("https://"), **place, **login}


def _queue(env: Env) -> dict[str, t.Any]:
    probes = {"nsq": "nsqd", "kafka": "kafka"}
    kind = env["COZE_MQ_TYPE"]
    if kind not in probes:
        return {}
    return {"service": "nsqd", "kind": kind, "probe": probes[kind], **_place(env["MQ_NAME_SERVER"], 4150)}


def disk_findings(disks: t.Sequence[t.Mapping[str, t.Any]]) -> list[Finding]:
    """Full file systems, which make the strangest failures of all."""
    found = []
    for disk in disks:
        share = 1 - disk["free"] / disk["size"] if disk["size"] else 0.0
        if share >= 0.95:
            what = "the file system of %s is %d%% full" % (disk["path"], share * 100)
            fix = "Make room. docker image prune removes images that nothing uses; `state` and `data` of the stack are not to be touched."
            found.append(finding("", FAIL if share >= 0.99 else WARN, what, fix, "Stores stop taking writes, or stop altogether."))
        if disk["inodes"] and 1 - disk["inodes_free"] / disk["inodes"] >= INODES_WARN:
            what = "the file system of %s has hardly any inodes left (%d of %d)" % (disk["path"], disk["inodes_free"], disk["inodes"])
            fix = "Remove many small files, or make a file system with more inodes."
            found.append(finding("", FAIL, what, fix, "No file can be made, however much room there is."))
        if "ro" in disk["options"]:
            found.append(finding("", FAIL, "the file system of %s is mounted read-only" % disk["path"], "See dmesg: a disk with errors is remounted so."))
    return found


def port_findings(service: t.Mapping[str, t.Any], listeners: t.Sequence[t.Mapping[str, t.Any]]) -> list[Finding]:
    """Published ports of a service that does not run, and that others listen on. ``listeners`` as C(_host.listeners) gives them."""
    found = []
    for port in service["ports"]:
        held = next((each for each in listeners if each["port"] == port["port"] and overlaps(each["address"], port["address"])), None)
        if held:
            who = "%s (process %d)" % (held["process"], held["pid"]) if held["pid"] else "another process"
            variable = port.get("variable", "stack_public_url")
            fix = "End it or have it listen elsewhere, and run start.yml; or set %s to what is free, and run site.yml." % variable
            found.append(finding(service["name"], FAIL, "%s listens on its port %s" % (who, port["port"]), fix, "The Engine cannot start it."))
    return found


def vector_findings(service: str, collections: t.Sequence[t.Mapping[str, t.Any]], dims: int | None) -> list[Finding]:
    """``dims``: length of the vectors that the embedding model makes, None where it is not known."""
    others = [each["name"] for each in collections if dims and any(length != dims for length in each["dims"].values())]
    if not others:
        return []
    shown = ", ".join(others[:3]) + (" and %d more" % (len(others) - 3) if len(others) > 3 else "")
    fix = "Set the embedding model back to the one that they were made with, or have their owners make these knowledge bases again."
    what = "the vectors of %s have another length than the %d of the embedding model" % (shown, dims or 0)
    return [finding(service, WARN, what, fix, "Nothing is found in these knowledge bases, and nothing can be added.")]


def clock_findings(clock: t.Mapping[str, float]) -> list[Finding]:
    """``clock``: the host's time with the controller's before and after."""
    check = clock_check(clock)
    return [] if check.state == OK else [finding("", check.state, check.found, check.cure)]


def memory_findings(memory: t.Mapping[str, t.Any]) -> list[Finding]:
    if memory["available"] >= MEMORY_LEAST:
        return []
    what = "the host has %d MB of memory left" % (memory["available"] // 1024**2)
    return [finding("", WARN, what, "See what uses it (status.yml has the services), or give the host more.", "The kernel kills what is largest next.")]


def follows(service: str, failed: t.Collection[str], needs: t.Mapping[str, t.Sequence[str]]) -> str:
    """The first service that failed among those that this one needs, however far; "" for none."""
    seen: set[str] = set()
    todo = list(needs.get(service, ()))
    while todo:
        name = todo.pop(0)
        if name in failed:
            # What that one needs in turn is the cause before it.
            return follows(name, failed, needs) or name
        if name not in seen:
            seen.add(name)
            todo += needs.get(name, ())
    return ""


def ordered(findings: t.Sequence[Finding], needs: t.Mapping[str, t.Sequence[str]]) -> list[Finding]:
    """Causes first: the host's, then services by what they need. One that follows from another has that one's name in C(after), and comes at the end.

    ``needs``: service -> what it depends on, in the order of the stack.
    """
    failed = {each["service"] for each in findings if each["level"] == FAIL and each["service"]}
    order = {name: number for number, name in enumerate(needs)}
    told = [{**each, "after": follows(each["service"], failed, needs) if each["service"] else ""} for each in findings]
    return sorted(told, key=lambda each: (bool(each["after"]), each["level"] != FAIL, order.get(each["service"], -1)))


def lines(findings: t.Sequence[Finding]) -> list[str]:
    """For the operator. ``findings`` are ``ordered``."""
    causes = [each for each in findings if not each["after"]]
    found = []
    for number, each in enumerate(causes, 1):
        subject = "%s on %s" % (each["service"], each["host"]) if each["service"] else each["host"]
        found.append("%d. %s%s: %s." % (number, "" if each["level"] == FAIL else "(doubt) ", subject, each["what"].rstrip(".")))
        found += ["   log: " + each["line"]] if each["line"] else []
        found += ["   that is: " + each["meaning"]] if each["meaning"] else []
        found += ["   way out: " + each["fix"]] if each["fix"] else []
        after = list(dict.fromkeys(other["service"] for other in findings if other["after"] and other["after"] == each["service"]))
        found += ["   for want of it, also: " + ", ".join(after)] if after and each["level"] == FAIL else []
    return found or ["Nothing is wrong that can be seen."]
