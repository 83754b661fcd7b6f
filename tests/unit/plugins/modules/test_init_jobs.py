# SPDX-License-Identifier: GPL-3.0-or-later
"""The init jobs where no Engine is needed: how they end without a store, and what they make of answers that a healthy store never gives."""

from __future__ import annotations

import http.server
import json
import pathlib
import threading
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._init_job import Store
from ansible_collections.cozeops.studio.plugins.modules import bucket_seed, mysql_schema, search_index
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

JOBS: dict[str, tuple[t.Any, dict[str, t.Any]]] = {
    "mysql_schema": (mysql_schema, {"schema": "/nonesuch/schema.sql"}),
    "search_index": (search_index, {"templates": "/nonesuch"}),
    "bucket_seed": (bucket_seed, {"bucket": "opencoze"}),
}


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("check", [True, False])
def test_without_an_engine(job: str, check: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonesuch.sock")
    module, options = JOBS[job]
    ledger = tmp_path / "ledger.json"
    result = run_main(module.main, capsys, {"container": "coze-x", "ledger": str(ledger), **options}, check=check)
    assert result["failed"] == (not check)
    assert "no Docker Engine answers" in result["msg"]
    assert result.get("changed", False) == check
    assert not ledger.exists()


class Elasticsearch(http.server.BaseHTTPRequestHandler):
    """Answers by method and path; anything else is 404."""

    answers: t.ClassVar[dict[str, tuple[int, t.Any]]] = {}
    asked: t.ClassVar[list[str]] = []

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append(f"{self.command} {self.path} {self.headers.get('Authorization', '')}".strip())
        status, body = self.answers.get(f"{self.command} {self.path}", (404, {}))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    do_GET = do_PUT = answer

    def log_message(self, *_arguments: t.Any) -> None:
        """Silent."""


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> t.Iterator[dict[str, t.Any]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elasticsearch)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    info = {"State": {"Pid": 1}, "Config": {"Env": ["ES_PW=s3cret=!"], "Labels": {"cozeops.stack": "coze", "cozeops.service": "elasticsearch"}}}
    monkeypatch.setattr(search_index, "find_store", lambda name: Store(None, name, info))
    monkeypatch.setattr(search_index, "in_netns", lambda _pid, work: work())
    (tmp_path / "a.index-template.json").write_text('{"index_patterns": ["a*"]}')
    Elasticsearch.asked.clear()
    Elasticsearch.answers = {"GET /_cat/plugins?format=json": (200, []), "GET /": (200, {"version": {"number": "8.18.0"}})}
    yield {"container": "coze-es", "ledger": str(tmp_path / "ledger.json"), "templates": str(tmp_path), "port": server.server_port, "refresh_interval": ""}
    server.shutdown()
    server.server_close()


def test_missing_plugin_names_the_version(search: dict[str, t.Any], capsys: pytest.CaptureFixture[str]) -> None:
    result = run_main(search_index.main, capsys, search)
    assert result["failed"]
    assert "Put analysis-smartcn.zip, made for exactly Elasticsearch 8.18.0" in result["msg"]


def test_login_that_is_wanted_is_told(search: dict[str, t.Any], capsys: pytest.CaptureFixture[str]) -> None:
    Elasticsearch.answers["GET /_cat/plugins?format=json"] = (401, {})
    result = run_main(search_index.main, capsys, search)
    assert "set user_env and password_env" in result["msg"]


def test_login_comes_from_the_containers_environment_and_is_not_returned(search: dict[str, t.Any], capsys: pytest.CaptureFixture[str]) -> None:
    result = run_main(search_index.main, capsys, {**search, "password_env": "ES_PW"}, check=True)
    assert Elasticsearch.asked[0].endswith("Basic ZWxhc3RpYzpzM2NyZXQ9IQ==")
    assert "s3cret" not in json.dumps(result)


def test_reason_of_a_refusal_is_shown(search: dict[str, t.Any], capsys: pytest.CaptureFixture[str]) -> None:
    Elasticsearch.answers["PUT /_index_template/a"] = (400, {"error": {"reason": "bad template", "caused_by": {"reason": "no smartcn"}}})
    result = run_main(search_index.main, capsys, {**search, "plugin": ""})
    assert "PUT /_index_template/a gave HTTP 400: bad template: no smartcn" in result["msg"]


def test_ledger_names_stack_and_service(search: dict[str, t.Any], capsys: pytest.CaptureFixture[str]) -> None:
    Elasticsearch.answers.update({"PUT /_index_template/a": (200, {}), "PUT /a": (200, {})})
    result = run_main(search_index.main, capsys, {**search, "plugin": "", "digest": "d"})
    assert result["changed"]
    ledger = json.loads(pathlib.Path(search["ledger"]).read_text())
    assert (ledger["stack"], ledger["service"]) == ("coze", "elasticsearch")
    assert (ledger["init"]["search_index"]["digest"], ledger["init"]["search_index"]["done"]) == ("d", ["a"])
