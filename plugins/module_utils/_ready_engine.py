# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Docker Engine as the readiness wait sees it. Private to this collection."""

from __future__ import annotations

import threading
from typing import Any

from ansible_collections.cozeops.studio.plugins.module_utils._engine import HAS_DOCKER, inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._ready import EngineTrouble

if HAS_DOCKER:
    import docker.errors

    TROUBLE: tuple[type[Exception], ...] = (docker.errors.DockerException, OSError)  # requests' own errors are OSErrors
else:
    TROUBLE = (OSError,)


class DockerEngine:
    """``_ready.Engine`` over a low-level client, which several threads may share."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def inspect(self, container: str) -> dict[str, Any] | None:
        """See ``_ready.Engine``."""
        try:
            return inspect_or_none(self._client, container)
        except TROUBLE as exc:
            raise EngineTrouble(f"the Docker Engine does not answer: {exc}") from exc

    def logs(self, container: str, lines: int) -> str:
        """See ``_ready.Engine``. A log that cannot be read is told in its place."""
        try:
            output: bytes = self._client.logs(container, stdout=True, stderr=True, tail=lines)
        except TROUBLE as exc:
            return f"(its log cannot be read: {exc})"
        return output.decode("utf-8", "replace")

    def run(self, container: str, command: list[str], user: str, timeout: float) -> tuple[int, str]:
        """See ``_ready.Engine``. The API has no time limit for a command, so a thread waits for it and is left behind."""
        results: list[tuple[int, str]] = []
        errors: list[Exception] = []

        def body() -> None:
            try:
                identity = self._client.exec_create(container, command, user=user)["Id"]
                output = self._client.exec_start(identity)
                code = self._client.exec_inspect(identity)["ExitCode"]
                results.append((-1 if code is None else int(code), (output or b"").decode("utf-8", "replace")))
            except TROUBLE as exc:
                errors.append(exc)

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        thread.join(timeout)
        if errors:
            raise EngineTrouble(f"{command[0]} cannot be run in the container: {errors[0]}")
        if not results:
            raise EngineTrouble(f"{command[0]} did not end within {timeout:g} s")
        return results[0]
