# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import threading
import time
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _coze_api as api
from ansible_collections.cozeops.studio.plugins.module_utils._coze_api import Coze, CozeError
from ansible_collections.cozeops.studio.tests.unit.plugins.coze_fake import Fake, serving
from hypothesis import given
from hypothesis import strategies as st

EMAIL, PASSWORD = "admin@example.com", "s3cret"


@pytest.fixture(params=["0.2", "0.3", "0.5"])
def fake(request: pytest.FixtureRequest) -> t.Iterator[Fake]:
    with serving(Fake(request.param)) as running:
        yield running


@pytest.fixture
def fake05() -> t.Iterator[Fake]:
    with serving(Fake("0.5")) as running:
        yield running


@pytest.fixture
def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def coze(fake: Fake) -> Coze:
    return Coze(fake.url)


def test_register_gives_the_user_and_a_session(coze: Coze) -> None:
    user = coze.register(EMAIL, PASSWORD)
    assert user == {"id": "7711000000000000001", "name": "admin", "email": EMAIL}
    assert coze.info() == user


def test_a_cookie_whose_domain_no_jar_takes_is_used(fake: Fake, coze: Coze) -> None:
    coze.register(EMAIL, PASSWORD)
    coze.info()
    assert fake.headers[-1]["Cookie"] == "session_key=%s" % fake.sessions[EMAIL]


def test_origin_names_the_entry(fake: Fake, coze: Coze) -> None:
    coze.register(EMAIL, PASSWORD)
    assert fake.headers[-1]["Origin"] == fake.url


def test_a_second_login_ends_the_first_session(fake: Fake, coze: Coze) -> None:
    coze.register(EMAIL, PASSWORD)
    Coze(fake.url).login(EMAIL, PASSWORD)
    with pytest.raises(CozeError, match="session not exist") as caught:
        coze.info()
    assert (caught.value.code, caught.value.status) == (api.NOT_AUTHENTICATED, 200)


def test_logout_ends_the_session_at_the_server(fake: Fake, coze: Coze) -> None:
    coze.register(EMAIL, PASSWORD)
    coze.logout()
    assert not fake.sessions


def test_wrong_password_is_the_products_code(coze: Coze) -> None:
    with pytest.raises(CozeError) as caught:
        coze.login(EMAIL, "wrong")
    assert (caught.value.code, caught.value.status, caught.value.path) == (700000003, 200, "/api/passport/web/email/login/")


def test_errors_do_not_tell_the_password(coze: Coze) -> None:
    with pytest.raises(CozeError) as caught:
        coze.login(EMAIL, PASSWORD)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(("release", "wanted"), [("0.2", (200, 700012006)), ("0.3", (200, 700012006)), ("0.5", (401, 401))])
def test_anonymous_answer_of_each_line(release: str, wanted: tuple[int, int]) -> None:
    with serving(Fake(release)) as fake:
        assert Coze(fake.url).anonymous() == wanted


def test_anonymous_keeps_the_session(coze: Coze) -> None:
    coze.register(EMAIL, PASSWORD)
    coze.anonymous()
    assert coze.info()["email"] == EMAIL


def test_resources_from_making_to_deleting(fake: Fake, coze: Coze) -> None:
    coze.register(EMAIL, PASSWORD)
    space = coze.spaces()[0]["id"]
    prompt = coze.create_prompt(space, "a prompt", "text")
    coze.search_library(space)
    assert coze.search_library(space, "a pro")[0]["res_id"] == prompt
    assert coze.delete_prompt(prompt) is True
    assert not fake.prompts
    bot = coze.create_bot(space, "a bot", "default_icon/default_agent_icon.png")
    assert coze.search_bots(space) == [{"id": "1", "name": "a bot"}]
    assert coze.delete_bot(space, bot) is True


def test_delete_tells_of_a_server_that_has_no_such_call(fake: Fake, coze: Coze) -> None:
    fake.faults.add("no_delete")
    coze.register(EMAIL, PASSWORD)
    assert coze.delete_prompt("1") is False


