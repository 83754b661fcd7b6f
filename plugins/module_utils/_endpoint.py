# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to this collection: ask a model endpoint as coze-server does, keep a record of it, and say what is wrong in the operator's words."""

from __future__ import annotations

import contextlib
import difflib
import functools
import http.client
import json
import re
import socket
import ssl
import time
import typing as t
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote, urlsplit

from ansible_collections.cozeops.studio.plugins.module_utils._env_mask import MASK
from ansible_collections.cozeops.studio.plugins.module_utils._http import (
    Connect,
    Deadline,
    Target,
    excerpt,
    read_body,
    requested,
    tls_context,
    transport_message,
)
from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import url_problems
from ansible_collections.cozeops.studio.plugins.module_utils._redact import redact
from ansible_collections.cozeops.studio.plugins.module_utils._resolve import NameUnknown

SHOWN_MODELS = 20
SHOWN_TEXTS = 3
SHOWN_BODY = 400
ERROR_BODY = 64 * 1024
LIST_BODY = 4 * 1024 * 1024

# What a model list is asked for with, by the protocol.
MODEL_LISTS = {"ollama": "/api/tags", "openai": "/models"}
_LOOPBACK = "has the host "  # how url_problems begins to speak of one
_UNKNOWN_MODEL = re.compile(
    r"model_not_found|unknown model|model.{0,80}?(not[ _]?(found|exist)|does ?n.t exist|unknown|unsupported|invalid)", re.IGNORECASE | re.DOTALL
)
_PROXY_HEADERS = ("Via", "X-Squid-Error", "Proxy-Authenticate", "X-Cache-Lookup")

Json = dict[str, t.Any]
Problem = dict[str, str]


class EndpointError(Exception):
    """There is no answer to go on with; why, and what to do about it."""

    def __init__(self, where: str, reason: str, cure: str) -> None:
        problem = "The request to %s failed: %s" % (where, reason)
        super().__init__(problem)
        self.reason = reason
        self.found = trouble(problem, cure)


