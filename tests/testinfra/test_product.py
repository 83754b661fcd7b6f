# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry answers on the host as the release does."""

from __future__ import annotations

import json
from typing import Any


def test_the_entry_serves_the_page(host: Any, model: dict[str, Any]) -> None:
    result = host.run("curl -fsS -o /dev/null -w '%%{http_code} %%{content_type}' %s/", model["entry"]["url"])
    assert result.stdout.startswith("200 text/html")


def test_the_api_refuses_strangers_as_its_release_does(host: Any, model: dict[str, Any]) -> None:
    out = host.check_output("curl -s -w '\\n%%{http_code}' %s/api/x", model["entry"]["url"])
    body, status = out.rsplit("\n", 1)
    wanted = ("401", 401) if model["release"] == "0.5" else ("200", 700012006)
    assert (status, json.loads(body)["code"]) == wanted


def test_the_administrator_can_log_in(host: Any, model: dict[str, Any], secrets: dict[str, str]) -> None:
    body = json.dumps({"email": f"admin@{model['name']}.example", "password": secrets["COZE_SERVER_ADMIN_PASSWORD"]})
    out = host.check_output("curl -s -H 'Content-Type: application/json' -d %s %s/api/passport/web/email/login/", body, model["entry"]["url"])
    assert json.loads(out)["code"] == 0, out
