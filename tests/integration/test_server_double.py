# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's coze-server double on real stores, all three release lines: starts, calls, and the ways it dies."""

from __future__ import annotations

import base64
import concurrent.futures
import http.client
import http.server
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import typing as t
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.modules import account, admin_models
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

ROOT = Path(__file__).resolve().parents[2]
UPSTREAM = ROOT.parent / "shared" / "upstream"
PREFIX = f"dbl-{os.getpid()}"
PASSWORD = "root-password"
DIMS = 64

IMAGES = {"0.2": "opencoze/opencoze:latest", "0.3": "cozedev/coze-studio-server:0.3", "0.5": "cozedev/coze-studio-server:latest"}
STORES = {
    "mysql": "mysql:8.4.5",
    "redis": "bitnamilegacy/redis:8.0",
    "elasticsearch": "bitnamilegacy/elasticsearch:8.18.0",
    "minio": "minio/minio:RELEASE.2025-06-13T11-33-47Z-cpuv1",
    "etcd": "bitnamilegacy/etcd:3.5",
    "milvus": "milvusdb/milvus:v2.5.10",
    "nsqd": "nsqio/nsq:v1.2.1",
}
LINES = tuple(IMAGES)
every_line = pytest.mark.parametrize("line", LINES)

pytestmark = pytest.mark.integration


