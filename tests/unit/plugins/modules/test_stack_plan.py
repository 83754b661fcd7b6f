# SPDX-License-Identifier: GPL-3.0-or-later
"""The module, with an Engine that is a dict."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _plan_host
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.module_utils._ready import iso
from ansible_collections.cozeops.studio.plugins.modules import stack_plan
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main
from ansible_collections.cozeops.studio.tests.unit.plugins.samples import ENV, IMAGE, KEY, inspect_of, service_of
from docker.errors import ImageNotFound, NotFound

STARTED = 1769860800.123456789  # as in samples
NEWER = {"Id": "sha256:" + "9" * 64, "Config": {**IMAGE["Config"], "Env": ["MYSQL_VERSION=8.4.6"]}}


class Engine:
    """What the module asks of an APIClient. It has no way to change anything."""

    def __init__(self) -> None:
        self.by_name: dict[str, dict[str, Any]] = {}
        self.by_image: dict[str, dict[str, Any]] = {}
        self.asked: list[dict[str, Any]] = []

    def inspect_container(self, name: str) -> dict[str, Any]:
        if name not in self.by_name:
            raise NotFound(name)
        return self.by_name[name]

    def inspect_image(self, reference: str) -> dict[str, Any]:
        if reference not in self.by_image:
            raise ImageNotFound(reference)
        return self.by_image[reference]

    def containers(self, **query: Any) -> list[dict[str, Any]]:
        self.asked.append(query)
        return [{"Names": [info["Name"]], "Labels": info["Config"]["Labels"]} for info in self.by_name.values()]


class Host:
    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys, self.monkeypatch = root, capsys, monkeypatch
        self.engine: Engine | None = Engine()
        (root / "state").mkdir()
        (root / "conf").mkdir()
        (root / "state" / "secrets.env").write_text("STACK_DIGEST_KEY=%s\n" % KEY)

    def runs(self, service: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Start the service on this host; what the Engine shows may be changed."""
        assert self.engine is not None
        info = inspect_of(service, root=str(self.root), **more)
        self.engine.by_name[info["Name"].lstrip("/")] = info
        self.engine.by_image.setdefault(service["image"], IMAGE)
        return info

    def keeps(self, service: dict[str, Any]) -> dict[str, Any]:
        """An earlier container of the service, put aside."""
        assert self.engine is not None
        info = inspect_of(service, root=str(self.root))
        info["Name"] += "-previous"
        self.engine.by_name[info["Name"].lstrip("/")] = info
        return info

    def write(self, path: str, text: str, age: float) -> None:
        (self.root / path).write_text(text)
        os.utime(self.root / path, (STARTED - age, STARTED - age))

    def plan(self, *services: dict[str, Any], check: bool = False, **args: Any) -> dict[str, Any]:
        def connect() -> Engine:
            if self.engine is None:
                raise EngineError("no Docker Engine answers: x")
            return self.engine

        self.monkeypatch.setattr(stack_plan, "connect", connect)
        model = {"name": "lab", "root": str(self.root), "network": "lab", "log_options": {"max-size": "10m", "max-file": "3"}}
        return run_main(stack_plan.main, self.capsys, {"model": model, "services": list(services), **args}, check)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("check", [False, True])
def test_a_running_stack_needs_nothing(host: Host, check: bool) -> None:
    host.runs(service_of())
    result = host.plan(service_of(), check=check)
    assert (result["failed"], result["changed"]) == (False, False)
    assert result["plan"] == {"mysql": {"action": "none", "why": []}}
    assert result["diff"] == {"before": "", "after": ""}


@pytest.mark.parametrize("check", [False, True])
def test_what_differs_is_planned_and_shown_alike_in_check_mode(host: Host, check: bool) -> None:
    host.runs(service_of())["HostConfig"]["Memory"] = 1024
    result = host.plan(service_of(), service_of(name="redis"), check=check)
    assert result["changed"] is True
    assert {name: entry["action"] for name, entry in result["plan"].items()} == {"mysql": "recreate", "redis": "recreate"}
    assert result["diff"] == {
        "before": "lab-mysql: memory: 1024\nlab-redis: container: (absent)\n",
        "after": "lab-mysql: memory: 1073741824\nlab-redis: container: running\n",
    }


