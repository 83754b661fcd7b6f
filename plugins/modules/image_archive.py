#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_archive
short_description: Load images from archives on the controller, and only those that the host lacks
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Takes images from archives on the controller, as C(docker save), C(skopeo copy) or C(podman save) write them, and loads those into the host's Engine
    that it does not have. An image that it has under another name only is tagged. An archive is sent to the host only if something in it is needed there.
  - Archives are tars (V(.tar), V(.tgz), V(.tar.gz), V(.tar.zst), V(.tar.xz), V(.tar.bz2)) in the form of Docker or of OCI, with one image or several. An
    archive is loaded as a whole.
  - Everything that is going to be loaded is verified first - by its checksum where there is one, else by reading all of it and comparing the digests
    that it has inside. If one archive is damaged, nothing is loaded.
attributes:
  action:
    support: full
    description: The action plugin reads the archives, and sends them.
  check_mode:
    support: full
    description: Says what would be loaded, and transfers nothing.
  diff_mode:
    support: full
    description: Names each image that is loaded or tagged.
  idempotent:
    support: full
    description: An image that the Engine has is not loaded.
  platform:
    platforms: linux
    support: full
    description: The host has to be a Linux machine with a Docker Engine of at least 20.10.
options:
  path:
    description:
      - Archive, directory of archives, or bundle, on the controller. Of a directory, the files in it and in its folder C(images) are taken.
      - A bundle (a directory with the C(manifest.json) that the playbook bundle writes) tells what is in its archives, so they need not be read for that.
    type: path
    required: true
  images:
    description: Images that are wanted, as name and tag. By default all that the archives hold.
    type: list
    elements: str
    default: []
  platform:
    description: What the images have to be for, as V(linux/amd64). By default what the host's Engine runs on.
    type: str
    default: ''
  checksums:
    description: File in the form of C(sha256sum) with checksums of the archives. By default C(SHA256SUMS) beside them, if it is there.
    type: path
  wanted:
    description: Set by the action plugin - the images with their digests.
    type: list
    elements: dict
    default: []
  load:
    description: Set by the action plugin - archives on the host that are to be loaded.
    type: list
    elements: path
    default: []
  tmp_dir:
    description: Set by the action plugin - the directory on the host that archives are sent to.
    type: path
"""

EXAMPLES = r"""
- name: Load what the host lacks of a directory of archives
  cozeops.studio.image_archive:
    path: /media/usb/images

- name: Load two images from a bundle
  cozeops.studio.image_archive:
    path: /media/usb/bundle
    images:
      - mysql:8.4.5
      - bitnamilegacy/redis:8.0
"""

RETURN = r"""
loaded:
  description: Images that were (or, in check mode, would be) loaded, with their archive on the controller and its size.
  returned: success
  type: list
  elements: dict
  sample: [{"image": "mysql:8.4.5", "archive": "/media/usb/bundle/images/mysql_8.4.5-save.tgz", "bytes": 186452120}]
present:
  description: Images that the Engine had.
  returned: success
  type: list
  elements: str
  sample: ["bitnamilegacy/redis:8.0"]
retagged:
  description: Images that the Engine had under another name, and that were (or, in check mode, would be) tagged.
  returned: success
  type: list
  elements: str
  sample: []
