# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The option of all modules that speak to registries; its argument spec is in ``_registry``."""

    DOCUMENTATION = r"""
options:
  login:
    description: Logins for registries. Without one for its registry, the host's own is used for a pull, if there is any.
    type: list
    elements: dict
    default: []
    suboptions:
      registry:
        description: The registry, as it stands in front of images.
        type: str
        default: docker.io
      username:
        description: Who pulls.
        type: str
        required: true
      password:
        description: Their password or token.
        type: str
        required: true
"""
