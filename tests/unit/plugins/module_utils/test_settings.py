# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad .env files, each made from a good one by a line or two, with the message and the line that it has to give."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._env_file import EnvError, is_secret_key, parse, resolve
from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import RELEASES, url_problems
from ansible_collections.cozeops.studio.plugins.module_utils._settings import Finding, check
from ansible_collections.cozeops.studio.plugins.module_utils._settings_table import KNOWN
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[4]
SHARED = ROOT.parent / "shared"
UPSTREAM_ENVS = {"0.2": SHARED / "upstream/coze-studio-0.2.2/docker/.env.example", "0.5": SHARED / "upstream/coze-studio-0.5.1/docker/.env.example"}
FAQ = SHARED / "reference/docker-only-faq.zh.txt"

GOOD = """\
LISTEN_ADDR=:8888
LOG_LEVEL=info
SERVER_HOST=http://coze.example.com:8888
USE_SSL=0
MYSQL_ROOT_PASSWORD=r00t-of-all
MYSQL_DATABASE=opencoze
MYSQL_USER=coze
MYSQL_PASSWORD=c0rpus-db
MYSQL_HOST=mysql
MYSQL_PORT=3306
MYSQL_DSN="${MYSQL_USER}:${MYSQL_PASSWORD}@tcp(${MYSQL_HOST}:${MYSQL_PORT})/${MYSQL_DATABASE}?charset=utf8mb4&parseTime=True"
REDIS_ADDR=redis:6379
REDIS_PASSWORD=
STORAGE_TYPE=minio
STORAGE_UPLOAD_HTTP_SCHEME=http
STORAGE_BUCKET=opencoze
MINIO_ROOT_USER=c0rpus-user
MINIO_ROOT_PASSWORD=c0rpus-minio
MINIO_AK=$MINIO_ROOT_USER
MINIO_SK=$MINIO_ROOT_PASSWORD
MINIO_ENDPOINT=minio:9000
ES_ADDR=http://elasticsearch:9200
ES_VERSION=v8
COZE_MQ_TYPE=nsq
MQ_NAME_SERVER=nsqd:4150
VECTOR_STORE_TYPE=milvus
MILVUS_ADDR=milvus:19530
EMBEDDING_TYPE=openai
EMBEDDING_MAX_BATCH_SIZE=10
OPENAI_EMBEDDING_BASE_URL=http://llm:8000/v1
OPENAI_EMBEDDING_MODEL=bge-m3
OPENAI_EMBEDDING_API_KEY=sk-c0rpus
OPENAI_EMBEDDING_BY_AZURE=false
OPENAI_EMBEDDING_DIMS=1024
OPENAI_EMBEDDING_REQUEST_DIMS=1024
BUILTIN_CM_TYPE=openai
BUILTIN_CM_OPENAI_BASE_URL=http://llm:8000/v1
BUILTIN_CM_OPENAI_API_KEY=sk-c0rpus
BUILTIN_CM_OPENAI_MODEL=lab
CODE_RUNNER_TYPE=sandbox
DISABLE_USER_REGISTRATION=true
PLUGIN_AES_AUTH_SECRET=c0rpus-aes-0001a
PLUGIN_AES_STATE_SECRET=c0rpus-aes-0002b
PLUGIN_AES_OAUTH_TOKEN_SECRET=c0rpus-aes-0003c
"""
SECRETS = ("c0rpus", "r00t")


def good(release: str) -> str:
    return GOOD.replace("http://coze.example.com", "coze.example.com") if release == "0.2" else GOOD


def edited(text: str, edit: str) -> tuple[str, int]:
    """The text with each line of the edit in the place of the one that sets the same key, or at the end; and the line of the edit's last.

    ``-KEY`` takes a line out (and its number is 0).
    """
    lines = text.splitlines()
    number = 0
    for line in edit.splitlines():
        key = line.lstrip("-").partition("=")[0]
        at = next((index for index, old in enumerate(lines) if old.startswith(f"{key}=")), len(lines))
        if line.startswith("-"):
            del lines[at]
            number = 0
        else:
            lines[at : at + 1] = [line]
            number = at + 1
    return "\n".join(lines) + "\n", number


def findings(text: str, release: str, **kwargs: t.Any) -> list[Finding]:
    result = resolve(text, ".env")
    return check(result.env, release, result.lines, **kwargs)


@pytest.mark.parametrize("release", RELEASES)
def test_the_good_file_has_no_finding(release: str) -> None:
    assert findings(good(release), release) == []


class Bad(t.NamedTuple):
    """A file: GOOD of a release with the edit. Unless ``key`` says otherwise, the finding is on the edit's last line."""

    edit: str
    message: str
    release: str = "0.5"
    fatal: bool = True
    key: str = ""


