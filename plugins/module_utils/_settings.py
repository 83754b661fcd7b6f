# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for the values of a Coze Studio environment: what the server of a release makes of each setting, and what goes with what.

Private to this collection. ``check`` never raises for what an environment says, and no message shows the value of a secret. A finding is
fatal where the server surely dies of it or a feature surely cannot work; everything else is a doubt. The rules for the embedding model
are in _embedding, the tables in _settings_table, and how single values are read in _settings_values.
"""

from __future__ import annotations

import difflib
import re
import typing as t
from collections.abc import Collection, Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from ansible_collections.cozeops.studio.plugins.module_utils._embedding import env_rules
from ansible_collections.cozeops.studio.plugins.module_utils._env_file import Problem
from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import PROTOCOLS, RELEASES, url_problems
from ansible_collections.cozeops.studio.plugins.module_utils._settings_table import (
    AES_LENGTHS,
    AES_SECRETS,
    BUILTIN,
    CHOICES,
    FLAGS,
    KNOWN,
    NEEDS,
    NUMBERS,
    SERVICES,
    STORES,
    Store,
)
from ansible_collections.cozeops.studio.plugins.module_utils._settings_values import (
    Dsn,
    Verdict,
    bypasses_proxy,
    go_bool,
    go_int,
    host_and_port,
    is_own_host,
    nearest,
    parse_dsn,
    shape_hint,
)

Env = Mapping[str, str]

_PREFIXES = ("NL2SQL_", "M2Q_", "IA_", "WKR_")
_MODEL_KEY = re.compile(r"MODEL_(PROTOCOL|OPENCOZE_ID|NAME|ID|API_KEY|BASE_URL)(?:_([0-9]{1,9}))?")
_PROXY_KEYS = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
# Clients that take a port of their own where there is none; that of MinIO's is 80 or 443.
_OWN_DEFAULT_PORT = ("MINIO_ENDPOINT", "MILVUS_ADDR")
# As difflib measures it: EMBEDING_TYPE is near to EMBEDDING_TYPE, MYSQL_PORT is not to MYSQL_HOST.
_NEAR = 0.84


class Finding(t.NamedTuple):
    """A verdict with its place; ``line`` is 0 for a key that no line sets. As a string: ``file:line: key: message``."""

    file: str
    line: int
    key: str
    message: str
    fatal: bool

    @property
    def problem(self) -> Problem:
        return Problem(self.file, self.line, self.key, self.message)

    def __str__(self) -> str:
        return str(self.problem)


def check(
    env: Env,
    release: str,
    lines: Mapping[str, int] | None = None,
    name: str = ".env",
    external: Collection[str] = (),
    places: Mapping[str, str] | None = None,
    unread: Collection[str] = (),
) -> list[Finding]:
    """What is wrong with the settings, for a server of a release line (0.2, 0.3 or 0.5); in the order of the lines, then what no line sets.

    env: the settings, fully expanded. lines: the line of each key in the file ``name``. external: services that are not the stack's own, whose
    addresses may be any. places: for a key that the file does not set, what does (``overrides``, ``stack_env``). unread: keys of which it
    is known that they could not be read; nothing is said about them.
    """
    if release not in RELEASES:
        raise ValueError(f"unknown release {release}")
    numbers, elsewhere = lines or {}, places or {}
    verdicts = [verdict for rule in _RULES for verdict in rule(env, release)]
    verdicts += [*_store_rules(env, release, external), *_proxy_rules(env, external)]
    hints = {key: hint for key, value in env.items() if (hint := shape_hint(value))}
    told = {verdict.key for verdict in verdicts}
    verdicts = [verdict._replace(message=f"{verdict.message}; {hints[verdict.key]}") if verdict.key in hints else verdict for verdict in verdicts]
    verdicts += [Verdict(key, hint, False) for key, hint in hints.items() if key not in told]
    findings = dict.fromkeys(
        Finding(elsewhere.get(verdict.key, name), 0 if verdict.key in elsewhere else numbers.get(verdict.key, 0), *verdict)
        for verdict in verdicts
        if verdict.key not in unread
    )
    order = {key: number for number, key in enumerate(env)}
    return sorted(findings, key=lambda finding: (finding.line == 0, finding.line, order.get(finding.key, len(order)), not finding.fatal))


def _is_on(env: Env, when: tuple[str, str] | None) -> bool:
    return when is None or env.get(when[0]) == when[1]


def _because(when: tuple[str, str] | None) -> str:
    return f", and {when[0]} is {when[1]}" if when else ""


# --- one setting ---


def _need_rules(env: Env, release: str) -> Iterator[Verdict]:
    for need in NEEDS:
        # A setting that the release does not read asks for nothing.
        if _is_on(env, need.when) and (need.when is None or CHOICES[need.when[0]].since <= release):
            for key in need.keys:
                if not env.get(key):
                    yield Verdict(key, f"is {'empty' if key in env else 'not set'}{_because(need.when)}: {need.effect}", need.fatal)


def _choice_rules(env: Env, release: str) -> Iterator[Verdict]:
    for key, choice in CHOICES.items():
        value = env.get(key, "")
        known = [word for word, since in choice.words.items() if since <= release]
        if not value or choice.since > release or value in known:
            continue
        if value in choice.words:
            message = f"is {value}, which is there from release {choice.words[value]} on; release {release} has {', '.join(known)}: {choice.effect}"
        else:
            message = f"has to be one of {', '.join(known)}: {choice.effect}{nearest(value.lower(), known)}"
        yield Verdict(key, message, choice.fatal)


def _number_rules(env: Env, release: str) -> Iterator[Verdict]:
    for key, number in NUMBERS.items():
        value = env.get(key, "")
        found = go_int(value)
        if value and number.since <= release and (found is None or found < number.least):
            yield Verdict(key, f"has to be a whole number, {number.least} or more: the server takes its default instead", False)
    for key, since in FLAGS.items():
        if env.get(key) and since <= release and go_bool(env[key]) is None:
            yield Verdict(key, "has to be true or false: the server takes its default instead", False)
    seconds = env.get("CODE_RUNNER_TIMEOUT_SECONDS", "")
    if seconds and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", seconds, re.ASCII):
        yield Verdict("CODE_RUNNER_TIMEOUT_SECONDS", "has to be a number of seconds, such as 60 or 2.5: the server takes its default instead", False)


def _secret_rules(env: Env, release: str) -> Iterator[Verdict]:
    for key in AES_SECRETS:
        size = len(env.get(key, "").encode("utf-8", "surrogatepass"))
        if size == 0:
            what = "is empty" if key in env else "is not set"
            yield Verdict(key, f"{what}: the server takes a key that everybody can read in its source", False)
        elif size not in AES_LENGTHS:
            wanted = ", ".join(map(str, AES_LENGTHS[:-1]))
            yield Verdict(key, f"has {size} bytes, and has to have {wanted} or {AES_LENGTHS[-1]}: plugins cannot keep what they log in with")


def _listen_rules(env: Env, release: str) -> Iterator[Verdict]:
    value = env.get("LISTEN_ADDR", "")
    if not value:
        return
    host = value.rpartition(":")[0]
    try:
        port = host_and_port(value if host else f"any{value}")[1]
    except ValueError as error:
        yield Verdict("LISTEN_ADDR", f"{error}; write :8888")
        return
    if port is None:
        yield Verdict("LISTEN_ADDR", "has no port: the server does not start; write :8888")
    elif host not in ("", "0.0.0.0", "[::]"):
        yield Verdict("LISTEN_ADDR", "names an address: in its container the server has to listen on all; write :8888", False)
    elif port != 8888:
        yield Verdict("LISTEN_ADDR", f"has port {port}: everything inside the stack's network counts on 8888; what port is published is another matter", False)


def _server_host_rules(env: Env, release: str) -> Iterator[Verdict]:
    value = env.get("SERVER_HOST", "")
    if not value:
        if release <= "0.3":
            yield Verdict("SERVER_HOST", "is empty: the addresses that plugins come back to after a login have no host", False)
        return
    scheme, separator, rest = value.rpartition("://")
    authority, slash, path = rest.partition("/")
    host = re.sub(r":[0-9]*$", "", authority)
    excess = _glued(host)
    if excess:
        form = "host:port" if release == "0.2" else "http://host:port"
        message = f"has {excess}: LISTEN_ADDR was expanded into it, and that was no plain :8888; write {form}, as browsers reach the server"
        yield Verdict("SERVER_HOST", message)
        return
    try:
        host_and_port(authority)
    except ValueError as error:
        yield Verdict("SERVER_HOST", f"{error}: plugins cannot come back after a login")
        return
    if release == "0.2" and separator:
        yield Verdict("SERVER_HOST", "has a scheme: release 0.2 puts https:// before it and makes no address of it; write host:port alone")
    elif release != "0.2" and not separator:
        yield Verdict("SERVER_HOST", "has no scheme: the server puts https:// before it; write http:// or https:// yourself", False)
    elif separator and scheme not in ("http", "https"):
        yield Verdict("SERVER_HOST", "has to begin with http:// or https://")
    if slash:
        what = "has a path, and the product cannot live under one" if path else "ends in a /, which addresses made of it then have twice"
        yield Verdict("SERVER_HOST", what, False)
    if host in ("0.0.0.0", "[::]"):
        yield Verdict("SERVER_HOST", "is no address that a browser can use: write the one that people use", False)
    if scheme == "https" and env.get("STORAGE_UPLOAD_HTTP_SCHEME", "") in ("", "http"):
        yield Verdict("STORAGE_UPLOAD_HTTP_SCHEME", "is http, and SERVER_HOST is https: browsers refuse such uploads; set https", False)


def _glued(host: str) -> str | None:
    """What is too much in a host (without its port) that `localhost${LISTEN_ADDR}` gives, if anything: no name ends in an IPv4 address."""
    if re.fullmatch(r".*[^0-9.\[](?:[0-9]{1,3}\.){3}[0-9]{1,3}", host, re.ASCII):
        return "a listen address behind the host"
    return "two ports" if re.search(r":[0-9]+$", host) and not host.startswith("[") else None


def _bucket_rules(env: Env, release: str) -> Iterator[Verdict]:
    bucket = env.get("STORAGE_BUCKET", "")
    if bucket and env.get("STORAGE_TYPE") == "minio" and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        yield Verdict("STORAGE_BUCKET", "is no name for a bucket: 3 to 63 lower-case letters, digits, dots and hyphens")


# --- stores ---


def _store_rules(env: Env, release: str, external: Collection[str]) -> Iterator[Verdict]:
    for key, store in STORES.items():
        if env.get(key) and _is_on(env, store.when):
            is_external = store.service in external
            for place in _places_of(key, env[key], release):
                if isinstance(place, str):
                    yield Verdict(key, place)
                else:
                    yield from _place_rules(env, key, store, *place, is_external)
            if key == "MYSQL_DSN":
                yield from _dsn_rules(env, is_external)
    if "minio" not in external and _differ(env, "MINIO_AK", "MINIO_ROOT_USER") and env.get("STORAGE_TYPE") == "minio":
        yield Verdict("MINIO_AK", "is not MINIO_ROOT_USER, and MinIO is started with that one alone", False)
    if "minio" not in external and _differ(env, "MINIO_SK", "MINIO_ROOT_PASSWORD") and env.get("STORAGE_TYPE") == "minio":
        yield Verdict("MINIO_SK", "is not MINIO_ROOT_PASSWORD, and MinIO is started with that one alone", False)
    yield from _other_queue_rules(env)
    if env.get("VECTOR_STORE_TYPE") == "oceanbase" and is_own_host(env.get("OCEANBASE_HOST", "")):
        yield Verdict("OCEANBASE_HOST", "means the server's own container: set the host that OceanBase is on")


def _differ(env: Env, first: str, second: str) -> bool:
    return bool(env.get(first)) and bool(env.get(second)) and env[first] != env[second]


def _places_of(key: str, value: str, release: str) -> Iterator[tuple[str, int | None] | str]:
    """(host, port) of each address in the value, or what is wrong with it."""
    try:
        if key == "MYSQL_DSN":
            dsn = parse_dsn(value)
            yield dsn.host, dsn.port
        elif key == "ES_ADDR":
            yield from _urls_of(value, release)
        elif key == "MILVUS_ADDR":
            yield host_and_port(re.sub(r"^https?://", "", value).rstrip("/"))
        else:
            yield host_and_port(value)
    except ValueError as error:
        yield str(error)


def _urls_of(value: str, release: str) -> Iterator[tuple[str, int]]:
    urls = value.split(",")
    if len(urls) > 1 and release == "0.2":
        raise ValueError("names several addresses, and release 0.2 takes one")
    for url in urls:
        try:
            parts = urlsplit(url)
        except ValueError:
            # The error's own text may quote the address, and a password in it.
            raise ValueError("is no URL") from None
        if parts.scheme not in ("http", "https"):
            raise ValueError("has no http:// or https:// in front")
        authority = parts.netloc.rpartition("@")[2]
        host, port = host_and_port(authority)
        yield host, (443 if parts.scheme == "https" else 80) if port is None else port


def _place_rules(env: Env, key: str, store: Store, host: str, port: int | None, is_external: bool) -> Iterator[Verdict]:
    right = f"{store.service}:{store.port}"
    service = _service_of(host)
    if is_own_host(host):
        yield Verdict(key, f"means the server's own container{_origin(env, key, 'MYSQL_HOST', host)}: set {right}, or the name of the machine that it runs on")
    elif is_external:
        if port is None and key not in _OWN_DEFAULT_PORT:
            yield Verdict(key, "has no port")
    elif service == "nsqlookupd" and store.service == "nsqd":
        yield Verdict(key, f"names nsqlookupd, and the server talks to nsqd: set {right}")
    elif service is not None and service != store.service:
        yield Verdict(key, f"names {service}, where {store.service} is not: set {right}")
    elif service is None:
        yield Verdict(key, f"names another host than the stack's own {store.service}: set {right}, or name {store.service} in stack_external", False)
    elif port is None:
        yield Verdict(key, f"has no port: set {right}", key != "MILVUS_ADDR")
    elif port != store.port:
        origin = _origin(env, key, "MYSQL_PORT", str(port))
        yield Verdict(key, f"has port {port}{origin}, and in the stack's network {store.service} is on {store.port}, whatever is published: set {right}")


def _service_of(host: str) -> str | None:
    """The service that a name of the stack's network means: ``mysql``, ``coze-mysql``, ``<stack>-mysql``."""
    if host in SERVICES:
        return host
    return next((service for service in sorted(SERVICES, key=len, reverse=True) if host.endswith(f"-{service}") and "." not in host), None)


