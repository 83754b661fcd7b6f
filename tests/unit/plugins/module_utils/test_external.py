# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores that are the operator's own: what may be given, and what becomes of the environment and of the services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.module_utils import _external
from ansible_collections.cozeops.studio.plugins.module_utils._external import ExternalError
from ansible_collections.cozeops.studio.plugins.module_utils._settings_values import parse_dsn
from ansible_collections.cozeops.studio.plugins.module_utils._store_probe import PROBES
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[4]
KINDS: list[dict[str, Any]] = [
    kind
    for path in sorted(ROOT.glob("roles/*/vars/main.yml"))
    for name, value in yaml.safe_load(path.read_text()).items()
    if name.endswith("_external") and name.startswith("_" + path.parents[1].name)
    for kind in value
]
BY_NAME = {kind["kind"]: kind for kind in KINDS}
#: What each service needs, as the roles have it.
NEEDS: dict[str, list[str]] = {
    "mysql": [],
    "redis": [],
    "elasticsearch": [],
    "minio": [],
    "etcd": [],
    "milvus": ["etcd", "minio"],
    "nsqlookupd": [],
    "nsqd": ["nsqlookupd"],
    "nsqadmin": ["nsqlookupd"],
    "coze-server": ["mysql", "redis", "elasticsearch", "minio", "milvus", "nsqd"],
    "coze-web": ["coze-server"],
}
SERVICES = [{"name": name, "depends_on": dict.fromkeys(needs, "ready")} for name, needs in NEEDS.items()]
DB = {"host": "db.example", "user": "coze", "password": "p"}


def options(given: dict[str, Any], release: str = "0.5", stored: dict[str, str] | None = None) -> dict[str, Any]:
    return _external.options(given, KINDS, release, stored or {})


def sample(option: dict[str, Any]) -> Any:
    by_use = {"port": 1234, "host": "store.example", "address": "store.example:1", "url": "https://store.example"}
    value = option["choices"][0] if "choices" in option else by_use.get(option.get("is", ""), True if option["type"] == "bool" else "text")
    return [value] if option["type"] == "list" else value


def filled(kind: dict[str, Any]) -> dict[str, Any]:
    return {name: sample(option) for name, option in kind["options"].items()}


@pytest.mark.parametrize("kind", KINDS, ids=list(BY_NAME))
def test_what_roles_say_of_their_kinds_fits_together(kind: dict[str, Any]) -> None:
    known = {"kind", "setting", "releases", "replaces", "serves", "secrets", "dsn", "alone", "options", "env", "place", "probe", "at", "client"}
    assert set(kind) <= known
    assert kind["probe"] in PROBES and set(kind["replaces"]) <= set(NEEDS)
    for option in kind["options"].values():
        assert set(option) <= {"type", "elements", "required", "default", "choices", "stored", "is", "releases", "prefix"}
    chosen = options({kind["kind"]: filled(kind)})
    env = _external.environment(chosen, KINDS)
    assert set(env) == set(kind["env"]) and "{" not in "".join(env.values())
    assert "{" not in _external.places(chosen, KINDS)[kind["kind"]]
    stored = {option["stored"] for option in kind["options"].values() if "stored" in option}
    assert stored <= set(env), "a secret is found by the name that the server has for it"


@pytest.mark.parametrize("kind", KINDS, ids=list(BY_NAME))
def test_every_option_is_documented(kind: dict[str, Any]) -> None:
    section = (ROOT / "docs/external.md").read_text().partition("\n### `%s`" % kind["kind"])[2].partition("\n#")[0]
    assert section, "docs/external.md has no section on it"
    assert [name for name in kind["options"] if "`%s`" % name not in section] == []


def test_secrets_may_stay_in_the_secrets_file() -> None:
    chosen = options({"mysql": {"host": "db.example", "user": "coze"}}, stored={"MYSQL_PASSWORD": "kept"})
    assert chosen["mysql"]["password"] == "kept"
    with pytest.raises(ExternalError, match=r"stack_external\.mysql\.password: it is missing, here or as MYSQL_PASSWORD in the secrets file\."):
        options({"mysql": {"host": "db.example", "user": "coze"}})


