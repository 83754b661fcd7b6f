# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _via_container
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.modules import chat_endpoint
from ansible_collections.cozeops.studio.tests.unit.plugins.model_server import KEY, server, serving
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

Call = t.Callable[..., dict[str, t.Any]]
ANSWER = "The lab model heard: 1+1=?"


@pytest.fixture(scope="module")
def lab() -> t.Iterator[t.Any]:
    with serving() as running:
        yield running


@pytest.fixture
def call(lab: t.Any, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(model: str = "lab-chat", base: str = "/v1", check: bool = False, **args: t.Any) -> dict[str, t.Any]:
        lab.seen.clear()
        given = {"base_url": lab.root + base, "model": model, "api_key": KEY, "timeout": 5, **args}
        return run_main(chat_endpoint.main, capsys, {key: value for key, value in given.items() if value is not None}, check)

    return run


@pytest.mark.parametrize("check", [False, True])
def test_a_good_model_is_proved_twice_and_nothing_is_changed(lab: t.Any, call: Call, check: bool) -> None:
    for dummy in range(2):
        result = call(check=check)
        assert (result["failed"], result["changed"], result["problems"], result["answer"]) == (False, False, [], ANSWER)
        assert list(lab.seen) == ["POST /v1/chat/completions 200"] * 2
        assert result["latency"]["pieces"] == 5
        assert 0 <= result["latency"]["first_token"] <= result["latency"]["stream"] < 5
        assert result["latency"]["plain"] < 5


def test_what_was_sent_and_received_is_returned(lab: t.Any, call: Call) -> None:
    result = call()
    assert [one["body"].get("stream") for one in result["sent"]] == [None, True]
    assert result["sent"][0]["url"] == lab.root + "/v1/chat/completions"
    assert result["sent"][0]["headers"]["Authorization"] == "Bearer ********"
    assert [one["content_type"] for one in result["received"]] == ["application/json", "text/event-stream"]
    assert ANSWER in result["received"][0]["body"]


@pytest.mark.parametrize("variant", [name for name in server.ALLOWED if name])
def test_what_is_allowed_is_no_problem(call: Call, variant: str) -> None:
    result = call("lab-chat-" + variant)
    assert (result["failed"], result.get("msg")) == (False, None)
    assert result["answer"] == (server.CHINESE if variant == "dribble" else ANSWER)


FAULTS = {
    "multiline": ("both", ["have their JSON on several data: lines", "send each event in one line"]),
    "slow": ("both", ["The first token came after 0.", "OLLAMA_KEEP_ALIVE"]),
    "stall": ("only", ["The stream stalls: after 2 events it was not at its end within 0.5 s", "Raise timeout"]),
    "drip": ("never", ["gave no answer within 0.5 s", "raise timeout"]),
    "error": ("only", ["reports an error in the middle of the stream: The engine ran out of memory"]),
    "cut": ("only", ["The stream breaks off after 2 events", "closed the connection in the middle of the answer"]),
    "no-finish": ("both", ["The answer has no finish_reason", "The stream has no finish_reason"]),
    "short": ("only", ["The stream ends after 7 events without saying that it is at its end"]),
    "length": ("both", ['The answer was cut off: its finish_reason is "length"', "The stream was cut off", "Raise the limit of tokens"]),
    "null": ("both", ["The answer has no content", "The stream has no content"]),
    "no-choices": ("both", ["The answer has no choices[0]", "The stream has no content"]),
    "html": ("both", ["answers with a web page (HTTP 200, text/html", "web interface"]),
    "not-json": ("only", ["The stream has an event that is not a JSON object: {'choices': oops"]),
    "no-stream": ("both", ['ignores "stream": true', "switch streams on in the gateway"]),
    "no-options": ("both", ["refuses stream_options", "leaves stream_options out"]),
    "500": ("both", ["The endpoint fails (HTTP 500", "See its log"]),
    "429": ("both", ["too many requests, and says to come again after 7 s", "the credit of the account"]),
    "redirect": ("both", ["sends elsewhere (HTTP 308, to /elsewhere/v1/chat/completions)"]),
}


def test_every_fault_of_the_server_is_in_the_table() -> None:
    assert set(FAULTS) == set(server.CHAT_FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_what_to_do(call: Call, fault: str) -> None:
    stream, says = FAULTS[fault]
    result = call("lab-chat-" + fault, stream=stream, timeout=0.5 if fault in ("stall", "drip") else 5, first_token_timeout=0.1)
    assert (result["failed"], result["changed"]) == (True, False)
    for text in says:
        assert text in result["msg"]
    assert all(found["problem"] and found["cure"] for found in result["problems"])
    assert "c0ffee" not in json.dumps(result)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("stall", "gave no answer within 0.5 s"),
        ("error", "reports an error, although with HTTP 200: The engine ran out of memory"),
        ("cut", "closed the connection in the middle of the answer"),
        ("not-json", "The answer is not a JSON object (HTTP 200, application/json: {'choices': oops)"),
    ],
)
def test_without_an_answer_no_stream_is_asked_for(lab: t.Any, call: Call, fault: str, says: str) -> None:
    result = call("lab-chat-" + fault, timeout=0.5)
    assert says in result["msg"]
    assert len(result["sent"]) == 1
    assert result["latency"]["stream"] is None


