# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failure catalogue: what a dying container's last words and exit code mean, and the way out.

Private to this collection. Data and one pure function. An entry with a pattern is found by its line; one without is found by the exit code alone, and
counts only if no line told more (unless it is certain). The order is by how much an entry explains: causes before symptoms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import Pattern
from typing import NamedTuple


class Signature(NamedTuple):
    """One known failure, told either by a log line (``pattern``; ``services`` empty: of any service) or by the exit.

    ``certain``: the exit says more than any log line does.
    """

    id: str
    meaning: str
    fix: str
    pattern: Pattern[str] | None = None
    services: tuple[str, ...] = ()
    exit_codes: tuple[int, ...] = ()
    oom: bool = False
    certain: bool = False


class Finding(NamedTuple):
    """A match: the entry's id, meaning and way out, and the log line that told ("" if the exit code did)."""

    id: str
    meaning: str
    fix: str
    line: str = ""


def _s(name: str, services: str, pattern: str, meaning: str, fix: str) -> Signature:
    return Signature(name, meaning, fix, re.compile(pattern, re.IGNORECASE), tuple(services.split()))


SIGNATURES: tuple[Signature, ...] = (
    # The processor
    _s(
        "cpu-x86-64-v2",
        "",
        r"CPU does not support x86-64-v\d",
        "The image is built for newer processors than this machine (or its virtual CPU model) offers.",
        "Set the virtual machine's CPU model to host passthrough, or name an image for older processors in stack_images.",
    ),
    _s(
        "page-size",
        "",
        r"<jemalloc>: Unsupported system page size",
        "The image is built for memory pages of 4 KiB, and this kernel uses larger ones (often 64 KiB on arm64).",
        "Boot a kernel with 4 KiB pages, or name an image built for this page size in stack_images.",
    ),
    _s(
        "wrong-architecture",
        "",
        r"exec format error",
        "The image is for another processor architecture, or its start script has no interpreter line or Windows line ends.",
        "Load or pull the image for this machine's architecture.",
    ),
    # MySQL
    _s(
        "mysql-dirty-directory",
        "mysql",
        r"MY-010457|--initialize specified but the data directory has files in it",
        "MySQL's data directory is neither empty nor a finished one: its first start was interrupted, or it belongs to another installation.",
        "If it holds nothing of value, move data/mysql of the stack away and deploy again; if it does, restore a backup into an empty directory.",
    ),
    _s(
        "mysql-redo-log",
        "mysql",
        r"MY-012960|Cannot create redo log files because data files are corrupt",
        "MySQL's data files are damaged or were not closed properly, for instance killed in the middle of the first start.",
        "Restore a backup; if this was the very first start, move data/mysql of the stack away and deploy again.",
    ),
    _s(
        "mysql-older-than-data",
        "mysql",
        r"MY-014060|MY-013171|Invalid MySQL server (downgrade|upgrade)|Cannot (boot|upgrade) server (version|on)",
        "The data directory was written by a MySQL of another version, and this one cannot take it over.",
        "Use the image of the version that wrote the data (stack_images), or go through the versions in between; MySQL never goes back.",
    ),
    _s(
        "mysql-directory-in-use",
        "mysql",
        r"Unable to lock \./ibdata1|Check that you do not already have another mysqld process",
        "Another MySQL is using the same data directory.",
        "Find it (docker ps -a, ps) and stop it; two stacks must not share a stack_root.",
    ),
    _s(
        "mysql-no-password",
        "mysql",
        r"Database is uninitialized and password option is not specified",
        "MySQL's first start needs a root password and was given none.",
        "Set MYSQL_ROOT_PASSWORD (stack_env, the .env or the secrets file).",
    ),
    _s(
        "mysql-option",
        "mysql",
        r"unknown (variable|option) '|MY-000067|MY-000068",
        "MySQL does not know one of the options that it is started with.",
        "Correct the option in the service's command or configuration file; some were removed between 8.0, 8.4 and 9.",
    ),
    # Memory
    _s(
        "elasticsearch-heap",
        "elasticsearch",
        r"java\.lang\.OutOfMemoryError|Java heap space",
        "Elasticsearch's Java heap is too small for its data.",
        "Give it a larger heap and container memory limit; the limit should be about twice the heap.",
    ),
    _s(
        "java-no-memory",
        "elasticsearch",
        r"insufficient memory for the Java Runtime|Could not reserve enough space for|os::commit_memory",
        "The Java heap does not fit into the container's memory limit or the host's free memory.",
        "Make the heap smaller, or the memory limit (and the host) larger.",
    ),
    _s(
        "no-memory",
        "",
        r"Cannot allocate memory|InnoDB: Cannot allocate|std::bad_alloc|fatal error: runtime: out of memory",
        "A process was refused memory.",
        "Raise the service's memory limit, or free memory on the host; the whole stack wants about 8 GB.",
    ),
    # Elasticsearch
    _s(
        "elasticsearch-max-map-count",
        "elasticsearch",
        r"max virtual memory areas vm\.max_map_count",
        "The kernel setting vm.max_map_count is too low for Elasticsearch.",
        "On the host: sysctl -w vm.max_map_count=262144, and the same line in /etc/sysctl.d to keep it.",
    ),
    _s(
        "elasticsearch-plugin-directory",
        "elasticsearch",
        r"omitting directory .*(smartcn|\.zip)",
        "The plugin archive that should be mounted was missing, and Docker made an empty directory in its place.",
        "Put analysis-smartcn.zip where the source tree should have it, remove the directory of that name, and deploy again.",
    ),
    _s(
        "elasticsearch-plugin-version",
        "elasticsearch",
        r"was built for Elasticsearch version|plugin \[.*\] is incompatible with",
        "The analysis-smartcn plugin is of another version than Elasticsearch.",
        "Use the plugin archive of exactly the image's Elasticsearch version.",
    ),
    _s(
        "elasticsearch-smartcn",
        "elasticsearch",
        r"smartcn plugin not loaded|(analyzer|tokenizer).*\[smartcn\w*\]|(analyzer|tokenizer) type \[smartcn|failed to find .*smartcn",
        "The analysis-smartcn plugin is not installed, so Chinese text cannot be indexed.",
        "Provide analysis-smartcn.zip (of the image's Elasticsearch version) in the source tree, and deploy again.",
    ),
    _s(
        "elasticsearch-directory-in-use",
        "elasticsearch",
        r"failed to obtain node lock|Lock held by another program|NodeLock",
        "Another Elasticsearch uses the same data directory, or this one may not write there.",
        "Stop the other one; else check the owner of data/elasticsearch.",
    ),
    _s(
        "elasticsearch-older-than-data",
        "elasticsearch",
        r"cannot (downgrade|upgrade) a node from version|The index .* created (in|with) version",
        "The data directory was written by an Elasticsearch of another version.",
        "Use the image of the version that wrote the data (stack_images).",
    ),
    # MinIO
    _s(
        "minio-credentials-length",
        "minio",
        r"Access key length should be at least|secret key length at least|Unable to validate credentials inherited|Invalid credentials",
        "MinIO refuses the root credentials: the user needs 3 characters or more, the password 8 or more.",
        "Set longer MINIO_ROOT_USER and MINIO_ROOT_PASSWORD.",
    ),
    _s(
        "minio-drive",
        "minio",
        r"Unable to (use|write to) the (drive|backend)|drive is (faulty|not writable)|file access denied|unable to rename .*format\.json",
        "MinIO cannot write to its data directory.",
        "Check the owner and mode of data/minio, and that its file system is not read-only or full.",
    ),
    # Redis
    _s(
        "redis-config",
        "redis",
        r"FATAL CONFIG FILE ERROR|Bad directive or wrong number of arguments",
        "Redis does not understand a line of its configuration.",
        "Correct the line that the log names (the service's command, REDIS_EXTRA_FLAGS or the mounted file).",
    ),
    _s(
        "redis-no-password",
        "redis",
        r"REDIS_PASSWORD environment variable (is empty|is not set)|ALLOW_EMPTY_PASSWORD=yes to allow",
        "The Redis image wants a password and was given none.",
        "Set REDIS_PASSWORD, or ALLOW_EMPTY_PASSWORD=yes if it shall have none.",
    ),
    _s(
        "redis-newer-data",
        "redis",
        r"Can't handle RDB format version",
        "The data was written by a newer Redis than this one.",
        "Use the image of the version that wrote the data (stack_images).",
    ),
    _s(
        "redis-damaged-data",
        "redis",
        r"Bad file format reading the append only file|Wrong signature trying to load DB|saved with checksum|Unexpected end of file reading",
        "Redis' data file is damaged, for instance cut off by a full disk or a hard power-off.",
        "Repair it with redis-check-aof --fix or redis-check-rdb, or restore a backup.",
    ),
    # etcd
    _s(
        "etcd-no-space",
        "",
        r"mvcc: database space exceeded|alarm:NOSPACE|NOSPACE",
        "etcd has reached its size quota and takes no more writes, so Milvus cannot work.",
        "In the etcd container: etcdctl compact to the current revision, etcdctl defrag, then etcdctl alarm disarm.",
    ),
    _s(
        "etcd-damaged-data",
        "etcd",
        r"walpb: crc mismatch|wal: .*(crc mismatch|unexpected EOF)|snap: no available snapshot|failed to (find|read) .*\bwal\b",
        "etcd's data is damaged, for instance by a hard power-off.",
        "Restore a backup of etcd, MinIO, Milvus and MySQL that were taken together.",
    ),
    _s(
        "etcd-foreign-data",
        "etcd",
        r"request cluster ID mismatch|has already been bootstrapped|mismatch member ID",
        "etcd's data directory belongs to another cluster, or to one with another name or address.",
        "Put the directory of this stack back (data/etcd), or restore a backup.",
    ),
    _s(
        "etcd-no-authentication",
        "etcd",
        r"ALLOW_NONE_AUTHENTICATION|ETCD_ROOT_PASSWORD environment variable is empty",
        "The etcd image wants to be told that it may run without a password.",
        "Set ALLOW_NONE_AUTHENTICATION=yes; etcd is reached only inside the stack's network.",
    ),
    # The server's boot
    _s(
        "server-no-env",
        "server",
        r"load env file\(.*\) failed|open \.env: no such file",
        "The server found no .env file in its working directory.",
        "The file /app/.env has to be mounted: deploy again so that it is rendered.",
    ),
    _s(
        "server-raw-env",
        "server",
        r"unknown (storage|vector store|mq|message queue)\S* type.*[\"'#]",
        "The server was given values with their quotes and comments: a .env file was passed as it is to docker --env-file, which takes every byte literally.",
        "Let this collection write the file (env_file, format docker); do not pass the source's .env itself.",
    ),
    _s(
        "server-storage-type",
        "server",
        r"unknown storage type",
        "STORAGE_TYPE has a value that the server does not know.",
        "Set STORAGE_TYPE to minio, tos or s3.",
    ),
    _s(
        "server-type-setting",
        "server",
        r"(unexpected|unknown|unsupported|invalid) (vector store|mq|message queue|es version|embedding)\b|(vector store|mq|es) type .*not (supported|found)",
        "One of the settings that choose an implementation has a value that the server does not know.",
        "Check VECTOR_STORE_TYPE (milvus), COZE_MQ_TYPE (nsq), ES_VERSION (v7, v8) and EMBEDDING_TYPE; one that is set but empty hides the .env's value.",
    ),
    _s(
        "server-yaml",
        "server",
        r"yaml: (line \d+|unmarshal errors)|yaml: .*did not find expected",
        "A YAML file under resources/conf (most often a chat model) cannot be read; the server does not say which.",
        "Look at that line in every file of conf/model and conf/plugin; the module model_config with state validated names the file.",
    ),
    _s(
        "server-conf-file",
        "server",
        r"(open|stat|read) \S*resources/conf\S*: no such file|no such file or directory.*resources/conf",
        "The configuration directory is of another release than the server's image, or incomplete.",
        "Use conf and image of the same release: check stack_source and stack_release.",
    ),
    _s(
        "server-missing-table",
        "server",
        r"Error 1146 \(42S02\)",
        "The database lacks a table: the schema was never loaded, or it is of an older release than the server's image.",
        "Run the deployment again: its schema job loads what is missing and applies the migrations (take a backup first).",
    ),
    _s(
        "server-missing-column",
        "server",
        r"Error 1054 \(42S22\)",
        "A table lacks a column: the database is of an older release than the server's image.",
        "Run the deployment again: its schema job applies the missing migrations (take a backup first).",
    ),
    _s(
        "server-missing-database",
        "server",
        r"Error 1049 \(42000\)|Unknown database",
        "The database that MYSQL_DSN names does not exist.",
        "Keep MYSQL_DATABASE at opencoze, and run the deployment again so that its schema job makes it.",
    ),
    _s(
        "mysql-access-denied",
        "server mysql",
        r"Error 1045 \(28000\)|Access denied for user",
        "MySQL does not accept this user or password. It keeps the ones of its first start, whatever the .env says later.",
        "Put the old values back, or change the password in MySQL first (ALTER USER) and in MYSQL_DSN, MYSQL_USER and MYSQL_PASSWORD alike.",
    ),
    _s(
        "server-mysql-unreachable",
        "server",
        r"mysql open, dsn:.*(connection refused|server misbehaving|no such host|invalid connection|i/o timeout|bad connection)",
        "The server cannot reach MySQL, and it does not try twice.",
        "See that MySQL is ready, and that host and port in MYSQL_DSN are the service's own name and 3306.",
    ),
    _s(
        "minio-access-key",
        "server milvus minio",
        r"The Access Key Id you provided does not exist|InvalidAccessKeyId|request signature we calculated does not match|SignatureDoesNotMatch",
        "MinIO does not know this access key, or the secret does not fit: its users have other values than the client.",
        "MINIO_ROOT_USER and MINIO_ROOT_PASSWORD, MINIO_AK and MINIO_SK, and Milvus' MINIO_ACCESS_KEY_ID and MINIO_SECRET_ACCESS_KEY must agree.",
    ),
    _s(
        "server-bucket-proxy",
        "server",
        r"check bucket \S+ exist failed.*\b50[234]\b",
        "A proxy answered in MinIO's place: HTTP_PROXY is set in the container, and NO_PROXY does not name the stack's services.",
        "Add mysql,redis,elasticsearch,minio,etcd,milvus,nsqd,nsqlookupd,localhost,127.0.0.1 to NO_PROXY, or take the proxy out of the environment.",
    ),
    _s(
        "server-minio-unreachable",
        "server",
        r"check bucket \S+ exist failed.*(no such host|connection refused|server misbehaving|i/o timeout|EOF)",
        "The server cannot reach MinIO, and it does not try twice.",
        "See that MinIO is ready, and that MINIO_ENDPOINT is the service's own name and port 9000 (not the console's 9001).",
    ),
    _s(
        "server-nsq-identify",
        "server",
        r"failed to IDENTIFY|connect to nsqd failed.*:4161",
        "MQ_NAME_SERVER points to something that is not nsqd, most often to nsqlookupd (4161).",
        "Set MQ_NAME_SERVER to nsqd's name and port 4150.",
    ),
    _s(
        "server-nsq-unreachable",
        "server",
        r"connect to nsqd failed",
        "The server cannot reach nsqd, and it does not try twice.",
        "See that nsqd is ready, and that MQ_NAME_SERVER is its name and port 4150.",
    ),
    _s(
        "server-milvus-unreachable",
        "server",
        r"init milvus client failed",
        "The server got no answer from Milvus within 5 seconds.",
        "See that Milvus is ready (port 19530), and look at its log; MILVUS_ADDR has to be its name and port.",
    ),
    _s(
        "server-model-deleted",
        "server",
        r"sync old model to db failed.*\b1062\b|Duplicate entry '\d+' for key 'model_instance\.PRIMARY'",
        "A chat model was deleted in the administration, and its file (or MODEL_*_0) is still there: the server inserts it again, and its id is taken.",
        "Give that model another id, or remove it: its entry in coze_server_models, its file in conf/model, or MODEL_PROTOCOL_0 in the .env.",
    ),
    _s(
        "server-sandbox-config",
        "server",
        r"coderunner/impl\.New|coderunner.*impl\.go:\d+",
        "Settings saved on the admin page lack the sandbox part, and this release cannot start with them.",
        "Delete the row of table kv_entries whose key_data is basic_config, start the server, and save the settings again.",
    ),
    # Milvus
    _s(
        "milvus-etcd-unreachable",
        "milvus",
        r"etcd.*(context deadline exceeded|connection refused|no such host|dial tcp.*i/o timeout)|failed to (connect to|create) etcd",
        "Milvus cannot reach etcd.",
        "See that etcd is ready, and that ETCD_ENDPOINTS is its name and port 2379.",
    ),
    _s(
        "milvus-minio-unreachable",
        "milvus",
        r"(minio|bucket|chunk ?manager|remoteChunk).*(no such host|connection refused|context deadline exceeded|i/o timeout)",
        "Milvus cannot reach MinIO.",
        "See that MinIO is ready, and that MINIO_ADDRESS is its name and port 9000.",
    ),
    _s(
        "milvus-no-datacoord",
        "milvus",
        r"find no available (datacoord|rootcoord|querycoord|indexcoord)",
        "A part of Milvus does not come up; most often because MinIO or etcd is not there for it.",
        "Look at MinIO and etcd first, then restart Milvus.",
    ),
    # NSQ
    _s(
        "nsq-no-lookupd",
        "nsqadmin",
        r"--nsqd-http-address or --lookupd-http-address",
        "nsqadmin was not told where nsqd or nsqlookupd is.",
        "Its command needs --lookupd-http-address=<nsqlookupd>:4161.",
    ),
    _s(
        "nsq-directory-in-use",
        "nsqd",
        r"failed to lock data-path",
        "Another nsqd uses the same data directory, or this one may not write there.",
        "Stop the other one; else check the owner of data/nsqd.",
    ),
    # nginx
    _s(
        "web-upstream",
        "web",
        r"host not found in upstream",
        "nginx resolves the names it forwards to when it starts, and one of them does not exist in the stack's network.",
        "Start the server and MinIO first; with an external store, give its name an address (stack_external) or take its location out.",
    ),
    _s(
        "web-file",
        "web",
        r"\[emerg\].*(open\(\)|cannot load certificate|BIO_new_file).*(No such file|failed)",
        "nginx cannot open a file that its configuration names.",
        "See that the file is mounted and readable for the container's user.",
    ),
    _s(
        "web-user",
        "web",
        r"(setgid|setuid|initgroups)\(.*\) failed.*Operation not permitted",
        "nginx's workers die because the container may not change its user; the container itself stays up.",
        "Run it as its own uid (101 upstream), or add the capabilities SETUID, SETGID and CHOWN.",
    ),
    _s(
        "web-config",
        "web",
        r"\[emerg\]",
        "nginx refuses its configuration.",
        "Correct the line that the log names.",
    ),
    # Any container
    _s(
        "disk-full",
        "",
        r"No space left on device|disk usage exceeded flood-stage|flood stage disk watermark|Disk is full|errno: 28\b",
        "The disk is full.",
        "Free space (docker system df, du), then start the service again.",
    ),
    _s(
        "port-in-use",
        "",
        r"address already in use|port is already allocated|Ports are not available",
        "Something else already listens on the port.",
        "Find it with ss -ltnp and stop it, or choose another port (stack_public_url).",
    ),
    _s(
        "chown-denied",
        "",
        r"(chown|chmod|chgrp|setpriv|gosu|su-exec)\b.*(Operation not permitted|Permission denied)",
        "The container is started as root without the right to change owners, or its volume does not allow it (NFS with root_squash, NAS).",
        "Let it run as the image's own uid on a data directory that belongs to that uid, on a local file system.",
    ),
    _s(
        "low-port-denied",
        "",
        r"bind\(\) to .*permission denied|listen tcp .*bind: permission denied",
        "The container's user may not listen on a port below 1024.",
        "Use a port above 1023 inside the container, or set net.ipv4.ip_unprivileged_port_start=0 for it.",
    ),
    _s(
        "permission-denied",
        "",
        r"permission denied|Errno: 13\b|errno 13\b|\bEACCES\b|AccessDeniedException|Insufficient permissions to access this path",
        "The process may not read or write a file, most often its data directory.",
        "Give the path that the log names to the container's uid (deploying again sets owner and mode); with SELinux look for denials.",
    ),
    _s(
        "read-only",
        "",
        r"Read-only file system",
        "The process writes to a path that is mounted read-only.",
        "If it is the data directory, look why the host's file system went read-only (dmesg); else mount a tmpfs there.",
    ),
    _s(
        "directory-for-file",
        "",
        r"mount a directory onto a file|not a directory.*mount|: is a directory|EISDIR",
        "A file that should be mounted was missing, and Docker made a directory in its place.",
        "Remove that directory on the host, put the file there, and deploy again.",
    ),
    _s(
        "rlimit",
        "",
        r"error setting rlimit",
        "A ulimit of the container is higher than the Engine itself may have.",
        "Lower the service's ulimits, or raise the limit of the Docker daemon.",
    ),
    _s(
        "open-files",
        "",
        r"too many open files|max file descriptors \[\d+\]",
        "The limit of open files is too low.",
        "Raise the Docker daemon's LimitNOFILE, or the service's nofile ulimit.",
    ),
    _s(
        "no-such-program",
        "",
        r"executable file not found|no such file or directory: unknown|exec: .*: not found|/bin/sh: .*: not found",
        "The container's command does not exist in the image, or a script has Windows line ends.",
        "Check the service's image (stack_images) and command; convert mounted scripts to LF.",
    ),
    # Told by the exit code alone
    Signature(
        "out-of-memory",
        "The kernel killed it because it went over its memory limit.",
        "Raise the service's memory limit, or its own settings (heap, buffer pool) lower; the whole stack wants about 8 GB.",
        oom=True,
        certain=True,
    ),
    Signature(
        "killed",
        "It was killed: by the kernel for lack of memory on the host, or by somebody (docker kill, a stop that took too long).",
        "Look at dmesg for 'Out of memory' and at free memory on the host.",
        exit_codes=(137,),
    ),
    Signature(
        "illegal-instruction",
        "It uses a processor instruction that this machine lacks. Milvus needs SSE4.2 and AVX.",
        "Set the virtual machine's CPU model to host passthrough; no setting of the software helps.",
        exit_codes=(132,),
        certain=True,
    ),
    Signature(
        "crashed",
        "It crashed inside its own code.",
        "See its log above the crash; often damaged data or an image that does not fit this processor.",
        exit_codes=(134, 139),
    ),
    Signature(
        "not-executable",
        "Its command exists but cannot be run: no execute permission, or it is not a program.",
        "Set the execute bit of the mounted script, or correct the command.",
        exit_codes=(126,),
    ),
    Signature(
        "not-found",
        "Its command was not found in the image, or a library that it needs is missing.",
        "Check the service's image (stack_images) and command.",
        exit_codes=(127,),
    ),
    Signature(
        "stopped",
        "It was stopped from outside (SIGTERM), not by a fault of its own.",
        "Start it again; if a deployment did this, see who else works on this host.",
        exit_codes=(143,),
    ),
)


