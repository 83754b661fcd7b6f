#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: admin_models
short_description: Chat models in the administration of Coze Studio
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Brings the chat models of a running Coze Studio (release line 0.5 and later) to what is wanted, through the API of its administration. They are rows
    of the database then, which change without a restart, and not files; for files there is M(cozeops.studio.model_config).
  - Models are told apart by their names. The server cannot change a model, so one that differs is created anew and the old one is deleted. The new
    one has another id; agents that use the old one have to choose again, which a warning says.
  - The server asks each new model something before it takes it. One that does not answer is a failure; the other models are dealt with all the same,
    and all failures are reported together.
  - Until the first model was created in the administration, users are served the models of files and environment as they were when the server started,
    and no others. If a model that is wanted is in the database and is not served, it is created anew, which makes the database count.
  - Of several models with a name that is wanted the newest one that fits is kept, and the others are deleted, with a warning.
attributes:
  check_mode:
    description: Can run in check mode and tell what would change without changing it.
    support: full
    details:
      - In check mode it logs in too, since only an administrator may see the list.
  diff_mode:
    description: Returns what differs when diff mode is on.
    support: full
    details:
      - Keys are never shown, only whether they change.
  idempotent:
    description: Changes nothing when it is run again with the same options.
    support: partial
    details:
      - The server shows only the first and the last characters of a key. A new key that looks the same in these is not noticed. Delete the model
        in that case, or change its name.
