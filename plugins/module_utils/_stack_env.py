# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resolved environment of a stack: the source's .env with presets, secrets and the operator's words over it."""

from __future__ import annotations

import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._env_file import EnvError, EnvResult, render, resolve
from ansible_collections.cozeops.studio.plugins.module_utils._secrets import Secret

Preset = t.Mapping[str, t.Any]


def lenient(text: str, name: str, operator: t.Mapping[str, str]) -> EnvResult:
    """What the file says where it can be read, to see which keys still have public values; problems are told later."""
    overrides = dict(operator)
    while True:
        try:
            return resolve(text, name, overrides, undefined="empty")
        except EnvError as exc:
            unreadable = {problem.key for problem in exc.problems if problem.key} - set(overrides)
            if not unreadable:
                return EnvResult({}, [], [], {})
            # A value that does not parse is nobody's choice yet: what follows may replace it.
            overrides.update(dict.fromkeys(unreadable, ""))


def preset_values(presets: t.Iterable[Preset], env: t.Mapping[str, str], operator: t.Mapping[str, str], release: str) -> dict[str, str]:
    """Presets that apply: of the release, where the file has the published value (or none), and no "unless" key has one."""
    return {
        preset["key"]: str(preset["value"])
        for preset in presets
        if release in preset.get("releases", [release])
        and preset["key"] not in operator
        and (not env.get(preset["key"]) or env[preset["key"]] in preset["published"])
        and not env.get(preset.get("unless", ""))
    }


def build(
    text: str, name: str, operator: t.Mapping[str, str], presets: t.Mapping[str, str], secrets: t.Mapping[str, str], wanted: t.Sequence[Secret]
) -> EnvResult:
    """The environment. Raises EnvError with every problem of the file.

    A key that is replaced is not expanded from the file, so it need not even be readable there.
    """
    in_env = {secret.key: secret for secret in wanted if secret.in_env}
    overrides = {**presets, **{key: value for key, value in secrets.items() if key in in_env}, **operator}
    return resolve(text, name, overrides)


def dotenv_text(env: t.Mapping[str, str]) -> str:
    """The environment as a file for godotenv, which does not overwrite what the process has already.

    A value that no quoting brings through both godotenv and a shell is left to the process: its line is empty here.
    """
    lines = []
    for key, value in env.items():
        try:
            lines.append(render({key: value}, "dotenv"))
        except EnvError:
            lines.append("%s=\n" % key)
    return "".join(lines)


def literal_problems(env: t.Mapping[str, str], where: str) -> list[str]:
    """Values that an environment file of the docker form would not carry."""
    return [
        "%s: the value of %s ends with a blank; environment files drop it. Take the blank away." % (where, key)
        for key, value in env.items()
        if value != value.rstrip()
    ]
