# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring the images of a bundle into a registry, with skopeo. Private to this collection."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.cozeops.studio.plugins.module_utils._archive import compression_of, open_stream
from ansible_collections.cozeops.studio.plugins.module_utils._archive_index import Place
from ansible_collections.cozeops.studio.plugins.module_utils._bundle import BundleError
from ansible_collections.cozeops.studio.plugins.module_utils._registry import engine_reason, given_login, parse

AT_ONCE = 2


class Job(t.NamedTuple):
    """An image of a bundle, and its name in the registry."""

    place: Place
    target: str


def targets(places: t.Iterable[Place], prefix: str) -> list[Job]:
    """Names in the registry: with this prefix, as stack_image_prefix makes them. Raises BundleError for two images of one name."""
    jobs: dict[str, Job] = {}
    for place in places:
        parts = parse(place.reference)
        repository = parts.repository[len("library/") :] if parts.repository.startswith("library/") else parts.repository
        job = Job(place, "%s/%s:%s" % (prefix, repository, parts.version))
        other = jobs.setdefault(job.target, job)
        if other.place.image.config_digest != place.image.config_digest:
            raise BundleError("%s and %s would both be %s." % (other.place.reference, place.reference, job.target))
    return list(jobs.values())


class Skopeo:
    """The command skopeo, with a login and an authority that it reads from files which are gone afterwards."""

    def __init__(self, registry: str, logins: t.Iterable[t.Mapping[str, str]], authority: str) -> None:
        self._command = shutil.which("skopeo") or ""
        if not self._command:
            raise BundleError("images are pushed with skopeo, and this machine has none: install the package skopeo.")
        self._registry, self._login, self._authority = registry, given_login(logins, registry), authority

    def __enter__(self) -> Skopeo:
        self._scratch = tempfile.TemporaryDirectory()  # for this user only
        folder = self._scratch.name
        auth = base64.b64encode(("%(username)s:%(password)s" % self._login).encode()).decode() if self._login else ""
        self._auth_file, self._certificates = os.path.join(folder, "auth.json"), os.path.join(folder, "certificates")
        with open(self._auth_file, "w", encoding="utf-8") as handle:
            json.dump({"auths": {self._registry: {"auth": auth}} if auth else {}}, handle)
        os.mkdir(self._certificates)
        if self._authority:
            shutil.copyfile(self._authority, os.path.join(self._certificates, "ca.crt"))
        return self

    def __exit__(self, *_error: object) -> None:
        self._scratch.cleanup()

    def lacking(self, jobs: t.Sequence[Job]) -> list[Job]:
        """Those that the registry does not have, or has otherwise. Raises BundleError if it cannot be asked."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            there = list(pool.map(self._config_digest, jobs))
        return [job for job, digest in zip(jobs, there) if digest != job.place.image.config_digest]

    def push(self, jobs: t.Sequence[Job]) -> None:
        """Raises BundleError that names all that could not be pushed."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            problems = [problem for problem in pool.map(self._push, jobs) if problem]
        if problems:
            raise BundleError("\n".join(problems))

    def _config_digest(self, job: Job) -> str:
        arguments = ["inspect", "--config", "--raw", *self._access("")]
        done = subprocess.run([self._command, *arguments, "docker://" + job.target], check=False, capture_output=True, stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            return "sha256:" + hashlib.sha256(done.stdout).hexdigest()
        said = done.stderr.decode(errors="replace")
        if "manifest unknown" in said or "name unknown" in said:
            return ""
        raise BundleError(problem(job, said))

    def _push(self, job: Job) -> str:
        # skopeo reads no compressed archives.
        with tempfile.NamedTemporaryFile(dir=self._scratch.name) as plain:
            with open_stream(job.place.archive, compression_of(job.place.archive)) as packed:
                shutil.copyfileobj(packed, plain)
            plain.flush()
            source = "docker-archive:%s:%s" % (plain.name, job.place.reference)
            arguments = ["copy", "--quiet", "--retry-times", "2", *self._access("dest-"), source, "docker://" + job.target]
            done = subprocess.run([self._command, *arguments], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return problem(job, done.stderr) if done.returncode else ""

    def _access(self, which: str) -> list[str]:
        return ["--authfile", self._auth_file, *(["--%scert-dir" % which, self._certificates] if self._authority else [])]


def problem(job: Job, said: str) -> str:
    found, cure = engine_reason(said, job.target)
    return "%s cannot be pushed: %s. %s (skopeo says: %s)" % (job.target, found, cure, said.strip())
