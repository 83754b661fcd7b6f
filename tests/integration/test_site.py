# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole deployments on a host of their own: bad input, faults while it runs, and what an operator does next.

The tests share a host and stand in the order of its life: nothing on it, a broken start, a whole stack, a second stack.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, make_source, why_not

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]

AWKWARD = "a'b\"c$d\\e#f %&=@:/?"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source("0.5", tmp_path_factory.mktemp("tree") / "0.5")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    lab_host = LabHost("site", tmp_path_factory.mktemp("inventory"))
    yield lab_host
    lab_host.destroy()


@pytest.fixture
def untouched(host: LabHost) -> Iterator[None]:
    """The test's runs must leave no trace on the host."""
    before = host.trace()
    yield
    assert host.trace() == before


def edited(source: Path, tmp_path: Path, **files: str | None) -> Path:
    """A copy of the tree with other files; None removes one. Names are paths with __ for /."""
    copy = tmp_path / "tree"
    shutil.copytree(source, copy)
    for name, text in files.items():
        path = copy / name.replace("__", "/")
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")
    return copy


# -- bad input: a clear error before anything is changed


@pytest.mark.usefixtures("untouched")
class TestBadInput:
    def test_a_source_tree_that_is_not_there(self, host: LabHost) -> None:
        run = host.site(stack_source="/nowhere/coze")
        run.must_fail("stack_source: /nowhere/coze is not a directory")

    def test_a_source_tree_that_lacks_a_file(self, host: LabHost, source: Path, tmp_path: Path) -> None:
        tree = edited(source, tmp_path)
        (tree / "backend/conf/workflow/config.yaml").unlink()
        (tree / "docker/volumes/elasticsearch/analysis-smartcn.zip").unlink()
        run = host.site(stack_source=str(tree))
        run.must_fail("lacks backend/conf/workflow/config.yaml, which release line 0.5 needs", "lacks docker/volumes/elasticsearch/analysis-smartcn.zip")

    def test_a_release_that_the_tree_is_not(self, host: LabHost, source: Path) -> None:
        run = host.site(stack_source=str(source), stack_release="0.2")
        run.must_fail("stack_release is 0.2, but", "is a source tree of line 0.5")

    def test_an_undefined_reference_and_an_open_quote(self, host: LabHost, source: Path, tmp_path: Path) -> None:
        env = tmp_path / "env"
        text = (source / "docker/.env.example").read_text(encoding="utf-8")
        env.write_text(text + '\nexport BROKEN_ONE="${NO_SUCH_KEY}/x"\nexport BROKEN_TWO="open\n', encoding="utf-8")
        lines = text.count("\n")
        run = host.site(stack_source=str(source), stack_env_src=str(env))
        run.must_fail(f"{env}:{lines + 2}: BROKEN_ONE:", f"{env}:{lines + 3}: BROKEN_TWO:", "NO_SUCH_KEY")

    @pytest.mark.parametrize("name", ["Coze", "a b", "-x", "x" * 41])
    def test_a_stack_name_that_is_none(self, host: LabHost, source: Path, name: str) -> None:
        run = host.site(stack_source=str(source), stack_name=name)
        run.must_fail("is no name for a stack")

    def test_a_misspelt_variable(self, host: LabHost, source: Path) -> None:
        run = host.site(stack_source=str(source), stack_public_ulr="http://x")
        run.must_fail("stack_public_ulr is no variable of this collection; did you mean stack_public_url?")

    def test_an_image_that_is_not_there(self, host: LabHost, source: Path) -> None:
        run = host.site(stack_source=str(source), stack_images={"redis": "nosuch/redis:1"})
        run.must_fail("the host has no image nosuch/redis:1")

    def test_too_little_memory_and_disk(self, host: LabHost, source: Path) -> None:
        run = host.site(stack_source=str(source), stack_memory_min="9000g", stack_disk_min="900000g")
        run.must_fail("(stack_memory_min)", "(stack_disk_min)")

    def test_two_stacks_of_one_inventory_that_want_one_port(self, host: LabHost, source: Path) -> None:
        old = (host.folder / "hosts.yml").read_text(encoding="utf-8")
        host.write_inventory({"coze": {"children": {"red": {"hosts": {"r1": host.connection()}}, "blue": {"hosts": {"b1": host.connection()}}}}})
        try:
            run = host.site(stack_source=str(source))
        finally:
            (host.folder / "hosts.yml").write_text(old, encoding="utf-8")
        run.must_fail("both want port 8888 of this machine")


