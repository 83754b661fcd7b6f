# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue against lines as the services print them."""

from __future__ import annotations

import re

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._catalogue import SIGNATURES, explain

PANIC = "panic: InitializeInfra failed, err="
TOS = PANIC + "init tos client failed, err=init minio client failed check bucket opencoze exist failed "

RECORDED = [
    ("mysql", 127, "Fatal glibc error: CPU does not support x86-64-v2", "cpu-x86-64-v2"),
    ("redis", 1, "<jemalloc>: Unsupported system page size", "page-size"),
    ("etcd", 1, "exec /opt/bitnami/scripts/etcd/entrypoint.sh: exec format error", "wrong-architecture"),
    (
        "mysql",
        1,
        "2026-01-31T10:00:00.1Z 0 [ERROR] [MY-010457] [Server] --initialize specified but the data directory has files in it. Aborting.",
        "mysql-dirty-directory",
    ),
    (
        "mysql",
        1,
        "[ERROR] [MY-012960] [InnoDB] Cannot create redo log files because data files are corrupt or the database was not shut down cleanly",
        "mysql-redo-log",
    ),
    ("mysql", 1, "[ERROR] [MY-014060] [Server] Invalid MySQL server downgrade: Cannot downgrade from 90700 to 80405.", "mysql-older-than-data"),
    ("mysql", 1, "[ERROR] [MY-012574] [InnoDB] Unable to lock ./ibdata1 error: 11", "mysql-directory-in-use"),
    ("mysql", 1, "[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified", "mysql-no-password"),
    ("mysql", 1, "[ERROR] [MY-000067] [Server] unknown variable 'default-authentication-plugin=x'.", "mysql-option"),
    ("elasticsearch", 3, "java.lang.OutOfMemoryError: Java heap space", "elasticsearch-heap"),
    ("elasticsearch", 1, "# There is insufficient memory for the Java Runtime Environment to continue.", "java-no-memory"),
    ("milvus", 2, "runtime: cannot allocate memory", "no-memory"),
    (
        "elasticsearch",
        78,
        "bootstrap check failure [1] of [1]: max virtual memory areas vm.max_map_count [65530] is too low, increase to at least [262144]",
        "elasticsearch-max-map-count",
    ),
    ("elasticsearch", 1, "cp: -r not specified; omitting directory '/opt/bitnami/elasticsearch/analysis-smartcn.zip'", "elasticsearch-plugin-directory"),
    (
        "elasticsearch",
        1,
        "java.lang.IllegalArgumentException: Plugin [analysis-smartcn] was built for Elasticsearch version 8.17.0 but version 8.18.0 is running",
        "elasticsearch-plugin-version",
    ),
    ("elasticsearch", None, "smartcn plugin not loaded correctly, please ensure the plugin is installed", "elasticsearch-smartcn"),
    ("elasticsearch", None, "Custom Analyzer [a] failed to find tokenizer under name [smartcn_tokenizer]", "elasticsearch-smartcn"),
    (
        "elasticsearch",
        1,
        "java.lang.IllegalStateException: failed to obtain node locks, tried [/bitnami/elasticsearch/data]; maybe these locations are not writable",
        "elasticsearch-directory-in-use",
    ),
    (
        "elasticsearch",
        1,
        "java.lang.IllegalStateException: cannot downgrade a node from version [8.19.0] to version [8.18.0]",
        "elasticsearch-older-than-data",
    ),
    ("minio", 1, "Access key length should be at least 3, and secret key length at least 8 characters", "minio-credentials-length"),
    ("minio", 1, "FATAL Unable to validate credentials inherited from the shell environment: Invalid credentials", "minio-credentials-length"),
    ("minio", 1, "FATAL Unable to initialize backend: file access denied", "minio-drive"),
    ("redis", 1, "*** FATAL CONFIG FILE ERROR (Redis 8.0.2) ***", "redis-config"),
    ("redis", 1, "ERROR ==> The REDIS_PASSWORD environment variable is empty or not set. Set ALLOW_EMPTY_PASSWORD=yes to allow", "redis-no-password"),
    ("redis", 1, "1:M 31 Jan 2026 10:00:00.000 # Can't handle RDB format version 12", "redis-newer-data"),
    (
        "redis",
        1,
        "1:M 31 Jan 2026 # Bad file format reading the append only file appendonly.aof.1.incr.aof: make a backup of your AOF file",
        "redis-damaged-data",
    ),
    ("milvus", 1, "rpc error: code = ResourceExhausted desc = etcdserver: mvcc: database space exceeded", "etcd-no-space"),
    ("etcd", 1, '{"level":"fatal","msg":"failed to read WAL, cannot be repaired","error":"wal: crc mismatch"}', "etcd-damaged-data"),
    ("etcd", 1, '{"level":"fatal","error":"member 8e9e05c52164694d has already been bootstrapped"}', "etcd-foreign-data"),
    ("etcd", 1, "ERROR ==> You can set ALLOW_NONE_AUTHENTICATION=yes to allow a container without authentication", "etcd-no-authentication"),
    ("coze-server", 2, "panic: loadEnv failed, err=load env file(.env) failed, err=open .env: no such file or directory", "server-no-env"),
    ("coze-server", 2, PANIC + 'unknown storage type: "minio" # minio / tos / s3', "server-raw-env"),
    ("coze-server", 2, PANIC + "unknown storage type: swift", "server-storage-type"),
    ("coze-server", 2, PANIC + "init vector store failed, err=unexpected vector store type, got: x", "server-type-setting"),
    ("coze-server", 2, PANIC + "yaml: line 147: did not find expected key", "server-yaml"),
    ("coze-server", 2, PANIC + "open /app/resources/conf/workflow/config.yaml: no such file or directory", "server-conf-file"),
    (
        "coze-server",
        2,
        PANIC + "init model config failed, err=get model by id failed, err: Error 1146 (42S02): Table 'opencoze.model_instance' doesn't exist",
        "server-missing-table",
    ),
    ("coze-server", None, "Error 1054 (42S22): Unknown column 'user_id' in 'field list'", "server-missing-column"),
    ("coze-server", 2, PANIC + "mysql open, dsn: x, err: Error 1049 (42000): Unknown database 'other'", "server-missing-database"),
    ("coze-server", 2, PANIC + "mysql open, dsn: x, err: Error 1045 (28000): Access denied for user 'coze'@'172.18.0.3'", "mysql-access-denied"),
    (
        "coze-server",
        2,
        PANIC + "init db failed, err=mysql open, dsn: x@tcp(mysql:3306)/opencoze, err: dial tcp 172.18.0.2:3306: connect: connection refused",
        "server-mysql-unreachable",
    ),
    (
        "coze-server",
        2,
        PANIC + "mysql open, dsn: x@tcp(mysql:3306)/opencoze, err: dial tcp: lookup mysql on 127.0.0.11:53: no such host",
        "server-mysql-unreachable",
    ),
    ("coze-server", 2, TOS + "The Access Key Id you provided does not exist in our records.", "minio-access-key"),
    (
        "milvus",
        1,
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        "minio-access-key",
    ),
    ("coze-server", 2, TOS + "502 Bad Gateway", "server-bucket-proxy"),
    ("coze-server", 2, TOS + 'Get "http://minio:9000/opencoze/?location=": dial tcp: lookup minio on 127.0.0.11:53: no such host', "server-minio-unreachable"),
    ("coze-server", 2, PANIC + "connect to nsqd failed, err=failed to IDENTIFY - read tcp 1->172.18.0.9:4161: reset by peer", "server-nsq-identify"),
    ("coze-server", 2, PANIC + "register knowledge consumer failed, err=connect to nsqd failed, err=dial tcp: lookup nsqd", "server-nsq-unreachable"),
    (
        "coze-server",
        2,
        PANIC + "init vector store failed, err=init milvus client failed, err=context deadline exceeded",
        "server-milvus-unreachable",
    ),
    (
        "coze-server",
        2,
        PANIC + "init model config failed, err=sync old model to db failed, err: Error 1062 (23000): Duplicate entry '100' for key 'model_instance.PRIMARY'",
        "server-model-deleted",
    ),
    ("coze-server", 2, "github.com/coze-dev/coze-studio/backend/infra/coderunner/impl.New(...)", "server-sandbox-config"),
    ("milvus", 1, '[WARN] ["failed to connect to etcd"] [error="context deadline exceeded"]', "milvus-etcd-unreachable"),
    ("milvus", 1, '["failed to check blob bucket exist"] [bucket=a] [error="dial tcp: lookup minio: no such host"]', "milvus-minio-unreachable"),
    ("milvus", None, '["find no available datacoord, check datacoord state"]', "milvus-no-datacoord"),
    ("nsqadmin", 1, "[nsqadmin] FATAL: --nsqd-http-address or --lookupd-http-address required", "nsq-no-lookupd"),
    ("nsqd", 1, "[nsqd] FATAL: failed to instantiate nsqd - failed to lock data-path: failed to lock", "nsq-directory-in-use"),
    ("coze-web", 1, 'nginx: [emerg] host not found in upstream "coze-server" in /etc/nginx/conf.d/default.conf:9', "web-upstream"),
    ("coze-web", 1, 'nginx: [emerg] open() "/etc/nginx/nginx.conf" failed (2: No such file or directory)', "web-file"),
    ("coze-web", None, "2026/01/31 [emerg] 22#22: setgid(101) failed (1: Operation not permitted)", "web-user"),
    ("coze-web", 1, 'nginx: [emerg] unknown directive "proxi_pass" in /etc/nginx/conf.d/default.conf:12', "web-config"),
    ("milvus", 1, "write /var/lib/milvus/rdb_data: no space left on device", "disk-full"),
    ("nsqd", 1, "[nsqd] FATAL: listen (0.0.0.0:4150) failed - listen tcp 0.0.0.0:4150: bind: address already in use", "port-in-use"),
    ("coze-web", None, "driver failed programming external connectivity: Bind for 127.0.0.1:8888 failed: port is already allocated", "port-in-use"),
    ("mysql", 1, "chown: changing ownership of '/var/lib/mysql': Operation not permitted", "chown-denied"),
    ("coze-web", 1, "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)", "low-port-denied"),
    ("redis", 1, "1:M # Can't open or create append-only dir appendonlydir: Permission denied", "permission-denied"),
    ("etcd", 1, "mkdir: cannot create directory '/bitnami/etcd/data': Read-only file system", "read-only"),
    ("etcd", 1, "read /opt/bitnami/etcd/conf/etcd.conf.yml: is a directory", "directory-for-file"),
    ("elasticsearch", None, "failed to create shim: error setting rlimit type 7: operation not permitted: unknown", "rlimit"),
    ("elasticsearch", 78, "max file descriptors [4096] for elasticsearch process is too low", "open-files"),
    ("nsqd", None, 'exec: "/nsqd": stat /nsqd: no such file or directory: unknown', "no-such-program"),
]


