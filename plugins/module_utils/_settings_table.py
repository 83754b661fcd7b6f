# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the settings of a Coze Studio environment are, release by release. Private to this collection; the rules that read it are in _settings."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.cozeops.studio.plugins.module_utils._embedding import KINDS, OLD_ARK_KEY, REQUEST_DIMS_KEY
from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import RELEASES


class Choice(t.NamedTuple):
    """A setting with a closed set of values, each with the release that has it first."""

    words: Mapping[str, str]
    effect: str
    fatal: bool = False
    may_be_empty: bool = True
    since: str = RELEASES[0]


class Number(t.NamedTuple):
    """A setting that is a whole number; another value is taken for the default."""

    least: int = 0
    since: str = RELEASES[0]


class Store(t.NamedTuple):
    """A setting that says where a store is: the service, its port in the stack's network, and the setting that has to be of a value for it."""

    service: str
    port: int
    when: tuple[str, str] | None = None


class Need(t.NamedTuple):
    """Settings that may not be empty, when another has a value (always, without one)."""

    keys: tuple[str, ...]
    effect: str
    fatal: bool = True
    when: tuple[str, str] | None = None


def _all(*words: str) -> dict[str, str]:
    return dict.fromkeys(words, RELEASES[0])


_DIES = "the server does not start with anything else"

CHOICES = {
    "STORAGE_TYPE": Choice(_all("minio", "tos", "s3"), _DIES, True, False),
    "ES_VERSION": Choice(_all("v7", "v8"), _DIES, True, False),
    "COZE_MQ_TYPE": Choice({**_all("nsq", "kafka", "rmq"), "pulsar": "0.5", "nats": "0.5"}, _DIES, True, False),
    "VECTOR_STORE_TYPE": Choice({**_all("milvus", "vikingdb"), "oceanbase": "0.3"}, _DIES, True, False),
    "LOG_LEVEL": Choice(_all("trace", "debug", "info", "notice", "warn", "error", "fatal"), "the server takes info instead"),
    "STORAGE_UPLOAD_HTTP_SCHEME": Choice(_all("http", "https"), "uploads are sent to addresses that begin with it"),
    "FILE_UPLOAD_COMPONENT_TYPE": Choice(_all("storage", "imagex"), "the server takes storage instead"),
    "RERANK_TYPE": Choice(_all("rrf", "vikingdb"), "the server takes rrf instead", since="0.3"),
    "OCR_TYPE": Choice(_all("ve", "paddleocr"), "no text is read from images"),
    "PARSER_TYPE": Choice(_all("builtin", "paddleocr"), "documents are not read as meant", since="0.3"),
    "BUILTIN_CM_TYPE": Choice(_all("openai", "ark", "deepseek", "ollama", "qwen", "gemini"), "the server tries out every chat model when it starts"),
    "USE_SSL": Choice(_all("0", "1"), "only 1 turns TLS on"),
    "NATS_USE_JETSTREAM": Choice(_all("true", "false"), "only true turns it on", since="0.5"),
}

#: Settings that are true or false, as Go reads that, each with the release that has it first; another value is taken for the default.
FLAGS = {"MINIO_USE_SSL": "0.5", "COZE_SAAS_PLUGIN_ENABLED": "0.5", "BUILTIN_CM_OPENAI_BY_AZURE": "0.2", "OCEANBASE_ENABLE_CACHE": "0.3"}

NUMBERS = {
    "MAX_REQUEST_BODY_SIZE": Number(1),
    "ES_NUMBER_OF_SHARDS": Number(1, "0.3"),
    "ES_NUMBER_OF_REPLICAS": Number(1, "0.3"),
    "MYSQL_MAX_IDLE_CONNS": Number(0, "0.5"),
    "MYSQL_MAX_OPEN_CONNS": Number(0, "0.5"),
    "MYSQL_CONN_MAX_LIFETIME": Number(0, "0.5"),
    "MYSQL_CONN_MAX_IDLE_TIME": Number(0, "0.5"),
    "CODE_RUNNER_MEMORY_LIMIT_MB": Number(1),
}

