# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drives the module stack_ready in slices, so that progress shows while it waits, and words its failures for the operator."""

from __future__ import annotations

import locale
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

MODULE = "cozeops.studio.stack_ready"
SLICE = 4.0  # seconds; starting the module again costs about half a second
HEARTBEAT = 10.0  # seconds between two lines without news
AT_ONCE = 1.0  # a wait that is over this soon needs no line
DETAILS = 3  # how many waiting services are shown with their reason
SHOWN_FINDINGS = 2
SHOWN_LOG = 15  # lines of a log in the message if the failure is explained; all lines are in the result

display = Display()


class ActionModule(ActionBase):
    """See the module for its options."""

    TRANSFERS_FILES = False
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run slices until one says that it is finished, has failed or cannot reach the host (which is raised)."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        progress = Progress(prefix(self._task.args, variables), self._silent())
        state: dict[str, Any] = {}
        while True:
            arguments = {**self._task.args, "slice": SLICE, "state": state}
            result = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=variables)
            if "finished" not in result:  # bad arguments, no Engine, a host that is gone: nothing of ours to add
                return result
            state = result.pop("state", {})
            progress.show(result, state)
            if result.pop("finished"):
                if result.get("failed"):
                    result["msg"] = failure_message(result["failures"], result["waiting"])
                return result

    def _silent(self) -> bool:
        return str(self._task.args.get("quiet", False)).lower() in ("true", "yes", "on", "1") or bool(self._task.no_log)


class Progress:
    """Shows a line when something got ready, and now and then while nothing does."""

    def __init__(self, prefix: str, silent: bool) -> None:
        self._prefix, self._silent = prefix, silent
        self._told: set[str] = set()
        self._last: float | None = None
        self._dot = "·" if "utf" in locale.getpreferredencoding(False).lower() else "-"
        # A callback that prints one JSON document to stdout leaves stderr to us.
        self._stderr = "json" in str(C.config.get_config_value("DEFAULT_STDOUT_CALLBACK")).lower()

    def show(self, result: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        """Show what is new since the last call."""
        fresh = [entry for entry in result["timeline"] if entry["service"] not in self._told and not entry.get("already")]
        self._told.update(entry["service"] for entry in result["timeline"])
        now = time.monotonic()
        if self._last is None:
            due = not result["finished"] or result["elapsed"] >= AT_ONCE
        else:
            due = bool(fresh) or (not result["finished"] and now - self._last >= HEARTBEAT)
        line = progress_line(fresh, result["waiting"], waited(state), self._dot) if due and not self._silent else ""
        if line:
            self._last = now
            display.display(f"  {self._prefix}{line}", stderr=self._stderr)


def prefix(args: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
    """``coze: ``, and before it the host if the play has several."""
    stack = str(args.get("root") or "").rstrip("/").rsplit("/", 1)[-1] or "stack"
    several = len(variables.get("ansible_play_hosts_all") or []) > 1
    host = f"[{variables.get('inventory_hostname')}] " if several else ""
    return f"{host}{stack}: "


def waited(state: Mapping[str, Any]) -> dict[str, float]:
    """How long each service has taken so far, in seconds of the host's clock."""
    return {name: float(service.get("waited") or 0.0) for name, service in (state.get("services") or {}).items()}


def progress_line(fresh: Sequence[Mapping[str, Any]], waiting: Mapping[str, str], seconds: Mapping[str, float], dot: str = "·") -> str:
    """``mysql ready after 7.3 s · waiting for elasticsearch (12 s: connection refused on 9200), milvus``."""
    parts = []
    if fresh:
        parts.append(", ".join(f"{entry['service']} ready after {entry['seconds']:.1f} s" for entry in fresh))
    if waiting:
        words = [
            f"{name} ({seconds.get(name, 0.0):.0f} s: {one_line(reason)})" if number < DETAILS else name
            for number, (name, reason) in enumerate(waiting.items())
        ]
        parts.append("waiting for " + ", ".join(words))
    return f" {dot} ".join(parts)


def failure_message(failures: Sequence[Mapping[str, Any]], waiting: Mapping[str, str]) -> str:
    """What failed, what it means and what to do, then the log: for the operator, without secrets as the module has masked them."""
    blocks = [failure_block(failure) for failure in failures]
    others = {name: reason for name, reason in waiting.items() if name not in {failure["service"] for failure in failures}}
    if others:
        blocks.append("Not ready either: " + ", ".join(f"{name} ({one_line(reason)})" for name, reason in others.items()))
    return "\n\n".join(blocks)


def failure_block(failure: Mapping[str, Any]) -> str:
    """The message for one service."""
    lines = [f"{failure['service']} failed (container {failure['container']}): {failure['reason']}"]
    if failure["kind"] == "timeout":
        lines[0] += f" (container {failure['state']})"
    for finding in failure["findings"][:SHOWN_FINDINGS]:
        lines.append(f"What it means: {finding['meaning']}")
        lines.append(f"What to do: {finding['fix']}")
        if finding["line"]:
            lines.append(f"Told by: {one_line(finding['line'])}")
    log = failure["log"][-SHOWN_LOG:] if failure["findings"] else failure["log"]
    if log:
        lines.append(f"Last lines of its log (docker logs {failure['container']}):")
        lines += [f"  | {line}" for line in log]
    elif failure["kind"] != "missing":
        lines.append("Its log is empty.")
    return "\n".join(lines)


def one_line(text: str, limit: int = 200) -> str:
    """``text`` on one line, not longer than ``limit``."""
    words = " ".join(str(text).split())
    return words if len(words) <= limit else words[: limit - 3] + "..."
