#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: env_file
short_description: Read a shell-style .env file and write it resolved
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Reads a C(.env) file as a shell does (C(set -a; . file)), expands its references, and returns the values or writes them to a file.
  - Nothing is executed, and neither the environment of the process nor the file's other readers have a say in the values.
  - All that is wrong in the file is reported at once, each with the file, the line and the key.
  - With O(release), the settings themselves are checked too, as the server of that release takes them.
notes:
  - A line is a comment, blank, or C(KEY=VALUE) with C(export) before it or not. A value is bare, in single quotes (all literal) or in double
    quotes (C(\\), C(\"), C(\$) and C(\`) escaped by a backslash), or several such pieces side by side. A C(#) after a blank begins a comment.
  - Read are C($X), C(${X}), C(${X:-d}), C(${X-d}), C(${X:?m}), C(${X?m}), C(${X:+a}) and C(${X+a}), bare or in double quotes.
  - Refused are command substitution, values over several lines, other references (such as C($1) or C(${X%y})), an unquoted C(;), C(&), C(|), C(<),
    C(>), C(() or C(\)), and keys that are no names of variables.
  - Accepted with a warning, although a shell would run a command, are C(A = 1) and C(A=a b); a C(~) stays as it is. Carriage returns at line ends
    and a byte order mark are dropped with a warning. Of a key that is set twice the last one counts, with a warning.
  - Where the server's own reader (godotenv) or Docker Compose reads a line differently than a shell, a warning says so.
  - A value is taken for a secret if its key says so (C(PASSWORD), C(SECRET), C(TOKEN), C(API_KEY), C(_AK), C(_SK), C(DSN) and the like), if it is a URL
    with a password, or if it contains another secret. The diff never shows secrets, whatever O(reveal) says.
  - With O(release), a setting is a problem where the server would surely not start, or a feature surely not work (a C(STORAGE_TYPE) that does not exist,
    an address that means the container itself, a secret of the wrong length); whatever else is doubtful is a warning, among it a misspelt key.
    The addresses of stores are expected to be those of the stack's own services; others are a warning.
extends_documentation_fragment:
  - ansible.builtin.files
attributes:
  check_mode:
    support: full
    description: Says what would change, and changes nothing.
  diff_mode:
    support: full
    description: Secrets are masked; one that changes is marked.
  idempotent:
    support: full
    description: The file is written only if its text or its attributes differ.
  platform:
    platforms: posix
    support: full
    description: The host has to have Python 3.9 or newer.
options:
  src:
    description:
      - The file to read, on the host that the task runs on.
      - Exactly one of O(src) and O(content) has to be given.
    type: path
  content:
    description: The text to read instead of a file.
    type: str
  overrides:
    description:
      - Values that replace those of the file, whose text for these keys is not looked at. Later lines that refer to them see them.
      - Keys that the file lacks are added at the end, and every line may refer to them.
      - The values are literal. Numbers become their digits, booleans V(true) or V(false); null is an error.
    type: dict
    default: {}
  undefined:
    description:
      - What a reference to something that is not set is.
      - With V(empty) it is an empty string, and a warning.
    type: str
    choices: [error, empty]
    default: error
  release:
    description:
      - The release line of the Coze Studio server that the settings are for. They are checked by its rules.
      - Without it, only the form of the file is looked at.
    type: str
    choices: ["0.2", "0.3", "0.5"]
  dest:
    description:
      - The file to write, on the host that the task runs on. Its directory has to exist.
      - Without it nothing is written.
    type: path
  format:
    description:
      - The form of O(dest).
      - With V(docker) each line is C(KEY=VALUE), literally, as C(docker run --env-file) and the Docker API take it.
      - With V(dotenv) values are quoted where they need it, so that a shell and godotenv read the same values back.
        A value for which no quoting does that is an error.
    type: str
    choices: [docker, dotenv]
    default: docker
  mode:
    description: The mode of O(dest).
    type: raw
    default: "0600"
  backup:
    description: Keep a copy of O(dest), with the time in its name, before it is replaced.
    type: bool
    default: false
  reveal:
    description:
      - Return secrets as they are. Give such a task C(no_log), or keep it from running with more than one C(-v).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Look at what a .env file sets
  cozeops.studio.env_file:
    src: /srv/coze-studio/docker/.env
  register: source_env
  delegate_to: localhost

- name: Write it resolved, for docker run --env-file
  cozeops.studio.env_file:
    src: /srv/coze-studio/docker/.env
    dest: /srv/coze/server.env
    overrides:
      MYSQL_PASSWORD: "{{ mysql_password }}"
      SERVER_HOST: https://coze.example.com

- name: Check the settings before anything is started
  cozeops.studio.env_file:
    src: /srv/coze-studio/docker/.env
    release: "0.5"
  delegate_to: localhost

- name: Take the values into later tasks
  cozeops.studio.env_file:
    content: "{{ lookup('ansible.builtin.file', 'stack.env') }}"
    reveal: true
  register: stack_env
  no_log: true
"""

RETURN = r"""
env:
  description: All values, expanded, in the order of the file. Secrets are masked unless O(reveal).
  returned: success
  type: dict
  sample: {"MYSQL_USER": "coze", "MYSQL_PASSWORD": "********", "MYSQL_HOST": "mysql"}
names:
  description: The keys in order.
  returned: success
  type: list
  elements: str
  sample: ["MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_HOST"]
warnings:
  description: What was taken with a doubt, is read differently by other programs, or is a doubtful setting for O(release); file, line and key in each.
  returned: when there are any
  type: list
  elements: str
  sample: [".env:3: A: a blank beside the = is skipped; a shell would run a command: write KEY=VALUE"]
dest:
  description: The file that was written, or would be.
  returned: when O(dest) is given
  type: str
  sample: /srv/coze/server.env
backup_file:
  description: The copy of the file that was replaced.
  returned: when O(backup) made one
  type: str
  sample: /srv/coze/server.env.4711.2026-01-31@12:00:00~
problems:
  description: What is wrong, the parts of the message.
  returned: when the file cannot be read or written, or settings are wrong for O(release)
  type: list
  elements: dict
  sample: [{"file": ".env", "line": 3, "key": "A", "message": "the single quote is not closed"}]
"""

import os
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._env_file import (
    MASK,
    EnvError,
    EnvResult,
    Problem,
    decode,
    expand,
    mask,
    mask_lines,
    override_strings,
    parse,
    render,
    secret_values,
)
from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import RELEASES
from ansible_collections.cozeops.studio.plugins.module_utils._settings import check


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path"},
            "content": {"type": "str", "no_log": True},
            "overrides": {"type": "dict", "default": {}, "no_log": True},
            "undefined": {"type": "str", "choices": ["error", "empty"], "default": "error"},
            "release": {"type": "str", "choices": [*RELEASES]},
            "dest": {"type": "path"},
            "format": {"type": "str", "choices": ["docker", "dotenv"], "default": "docker"},
            "mode": {"type": "raw", "default": "0600"},
            "backup": {"type": "bool", "default": False},
            "reveal": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("src", "content")],
        required_one_of=[("src", "content")],
        add_file_common_args=True,
        supports_check_mode=True,
    )
    # no_log keeps both options out of the log. But Ansible would now also replace each of their values wherever it occurs in the
    # result, and one override of "1" or "coze" would make it unreadable (and O(reveal) useless): what is returned is masked here.
    module.no_log_values.clear()
    invocation = {"module_args": shown_arguments(module.params)}
    try:
        result, changes = run(module)
    except EnvError as error:
        problems = [{"file": p.file, "line": p.line, "key": p.key, "message": p.message} for p in error.problems]
        module.fail_json(msg=str(error), problems=problems, invocation=invocation)
    except OSError as error:
        module.fail_json(msg=f"{error.filename or module.params['dest']}: {error.strerror or error}", invocation=invocation)
    for warning in result.warnings:
        module.warn(warning)
    env = result.env if module.params["reveal"] else mask(result.env)
    module.exit_json(env=env, names=result.names, invocation=invocation, **changes)


def run(module: AnsibleModule) -> tuple[EnvResult, dict[str, Any]]:
    """The environment, and what writing it changes. Raises EnvError, OSError."""
    params = module.params
    name = params["src"] or "content"
    text = params["content"] if params["src"] is None else decode(read(params["src"]), name)
    result = checked(module, text, name, override_strings(params["overrides"]))
    if params["dest"] is None:
        return result, {"changed": False}
    return result, write(module, result.env, render(result.env, params["format"]))


def checked(module: AnsibleModule, text: str, name: str, overrides: dict[str, str]) -> EnvResult:
    """The environment, with the doubts about its settings among its warnings. Raises EnvError with what is wrong in the file and in its settings."""
    release = module.params["release"]
    problems: list[Problem] = []
    unread: frozenset[str] = frozenset()
    try:
        result = expand(parse(text, name), overrides, module.params["undefined"])
    except EnvError as error:
        if release is None or error.rest is None:
            raise
        # What could not be read must not hide what is wrong with the rest.
        result, problems, unread = error.rest, error.problems, error.unread
    if release is None:
        return result
    findings = check(result.env, release, result.lines, name, places=dict.fromkeys(overrides, "overrides"), unread=unread)
    doubts = [str(finding) for finding in findings if not finding.fatal]
    problems = sorted([*problems, *(finding.problem for finding in findings if finding.fatal)], key=lambda problem: (problem.line == 0, problem.line))
    if problems:
        for warning in [*result.warnings, *doubts]:
            module.warn(warning)
        raise EnvError(problems)
    return result._replace(warnings=[*result.warnings, *doubts])


def write(module: AnsibleModule, env: dict[str, str], text: str) -> dict[str, Any]:
    """Bring the file to this text and its attributes; returns changed, diff and the like."""
    dest = os.path.realpath(module.params["dest"])
    if os.path.isdir(dest):
        raise IsADirectoryError(0, "is a directory: dest has to name the file", dest)
    before = read(dest) if os.path.exists(dest) else None
    after = text.encode("utf-8")
    changes: dict[str, Any] = {"dest": dest, "changed": before != after}
    attributes = module.load_file_common_arguments(module.params, path=dest)
    attributes_diff: dict[str, Any] = {}
    if before is not None:
        # Also before it is replaced: the new content must not be seen for a moment through a mode that was too wide.
        changes["changed"] = module.set_fs_attributes_if_different(attributes, changes["changed"], attributes_diff)
    if before != after and not module.check_mode:
        if module.params["backup"] and before is not None:
            changes["backup_file"] = module.backup_local(dest)
        replace(module, dest, after)
        changes["changed"] = module.set_fs_attributes_if_different(attributes, changes["changed"])
    if module._diff:
        changes["diff"] = [masked_diff(dest, before, text, env), *([attributes_diff] if attributes_diff else [])]
    return changes


def replace(module: AnsibleModule, dest: str, data: bytes) -> None:
    directory = os.path.dirname(dest)
    if not os.path.isdir(directory):
        raise FileNotFoundError(0, "no such directory: create it first", directory)
    # A new file gets its first mode from the umask.
    umask = os.umask(0o077)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".env_file_", dir=module.tmpdir)
        module.add_cleanup_file(temporary)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        module.atomic_move(temporary, dest, unsafe_writes=module.params["unsafe_writes"])
    finally:
        os.umask(umask)


def masked_diff(dest: str, before: bytes | None, after: str, env: dict[str, str]) -> dict[str, str]:
    """A diff without secrets. In `after`, which has a line for each key of `env`, a masked line that is new is marked."""
    old_lines = [] if before is None else text_lines(before.decode("utf-8", "replace"))
    old_secrets = secret_values(plain_settings(old_lines))
    masked = mask(env)
    after_lines = []
    for key, line in zip(env, text_lines(after)):
        (shown,) = mask_lines([line if masked[key] == env[key] else f"{key}={MASK}"], old_secrets)
        is_new = before is not None and shown != line and line not in old_lines
        after_lines.append(f"{shown} (changed)" if is_new else shown)
    return {
        "before_header": dest,
        "after_header": dest,
        "before": "".join(f"{line}\n" for line in mask_lines(old_lines, old_secrets + secret_values(env))),
        "after": "".join(f"{line}\n" for line in after_lines),
    }


def text_lines(text: str) -> list[str]:
    # Not splitlines: it also splits at characters that a value may hold.
    return text.removesuffix("\n").split("\n") if text else []


def plain_settings(lines: list[str]) -> dict[str, str]:
    """Keys and values of a file that may be of any form, good enough to know its secrets."""
    pairs = (line.partition("=") for line in lines)
    return {key.split()[-1]: value.strip(" \t'\"") for key, equals, value in pairs if equals and key.split()}


def shown_arguments(params: dict[str, Any]) -> dict[str, Any]:
    """The options as the result shows them: of the overrides only the keys, of the content nothing."""
    hidden = {"overrides": dict.fromkeys(params["overrides"], MASK), "content": MASK if params["content"] else params["content"]}
    return {**params, **hidden}


def read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


if __name__ == "__main__":
    main()