def load_source() -> t.Any:
    spec = importlib.util.spec_from_file_location("lab_source", ROOT / "tests" / "lab" / "source.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


source = load_source()


def docker(*arguments: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done


def why_not() -> str:
    """Why nothing can be run here; "" if it can."""
    if shutil.which("docker") is None or docker("info", check=False).returncode != 0:
        return "no Docker Engine answers: run make lab"
    missing = [image for image in [*STORES.values(), *IMAGES.values()] if docker("image", "inspect", image, check=False).returncode != 0]
    return f"images missing ({', '.join(missing)}): run make lab" if missing else ""


def address(container: str) -> str:
    return docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container).stdout.strip()


def log_of(container: str) -> str:
    done = docker("logs", container)
    return done.stdout + done.stderr


def wait_for(what: str, ready: t.Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"{what} after {seconds} s"
        time.sleep(0.2)


class Answer(t.NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> t.Any:
        return json.loads(self.body)

    @property
    def both(self) -> tuple[int, int]:
        """HTTP status and the product's code."""
        return self.status, self.json["code"]


class Client:
    """A caller that keeps the session as it stands in the raw header."""

    def __init__(self, host: str, port: int = 8888) -> None:
        self.host, self.port = host, port
        self.session = ""
        self.container = ""

    def send(self, method: str, path: str, body: t.Any = None, headers: dict[str, str] | None = None) -> Answer:
        sent = {"Origin": f"http://{self.host}:{self.port}", **(headers or {})}
        if self.session:
            sent.setdefault("Cookie", f"session_key={self.session}")
        if isinstance(body, dict):
            sent.setdefault("Content-Type", "application/json")
            body = json.dumps(body)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        cookie = re.match(r"session_key=([^;]+)", answer.headers.get("Set-Cookie", ""))
        if cookie:
            self.session = cookie[1]
        return answer

    def post(self, path: str, body: dict[str, t.Any] | None = None) -> t.Any:
        """A call that must succeed: its JSON."""
        answer = self.send("POST", path, body or {})
        assert answer.both == (200, 0), f"{path}: {answer.status} {answer.body!r}"
        return answer.json

    def register(self) -> str:
        email = f"u{uuid.uuid4().hex[:12]}@example.com"
        self.post("/api/passport/web/email/register/v2/", {"email": email, "password": "p"})
        return email

    def space(self) -> str:
        return t.cast("str", self.post("/api/playground_api/space/list")["data"]["bot_space_list"][0]["id"])

    def prompt(self, name: str) -> Answer:
        prompt = {"space_id": self.space(), "name": name, "description": "", "prompt_text": "x"}
        return self.send("POST", "/api/playground_api/upsert_prompt_resource", {"prompt": prompt})

    def library(self, name: str = "") -> Answer:
        return self.send("POST", "/api/plugin_api/library_resource_list", {"space_id": self.space(), "size": 10, "name": name})

    def find(self, name: str) -> dict[str, t.Any]:
        """The library's entry of that name, waited for."""
        found: list[dict[str, t.Any]] = []

        def look() -> bool:
            found.extend(self.library(name).json["resource_list"])
            return bool(found)

        wait_for(f"{name} in the library", look, 15)
        return found[0]


class Model(http.server.BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint: it says "two words", and turns texts into constant vectors."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/embeddings"):
            self.reply("application/json", json.dumps({"data": [{"embedding": [0.1] * body.get("dimensions", DIMS)} for dummy in body["input"]]}))
        elif body.get("stream"):
            pieces = [{"choices": [{"delta": {"content": word}}]} for word in ("two ", "words")]
            pieces.append({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}})  # type: ignore[dict-item]
            self.reply("text/event-stream", "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces) + "data: [DONE]\n\n")
        else:
            self.reply("application/json", json.dumps({"choices": [{"message": {"role": "assistant", "content": "two words"}}], "usage": {"total_tokens": 3}}))

    def reply(self, kind: str, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: t.Any) -> None:
        pass


class Lab:
    """The stores, and servers on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.network, self.empty = f"{PREFIX}-net", f"{PREFIX}-empty"
        self.containers: list[str] = []
        self.model_url = ""
        self._count = 0

    def name(self, what: str) -> str:
        self._count += 1
        name = f"{PREFIX}-{what}-{self._count}"
        self.containers.append(name)
        return name

    def store(self, service: str, *options: str, command: tuple[str, ...] = (), alias: str = "") -> str:
        name = self.name(alias or service)
        docker("run", "-d", "--name", name, "--network", self.network, "--network-alias", alias or service, *options, STORES[service], *command)
        return name

    def conf(self, line: str) -> Path:
        return self.folder / line / "backend" / "conf"

    def settings(self, line: str) -> dict[str, str]:
        """What a server of a line is told; the rest is in the image's own .env."""
        database = "db" + line.replace(".", "")
        return {
            "MYSQL_DSN": f"root:{PASSWORD}@tcp(mysql:3306)/{database}?charset=utf8mb4&parseTime=True",
            "STORAGE_BUCKET": f"opencoze-{database}",
            "MQ_NAME_SERVER": f"nsqd-{database}:4150",
            "EMBEDDING_TYPE": "openai",
            "OPENAI_EMBEDDING_BASE_URL": self.model_url,
            "OPENAI_EMBEDDING_DIMS": str(DIMS),
            "OPENAI_EMBEDDING_REQUEST_DIMS": str(DIMS),
        }

    def run(self, line: str, *options: str, env: dict[str, str] | None = None, network: str = "", conf: Path | None = None) -> str:
        """A server; its container is also kept when it ends."""
        values = {**self.settings(line), **(env or {})}
        given = [part for key, value in values.items() for part in ("-e", f"{key}={value}")]
        mount = ("-v", f"{conf or self.conf(line)}:/app/resources/conf:ro")
        name = self.name("server")
        docker("run", "-d", "--name", name, "--network", network or self.network, *mount, *given, *options, IMAGES[line])
        return name

    def serve(self, line: str, *options: str, env: dict[str, str] | None = None, conf: Path | None = None) -> Client:
        """A server that answers."""
        name = self.run(line, *options, env=env, conf=conf)
        client = Client(address(name))

        def answers() -> bool:
            assert docker("inspect", "-f", "{{.State.Running}}", name).stdout.strip() == "true", log_of(name)
            try:
                return client.send("GET", "/api/x").status in (200, 401)
            except OSError:
                return False

        wait_for(f"server {line}", answers, 20)
        client.container = name
        return client

    def death(self, line: str, *options: str, **how: t.Any) -> str:
        """The log of a server that ends by itself, which must be with code 2."""
        name = self.run(line, *options, **how)
        code = subprocess.run(["docker", "wait", name], capture_output=True, text=True, timeout=20, check=True).stdout.strip()
        text = log_of(name)
        assert code == "2", text
        return text

    def sql(self, database: str, text: str, check: bool = True) -> str:
        command = ("exec", "-i", "-e", f"MYSQL_PWD={PASSWORD}", self.mysql, "mysql", "-uroot", "-N", "-B", "--default-character-set=utf8mb4")
        done = docker(*command, *([database] if database else []), stdin=text, check=check)
        return (done.stdout + done.stderr).strip()

    def search(self, method: str, path: str, body: str | None = None) -> t.Any:
        headers = ("-H", "Content-Type: application/json")
        data = ("--data-binary", "@-") if body is not None else ()
        done = docker("exec", "-i", self.elasticsearch, "curl", "-sS", "-X", method, *headers, *data, f"http://127.0.0.1:9200{path}", stdin=body)
        return json.loads(done.stdout)

    def database(self, name: str, tree: Path, migrations: tuple[str, ...] = ()) -> None:
        """A database with the schema of a source tree; both write their database's name into the statements."""
        self.sql("", f"CREATE DATABASE {name} COLLATE utf8mb4_unicode_ci")
        texts = [tree / "docker/volumes/mysql/schema.sql", *(tree / "docker/atlas/migrations" / each for each in migrations)]
        self.sql(name, "\n".join(re.sub(r"`?opencoze`?\.", f"{name}.", path.read_text(encoding="utf-8")) for path in texts))

    def start_stores(self) -> None:
        for network in (self.network, self.empty):
            docker("network", "create", network)
        keys = ("-e", "MINIO_ROOT_USER=minioadmin", "-e", "MINIO_ROOT_PASSWORD=minioadmin123")
        small = ("mysqld", "--innodb-buffer-pool-size=64M", "--performance-schema=OFF")
        self.mysql = self.store("mysql", "-e", f"MYSQL_ROOT_PASSWORD={PASSWORD}", command=small)
        install = "elasticsearch-plugin install -b file:///opt/lab/analysis-smartcn.zip"
        start = "exec /opt/bitnami/scripts/elasticsearch/entrypoint.sh /opt/bitnami/scripts/elasticsearch/run.sh"
        self.elasticsearch = self.store("elasticsearch", "-e", "ELASTICSEARCH_HEAP_SIZE=512m", command=("bash", "-ec", f"{install}; {start}"))
        minio = self.store("minio", *keys, command=("server", "/data"))
        etcd = self.store("etcd", "-e", "ALLOW_NONE_AUTHENTICATION=yes")
        self.store("redis", "-e", "ALLOW_EMPTY_PASSWORD=yes")
        for line in LINES:
            self.store("nsqd", command=("/nsqd",), alias="nsqd-db" + line.replace(".", ""))
        client = Client(address(minio), 9000)
        wait_for("MinIO", lambda: reachable(client, "/minio/health/ready"))
        wait_for("etcd", lambda: reachable(Client(address(etcd), 2379), "/health"))
        milvus = ("-e", "ETCD_ENDPOINTS=etcd:2379", "-e", "MINIO_ADDRESS=minio:9000")
        access = ("-e", "MINIO_ACCESS_KEY_ID=minioadmin", "-e", "MINIO_SECRET_ACCESS_KEY=minioadmin123")
        self.milvus = self.store("milvus", *milvus, *access, command=("milvus", "run", "standalone"))

    def fill_stores(self) -> None:
        ask = ("exec", "-e", f"MYSQL_PWD={PASSWORD}", self.mysql, "mysql", "-h127.0.0.1", "-uroot", "-e", "SELECT 1")
        wait_for("MySQL", lambda: docker(*ask, check=False).returncode == 0)
        for line in LINES:
            source.assemble(line, self.folder / line)
            fresh = ("20251028085526_update.sql",) if line == "0.5" else ()
            self.database("db" + line.replace(".", ""), self.folder / line, fresh)
        wait_for("Elasticsearch", lambda: reachable(Client(address(self.elasticsearch), 9200), "/_cluster/health"))
        for template in sorted((self.folder / "0.5/docker/volumes/elasticsearch/es_index_schema").glob("*.json")):
            name = template.name.split(".")[0]
            assert self.search("PUT", f"/_index_template/{name}", template.read_text(encoding="utf-8")) == {"acknowledged": True}
            self.search("PUT", f"/{name}")
        wait_for("Milvus", lambda: reachable(Client(address(self.milvus), 9091), "/healthz"))

    def close(self) -> None:
        docker("rm", "-fv", *self.containers, check=False)
        docker("network", "rm", self.network, self.empty, check=False)


def reachable(client: Client, path: str) -> bool:
    try:
        return client.send("GET", path).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Lab]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    lab = Lab(tmp_path_factory.mktemp("source"))
    model = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    try:
        lab.start_stores()
        gateway = docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", lab.network).stdout.strip()
        lab.model_url = f"http://{gateway}:{model.server_port}/v1"
        lab.fill_stores()
        yield lab
    finally:
        lab.close()
        model.shutdown()


@pytest.fixture(scope="module")
def conf(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Configuration directories that have a chat model, by line."""
    made = {}
    for line in LINES:
        made[line] = tmp_path_factory.mktemp("conf") / line
        shutil.copytree(lab.conf(line), made[line])
        template = (made[line] / "model/template/model_template_openai.yaml").read_text(encoding="utf-8")
        text = template.replace('base_url: ""', f"base_url: {lab.model_url}").replace('model: ""', "model: lab")
        (made[line] / "model/lab.yaml").write_text(text, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def servers(lab: Lab, conf: dict[str, Path]) -> dict[str, Client]:
    """A server of each line, with a model."""
    return {line: lab.serve(line, conf=conf[line]) for line in LINES}


@pytest.fixture
def client(servers: dict[str, Client], line: str) -> Client:
    """A user of its own at the server of the line."""
    made = Client(servers[line].host)
    made.register()
    return made


# --- answers without a session ---


def test_only_the_newest_line_answers_a_missing_cookie_with_401(servers: dict[str, Client]) -> None:
    text = "missing session_key in cookie"
    for line, server in servers.items():
        answer = Client(server.host).send("GET", "/api/x")
        wanted = {"code": 401, "msg": text} if line == "0.5" else {"code": 700012006, "msg": f"authentication failed: {text}"}
        assert (answer.status, answer.json) == (401 if line == "0.5" else 200, wanted)
        assert answer.headers["Server"] == "hertz"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert len(answer.headers["X-Log-Id"]) == 36


@every_line
def test_pages_and_unknown_paths(servers: dict[str, Client], client: Client, line: str) -> None:
    nobody = Client(servers[line].host)
    assert nobody.send("GET", "/sign").headers.get_content_type() == "text/html"
    assert nobody.send("GET", "/api/passport/web/email/login/").both == (404, 404)
    assert client.send("GET", "/api/x").json == {"code": 404, "msg": "not found"}
    assert client.send("GET", "/nosuch").headers.get_content_type() == "text/html"
    admin = nobody.send("GET", "/admin/")
    assert (admin.headers.get_content_type() == "text/html") == (line == "0.5")
    assert client.send("GET", "/api/admin/config/basic/get").status == (200 if line == "0.5" else 404)


@every_line
def test_a_cookie_that_is_none_and_one_that_is_old(client: Client, line: str) -> None:
    bad = {"Cookie": "session_key=nonsense"}
    assert client.send("GET", "/api/x", headers=bad).json == {"code": 700012006, "msg": "authentication failed: access denied"}
    old = {"Cookie": f"session_key={client.session}"}
    assert client.send("GET", "/api/passport/web/logout/").json == {"code": 0, "msg": "", "redirect_url": ""}
    assert client.send("GET", "/api/x", headers=old).json == {"code": 700012006, "msg": "authentication failed: session not exist"}


# --- accounts ---


@every_line
def test_registering_and_logging_in(servers: dict[str, Client], line: str) -> None:
    host = servers[line].host
    user = Client(host)
    email = user.register()
    first = user.session
    again = user.send("POST", "/api/passport/web/email/register/v2/", {"email": email.upper(), "password": "x"})
    assert again.json == {"code": 700000001, "msg": f"email already exist : {email.upper()}"}
    wrong = user.send("POST", "/api/passport/web/email/login/", {"email": email, "password": "wrong"})
    assert wrong.json == {"code": 700000003, "msg": "invalid email or password, please try again."}
    form = user.send("POST", "/api/passport/web/email/login/", f"email={email}&password=p", {"Content-Type": "application/x-www-form-urlencoded"})
    assert form.both == (200, 0)
    assert user.session != first
    assert user.send("GET", "/api/x", headers={"Cookie": f"session_key={first}"}).json["msg"].endswith("session not exist")
    data = user.post("/api/passport/account/info/v2/")["data"]
    assert (data["email"], data["name"], data["locale"]) == (email, email.partition("@")[0], "en-US")


@every_line
def test_bad_registrations(servers: dict[str, Client], line: str) -> None:
    nobody = Client(servers[line].host)
    register, login = "/api/passport/web/email/register/v2/", "/api/passport/web/email/login/"
    assert nobody.send("POST", register, {"email": "", "password": "p"}).json == {"code": 700000006, "msg": "invalid parameter : Invalid email"}
    missing = "'{0}' field is a 'required' parameter, but the request body does not have this parameter '{0}'"
    assert nobody.send("POST", register, {"email": "a@b.c"}).json == {"code": 400, "msg": missing.format("password")}
    bare = nobody.send("POST", login, {})
    assert (bare.status, bare.headers.get_content_type(), bare.body.decode()) == (400, "text/plain", missing.format("email"))
    assert nobody.send("POST", login, "{", {"Content-Type": "application/json"}).body.startswith(b'bind body failed, err="Syntax error')


@pytest.mark.parametrize(("origin", "domain"), [("http://coze.example:99", "domain=coze.example; "), ("", "domain=1.2.3.4:5; "), ("null", "")])
def test_the_cookies_domain(servers: dict[str, Client], origin: str, domain: str) -> None:
    user = Client(servers["0.5"].host)
    email = user.register()
    connection = http.client.HTTPConnection(user.host, 8888)
    headers = {"Content-Type": "application/json", "Host": "1.2.3.4:5", **({"Origin": origin} if origin else {})}
    connection.request("POST", "/api/passport/web/email/login/", json.dumps({"email": email, "password": "p"}), headers)
    cookie = connection.getresponse().headers["Set-Cookie"]
    assert re.fullmatch(rf"session_key=[\w.-]{{190,210}}; max-age=2592000; {re.escape(domain)}path=/; HttpOnly; SameSite", cookie)


def test_closed_registration(lab: Lab) -> None:
    for line, env, may in [
        ("0.2", {"DISABLE_USER_REGISTRATION": "TRUE", "ALLOW_REGISTRATION_EMAIL": "x@y.z,a@b.c"}, True),
        ("0.5", {"DISABLE_USER_REGISTRATION": "true", "ALLOW_REGISTRATION_EMAIL": "x@y.z,a@b.c"}, False),  # upstream's fault
    ]:
        server = lab.serve(line, env=env)
        codes = [server.send("POST", "/api/passport/web/email/register/v2/", {"email": mail, "password": "p"}).json["code"] for mail in ("a@b.c", "o@b.c")]
        assert codes == [0 if may else 700000008, 700000008]


# --- resources ---


@every_line
def test_what_is_made_is_found(client: Client, line: str) -> None:
    space = client.space()
    prompt = client.prompt("a prompt").json["data"]["id"]
    info = client.send("GET", f"/api/playground_api/get_prompt_resource_info?prompt_resource_id={prompt}").json["data"]
    assert info == {"id": prompt, "space_id": space, "name": "a prompt", "description": "", "prompt_text": "x"}
    entry = client.find("a prompt")
    assert (entry["res_id"], entry["res_type"]) == (prompt, 6)
    made = {"space_id": space, "name": "thing", "description": "d", "desc": "d", "icon_uri": "default_icon/default_agent_icon.png"}
    knowledge = client.post("/api/knowledge/create", {**made, "name": "know", "format_type": 0})["dataset_id"]
    assert client.find("know")["res_id"] == knowledge
    assert client.post("/api/workflow_api/create", {**made, "flow_mode": 0})["data"]["workflow_id"]
    assert client.post("/api/plugin_api/register_plugin_meta", made)["plugin_id"]
    assert client.post("/api/intelligence_api/draft_project/create", made)["data"]["project_id"]
    bot = client.post("/api/draftbot/create", made)["data"]["bot_id"]
    body = {"space_id": space, "types": [1], "size": 10, "status": [1, 3, 4], "search_scope": 0, "order_by": 0}

    def bots() -> list[str]:
        found = client.post("/api/intelligence_api/search/get_draft_intelligence_list", body)["data"]["intelligences"]
        return [item["basic_info"]["id"] for item in found]

    wait_for("the bot in the list", lambda: bots() == [bot], 15)
    client.post("/api/draftbot/delete", {"space_id": space, "bot_id": bot})
    client.post("/api/playground_api/delete_prompt_resource", {"prompt_resource_id": prompt})
    wait_for("the bot out of the list", lambda: bots() == [], 15)
    wait_for("the prompt out of the library", lambda: client.library("a prompt").json["resource_list"] == [], 15)


@every_line
def test_an_uploaded_file_is_fetched_as_a_browser_would(lab: Lab, client: Client, line: str) -> None:
    body = {"file_head": {"file_type": "png", "biz_type": 1}, "data": base64.b64encode(b"picture").decode()}
    url = urlsplit(client.post("/api/bot/upload_file", body)["data"]["upload_url"])
    if line == "0.2":
        assert (url.hostname, url.port) == (client.host, 8889)
        answer = Client(client.host, 8889).send("GET", f"{url.path}?{url.query}")
    else:
        assert url.netloc == "minio:9000"
        minio = next(name for name in lab.containers if "-minio-" in name)
        answer = Client(address(minio), 9000).send("GET", f"{url.path}?{url.query}", headers={"Host": "minio:9000"})
    assert (answer.status, answer.body) == (200, b"picture")
    icons = client.post("/api/developer/get_icon", {"icon_type": 1})["data"]["icon_list"]
    assert icons[0]["uri"] == "default_icon/default_agent_icon.png"


@every_line
def test_a_document_becomes_vectors(client: Client, line: str) -> None:
    knowledge = client.post("/api/knowledge/create", {"space_id": client.space(), "name": "k", "description": "", "format_type": 0})["dataset_id"]
    sources = [{"name": "doc", "source_info": {"document_source": 2, "custom_content": "one. two. three"}}]
    strategy = {"chunk_type": 1, "separator": ".", "max_tokens": 200}
    body = {"dataset_id": knowledge, "format_type": 0, "document_bases": sources, "chunk_strategy": strategy}
    document = client.post("/api/knowledge/document/create", body)["document_infos"][0]
    assert document["status"] == 0

    def progress() -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", client.post("/api/knowledge/document/progress/get", {"document_ids": [document["document_id"]]})["data"][0])

    wait_for("the document", lambda: progress()["status"] == 1, 40)
    assert progress()["progress"] == 100


# --- models, tokens, chat ---


def model_ids(client: Client) -> list[int]:
    return [model["model_type"] for model in client.post("/api/bot/get_type_list", {"model": True, "model_scene": 1})["data"]["model_list"]]


@every_line
def test_models_are_those_of_the_files_and_of_the_environment(client: Client, line: str) -> None:
    assert model_ids(client) == ([100, 100001] if line == "0.5" else [100])


def talkative_bot(client: Client) -> str:
    made = {"space_id": client.space(), "name": "bot", "description": "", "icon_uri": "x"}
    bot = client.post("/api/draftbot/create", made)["data"]["bot_id"]
    info = {"bot_id": bot, "model_info": {"model_id": "100", "max_tokens": 256}, "prompt_info": {"prompt": "be short", "prompt_type": 0}}
    client.post("/api/playground_api/draftbot/update_draft_bot_info", {"bot_info": info})
    return t.cast("str", bot)


def events(answer: Answer) -> list[str]:
    return re.findall(r"^event:(.*)$", answer.body.decode(), re.M)


@every_line
def test_chat_in_the_product(client: Client, line: str) -> None:
    bot = talkative_bot(client)
    body = {"bot_id": bot, "conversation_id": "0", "count": 10, "cursor": "0", "draft_mode": True, "scene": 0}
    conversation = client.post("/api/conversation/get_message_list", body)["conversation_id"]
    answer = client.send("POST", "/api/conversation/chat", {"bot_id": bot, "conversation_id": conversation, "query": "hi", "draft_mode": True, "scene": 0})
    assert answer.headers.get_content_type() == "text/event-stream"
    assert events(answer) == ["message"] * 5 + ["done"]
    kept = client.post("/api/conversation/get_message_list", body)["message_list"]
    assert [message["content"] for message in kept] == ["hi", "two words"]


@every_line
def test_chat_with_a_token(client: Client, line: str) -> None:
    bot = talkative_bot(client)
    wanted = {"name": "t", "duration_day": "1", "expire_at": 0}
    token = client.post("/api/permission_api/pat/create_personal_access_token_and_permission", wanted)["data"]["token"]
    assert re.fullmatch(r"pat_[0-9a-f]{64}", token)
    bearer = {"Authorization": f"Bearer {token}"}
    body = {"bot_id": bot, "user_id": "u", "stream": True, "additional_messages": [{"role": "user", "content": "hi", "content_type": "text"}]}
    api = Client(client.host)
    assert api.send("POST", "/v3/chat", body).json["msg"].endswith("missing authorization in header")
    assert api.send("POST", "/v3/chat", body, {"Authorization": "Bearer x"}).json["msg"].endswith("CheckPermission failed")
    client.post("/api/draftbot/publish", {"space_id": client.space(), "bot_id": bot, "commit_version": "", "publish_type": 0, "connectors": {"1024": {}}})
    seen = events(api.send("POST", "/v3/chat", body, bearer))
    assert seen[:3] == ["conversation.chat.created", "conversation.chat.in_progress", "conversation.message.delta"]
    assert seen[-2:] == ["conversation.chat.completed", "done"]
    quiet = api.send("POST", "/v3/chat", {**body, "stream": False}, bearer)
    if line != "0.5":
        assert events(quiet)[-1] == "done"
        return
    chat = quiet.json["data"]
    assert chat["status"] == "in_progress"
    query = f"?conversation_id={chat['conversation_id']}&chat_id={chat['id']}"
    wait_for("the answer", lambda: api.send("GET", f"/v3/chat/retrieve{query}", headers=bearer).json["data"]["status"] == "completed", 10)
    assert api.send("GET", f"/v3/chat/message/list{query}", headers=bearer).json["Messages"][-1]["content"] == "two words"


def test_administration(lab: Lab, conf: dict[str, Path]) -> None:
    lab.database("admin", lab.folder / "0.5", ("20251028085526_update.sql",))
    env = {"MYSQL_DSN": f"root:{PASSWORD}@tcp(mysql:3306)/admin?charset=utf8mb4&parseTime=True"}
    admin = lab.serve("0.5", env=env)
    email = admin.register()
    assert model_ids(admin) == [100001]
    connection = {"base_conn_info": {"base_url": "http://nosuchhost:1/v1", "api_key": "sk-secret", "model": "lab", "thinking_type": 0}}
    create = {"model_class": 1, "model_name": "Lab", "connection": connection, "enable_base64_url": False}
    failed = admin.send("POST", "/api/admin/config/model/create", create)
    assert failed.status == 400
    words = 'generate model failed: failed to create chat completion: Post "http://nosuchhost:1/v1/chat/completions": dial tcp: lookup'
    assert failed.json["msg"].startswith(words)
    connection["base_conn_info"]["base_url"] = lab.model_url
    made = admin.post("/api/admin/config/model/create", create)["id"]
    assert made == "100002"
    groups = admin.send("GET", "/api/admin/config/model/list").json["provider_model_list"]
    models = {model["id"]: model for group in groups for model in group["model_list"] or []}
    assert sorted(models) == [100001, 100002]
    assert models[100002]["connection"]["base_conn_info"]["api_key"] == "sk-s***cret"
    assert model_ids(admin) == [100001, 100002]
    admin.post("/api/admin/config/model/delete", {"id": made})
    assert model_ids(admin) == [100001]
    admin.post("/api/admin/config/model/delete", {"id": "4711"})
    assert admin.send("GET", "/api/admin/config/knowledge/get").json["knowledge_config"]["embedding_config"]["type"] == 1
    basic = admin.send("GET", "/api/admin/config/basic/get").json["configuration"]
    other = Client(admin.host)
    other.register()
    assert other.send("GET", "/api/admin/config/basic/get").status == 200
    admin.post("/api/admin/config/basic/save", {"configuration": {**basic, "admin_emails": email, "disable_user_registration": True}})
    denied = other.send("GET", "/api/admin/config/basic/get")
    assert (denied.status, denied.json) == (401, {"code": 401, "msg": "the account does not have permission to access"})
    assert Client(admin.host).send("POST", "/api/passport/web/email/register/v2/", {"email": "n@b.c", "password": "p"}).json["code"] == 700000008
    basic = {key: value for key, value in basic.items() if key != "sandbox_config"}
    admin.post("/api/admin/config/basic/save", {"configuration": {**basic, "code_runner_type": 1}})
    assert "panic: runtime error: invalid memory address or nil pointer dereference" in lab.death("0.5", env=env)


def fresh(lab: Lab, name: str) -> dict[str, str]:
    """Settings of a server of line 0.5 with a database of its own, and no model by environment."""
    lab.database(name, lab.folder / "0.5", ("20251028085526_update.sql",))
    dsn = f"root:{PASSWORD}@tcp(mysql:3306)/{name}?charset=utf8mb4&parseTime=True"
    return {"MYSQL_DSN": dsn, "MODEL_PROTOCOL_0": "", "MODEL_OPENCOZE_ID_0": ""}


def listed_ids(admin: Client) -> list[int]:
    groups = admin.send("GET", "/api/admin/config/model/list").json["provider_model_list"]
    return sorted(model["id"] for group in groups for model in group["model_list"] or [])


def test_what_is_served_is_the_files_or_the_table_and_never_both(lab: Lab, conf: dict[str, Path]) -> None:
    env = fresh(lab, "served")
    admin = lab.serve("0.5", env=env, conf=conf["0.5"])
    admin.register()
    connection = {"base_conn_info": {"base_url": lab.model_url, "api_key": "", "model": "lab"}}
    columns = "type, provider, display_info, connection, capability, parameters, extra, 0, 0, NULL"
    lab.sql("served", f"INSERT INTO model_instance SELECT 50, {columns} FROM model_instance")
    assert (model_ids(admin), listed_ids(admin)) == ([100], [50, 100])
    admin.post("/api/admin/config/model/delete", {"id": "50"})
    assert (model_ids(admin), listed_ids(admin)) == ([100], [100])
    made = admin.post("/api/admin/config/model/create", {"model_class": 1, "model_name": "Made", "connection": connection})["id"]
    assert model_ids(admin) == listed_ids(admin) == [100, int(made)]
    unknown = admin.send("POST", "/api/admin/config/model/create", {"model_class": 4711, "connection": connection})
    assert unknown.both == (400, 400)


def test_a_model_that_was_deleted_while_its_file_is_there_ends_the_next_start(lab: Lab, conf: dict[str, Path]) -> None:
    env = fresh(lab, "deleted")
    admin = lab.serve("0.5", env=env, conf=conf["0.5"])
    admin.register()
    admin.post("/api/admin/config/model/delete", {"id": "100"})
    assert (model_ids(admin), listed_ids(admin)) == ([100], [])
    words = "Error 1062 (23000): Duplicate entry '100' for key 'model_instance.PRIMARY'"
    assert f"init model config failed, err=sync old model to db failed, err: {words}" in lab.death("0.5", env=env, conf=conf["0.5"])
    lab.serve("0.5", env=env)


@every_line
def test_who_may_set_which_password(servers: dict[str, Client], client: Client, line: str) -> None:
    other = Client(servers[line].host)
    email = other.register()
    foreign = client.send("GET", f"/api/passport/web/email/password/reset/?email={email}&password=q")
    if line == "0.5":
        assert foreign.json == {"code": 700000007, "msg": "unauthorized access : email mismatch"}
    else:
        assert foreign.both == (200, 0)
    own = client.post("/api/passport/account/info/v2/")["data"]["email"]
    assert client.send("GET", f"/api/passport/web/email/password/reset/?email={own}&password=new").both == (200, 0)
    # Either change ends the session of the account.
    assert client.send("GET", "/api/x").json["msg"].endswith("session not exist")
    logins = [client.send("POST", "/api/passport/web/email/login/", {"email": own, "password": word}).json["code"] for word in ("p", "new")]
    assert logins == [700000003, 0]
    nobody = Client(servers[line].host).send("GET", f"/api/passport/web/email/password/reset/?email={own}&password=x")
    assert nobody.json["code"] == (401 if line == "0.5" else 700012006)


# --- the modules for it ---

Caller = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def module(capsys: pytest.CaptureFixture[str]) -> Caller:
    """Runs a module against a server: the result."""

    def run(main: t.Callable[[], None], server: Client, check: bool = False, **args: t.Any) -> dict[str, t.Any]:
        return run_main(main, capsys, {"url": f"http://{server.host}:{server.port}", "_ansible_diff": True, **args}, check)

    return run


@pytest.mark.parametrize("line", ["0.2", "0.5"])
def test_module_account_changes_a_password(servers: dict[str, Client], module: Caller, line: str) -> None:
    user = Client(servers[line].host)
    wanted = {"email": user.register(), "current_password": "p", "password": "s3cret-new", "release": line}
    assert module(account.main, user, check=True, **wanted)["password_changed"] is None
    did = module(account.main, user, **wanted)
    assert (did["changed"], did["password_changed"], did["exists"]) == (True, True, True)
    again = module(account.main, user, **wanted)
    assert (again["changed"], again["password_changed"]) == (False, False)
    wrong = module(account.main, user, **{**wanted, "password": "other-one", "current_password": "no-such-one"})
    assert "Neither password nor current_password logs in" in wrong["msg"]
    assert module(account.main, user, email=wanted["email"], password="s3cret-new", check_only=True)["failed"] is False


def test_module_account_names_an_administrator_once_and_logs_nobody_out(lab: Lab, module: Caller) -> None:
    env = fresh(lab, "claim")
    server = lab.serve("0.5", env=env)
    probe = {"probe_email": "verify@example.com", "probe_password": "s3cret-probe"}
    module(account.main, server, email=probe["probe_email"], password=probe["probe_password"])
    human = Client(server.host)
    email = human.register()
    wanted = {"email": email.upper(), "password": "not-known-here", "admin": True, "release": "0.5", **probe}
    before = human.send("GET", "/api/admin/config/basic/get").json["configuration"]
    check = module(account.main, server, check=True, **wanted)
    assert (check["changed"], check["admin"]) == (True, True)
    did = module(account.main, server, **wanted)
    assert (did["failed"], did["changed"], did["admin"]) == (False, True, True)
    # The session is still the one of the registration.
    assert human.send("GET", "/api/admin/config/basic/get").json["configuration"] == {**before, "admin_emails": email}
    again = module(account.main, server, **wanted)
    assert (again["failed"], again["changed"], again["admin"], again["warnings"]) == (False, False, None, [])
    assert human.send("GET", "/api/admin/config/basic/get").status == 200
    proved = module(account.main, server, email=email, password="p", admin=True, check_only=True)
    assert (proved["failed"], proved["admin"]) == (False, True)
    docker("restart", "-t", "1", server.container)
    wait_for("the server after the settings were saved", lambda: reachable_api(server), 20)


def reachable_api(server: Client) -> bool:
    try:
        return Client(address(server.container)).send("GET", "/api/x").status == 401
    except OSError:
        return False


def test_module_account_finds_no_administration_in_older_lines(servers: dict[str, Client], module: Caller) -> None:
    result = module(account.main, servers["0.2"], email=f"u{uuid.uuid4().hex[:12]}@example.com", password="p4ssword", admin=True)
    assert "release lines before 0.5 have no administration" in result["msg"]


def test_module_admin_models_brings_the_table_to_what_is_wanted(lab: Lab, conf: dict[str, Path], module: Caller) -> None:
    env = fresh(lab, "wanted")
    server = lab.serve("0.5", env=env, conf=conf["0.5"])
    login = {"email": "verify@example.com", "password": "s3cret-probe"}
    module(account.main, server, **login)
    reader = Client(server.host)
    reader.register()
    a = {"name": "A", "protocol": "openai", "base_url": lab.model_url, "model": "lab", "api_key": "sk-0123456789"}
    b = {**a, "name": "B", "protocol": "qwen", "connection": {"enable_base64_url": True}}

    def run(*wanted: dict[str, t.Any], **other: t.Any) -> dict[str, t.Any]:
        return module(admin_models.main, server, models=list(wanted), **login, file_ids=[100], **other)

    check = run(a, b, check=True)
    assert (check["changed"], listed_ids(reader)) == (True, [100])
    did = run(a, b)
    assert [(model["name"], model["action"], model["id"]) for model in did["models"]] == [("A", "created", 101), ("B", "created", 102)]
    assert did["diff"] == check["diff"]
    assert model_ids(reader) == listed_ids(reader) == [100, 101, 102]
    for again in (run(a, b), run(a, b, check=True)):
        assert (again["failed"], again["changed"], again["warnings"]) == (False, False, [])
    changed = run({**a, "base_url": lab.model_url + "/"}, {**b, "connection": {"enable_base64_url": False}}, purge=True)
    assert [(model["name"], model["action"], model["id"], model["deleted"]) for model in changed["models"]] == [
        ("A", "none", 101, []),
        ("B", "replaced", 103, [102]),
        (changed["models"][2]["name"], "left", 100, []),
    ]
    assert listed_ids(reader) == [100, 101, 103]
    dead = run({**a, "base_url": "http://nosuchhost:1/v1"}, b)
    assert (dead["failed"], [model["action"] for model in dead["models"]]) == (True, ["failed", "replaced"])
    assert 'Post "http://nosuchhost:1/v1/chat/completions": dial tcp: lookup' in dead["msg"]
    assert "sk-0123456789" not in json.dumps(dead)
    assert listed_ids(reader) == [100, 101, 104]
    # Nothing was deleted that the next start would miss.
    lab.serve("0.5", env=env, conf=conf["0.5"])


def test_module_admin_models_makes_the_table_count(lab: Lab, conf: dict[str, Path], module: Caller) -> None:
    env = fresh(lab, "counts")
    server = lab.serve("0.5", env=env, conf=conf["0.5"])
    login = {"email": "verify@example.com", "password": "s3cret-probe"}
    module(account.main, server, **login)
    reader = Client(server.host)
    reader.register()
    wanted = {"name": "A", "protocol": "openai", "base_url": lab.model_url, "model": "lab", "api_key": "sk-0123456789"}
    values = json.dumps({"base_conn_info": {"base_url": lab.model_url, "api_key": "sk-0123456789", "model": "lab", "thinking_type": 0}})
    lab.sql(
        "counts",
        "INSERT INTO model_instance SELECT 50, type, provider, JSON_OBJECT('name', 'A'), "
        f"'{values}', capability, parameters, extra, 0, 0, NULL FROM model_instance WHERE id = 100",
    )
    assert (model_ids(reader), listed_ids(reader)) == ([100], [50, 100])
    result = module(admin_models.main, server, models=[wanted], file_ids=[100], **login)
    assert [(model["action"], model["id"], model["deleted"]) for model in result["models"]] == [("replaced", 101, [50])]
    assert model_ids(reader) == listed_ids(reader) == [100, 101]
    assert module(admin_models.main, server, models=[wanted], file_ids=[100], **login)["changed"] is False


def test_module_admin_models_needs_an_administrator(lab: Lab, module: Caller) -> None:
    env = fresh(lab, "noadmin")
    server = lab.serve("0.5", env=env)
    module(account.main, server, email="boss@example.com", password="s3cret-boss", admin=True)
    login = {"email": "verify@example.com", "password": "s3cret-probe"}
    module(account.main, server, **login)
    assert "verify@example.com is no administrator: admin_emails in the settings of /admin names other accounts" in module(
        admin_models.main, server, models=[], **login
    )["msg"]


# --- the tasks of the role coze_server ---


class Play:
    """The tasks of a deployment that administer a server, against one server of the lab."""

    TASKS = ("Register the administrator", "Bring the models of the administration to what is wanted")

    def __init__(self, folder: Path, stack: str, line: str, chat_models: list[dict[str, t.Any]]) -> None:
        tasks = yaml.safe_load((ROOT / "playbooks/tasks/deploy.yml").read_text(encoding="utf-8"))
        self.book = folder / "play.json"
        service = {"env": {"MODEL_PROTOCOL_0": "", "MODEL_OPENCOZE_ID_0": ""}, "chat_models": {"models": chat_models}}
        variables = {
            "ansible_python_interpreter": sys.executable,
            "stack_name": stack,
            "stack_model": {"name": stack, "services": {"coze-server": service}, "placement": {"coze-server": ["localhost"]}},
            "_stack_line": line,
            "__stack_plan": {"plan": {"coze-server": {"action": "none"}}},
            "verify_email": "verify@example.com",
            "verify_password": "s3cret-verify",
            "coze_server_admin_email": "boss@example.com",
            "coze_server_admin_password": "s3cret-boss",
        }
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
        self.book.write_text(json.dumps([{**play, "tasks": [task for task in tasks if task["name"] in self.TASKS]}]), encoding="utf-8")

    def run(self, *arguments: str, **variables: t.Any) -> tuple[int, int, str]:
        """Exit code, number of changes and output."""
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(self.book), "-e", json.dumps(variables), *arguments]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        changed = re.search(r"changed=(\d+)", done.stdout)
        return done.returncode, int(changed[1]) if changed else -1, done.stdout + done.stderr


def test_role_claims_the_administration_and_keeps_models_in_it(lab: Lab, conf: dict[str, Path], tmp_path: Path) -> None:
    env = fresh(lab, "role")
    server = lab.serve("0.5", env=env, conf=conf["0.5"])
    stack = f"{PREFIX}-role"
    docker("rename", server.container, f"{stack}-coze-server")
    lab.containers.append(f"{stack}-coze-server")
    play = Play(tmp_path, stack, "0.5", [{"id": 100, "name": "x", "file": "lab.yaml"}])
    model = {"name": "A", "protocol": "openai", "base_url": lab.model_url, "model": "lab", "api_key": "sk-0123456789", "id": 7, "icon_uri": "x"}
    wanted = {"coze_server_models": [model]}
    assert play.run(**wanted)[:2] == (0, 1)
    # Both accounts exist now or are made, both are named, and the model is there.
    wanted |= {"coze_server_claim_admin": True, "coze_server_models_in": "admin"}
    code, changed, output = play.run(**wanted)
    assert (code, changed) == (0, 3), output
    assert "A: created, id 101" in output
    code, changed, output = play.run(**wanted)
    assert (code, changed) == (0, 0), output
    assert "[WARNING]" not in output
    boss = Client(server.host)
    boss.post("/api/passport/web/email/login/", {"email": "boss@example.com", "password": "s3cret-boss"})
    assert boss.send("GET", "/api/admin/config/basic/get").json["configuration"]["admin_emails"] == "boss@example.com,verify@example.com"
    # In check mode as well, without logging out the administrator.
    other = {**wanted, "coze_server_models": [{**model, "model": "other"}]}
    code, changed, output = play.run("--check", "--diff", "-v", **other)
    assert (code, changed) == (0, 1), output
    assert (listed_ids(boss), "A: replaced, deleted 101 (model)" in output) == ([100, 101], True)
    dead = {**wanted, "coze_server_models": [{**model, "base_url": "http://nosuchhost:1/v1"}]}
    code, changed, failed = play.run("--diff", "-vvv", **dead)
    assert code != 0
    assert "models: A: not created: generate model failed" in failed
    for secret in ("sk-0123456789", "s3cret-verify", "s3cret-boss"):
        assert secret not in re.sub(r"(?m)^.*(-e|extra_vars).*$", "", output + failed)


def test_role_leaves_older_lines_alone(lab: Lab, servers: dict[str, Client], tmp_path: Path) -> None:
    stack = f"{PREFIX}-old"
    name = lab.serve("0.2").container
    docker("rename", name, f"{stack}-coze-server")
    lab.containers.append(f"{stack}-coze-server")
    play = Play(tmp_path, stack, "0.2", [])
    wanted = {"coze_server_claim_admin": True, "coze_server_models_in": "admin", "coze_server_models": [{"name": "A"}]}
    assert play.run(**wanted)[:2] == (0, 1)
    assert play.run(**wanted)[:2] == (0, 0)


# --- upstream's own schemas ---


@pytest.mark.skipif(not UPSTREAM.is_dir(), reason="no upstream data beside the checkout")
@pytest.mark.parametrize(("line", "version"), [("0.2", "0.2.2"), ("0.5", "0.5.1")])
def test_it_works_on_upstreams_schema_and_configuration(lab: Lab, line: str, version: str) -> None:
    tree = UPSTREAM / f"coze-studio-{version}"
    database = "up" + line.replace(".", "")
    lab.database(database, tree)
    env = {"MYSQL_DSN": f"root:{PASSWORD}@tcp(mysql:3306)/{database}?charset=utf8mb4&parseTime=True"}
    server = lab.serve(line, env=env, conf=tree / "backend/conf")
    server.register()
    assert server.prompt("upstream").both == (200, 0)
    assert server.find("upstream")["res_type"] == 6
    if line == "0.2":
        assert model_ids(server) == []
        assert server.send("POST", "/api/draftbot/create", {"space_id": server.space(), "name": "b"}).json["code"] == 100000013
        return
    bot = server.post("/api/draftbot/create", {"space_id": server.space(), "name": "b", "icon_uri": "x"})["data"]["bot_id"]
    body = {"bot_id": bot, "conversation_id": "0", "count": 10, "cursor": "0", "draft_mode": True, "scene": 0}
    listed = server.send("POST", "/api/conversation/get_message_list", body)
    assert (listed.status, listed.json) == (500, {"code": 500, "msg": "internal server error"})
    assert events(server.send("POST", "/api/conversation/chat", {**body, "query": "hi"})) == ["error"]
    assert "Error 1054 (42S22): Unknown column 'user_id' in 'field list'" in log_of(server.container)
    migration = (tree / "docker/atlas/migrations/20251028085526_update.sql").read_text(encoding="utf-8").replace("opencoze", database)
    lab.sql(database, migration)
    assert server.send("POST", "/api/conversation/get_message_list", body).both == (200, 0)


def test_an_older_database_after_the_migrations(lab: Lab) -> None:
    old, new = lab.folder / "0.2", lab.folder / "0.5"
    lab.database("upgrade", old)
    env = {"MYSQL_DSN": f"root:{PASSWORD}@tcp(mysql:3306)/upgrade?charset=utf8mb4&parseTime=True"}
    text = lab.death("0.5", env=env)
    assert "init model config failed, err=get model by id failed, err: Error 1146 (42S02): Table 'upgrade.model_instance' doesn't exist" in text
    for path in sorted((new / "docker/atlas/migrations").glob("*_update.sql")):
        lab.sql("upgrade", path.read_text(encoding="utf-8").replace("opencoze", "upgrade"))
    assert "1060 (42S21)" in lab.sql("upgrade", path.read_text(encoding="utf-8").replace("opencoze", "upgrade"), check=False)
    columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '%s' ORDER BY 1, 2"
    assert lab.sql("", columns % "upgrade") == lab.sql("", columns % "db05")
    lab.serve("0.5", env=env).register()


# --- faults ---

FIRST = {"0.2": "main.go:117: [Info] load env file: .env", "0.3": "main.go:111: [Info] load env file: .env", "0.5": "main.go:111: [Info] load env file: .env"}
NO_MINIO = 'init minio client failed check bucket opencoze-{db} exist failed Get "http://minio:9000/opencoze-{db}/?location=": dial tcp: lookup minio'
NO_MYSQL = "mysql open, dsn: root:root-password@tcp(mysql:3306)/{db}?charset=utf8mb4&parseTime=True, err: dial tcp: lookup mysql"
PRIMARY = "Init - initPrimaryServices failed, err: "

Fault = tuple[str, dict[str, str], str]
FAULTS: list[Fault] = [
    ("0.2", {"MQ_NAME_SERVER": "gone:4150"}, PRIMARY + "register knowledge consumer failed, err=connect to nsqd failed, err=dial tcp: lookup gone"),
    ("0.3", {"MQ_NAME_SERVER": "gone:4150"}, PRIMARY + "register knowledge consumer failed, err=connect to nsqd failed, err=dial tcp: lookup gone"),
    ("0.5", {"MQ_NAME_SERVER": "gone:4150"}, PRIMARY + "register knowledge consumer failed, err=connect to nsqd failed, err=dial tcp: lookup gone"),
    ("0.2", {"MILVUS_ADDR": "gone:19530"}, PRIMARY + "init vector store failed, err=init milvus client failed, err=context deadline exceeded"),
    ("0.3", {"MILVUS_ADDR": "gone:19530"}, "err=init vector store failed, err=init milvus client failed, err=context deadline exceeded"),
    ("0.5", {"MILVUS_ADDR": "gone:19530"}, "err=init vector store failed, err=init milvus client failed, err=context deadline exceeded"),
    ("0.2", {"MYSQL_DSN": "u:p@tcp(gone:3306)/x"}, "err=mysql open, dsn: u:p@tcp(gone:3306)/x, err: dial tcp: lookup gone"),
    ("0.5", {"MYSQL_DSN": "root:wrong@tcp(mysql:3306)/db05"}, "err=init db failed, err=mysql open, dsn: root:wrong@tcp(mysql:3306)/db05, err: Error 1045"),
    ("0.2", {"MINIO_ENDPOINT": "gone:9000"}, "check bucket opencoze-db02 exist failed"),
    ("0.5", {"MINIO_SK": "wrong"}, "check bucket opencoze-db05 exist failed The request signature we calculated does not match"),
    ("0.5", {"MINIO_ENDPOINT": ""}, "init tos client failed, err=init minio client failed"),
    ("0.5", {"STORAGE_TYPE": '"minio" # minio / tos / s3'}, 'unknown storage type: "minio" # minio / tos / s3'),
    ("0.5", {"VECTOR_STORE_TYPE": ""}, "unexpected vector store type, type="),
    ("0.2", {"COZE_MQ_TYPE": "nats"}, "invalid mq type: nats"),
    ("0.5", {"MQ_NAME_SERVER": ""}, "name server is empty"),
    ("0.3", {"ES_VERSION": ""}, "unsupported es version"),
    ("0.3", {"EMBEDDING_TYPE": ""}, "init knowledge embedding failed, type not configured"),
    ("0.2", {"OPENAI_EMBEDDING_DIMS": "many"}, "init knowledge embedding openai dims failed"),
    ("0.2", {"MYSQL_DSN": f"root:{PASSWORD}@tcp(mysql:3306)/mysql"}, "Error 1146 (42S02): Table 'mysql.plugin_draft' doesn't exist"),
    ("0.5", {"MYSQL_DSN": f"root:{PASSWORD}@tcp(mysql:3306)/mysql"}, "Table 'mysql.model_instance' doesn't exist"),
    ("0.5", {"APP_ENV": "debug"}, "loadEnv failed, err=load env file(.env.debug) failed, err=open .env.debug: no such file or directory"),
]


@pytest.fixture(scope="module")
def deaths(lab: Lab) -> dict[int, str]:
    """The logs of all FAULTS, by their place in the list; several at a time, as three of them take 5 s."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return dict(enumerate(pool.map(lambda fault: lab.death(fault[0], env=fault[1]), FAULTS)))


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=[f"{line}-{'-'.join(env)}={'-'.join(env.values())[:20]}" for line, env, _words in FAULTS])
def test_it_dies_of_wrong_settings_with_the_real_ones_words(deaths: dict[int, str], number: int) -> None:
    assert FAULTS[number][2] in deaths[number]


@every_line
def test_alone_it_dies_at_its_first_store(lab: Lab, line: str) -> None:
    text = lab.death(line, network=lab.empty)
    db = "db" + line.replace(".", "")
    assert FIRST[line] in text
    start = "panic: InitializeInfra failed, err="
    assert start + {"0.2": NO_MYSQL}.get(line, "init tos client failed, err=" + NO_MINIO).format(db=db) in text


CONF_FAULTS = [
    ("0.5", "model/model_meta.json", None, "open /app/resources/conf/model/model_meta.json: no such file or directory"),
    ("0.3", "workflow/config.yaml", None, "open /app/resources/conf/workflow/config.yaml: no such file or directory"),
    ("0.2", "plugin/pluginproduct/plugin_meta.yaml", None, "plugin_meta.yaml: no such file or directory"),
    ("0.5", "plugin/common/oauth_schema.json", None, "oauth_schema.json: no such file or directory"),
    ("0.2", "prompt/nl2sql_template_jinja2.json", None, "nl2sql_template_jinja2.json: no such file or directory"),
    ("0.2", "model/a.yaml", "id: 1\nname: [\n", "yaml: line "),
    ("0.2", "model/a.yaml", "id: 1\nname: x\n", "missing icon URI or icon URL, id=1"),
    ("0.5", "model/a.yaml", "", "EOF"),
    ("0.5", "model/a.yaml", "id: 1\nmeta: {conn_config: {timeout: 5}}\n", "cannot unmarshal !!int `5` into time.Duration"),
    ("0.5", "model/a.yaml", "id: 1\nname: x\n", "panic: runtime error: invalid memory address or nil pointer dereference"),
]


@pytest.mark.parametrize(("line", "path", "content", "words"), CONF_FAULTS)
def test_it_dies_of_missing_and_bad_configuration(lab: Lab, tmp_path: Path, line: str, path: str, content: str | None, words: str) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(lab.conf(line), conf)
    if content is None:
        (conf / path).unlink()
    else:
        (conf / path).write_text(content, encoding="utf-8")
    assert words in lab.death(line, conf=conf)


@every_line
def test_wrong_redis_and_elasticsearch_show_only_in_use(lab: Lab, servers: dict[str, Client], conf: dict[str, Path], line: str) -> None:
    user = Client(servers[line].host)
    email = user.register()
    # Nothing else in these servers is wrong, and sessions are in MySQL: the cookie of the good server is good here too.
    without_redis = lab.serve(line, env={"REDIS_ADDR": "gone:6379"}, conf=conf[line])
    without_search = lab.serve(line, env={"ES_ADDR": "http://gone:9200"}, conf=conf[line])
    without_redis.session = without_search.session = user.session
    assert without_redis.send("POST", "/api/passport/web/email/login/", {"email": "no@b.c", "password": "p"}).both == (200, 700000003)
    for path, mail in (("login/", email), ("register/v2/", "new@b.c")):
        answer = without_redis.send("POST", f"/api/passport/web/email/{path}", {"email": mail, "password": "p"})
        assert (answer.status, answer.json) == (500, {"code": 500, "msg": "internal server error"})
    assert without_redis.prompt("none").json == {"code": 110000002, "msg": "gen id failed : CreatePromptResource"}
    assert without_search.prompt("late").both == (200, 0)
    made = {"space_id": user.space(), "name": "b", "icon_uri": "x"}
    assert without_search.send("POST", "/api/draftbot/create", made).both == (200, 0)
    listed = without_search.library()
    assert (listed.status, listed.json) == (500, {"code": 500, "msg": "internal server error"})


def test_the_environment_wins_over_the_file_even_when_empty(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("STORAGE_TYPE=s4\n", encoding="utf-8")
    mount = ("-v", f"{file}:/app/.env:ro")
    assert "unknown storage type: s4" in lab.death("0.5", *mount)
    assert "err=unknown storage type: \n" in lab.death("0.5", *mount, env={"STORAGE_TYPE": ""}).replace("init tos client failed, ", "")


def test_when_nsqd_goes_the_server_stays(lab: Lab, servers: dict[str, Client]) -> None:
    user = Client(servers["0.5"].host)
    user.register()
    docker("stop", "-t", "3", next(name for name in lab.containers if "-nsqd-db05-" in name))
    assert user.prompt("still").both == (200, 0)
    assert user.find("still")["res_type"] == 6


def test_it_ends_at_once_and_with_code_0_when_told_to(servers: dict[str, Client]) -> None:
    """The last one: it uses up the servers of the other tests."""
    for server in servers.values():
        begin = time.monotonic()
        docker("stop", server.container)
        assert time.monotonic() - begin < 3
        assert docker("inspect", "-f", "{{.State.ExitCode}}", server.container).stdout.strip() == "0"
