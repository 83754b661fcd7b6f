# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders on the controller that keep what runs have left: ``<directory>/<stack>/<time>/``. Private to this collection."""

from __future__ import annotations

import datetime
import getpass
import json
import os
import re
import typing as t

TIMELINE = "timeline.json"
REPORT = "report.html"
SEVERAL = "several"  # in place of the stack's name, where a run was one of several stacks

#: Sorted by name, folders are sorted by time; the number tells runs of one second apart.
_FOLDER = re.compile(r"^\d{8}T\d{6}Z(-\d{2})?$")
_UNSAFE = re.compile(r"[^a-z0-9_.-]")


def collection_version(root: str) -> str:
    """Version of the collection in the folder ``root``, installed or a checkout; "" if that cannot be told."""
    try:
        with open(os.path.join(root, "MANIFEST.json"), encoding="utf-8") as handle:
            return str(json.load(handle)["collection_info"]["version"])
    except (OSError, ValueError, KeyError):
        pass
    try:
        with open(os.path.join(root, "galaxy.yml"), encoding="utf-8") as handle:
            match = re.search(r"^version:\s*(\S+)", handle.read(), re.MULTILINE)
    except OSError:
        return ""
    return match.group(1) if match else ""


def default_directory(root: str, environ: t.Mapping[str, str]) -> str:
    """Where runs are kept if the operator does not say: build/runs of a checkout, else the user's directory for state.

    A checkout has galaxy.yml, an installed collection has MANIFEST.json in its place, and nothing may be written beside that.
    """
    if os.path.isfile(os.path.join(root, "galaxy.yml")):
        return os.path.join(root, "build", "runs")
    state = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "cozeops", "runs")


def inventory_around(directory: str, sources: t.Iterable[str]) -> str | None:
    """The inventory folder that ``directory`` lies in: Ansible takes every file there, in folders below too, for a part of the inventory."""
    place = os.path.realpath(directory)
    for source in sources:
        folder = os.path.realpath(source)
        if os.path.isdir(folder) and os.path.commonpath([place, folder]) == folder:
            return source
    return None


def folder_name(stacks: t.Iterable[str]) -> str:
    """Name of the folder for runs of these stacks. No name leads out of the directory."""
    names = sorted(set(stacks))
    if len(names) != 1:
        return SEVERAL
    return _UNSAFE.sub("_", names[0].lower()).lstrip(".") or "unnamed"


def make_folder(directory: str, name: str, begun: float) -> str:
    """A new folder for a run that has begun at this time. Raises OSError."""
    parent = os.path.join(directory, name)
    os.makedirs(parent, mode=0o700, exist_ok=True)
    stamp = datetime.datetime.fromtimestamp(begun, datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1, 100):
        path = os.path.join(parent, stamp if number == 1 else f"{stamp}-{number:02d}")
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(17, "a hundred runs of one second are kept there already", parent)


def write_private(path: str, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all. Raises OSError."""
    temporary = f"{path}.{os.getpid()}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as handle:
        handle.write(text)
    os.replace(temporary, path)


def read_text(path: str) -> str | None:
    """The text of a file; None if there is none that can be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return None


def run_folders(directory: str, name: str) -> list[str]:
    """Folders of runs that have left a timeline, the oldest first."""
    parent = os.path.join(directory, name)
    if not os.path.isdir(parent):
        return []
    paths = [os.path.join(parent, entry) for entry in sorted(os.listdir(parent)) if _FOLDER.match(entry)]
    return [path for path in paths if os.path.isfile(os.path.join(path, TIMELINE))]


def newest(directory: str, stack: str) -> str | None:
    """The timeline of the last run that the stack was in."""
    folders = [*run_folders(directory, folder_name([stack])), *run_folders(directory, SEVERAL)]
    for folder in sorted(folders, key=os.path.basename, reverse=True):
        path = os.path.join(folder, TIMELINE)
        if os.path.basename(os.path.dirname(folder)) != SEVERAL or _names(path, stack):
            return path
    return None


def _names(path: str, stack: str) -> bool:
    try:
        hosts = load(path)["hosts"]
    except (OSError, ValueError):
        return False
    return any(host["stack"] == stack for host in hosts)


def load(path: str) -> dict[str, t.Any]:
    """A timeline. Raises OSError, or ValueError with what is wrong in words."""
    with open(path, encoding="utf-8") as handle:
        try:
            found = json.load(handle)
        except ValueError as exc:
            raise ValueError(f"{path} is not JSON: {exc}") from exc
    if not isinstance(found, dict) or found.get("schema") != 1 or not {"run", "versions", "hosts"} <= set(found):
        raise ValueError(f"{path} is no timeline that this version of the collection knows. Give the path of a {TIMELINE} that a run of site.yml has left.")
    return found


def prune(directory: str, name: str, keep: int) -> list[str]:
    """Remove all but the ``keep`` newest runs; 0 keeps all. Returns what was removed. Raises OSError."""
    old = run_folders(directory, name)[:-keep] if keep > 0 else []
    for path in old:
        # Nothing but what runs leave there is taken away with them.
        for entry in (TIMELINE, REPORT):
            if os.path.isfile(os.path.join(path, entry)):
                os.unlink(os.path.join(path, entry))
        if not os.listdir(path):
            os.rmdir(path)
    return old


def user() -> str:
    """Who runs this."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run with a number that has no name
        name = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{name} (sudo by {behind})" if behind and behind != name else name