def test_a_port_that_is_taken_names_the_process_and_a_free_one(host: LabHost, source: Path) -> None:
    host.shell("setsid --fork python3 -m http.server 8888 --bind 127.0.0.1 >/dev/null 2>&1 & echo $!")
    pid = host.shell("sleep 1; pgrep -f 'http.server 8888'").split()[0]
    try:
        before = host.trace()
        run = host.site(stack_source=str(source))
        run.must_fail("cannot listen on 127.0.0.1 port 8888", "python3 (pid", "is free: set it in stack_public_url")
        assert host.trace() == before
    finally:
        host.shell(f"kill {pid}")


def test_a_data_directory_of_another_installation_is_refused(host: LabHost, source: Path) -> None:
    host.shell("mkdir -p /opt/cozeops/coze/data/mysql && echo x > /opt/cozeops/coze/data/mysql/ibdata1")
    try:
        before = host.trace()
        run = host.site(stack_source=str(source))
        run.must_fail("/opt/cozeops/coze/data/mysql holds data that this collection has not made", "Move it away")
        assert host.trace() == before
    finally:
        host.shell("rm -r /opt/cozeops/coze")


def test_an_engine_that_is_not_ours_to_start_is_asked_for(host: LabHost, source: Path) -> None:
    host.shell("kill $(cat /var/run/docker.pid); while [ -e /var/run/docker.pid ]; do sleep 0.2; done")
    run = host.site(stack_source=str(source), engine_manage=False)
    run.must_fail("no Docker Engine answers", "engine_manage: false")
    assert host.shell("ls /opt/cozeops") == ""


# -- faults while it runs


def test_a_stopped_engine_is_started(host: LabHost, source: Path) -> None:
    run = host.site(stack_source=str(source), redis_ready_timeout=60, stack_services=["redis"])
    run.must_pass()
    assert list(host.started()) == ["coze-redis"]


def test_a_store_that_exits_is_told_with_its_log_and_nothing_else_is_started(host: LabHost, source: Path) -> None:
    run = host.site(stack_source=str(source), mysql_arguments=["--no-such-option=1"])
    run.must_fail("mysql", "unknown variable 'no-such-option=1'")
    assert "coze-coze-server" not in host.started()
    assert "coze-coze-web" not in host.started()


def test_a_store_that_never_gets_ready_is_told_with_the_reason(host: LabHost, source: Path) -> None:
    run = host.site(stack_source=str(source), mysql_arguments=["--port=3307"], mysql_ready_timeout=12)
    run.must_fail("mysql", "connection refused on 3306")
    assert "coze-coze-server" not in host.started()


def test_a_play_that_was_killed_half_way_can_be_run_again(host: LabHost, source: Path) -> None:
    with host.site_in_background(stack_source=str(source), mysql_memory="1100m") as process:
        host.wait_for_container("coze-milvus")
        assert process.poll() is None
    run = host.site(stack_source=str(source))
    run.must_pass()
    assert len(host.started()) == 11


# -- a whole stack


def test_a_second_run_changes_nothing(host: LabHost, source: Path) -> None:
    before = host.started()
    run = host.site(stack_source=str(source))
    run.must_pass(changed=False)
    assert host.started() == before


def test_only_what_was_killed_is_started(host: LabHost, source: Path) -> None:
    before = host.started()
    host.shell("docker kill coze-nsqd coze-coze-web >/dev/null")
    run = host.site(stack_source=str(source))
    run.must_pass()
    after = host.started()
    assert {name for name in after if after[name] != before[name]} == {"coze-nsqd", "coze-coze-web"}


def test_only_the_service_of_a_changed_variable_is_touched(host: LabHost, source: Path) -> None:
    before = host.started()
    check = host.site("--check", "--diff", stack_source=str(source), coze_web_read_timeout=700)
    check.must_pass(changed=True)
    assert "would reload coze-web" in check.output
    assert host.started() == before
    run = host.site(stack_source=str(source), coze_web_read_timeout=700)
    run.must_pass()
    assert host.started() == before
    assert "700s" in host.shell("docker exec coze-coze-web nginx -c /cozeops/nginx.conf -T 2>/dev/null")
    again = host.site(stack_source=str(source), coze_web_read_timeout=700)
    again.must_pass(changed=False)