STORES = {
    "MYSQL_DSN": Store("mysql", 3306),
    "REDIS_ADDR": Store("redis", 6379),
    "ES_ADDR": Store("elasticsearch", 9200),
    "MINIO_ENDPOINT": Store("minio", 9000, ("STORAGE_TYPE", "minio")),
    "MQ_NAME_SERVER": Store("nsqd", 4150, ("COZE_MQ_TYPE", "nsq")),
    "MILVUS_ADDR": Store("milvus", 19530, ("VECTOR_STORE_TYPE", "milvus")),
}
SERVICES = ("mysql", "redis", "elasticsearch", "minio", "etcd", "milvus", "nsqlookupd", "nsqd", "nsqadmin", "coze-server", "coze-web")

_NO_START = "the server does not start without it"
_NO_UPLOAD = "files cannot be uploaded without it"
NEEDS = (
    Need(("MYSQL_DSN", "STORAGE_TYPE", "STORAGE_BUCKET", "ES_ADDR", "ES_VERSION", "COZE_MQ_TYPE", "MQ_NAME_SERVER", "VECTOR_STORE_TYPE"), _NO_START),
    Need(("REDIS_ADDR",), "nobody can log in without it"),
    Need(("MINIO_ENDPOINT", "MINIO_AK", "MINIO_SK"), _NO_START, when=("STORAGE_TYPE", "minio")),
    Need(("S3_ACCESS_KEY", "S3_SECRET_KEY"), _NO_START, when=("STORAGE_TYPE", "s3")),
    Need(("TOS_ACCESS_KEY", "TOS_SECRET_KEY", "TOS_ENDPOINT", "TOS_REGION"), _NO_START, when=("STORAGE_TYPE", "tos")),
    Need(("MILVUS_ADDR",), _NO_START, when=("VECTOR_STORE_TYPE", "milvus")),
    Need(("VIKING_DB_AK", "VIKING_DB_SK"), _NO_START, when=("VECTOR_STORE_TYPE", "vikingdb")),
    Need(
        ("OCEANBASE_HOST", "OCEANBASE_PORT", "OCEANBASE_USER", "OCEANBASE_PASSWORD", "OCEANBASE_DATABASE"),
        _NO_START,
        when=("VECTOR_STORE_TYPE", "oceanbase"),
    ),
    Need(
        ("VE_IMAGEX_AK", "VE_IMAGEX_SK", "VE_IMAGEX_SERVER_ID", "VE_IMAGEX_DOMAIN", "VE_IMAGEX_TEMPLATE", "VE_IMAGEX_UPLOAD_HOST"),
        _NO_UPLOAD,
        when=("FILE_UPLOAD_COMPONENT_TYPE", "imagex"),
    ),
    Need(("SSL_CERT_FILE", "SSL_KEY_FILE"), "no browser gets a TLS connection without it", when=("USE_SSL", "1")),
    Need(("VIKINGDB_RERANK_AK", "VIKINGDB_RERANK_SK"), "results are not ranked again without it", False, ("RERANK_TYPE", "vikingdb")),
    Need(("PADDLEOCR_OCR_API_URL",), "no text is read from images without it", False, ("OCR_TYPE", "paddleocr")),
    Need(("PADDLEOCR_STRUCTURE_API_URL",), "documents are not read without it", False, ("PARSER_TYPE", "paddleocr")),
)

AES_SECRETS = ("PLUGIN_AES_AUTH_SECRET", "PLUGIN_AES_STATE_SECRET", "PLUGIN_AES_OAUTH_TOKEN_SECRET")
AES_LENGTHS = (16, 24, 32)
#: The options of the server's own model, by type.
BUILTIN = {
    "openai": ("BASE_URL", "API_KEY", "MODEL"),
    "ark": ("BASE_URL", "API_KEY", "MODEL"),
    "deepseek": ("BASE_URL", "API_KEY", "MODEL"),
    "ollama": ("BASE_URL", "MODEL"),
    "qwen": ("BASE_URL", "API_KEY", "MODEL"),
    "gemini": ("BASE_URL", "API_KEY", "MODEL"),
}

