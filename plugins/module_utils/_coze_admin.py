# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to this collection: the administration of Coze Studio (release line 0.5 and later), over a session of ``_coze_api``.

Facts that shape this file: while no administrator is named every account is one; the basic configuration is saved as a whole, and once it was,
it wins over the environment for good; models are created and deleted, never changed, and a create asks the model first; what users are served
is what was read from files and environment at the start, until the first model was created in the administration, and the table from then on.
"""

from __future__ import annotations

import copy
import difflib
import typing as t
from collections.abc import Collection, Iterator, Mapping, Sequence

from ansible_collections.cozeops.studio.plugins.module_utils._coze_api import Coze, CozeError, Json, explain, objects, string
from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import url_problems

#: The number of a provider's class, by the protocol of its models.
CLASSES = {"openai": 1, "ark": 2, "claude": 3, "gemini": 11, "qwen": 15, "deepseek": 19, "ollama": 20}
SANDBOX_RUNNER = 1
#: What the server itself makes of an environment that says nothing about the sandbox.
SANDBOX: Json = {
    "allow_env": "",
    "allow_read": "",
    "allow_write": "",
    "allow_run": "",
    "allow_net": "",
    "allow_ffi": "",
    "node_modules_dir": "",
    "timeout_seconds": 60,
    "memory_limit_mb": 100,
}

_CONFIG = "/api/admin/config/"
_PROTOCOLS = {number: protocol for protocol, number in CLASSES.items()}


class AdminError(Exception):
    """Something that the operator has to set right; the text is the sentence for it."""


# -- refusals


def is_denied(error: CozeError) -> bool:
    """Whether the session is good, but not that of an administrator."""
    return error.status == 401 and error.path.startswith(_CONFIG) and "session_key" not in error.message


def is_absent(error: CozeError) -> bool:
    """Whether the server has no administration, being of an older line."""
    return error.status == 404 and error.path.startswith(_CONFIG)


def reason(error: CozeError, email: str) -> str:
    """What a failed call means and what to do, in sentences; ``email`` is the account that made it."""
    if is_denied(error):
        return (
            "%s is no administrator: admin_emails in the settings of /admin names other accounts. Give one of those, or have one of them add %s there."
            % (email, email)
        )
    if is_absent(error):
        return "This server has no administration: it is of a release line before 0.5."
    return " ".join(filter(None, [str(error).rstrip(".") + ".", explain(error)]))


# -- the basic configuration


def basic_config(coze: Coze) -> Json:
    """The settings of the administration's first page, whole. Raises CozeError."""
    path = _CONFIG + "basic/get"
    config = coze.call(path, method="GET").get("configuration")
    if not isinstance(config, dict):
        raise CozeError(None, "the answer has no configuration", 200, path)
    return config


def save_basic_config(coze: Coze, config: Mapping[str, t.Any]) -> None:
    """Replace the settings. Raises AdminError for settings that the server would refuse or die of, and CozeError."""
    coze.call(_CONFIG + "basic/save", {"configuration": fit_to_save(config)})


def fit_to_save(config: Mapping[str, t.Any]) -> Json:
    """The settings as they can be saved: one that chooses the sandbox has its settings, since the next start dies of their lack."""
    wanted = copy.deepcopy(dict(config))
    if not wanted.get("server_host"):
        raise AdminError("server_host is empty in the settings of the administration, and is saved with them: set SERVER_HOST in the .env, and deploy.")
    if wanted.get("code_runner_type") == SANDBOX_RUNNER and not isinstance(wanted.get("sandbox_config"), dict):
        wanted["sandbox_config"] = dict(SANDBOX)
    return wanted


def is_named(admin_emails: str, email: str) -> bool:
    """Whether the server takes this address for an administrator's because it is named. Blanks between the commas count, case does not."""
    return email.lower() in admin_emails.lower().split(",")


def with_admins(admin_emails: str, emails: Collection[str]) -> str:
    """``admin_emails`` that names these too, in lower case as 0.5.0 wants it; the same text if it does already."""
    if all(is_named(admin_emails, email) for email in emails):
        return admin_emails
    known = [address.strip().lower() for address in admin_emails.split(",")]
    return ",".join(dict.fromkeys(filter(None, [*known, *(email.strip().lower() for email in emails)])))


