# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine knows of mirrors, proxies and authorities, as files for the base image.

The repository names no registry: a build takes what the machine is set up with.
"""
from __future__ import annotations

import configparser
import io
import os
import pathlib
import re
import subprocess

DEFAULT_MIRROR = "http://deb.debian.org/debian"
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")

_GO_KEYS = ("GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GOINSECURE")
_PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy")
_APT_KEYS = re.compile(r"^Acquire::(https?::|Check-Valid-Until|Check-Date|Retries)", re.IGNORECASE)


def read(path: str) -> str:
    """A file's text, empty if it cannot be read."""
    try:
        return pathlib.Path(path).expanduser().read_text(encoding="utf-8")
    except OSError:
        return ""


def _deb822(text: str) -> list[tuple[str, list[str], list[str]]]:
    entries = []
    for stanza in re.split(r"\n\s*\n", text):
        lines = [line for line in stanza.splitlines() if line.strip() and not line.startswith("#")]
        fields = {key.strip().lower(): value.strip() for key, _colon, value in (line.partition(":") for line in lines)}
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no":
            entries += [(uri, fields.get("suites", "").split(), fields.get("components", "").split()) for uri in fields.get("uris", "").split()]
    return entries


def _one_line(text: str) -> list[tuple[str, list[str], list[str]]]:
    found = re.findall(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.+)$", text, re.MULTILINE)
    return [(uri, [suite], components.split()) for uri, suite, components in found]


def mirror_of(sources: dict[str, str], codename: str) -> str:
    """The Debian mirror that apt uses, from the texts of its source files by name."""
    for name in sorted(sources):
        entries = _deb822(sources[name]) if name.endswith(".sources") else _one_line(sources[name])
        for uri, suites, components in entries:
            if codename and codename in suites and "main" in components:
                return uri.rstrip("/")
    return DEFAULT_MIRROR


def mirror() -> str:
    """The mirror for the lab's own Debian; one that serves another distribution is of no use here."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', read("/etc/os-release"), re.MULTILINE))
    if release.get("ID") != "debian":
        return DEFAULT_MIRROR
    paths = [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*.*")]
    return mirror_of({str(path): read(str(path)) for path in paths}, release.get("VERSION_CODENAME", ""))


def _apt_conf() -> str:
    try:
        dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
    return "".join(line + "\n" for line in dump.splitlines() if _APT_KEYS.match(line))


def pip_conf(texts: list[str], env: dict[str, str]) -> str:
    """One pip.conf of several; a later file wins over an earlier one, the environment over all."""
    kept: dict[str, str] = {}
    for text in texts:
        parsed = configparser.RawConfigParser()
        try:
            parsed.read_string(text)
        except configparser.Error:
            continue
        if parsed.has_section("global"):
            kept.update({key: value for key, value in parsed.items("global") if key in _PIP_KEYS})
    kept.update({key: env[name] for key in _PIP_KEYS for name in ["PIP_" + key.upper().replace("-", "_")] if env.get(name)})
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in sorted(kept.items())) if kept else ""


def go_env(text: str, env: dict[str, str]) -> str:
    """Go's own env file, of the keys that say where modules come from."""
    kept = dict(line.split("=", 1) for line in text.splitlines() if line.split("=", 1)[0] in _GO_KEYS and "=" in line)
    kept.update({key: env[key] for key in _GO_KEYS if env.get(key)})
    return "".join(f"{key}={value}\n" for key, value in sorted(kept.items()))


def files() -> dict[str, str]:
    """Path in the image -> text, of all settings that this machine has."""
    env = dict(os.environ)
    config = env.get("XDG_CONFIG_HOME", "~/.config")
    every = {
        "usr/local/share/lab-ca-bundle.pem": read(CA_BUNDLE),
        "etc/apt/apt.conf.d/98machine": _apt_conf(),
        "etc/pip.conf": pip_conf([read("/etc/pip.conf"), read("~/.pip/pip.conf"), read(config + "/pip/pip.conf")], env),
        "root/.config/go/env": go_env(read(env.get("GOENV") or config + "/go/env"), env),
        "root/.m2/settings.xml": read("~/.m2/settings.xml"),
    }
    return {path: text for path, text in every.items() if text}


def fingerprint() -> str:
    """All of it as one text, for the digest of the images that depend on it."""
    out = io.StringIO()
    out.write(mirror() + "\n")
    for path, text in sorted(files().items()):
        out.write(f"{path}\n{text}\n")
    return out.getvalue()


def proxy_args() -> list[str]:
    """Proxies of the environment as build arguments: docker knows these without a declaration, and leaves them out of the image."""
    names = [name for lower in PROXIES for name in (lower, lower.upper()) if os.environ.get(name)]
    return [arg for name in names for arg in ("--build-arg", name)]
