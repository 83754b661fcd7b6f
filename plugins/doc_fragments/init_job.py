# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options that the init jobs of stores share."""

    DOCUMENTATION = r"""
options:
  container:
    description: Name of the store's running container on this host.
    type: str
    required: true
  ledger:
    description:
      - JSON file on the host, beside the data directory, that records which init jobs were done on these data.
      - It is made if it is not there, with mode V(0600); its directory must exist. Keys that are not known are kept.
    type: path
    required: true
  digest:
    description: What the caller computed over the inputs of this job. It is only recorded.
    type: str
    default: ''
requirements:
  - docker (Python package) >= 5.0.3
  - Docker Engine >= 20.10
attributes:
  check_mode:
    support: full
    description: >-
      Only reads. If the container is not there, does not run or does not answer yet, the module reports that everything would be done.
  diff_mode:
    support: full
    description: Names of what is made, never contents.
  idempotent:
    support: full
    description: A second run changes nothing, the ledger included.
  platform:
    platforms: posix
    support: full
    description: Works on the host that runs the container.
"""
