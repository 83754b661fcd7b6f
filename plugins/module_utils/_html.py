# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTML that cannot be broken by what is put into it: text becomes markup in one place only, and is escaped there. Private to this collection."""

from __future__ import annotations

import html
import re
import typing as t

VOID = ("meta", "link")

# What a document may not hold: controls but for tab and line ends, halves of surrogate pairs, and what Unicode says is no character.
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
# Characters that turn the direction of the text round them, and could make it read as something else.
_BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Html(str):
    """Markup. Only ``tag``, ``join`` and literals of this collection make it."""

    __slots__ = ()


def text(value: t.Any) -> Html:
    """A value as text of a document."""
    return Html(html.escape(_BIDI.sub("", _NO_TEXT.sub("\ufffd", str(value)))))


def join(children: t.Iterable[t.Any]) -> Html:
    """Markup of what is in there, however deep: markup stays, None is left out, everything else is text."""
    parts = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            parts.append(str(child))
        elif isinstance(child, (list, tuple)):
            parts.append(str(join(child)))
        else:
            parts.append(str(text(child)))
    return Html("".join(parts))


def tag(element: str, /, *children: t.Any, **attributes: t.Any) -> Html:
    """An element. ``class_`` is the attribute class, ``aria_label`` is aria-label; an attribute that is None is left out."""
    words = [f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items() if value is not None]
    opening = f"<{element}{''.join(words)}>"
    return Html(opening if element in VOID else f"{opening}{join(children)}</{element}>")
