# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.cozeops.studio.plugins.plugin_utils._clock import ClockedAction


class ActionModule(ClockedAction):
    MODULE = "cozeops.studio.stack_info"