def _origin(env: Env, key: str, origin: str, value: str) -> str:
    return f" (as {origin} says)" if key == "MYSQL_DSN" and env.get(origin) == value else ""


def _dsn_rules(env: Env, is_external: bool) -> Iterator[Verdict]:
    try:
        dsn = parse_dsn(env["MYSQL_DSN"])
    except ValueError:
        return
    if not re.search(r"(^|&)parseTime=(1|t|T|TRUE|true|True)(&|$)", dsn.parameters):
        yield Verdict("MYSQL_DSN", "has no parseTime=True: the server cannot read times", False)
    if not is_external:
        yield from _own_mysql_rules(env, dsn)


def _own_mysql_rules(env: Env, dsn: Dsn) -> Iterator[Verdict]:
    """MySQL makes its user and its database of these settings, in an empty data directory; the server reads the DSN alone."""
    key = {env.get("MYSQL_USER", ""): "MYSQL_PASSWORD", "root": "MYSQL_ROOT_PASSWORD"}.get(dsn.user) if dsn.user else None
    if key is None and env.get("MYSQL_USER"):
        yield Verdict("MYSQL_DSN", "logs in as another user than MYSQL_USER, the one that MySQL makes", False)
    elif key and env.get(key) and env[key] != dsn.password:
        yield Verdict("MYSQL_DSN", f"has another password than {key}: the server reads the DSN alone, and MySQL takes {key}; write ${{{key}}} in it", False)
    if env.get("MYSQL_DATABASE") and env["MYSQL_DATABASE"] != dsn.database:
        yield Verdict("MYSQL_DSN", "names another database than MYSQL_DATABASE, the one that MySQL makes", False)


