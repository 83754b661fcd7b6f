# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a run: its timeline as one HTML page that needs nothing else. Private to this collection."""

from __future__ import annotations

import math
import re
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._html import Html, tag
from ansible_collections.cozeops.studio.plugins.module_utils._report_style import STYLE
from ansible_collections.cozeops.studio.plugins.module_utils._topology import topology

Entry = t.Mapping[str, t.Any]

TICKS = 5
NARROWEST = 0.35  # percent of the axis; a shorter bar would not be seen

IMAGE_ID = re.compile(r"\bsha256:([0-9a-f]{12})[0-9a-f]{52}\b")

OUTCOMES = {
    "ok": "Nothing had to be changed",
    "changed": "Succeeded",
    "failed": "Failed",
    "unreachable": "Not reached",
    "unfinished": "Did not come to its end",
}
KINDS = {
    "make": "container is made or restarted",
    "start": "started, not ready yet",
    "init": "init job",
    "bad": "failed",
    "seen": "ran before; seen ready",
}
STATUSES = {
    "failed": "failed",
    "restored": "failed, earlier container brought back",
    "planned": "would be touched",
    "untouched": "untouched",
    "ready": "ready",
    "begun": "begun, not seen ready",
    "unreached": "not reached",
}


def render(timeline: Entry) -> str:
    """The page. ``timeline`` is what ``_timeline.document`` makes."""
    run, hosts = timeline["run"], timeline["hosts"]
    stacks = sorted({str(host["stack"]) for host in hosts if host["stack"]})
    title = "Coze Studio: " + (", ".join(stacks) or "run")
    return document(
        title,
        run["outcome"],
        header(title, run, hosts),
        [failure(host) for host in hosts if host["failure"]],
        gantt(run, hosts),
        changes(run, hosts),
        section("Topology", "Services by the host that they run on. A line leads from a service to one that depends on it.", topology(hosts, STATUSES)),
        checks(hosts),
        times(hosts),
        versions(timeline),
    )


def document(title: str, outcome: t.Any, *content: t.Any) -> str:
    """A page that needs nothing else. ``outcome``, one of OUTCOMES, gives it its colour."""
    page = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            # Nothing is loaded and nothing is run, whatever a name in here looks like.
            tag("meta", http_equiv="Content-Security-Policy", content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("link", rel="icon", href="data:,"),
            tag("title", title),
            tag("style", Html(STYLE)),
        ),
        tag("body", tag("main", *content), class_="outcome-" + word(outcome)),
        lang="en",
    )
    return "<!DOCTYPE html>\n" + page + "\n"


def word(value: t.Any) -> str:
    """A value of ours as a part of a class name; "unknown" if it is none."""
    name = str(value)
    return name if name.isascii() and name.isalpha() else "unknown"


def section(title: str, intro: str, *content: t.Any) -> Html:
    """A part of the page."""
    return tag("section", tag("h2", title), tag("p", intro, class_="intro") if intro else None, *content)


def wide(label: str, *content: t.Any) -> Html:
    """What may be wider than a phone: it is scrolled by itself, with the keyboard too."""
    return tag("div", *content, class_="wide", role="region", aria_label=label, tabindex="0")


def header(title: str, run: Entry, hosts: t.Sequence[Entry]) -> Html:
    """What one wants to know first."""
    check = bool(run.get("check_mode"))
    headline = OUTCOMES.get(run["outcome"], str(run["outcome"]))
    if check and run["outcome"] == "changed":
        headline = "Check mode: a run would change something"
    elif check:
        headline = "Check mode: " + headline[:1].lower() + headline[1:]
    words = [str(run["begun"])[:19].replace("T", " ") + " UTC", f"{float(run['seconds']):.1f} s"]
    if run.get("user"):
        words.append(f"by {run['user']}" + (f" on {run['controller']}" if run.get("controller") else ""))
    if run.get("playbook"):
        words.append(str(run["playbook"]) + "".join(f", {key} {run[key]}" for key in ("limit", "tags", "skip_tags") if run.get(key)))
    return tag(
        "header",
        tag("h1", title),
        tag("p", tag("strong", headline, class_="badge"), tag("span", counts(hosts), class_="counts")),
        tag("p", " · ".join(words), class_="intro"),
        tag("p", "Nothing was changed on any host. No times of services are known.", class_="intro") if check else None,
        [tag("p", host["name"], ": ", tag("a", host["url"], href=host["url"])) for host in hosts if str(host["url"]).startswith(("http://", "https://"))],
    )


