# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a model directory as they are wanted, made from plain variables and from what the directory has already. Private to this collection.

Only templates are read from the disk; nothing is written.
"""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import Model, Report, is_old, lint_directory
from ansible_collections.cozeops.studio.plugins.module_utils._model_render import assign_ids, document, file_name, is_ours, render, template_name
from ansible_collections.cozeops.studio.plugins.module_utils._model_yaml import Problem, kind, load, plain

#: What may be said of a model, as an argument spec.
MODEL_OPTIONS: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "id": {"type": "int"},
    "protocol": {"type": "str", "required": True},
    "base_url": {"type": "str", "required": True},
    "model": {"type": "str", "required": True},
    "api_key": {"type": "str", "no_log": True},
    "icon_uri": {"type": "str"},
    "icon_url": {"type": "str"},
    "description": {"type": "raw"},
    "timeout": {"type": "str"},
    "capability": {"type": "dict"},
    "connection": {"type": "dict"},
    "parameters": {"type": "list", "elements": "dict"},
}

#: File names of the directory, with the contents.
Files = dict[str, bytes]
Wish = Mapping[str, t.Any]


class ModelError(Exception):
    """Something is wrong with the models or the directory."""

    def __init__(self, problems: list[Problem], warnings: list[str] | None = None) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
        self.warnings = warnings or []


class Directory(t.NamedTuple):
    """The directory as it will be."""

    files: Files
    #: Names of the files that are made from variables.
    wanted: list[str]
    #: Names of files of ours that go.
    unwanted: list[str]
    #: The models that it had, and those that it will have, in the order in which the server reads them.
    old: list[Model]
    models: list[Model]
    warnings: list[str]


class Templates:
    """A template file, or a directory of the product's templates, each file read once."""

    def __init__(self, path: str | None) -> None:
        self.path = path
        self.names = os.listdir(path) if path and os.path.isdir(path) else None
        self.problems: list[Problem] = []
        self.cache: dict[str, dict[str, t.Any] | None] = {}

    def find(self, protocol: str, model: str) -> dict[str, t.Any] | None:
        if not self.path:
            return None
        name = "" if self.names is None else template_name(self.names, protocol, model)
        return None if name is None else self.load(os.path.join(self.path, name) if name else self.path)

    def load(self, path: str) -> dict[str, t.Any] | None:
        if path not in self.cache:
            with open(path, "rb") as stream:
                found = load(stream.read())
            problems = [Problem(path, finding.line, finding.message) for finding in found.findings if finding.fatal]
            if found.node is not None and kind(found.node) != "map":
                problems.append(Problem(path, 1, "the template is no mapping"))
            self.problems += problems
            self.cache[path] = plain(found.node) if found.node is not None and not problems else None
        return self.cache[path]


def plan(
    models: Sequence[Wish],
    before: Files,
    release: str,
    template: str | None,
    where: t.Callable[[str], str],
    variable: str = "models",
    purge: bool = False,
    known: Sequence[Problem] = (),
) -> Directory:
    """The directory with the files of ``models`` in it. Raises ModelError with every problem of every file, OSError for a template.

    ``before`` are the files that it has, ``where`` tells for such a name what to call it in messages, ``variable`` is what
    the models are given in, ``known`` are problems that were met before.
    """
    problems = list(known)
    old = lint_directory(sorted(before.items()), release).models
    wanted, labels = wanted_files(models, before, old, template, where, variable, problems)
    ours = [name for name in before if is_ours(before[name]) and name not in wanted]
    unwanted = ours if purge else []
    warnings = [f"{where(model.file)}: no longer in {variable}, and still there: purge removes it" for model in old if not purge and model.file in ours]
    names = {model["name"] for model in models}
    warnings += [
        f"{where(model.file)}:{model.line}: the model {model.name} is also in {variable}: users see it twice"
        for model in old
        if model.name in names and not is_ours(before[model.file])
    ]
    files = {**{name: data for name, data in before.items() if name not in unwanted}, **wanted}
    report = examine(files, labels, release, where, problems, warnings)
    return Directory(files, list(wanted), unwanted, old, report.models, warnings)