#: Keys with rules of their own elsewhere, or none: what upstream's examples have and the server, compose or an image reads.
_OTHER_KEYS = """
APP_ENV LISTEN_ADDR SERVER_HOST SSL_CERT_FILE SSL_KEY_FILE RUN_MODE PWD WEB_LISTEN_ADDR MYSQL_ROOT_PASSWORD MYSQL_DATABASE MYSQL_USER MYSQL_PASSWORD
MYSQL_HOST MYSQL_PORT ATLAS_URL REDIS_PASSWORD REDIS_AOF_ENABLED REDIS_IO_THREADS REDIS_PORT_NUMBER ALLOW_EMPTY_PASSWORD MINIO_ROOT_USER
MINIO_ROOT_PASSWORD MINIO_DEFAULT_BUCKETS MINIO_PROXY_ENDPOINT MINIO_API_HOST S3_ENDPOINT S3_REGION S3_BUCKET_ENDPOINT TOS_BUCKET_ENDPOINT ES_USERNAME
ES_PASSWORD RMQ_ACCESS_KEY RMQ_SECRET_KEY PULSAR_SERVICE_URL PULSAR_JWT_TOKEN NATS_SERVER_URL NATS_JWT_TOKEN NATS_NKEY_SEED NATS_USERNAME NATS_PASSWORD
NATS_TOKEN NATS_STREAM_REPLICAS MILVUS_USER MILVUS_PASSWORD MILVUS_TOKEN VIKING_DB_HOST VIKING_DB_REGION VIKING_DB_SCHEME VIKING_DB_MODEL_NAME
OCEANBASE_BATCH_SIZE OCEANBASE_ENABLE_CACHE OCEANBASE_CACHE_TTL OCEANBASE_MAX_CONNECTIONS OCEANBASE_CONN_TIMEOUT EMBEDDING_TYPE EMBEDDING_MAX_BATCH_SIZE
VIKINGDB_RERANK_HOST VIKINGDB_RERANK_REGION VIKINGDB_RERANK_MODEL VE_OCR_AK VE_OCR_SK BUILTIN_CM_GEMINI_BACKEND BUILTIN_CM_GEMINI_PROJECT
BUILTIN_CM_GEMINI_LOCATION CODE_RUNNER_TYPE CODE_RUNNER_ALLOW_ENV CODE_RUNNER_ALLOW_READ CODE_RUNNER_ALLOW_WRITE CODE_RUNNER_ALLOW_NET
CODE_RUNNER_ALLOW_RUN CODE_RUNNER_ALLOW_FFI CODE_RUNNER_NODE_MODULES_DIR CODE_RUNNER_TIMEOUT_SECONDS DISABLE_USER_REGISTRATION ALLOW_REGISTRATION_EMAIL
COZE_SAAS_API_BASE_URL COZE_SAAS_API_KEY
"""
_BUILTIN_KEYS = [f"BUILTIN_CM_{name.upper()}_{option}" for name, options in BUILTIN.items() for option in options]
KNOWN = frozenset(
    [
        *_OTHER_KEYS.split(),
        *CHOICES,
        *NUMBERS,
        *FLAGS,
        *(key for need in NEEDS for key in need.keys),
        *AES_SECRETS,
        *_BUILTIN_KEYS,
        *(key for kind in KINDS.values() for key in kind.keys.values()),
        OLD_ARK_KEY,
        REQUEST_DIMS_KEY,
        *(f"MODEL_{part}_0" for part in ("PROTOCOL", "OPENCOZE_ID", "NAME", "ID", "API_KEY", "BASE_URL")),
    ]
)
