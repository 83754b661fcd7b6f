# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values of a stack's env files on its host, and texts without the secret ones. Private to this collection."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterable
from urllib.parse import quote

from ansible_collections.cozeops.studio.plugins.module_utils._env_mask import MASK, secret_values
from ansible_collections.cozeops.studio.plugins.module_utils._host import read_env_file

SHORTEST = 4  # a shorter value would tear every text to pieces and protect nothing

# user:password@ of a URL, and of a Go DSN
_CREDENTIALS = re.compile(r"(://[^\s:@/]*:)[^\s@/]+(?=@)|(\b[\w.+-]+:)[^\s@]+(?=@(?:tcp|unix)\()")
_PASSWORD = re.compile(r"^(?:\w+://)?[^:@/\s]*:(?P<password>.+)@[^@]+$")


def read_env(root: str, service: str) -> dict[str, str]:
    """The literal ``KEY=VALUE`` lines of ``<root>/env/<service>.env``; empty if there is no such file."""
    return read_env_file(os.path.join(root, "env", f"{service}.env"))


def stack_secrets(root: str) -> list[str]:
    """Every value of a stack's env files that must not be shown, in each spelling that a log may use, longest first."""
    values: set[str] = set()
    for path in glob.glob(os.path.join(glob.escape(root), "env", "*.env")):
        for value in secret_values(read_env_file(path)):
            match = _PASSWORD.match(value)
            values |= {value, match.group("password")} if match else {value}
    spellings = {spelling for value in values for spelling in (value, quote(value, safe=""), json.dumps(value)[1:-1])}
    return sorted((spelling for spelling in spellings if len(spelling) >= SHORTEST), key=lambda text: (-len(text), text))


def redact(text: str, secrets: Iterable[str]) -> str:
    """``text`` without the secrets, and without the password of whatever looks like ``user:password@host``."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return _CREDENTIALS.sub(lambda match: (match.group(1) or match.group(2)) + MASK, text)
