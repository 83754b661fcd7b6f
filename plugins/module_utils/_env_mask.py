# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values of an environment nobody should see, and how they are shown instead.

Private to this collection. When in doubt a value is masked: a hidden host name costs less than a shown password.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MASK = "********"

# Shorter secrets are not looked for inside other values: they would hide half of the environment.
_SHORTEST_SEARCHED = 4
_SECRET_KEY = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL|TOKEN(?!S)|API_?KEY|ACCESS_KEY|PRIVATE_KEY|ATLAS_URL"
    r"|DSN(_|$)|(^|_)PWD(_|$)|(^|_)(AK|SK|SEED|KEY)(_?\d+)?$",
    re.IGNORECASE,
)
# user:password@ after a scheme, or as the Go MySQL driver has it
_CREDENTIALS = re.compile(r"://[^/@\s]*:[^/@\s]+@|^[^:@/\s]+:.+@(tcp|unix)\(")
_SWITCHES = frozenset(("true", "false", "yes", "no", "on", "off", "none", "null"))
_SETTING = re.compile(r"^(?P<mark>[#\s]*)(?P<export>export\s+)?(?P<key>[A-Za-z_][\w.-]*)\s*=\s*(?P<value>.*)$")


def is_secret_key(key: str) -> bool:
    """Whether the name of a key says that its value is a secret."""
    return _SECRET_KEY.search(key) is not None


def secret_values(env: Mapping[str, str]) -> list[str]:
    """The secrets of an environment that are long enough to be looked for in other texts, longest first."""
    values = {value for key, value in env.items() if is_secret_key(key) and _is_secret_value(value)}
    return sorted((value for value in values if len(value) >= _SHORTEST_SEARCHED), key=len, reverse=True)


def mask(env: Mapping[str, str]) -> dict[str, str]:
    """The environment with MASK for every secret, every URL with a password, and every value that contains a secret."""
    secrets = secret_values(env)
    return {key: MASK if _is_masked(key, value, secrets) else value for key, value in env.items()}


def mask_lines(lines: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """The lines of a .env file, in any form, without secrets.

    A line that is neither KEY=VALUE nor a comment nor blank may be part of a secret over several lines: it is masked whole.
    """
    searched = list(secrets)
    return [_mask_line(line, searched) for line in lines]


def _mask_line(line: str, secrets: list[str]) -> str:
    match = _SETTING.match(line)
    if match:
        value = match.group("value").strip("'\" \t")
        return line[:match.start("value")] + MASK if _is_masked(match.group("key"), value, secrets) else line
    if line.strip() and (not line.lstrip().startswith("#") or any(secret in line for secret in secrets)):
        return MASK
    return line


def _is_masked(key: str, value: str, secrets: list[str]) -> bool:
    if is_secret_key(key) and _is_secret_value(value):
        return True
    return _CREDENTIALS.search(value) is not None or any(secret in value for secret in secrets)


def _is_secret_value(value: str) -> bool:
    return value != "" and value.lower() not in _SWITCHES
