#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_password
short_description: Give accounts of a MySQL in a container another password, while the old one is still taken
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Uses MySQL's dual passwords. First an account gets the new password beside the old one, so that those who log in can follow one after another; in the
    end the old one is taken away.
  - Logs in as root through the container's own client. The password is the new one, the one of O(login_env), or the one of the container's environment,
    whichever is taken, so that what was cut off can go on.
attributes:
  check_mode:
    support: full
    description: Logs in, and tells which accounts would get another password.
  diff_mode:
    support: none
    description: What it changes is secret.
  idempotent:
    support: full
    description: An account whose password is the wanted one is left alone.
  platform:
    platforms: linux
    support: full
    description: Needs the Docker SDK for Python on the host, and MySQL 8.0.14 or later.
options:
  container:
    description: The container of MySQL.
    type: str
    required: true
  accounts:
    description: User name -> new password, of all hosts that the user has in MySQL.
    type: dict
    required: true
  login_env:
    description: File on the host with C(KEY=value) lines, in which C(MYSQL_ROOT_PASSWORD) may be the one that is taken.
    type: path
  state:
    description: V(added) has the new passwords taken beside the old ones; V(only) has them taken alone.
    type: str
    choices: [added, only]
    default: added
"""

EXAMPLES = r"""
- name: Have both passwords taken
  cozeops.studio.mysql_password:
    container: coze-mysql
    accounts:
      root: "{{ new_root_password }}"
      coze: "{{ new_password }}"
  no_log: true
"""

RETURN = r"""
accounts:
  description: Accounts that were changed, or would be.
  returned: success
  type: list
  elements: str
  sample: ["root@%", "root@localhost", "coze@%"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._exec import ExecError
from ansible_collections.cozeops.studio.plugins.module_utils._host import read_env_file
from ansible_collections.cozeops.studio.plugins.module_utils._init_job import JobError, NotYet, find_store
from ansible_collections.cozeops.studio.plugins.module_utils._mysql import MysqlError, Session, query

ROOT_PASSWORD = "MYSQL_ROOT_PASSWORD"
WRONG_PASSWORD = 1045
SILENCE = 60  # seconds
ACCOUNTS = "SELECT user, host, JSON_CONTAINS_PATH(COALESCE(User_attributes, '{}'), 'one', '$.additional_password') FROM mysql.user WHERE user IN (%s)"


def literal(text: str) -> str:
    """A string of SQL."""
    return "'%s'" % text.replace("\\", "\\\\").replace("'", "''")


class Account(t.NamedTuple):
    user: str
    host: str
    #: Whether two passwords are taken.
    two: bool

    @property
    def sql(self) -> str:
        return "%s@%s" % (literal(self.user), literal(self.host))


def takes(session: Session, password: str | None) -> bool:
    """Whether the session's user can log in with it; None is the one of the container's environment. Raises MysqlError for anything else."""
    try:
        query(session._replace(password=password), "DO 0;")
    except MysqlError as exc:
        if exc.code == WRONG_PASSWORD:
            return False
        raise
    return True


def login(session: Session, candidates: t.Sequence[str | None]) -> Session:
    """The session with the first password that is taken. Raises JobError."""
    for password in candidates:
        if takes(session, password):
            return session._replace(password=password)
    raise JobError(
        "MySQL in %s takes neither the new password of root nor one that is known to this host: somebody has changed it by hand. Set it to the one in the "
        "container's environment (ALTER USER), and run again." % session.container
    )


def read_accounts(session: Session, users: t.Collection[str]) -> list[Account]:
    rows = (row.split("\t") for row in query(session, ACCOUNTS % ", ".join(map(literal, sorted(users))) + " ORDER BY user, host;"))
    return [Account(user, host, two == "1") for user, host, two in rows]


def statements(account: Account, password: str, state: str) -> list[str]:
    if state == "added":
        return ["ALTER USER %s IDENTIFIED BY %s RETAIN CURRENT PASSWORD;" % (account.sql, literal(password))]
    # The wanted one may be the older of the two.
    return ["ALTER USER %s IDENTIFIED BY %s;" % (account.sql, literal(password)), "ALTER USER %s DISCARD OLD PASSWORD;" % account.sql]


def job(module: AnsibleModule) -> dict[str, t.Any]:
    wanted: dict[str, str] = {user: str(password) for user, password in module.params["accounts"].items()}
    state = module.params["state"]
    store = find_store(module.params["container"])
    session = Session(store.client, store.name, "", "", ROOT_PASSWORD, SILENCE)
    kept = read_env_file(module.params["login_env"]).get(ROOT_PASSWORD) if module.params["login_env"] else None
    session = login(session, [*filter(None, [wanted.get("root"), kept]), None])
    accounts = read_accounts(session, wanted)
    absent = sorted(set(wanted) - {account.user for account in accounts})
    if absent:
        raise JobError("MySQL in %s has no user %s. Nothing was changed." % (store.name, " and no user ".join(absent)))
    if state == "added":
        has = {user: takes(session._replace(user=user), password) for user, password in wanted.items()}
        due = [account for account in accounts if not has[account.user]]
    else:
        due = [account for account in accounts if account.two]
    if due and not module.check_mode:
        query(session, "\n".join(line for account in due for line in statements(account, wanted[account.user], state)))
    return {"changed": bool(due), "accounts": ["%s@%s" % (account.user, account.host) for account in due]}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "container": {"type": "str", "required": True},
            "accounts": {"type": "dict", "required": True, "no_log": True},
            "login_env": {"type": "path"},
            "state": {"type": "str", "choices": ["added", "only"], "default": "added"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**job(module))
    except NotYet as exc:
        if module.check_mode:
            module.exit_json(changed=True, accounts=[], msg="would change passwords (%s)" % exc)
        module.fail_json(msg=str(exc))
    except (JobError, ExecError) as exc:
        module.fail_json(msg=str(exc))
    except MysqlError as exc:
        module.fail_json(msg="container %s: %s. %s" % (module.params["container"], exc, exc.advice))


if __name__ == "__main__":
    main()
