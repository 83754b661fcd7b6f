#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_config
short_description: Write and check the chat models of Coze Studio
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Writes one file for each model into the server's directory C(conf/model), and checks the whole directory as it will be, hand-written files too.
  - Every problem of every file is reported at once, each with the file and the line. As long as there is one, nothing is written.
  - With O(state=validated) it only checks.
notes:
  - The server reads C(*.yaml) and C(*.yml) of the directory itself, not of folders in it, in the order of their names.
  - Files that this module wrote are known by their first line. Other files are read and checked, but never changed or removed.
  - No key is ever shown, neither in the diff nor in the result.
  - From release 0.5 on the server takes a model from its file into the database once, by its id. See RV(first_boot_only).
requirements:
  - PyYAML on the host that the task runs on
extends_documentation_fragment:
  - ansible.builtin.files
attributes:
  check_mode:
    support: full
    description: Says what would change, and changes nothing. The directory need not exist.
  diff_mode:
    support: full
    description: Keys are masked; one that changes is marked.
  idempotent:
    support: full
    description: A file is written only if its text or its attributes differ. Ids are made from the names, and kept.
  platform:
    platforms: posix
    support: full
    description: The host has to have Python 3.9 or newer.
options:
  path:
    description: The directory C(conf/model), on the host that the task runs on.
    type: path
    required: true
  release:
    description: The release line of the server that reads the directory.
    type: str
    choices: ["0.2", "0.3", "0.5"]
    required: true
  state:
    description:
      - With V(present) the files of O(models) are written.
      - With V(validated) the directory is checked as it is.
    type: str
    choices: [present, validated]
    default: present
  models:
    description:
      - The models that are wanted. Required with O(state=present).
    type: list
    elements: dict
    suboptions:
      name:
        description: The name that users see. It has to be the only one of its kind in the list.
        type: str
        required: true
      id:
        description:
          - The number by which agents refer to the model.
          - Without it the model keeps the one that the file of its name has. A new model gets one that is made from its name, the same on all hosts.
        type: int
      protocol:
        description:
          - The protocol of the endpoint.
          - Releases know V(openai), V(claude), V(deepseek), V(gemini), V(ark), V(ollama) and V(qwen).
        type: str
        required: true
      base_url:
        description:
          - The address of the endpoint as the server's container sees it, without C(/chat/completions).
          - For V(ollama) and V(gemini) it is the root of the host, for most others it ends in C(/v1).
        type: str
        required: true
      model:
        description: The name by which the endpoint knows the model.
        type: str
        required: true
      api_key:
        description: The key for the endpoint.
        type: str
      icon_uri:
        description:
          - The icon, a key of the server's bucket.
          - If it is not given, it is the template's, or one of the protocol that the product comes with.
        type: str
      icon_url:
        description: The address of an icon, instead of O(models[].icon_uri).
        type: str
      description:
        description: What users read about the model, a text or a dictionary with the keys V(zh) and V(en).
        type: raw
      timeout:
        description: The longest time for an answer, with a unit, such as V(90s). V(0s) is no limit.
        type: str
      capability:
        description: What the model can do, keys of C(meta.capability) that replace those of the template.
        type: dict
      connection:
        description: Further keys of C(meta.conn_config), such as C(temperature), C(max_tokens) or the dictionary of the protocol.
        type: dict
      parameters:
        description: The list C(default_parameters), what users can set in an agent.
        type: list
        elements: dict
  template:
    description:
      - A file to begin with, or a directory of the product's templates (C(conf/model/template)), on the host that the task runs on.
      - In a directory C(model_template_PROTOCOL_MODEL.yaml) is taken, else C(model_template_PROTOCOL.yaml).
      - Without it, or if the directory has none of these, a model has a temperature and a maximum of tokens to set, and takes and gives text.
    type: path
  purge:
    description: Remove files that this module wrote and that O(models) no longer has.
    type: bool
    default: false
  mode:
    description: The mode of the files that are written. They hold keys.
    type: raw
    default: "0600"
"""

EXAMPLES = r"""
- name: Two models
  cozeops.studio.model_config:
    path: /srv/coze/conf/model
    release: "0.5"
    models:
      - name: GPT-4o
        protocol: openai
        base_url: https://llm.example.com/v1
        model: gpt-4o
        api_key: "{{ llm_key }}"
      - name: Qwen on our own machine
        id: 200
        protocol: ollama
        base_url: http://host.docker.internal:11434
        model: qwen2.5:7b
        timeout: 120s
        capability:
          function_call: false
        connection:
          temperature: 0.2
    purge: true

