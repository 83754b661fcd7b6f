# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of image_archive: what is in the archives, whether they are whole, and which of them the host needs."""

from __future__ import annotations

import os
import tempfile
import time
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.cozeops.studio.plugins.module_utils._archive import Archive, ArchiveError, as_plain_tar, compression_of, read
from ansible_collections.cozeops.studio.plugins.module_utils._archive_cache import ReadOnce
from ansible_collections.cozeops.studio.plugins.module_utils._archive_index import Index, Place, choose, damaged, index, wrong_platform
from ansible_collections.cozeops.studio.plugins.plugin_utils._apart import apart, submit

MODULE = "cozeops.studio.image_archive"
SPEC: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "images": {"type": "list", "elements": "str", "default": []},
    "platform": {"type": "str", "default": ""},
    "checksums": {"type": "path"},
}
LOADS = 2  # at once; a third archive is on its way meanwhile
QUIET = 3.0  # seconds after which a line is shown for each archive
#: From which Engine on these can be loaded as they are.
READS_ZSTD, READS_OCI = 23, 25

display = Display()


class ActionModule(ActionBase):
    """See the module for its options."""

    TRANSFERS_FILES = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(SPEC)
        begun = time.monotonic()
        path = self._loader.path_dwim(arguments["path"])
        reader = ReadOnce()
        try:
            known = index(path, arguments["images"], reader, arguments["checksums"] or "")
            places = choose(known, arguments["images"])
            asked = self._call({"path": path, "wanted": [as_wanted(place) for place in places]}, task_vars)
            if asked.get("failed"):
                return asked
            due = [place for place in places if asked["states"][place.reference] == "missing"]
            platform = arguments["platform"] or asked["platform"]
            refuse(wrong_platform(due, platform) if platform else [])
            # The smallest is there soon, and has the host work while others are sent; of these the largest first, so that none of them is left for the end.
            by_size = sorted({place.archive for place in due}, key=os.path.getsize)
            files = by_size[:1] + by_size[:0:-1]
            sent = 0
            if due and not self._task.check_mode:
                refuse(unsound(files, known))
                refuse(no_room(files, asked["room"]["engine"], asked["engine_dir"]))
                sent = self._load(path, due, files, asked, reader.found, begun, task_vars)
        except ArchiveError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        finally:
            for warning in reader.save():
                display.vvv(warning)
        retagged = [place.reference for place in places if asked["states"][place.reference] == "retag"]
        result: dict[str, t.Any] = {
            "changed": bool(due or retagged),
            "loaded": [{"image": place.reference, "archive": place.archive, "bytes": os.path.getsize(place.archive)} for place in due],
            "present": [place.reference for place in places if asked["states"][place.reference] == "present"],
            "retagged": retagged,
            "bytes_sent": sent,
            "seconds": round(time.monotonic() - begun, 1),
        }
        if self._task.diff and result["changed"]:
            lines = ["load %s from %s\n" % (place.reference, place.archive) for place in due] + ["tag %s\n" % reference for reference in retagged]
            result["diff"] = {"prepared": "".join(lines)}
        return result

    def _call(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        result.pop("invocation", None)
        return result

    def _load(
        self,
        path: str,
        due: t.Sequence[Place],
        files: t.Sequence[str],
        asked: t.Mapping[str, t.Any],
        read_before: t.Mapping[str, Archive],
        begun: float,
        task_vars: dict[str, t.Any] | None,
    ) -> int:
        """Send and load the files, some at once; the number of bytes that were sent. Raises ArchiveError that names those that could not be loaded."""
        local = self._connection.transport in ("local", "ansible.builtin.local")
        remote_dir = "" if local else self._make_tmp_path()
        sent = 0
        waiting: list[Future[list[str]]] = []
        try:
            if remote_dir:
                most = sorted(files, key=os.path.getsize)[-LOADS - 1 :]
                refuse(no_room(most, self._call({"path": path, "tmp_dir": remote_dir}, task_vars)["room"]["tmp"], remote_dir))
            with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(LOADS) as pool:
                for number, file in enumerate(files):
                    plain = os.path.join(scratch, "%d.tar" % number)
                    source = plain if for_old_engine(file, asked["engine"], read_before.get(file), plain) else file
                    there = source if local else self._send(source, remote_dir, number)
                    sent += 0 if local else os.path.getsize(source)
                    here = [place for place in due if place.archive == file]
                    waiting.append(submit(pool, apart(self)._load_one, path, file, there, here, remote_dir, begun, task_vars))
                    # Of what is on its way, no more than one lies about while others are loaded.
                    while len([each for each in waiting if not each.done()]) > LOADS:
                        time.sleep(0.05)
                problems = [problem for each in waiting for problem in each.result()]
        finally:
            if remote_dir:
                self._remove_tmp_path(remote_dir)
        refuse(problems)
        return sent

    def _send(self, source: str, remote_dir: str, number: int) -> str:
        remote: str = self._connection._shell.join_path(remote_dir, "%d" % number)
        self._transfer_file(source, remote)
        return remote

    def _load_one(
        self, path: str, file: str, there: str, here: t.Sequence[Place], remote_dir: str, begun: float, task_vars: dict[str, t.Any] | None
    ) -> list[str]:
        """Load one archive; a sentence for each thing that went wrong."""
        arguments = {"path": path, "wanted": [as_wanted(place) for place in here], "load": [there], "tmp_dir": remote_dir or None}
        result = self._call(arguments, task_vars)
        if result.get("failed"):
            return ["%s could not be loaded: %s" % (file, result.get("msg"))]
        if result["problems"]:
            return ["%s could not be loaded: the Engine says: %s" % (file, problem) for problem in result["problems"].values()]
        now = time.monotonic() - begun
        if now > QUIET and not self._task.no_log:
            display.display("  loaded %s, %.0f MB, after %.0f s" % (os.path.basename(file), os.path.getsize(file) / 1e6, now))
        lacking = [place.reference for place in here if result["states"][place.reference] == "missing"]
        return ["%s was loaded, and the Engine has no %s as it should be" % (file, reference) for reference in lacking]


def refuse(problems: t.Sequence[str]) -> None:
    if problems:
        raise ArchiveError("\n".join(problems))


def as_wanted(place: Place) -> dict[str, t.Any]:
    """The image as the module is told of it."""
    image = place.image
    return {
        "reference": place.reference,
        "config_digest": image.config_digest,
        "manifest_digest": image.manifest_digest,
        "layers": list(image.layers),
        "created": image.created,
    }


def unsound(files: t.Sequence[str], known: Index) -> list[str]:
    """A sentence for each file that is damaged. All are read to the end, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return [problem for problem in pool.map(lambda file: problem_of(file, known), files) if problem]


def problem_of(file: str, known: Index) -> str:
    if file in known.checksums:
        return damaged(file, known)
    try:
        read(file, prove=True)
    except ArchiveError as exc:
        return str(exc)
    return ""


def no_room(files: t.Iterable[str], free: int, directory: str) -> list[str]:
    """A sentence if the files do not even fit there as they are."""
    needed = sum(os.path.getsize(file) for file in files)
    if needed < free:
        return []
    return ["the host has %.1f GB left for %s, and the archives alone have %.1f GB. Make room there." % (free / 1e9, directory, needed / 1e9)]


def for_old_engine(file: str, engine: str, archive: Archive | None, target: str) -> bool:
    """Write the archive anew as ``target`` if an Engine of this version cannot read it as it is; whether that was done."""
    first = engine.partition(".")[0]
    major = int(first) if first.isdigit() else READS_OCI
    zstd = major < READS_ZSTD and compression_of(file) == "zstd"
    oci = major < READS_OCI and archive is not None and not archive.docker_form
    if zstd or oci:
        as_plain_tar(archive or read(file), target)
    return zstd or oci
