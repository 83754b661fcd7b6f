# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run modules side by side on one host, from an action plugin. Private to this collection."""

from __future__ import annotations

import contextvars
import copy
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor

Action = t.TypeVar("Action")
Result = t.TypeVar("Result")


def apart(action: Action, silent: bool = False) -> Action:
    """The action with a connection object of its own, which notes in itself what it is doing; the SSH connection behind it is shared.

    silent: what modules say is not shown, with -vvv either.
    """
    twin: t.Any = copy.copy(action)
    twin._connection = copy.copy(twin._connection)
    twin._connection._shell = copy.copy(twin._connection._shell)
    twin._connection.become = copy.copy(twin._connection.become)
    twin._play_context = twin._connection._play_context = copy.copy(twin._play_context)
    twin._play_context.no_log = twin._play_context.no_log or silent
    return t.cast("Action", twin)


def submit(pool: ThreadPoolExecutor, function: t.Callable[..., Result], *arguments: t.Any) -> Future[Result]:
    """Have the function called in a thread that knows, as this one does, which task runs: Ansible keeps that in context variables."""
    return pool.submit(contextvars.copy_context().run, function, *arguments)