@pytest.mark.parametrize(("service", "exit_code", "line", "expected"), RECORDED)
def test_a_recorded_line_is_explained_first(service: str, exit_code: int | None, line: str, expected: str) -> None:
    findings = explain(service, exit_code, False, ["starting", line, "goroutine 1 [running]:"])
    assert findings[0].id == expected
    assert findings[0].line == line


def test_every_entry_is_tried() -> None:
    assert {signature.id for signature in SIGNATURES if signature.pattern} == {expected for *_rest, expected in RECORDED}


@pytest.mark.parametrize(
    ("exit_code", "oom", "expected"),
    [
        (137, True, "out-of-memory"),
        (137, False, "killed"),
        (132, False, "illegal-instruction"),
        (134, False, "crashed"),
        (139, False, "crashed"),
        (126, False, "not-executable"),
        (127, False, "not-found"),
        (143, False, "stopped"),
    ],
)
def test_an_exit_code_alone_is_explained(exit_code: int, oom: bool, expected: str) -> None:
    assert [finding.id for finding in explain("milvus", exit_code, oom, [])] == [expected]


def test_what_the_kernel_says_comes_before_the_log() -> None:
    findings = explain("milvus", 137, True, ["find no available datacoord"])
    assert [finding.id for finding in findings] == ["out-of-memory", "milvus-no-datacoord"]
    assert explain("milvus", 132, False, ["find no available datacoord"])[0].id == "illegal-instruction"


