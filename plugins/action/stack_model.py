# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import glob
import json
import os
import secrets as random_source
import typing as t
from contextlib import ExitStack, contextmanager

import yaml
from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleUndefinedVariable
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.errors import UnsupportedError
from ansible.parsing.vault import EncryptedString
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible.utils.display import Display
from ansible_collections.cozeops.studio.plugins.module_utils import (
    _check,
    _definition,
    _embedding,
    _entry,
    _external,
    _files,
    _placement,
    _preflight,
    _published,
    _secrets,
    _settings,
    _stack_env,
    _variables,
)
from ansible_collections.cozeops.studio.plugins.module_utils._archive import ArchiveError
from ansible_collections.cozeops.studio.plugins.module_utils._archive_cache import ReadOnce
from ansible_collections.cozeops.studio.plugins.module_utils._archive_index import choose, due, index
from ansible_collections.cozeops.studio.plugins.module_utils._container import env_file, options
from ansible_collections.cozeops.studio.plugins.module_utils._digest import canonical, config_digest, keyed
from ansible_collections.cozeops.studio.plugins.module_utils._env_file import MASK, EnvError, EnvResult, decode, expand_value, mask, override_strings, render
from ansible_collections.cozeops.studio.plugins.module_utils._model_files import (
    MODEL_OPTIONS,
    ModelError,
    connections,
    first_boot_only,
    first_boot_warning,
)
from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import Model

#: The one in C reads all specs in 6 ms instead of 50; it is not built everywhere.
FastLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
display = Display()

DIGEST_KEY = _secrets.Secret("STACK_DIGEST_KEY", size=64, in_env=False)

SPEC: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "root": {"type": "str", "required": True},
    "source": {"type": "str", "required": True},
    "release": {"type": "str", "required": True},
    "release_table": {"type": "dict", "required": True},
    "env_src": {"type": "str"},
    "env": {"type": "dict", "default": {}},
    "embedding": {"type": "dict", "default": {}},
    "secrets_file": {"type": "str", "required": True},
    "definitions": {"type": "dict", "required": True},
    "secrets": {"type": "list", "elements": "dict", "default": []},
    "presets": {"type": "list", "elements": "dict", "default": []},
    "services": {"type": "list", "elements": "str", "default": []},
    "external": {"type": "dict", "default": {}},
    "external_kinds": {"type": "list", "elements": "dict", "default": []},
    "images": {"type": "dict", "default": {}},
    "image_prefix": {"type": "str", "default": ""},
    "image_source": {"type": "str", "default": "registry", "choices": ["registry", "present", "archive"]},
    "archive_dir": {"type": "str", "default": ""},
    "network": {"type": "str", "default": ""},
    "network_kind": {"type": "str", "default": "auto", "choices": ["auto", "bridge", "overlay", "published"]},
    "network_subnet": {"type": "str", "default": ""},
    "addresses": {"type": "dict", "default": {}},
    "log_options": {"type": "dict", "default": {}},
    "entry": {"type": "dict", "required": True},
    "facts": {"type": "dict", "required": True},
    "peers": {"type": "list", "elements": "dict", "default": []},
    "host": {"type": "str", "required": True},
    "hosts": {"type": "list", "elements": "str", "default": []},
    "groups": {"type": "dict", "default": {}},
    "elsewhere": {"type": "dict", "default": {}},
    "together": {"type": "list", "elements": "str", "default": []},
    "host_secrets": {"type": "dict", "default": {}},
    "rotate": {"type": "list", "elements": "str"},
    "made_with": {"type": "dict", "default": {}},
    "engine_managed": {"type": "bool", "default": True},
    "memory_min": {"type": "str", "default": "0"},
    "disk_min": {"type": "str", "default": "0"},
    "preflight": {"type": "str", "default": "enforce", "choices": ["enforce", "report"]},
}


class Resolved(t.NamedTuple):
    """The environment of the stack, and what was decided of its secrets."""

    env: dict[str, str]
    #: Of all secrets; in check mode stand-ins for those that are not made yet.
    values: dict[str, str]
    wanted: list[_secrets.Secret]
    decision: _secrets.Decision
    #: What the secrets file has.
    stored: dict[str, str]
    warnings: list[str]
    #: Secrets that the controller lacks, while a host of the stack may have them, and was not asked yet.
    lost: list[str]
    #: kind of store -> the options of the operator's own.
    stores: dict[str, _external.Options]
    #: Secrets that become others.
    rotated: list[str]