class Reply(t.NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float

    @property
    def is_html(self) -> bool:
        return self.headers.get_content_type() == "text/html" or self.body[:64].lstrip().lower().startswith((b"<!doctype", b"<html"))


def trouble(problem: str, cure: str) -> Problem:
    return {"problem": problem, "cure": cure}


def sentences(problems: Iterable[Problem]) -> str:
    """Problems as a message, one a line."""
    return "\n".join(" ".join(text if text.endswith((".", "?")) else text + "." for text in (found["problem"], found["cure"])) for found in problems)


def url_secrets(url: str) -> list[str]:
    """What nobody should see of an address: a password, and the values of its query."""
    try:
        parts = urlsplit(url)
        password = parts.password or ""
    except ValueError:
        return []
    values = [password, unquote(password), *(pair.partition("=")[2] for pair in parts.query.split("&"))]
    return sorted({value for value in values if len(value) > 3})


def settings_problems(base_url: str, path: str, api_key: str, via_container: str | None) -> list[Problem]:
    """What can be told without asking: of the address, to which ``path`` is appended, and of the key."""
    found = list(_address_problems(base_url, path, via_container))
    if not re.fullmatch(r"[\x21-\x7e]*", api_key):
        problem = "api_key has a blank, a line end or a letter beyond ASCII in it, which no key has"
        found.append(trouble(problem, "Look how it was copied; lookups of files may add a line end"))
    return found


def _address_problems(base_url: str, path: str, via_container: str | None) -> Iterator[Problem]:
    ends = False
    for message in url_problems(base_url):
        problem, dummy, cure = message.partition(": ")
        if message.startswith(_LOOPBACK):
            if not via_container:
                continue  # From outside of a container it may well be right: there the module warns.
            cure = (
                "Let the model server listen on all addresses of its machine, and name that machine; the one that the stack runs on is "
                "host.docker.internal"
            )
        elif problem.startswith("ends in"):
            ends = True
            cure = "Set it to the part of the address before that, such as http://host:8000/v1"
        elif problem.startswith("is no URL"):
            cure = cure[:1].upper() + cure[1:]
        yield trouble("base_url %s" % problem, cure or "Set it to one such as http://host:8000/v1")
    try:
        parts = urlsplit(base_url)
    except ValueError:
        return
    if parts.path.rstrip("/").lower().endswith(path) and not ends:
        yield trouble("base_url ends in %s, which the client appends itself" % path, "Leave it out")
    if parts.query or parts.fragment:
        yield trouble("base_url has a query or a fragment, and the client appends %s behind it" % path, "Leave it out")
    if "@" in parts.netloc:
        yield trouble("base_url has a user or a password in it", "Leave it out; a key is given in api_key")


def ca_problems(ca_path: str | None) -> list[Problem]:
    """What is wrong with the file of authorities."""
    try:
        tls_context(True, ca_path or None)
    except OSError as exc:
        problem = "ca_path %s is no file of certificates: %s" % (ca_path, exc.strerror or exc)
        return [trouble(problem, "Give a file in PEM form on the machine that this task runs on")]
    return []


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def is_loopback_url(url: str) -> bool:
    return any(message.startswith(_LOOPBACK) for message in url_problems(url))


class Endpoint:
    """One endpoint. ``sent`` and ``received`` have all that was asked and answered, fit to be shown."""

    def __init__(
        self,
        base_url: str,
        api_key: str = "",
        timeout: float = 60,
        connect: Connect | None = None,
        validate_certs: bool = True,
        ca_path: str | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.api_key = api_key
        self.timeout = timeout
        self.sent: list[Json] = []
        self.received: list[Json] = []
        parts = urlsplit(self.base_url)
        self._netloc = parts.netloc
        self._target = Target(parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme])
        self._connect = connect
        self._tls = functools.partial(tls_context, validate_certs, ca_path)
        self._secrets = sorted({spelling for spelling in (api_key, quote(api_key, safe=""), json.dumps(api_key)[1:-1]) if spelling}, key=len, reverse=True)

    @property
    def root(self) -> str:
        """Scheme, host and port."""
        return "%s://%s" % (self._target.scheme, self._netloc)

    def hide(self, text: str) -> str:
        """``text`` without the key."""
        return redact(text, self._secrets)

    def headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Host": self._netloc, "Accept": "*/*", "User-Agent": "cozeops.studio"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.api_key:
            headers["Authorization"] = "Bearer %s" % self.api_key
        return headers

    def call(self, method: str, url: str, body: Json | None = None, limit: int = LIST_BODY) -> Reply:
        """One request; the whole answer, whatever it is. Raises EndpointError if none comes."""
        with self.open(method, url, body, Deadline(self.timeout)) as (response, began):
            data = read_body(response, limit)
            reply = Reply(response.status, response.headers, data, time.monotonic() - began)
            self.note(reply.status, reply.headers, excerpt(data, SHOWN_BODY), reply.seconds)
            return reply

    def post(self, path: str, body: Json, limit: int = LIST_BODY) -> Reply:
        return self.call("POST", self.base_url + path, body, limit)

    @contextlib.contextmanager
    def open(self, method: str, url: str, body: Json | None, deadline: Deadline) -> Iterator[tuple[http.client.HTTPResponse, float]]:
        """An answer whose body is still to be read, and when the request began. What fails inside is an EndpointError outside."""
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        path = quote(url[len(self.root) :] or "/", safe="%/:=&?~+!$,;'@()*")
        self.sent.append({"method": method, "url": self.hide(url), "headers": self._shown_headers(data), "body": self._shown(body)})
        began = time.monotonic()
        try:
            with requested(self._target, method, path, data, self.headers(data), deadline, self._connect, self._tls) as response:
                yield response, began
        except (OSError, http.client.HTTPException) as exc:
            self.received.append({"status": None, "error": self.hide(str(exc) or type(exc).__name__), "seconds": round(time.monotonic() - began, 3)})
            raise EndpointError(self.hide(url), self.hide(self._why(exc, deadline)), transport_cure(exc, self._target)) from exc

    def note(self, status: int, headers: http.client.HTTPMessage, body: str, seconds: float, **more: t.Any) -> None:
        """Record an answer."""
        shown = {"status": status, "content_type": headers.get_content_type(), "body": self.hide(body), "seconds": round(seconds, 3)}
        self.received.append({**shown, **more})

    def _why(self, exc: Exception, deadline: Deadline) -> str:
        return str(exc) if isinstance(exc, NameUnknown) else transport_message(exc, self._target.host, self._target.port, deadline.seconds)

    def _shown_headers(self, data: bytes | None) -> dict[str, str]:
        return {name: "Bearer " + MASK if name == "Authorization" else value for name, value in self.headers(data).items()}

    def _shown(self, value: t.Any) -> t.Any:
        if isinstance(value, dict):
            return {key: self._shown(item) for key, item in value.items()}
        if isinstance(value, list):
            more = ["... and %d more" % (len(value) - SHOWN_TEXTS)] if len(value) > SHOWN_TEXTS else []
            return [self._shown(item) for item in value[:SHOWN_TEXTS]] + more
        return self.hide(value[:SHOWN_BODY]) if isinstance(value, str) else value

    # -- what it has

    def models(self, protocol: str, base: str | None = None) -> list[str] | None:
        """The names that the endpoint lists; None if it does not list any. Raises EndpointError."""
        reply = self.call("GET", (self.base_url if base is None else base) + MODEL_LISTS[protocol])
        payload = parsed(reply.body) if reply.status == 200 else None
        items = payload.get("models" if protocol == "ollama" else "data") if isinstance(payload, dict) else None
        if not isinstance(items, list):
            return None
        names = [item.get("name" if protocol == "ollama" else "id") for item in items if isinstance(item, dict)]
        return [name for name in names if isinstance(name, str)] or None

    def has_openai(self, base: str) -> bool:
        """Whether there is an OpenAI-compatible API below ``base``, be it one that refuses the key. False if it does not answer."""
        with contextlib.suppress(EndpointError):
            reply = self.call("GET", base + MODEL_LISTS["openai"])
            payload = parsed(reply.body)
            return isinstance(payload, dict) and ((reply.status == 200 and isinstance(payload.get("data"), list)) or reply.status in (401, 403))
        return False


def transport_cure(exc: Exception, target: Target) -> str:
    """What to do about a connection that gave no answer."""
    if isinstance(exc, (NameUnknown, socket.gaierror)):
        return "Is the name of base_url right? A name that DNS does not know is made known to coze-server by its extra_hosts (coze_server_extra_hosts)"
    if isinstance(exc, ConnectionRefusedError):
        return (
            "Does the model server run, is %d its port, and does it listen on all addresses? Many listen on 127.0.0.1 only, which other machines and "
            "containers cannot reach (for Ollama, set OLLAMA_HOST=0.0.0.0)" % target.port
        )
    if isinstance(exc, ssl.SSLCertVerificationError):
        return (
            "Give ca_path the authority that signed it. coze-server has no such setting: the authority must be in its image's trust store, or the "
            "endpoint be reached with http://"
        )
    if isinstance(exc, ssl.SSLError):
        return "Does the endpoint speak https at all? If not, base_url begins with http://."
    if isinstance(exc, (socket.timeout, TimeoutError)):
        return "Is a firewall in the way, or is the model still being loaded? Ask again, or raise timeout if it is only slow"
    if isinstance(exc, (http.client.HTTPException, ConnectionResetError, BrokenPipeError)):
        return "Is base_url that of an HTTP server, with the right scheme and port? If it is, its log, or that of a proxy before it, says why it closed"
    return "Is there a way from here to that address, and no firewall or proxy in it?"


def parsed(body: bytes) -> t.Any:
    """What a body of JSON says; None if it is none. NaN and the like, which Go's decoder refuses, are none."""

    def refuse(word: str) -> t.Any:
        raise ValueError(word)

    try:
        return json.loads(body.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError):
        return None


def error_message(body: bytes) -> str:
    """What an error body says, in the forms that are in use."""
    payload = parsed(body)
    for value in (payload.get("error"), payload.get("message"), payload.get("detail")) if isinstance(payload, dict) else ():
        text = value.get("message") if isinstance(value, dict) else value
        if isinstance(text, str) and text:
            return excerpt(text.encode(), 300)
    return excerpt(body, 300)


def without_query(url: str) -> str:
    return url.partition("?")[0]


def unknown_model(model: str, offered: list[str] | None, said: str) -> Problem:
    """A name that is refused, with those that there are, the nearest first."""
    if not offered:
        return trouble("The endpoint does not know the model %s (%s)" % (model, said), "Set model to a name that it knows; it does not list any")
    if listed(model, offered):
        return trouble("The endpoint lists the model %s, but not for this use (%s)" % (model, said), "Is it a model of the right kind, chat or embeddings?")
    near = difflib.get_close_matches(model, offered, n=SHOWN_MODELS)
    names = [*near, *(name for name in offered if name not in near)]
    more = " and %d more" % (len(names) - SHOWN_MODELS) if len(names) > SHOWN_MODELS else ""
    problem = "The endpoint does not know the model %s (%s); it offers %s%s" % (model, said, ", ".join(names[:SHOWN_MODELS]), more)
    return trouble(problem, "Set model to one of these" + (": is %s meant?" % near[0] if near else ""))


def listed(model: str, offered: list[str]) -> bool:
    """Ollama takes a name without a tag for that with :latest."""
    return model in offered or "%s:latest" % model in offered


def status_problem(endpoint: Endpoint, reply: Reply, protocol: str, path: str, model: str) -> Problem:
    """Why an answer is not a 200, found out by asking further where that helps.

    ``protocol`` is openai or ollama, or another one whose endpoints do not list their models.
    """
    said = "HTTP %d: %s" % (reply.status, endpoint.hide(error_message(reply.body)))
    proxy = next((name for name in _PROXY_HEADERS if reply.headers.get(name)), None)
    if reply.status == 407 or (proxy and reply.status in (403, 502, 503, 504)):
        cure = "Let the endpoint be reached without it. coze-server asks directly too, unless HTTP_PROXY is set for it; then NO_PROXY has to name this host"
        return trouble("A proxy is in the way (%s)" % said, cure)
    if 300 <= reply.status < 400:
        where = without_query(reply.headers.get("Location") or "")
        problem = "The endpoint sends elsewhere (HTTP %d%s)" % (reply.status, ", to %s" % endpoint.hide(where) if where else "")
        return trouble(problem, "Set base_url to where the API itself is")
    if reply.status in (401, 403):
        if not endpoint.api_key:
            return trouble("The endpoint wants a key (%s)" % said, "Set api_key")
        return trouble("The endpoint refuses the key (%s)" % said, "Set api_key to a key that is valid for this endpoint and this model")
    if reply.status == 429:
        after = reply.headers.get("Retry-After")
        again = ", and says to come again after %s s" % after if after and after.isdigit() else ""
        return trouble("The endpoint has had too many requests%s (%s)" % (again, said), "Wait, or raise the limit or the credit of the account")
    if reply.status in (404, 405):
        return _not_found(endpoint, reply, protocol, path, model, said)
    if 400 <= reply.status < 500 and _UNKNOWN_MODEL.search(said):
        return unknown_model(model, endpoint_models(endpoint, protocol), said)
    if reply.status >= 500:
        return trouble("The endpoint fails (%s)" % said, "See its log. A gateway answers so too if the server behind it does not run")
    purpose = "chat" if "chat" in path else "embeddings of texts"
    return trouble("The endpoint refuses the request (%s)" % said, "Is %s a model for %s, and base_url that of a compatible API?" % (model, purpose))


def endpoint_models(endpoint: Endpoint, protocol: str) -> list[str] | None:
    """The names that an endpoint lists, None if it does not, or has no way to."""
    if protocol not in MODEL_LISTS:
        return None
    with contextlib.suppress(EndpointError):
        return endpoint.models(protocol)
    return None


def _not_found(endpoint: Endpoint, reply: Reply, protocol: str, path: str, model: str, said: str) -> Problem:
    offered = endpoint_models(endpoint, protocol)
    if (offered is not None and not listed(model, offered)) or _UNKNOWN_MODEL.search(reply.body[:ERROR_BODY].decode("utf-8", "replace")):
        return unknown_model(model, offered, said)
    cure = "Is base_url right? It is what comes before %s in the address that the endpoint's manual gives" % path
    return missing_path(endpoint, protocol, said) or trouble("There is no %s below base_url (%s)" % (path, said), cure)


def missing_path(endpoint: Endpoint, protocol: str, said: str) -> Problem | None:
    """Whether the API is at another path of the same host; None if that cannot be told."""
    base = endpoint.base_url
    if protocol not in MODEL_LISTS:
        return None
    if protocol == "ollama":
        with contextlib.suppress(EndpointError):
            if base != endpoint.root and endpoint.models("ollama", endpoint.root) is not None:
                return trouble("The path of base_url is too much for Ollama (%s)" % said, "Set base_url to %s" % endpoint.root)
        versioned = base if re.search(r"/v\d+$", base) else base + "/v1"
        if endpoint.has_openai(versioned):
            return trouble("This is no Ollama, but an OpenAI-compatible endpoint (%s)" % said, "Choose openai, with base_url %s" % versioned)
        return None
    if not re.search(r"/v\d+$", base) and endpoint.has_openai(base + "/v1"):
        return trouble("/v1 is missing at the end of base_url (%s)" % said, "Set base_url to %s/v1" % base)
    return None


def not_json(endpoint: Endpoint, reply: Reply, protocol: str) -> Problem:
    """What is wrong with a 200 that is not a JSON object."""
    said = "HTTP %d, %s: %s" % (reply.status, reply.headers.get_content_type(), endpoint.hide(excerpt(reply.body)))
    if reply.is_html:
        cure = "Is base_url that of an API, and not of its web interface, or of a proxy's login page?"
        return missing_path(endpoint, protocol, said) or trouble("The endpoint answers with a web page (%s)" % said, cure)
    if re.search(rb"[\s\[,:](NaN|-?Infinity)\b", reply.body):
        cure = "Use another model or model server: a model that makes such numbers is broken, or its texts are too long for it"
        return trouble("The answer has NaN or Infinity for numbers, which is no JSON (%s)" % said, cure)
    cure = "Is base_url that of a compatible API?"
    return trouble("The answer is not a JSON object (%s)" % said, cure)
