# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbook bundle does on the controller, apart from what other tools do for it. See the module for the options."""

from __future__ import annotations

import datetime
import getpass
import glob
import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.cozeops.studio.plugins.module_utils import _bundle, _push, _registry
from ansible_collections.cozeops.studio.plugins.module_utils._archive import ArchiveError, Image, read
from ansible_collections.cozeops.studio.plugins.module_utils._archive_cache import ReadOnce
from ansible_collections.cozeops.studio.plugins.module_utils._archive_index import INCOMPLETE, bundle_index
from ansible_collections.cozeops.studio.plugins.module_utils._runs import collection_version

COLLECTION_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SPEC: dict[str, t.Any] = {
    "dest": {"type": "str", "required": True},
    "state": {"type": "str", "required": True, "choices": ["planned", "packed", "written", "verified", "pushed"]},
    "parts": {"type": "list", "elements": "str", "choices": list(_bundle.PARTS), "default": list(_bundle.PARTS)},
    "references": {"type": "list", "elements": "str", "default": []},
    "found": {"type": "list", "elements": "dict", "default": []},
    "reference": {"type": "str"},
    "sources": {"type": "list", "elements": "dict", "default": []},
    "source_parts": {"type": "list", "elements": "str", "default": []},
    "packages": {"type": "dict", "default": {}},
    "registry": {"type": "str", "default": ""},
    "login": _registry.LOGIN,
    "authority": {"type": "str", "default": ""},
}

