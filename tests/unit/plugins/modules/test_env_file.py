# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.modules import env_file
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

TEXT = 'export DB_USER=coze\nexport DB_PASSWORD="hunter2!"\nDB_DSN="$DB_USER:$DB_PASSWORD@tcp(mysql:3306)/x"\nWORKERS=1  # one\n'
MASK = "********"
MASKED = {"DB_USER": "coze", "DB_PASSWORD": MASK, "DB_DSN": MASK, "WORKERS": "1"}
RESOLVED = "DB_USER=coze\nDB_PASSWORD=hunter2!\nDB_DSN=coze:hunter2!@tcp(mysql:3306)/x\nWORKERS=1\n"

Result = dict[str, t.Any]
Call = t.Callable[..., Result]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(check: bool = False, diff: bool = False, **args: t.Any) -> Result:
        return run_main(env_file.main, capsys, {**args, "_ansible_diff": diff}, check)

    return run


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "out" / "server.env"


def four_times(call: Call, dest: Path, **args: t.Any) -> list[tuple[Result, bytes | None]]:
    """Check, do, again, again in check mode: each result with the file's content after it."""
    dest.parent.mkdir(exist_ok=True)
    runs = []
    for check in (True, False, False, True):
        result = call(check=check, diff=True, dest=str(dest), **args)
        runs.append((result, dest.read_bytes() if dest.exists() else None))
    return runs


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


# --- reading ---


def test_reads_a_file_and_masks_secrets(call: Call, tmp_path: Path) -> None:
    src = tmp_path / ".env"
    src.write_text(TEXT, encoding="utf-8")
    result = call(src=str(src))
    assert (result["failed"], result["changed"], result["env"], result["names"]) == (False, False, MASKED, list(MASKED))
    assert list(tmp_path.iterdir()) == [src]


def test_reveal_returns_the_values(call: Call) -> None:
    assert call(content=TEXT, reveal=True)["env"]["DB_DSN"] == "coze:hunter2!@tcp(mysql:3306)/x"


@pytest.mark.parametrize("reveal", [False, True])
def test_short_and_common_overrides_do_not_turn_the_result_into_asterisks(call: Call, reveal: bool) -> None:
    overrides = {"WORKERS": 1, "DB_USER": "coze", "DEBUG": True, "E": ""}
    result = call(content=TEXT, overrides=overrides, reveal=reveal)
    assert {key: result["env"][key] for key in ("WORKERS", "DB_USER", "DEBUG", "E")} == {"WORKERS": "1", "DB_USER": "coze", "DEBUG": "true", "E": ""}
    assert result["names"] == ["DB_USER", "DB_PASSWORD", "DB_DSN", "WORKERS", "DEBUG", "E"]


def test_no_secret_is_anywhere_in_the_result_or_the_log(call: Call, dest: Path) -> None:
    dest.parent.mkdir()
    logged: list[str] = []
    with mock.patch.object(AnsibleModule, "log", lambda self, msg, log_args=None: logged.append(msg)):
        result = call(content=TEXT, overrides={"NEW_TOKEN": "t0ken-of-mine"}, dest=str(dest), diff=True)
    assert "hunter2" not in json.dumps(result) + str(logged)
    assert "t0ken-of-mine" not in json.dumps(result) + str(logged)
    assert logged
    assert result["invocation"]["module_args"]["overrides"] == {"NEW_TOKEN": MASK}
    assert result["invocation"]["module_args"]["content"] == MASK
    assert "t0ken-of-mine" in dest.read_text(encoding="utf-8")


def test_warnings_are_given(call: Call) -> None:
    assert call(content="A = 1\n")["warnings"] == ["content:1: A: a blank beside the = is skipped; a shell would run a command: write KEY=VALUE"]


def test_undefined_empty(call: Call) -> None:
    result = call(content='A="x$PJ"\n', undefined="empty")
    assert (result["env"], result["warnings"]) == ({"A": "x"}, ["content:1: A: PJ is not set: taken as empty"])