CORPUS = [
    # what the server cannot do without
    Bad("-STORAGE_TYPE", "is not set: the server does not start"),
    Bad("STORAGE_BUCKET=", "is empty: the server does not start"),
    Bad("-MYSQL_DSN", "is not set"),
    Bad("REDIS_ADDR=", "nobody can log in"),
    Bad("-ES_ADDR", "is not set"),
    Bad("MINIO_AK=", "is empty, and STORAGE_TYPE is minio"),
    Bad("STORAGE_TYPE=s3", "is not set, and STORAGE_TYPE is s3", key="S3_SECRET_KEY"),
    Bad("STORAGE_TYPE=tos\nTOS_ACCESS_KEY=c0rpus", "is not set, and STORAGE_TYPE is tos", key="TOS_REGION"),
    Bad("FILE_UPLOAD_COMPONENT_TYPE=imagex", "files cannot be uploaded", key="VE_IMAGEX_DOMAIN"),
    Bad("VECTOR_STORE_TYPE=vikingdb", "is not set, and VECTOR_STORE_TYPE is vikingdb", key="VIKING_DB_SK"),
    Bad("VECTOR_STORE_TYPE=oceanbase\nOCEANBASE_PORT=2881", "is not set, and VECTOR_STORE_TYPE is oceanbase", key="OCEANBASE_USER"),
    Bad("USE_SSL=1", "no browser gets a TLS connection", key="SSL_KEY_FILE"),
    Bad("RERANK_TYPE=vikingdb", "not ranked again", fatal=False, key="VIKINGDB_RERANK_AK"),
    Bad("OCR_TYPE=paddleocr", "no text is read from images", fatal=False, key="PADDLEOCR_OCR_API_URL"),
    # closed sets of values
    Bad("STORAGE_TYPE=Minio", "has to be one of minio, tos, s3: the server does not start with anything else; is minio meant?"),
    Bad("ES_VERSION=8", "has to be one of v7, v8"),
    Bad("COZE_MQ_TYPE=nsqd", "has to be one of nsq, kafka, rmq, pulsar, nats"),
    Bad("COZE_MQ_TYPE=pulsar", "is pulsar, which is there from release 0.5 on; release 0.3 has nsq, kafka, rmq", "0.3"),
    Bad("VECTOR_STORE_TYPE=oceanbase", "is oceanbase, which is there from release 0.3 on", "0.2"),
    Bad("VECTOR_STORE_TYPE=qdrant", "has to be one of milvus, vikingdb, oceanbase"),
    Bad("LOG_LEVEL=WARN", "is warn meant?", fatal=False),
    Bad("LOG_LEVEL=debug", "writes passwords and keys to the log", fatal=False),
    Bad("STORAGE_UPLOAD_HTTP_SCHEME=https://", "has to be one of http, https", fatal=False),
    Bad("RERANK_TYPE=rff", "is rrf meant?", fatal=False),
    Bad("PARSER_TYPE=tika", "has to be one of builtin, paddleocr", "0.3", fatal=False),
    Bad("BUILTIN_CM_TYPE=claude", "has to be one of openai, ark", fatal=False),
    Bad("USE_SSL=true", "only 1 turns TLS on", fatal=False),
    Bad("MINIO_USE_SSL=yes", "has to be true or false", fatal=False),
    Bad("NATS_USE_JETSTREAM=1", "only true turns it on", fatal=False),
    # numbers
    Bad("MAX_REQUEST_BODY_SIZE=1GB", "a whole number, 1 or more", fatal=False),
    Bad("ES_NUMBER_OF_REPLICAS=0", "a whole number, 1 or more", fatal=False),
    Bad("MYSQL_CONN_MAX_LIFETIME='3600   # seconds'", "a comment is part of the value", fatal=False),
    Bad("CODE_RUNNER_TIMEOUT_SECONDS=1m", "a number of seconds", fatal=False),
    # secrets of plugins
    Bad("PLUGIN_AES_AUTH_SECRET=c0rpus", "has 6 bytes, and has to have 16, 24 or 32"),
    Bad("PLUGIN_AES_STATE_SECRET=\"'c0rpus-aes-00'\"", "has 15 bytes, and has to have 16, 24 or 32: plugins cannot keep what they log in with; the quotes"),
    Bad("PLUGIN_AES_STATE_SECRET=c0rpus-aes-0002é", "has 17 bytes"),
    Bad("-PLUGIN_AES_OAUTH_TOKEN_SECRET", "is not set: the server takes a key that everybody can read", fatal=False),
    # where the server listens and how it is reached
    Bad("LISTEN_ADDR=8888", "has no port"),
    Bad("LISTEN_ADDR=:http", "has no valid port"),
    Bad("LISTEN_ADDR=192.168.1.5:8888", "names an address", fatal=False),
    Bad("LISTEN_ADDR=:9999", "has port 9999", fatal=False),
    Bad("LISTEN_ADDR=0.0.0.0:8888\nSERVER_HOST=localhost${LISTEN_ADDR}", "LISTEN_ADDR was expanded into it, and that was no plain :8888", "0.2"),
    Bad("SERVER_HOST=http://localhost0.0.0.0:8888", "has a listen address behind the host: LISTEN_ADDR was expanded into it", "0.3"),
    Bad("SERVER_HOST=http://coze10.1.2.3:80", "has a listen address behind the host"),
    Bad("SERVER_HOST=http://coze.example.com:80${LISTEN_ADDR}", "has two ports: LISTEN_ADDR was expanded into it"),
    Bad("SERVER_HOST=http://coze.example.com", "has a scheme: release 0.2 puts https:// before it", "0.2"),
    Bad("SERVER_HOST=coze.example.com:8888", "has no scheme", fatal=False),
    Bad("SERVER_HOST=ftp://coze.example.com", "has to begin with http:// or https://"),
    Bad("SERVER_HOST=http://coze.example.com/coze", "has a path", fatal=False),
    Bad("SERVER_HOST=http://coze.example.com/", "ends in a /", fatal=False),
    Bad("SERVER_HOST=http://0.0.0.0:8888", "no address that a browser can use", fatal=False),
    Bad("SERVER_HOST='http://${PUBLIC}:8888'", "has no valid host: letters, digits, dots and hyphens only: plugins cannot come back after a login; a ${...}"),
    Bad("SERVER_HOST=", "is empty", "0.3", fatal=False),
    Bad("SERVER_HOST=https://coze.example.com", "is http, and SERVER_HOST is https", fatal=False, key="STORAGE_UPLOAD_HTTP_SCHEME"),
    Bad("SSL_CERT_FILE=/certs/site.pem", "where Go finds the authorities", fatal=False),
    # addresses of stores
    Bad("MYSQL_HOST=127.0.0.1", "means the server's own container (as MYSQL_HOST says): set mysql:3306", key="MYSQL_DSN"),
    Bad("MYSQL_PORT=33060", "has port 33060 (as MYSQL_PORT says), and in the stack's network mysql is on 3306", key="MYSQL_DSN"),
    Bad("MYSQL_HOST=db.example.com", "names another host than the stack's own mysql", fatal=False, key="MYSQL_DSN"),
    Bad("MYSQL_DSN='coze:c0rpus-db@mysql:3306/opencoze'", "has no tcp(host:port)"),
    Bad("MYSQL_DSN='coze:c0rpus-db@tcp(mysql:3306)'", "has no / before the name"),
    Bad("MYSQL_DSN='${MYSQL_USER}:x@tcp(${MYSQL_HOST}:3306)/opencoze?parseTime=True'", "a ${...} in it was not replaced"),
    Bad("MYSQL_DSN='coze:c0rpus-db@tcp(mysql:3306)/opencoze'", "has no parseTime=True", fatal=False),
    Bad("MYSQL_DSN='coze:c0rpus-old@tcp(mysql:3306)/opencoze?parseTime=True'", "has another password than MYSQL_PASSWORD", fatal=False),
    Bad("MYSQL_DSN='admin:c0rpus-db@tcp(mysql:3306)/opencoze?parseTime=True'", "as another user than MYSQL_USER", fatal=False),
    Bad("MYSQL_DSN='coze:c0rpus-db@tcp(mysql:3306)/coze?parseTime=True'", "another database than MYSQL_DATABASE", fatal=False),
    Bad("MYSQL_DATABASE=coze", "is not opencoze", fatal=False),
    Bad("REDIS_ADDR=redis://redis:6379", "has a scheme in front"),
    Bad("REDIS_ADDR=localhost:6379", "means the server's own container: set redis:6379"),
    Bad("REDIS_ADDR=redis", "has no port: set redis:6379"),
    Bad("REDIS_ADDR=mysql:6379", "names mysql, where redis is not"),
    Bad("MINIO_ENDPOINT=http://minio:9000", "has a scheme in front"),
    Bad("MINIO_ENDPOINT=minio:9001", "has port 9001, and in the stack's network minio is on 9000"),
    Bad("MINIO_ENDPOINT=0.0.0.0:9000", "means the server's own container"),
    Bad("MINIO_SK=c0rpus-other", "is not MINIO_ROOT_PASSWORD", fatal=False),
    Bad("STORAGE_BUCKET=Open_Coze", "no name for a bucket"),
    Bad("ES_ADDR=elasticsearch:9200", "has no http:// or https:// in front"),
    Bad("ES_ADDR=http://elasticsearch", "has port 80, and in the stack's network elasticsearch is on 9200"),
    Bad("ES_ADDR=http://es1:9200,http://es2:9200", "release 0.2 takes one", "0.2"),
    Bad("ES_ADDR='http://[es:9200'", "is no URL"),
    Bad("MQ_NAME_SERVER=nsqlookupd:4161", "names nsqlookupd, and the server talks to nsqd: set nsqd:4150"),
    Bad("MQ_NAME_SERVER=nsqd:4151", "has port 4151"),
    Bad("MQ_NAME_SERVER=coze-nsqd:4160", "has port 4160"),
    Bad("COZE_MQ_TYPE=kafka", "names nsqd, and COZE_MQ_TYPE is kafka", key="MQ_NAME_SERVER"),
    Bad("COZE_MQ_TYPE=nats\nMQ_NAME_SERVER=nats://127.0.0.1:4222", "means the server's own container"),
    Bad("MILVUS_ADDR=milvus:9091", "has port 9091"),
    Bad("MILVUS_ADDR=milvus", "has no port", fatal=False),
    Bad("MILVUS_USER=root", "is not read in release 0.2", "0.2", fatal=False),
    # proxies
    Bad("HTTP_PROXY=http://proxy:3128", "leaves minio, elasticsearch to the proxy of HTTP_PROXY, which cannot reach them: set NO_PROXY=minio,elasticsearch,"),
    Bad("HTTP_PROXY=http://proxy:3128\nNO_PROXY=minio,localhost", "leaves elasticsearch to the proxy of HTTP_PROXY, which cannot reach it: add elasticsearch"),
    Bad("http_proxy=http://proxy:3128\nno_proxy=minio:9000,es", "leaves elasticsearch to the proxy of http_proxy"),
    Bad("HTTPS_PROXY=http://proxy:3128\nES_ADDR=https://elasticsearch:9200", "leaves elasticsearch to the proxy of HTTPS_PROXY", key="HTTPS_PROXY"),
    # the embedding model
    Bad("EMBEDDING_TYPE=OpenAI", "in lower case; is openai meant?"),
    Bad("EMBEDDING_TYPE=", "is not set: release 0.3 does not start", "0.3"),
    Bad("EMBEDDING_TYPE=gemini", "is there from release 0.3 on", "0.2"),
    Bad("EMBEDDING_TYPE=ark", "is ark, which is not configured", fatal=False),
    Bad("EMBEDDING_TYPE=ark\nARK_EMBEDDING_API_KEY=c0rpus\nARK_EMBEDDING_MODEL=", "is empty, and EMBEDDING_TYPE is ark: no knowledge base works"),
    Bad("EMBEDDING_TYPE=gemini\nGEMINI_EMBEDDING_API_KEY=", "the server does not start without it"),
    Bad("EMBEDDING_TYPE=ollama\nOLLAMA_EMBEDDING_MODEL=m\nOLLAMA_EMBEDDING_BASE_URL=http://localhost:11434", "has the host localhost"),
    Bad("EMBEDDING_TYPE=ollama\nOLLAMA_EMBEDDING_MODEL=m\nOLLAMA_EMBEDDING_BASE_URL=http://ollama:11434/v1", "has a path", fatal=False),
    Bad("OPENAI_EMBEDDING_BASE_URL=http://llm:8000/v1/embeddings", "ends in /embeddings"),
    Bad("OPENAI_EMBEDDING_BASE_URL=llm:8000/v1", "is no URL"),
    Bad("OPENAI_EMBEDDING_BASE_URL=http://llm:8000", "does not end in /v1", fatal=False),
    Bad("OPENAI_EMBEDDING_MODEL=", "most endpoints refuse requests", fatal=False),
    Bad("OPENAI_EMBEDDING_API_KEY=", "without a key", fatal=False),
    Bad("ARK_EMBEDDING_BASE_URL=http://llm:8000/v1/embeddings", "ends in /embeddings, which the client appends itself: leave it out (not in use", fatal=False),
    Bad("OPENAI_EMBEDDING_DIMS=1024d", "release 0.3 does not start", "0.3"),
    Bad("OPENAI_EMBEDDING_DIMS=", "release 0.2 does not start", "0.2"),
    Bad("OPENAI_EMBEDDING_DIMS=many", "takes 1024 instead", fatal=False),
    Bad("OPENAI_EMBEDDING_BY_AZURE=no", "has to be true or false: release 0.3 does not start", "0.3"),
    Bad("OPENAI_EMBEDDING_DIMS=512\nOPENAI_EMBEDDING_REQUEST_DIMS=1024", "is 1024, and OPENAI_EMBEDDING_DIMS is 512", "0.2"),
    Bad("OPENAI_EMBEDDING_DIMS=512\nOPENAI_EMBEDDING_REQUEST_DIMS=1024", "v0.5.1 ignores it", fatal=False),
    Bad("OPENAI_EMBEDDING_REQUEST_DIMS=", "is not read from v0.5.1 on", fatal=False),
    Bad("OPENAI_EMBEDDING_REQUEST_DIMS=x", "a whole number, or empty", "0.2"),
    Bad("EMBEDDING_MAX_BATCH_SIZE=0", "has to be above 0"),
    Bad("EMBEDDING_MAX_BATCH_SIZE=ten", "takes 100 instead", fatal=False),
    Bad(
        "OPENAI_EMBEDDING_BASE_URL=https://dashscope.aliyuncs.com/compatible-mode/v1\nEMBEDDING_MAX_BATCH_SIZE=50",
        "takes at most 10 texts at once",
        fatal=False,
    ),
    # chat models
    Bad("MODEL_PROTOCOL_0=ark\nMODEL_OPENCOZE_ID_0=100001", "is set without MODEL_ID_0", fatal=False),
    Bad("MODEL_NAME_0=n\nMODEL_ID_0=m\nMODEL_OPENCOZE_ID_0=1\nMODEL_PROTOCOL_0=opanai", "the server takes it for ark; is openai meant?"),
    Bad("MODEL_NAME_0=n\nMODEL_ID_0=m\nMODEL_OPENCOZE_ID_0=1\nMODEL_API_KEY_0=c0rpus\nMODEL_PROTOCOL_0=openai", "has to be ark", "0.3"),
    Bad("MODEL_PROTOCOL_0=openai\nMODEL_ID_0=m\nMODEL_OPENCOZE_ID_0=one", "a whole number above 0"),
    Bad("MODEL_PROTOCOL_0=openai\nMODEL_ID_0=m\nMODEL_OPENCOZE_ID_0=1\nMODEL_BASE_URL_0=http://llm:8000/v1/chat/completions", "ends in /chat/completions"),
    Bad("MODEL_NAME_0=n", "makes no model without MODEL_ID_0, MODEL_API_KEY_0", "0.3", fatal=False),
    Bad("MODEL_NAME_1=n", "has one model in its settings", fatal=False),
    Bad("MODEL_NAME_2=n", "there is no model 1", "0.3", fatal=False),
    Bad("BUILTIN_CM_OPENAI_BASE_URL=http://127.0.0.1:8000/v1", "has the host 127.0.0.1"),
    Bad("BUILTIN_CM_QWEN_BASE_URL=http://llm/v1/chat/completions", "ends in /chat/completions", fatal=False),
    Bad("BUILTIN_CM_TYPE=ark", "BUILTIN_CM_ARK_MODEL is empty", fatal=False),
    Bad("NL2SQL_BUILTIN_CM_TYPE=qwen", "is not read: release 0.5 uses BUILTIN_CM_TYPE", fatal=False),
    # users
    Bad("CODE_RUNNER_TYPE=local", "every user can run code", fatal=False),
    Bad("CODE_RUNNER_TYPE=Sandbox", "is no type, and taken for local", fatal=False),
    Bad("-CODE_RUNNER_TYPE", "is empty, and taken for local", fatal=False),
    Bad("CODE_RUNNER_ALLOW_READ=/tmp", "has no effect in release 0.5", fatal=False),
    Bad("DISABLE_USER_REGISTRATION=True", "has to be true, in lower case", fatal=False),
    Bad("DISABLE_USER_REGISTRATION=1", "registration is open", "0.3", fatal=False),
    Bad("ALLOW_REGISTRATION_EMAIL=a@example.com", "nobody at all can register", fatal=False),
    Bad("DISABLE_USER_REGISTRATION=\nALLOW_REGISTRATION_EMAIL=a@example.com", "has no effect", "0.3", fatal=False),
    Bad("ALLOW_REGISTRATION_EMAIL=Ann@example.com", "has capital letters", "0.2", fatal=False),
    # keys and what was left in values
    Bad("EMBEDING_TYPE=openai", "is EMBEDDING_TYPE meant?", fatal=False),
    Bad("OPENAI_EMBEDDING_DIM=512", "is OPENAI_EMBEDDING_DIMS meant?", fatal=False),
    Bad("mysql_dsn=x", "is MYSQL_DSN meant?", fatal=False),
    Bad("MINIO_PROXY_ENDPOINT=:8889", "is not read in release 0.3", "0.3", fatal=False),
    Bad("APP_ENV=production", "makes the server read another file", fatal=False),
    Bad("S3_REGION=\u201ccn\u201d", "full-width quotes", fatal=False),
    Bad("REDIS_PASSWORD='c0rpus '", "a blank or carriage return", fatal=False),
    Bad("STORAGE_TYPE='minio # minio / tos / s3'", "does not start with anything else; a comment is part of the value"),
    Bad("TOS_REGION=\"'cn-beijing'\"", "the quotes are part of the value", fatal=False),
]


