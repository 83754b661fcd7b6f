# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the init jobs of stores have in common: options, the container they work in, the ledger, how they end."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils import _ledger
from ansible_collections.cozeops.studio.plugins.module_utils._container import LABEL_SERVICE, LABEL_STACK
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError, connect, inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._exec import ExecError
from ansible_collections.cozeops.studio.plugins.module_utils._ledger import LedgerError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

COMMON_SPEC: dict[str, dict[str, t.Any]] = {
    "container": {"type": "str", "required": True},
    "ledger": {"type": "path", "required": True},
    "digest": {"type": "str", "default": ""},
}


class JobError(Exception):
    """The job cannot be done. The text says what is wrong, where, and what to do; ``result`` is returned beside it."""

    def __init__(self, message: str, **result: t.Any) -> None:
        super().__init__(message)
        self.result = result


class NotYet(JobError):
    """The store cannot be looked into, since an earlier part of the same deployment is still to come.

    That is an error in a run; in check mode it means that everything would be done.
    """


class Store(t.NamedTuple):
    """A running container."""

    client: t.Any
    name: str
    info: dict[str, t.Any]

    @property
    def env(self) -> dict[str, str]:
        pairs = (item.partition("=") for item in self.info["Config"].get("Env") or [])
        return {name: value for name, _sign, value in pairs}

    @property
    def pid(self) -> int:
        return int(self.info["State"]["Pid"])

    @property
    def owner(self) -> dict[str, str]:
        """Stack and service, by the labels; empty for a container that is not of this collection."""
        labels = self.info["Config"].get("Labels") or {}
        return {key: labels[label] for key, label in (("stack", LABEL_STACK), ("service", LABEL_SERVICE)) if label in labels}


def find_store(name: str) -> Store:
    """The running container of that name. Raises NotYet."""
    try:
        client = connect()
        info = inspect_or_none(client, name)
    except EngineError as exc:
        raise NotYet(str(exc)) from exc
    if info is None:
        raise NotYet(f"there is no container {name} on this host: start the service first")
    if not info["State"].get("Running"):
        raise NotYet(f"container {name} is not running ({info['State'].get('Status')}): look at its log, then start it")
    return Store(client, name, info)


def env_name(option: str, name: str) -> str:
    """The name, if it can be one of an environment variable: it goes into a shell script. Raises JobError."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise JobError(f"{option}: {name!r} is not the name of an environment variable")
    return name


def diff_of(lines: t.Sequence[str]) -> dict[str, str]:
    """What comes to be, one thing a line, as Ansible shows it."""
    return {"before": "", "after": "".join(f"{line}\n" for line in lines)}


def finish(module: AnsibleModule, job: t.Callable[[], dict[str, t.Any]], would: str, empty: t.Mapping[str, t.Any]) -> None:
    """Run the job and leave the module.

    ``job`` returns the module's result, or raises. ``would`` completes "would …" for check mode where the store cannot
    be asked; ``empty`` are the return values then.
    """
    try:
        result = job()
    except NotYet as exc:
        if not module.check_mode:
            module.fail_json(msg=str(exc), **empty)
        message = f"would {would} ({exc})"
        module.exit_json(changed=True, msg=message, diff=diff_of([message]), **empty)
    except JobError as exc:
        module.fail_json(msg=str(exc), **{**empty, **exc.result})
    except (ExecError, LedgerError) as exc:
        module.fail_json(msg=str(exc), **empty)
    else:
        module.exit_json(**result)


def read_ledger(module: AnsibleModule) -> _ledger.Ledger:
    return _ledger.read(module.params["ledger"])


def outcome(module: AnsibleModule, job: str, names: t.Sequence[str], lines: t.Sequence[str]) -> dict[str, t.Any]:
    """``changed`` and ``diff``: the lines, and the ledger if recording these names changes it."""
    recorded = _ledger.entry(_ledger.read(module.params["ledger"]), job)
    same = recorded.get("digest") == module.params["digest"] and recorded.get("done") == list(names)
    every = list(lines) if same else [*lines, f"ledger {module.params['ledger']}: {job}"]
    return {"changed": bool(every), "diff": diff_of(every)}


def record(module: AnsibleModule, job: str, names: t.Sequence[str], store: Store) -> None:
    _ledger.record(module.params["ledger"], job, module.params["digest"], names, store.owner)