def explain(service: str, exit_code: int | None, oom: bool, log_lines: Iterable[str]) -> list[Finding]:
    """What is known about a container that failed, best explanation first; an empty list if nothing matches.

    service: its name in the stack (``mysql``, ``coze-server`` …); exit_code: None while it runs; log_lines: its last lines, oldest first. Of several
    lines that match one entry, the last counts.
    """
    name = _canonical(service)
    lines = list(log_lines)
    certain: list[Finding] = []
    told: list[Finding] = []
    guessed: list[Finding] = []
    for signature in SIGNATURES:
        if signature.pattern is not None:
            line = _last_match(signature.pattern, lines) if not signature.services or name in signature.services else None
            if line is not None:
                told.append(Finding(signature.id, signature.meaning, signature.fix, line.strip()))
        elif (signature.oom and oom) or exit_code in signature.exit_codes:
            (certain if signature.certain else guessed).append(Finding(signature.id, signature.meaning, signature.fix))
    return _without_symptoms([*certain, *told]) or guessed


def _last_match(pattern: Pattern[str], lines: list[str]) -> str | None:
    return next((line for line in reversed(lines) if pattern.search(line)), None)


# An entry that is only a rougher word for another one that was found as well.
_ROUGHER = {
    "server-storage-type": {"server-raw-env"},
    "server-nsq-unreachable": {"server-nsq-identify"},
    "permission-denied": {"chown-denied", "low-port-denied", "minio-drive", "elasticsearch-directory-in-use", "nsq-directory-in-use", "web-file"},
    "web-config": {"web-upstream", "web-file", "low-port-denied", "port-in-use"},
    "no-memory": {"java-no-memory", "elasticsearch-heap", "out-of-memory"},
    "no-such-program": {"cpu-x86-64-v2"},
}


def _without_symptoms(findings: list[Finding]) -> list[Finding]:
    ids = {finding.id for finding in findings}
    return [finding for finding in findings if not _ROUGHER.get(finding.id, set()) & ids]


def _canonical(service: str) -> str:
    """``coze-server`` and ``coze_server`` are ``server``; ``coze-mysql`` is ``mysql``."""
    name = service.replace("_", "-")
    return name[len("coze-") :] if name.startswith("coze-") else name