def test_a_missing_image_is_no_failure(host: Host) -> None:
    host.runs(service_of())
    assert host.engine is not None
    host.engine.by_image.clear()
    assert host.plan(service_of())["plan"]["mysql"]["why"][0]["name"] == "image"


def test_without_an_engine_a_run_fails(host: Host) -> None:
    host.engine = None
    result = host.plan(service_of())
    assert (result["failed"], result["msg"]) == (True, "no Docker Engine answers: x")


def test_without_an_engine_check_mode_would_create_everything(host: Host) -> None:
    host.engine = None
    result = host.plan(service_of(), service_of(name="redis"), check=True)
    assert (result["failed"], result["changed"]) == (False, True)
    assert {entry["action"] for entry in result["plan"].values()} == {"recreate"}


def test_containers_of_the_stack_that_the_model_has_not_are_named(host: Host) -> None:
    host.runs(service_of())
    host.runs(service_of(name="kafka"))
    result = host.plan(service_of())
    assert result["strangers"] == ["lab-kafka"]
    assert result["changed"] is False
    assert host.engine is not None
    assert host.engine.asked == [{"all": True}]


# --- what a run that was killed left


@pytest.mark.parametrize("check", [False, True])
def test_a_service_as_wanted_whose_earlier_container_is_kept_has_to_be_proved(host: Host, check: bool) -> None:
    host.runs(service_of())
    host.keeps(service_of())
    result = host.plan(service_of(), check=check)
    reason = {"name": "container lab-mysql-previous", "current": "kept by a run that did not end", "desired": "(absent, once lab-mysql is proved)"}
    assert result["plan"]["mysql"] == {"action": "none", "why": [reason], "previous": True}
    assert result["changed"] is True
    assert result["diff"]["before"] == "lab-mysql: container lab-mysql-previous: kept by a run that did not end\n"


def test_an_earlier_container_that_is_alone_needs_a_new_one(host: Host) -> None:
    host.keeps(service_of())
    entry = host.plan(service_of())["plan"]["mysql"]
    assert (entry["action"], entry.get("replaces"), entry["previous"]) == ("recreate", None, True)
    assert [reason["name"] for reason in entry["why"]] == ["container", "container lab-mysql-previous"]


def test_an_unproved_container_that_is_not_as_wanted_is_replaced(host: Host) -> None:
    host.runs(service_of())["HostConfig"]["Memory"] = 1024
    host.keeps(service_of())
    entry = host.plan(service_of())["plan"]["mysql"]
    assert (entry["action"], entry["replaces"], entry["previous"]) == ("recreate", True, True)


def test_an_unproved_container_that_has_ended_is_started(host: Host) -> None:
    host.runs(service_of())["State"]["Status"] = "created"
    host.keeps(service_of())
    entry = host.plan(service_of())["plan"]["mysql"]
    assert (entry["action"], entry.get("replaces"), entry["previous"]) == ("start", None, True)


def test_an_earlier_container_without_labels_is_known_by_its_name(host: Host) -> None:
    host.runs(service_of())
    host.keeps(service_of())["Config"]["Labels"] = None
    assert host.plan(service_of())["plan"]["mysql"]["previous"] is True


def test_an_earlier_container_is_no_stranger_unless_its_service_is_one(host: Host) -> None:
    host.runs(service_of())
    host.keeps(service_of())
    host.keeps(service_of(name="kafka"))
    assert host.plan(service_of())["strangers"] == ["lab-kafka-previous"]


def test_a_container_that_makes_way_is_told_from_one_that_is_absent(host: Host) -> None:
    host.runs(service_of())["HostConfig"]["Memory"] = 1024
    plan = host.plan(service_of(), service_of(name="redis"))["plan"]
    assert (plan["mysql"].get("replaces"), plan["redis"].get("replaces")) == (True, None)


# --- tags


