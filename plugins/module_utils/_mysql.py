# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SQL through the mysql client inside MySQL's own container, or one beside it, over TCP, with the password from that container's environment."""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._exec import Finished, run
from ansible_collections.cozeops.studio.plugins.module_utils._schema import Step
from ansible_collections.cozeops.studio.plugins.module_utils._sql import Table, Tables

END = "-- end of cozeops input"
#: The lock keeps two runs apart: a client goes on in the container when the module that started it is killed.
LOCK = "cozeops.schema"
LOCK_WAIT = 120  # seconds
MARKER = "cozeops-step:"
#: Codes that say that a statement's effect is there already.
ALREADY_THERE = {1007: "database exists", 1050: "table exists", 1060: "duplicate column", 1061: "duplicate key", 1091: "nothing to drop"}
ADVICE = {
    1044: "the user may not use this database: give it all privileges on it",
    1045: "the password in the container's environment is not the one that the data directory was made with; MySQL sets it only in an empty data directory. "
    "Set the old password again (secrets file, .env), or change it in MySQL with ALTER USER",
    1049: "MySQL makes MYSQL_DATABASE only in an empty data directory. Set it to the database that these data have, "
    "or create this one and grant the user access to it",
    1142: "the user lacks a privilege: give it all privileges on the database",
    1205: "another session holds a lock: look at SHOW PROCESSLIST, and run again",
    1242: f"another session has held the lock {LOCK} for {LOCK_WAIT} seconds: a schema job is still at work in the container. "
    "Wait for it (SHOW PROCESSLIST), and run again",
    2002: "MySQL does not listen there (yet): wait until it is ready",
    2003: "MySQL does not listen there (yet): wait until it is ready",
    2013: "MySQL closed the connection: look at the container's log (out of memory, restarted?)",
}
#: Codes that say that MySQL is still on its way up.
NOT_UP = (2002, 2003, 2013)

# The SQL is read whole and only used if its last line arrived: a client would run the first half of a statement whose
# second half was cut off. printf is a builtin of the shell, so neither SQL nor password is ever in a process list.
_SCRIPT = """
input=$(head -c "$1") || exit 96
case $input in *"$2") ;; *) echo 'input was cut off' >&2; exit 97 ;; esac
%(login)s
client=$(command -v mysql || command -v mariadb) || { echo 'neither mysql nor mariadb is in this image' >&2; exit 98; }
user=%(user)s
database=$3
shift 3
printf '%%s\\n' "$input" | "$client" --no-defaults --protocol=tcp "$@" --user="$user" --default-character-set=utf8mb4 \\
  --batch --raw --skip-column-names --unbuffered --database="$database"
"""
_FROM_ENVIRONMENT = """
if [ -z "${%(password)s+set}" ]; then echo 'the container has no variable %(password)s' >&2; exit 99; fi
MYSQL_PWD=$%(password)s; export MYSQL_PWD
"""
#: The first line of the input is the password.
_FROM_INPUT = r"""
newline='
'
MYSQL_PWD=${input%%"$newline"*}; export MYSQL_PWD
input=${input#*"$newline"}
"""
#: What the client is told where the server's driver is told the key.
TLS = {"false": "PREFERRED", "preferred": "PREFERRED", "skip-verify": "REQUIRED", "true": "VERIFY_IDENTITY"}
AUTHORITIES = "/etc/pki/tls/certs/ca-bundle.crt"
_ERROR = re.compile(r"^ERROR (\d+)(?: \((\w+)\))?(?: at line \d+)?[^:]*: (.*)$", re.MULTILINE)


