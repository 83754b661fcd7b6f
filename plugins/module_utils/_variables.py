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


def unknown_options(value: t.Any, spec: t.Mapping[str, t.Any], where: str) -> t.Iterator[str]:
    """A sentence for each key, at any depth, that the options of a variable do not have; with the nearest that they have."""
    options = spec.get("options")
    if options is None:
        return
    items = {"%s[%d]" % (where, number): item for number, item in enumerate(value)} if isinstance(value, list) else {where: value}
    for place, item in items.items():
        for name, inner in item.items() if isinstance(item, t.Mapping) else ():
            if name in options:
                yield from unknown_options(inner, options[name], "%s.%s" % (place, name))
            else:
                near = difflib.get_close_matches(str(name), options, n=1)
                yield "%s: %s is no option of it%s" % (place, name, "; did you mean %s?" % near[0] if near else ": it has %s." % ", ".join(options))