@pytest.mark.parametrize(
    ("given", "release", "says"),
    [
        ({"mysgl": DB}, "0.5", "stack_external: mysgl is no store that may be yours; did you mean mysql?"),
        ({"mysql": "db.example"}, "0.5", "stack_external.mysql: it is to have options, such as host, port"),
        ({"mysql": {**DB, "prot": 1}}, "0.5", "stack_external.mysql: prot is no option of it; did you mean port?"),
        ({"mysql": {**DB, "port": 70000}}, "0.5", "stack_external.mysql.port: 70000 is no port: it is to be from 1 to 65535."),
        ({"mysql": {**DB, "port": "x"}}, "0.5", "stack_external.mysql: "),
        ({"mysql": {**DB, "host": "localhost"}}, "0.5", "stack_external.mysql.host: localhost means each container itself."),
        ({"mysql": {**DB, "host": "db.example:3306"}}, "0.5", "stack_external.mysql.host: it "),
        ({"mysql": {**DB, "host": "[2001:db8::1]:3306"}}, "0.5", "stack_external.mysql.host: it has a port in it, which is an option of its own."),
        ({"mysql": {**DB, "password": "a\nb"}}, "0.5", "stack_external.mysql.password: it has several lines."),
        ({"mysql": {**DB, "tls": "maybe"}}, "0.5", "stack_external.mysql: value of tls must be one of: false, true, skip-verify, preferred"),
        ({"mysql": {"dsn": "coze:p@db.example/coze"}}, "0.5", "stack_external.mysql.dsn: it has no tcp(host:port) between the @ and the /."),
        ({"mysql": {"dsn": "coze:p@tcp(db:1)/c", "user": "x"}}, "0.5", "stack_external.mysql.dsn: it says all that there is to say; take user away."),
        ({"elasticsearch": {"urls": ["search.example:9200"]}}, "0.5", "stack_external.elasticsearch.urls: it has no http:// or https:// in front."),
        ({"etcd": {"endpoints": ["etcd.example"]}}, "0.5", "stack_external.etcd.endpoints: it has no port behind its host."),
        ({"nats": {"host": "mq"}}, "0.3", "stack_external.nats: the server of release 0.3 does not know it; those of 0.5 do."),
        ({"milvus": {"host": "m", "token": "t"}}, "0.2", "stack_external.milvus.token: the server of release 0.2 does not read it; those of 0.3 and 0.5 do."),
        ({"kafka": {"host": "mq"}, "nsq": {"host": "mq"}}, "0.5", "stack_external: kafka and nsq stand for the same. Leave one."),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], release: str, says: str) -> None:
    with pytest.raises(ExternalError) as caught:
        options(given, release)
    assert str(caught.value).startswith(says)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ExternalError) as caught:
        options({"mysql": {"port": 0, "user": "coze"}, "redes": {}, "redis": {"host": "0.0.0.0"}})
    assert len(str(caught.value).splitlines()) == 4


@given(
    user=st.text("abcXYZ09_-", min_size=1, max_size=8),
    password=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12),
    host=st.sampled_from(["db.example", "10.0.0.7", "2001:db8::7", "[2001:db8::7]"]),
    port=st.integers(1, 65535),
)
def test_a_dsn_says_what_was_given(user: str, password: str, host: str, port: int) -> None:
    env = _external.environment(options({"mysql": {"host": host, "port": port, "user": user, "password": password, "database": "c"}}), KINDS)
    dsn = parse_dsn(env["MYSQL_DSN"])
    assert (dsn.user, dsn.password, dsn.host, dsn.port, dsn.database) == (user, password, host.strip("[]"), port, "c")
    if ")/" not in password:
        assert _external.environment(options({"mysql": {"dsn": env["MYSQL_DSN"]}}), KINDS) == env