def test_a_moved_tag_is_compared_with_the_image_that_the_container_was_made_from(host: Host) -> None:
    host.runs(service_of())
    assert host.engine is not None
    host.engine.by_image = {"mysql:8.4.5": NEWER, IMAGE["Id"]: IMAGE}
    assert host.plan(service_of())["plan"]["mysql"] == {"action": "none", "why": [], "moved": True}


def test_a_moved_tag_is_taken_when_asked_for(host: Host) -> None:
    host.runs(service_of())
    assert host.engine is not None
    host.engine.by_image = {"mysql:8.4.5": NEWER, IMAGE["Id"]: IMAGE}
    plan = host.plan(service_of(), update_images=True)["plan"]["mysql"]
    assert plan["why"][0]["name"] == "image"


# --- files


def with_file(text: str, on_change: str = "restart") -> dict[str, Any]:
    service = service_of()
    service.update({"file_digests": {"conf/x": keyed(KEY, text)}, "on_change": {"conf/x": on_change}})
    return service


def test_a_file_that_was_read_needs_nothing(host: Host) -> None:
    host.runs(service_of())
    host.write("conf/x", "text", age=10)
    assert host.plan(with_file("text"))["plan"]["mysql"]["action"] == "none"


@pytest.mark.parametrize(("text", "age"), [("other", 10), ("text", -10)], ids=["other content", "written since"])
def test_a_file_that_was_not_read_is_a_reason(host: Host, text: str, age: float) -> None:
    host.runs(service_of())
    host.write("conf/x", text, age)
    assert host.plan(with_file("text"))["plan"]["mysql"]["action"] == "restart"


def test_a_file_that_is_not_there_yet_is_a_reason(host: Host) -> None:
    host.runs(service_of())
    assert host.plan(with_file("text"))["plan"]["mysql"]["why"][0]["current"] == "(absent)"


def test_a_reload_counts_as_reading(host: Host) -> None:
    host.runs(service_of())
    host.write("conf/x", "text", age=-10)
    host.write("state/mysql.reloaded", "", age=-20)
    assert host.plan(with_file("text", "reload"))["plan"]["mysql"]["action"] == "none"


def test_a_reload_of_an_earlier_container_counts_for_nothing(host: Host) -> None:
    host.runs(service_of())
    host.write("conf/x", "text", age=-10)
    host.write("state/mysql.reloaded", "", age=100)
    assert host.plan(with_file("text", "reload"))["plan"]["mysql"]["action"] == "reload"


