# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a store that is the operator's own answers, takes the login that it is given, and is what the server can work with.

A store is a dict with C(probe), one of PROBES, and the options of its kind (see ``_external``). A probe makes one attempt.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import re
import socket
import ssl
import struct
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._container import bracketed
from ansible_collections.cozeops.studio.plugins.module_utils._http import (
    Answer,
    Connect,
    Deadline,
    Target,
    excerpt,
    opened,
    read_body,
    requested,
    target_of_url,
    tls_context,
    transport_message,
)
from ansible_collections.cozeops.studio.plugins.module_utils._mysql_login import Refused, login
from ansible_collections.cozeops.studio.plugins.module_utils._probe import HTTP2_EMPTY_SETTINGS, HTTP2_PREFACE, receive, redis_answers, redis_call
from ansible_collections.cozeops.studio.plugins.module_utils._vectors import Collection, VectorError, collections

Store = t.Mapping[str, t.Any]

MAX_BODY = 4 * 1024 * 1024
SMARTCN = "analysis-smartcn"
MYSQL_ADVICE = {
    1044: "Grant the user all privileges on it.",
    1045: "Set user and password as the server has them.",
    1049: "Create it, and grant the user all privileges on it.",
    1130: "Allow this host at the server.",
}


class Bad(Exception):
    """What is wrong with a store. ``final``: waiting does not help."""

    def __init__(self, text: str, final: bool = True) -> None:
        super().__init__(text)
        self.final = final


class Way(t.NamedTuple):
    """How to reach it: ``connect`` opens connections from inside a container, None for those of the host itself; ``timeout`` in seconds, for a request."""

    connect: Connect | None
    timeout: float

    def open(self, target: Target, tls: t.Callable[[], ssl.SSLContext] = tls_context) -> socket.socket:
        sock = opened(target, Deadline(self.timeout), self.connect, tls)
        sock.settimeout(self.timeout)
        return sock

    def ask(self, target: Target, method: str, path: str, headers: t.Mapping[str, str] | None = None, body: t.Any = None) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **(headers or {})} if data else dict(headers or {})
        with requested(target, method, path, data, sent, Deadline(self.timeout), self.connect) as response:
            return Answer(response.status, response.headers, read_body(response, MAX_BODY))


def probe(store: Store, way: Way) -> str:
    """What was found, in words. Raises Bad."""
    where = [(str(store.get("host", "")), int(store.get("port") or 0))]

    def noting(host: str, port: int) -> socket.socket:
        # What a message is about is the last that was tried.
        where[0] = (host, port)
        return way.connect(host, port) if way.connect else socket.create_connection((host, port), way.timeout)

    try:
        return PROBES[store["probe"]](store, Way(noting, way.timeout))
    except Refused as exc:
        raise Bad("%s (%s)" % (exc, "MySQL error %d" % exc.code) if exc.code else str(exc)) from exc
    except ssl.SSLCertVerificationError as exc:
        raise Bad("%s. Have its authority trusted by the host and by the server's image" % transport_message(exc, *where[0], way.timeout)) from exc
    except ssl.SSLError as exc:
        raise Bad("%s:%d does not speak TLS (%s)" % (*where[0], exc.reason or exc)) from exc
    except Exception as exc:
        if isinstance(exc, Bad):
            raise
        # OSError, HTTPException, and what a stranger's answer makes of the parsing.
        if isinstance(exc, (ValueError, KeyError, struct.error, IndexError, TypeError, AttributeError)):
            raise Bad("%s:%d answers with what is no %s" % (*where[0], store["kind"])) from exc
        raise Bad(transport_message(exc, *where[0], way.timeout), final=False) from exc


def target_of(store: Store) -> Target:
    return Target("https" if store.get("tls") is True else "http", str(store["host"]), int(store["port"]))


def unverified() -> ssl.SSLContext:
    return tls_context(validate_certs=False)


def mysql(store: Store, way: Way) -> str:
    wanted = str(store.get("tls") or "false")
    host = str(store["host"])
    context = tls_context() if wanted == "true" else unverified()
    with way.open(Target("tcp", host, int(store["port"]))) as sock:
        try:
            # The password goes through TLS wherever the server has it, whatever the server of Coze Studio is told to do.
            found = login(
                sock,
                str(store["user"]),
                str(store["password"]),
                str(store["database"]),
                lambda plain: context.wrap_socket(plain, server_hostname=host),
                wanted in ("true", "skip-verify"),
            )
        except Refused as exc:
            if exc.code in MYSQL_ADVICE:
                raise Bad("%s (MySQL error %d). %s" % (str(exc).rstrip("."), exc.code, MYSQL_ADVICE[exc.code])) from exc
            raise
    major = re.match(r"\d+", found.version)
    if major and int(major.group()) < 8 and "mariadb" not in found.version.lower():
        raise Bad("it is MySQL %s, and the schema needs 8.0 or later" % found.version)
    return "MySQL %s, %s" % (found.version, "login accepted" if found.tried else "the login can only be tried from the stack's own client")