def knowledge_config(coze: Coze) -> Json:
    """The settings of knowledge bases: embedding_config, rerank_config and others; keys come masked or in full. Raises CozeError."""
    path = _CONFIG + "knowledge/get"
    config = coze.call(path, method="GET").get("knowledge_config")
    if not isinstance(config, dict):
        raise CozeError(None, "the answer has no knowledge_config", 200, path)
    return config


# -- models


class Row(t.NamedTuple):
    """A model of the table. ``key`` is masked; ``base64`` is None where the server does not tell."""

    id: int
    name: str
    protocol: str
    base_url: str
    model: str
    key: str
    base64: bool | None


class Wanted(t.NamedTuple):
    """A model that is wanted. ``base64`` None: as it is, or off."""

    name: str
    protocol: str
    base_url: str
    model: str
    key: str
    base64: bool | None


class Step(t.NamedTuple):
    """What happens to one name.

    ``action``: "none"; "create"; "replace" (create, then delete ``gone``); "delete". ``keep`` is the row that stays, ``left`` are rows that should
    go and stay because a model file has their id.
    """

    name: str
    action: str
    wanted: Wanted | None
    keep: Row | None
    gone: tuple[Row, ...]
    left: tuple[Row, ...]
    why: tuple[str, ...]


def masked(key: str) -> str:
    """A key as the list shows it. Lengths are those of the bytes, as the server counts."""
    data = key.encode()
    if len(data) <= 4:
        return "*" * len(data)
    ends = 2 if len(data) <= 8 else 4
    return (data[:ends] + b"***" + data[-ends:]).decode("utf-8", "replace")


def wanted_models(models: Sequence[Mapping[str, t.Any]]) -> list[Wanted]:
    """Options of models as Wanted. Raises AdminError with every problem of all of them, a line each."""
    problems: list[str] = []
    names: set[str] = set()
    for model in models:
        problems += ["models: %s: %s" % (model["name"] or "without a name", problem) for problem in model_problems(model, names)]
        names.add(model["name"])
    if problems:
        raise AdminError("\n".join(problems))
    return [wanted_model(model) for model in models]


def wanted_model(model: Mapping[str, t.Any]) -> Wanted:
    base64 = model.get("enable_base64_url")
    if base64 is None:
        base64 = (model.get("connection") or {}).get("enable_base64_url")
    return Wanted(model["name"], model["protocol"], model["base_url"], model["model"], model.get("api_key") or "", None if base64 is None else bool(base64))


def model_problems(model: Mapping[str, t.Any], names: Collection[str]) -> Iterator[str]:
    """What is wrong with a model; ``names`` are those of the models before it."""
    if not model["name"].strip():
        yield "name is empty: models are told apart by it"
    elif model["name"] in names:
        yield "the name is there twice: models are told apart by it"
    if model["protocol"] not in CLASSES:
        near = difflib.get_close_matches(model["protocol"], CLASSES, 1)
        hint = ", did you mean %s?" % near[0] if near else ""
        yield "unknown protocol %s: known are %s%s" % (model["protocol"], ", ".join(CLASSES), hint)
    if not model["model"].strip():
        yield "model is empty: endpoints refuse requests without one"
    if model["base_url"]:
        for problem in url_problems(model["base_url"]):
            yield "base_url %s" % problem


def list_models(coze: Coze) -> list[Row]:
    """The models of the table, by id. Raises CozeError."""
    groups = objects(coze.call(_CONFIG + "model/list", method="GET"), "provider_model_list")
    rows = [row_of(model, group.get("provider") or {}) for group in groups for model in objects(group, "model_list")]
    return sorted(rows, key=by_id)


def by_id(row: Row) -> int:
    return row.id


def row_of(model: Json, provider: Json) -> Row:
    number = provider.get("model_class")
    base = (model.get("connection") or {}).get("base_conn_info") or {}
    base64 = model.get("enable_base64_url")
    return Row(
        int(model["id"]),
        string(model, "display_info", "name"),
        _PROTOCOLS[number] if number in _PROTOCOLS else "class %s" % number,
        base.get("base_url") or "",
        base.get("model") or "",
        base.get("api_key") or "",
        base64 if isinstance(base64, bool) else None,
    )