# --- writing ---


def test_writes_the_docker_form(call: Call, dest: Path) -> None:
    (check, none), (do, first), (again, second), (check_again, third) = four_times(call, dest, content=TEXT)
    assert [run["changed"] for run in (check, do, again, check_again)] == [True, True, False, False]
    assert none is None
    assert first == second == third == RESOLVED.encode()
    assert mode_of(dest) == 0o600
    assert check["diff"] == do["diff"]
    assert all(run["dest"] == str(dest) for run in (check, do, again, check_again))
    assert os.listdir(dest.parent) == ["server.env"]


def test_writes_the_dotenv_form(call: Call, dest: Path) -> None:
    runs = four_times(call, dest, content="A='a b'\nB=\"it's \\$5\"\nC=plain\n", format="dotenv")
    assert [run["changed"] for run, dummy in runs] == [True, True, False, False]
    assert runs[1][1] == b"A='a b'\nB=\"it's \\$5\"\nC=plain\n"


def test_mode_alone_is_a_change(call: Call, dest: Path) -> None:
    dest.parent.mkdir()
    dest.write_text(RESOLVED, encoding="utf-8")
    dest.chmod(0o644)
    runs = four_times(call, dest, content=TEXT, mode="0640")
    assert [run["changed"] for run, dummy in runs] == [True, True, False, False]
    assert runs[0][0]["diff"][1]["after"]["mode"] == "0640"
    assert mode_of(dest) == 0o640


def test_new_content_is_never_seen_through_the_old_mode(call: Call, dest: Path) -> None:
    dest.parent.mkdir()
    dest.write_text("A=1\n", encoding="utf-8")
    dest.chmod(0o644)
    modes = []
    move = AnsibleModule.atomic_move

    def watched(self: AnsibleModule, src: str, target: str, **kwargs: t.Any) -> None:
        move(self, src, target, **kwargs)
        modes.append(mode_of(dest))

    with mock.patch.object(AnsibleModule, "atomic_move", watched):
        call(content=TEXT, dest=str(dest))
        dest.unlink()
        call(content=TEXT, dest=str(dest), mode="0644")
    assert modes == [0o600, 0o600]
    assert mode_of(dest) == 0o644


def test_the_diff_shows_that_a_secret_changes_and_not_what_it_is(call: Call, dest: Path) -> None:
    dest.parent.mkdir()
    dest.write_text("OLD_NOTE=uses-0ldsecret\nDB_PASSWORD=0ldsecret\nDB_USER=root\n", encoding="utf-8")
    (diff,) = call(content=TEXT, dest=str(dest), mode=oct(mode_of(dest))[2:], diff=True)["diff"]
    assert diff["before"] == f"OLD_NOTE={MASK}\nDB_PASSWORD={MASK}\nDB_USER=root\n"
    assert diff["after"] == f"DB_USER=coze\nDB_PASSWORD={MASK} (changed)\nDB_DSN={MASK} (changed)\nWORKERS=1\n"


def test_a_secret_that_stays_is_not_marked_in_the_diff(call: Call, dest: Path) -> None:
    dest.parent.mkdir()
    dest.write_text(RESOLVED.replace("WORKERS=1", "WORKERS=2"), encoding="utf-8")
    (diff,) = call(content=TEXT, dest=str(dest), mode=oct(mode_of(dest))[2:], diff=True, reveal=True)["diff"]
    assert diff["before"].replace("WORKERS=2", "WORKERS=1") == diff["after"]
    assert "hunter2" not in str(diff)


def test_no_diff_unless_asked(call: Call, dest: Path) -> None:
    dest.parent.mkdir()
    assert "diff" not in call(content=TEXT, dest=str(dest))


def test_backup_keeps_what_was_replaced(call: Call, dest: Path) -> None:
    dest.parent.mkdir()
    dest.write_text("A=old\n", encoding="utf-8")
    runs = [call(check=check, content="A=new\n", dest=str(dest), backup=True) for check in (True, False, False)]
    assert ["backup_file" in run for run in runs] == [False, True, False]
    assert Path(runs[1]["backup_file"]).read_text(encoding="utf-8") == "A=old\n"


