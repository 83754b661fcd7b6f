# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a stack: what definitions ask for, as a list of what is to lie where on the host, with keyed digests."""

from __future__ import annotations

import fnmatch
import os
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed
from ansible_collections.cozeops.studio.plugins.module_utils._model_files import Directory, Wish, plan

Service = t.Mapping[str, t.Any]
#: {"path", "src" or "content", "digest", "owner", "group", "mode", "secret"}, as stack_render takes it.
FileEntry = dict[str, t.Any]


class FileError(ValueError):
    """A definition asks for a file that cannot be made; the text names the service and the file."""


class Sources(t.NamedTuple):
    """What file entries are made from."""

    tree: str
    key: str
    #: env form -> the service's environment in that form
    env_text: t.Callable[[Service, str], str]
    #: (service, template name) -> text
    template: t.Callable[[Service, str], str]


def walk(top: str, pattern: str) -> list[str]:
    """Paths below top, relative to it, sorted; names that do not match, and hidden ones, are left out."""
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.relpath(os.path.join(folder, name), top) for name in names if fnmatch.fnmatch(name, pattern) and not name.startswith(".")]
    return sorted(found)


def entry(spec: t.Mapping[str, t.Any], path: str, data: bytes, key: str, **where: str) -> FileEntry:
    return {
        "path": path,
        "digest": keyed(key, data),
        "owner": spec.get("owner", 0),
        "group": spec.get("group", 0),
        "mode": spec.get("mode", "0644"),
        "secret": spec.get("mode", "0644") == "0600",
        **where,
    }


def read(src: str) -> bytes:
    with open(src, "rb") as handle:
        return handle.read()


def from_disk(spec: t.Mapping[str, t.Any], path: str, src: str, key: str) -> FileEntry:
    return entry(spec, path, read(src), key, src=src)


def single_file(service: Service, spec: t.Mapping[str, t.Any], sources: Sources) -> FileEntry:
    """A file of the source tree, a template of the role, or the service's environment."""
    if "source" in spec:
        src = os.path.join(sources.tree, spec["source"])
        if not os.path.isfile(src):
            raise FileError("service %s: the source tree has no file %s" % (service["name"], spec["source"]))
        return from_disk(spec, spec["path"], src, sources.key)
    text = sources.env_text(service, spec["env_form"]) if "env_form" in spec else sources.template(service, spec["template"])
    return entry(spec, spec["path"], text.encode(), sources.key, content=text)


def tree_files(service: Service, spec: t.Mapping[str, t.Any], sources: Sources) -> list[FileEntry]:
    """Every file of a folder of the source tree. An absent folder is an empty one: what must exist, the release table says."""
    top = os.path.join(sources.tree, spec["source"])
    return [from_disk(spec, os.path.join(spec["path"], path), os.path.join(top, path), sources.key) for path in walk(top, spec.get("pattern", "*"))]


def collect(service: Service, sources: Sources) -> tuple[list[FileEntry], dict[str, str]]:
    """All files of a service, and for each what a change of it asks for (none, reload, restart, recreate)."""
    files: list[FileEntry] = []
    on_change: dict[str, str] = {}
    for spec in service["files"]:
        found = single_file(service, spec, sources)
        files.append(found)
        on_change[found["path"]] = spec.get("on_change", "restart")
    for spec in service["trees"]:
        for found in tree_files(service, spec, sources):
            files.append(found)
            on_change[found["path"]] = spec.get("on_change", "restart")
    return files, on_change


def model_directory(
    service: Service, models: t.Sequence[Wish], files: t.Sequence[FileEntry], sources: Sources, release: str
) -> tuple[list[FileEntry], Directory]:
    """The files that a service's chat models add to those that it has, and the whole directory with all of them.

    Raises ModelError with every problem of every model file: those of the tree, the operator's own, and the models.
    """
    spec = service["chat_models"]
    own = hand_written(service, spec, sources)
    here = {os.path.basename(found["path"]): found["src"] for found in [*files, *own] if os.path.dirname(found["path"]) == spec["path"] and "src" in found}
    before = {name: read(src) for name, src in here.items() if name.endswith((".yaml", ".yml"))}
    template = os.path.join(sources.tree, spec["template"])
    directory = plan(models, before, release, template if os.path.isdir(template) else None, here.__getitem__, spec["variable"])
    made = [
        entry(spec, os.path.join(spec["path"], name), directory.files[name], sources.key, content=directory.files[name].decode()) for name in directory.wanted
    ]
    return [*own, *(made if spec["written"] else [])], directory


def hand_written(service: Service, spec: t.Mapping[str, t.Any], sources: Sources) -> list[FileEntry]:
    """The operator's own model files. They take the place of files of the tree that have the same name."""
    if not spec["directory"]:
        return []
    top = os.path.abspath(os.path.expanduser(spec["directory"]))
    if not os.path.isdir(top):
        raise FileError("service %s: %s: there is no directory %s on this machine" % (service["name"], spec["directory_variable"], top))
    names = [path for path in walk(top, "*.y*ml") if os.sep not in path]
    return [from_disk(spec, os.path.join(spec["path"], name), os.path.join(top, name), sources.key) for name in names]


def tree_changes(service: Service) -> dict[str, str]:
    """What a file that comes or goes in each of the service's trees asks for."""
    return {spec["path"]: spec.get("on_change", "restart") for spec in service["trees"]}


def directories(services: t.Iterable[Service], files: t.Iterable[FileEntry], stack: str) -> list[dict[str, t.Any]]:
    """Directories for stack_render, parents first: the stack's own, those of its files, and data directories with their stamps."""
    found: dict[str, dict[str, t.Any]] = {
        path: root_directory(path, mode) for path, mode in ((".", "0700"), ("conf", "0755"), ("data", "0755"), ("env", "0700"), ("state", "0700"))
    }
    for service in services:
        # A folder that is empty in the source is mounted all the same, so it must be there.
        for path in [spec["path"] for spec in service["trees"]]:
            add_parents(found, path + "/x")
        for entry_ in service["data"]:
            found[entry_["path"]] = {
                "path": entry_["path"],
                "owner": entry_["owner"],
                "group": entry_["group"],
                "mode": entry_.get("mode", "0700"),
                "stamp": {"stack": stack, "service": service["name"]},
            }
    for entry_ in files:
        add_parents(found, entry_["path"])
    return [found[path] for path in sorted(found, key=lambda path: (path != ".", path))]


def root_directory(path: str, mode: str) -> dict[str, t.Any]:
    return {"path": path, "owner": 0, "group": 0, "mode": mode}


def add_parents(found: dict[str, dict[str, t.Any]], path: str) -> None:
    parent = os.path.dirname(path)
    while parent:
        found.setdefault(parent, root_directory(parent, "0755"))
        parent = os.path.dirname(parent)
