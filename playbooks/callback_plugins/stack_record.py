# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Ansible loads callbacks that lie beside a playbook by themselves; those of a collection have to be enabled by its user, who would not know.

from __future__ import annotations

from ansible_collections.cozeops.studio.plugins.callback.stack_record import CallbackModule

DOCUMENTATION = r"""
name: stack_record
type: aggregate
short_description: Write down what a run did, and when
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Makes the playbooks of this folder load the callback cozeops.studio.stack_record.
"""

__all__ = ["CallbackModule"]
