# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Coze Studio in this process, for unit tests: the real server's answers of each line, with faults to switch on."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs

INTERNAL_ERROR = (500, {"code": 500, "msg": "internal server error"})
SIGNATURE = "?X-Amz-Credential=minioadmin&X-Amz-Signature=c0ffee"
SANDBOX = {"allow_env": "", "allow_net": "cdn.example.com", "timeout_seconds": 60, "memory_limit_mb": 100}
PAGE = b"<!doctype html><html><body>Coze Studio</body></html>"


@dataclass
class Fake:
    """State and faults of the fake. ``faults`` names what is broken:

    at the entry       slow, redirect, no_page (403), no_web (HTML for /api)
    of the stores      redis (HTTP 500), ids, elasticsearch (HTTP 500), queue (search never shows), template (search by name finds nothing)
    of the files       storage (404), signature (403), corrupt (other bytes), spa (HTML in the file's place), inner_links (minio:9000 is not rewritten)
    of the product     registration (disabled), no_models, no_delete (404), delete_fails (500), keys_shown (not masked), model_delete (500),
                       reset (HTTP 500, with the URL in it)

    Line 0.5 has an administration: ``basic`` are its settings, ``rows`` the table of models by id, ``table_counts`` says whether that is what is
    served (else it is ``file_models``), and models at a base_url of ``dead`` do not answer.
    """

    release: str = "0.5"
    faults: set[str] = field(default_factory=set)
    users: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    prompts: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    basic: dict[str, t.Any] = field(
        default_factory=lambda: {
            "admin_emails": "",
            "disable_user_registration": False,
            "allow_registration_email": "",
            "plugin_configuration": {"coze_saas_plugin_enabled": False},
            "code_runner_type": 1,
            "sandbox_config": dict(SANDBOX),
            "server_host": "http://localhost:8888",
        }
    )
    rows: dict[int, dict[str, t.Any]] = field(default_factory=lambda: {100001: row("Qwen")})
    files: dict[str, bytes] = field(default_factory=lambda: {"default_icon/default_agent_icon.png": b"\x89PNG icon"})
    file_models: dict[int, str] = field(default_factory=lambda: {100: "Qwen"})
    table_counts: bool = False
    dead: set[str] = field(default_factory=set)
    last_row: int = 100001
    port: int = 0
    ids: int = 7571180334562869248

    @property
    def url(self) -> str:
        return "http://127.0.0.1:%d" % self.port

    def next_id(self) -> str:
        self.ids += 1
        return str(self.ids)


def row(name: str, base_url: str = "http://models:8000/v1", key: str = "sk-fake", model: str = "qwen3", of: int = 1, base64: bool = False) -> dict[str, t.Any]:
    """A row of the table of models; ``of`` is the number of its class."""
    return {"name": name, "class": of, "base_url": base_url, "api_key": key, "model": model, "base64": base64}


def masked(key: str) -> str:
    ends = 2 if len(key) <= 8 else 4
    return "*" * len(key) if len(key) <= 4 else key[:ends] + "***" + key[-ends:]


def user_data(fake: Fake, email: str) -> dict[str, t.Any]:
    name = email.partition("@")[0]
    return {
        "user_id_str": "7711000000000000001",
        "name": name,
        "user_unique_name": name,
        "email": email,
        "description": "",
        "avatar_url": link(fake, "default_icon/user_default_icon.png"),
        "screen_name": name,
        "app_user_info": {"user_unique_name": name},
        "locale": "en-US",
        "user_create_time": 1795399564,
    }


def link(fake: Fake, key: str, host: str = "127.0.0.1") -> str:
    if "inner_links" in fake.faults:
        return "http://minio:9000/opencoze/%s%s" % (key, SIGNATURE)
    if fake.release == "0.2":
        # Its storage has a port of its own; here it is the same one, since a test has no fixed port.
        return "http://%s:%d/opencoze/%s%s" % (host, fake.port, key, SIGNATURE)
    return "http://%s:%d/local_storage/opencoze/%s%s" % (host, fake.port, key, SIGNATURE)