options:
  url:
    description:
      - The entry of Coze Studio, without a path.
      - With O(via_container) it is seen from inside that container, so it is usually V(http://127.0.0.1:8888) for coze-server.
    type: str
    required: true
  email:
    description:
      - The account of an administrator. While no administrator is named in the settings of C(/admin), every account is one.
      - Logging in ends the session that the user has elsewhere. So give an account that no person uses, such as that of M(cozeops.studio.product_check).
    type: str
    required: true
  password:
    description:
      - The account's password.
    type: str
    required: true
  models:
    description:
      - The models that are wanted, with the options of M(cozeops.studio.model_config), so that one list serves both.
      - The administration knows fewer of them. What a model can do and what users can set of it comes from C(model_meta.json), and O(models[].id),
        O(models[].icon_uri), O(models[].icon_url), O(models[].description), O(models[].timeout), O(models[].capability) and O(models[].parameters) mean
        nothing here.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name that users see. Each only once.
        type: str
        required: true
      protocol:
        description: The protocol of the endpoint, one of V(openai), V(ark), V(claude), V(gemini), V(qwen), V(deepseek) and V(ollama).
        type: str
        required: true
      base_url:
        description:
          - The address of the endpoint as the server's container sees it, without C(/chat/completions).
          - V("") is the protocol's own default.
        type: str
        required: true
      model:
        description: The name by which the endpoint knows the model.
        type: str
        required: true
      api_key:
        description: The key for the endpoint.
        type: str
      enable_base64_url:
        description:
          - Whether images are sent to the model themselves and not as a link, which a model elsewhere may not be able to follow.
          - Without it a model keeps what it has; a new one has it off. C(enable_base64_url) in O(models[].connection) is the same.
        type: bool
      connection:
        description: Of its keys only C(enable_base64_url) means something here.
        type: dict
      id:
        description: Means nothing here. The database numbers its models.
        type: int
      icon_uri:
        description: Means nothing here.
        type: str
      icon_url:
        description: Means nothing here.
        type: str
      description:
        description: Means nothing here.
        type: raw
      timeout:
        description: Means nothing here.
        type: str
      capability:
        description: Means nothing here.
        type: dict
      parameters:
        description: Means nothing here.
        type: list
        elements: dict
  purge:
    description:
      - Whether to delete the models that are not in O(models).
      - Nothing is purged when a model could not be created.
    type: bool
    default: false
  file_ids:
    description:
      - Ids that the server's model files or C(MODEL_OPENCOZE_ID_0) give. A model with such an id is never deleted but left, with a warning, since the next
        start of the server would insert it once more and end with a duplicate key.
      - Without it, a warning reminds of this for each model that is deleted.
    type: list
    elements: int
  via_container:
    description:
      - Name of a container on this host in whose network namespace the requests are made. Nothing needs to be published then.
      - Needs the Python package docker on the host, and root.
    type: str
  timeout:
    description:
      - Seconds to wait for an answer. Creating a model takes as long as that model needs to answer.
    type: float
    default: 60
  validate_certs:
    description:
      - Whether the certificate of an https O(url) must be valid.
    type: bool
    default: true
seealso:
  - module: cozeops.studio.model_config
  - module: cozeops.studio.account
"""

EXAMPLES = r"""
- name: Two models
  cozeops.studio.admin_models:
    url: http://127.0.0.1:8888
    via_container: coze-coze-server
    email: verify@coze.cozeops.internal
    password: "{{ verify_password }}"
    models:
      - name: Qwen 3
        protocol: openai
        base_url: http://models.internal:8000/v1
        model: qwen3
        api_key: "{{ qwen_key }}"
        enable_base64_url: true
      - name: Llama
        protocol: ollama
        base_url: http://models.internal:11434
        model: llama3.3

- name: These and no others; model files still have the ids 100 and 200
  cozeops.studio.admin_models:
    url: https://coze.example.com
    email: verify@coze.cozeops.internal
    password: "{{ verify_password }}"
    models: "{{ coze_server_models }}"
    purge: true
    file_ids: [100, 200]
"""

RETURN = r"""
models:
  description:
    - What was done, the models of O(models) in their order, then those that were purged. Returned on failure too.
  type: list
  elements: dict
  returned: when the list could be read
  contains:
    id:
      description: Its id, or V(none) for one that is not made yet (in check mode) or could not be made.
      type: int
      sample: 100003
    name:
      description: Its name.
      type: str
      sample: Qwen 3
    action:
      description:
        - V(none), V(created), V(replaced) (created, and the old one deleted), V(deleted), V(left) (not wanted, but a model file has its id), or V(failed).
        - A model that stays while others of its name are deleted is V(none) too.
      type: str
      sample: replaced
    why:
      description: For V(replaced), the options that differ, or another reason.
      type: list
      elements: str
      sample: [base_url]
    deleted:
      description: The ids of the models of this name that were deleted.
      type: list
      elements: int
      sample: [100001]
table:
  description: RV(models) as lines to print, those that stay as they are left out.
  type: list
  elements: str
  returned: when the list could be read
  sample: ["Qwen 3: replaced, id 100003 (base_url)"]
notes:
  description: What the warnings say, for those who see none since the task has C(no_log).
  type: list
  elements: str
  returned: when the list could be read
  sample: []
others:
  description: Models that are not in O(models) and are there, since O(purge) is false.
  type: list
  elements: dict
  returned: when the list could be read
  sample: [{"id": 100004, "name": "Made by hand"}]
"""

import contextlib
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._coze_admin import (
    AdminError,
    Row,
    Step,
    Wanted,
    create_model,
    delete_model,
    differences,
    list_models,
    plan,
    reason,
    served_ids,
    wanted_models,
)
from ansible_collections.cozeops.studio.plugins.module_utils._coze_api import Coze, CozeError
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.module_utils._env_mask import MASK
from ansible_collections.cozeops.studio.plugins.module_utils._model_files import MODEL_OPTIONS
from ansible_collections.cozeops.studio.plugins.module_utils._model_mask import mask_variables
from ansible_collections.cozeops.studio.plugins.module_utils._redact import SHORTEST, redact
from ansible_collections.cozeops.studio.plugins.module_utils._via_container import via_container

DONE = {"none": "none", "create": "created", "replace": "replaced", "delete": "deleted"}


class Run:
    """One run: its session, what was done, what failed and what is to be told."""

    def __init__(self, coze: Coze, email: str, check: bool, file_ids: list[int] | None) -> None:
        self.coze = coze
        self.email = email
        self.check = check
        self.file_ids = file_ids
        self.changed = False
        self.models: list[dict[str, t.Any]] = []
        self.others: list[dict[str, t.Any]] = []
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.diff: dict[str, t.Any] = {}

    def perform(self, password: str, wanted: list[Wanted], purge: bool) -> None:
        """All of it, in a session of its own. Raises AdminError if nothing can be done at all."""
        try:
            self.coze.login(self.email, password)
        except CozeError as exc:
            raise AdminError("Cannot log in as %s: %s" % (self.email, reason(exc, self.email))) from exc
        try:
            self.bring_about(wanted, purge)
        finally:
            with contextlib.suppress(CozeError):  # The session is this module's own, nobody is harmed if it lives on.
                self.coze.logout()

    def bring_about(self, wanted: list[Wanted], purge: bool) -> None:
        try:
            rows = list_models(self.coze)
            steps = plan(wanted, rows, served_ids(self.coze), purge, self.file_ids or [])
        except CozeError as exc:
            raise AdminError("Cannot read the models: %s" % reason(exc, self.email)) from exc
        names = {model.name for model in wanted}
        self.others = [] if purge else [{"id": row.id, "name": row.name} for row in rows if row.name not in names]
        self.diff = diff_of(rows, steps)
        for step in steps:
            # What is purged comes last; without a model that should be in its place it may be the only one that works.
            if step.wanted is not None or not self.problems:
                self.take(step)

    def take(self, step: Step) -> None:
        """One step. What fails is kept for the report."""
        self.tell_doubles(step)
        action = "none" if step.keep else DONE[step.action]
        done: dict[str, t.Any] = {"id": step.keep.id if step.keep else None, "name": step.name, "action": action, "why": list(step.why), "deleted": []}
        self.models.append(done)
        if step.wanted is not None and step.keep is None and not self.create(step.wanted, done):
            return
        for row in step.gone:
            self.delete(row, done)
        self.tell_left(step, done)
        if step.action == "replace":
            new = "it would be made anew" if self.check else "it was made anew, with the id %d" % done["id"]
            old = " or ".join(str(row.id) for row in sorted([*step.gone, *step.left]))
            self.warnings.append("models: %s: %s, since %s. Agents that use %s have to choose it again." % (step.name, new, cause(step.why), old))

    def create(self, wanted: Wanted, done: dict[str, t.Any]) -> bool:
        if not self.check:
            try:
                done["id"] = create_model(self.coze, wanted)
            except CozeError as exc:
                done["action"] = "failed"
                self.problems.append("models: %s: not created: %s" % (wanted.name, create_reason(exc, self.email)))
                return False
        self.changed = True
        return True

    def delete(self, row: Row, done: dict[str, t.Any]) -> None:
        if not self.check:
            try:
                delete_model(self.coze, row.id)
            except CozeError as exc:
                self.problems.append("models: %s: the old one with the id %d could not be deleted: %s" % (row.name, row.id, reason(exc, self.email)))
                return
        self.changed = True
        done["deleted"].append(row.id)
        if self.file_ids is None:
            self.warnings.append(
                "models: %s: model %d %s. If a model file or MODEL_OPENCOZE_ID_0 of the server has this id, remove it there before the next start,"
                " which would end with a duplicate key." % (row.name, row.id, "would be deleted" if self.check else "is deleted")
            )

    def tell_doubles(self, step: Step) -> None:
        rows = [*([step.keep] if step.keep else []), *step.gone, *step.left]
        if step.wanted is not None and len(rows) > 1:
            ids = ", ".join(str(row.id) for row in sorted(rows))
            stays = "kept is %d, the newest that fits" % step.keep.id if step.keep else "none of them fits"
            self.warnings.append("models: %s is there %d times (ids %s): %s." % (step.name, len(rows), ids, stays))

    def tell_left(self, step: Step, done: dict[str, t.Any]) -> None:
        for row in step.left:
            self.warnings.append(
                "models: %s: model %d is left, since a model file or MODEL_OPENCOZE_ID_0 of the server has its id: the next start would end with a duplicate"
                " key. Take the id out of there, deploy, and run this again." % (step.name, row.id)
            )
        if step.wanted is None and step.left and not step.gone:
            done.update(action="left", id=step.left[0].id)
        elif step.wanted is None and step.gone:
            done["id"] = step.gone[0].id


def cause(why: t.Sequence[str]) -> str:
    """Why a model is replaced, as the end of a sentence: options that differ, or a reason that is a clause already."""
    if not all(name.isidentifier() for name in why):
        return why[0]
    return "%s differ%s" % (" and ".join(why), "s" if len(why) == 1 else "")


def create_reason(error: CozeError, email: str) -> str:
    """Why a model could not be made. The words of the server say what its endpoint said."""
    if error.status == 400:
        return "%s. The server asks a model something before it takes it: is base_url right as seen from its container, and are model and api_key?" % (
            error.message.rstrip(".")
        )
    if error.status == 0:
        return "%s. It may have been made all the same; the next run will see." % error.message.rstrip(".")
    return reason(error, email)


def diff_of(rows: list[Row], steps: list[Step]) -> dict[str, t.Any]:
    """The table before and after, by name."""
    before = {label(row, rows): shown(row) for row in rows}
    after = dict(before)
    for step in steps:
        newest = max([*step.gone, *step.left], default=None)
        for row in step.gone:
            after.pop(label(row, rows))
        if step.wanted is not None and step.keep is None:
            new_key = newest is not None and "api_key" in differences(newest, step.wanted)
            after[step.name] = shown(step.wanted, " (changed)" if new_key else "")
    return {"before": before, "after": after} if before != after else {}


def shown(source: Row | Wanted, mark: str = "") -> dict[str, t.Any]:
    """A model for a diff; the mark goes behind its hidden key."""
    return {
        "protocol": source.protocol,
        "base_url": mask_variables(source.base_url),
        "model": source.model,
        "api_key": (MASK + mark) if source.key else "",
        "enable_base64_url": bool(source.base64),
    }


def line(done: t.Mapping[str, t.Any]) -> str:
    """A model that was dealt with as a line to print."""
    parts = ["%s: %s" % (done["name"], done["action"])]
    if done["action"] in ("created", "replaced") and done["id"] is not None:
        parts.append("id %d" % done["id"])
    if done["action"] == "none":
        parts = ["%s: %d stays" % (done["name"], done["id"])]
    if done["deleted"]:
        parts.append("deleted %s" % ", ".join(str(number) for number in done["deleted"]))
    return ", ".join(parts) + (" (%s)" % ", ".join(done["why"]) if done["why"] else "")


def label(row: Row, rows: list[Row]) -> str:
    return row.name if sum(other.name == row.name for other in rows) == 1 else "%s (%d)" % (row.name, row.id)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "email": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            # As a whole: connection may hold keys too.
            "models": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "no_log": True,
                "options": {**MODEL_OPTIONS, "enable_base64_url": {"type": "bool"}},
            },
            "purge": {"type": "bool", "default": False},
            "file_ids": {"type": "list", "elements": "int"},
            "via_container": {"type": "str"},
            "timeout": {"type": "float", "default": 60},
            "validate_certs": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    # no_log keeps the models out of the log. But Ansible would now also replace each of their words wherever it occurs in the result,
    # names of models too: what is returned is masked here.
    module.no_log_values.clear()
    given = module.params
    secrets = sorted(filter(is_long, [given["password"], *(model["api_key"] for model in given["models"])]), key=len, reverse=True)
    invocation = {"module_args": mask_variables(dict(given))}

    def hidden(text: str) -> str:
        return redact(text, secrets)

    try:
        wanted = wanted_models(given["models"])
        coze = Coze(given["url"], timeout=given["timeout"], validate_certs=given["validate_certs"])
    except (AdminError, ValueError) as exc:
        module.fail_json(msg=hidden(str(exc)), invocation=invocation)
    run = Run(coze, given["email"], module.check_mode, given["file_ids"])
    try:
        via_container(given["via_container"], lambda: run.perform(given["password"], wanted, given["purge"]))
    except EngineError as exc:
        module.fail_json(msg=hidden(str(exc)), invocation=invocation)
    except AdminError as exc:
        module.fail_json(msg=hidden("%s: %s" % (given["url"], exc)), invocation=invocation)
    notes = [hidden(warning) for warning in run.warnings]
    for note in notes:
        module.warn(note)
    table = [line(done) for done in run.models if done["action"] != "none" or done["deleted"]]
    result = {"changed": run.changed, "models": run.models, "others": run.others, "table": table, "notes": notes, "invocation": invocation}
    if module._diff and run.diff:
        result["diff"] = run.diff
    if run.problems:
        module.fail_json(msg=hidden("\n".join(run.problems)), **result)
    module.exit_json(**result)


def is_long(secret: str | None) -> bool:
    """Whether a secret is worth looking for: a shorter one would tear every text to pieces."""
    return secret is not None and len(secret) >= SHORTEST


if __name__ == "__main__":
    main()