def wanted_files(
    models: Sequence[Wish],
    before: Files,
    old: Sequence[Model],
    template: str | None,
    where: t.Callable[[str], str],
    variable: str,
    problems: list[Problem],
) -> tuple[Files, dict[str, str]]:
    """The files of the models, and for each name what to call the model in messages. What is wrong is added to ``problems``."""
    ours = {model.name: model.id for model in old if model.id is not None and is_ours(before[model.file])}
    theirs = {model.id for model in old if model.id is not None and not is_ours(before[model.file])}
    # An id of ours is free only to the model that has it.
    foreign = theirs | (set(ours.values()) - {ours.get(model["name"]) for model in models})
    templates = Templates(template)
    wanted: Files = {}
    labels: dict[str, str] = {}
    names: set[str] = set()
    for model, model_id in zip(models, assign_ids(models, ours, foreign)):
        label = f"{variable}: {model['name'] or 'without a name'}"
        name = file_name(model_id)
        if model["name"] in names:
            problems.append(Problem(label, 0, "the name is there twice: ids are kept by it"))
        elif name in wanted:
            problems.append(Problem(label, 0, f"id {model_id} is also that of {labels[name].partition(': ')[2]}: give one of the two another"))
        elif name in before and not is_ours(before[name]):
            problems.append(Problem(where(name), 0, "written by somebody else, and the file of a model is to be there: move it away"))
        else:
            text = render(document(model, model_id, templates.find(model["protocol"], model["model"])))
            wanted[name] = text.encode("utf-8", "surrogatepass")
            labels[name] = label
        names.add(model["name"])
    problems += templates.problems
    return wanted, labels


def examine(
    files: Files, labels: Mapping[str, str], release: str, where: t.Callable[[str], str], problems: Sequence[Problem], warnings: list[str]
) -> Report:
    """Lint the files as they will be. Raises ModelError if anything is wrong; what is ours is told as the variable that it is made from."""
    report = lint_directory(sorted(files.items()), release)

    def told(problem: Problem) -> Problem:
        # No line: that file may not exist.
        name = problem.file
        return Problem(labels[name], 0, problem.message) if name in labels else problem._replace(file=where(name))

    warnings += [str(told(warning)) for warning in report.warnings]
    found = [*problems, *(told(problem) for problem in report.problems)]
    if found:
        raise ModelError(found, warnings)
    return report


def connections(files: Files) -> list[dict[str, str]]:
    """Where each model of a directory is: name, protocol, base_url, model, api_key ("" for what a file does not say), in the server's order."""
    found = []
    for name, data in sorted(files.items()):
        content = plain(load(data).node)
        meta = content.get("meta") or {}
        connection = meta.get("conn_config") or {}
        found.append({
            "name": str(content.get("name") or name),
            "protocol": str(meta.get("protocol") or ""),
            **{key: str(connection.get(key) or "") for key in ("base_url", "model", "api_key")},
        })
    return found


def first_boot_only(release: str, old: Sequence[Model], changed: t.Callable[[str], bool]) -> list[Model]:
    """The models of files that are changed or gone, and of which the server may have taken what they were into its database."""
    if is_old(release):
        return []
    return [model for model in old if model.id is not None and changed(model.file)]


def first_boot_warning(where: str, model: Model, release: str, stays: bool) -> str:
    """What becomes of such a change: https://github.com/coze-dev/coze-studio/tree/main/backend/bizpkg/config/modelmgr."""
    if stays:
        effect = "serves the changed file after a restart only as long as no model was ever made in its administration"
    else:
        effect = "no longer serves it after a restart, unless a model was ever made in its administration"
    return (
        f"{where}: release {release} took model {model.id} ({model.name}) into its database when it first saw that id, and {effect}. From then on the "
        "database alone counts, which keeps the model as it was: change it in the administration too (the module admin_models does)"
    )