@pytest.mark.parametrize("bad", CORPUS, ids=lambda bad: f"{bad.release}-{bad.edit}".replace("\n", " "))
def test_a_bad_file_is_found_and_named(bad: Bad) -> None:
    text, number = edited(good(bad.release), bad.edit)
    key = bad.key or bad.edit.splitlines()[-1].lstrip("-").partition("=")[0]
    if bad.key:
        number = next((index for index, line in enumerate(text.splitlines(), 1) if line.startswith(f"{key}=")), 0)
    found = findings(text, bad.release)
    assert [finding for finding in found if finding.key == key and bad.message in finding.message and finding.fatal == bad.fatal], found
    # One mistake is not told twice.
    assert len([finding for finding in found if finding.key == key]) == 1
    place = f".env:{number}" if number else ".env"
    assert any(str(finding).startswith(f"{place}: {key}: ") for finding in found)
    assert not any(secret in str(finding) for finding in found for secret in SECRETS)
    if not bad.fatal:
        assert not any(finding.fatal for finding in found)


def test_the_corpus_is_large_and_has_every_release() -> None:
    assert len(CORPUS) >= 60
    assert {bad.release for bad in CORPUS} == set(RELEASES)


# --- the other arguments ---


def test_an_external_store_may_be_anywhere_but_in_the_servers_container() -> None:
    text = edited(good("0.5"), "MYSQL_HOST=db.example.com\nMYSQL_PORT=33060\nMYSQL_USER=other\nMINIO_ENDPOINT=s3.example.com\nREDIS_ADDR=127.0.0.1:6379")[0]
    found = findings(text, "0.5", external=["mysql", "minio", "redis"])
    assert [(finding.key, finding.fatal) for finding in found] == [("REDIS_ADDR", True)]
    assert "has no port" in findings(edited(text, "REDIS_ADDR=db.example.com")[0], "0.5", external=["mysql", "minio", "redis"])[0].message


