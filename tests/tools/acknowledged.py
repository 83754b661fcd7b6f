# SPDX-License-Identifier: GPL-3.0-or-later
"""People who use a Coze Studio while things happen to it, and a list of all that it has told them is done."""

from __future__ import annotations

import threading
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.cozeops.studio.plugins.module_utils._coze_api import Coze, CozeError, objects, string
from ansible_collections.cozeops.studio.plugins.module_utils._product_check import tiny_png

PASSWORD = "a-Passw0rd-of-the-test"
PAUSE = 0.15  # between two requests: what is tested is not how many it can take
#: Who reads what was written is more patient than who writes.
WRITE_TIMEOUT, READ_TIMEOUT = 5.0, 20.0


@dataclass
class Account:
    """What one account was told is done: name -> what it is known by."""

    email: str
    space: str = ""
    prompts: dict[str, str] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    files: list[tuple[str, bytes]] = field(default_factory=list)


class Client:
    """A Coze Studio at an address, by the name that people know it by. ``use`` may go on in a thread of its own; ``missing`` comes after it."""

    def __init__(self, address: str, public: str, name: str) -> None:
        self.address, self.public, self.name = address, public, name
        self.accounts: list[Account] = []
        self.refused: dict[str, int] = {}
        self.over = threading.Event()
        self.thread: threading.Thread | None = None
        self.number = 0

    def session(self, timeout: float) -> Coze:
        return Coze(f"http://{self.address}:8888", timeout=timeout, host_header=self.public)

    # -- writing

    def __enter__(self) -> Client:
        self.over.clear()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *dummy: object) -> None:
        self.over.set()
        if self.thread is not None:
            self.thread.join(timeout=60)

    def _run(self) -> None:
        while not self.over.is_set():
            self.use()

    def use(self, rounds: int = 2) -> None:
        """One account more, and what it makes. A refusal is counted: only what was acknowledged is noted."""
        coze = self.session(WRITE_TIMEOUT)
        self.number += 1
        account = Account(f"{self.name}{self.number}@coze.example")
        if not self._try("register", lambda: coze.register(account.email, PASSWORD)):
            return
        self.accounts.append(account)
        if not self._try("space", lambda: self._space(coze, account)):
            return
        for turn in range(rounds):
            for what, step in (("prompt", self._prompt), ("project", self._project), ("token", self._token), ("file", self._file)):
                if not self.over.is_set():
                    self._try(what, lambda step=step, turn=turn: step(coze, account, f"{self.name}-{self.number}-{turn}"))  # type: ignore[misc]

    def _try(self, what: str, step: t.Callable[[], t.Any]) -> bool:
        time.sleep(PAUSE)
        try:
            step()
        except CozeError:
            self.refused[what] = self.refused.get(what, 0) + 1
            return False
        return True

    def _space(self, coze: Coze, account: Account) -> None:
        account.space = string(coze.spaces()[0], "id")

    def _prompt(self, coze: Coze, account: Account, name: str) -> None:
        account.prompts[name] = coze.create_prompt(account.space, name, "text of " + name)

    def _project(self, coze: Coze, account: Account, name: str) -> None:
        body = {"space_id": account.space, "name": name}
        account.projects[name] = string(coze.call("/api/intelligence_api/draft_project/create", body), "data", "project_id")

    def _token(self, coze: Coze, account: Account, name: str) -> None:
        coze.call("/api/permission_api/pat/create_personal_access_token_and_permission", {"name": name, "duration_day": "30"})
        account.tokens.append(name)

    def _file(self, coze: Coze, account: Account, name: str) -> None:
        data = tiny_png(name) + name.encode() * 2000
        account.files.append((coze.upload_file(data, "png")[0], data))

    # -- reading

    @property
    def acknowledged(self) -> dict[str, int]:
        counts = {"accounts": len(self.accounts)}
        return {**counts, **{what: sum(len(getattr(each, what)) for each in self.accounts) for what in ("prompts", "projects", "tokens", "files")}}

    def missing(self) -> list[str]:
        """What was acknowledged and is not there, or is another."""
        found: list[str] = []
        for account in self.accounts:
            found += self._missing(account)
        return found

    def _missing(self, account: Account) -> t.Iterator[str]:
        coze = self.session(READ_TIMEOUT)
        try:
            if coze.login(account.email, PASSWORD)["email"] != account.email:
                yield f"{account.email} is another"
        except CozeError as exc:
            yield f"{account.email} cannot log in: {exc}"
            return
        for name, identity in account.prompts.items():
            try:
                text = string(coze.call(f"/api/playground_api/get_prompt_resource_info?prompt_resource_id={identity}", method="GET"), "data", "prompt_text")
            except CozeError as exc:
                text = str(exc)
            if text != "text of " + name:
                yield f"prompt {name} of {account.email}: {text}"
        there = {string(each, "name") for each in self._tokens(coze)}
        yield from (f"token {name} of {account.email}" for name in account.tokens if name not in there)
        for url, data in account.files:
            answer = coze.fetch(url)
            if (answer.status, answer.body) != (200, data):
                yield f"file {url.partition('?')[0]} of {account.email}: HTTP {answer.status}, {len(answer.body)} bytes, not {len(data)}"

    def _tokens(self, coze: Coze) -> list[dict[str, t.Any]]:
        path = "/api/permission_api/pat/list_personal_access_tokens?page=1&size=50"
        return objects(coze.call(path, method="GET"), "data", "personal_access_tokens")

    def not_listed(self) -> list[str]:
        """Prompts and projects that search does not find in their space."""
        found = []
        for account in self.accounts:
            if not account.prompts and not account.projects:
                continue
            coze = self.session(READ_TIMEOUT)
            coze.login(account.email, PASSWORD)
            prompts = {string(each, "res_id") for each in coze.search_library(account.space)}
            projects = {string(each, "id") for each in coze.search_bots(account.space)}
            found += [f"prompt {name}" for name, identity in account.prompts.items() if identity not in prompts]
            found += [f"project {name}" for name, identity in account.projects.items() if identity not in projects]
        return found
