#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle
short_description: Write or verify a bundle for a deployment without internet
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - A bundle is a directory with the images of stacks, the files that are needed of their source trees, this collection, the Python packages that it needs
    and packages of a Docker Engine, with a C(manifest.json) and checksums.
  - The role C(bundle) uses this module. Images, Python packages and those of the distribution are fetched by other tools; this module says which, and puts
    together what was fetched.
  - Everything is done by the action plugin, on the controller.
extends_documentation_fragment:
  - cozeops.studio.registry_login
attributes:
  action:
    support: full
    description: The work is done by the action plugin, on the controller.
  check_mode:
    support: full
    description: Says what would be written.
  diff_mode:
    support: partial
    description: Names the files that are written or removed, except the images.
  idempotent:
    support: full
    description: What is in the bundle as it should be is left as it is.
  platform:
    platforms: posix
    support: full
    description: Runs on the controller.
options:
  dest:
    description: Directory of the bundle.
    type: str
    required: true
  state:
    description:
      - With V(planned) it is told what has to be fetched. If that is anything, the bundle counts as unfinished until it is V(written).
      - With V(packed) an image that was exported is proved and compressed.
      - With V(written) all else is put in, what is not needed any more is removed, and the manifest is written.
      - With V(verified) all files are compared with the manifest.
      - With V(pushed) the images are brought into a registry with skopeo, except those that are there.
    type: str
    choices: [planned, packed, written, verified, pushed]
    required: true
  parts:
    description: What the bundle is to have. Other parts are left as they are.
    type: list
    elements: str
    choices: [images, source, collection, python, packages]
    default: [images, source, collection, python, packages]
  references:
    description: Images that are wanted.
    type: list
    elements: str
    default: []
  found:
    description: What M(community.docker.docker_image_info) returns of them.
    type: list
    elements: dict
    default: []
  reference:
    description: The image that was exported.
    type: str
  sources:
    description: Source trees with their release lines, as M(cozeops.studio.stack_source) returns them.
    type: list
    elements: dict
    default: []
  source_parts:
    description: Files and folders of a source tree that are needed.
    type: list
    elements: str
    default: []
  packages:
    description: Distribution and its packages. Empty if there can be none.
    type: dict
    default: {}
  registry:
    description: Registry, with a path if wanted, that the images are pushed into.
    type: str
    default: ''
  authority:
    description: Path of a certificate of the authority that the registry is trusted by.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Verify a bundle
  cozeops.studio.bundle:
    dest: /media/usb/bundle
    state: verified
"""

RETURN = r"""
dest:
  description: Path of the bundle.
  returned: when planned or written
  type: str
  sample: /media/usb/bundle
due:
  description: Images that have to be exported, with the file to export to, and the archive that becomes of it.
  returned: when planned
  type: list
  elements: dict
  sample: [{"reference": "mysql:8.4.5", "archive": "images/mysql_8.4.5-save.tgz", "tar": "/media/usb/bundle/partial/mysql_8.4.5-save.tar"}]
missing:
  description: Images that the Engine lacks.
  returned: when planned
  type: list
  elements: str
  sample: []
fetch:
  description: Parts that have to be fetched.
  returned: when planned
  type: list
  elements: str
  sample: [python]
python:
  description: Version of Python that the packages are for.
  returned: when planned
  type: str
  sample: "3.11"
requirements:
  description: Python packages as pip is to fetch them.
  returned: when planned
  type: list
  elements: str
  sample: ["ansible==12.3.0", "docker==7.1.0"]
archive:
  description: Path of the image's archive.
  returned: when packed
  type: str
  sample: /media/usb/bundle/images/mysql_8.4.5-save.tgz
pushed:
  description: Images that were (or, in check mode, would be) pushed, by their names in the registry.
  returned: when pushed
  type: list
  elements: str
  sample: ["registry.example.com:5000/coze/mysql:8.4.5"]
present:
  description: Images that the registry had.
  returned: when pushed
  type: list
  elements: str
  sample: []
files:
  description: Number of files in the bundle.
  returned: when written or verified
  type: int
  sample: 182
bytes:
  description: Size of the bundle, or of the image's archive.
  returned: when packed, written or verified
  type: int
  sample: 1203817265
"""