def test_a_key_that_the_file_does_not_set_is_named_with_what_does() -> None:
    result = resolve(good("0.5"), ".env", {"STORAGE_TYPE": "ftp", "ES_VERSION": "v9"})
    found = check(result.env, "0.5", result.lines, places={"STORAGE_TYPE": "stack_env"})
    assert [str(finding).split(": ")[:2] for finding in found] == [["stack_env", "STORAGE_TYPE"], [".env", "ES_VERSION"]]


def test_nothing_is_said_of_keys_that_could_not_be_read() -> None:
    text = edited(good("0.5"), "MYSQL_HOST='mysql\nSTORAGE_TYPE=ftp")[0]
    with pytest.raises(EnvError) as caught:
        resolve(text, ".env")
    rest = caught.value.rest
    assert rest is not None
    assert caught.value.unread == {"MYSQL_HOST", "MYSQL_DSN"}
    assert [finding.key for finding in check(rest.env, "0.5", rest.lines, unread=caught.value.unread)] == ["STORAGE_TYPE"]


def test_findings_are_in_the_order_of_the_file() -> None:
    text = edited(good("0.5"), "REDIS_ADDR=redis\nLISTEN_ADDR=8888\nES_VERSION=8\n-STORAGE_BUCKET")[0]
    assert [finding.key for finding in findings(text, "0.5")] == ["LISTEN_ADDR", "REDIS_ADDR", "ES_VERSION", "STORAGE_BUCKET"]


