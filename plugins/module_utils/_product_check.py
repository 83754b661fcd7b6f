# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to this collection: the steps that prove that a Coze Studio works, seen from where people enter it.

A step is a function that takes the Run and returns what it found. It raises CozeError or Unexpected. Adding a step is one function and one
line of STEPS.
"""

from __future__ import annotations

import ipaddress
import re
import struct
import time
import typing as t
import uuid
import zlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ansible_collections.cozeops.studio.plugins.module_utils._coze_api import (
    EMAIL_EXISTS,
    NOT_AUTHENTICATED,
    WRONG_LOGIN,
    Answer,
    Coze,
    CozeError,
    Json,
    excerpt,
    explain,
    without_query,
)

#: What a call without a session gets: (HTTP status, code of the envelope).
ANONYMOUS = {
    "0.2": (200, NOT_AUTHENTICATED),
    "0.3": (200, NOT_AUTHENTICATED),
    "0.5": (401, 401),
}
#: The line whose server publishes its storage itself, on a port of its own. Later ones leave that to coze-web.
STORAGE_PROXY_LINE = "0.2"
#: How long an item that is in the list may take to be found by its name as well.
BY_NAME_SECONDS = 3.0
POLL_SECONDS = 0.2


class Unexpected(Exception):
    """An answer came and it is not what a working product gives."""

    def __init__(self, expected: str, came: str, cause: str = "") -> None:
        super().__init__("expected %s; got %s" % (expected, came))
        self.expected = expected
        self.came = came
        self.cause = cause


@dataclass
class Run:
    """One check: what it was given, and what it has made and found so far."""

    coze: Coze
    release: str
    email: str
    password: str
    timeout: float
    name: str = field(default_factory=lambda: "cozeops-check-%s" % uuid.uuid4().hex[:12])
    until: float = 0.0
    registered: bool = False
    logged_in: bool = False
    space_id: str = ""
    prompt_id: str = ""
    left: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Step(t.NamedTuple):
    """``crosses`` names the stores that the step proves; ``needs`` a step without which it cannot be tried."""

    name: str
    needs: str | None
    crosses: t.Callable[[str], str]
    work: t.Callable[[Run], str]


# -- what does not touch the outside


def tiny_png(note: str) -> bytes:
    """A valid PNG of one pixel that no other run has the bytes of."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = b"\x00" + zlib.crc32(note.encode()).to_bytes(4, "big")[:3]
    chunks = [(b"IHDR", header), (b"tEXt", b"Comment\x00" + note.encode("latin-1")), (b"IDAT", zlib.compress(pixel)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*item) for item in chunks)


def only_containers_know(host: str) -> bool:
    """True for a name of one label (minio): it means something on a container network, and nothing to a browser."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host and host != "localhost"
    return False


def browser_url(entry: str, link: str, release: str) -> str:
    """The URL that a browser which has the entry open asks for when it meets the link.

    Raises Unexpected if that browser could not reach it.
    """
    page = urlsplit(entry)
    try:
        parts = urlsplit(link)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise Unexpected("a URL of the stored file", "%r" % without_query(link))
    if parts.hostname == page.hostname:
        # An https page never loads http: browsers ask for the same by https.
        return link if page.scheme == parts.scheme else parts._replace(scheme=page.scheme).geturl()
    if only_containers_know(parts.hostname or ""):
        raise Unexpected(
            "a URL that a browser reaches from %s" % entry,
            "%s, whose host only the containers know" % without_query(link),
            not_rewritten(release, parts.netloc),
        )
    return link


def not_rewritten(release: str, storage: str) -> str:
    """Why the storage's inner address got out."""
    if release == STORAGE_PROXY_LINE:
        return "The server's storage proxy is off: set MINIO_PROXY_ENDPOINT=:8889 in the .env, and publish that port."
    return (
        "Nothing rewrote it to /local_storage: either url leads to coze-server instead of coze-web, or the sub_filter of coze-web names another "
        "address than MINIO_ENDPOINT, %s." % storage
    )


def storage_cause(release: str, answer: Answer) -> str:
    """Why the storage did not give a file that the server says it has."""
    fault = re.search(rb"<Code>(\w+)</Code>", answer.body)
    code = fault.group(1).decode() if fault else ""
    if code in ("SignatureDoesNotMatch", "AccessDenied", "InvalidAccessKeyId"):
        return "MinIO says %s: the proxy before it has to send the Host that the URL was signed for, MINIO_ENDPOINT; or the clocks differ." % code
    if code in ("NoSuchKey", "NoSuchBucket"):
        return "MinIO says %s: is STORAGE_BUCKET the bucket that the icons were loaded into?" % code
    if answer.content_type == "text/html":
        return "The web page came in the file's place: coze-web has no location /local_storage/ that leads to MinIO."
    if answer.status in (502, 503, 504):
        return "The entry does not reach MinIO: is it running, and known by the name that the entry uses?"
    if release == STORAGE_PROXY_LINE:
        return "coze-server's storage proxy (MINIO_PROXY_ENDPOINT, port 8889) leads to MinIO: is MINIO_API_HOST right?"
    return "coze-web's location /local_storage/ leads to MinIO: see its log and MinIO's."