def test_upload_and_fetch(coze: Coze) -> None:
    coze.register(EMAIL, PASSWORD)
    url, uri = coze.upload_file(b"\x89PNG\x00data", "png")
    assert uri.startswith("BIZ_BOT_ICON/")
    assert coze.fetch(url).body == b"\x89PNG\x00data"


def test_icons_and_models(fake: Fake, coze: Coze) -> None:
    coze.register(EMAIL, PASSWORD)
    assert coze.icons()[0]["uri"] == "default_icon/default_agent_icon.png"
    assert coze.model_types()[0]["model_type"] == "100"
    fake.faults.add("no_models")
    assert coze.model_types() == []


def test_admin_models_of_all_providers(fake05: Fake) -> None:
    coze = Coze(fake05.url)
    coze.register(EMAIL, PASSWORD)
    assert [model["id"] for model in coze.admin_models()] == [100001]


def test_no_admin_models_before_line_05() -> None:
    with serving(Fake("0.3")) as fake:
        coze = Coze(fake.url)
        coze.register(EMAIL, PASSWORD)
        with pytest.raises(CozeError) as caught:
            coze.admin_models()
    assert caught.value.status == 404


def test_html_instead_of_json(fake05: Fake) -> None:
    fake05.faults.add("no_web")
    with pytest.raises(CozeError, match="not the API's JSON but text/html") as caught:
        Coze(fake05.url).login(EMAIL, PASSWORD)
    assert caught.value.code is None
    assert "pass /api on" in api.explain(caught.value)


def test_nothing_listens(free_port: int) -> None:
    with pytest.raises(CozeError, match="refuses connections: nothing listens there") as caught:
        Coze("http://127.0.0.1:%d" % free_port).login(EMAIL, PASSWORD)
    assert caught.value.status == 0


def test_unknown_host() -> None:
    with pytest.raises(CozeError, match=r"the name nosuch\.invalid cannot be resolved"):
        Coze("http://nosuch.invalid:8888").spaces()


def test_slow_answer(fake05: Fake) -> None:
    fake05.faults.add("slow")
    with pytest.raises(CozeError, match=r"no answer within 0\.2 s"):
        Coze(fake05.url, timeout=0.2).spaces()