def test_a_link_is_followed(call: Call, dest: Path, tmp_path: Path) -> None:
    dest.parent.mkdir()
    dest.write_text("A=old\n", encoding="utf-8")
    link = tmp_path / "link.env"
    link.symlink_to(dest)
    assert call(content="A=new\n", dest=str(link))["dest"] == str(dest)
    assert link.is_symlink()
    assert dest.read_text(encoding="utf-8") == "A=new\n"


def test_check_mode_needs_no_directory(call: Call, dest: Path) -> None:
    result = call(check=True, content=TEXT, dest=str(dest))
    assert (result["failed"], result["changed"], dest.parent.exists()) == (False, True, False)


# --- settings ---

SETTINGS = """\
LISTEN_ADDR=0.0.0.0:8888
SERVER_HOST=localhost${LISTEN_ADDR}
LOG_LEVEL=debug
MYSQL_DSN='coze:hunter2!@tcp(mysql:3306)/opencoze?parseTime=True'
REDIS_ADDR=redis:6379
STORAGE_TYPE=minio
STORAGE_BUCKET=opencoze
MINIO_ENDPOINT=http://minio:9000
MINIO_AK=hunter2-user
MINIO_SK=hunter2-key
ES_ADDR=http://elasticsearch:9200
ES_VERSION=v8
COZE_MQ_TYPE=nsq
MQ_NAME_SERVER=nsqlookupd:4161
VECTOR_STORE_TYPE=milvus
MILVUS_ADDR=milvus:19530
EMBEDDING_TYPE=ark
ARK_EMBEDDING_DIMS=2048
CODE_RUNNER_TYPE=sandbox
EMBEDING_TYPE=openai
PLUGIN_AES_AUTH_SECRET=hunter2
PLUGIN_AES_STATE_SECRET=hunter2-hunter2-
PLUGIN_AES_OAUTH_TOKEN_SECRET=hunter2-hunter2-
"""
FIXES = {
    "SERVER_HOST": "coze.example.com:8888",
    "MINIO_ENDPOINT": "minio:9000",
    "MQ_NAME_SERVER": "nsqd:4150",
    "PLUGIN_AES_AUTH_SECRET": "hunter2+hunter2+",
}


def test_settings_are_not_looked_at_without_a_release(call: Call) -> None:
    result = call(content=SETTINGS)
    assert (result["failed"], result["warnings"]) == (False, [])


def test_with_a_release_every_wrong_setting_is_a_problem_with_its_line(call: Call, tmp_path: Path, dest: Path) -> None:
    src = tmp_path / ".env"
    src.write_text(SETTINGS, encoding="utf-8")
    dest.parent.mkdir()
    result = call(src=str(src), release="0.2", dest=str(dest))
    assert result["failed"]
    assert [(problem["line"], problem["key"]) for problem in result["problems"]] == [
        (2, "SERVER_HOST"),
        (8, "MINIO_ENDPOINT"),
        (14, "MQ_NAME_SERVER"),
        (21, "PLUGIN_AES_AUTH_SECRET"),
    ]
    assert result["msg"].splitlines()[0].startswith(f"{src}:2: SERVER_HOST: has a listen address behind the host")
    # The doubts are told too, so that a second run brings no new ones.
    assert [warning.split(": ")[:2] for warning in result["warnings"]] == [
        [f"{src}:3", "LOG_LEVEL"],
        [f"{src}:17", "EMBEDDING_TYPE"],
        [f"{src}:20", "EMBEDING_TYPE"],
    ]
    assert "hunter2" not in json.dumps(result)
    assert not dest.exists()


