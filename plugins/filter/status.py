# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.cozeops.studio.plugins.module_utils import _snapshot, _status, _support


def status(states: t.Mapping[str, t.Any], stack: str, silent: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """What there is to tell of a stack now. ``states``: host -> what stack_status has returned."""
    return _status.document(stack, states, datetime.datetime.now(datetime.timezone.utc), silent)


def span(text: t.Any) -> float:
    try:
        return _support.span(text)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"count_differences": _snapshot.count_differences, "span": span, "status": status, "status_lines": _status.lines, "status_page": _status.page}
