# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of swapped services when a run fails."""

from __future__ import annotations

from typing import Any

from ansible_collections.cozeops.studio.plugins.module_utils._settle import after_swap, after_wait, outcome, report
from ansible_collections.cozeops.studio.tests.unit.plugins.samples import model_of, service_of
from hypothesis import given
from hypothesis import strategies as st

MODEL = model_of(service_of(), service_of(name="redis", data=[]), service_of(name="etcd"), service_of(name="nsqd", data=[]))
PLAN = {"mysql": {"action": "recreate", "replaces": True}, "redis": {"action": "recreate", "replaces": True}, "nsqd": {"action": "none"}}


def wait(ready: list[str] | None = None, **failures: str) -> dict[str, Any]:
    return {"ready": ready or [], "failures": [{"service": name, "reason": why} for name, why in failures.items()]}


def entry(service: str, **more: Any) -> dict[str, Any]:
    return {"name": f"lab-{service}", "done": ["x"], "previous": True, "problem": "", "refused": False, "log": [], **more}


def swap(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"swaps": list(entries)}


def known(**more: Any) -> dict[str, Any]:
    return {"failed": {}, "silent": [], "proved": [], "back": [], "open": [], "returned": {}, **more}


def told(found: dict[str, Any], **more: Any) -> str:
    given_: dict[str, Any] = {"plan": {}, "swapped": [], "message": "x", "commit": {}, **more}
    return report(found, MODEL, given_["plan"], given_["swapped"], given_["message"], given_["commit"])


# --- what is known when it fails


def test_a_failed_one_goes_back_a_proved_one_stays_and_the_others_are_waited_for() -> None:
    found = outcome("lab", ["mysql", "redis", "etcd"], ["redis"], wait(mysql="it ended"), {}, {})
    assert found == known(failed={"mysql": "it ended"}, back=["mysql"], proved=["redis"], open=["etcd"])


def test_one_that_was_ready_and_then_failed_goes_back() -> None:
    found = outcome("lab", ["mysql"], ["mysql"], wait(mysql="it was ready, then it ended"), {}, {})
    assert (found["back"], found["proved"]) == (["mysql"], [])


def test_what_got_ready_in_the_wait_that_failed_is_proved() -> None:
    assert outcome("lab", ["redis"], [], wait(["redis"], mysql="x"), {}, {})["proved"] == ["redis"]


def test_a_service_that_was_not_swapped_has_nothing_to_go_back_to() -> None:
    found = outcome("lab", [], [], wait(mysql="x"), {}, {})
    assert (found["failed"], found["back"], found["open"]) == ({"mysql": "x"}, [], [])


def test_a_step_that_failed_sends_its_service_back_though_it_was_ready() -> None:
    found = outcome("lab", ["mysql"], ["mysql"], {}, {"mysql": "its init job failed"}, {})
    assert (found["back"], found["silent"]) == (["mysql"], ["mysql"])


def test_one_that_ended_before_it_was_committed_goes_back() -> None:
    refused = swap(entry("mysql", problem="lab-mysql is exited", refused=True), entry("redis"))
    found = outcome("lab", ["mysql", "redis"], ["mysql", "redis"], wait(["mysql", "redis"]), {}, refused)
    assert (found["failed"], found["back"], found["proved"]) == ({"mysql": "lab-mysql is exited"}, ["mysql"], ["redis"])


def test_one_whose_earlier_container_cannot_be_removed_does_not_go_back() -> None:
    stuck = swap(entry("mysql", problem="lab-mysql-previous could not be removed"))
    found = outcome("lab", ["mysql"], ["mysql"], wait(["mysql"]), {}, stuck)
    assert (found["back"], found["proved"]) == ([], ["mysql"])


# --- a round


def test_what_came_back_is_waited_for() -> None:
    found = after_swap(known(back=["mysql"], open=["redis"]), "lab", swap(entry("mysql", log=["a line"])))
    assert found == known(open=["redis", "mysql"], returned={"mysql": {"ready": None, "reason": "", "log": ["a line"]}})


def test_what_could_not_come_back_is_not_waited_for() -> None:
    swapped = swap(entry("mysql", problem="lab-mysql could not be started: x"), entry("redis", previous=False))
    found = after_swap(known(back=["mysql", "redis", "etcd"]), "lab", {**swapped, "msg": "no Docker Engine answers"})
    assert found["open"] == []
    assert found["returned"]["mysql"]["reason"] == "lab-mysql could not be started: x"
    assert found["returned"]["redis"]["reason"].startswith("there is none")
    assert found["returned"]["etcd"]["reason"] == "no Docker Engine answers"


def test_a_skipped_swap_changes_nothing() -> None:
    assert after_swap(known(open=["redis"]), "lab", {"skipped": True}) == known(open=["redis"])


def test_what_is_ready_is_proved_or_back() -> None:
    begun = known(open=["redis", "mysql"], returned={"mysql": {"ready": None, "reason": "", "log": []}})
    found = after_wait(begun, wait(["redis", "mysql"]))
    assert (found["open"], found["proved"], found["returned"]["mysql"]["ready"]) == ([], ["redis"], True)


def test_another_one_that_fails_goes_back_in_the_next_round_and_the_rest_is_waited_for_again() -> None:
    found = after_wait(known(open=["redis", "etcd"], failed={"mysql": "y"}), wait(redis="it ended"))
    assert found == known(open=["etcd"], back=["redis"], silent=["redis"], failed={"mysql": "y", "redis": "it ended"})