def storage_path(release: str) -> str:
    return "MinIO through coze-server's storage port" if release == STORAGE_PROXY_LINE else "MinIO through coze-web's /local_storage"


def event_path(release: str) -> str:
    # From 0.5 on the server indexes by itself and takes the queue only when that failed.
    return "Elasticsearch (NSQ if that failed at first)" if release == "0.5" else "NSQ, coze-server's consumer and Elasticsearch"


# -- the steps


def check_entry(run: Run) -> str:
    answer = run.coze.request("GET", "/")
    if answer.status in (301, 302, 303, 307, 308):
        goal = without_query(answer.headers.get("Location", "(nowhere)"))
        raise Unexpected("the web page", "HTTP %d to %s" % (answer.status, goal), "Set url to where it leads.")
    if answer.status != 200 or answer.content_type != "text/html":
        cause = "coze-web lacks the page's files, or something else listens there."
        raise Unexpected("the web page (HTTP 200, text/html)", "HTTP %d, %s: %s" % (answer.status, answer.content_type, excerpt(answer.body)), cause)
    return "web page of %d bytes" % len(answer.body)


def check_api(run: Run) -> str:
    """The answer without a session tells the lines apart, and that /api leads to the server at all."""
    wanted = ANONYMOUS[run.release]
    got = run.coze.anonymous()
    if got == wanted:
        return "HTTP %d, code %d without a session, as line %s answers" % (wanted[0], wanted[1], run.release)
    expected = "HTTP %d with code %d, which line %s answers without a session" % (wanted[0], wanted[1], run.release)
    came = "HTTP %d %s" % (got[0], "without the API's JSON" if got[1] is None else "with code %d" % got[1])
    others = [line for line, answer in ANONYMOUS.items() if answer == got]
    if others:
        raise Unexpected(expected, came, "That is an answer of line %s: the running image is of another line than release." % " or ".join(others))
    raise Unexpected(expected, came, explain(CozeError(got[1], "", got[0], "/api/x")))


def check_account(run: Run) -> str:
    try:
        user = run.coze.login(run.email, run.password)
        how = "logged in"
    except CozeError as exc:
        if exc.code != WRONG_LOGIN:
            raise
        user = register(run)
        how = "registered"
    run.logged_in = True
    return "%s as %s (id %s)" % (how, run.email, user["id"])


def register(run: Run) -> Json:
    try:
        user = run.coze.register(run.email, run.password)
    except CozeError as exc:
        if exc.code != EMAIL_EXISTS:
            raise
        raise Unexpected(
            "to log in to the account %s" % run.email,
            "a refusal, and the account exists",
            "Its password is another one: give that password, or an email that has no account yet.",
        ) from exc
    run.registered = True
    return user


def check_models(run: Run) -> str:
    models = run.coze.model_types()
    if not models:
        run.warnings.append("No chat model is configured: agents can be made, but not answer.")
        return "no model"
    return "%d: %s" % (len(models), ", ".join(str(model.get("name") or model.get("model_type")) for model in models))


def check_prompt(run: Run) -> str:
    spaces = run.coze.spaces()
    if not spaces:
        raise Unexpected("a personal space of the account", "no space", "The account's registration was cut short: use another email.")
    run.space_id = str(spaces[0].get("id") or "")
    run.prompt_id = run.coze.create_prompt(run.space_id, run.name, "A check of this installation made this prompt, and removes it again.")
    if not run.prompt_id:
        raise Unexpected("the id of the new prompt", "none")
    return "%s (id %s)" % (run.name, run.prompt_id)


def check_search(run: Run) -> str:
    began = time.monotonic()
    looks = 1
    while not library_has(run):
        if time.monotonic() + POLL_SECONDS >= run.until:
            raise Unexpected(
                "the library to list prompt %s within %.3g s" % (run.name, run.timeout),
                "%d lists without it" % looks,
                "The news of it did not reach Elasticsearch: does ES_ADDR lead there, and does MQ_NAME_SERVER lead to a running nsqd (after nsqd was away "
                "it takes the server up to a minute to come back to it)?",
            )
        time.sleep(POLL_SECONDS)
        looks += 1
    seconds = time.monotonic() - began
    if not found_by_name(run):
        run.warnings.append(
            "The library lists the new prompt but does not find it by its name: the index coze_resource was probably made without its template (name.raw)."
        )
    return "listed after %.1f s, in look %d" % (seconds, looks)


def library_has(run: Run, name: str = "") -> bool:
    run.coze.timeout = max(run.until - time.monotonic(), POLL_SECONDS)
    return any(str(item.get("res_id")) == run.prompt_id for item in run.coze.search_library(run.space_id, name))


def found_by_name(run: Run) -> bool:
    until = min(time.monotonic() + BY_NAME_SECONDS, run.until)
    while not library_has(run, run.name):
        if time.monotonic() + POLL_SECONDS >= until:
            return False
        time.sleep(POLL_SECONDS)
    return True


