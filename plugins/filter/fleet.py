# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.cozeops.studio.plugins.module_utils import _entry, _fleet

Hostvars = t.Mapping[str, t.Mapping[str, t.Any]]
Groups = t.Mapping[str, t.Sequence[str]]


def stacks(hosts: t.Sequence[str], hostvars: Hostvars, groups: Groups) -> dict[str, list[str]]:
    """stack -> its hosts, of those given."""
    try:
        names = {host: _entry.stack_of(hostvars[host], groups) for host in hosts}
    except _entry.EntryError as exc:
        raise AnsibleFilterError(str(exc)) from exc
    return _fleet.by_stack(hosts, names)


def order(hosts: t.Sequence[str], hostvars: Hostvars, groups: Groups) -> list[str]:
    """The hosts, with those of a stack together."""
    return [host for members in stacks(hosts, hostvars, groups).values() for host in members]


def serial(hosts: t.Sequence[str], hostvars: Hostvars, groups: Groups) -> list[int]:
    """Numbers of hosts for the keyword C(serial), as stack_batches wants them. It is the fleet's, so the first host that has it speaks for all."""
    wishes: t.Any = next((hostvars[host]["stack_batches"] for host in hosts if hostvars[host].get("stack_batches")), [])
    try:
        return _fleet.batches(stacks(hosts, hostvars, groups), wishes if isinstance(wishes, (list, tuple)) else [wishes])
    except _fleet.FleetError as exc:
        raise AnsibleFilterError(str(exc)) from exc


def failed(hosts: t.Sequence[str], alive: t.Collection[str], hostvars: Hostvars, groups: Groups) -> list[str]:
    """Stacks of the hosts that have one that is not alive."""
    return _fleet.failed(stacks(hosts, hostvars, groups), alive)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"fleet_failed": failed, "fleet_order": order, "fleet_serial": serial}