class Handler(http.server.BaseHTTPRequestHandler):
    fake: Fake

    def log_message(self, format: str, *args: t.Any) -> None:
        pass

    def do_GET(self) -> None:
        self.answer("GET")

    def do_POST(self) -> None:
        self.answer("POST")

    def answer(self, method: str) -> None:
        fake = self.fake
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        fake.calls.append("%s %s" % (method, path))
        fake.headers.append(dict(self.headers))
        if "slow" in fake.faults:
            time.sleep(1.5)
        if path == "/":
            return self.page()
        if path.startswith(("/local_storage/opencoze/", "/opencoze/")):
            return self.stored(path.partition("/opencoze/")[2])
        if "no_web" in fake.faults:
            return self.send(200, PAGE, "text/html")
        body = json.loads(raw) if raw else {}
        user = self.user()
        if path == "/api/passport/web/email/password/reset/" and user is not None:
            return self.json(*self.reset(parse_qs(self.path.partition("?")[2]), user))
        if path.startswith("/api/passport/web/email/") and "/reset/" not in path:
            return self.passport(path, body)
        if user is None:
            return self.json(*self.refusal())
        if path.startswith("/api/admin/") and fake.release == "0.5" and not self.is_admin(user):
            return self.json(401, {"code": 401, "msg": "the account does not have permission to access"})
        calls: dict[str, t.Callable[[dict[str, t.Any], str], tuple[int, dict[str, t.Any]]]] = {
            "/api/passport/account/info/v2/": lambda body, user: (200, {"data": user_data(fake, user), "code": 0, "msg": ""}),
            "/api/passport/web/logout/": self.logout,
            "/api/playground_api/space/list": self.spaces,
            "/api/playground_api/upsert_prompt_resource": self.create_prompt,
            "/api/playground_api/delete_prompt_resource": self.delete_prompt,
            "/api/plugin_api/library_resource_list": self.library,
            "/api/draftbot/create": lambda body, user: (200, {"code": 0, "msg": "", "data": {"bot_id": fake.next_id(), "check_not_pass": False}}),
            "/api/draftbot/delete": lambda body, user: (200, {"code": 0, "msg": "", "data": {}}),
            "/api/intelligence_api/search/get_draft_intelligence_list": lambda body, user: (
                200,
                {"data": {"intelligences": [{"basic_info": {"id": "1", "name": "a bot"}}]}, "code": 0, "msg": ""},
            ),
            "/api/bot/upload_file": self.upload,
            "/api/bot/get_type_list": self.models,
            "/api/developer/get_icon": lambda body, user: (
                200,
                {"code": 0, "msg": "", "data": {"icon_list": [{"url": link(fake, key), "uri": key} for key in ["default_icon/default_agent_icon.png"]]}},
            ),
        }
        if fake.release == "0.5":
            calls["/api/admin/config/model/list"] = self.admin_models
            calls["/api/admin/config/model/create"] = self.create_model
            calls["/api/admin/config/model/delete"] = self.delete_model
            calls["/api/admin/config/basic/get"] = lambda body, user: (200, {"configuration": fake.basic, "code": 0, "msg": ""})
            calls["/api/admin/config/basic/save"] = self.save_basic
            calls["/api/admin/config/knowledge/get"] = lambda body, user: (
                200,
                {"knowledge_config": {"embedding_config": {"type": 1, "max_batch_size": 100}, "builtin_model_id": 0}, "code": 0, "msg": ""},
            )
        if path not in calls:
            return self.json(404, {"code": 404, "msg": "not found"})
        return self.json(*calls[path](body, user))

    # -- answers

    def send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        # A client that ran out of patience is gone by now.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.end_headers()
            self.wfile.write(body)

    def json(self, status: int, payload: dict[str, t.Any], headers: dict[str, str] | None = None) -> None:
        self.send(status, json.dumps(payload).encode(), "application/json", headers)

    def page(self) -> None:
        if "redirect" in self.fake.faults:
            return self.send(301, b"", "text/html", {"Location": "https://coze.example.com/?token=x"})
        if "no_page" in self.fake.faults:
            return self.send(403, b"<h1>403 Forbidden</h1>", "text/html")
        return self.send(200, PAGE, "text/html; charset=utf-8")

    def refusal(self) -> tuple[int, dict[str, t.Any]]:
        if self.headers.get("Cookie"):
            return 200, {"code": 700012006, "msg": "authentication failed: session not exist"}
        if self.fake.release == "0.5":
            return 401, {"code": 401, "msg": "missing session_key in cookie"}
        return 200, {"code": 700012006, "msg": "authentication failed: missing session_key in cookie"}

    def stored(self, key: str) -> None:
        faults = self.fake.faults
        if "spa" in faults:
            return self.send(200, PAGE, "text/html")
        if "signature" in faults:
            return self.send(403, b"<?xml version='1.0'?><Error><Code>SignatureDoesNotMatch</Code></Error>", "application/xml")
        if key not in self.fake.files or "storage" in faults:
            return self.send(404, b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "application/xml")
        return self.send(200, self.fake.files[key] + (b"!" if "corrupt" in faults else b""), "image/png")

    # -- accounts

    def user(self) -> str | None:
        cookie = self.headers.get("Cookie") or ""
        key = cookie.partition("session_key=")[2]
        return next((email for email, held in self.fake.sessions.items() if held == key), None)

    def passport(self, path: str, body: dict[str, t.Any]) -> None:
        fake, email = self.fake, str(body["email"]).lower()
        if path.endswith("/register/v2/"):
            if "registration" in fake.faults:
                text = "The user registration has been disabled by the administrator. Please contact the administrator!"
                return self.json(200, {"code": 700000008, "msg": text})
            if "@" not in email:
                return self.json(200, {"code": 700000006, "msg": "invalid parameter : Invalid email"})
            if email in fake.users:
                return self.json(200, {"code": 700000001, "msg": "email already exist : %s" % email})
            if "redis" in fake.faults:
                return self.json(*INTERNAL_ERROR)
            fake.users[email] = body["password"]
        elif fake.users.get(email) != body["password"]:
            return self.json(200, {"code": 700000003, "msg": "invalid email or password, please try again."})
        elif "redis" in fake.faults:
            return self.json(*INTERNAL_ERROR)
        fake.sessions[email] = "s%199s" % fake.next_id().rjust(199, "0")
        origin = self.headers.get("Origin", "")
        # Without Origin the real server makes the domain of Host with its port; a jar drops that.
        domain = self.headers["Host"] if not origin or origin == "null" else origin.partition("://")[2]
        cookie = "session_key=%s; max-age=2592000; domain=%s; path=/; HttpOnly; SameSite" % (fake.sessions[email], domain)
        return self.json(200, {"data": user_data(fake, email), "code": 0, "msg": ""}, {"Set-Cookie": cookie})

    def logout(self, body: dict[str, t.Any], user: str) -> tuple[int, dict[str, t.Any]]:
        del self.fake.sessions[user]
        return 200, {"redirect_url": "", "code": 0, "msg": ""}

    def reset(self, query: dict[str, list[str]], user: str) -> tuple[int, dict[str, t.Any]]:
        fake, email = self.fake, query["email"][0].lower()
        if "reset" in fake.faults:
            return 500, {"code": 500, "msg": "cannot GET %s" % self.path}
        if fake.release == "0.5" and email != user:
            return 200, {"code": 700000007, "msg": "unauthorized access : email mismatch"}
        fake.users[email] = query["password"][0]
        fake.sessions.pop(email, None)
        return 200, {"code": 0, "msg": ""}

    # -- administration

    def is_admin(self, user: str) -> bool:
        admins = self.fake.basic["admin_emails"]
        return not admins or user in admins.lower().split(",")

    def save_basic(self, body: dict[str, t.Any], user: str) -> tuple[int, dict[str, t.Any]]:
        if not body["configuration"]["server_host"]:
            return 400, {"code": 400, "msg": "server host is empty"}
        self.fake.basic = body["configuration"]
        return 200, {"code": 0, "msg": ""}

    def admin_models(self, body: dict[str, t.Any], user: str) -> tuple[int, dict[str, t.Any]]:
        groups = []
        for number in (1, 2, 3, 11, 15, 19, 20):
            # Go's nil for a provider without models.
            models = [self.listed(key, held) for key, held in self.fake.rows.items() if held["class"] == number] or None
            groups.append({"provider": {"model_class": number}, "model_list": models})
        return 200, {"provider_model_list": groups, "code": 0, "msg": ""}

    def listed(self, key: int, held: dict[str, t.Any]) -> dict[str, t.Any]:
        shown = held["api_key"] if "keys_shown" in self.fake.faults else masked(held["api_key"])
        base = {"base_url": held["base_url"], "api_key": shown, "model": held["model"], "thinking_type": 0}
        return {"id": key, "display_info": {"name": held["name"]}, "connection": {"base_conn_info": base}, "enable_base64_url": held["base64"]}

    def create_model(self, body: dict[str, t.Any], user: str) -> tuple[int, dict[str, t.Any]]:
        fake, base = self.fake, body["connection"]["base_conn_info"]
        if base["base_url"] in fake.dead:
            text = 'generate model failed: failed to create chat completion: Post "%s/chat/completions": key %s: dial tcp: lookup models: no such host'
            return 400, {"code": 400, "msg": text % (base["base_url"], base["api_key"])}
        fake.last_row += 1
        fake.rows[fake.last_row] = row(
            body["model_name"], base["base_url"], base["api_key"], base["model"], body["model_class"], body["enable_base64_url"]
        )
        fake.table_counts = True
        return 200, {"id": str(fake.last_row), "code": 0, "msg": ""}

    def delete_model(self, body: dict[str, t.Any], user: str) -> tuple[int, dict[str, t.Any]]:
        if "model_delete" in self.fake.faults:
            return INTERNAL_ERROR
        self.fake.rows.pop(int(body["id"]), None)
        return 200, {"code": 0, "msg": ""}

    # -- resources

    def spaces(self, body: dict[str, t.Any], user: str) -> tuple[int, dict[str, t.Any]]:
        space = {"id": "7711000000000000002", "app_ids": None, "name": "Personal Space", "space_type": 1}
        return 200, {"data": {"bot_space_list": [space], "has_personal_space": True, "team_space_num": 0}, "code": 0, "msg": ""}

    def create_prompt(self, body: dict[str, t.Any], user: str) -> tuple[int, dict[str, t.Any]]:
        if "ids" in self.fake.faults:
            return 200, {"code": 110000002, "msg": "gen id failed : CreatePromptResource"}
        prompt_id = self.fake.next_id()
        self.fake.prompts[prompt_id] = body["prompt"]["name"]
        return 200, {"data": {"id": prompt_id}, "code": 0, "msg": "", "BaseResp": None}

    def delete_prompt(self, body: dict[str, t.Any], user: str) -> tuple[int, dict[str, t.Any]]:
        if "no_delete" in self.fake.faults:
            return 404, {"code": 404, "msg": "not found"}
        if "delete_fails" in self.fake.faults:
            return INTERNAL_ERROR
        del self.fake.prompts[body["prompt_resource_id"]]
        return 200, {"code": 0, "msg": "", "BaseResp": None}

    def library(self, body: dict[str, t.Any], user: str) -> tuple[int, dict[str, t.Any]]:
        faults = self.fake.faults
        if "elasticsearch" in faults:
            return INTERNAL_ERROR
        looks = self.fake.calls.count("POST /api/plugin_api/library_resource_list")
        wanted = body.get("name") or ""
        # The consumer takes a moment: the first look does not see it.
        hidden = "queue" in faults or looks < 2 or (wanted and "template" in faults)
        found = [] if hidden else [{"res_id": key, "res_type": 6, "name": name} for key, name in self.fake.prompts.items() if wanted in name]
        return 200, {"code": 0, "msg": "", "resource_list": found}

    def upload(self, body: dict[str, t.Any], user: str) -> tuple[int, dict[str, t.Any]]:
        key = "BIZ_BOT_ICON/7711_%s_x.%s" % (self.fake.next_id(), body["file_head"]["file_type"])
        self.fake.files[key] = base64.b64decode(body["data"])
        host = self.headers["Host"].partition(":")[0]
        return 200, {"code": 0, "msg": "", "data": {"upload_url": link(self.fake, key, host), "upload_uri": key}}

    def models(self, body: dict[str, t.Any], user: str) -> tuple[int, dict[str, t.Any]]:
        fake = self.fake
        served = {key: held["name"] for key, held in fake.rows.items()} if fake.table_counts else fake.file_models
        models = None if "no_models" in fake.faults else [{"name": name, "model_type": str(key)} for key, name in served.items()]
        return 200, {"code": 0, "msg": "", "data": {"model_list": models}}


@contextmanager
def serving(fake: Fake) -> t.Iterator[Fake]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"fake": fake}))
    fake.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