def test_switches_and_lists_are_as_the_server_reads_them() -> None:
    env = _external.environment(
        options(
            {
                "minio": {"host": "s3.example", "tls": True, "access_key": "a", "secret_key": "{s}"},
                "elasticsearch": {"urls": ["http://a:9200", "http://b:9200"]},
                "milvus": {"host": "m.example", "tls": True},
                "nats": {"host": "n.example", "tls": True},
            }
        ),
        KINDS,
    )
    assert (env["MINIO_ENDPOINT"], env["MINIO_USE_SSL"], env["MINIO_API_HOST"]) == ("s3.example:9000", "true", "https://s3.example:9000")
    assert env["MINIO_SK"] == "{s}", "braces in a value are its own"
    assert env["ES_ADDR"] == "http://a:9200,http://b:9200"
    assert (env["MILVUS_ADDR"], env["MQ_NAME_SERVER"]) == ("https://m.example:19530", "tls://n.example:4222")


@pytest.mark.parametrize(
    ("chosen", "out"),
    [
        ([], {}),
        (["mysql"], {"mysql": "mysql"}),
        (["milvus"], {"milvus": "milvus", "etcd": ""}),
        (["etcd"], {"etcd": "etcd"}),
        (["kafka"], {"nsqlookupd": "kafka", "nsqd": "kafka", "nsqadmin": "kafka"}),
        (["s3"], {}),
        (["s3", "vikingdb"], {"minio": "s3", "milvus": "vikingdb", "etcd": ""}),
        (["minio"], {"minio": "minio"}),
    ],
)
def test_services_that_nobody_needs_any_more_are_left_out(chosen: list[str], out: dict[str, str]) -> None:
    assert _external.left_out(chosen, KINDS, SERVICES) == out


@given(st.sets(st.sampled_from(sorted(BY_NAME))))
def test_what_is_left_out_is_served_by_a_store_or_needed_by_nobody(chosen: set[str]) -> None:
    out = _external.left_out(chosen, KINDS, SERVICES)
    assert not {"coze-server", "coze-web"} & set(out)
    for name, needs in NEEDS.items():
        for need in needs:
            # Oracle: a service that stays finds what it needs, in the stack or outside.
            serving = [kind for kind in chosen if need in BY_NAME[kind]["replaces"] and name in BY_NAME[kind].get("serves", [name])]
            assert name in out or need not in out or serving
    for name, kind in out.items():
        assert name in BY_NAME[kind]["replaces"] if kind else all(user in out for user, needs in NEEDS.items() if name in needs)


def test_consumers_are_those_that_stay() -> None:
    out = _external.left_out(["etcd"], KINDS, SERVICES)
    assert _external.consumers(BY_NAME["etcd"], out, SERVICES) == ["milvus"]
    assert _external.consumers(BY_NAME["minio"], {}, SERVICES) == ["milvus", "coze-server"]
    assert _external.consumers(BY_NAME["s3"], {}, SERVICES) == ["coze-server"]


def test_a_client_has_the_inputs_of_the_jobs_and_no_data() -> None:
    service = {
        "name": "mysql",
        "image": "mysql",
        "user": "999:999",
        "init": [{"name": "mysql_schema", "inputs": ["conf/mysql"]}],
        "files": [{"path": "conf/mysql/schema.sql"}, {"path": "conf/other"}],
        "trees": [{"path": "conf/mysql/migrations"}],
        "mounts": [{"source": "data/mysql", "target": "/var/lib/mysql"}, {"source": "conf/mysql", "target": "/cozeops"}],
    }
    client = _external.client(BY_NAME["mysql"], service)
    assert client["name"] == "mysql-client" and client["command"] == ["3600"] and client["data"] == []
    assert [mount["source"] for mount in client["mounts"]] == ["conf/mysql"]
    assert [entry["path"] for entry in client["files"]] == ["conf/mysql/schema.sql"]


def test_two_values_for_one_setting_are_told() -> None:
    assert _external.disagreements({"REDIS_ADDR": "a:1"}, {"REDIS_ADDR": "b:1"}) == [
        "REDIS_ADDR: stack_external and stack_env give different values for it: take one of them away."
    ]
    assert _external.disagreements({"REDIS_ADDR": "a:1"}, {"REDIS_ADDR": "a:1", "OTHER": "x"}) == []
