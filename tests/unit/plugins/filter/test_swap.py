# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.cozeops.studio.plugins.filter import swap

PLAN = {
    "mysql": {"action": "recreate", "why": [], "replaces": True},
    "redis": {"action": "none", "why": [], "previous": True},
    "etcd": {"action": "start", "why": [], "previous": True},
    "minio": {"action": "recreate", "why": []},
    "nsqd": {"action": "none", "why": []},
}


def test_a_service_is_swapped_if_an_earlier_container_can_come_back() -> None:
    assert swap.swaps(PLAN) == ["mysql", "redis", "etcd"]


def test_what_only_has_to_be_proved_is_a_step_of_its_own() -> None:
    assert swap.commits(PLAN) == [{"kind": "commit", "service": "redis"}]


def test_containers_have_the_names_of_the_stack() -> None:
    assert swap.container_names(["mysql", "redis"], "lab") == ["lab-mysql", "lab-redis"]


def test_filters_have_their_names() -> None:
    assert {"commits", "container_names", "swaps", "swap_outcome", "swap_after_swap", "swap_after_wait", "swap_report"} == set(swap.FilterModule().filters())
