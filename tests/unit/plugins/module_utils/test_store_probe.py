# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores are asked in their own protocols. Here small servers answer as the real ones do; test_external of the integration tests has those."""

from __future__ import annotations

import datetime
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _mysql_login, _store_probe
from ansible_collections.cozeops.studio.plugins.module_utils._probe import receive
from ansible_collections.cozeops.studio.plugins.module_utils._store_probe import Bad, Way

SALT = b"abcdefgh12345678WXYZ"
PASSWORD = "p'\"a$s w#ö"


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that has that to say to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def body() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                with connection:
                    try:
                        talk(connection)
                    except (OSError, ValueError, IndexError):
                        continue  # the client had heard enough, or speaks something else

        threading.Thread(target=body, daemon=True).start()
        yield server.getsockname()[1]


def packet(sequence: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


def read_packet(sock: socket.socket) -> bytes:
    return receive(sock, int.from_bytes(receive(sock, 4)[:3], "little"))


def greeting(plugin: str, version: str = "8.4.5") -> bytes:
    can = _mysql_login.CAPABILITIES
    head = b"\x0a" + version.encode() + b"\0" + struct.pack("<I", 7) + SALT[:8] + b"\0"
    return head + struct.pack("<HBHHB", can & 0xFFFF, 45, 2, can >> 16, 21) + bytes(10) + SALT[8:] + b"\0" + plugin.encode() + b"\0"


def proves(plugin: str, answer: bytes, password: str) -> bool:
    """Whether the answer is of someone who knows the password, as the server finds out: it has only a hash of a hash."""
    method = hashlib.sha1 if plugin == "mysql_native_password" else hashlib.sha256
    kept = method(method(password.encode()).digest()).digest()
    mask = method(SALT + kept).digest() if plugin == "mysql_native_password" else method(kept + SALT).digest()
    once = bytes(one ^ other for one, other in zip(answer, mask, strict=False))
    return len(answer) == len(mask) and method(once).digest() == kept


def mysqld(plugin: str, then: str = "judge", version: str = "8.4.5") -> Callable[[socket.socket], None]:
    def talk(sock: socket.socket) -> None:
        sock.sendall(packet(0, greeting("caching_sha2_password" if then == "switch" else plugin, version)))
        body = read_packet(sock)[32:]
        user, dummy, rest = body.partition(b"\0")
        answer, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
        sequence = 2
        if then == "switch":
            sock.sendall(packet(2, b"\xfe" + plugin.encode() + b"\0" + SALT + b"\0"))
            answer, sequence = read_packet(sock), 4
        if then == "full":
            sock.sendall(packet(2, b"\x01\x04"))
            return
        if not proves(plugin, answer, PASSWORD):
            sock.sendall(packet(sequence, b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied for user '" + user + b"'"))
        elif rest.partition(b"\0")[0] != b"opencoze":
            sock.sendall(packet(sequence, b"\xff" + struct.pack("<H", 1049) + b"#42000Unknown database"))
        else:
            sock.sendall((packet(sequence, b"\x01\x03") if plugin.startswith("caching") else b"") + packet(sequence + 1, b"\0\0\0\2\0\0\0"))

    return talk


def ask(kind: str, probe: str, port: int, **options: Any) -> str:
    store = {"kind": kind, "probe": probe, "host": "127.0.0.1", "port": port, **options}
    return _store_probe.probe(store, Way(None, 2))


def mysql(port: int, **options: Any) -> str:
    return ask("mysql", "mysql", port, **{"user": "coze", "password": PASSWORD, "database": "opencoze", "tls": "false", **options})


@pytest.mark.parametrize("plugin", ["mysql_native_password", "caching_sha2_password"])
@pytest.mark.parametrize("then", ["judge", "switch"])
def test_mysql_takes_the_right_password_and_no_other(plugin: str, then: str) -> None:
    with serving(mysqld(plugin, then)) as port:
        assert mysql(port) == "MySQL 8.4.5, login accepted"
        with pytest.raises(Bad, match=r"^Access denied for user 'coze' \(MySQL error 1045\)\. Set user and password as the server has them\.$") as caught:
            mysql(port, password="other")
        assert caught.value.final
        with pytest.raises(Bad, match=r"^Unknown database \(MySQL error 1049\)\. Create it"):
            mysql(port, database="none")


def test_a_password_is_never_sent_in_the_clear() -> None:
    with serving(mysqld("caching_sha2_password", "full")) as port:
        assert mysql(port) == "MySQL 8.4.5, the login can only be tried from the stack's own client"
        with pytest.raises(Bad, match="does not offer TLS"):
            mysql(port, tls="skip-verify")


def test_a_mysql_that_is_too_old_is_refused() -> None:
    with serving(mysqld("mysql_native_password", version="5.7.44")) as port, pytest.raises(Bad, match=r"it is MySQL 5\.7\.44, and the schema needs 8\.0"):
        mysql(port)
    with serving(mysqld("mysql_native_password", version="5.5.5-11.8.6-MariaDB")) as port:
        assert mysql(port).startswith("MySQL 5.5.5-11.8.6-MariaDB")


def test_who_is_blocked_is_told() -> None:
    refusal = packet(0, b"\xff" + struct.pack("<H", 1130) + b"Host is not allowed")
    with serving(lambda sock: sock.sendall(refusal)) as port, pytest.raises(Bad, match=r"Host is not allowed .* Allow this host at the server"):
        mysql(port)


def redis(role: str = "master", mode: str = "standalone") -> Callable[[socket.socket], None]:
    def talk(sock: socket.socket) -> None:
        while True:
            words = sock.recv(4096).split(b"\r\n")[2::2]
            if words[0] == b"AUTH":
                sock.sendall(b"+OK\r\n" if words[1] == PASSWORD.encode() else b"-WRONGPASS invalid\r\n")
            elif words[0] == b"PING":
                sock.sendall(b"+PONG\r\n")
            else:
                text = f"# Server\r\nredis_version:8.0.2\r\nredis_mode:{mode}\r\nrole:{role}\r\n".encode()
                sock.sendall(b"$%d\r\n%s\r\n" % (len(text), text))

    return talk


def test_redis_is_one_that_takes_writes() -> None:
    with serving(redis()) as port:
        assert ask("redis", "redis", port, password=PASSWORD) == "Redis 8.0.2"
        with pytest.raises(Bad, match="WRONGPASS"):
            ask("redis", "redis", port, password="other")
    with serving(redis(role="slave")) as port, pytest.raises(Bad, match=r"it is a replica, which takes no writes. Name the primary"):
        ask("redis", "redis", port, password="")
    with serving(redis(mode="cluster")) as port, pytest.raises(Bad, match=r"it is a Redis Cluster"):
        ask("redis", "redis", port, password="")


def http(answers: dict[str, tuple[int, Any]]) -> Callable[[socket.socket], None]:
    """Answers by path."""

    def talk(sock: socket.socket) -> None:
        path = sock.recv(65536).split(b" ")[1].decode()
        status, body = answers.get(path, (404, "404 page not found"))
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        sock.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(data)) + data)

    return talk


ELASTIC = {"version": {"number": "8.18.0"}, "tagline": "You Know, for Search"}
OPENSEARCH = {"version": {"number": "2.11.0", "distribution": "opensearch"}}
PLUGINS = "/_cat/plugins?format=json"


@pytest.mark.parametrize(
    ("answers", "version", "says"),
    [
        ({"/": (200, ELASTIC), PLUGINS: (200, [{"component": "analysis-smartcn"}])}, "v8", ""),
        ({"/": (200, ELASTIC), PLUGINS: (200, [])}, "v8", "it lacks the plugin analysis-smartcn, which the index templates need. Install it on each node"),
        ({"/": (200, ELASTIC), PLUGINS: (403, {})}, "v8", "its plugins cannot be listed (HTTP 403): give the user the privilege monitor"),
        ({"/": (200, ELASTIC)}, "v7", "it is Elasticsearch 8.18.0, and version is v7: set that to v8"),
        ({"/": (401, {})}, "v8", "it refuses the login (HTTP 401): set user and password"),
        ({"/": (200, OPENSEARCH)}, "v8", "it is opensearch, and the server's client takes Elasticsearch only"),
        ({"/": (200, "<html>")}, "v8", "answers with what is no elasticsearch"),
        ({"/": (503, "starting")}, "v8", "HTTP 503: starting"),
    ],
)
def test_elasticsearch_is_a_genuine_one_with_the_plugin(answers: dict[str, tuple[int, Any]], version: str, says: str) -> None:
    with serving(http(answers)) as port:
        store = {"kind": "elasticsearch", "probe": "elasticsearch", "urls": [f"http://127.0.0.1:{port}"], "version": version, "user": "", "password": ""}
        if not says:
            assert _store_probe.probe(store, Way(None, 2)) == "Elasticsearch 8.18.0 with analysis-smartcn"
            return
        with pytest.raises(Bad) as caught:
            _store_probe.probe(store, Way(None, 2))
        assert says in str(caught.value)
        assert caught.value.final == ("503" not in says)


def test_a_request_is_signed_as_amazon_has_it_in_its_example() -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "GET Bucket Lifecycle"
    now = datetime.datetime(2013, 5, 24, tzinfo=datetime.UTC)
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    headers = _store_probe.signed("GET", "examplebucket.s3.amazonaws.com", "/", "lifecycle=", "us-east-1", "AKIAIOSFODNN7EXAMPLE", secret, now)
    assert headers["Authorization"].endswith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, "<LocationConstraint/>", "the bucket files is there"),
        (404, "<Error><Code>NoSuchBucket</Code></Error>", "the bucket files will be made"),
        (403, "<Error><Code>InvalidAccessKeyId</Code></Error>", "it does not know this pair of access_key and secret_key"),
        (403, "<Error><Code>AccessDenied</Code></Error>", "may not use the bucket files"),
        (400, "<Error><Code>AuthorizationHeaderMalformed</Code></Error>", "it is of another region than eu-west-1"),
        (403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", "its clock and that of this host differ too much"),
        (200, "<html>a page</html>", "HTTP 200: <html>a page</html>"),
    ],
)
def test_a_bucket_is_there_or_will_be_made(status: int, body: str, says: str) -> None:
    with serving(http({"/files?location=": (status, body)})) as port:
        options = {"tls": False, "bucket": "files", "access_key": "a", "secret_key": "s", "region": "eu-west-1"}
        if "there" in says or "will be" in says:
            assert ask("minio", "s3", port, **options) == says
            return
        with pytest.raises(Bad) as caught:
            ask("minio", "s3", port, **options)
        assert says in str(caught.value)


