# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to this collection: a small client of Coze Studio's HTTP API, on the standard library only.

Facts of that API that shape this file: an error of the product is HTTP 200 with a code that is not 0; ids are strings; the domain of the
session cookie is often one that no cookie jar takes (a host with its port), so the cookie is read from the raw header; a login ends the
session that the user has elsewhere.
"""

from __future__ import annotations

import base64
import functools
import http.client
import json
import re
import typing as t
from urllib.parse import quote, urlsplit

from ansible_collections.cozeops.studio.plugins.module_utils._http import (
    Answer,
    Connect,
    Deadline,
    Target,
    excerpt,
    read_body,
    requested,
    tls_context,
    transport_message,
)

EMAIL_EXISTS = 700000001
WRONG_LOGIN = 700000003
BAD_EMAIL = 700000006
REGISTRATION_DISABLED = 700000008
NOT_AUTHENTICATED = 700012006
NO_ID = 110000002

#: More than any answer or icon that is asked for here has; a wrong url may lead to anything.
MAX_BODY = 16 * 1024 * 1024
BIZ_BOT_ICON = 1
HOST = re.compile(r"[A-Za-z0-9_\-]+(\.[A-Za-z0-9_\-]+)*\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")

Json = dict[str, t.Any]


class CozeError(Exception):
    """A call that did not succeed.

    ``code`` is the product's own (None if the answer was not the API's), ``status`` the HTTP status (0 if there was no answer).
    """

    def __init__(self, code: int | None, message: str, status: int, path: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.path = path

    def __str__(self) -> str:
        if self.status == 0:
            return "%s: %s" % (self.path, self.message)
        code = "" if self.code is None else ", code %d" % self.code
        return "%s: HTTP %d%s: %s" % (self.path, self.status, code, self.message)


class Entry(t.NamedTuple):
    """Where the API is: scheme, host and port of a URL without a path."""

    scheme: str
    host: str
    port: int
    netloc: str


def parse_entry(url: str) -> Entry:
    """The parts of ``scheme://host[:port]``. Raises ValueError with a sentence for the operator."""
    shown = re.sub(r"//.*@", "//", url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("url: %r is not a URL such as http://127.0.0.1:8888" % shown) from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(host):
        raise ValueError("url: %r is not a URL such as http://127.0.0.1:8888" % shown)
    if parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("url: %r is more than the entry, without user, path or query: give %s://%s" % (shown, parts.scheme, parts.netloc.rpartition("@")[2]))
    return Entry(parts.scheme, host, port if port is not None else {"http": 80, "https": 443}[parts.scheme], parts.netloc)


def without_query(url: str) -> str:
    """A URL fit for output: the query of a presigned one is a credential."""
    return url.partition("?")[0]


def session_key(set_cookie: t.Sequence[str]) -> str | None:
    """The session's key out of raw Set-Cookie headers, whatever domain they name. None if there is none."""
    for header in set_cookie:
        name, dummy, value = header.partition(";")[0].partition("=")
        if name.strip() == "session_key" and value.strip():
            return value.strip()
    return None


def envelope(answer: Answer, path: str) -> Json:
    """The JSON object of a successful answer. Raises CozeError for anything else."""
    try:
        payload = json.loads(answer.body.decode("utf-8"))
    except ValueError:
        payload = None
    if not isinstance(payload, dict) or not isinstance(payload.get("code"), int):
        raise CozeError(None, "the answer is not the API's JSON but %s: %s" % (answer.content_type, excerpt(answer.body)), answer.status, path)
    if answer.status != 200 or payload["code"] != 0:
        raise CozeError(payload["code"], str(payload.get("msg") or ""), answer.status, path)
    return payload


def explain(error: CozeError) -> str:
    """The likely cause of a failed call and what to set instead; empty if there is none to name."""
    if error.code == REGISTRATION_DISABLED:
        return (
            "Registration is disabled. Set DISABLE_USER_REGISTRATION=false in the .env and restart coze-server; from line 0.5 on, once the settings of "
            "/admin were saved they win over the .env: allow registration there. Or give an account that exists."
        )
    if error.code == BAD_EMAIL:
        return "The server does not take this as an e-mail address."
    if error.code == WRONG_LOGIN:
        return "There is no such account, or its password is another one (the server does not say which)."
    if error.code == NO_ID or (error.code == 500 and "/passport/" in error.path):
        return "Redis is the usual cause, ids come from it: see that it runs, and that REDIS_ADDR and REDIS_PASSWORD of coze-server are right."
    if error.code in (NOT_AUTHENTICATED, 401):
        return "The session is not valid (any more). Another login of the same user ends it: is somebody else using this account?"
    if error.code == 500:
        return "See the log of coze-server for the reason."
    if error.status in (502, 503, 504):
        return "The web entry (or a proxy before it) does not reach coze-server: is that running?"
    if error.status == 0:
        return "Is the stack running, and is this the address that its entry is published on?"
    if 300 <= error.status < 400:
        return "The entry sends elsewhere: set url to where it leads."
    if error.code is None:
        return "Is url the entry of Coze Studio, and does it pass /api on to coze-server?"
    return ""


class Coze:
    """A session with one Coze Studio.

    ``connect`` (host, port -> a connected socket) replaces the ordinary way to open connections; ``host_header`` is the name to ask for when
    the address of ``url`` is not the one that people use; ``timeout`` (seconds, may be set between calls) is for each call.
    """

    def __init__(self, url: str, connect: Connect | None = None, timeout: float = 10, host_header: str | None = None, validate_certs: bool = True) -> None:
        self.entry = parse_entry(url)
        if host_header is not None and not re.fullmatch(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?", host_header):
            raise ValueError("host_header: %r is not a host or host:port" % host_header)
        self.netloc = host_header or self.entry.netloc
        self.timeout = timeout
        self._connect = connect
        self._validate_certs = validate_certs
        self._session: str | None = None

    # -- transport

    @property
    def public_url(self) -> str:
        """The entry as the server sees it named."""
        return "%s://%s" % (self.entry.scheme, self.netloc)

    @property
    def public_host(self) -> str:
        return urlsplit(self.public_url).hostname or ""

    def request(self, method: str, path: str, body: bytes | None = None, headers: t.Mapping[str, str] | None = None) -> Answer:
        """One request to the entry, with the session if there is one. Raises CozeError if no answer comes."""
        # The server makes the cookie's domain of Origin; without it, of Host with its port, which is no domain.
        sent = {"Host": self.netloc, "Origin": self.public_url, **(headers or {})}
        if self._session is not None:
            sent["Cookie"] = "session_key=%s" % self._session
        return self._send(self.entry, method, path, path, body, sent)

    def fetch(self, url: str) -> Answer:
        """GET any URL as a browser follows a link, without the session. Raises CozeError if no answer comes."""
        parts = urlsplit(url)
        link = parse_entry("%s://%s" % (parts.scheme, parts.netloc))
        target = link
        if link.host == self.public_host:
            # The public name may resolve nowhere from here: it stands for the address of the entry.
            public = parse_entry(self.public_url)
            target = link._replace(host=self.entry.host, port=self.entry.port if link.port == public.port else link.port)
        path = quote((parts.path or "/") + ("?" + parts.query if parts.query else ""), safe="%/:=&?~+!$,;'@()*")
        return self._send(target, "GET", path, without_query(url), None, {"Host": parts.netloc})

    def _send(self, target: Entry, method: str, path: str, shown: str, body: bytes | None, headers: t.Mapping[str, str]) -> Answer:
        tls = functools.partial(tls_context, self._validate_certs)
        try:
            where = Target(target.scheme, target.host, target.port)
            with requested(where, method, path, body, headers, Deadline(self.timeout), self._connect, tls) as response:
                return Answer(response.status, response.headers, read_body(response, MAX_BODY))
        except (OSError, http.client.HTTPException) as exc:
            raise CozeError(None, transport_message(exc, target.host, target.port, self.timeout), 0, shown) from exc

    def call(self, path: str, body: Json | None = None, method: str = "POST") -> Json:
        """One call of the API: its JSON object. Raises CozeError."""
        data = json.dumps({} if body is None else body).encode() if method == "POST" else None
        answer = self.request(method, path, data, {"Content-Type": "application/json"} if data is not None else None)
        payload = envelope(answer, path)
        self._session = session_key(answer.headers.get_all("Set-Cookie") or []) or self._session
        return payload

    def anonymous(self, path: str = "/api/x") -> tuple[int, int | None]:
        """HTTP status and code that a call without a session gets; the code is None if the answer is not the API's."""
        held, self._session = self._session, None
        try:
            self.call(path, method="GET")
        except CozeError as exc:
            if exc.status == 0:
                raise
            return exc.status, exc.code
        finally:
            self._session = held
        return 200, 0

    # -- accounts: a user is {"id", "name", "email"}

    def register(self, email: str, password: str) -> Json:
        """Make an account and log in to it."""
        return user_of(self.call("/api/passport/web/email/register/v2/", {"email": email, "password": password}))

    def login(self, email: str, password: str) -> Json:
        """Log in. This ends the session that the user has elsewhere."""
        return user_of(self.call("/api/passport/web/email/login/", {"email": email, "password": password}))

    def info(self) -> Json:
        """Who is logged in."""
        return user_of(self.call("/api/passport/account/info/v2/"))

    def logout(self) -> None:
        """End the session, at the server too."""
        self.call("/api/passport/web/logout/", method="GET")
        self._session = None

    def spaces(self) -> list[Json]:
        return objects(self.call("/api/playground_api/space/list"), "data", "bot_space_list")

    # -- resources

    def create_prompt(self, space_id: str, name: str, text: str, description: str = "") -> str:
        prompt = {"space_id": space_id, "name": name, "description": description, "prompt_text": text}
        return string(self.call("/api/playground_api/upsert_prompt_resource", {"prompt": prompt}), "data", "id")

    def delete_prompt(self, prompt_id: str) -> bool:
        """False if this server has no call to delete a prompt."""
        return self._delete("/api/playground_api/delete_prompt_resource", {"prompt_resource_id": prompt_id})

    def search_library(self, space_id: str, name: str = "", size: int = 100) -> list[Json]:
        """What the library of a space has according to Elasticsearch, newest first: dicts with res_id, res_type, name."""
        body: Json = {"space_id": space_id, "size": size}
        if name:
            body["name"] = name
        return objects(self.call("/api/plugin_api/library_resource_list", body), "resource_list")

    def create_bot(self, space_id: str, name: str, icon_uri: str, description: str = "") -> str:
        body = {"space_id": space_id, "name": name, "description": description, "icon_uri": icon_uri}
        return string(self.call("/api/draftbot/create", body), "data", "bot_id")

    def delete_bot(self, space_id: str, bot_id: str) -> bool:
        """False if this server has no call to delete a bot."""
        return self._delete("/api/draftbot/delete", {"space_id": space_id, "bot_id": bot_id})

    def search_bots(self, space_id: str, size: int = 100) -> list[Json]:
        """The basic_info (id, name ...) of the projects of a space according to Elasticsearch."""
        body = {"space_id": space_id, "types": [1, 2], "size": size, "status": [1, 3, 4], "search_scope": 0, "order_by": 0}
        found = objects(self.call("/api/intelligence_api/search/get_draft_intelligence_list", body), "data", "intelligences")
        return [item.get("basic_info") or {} for item in found]

    def upload_file(self, data: bytes, file_type: str, biz_type: int = BIZ_BOT_ICON) -> tuple[str, str]:
        """Store a file: the URL to fetch it from (with a signature: a credential) and its key in the bucket."""
        body = {"file_head": {"file_type": file_type, "biz_type": biz_type}, "data": base64.b64encode(data).decode("ascii")}
        payload = self.call("/api/bot/upload_file", body)
        return string(payload, "data", "upload_url"), string(payload, "data", "upload_uri")

    def icons(self, icon_type: int = 1) -> list[Json]:
        """The default icons to choose from: dicts with url and uri."""
        return objects(self.call("/api/developer/get_icon", {"icon_type": icon_type}), "data", "icon_list")

    def model_types(self) -> list[Json]:
        """The chat models that users may choose: dicts with name and model_type (the id)."""
        return objects(self.call("/api/bot/get_type_list", {"model": True, "model_scene": 1}), "data", "model_list")

    def admin_models(self) -> list[Json]:
        """The models of all providers as the admin page lists them (line 0.5 and later); keys come masked."""
        providers = objects(self.call("/api/admin/config/model/list", method="GET"), "provider_model_list")
        return [model for provider in providers for model in provider.get("model_list") or []]

    def _delete(self, path: str, body: Json) -> bool:
        try:
            self.call(path, body)
        except CozeError as exc:
            if exc.status == 404:
                return False
            raise
        return True


def objects(payload: Json, *keys: str) -> list[Json]:
    """A list of objects under keys; Go's null for an empty list, or an absent one, is []."""
    value: t.Any = payload
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def string(payload: Json, *keys: str) -> str:
    """A string under keys, or "" if there is none."""
    value: t.Any = payload
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else str(value)


def user_of(payload: Json) -> Json:
    """The user of an answer of the passport calls."""
    return {"id": string(payload, "data", "user_id_str"), "name": string(payload, "data", "name"), "email": string(payload, "data", "email")}
