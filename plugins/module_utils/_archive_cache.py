# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remembers on the controller what was read of an archive: of a compressed one, all has to be unpacked for that. Private to this collection."""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._archive import Archive, Image, read

FORMAT = 1
MOST = 500


def cache_file() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "cozeops", "archives.json")


class ReadOnce:
    """Reads archives; one whose size and time are as they were is not read again. ``found`` has all that were asked for, by path."""

    def __init__(self, path: str = "", reader: t.Callable[[str], Archive] = read) -> None:
        self._path, self._reader = path or cache_file(), reader
        self._known: dict[str, t.Any] = self._load()
        self._fresh = False
        self.found: dict[str, Archive] = {}

    def __call__(self, path: str) -> Archive:
        full = os.path.abspath(path)
        entry = self._known.get(full)
        info = os.stat(full) if os.path.exists(full) else None
        mark = [info.st_size, info.st_mtime_ns] if info else None
        if entry is None or entry["mark"] != mark:
            archive = self._reader(path)
            self._known.pop(full, None)
            self._known[full] = {"mark": mark, "archive": archive}
            self._fresh = True
        else:
            images, compression, docker_form = entry["archive"][1:]
            archive = Archive(path, tuple(image_of(image) for image in images), compression, docker_form)
        self.found[path] = archive
        return archive

    def save(self) -> list[str]:
        """Write down what is new; why that could not be done, if so: it costs the next run its time, and nothing else."""
        if not self._fresh:
            return []
        entries = dict(list(self._known.items())[-MOST:])
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            temporary = "%s.%d" % (self._path, os.getpid())
            with open(temporary, "w", encoding="utf-8") as handle:
                json.dump({"format": FORMAT, "archives": entries}, handle)
            os.replace(temporary, self._path)
        except OSError as exc:
            return ["what was read of archives is not remembered: %s" % exc]
        return []

    def _load(self) -> dict[str, t.Any]:
        try:
            with open(self._path, encoding="utf-8") as handle:
                document = json.load(handle)
        except (OSError, ValueError):
            return {}  # there is none yet, or it is to be made anew
        known = isinstance(document, dict) and document.get("format") == FORMAT
        return t.cast("dict[str, t.Any]", document["archives"]) if known else {}


def image_of(kept: t.Sequence[t.Any]) -> Image:
    """An image as JSON has kept it, which knows no tuples."""
    references, config, manifest, platform, layers, created = kept
    return Image(tuple(references), config, manifest, platform, tuple(layers), created)