def test_nsqd_is_told_from_nsqlookupd() -> None:
    def answer(kind: int, text: bytes) -> Callable[[socket.socket], None]:
        return lambda sock: sock.sendall(receive(sock, 13)[:0] + struct.pack(">ll", len(text) + 4, kind) + text)

    with serving(answer(0, b"OK")) as port:
        assert ask("nsq", "nsqd", port) == "an nsqd"
    with serving(answer(1, b"E_BAD_PROTOCOL")) as port, pytest.raises(Bad, match=r"it says E_BAD_PROTOCOL. An nsqd is wanted, not an nsqlookupd"):
        ask("nsq", "nsqd", port)


def test_a_kafka_broker_answers_with_the_number_of_the_question() -> None:
    with serving(lambda sock: sock.sendall(struct.pack(">ii", 6, struct.unpack(">ihhi", receive(sock, 12))[3]) + b"\0\0")) as port:
        assert ask("kafka", "kafka", port) == "a broker"
    with serving(lambda sock: sock.sendall(b"HTTP/1.1 400 Bad")) as port, pytest.raises(Bad, match="what answers there is not Kafka"):
        ask("kafka", "kafka", port)


def test_nats_says_who_it_is() -> None:
    with serving(lambda sock: sock.sendall(b'INFO {"server_id":"x"}\r\n')) as port:
        assert ask("nats", "nats", port) == "NATS"
    with serving(lambda sock: sock.sendall(b"-ERR unknown")) as port, pytest.raises(Bad, match="what answers there is not NATS"):
        ask("nats", "nats", port)


def test_etcd_is_healthy() -> None:
    with serving(http({"/health": (200, {"health": "true"})})) as port:
        assert ask("etcd", "etcd", 0, endpoints=[f"127.0.0.1:{port}"]) == "1 healthy"
    with serving(http({"/health": (503, {"health": "false", "reason": "NOSPACE"})})) as port, pytest.raises(Bad, match=r"is not healthy.*NOSPACE"):
        ask("etcd", "etcd", 0, endpoints=[f"127.0.0.1:{port}"])


@pytest.mark.parametrize(("kind", "probe"), [("redis", "redis"), ("rocketmq", "tcp"), ("nats", "nats"), ("kafka", "kafka"), ("nsq", "nsqd")])
def test_what_does_not_answer_may_yet(kind: str, probe: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Bad, match=rf"127\.0\.0\.1:{port} refuses connections: nothing listens there") as caught:
        ask(kind, probe, port, password="")
    assert not caught.value.final


def test_plain_http_is_no_tls() -> None:
    with serving(http({})) as port, pytest.raises(Bad, match=f"127.0.0.1:{port} does not speak TLS"):
        ask("minio", "s3", port, tls=True, bucket="b", access_key="a", secret_key="s")
