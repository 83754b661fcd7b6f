#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_schema
short_description: Bring a database to a release's schema, from a schema file and its migrations
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - A database that has none of the schema's tables gets the schema file, then the migrations that the file lacks.
  - A database that has tables gets the migrations it lacks, in order, and then the tables that are still missing.
    Rows that the schema file inserts go into a fresh database only.
  - Whether a migration is needed is seen in the database itself (tables, columns, indexes). What cannot be seen there
    (MODIFY, COMMENT and the like) is taken from the O(ledger), or from later migrations that are in effect.
    So a database of an older release, or one that another tool made, gets what it lacks and nothing twice.
  - Statements run one at a time, and each is recorded; a run that was cut off goes on where it stopped.
  - In the end every table and column that the files define must be there.
  - Works with the C(mysql) client inside the container; nothing is published, and no client is needed on the host.
options:
  schema:
    description: Path of the schema file on the host.
    type: path
    required: true
  migrations:
    description:
      - Directory on the host with the migrations, C(<digits>_<name>.sql), applied in the order of the digits.
      - It may be missing or empty.
    type: path
  schema_version:
    description:
      - Digits of the newest migration whose effect the schema file holds.
      - It only matters for a fresh database and for statements whose effect cannot be seen; without it they are run, which does no harm.
    type: str
    default: ''
  database:
    description: The database. Default is E(MYSQL_DATABASE) of the container, else V(opencoze).
    type: str
  user_env:
    description: Name of the container's environment variable that holds the user's name. Without it the user is V(root).
    type: str
    default: ''
  password_env:
    description: Name of the container's environment variable that holds the user's password.
    type: str
    default: MYSQL_ROOT_PASSWORD
  host:
    description: Where MySQL is, as the container reaches it. Without it MySQL is in the container itself.
    type: str
  port:
    description: Its port, with O(host).
    type: int
    default: 3306
  tls:
    description: >-
      As in the server's own setting, with O(host). V(true) needs a certificate that the container's image trusts; V(skip-verify) takes any. V(false) and
      V(preferred) use TLS where MySQL offers it.
    type: str
    choices: ['false', preferred, skip-verify, 'true']
    default: 'false'
  silence:
    description: Seconds without any progress after which to give up. A statement on a large table may take long.
    type: int
    default: 600
extends_documentation_fragment:
  - cozeops.studio.init_job
notes:
  - The name of upstream's database, C(opencoze), which the migrations carry, is replaced by O(database).
  - Stored procedures and triggers (DELIMITER) are not supported.
"""

EXAMPLES = r"""
- name: Load the schema of line 0.5
  cozeops.studio.mysql_schema:
    container: coze-mysql
    ledger: /opt/cozeops/coze/data/.mysql.json
    schema: /opt/cozeops/coze/conf/mysql/schema.sql
    migrations: /opt/cozeops/coze/conf/mysql/migrations
    schema_version: "20251024091145"
"""

RETURN = r"""
msg:
  description: What was done, or would be done, in a sentence.
  returned: always
  type: str
  sample: "applied schema.sql, 20251028085526_update.sql"
applied:
  description: Files of which statements were run, or in check mode would be run.
  returned: always
  type: list
  elements: str
  sample: [schema.sql, 20251028085526_update.sql]
not_needed:
  description: Migrations that had nothing to do.
  returned: always
  type: list
  elements: str
  sample: [20251024091145_update.sql]
statements:
  description: What each statement is for, with its file, number and line.
  returned: always
  type: list
  elements: str
  sample: ["20251028085526_update.sql, statement 1 (line 2): ALTER TABLE conversation: column conversation.user_id"]
already_there:
  description: Statements whose effect was there already, with MySQL's words.
  returned: always
  type: list
  elements: str
  sample: []
tables:
  description: How many of the tables that the files define the database has.
  returned: always
  type: int
  sample: 55
missing:
  description: Tables and columns that the files define and the database lacks. The module fails if there are any.
  returned: always
  type: list
  elements: str
  sample: []
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _ledger
from ansible_collections.cozeops.studio.plugins.module_utils._init_job import (
    COMMON_SPEC,
    JobError,
    NotYet,
    Store,
    env_name,
    find_store,
    finish,
    outcome,
    read_ledger,
    record,
)
from ansible_collections.cozeops.studio.plugins.module_utils._mysql import NOT_UP, TLS, MysqlError, Session, place, read_tables, run_steps
from ansible_collections.cozeops.studio.plugins.module_utils._schema import (
    Plan,
    SchemaError,
    Script,
    Step,
    expected,
    lacking,
    make_plan,
    mark,
    migration_order,
    read_script,
    tracked,
)
from ansible_collections.cozeops.studio.plugins.module_utils._sql import UPSTREAM_DATABASE, Tables

JOB = "mysql_schema"
EMPTY: dict[str, t.Any] = {"applied": [], "not_needed": [], "statements": [], "already_there": [], "tables": 0, "missing": []}


def read_file(path: str, name: str, database: str) -> Script:
    try:
        with open(path, encoding="utf-8") as stream:
            return read_script(name, stream.read(), database)
    except FileNotFoundError as exc:
        raise NotYet(f"schema: there is no file {path} on this host") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise JobError(f"{path} cannot be read: {exc}") from exc
    except SchemaError as exc:
        raise JobError(f"{os.path.dirname(path)}/{exc}") from exc


