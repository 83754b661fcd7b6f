# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger of a data directory: a JSON file beside it that says whose data these are and which init jobs were done.

{"stack": "coze", "service": "mysql", "created": "…", "init": {"mysql_schema": {"digest": "…", "at": "…", "done": ["…"]}}}
"""

from __future__ import annotations

import copy
import datetime
import json
import os
import tempfile
import typing as t

WAY_OUT = "Restore it from a backup, or remove it: then the store itself is asked what was done."

Ledger = dict[str, t.Any]


class LedgerError(Exception):
    """The file cannot be read or written. The text says which and what to do."""


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat()


def read(path: str) -> Ledger:
    """The ledger; empty if there is no such file. Raises LedgerError if it is not a JSON object."""
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise LedgerError(f"ledger {path} cannot be read: {exc}. {WAY_OUT}") from exc
    if not isinstance(found, dict) or not isinstance(found.get("init", {}), dict):
        raise LedgerError(f"ledger {path} is not a ledger of this collection. {WAY_OUT}")
    return found


def entry(ledger: Ledger, job: str) -> dict[str, t.Any]:
    """What is recorded of a job: digest, at, done; empty if nothing is."""
    found = ledger.get("init", {}).get(job, {})
    return found if isinstance(found, dict) else {}


def done(ledger: Ledger, job: str) -> list[str]:
    return [str(name) for name in entry(ledger, job).get("done", [])]


def merge(ledger: Ledger, job: str, digest: str, names: t.Sequence[str], at: str, owner: t.Mapping[str, str]) -> Ledger:
    """The ledger with the job recorded. Unknown keys stay; ``at`` and ``created`` of what does not change stay too.

    ``owner``: stack and service, for a ledger that does not name them yet.
    """
    merged = copy.deepcopy(ledger)
    for key, value in {**owner, "created": at}.items():
        merged.setdefault(key, value)
    before = entry(merged, job)
    after = {**before, "digest": digest, "done": list(names)}
    if after != before:
        after["at"] = at
    merged.setdefault("init", {})[job] = after
    return merged


def write(path: str, ledger: Ledger) -> None:
    """Replace the file in one step, 0600. Raises LedgerError."""
    directory = os.path.dirname(path) or "."
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=".ledger-", dir=directory)  # 0600 from the first moment
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(ledger, stream, indent=1, sort_keys=True)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as exc:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise LedgerError(f"ledger {path} cannot be written: {exc}. Its directory must exist and belong to the user that runs this task.") from exc


def record(path: str, job: str, digest: str, names: t.Sequence[str], owner: t.Mapping[str, str]) -> bool:
    """Record the job in the file; True if the file was changed."""
    before = read(path)
    after = merge(before, job, digest, names, now(), owner)
    if after == before:
        return False
    write(path, after)
    return True