def test_a_release_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"unknown release 0\.4"):
        check({}, "0.4")


# --- stock files ---

#: What is worth saying of an example as it is: nobody has configured it yet.
STOCK_DOUBTS = {"LOG_LEVEL", "EMBEDDING_TYPE", "BUILTIN_CM_TYPE", "CODE_RUNNER_TYPE", "MODEL_OPENCOZE_ID_0"}
#: Line 0.2 quotes this one so that a part of it is lost, whoever reads it.
LOST = {"PLUGIN_AES_OAUTH_TOKEN_SECRET": "sixteen-letters!"}


def lab_env(release: str) -> str:
    sys.path.insert(0, str(ROOT / "tests/lab"))
    try:
        import source
    finally:
        sys.path.pop(0)
    text: bytes = source.files(release)["docker/.env.example"]
    return text.decode()


def stock_findings(text: str, release: str) -> list[Finding]:
    result = resolve(text, ".env", LOST if release == "0.2" else {})
    return check(result.env, release, result.lines)


@pytest.mark.parametrize("release", RELEASES)
def test_the_labs_example_deploys_as_it_is(release: str) -> None:
    found = stock_findings(lab_env(release), release)
    assert not [str(finding) for finding in found if finding.fatal]
    assert {finding.key for finding in found} <= STOCK_DOUBTS


