# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxy settings, and where a host has them. Only files are read."""

from __future__ import annotations

import glob
import shlex
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._env_mask import MASK
from ansible_collections.cozeops.studio.plugins.module_utils._host import read

Settings = dict[str, str]

KEYS = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY", "no_proxy": "NO_PROXY"}
DROP_INS = ("/etc/systemd/system/docker.service.d/*.conf", "/run/systemd/system/docker.service.d/*.conf")


def of_environment(environment: t.Mapping[str, t.Any]) -> Settings:
    """{"http", "https", "no_proxy"} of environment variables in either case; "" for those not set. The upper case wins, as in Go."""
    return {name: str(environment.get(key) or environment.get(key.lower()) or "") for name, key in KEYS.items()}


def of_client(document: t.Any) -> Settings:
    """The same of the proxies in a config.json of the docker command, which puts them into containers that it starts."""
    proxies = document.get("proxies") if isinstance(document, dict) else None
    default = proxies.get("default") if isinstance(proxies, dict) else None
    found = default if isinstance(default, dict) else {}
    return {"http": str(found.get("httpProxy") or ""), "https": str(found.get("httpsProxy") or ""), "no_proxy": str(found.get("noProxy") or "")}


def of_unit(text: str) -> dict[str, str]:
    """The variables that Environment= lines of a systemd unit set."""
    found: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        name, sign, value = line.strip().partition("=")
        if name.strip() != "Environment" or not sign:
            continue
        try:
            words = shlex.split(value)
        except ValueError:  # an open quote: systemd drops such a line too
            continue
        if not words:
            found.clear()  # an empty one takes back all before it
        found.update((key, content) for key, equals, content in (word.partition("=") for word in words) if equals)
    return found


def is_set(settings: t.Mapping[str, str]) -> bool:
    return bool(settings["http"] or settings["https"])


def shown(settings: t.Mapping[str, str]) -> Settings:
    """The settings without the user and password that their addresses may have."""
    return {name: hidden(value) for name, value in settings.items()}


def hidden(url: str) -> str:
    head, at, tail = url.rpartition("@")
    if not at:
        return url
    scheme, sign, dummy = head.partition("://")
    return (scheme + sign if sign else "") + MASK + at + tail


def engine_settings(pid: str, daemon_settings: t.Any) -> Settings:
    """What dockerd has or will have: the environment of a running one, else of its unit, with those of daemon.json over it."""
    environment = dict(part.split("=", 1) for part in read("/proc/%s/environ" % pid).split("\0") if "=" in part) if pid else {}
    for path in [] if environment else sorted(path for pattern in DROP_INS for path in glob.glob(pattern)):
        environment.update(of_unit(read(path)))
    found = of_environment(environment)
    own = daemon_settings.get("proxies") if isinstance(daemon_settings, dict) else None
    for name, key in (("http", "http-proxy"), ("https", "https-proxy"), ("no_proxy", "no-proxy")):
        if isinstance(own, dict) and own.get(key):
            found[name] = str(own[key])
    return found
