# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
import zlib

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _product_check, _via_container
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.module_utils._product_check import Unexpected, browser_url, only_containers_know, tiny_png
from ansible_collections.cozeops.studio.plugins.modules import product_check
from ansible_collections.cozeops.studio.tests.unit.plugins.coze_fake import Fake, serving
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

EMAIL, PASSWORD = "verify@coze.cozeops.internal", "s3cret-of-verify"
NAMES = ["entry", "api", "account", "models", "prompt", "search", "upload", "icon", "cleanup"]
Call = t.Callable[..., dict[str, t.Any]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_product_check, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(_product_check, "BY_NAME_SECONDS", 0.1)


@pytest.fixture(params=["0.2", "0.3", "0.5"])
def fake(request: pytest.FixtureRequest) -> t.Iterator[Fake]:
    with serving(Fake(request.param)) as running:
        yield running


@pytest.fixture
def fake05() -> t.Iterator[Fake]:
    with serving(Fake("0.5")) as running:
        yield running


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(fake: Fake, check: bool = False, **args: t.Any) -> dict[str, t.Any]:
        given = {"url": fake.url, "email": EMAIL, "password": PASSWORD, "release": fake.release, "timeout": 0.5, **args}
        return run_main(product_check.main, capsys, given, check)

    return call


def row(result: dict[str, t.Any], step: str) -> dict[str, t.Any]:
    return next(item for item in result["steps"] if item["step"] == step)


def test_all_steps_of_a_working_product(fake: Fake, run: Call) -> None:
    result = run(fake)
    assert result["failed"] is False
    assert [item["step"] for item in result["steps"]] == NAMES
    assert all(item["ok"] for item in result["steps"])
    assert result["warnings"] == []


def test_table_has_a_line_for_every_step(fake05: Fake, run: Call) -> None:
    fake05.faults.add("elasticsearch")
    lines = run(fake05)["table"]
    assert [line.split()[0] for line in lines] == NAMES
    assert [line.split()[1] for line in lines].count("FAILED") == 1


def test_only_the_first_run_changes_something(fake: Fake, run: Call) -> None:
    first, second = run(fake), run(fake)
    assert (first["changed"], first["registered"]) == (True, True)
    assert (second["changed"], second["registered"]) == (False, False)
    assert row(first, "account")["detail"].startswith("registered as")
    assert row(second, "account")["detail"].startswith("logged in as")


def test_removes_what_it_made_and_tells_what_stays(fake: Fake, run: Call) -> None:
    result = run(fake)
    assert not fake.prompts
    assert not fake.sessions
    assert len(result["left"]) == 1
    assert "BIZ_BOT_ICON/" in result["left"][0]


def test_every_run_has_its_own_name(fake05: Fake, run: Call) -> None:
    assert row(run(fake05), "prompt")["detail"] != row(run(fake05), "prompt")["detail"]


@pytest.mark.parametrize("faults", [set(), {"storage"}, {"redis"}])
def test_prints_neither_password_nor_signature(fake: Fake, run: Call, faults: set[str]) -> None:
    fake.faults |= faults
    result = run(fake)
    result.pop("invocation", None)
    assert PASSWORD not in str(result)
    assert "c0ffee" not in str(result)
    assert "minioadmin" not in str(result)


def test_check_mode_does_nothing(fake05: Fake, run: Call) -> None:
    result = run(fake05, check=True)
    assert (result["changed"], result["skipped"]) == (False, True)
    assert "not done in check mode" in result["msg"]
    assert not fake05.calls


def test_no_model_is_a_warning(fake05: Fake, run: Call) -> None:
    fake05.faults.add("no_models")
    result = run(fake05)
    assert result["failed"] is False
    assert "No chat model" in result["warnings"][0]


def test_an_index_without_its_template_is_a_warning(fake05: Fake, run: Call) -> None:
    fake05.faults.add("template")
    result = run(fake05)
    assert result["failed"] is False
    assert "made without its template" in result["warnings"][0]


def test_a_server_without_the_delete_call_is_told(fake05: Fake, run: Call) -> None:
    fake05.faults.add("no_delete")
    result = run(fake05)
    assert result["failed"] is False
    assert any("no call to delete it" in item and item.startswith("prompt cozeops-check-") for item in result["left"])


def test_a_delete_that_fails_is_a_warning(fake05: Fake, run: Call) -> None:
    fake05.faults.add("delete_fails")
    result = run(fake05)
    assert result["failed"] is False
    assert "could not be deleted" in result["warnings"][0]


@pytest.mark.parametrize(
    ("fault", "step", "says"),
    [
        ("redirect", "entry", ["HTTP 301 to https://coze.example.com/.", "Set url to where it leads"]),
        ("no_page", "entry", ["expected the web page", "got HTTP 403", "coze-web lacks the page's files"]),
        ("no_web", "api", ["without the API's JSON", "pass /api on to coze-server"]),
        ("redis", "account", ["HTTP 500", "internal server error", "It crosses MySQL and Redis", "REDIS_ADDR and REDIS_PASSWORD"]),
        ("registration", "account", ["DISABLE_USER_REGISTRATION=false"]),
        ("ids", "prompt", ["gen id failed", "Redis is the usual cause"]),
        ("elasticsearch", "search", ["library_resource_list: HTTP 500", "Elasticsearch", "log of coze-server"]),
        ("queue", "search", ["expected the library to list prompt cozeops-check-", "lists without it", "MQ_NAME_SERVER", "ES_ADDR"]),
        ("storage", "upload", ["expected HTTP 200 from", "got HTTP 404", "It crosses MinIO", "NoSuchKey"]),
        ("signature", "upload", ["SignatureDoesNotMatch", "the Host that the URL was signed for"]),
        ("corrupt", "upload", ["of the icon back"]),
        ("spa", "icon", ["expected an image", "no location /local_storage/"]),
        ("inner_links", "icon", ["http://minio:9000/opencoze/", "whose host only the containers know"]),
    ],
)
def test_a_fault_names_its_step_and_its_cause(fake: Fake, run: Call, fault: str, step: str, says: list[str]) -> None:
    fake.faults.add(fault)
    result = run(fake)
    assert result["failed"] is True
    assert row(result, step)["ok"] is False
    message = next(line for line in result["msg"].splitlines() if line.startswith("Step %s failed at %s" % (step, fake.url)))
    for text in says:
        assert text in message


def test_one_run_tells_of_every_fault(fake05: Fake, run: Call) -> None:
    fake05.faults |= {"queue", "storage"}
    result = run(fake05)
    assert [item["step"] for item in result["steps"] if not item["ok"]] == ["search", "upload", "icon"]
    assert len(result["msg"].splitlines()) == 3


def test_what_needs_a_failed_step_is_not_tried(fake05: Fake, run: Call) -> None:
    fake05.faults.add("redis")
    result = run(fake05)
    assert row(result, "search")["detail"] == "not tried: needs step prompt"
    assert not [path for path in fake05.calls if "upsert" in path]


def test_cleans_up_after_a_failure(fake05: Fake, run: Call) -> None:
    fake05.faults.add("queue")
    assert run(fake05)["failed"] is True
    assert not fake05.prompts
    assert not fake05.sessions


def test_a_failed_run_that_registered_says_changed(fake05: Fake, run: Call) -> None:
    fake05.faults.add("queue")
    assert run(fake05)["changed"] is True


def test_another_password_is_told(fake05: Fake, run: Call) -> None:
    fake05.users[EMAIL] = "another"
    result = run(fake05)
    assert "Its password is another one" in result["msg"]
    assert fake05.users == {EMAIL: "another"}


@pytest.mark.parametrize(("running", "told", "says"), [("0.3", "0.5", "an answer of line 0.2 or 0.3"), ("0.5", "0.3", "an answer of line 0.5")])
def test_the_wrong_line_is_named(run: Call, running: str, told: str, says: str) -> None:
    with serving(Fake(running)) as fake:
        result = run(fake, release=told)
    assert says in result["msg"]
    assert [item["step"] for item in result["steps"] if not item["ok"]] == ["api"]


def test_a_slow_server_fails_the_entry_only(fake05: Fake, run: Call) -> None:
    fake05.faults.add("slow")
    result = run(fake05, timeout=0.2)
    assert "gave no answer within 0.2 s" in result["msg"]
    assert fake05.calls == ["GET /"]


@pytest.mark.parametrize(("release", "cause"), [("0.2", "MINIO_PROXY_ENDPOINT"), ("0.5", "sub_filter of coze-web")])
def test_inner_links_have_a_cause_of_their_line(run: Call, release: str, cause: str) -> None:
    with serving(Fake(release, faults={"inner_links"})) as fake:
        assert cause in run(fake)["msg"]


def test_bad_url(fake05: Fake, run: Call) -> None:
    assert "such as http" in run(fake05, url="coze")["msg"]


def test_container_that_cannot_be_entered(fake05: Fake, run: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect() -> None:
        raise EngineError("no Docker Engine answers")

    monkeypatch.setattr(_via_container, "connect", connect)
    result = run(fake05, via_container="coze-coze-web")
    assert (result["failed"], result["msg"], result["steps"]) == (True, "no Docker Engine answers", [])


def test_png_is_whole_and_its_own() -> None:
    png = tiny_png("a")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    rest, kinds = png[8:], []
    while rest:
        size = int.from_bytes(rest[:4], "big")
        assert zlib.crc32(rest[4 : 8 + size]) == int.from_bytes(rest[8 + size : 12 + size], "big")
        kinds.append(rest[4:8])
        rest = rest[12 + size :]
    assert kinds == [b"IHDR", b"tEXt", b"IDAT", b"IEND"]
    assert png != tiny_png("b")


@pytest.mark.parametrize(
    ("entry", "link", "url"),
    [
        ("http://127.0.0.1:8888", "http://127.0.0.1:8888/local_storage/a?x=1", "http://127.0.0.1:8888/local_storage/a?x=1"),
        ("http://127.0.0.1:8888", "http://127.0.0.1:8889/opencoze/a", "http://127.0.0.1:8889/opencoze/a"),
        ("https://coze.example.com", "http://coze.example.com/local_storage/a", "https://coze.example.com/local_storage/a"),
        ("https://h:8443", "http://h:8443/local_storage/a", "https://h:8443/local_storage/a"),
        ("http://127.0.0.1:8888", "https://bucket.s3.example.com/a", "https://bucket.s3.example.com/a"),
        ("http://coze:8888", "http://coze:8888/local_storage/a", "http://coze:8888/local_storage/a"),
    ],
)
def test_browser_url(entry: str, link: str, url: str) -> None:
    assert browser_url(entry, link, "0.5") == url


@pytest.mark.parametrize("link", ["", "/local_storage/a", "ftp://h/a", "http://h:x/a", "http://[h", "http://minio:9000/a"])
def test_browser_url_refuses(link: str) -> None:
    with pytest.raises(Unexpected):
        browser_url("http://127.0.0.1:8888", link, "0.5")


@pytest.mark.parametrize(("host", "inner"), [("minio", True), ("localhost", False), ("10.0.0.1", False), ("::1", False), ("a.example", False)])
def test_only_containers_know(host: str, inner: bool) -> None:
    assert only_containers_know(host) is inner
