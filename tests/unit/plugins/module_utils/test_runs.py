# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._runs import (
    SEVERAL,
    TIMELINE,
    collection_version,
    default_directory,
    folder_name,
    inventory_around,
    load,
    make_folder,
    newest,
    prune,
    read_text,
    run_folders,
    write_private,
)
from hypothesis import given
from hypothesis import strategies as st

NOON = 1769860800.0


def leave(directory: Path, name: str, begun: float, *stacks: str) -> Path:
    """A run that has left a timeline."""
    folder = Path(make_folder(str(directory), name, begun))
    document = {"schema": 1, "run": {}, "versions": {}, "hosts": [{"stack": stack} for stack in stacks or [name]]}
    write_private(str(folder / TIMELINE), json.dumps(document))
    return folder


def test_a_folder_is_named_after_the_time_and_private(tmp_path: Path) -> None:
    first, second = leave(tmp_path, "coze", NOON), leave(tmp_path, "coze", NOON)
    assert [first.name, second.name] == ["20260131T120000Z", "20260131T120000Z-02"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (first, first.parent, first / TIMELINE)] == [0o700, 0o700, 0o600]
    assert [path.name for path in first.iterdir()] == [TIMELINE]


def test_old_runs_go_and_the_newest_stay(tmp_path: Path) -> None:
    made = [leave(tmp_path, "coze", NOON + number) for number in range(5)]
    other = leave(tmp_path, "other", NOON)
    assert prune(str(tmp_path), "coze", 2) == [str(path) for path in made[:3]]
    assert run_folders(str(tmp_path), "coze") == [str(path) for path in made[3:]]
    assert other.is_dir()
    assert prune(str(tmp_path), "coze", 0) == []


def test_what_is_not_ours_is_never_removed(tmp_path: Path) -> None:
    old = leave(tmp_path, "coze", NOON)
    (old / "notes.txt").touch()
    strange = tmp_path / "coze" / "keep-me"
    strange.mkdir()
    (strange / TIMELINE).touch()
    leave(tmp_path, "coze", NOON + 1)
    prune(str(tmp_path), "coze", 1)
    assert (old / "notes.txt").exists() and (strange / TIMELINE).exists()
    assert not (old / TIMELINE).exists()


def test_the_newest_run_of_a_stack_may_be_one_of_several(tmp_path: Path) -> None:
    assert newest(str(tmp_path), "coze") is None
    alone = leave(tmp_path, "coze", NOON)
    together = leave(tmp_path, SEVERAL, NOON + 9, "coze", "shop")
    assert newest(str(tmp_path), "coze") == str(together / TIMELINE)
    assert newest(str(tmp_path), "third") is None
    later = leave(tmp_path, "coze", NOON + 60)
    assert newest(str(tmp_path), "coze") == str(later / TIMELINE)
    assert alone.is_dir()


def test_the_default_is_build_of_a_checkout_and_the_users_state_elsewhere(tmp_path: Path) -> None:
    assert default_directory(str(tmp_path), {"HOME": "/home/ann"}) == "/home/ann/.local/state/cozeops/runs"
    assert default_directory(str(tmp_path), {"HOME": "/home/ann", "XDG_STATE_HOME": "/var/ann"}) == "/var/ann/cozeops/runs"
    (tmp_path / "galaxy.yml").write_text("name: studio\nversion: 1.2.3\n", encoding="utf-8")
    assert default_directory(str(tmp_path), {"HOME": "/home/ann"}) == str(tmp_path / "build" / "runs")


def test_the_version_is_that_of_the_checkout_or_of_what_is_installed(tmp_path: Path) -> None:
    assert collection_version(str(tmp_path)) == ""
    (tmp_path / "galaxy.yml").write_text("name: studio\nversion: 1.2.3\n", encoding="utf-8")
    assert collection_version(str(tmp_path)) == "1.2.3"
    (tmp_path / "MANIFEST.json").write_text('{"collection_info": {"version": "1.2.4"}}', encoding="utf-8")
    assert collection_version(str(tmp_path)) == "1.2.4"


def test_a_place_in_an_inventory_folder_is_found_out(tmp_path: Path) -> None:
    inventory = tmp_path / "inventories" / "local"
    inventory.mkdir(parents=True)
    (inventory / "hosts.yml").touch()
    (tmp_path / "link").symlink_to(inventory)
    assert inventory_around(str(inventory / "runs"), [str(inventory)]) == str(inventory)
    assert inventory_around(str(tmp_path / "link" / "runs" / "deep"), [str(inventory)]) == str(inventory)
    assert inventory_around(str(inventory), [str(tmp_path / "link")]) == str(tmp_path / "link")
    # Of a file only that file is read, and a list of hosts is no path at all.
    assert inventory_around(str(inventory / "runs"), [str(inventory / "hosts.yml"), "one,two,"]) is None
    assert inventory_around(str(tmp_path / "inventories" / "local-runs"), [str(inventory)]) is None


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_no_name_leads_out_of_the_directory(stacks: list[str]) -> None:
    name = folder_name(stacks)
    assert name and "/" not in name and "\0" not in name and name not in (".", "..")


def test_one_stack_gives_its_name() -> None:
    assert [folder_name(["coze", "coze"]), folder_name(["a", "b"]), folder_name([])] == ["coze", SEVERAL, SEVERAL]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"schema": 2, "run": {}, "versions": {}, "hosts": []}'])
def test_what_is_no_timeline_is_refused_by_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"x\.json is (not JSON|no timeline)"):
        load(str(path))


def test_text_that_no_encoding_has_can_be_written(tmp_path: Path) -> None:
    write_private(str(tmp_path / "x"), "a\udc80b")
    assert read_text(str(tmp_path / "x")) == "a\\udc80b"
    assert read_text(str(tmp_path / "none")) is None