def test_doubts_are_warnings(call: Call, dest: Path) -> None:
    runs = four_times(call, dest, content=SETTINGS, overrides=FIXES, release="0.2")
    assert [run["changed"] for run, dummy in runs] == [True, True, False, False]
    for run, dummy in runs:
        assert [warning.split(": ")[1] for warning in run["warnings"]] == ["LOG_LEVEL", "EMBEDDING_TYPE", "EMBEDING_TYPE"]
        assert run["invocation"]["module_args"]["release"] == "0.2"
        assert "hunter2" not in json.dumps(run)


def test_a_wrong_setting_that_an_override_made_is_not_blamed_on_the_file(call: Call) -> None:
    result = call(content=SETTINGS, overrides={**FIXES, "ES_VERSION": "v9"}, release="0.2")
    assert result["msg"] == "overrides: ES_VERSION: has to be one of v7, v8: the server does not start with anything else"


def test_a_line_that_cannot_be_read_does_not_hide_wrong_settings(call: Call) -> None:
    broken = SETTINGS.replace("'coze:hunter2!@tcp(mysql:3306)/opencoze?parseTime=True'", "coze:hunter2!@tcp(mysql:3306)/opencoze?parseTime=True")
    result = call(content=broken, release="0.2")
    assert [problem["key"] for problem in result["problems"]] == ["SERVER_HOST", "MYSQL_DSN", "MINIO_ENDPOINT", "MQ_NAME_SERVER", "PLUGIN_AES_AUTH_SECRET"]
    assert "an unquoted (" in result["problems"][1]["message"]
    assert "hunter2" not in json.dumps(result)


def test_a_release_that_does_not_exist_is_refused(call: Call) -> None:
    assert "value of release must be one of: 0.2, 0.3, 0.5" in call(content="A=1", release="0.4")["msg"]


# --- errors ---


def test_every_problem_is_in_the_message(call: Call, tmp_path: Path) -> None:
    src = tmp_path / ".env"
    src.write_text("A='x\nB=$NONE\nC=1\nD=$(id)\n", encoding="utf-8")
    result = call(src=str(src))
    assert result["failed"]
    lines = result["msg"].splitlines()
    assert [line.split(": ")[:2] for line in lines] == [[f"{src}:1", "A"], [f"{src}:2", "B"], [f"{src}:4", "D"]]
    assert result["problems"][1]["key"] == "B"


def test_a_failure_shows_no_overrides(call: Call) -> None:
    result = call(content="A=$NONE\n", overrides={"P": "hunter2!"})
    assert result["failed"]
    assert "hunter2" not in json.dumps(result)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"src": "/nonexistent/.env"}, "/nonexistent/.env: No such file or directory"),
        ({"src": "/"}, "/: Is a directory"),
        ({"content": "A=1", "dest": "/nonexistent/dir/x.env"}, "/nonexistent/dir: no such directory"),
        ({"content": "A=1", "dest": "/"}, "/: is a directory"),
        ({"content": "A=1", "overrides": {"B": None}}, "overrides: B: null is not a value"),
        ({"content": "A=1", "overrides": {"B": "x\ny"}}, "overrides: B: a line break"),
        ({"content": "A=x\\'\\\"", "dest": "/nonexistent/x", "format": "dotenv"}, "dotenv form: A: no quoting"),
        ({}, "one of the following is required: src, content"),
        ({"src": "x", "content": "A=1"}, "mutually exclusive"),
    ],
)
def test_failures_say_what_is_wrong(call: Call, args: dict[str, t.Any], message: str) -> None:
    result = call(**args)
    assert result["failed"]
    assert message in result["msg"]


def test_a_file_that_is_not_utf8_is_named_with_the_line(call: Call, tmp_path: Path) -> None:
    src = tmp_path / ".env"
    src.write_bytes(b"A=1\nB=\xff\n")
    assert call(src=str(src))["msg"] == f"{src}:2: not UTF-8: save the file in that encoding"


def test_nothing_is_written_when_something_is_wrong(call: Call, dest: Path) -> None:
    dest.parent.mkdir()
    assert call(content="A=1\nB=$NONE\n", dest=str(dest))["failed"]
    assert not dest.exists()