def _other_queue_rules(env: Env) -> Iterator[Verdict]:
    """Queues that are never the stack's own."""
    value = env.get("MQ_NAME_SERVER", "")
    if env.get("COZE_MQ_TYPE") not in ("kafka", "rmq", "pulsar", "nats") or not value:
        return
    for address in re.sub(r"\b[a-z+]+://", "", value).split(","):
        try:
            host = host_and_port(address.rpartition("@")[2])[0]
        except ValueError:
            continue
        if is_own_host(host):
            yield Verdict("MQ_NAME_SERVER", "means the server's own container: set the host that the queue is on")
        elif _service_of(host) in ("nsqd", "nsqlookupd"):
            yield Verdict("MQ_NAME_SERVER", f"names {_service_of(host)}, and COZE_MQ_TYPE is {env['COZE_MQ_TYPE']}")


# --- proxies ---


def _proxy_rules(env: Env, external: Collection[str]) -> Iterator[Verdict]:
    """Go's HTTP client goes through a proxy to every host that NO_PROXY does not name, and a proxy knows no name of the stack's network."""
    bypass = env.get("NO_PROXY") or env.get("no_proxy") or ""
    reached = _hosts_by_scheme(env)
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        key = name if env.get(name) else name.lower()
        if not env.get(key):
            continue
        caught = [host for host, port in reached[name] if not bypasses_proxy(bypass, host, port)]
        own = [host for host in caught if _service_of(host) and _service_of(host) not in external]
        others = [host for host in caught if host not in own]
        where = next((each for each in ("NO_PROXY", "no_proxy") if env.get(each)), key)
        if own:
            yield Verdict(where, f"leaves {', '.join(own)} to the proxy of {key}, which cannot reach {'it' if len(own) == 1 else 'them'}: {_cure(where, own)}")
        if others:
            yield Verdict(where, f"leaves a store outside the stack to the proxy of {key}: name its host in NO_PROXY if it is reached directly", False)


