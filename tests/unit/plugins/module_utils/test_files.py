# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._definition import complete
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed
from ansible_collections.cozeops.studio.plugins.module_utils._files import FileError, Sources, collect, directories, walk


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path in ("sql/b.sql", "sql/a.sql", "sql/sub/c.sql", "sql/atlas.sum", "sql/.hidden.sql", "sql/.git/d.sql", "one.yml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("content of " + path)
    return tmp_path


def gather(tree: Path, **definition: t.Any) -> tuple[list[dict[str, t.Any]], dict[str, str]]:
    sources = Sources(str(tree), "key", lambda service, form: "%s of %s" % (form, service["name"]), lambda _service, name: "rendered " + name)
    return collect(complete({"name": "mysql", **definition}), sources)


def test_a_folder_is_walked_in_order_without_hidden_files(tree: Path) -> None:
    assert walk(str(tree / "sql"), "*") == ["a.sql", "atlas.sum", "b.sql", "sub/c.sql"]


def test_a_folder_is_walked_for_a_pattern(tree: Path) -> None:
    assert walk(str(tree / "sql"), "*.sql") == ["a.sql", "b.sql", "sub/c.sql"]


def test_a_file_of_the_source_is_named_and_not_read_into_the_model(tree: Path) -> None:
    files, on_change = gather(tree, files=[{"path": "conf/x.yml", "source": "one.yml", "owner": 999, "mode": "0640", "on_change": "recreate"}])
    assert files == [
        {
            "path": "conf/x.yml",
            "src": str(tree / "one.yml"),
            "digest": keyed("key", "content of one.yml"),
            "owner": 999,
            "group": 0,
            "mode": "0640",
            "secret": False,
        }
    ]
    assert on_change == {"conf/x.yml": "recreate"}


def test_a_template_is_rendered(tree: Path) -> None:
    files, on_change = gather(tree, files=[{"path": "conf/n.conf", "template": "n.j2"}])
    assert (files[0]["content"], files[0]["digest"]) == ("rendered n.j2", keyed("key", "rendered n.j2"))
    assert on_change == {"conf/n.conf": "restart"}


def test_an_environment_file_is_secret(tree: Path) -> None:
    files, _on_change = gather(tree, files=[{"path": "conf/env", "env_form": "dotenv", "mode": "0600"}])
    assert (files[0]["content"], files[0]["secret"], files[0]["mode"]) == ("dotenv of mysql", True, "0600")


def test_a_tree_gives_each_file_its_place(tree: Path) -> None:
    files, on_change = gather(tree, trees=[{"path": "conf/sql", "source": "sql", "pattern": "*.sql", "on_change": "none"}])
    assert [(entry["path"], entry["src"]) for entry in files] == [("conf/sql/" + name, "%s/sql/%s" % (tree, name)) for name in ("a.sql", "b.sql", "sub/c.sql")]
    assert set(on_change.values()) == {"none"}


def test_a_tree_that_is_not_there_is_empty(tree: Path) -> None:
    assert gather(tree, trees=[{"path": "conf/x", "source": "none"}]) == ([], {})


def test_a_missing_file_is_told_with_its_service(tree: Path) -> None:
    with pytest.raises(FileError, match=r"^service mysql: the source tree has no file none\.yml$"):
        gather(tree, files=[{"path": "conf/x", "source": "none.yml"}])


def test_binary_files_have_digests_too(tree: Path) -> None:
    (tree / "icon.png").write_bytes(b"\x89PNG\0\xff")
    files, _on_change = gather(tree, files=[{"path": "x", "source": "icon.png"}])
    assert files[0]["digest"] == keyed("key", b"\x89PNG\0\xff")


# --- directories


def folders(files: tuple[str, ...] = (), **definition: t.Any) -> dict[str, dict[str, t.Any]]:
    found = directories([complete({"name": "mysql", **definition})], [{"path": path} for path in files], "lab")
    return {entry["path"]: entry for entry in found}


def test_a_stack_has_its_own_directories() -> None:
    assert {path: entry["mode"] for path, entry in folders().items()} == {".": "0700", "conf": "0755", "data": "0755", "env": "0700", "state": "0700"}


def test_parents_come_first_and_the_root_before_all() -> None:
    paths = list(folders(("conf/a/b/c.yml", "stack.json"), trees=[{"path": "conf/-x/y", "source": "s"}]))
    assert paths[0] == "."
    assert {"conf/a", "conf/a/b", "conf/-x", "conf/-x/y"} <= set(paths)
    assert all(path.rpartition("/")[0] in paths[:index] for index, path in enumerate(paths) if "/" in path)


def test_an_empty_tree_has_its_directory() -> None:
    assert "conf/mysql/migrations" in folders(trees=[{"path": "conf/mysql/migrations", "source": "none"}])


def test_a_data_directory_has_owner_mode_and_stamp() -> None:
    assert folders(data=[{"path": "data/mysql", "owner": 999, "group": 998}])["data/mysql"] == {
        "path": "data/mysql",
        "owner": 999,
        "group": 998,
        "mode": "0700",
        "stamp": {"stack": "lab", "service": "mysql"},
    }


def test_a_directory_of_files_does_not_open_the_stacks_own() -> None:
    assert folders(("env/mysql.env", "state/secrets.env"))["env"]["mode"] == "0700"