def test_a_fault_of_streams_alone_is_none_without_them(lab: t.Any, call: Call) -> None:
    result = call("lab-chat-no-stream", stream="never")
    assert result["failed"] is False
    assert (len(lab.seen), result["latency"]["pieces"]) == (1, None)


def test_a_slow_model_is_quick_enough_for_a_patient_operator(call: Call) -> None:
    result = call("lab-chat-slow", stream="only", first_token_timeout=3)
    assert result["failed"] is False
    assert 0.3 <= result["latency"]["first_token"] < 3


def test_a_stream_does_not_outlast_its_timeout(call: Call) -> None:
    began = time.monotonic()
    call("lab-chat-stall", stream="only", timeout=0.3)
    assert time.monotonic() - began < 2


# --- the address


@pytest.mark.parametrize("base", ["", "/", "/compatible-mode"])
def test_v1_is_missing(lab: t.Any, call: Call, base: str) -> None:
    result = call(base=base)
    assert "/v1 is missing at the end of base_url (HTTP 404" in result["msg"]
    assert "Set base_url to %s%s/v1." % (lab.root, base.rstrip("/")) in result["msg"]
    assert len(lab.seen) <= 3


def test_v1_is_missing_and_the_key_is_wrong(call: Call) -> None:
    assert "/v1 is missing" in call(base="", api_key="sk-wrong")["msg"]


@pytest.mark.parametrize("base", ["/v1/chat/completions", "/v1/chat/completions/"])
def test_a_whole_address_is_refused_before_any_request(lab: t.Any, call: Call, base: str) -> None:
    result = call(base=base)
    assert "base_url ends in /chat/completions, which the client appends itself" in result["msg"]
    assert (list(lab.seen), result["sent"]) == ([], [])


def test_an_unknown_model_is_told_with_those_that_there_are(lab: t.Any, call: Call) -> None:
    result = call("lab-chatt")
    assert "does not know the model lab-chatt" in result["msg"]
    assert "it offers lab-chat, lab-chat-" in result["msg"]
    assert "is lab-chat meant?" in result["msg"]
    assert list(lab.seen) == ["POST /v1/chat/completions 404", "GET /v1/models 200"]


def test_an_embedding_model_is_no_chat_model(call: Call) -> None:
    assert "lists the model lab-embed, but not for this use" in call("lab-embed")["msg"]


def test_a_wrong_key(call: Call) -> None:
    result = call(api_key="sk-of-somebody-else")
    assert "refuses the key (HTTP 401: Incorrect API key provided: ********" in result["msg"]
    assert "sk-of-somebody-else" not in json.dumps({key: value for key, value in result.items() if key != "invocation"})


def test_no_key(call: Call) -> None:
    assert "The endpoint wants a key (HTTP 401" in call(api_key=None)["msg"]


def test_the_key_is_in_no_output(call: Call) -> None:
    for model in ("lab-chat", "lab-chat-500", "nothing"):
        assert KEY not in json.dumps(call(model))


def test_a_password_in_the_address_is_in_no_output(capsys: pytest.CaptureFixture[str]) -> None:
    args = {"base_url": "http://user:s3cretpass@127.0.0.1:1/v1?key=abcdefgh", "model": "m"}
    result = run_main(chat_endpoint.main, capsys, args)
    assert "has a user or a password in it" in result["msg"]
    assert "s3cretpass" not in json.dumps(result) and "abcdefgh" not in json.dumps(result)


def test_nothing_listens(call: Call) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        result = call(base_url="http://127.0.0.1:%d/v1" % sock.getsockname()[1])
    assert "refuses connections: nothing listens there" in result["msg"]
    assert "OLLAMA_HOST=0.0.0.0" in result["msg"]


def test_a_name_that_there_is_not(call: Call) -> None:
    result = call(base_url="http://nosuch.invalid/v1")
    assert "the name nosuch.invalid cannot be resolved" in result["msg"]
    assert "coze_server_extra_hosts" in result["msg"]


def test_https_where_there_is_none(lab: t.Any, call: Call) -> None:
    assert "does not speak TLS" in call(base_url=lab.root.replace("http", "https") + "/v1")["msg"]


def test_a_loopback_is_warned_of(call: Call) -> None:
    assert "this check says nothing about that" in call()["warnings"][0]


# --- protocols


