# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_record
type: aggregate
short_description: Write down what a run did, and when
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Watches a run, and writes its timeline and its report where M(cozeops.studio.stack_record) says. Does nothing in a run without a task of that module.
  - It looks at results that Ansible has on the controller anyway, so that it costs no task, and it also knows of hosts that failed or could not be
    reached. Results of tasks with C(no_log) do not come to it.
  - The playbooks of the collection, and those that import them, load it by themselves. For others it has to be enabled in C(callbacks_enabled).
"""

import os
import platform
import socket
import time
import typing as t

from ansible import constants as C
from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__ as core_version
from ansible_collections.cozeops.studio.plugins.module_utils._report import render
from ansible_collections.cozeops.studio.plugins.module_utils._run_table import lines
from ansible_collections.cozeops.studio.plugins.module_utils._runs import (
    REPORT,
    TIMELINE,
    collection_version,
    folder_name,
    make_folder,
    prune,
    user,
    write_private,
)
from ansible_collections.cozeops.studio.plugins.module_utils._timeline import MAKES, PROVES, HostLog, RunLog, Task, Wait, document, dump

COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
RECORD = "cozeops.studio.stack_record"
SWAP = "cozeops.studio.container_swap"
#: Module to the field of HostLog that takes what it returned.
KEPT = {"cozeops.studio.stack_source": "source", "cozeops.studio.stack_info": "info", "cozeops.studio.stack_plan": "plan"}
ADDS_HOSTS = ("add_host", "ansible.builtin.add_host", "ansible.legacy.add_host")
CHECKS = "cozeops.studio.product_check"
SET_FACT = ("set_fact", "ansible.builtin.set_fact", "ansible.legacy.set_fact")


class CallbackModule(CallbackBase):
    """Collects, and writes at the end; and in between whenever services have come a step further, for a run that is killed."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = RECORD
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._forget("")

    def _forget(self, playbook: str) -> None:
        self._begun = time.time()
        self._playbook = playbook
        self._hosts: dict[str, HostLog] = {}
        self._running: dict[tuple[str, str], float] = {}
        self._options: dict[str, t.Any] | None = None  # what the task of stack_record returned
        self._folder = ""
        self._broken = False
        self._meant: list[str] = []  # hosts that the run is to come to, batch by batch

    # -- what Ansible calls

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        if vars(playbook).setdefault("_stack_record", self) is not self:
            self.disabled = True  # it was enabled by its name as well, and is there twice
            return
        self._forget(os.path.basename(str(playbook._file_name)))

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._running[host.get_name(), task._uuid] = time.time()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._done(result, False)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._done(result, not ignore_errors)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._done(result, True)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._running.pop((result.host.get_name(), result.task._uuid), None)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        for name, log in self._hosts.items():
            if stats.dark.get(name):
                log.outcome = "unreachable"
            elif stats.failures.get(name):
                log.outcome = "failed"
            else:
                log.outcome = "changed" if stats.changed.get(name) else "ok"
        self._write(time.time())

    # -- what it makes of that

    def _done(self, result: t.Any, failed: bool) -> None:
        host, task, now = result.host.get_name(), result.task, time.time()
        begun = self._running.pop((host, task._uuid), now)
        log = self._hosts.setdefault(host, HostLog())
        step = task.get_vars().get("service_step")
        role = task._role.get_name() if task._role else ""
        action = str(task.resolved_action or task.action)
        # Not the task's own get_name, which takes other arguments where a role is included.
        name = " : ".join(part for part in (role.rsplit(".", 1)[-1], task.name or task.action) if part)
        unmade = [self._service(log, entry["name"]) for entry in result.result.get("containers") or [] if entry["failed"]] if action == MAKES else []
        own = isinstance(step, dict) and host in step.get("hosts", [host])  # else a step of another host, which this one waits for
        log.tasks.append(Task(role, name, action, step if own else {}, begun, now, failed, unmade))
        if failed:
            log.failure = (now, name, message(result.result))
        if action in ADDS_HOSTS:
            self._meant += [str(item["add_host"]["host_name"]) for item in result.result.get("results") or [] if "add_host" in item]
        self._keep(log, action, task, result, begun, now)

    def _keep(self, log: HostLog, action: str, task: t.Any, result: t.Any, begun: float, now: float) -> None:
        if action == RECORD:
            self._options = result.result
            log.stack = str(result.result.get("stack") or "")
        elif action in KEPT and "failed" not in result.result:
            setattr(log, KEPT[action], result.result)
            if KEPT[action] == "plan":
                log.planned = now
                log.waits.append(Wait(begun, now, result.result.get("timeline") or [], []))
                self._write(None)
        elif action == PROVES and "timeline" in result.result:
            log.waits.append(Wait(begun, now, result.result["timeline"], result.result.get("failures") or []))
            self._write(None)
        elif action == SWAP and task.args.get("state") == "restored":
            log.restored += [self._service(log, swap["name"]) for swap in result.result.get("swaps") or [] if not swap["problem"]]
        elif action == CHECKS:
            log.checks = result.result.get("steps") or []
        elif action in SET_FACT and "stack_model" in task.args:
            log.model = (result.result.get("ansible_facts") or {}).get("stack_model") or {}

    def _service(self, log: HostLog, container: str) -> str:
        return container[len(str(log.model.get("name") or log.stack)) + 1 :]

    def _write(self, done: float | None) -> None:
        """Write what is known; at the end also the report, and take away old runs. A place that cannot be written is no reason for a run to fail."""
        if self._options is None or self._broken:
            return
        timeline = document(RunLog(self._begun, done, self._about(), self._versions(), self._hosts))
        directory, name = self._options["directory"], folder_name(log.stack for log in self._hosts.values() if log.stack)
        try:
            self._folder = self._folder or make_folder(directory, name, self._begun)
            write_private(os.path.join(self._folder, TIMELINE), dump(timeline))
            if done is not None:
                if self._options["report"]:
                    write_private(os.path.join(self._folder, REPORT), render(timeline))
                prune(directory, name, self._options["keep"])
        except OSError as exc:
            self._broken = True
            where = f"{exc.filename or directory}: {exc.strerror}"
            self._display.warning(f"The timeline of this run is not kept: {where}. Set stack_run_dir to a place that can be written.")
            return
        if done is not None and C.config.get_config_value("DEFAULT_STDOUT_CALLBACK") in ("default", "ansible.builtin.default"):
            for line in lines(timeline, self._meant):
                self._display.display(line)
            self._display.display(f"What this run did, and when: {os.path.join(self._folder, REPORT if self._options['report'] else TIMELINE)}")

    def _about(self) -> dict[str, t.Any]:
        given = context.CLIARGS
        about: dict[str, t.Any] = {
            "playbook": self._playbook,
            "user": user(),
            "controller": socket.gethostname(),
            "check_mode": bool(given.get("check")),
        }
        for key, value in (("limit", given.get("subset")), ("tags", given.get("tags")), ("skip_tags", given.get("skip_tags"))):
            words = value if isinstance(value, str) else ",".join(value or ())
            if words and words != "all":
                about[key] = words
        return about

    def _versions(self) -> dict[str, str]:
        return {"collection": collection_version(COLLECTION), "ansible_core": core_version, "python": platform.python_version()}


def message(result: t.Mapping[str, t.Any]) -> str:
    """What a failed task says; of a loop, what its first failed item says."""
    if result.get("censored"):
        return str(result["censored"])
    items = [item for item in result.get("results") or [] if isinstance(item, dict) and item.get("failed")]
    return str((items[0] if items else result).get("msg") or result.get("msg") or "it does not say why")
