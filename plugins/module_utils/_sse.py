# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to this collection: server-sent events, as they come out of a connection.

https://html.spec.whatwg.org/multipage/server-sent-events.html joins the data lines of an event. The product's client takes each for itself, so
they are not joined here, but one can tell which belong together.
"""

from __future__ import annotations

import typing as t

BOM = b"\xef\xbb\xbf"


class DataLine(t.NamedTuple):
    """The value of one ``data`` field; lines of one event have the same number."""

    event: int
    text: str


def lines(pieces: t.Iterable[bytes], keep_last: bool = False) -> t.Iterator[bytes]:
    """Lines without their ends, which are CRLF, LF or CR, however the bytes are cut. A last one without an end is dropped, or kept if told so."""
    rest = b""
    after_cr = False
    for piece in pieces:
        if not piece:
            continue
        rest += piece[1:] if after_cr and piece[:1] == b"\n" else piece  # the other half of a CRLF
        after_cr = piece[-1:] == b"\r"
        *whole, rest = rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        yield from whole
    if keep_last and rest:
        yield rest


def data_lines(pieces: t.Iterable[bytes]) -> t.Iterator[DataLine]:
    """The data fields of a stream, each as soon as its line is there. Comments and other fields are left out."""
    event = 0
    for number, line in enumerate(lines(pieces)):
        text = line[len(BOM) :] if number == 0 and line.startswith(BOM) else line
        if not text:
            event += 1
            continue
        field, dummy, value = text.partition(b":")
        if field == b"data":
            yield DataLine(event, (value[1:] if value[:1] == b" " else value).decode("utf-8", "replace"))
