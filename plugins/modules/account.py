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
  - Registers an account with its e-mail address and password, if there is none of that address yet, changes its password if O(current_password) is
    given, and makes it an administrator if O(admin) is set.
  - Otherwise an account that exists is left alone. It is not logged in to, and its password is not compared, since the server allows one session for
    each user, so that a login would end the session of the person who uses it.
  - The server has no call to remove an account.
attributes:
  check_mode:
    description: Can run in check mode and tell what would change without changing it.
    support: partial
    details:
      - The server has no way to ask whether an account exists without registering it or logging in to it. In check mode nothing is sent for the account
        itself, a warning says so, and RV(exists) is V(none). With O(current_password) nothing is known of the password either.
      - Whether O(admin) would change something is told if O(probe_email) is given and may see the list of administrators.
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
  current_password:
    description:
      - The password that an account which exists may still have. If it has, it gets O(password) in its place.
      - The account is logged in to for that, on every run, with O(password) first. This ends the session that its user has in a browser. So leave
        this option out again once the password is changed.
      - All release lines have the call. It takes the new password in the query of a URL, which web servers in between may write to their log, so give
        O(via_container) if you can. Up to release 0.5.0 it lets any user change the password of any other; this module changes only that of the account
        that it is logged in to.
    type: str
  admin:
    description:
      - Whether to make sure that the account is an administrator, which is that O(email) is in C(admin_emails) of the settings of C(/admin). Needs release
        line 0.5.
      - While that list is empty, every account is an administrator. Naming the first one closes the administration to all others.
      - Saving the list saves all settings of that page. From then on they win over the keys of the .env for registration (C(DISABLE_USER_REGISTRATION),
        C(ALLOW_REGISTRATION_EMAIL)), C(SERVER_HOST), the code runner (C(CODE_RUNNER_*)) and the SaaS plugins (C(COZE_SAAS_*)), which have no effect any more.
      - An account that was registered just now sees to it itself. For one that exists O(probe_email) does, so that nobody is logged out. As soon as that
        account is no administrator any more, it can only tell that the list names others. Nothing is changed then, and RV(admin) is V(none);
        O(check_only) proves it, at the price of a login.
    type: bool
    default: false
  probe_email:
    description:
      - An account that no person uses, such as that of M(cozeops.studio.product_check). Its session is used to look at the list of administrators and to
        change it. A login ends the session that it has elsewhere.
    type: str
  probe_password:
    description:
      - The password of O(probe_email).
    type: str
  probe_admin:
    description:
      - Whether O(probe_email) is made an administrator too. Every later run can see then whether O(email) is one, and
        M(cozeops.studio.admin_models) can use the account.
      - Who knows O(probe_password) rules the stack then.
    type: bool
    default: false
  release:
    description:
      - The release line of the server. With it, what the line does not have is refused before anything is sent.
    type: str
    choices: ["0.2", "0.3", "0.5"]
  state:
    description:
      - V(present) makes sure that the account exists.
    type: str
    choices: [present]
    default: present
  check_only:
    description:
      - Changes nothing, but proves that O(email) and O(password) log in, and with O(admin) that the account is named as an administrator, and fails if not.
      - This ends the session that the user has in a browser. The session that the check opens is closed again.
    type: bool
    default: false
  registration_closed:
    description:
      - What to do if the server takes no new accounts. An account that exists cannot be seen then without ending its user's session.
    type: str
    choices: [fail, warn]
    default: fail
  ledger:
    description:
      - Ledger of the data directory that accounts are in, such as C(data/.mysql.json) of a stack. An account that was made sure of is named there, under
        C(accounts), so that a later run can do without this module.
    type: path
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
  - module: cozeops.studio.admin_models
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

- name: Close the administration to all but one account
  cozeops.studio.account:
    url: http://127.0.0.1:8888
    via_container: coze-coze-server
    email: admin@example.com
    password: "{{ admin_password }}"
    admin: true
    release: "0.5"
    probe_email: verify@coze.cozeops.internal
    probe_password: "{{ verify_password }}"