display = Display()


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _validation, self.arguments = self.validate_argument_spec(SPEC)
        if not self.arguments["dest"]:
            raise AnsibleActionFail("bundle_dest is not set. Set it to the directory that the bundle is to be written to, on this machine.")
        self.dest = os.path.abspath(self._loader.path_dwim(self.arguments["dest"]))
        self.reader = ReadOnce()
        try:
            result: dict[str, t.Any] = getattr(self, "_" + self.arguments["state"])()
        except (_bundle.BundleError, ArchiveError) as exc:
            raise AnsibleActionFail(str(exc)) from exc
        except OSError as exc:
            raise AnsibleActionFail("%s: %s" % (exc.filename or self.dest, exc.strerror)) from exc
        finally:
            for warning in self.reader.save():
                display.vvv(warning)
        return result

    # -- the states

    def _planned(self) -> dict[str, t.Any]:
        """What other tools are to fetch. If there is something, the bundle counts as unfinished from here on."""
        _bundle.refuse_place(self.dest)
        wanted, missing = _bundle.on_engine(self._names(), self.arguments["found"])
        before = _bundle.read_manifest(self.dest)
        with ThreadPoolExecutor(2) as pool:
            intact = pool.map(lambda image: _bundle.intact(before, self.dest, image.archive), wanted)
        due = [image for image, whole in zip(wanted, intact) if not whole or _bundle.held(self._path(image.archive), image, self.reader) is None]
        _bundle.refuse_room(self.dest, due)
        fetch = [part for part, about in self._about().items() if part in self.arguments["parts"] and not _bundle.same_part(before, self.dest, part, about)]
        if (due or missing or fetch) and not self._task.check_mode:
            self._begin()
        return {
            "changed": False,
            "due": [{"reference": image.reference, "archive": image.archive, "tar": self._tar(image.archive)} for image in due],
            "missing": missing,
            "fetch": fetch,
            **self._about()[_bundle.PYTHON],
            "dest": self.dest,
        }

    def _packed(self) -> dict[str, t.Any]:
        """One image that was exported, proved and compressed."""
        wanted, _missing = _bundle.on_engine(self._names(), self.arguments["found"])
        image = next(image for image in wanted if image.reference == self.arguments["reference"])
        tar = self._tar(image.archive)
        archive = read(tar, prove=True)
        if _bundle.held(tar, image, lambda _path: archive) is None:
            raise _bundle.BundleError("%s: what the Engine exported as %s is another image. Run the playbook again." % (image.reference, tar))
        _bundle.pack(tar, self._path(image.archive))
        os.unlink(tar)
        return {"changed": True, "archive": self._path(image.archive), "bytes": os.path.getsize(self._path(image.archive))}

    def _written(self) -> dict[str, t.Any]:
        """Everything else, and the manifest of all."""
        wanted, missing = _bundle.on_engine(self._names(), self.arguments["found"])
        images = [(image, _bundle.held(self._path(image.archive), image, self.reader)) for image in wanted]
        lacking = [*missing, *(image.reference for image, found in images if found is None)]
        if lacking and not self._task.check_mode:
            raise _bundle.BundleError("the bundle lacks %s" % ", ".join(lacking))
        before = _bundle.read_manifest(self.dest)
        trees = {"%s/%s" % (_bundle.SOURCE, release): tree for release, tree in self._sources().items()} if self._has(_bundle.SOURCE) else {}
        files = {target: _bundle.source_files(tree, self.arguments["source_parts"]) for target, tree in trees.items()}
        done = [
            os.path.join(target, path) for target, tree in trees.items() for path in _bundle.copies(tree, files[target], self._path(target))
        ]
        stale = self._stale({image.archive for image in wanted} | {os.path.join(target, path) for target in files for path in files[target]})
        with tempfile.TemporaryDirectory() as scratch:
            fresh = self._collection(scratch) if self._has(_bundle.COLLECTION) else ""
            done += [os.path.join(_bundle.COLLECTION, os.path.basename(fresh))] if fresh else []
            if self._task.check_mode:
                return self._told(bool(lacking or done or stale or not before), done, stale)
            for path in stale:
                os.unlink(self._path(path))
            if done:
                self._begin()
            for part in (_bundle.PYTHON, _bundle.PACKAGES):
                if self._has(part):
                    self._adopt(part)
            for target, tree in trees.items():
                for path in files[target]:
                    if os.path.join(target, path) in done:
                        _bundle.copy(os.path.join(tree, path), self._path(target, path), self._path(_bundle.PARTIAL))
            if fresh:
                _bundle.copy(fresh, self._path(_bundle.COLLECTION, os.path.basename(fresh)), self._path(_bundle.PARTIAL))
        return self._finish(before, t.cast("list[tuple[_bundle.Wanted, Image]]", images), done, stale)

    def _verified(self) -> dict[str, t.Any]:
        return {"changed": False, **_bundle.verify(self.dest)}

    def _pushed(self) -> dict[str, t.Any]:
        """All images, in a registry."""
        prefix = self.arguments["registry"].strip("/")
        if not prefix:
            raise _bundle.BundleError("bundle_registry is not set. Set it to a registry, and a path there if you like: registry.example.com:5000/coze.")
        _bundle.verify(self.dest)
        authority = self._loader.path_dwim(self.arguments["authority"]) if self.arguments["authority"] else ""
        with _push.Skopeo(_registry.parse(prefix + "/x").registry, self.arguments["login"], authority) as skopeo:
            jobs = _push.targets(bundle_index(self.dest).places, prefix)
            lacking = skopeo.lacking(jobs)
            if not self._task.check_mode:
                skopeo.push(lacking)
        result: dict[str, t.Any] = {
            "changed": bool(lacking),
            "pushed": [job.target for job in lacking],
            "present": [job.target for job in jobs if job not in lacking],
        }
        if self._task.diff and lacking:
            result["diff"] = {"prepared": "".join("push %s\n" % job.target for job in lacking)}
        return result

    # -- their parts

    def _finish(
        self, before: dict[str, t.Any], images: t.Sequence[tuple[_bundle.Wanted, Image]], done: t.Sequence[str], stale: t.Sequence[str]
    ) -> dict[str, t.Any]:
        more = {
            "collection_version": collection_version(COLLECTION_ROOT),
            "releases": sorted(self._sources()),
            **{part: about for part, about in self._about().items() if self._has(part)},
        }
        document = _bundle.manifest(self.dest, images, more)
        mark = {"made": before.get("made"), "made_by": before.get("made_by")}
        unfinished = os.path.exists(self._path(INCOMPLETE))
        changed = unfinished or before != {**document, **mark}
        if changed:
            self._begin()
            now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            _bundle.write_manifest(self.dest, {**document, "made": now, "made_by": "%s@%s" % (getpass.getuser(), socket.gethostname())})
        return {**self._told(changed, done, stale), "bytes": sum(entry["size"] for entry in document["files"]), "files": len(document["files"])}

    def _told(self, changed: bool, done: t.Sequence[str], stale: t.Sequence[str]) -> dict[str, t.Any]:
        result: dict[str, t.Any] = {"changed": changed, "dest": self.dest}
        if self._task.diff and (done or stale):
            result["diff"] = {"prepared": "".join(["write %s\n" % path for path in done] + ["remove %s\n" % path for path in stale])}
        return result

    def _stale(self, wanted: t.Collection[str]) -> list[str]:
        """Images and source files that an earlier bundle here had, and this one has not."""
        tops = tuple(part + "/" for part in (_bundle.IMAGES, _bundle.SOURCE))
        return [path for path in _bundle.files_below(self.dest) if path.startswith(tops) and path not in wanted]

    def _sources(self) -> dict[str, str]:
        """release line -> source tree"""
        trees: dict[str, str] = {}
        for entry in self.arguments["sources"]:
            if trees.setdefault(entry["release"], entry["path"]) != entry["path"]:
                sentence = "release %s has two source trees, %s and %s. Bundle the stacks one after the other with --limit, into two bundles."
                raise _bundle.BundleError(sentence % (entry["release"], trees[entry["release"]], entry["path"]))
        return trees

    def _adopt(self, part: str) -> None:
        """Take what was fetched for a part, in place of what it had."""
        fetched = self._path(_bundle.PARTIAL, part)
        if os.path.isdir(fetched):
            shutil.rmtree(self._path(part), ignore_errors=True)
            os.replace(fetched, self._path(part))

    def _collection(self, scratch: str) -> str:
        """This collection as an artefact in the scratch directory; "" if the bundle has it just so."""
        if os.path.isfile(os.path.join(COLLECTION_ROOT, "galaxy.yml")):
            command = [sys.executable, "-m", "ansible", "galaxy", "collection", "build", COLLECTION_ROOT, "--output-path", scratch]
            built = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if built.returncode != 0:
                raise _bundle.BundleError("the collection could not be built: %s" % (built.stderr.strip() or built.stdout.strip()))
        else:
            name = "cozeops-studio-%s.tar.gz" % collection_version(COLLECTION_ROOT)
            with tarfile.open(os.path.join(scratch, name), "w:gz") as tar:
                for entry in sorted(os.listdir(COLLECTION_ROOT)):
                    tar.add(os.path.join(COLLECTION_ROOT, entry), arcname=entry, filter=lambda info: None if "__pycache__" in info.name else info)
        (artefact,) = glob.glob(os.path.join(scratch, "*.tar.gz"))
        earlier = self._path(_bundle.COLLECTION, os.path.basename(artefact))
        return "" if os.path.isfile(earlier) and contents_of(earlier) == contents_of(artefact) else artefact

    def _about(self) -> dict[str, dict[str, t.Any]]:
        """What the parts that other tools fetch are made for. While that is as it was, they are not fetched again."""
        python = {"python": ".".join(platform.python_version_tuple()[:2]), "requirements": [requirement(name) for name in ("ansible", "docker")]}
        return {_bundle.PYTHON: python, **({_bundle.PACKAGES: self.arguments["packages"]} if self.arguments["packages"] else {})}

    def _begin(self) -> None:
        os.makedirs(self._path(_bundle.PARTIAL), exist_ok=True)
        with open(self._path(INCOMPLETE), "w", encoding="utf-8") as handle:
            handle.write("The playbook bundle has not finished this.\n")

    def _names(self) -> dict[str, str]:
        return _bundle.archive_names(self.arguments["references"]) if self._has(_bundle.IMAGES) else {}

    def _has(self, part: str) -> bool:
        return part in self.arguments["parts"]

    def _path(self, *names: str) -> str:
        return os.path.join(self.dest, *names)

    def _tar(self, archive: str) -> str:
        return self._path(_bundle.PARTIAL, os.path.basename(archive).replace(".tgz", ".tar"))


def requirement(name: str) -> str:
    """The package as pip is to fetch it: in the version that runs here."""
    try:
        return "%s==%s" % (name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return name


def contents_of(artefact: str) -> bytes:
    """The list of a collection's files with their checksums."""
    with tarfile.open(artefact) as tar:
        return t.cast("t.IO[bytes]", tar.extractfile("FILES.json")).read()
