#!/usr/bin/python
# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: account
short_description: Register or check a Coze Studio account
version_added: "0.1.0"
author:
  - cozeops.studio contributors (@cozeops)
description:
  - Registers an account with its e-mail address and password, if there is none of that address yet.
  - An account that exists is left alone. It is not logged in to, and its password is not compared, since the server allows one session for each
    user, so that a login would end the session of the person who uses it.
  - The server has no call to remove an account.
attributes:
  check_mode:
    description: Can run in check mode and tell what would change without changing it.
    support: partial
    details:
      - The server has no way to ask whether an account exists without registering it or logging in to it. In check mode nothing is sent, a
        warning says so, and RV(exists) is V(none).
  diff_mode:
    description: Returns what differs when diff mode is on.
    support: none
  idempotent:
    description: Changes nothing when it is run again with the same options.
    support: full
options:
  url:
    description:
      - The entry of Coze Studio, without a path.
      - With O(via_container) it is seen from inside that container, so it is usually V(http://127.0.0.1:8888) for coze-server.
    type: str
    required: true
  email:
    description:
      - The account's e-mail address. Case does not matter to the server.
    type: str
    required: true
  password:
    description:
      - The account's password. The server has no rule for it.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the account exists.
    type: str
    choices: [present]
    default: present
  check_only:
    description:
      - Registers nothing, but proves that O(email) and O(password) log in, and fails if they do not.
      - This ends the session that the user has in a browser. The session that the check opens is closed again.
    type: bool
    default: false
  registration_closed:
    description:
      - What to do if the server takes no new accounts. An account that exists cannot be seen then without ending its user's session.
    type: str
    choices: [fail, warn]
    default: fail
  via_container:
    description:
      - Name of a container on this host in whose network namespace the requests are made. Nothing needs to be published then.
      - Needs the Python package docker on the host, and root.
    type: str
  timeout:
    description:
      - Seconds to wait for an answer.
    type: float
    default: 30
  validate_certs:
    description:
      - Whether the certificate of an https O(url) must be valid.
    type: bool
    default: true
seealso:
  - module: cozeops.studio.product_check
"""

EXAMPLES = r"""
- name: Make sure that the first account exists
  cozeops.studio.account:
    url: http://127.0.0.1:8888
    email: admin@example.com
    password: "{{ admin_password }}"

- name: The same where no port is published yet
  cozeops.studio.account:
    url: http://127.0.0.1:8888
    via_container: coze-coze-server
    email: admin@example.com
    password: "{{ admin_password }}"

- name: Prove that the password is right (this ends the session of admin@example.com)
  cozeops.studio.account:
    url: http://127.0.0.1:8888
    email: admin@example.com
    password: "{{ admin_password }}"
    check_only: true
"""

RETURN = r"""
exists:
  description: Whether the account exists now. V(none) in check mode, where that is not known.
  type: bool
  returned: success
  sample: true
user:
  description: The account. O(ignore:id) and O(ignore:name) are V(none) where the server was not asked for them, as for an account that existed before.
  type: dict
  returned: success
  contains:
    id:
      description: Its id.
      type: str
      sample: "7571180334562869248"
    name:
      description: Its name.
      type: str
      sample: admin
    email:
      description: Its e-mail address.
      type: str
      sample: admin@example.com
"""

import contextlib
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils._coze_api import EMAIL_EXISTS, REGISTRATION_DISABLED, Coze, CozeError, explain
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.module_utils._via_container import via_container


def logged_out(coze: Coze, user: dict[str, t.Any]) -> dict[str, t.Any]:
    """The user, with the session closed that the call for it opened."""
    with contextlib.suppress(CozeError):  # The session is this module's own, nobody is harmed if it lives on.
        coze.logout()
    return user


def present(coze: Coze, email: str, password: str, registration_closed: str) -> dict[str, t.Any]:
    """Register. "exists" is None if registration is closed and that is no failure: only a login could tell then."""
    unknown = {"id": None, "name": None, "email": email}
    try:
        user = logged_out(coze, coze.register(email, password))
    except CozeError as exc:
        if exc.code == REGISTRATION_DISABLED and registration_closed == "warn":
            return {"changed": False, "exists": None, "user": unknown}
        if exc.code != EMAIL_EXISTS:
            raise
        return {"changed": False, "exists": True, "user": unknown}
    return {"changed": True, "exists": True, "user": user}


def checked(coze: Coze, email: str, password: str) -> dict[str, t.Any]:
    return {"changed": False, "exists": True, "user": logged_out(coze, coze.login(email, password))}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "email": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "state": {"type": "str", "choices": ["present"], "default": "present"},
            "check_only": {"type": "bool", "default": False},
            "registration_closed": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
            "via_container": {"type": "str"},
            "timeout": {"type": "float", "default": 30},
            "validate_certs": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    email, password = given["email"], given["password"]
    try:
        coze = Coze(given["url"], timeout=given["timeout"], validate_certs=given["validate_certs"])
    except ValueError as exc:
        module.fail_json(msg=str(exc))
    if module.check_mode:
        what = "the login was not tried, since it would end the user's session" if given["check_only"] else "it would be registered if there is none"
        module.warn("Whether the account %s exists cannot be found out in check mode: %s." % (email, what))
        module.exit_json(changed=False, exists=None, user={"id": None, "name": None, "email": email})

    def work() -> dict[str, t.Any]:
        return checked(coze, email, password) if given["check_only"] else present(coze, email, password, given["registration_closed"])

    try:
        result = via_container(given["via_container"], work)
        if result["exists"] is None:
            module.warn("Registration is closed, so %s was not registered; whether there is such an account, only its login tells." % email)
        module.exit_json(**result)
    except EngineError as exc:
        module.fail_json(msg=str(exc))
    except CozeError as exc:
        verb = "log in to" if given["check_only"] else "register"
        module.fail_json(msg=" ".join(filter(None, ["Cannot %s the account %s at %s: %s." % (verb, email, given["url"], str(exc).rstrip(".")), explain(exc)])))


if __name__ == "__main__":
    main()