def counts(hosts: t.Sequence[Entry]) -> str:
    """"11 services on 1 host: 2 ready, 9 untouched"."""
    services = [service for host in hosts for service in host["services"]]
    statuses = [str(service["status"]) for service in services]
    told = [f"{statuses.count(name)} {words}" for name, words in STATUSES.items() if name in statuses]
    return f"{amount(len(services), 'service')} on {amount(len(hosts), 'host')}" + (": " + ", ".join(told) if told else "")


def amount(number: int, noun: str) -> str:
    """The number with the noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def failure(host: Entry) -> Html:
    """Why the run failed on a host."""
    found = host["failure"]
    return tag(
        "section",
        tag("h2", f"Why {host['name']} failed"),
        tag("p", tag("strong", found["task"]), f", {seconds(found)} into the run", class_="intro"),
        tag("pre", found["message"], tabindex="0"),
        class_="failure",
    )


# -- the bars


def gantt(run: Entry, hosts: t.Sequence[Entry]) -> Html | None:
    """Bars over one time axis, a table per host."""
    span = max([float(run["seconds"]), *(end for host in hosts for _kind, _begin, end, _words in every_bar(host)), 0.001])
    tables = [bars(host, span) for host in hosts if host["phases"] or every_bar(host)]
    if not tables:
        return None
    used = {kind for host in hosts for kind, *_others in every_bar(host)}
    legend = tag("ul", [tag("li", tag("i", class_="bar " + kind), words) for kind, words in KINDS.items() if kind in used], class_="legend")
    return section("Timeline", "Seconds since the run began. The first line of a host shows which role was at work.", legend, tables)


def every_bar(host: Entry) -> list[tuple[str, float, float, str]]:
    """All bars of a host's services."""
    return [one for service in host["services"] for one in service_bars(service)]


def service_bars(service: Entry) -> list[tuple[str, float, float, str]]:
    """(kind, begin, end, words) of a service, in seconds since the run began."""
    found: list[tuple[str, float, float, str]] = []
    begun, done, started, ready, failed = (moment(service[key]) for key in ("begun", "done", "started", "ready", "failed"))
    fresh = started is not None and not service["already"]
    if begun is not None:
        # A container that was brought back has started long after the one that was made.
        end = started if fresh and started is not None and not service["restored"] else (done if done is not None else begun)
        found.append(("make", begun, max(begun, end), f"{action(service)} from {begun:.1f} s"))
    if fresh and started is not None and ready is not None:
        found.append(("start", started, max(started, ready), f"ready after {ready - started:.1f} s"))
    elif ready is not None:
        found.append(("seen", ready, ready, "ran before"))
    for job in service["init"]:
        first, last = moment(job["begun"]), moment(job["done"])
        if first is not None and last is not None:
            found.append(("init" if job["ok"] else "bad", first, max(first, last), f"init job {job['job']}: {last - first:.1f} s"))
    if failed is not None:
        since = max([end for _kind, _begin, end, _words in found if end <= failed], default=failed)
        found.append(("bad", since, failed, "failed"))
    return found


def moment(event: Entry | None) -> float | None:
    """Seconds of an event since the run began."""
    return None if event is None else float(event["s"])


def action(service: Entry) -> str:
    """What the plan says, in its word."""
    return str(service["planned"]["action"]) if service["planned"] else ""


def bars(host: Entry, span: float) -> Html:
    """The table of a host."""
    step = tick(span)
    ticks = [number * step for number in range(int(span / step + 1e-9) + 1)]
    # The last label would stick out.
    marks = [tag("span", f"{value:g}", style=f"left:{percent(value, span)}%") for value in ticks if value <= span * 0.96]
    axis = tag("td", marks, class_="ticks", aria_hidden="true")
    grid = f"background-size:{percent(step, span)}% 100%"
    rows = [row("roles", [phase(each, span) for each in host["phases"]], "", grid, "phases")] if host["phases"] else []
    # Without any bar (check mode) there is nothing to see but the roles.
    for service in host["services"] if every_bar(host) else []:
        pieces = [piece(kind, begin, end, words, span) for kind, begin, end, words in service_bars(service)]
        rows.append(row(service["name"], pieces, result(service), grid, "status-" + word(service["status"])))
    return tag(
        "table",
        tag("caption", host["name"], tag("small", f" stack {host['stack']}") if host["stack"] else None),
        tag("thead", tag("tr", tag("th", "service", scope="col"), axis, tag("th", "ready after", scope="col"))),
        tag("tbody", rows),
        class_="gantt",
    )


