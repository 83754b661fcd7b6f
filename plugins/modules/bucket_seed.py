#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bucket_seed
short_description: Make a bucket in MinIO and upload the files that it lacks
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Makes the bucket if it is missing, and uploads the files of directories that are missing in it or differ in size or content.
  - Never deletes anything.
  - Works with C(mc) inside the MinIO container, which must see the directories; nothing is published, and no client is needed on the host.
options:
  bucket:
    description: Name of the bucket.
    type: str
    required: true
  trees:
    description: Directories to upload.
    type: list
    elements: dict
    default: []
    suboptions:
      source:
        description: The directory on the host.
        type: path
        required: true
      target:
        description: Where the container sees the same directory.
        type: str
        required: true
      prefix:
        description: Where it belongs in the bucket, such as V(default_icon/). Empty is the top.
        type: str
        default: ''
  user_env:
    description: Name of the container's environment variable that holds the access key.
    type: str
    default: MINIO_ROOT_USER
  password_env:
    description: Name of the container's environment variable that holds the secret key.
    type: str
    default: MINIO_ROOT_PASSWORD
  port:
    description: The port on which MinIO's API listens in the container.
    type: int
    default: 9000
  url:
    description: Where the storage is, as the container reaches it. Without it MinIO is in the container itself.
    type: str
extends_documentation_fragment:
  - cozeops.studio.init_job
notes:
  - Symbolic links in a directory are left out.
  - In check mode too C(mc) has to log in, for which it makes a directory in the container's C(/tmp) and removes it.
"""

EXAMPLES = r"""
- name: Fill the bucket with the default icons
  cozeops.studio.bucket_seed:
    container: coze-minio
    ledger: /opt/cozeops/coze/data/.minio.json
    bucket: opencoze
    trees:
      - source: /opt/cozeops/coze/conf/minio/default_icon
        target: /seed/default_icon
        prefix: default_icon/
"""

RETURN = r"""
msg:
  description: What was done, or would be done, in a sentence.
  returned: always
  type: str
  sample: "made bucket opencoze, uploaded 114 of 114 files"
bucket:
  description: Name of the bucket.
  returned: always
  type: str
  sample: opencoze
bucket_made:
  description: Whether the bucket was made, or in check mode would be made.
  returned: always
  type: bool
uploaded:
  description: Keys of the objects that were uploaded, or in check mode would be uploaded.
  returned: always
  type: list
  elements: str
  sample: [default_icon/plugin_default_icon.png]
present:
  description: How many of the files are in the bucket as they should be, in the end.
  returned: always
  type: int
  sample: 114
"""

import concurrent.futures
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._bucket import (
    Copy,
    File,
    ListingError,
    Object,
    clean_prefix,
    copies,
    errors_in,
    is_mounted,
    parse_listing,
    read_tree,
    to_upload,
)
from ansible_collections.cozeops.studio.plugins.module_utils._exec import Finished, run
from ansible_collections.cozeops.studio.plugins.module_utils._init_job import (
    COMMON_SPEC,
    JobError,
    NotYet,
    Store,
    env_name,
    find_store,
    finish,
    outcome,
    record,
)

Given = t.TypeVar("Given")
Result = t.TypeVar("Result")
JOB = "bucket_seed"
#: With no tree to compare, only the bucket matters: list where nothing is.
NOWHERE = "cozeops-nothing/"
LOGIN_FAILED = 95
# The keys go through a pipe from a builtin of the shell: in an argument they would show in the host's process list.
SCRIPT = """
read -r go || exit 97
url=$1
shift
umask 077
MC_CONFIG_DIR=${TMPDIR:-/tmp}/.cozeops-mc-$$; export MC_CONFIG_DIR
mkdir "$MC_CONFIG_DIR" || exit 96
trap 'rm -rf "$MC_CONFIG_DIR"' EXIT
if [ -z "${%(user)s+set}" ] || [ -z "${%(password)s+set}" ]; then echo 'the container lacks %(user)s or %(password)s in its environment' >&2; exit 95; fi
printf '%%s\\n%%s\\n' "$%(user)s" "$%(password)s" | mc alias set local "$url" > "$MC_CONFIG_DIR/login" 2>&1 \\
  || { cat "$MC_CONFIG_DIR/login" >&2; exit 95; }
