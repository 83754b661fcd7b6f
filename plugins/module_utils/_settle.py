# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of the swapped services of a run that failed: each is proved and stays, or its earlier container comes back. Pure.

An outcome is what is known so far, as a dict of plain data:

    failed     service -> why
    silent     services among them whose log nobody has shown yet
    proved     swapped services that are ready: their earlier containers may go
    back       services whose earlier container is to be brought back now
    open       services to be waited for now
    returned   service -> {"ready", "reason", "log"}: its earlier container was called for; ready is None until that is known

Rounds of ``after_swap`` and ``after_wait`` go on until ``back`` and ``open`` are empty; each round empties them or adds to ``failed``.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._container import container_name

Outcome = dict[str, t.Any]
Result = t.Mapping[str, t.Any]

NONE_KEPT = "there is none: this run was the first to make one"


def reasons(wait: Result) -> dict[str, str]:
    """service -> why it failed, of a result of stack_ready."""
    return {failure["service"]: failure["reason"] for failure in wait.get("failures") or []}


def by_service(stack: str, services: t.Iterable[str], swap: Result) -> dict[str, Result]:
    """service -> its entry in a result of container_swap."""
    names = {container_name(stack, service): service for service in services}
    return {names[entry["name"]]: entry for entry in swap.get("swaps") or [] if entry["name"] in names}


def outcome(stack: str, swapped: t.Sequence[str], ready: t.Sequence[str], wait: Result, failures: t.Mapping[str, str], commit: Result) -> Outcome:
    """What is known when a run has failed.

    wait, commit: the last results of stack_ready and container_swap, {} if there are none. failures: service -> why a step failed otherwise.
    """
    failed = reasons(wait)
    refused = {service: entry["problem"] for service, entry in by_service(stack, swapped, commit).items() if entry["refused"]}
    failed = {**failures, **refused, **failed}
    proved = [service for service in swapped if service not in failed and service in {*ready, *(wait.get("ready") or [])}]
    return {
        "failed": failed,
        "silent": [*failures, *refused],
        "proved": proved,
        "back": [service for service in swapped if service in failed],
        "open": [service for service in swapped if service not in failed and service not in proved],
        "returned": {},
    }


def after_swap(known: Outcome, stack: str, swap: Result) -> Outcome:
    """With what container_swap did to bring back what was to come back. Those that run again are waited for."""
    entries = by_service(stack, known["back"], swap)
    returned, waited = dict(known["returned"]), list(known["open"])
    for service in known["back"]:
        entry = entries.get(service)
        if entry is None:
            returned[service] = {"ready": False, "reason": swap.get("msg") or "nothing is known of it", "log": []}
        elif entry["problem"] or not entry["previous"]:
            returned[service] = {"ready": False, "reason": entry["problem"] or NONE_KEPT, "log": entry["log"]}
        else:
            returned[service] = {"ready": None, "reason": "", "log": entry["log"]}
            waited.append(service)
    return {**known, "back": [], "open": waited, "returned": returned}


def after_wait(known: Outcome, wait: Result) -> Outcome:
    """With what stack_ready found of those that were waited for."""
    failed, ready = reasons(wait), set(wait.get("ready") or [])
    if not failed and not ready.issuperset(known["open"]):
        # It could not do its work, so another round would find no more.
        failed = dict.fromkeys((service for service in known["open"] if service not in ready), wait.get("msg") or "it could not be looked at")
        hopeless = True
    else:
        hopeless = False
    returned, proved, back, left = dict(known["returned"]), list(known["proved"]), [], []
    all_failed = dict(known["failed"])
    for service in known["open"]:
        again = service in returned
        if service in failed:
            if again:
                returned[service] = {**returned[service], "ready": False, "reason": failed[service]}
            else:
                all_failed[service] = failed[service]
                back += [] if hopeless else [service]
        elif service not in ready:
            left.append(service)
        elif again:
            returned[service] = {**returned[service], "ready": True}
        else:
            proved.append(service)
    silent = [*known["silent"], *back]
    return {**known, "failed": all_failed, "silent": silent, "proved": proved, "back": back, "open": left, "returned": returned}


def fate(service: str, known: Outcome) -> str:
    """What became of the earlier container, in a sentence; "" if there never was one to speak of."""
    found = known["returned"].get(service)
    if found is None:
        return ""
    if found["ready"]:
        return "Its earlier container runs again and is ready."
    if found["ready"] is None:
        return "Its earlier container runs again; whether it is ready is not known."
    return "Its earlier container: %s." % found["reason"].rstrip(".")


def data_note(paths: t.Sequence[str]) -> str:
    return (
        "It uses %s, which the new container may have changed. If the earlier one does not work with that, restore a backup, or go on with the new definition."
        % " and ".join(paths)
    )


def report(known: Outcome, model: Result, plan: Result, swapped: t.Collection[str], message: str, commit: Result) -> str:
    """The words that end a failed run. ``message``: what the failed task said, for a failure that belongs to no service."""
    lines = [] if known["failed"] else [message]
    for service, reason in known["failed"].items():
        lines.append("%s failed: %s." % (service, reason.rstrip(".")))
        told = fate(service, known)
        lines += [told] if told else []
        paths = [entry["path"] for entry in model["services"][service]["data"]]
        if paths and known["returned"].get(service, {}).get("ready") is not False and told:
            lines.append(data_note(paths))
        files = [reason["name"][len("file ") :] for reason in plan.get(service, {}).get("why", []) if reason["name"].startswith("file ")]
        if files and told:
            lines.append("Files do not go back: it reads %s as this run has written them." % ", ".join(files))
        log = known["returned"].get(service, {}).get("log") or []
        if service in known["silent"] and log:
            lines += ["Last lines of the log of the new container:", *("  | " + line for line in log)]
    if known["proved"]:
        lines.append("New, proved and kept: %s." % ", ".join(known["proved"]))
    lines += [entry["problem"] for entry in commit.get("swaps") or [] if entry["problem"]]
    untouched = [name for name, entry in plan.items() if (entry.get("replaces") or entry.get("previous")) and name not in swapped]
    if untouched:
        lines.append("Not touched any more: %s." % ", ".join(untouched))
    if known["returned"]:
        lines.append("The plan above tells what is new in the definition. Correct that and run the playbook again.")
    return "\n".join(lines)