def raw_server(reply: t.Callable[[socket.socket], None]) -> tuple[int, threading.Thread]:
    """A server for one connection; it reads the request, then ``reply`` has the socket."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as sock:
            sock.recv(65536)
            with contextlib.suppress(OSError):  # The client has had enough.
                reply(sock)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return int(listener.getsockname()[1]), thread


def test_a_body_that_drips_does_not_outlast_the_timeout() -> None:
    def drip(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
        for dummy in range(100):
            sock.sendall(b" ")
            time.sleep(0.05)

    port, dummy = raw_server(drip)
    began = time.monotonic()
    with pytest.raises(CozeError, match="no answer within"):
        Coze("http://127.0.0.1:%d" % port, timeout=0.3).spaces()
    assert time.monotonic() - began < 2


def test_what_is_not_http_is_told() -> None:
    port, dummy = raw_server(lambda sock: sock.sendall(b"\x00\x00mysql"))
    with pytest.raises(CozeError, match="closed the connection without a valid HTTP answer"):
        Coze("http://127.0.0.1:%d" % port).spaces()


def test_an_endless_body_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_BODY", 1000)
    port, dummy = raw_server(lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000))
    with pytest.raises(CozeError, match="longer than 1000 bytes"):
        Coze("http://127.0.0.1:%d" % port).spaces()


def test_connect_replaces_the_way_to_open_connections(fake05: Fake) -> None:
    asked = []

    def connect(host: str, port: int) -> socket.socket:
        asked.append((host, port))
        return socket.create_connection(("127.0.0.1", fake05.port))

    Coze("http://coze.example.com", connect=connect).register(EMAIL, PASSWORD)
    assert asked == [("coze.example.com", 80)]


def test_host_header_names_the_entry_and_links_lead_back_to_it(fake05: Fake) -> None:
    coze = Coze(fake05.url, host_header="coze.example.com")
    coze.register(EMAIL, PASSWORD)
    assert fake05.headers[-1]["Host"] == "coze.example.com"
    assert fake05.headers[-1]["Origin"] == "http://coze.example.com"
    answer = coze.fetch("http://coze.example.com/local_storage/opencoze/default_icon/default_agent_icon.png?X-Amz-Signature=x")
    assert (answer.status, answer.body) == (200, b"\x89PNG icon")


def test_fetch_takes_no_session_along(fake05: Fake) -> None:
    coze = Coze(fake05.url)
    coze.register(EMAIL, PASSWORD)
    coze.fetch(coze.icons()[0]["url"])
    assert "Cookie" not in fake05.headers[-1]


def test_fetch_tells_no_signature(free_port: int) -> None:
    with pytest.raises(CozeError) as caught:
        Coze("http://127.0.0.1:1").fetch("http://127.0.0.1:%d/opencoze/a.png?X-Amz-Signature=c0ffee" % free_port)
    assert "c0ffee" not in str(caught.value)
    assert "/opencoze/a.png" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("http://127.0.0.1:8888", ("http", "127.0.0.1", 8888, "127.0.0.1:8888")),
        ("http://127.0.0.1:8888/", ("http", "127.0.0.1", 8888, "127.0.0.1:8888")),
        ("https://Coze.Example.com", ("https", "coze.example.com", 443, "Coze.Example.com")),
        ("http://[::1]:8888", ("http", "::1", 8888, "[::1]:8888")),
    ],
)
def test_parse_entry(url: str, entry: tuple[str, str, int, str]) -> None:
    assert api.parse_entry(url) == entry


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("127.0.0.1:8888", "such as http"),
        ("ftp://h", "such as http"),
        ("http://", "such as http"),
        ("http://a..b", "such as http"),
        ("http://[::1", "such as http"),
        ("http://h:99999", "such as http"),
        ("http://h:8888/sign", "more than the entry"),
        ("http://h?x=1", "more than the entry"),
        ("http://u:pw@h", "without user"),
    ],
)
def test_parse_entry_refuses(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        api.parse_entry(url)


@pytest.mark.parametrize("url", ["http://user:pw1@h", "ftp://user:pw1@h", "http://user:pw1@h:x", "http://user:p@pw1@h"])
def test_parse_entry_does_not_repeat_a_password(url: str) -> None:
    with pytest.raises(ValueError, match="url") as caught:
        api.parse_entry(url)
    assert "pw1" not in str(caught.value)


@given(st.text())
def test_parse_entry_raises_nothing_but_value_error(url: str) -> None:
    with contextlib.suppress(ValueError):
        api.parse_entry(url)


@pytest.mark.parametrize("host", ["a b", "a\r\nX: y", "h/x", ""])
def test_host_header_is_a_host(host: str) -> None:
    with pytest.raises(ValueError, match="host_header"):
        Coze("http://h", host_header=host)


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        (["session_key=abc; max-age=2592000; domain=127.0.0.1:28888; path=/; HttpOnly; SameSite"], "abc"),
        (["other=1", "session_key=a=b"], "a=b"),
        (["session_key=; max-age=0"], None),
        ([], None),
    ],
)
def test_session_key(headers: list[str], key: str | None) -> None:
    assert api.session_key(headers) == key


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (CozeError(700000008, "", 200, "/p"), "DISABLE_USER_REGISTRATION=false"),
        (CozeError(700000006, "", 200, "/p"), "e-mail address"),
        (CozeError(700000003, "", 200, "/p"), "no such account, or its password"),
        (CozeError(110000002, "", 200, "/p"), "REDIS_ADDR"),
        (CozeError(500, "", 500, "/api/passport/web/email/register/v2/"), "REDIS_PASSWORD"),
        (CozeError(500, "", 500, "/api/plugin_api/x"), "log of coze-server"),
        (CozeError(401, "", 401, "/p"), "session is not valid"),
        (CozeError(None, "", 502, "/p"), "does not reach coze-server"),
        (CozeError(None, "", 0, "/p"), "Is the stack running"),
        (CozeError(None, "", 301, "/p"), "set url to where it leads"),
    ],
)
def test_explain(error: CozeError, says: str) -> None:
    assert says in api.explain(error)


def test_explain_says_nothing_where_it_knows_nothing() -> None:
    assert api.explain(CozeError(123, "odd", 200, "/p")) == ""