- name: Check a directory that was written by hand
  cozeops.studio.model_config:
    path: /srv/coze-studio/backend/conf/model
    release: "0.2"
    state: validated
"""

RETURN = r"""
models:
  description: All models of the directory as it is (in check mode, would be) now, in the order in which the server reads them.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The id.
      type: int
    name:
      description: The name.
      type: str
    file:
      description: The file's name in the directory.
      type: str
    ours:
      description: Whether this module wrote the file.
      type: bool
    action:
      description: What was done with the file, V(created), V(changed) or V(none).
      type: str
  sample: [{"id": 200, "name": "Qwen", "file": "model-200.yaml", "ours": true, "action": "created"}]
removed:
  description: The models whose files were removed.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 300, "name": "Old", "file": "model-300.yaml"}]
first_boot_only:
  description:
    - From release 0.5 on, the ids of the models whose files were there before and were changed or removed now. Empty for older releases.
    - A server that has read such a file before keeps the model in its database as it was. Make the change in its administration too.
    - With O(state=validated), the ids of all models that have one.
  returned: success
  type: list
  elements: int
  sample: [200]
warnings:
  description: What was taken with a doubt, such as unknown keys.
  returned: when there are any
  type: list
  elements: str
  sample: ["/srv/coze/conf/model/a.yaml:7: unknown key meta.conn_config.base_ur: the server ignores it; is base_url meant?"]
problems:
  description: What is wrong, the parts of the message. The line is 0 for a file as a whole and for an item of O(models).
  returned: always
  type: list
  elements: dict
  sample: [{"file": "/srv/coze/conf/model/a.yaml", "line": 12, "message": "meta.conn_config is missing: the server fails without a connection"}]