def test_an_earlier_container_that_does_not_get_ready_is_told_and_left() -> None:
    begun = known(open=["mysql"], returned={"mysql": {"ready": None, "reason": "", "log": []}}, failed={"mysql": "y"})
    found = after_wait(begun, wait(mysql="refused"))
    assert (found["open"], found["back"], found["failed"]) == ([], [], {"mysql": "y"})
    assert found["returned"]["mysql"] == {"ready": False, "reason": "refused", "log": []}


def test_a_wait_that_could_not_be_done_ends_the_rounds() -> None:
    begun = known(open=["mysql", "redis"], returned={"mysql": {"ready": None, "reason": "", "log": []}})
    found = after_wait(begun, {"failed": True, "msg": "no Docker Engine answers"})
    assert (found["open"], found["back"], found["proved"]) == ([], [], [])
    assert found["failed"] == {"redis": "no Docker Engine answers"}
    assert found["returned"]["mysql"]["reason"] == "no Docker Engine answers"


NAMES = ["mysql", "redis", "etcd", "nsqd"]


@given(st.data())
def test_rounds_come_to_an_end_with_a_word_on_each(data: st.DataObject) -> None:
    """Whatever the Engine does: each swapped service is proved, or has failed and was called back."""

    def some(names: list[str]) -> list[str]:
        return data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []

    def waited(names: list[str]) -> dict[str, Any]:
        failing = some(names)
        # Without a failure the module ends only when all are ready, or because it could not work.
        ready = [name for name in names if name not in failing] if not failing else some([name for name in names if name not in failing])
        return data.draw(st.sampled_from([wait(ready, **dict.fromkeys(failing, "x")), {"msg": "no Engine"}]))

    swapped = some(NAMES)
    found = outcome("lab", swapped, some(NAMES), waited(NAMES), {}, {})
    for _round in range(2 * len(NAMES) + 1):
        if not found["back"] and not found["open"]:
            break
        found = after_swap(found, "lab", swap(*(entry(name, problem=data.draw(st.sampled_from(["", "y"]))) for name in found["back"])))
        found = after_wait(found, waited(found["open"]) if found["open"] else {})
    assert (found["back"], found["open"]) == ([], [])
    assert {*found["proved"], *found["failed"]} >= set(swapped)
    assert not set(found["proved"]) & set(found["failed"])
    assert set(found["returned"]) <= set(found["failed"])
    assert not any(entry["ready"] is None for entry in found["returned"].values())


# --- the report


def test_a_service_that_runs_as_before_is_told_with_the_reason() -> None:
    found = known(failed={"redis": "it ended with exit code 127."}, returned={"redis": {"ready": True, "reason": "", "log": ["hidden"]}})
    lines = told(found).splitlines()
    assert lines[0] == "redis failed: it ended with exit code 127."
    assert lines[1] == "Its earlier container runs again and is ready."
    assert "hidden" not in lines
    assert "data" not in told(found)


def test_a_store_that_came_back_may_find_its_data_changed() -> None:
    found = known(failed={"mysql": "x"}, returned={"mysql": {"ready": True, "reason": "", "log": []}})
    assert "It uses data/mysql, which the new container may have changed. If the earlier one does not work with that, restore a backup" in told(found)


def test_files_that_were_written_anew_are_told_since_they_do_not_go_back() -> None:
    found = known(failed={"redis": "x"}, returned={"redis": {"ready": True, "reason": "", "log": []}})
    plan = {"redis": {"action": "recreate", "why": [{"name": "file conf/redis.conf"}, {"name": "memory"}]}}
    assert "Files do not go back: it reads conf/redis.conf as this run has written them." in told(found, plan=plan)
    assert "Files" not in told(found, plan={"redis": {"action": "recreate", "why": [{"name": "memory"}]}})


def test_an_earlier_container_that_does_not_work_is_told() -> None:
    found = known(failed={"redis": "x"}, returned={"redis": {"ready": False, "reason": "it ended with exit code 1", "log": []}})
    assert "Its earlier container: it ended with exit code 1." in told(found)


def test_the_log_of_the_new_one_is_told_unless_it_was_before() -> None:
    returned = {"redis": {"ready": True, "reason": "", "log": ["a line"]}}
    assert "  | a line" in told(known(failed={"redis": "x"}, silent=["redis"], returned=returned)).splitlines()
    assert "a line" not in told(known(failed={"redis": "x"}, returned=returned))


def test_a_first_start_that_failed_is_told_in_a_line() -> None:
    assert told(known(failed={"redis": "it is not ready after 12 s"})) == "redis failed: it is not ready after 12 s."


def test_what_stays_and_what_was_not_touched_is_told() -> None:
    text = told(known(failed={"etcd": "x"}, proved=["redis"]), plan=PLAN, swapped=["redis"])
    assert "New, proved and kept: redis." in text
    assert "Not touched any more: mysql." in text


def test_a_failure_of_no_service_is_told_in_its_own_words() -> None:
    assert told(known(), message="mv: no space left") == "mv: no space left"


def test_what_could_not_be_removed_is_told() -> None:
    assert "lab-redis-previous could not be removed" in told(
        known(failed={"etcd": "x"}), commit=swap(entry("redis", problem="lab-redis-previous could not be removed"))
    )
