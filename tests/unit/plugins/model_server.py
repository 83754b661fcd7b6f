# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's model server in this process, for unit tests."""

from __future__ import annotations

import importlib.util
import ssl
import sys
import threading
import typing as t
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "lab" / "images" / "model-server" / "server.py"
KEY = "sk-lab-0123456789"


def _load() -> t.Any:
    spec = importlib.util.spec_from_file_location("lab_model_server", SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


server = _load()


@contextmanager
def serving(key: str = KEY, delay: float = 0.3, tls: ssl.SSLContext | None = None) -> t.Iterator[t.Any]:
    """A server that answers; its attribute ``root`` is the address."""
    running = server.make_server(port=0, key=key, delay=delay)
    running.root = "http://127.0.0.1:%d" % running.server_port
    if tls is not None:
        running.root = "https://localhost:%d" % running.server_port
        running.socket = tls.wrap_socket(running.socket, server_side=True)
        running.handle_error = lambda *dummy: None  # a client that does not trust us is the point of some tests
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.shutdown()
        running.server_close()
        thread.join()
