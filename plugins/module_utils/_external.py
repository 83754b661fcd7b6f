# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores that are the operator's own, and stand where services of the stack would. Pure.

What may be given for each kind of store is data of the roles (C(_<role>_external), see docs/service-definition.md); this checks it, and tells what becomes
of the stack's environment and of its services.
"""

from __future__ import annotations

import difflib
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible_collections.cozeops.studio.plugins.module_utils._container import bracketed
from ansible_collections.cozeops.studio.plugins.module_utils._settings_values import dsn_options, host_and_port, is_own_host
from ansible_collections.cozeops.studio.plugins.module_utils._variables import unknown_options

VARIABLE = "stack_external"

Options = dict[str, t.Any]
Kind = t.Mapping[str, t.Any]
Service = t.Mapping[str, t.Any]

#: What an option's entry has that Ansible's own check of arguments knows.
ARGUMENT = ("type", "elements", "required", "default", "choices")
SWITCH = {True: "true", False: "false"}


class ExternalError(ValueError):
    """What the operator wrote that cannot be followed; the text names variable and option, a problem a line."""


def options(given: t.Mapping[str, t.Any], kinds: t.Sequence[Kind], release: str, stored: t.Mapping[str, str]) -> dict[str, Options]:
    """kind -> every option of it, of what stands in the variable. ``stored``: the secrets file, for an option that names its key there.

    Raises ExternalError with all that is wrong.
    """
    known = {str(kind["kind"]): kind for kind in kinds}
    found: dict[str, Options] = {}
    problems: list[str] = []
    for name, value in given.items():
        where = "%s.%s" % (VARIABLE, name)
        kind = known.get(name)
        if kind is None:
            near = difflib.get_close_matches(str(name), known, n=1)
            problems.append("%s: %s is no store that may be yours%s" % (VARIABLE, name, "; did you mean %s?" % near[0] if near else ": %s." % ", ".join(known)))
        elif release not in kind.get("releases", [release]):
            problems.append("%s: the server of release %s does not know it; those of %s do." % (where, release, " and ".join(kind["releases"])))
        elif not isinstance(value, t.Mapping):
            problems.append("%s: it is to have options, such as %s" % (where, ", ".join(kind["options"])))
        else:
            wrong, taken = _checked(where, dict(value), kind, release, stored)
            problems += wrong
            found[name] = taken
    problems += _rivals({name: known[name] for name in given if name in known})
    if problems:
        raise ExternalError("\n".join(problems))
    return found


def _checked(where: str, value: Options, kind: Kind, release: str, stored: t.Mapping[str, str]) -> tuple[list[str], Options]:
    """(what is wrong, the options)."""
    if "dsn" in value and kind.get("dsn"):
        rest = [name for name in value if name != "dsn"]
        if rest:
            return ["%s.dsn: it says all that there is to say; take %s away." % (where, ", ".join(rest))], {}
        try:
            value = dsn_options(str(value["dsn"]))
        except ValueError as exc:
            return ["%s.dsn: it %s." % (where, exc)], {}
    every: t.Mapping[str, t.Any] = kind["options"]
    problems = list(unknown_options(value, {"options": every}, where))
    late = [name for name in value if name in every and release not in every[name].get("releases", [release])]
    problems += [
        "%s.%s: the server of release %s does not read it; those of %s do." % (where, name, release, " and ".join(every[name]["releases"])) for name in late
    ]
    for name, option in every.items():
        if value.get(name) in (None, "") and stored.get(option.get("stored", "")):
            value[name] = stored[option["stored"]]
        if isinstance(value.get(name), bool) and option.get("type") == "str":
            value[name] = SWITCH[value[name]]
        if option.get("required") and value.get(name) in (None, "", []):
            way = ", here or as %s in the secrets file" % option["stored"] if "stored" in option else ""
            problems.append("%s.%s: it is missing%s." % (where, name, way))
    spec = {name: {field: option[field] for field in ARGUMENT if field in option and field != "required"} for name, option in every.items()}
    checked = ArgumentSpecValidator(spec).validate({name: one for name, one in value.items() if name in every})
    problems += ["%s: %s" % (where, error.msg) for error in checked.errors if not isinstance(error, UnsupportedError)]
    taken = {name: "" if one is None else one for name, one in checked.validated_parameters.items()}
    if not problems:
        problems = [sentence for name in every if (sentence := _wrong_value(where, name, taken.get(name), every[name]))]
        # The brackets of an IPv6 address belong to an address with a port.
        taken.update({name: str(taken[name]).strip("[]") for name, option in every.items() if option.get("is") == "host"})
    return problems, taken


def _wrong_value(where: str, name: str, value: t.Any, option: t.Mapping[str, t.Any]) -> str:
    """What is wrong with a value of the right type, "" for nothing."""
    for one in value if isinstance(value, list) else [value]:
        if "\n" in str(one):
            return "%s.%s: it has several lines." % (where, name)
        kind = option.get("is")
        if kind == "port" and not 0 < one < 65536:
            return "%s.%s: %s is no port: it is to be from 1 to 65535." % (where, name, one)
        if kind in ("host", "address", "url") and one:
            try:
                host = _host_of(str(one), kind)
            except ValueError as exc:
                return "%s.%s: it %s." % (where, name, exc)
            if is_own_host(host):
                return "%s.%s: %s means each container itself. Set the name or address by which other machines know the store." % (where, name, host)
    return ""


def _host_of(text: str, kind: str) -> str:
    """The host that the text names. Raises ValueError with what is wrong."""
    if kind == "url":
        scheme, mark, text = text.partition("://")
        if not mark or scheme not in ("http", "https"):
            raise ValueError("has no http:// or https:// in front")
        text = text.rstrip("/")
    if kind == "host" and ":" in text and not text.startswith("["):
        text = bracketed(text)
    host, port = host_and_port(text)
    if kind == "host" and port is not None:
        raise ValueError("has a port in it, which is an option of its own")
    if kind == "address" and port is None:
        raise ValueError("has no port behind its host")
    return host


def _rivals(used: t.Mapping[str, Kind]) -> list[str]:
    """Kinds of which only one can be."""
    found = []
    names = list(used)
    for number, name in enumerate(names):
        for other in names[number + 1 :]:
            if used[name].get("setting") and used[name].get("setting") == used[other].get("setting"):
                found.append("%s: %s and %s stand for the same. Leave one." % (VARIABLE, name, other))
    return found


def fields(taken: Options, kind: Kind) -> dict[str, str]:
    """What templates of the kind may name: all its options as texts, and what is made of several of them."""
    texts = {name: _text(value) for name, value in taken.items()}
    for name, option in kind["options"].items():
        if "prefix" in option:
            texts[name + "_prefix"] = option["prefix"] if taken.get(name) else ""
    if "host" in texts and "port" in texts:
        texts["address"] = "%s:%s" % (bracketed(texts["host"]), texts["port"])
    texts.setdefault("scheme", "https" if texts.get("tls") == "true" else "http")
    if "endpoint" in texts and "bucket" in texts:
        texts["bucket_endpoint"] = texts["endpoint"].replace("://", "://%s." % texts["bucket"], 1)
    return texts


def _text(value: t.Any) -> str:
    return SWITCH[value] if isinstance(value, bool) else ",".join(map(str, value)) if isinstance(value, list) else str(value)


def environment(chosen: t.Mapping[str, Options], kinds: t.Sequence[Kind]) -> dict[str, str]:
    """What the stack's environment is to have for the server to use these stores. A value is literal."""
    env: dict[str, str] = {}
    for kind in kinds:
        if kind["kind"] in chosen:
            texts = fields(chosen[kind["kind"]], kind)
            env.update({key: template.format_map(texts) for key, template in kind.get("env", {}).items()})
    return env