class ActionModule(ActionBase):
    """Resolve the stack model on the controller; the host is asked only for secrets that the controller has lost."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(SPEC)
        # Plain values: Ansible's own kinds of str and dict carry tags that neither YAML's writer nor hmac expects.
        self.arguments = json.loads(json.dumps(arguments))
        # Ansible's loader would look for a relative path beside the playbook, and the writer where Ansible was started.
        self.arguments["hosts"] = self.arguments["hosts"] or [self.arguments["host"]]
        self.arguments["secrets_file"] = os.path.abspath(os.path.expanduser(self.arguments["secrets_file"]))
        self.task_vars = task_vars or {}
        self.stack = stack_of([facts["stack"] for facts in [*self.arguments["elsewhere"].values(), self.arguments["facts"]]])
        #: Keys of the secrets file whose values are vaulted one by one.
        self.vaulted: list[str] = []
        #: Where the chat models are, keys included, for those who ask them whether they answer.
        self.chat_models: list[dict[str, str]] = []
        try:
            return self._model()
        except (
            EnvError,
            _placement.PlacementError,
            _definition.DefinitionError,
            _embedding.EmbeddingError,
            _external.ExternalError,
            _files.FileError,
            _entry.EntryError,
        ) as exc:
            raise AnsibleActionFail(str(exc)) from exc

    def _model(self) -> dict[str, t.Any]:
        arguments = self.arguments
        _entry.check_stack_name(arguments["name"])
        _entry.check_root(arguments["root"])
        warnings = self._check_variables()
        silent = [host for host in arguments["hosts"] if host in arguments["together"] and host not in [arguments["host"], *arguments["elsewhere"]]]
        if silent:
            raise AnsibleActionFail(
                "%s of the stack %s could not be looked at, for the reason above. Nothing was changed. To go on without, add --limit '%s'."
                % (", ".join(silent), arguments["name"], ",".join(["all", *("!" + host for host in silent)]))
            )
        with ExitStack() as held:
            resolved = self._environment()
            if resolved.lost:
                return {"changed": False, "lost": resolved.lost}
            if (resolved.decision.generated or resolved.decision.adopted) and not self._task.check_mode:
                # Of several hosts of a stack, which are resolved at the same time, one makes them, and the others read what it has written.
                held.enter_context(alone(os.path.dirname(arguments["secrets_file"])))
                resolved = self._environment()
            return self._resolved(resolved, warnings)

    def _resolved(self, resolved: Resolved, warnings: list[str]) -> dict[str, t.Any]:
        arguments = self.arguments
        model, files, more = self._services(resolved)
        warnings += [*resolved.warnings, *more]
        memory_min = _definition.size_in_bytes(arguments["memory_min"], "stack_memory_min") or 0
        if len(model["hosts"]) > 1:
            # It is meant for a whole stack; a part of one needs no more than its limits add up to.
            memory_min = min(memory_min, sum(service["memory"] or 0 for service in model["services"].values()))
        checks = _preflight.checks(
            model,
            arguments["facts"],
            arguments["engine_managed"],
            memory_min,
            _definition.size_in_bytes(arguments["disk_min"], "stack_disk_min") or 0,
            arguments["peers"],
        )
        checks += _preflight.stack_checks(model, arguments["facts"], arguments["elsewhere"])
        archive_check, images_due = self._archives(model)
        checks += archive_check
        enforce = arguments["preflight"] == "enforce"
        problems = _check.sentences(checks, _check.FAIL)
        if problems and enforce:
            raise AnsibleActionFail("\n".join(problems))
        saved = self._save_secrets(resolved.decision, resolved.stored)
        containers = _external.containers(model)
        files += self._stack_files(model, resolved.values, resolved.wanted)
        return {
            "changed": saved and enforce,
            "lost": [],
            "checks": _check.rows(checks),
            "model": model,
            "files": files,
            "directories": _files.directories(containers, files, arguments["name"]),
            "exclusive": [spec["path"] for service in containers for spec in service["trees"]],
            "images_due": images_due,
            "digest_key": resolved.values[DIGEST_KEY.key],
            "generated": resolved.decision.generated,
            "adopted": resolved.decision.adopted,
            "rotated": {key: resolved.values[key] for key in resolved.rotated},
            "secrets": {secret.key: resolved.values[secret.key] for secret in resolved.wanted if not secret.in_env and secret is not DIGEST_KEY},
            "chat_models": self.chat_models,
            "store_probes": self.store_probes,
            "embedding": _embedding.embedding_of(resolved.env, arguments["release"]) or {},
            "embedding_change": self._embedding_change(resolved.env),
            # A report has them as rows of its table.
            "warnings": [*warnings, *(_check.sentences(checks, _check.WARN) if enforce else [])],
        }

    def _archives(self, model: t.Mapping[str, t.Any]) -> tuple[list[_check.Check], list[str]]:
        """(what there is to say of the archives, images that the host may lack), if that is where images come from."""
        if self.arguments["image_source"] != "archive":
            return [], []
        directory = self.arguments["archive_dir"]
        if not directory:
            cure = "Set stack_archive_dir to a bundle, or to a directory of image archives, on the controller."
            return [_check.fail("image", "images", "stack_image_source is archive, and stack_archive_dir is not set.", cure)], []
        wanted = _external.images(model)
        reader = ReadOnce()
        try:
            places = choose(index(self._loader.path_dwim(directory), wanted, reader), wanted)
        except ArchiveError as exc:
            return [_check.fail("image", "images", "stack_archive_dir: " + str(exc), "")], []
        finally:
            for warning in reader.save():
                display.vvv(warning)
        images = due(places, self.arguments["facts"]["images"])
        found = "all %d are in %s; %s" % (len(wanted), directory, "%d may have to be loaded" % len(images) if images else "the host has them")
        return [_check.ok("image", "images", found)], images

    # -- what the operator wrote

    def _check_variables(self) -> list[str]:
        """Warnings for misspelt variables. One with the prefix stack_, and any value of a wrong type, is an error.

        Done here, and not by Ansible role by role: all problems are told at once, and no default is shown that is a secret.
        """
        specs = argument_specs()
        # stack_model is what the role itself sets.
        found = _variables.unknown([name for name in self.task_vars if name != "stack_model"], specs)
        errors = [_variables.sentence(name, near) for name, near in found if name.startswith("stack_")]
        for role, spec in specs.items():
            given = {name: value for name in spec if name in self.task_vars for value in self._value(name)}
            errors += [sentence for name, value in given.items() for sentence in _variables.unknown_options(value, spec[name], name)]
            # Ansible's own sentence for an option that does not exist does not tell the nearest.
            wrong = [error for error in ArgumentSpecValidator(spec).validate(given).errors if not isinstance(error, UnsupportedError)]
            errors += ["%s: %s" % (role, error.msg) for error in wrong]
        if errors:
            raise AnsibleActionFail("\n".join(errors))
        return [_variables.sentence(name, near) for name, near in found]

    def _value(self, name: str) -> list[t.Any]:
        """[the variable's value], or [] for a default that can only be told later in the run."""
        try:
            return [self._templar.template(self.task_vars[name])]
        except AnsibleUndefinedVariable:
            return []

    def _env_text(self) -> tuple[str, str]:
        """(path, text) of the .env: the one that is named, else docker/.env, else docker/.env.example of the source."""
        candidates = [self.arguments["env_src"]] if self.arguments["env_src"] else [
            os.path.join(self.arguments["source"], "docker", name) for name in (".env", ".env.example")
        ]
        for candidate in candidates:
            path = os.path.abspath(os.path.expanduser(candidate))
            if os.path.isfile(path):
                with open(path, "rb") as handle:
                    return path, decode(handle.read(), path)
        raise AnsibleActionFail("stack_env_src: there is no file %s. Set stack_env_src to the .env of this stack." % " and no ".join(candidates))

    # -- the environment

    def _environment(self) -> Resolved:
        """The stack's environment and its secrets. Raises AnsibleActionFail with everything that is wrong with either."""
        arguments = self.arguments
        stored = self._stored_secrets()
        kinds = arguments["external_kinds"]
        stores = _external.options(arguments["external"], kinds, arguments["release"], stored)
        services = self._selected()
        self.left_out = _external.left_out(stores, kinds, services)
        if self.stack["exists"]:
            # What is in the operator's own store was made with these secrets too.
            paths = [entry["path"] for service in services if service["name"] in self.left_out for entry in service["data"]]
            self.stack["data"].update({path: {"filled": True, "stamp": True} for path in paths})
        not_made = {key for kind in kinds if set(kind["replaces"]) <= {*self.left_out} for key in kind.get("secrets", [])}
        wanted = [DIGEST_KEY, *(_secrets.secret_of(spec) for spec in arguments["secrets"] if spec["key"] not in not_made)]
        env_src, text = self._env_text()
        given = override_strings(arguments["env"])
        embedding = _embedding.embedding_env(arguments["embedding"], arguments["release"]) if arguments["embedding"] else {}
        problems = [
            "%s: %s and stack_env give different values for it: take one of them away." % (key, _embedding.VARIABLE)
            for key in embedding
            if given.get(key, embedding[key]) != embedding[key]
        ]
        external = _external.environment(stores, kinds)
        problems += _external.disagreements(external, {**given, **embedding})
        operator = {**embedding, **given, **external}
        source = _stack_env.lenient(text, env_src, operator)
        sources = _secrets.Sources(operator, source.env, stored, {**arguments["made_with"], **arguments["host_secrets"]})
        lost = [secret.key for secret in _secrets.missing(wanted, sources)]
        if lost and not arguments["host_secrets"] and self.stack["exists"]:
            return Resolved({}, {}, [], _secrets.Decision({}, [], [], []), {}, [], lost, {}, [])
        rotation = self._rotation(wanted, sources)
        decision = self._decide(wanted, sources, rotation.renewed)
        problems += [*rotation.problems, *decision.problems, *self._locked_changes(wanted, decision.values, rotation.changed)]
        presets = _stack_env.preset_values(arguments["presets"], source.env, operator, arguments["release"])
        # In check mode new secrets do not exist yet, and keys made from them cannot be compared with anything.
        stand_ins = {key: random_source.token_hex(16) for key in decision.generated if key not in decision.values}
        values = {**decision.values, **stand_ins}
        unread: frozenset[str] = frozenset()
        try:
            result = _stack_env.build(text, env_src, operator, presets, values, wanted)
        except EnvError as exc:
            if exc.rest is None:
                raise
            # What cannot be read must not hide what is wrong with the rest.
            result, unread = exc.rest, exc.unread
            problems.append(str(exc))
        places = {
            **dict.fromkeys(presets, "this collection"),
            **dict.fromkeys(values, arguments["secrets_file"]),
            **dict.fromkeys(embedding, _embedding.VARIABLE),
            **dict.fromkeys(given, "stack_env"),
            **dict.fromkeys(external, _external.VARIABLE),
        }
        # A secret that is the file's own has its line, although it is set by itself.
        lines = {key: line for key, line in source.lines.items() if key not in operator and result.env.get(key) == source.env.get(key)}
        places = {key: place for key, place in places.items() if key not in lines}
        findings = _settings.check({**result.env, **self._fixed()}, arguments["release"], lines, env_src, self.left_out, places, unread)
        # Of two sentences about a key, the one with its line is kept.
        located = {finding.key for finding in findings if finding.fatal and finding.line}
        problems = [problem for problem in problems if problem.partition(":")[0] not in located]
        told = {problem.partition(":")[0] for problem in problems}
        problems += [str(finding) for finding in findings if finding.fatal and finding.key not in told]
        if problems:
            raise AnsibleActionFail("\n".join(problems))
        doubts = [str(finding) for finding in findings if not finding.fatal]
        warnings = [*result.warnings, *doubts, *self._replaced(source, env_src, presets)]
        return Resolved(result.env, values, wanted, decision, stored, warnings, [], stores, rotation.changed)

    def _fixed(self) -> dict[str, str]:
        """Settings that the definitions of services that take the whole environment do not leave to it."""
        services = [service for definitions in self.arguments["definitions"].values() for service in definitions]
        return {key: str(value) for service in services if service.get("env_keys") == "all" for key, value in service.get("env", {}).items()}

    def _replaced(self, source: EnvResult, env_src: str, presets: dict[str, str]) -> list[str]:
        """Mistakes of the file that do no harm, since this collection has a better value."""
        findings = _settings.check(source.env, self.arguments["release"], source.lines, env_src)
        mended = [found for found in findings if found.fatal and found.key in presets]
        return ["%s. %s is taken instead" % (str(found).rstrip("."), presets[found.key] or "Nothing") for found in mended]

    def _embedding_change(self, env: dict[str, str]) -> dict[str, list[t.Any]]:
        """What of the embedding model is another one than the stack on the host was made with, each as [old, new]."""
        services = self.stack["services"].values()
        before = {key: value for service in services for key, value in service["env"].items()}
        return {key: list(pair) for key, pair in _embedding.embedding_change(before, env, self.arguments["release"]).items()}

    # -- secrets

    def _stored_secrets(self) -> dict[str, str]:
        path = self.arguments["secrets_file"]
        if not os.path.exists(path):
            return {}
        try:
            document = self._loader.load_from_file(path, cache="none")
        except AnsibleError as exc:
            raise AnsibleActionFail("%s: cannot be read: %s" % (path, exc)) from exc
        if not isinstance(document or {}, t.Mapping):
            raise AnsibleActionFail("%s: is to hold 'KEY: value' lines" % path)
        # A value may be vaulted by itself.
        self.vaulted = [key for key, value in (document or {}).items() if isinstance(value, EncryptedString)]
        stored = strings_of(document or {})
        blank = [key for key, value in stored.items() if not value]
        if blank:
            raise AnsibleActionFail("%s: no value is given for %s. Give one, or take the line away to have one made." % (path, ", ".join(blank)))
        return stored

    def _in_use(self, wanted: list[_secrets.Secret]) -> dict[str, set[str]]:
        """key -> digests of the values that the models on the hosts have of it."""
        found = {}
        for secret in wanted:
            entries = [service["env"].get(secret.key) for service in self.stack["services"].values()]
            found[secret.key] = {entry["hmac"] for entry in entries if isinstance(entry, dict)}
        return found

    def _rotation(self, wanted: list[_secrets.Secret], sources: _secrets.Sources) -> _secrets.Rotation:
        keys = self.arguments["rotate"]
        if keys is None:
            return _secrets.Rotation([], [], [])
        key = sources.stored.get(DIGEST_KEY.key) or sources.host.get(DIGEST_KEY.key) or ""
        found = _secrets.rotation(wanted, keys, sources, self._in_use(wanted), lambda value: keyed(key, value))
        found.problems.extend(
            "%s: %s is vaulted by itself there: put a new value in its place (ansible-vault encrypt_string), and run rotate.yml again."
            % (self.arguments["secrets_file"], secret)
            for secret in found.renewed
            if secret in self.vaulted
        )
        return found

    def _decide(self, wanted: list[_secrets.Secret], sources: _secrets.Sources, renewed: t.Collection[str]) -> _secrets.Decision:
        # Data without our stamp are refused as such, further on: what they were made with is not the question.
        filled = [path for path, found in self.stack["data"].items() if found["filled"] and found["stamp"]]
        decision = _secrets.decide(wanted, sources, filled, not self._task.check_mode, self.arguments["secrets_file"], renewed)
        unasked = sorted({*self.arguments["hosts"]} - {self.arguments["host"], *self.arguments["elsewhere"]})
        if decision.generated and unasked:
            decision.problems.append(
                "%s lacks %s, and the hosts %s of the stack, which may have them, are not part of this run. Run without --limit, or put the values there."
                % (self.arguments["secrets_file"], ", ".join(decision.generated), ", ".join(unasked))
            )
        return decision

    def _locked_changes(self, wanted: list[_secrets.Secret], values: dict[str, str], rotated: t.Collection[str]) -> list[str]:
        """Secrets that data on the host were made with, and that have another value now. The host's model has their digests."""
        key, in_use = values.get(DIGEST_KEY.key), self._in_use(wanted)
        found = []
        for secret in wanted:
            filled = self.stack["data"].get(secret.locks or "", {}).get("filled")
            used = self.arguments["made_with"].get(secret.key)
            if filled and used and values.get(secret.key, used) != used:
                found.append(
                    "%s: %s was made with another value, which the containers of now have. Take the other one out of the .env, stack_env and %s."
                    % (secret.key, secret.locks, self.arguments["secrets_file"])
                )
            other = key and secret.key in values and in_use[secret.key] and keyed(key, values[secret.key]) not in in_use[secret.key]
            if filled and other and secret.key not in rotated:
                cure = ", or run rotate.yml, which changes it in the data too" if secret.rotates else ": nothing reads the data without"
                found.append("%s: %s was made with another value. Give that one again%s." % (secret.key, secret.locks, cure))
        return found

    def _save_secrets(self, decision: _secrets.Decision, stored: dict[str, str]) -> bool:
        """Put what is new into the secrets file, which stays encrypted if it is. True if there was anything."""
        new = {key: decision.values[key] for key in [*decision.adopted, *decision.generated] if key in decision.values}
        if not new or self._task.check_mode:
            return bool(decision.adopted or decision.generated)
        path = self.arguments["secrets_file"]
        lines = yaml.safe_dump(new, sort_keys=False, allow_unicode=True, width=4096)
        old = b""
        if os.path.exists(path):
            with open(path, "rb") as handle:
                old = handle.read()
        vault = self._loader._vault
        if old.startswith(b"$ANSIBLE_VAULT"):
            plain, vault_id, secret = vault.decrypt_and_get_vault_id(old)
            text = join_lines(_secrets.replaced(to_text(plain), new), lines)
            data = vault.encrypt(text, secret=secret, vault_id=vault_id)
        else:
            head = to_text(old) or "---\n# Secrets of the stack %s, made once. Without them its data cannot be read: keep a copy.\n" % self.arguments["name"]
            text = join_lines(_secrets.replaced(head, new), lines)
            data = text.encode()
        self._must_keep(path, text, stored, new)
        write_private(path, data)
        return True

    def _must_keep(self, path: str, text: str, stored: t.Mapping[str, str], new: t.Mapping[str, str]) -> None:
        """Raises AnsibleActionFail if the text does not have all values, the new ones and those that stay."""
        try:
            whole = strings_of(self._loader.load(text, file_name=path)) == {**stored, **new}
        except (AnsibleError, AttributeError):
            whole = False
        if not whole:
            raise AnsibleActionFail("%s: %s cannot be put into it. Write one 'KEY: value' per line." % (path, ", ".join(new)))

    # -- the model

    def _selected(self) -> list[_definition.Service]:
        """All services of the release, in order."""
        release = self.arguments["release"]
        return [
            {**service, "role": role}
            for role, definitions in self.arguments["definitions"].items()
            for service in _definition.select(definitions, release, None)
        ]

    def _services(self, resolved: Resolved) -> tuple[dict[str, t.Any], list[dict[str, t.Any]], list[str]]:
        arguments, self.env = self.arguments, resolved.env
        env = self.env
        key = resolved.values[DIGEST_KEY.key]
        selected = self._selected()
        _definition.select([{"name": service["name"]} for service in selected], arguments["release"], arguments["services"])
        _definition.check_order(selected)
        theirs = [name for name in arguments["services"] if name in self.left_out]
        if theirs:
            raise AnsibleActionFail("stack_services: %s is not deployed, as stack_external has stores of yours. Take it away." % " and ".join(theirs))
        wanted = [service for service in selected if service["name"] in (arguments["services"] or [each["name"] for each in selected])]
        wanted = [service for service in wanted if service["name"] not in self.left_out]
        roles = {service["name"]: service["role"] for service in selected}
        placement = _placement.place(
            arguments["name"],
            {service["name"]: service["role"] for service in wanted},
            arguments["hosts"],
            arguments["groups"],
            roles,
            [service["name"] for service in wanted if service["replicas"]],
        )
        everywhere = wanted
        wanted = [service for service in everywhere if arguments["host"] in placement[service["name"]]]
        for service in wanted:
            others = [host for host in placement[service["name"]] if host != arguments["host"]]
            service["aliases"] = [*service["aliases"], *(_placement.replica_alias(service["name"], host) for host in others)]
        hosts = [host for host in arguments["hosts"] if host not in _placement.idle(arguments["hosts"], placement)]
        kind = {"auto": "overlay" if len(hosts) > 1 else "bridge"}.get(arguments["network_kind"], arguments["network_kind"])
        model: dict[str, t.Any] = {
            "version": 1,
            "collection": self._collection_version(),
            "name": arguments["name"],
            "root": arguments["root"].rstrip("/"),
            "release": arguments["release"],
            "image_source": arguments["image_source"],
            "network": arguments["network"] or (arguments["name"] + ("-overlay" if kind == "overlay" else "")),
            "network_kind": kind,
            "network_subnet": arguments["network_subnet"],
            "host": arguments["host"],
            "hosts": hosts,
            "placement": placement,
            # Of all services, wherever they run: a file keeps no order of keys.
            "order": list(placement),
            "log_options": {name: str(value) for name, value in arguments["log_options"].items()},
            "entry": arguments["entry"],
            "services": {},
        }
        self.upstreams = self._publish(model, everywhere, wanted) if kind == "published" and len(hosts) > 1 else {}
        model["external"] = self._external_stores(resolved.stores, selected, placement)
        hidden = {name for name, value in mask(env).items() if value == MASK and env[name]}
        files: list[dict[str, t.Any]] = []
        problems: list[str] = []
        model["services"] = {service["name"]: service for service in wanted}
        warnings = _preflight.fit_ulimits(model, arguments["facts"])
        clients = [store["client"] for store in model["external"].values() if store["client"]]
        for service in [*wanted, *clients]:
            own = _definition.environment(service, env, expand_value)
            problems += _stack_env.literal_problems(own, "service %s" % service["name"])
            secret_names = {name for name, value in mask({**env, **own}).items() if value == MASK} | hidden
            try:
                files += self._resolve(model, service, env, own, secret_names, key, warnings)
            except ModelError as exc:
                warnings += exc.warnings
                problems += [str(problem) for problem in exc.problems]
        if problems:
            raise AnsibleActionFail("\n".join(problems), result={"warnings": warnings})
        for store in model["external"].values():
            # A container of it stands in for one of those that use the store, to ask from their network.
            store["image"] = model["services"][store["users"][0]]["image"]
        return model, files, warnings

    def _publish(self, model: dict[str, t.Any], everywhere: t.Sequence[_definition.Service], here: t.Sequence[_definition.Service]) -> dict[str, t.Any]:
        """Have the services on this host reach those on others by published ports; what C(_published.upstreams) finds."""
        host, placement, addresses = model["host"], model["placement"], self.arguments["addresses"]
        own = addresses.get(host, "").strip("[]")
        ports = _published.ports(host, everywhere, placement)
        model["addresses"] = {name: addresses.get(name, "") for name in model["hosts"]}
        model["published"] = [port._asdict() for port in ports]
        for service in here:
            mine = [port for port in ports if port.service == service["name"]]
            entries = [{"address": own, "port": port.port, "container_port": port.container_port, "variable": _published.VARIABLE} for port in mine]
            service["ports"] = [*service["ports"], *entries]
            service["extra_hosts"] = {**_published.hosts_entries(service, host, everywhere, placement, addresses), **service["extra_hosts"]}
        return _published.upstreams(everywhere, placement, host, addresses)

    def _external_stores(
        self, stores: t.Mapping[str, _external.Options], selected: t.Sequence[_definition.Service], placement: t.Mapping[str, t.Sequence[str]]
    ) -> dict[str, dict[str, t.Any]]:
        """The model's part on stores that are not the stack's: those that services on this host use. It has no secret of theirs."""
        host, found = self.arguments["host"], {}
        places = _external.places(stores, self.arguments["external_kinds"])
        self.store_probes = []
        for kind in self.arguments["external_kinds"]:
            users = [name for name in _external.consumers(kind, self.left_out, selected) if name in placement] if kind["kind"] in stores else []
            if kind.get("alone") and any(len(placement[name]) > 1 for name in users):
                raise AnsibleActionFail("stack_external.%s: it serves one server only, and there are several: leave one host in the group." % kind["kind"])
            if not any(host in placement[name] for name in users):
                continue
            options = stores[kind["kind"]]
            replaced = [service for service in selected if self.left_out.get(service["name"]) == kind["kind"]]
            # The init jobs run once, where the first one that uses the store is.
            first = placement[users[0]][0]
            jobs = [service for service in replaced if service["init"]] if first == host and "client" in kind else []
            found[kind["kind"]] = {
                "replaces": [service["name"] for service in replaced],
                "place": places[kind["kind"]],
                "users": [name for name in users if host in placement[name]],
                "first": first,
                "at": {name: template.format_map(_external.fields(options, kind)) for name, template in kind.get("at", {}).items()},
                "client": _external.client(kind, jobs[0]) if jobs else None,
            }
            self.store_probes.append({**options, "kind": kind["kind"], "place": places[kind["kind"]], "probe": kind["probe"]})
        return found

    def _resolve(
        self,
        model: dict[str, t.Any],
        service: dict[str, t.Any],
        env: dict[str, str],
        own: dict[str, str],
        secret_names: set[str],
        key: str,
        warnings: list[str],
    ) -> list[dict[str, t.Any]]:
        """Put into the service what its definition leaves open. Its files, the one with its environment last."""
        arguments = self.arguments
        service["image"] = _definition.image_reference(
            service["image"], arguments["release_table"]["images"], arguments["images"], arguments["image_prefix"]
        )
        sources = _files.Sources(arguments["source"], key, lambda _service, _form: _stack_env.dotenv_text(own), self._template)
        files, service["on_change"] = _files.collect(service, sources)
        if service["chat_models"]:
            files = self._add_models(service, files, sources, warnings)
        service["tree_changes"] = _files.tree_changes(service)
        service["file_digests"] = {entry["path"]: entry["digest"] for entry in files}
        service["env"] = _definition.hide(own, secret_names, key)
        for job in service["init"]:
            for name, value in job.items():
                if isinstance(value, str):
                    job[name] = expand_value(value, env, "service %s: init job %s" % (service["name"], job["name"]))
            job["digest"] = _definition.job_digest(key, service, job, service["file_digests"])
        # What the container is made of, and nothing else: a collection that words its definitions otherwise recreates nothing.
        made_of = {name: value for name, value in options(model, {**service, "config": ""}).items() if name != "labels"}
        service["config"] = config_digest(key, {"options": made_of, "env": service["env"]})
        return [*files, private_file(os.path.relpath(env_file("/", service["name"]), "/"), render(own, "docker"), key)]

    def _add_models(
        self, service: dict[str, t.Any], files: list[dict[str, t.Any]], sources: _files.Sources, warnings: list[str]
    ) -> list[dict[str, t.Any]]:
        """The service's files with those of its chat models; what is doubtful is added to the warnings. Leaves no model in the stack model."""
        spec = service["chat_models"]
        given = ArgumentSpecValidator({"models": {"type": "list", "elements": "dict", "options": MODEL_OPTIONS}}).validate({"models": spec["models"]})
        release = self.arguments["release"]
        added, directory = _files.model_directory(service, given.validated_parameters["models"], files, sources, release)
        service["on_change"].update({entry["path"]: spec.get("on_change", "restart") for entry in added})
        merged = list({entry["path"]: entry for entry in [*files, *added]}.values())
        warnings += [*directory.warnings, *self._first_boot_warnings(service, {entry["path"]: entry["digest"] for entry in merged})]
        self.chat_models += connections(directory.files)
        read = [model for model in directory.models if spec["written"] or model.file not in directory.wanted]
        service["chat_models"] = {"path": spec["path"], "models": [{"id": model.id, "name": model.name, "file": model.file} for model in read]}
        return merged

    def _first_boot_warnings(self, service: dict[str, t.Any], digests: dict[str, str]) -> list[str]:
        """Doubts about models whose files the host has, and which are to be other ones or gone: the server has a memory of its own."""
        before = ((self.arguments["facts"]["stack"]["model"] or {}).get("services", {})).get(service["name"]) or {}
        known = before.get("chat_models") or {"path": "", "models": []}
        old = [Model(model["id"], model["name"], os.path.join(known["path"], model["file"]), 0) for model in known["models"]]
        changed = first_boot_only(self.arguments["release"], old, lambda path: digests.get(path) != before["file_digests"].get(path))
        return [first_boot_warning(os.path.basename(model.file), model, self.arguments["release"], model.file in digests) for model in changed]

    def _stack_files(self, model: dict[str, t.Any], values: dict[str, str], wanted: list[_secrets.Secret]) -> list[dict[str, t.Any]]:
        """The stack's own two files: its model, and the secrets that no service's environment holds."""
        key = values[DIGEST_KEY.key]
        secret_text = render({secret.key: values[secret.key] for secret in wanted if not secret.in_env}, "docker")
        texts = {"state/secrets.env": secret_text, "stack.json": canonical(model) + "\n"}
        return [private_file(path, text, key) for path, text in texts.items()]

    def _template(self, service: t.Mapping[str, t.Any], name: str) -> str:
        """A template of the service's role, with the variables of the host."""
        path = os.path.join(COLLECTION, "roles", service["role"], "templates", name)
        with open(path, encoding="utf-8") as handle:
            text = handle.read()
        # Jinja drops the last line's end.
        templar = self._templar.copy_with_new_env(available_variables={**self.task_vars, "stack_environment": self.env, "stack_upstreams": self.upstreams})
        return str(templar.template(trust_as_template(text))).rstrip("\n") + "\n"

    def _collection_version(self) -> str:
        for name, read in (("MANIFEST.json", lambda document: document["collection_info"]["version"]), ("galaxy.yml", lambda document: document["version"])):
            path = os.path.join(COLLECTION, name)
            if os.path.isfile(path):
                with open(path, encoding="utf-8") as handle:
                    return str(read(yaml.safe_load(handle)))
        raise AnsibleActionFail("%s holds neither galaxy.yml nor MANIFEST.json: install the collection again" % COLLECTION)


def stack_of(parts: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """What is known of the stack on all its hosts: {"exists", "services", "data"}, services as in the models that they keep."""
    found: dict[str, t.Any] = {"exists": False, "services": {}, "data": {}}
    for part in parts:
        found["exists"] = found["exists"] or part["exists"]
        found["services"].update((part["model"] or {}).get("services", {}))
        for path, state in part["data"].items():
            if state["filled"] or path not in found["data"]:
                found["data"][path] = state
    return found


@contextmanager
def alone(directory: str) -> t.Iterator[None]:
    """Nobody else who asks for the same is let in meanwhile."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def strings_of(document: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The values of a secrets file, decrypted where they are vaulted one by one."""
    return override_strings({key: str(value) if isinstance(value, EncryptedString) else value for key, value in document.items()})


def argument_specs() -> dict[str, dict[str, dict[str, t.Any]]]:
    """role -> option -> what may be given for it, of all roles' argument specs."""
    found: dict[str, dict[str, dict[str, t.Any]]] = {}
    for path in sorted(glob.glob(os.path.join(COLLECTION, "roles", "*", "meta", "argument_specs.yml"))):
        with open(path, encoding="utf-8") as handle:
            entries = yaml.load(handle, Loader=FastLoader)["argument_specs"]
        found[path.split(os.sep)[-3]] = {
            name: {field: option[field] for field in ("type", "elements", "choices", "options") if field in option}
            for entry in entries.values()
            for name, option in entry.get("options", {}).items()
        }
    return found


def private_file(path: str, text: str, key: str) -> dict[str, t.Any]:
    """The entry of a file that only root reads, and no diff shows."""
    return {"path": path, "content": text, "digest": keyed(key, text), "owner": 0, "group": 0, "mode": "0600", "secret": True}


def join_lines(head: str, tail: str) -> str:
    return head + ("" if head.endswith("\n") or not head else "\n") + tail


def write_private(path: str, data: bytes) -> None:
    """Replace the file in one step, 0600 from its first byte, in a directory that only its owner enters."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    temporary = path + ".new"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
    os.replace(temporary, path)