def _cure(where: str, hosts: Collection[str]) -> str:
    return f"add {','.join(hosts)}" if where.lower() == "no_proxy" else f"set NO_PROXY={','.join(hosts)},localhost,127.0.0.1"


def _hosts_by_scheme(env: Env) -> dict[str, list[tuple[str, int]]]:
    """The stores that are reached by HTTP, as (host, port), for each proxy setting that catches them."""
    hosts: dict[str, list[tuple[str, int]]] = {"HTTP_PROXY": [], "HTTPS_PROXY": []}
    if env.get("STORAGE_TYPE") == "minio":
        try:
            tls = go_bool(env.get("MINIO_USE_SSL", "")) is True
            host, port = host_and_port(env.get("MINIO_ENDPOINT", ""))
            hosts["HTTPS_PROXY" if tls else "HTTP_PROXY"].append((host, port or (443 if tls else 80)))
        except ValueError:
            pass
    for url in env.get("ES_ADDR", "").split(","):
        try:
            host, port = next(_urls_of(url, RELEASES[-1]))
            hosts["HTTPS_PROXY" if url.startswith("https:") else "HTTP_PROXY"].append((host, port or 0))
        except ValueError:
            pass
    return hosts


# --- models ---


def _model_rules(env: Env, release: str) -> Iterator[Verdict]:
    numbers: dict[str, set[str]] = {}
    for key, value in env.items():
        match = _MODEL_KEY.fullmatch(key)
        if match and value:
            numbers.setdefault(match.group(2) or "", set()).add(match.group(1))
    for number, given in numbers.items():
        end = f"_{number}" if number else ""
        before = str(int(number or 0) - 1)
        if release >= "0.5" and number != "0":
            message = f"is not read: release {release} has one model in its settings, whose keys end in _0"
            yield Verdict(f"MODEL_{sorted(given)[0]}{end}", message, False)
        elif number not in ("", "0") and before not in numbers:
            yield Verdict(f"MODEL_{sorted(given)[0]}{end}", f"is not read: there is no model {before}, and the numbers may have no gaps", False)
        else:
            yield from _one_model_rules(env, release, end, given)