def disagreements(env: t.Mapping[str, str], operator: t.Mapping[str, str]) -> list[str]:
    """A sentence for each setting for which the operator has given another value as well."""
    return [
        "%s: %s and stack_env give different values for it: take one of them away." % (key, VARIABLE) for key in env if operator.get(key, env[key]) != env[key]
    ]


def places(chosen: t.Mapping[str, Options], kinds: t.Sequence[Kind]) -> dict[str, str]:
    """kind -> where it is, in words without a secret."""
    return {kind["kind"]: kind.get("place", "{address}").format_map(fields(chosen[kind["kind"]], kind)) for kind in kinds if kind["kind"] in chosen}


def left_out(chosen: t.Collection[str], kinds: t.Sequence[Kind], services: t.Sequence[Service]) -> dict[str, str]:
    """service that is not deployed -> the kind of store that stands for it, "" for one that nobody needs any more.

    A store that serves only some services (C(serves)) leaves the stack's own where another one needs it.
    """
    used = [kind for kind in kinds if kind["kind"] in chosen]
    users = {service["name"]: [other["name"] for other in services if service["name"] in other["depends_on"]] for service in services}
    out: dict[str, str] = {}
    while used:
        before = len(out)
        for name, needed_by in users.items():
            stands = next((kind for kind in used if name in kind["replaces"]), None)
            served = needed_by if stands and "serves" not in stands else stands["serves"] if stands else []
            if name not in out and (stands or needed_by) and all(user in out or user in served for user in needed_by):
                out[name] = stands["kind"] if stands else ""
        if len(out) == before:
            break
    return out


def consumers(kind: Kind, out: t.Mapping[str, str], services: t.Sequence[Service]) -> list[str]:
    """Services of the stack that use the store, in order."""
    serves = kind.get("serves")
    return [
        service["name"]
        for service in services
        if service["name"] not in out and set(kind["replaces"]) & set(service["depends_on"]) and (serves is None or service["name"] in serves)
    ]


def client(kind: Kind, service: Service) -> Options:
    """The definition of the container that the init jobs of ``service``, which the store stands for, work in: no data, no network name, and nothing runs.

    It ends by itself after an hour, should the run that made it be killed.
    """
    spec = kind["client"]
    inputs = [path for job in service["init"] for path in job.get("inputs", [])]

    def is_input(path: str) -> bool:
        return any(path == root or path.startswith(root + "/") for root in inputs)

    return {
        **service,
        "name": "%s-client" % service["name"],
        "image": spec["image"],
        "user": spec.get("user", service["user"]),
        "entrypoint": ["sleep"],
        "command": ["3600"],
        "env": dict(spec.get("env", {})),
        "env_keys": list(spec.get("env_keys", [])),
        "data": [],
        "files": [entry for entry in service["files"] if is_input(entry["path"])],
        "trees": [entry for entry in service["trees"] if is_input(entry["path"])],
        "mounts": [mount for mount in service["mounts"] if is_input(mount["source"]) or mount["source"] in inputs],
        "aliases": [],
        "depends_on": {},
        "ports": [],
        "ulimits": {},
        "memory": None,
        "healthcheck": None,
        "probe": [],
        "reload": None,
    }


def containers(model: t.Mapping[str, t.Any]) -> list[Service]:
    """Everything of the model that a container is made of: its services, and the clients of stores that are not its own."""
    return [*model["services"].values(), *(store["client"] for store in model.get("external", {}).values() if store["client"])]


def images(model: t.Mapping[str, t.Any]) -> list[str]:
    """All images that the model's host needs, each once."""
    return list(dict.fromkeys(service["image"] for service in containers(model)))