def test_a_container_that_was_never_started_has_yet_to_read_its_files(host: Host) -> None:
    info = host.runs(service_of())
    info["State"] = {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"}
    host.write("conf/x", "text", age=10)
    for wish in ("restart", "recreate"):
        entry = host.plan(with_file("text", wish))["plan"]["mysql"]
        assert (entry["action"], [reason["name"] for reason in entry["why"]]) == ("start", ["state"])


# --- secrets


@pytest.mark.parametrize("check", [False, True])
def test_no_secret_is_printed(host: Host, check: bool) -> None:
    host.runs(service_of({**ENV, "MYSQL_ROOT_PASSWORD": "another-s3cret"}), env={**ENV, "MYSQL_ROOT_PASSWORD": "another-s3cret", "OLD_TOKEN": "token-s3cret"})
    result = host.plan(service_of(), check=check)
    assert [reason["name"] for reason in result["plan"]["mysql"]["why"]] == ["env MYSQL_ROOT_PASSWORD", "env OLD_TOKEN"]
    assert "s3cret" not in str(result)
    assert KEY not in str(result)


class Looking:
    """An Engine for one look: every container runs as this process, and a command in it ends as it is told to."""

    def __init__(self, codes: dict[str, int]) -> None:
        self.codes = codes
        self.ran: list[str] = []

    def __call__(self, client: Engine) -> Looking:
        return self

    def inspect(self, container: str) -> dict[str, Any]:
        return {"State": {"Status": "running", "Pid": os.getpid(), "StartedAt": "2026-01-31T12:00:00.123456789Z"}, "RestartCount": 0}

    def run(self, container: str, command: list[str], user: str, timeout: float) -> tuple[int, str]:
        self.ran.append(container)
        return self.codes[container], ""


PROBE = [{"type": "exec", "command": ["true"]}]


def test_one_look_tells_which_services_that_need_nothing_are_ready(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["mysql", "redis", "etcd", "minio"]
    for name in names[:3]:
        host.runs(service_of(name=name, probe=PROBE))
    host.keeps(service_of(name="etcd"))
    looking = Looking({"lab-mysql": 0, "lab-redis": 1})
    monkeypatch.setattr(_plan_host, "DockerEngine", looking)
    result = host.plan(*(service_of(name=name, probe=PROBE) for name in names), probe=True)
    # One that is to be made has nothing to be looked at, and one whose earlier container is kept has to be proved anew.
    assert sorted(looking.ran) == ["lab-mysql", "lab-redis"]
    assert result["ready"] == ["mysql"]
    assert [(entry["service"], entry["already"], entry["probe"]) for entry in result["timeline"]] == [("mysql", True, "exec")]


@pytest.mark.parametrize(("ago", "restarts", "action"), [(5, 2, "restart"), (5, 0, "none"), (3600, 2, "none")])
def test_one_that_has_ended_since_it_was_started_a_moment_ago_is_restarted(
    host: Host, monkeypatch: pytest.MonkeyPatch, ago: float, restarts: int, action: str
) -> None:
    host.runs(service_of(probe=PROBE))
    looking = Looking({"lab-mysql": 1})
    state = {"Status": "running", "Pid": os.getpid(), "StartedAt": iso(time.time() - ago)}
    monkeypatch.setattr(looking, "inspect", lambda container: {"State": state, "RestartCount": restarts})
    monkeypatch.setattr(_plan_host, "DockerEngine", looking)
    result = host.plan(service_of(probe=PROBE), probe=True)
    assert (result["plan"]["mysql"]["action"], result["changed"]) == (action, action != "none")
    assert "starting" not in result


def test_nothing_is_looked_at_unasked(host: Host) -> None:
    host.runs(service_of(probe=PROBE))
    assert not {"ready", "timeline"} & set(host.plan(service_of(probe=PROBE)))


def test_without_an_engine_nothing_is_ready(host: Host) -> None:
    host.engine = None
    assert host.plan(service_of(), check=True, probe=True)["ready"] == []


# --- the stack's own files


def entry_of(text: str) -> dict[str, Any]:
    return {"path": "conf/x", "digest": keyed(KEY, text), "owner": os.getuid(), "group": os.getgid(), "mode": "0644", "secret": False}


def test_files_are_compared_as_a_run_would_write_them(host: Host) -> None:
    host.runs(service_of())
    host.write("conf/x", "text", age=10)
    (host.root / "conf/x").chmod(0o644)
    assert host.plan(service_of(), files=[entry_of("text")])["files"] == {"outdated": False, "differences": [], "needed": []}
    result = host.plan(service_of(), files=[entry_of("other")])
    (difference,) = result["files"]["differences"]
    assert (difference["path"], difference["kind"], result["files"]["outdated"], result["files"]["needed"]) == ("conf/x", "content", True, ["conf/x"])
    # Files that no service reads are no reason to touch one.
    assert result["plan"]["mysql"]["action"] == "none"


def test_the_key_of_the_digests_may_be_another_one_than_the_host_has(host: Host) -> None:
    """It was lost there, say: its files are as wanted all the same."""
    host.runs(service_of())
    host.write("conf/x", "text", age=10)
    (host.root / "conf/x").chmod(0o644)
    (host.root / "state" / "secrets.env").unlink()
    result = host.plan(service_of(), files=[entry_of("text")], key=KEY)
    assert (result["files"]["outdated"], result["plan"]["mysql"]["action"]) == (False, "none")


def test_a_directory_where_a_file_has_to_be_is_an_error(host: Host) -> None:
    (host.root / "conf/x").mkdir()
    result = host.plan(service_of(), files=[entry_of("text")])
    assert result["failed"] and "conf/x is a directory, and a file is to be there" in result["msg"]
