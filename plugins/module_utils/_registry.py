# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask an image registry whether it has an image, and for which platforms, where no Engine can be asked. On the standard library only.

The protocol: https://distribution.github.io/distribution/spec/api/ (manifests) and …/spec/auth/token/ (tokens).
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import re
import socket
import ssl
import typing as t
import urllib.error
import urllib.parse
import urllib.request

HUB = "docker.io"
HUB_HOST = "registry-1.docker.io"
#: What config.json has Docker Hub's login under.
HUB_LOGIN = "https://index.docker.io/v1/"
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
MOST = 4 * 1024 * 1024
PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
#: Names of processors: what uname says -> what images say.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386"}


class Reference(t.NamedTuple):
    """An image reference in its parts. ``version`` is a tag or a digest."""

    registry: str
    repository: str
    version: str


class RegistryError(Exception):
    """The image cannot be had. The text says why, ``cure`` what to do."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(reason)
        self.cure = cure


def parse(reference: str) -> Reference:
    """"mysql:8.4.5" -> ("docker.io", "library/mysql", "8.4.5"), by Docker's rules: a first part with a dot or a colon, or localhost, is a registry."""
    name, at, digest = reference.partition("@")
    head, slash, rest = name.partition("/")
    if not slash or not ("." in head or ":" in head or head == "localhost"):
        head, rest = HUB, name
    if head == "index.docker.io":
        head = HUB
    folder, last = rest.rpartition("/")[::2]
    last, dummy, tag = last.partition(":")
    repository = (folder + "/" if folder else "") + last
    if head == HUB and "/" not in repository:
        repository = "library/" + repository
    return Reference(head, repository, digest if at else tag or "latest")


def platform_of(machine: str) -> str:
    """"x86_64" -> "linux/amd64"."""
    return "linux/" + ARCHITECTURES.get(machine, machine)


def is_local(registry: str) -> bool:
    """Whether Docker takes the registry for one without TLS by itself: this machine."""
    host = re.sub(r":\d+$", "", registry).strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def login_of(document: t.Any, registry: str) -> tuple[str, str] | None:
    """User and password for a registry in a config.json; None if it has none, or keeps them in a program."""
    auths = document.get("auths") if isinstance(document, dict) else None
    for key in (HUB_LOGIN, "docker.io") if registry == HUB else (registry, "https://" + registry):
        entry = auths.get(key) if isinstance(auths, dict) else None
        if isinstance(entry, dict) and entry.get("auth"):
            try:
                user, colon, password = base64.b64decode(entry["auth"]).decode().partition(":")
            except ValueError:
                return None
            return (user, password.rstrip("\0")) if colon else None
    return None


def challenge(header: str) -> tuple[str, dict[str, str]]:
    """'Bearer realm="x",service="y"' -> ("bearer", {"realm": "x", "service": "y"})."""
    scheme, dummy, rest = header.strip().partition(" ")
    return scheme.lower(), {name: quoted or plain for name, quoted, plain in PARAMETER.findall(rest)}


def platforms(index: t.Any) -> list[str]:
    """The platforms of an index ("linux/arm64"), without the entries that are attestations."""
    found = []
    for entry in index.get("manifests", []) if isinstance(index, dict) else []:
        platform = entry.get("platform") or {}
        if platform.get("os", "unknown") != "unknown":
            found.append("%s/%s" % (platform["os"], platform.get("architecture", "")))
    return sorted(set(found))