@pytest.mark.parametrize("release", [*UPSTREAM_ENVS])
def test_upstreams_example_deploys_as_it_is(release: str) -> None:
    path = UPSTREAM_ENVS[release]
    if not path.exists():
        pytest.skip("no copy of upstream's files beside the checkout (../shared/upstream)")
    found = stock_findings(path.read_text(encoding="utf-8"), release)
    assert not [str(finding) for finding in found if finding.fatal]
    assert {finding.key for finding in found} <= STOCK_DOUBTS


@pytest.mark.parametrize("release", RELEASES)
def test_every_key_of_the_examples_is_known(release: str) -> None:
    keys = {assignment.key for assignment in parse(lab_env(release), ".env")}
    if release in UPSTREAM_ENVS and UPSTREAM_ENVS[release].exists():
        keys |= {assignment.key for assignment in parse(UPSTREAM_ENVS[release].read_text(encoding="utf-8"), ".env")}
    assert keys <= KNOWN


@pytest.mark.parametrize("release", ["0.2", "0.5"])
def test_upstreams_file_for_a_server_outside_of_docker_is_refused_for_each_store(release: str) -> None:
    path = UPSTREAM_ENVS[release].with_name(".env.debug.example")
    if not path.exists():
        pytest.skip("no copy of upstream's files beside the checkout (../shared/upstream)")
    fatal = {finding.key for finding in stock_findings(path.read_text(encoding="utf-8"), release) if finding.fatal}
    assert fatal == {"MYSQL_DSN", "REDIS_ADDR", "MINIO_ENDPOINT", "ES_ADDR", "MQ_NAME_SERVER", "MILVUS_ADDR"}


