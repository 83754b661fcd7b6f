# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the API of a stack at a steady rate until a file appears, and say what failed.

usage: steady_load.py HOST PORT RATE STOP_FILE

Each request has a connection of its own: what a browser does about one that was closed between two requests is not what is counted. Ends with 1 if any
request failed, or after fifteen minutes.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from pathlib import Path

LONGEST = 900


class SteadyLoad:
    """Requests that need no session, which the server answers with its own refusal."""

    def __init__(self, host: str, port: int, rate: float) -> None:
        self.host, self.port, self.rate = host, port, rate
        self.requests = 0
        self.slowest = 0.0
        self.failures: list[str] = []
        self.over = threading.Event()
        self.lock = threading.Lock()

    def ask(self) -> None:
        begun = time.monotonic()
        try:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
            connection.request("GET", "/api/cozeops-load")
            answer = connection.getresponse()
            body = answer.read()
            problem = "" if answer.status == 401 and json.loads(body)["code"] == 401 else f"HTTP {answer.status} {body[:80]!r}"
            connection.close()
        except (OSError, http.client.HTTPException, ValueError) as exc:
            problem = repr(exc)
        with self.lock:
            self.requests += 1
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.failures += [f"{problem} after {time.monotonic() - begun:.1f} s"] if problem else []

    def run(self) -> None:
        begun, count = time.monotonic(), 0
        while not self.over.is_set():
            threading.Thread(target=self.ask, daemon=True).start()
            count += 1
            time.sleep(max(0.0, begun + count / self.rate - time.monotonic()))


def main() -> int:
    load = SteadyLoad(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    stop = Path(sys.argv[4])
    thread = threading.Thread(target=load.run)
    thread.start()
    deadline = time.monotonic() + LONGEST
    while not stop.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    load.over.set()
    thread.join()
    time.sleep(1)  # for those in hand
    print(json.dumps({"requests": load.requests, "slowest": round(load.slowest, 1), "failures": load.failures}))
    return 1 if load.failures or not stop.exists() else 0


if __name__ == "__main__":
    sys.exit(main())