def redis(store: Store, way: Way) -> str:
    with way.open(target_of(store)) as sock:
        found = redis_answers(sock, str(store.get("password") or ""), "the option password")
        if not found.ok:
            raise Bad(found.reason, found.final)
        told = info_of(sock)
    if told.get("redis_mode") == "cluster":
        raise Bad("it is a Redis Cluster, which the server does not speak to. It needs a single Redis, or the primary of a pair")
    if told.get("role") == "slave":
        raise Bad("it is a replica, which takes no writes. Name the primary")
    return "Redis %s" % told.get("redis_version", "of an unknown version")


def info_of(sock: socket.socket) -> dict[str, str]:
    """What INFO tells; nothing where the user may not ask."""
    head = redis_call(sock, b"INFO")
    if not head.startswith("$"):
        return {}
    text = receive(sock, int(head[1:])).decode("utf-8", "replace")
    return dict(line.partition(":")[::2] for line in text.splitlines() if ":" in line)


def elasticsearch(store: Store, way: Way) -> str:
    headers = basic(str(store.get("user") or "elastic"), str(store["password"])) if store.get("password") else {}
    version = ""
    for url in store["urls"]:
        target = target_of_url(url)
        answer = way.ask(target, "GET", "/", headers)
        if answer.status in (401, 403):
            raise Bad("%s: it refuses the login (HTTP %d): set user and password" % (url, answer.status))
        if answer.status != 200:
            raise Bad("%s: HTTP %d: %s" % (url, answer.status, excerpt(answer.body)), final=False)
        document = json.loads(answer.body)
        version = str(document["version"]["number"])
        if document["version"].get("distribution", "elasticsearch") != "elasticsearch":
            raise Bad("%s: it is %s, and the server's client takes Elasticsearch only" % (url, document["version"]["distribution"]))
        if not version.startswith(str(store["version"]).lstrip("v") + "."):
            raise Bad("%s: it is Elasticsearch %s, and version is %s: set that to v%s" % (url, version, store["version"], version.partition(".")[0]))
        check_smartcn(way.ask(target, "GET", "/_cat/plugins?format=json", headers), url, version)
    return "Elasticsearch %s with %s" % (version, SMARTCN)


def check_smartcn(answer: Answer, url: str, version: str) -> None:
    """Raises Bad if a node lacks the plugin."""
    if answer.status != 200:
        raise Bad("%s: its plugins cannot be listed (HTTP %d): give the user the privilege monitor" % (url, answer.status))
    if not any(item.get("component") == SMARTCN for item in json.loads(answer.body)):
        raise Bad(
            "%s: it lacks the plugin %s, which the index templates need. Install it on each node: elasticsearch-plugin install %s (for %s exactly),"
            " and restart the node" % (url, SMARTCN, SMARTCN, version)
        )


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()}


def s3(store: Store, way: Way) -> str:
    """A signed question for the bucket. One that is not there yet will be made."""
    if "endpoint" in store:
        # As the server asks: the bucket is part of the name.
        target = target_of_url(store["endpoint"])
        target, path = target._replace(host="%s.%s" % (store["bucket"], target.host)), "/"
    else:
        target, path = target_of(store), "/%s" % store["bucket"]
    default = {"http": 80, "https": 443}[target.scheme]
    host = "%s%s" % (bracketed(target.host), "" if target.port == default else ":%d" % target.port)
    now = datetime.datetime.now(datetime.timezone.utc)
    region = str(store.get("region") or "us-east-1")
    headers = signed("GET", host, path, "location=", region, str(store["access_key"]), str(store["secret_key"]), now)
    answer = way.ask(target, "GET", path + "?location=", headers)
    code = re.search(rb"<Code>(\w+)</Code>", answer.body)
    said = code.group(1).decode() if code else ""
    if answer.status == 200 and b"<LocationConstraint" in answer.body:
        return "the bucket %s is there" % store["bucket"]
    if said == "NoSuchBucket":
        return "the bucket %s will be made" % store["bucket"]
    if said in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
        raise Bad("it does not know this pair of access_key and secret_key (%s)" % said)
    if said == "AccessDenied":
        raise Bad("the access key may not use the bucket %s (AccessDenied)" % store["bucket"])
    if said in ("AuthorizationHeaderMalformed", "AuthorizationQueryParametersError"):
        raise Bad("it is of another region than %s (%s)" % (region, said))
    if said == "RequestTimeTooSkewed":
        raise Bad("its clock and that of this host differ too much: set them right")
    raise Bad("HTTP %d: %s" % (answer.status, said or excerpt(answer.body)), final=answer.status < 500)