def test_a_file_edited_by_hand_is_put_right(host: LabHost, source: Path) -> None:
    host.shell("echo '# by hand' >> /opt/cozeops/coze/conf/coze-server/resources/workflow/config.yaml")
    before = host.started()
    run = host.site(stack_source=str(source), coze_web_read_timeout=700)
    run.must_pass()
    after = host.started()
    assert {name for name in after if after[name] != before[name]} == {"coze-coze-server"}
    assert "by hand" not in host.shell("cat /opt/cozeops/coze/conf/coze-server/resources/workflow/config.yaml")


def test_lost_secrets_are_read_back_from_the_host(host: LabHost, source: Path) -> None:
    path = host.folder / "secrets" / "coze.yml"
    kept = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    before = host.started()
    run = host.site(stack_source=str(source), coze_web_read_timeout=700)
    run.must_pass()
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == kept
    assert host.started() == before


# -- a second stack on the same host


def test_a_second_stack_with_awkward_secrets_lives_beside_the_first(host: LabHost, source: Path) -> None:
    before = host.started()
    given: dict[str, Any] = {
        "stack_name": "second",
        "stack_source": str(source),
        "stack_public_url": "http://127.0.0.1:8898",
        "stack_env": {"REDIS_PASSWORD": "a$c%&=@:/?", "MYSQL_PASSWORD": 'a"c$d#e %&=@:/?', "MINIO_ROOT_PASSWORD": AWKWARD},
    }
    run = host.site("-vvv", "--diff", **given)
    run.must_pass()
    secrets = yaml.safe_load((host.folder / "secrets" / "second.yml").read_text(encoding="utf-8"))
    assert [key for key, value in {**secrets, **given["stack_env"]}.items() if value in run.output] == []
    assert len(host.started("second")) == 11
    assert host.started() == before
    again = host.site(**given)
    again.must_pass(changed=False)


def test_a_password_that_the_data_were_not_made_with_is_refused(host: LabHost, source: Path) -> None:
    before = host.started()
    run = host.site(stack_source=str(source), stack_env={"MYSQL_PASSWORD": "another"})
    run.must_fail("MYSQL_PASSWORD: data/mysql was made with another value")
    run = host.site(stack_source=str(source), stack_name="third", stack_env={"MYSQL_PASSWORD": "it's"})
    run.must_fail("MYSQL_PASSWORD: its value has", "Use letters and digits")
    assert host.started() == before


def test_a_model_file_that_is_taken_away_restarts_the_server(host: LabHost, source: Path, tmp_path: Path) -> None:
    tree = edited(source, tmp_path)
    extra = tree / "backend/conf/plugin/pluginproduct/extra.yaml"
    shutil.copyfile(tree / "backend/conf/plugin/pluginproduct/lab_echo.yaml", extra)
    host.site(stack_source=str(tree), coze_web_read_timeout=700).must_pass(changed=True)
    before = host.started()
    extra.unlink()
    check = host.site("--check", stack_source=str(tree), coze_web_read_timeout=700)
    check.must_pass(changed=True)
    assert "would restart coze-server" in check.output
    host.site(stack_source=str(tree), coze_web_read_timeout=700).must_pass(changed=True)
    after = host.started()
    assert {name for name in after if after[name] != before[name]} == {"coze-coze-server"}
    host.site(stack_source=str(tree), coze_web_read_timeout=700).must_pass(changed=False)


def test_a_port_of_a_stopped_neighbour_is_still_its_own(host: LabHost, source: Path) -> None:
    host.shell("docker stop -t 1 second-coze-web >/dev/null")
    run = host.site(stack_source=str(source), stack_name="third", stack_public_url="http://127.0.0.1:8898")
    run.must_fail("port 8898", "stack second")


def test_teardown_asks_first_and_keeps_data_unless_told(host: LabHost) -> None:
    refused = host.play("teardown", stack_name="second")
    refused.must_fail("set stack_teardown_confirm=second")
    assert len(host.started("second")) == 11
    done = host.play("teardown", stack_name="second", stack_teardown_confirm="second")
    done.must_pass()
    assert host.started("second") == {}
    assert host.shell("ls /opt/cozeops/second/data/mysql | head -1")
    assert len(host.started()) == 11