def _one_model_rules(env: Env, release: str, end: str, given: Collection[str]) -> Iterator[Verdict]:
    configured = {"NAME", "ID", "API_KEY"} <= set(given) if release <= "0.3" else "ID" in given
    if not configured:
        if release >= "0.5" and {"PROTOCOL", "OPENCOZE_ID"} <= set(given):
            message = "is set without MODEL_ID_0: the server keeps a model without a name and a key for good; empty it, and MODEL_PROTOCOL_0 too"
            yield Verdict(f"MODEL_OPENCOZE_ID{end}", message, False)
        elif {"NAME", "ID", "API_KEY", "BASE_URL"} & set(given):
            wanted = ", ".join(f"MODEL_{part}{end}" for part in ("NAME", "ID", "API_KEY") if part not in given)
            yield Verdict(f"MODEL_{sorted(given)[0]}{end}", f"is set, but the server makes no model without {wanted}", False)
        return
    protocol = env.get(f"MODEL_PROTOCOL{end}", "")
    known = ("ark",) if release <= "0.3" else PROTOCOLS
    if protocol not in known:
        effect = "the server does not start; models of other protocols are files in conf/model" if release <= "0.3" else "the server takes it for ark"
        yield Verdict(f"MODEL_PROTOCOL{end}", f"has to be {'ark' if len(known) == 1 else 'one of ' + ', '.join(known)}: {effect}{nearest(protocol, known)}")
    if (go_int(env.get(f"MODEL_OPENCOZE_ID{end}", "")) or 0) <= 0:
        yield Verdict(f"MODEL_OPENCOZE_ID{end}", "has to be a whole number above 0, and no other model's id")
    url = env.get(f"MODEL_BASE_URL{end}", "")
    yield from (Verdict(f"MODEL_BASE_URL{end}", message) for message in (url_problems(url) if url else ()))


