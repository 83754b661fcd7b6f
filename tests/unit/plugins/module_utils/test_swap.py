# SPDX-License-Identifier: GPL-3.0-or-later
"""Swaps from every state that a host can be in, ended after any number of steps, and taken up again."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._swap import (
    STATES,
    Seen,
    Step,
    after,
    as_text,
    complaint,
    previous_name,
    refusal,
    seen,
    steps,
    told,
)
from hypothesis import given
from hypothesis import strategies as st

NAME, KEPT = "lab-nsqd", "lab-nsqd-previous"
OLD, NEW = "old" + "0" * 61, "new" + "0" * 61
STATUSES = ("created", "running", "paused", "restarting", "exited", "dead")
POLICIES = ("no", "always", "unless-stopped")

containers = st.builds(Seen, st.just(NEW), st.sampled_from(STATUSES), st.sampled_from(POLICIES))
maybe = st.none() | containers
states = st.sampled_from(STATES)


def world(current: Seen | None, previous: Seen | None) -> dict[str, Seen]:
    """What is on the host; the earlier one is OLD, and so is the only one."""
    found = {}
    if current is not None:
        found[NAME] = current._replace(identity=OLD if previous is None else NEW)
    if previous is not None:
        found[KEPT] = previous._replace(identity=OLD)
    return found


def steps_in(state: str, found: t.Mapping[str, Seen]) -> list[Step]:
    return steps(state, NAME, found.get(NAME), found.get(KEPT))


def stopped(identity: str, policy: str = "unless-stopped") -> Seen:
    return Seen(identity, "exited", policy)


# --- every state


@given(maybe, maybe)
def test_after_aside_the_name_is_free_and_the_proved_one_rests_under_the_other(current: Seen | None, previous: Seen | None) -> None:
    found = world(current, previous)
    left = after(steps_in("aside", found), found)
    assert set(left) == ({KEPT} if found else set())
    for container in left.values():
        assert container.identity == OLD
        assert container.status not in ("running", "paused", "restarting")
        assert container.policy == "no"


@given(maybe, containers)
def test_after_restored_the_proved_one_runs_under_its_name_alone(current: Seen | None, previous: Seen) -> None:
    found = world(current, previous)
    assert after(steps_in("restored", found), found) == {NAME: Seen(OLD, "running", "unless-stopped")}


@given(maybe)
def test_where_nothing_is_kept_nothing_is_brought_back_or_let_go(current: Seen | None) -> None:
    found = world(current, None)
    assert steps_in("restored", found) == []
    assert steps_in("committed", found) == []


@given(containers, containers)
def test_after_committed_the_new_one_is_as_it_was_and_alone(current: Seen, previous: Seen) -> None:
    found = world(current, previous)
    assert after(steps_in("committed", found), found) == {NAME: found[NAME]}


@given(states, maybe, maybe)
def test_what_was_done_needs_nothing_more(state: str, current: Seen | None, previous: Seen | None) -> None:
    found = world(current, previous)
    left = after(steps_in(state, found), found)
    assert steps_in(state, left) == []


@given(states, maybe, maybe, st.integers(0, 8))
def test_a_call_that_was_cut_off_is_finished_by_another(state: str, current: Seen | None, previous: Seen | None, cut: int) -> None:
    found = world(current, previous)
    whole = after(steps_in(state, found), found)
    half = after(steps_in(state, found)[:cut], found)
    finished = after(steps_in(state, half), half)
    if state == "restored" and previous is not None and KEPT not in half:
        # It has its name back already: what is left is its start, which is the plan's to see.
        assert finished[NAME].identity == OLD
        assert set(finished) == {NAME}
    else:
        assert finished == whole


@given(st.lists(st.tuples(st.sampled_from(("aside", "restored")), st.integers(0, 8), st.booleans()), max_size=8), containers)
def test_the_proved_container_survives_any_runs_that_were_cut_off(runs: list[tuple[str, int, bool]], first: Seen) -> None:
    """As long as nothing is committed. A run makes a new container only after it has freed the name."""
    found = {NAME: first._replace(identity=OLD)}
    for state, cut, makes_new in runs:
        taken = steps_in(state, found)
        found = after(taken[:cut], found)
        if state == "aside" and cut >= len(taken) and makes_new:
            found[NAME] = Seen(NEW, "running", "unless-stopped")
        assert [container.identity for container in found.values()].count(OLD) == 1
    end = after(steps_in("restored", found), found)
    assert end[NAME].identity == OLD


@pytest.mark.parametrize(("state", "current", "previous"), list(itertools.product(STATES, [None, *STATUSES], [None, *STATUSES])))
def test_two_never_run_at_once_while_one_is_put_away(state: str, current: str | None, previous: str | None) -> None:
    """A container is stopped, within its own time, before it is removed, and before another is started."""
    found = world(current and Seen(NEW, current, "no"), previous and Seen(OLD, previous, "no"))
    for number, step in enumerate(steps_in(state, found)):
        now = after(steps_in(state, found)[:number], found)
        if step.verb in ("remove", "rename") and state != "restored":
            assert now[step.container].status not in ("running", "paused", "restarting")
        if step.verb == "start":
            assert set(now) == {NAME}


# --- letting go


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "running"])
def test_the_earlier_one_is_kept_while_the_new_one_does_not_run(status: str) -> None:
    text = refusal("committed", NAME, Seen(NEW, status, "no"), stopped(OLD))
    assert text == f"lab-nsqd is {status}, so lab-nsqd-previous is kept"


def test_the_earlier_one_is_kept_while_there_is_no_new_one() -> None:
    assert refusal("committed", NAME, None, stopped(OLD)) == "lab-nsqd does not exist, so lab-nsqd-previous is kept"


@pytest.mark.parametrize("state", ["aside", "restored"])
def test_nothing_else_is_refused(state: str) -> None:
    assert refusal(state, NAME, None, stopped(OLD)) == ""
    assert refusal("committed", NAME, None, None) == ""
    assert refusal("committed", NAME, Seen(NEW, "running", "no"), stopped(OLD)) == ""


# --- order and words


def test_a_running_container_is_put_aside_in_this_order() -> None:
    assert steps("aside", NAME, Seen(OLD, "running", "always"), None) == [Step("stop", NAME), Step("rename", NAME, KEPT), Step("policy", KEPT, "no")]


def test_a_container_is_brought_back_in_this_order() -> None:
    assert steps("restored", NAME, Seen(NEW, "restarting", "unless-stopped"), stopped(OLD, "no")) == [
        Step("stop", NAME),
        Step("remove", NAME),
        Step("policy", KEPT, "unless-stopped"),
        Step("rename", KEPT, NAME),
        Step("start", NAME),
    ]


def test_what_the_engine_shows_is_read() -> None:
    inspect = {"Id": OLD, "State": {"Status": "exited"}, "HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}}
    assert seen(inspect) == Seen(OLD, "exited", "always")
    assert seen({**inspect, "HostConfig": {"RestartPolicy": {"Name": ""}}}) == stopped(OLD, "no")
    assert seen({**inspect, "HostConfig": {}}) == stopped(OLD, "no")
    assert seen(None) is None


def test_the_diff_has_a_line_for_each_container() -> None:
    assert as_text({KEPT: stopped(OLD), NAME: Seen(NEW, "running", "no")}) == (
        "lab-nsqd: running, container new000000000\nlab-nsqd-previous: exited, container old000000000\n"
    )
    assert previous_name(NAME) == KEPT


def test_steps_and_their_failures_are_told() -> None:
    every = [Step("stop", NAME), Step("remove", NAME), Step("rename", NAME, KEPT), Step("policy", KEPT, "no"), Step("start", NAME)]
    assert [told(step) for step in every] == [
        "stopped lab-nsqd",
        "removed lab-nsqd",
        "renamed lab-nsqd to lab-nsqd-previous",
        "gave lab-nsqd-previous the restart policy no",
        "started lab-nsqd",
    ]
    assert complaint(every[2], "no room.") == (
        "lab-nsqd could not be renamed to lab-nsqd-previous: no room. Cure that and run the playbook again; it goes on from here."
    )
    assert len({complaint(step, "x") for step in every}) == len(every)
