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


#: Argument spec of the option that gives logins. Its documentation is the fragment registry_login.
LOGIN: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "registry": {"type": "str", "default": HUB},
        "username": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
    },
}


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


UNTRUSTED = "Set stack_registry_ca to the certificate of its authority."
#: Words of an Engine's answer -> what they mean, and what to do. {registry} and {reference} are put in.
ENGINE_REASONS: tuple[tuple[str, str, str], ...] = (
    (r"toomanyrequests|\b429\b", "{registry} allows no more pulls for now", "Set stack_registry_login, wait, or set stack_image_prefix to a mirror."),
    (
        r"manifest unknown|not found|\b404\b",
        "{registry} has no {reference}",
        "Correct stack_images or stack_image_prefix. Bitnami's images moved from bitnami/ to bitnamilegacy/.",
    ),
    (
        r"denied|unauthorized|authentication required|no basic auth credentials|\b40[13]\b",
        "{registry} refuses {reference}",
        "Set stack_registry_login (or log in on the host: docker login {registry}), or correct the name: some registries refuse what they do not have.",
    ),
    (
        "no such host|server misbehaving",
        "the name of {registry} cannot be resolved",
        "Correct the name servers of the host, set a proxy for the Engine or stack_image_prefix to a mirror, or load the images (stack_image_source: present).",
    ),
    (
        "HTTP response to HTTPS client",
        "{registry} speaks http, not https",
        "Give it TLS, or name it in insecure-registries of daemon.json (engine_settings).",
    ),
    ("x509|certificate", "the certificate of {registry} is not trusted", UNTRUSTED),
    ("proxyconnect", "the Engine's proxy cannot be reached", "Correct the proxy of the Engine, or add {registry} to its NO_PROXY."),
)
FINAL = re.compile(
    r"manifest unknown|not found|denied|unauthorized|authentication required|no basic auth credentials|HTTP response to HTTPS|x509"
    r"|no matching manifest|\b40[134]\b"
)
UNREACHABLE = "Open the way to it, set a proxy for the Engine, set stack_image_prefix to a mirror, or load the images (stack_image_source: present)."


def engine_reason(text: str, reference: str) -> tuple[str, str]:
    """(what an Engine's answer means, what to do)."""
    registry = parse(reference).registry
    for pattern, found, cure in ENGINE_REASONS:
        if re.search(pattern, text):
            return found.format(registry=registry, reference=reference), cure.format(registry=registry, reference=reference)
    return "%s cannot be reached: %s" % (registry, text.strip() or "no answer"), UNREACHABLE


def is_final(text: str) -> bool:
    """Whether an Engine's answer to a pull will be the same in a moment, so that it need not be asked again."""
    return FINAL.search(text) is not None


def given_login(logins: t.Iterable[t.Mapping[str, str]], registry: str) -> dict[str, str] | None:
    """{"username", "password"} for the registry among those that were given."""
    for login in logins:
        if (HUB if login["registry"] in (HUB, "index.docker.io", HUB_LOGIN) else login["registry"]) == registry:
            return {"username": login["username"], "password": login["password"]}
    return None


class Registry:
    """One registry, asked for one image at a time."""

    def __init__(self, host: str, login: tuple[str, str] | None, timeout: float, insecure: bool = False, authority: str = "") -> None:
        """``authority`` is a certificate (PEM) to be trusted besides the system's."""
        context = ssl.create_default_context()
        if authority:
            context.load_verify_locations(cadata=authority)
            # As the Engine sees it: certificates of private authorities often lack what newer versions of Python insist on.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        self.opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
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
            raise RegistryError("%s wants a login" % self.name, "Set stack_registry_login, or log in on the host (docker login %s)." % self.name)
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
        with self.opener.open(request, timeout=self.timeout) as answer:
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
                "Set stack_registry_login (or log in on the host: docker login %s), or correct the name: some registries refuse what they do not have."
                % self.name,
            )
        if exc.code == 429:
            cure = "Set stack_registry_login, wait, or set stack_image_prefix to a mirror."
            return RegistryError("%s allows no more pulls for now (HTTP 429)" % self.name, cure)
        return RegistryError("%s answers with HTTP %d" % (self.name, exc.code), "Try again later, or set stack_image_prefix to a mirror.")

    def _unreachable(self, exc: Exception) -> RegistryError:
        reason = getattr(exc, "reason", exc)
        untrusted = isinstance(reason, ssl.SSLCertVerificationError)
        return RegistryError(unreachable(exc, self.host, self.timeout), UNTRUSTED if untrusted else UNREACHABLE)


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