def _builtin_rules(env: Env, release: str) -> Iterator[Verdict]:
    prefixes = ("", *(_PREFIXES if release <= "0.3" else ()))
    for prefix in prefixes:
        name = env.get(f"{prefix}BUILTIN_CM_TYPE", "")
        for kind, options in BUILTIN.items():
            keys = {option: f"{prefix}BUILTIN_CM_{kind.upper()}_{option}" for option in options}
            url = env.get(keys["BASE_URL"], "")
            for message in url_problems(url) if url else ():
                yield Verdict(keys["BASE_URL"], message, kind == name)
            if kind == name and not env.get(keys["MODEL"]):
                message = f"is {kind}, and {keys['MODEL']} is empty: the server has no model for questions of its own"
                yield Verdict(f"{prefix}BUILTIN_CM_TYPE", message, False)
    if release >= "0.5":
        for key, value in env.items():
            if value and key.startswith(tuple(f"{prefix}BUILTIN_CM_" for prefix in _PREFIXES)):
                yield Verdict(key, f"is not read: release {release} uses BUILTIN_CM_TYPE and its like for everything", False)


# --- the rest ---


def _runner_rules(env: Env, release: str) -> Iterator[Verdict]:
    kind = env.get("CODE_RUNNER_TYPE", "")
    if kind != "sandbox":
        what = "is local" if kind == "local" else "is no type, and taken for local" if kind else "is empty, and taken for local"
        yield Verdict("CODE_RUNNER_TYPE", f"{what}: every user can run code in the server's container, with all of its secrets; set sandbox", False)
    if release >= "0.5":
        for part in ("ENV", "READ", "WRITE", "RUN", "FFI"):
            if env.get(f"CODE_RUNNER_ALLOW_{part}"):
                yield Verdict(f"CODE_RUNNER_ALLOW_{part}", f"has no effect in release {release}", False)