bytes_sent:
  description: Bytes of archives that were sent to the host. Archives that the Engine reads from the controller's own disk are not sent.
  returned: success
  type: int
  sample: 186452120
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 9.2
"""

import gzip
import os
import shutil
import typing as t
import zlib
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect
from ansible_collections.cozeops.studio.plugins.module_utils._host import existing

AT_ONCE = 2  # the Engine unpacks one layer of an image at a time
LOAD_TIMEOUT = 1800
CHUNK = 1 << 20

Wanted = t.Mapping[str, t.Any]
Inspect = t.Mapping[str, t.Any]


def inspect_image(client: t.Any, name: str) -> Inspect | None:
    from docker.errors import ImageNotFound  # there is a client, so there is the package

    try:
        return t.cast("Inspect", client.inspect_image(name))
    except ImageNotFound:
        return None


def is_it(wanted: Wanted, found: Inspect, containerd: bool) -> bool:
    """Whether this is the image: an Engine names it by the digest of its configuration or, with the store of containerd, of its manifest.

    That store makes a manifest of its own for what comes in the form of Docker. Then layers and the time of making have to do.
    """
    if found["Id"] in (wanted["config_digest"], wanted["manifest_digest"]):
        return True
    layers = (found.get("RootFS") or {}).get("Layers")
    return containerd and bool(layers) and layers == wanted["layers"] and second(found.get("Created")) == second(wanted["created"])


def second(created: t.Any) -> str:
    """A time of making without fractions, whose last zeros some write and others do not."""
    return str(created or "").partition(".")[0].rstrip("Z")


def has_containerd_store(info: Inspect) -> bool:
    return ["driver-type", "io.containerd.snapshotter.v1"] in (info.get("DriverStatus") or [])


def state_of(client: t.Any, wanted: Wanted, containerd: bool) -> str:
    """present, retag (it is there under another name) or missing."""
    found = inspect_image(client, wanted["reference"])
    if found is not None and is_it(wanted, found, containerd):
        return "present"
    return "retag" if name_there(client, wanted) else "missing"


def name_there(client: t.Any, wanted: Wanted) -> str:
    """The digest by which the Engine knows the image, whatever its tags; "" if it does not."""
    return next((name for name in (wanted["config_digest"], wanted["manifest_digest"]) if name and inspect_image(client, name)), "")


def retag(client: t.Any, wanted: Wanted) -> None:
    repository, tag = wanted["reference"].rsplit(":", 1)
    client.tag(name_there(client, wanted), repository, tag)


def opened(path: str) -> t.Any:
    """The archive, unpacked if it is gzip: zlib is quicker at that than the Engine."""
    with open(path, "rb") as handle:
        return gzip.open(path) if handle.read(2) == b"\x1f\x8b" else open(path, "rb")


def load(path: str, remove: bool) -> str:
    """Load one archive, and remove it afterwards if it was sent for this; "" or what the Engine says against it."""
    from docker.errors import DockerException

    try:
        client = connect(LOAD_TIMEOUT)
        with opened(path) as handle:
            for line in client.load_image(iter(lambda: handle.read(CHUNK), b"")):
                if line.get("error"):
                    return str(line["error"])
    except (DockerException, EngineError, OSError, ValueError, EOFError, zlib.error) as exc:
        return str(exc)
    finally:
        if remove and os.path.exists(path):
            os.unlink(path)
    return ""


def room(path: str) -> int:
    """Free bytes of the file system that the path is, or will be, on."""
    return shutil.disk_usage(existing(path)).free


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "images": {"type": "list", "elements": "str", "default": []},
            "platform": {"type": "str", "default": ""},
            "checksums": {"type": "path"},
            "wanted": {"type": "list", "elements": "dict", "default": []},
            "load": {"type": "list", "elements": "path", "default": []},
            "tmp_dir": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        client = connect()
    except EngineError as exc:
        if not module.check_mode:
            module.fail_json(msg=str(exc))
        # The run installs or starts one first, which then has nothing, or nobody can know what.
        states = {wanted["reference"]: "missing" for wanted in params["wanted"]}
        module.exit_json(changed=bool(states), states=states, problems={}, platform="", engine="", room={}, engine_dir="")
    version, info = client.version(), client.info()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = dict(zip(params["load"], pool.map(lambda path: load(path, bool(params["tmp_dir"])), params["load"])))
    containerd = has_containerd_store(info)
    states = {wanted["reference"]: state_of(client, wanted, containerd) for wanted in params["wanted"]}
    for wanted in params["wanted"]:
        if states[wanted["reference"]] == "retag" and not module.check_mode:
            retag(client, wanted)
    module.exit_json(
        changed=bool(params["load"]) or "retag" in states.values(),
        states=states,
        problems={path: problem for path, problem in problems.items() if problem},
        platform="%s/%s" % (version["Os"], version["Arch"]),
        engine=str(version["Version"]),
        room={"engine": room(info["DockerRootDir"]), "tmp": room(params["tmp_dir"]) if params["tmp_dir"] else None},
        engine_dir=info["DockerRootDir"],
    )


if __name__ == "__main__":
    main()