class MysqlError(Exception):
    """What MySQL or its client said. ``code`` is MySQL's, or 0 if there is none; ``step`` is what failed, if it was a step."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.step: Step | None = None

    @property
    def advice(self) -> str:
        return ADVICE.get(self.code, "")


class Session(t.NamedTuple):
    """How to reach a database. The names of environment variables are those of the container."""

    client: t.Any
    container: str
    database: str
    user_env: str  # "": C(user)
    password_env: str
    silence: int
    #: Where MySQL is, as options of the client.
    place: tuple[str, ...] = ("--host=127.0.0.1",)
    #: The password itself, where the container's environment does not have it.
    password: str | None = None
    #: The user itself, likewise.
    user: str = "root"

    def command(self, size: int) -> list[str]:
        user = f"${self.user_env}" if self.user_env else shlex.quote(self.user)
        login = _FROM_ENVIRONMENT % {"password": self.password_env} if self.password is None else _FROM_INPUT
        return ["sh", "-c", _SCRIPT % {"user": user, "login": login.strip()}, "sh", str(size), END, self.database, *self.place]

    def input(self, text: str) -> bytes:
        return ("" if self.password is None else self.password + "\n").encode() + f"{text}\n{END}".encode()


def place(host: str, port: int, tls: str) -> tuple[str, ...]:
    """Options of the client for a MySQL elsewhere. C(tls) is one of TLS. The authorities that the client's image trusts are where its distribution has them."""
    authority = ("--ssl-ca=" + AUTHORITIES,) if tls == "true" else ()
    return ("--host=" + host, "--port=%d" % port, "--ssl-mode=" + TLS[tls], *authority)


def error_of(finished: Finished) -> MysqlError | None:
    """The first error that the client reported; None if there was none."""
    if finished.code == 0:
        return None
    found = _ERROR.search(finished.err)
    if found:
        return MysqlError(int(found.group(1)), f"MySQL error {found.group(1)} ({found.group(2) or 'client'}): {found.group(3)}")
    return MysqlError(0, f"the mysql client ended with code {finished.code}: {finished.err.strip() or 'no message'}")


def _execute(session: Session, sql: str, on_line: t.Callable[[str], None] | None = None) -> Finished:
    # The subquery with two rows is an error (1242), which ends the session if the lock cannot be had.
    lock = f"SELECT IF(GET_LOCK('{LOCK}', {LOCK_WAIT}) = 1, 'locked', (SELECT 1 UNION SELECT 2));"
    data = session.input(f"{lock}\n{sql}")
    return run(session.client, session.container, session.command(len(data)), data, on_line=on_line, silence=session.silence)


def query(session: Session, sql: str) -> list[str]:
    """Rows, with tabs between their columns. Raises MysqlError."""
    finished = _execute(session, sql)
    error = error_of(finished)
    if error:
        raise error
    # The first one tells that the lock is held.
    return finished.out.splitlines()[1:]


def read_tables(session: Session) -> Tables:
    """Tables, columns and indexes of the database. Raises MysqlError."""
    lines = query(
        session,
        "SELECT 'column', TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE();\n"
        "SELECT DISTINCT 'index', TABLE_NAME, INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE();",
    )
    tables: Tables = {}
    for line in lines:
        kind, _tab, names = line.partition("\t")
        if kind in ("column", "index"):
            table, _tab, name = names.partition("\t")
            entry = tables.setdefault(table.lower(), Table())
            if kind == "column":
                entry.columns[name.lower()] = name
            else:
                entry.indexes.add(name.lower())
    return tables


def batch(steps: t.Sequence[Step]) -> str:
    """The steps as one input; after each one the client prints its marker."""
    return "\n".join(f"{step.sql}\n;\nSELECT '{MARKER}{index}';" for index, step in enumerate(steps))


def run_steps(session: Session, steps: t.Sequence[Step], on_done: t.Callable[[Step, MysqlError | None], None]) -> None:
    """Run the steps in order; ``on_done`` is called as each one is done, with the error if its effect was there already.

    Raises MysqlError for any other error.
    """
    rest = list(steps)
    while rest:
        count, error = _run_batch(session, rest, on_done)
        if error is None:
            return
        if error.code not in ALREADY_THERE or count == len(rest):
            error.step = rest[count] if count < len(rest) else None
            raise error
        on_done(rest[count], error)
        # What only prepares the session belongs to the new one too.
        rest = [step for step in rest[:count] if step.session] + rest[count + 1 :]


def _run_batch(session: Session, steps: t.Sequence[Step], on_done: t.Callable[[Step, MysqlError | None], None]) -> tuple[int, MysqlError | None]:
    """How many steps were done, and what ended the session before all were."""
    count = 0

    def seen(line: str) -> None:
        nonlocal count
        if line == f"{MARKER}{count}":
            count += 1
            on_done(steps[count - 1], None)

    error = error_of(_execute(session, batch(steps), seen))
    if error is None and count < len(steps):
        error = MysqlError(0, f"the mysql client ended after {count} of {len(steps)} statements without an error")
    return count, error