- name: Change a password
  cozeops.studio.account:
    url: http://127.0.0.1:8888
    via_container: coze-coze-server
    email: admin@example.com
    current_password: "{{ old_password }}"
    password: "{{ admin_password }}"
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
admin:
  description:
    - Whether the account is named as an administrator now, or in check mode would be.
    - V(none) if that cannot be seen without logging in to it.
  type: bool
  returned: success, if O(admin) is set
  sample: true
password_changed:
  description: Whether the password was changed by this run. V(none) in check mode, where that is not known.
  type: bool
  returned: success, if O(current_password) is given
  sample: false
"""

import contextlib
import typing as t
from urllib.parse import quote_plus, urlencode

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.module_utils import _ledger
from ansible_collections.cozeops.studio.plugins.module_utils._coze_admin import (
    AdminError,
    basic_config,
    is_absent,
    is_denied,
    is_named,
    reason,
    save_basic_config,
    with_admins,
)
from ansible_collections.cozeops.studio.plugins.module_utils._coze_api import EMAIL_EXISTS, REGISTRATION_DISABLED, WRONG_LOGIN, Coze, CozeError, explain
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.module_utils._env_mask import MASK
from ansible_collections.cozeops.studio.plugins.module_utils._ledger import LedgerError
from ansible_collections.cozeops.studio.plugins.module_utils._via_container import via_container

#: The accounts' place in a ledger.
ACCOUNTS = "accounts"
RESET = "/api/passport/web/email/password/reset/"
NO_ADMINISTRATION = "admin: release lines before 0.5 have no administration, so that there are no administrators: leave admin out, or upgrade."
Given = dict[str, t.Any]
Open = t.Callable[[], Coze]


class AccountError(Exception):
    """What keeps the account from being as it should; the text is for the operator."""


class Run:
    """One run. ``session`` is the account's own, if this run has one, ``probe`` that of the helper account; both are closed at the end."""

    def __init__(self, given: Given, check: bool, connection: Open) -> None:
        self.given = given
        self.email: str = given["email"]
        self.check = check
        self.connection = connection
        self.session: Coze | None = None
        self.probe: Coze | None = None
        self.warnings: list[str] = []
        self.doing = "log in to" if given["check_only"] else "register"
        self.result: dict[str, t.Any] = {"changed": False, "exists": None, "user": {"id": None, "name": None, "email": self.email}}
        if given["current_password"] is not None:
            self.result["password_changed"] = None if check else False

    def perform(self) -> None:
        """Raises AccountError, AdminError, and CozeError of the account's own calls."""
        try:
            if self.check:
                self.say_what_is_not_known()
            elif self.given["check_only"]:
                self.log_in(self.given["password"])
            else:
                self.present()
            if self.given["admin"]:
                self.prove_admin() if self.given["check_only"] else self.make_admin()
        finally:
            for session in filter(None, (self.session, self.probe)):
                with contextlib.suppress(CozeError):  # The session is this module's own, nobody is harmed if it lives on.
                    session.logout()

    # -- the account

    def log_in(self, password: str) -> None:
        session = self.connection()
        self.result.update(exists=True, user=session.login(self.email, password))
        self.session = session

    def present(self) -> None:
        session = self.connection()
        try:
            self.result.update(exists=True, user=session.register(self.email, self.given["password"]))
        except CozeError as exc:
            if exc.code not in (EMAIL_EXISTS, REGISTRATION_DISABLED):
                raise
            self.there_already(exc)
            return
        self.session = session
        self.result["changed"] = True

    def there_already(self, refusal: CozeError) -> None:
        """The account exists, or with registration closed may exist: only a login could tell then."""
        if self.given["current_password"] is not None:
            self.change_password()
        elif refusal.code == EMAIL_EXISTS:
            self.result["exists"] = True
        elif self.given["registration_closed"] == "fail":
            raise refusal
        else:
            self.warnings.append("Registration is closed, so %s was not registered; whether there is such an account, only its login tells." % self.email)

    def change_password(self) -> None:
        """From current_password to password, if it is not that already. Either way this ends the session of the account's user."""
        new = self.given["password"]
        self.doing = "change the password of"
        if self.logs_in(new):
            return
        if not self.logs_in(self.given["current_password"]):
            raise AccountError(
                "Neither password nor current_password logs in to the account %s: set current_password to the one that it has now. Whoever has lost it needs"
                " a new hash in the table user of MySQL, since the server has no call for that." % self.email
            )
        if self.session is None:
            raise AssertionError("a session is opened first")
        # Addresses that MySQL takes for the same are not always the same.
        if self.result["user"]["email"].lower() != self.email.lower():
            raise AccountError("The server knows this account as %s. Give that as email, to have its password changed." % self.result["user"]["email"])
        try:
            self.session.call("%s?%s" % (RESET, urlencode({"email": self.result["user"]["email"], "password": new})), method="GET")
        except CozeError as exc:
            # The path has the password in it, and a page of a proxy may repeat it.
            raise CozeError(exc.code, exc.message.replace(quote_plus(new), MASK), exc.status, RESET) from None
        self.result.update(changed=True, password_changed=True)
        # That has ended the session; and the new password is proved.
        self.log_in(new)

    def logs_in(self, password: str) -> bool:
        try:
            self.log_in(password)
        except CozeError as exc:
            if exc.code != WRONG_LOGIN:
                raise
            return False
        return True

    def say_what_is_not_known(self) -> None:
        if self.given["check_only"]:
            what = "the login was not tried, since it would end the user's session"
        elif self.given["current_password"] is not None:
            what = "it would be registered if there is none, and its password changed if it is still current_password"
        else:
            what = "it would be registered if there is none"
        self.warnings.append("Whether the account %s exists cannot be found out in check mode: %s." % (self.email, what))

    # -- the administrator

    def prove_admin(self) -> None:
        if self.session is None:  # in check mode
            self.result["admin"] = None
            return
        with telling(self.email):
            named = basic_config(self.session).get("admin_emails") or ""
        if not is_named(named, self.email):
            raise AccountError(
                "%s is not named as an administrator. It is one all the same, as every account is while admin_emails is empty in the settings of /admin:"
                " run this without check_only to name it." % self.email
            )
        self.result["admin"] = True

    def make_admin(self) -> None:
        """Name the account, in whichever session can; without one that can, say so."""
        self.result["admin"] = None
        found = self.readable()
        if found is None:
            return
        session, config = found
        wanted = [self.email, self.given["probe_email"]] if self.given["probe_admin"] else [self.email]
        before = config.get("admin_emails") or ""
        after = with_admins(before, wanted)
        if after != before:
            if self.given["probe_admin"] and not is_named(before, self.given["probe_email"]) and not self.open_probe():
                raise AccountError(
                    "probe_admin: %s is not made an administrator, since it does not exist or probe_password is not its password: whoever has that account"
                    " would be one." % self.given["probe_email"]
                )
            if not self.check:
                with telling(self.email):
                    save_basic_config(session, {**config, "admin_emails": after})
            self.result["changed"] = True
        self.result["admin"] = True

    def readable(self) -> tuple[Coze, dict[str, t.Any]] | None:
        """A session that may read the settings, and these; None if only the account's own could, and there is none of it."""
        if self.session is not None:
            config = self.settings(self.session)
            if config is not None:
                return self.session, config
        if self.given["probe_email"] is None:
            if self.session is None:
                self.warnings.append(
                    "Whether %s is an administrator was not looked at, since logging in to it would end its user's session: give probe_email and"
                    " probe_password, an account that nobody uses." % self.email
                )
        elif not self.open_probe():
            self.warnings.append(
                "Whether %s is an administrator could not be looked at: probe_email, %s, does not exist, or probe_password is not its password."
                % (self.email, self.given["probe_email"])
            )
        else:
            if self.probe is None:
                raise AssertionError("there is a probe account")
            config = self.settings(self.probe)
            if config is not None:
                return self.probe, config
        if self.session is not None:
            raise AccountError(
                "%s is no administrator, and cannot become one by itself: admin_emails in the settings of /admin names others. Have one of them add it there."
                % self.email
            )
        return None

    def settings(self, session: Coze) -> dict[str, t.Any] | None:
        """The settings of the administration; None if the session is that of no administrator."""
        try:
            return basic_config(session)
        except CozeError as exc:
            if is_denied(exc):
                return None
            raise AccountError(NO_ADMINISTRATION if is_absent(exc) else reason(exc, self.email)) from exc

    def open_probe(self) -> bool:
        """Whether the helper account is logged in; False if it cannot be."""
        if self.probe is not None:
            return True
        probe = self.connection()
        try:
            probe.login(self.given["probe_email"], self.given["probe_password"])
        except CozeError as exc:
            if exc.code == WRONG_LOGIN:
                return False
            raise AccountError("Cannot log in to probe_email, %s: %s" % (self.given["probe_email"], reason(exc, self.given["probe_email"]))) from exc
        self.probe = probe
        return True