def signed(method: str, host: str, path: str, query: str, region: str, access_key: str, secret_key: str, now: datetime.datetime) -> dict[str, str]:
    """Headers of a request without a body: AWS Signature Version 4.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    day, moment = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ")
    nothing = hashlib.sha256(b"").hexdigest()
    scope = "%s/%s/s3/aws4_request" % (day, region)
    names = "host;x-amz-content-sha256;x-amz-date"
    canonical = "\n".join([method, path, query, "host:" + host, "x-amz-content-sha256:" + nothing, "x-amz-date:" + moment, "", names, nothing])
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret_key).encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return {
        "Host": host,
        "x-amz-date": moment,
        "x-amz-content-sha256": nothing,
        "Authorization": "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (access_key, scope, names, signature),
    }


def milvus_collections(store: Store, way: Way) -> list[Collection]:
    """The server's collections in it. With a login, Milvus takes it on the port's other half, which speaks HTTP. Raises VectorError, OSError."""
    target, token = target_of(store), milvus_token(store)
    headers = {"Authorization": "Bearer " + token} if token else {}

    def ask(method: str, path: str, body: dict[str, t.Any] | None) -> tuple[int, bytes]:
        answer = way.ask(target, method, path, headers, body)
        return answer.status, answer.body

    return collections(ask, prefix="opencoze_")


def milvus_token(store: Store) -> str:
    token = str(store.get("token") or "")
    return "%s:%s" % (store["user"], store.get("password") or "") if not token and store.get("user") else token


def milvus(store: Store, way: Way) -> str:
    """gRPC answers, and a login is taken if there is one."""
    target = target_of(store)
    if target.scheme == "http":
        with way.open(target) as sock:
            sock.sendall(HTTP2_PREFACE + HTTP2_EMPTY_SETTINGS)
            if receive(sock, 9)[3] != 4:
                raise Bad("what answers there is not Milvus")
    try:
        milvus_collections(store, way)
    except VectorError as exc:
        raise Bad("it refuses the question for its collections: %s. Set user and password, or token, as Milvus has them" % exc) from exc
    return "Milvus, %s" % ("login accepted" if milvus_token(store) else "without a login")


def etcd(store: Store, way: Way) -> str:
    for endpoint in store["endpoints"]:
        answer = way.ask(target_of_url("http://" + endpoint), "GET", "/health")
        if json.loads(answer.body).get("health") != "true":
            raise Bad("%s is not healthy: %s" % (endpoint, excerpt(answer.body)), final=False)
    return "%d healthy" % len(store["endpoints"])


def nsqd(store: Store, way: Way) -> str:
    body = b'{"client_id":"cozeops-probe"}'
    with way.open(target_of(store)) as sock:
        sock.sendall(b"  V2IDENTIFY\n" + struct.pack(">l", len(body)) + body)
        size, kind = struct.unpack(">ll", receive(sock, 8))
        said = receive(sock, min(size - 4, 1024))
    if kind != 0:
        raise Bad("it says %s. An nsqd is wanted, not an nsqlookupd" % said.decode("utf-8", "replace"))
    return "an nsqd"


def kafka(store: Store, way: Way) -> str:
    """ApiVersions (key 18), which a broker answers without a login."""
    name = b"cozeops-probe"
    request = struct.pack(">hhih", 18, 0, 7, len(name)) + name
    with way.open(target_of(store)) as sock:
        sock.sendall(struct.pack(">i", len(request)) + request)
        dummy, mark = struct.unpack(">ii", receive(sock, 8))
    if mark != 7:
        raise Bad("what answers there is not Kafka")
    return "a broker"


def nats(store: Store, way: Way) -> str:
    with way.open(Target("tcp", str(store["host"]), int(store["port"]))) as sock:
        if receive(sock, 5) != b"INFO ":
            raise Bad("what answers there is not NATS")
    return "NATS"


def tcp(store: Store, way: Way) -> str:
    way.open(Target("tcp", str(store["host"]), int(store["port"]))).close()
    return "it accepts connections"


def http(store: Store, way: Way) -> str:
    """It answers; what it makes of the keys, its own API alone could tell."""
    url = store.get("endpoint") or "%s://%s" % (store["scheme"], store["host"])
    return "HTTP %d" % way.ask(target_of_url(url), "GET", "/").status


PROBES: dict[str, t.Callable[[Store, Way], str]] = {
    "mysql": mysql,
    "redis": redis,
    "elasticsearch": elasticsearch,
    "s3": s3,
    "milvus": milvus,
    "etcd": etcd,
    "nsqd": nsqd,
    "kafka": kafka,
    "nats": nats,
    "tcp": tcp,
    "http": http,
}
