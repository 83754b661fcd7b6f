# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small image registry on 127.0.0.1, with tokens or passwords, as the distribution specification has it."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
TOKEN = "token-of-the-fake"


def index_of(*platforms: str) -> dict[str, Any]:
    entries = [{"platform": {"os": name.split("/")[0], "architecture": name.split("/")[1]}} for name in platforms]
    return {"manifests": [*entries, {"platform": {"os": "unknown", "architecture": "unknown"}}]}


class Fake(ThreadingHTTPServer):
    """``auth``: none, token, basic or closed. ``faults``: path -> status, or seconds to be silent for."""

    daemon_threads = True

    def __init__(self, auth: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.auth = auth
        self.faults: dict[str, float] = {}
        self.images: dict[str, tuple[str, dict[str, Any]]] = {}
        self.blobs: dict[str, dict[str, Any]] = {}
        self.seen: list[tuple[str, str, str]] = []

    @property
    def host(self) -> str:
        return "127.0.0.1:%d" % self.server_address[1]

    def allows(self, authorization: str) -> bool:
        basic = "Basic " + base64.b64encode(b"me:s3cret").decode()
        return {"none": True, "token": authorization == "Bearer " + TOKEN, "basic": authorization == basic}.get(self.auth, False)


class Handler(BaseHTTPRequestHandler):
    server: Fake

    def log_message(self, *_arguments: Any) -> None:
        pass

    def answer(self, status: int, document: Any = None, kind: str = "application/json", **headers: str) -> None:
        body = json.dumps(document).encode() if document is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        authorization = self.headers.get("Authorization", "")
        self.server.seen.append((self.command, parts.path, authorization))
        fault = self.server.faults.get(parts.path)
        if fault is not None and fault < 100:
            time.sleep(fault)
        elif fault is not None:
            return self.answer(int(fault), {"errors": []})
        if parts.path == "/token":
            wanted = parse_qs(parts.query).get("scope", [""])[0].startswith("repository:")
            return self.answer(200 if wanted else 400, {"token": TOKEN})
        if not self.server.allows(authorization):
            realm = 'Bearer realm="http://%s/token",service="fake"' % self.server.host if self.server.auth == "token" else 'Basic realm="fake"'
            return self.answer(401, {}, WWW_Authenticate=realm)
        if parts.path == "/v2/":
            return self.answer(200, {})
        name = parts.path[len("/v2/") :]
        if "/blobs/" in name and name in self.server.blobs:
            return self.answer(200, self.server.blobs[name])
        if name in self.server.images:
            kind, document = self.server.images[name]
            return self.answer(200, document, kind)
        return self.answer(404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]})

    do_HEAD = do_GET


@contextmanager
def registry(auth: str = "none") -> Iterator[Fake]:
    server = Fake(auth)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