@contextlib.contextmanager
def telling(email: str) -> t.Iterator[None]:
    """Turns what the administration refuses into sentences."""
    try:
        yield
    except CozeError as exc:
        raise AccountError(NO_ADMINISTRATION if is_absent(exc) else reason(exc, email)) from exc


def note(path: str, email: str) -> None:
    """Name the account in the ledger. Raises LedgerError."""
    known = _ledger.done(_ledger.read(path), ACCOUNTS)
    _ledger.record(path, ACCOUNTS, "", sorted({*known, email.lower()}), {})


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "email": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "current_password": {"type": "str", "no_log": True},
            "admin": {"type": "bool", "default": False},
            "probe_email": {"type": "str"},
            "probe_password": {"type": "str", "no_log": True},
            "probe_admin": {"type": "bool", "default": False},
            "release": {"type": "str", "choices": ["0.2", "0.3", "0.5"]},
            "state": {"type": "str", "choices": ["present"], "default": "present"},
            "check_only": {"type": "bool", "default": False},
            "registration_closed": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
            "ledger": {"type": "path"},
            "via_container": {"type": "str"},
            "timeout": {"type": "float", "default": 30},
            "validate_certs": {"type": "bool", "default": True},
        },
        required_together=[("probe_email", "probe_password")],
        required_if=[("probe_admin", True, ("probe_email", "admin"))],
        supports_check_mode=True,
    )
    given = module.params
    if given["admin"] and given["release"] in ("0.2", "0.3"):
        module.fail_json(msg=NO_ADMINISTRATION)
    if given["check_only"] and given["current_password"] is not None:
        module.fail_json(msg="check_only changes nothing, and current_password asks for a change: give one of the two.")

    def connection() -> Coze:
        return Coze(given["url"], timeout=given["timeout"], validate_certs=given["validate_certs"])

    try:
        connection()
    except ValueError as exc:
        module.fail_json(msg=str(exc))
    run = Run(given, module.check_mode, connection)
    try:
        via_container(given["via_container"], run.perform)
    except EngineError as exc:
        module.fail_json(msg=str(exc))
    except (AccountError, AdminError) as exc:
        module.fail_json(msg="%s: %s" % (given["url"], exc), changed=run.result["changed"])
    except CozeError as exc:
        what = "Cannot %s the account %s at %s: %s." % (run.doing, run.email, given["url"], str(exc).rstrip("."))
        module.fail_json(msg=" ".join(filter(None, [what, explain(exc)])), changed=run.result["changed"])
    if given["ledger"] and run.result["exists"] and not module.check_mode:
        try:
            note(given["ledger"], run.email)
        except LedgerError as exc:
            module.fail_json(msg="The account %s is there, but that cannot be noted: %s" % (run.email, exc), changed=run.result["changed"])
    for warning in run.warnings:
        module.warn(warning)
    module.exit_json(**run.result)


if __name__ == "__main__":
    main()
