# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import typing as t

from ansible.plugins.action import ActionBase

MODULE = "cozeops.studio.stack_render"


def manifest(entries: t.Iterable[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """The files without their contents, as the host is told of them."""
    return [{name: value for name, value in entry.items() if name not in ("src", "content")} for entry in entries]


def content_of(entry: t.Mapping[str, t.Any]) -> bytes:
    if entry.get("content") is not None:
        return str(entry["content"]).encode()
    with open(entry["src"], "rb") as handle:
        return handle.read()


def pack(entries: t.Iterable[t.Mapping[str, t.Any]], stream: t.BinaryIO) -> None:
    """Write the contents as a compressed archive; owners and modes are the module's business."""
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=3) as archive:
        for entry in entries:
            data = content_of(entry)
            member = tarfile.TarInfo(entry["path"])
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def diff_of(difference: t.Mapping[str, t.Any], entry: t.Mapping[str, t.Any] | None) -> dict[str, str]:
    """One entry of the task's diff."""
    path, kind = difference["path"], difference["kind"]
    if kind in ("directory", "attributes", "remove"):
        return {"prepared": "%s: %s\n" % (path, {"directory": "new directory", "attributes": "other owner or mode", "remove": "removed"}[kind])}
    if difference.get("secret") or entry is None:
        return {"prepared": "%s: %s (content is secret)\n" % (path, "new" if kind == "create" else "changed")}
    try:
        after = content_of(entry).decode()
    except UnicodeDecodeError:
        return {"prepared": "%s: %s (binary)\n" % (path, "new" if kind == "create" else "changed")}
    if kind == "create" or difference.get("before") is None:
        return {"prepared": "%s: %s, %d lines\n" % (path, "new" if kind == "create" else "changed", after.count("\n"))}
    return {"before_header": path, "after_header": path, "before": difference["before"], "after": after}


class ActionModule(ActionBase):
    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        entries = {entry["path"]: entry for entry in self._task.args.get("files", [])}
        arguments = {**self._task.args, "files": manifest(entries.values()), "show": bool(self._task.diff)}
        known = [entries[path] for path in arguments.get("needed") or [] if path in entries]
        result = self._send(arguments, known, task_vars) if known and not self._task.check_mode else self._call(arguments, task_vars)
        needed = result.pop("needed", [])
        if needed and not result.get("failed") and not self._task.check_mode:
            result = self._send(arguments, [entries[path] for path in needed], task_vars)
            result.pop("needed", None)
        if self._task.diff and result.get("differences"):
            result["diff"] = [diff_of(difference, entries.get(difference["path"])) for difference in result["differences"]]
        for difference in result.get("differences", []):
            difference.pop("before", None)
        return result

    def _call(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        result.pop("invocation", None)  # a list of some hundred files tells nobody anything
        return result

    def _send(self, arguments: dict[str, t.Any], entries: list[dict[str, t.Any]], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """Bring the contents to the host as one file, 0600 from its first byte, and have them unpacked."""
        remote_dir = self._make_tmp_path()
        self._connection._shell.tmpdir = remote_dir
        with tempfile.NamedTemporaryFile(suffix=".tar.gz") as local:
            pack(entries, t.cast("t.BinaryIO", local))
            local.flush()
            remote = self._connection._shell.join_path(remote_dir, os.path.basename(local.name))
            self._transfer_file(local.name, remote)
        try:
            return self._call({**arguments, "archive": remote}, task_vars)
        finally:
            self._remove_tmp_path(remote_dir)