# --- a file made by hand for docker run --env-file ---

# As a recipe of `source`, `envsubst` and `sed` leaves it: LISTEN_ADDR in another setting, single quotes, and 512 beside 1024.
BY_HAND = """\
# Server
LISTEN_ADDR=0.0.0.0:8888
SERVER_HOST=localhost0.0.0.0:8888
MYSQL_DSN=coze:coze123@tcp(coze-mysql:3306)/opencoze?charset=utf8mb4&parseTime=True
REDIS_ADDR=coze-redis:6379
STORAGE_TYPE=minio
# minio / tos / s3
STORAGE_BUCKET=opencoze
MINIO_AK=minioadmin
MINIO_SK=minioadmin123
MINIO_ENDPOINT=coze-minio:9000
ES_ADDR=http://coze-elasticsearch:9200
ES_VERSION=v8
COZE_MQ_TYPE=nsq
MQ_NAME_SERVER=coze-nsqd:4150
VECTOR_STORE_TYPE=milvus
MILVUS_ADDR=coze-milvus:19530
EMBEDDING_TYPE=openai
EMBEDDING_MAX_BATCH_SIZE=50
OPENAI_EMBEDDING_BASE_URL=http://10.0.0.5:7866/compatible-mode/v1
OPENAI_EMBEDDING_MODEL=bge-small-zh-v1.5
OPENAI_EMBEDDING_API_KEY=emb-0123456789
OPENAI_EMBEDDING_BY_AZURE=false
OPENAI_EMBEDDING_DIMS=512
OPENAI_EMBEDDING_REQUEST_DIMS=1024
ARK_EMBEDDING_MODEL=bge-small-zh-v1.5
ARK_EMBEDDING_API_KEY=emb-0123456789
ARK_EMBEDDING_BASE_URL=http://10.0.0.5:7866/compatible-mode/v1/embeddings
CODE_RUNNER_TYPE=sandbox
PLUGIN_AES_AUTH_SECRET=0123456789abcdef
PLUGIN_AES_STATE_SECRET=0123456789abcdef
PLUGIN_AES_OAUTH_TOKEN_SECRET='cn+(HhJ[5d*z9'
"""
MISTAKES = {
    "SERVER_HOST": "has a listen address behind the host",
    "OPENAI_EMBEDDING_REQUEST_DIMS": "is 1024, and OPENAI_EMBEDDING_DIMS is 512",
    "ARK_EMBEDDING_BASE_URL": "ends in /embeddings",
}
BROKEN_SECRET = {"PLUGIN_AES_OAUTH_TOKEN_SECRET": "has 15 bytes, and has to have 16, 24 or 32: plugins cannot keep what they log in with; the quotes"}


def literal(text: str) -> tuple[dict[str, str], dict[str, int]]:
    """A file as docker run --env-file takes it: every character after the = is the value. And the line of each key."""
    settings_ = [(number, *line.partition("=")) for number, line in enumerate(text.splitlines(), 1) if not line.startswith("#") and "=" in line]
    return {key: value for dummy, key, equals, value in settings_}, {key: number for number, key, equals, value in settings_}


def mistakes_of(text: str, expected: dict[str, str]) -> None:
    env, lines = literal(text)
    found = {finding.key: str(finding) for finding in check(env, "0.2", lines, ".env.expanded")}
    for key, message in expected.items():
        number = next(index for index, line in enumerate(text.splitlines(), 1) if line.startswith(f"{key}="))
        assert found[key].startswith(f".env.expanded:{number}: {key}: {message}")


