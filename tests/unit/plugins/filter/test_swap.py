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
    names = {"batch_failures", "commits", "container_names", "swaps", "swap_outcome", "swap_after_swap", "swap_after_wait", "swap_report"}
    assert names == set(swap.FilterModule().filters())


def test_of_a_batch_those_failed_that_could_not_be_made() -> None:
    made = [{"name": "lab-mysql", "failed": False}, {"name": "lab-redis", "failed": True, "msg": "lab-redis could not be made: no image"}]
    found = swap.batch_failures({"name": "lab"}, ["mysql", "redis"], {"failed": True, "containers": made})
    assert found == {"redis": "lab-redis could not be made: no image"}


def test_a_batch_that_did_not_begin_fails_all() -> None:
    assert swap.batch_failures({"name": "lab"}, ["mysql", "redis"], {"failed": True, "msg": "no host"}) == {"mysql": "no host", "redis": "no host"}