@pytest.mark.parametrize(("protocol", "base"), [("qwen", "/v1"), ("deepseek", "/v1"), ("ark", "/api/v3"), ("ollama", ""), ("ollama", "/")])
def test_other_protocols(call: Call, protocol: str, base: str) -> None:
    result = call(protocol=protocol, base=base)
    assert (result["failed"], result["answer"], result["latency"]["pieces"]) == (False, ANSWER, 5)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("lab-chat-length", 'done_reason is "length"'),
        ("lab-chat-short", "The stream ends after 5 events without saying that it is at its end"),
        ("lab-chat-error", "in the middle of the stream: the engine ran out of memory"),
        ("lab-chat-cut", "The stream breaks off after 2 events"),
        ("nothing", "does not know the model nothing (HTTP 404: model 'nothing' not found)"),
    ],
)
def test_faults_of_an_ollama(call: Call, model: str, says: str) -> None:
    assert says in call(model, protocol="ollama", base="")["msg"]


def test_v1_is_too_much_for_an_ollama(lab: t.Any, call: Call) -> None:
    assert "Set base_url to %s." % lab.root in call(protocol="ollama", base="/v1")["msg"]


@pytest.mark.parametrize("protocol", ["claude", "gemini"])
def test_protocols_that_are_not_known_here_are_refused(lab: t.Any, call: Call, protocol: str) -> None:
    result = call(protocol=protocol)
    assert "Endpoints of the protocol %s are not asked by this module" % protocol in result["msg"]
    assert list(lab.seen) == []


# --- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that is its own authority, with its key behind it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lab")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - datetime.timedelta(days=1), now + datetime.timedelta(days=1))
    built = builder.add_extension(names, False).add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "lab.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def tls_url(authority: Path) -> t.Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    with serving(tls=context) as running:
        yield running.root + "/v1"


def test_an_authority_that_is_not_trusted(call: Call, tls_url: str) -> None:
    result = call(base_url=tls_url)
    assert "the certificate of localhost:" in result["msg"] and "is not trusted: self" in result["msg"]
    assert "Give ca_path the authority that signed it" in result["msg"]


def test_an_authority_that_is_given(call: Call, tls_url: str, authority: Path) -> None:
    assert call(base_url=tls_url, ca_path=str(authority))["failed"] is False


def test_certificates_that_do_not_matter(call: Call, tls_url: str) -> None:
    assert call(base_url=tls_url, validate_certs=False)["failed"] is False


def test_a_ca_path_that_is_no_file_of_certificates(lab: t.Any, call: Call, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("hello")
    for name in ("no.pem", "missing.pem"):
        assert "%s is no file of certificates" % name in call(ca_path=str(tmp_path / name))["msg"]
    assert list(lab.seen) == []


# --- from a container


def test_via_container_connects_by_the_containers_own_files(lab: t.Any, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 llm\n")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    info = {"State": {"Pid": 4711}, "HostsPath": str(tmp_path / "hosts"), "ResolvConfPath": str(tmp_path / "resolv.conf")}
    entered = []

    def in_netns(pid: int, work: t.Callable[[], t.Any]) -> t.Any:
        entered.append(pid)
        return work()

    monkeypatch.setattr(_via_container, "connect", lambda: None)
    monkeypatch.setattr(_via_container, "inspect_or_none", lambda client, name: info)
    monkeypatch.setattr(_via_container, "in_netns", in_netns)
    result = call(base_url="http://llm:%d/v1" % lab.server_port, via_container="coze-coze-server")
    assert (result["failed"], result["warnings"], entered) == (False, [], [4711])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_loopback_in_a_container_is_refused_before_any_request(call: Call, host: str) -> None:
    result = call(base_url="http://%s:11434/v1" % host, via_container="coze-coze-server")
    assert "base_url has the host %s, which inside the container is the container" % host in result["msg"]
    assert "host.docker.internal" in result["msg"]
    assert result["sent"] == []


@pytest.mark.parametrize(
    ("info", "says"),
    [(None, "there is no container coze-coze-server"), ({"State": {"Pid": 0, "Status": "exited"}}, "is not running (exited)")],
)
def test_a_container_that_is_not_there(call: Call, monkeypatch: pytest.MonkeyPatch, info: dict[str, t.Any] | None, says: str) -> None:
    monkeypatch.setattr(_via_container, "connect", lambda: None)
    monkeypatch.setattr(_via_container, "inspect_or_none", lambda client, name: info)
    result = call(base_url="http://llm:8000/v1", via_container="coze-coze-server")
    assert result["failed"] is True
    assert says in result["msg"]


def test_no_engine(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect() -> None:
        raise EngineError("no Docker Engine answers")

    monkeypatch.setattr(_via_container, "connect", connect)
    assert call(base_url="http://llm:8000/v1", via_container="coze-coze-server")["msg"] == "no Docker Engine answers"