def test_each_mistake_of_a_file_made_by_hand_is_named_with_its_line() -> None:
    mistakes_of(BY_HAND, {**MISTAKES, **BROKEN_SECRET})
    env, lines = literal(BY_HAND)
    assert {finding.key for finding in check(env, "0.2", lines)} == {*MISTAKES, *BROKEN_SECRET}


def faq_text() -> str:
    if not FAQ.exists():
        pytest.skip("no copy of the published recipe beside the checkout (../shared/reference)")
    return FAQ.read_text(encoding="utf-8")


def test_each_mistake_of_the_published_file_is_named_with_its_line() -> None:
    block = faq_text().partition("cat .env.expanded\n")[2].partition("\n第")[0]
    assert len(literal(block)[0]) > 100
    mistakes_of(block, MISTAKES)


def test_the_address_of_the_published_chat_model_is_taken_and_with_its_usual_mistake_it_is_not() -> None:
    urls = re.findall(r'base_url: "(\S+)"', faq_text())
    assert urls
    for url in urls:
        assert list(url_problems(url)) == []
        assert [message.split(",")[0] for message in url_problems(f"{url}/chat/completions")] == ["ends in /chat/completions"]


def test_what_the_published_pipeline_makes_of_an_example_has_the_broken_secret(tmp_path: Path) -> None:
    bash, envsubst = shutil.which("bash"), shutil.which("envsubst")
    if bash is None or envsubst is None:
        pytest.skip("bash or envsubst (gettext) is not installed")
    text = lab_env("0.5").replace('LISTEN_ADDR=":8888"', 'LISTEN_ADDR="0.0.0.0:8888"')
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    pipeline = "source .env; envsubst < .env | sed 's/export //g' | sed 's/\"//g'"
    done = subprocess.run([bash, "-c", pipeline], cwd=tmp_path, env={"PATH": str(Path(envsubst).parent)}, capture_output=True, check=True)
    made = done.stdout.decode()
    env, lines = literal(made)
    found = {finding.key: str(finding) for finding in check(env, "0.5", lines, ".env.expanded") if finding.fatal}
    assert "a comment is part of the value" in found["STORAGE_TYPE"]
    assert "has a listen address behind the host" in found["SERVER_HOST"]
    for key, message in BROKEN_SECRET.items():
        assert found[key].startswith(f".env.expanded:{lines[key]}: {key}: {message}")


# --- whatever an environment says ---

SECRET = st.text(alphabet="qwzQWZ789", min_size=9, max_size=16)
CHOSEN = ["", "1", "0", "true", "minio", "nsq", "milvus", "v8", "openai", "ark", "gemini", "ollama", "http", "vikingdb", "oceanbase", "imagex", "local"]
PLACES = ["1024", "mysql:3306", "localhost:1", "http://minio:9000", "http://[::1", "http://h/v1/embeddings", ":8888", "a@b", "x # y", "${X}", "'x'", "*"]
WORDS = st.sampled_from([*CHOSEN, *PLACES])
VALUE = st.one_of(WORDS, st.text(max_size=12), st.lists(WORDS, max_size=4).map("".join))


@st.composite
def environments(draw: st.DrawFn) -> tuple[dict[str, str], list[str]]:
    """An environment of known and other keys, and its secrets, which occur nowhere else."""
    keys = draw(st.lists(st.one_of(st.sampled_from(sorted(KNOWN)), st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)), max_size=25, unique=True))
    env, secrets = {}, []
    for key in [*keys, "MODEL_API_KEY_00", "MODEL_NAME_7", "HTTP_PROXY"]:
        if is_secret_key(key):
            secret = draw(SECRET)
            before, after = draw(st.sampled_from([("", ""), ("u:", "@tcp(mysql:3306)/db"), ("u:", "@tcp("), ("http://u:", "@h:1/"), ("'", "'"), ("${", "}")]))
            env[key] = f"{before}{secret}{after}"
            secrets.append(secret)
        else:
            env[key] = draw(VALUE)
    return env, secrets


@settings(max_examples=400)
@given(environments(), st.sampled_from(RELEASES), st.sets(st.sampled_from(["mysql", "redis", "minio"])))
def test_whatever_an_environment_says_nothing_is_raised_and_no_secret_is_shown(
    environment: tuple[dict[str, str], list[str]], release: str, external: set[str]
) -> None:
    env, secrets = environment
    lines = {key: number for number, key in enumerate(env, 1)}
    found = check(env, release, lines, external=external)
    for finding in found:
        assert finding.key in env or finding.key in KNOWN
        assert finding.line == lines.get(finding.key, 0)
        assert finding.message and "\n" not in finding.message
        assert not any(secret in str(finding) for secret in secrets)
    assert found == check(env, release, lines, external=external)