def test_a_line_counts_more_than_a_common_exit_code() -> None:
    assert [finding.id for finding in explain("mysql", 127, False, ["Fatal glibc error: CPU does not support x86-64-v2"])] == ["cpu-x86-64-v2"]


def test_a_line_of_another_service_means_nothing() -> None:
    assert explain("redis", 1, False, ["panic: yaml: line 147: did not find expected key"]) == []


def test_a_word_inside_another_word_means_nothing() -> None:
    line = "JVM arguments [-Xshare:auto, -Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false, --enable-native-access=ALL-UNNAMED]"
    assert explain("elasticsearch", None, False, [line]) == []


def test_nothing_known_is_an_empty_list() -> None:
    assert explain("redis", 1, False, ["Ready to accept connections tcp"]) == []
    assert explain("redis", None, False, []) == []


@pytest.mark.parametrize("service", ["server", "coze-server", "coze_server"])
def test_the_server_is_known_by_all_its_names(service: str) -> None:
    assert explain(service, 2, False, ["yaml: line 3: mapping values are not allowed"])[0].id == "server-yaml"


def test_rougher_words_give_way() -> None:
    lines = ["chown: /data: Operation not permitted", "open /data/x: permission denied"]
    assert [finding.id for finding in explain("minio", 1, False, lines)] == ["chown-denied"]


def test_the_last_of_several_lines_is_shown() -> None:
    assert explain("server", 2, False, ["yaml: line 1: a", "yaml: line 2: b"])[0].line == "yaml: line 2: b"


def test_entries_are_well_formed() -> None:
    ids = [signature.id for signature in SIGNATURES]
    assert len(ids) == len(set(ids))
    for signature in SIGNATURES:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", signature.id)
        assert signature.meaning.endswith(".")
        assert signature.fix.endswith(".")
        assert signature.pattern or signature.exit_codes or signature.oom
