# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.cozeops.studio.plugins.module_utils import _adopt
from ansible_collections.cozeops.studio.plugins.module_utils._definition import DefinitionError


def services(
    definitions: t.Mapping[str, t.Any], release: str, releases: t.Mapping[str, t.Mapping[str, t.Any]], own: t.Mapping[str, str]
) -> list[dict[str, t.Any]]:
    try:
        return _adopt.services_of(definitions, release, {line: table["images"] for line, table in releases.items()}, own)
    except DefinitionError as exc:
        raise AnsibleFilterError(str(exc)) from exc


def digests(files: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, str]:
    """path -> SHA-256 of the files that stack_model has found."""
    found = {}
    for file in files:
        if "content" in file:
            data = str(file["content"]).encode()
        else:
            with open(file["src"], "rb") as stream:
                data = stream.read()
        found[file["path"]] = hashlib.sha256(data).hexdigest()
    return found


def shown(
    found: t.Mapping[str, t.Any], resolved: t.Mapping[str, t.Any], secrets: t.Sequence[t.Mapping[str, t.Any]], presets: t.Sequence[t.Mapping[str, t.Any]]
) -> dict[str, list[str]]:
    """{"lines", "problems"}: what changes, and what is in the way. ``found``: the result of stack_adopt, ``resolved``: that of stack_model."""
    model, here = resolved["model"], found["found"]
    known = {each["key"] for each in [*secrets, *presets]}
    settings = _adopt.other_settings(model, here, known, resolved["digest_key"])
    files = _adopt.files_of_theirs(here, digests(resolved["files"]))
    return {
        "lines": _adopt.table(model, here) + _adopt.notes(here, settings, files, found["public"]),
        "problems": _adopt.model_problems(model, here),
    }


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"adopt_services": services, "adopt_facts": _adopt.facts_without, "adopt_shown": shown}
