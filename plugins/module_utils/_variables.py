# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Misspelt variables: what begins with one of the collection's prefixes and is in no argument spec."""

from __future__ import annotations

import difflib
import typing as t


def unknown(names: t.Iterable[str], known: t.Mapping[str, t.Collection[str]]) -> list[tuple[str, str | None]]:
    """(variable, nearest known name or None) for each name that begins with a role's prefix and is none of its options.

    ``known`` maps a role's name to its options.
    """
    options = sorted({option for role in known.values() for option in role})
    prefixes = tuple(role + "_" for role in known)
    found = []
    for name in sorted(names):
        if name.startswith(prefixes) and name not in options:
            near = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
            found.append((name, near[0] if near else None))
    return found


def sentence(name: str, near: str | None) -> str:
    return "%s is no variable of this collection%s" % (name, "; did you mean %s?" % near if near else ".")