def check_upload(run: Run) -> str:
    sent = tiny_png(run.name)
    url, uri = run.coze.upload_file(sent, "png")
    run.left.append("file %s in the bucket (the API has no call to delete it)" % (uri or without_query(url)))
    answer, shown = fetch_stored(run, url)
    if answer.body != sent:
        came = "%d bytes of %s" % (len(answer.body), answer.content_type)
        raise Unexpected("the %d bytes of the icon back from %s" % (len(sent), shown), came, storage_cause(run.release, answer))
    return "%d bytes there and back by %s" % (len(sent), shown)


def check_icon(run: Run) -> str:
    icons = run.coze.icons()
    if not icons:
        raise Unexpected("a list of default icons", "an empty list")
    answer, shown = fetch_stored(run, str(icons[0].get("url") or ""))
    if not answer.body or answer.content_type == "text/html":
        raise Unexpected("an image from %s" % shown, "%d bytes of %s" % (len(answer.body), answer.content_type), storage_cause(run.release, answer))
    return "%s, %d bytes, %d in the list" % (shown, len(answer.body), len(icons))


def fetch_stored(run: Run, link: str) -> tuple[Answer, str]:
    """A stored file as a browser gets it, and its URL without the signature."""
    url = browser_url(run.coze.public_url, link, run.release)
    shown = without_query(url)
    if link.startswith("http:") and url.startswith("https:"):
        warning = "Stored files are linked by http in a page of https: browsers upgrade images, and block the rest."
        if warning not in run.warnings:
            run.warnings.append(warning)
    answer = run.coze.fetch(url)
    if answer.status != 200:
        raise Unexpected("HTTP 200 from %s" % shown, "HTTP %d: %s" % (answer.status, excerpt(answer.body)), storage_cause(run.release, answer))
    return answer, shown


def clean_up(run: Run) -> str:
    """Remove what can be removed. Never raises: what stays is told in ``left``."""
    done = []
    if run.prompt_id:
        try:
            if run.coze.delete_prompt(run.prompt_id):
                done.append("prompt deleted")
            else:
                run.left.append("prompt %s (this server has no call to delete it)" % run.name)
        except CozeError as exc:
            run.left.append("prompt %s (%s)" % (run.name, exc))
            run.warnings.append("The prompt %s of this check could not be deleted: %s" % (run.name, exc))
    if run.logged_in:
        try:
            run.coze.logout()
            done.append("logged out")
        except CozeError as exc:
            run.left.append("a session of %s (%s)" % (run.email, exc))
    return ", ".join(done + ["left: %s" % item for item in run.left]) or "nothing to remove"


STEPS = (
    Step("entry", None, lambda release: "the web page's server", check_entry),
    Step("api", "entry", lambda release: "coze-server", check_api),
    Step("account", "entry", lambda release: "MySQL and Redis (ids)", check_account),
    Step("models", "account", lambda release: "the configuration of models", check_models),
    Step("prompt", "account", lambda release: "MySQL and Redis (ids)", check_prompt),
    Step("search", "prompt", event_path, check_search),
    Step("upload", "account", storage_path, check_upload),
    Step("icon", "account", storage_path, check_icon),
)


def attempt(run: Run, step: Step) -> tuple[Json, str]:
    """Do one step: its row, and what is wrong as a sentence or two ("" if nothing)."""
    began = time.monotonic()
    run.until = began + run.timeout
    run.coze.timeout = run.timeout
    wrong = ""
    try:
        detail = step.work(run)
    except Unexpected as exc:
        detail = str(exc)
        wrong = complaint(step, run, detail, exc.cause)
    except CozeError as exc:
        detail = "expected success; got %s" % exc
        wrong = complaint(step, run, detail, explain(exc))
    return {"step": step.name, "ok": not wrong, "seconds": round(time.monotonic() - began, 2), "detail": detail}, wrong


def complaint(step: Step, run: Run, detail: str, cause: str) -> str:
    text = "Step %s failed at %s: %s. It crosses %s." % (step.name, run.coze.public_url, detail.rstrip("."), step.crosses(run.release))
    return "%s Likely cause: %s" % (text, cause) if cause else text


def table(rows: t.Sequence[Json]) -> list[str]:
    """The rows as lines for people."""
    return ["%-7s  %-6s  %6.2f s  %s" % (row["step"], "ok" if row["ok"] else "FAILED", row["seconds"], row["detail"]) for row in rows]


def perform(run: Run) -> tuple[list[Json], list[str]]:
    """Do all steps that can be done, then clean up: the rows of the table, and the complaints (none if the product works)."""
    rows: list[Json] = []
    complaints: list[str] = []
    failed: set[str] = set()
    for step in STEPS:
        if step.needs in failed:
            failed.add(step.name)
            rows.append({"step": step.name, "ok": False, "seconds": 0.0, "detail": "not tried: needs step %s" % step.needs})
            continue
        row, wrong = attempt(run, step)
        rows.append(row)
        if wrong:
            failed.add(step.name)
            complaints.append(wrong)
    row, dummy = attempt(run, Step("cleanup", None, lambda release: "", clean_up))
    rows.append(row)
    return rows, complaints