def row(name: str, pieces: list[Html], words: str, grid: str, class_: str) -> Html:
    """A line of the bars."""
    track = tag("div", pieces, class_="track", style=grid)
    return tag("tr", tag("th", name, scope="row"), tag("td", track), tag("td", words, class_="number"), class_=class_)


def phase(entry: Entry, span: float) -> Html:
    """What role was at work."""
    begin, end = float(entry["begun"]["s"]), float(entry["done"]["s"])
    # A name that does not fit would be cut off; it is in the title all the same.
    shown = entry["name"] if end - begin > span * 0.15 else ""
    return piece("phase", begin, end, f"{entry['name']}: {end - begin:.1f} s", span, shown)


def piece(kind: str, begin: float, end: float, words: str, span: float, shown: str = "") -> Html:
    """A bar."""
    left = min(max(percent(begin, span), 0.0), 100.0 - NARROWEST)
    width = min(max(percent(end, span) - left, NARROWEST), 100.0 - left)
    return tag("span", shown or None, class_="bar " + kind, title=words, style=f"left:{left:g}%;width:{width:.2f}%")


def percent(value: float, span: float) -> float:
    """Where on the axis."""
    return round(value / span * 100, 2)


def tick(span: float) -> float:
    """Seconds between two marks: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(span / TICKS))
    return next((factor * power for factor in (1, 2, 5) if factor * power * TICKS >= span), 10 * power)


def result(service: Entry) -> str:
    """The end of a service's line."""
    started, ready = moment(service["started"]), moment(service["ready"])
    if service["status"] in ("failed", "restored"):
        return "failed" if service["status"] == "failed" else "brought back"
    if started is not None and ready is not None and not service["already"]:
        return f"{ready - started:.1f} s"
    return "ran" if service["status"] in ("untouched", "ready") else "–"


# -- tables


def changes(run: Entry, hosts: t.Sequence[Entry]) -> Html:
    """What was changed and why, and what failed."""
    check = bool(run.get("check_mode"))
    title = "What a run would change, and why" if check else "What changed, and why"
    rows = []
    for host in hosts:
        for service in host["services"]:
            idle = action(service) in ("", "none")
            if not idle or service["init"] or service["failed"]:
                rows.append(
                    tag(
                        "tr",
                        tag("th", service["name"], tag("small", " " + host["name"]) if len(hosts) > 1 else None, scope="row"),
                        cell("Action", "–" if idle else action(service), "brief"),
                        cell("Now", tag("span", STATUSES.get(service["status"], service["status"]), class_="status-" + word(service["status"])), "brief"),
                        cell("Why", whys(service)),
                    )
                )
    if not rows:
        known = any(host["services"] for host in hosts)
        return section(title, "Every service is as it should be. None was touched." if known else "The run ended before a plan was made.")
    return section(title, "", table(["Service", "Action", "Now", "Why"], rows))


def whys(service: Entry) -> Html:
    """The reasons of the plan, the init jobs and the failure, a line each."""
    lines: list[t.Any] = []
    for why in service["planned"]["why"] if service["planned"] else []:
        lines.append(tag("li", tag("b", why["name"]), ": ", tag("del", brief(why["current"])), " → ", tag("ins", brief(why["desired"]))))
    lines += [tag("li", f"init job {job['job']}" + ("" if job["ok"] else " failed")) for job in service["init"]]
    if service["failed"]:
        failed = service["failed"]
        sentences = [str(failed[key]).rstrip(".") + "." for key in ("reason", "meaning", "fix") if failed.get(key)]
        lines.append(tag("li", tag("span", " ".join(sentences), class_="status-failed")))
    return tag("ul", lines) if lines else Html("–")


def brief(value: t.Any) -> str:
    """A side of a reason; ids of images as docker shows them."""
    return IMAGE_ID.sub(r"\1", str(value))


def cell(label: str, content: t.Any, class_: str | None = None) -> Html:
    """A cell that knows the head of its column, for screens on which a table has no room."""
    return tag("td", content, data_label=label, class_=class_)


