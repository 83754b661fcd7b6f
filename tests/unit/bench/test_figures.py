# SPDX-License-Identifier: GPL-3.0-or-later
"""From seconds to figures. Nothing here is timed."""

from __future__ import annotations

import statistics

import pytest
from ansible_collections.cozeops.studio.tests.bench.benchkit import figures
from ansible_collections.cozeops.studio.tests.bench.benchkit.figures import BenchError
from hypothesis import given
from hypothesis import strategies as st

SECONDS = st.floats(min_value=0.01, max_value=1000)


def samples() -> dict[str, object]:
    return {
        "machine": {"repeats": 3},
        "cold": {"site_without_verify": [10.0, 12.0, 20.0], "site": [13.0, 15.0, 23.0], "compose": [20.0, 40.0, 25.0], "floor": [10.0, 10.0, 10.0]},
        "no_op": {"site_without_verify": [3.0, 3.0, 3.0], "site": [5.0, 5.0, 5.0], "docker_container": [10.0, 12.0, 6.0], "compose": [1.0, 1.5, 3.0]},
        "one_key": {"site_without_verify": [4.0, 5.0, 6.0], "site": [6.0, 7.0, 8.0], "compose": [8.0, 5.0, 4.0]},
        "hosts": {
            "1": {"seconds": [4.0, 4.0, 4.0], "cpu_seconds": [2.0] * 3, "memory_mb": [100.0] * 3, "largest_process_mb": [60.0] * 3},
            "2": {"seconds": [5.0, 4.5, 6.0], "cpu_seconds": [3.0] * 3, "memory_mb": [120.0] * 3, "largest_process_mb": [60.0] * 3},
            "4": {"seconds": [7.0, 5.5, 10.0], "cpu_seconds": [5.0] * 3, "memory_mb": [160.0] * 3, "largest_process_mb": [60.0] * 3},
            "8": {"seconds": [11.0, 7.5, 18.0], "cpu_seconds": [9.0] * 3, "memory_mb": [240.0] * 3, "largest_process_mb": [60.0] * 3},
        },
    }


@given(st.lists(st.text(min_size=1, max_size=3), unique=True, min_size=1, max_size=6))
def test_over_as_many_repeats_as_contenders_each_is_once_at_each_place(names: list[str]) -> None:
    turns = [figures.turn(names, repeat) for repeat in range(len(names))]
    assert all(sorted(each) == sorted(names) for each in turns)
    assert all(sorted(place) == sorted(names) for place in zip(*turns, strict=True))


def test_the_order_goes_round() -> None:
    assert [figures.turn("ABC", repeat) for repeat in range(4)] == [list("ABC"), list("BCA"), list("CAB"), list("ABC")]


def test_a_repeat_that_lacks_one_side_has_no_ratio() -> None:
    with pytest.raises(BenchError, match="2 runs cannot be compared with 1"):
        figures.ratios([1.0, 2.0], [1.0])


@given(st.dictionaries(st.integers(1, 64), SECONDS, min_size=2, max_size=8))
def test_a_slope_is_what_the_standard_library_says(points: dict[int, float]) -> None:
    expected = statistics.linear_regression(list(points), list(points.values())).slope
    assert figures.slope(points) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_one_number_of_hosts_has_no_slope() -> None:
    with pytest.raises(BenchError, match="two numbers of hosts"):
        figures.slope({1: 3.0})


def test_the_figures_of_a_document_are_medians_of_the_ratios_of_each_repeat() -> None:
    found = figures.document(samples())
    # 0.5, 0.3, 0.8: not the ratio of the medians, which is 12 / 25.
    assert found["cold_vs_compose"] == 0.5
    assert found["cold_vs_floor"] == 1.2
    assert found["noop_vs_docker_container"] == 0.3
    assert found["noop_vs_compose"] == 2.0
    assert found["one_key_vs_compose"] == 1.0
    # Straight lines: each further host costs 1, 0.5 and 2 of 4 seconds.
    assert found["host_slope"] == 0.25
    assert found["samples"] == samples()