def served_ids(coze: Coze) -> set[int]:
    """The ids of the models that users are served. Raises CozeError."""
    return {int(model["model_type"]) for model in coze.model_types()}


def create_model(coze: Coze, wanted: Wanted) -> int:
    """The id of a new model. The server asks it something first. Raises CozeError."""
    base = {"base_url": wanted.base_url, "api_key": wanted.key, "model": wanted.model, "thinking_type": 0}
    connection: Json = {"base_conn_info": base}
    if wanted.protocol == "openai":
        connection["openai"] = {"by_azure": False, "api_version": ""}
    body = {
        "model_class": CLASSES[wanted.protocol],
        "model_name": wanted.name,
        "connection": connection,
        "enable_base64_url": bool(wanted.base64),
    }
    path = _CONFIG + "model/create"
    number = string(coze.call(path, body), "id")
    if not number.isdigit():
        raise CozeError(None, "the answer has no id", 200, path)
    return int(number)


def delete_model(coze: Coze, model_id: int) -> None:
    """Delete a model; the server says nothing about one that it does not have. Raises CozeError."""
    coze.call(_CONFIG + "model/delete", {"id": str(model_id)})


def differences(row: Row, wanted: Wanted) -> tuple[str, ...]:
    """The options in which a row is another model than the one that is wanted. A key that only looks the same is not told apart."""
    # Some versions list keys as they are.
    same_key = row.key in (masked(wanted.key), wanted.key)
    pairs = (
        ("protocol", row.protocol == wanted.protocol),
        ("base_url", row.base_url.rstrip("/") == wanted.base_url.rstrip("/")),
        ("model", row.model == wanted.model),
        ("api_key", same_key),
        ("enable_base64_url", None in (row.base64, wanted.base64) or row.base64 == wanted.base64),
    )
    return tuple(name for name, same in pairs if not same)


def plan(wanted: Sequence[Wanted], rows: Sequence[Row], served: Collection[int], purge: bool, file_ids: Collection[int] = ()) -> list[Step]:
    """What brings the table to what is wanted: a step for each name, the wanted ones in their order, then those to purge.

    A row whose id is in ``file_ids`` is never deleted: the server's next start would insert it again, and die of the duplicate.
    """
    by_name: dict[str, list[Row]] = {}
    for row in sorted(rows, key=by_id):
        by_name.setdefault(row.name, []).append(row)
    steps = [wanted_step(model, by_name.pop(model.name, []), file_ids) for model in wanted]
    if not any(step.action in ("create", "replace") for step in steps):
        steps = table_counts(steps, served, file_ids)
    if purge:
        steps += [purge_step(name, found, file_ids) for name, found in by_name.items()]
    return steps


def wanted_step(model: Wanted, rows: Sequence[Row], file_ids: Collection[int]) -> Step:
    """The newest row that fits stays, all others of the name go; without one that fits a new one is made first."""
    fitting = [row for row in rows if not differences(row, model)]
    keep = fitting[-1] if fitting else None
    gone, left = apart([row for row in rows if row is not keep], file_ids)
    if keep is not None:
        return Step(model.name, "none" if not gone else "delete", model, keep, gone, left, ())
    return Step(model.name, "replace" if rows else "create", model, None, gone, left, differences(rows[-1], model) if rows else ())


def purge_step(name: str, rows: Sequence[Row], file_ids: Collection[int]) -> Step:
    gone, left = apart(rows, file_ids)
    return Step(name, "delete" if gone else "none", None, None, gone, left, ())


def apart(rows: Sequence[Row], file_ids: Collection[int]) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Those that can be deleted, and those that a model file would bring back."""
    return tuple(row for row in rows if row.id not in file_ids), tuple(row for row in rows if row.id in file_ids)


def table_counts(steps: Sequence[Step], served: Collection[int], file_ids: Collection[int]) -> list[Step]:
    """The steps, one of them made anew if a row that stays is not served: then the table counts for nothing yet, and a create makes it count."""
    result = list(steps)
    for place, step in enumerate(steps):
        if step.keep is not None and step.keep.id not in served:
            gone, left = apart([*step.gone, step.keep], file_ids)
            result[place] = step._replace(
                action="replace", keep=None, gone=gone, left=(*step.left, *left), why=("it is not served, since the server still serves its model files",)
            )
            break
    return result