def table(heads: t.Sequence[str], rows: t.Sequence[Html], class_: str = "cards") -> Html:
    """A table."""
    return tag("table", tag("thead", tag("tr", [tag("th", head, scope="col") for head in heads])), tag("tbody", list(rows)), class_=class_)


def checks(hosts: t.Sequence[Entry]) -> Html | None:
    """What verify has found, by host."""
    parts = []
    for host in hosts:
        if host["checks"]:
            rows = [
                tag(
                    "tr",
                    tag("th", check["step"], scope="row"),
                    cell("Result", tag("span", "ok" if check["ok"] else "failed", class_="status-ready" if check["ok"] else "status-failed"), "brief"),
                    cell("Time", f"{float(check['seconds'] or 0):.2f} s", "brief"),
                    cell("Found", check["detail"]),
                )
                for check in host["checks"]
            ]
            parts += [tag("h3", host["name"]) if len(hosts) > 1 else None, table(["Step", "Result", "Time", "Found"], rows)]
    return section("Use of the product", "The product was used as its users do.", parts) if parts else None


def times(hosts: t.Sequence[Entry]) -> Html | None:
    """All times, in seconds and by the clock."""
    columns = (("Begun", "begun"), ("Created", "created"), ("Started", "started"), ("Ready", "ready"), ("Init done", "init_done"))
    parts: list[t.Any] = []
    for host in hosts:
        rows = [
            tag(
                "tr",
                tag("th", service["name"], scope="row"),
                tag("td", action(service) or "–"),
                [tag("td", stamp(service[key], service["already"] and key == "started"), class_="number") for _head, key in columns],
            )
            for service in host["services"]
            if any(service[key] for _head, key in columns)
        ]
        if rows:
            skew = float(host.get("clock_offset") or 0)
            parts.append(tag("h3", host["name"]) if len(hosts) > 1 else None)
            parts.append(wide(f"Times of {host['name']}", table(["Service", "Plan", *(head for head, _key in columns)], rows, "plain")))
            if skew:
                where = f"{abs(skew):.3f} s {'ahead of' if skew > 0 else 'behind'} the controller's"
                parts.append(tag("p", f"The clock of {host['name']} is {where}; its times are corrected.", class_="intro"))
    intro = "Seconds since the run began, and the time (UTC). Created is when the task began that makes the container."
    return section("Times", intro, parts) if parts else None


def stamp(event: Entry | None, long_ago: bool) -> t.Any:
    """An event in a table."""
    if event is None:
        return "–"
    clock = str(event["at"])
    when = clock.replace("T", " ")[:19] if long_ago else clock[11:23].rstrip("Z")
    return [tag("span", "before" if long_ago else seconds(event)), tag("small", when)]


def seconds(event: Entry) -> str:
    """How long after the run began."""
    return f"{float(event['s']):.2f} s"


def versions(timeline: Entry) -> Html:
    """What took part, in which version."""
    names = {"collection": "cozeops.studio", "ansible_core": "ansible-core", "python": "Python of the controller"}
    facts = [(names.get(key, key), value) for key, value in timeline["versions"].items() if value]
    parts: list[t.Any] = [definitions(facts)]
    for host in timeline["hosts"]:
        engine = host["engine"]
        told = f"{engine['version']} (API {engine.get('api_version', '?')})" if engine.get("version") else engine.get("error")
        parts.append(tag("h3", host["name"]))
        parts.append(definitions([(head, value or "unknown") for head, value in (("Release", host["release"]), ("Engine", told), ("System", host["system"]))]))
        rows = [
            tag("tr", tag("th", service["name"], scope="row"), cell("Image", service["image"]), cell("Id", short(service["image_id"]), "code"))
            for service in host["services"]
            if service["image"]
        ]
        if rows:
            parts.append(table(["Service", "Image", "Id"], rows))
        if host["strangers"]:
            parts.append(tag("p", "Containers that are not of the stack any more: " + ", ".join(map(str, host["strangers"])), class_="intro"))
    return section("Versions", "", parts)


def definitions(facts: t.Sequence[tuple[t.Any, t.Any]]) -> Html:
    """Names and values."""
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts])


def short(image_id: t.Any) -> str:
    """An image's id as docker shows it."""
    return str(image_id).rsplit(":", 1)[-1][:12] or "not there before the run"