def read_files(module: AnsibleModule, database: str) -> tuple[Script, list[Script]]:
    """The schema file and the migrations."""
    schema_path, directory = module.params["schema"], module.params["migrations"]
    schema = read_file(schema_path, os.path.basename(schema_path), database)
    if not any(change.verb == "CREATE TABLE" for change in schema.changes):
        raise JobError(f"schema: {schema_path} defines no table: is it the right file?")
    names = migration_order(os.listdir(directory)) if directory and os.path.isdir(directory) else []
    return schema, [read_file(os.path.join(directory, name), name, database) for name in names]


def connect_to(module: AnsibleModule, store: Store) -> Session:
    params = module.params
    user_env = env_name("user_env", params["user_env"]) if params["user_env"] else ""
    database = params["database"] or store.env.get("MYSQL_DATABASE") or UPSTREAM_DATABASE
    session = Session(store.client, store.name, database, user_env, env_name("password_env", params["password_env"]), params["silence"])
    return session._replace(place=place(params["host"], params["port"], params["tls"])) if params["host"] else session


def existing_tables(session: Session) -> Tables:
    try:
        return read_tables(session)
    except MysqlError as exc:
        kind = NotYet if exc.code in NOT_UP else JobError
        raise kind(explain(f"container {session.container}, database {session.database}", exc)) from exc


def explain(where: str, error: MysqlError) -> str:
    return f"{where}: {error}. {error.advice}".rstrip(". ") + "."


def name_step(step: Step) -> str:
    return f"{step.file}, statement {step.number} (line {step.line})"


class Progress:
    """Writes each step into the ledger as it is done."""

    def __init__(self, module: AnsibleModule, store: Store, plan: Plan, schema: str) -> None:
        self.module = module
        self.store = store
        self.last = {step.file: step for step in plan.steps}
        self.files = tracked(plan, schema)
        self.done = list(plan.done)
        self.already_there: list[str] = []

    def begin(self) -> None:
        """A file that is begun is told from one that another tool applied as a whole."""
        for name in sorted(self.files):
            if not any(item.startswith(name + "#") for item in self.done):
                self.done = mark(self.done, name, 0)
        record(self.module, JOB, self.done, self.store)

    def step_done(self, step: Step, error: MysqlError | None) -> None:
        if error is not None:
            self.already_there.append(f"{name_step(step)}: {error}")
        if step.file in self.files:
            self.done = mark(self.done, step.file, None if step is self.last[step.file] else step.number)
            record(self.module, JOB, self.done, self.store)


def apply(module: AnsibleModule, store: Store, session: Session, plan: Plan, schema: str) -> list[str]:
    """Run the plan; the statements whose effect was there already. Raises JobError."""
    progress = Progress(module, store, plan, schema)
    progress.begin()
    try:
        run_steps(session, plan.steps, progress.step_done)
    except MysqlError as exc:
        where = name_step(exc.step) if exc.step else f"container {session.container}"
        raise JobError(explain(where, exc) + " What ran before is recorded; run again once the cause is gone.", already_there=progress.already_there) from exc
    return progress.already_there


def job(module: AnsibleModule) -> dict[str, t.Any]:
    store = find_store(module.params["container"])
    session = connect_to(module, store)
    schema, migrations = read_files(module, session.database)
    existing = existing_tables(session)
    done = _ledger.done(read_ledger(module), JOB)
    plan = make_plan(schema, migrations, existing, done, module.params["schema_version"])
    for warning in plan.warnings:
        module.warn(warning)
    if plan.lacking:
        raise JobError(
            f"the database {session.database} lacks {', '.join(plan.lacking)}, which {schema.name} defines and no migration adds. Nothing was changed. "
            "Is the database of a newer or a foreign release, or is a migration missing?",
            missing=list(plan.lacking),
        )
    names = [schema.name, *(script.name for script in migrations)]
    statements = [f"{name_step(step)}: {step.what}" for step in plan.steps if not step.session]
    result = {**EMPTY, "applied": plan.files, "not_needed": list(plan.not_needed), "statements": statements, **outcome(module, JOB, names, statements)}
    wanted = expected(schema, migrations)
    if module.check_mode:
        return {**result, "tables": len(set(wanted) & set(existing)), "msg": sentence("would apply", plan.files)}
    if plan.files:
        result["already_there"] = apply(module, store, session, plan, schema.name)
        existing = existing_tables(session)
        missing = lacking(wanted, existing)
        if missing:
            raise JobError(f"after all statements the database {session.database} still lacks {', '.join(missing)}", **{**result, "missing": missing})
    record(module, JOB, names, store)
    return {**result, "tables": len(set(wanted) & set(existing)), "msg": sentence("applied", plan.files)}


def sentence(verb: str, files: t.Sequence[str]) -> str:
    return f"{verb} {', '.join(files)}" if files else "the schema is complete"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **COMMON_SPEC,
            "schema": {"type": "path", "required": True},
            "migrations": {"type": "path"},
            "schema_version": {"type": "str", "default": ""},
            "database": {"type": "str"},
            "user_env": {"type": "str", "default": ""},
            "password_env": {"type": "str", "default": "MYSQL_ROOT_PASSWORD", "no_log": False},
            "host": {"type": "str"},
            "port": {"type": "int", "default": 3306},
            "tls": {"type": "str", "choices": list(TLS), "default": "false"},
            "silence": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    if module.params["schema_version"] and not module.params["schema_version"].isdigit():
        module.fail_json(msg=f"schema_version: {module.params['schema_version']!r} is not the digits of a migration, such as 20251024091145", **EMPTY)
    finish(module, lambda: job(module), f"load {module.params['schema']} and its migrations", EMPTY)


if __name__ == "__main__":
    main()