"""

import os
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.cozeops.studio.plugins.module_utils._model_files import (
    MODEL_OPTIONS,
    Files,
    ModelError,
    examine,
    first_boot_only,
    first_boot_warning,
    plan,
)
from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import RELEASES, Model, is_old
from ansible_collections.cozeops.studio.plugins.module_utils._model_mask import mask_text, mask_variables, secrets_of
from ansible_collections.cozeops.studio.plugins.module_utils._model_render import is_ours
from ansible_collections.cozeops.studio.plugins.module_utils._model_yaml import YAML_ERROR, Problem


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "release": {"type": "str", "choices": list(RELEASES), "required": True},
            "state": {"type": "str", "choices": ["present", "validated"], "default": "present"},
            # As a whole: connection holds keys too.
            "models": {"type": "list", "elements": "dict", "options": MODEL_OPTIONS, "no_log": True},
            "template": {"type": "path"},
            "purge": {"type": "bool", "default": False},
            "mode": {"type": "raw", "default": "0600"},
        },
        required_if=[("state", "present", ["models"])],
        add_file_common_args=True,
        supports_check_mode=True,
    )
    # no_log keeps the models out of the log. But Ansible would now also replace each of their words wherever it occurs in the result,
    # names of files and of models too: what is returned is masked here.
    module.no_log_values.clear()
    invocation = {"module_args": mask_variables(dict(module.params))}
    if YAML_ERROR:
        module.fail_json(msg=missing_required_lib("PyYAML"), exception=YAML_ERROR, invocation=invocation)
    try:
        result, warnings = run(module)
    except ModelError as error:
        for warning in error.warnings:
            module.warn(warning)
        module.fail_json(msg=str(error), problems=[problem._asdict() for problem in error.problems], invocation=invocation)
    except OSError as error:
        module.fail_json(msg=f"{error.filename or module.params['path']}: {error.strerror or error}", problems=[], invocation=invocation)
    for warning in warnings:
        module.warn(warning)
    module.exit_json(problems=[], invocation=invocation, **result)


def run(module: AnsibleModule) -> tuple[dict[str, t.Any], list[str]]:
    """The result and the warnings. Raises ModelError, OSError."""
    params = module.params
    release = params["release"]
    present = params["state"] == "present"

    def where(name: str) -> str:
        return os.path.join(params["path"], name)

    before, problems, warnings = read_directory(params["path"], may_lack=present and module.check_mode)
    if not present:
        models = examine(before, {}, release, where, problems, warnings).models
        ids = [] if is_old(release) else [model.id for model in models if model.id is not None]
        return {"changed": False, "models": shown(models, before, before), "removed": [], "first_boot_only": ids}, warnings
    directory = plan(params["models"], before, release, params["template"], where, purge=params["purge"], known=problems)
    first = first_boot_only(release, directory.old, lambda name: directory.files.get(name) != before[name])
    warnings += directory.warnings
    warnings += [first_boot_warning(where(model.file), model, release, model.file in directory.files) for model in first]
    result = {
        "models": shown(directory.models, before, directory.files),
        "removed": [{"id": model.id, "name": model.name, "file": model.file} for model in directory.old if model.file in directory.unwanted],
        "first_boot_only": [model.id for model in first],
        **write(module, before, {name: directory.files[name] for name in directory.wanted}, directory.unwanted),
    }
    return result, warnings


def read_directory(path: str, may_lack: bool) -> tuple[Files, list[Problem], list[str]]:
    """The files that the server would read, what of it cannot be read, and doubts."""
    if not os.path.isdir(path):
        if may_lack and not os.path.lexists(path):
            return {}, [], []
        raise ModelError([Problem(path, 0, "no such directory: create it first")])
    files: Files = {}
    problems = []
    warnings = []
    for name in sorted(os.listdir(path)):
        full = os.path.join(path, name)
        extension = os.path.splitext(name)[1]
        if extension in (".yaml", ".yml") and (os.path.islink(full) or not os.path.isdir(full)):
            try:
                files[name] = read(full)
            except OSError as error:
                problems.append(Problem(full, 0, f"cannot be read: {error.strerror}"))
        elif extension.lower() in (".yaml", ".yml") and os.path.isfile(full):
            warnings.append(f"{full}: the server does not read it: its name has to end in .yaml or .yml")
    return files, problems, warnings


def shown(models: list[Model], before: Files, after: Files) -> list[dict[str, t.Any]]:
    def action(name: str) -> str:
        return "created" if name not in before else "none" if before[name] == after[name] else "changed"

    return [{"id": model.id, "name": model.name, "file": model.file, "ours": is_ours(after[model.file]), "action": action(model.file)} for model in models]


def write(module: AnsibleModule, before: Files, wanted: Files, unwanted: list[str]) -> dict[str, t.Any]:
    """Bring the files to these texts and their attributes; returns changed and diff."""
    path = module.params["path"]
    changed = False
    diffs: list[dict[str, t.Any]] = []
    for name, data in sorted(wanted.items()):
        full = os.path.join(path, name)
        old = before.get(name)
        attributes = module.load_file_common_arguments(module.params, path=full)
        attributes_diff: dict[str, t.Any] = {}
        changed = changed or old != data
        if old is not None:
            # Also before it is replaced: the new content must not be seen for a moment through a mode that was too wide.
            changed = module.set_fs_attributes_if_different(attributes, changed, attributes_diff)
        if old != data:
            diffs.append(masked_diff(full, old, data))
            if not module.check_mode:
                replace(module, full, data)
                module.set_fs_attributes_if_different(attributes, changed)
        diffs += [attributes_diff] if attributes_diff else []
    for name in unwanted:
        full = os.path.join(path, name)
        diffs.append(masked_diff(full, before[name], b""))
        if not module.check_mode:
            os.unlink(full)
    return {"changed": changed or bool(unwanted), **({"diff": diffs} if module._diff else {})}


def replace(module: AnsibleModule, dest: str, data: bytes) -> None:
    # A new file gets its first mode from the umask.
    umask = os.umask(0o077)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix="model_config_", dir=module.tmpdir)
        module.add_cleanup_file(temporary)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        module.atomic_move(temporary, dest, unsafe_writes=module.params["unsafe_writes"])
    finally:
        os.umask(umask)


def masked_diff(path: str, old: bytes | None, new: bytes) -> dict[str, str]:
    known = secrets_of(old or b"")
    return {
        "before_header": path,
        "after_header": path,
        "before": mask_text(old or b"", searched=secrets_of(new)),
        "after": mask_text(new, None if old is None else known, known),
    }


def read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


if __name__ == "__main__":
    main()