def _registration_rules(env: Env, release: str) -> Iterator[Verdict]:
    closed = env.get("DISABLE_USER_REGISTRATION", "")
    is_closed = closed == "true" or (release <= "0.3" and closed.lower() == "true")
    if closed.lower() not in ("", "false", "0", "no", "off") and not is_closed:
        yield Verdict("DISABLE_USER_REGISTRATION", "has to be true, in lower case: registration is open", False)
    allowed = env.get("ALLOW_REGISTRATION_EMAIL", "")
    if not allowed:
        return
    key = "ALLOW_REGISTRATION_EMAIL"
    if release >= "0.5":
        effect = "nobody at all can register" if is_closed else "everybody can register"
        yield Verdict(key, f"is not read as a list of who may register in release {release}: {effect}; set the list on the server's admin page", False)
    elif not is_closed:
        yield Verdict(key, "has no effect: only with DISABLE_USER_REGISTRATION=true does the list count", False)
    elif allowed != allowed.lower():
        yield Verdict(key, f"has capital letters: release {release} compares with lower-case addresses, so those cannot register", False)


def _misleading_rules(env: Env, release: str) -> Iterator[Verdict]:
    if env.get("LOG_LEVEL") in ("debug", "trace"):
        yield Verdict("LOG_LEVEL", "writes passwords and keys to the log: set info", False)
    if env.get("APP_ENV"):
        yield Verdict("APP_ENV", "makes the server read another file than .env: leave it out", False)
    if env.get("SSL_CERT_FILE") and env.get("USE_SSL", "") != "1":
        yield Verdict("SSL_CERT_FILE", "is also where Go finds the authorities that it trusts, so outgoing https can fail: empty it; USE_SSL is not 1", False)
    if release >= "0.3" and env.get("MINIO_PROXY_ENDPOINT"):
        yield Verdict("MINIO_PROXY_ENDPOINT", f"is not read in release {release}: browsers get files through coze-web", False)
    for key in ("MILVUS_USER", "MILVUS_PASSWORD", "MILVUS_TOKEN") if release == "0.2" else ():
        if env.get(key):
            yield Verdict(key, "is not read in release 0.2: the server does not log in to Milvus", False)
    database = env.get("MYSQL_DATABASE", "opencoze")
    if database and database != "opencoze":
        yield Verdict("MYSQL_DATABASE", "is not opencoze, the name that upstream's migrations have in them", False)


def _misspelt_rules(env: Env, release: str) -> Iterator[Verdict]:
    by_fold = {key.casefold(): key for key in KNOWN}
    for key in env:
        bare = next((key[len(prefix) :] for prefix in _PREFIXES if key.startswith(prefix)), key)
        if bare in KNOWN or _MODEL_KEY.fullmatch(key) or key.upper() in _PROXY_KEYS:
            continue
        near = by_fold.get(key.casefold()) or next(iter(difflib.get_close_matches(key, sorted(KNOWN), n=1, cutoff=_NEAR)), None)
        if near:
            yield Verdict(key, f"is no setting of Coze Studio; is {near} meant?", False)


Rule = t.Callable[[Env, str], Iterable[Verdict]]
_RULES: tuple[Rule, ...] = (
    _need_rules,
    _choice_rules,
    _number_rules,
    _secret_rules,
    _listen_rules,
    _server_host_rules,
    _bucket_rules,
    env_rules,
    _model_rules,
    _builtin_rules,
    _runner_rules,
    _registration_rules,
    _misleading_rules,
    _misspelt_rules,
)