def test_a_document_has_the_keys_that_others_read_and_null_for_what_was_not_run() -> None:
    found = figures.document({"machine": {}, "no_op": samples()["no_op"]})
    assert list(found) == [
        "cold_vs_compose", "cold_vs_floor", "noop_vs_docker_container", "noop_vs_compose", "one_key_vs_compose", "host_slope", "load_vs_docker_load",
        "present_vs_docker_load", "samples",
    ]  # fmt: skip
    assert {key for key, value in found.items() if value is None} == {
        "cold_vs_compose", "cold_vs_floor", "one_key_vs_compose", "host_slope", "load_vs_docker_load", "present_vs_docker_load",
    }


OUTPUT = [
    (0.8, "\n"),
    (0.9, "PLAY [Deploy] ******************************************************************\n"),
    (1.0, "TASK [Take the definitions of all services] ***********************************\n"),
    (1.1, "included: TASK [x] somewhere\n"),
    (2.0, "TASK [cozeops.studio.verify : Use the product as people do] *******************\n"),
    (2.1, "ok: [one]\n"),
    (4.5, "TASK [cozeops.studio.verify : What was tried, and how long it took] ***********\n"),
    (4.5, "    TASK [inside a message] ***\n"),
    (4.6, "TASK [cozeops.studio.stack : Tell how to get in] ******************************\n"),
    (5.0, "PLAY RECAP *********************************************************************\n"),
]


def test_tasks_get_the_time_up_to_the_next_banner() -> None:
    found = figures.task_times(OUTPUT, 5.25)
    assert [name for name, dummy in found] == [
        "start",
        "Take the definitions of all services",
        "cozeops.studio.verify : Use the product as people do",
        "cozeops.studio.verify : What was tried, and how long it took",
        "cozeops.studio.stack : Tell how to get in",
        "end",
    ]
    assert [seconds for dummy, seconds in found] == pytest.approx([1.0, 1.0, 2.5, 0.1, 0.4, 0.25])
    assert sum(seconds for dummy, seconds in found) == pytest.approx(5.25)


def test_a_role_is_told_by_its_whole_name() -> None:
    tasks = [("cozeops.studio.verify : a", 1.0), ("cozeops.studio.verify_more : a", 2.0), ("cozeops.studio.verify : b", 0.5), ("end", 4.0)]
    assert figures.seconds_of_role(tasks, "cozeops.studio.verify") == 1.5


def test_a_profile_sums_within_a_run_and_takes_medians_between_runs() -> None:
    runs = [[("a", 1.0), ("b", 2.0), ("a", 1.0)], [("a", 3.0), ("b", 1.0)], [("a", 1.0), ("c", 9.0)]]
    assert figures.profile(runs) == {"a": 2.0, "b": 1.0, "c": 0.0}
    assert list(figures.profile(runs, most=1)) == ["a"]


def test_series_are_grouped_by_their_first_word() -> None:
    assert figures.by_first_word({"1 seconds": [1], "1 memory_mb": [2], "2 seconds": [3]}) == {"1": {"seconds": [1], "memory_mb": [2]}, "2": {"seconds": [3]}}


def test_the_table_says_what_is_met_missed_and_not_run() -> None:
    given_samples = samples()
    del given_samples["hosts"]
    rows = figures.figures_table(figures.document(given_samples)).splitlines()
    assert [row.split()[-1] for row in rows[1:]] == ["met", "met", "met", "met", "met", "run", "run", "run"]
    assert rows[1].split()[-5:] == ["0.50", "0.30..0.80", "<=", "0.50", "met"]
    given_samples["cold"]["floor"] = [5.0, 5.0, 5.0]  # type: ignore[index]
    missed = figures.figures_table(figures.document(given_samples)).splitlines()[2]
    assert missed.endswith("missed by 71%")


def test_the_whole_table_shows_every_series_and_every_number_of_hosts() -> None:
    text = figures.table(figures.document({**samples(), "profile": {"no_op": {"a task": 1.25}}}))
    assert "cold: floor" in text and "no_op: docker_container" in text and "one_key: compose" in text
    assert [line.split() for line in text.splitlines() if line.startswith("8 ")] == [["8", "11.00", "9.00", "240", "60"]]
    # 2, 3, 5, 9 processor seconds for 1, 2, 4, 8 hosts.
    assert "A further host takes 0.50 of the processor time that one takes." in text
    assert [line.split() for line in text.splitlines() if line.startswith("a task")] == [["a", "task", "1.25"]]