class Registry:
    """One registry, asked for one image at a time."""

    def __init__(self, host: str, login: tuple[str, str] | None, timeout: float, insecure: bool = False) -> None:
        self.name = host
        self.host = HUB_HOST if host == HUB else host
        self.login, self.timeout = login, timeout
        self.schemes = ["https", "http"] if insecure else ["https"]
        self.authorization = ""

    def platforms(self, reference: Reference) -> list[str]:
        """For which platforms the image is there; [] where the registry does not say. Raises RegistryError."""
        scheme = self._greet(reference)
        url = "%s://%s/v2/%s/manifests/%s" % (scheme, self.host, reference.repository, reference.version)
        # HEAD costs nothing of an allowance of pulls, and tells whether there is anything to choose from.
        kind = self._call("HEAD", url, reference)[0].get_content_type()
        if kind in INDEXES:
            return platforms(self._json(url, reference))
        config = (self._json(url, reference) if kind in MANIFESTS else {}).get("config") or {}
        if not isinstance(config, dict) or not config.get("digest"):
            return []
        image = self._json("%s://%s/v2/%s/blobs/%s" % (scheme, self.host, reference.repository, config["digest"]), reference)
        return ["%s/%s" % (image["os"], image["architecture"])] if {"os", "architecture"} <= set(image) else []

    def _greet(self, reference: Reference) -> str:
        """The scheme that the registry speaks; gets a token if it wants one."""
        for scheme in self.schemes:
            try:
                self._open("GET", "%s://%s/v2/" % (scheme, self.host))
            except urllib.error.HTTPError as exc:
                if exc.code != 401:
                    raise self._refused(exc, reference) from exc
                self.authorization = self._authorize(exc.headers.get("WWW-Authenticate", ""), reference)
            except (OSError, http.client.HTTPException) as exc:
                if scheme == self.schemes[-1]:
                    raise self._unreachable(exc) from exc
                continue
            return scheme
        raise AssertionError("there is a scheme")

    def _authorize(self, header: str, reference: Reference) -> str:
        scheme, parameters = challenge(header)
        basic = "Basic " + base64.b64encode(":".join(self.login).encode()).decode() if self.login else ""
        if scheme == "basic" and basic:
            return basic
        if scheme != "bearer" or not parameters.get("realm", "").startswith(("http://", "https://")):
            raise RegistryError("%s wants a login" % self.name, "Log in on the host (docker login %s) before it pulls." % self.name)
        query = {"service": parameters.get("service", ""), "scope": "repository:%s:pull" % reference.repository}
        try:
            answer = self._open("GET", parameters["realm"] + "?" + urllib.parse.urlencode(query), basic)[1]
            document = json.loads(answer or b"null")
            token = str(document.get("token") or document.get("access_token") or "")
        except urllib.error.HTTPError as exc:
            raise self._refused(exc, reference) from exc
        except (OSError, http.client.HTTPException) as exc:
            raise self._unreachable(exc) from exc
        except (ValueError, AttributeError) as exc:
            raise RegistryError("%s gives a token that cannot be read" % self.name, "A proxy may answer in its place: look at %s." % self.host) from exc
        return "Bearer " + token

    def _json(self, url: str, reference: Reference) -> dict[str, t.Any]:
        try:
            document = json.loads(self._call("GET", url, reference)[1])
        except ValueError:
            document = None
        return document if isinstance(document, dict) else {}

    def _call(self, method: str, url: str, reference: Reference) -> tuple[http.client.HTTPMessage, bytes]:
        try:
            return self._open(method, url, self.authorization)
        except urllib.error.HTTPError as exc:
            raise self._refused(exc, reference) from exc
        except (OSError, http.client.HTTPException) as exc:
            raise self._unreachable(exc) from exc

    def _open(self, method: str, url: str, authorization: str = "") -> tuple[http.client.HTTPMessage, bytes]:
        request = urllib.request.Request(url, method=method, headers={"Accept": ", ".join([*INDEXES, *MANIFESTS, "*/*"])})
        if authorization:
            # Not sent on to where a registry keeps its blobs: that is another host, with a signature of its own.
            request.add_unredirected_header("Authorization", authorization)
        with urllib.request.build_opener().open(request, timeout=self.timeout) as answer:
            return answer.headers, answer.read(MOST)

    def _refused(self, exc: urllib.error.HTTPError, reference: Reference) -> RegistryError:
        if exc.code == 404:
            return RegistryError(
                "%s has no %s %s" % (self.name, reference.repository, reference.version),
                "Correct stack_images or stack_image_prefix. Bitnami's images moved from bitnami/ to bitnamilegacy/.",
            )
        if exc.code in (401, 403):
            return RegistryError(
                "%s refuses %s (HTTP %d)" % (self.name, reference.repository, exc.code),
                "Log in on the host (docker login %s), or correct the name: some registries refuse what they do not have." % self.name,
            )
        if exc.code == 429:
            return RegistryError("%s allows no more pulls for now (HTTP 429)" % self.name, "Log in on the host, wait, or set stack_image_prefix to a mirror.")
        return RegistryError("%s answers with HTTP %d" % (self.name, exc.code), "Try again later, or set stack_image_prefix to a mirror.")

    def _unreachable(self, exc: Exception) -> RegistryError:
        return RegistryError(
            unreachable(exc, self.host, self.timeout),
            "Open the way to it, set a proxy for the Engine, set stack_image_prefix to a mirror, or load the images (stack_image_source: present).",
        )


def unreachable(exc: BaseException, host: str, timeout: float) -> str:
    """Why no answer came from a host, in words."""
    reason = getattr(exc, "reason", None)
    cause = reason if isinstance(reason, BaseException) else exc
    if isinstance(cause, socket.timeout):
        return "%s gave no answer within %.3g s" % (host, timeout)
    if isinstance(cause, socket.gaierror):
        return "the name %s cannot be resolved" % host.rpartition(":")[0] if host.count(":") == 1 else "the name %s cannot be resolved" % host
    if isinstance(cause, ConnectionRefusedError):
        return "%s refuses connections" % host
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "the certificate of %s is not trusted: %s" % (host, cause.verify_message)
    return "%s cannot be reached: %s" % (host, cause)
