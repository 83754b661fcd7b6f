# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One thing that was looked at before a deployment: what was found, whether it will do, and the way out if not."""

from __future__ import annotations

import typing as t

OK, WARN, FAIL = "ok", "warn", "fail"


class Check(t.NamedTuple):
    """A row of the preflight's table. ``cure`` is empty where nothing needs to be done."""

    area: str
    name: str
    state: str
    found: str
    cure: str = ""


def ok(area: str, name: str, found: str) -> Check:
    return Check(area, name, OK, found)


def warn(area: str, name: str, found: str, cure: str) -> Check:
    return Check(area, name, WARN, found, cure)


def fail(area: str, name: str, found: str, cure: str) -> Check:
    return Check(area, name, FAIL, found, cure)


def sentence(check: Check) -> str:
    """What was found and what to do, in one text."""
    if not check.cure:
        return check.found
    return check.found + (" " if check.found.endswith((".", ":")) else "; ") + check.cure


def sentences(checks: t.Iterable[Check], state: str) -> list[str]:
    """The texts of those that have the state."""
    return [sentence(check) for check in checks if check.state == state]


def rows(checks: t.Iterable[Check]) -> list[dict[str, str]]:
    """The checks as a module returns them."""
    return [dict(check._asdict()) for check in checks]