mc --json "$@"
"""


class Minio(t.NamedTuple):
    """MinIO in its container."""

    store: Store
    script: str
    bucket: str
    url: str

    def mc(self, *arguments: str) -> Finished:
        """Run mc, logged in as ``local``. Raises NotYet if MinIO does not answer, JobError if it refuses the keys."""
        finished = run(self.store.client, self.store.name, ["sh", "-c", self.script, "sh", self.url, *arguments], b"go\n")
        if finished.code == LOGIN_FAILED:
            message = f"container {self.store.name}: mc cannot log in: {finished.err.strip()}"
            raise NotYet(message + ". Is MinIO ready?") if "refused" in finished.err else JobError(message)
        if finished.code in (96, 97, 127):
            raise JobError(f"container {self.store.name}: mc cannot be run there: {finished.err.strip()}. It needs a shell, mc, and a /tmp it can write to")
        return finished

    def objects(self, prefix: str) -> dict[str, Object]:
        """Raises ListingError."""
        return parse_listing(self.mc("ls", "--recursive", f"local/{self.bucket}/{prefix}").out, prefix)

    def make_bucket(self) -> None:
        self._must("mb", "--ignore-existing", f"local/{self.bucket}")

    def upload(self, copy: Copy) -> None:
        folder = f"local/{self.bucket}/{copy.folder}/" if copy.folder else f"local/{self.bucket}/"
        self._must("cp", *(file.path for file in copy.files), folder)

    def _must(self, *arguments: str) -> None:
        finished = self.mc(*arguments)
        if finished.code != 0:
            said = "; ".join(errors_in(finished.out) or [finished.err.strip()])
            raise JobError(f"container {self.store.name}, bucket {self.bucket}: mc {arguments[0]} failed: {said}")


def read_trees(module: AnsibleModule, store: Store) -> list[File]:
    """The files of all trees. Raises NotYet if a directory is missing, or the container does not see it."""
    files: list[File] = []
    for tree in module.params["trees"]:
        if not os.path.isdir(tree["source"]):
            raise NotYet(f"trees: there is no directory {tree['source']} on this host")
        if not is_mounted(store.info.get("Mounts") or [], tree["target"]):
            raise NotYet(f"trees: container {store.name} has no mount at {tree['target']}: mount {tree['source']} there, read-only")
        try:
            found = read_tree(tree["source"], tree["target"], tree["prefix"])
        except OSError as exc:
            raise JobError(f"trees: {tree['source']} cannot be read: {exc}") from exc
        if not found:
            module.warn(f"trees: there is no file in {tree['source']}, so nothing of it is uploaded")
        files += found
    return files


def together(call: t.Callable[[Given], Result], arguments: t.Iterable[Given]) -> list[Result]:
    """The results of all calls, made side by side: most of a call of mc is its login. Raises what the first one raised that failed."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(call, arguments))


def list_objects(minio: Minio, prefixes: t.Iterable[str]) -> dict[str, Object] | None:
    """The bucket's objects under the prefixes; None if there is no bucket. Raises JobError."""
    objects: dict[str, Object] = {}
    try:
        for found in together(minio.objects, prefixes):
            objects.update(found)
    except ListingError as exc:
        if exc.no_bucket:
            return None
        raise JobError(f"container {minio.store.name}, bucket {minio.bucket}: {exc}") from exc
    return objects


def job(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    store = find_store(params["container"])
    names = {"user": env_name("user_env", params["user_env"]), "password": env_name("password_env", params["password_env"])}
    minio = Minio(store, SCRIPT % names, params["bucket"], params["url"] or f"http://127.0.0.1:{params['port']}")
    files = read_trees(module, store)
    prefixes = list(dict.fromkeys(clean_prefix(tree["prefix"]) for tree in params["trees"]))
    objects = list_objects(minio, prefixes or [NOWHERE])
    wanted = to_upload(files, objects or {})
    done = sorted(f"{minio.bucket}/{prefix}" for prefix in {"", *prefixes})
    keys = [file.key for file in wanted]
    result: dict[str, t.Any] = {"bucket": minio.bucket, "bucket_made": objects is None, "uploaded": keys, "present": len(files) - len(wanted)}
    result.update(outcome(module, JOB, done, [f"bucket {minio.bucket}"] * (objects is None) + [f"{minio.bucket}/{key}" for key in keys]))
    if module.check_mode:
        return {**result, "msg": sentence("would make", "would upload", result, len(files))}
    if objects is None:
        minio.make_bucket()
    together(minio.upload, copies(wanted))
    if wanted or objects is None:
        result["present"] = check(minio, files, prefixes)
    record(module, JOB, done, store)
    return {**result, "msg": sentence("made", "uploaded", result, len(files))}


def check(minio: Minio, files: t.Sequence[File], prefixes: t.Sequence[str]) -> int:
    """How many files are in the bucket now. Raises JobError if one is not."""
    objects = list_objects(minio, prefixes) or {}
    absent = [file.key for file in files if file.key not in objects or objects[file.key].size != file.size]
    if absent:
        raise JobError(f"bucket {minio.bucket} still lacks {len(absent)} of {len(files)} files after the upload, {absent[0]} for one: is the disk full?")
    return len(files)


def sentence(make: str, upload: str, result: t.Mapping[str, t.Any], total: int) -> str:
    parts = [f"{make} bucket {result['bucket']}"] if result["bucket_made"] else []
    if result["uploaded"]:
        parts.append(f"{upload} {len(result['uploaded'])} of {total} files")
    return ", ".join(parts) or f"all {total} files are there"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **COMMON_SPEC,
            "bucket": {"type": "str", "required": True},
            "trees": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "source": {"type": "path", "required": True},
                    "target": {"type": "str", "required": True},
                    "prefix": {"type": "str", "default": ""},
                },
            },
            "user_env": {"type": "str", "default": "MINIO_ROOT_USER"},
            "password_env": {"type": "str", "default": "MINIO_ROOT_PASSWORD", "no_log": False},
            "port": {"type": "int", "default": 9000},
            "url": {"type": "str"},
        },
        supports_check_mode=True,
    )
    empty = {"bucket": module.params["bucket"], "bucket_made": False, "uploaded": [], "present": 0}
    finish(module, lambda: job(module), f"make bucket {module.params['bucket']} and upload what it lacks", empty)


if __name__ == "__main__":
    main()
