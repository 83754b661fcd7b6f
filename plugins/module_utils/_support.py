# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is put together of a stack on a host for those who are to help: logs, definitions, versions, and no secret. Private to this collection."""

from __future__ import annotations

import io
import json
import re
import tarfile
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._env_mask import MASK, mask
from ansible_collections.cozeops.studio.plugins.module_utils._redact import redact

Files = t.Mapping[str, str]


SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*")
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def span(text: t.Any) -> float:
    """90, "90", "30m", "6h", "2d" -> seconds. Raises ValueError."""
    match = SPAN.fullmatch(str(text))
    if match is None:
        raise ValueError("%r is no span of time: write a number with s, m, h or d behind it, such as 30m" % (text,))
    return float(match.group(1)) * UNITS[match.group(2)]


def masked_inspect(inspect: t.Mapping[str, t.Any], secrets: t.Sequence[str]) -> str:
    """What the Engine says of a container, as JSON, with the values of its environment masked by their names, and every secret wherever it stands."""
    config = dict(inspect.get("Config") or {})
    pairs = [item.partition("=") for item in config.get("Env") or []]
    hidden = mask({name: value for name, dummy, value in pairs})
    config["Env"] = ["%s=%s" % (name, hidden[name]) for name, dummy, dummy in pairs]
    return redact(json.dumps({**inspect, "Config": config}, indent=2, sort_keys=True), secrets) + "\n"


def masked_env(env: t.Mapping[str, str], secrets: t.Sequence[str]) -> str:
    """An environment file with its values masked by their names."""
    return redact("".join("%s=%s\n" % pair for pair in mask(env).items()), secrets)


def leaks(files: Files, secrets: t.Sequence[str]) -> list[str]:
    """Names of files that still have a secret in them: nobody is to mail that."""
    return sorted(name for name, text in files.items() if any(secret in text for secret in secrets if secret != MASK))


def archive(files: Files, folder: str, moment: float) -> bytes:
    """A tar.gz with the files in one folder, all of one time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as tar:
        for name, text in sorted(files.items()):
            data = text.encode("utf-8", "replace")
            entry = tarfile.TarInfo("%s/%s" % (folder, name))
            entry.size, entry.mtime, entry.mode = len(data), int(moment), 0o600
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def cut(text: str, limit: int) -> str:
    """The end of a text that is longer than that many characters, from the beginning of a line on, with a word on what is missing."""
    if len(text) <= limit:
        return text
    kept = text[-limit:].partition("\n")[2]
    return "(%d characters before this were left out)\n%s" % (len(text) - len(kept), kept)
