# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Canonical forms and keyed digests.

A plain digest over a password can be guessed by trying passwords, so every digest that leaves the controller, or
stays on a host beside what it describes, is keyed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import typing as t

#: The recipe of ``config_digest``. Another recipe gets another number, and a container that carries another number
#: is compared property by property instead: a new recipe alone must not recreate anything.
RECIPE = "v1"


def canonical(value: t.Any) -> str:
    """One text for equal values: keys sorted, no blanks, no ASCII escapes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def keyed(key: str, value: str | bytes) -> str:
    """HMAC-SHA256 of the value, as 64 hexadecimal digits."""
    data = value if isinstance(value, bytes) else value.encode()
    return hmac.new(key.encode(), data, hashlib.sha256).hexdigest()


def config_digest(key: str, definition: t.Mapping[str, t.Any]) -> str:
    """The value of the label ``cozeops.config``: recipe, colon, digest of the canonical definition."""
    return "%s:%s" % (RECIPE, keyed(key, canonical(definition)))


def same_recipe(label: str) -> bool:
    """True if the label was made by this recipe, so that it can be compared at all."""
    return label.split(":", 1)[0] == RECIPE
