# SPDX-License-Identifier: GPL-3.0-or-later
"""The module, with an Engine that is a dict and a registry that is another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._engine import EngineError
from ansible_collections.cozeops.studio.plugins.modules import image_pull
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main
from docker.errors import APIError, ImageNotFound

LOGIN = {"registry": "r.io", "username": "ops", "password": "p'\"$x"}
DENIED = 'Head "https://r.io/v2/a/manifests/1": no basic auth credentials'
BUSY = "received unexpected HTTP status: 503 Service Unavailable"

Call = Callable[..., dict[str, Any]]


class Engine:
    def __init__(self) -> None:
        self.images: dict[str, str] = {}
        self.registry: dict[str, str] = {}
        #: What is said before an image comes, one after the other.
        self.faults: dict[str, list[str]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.lock = threading.Lock()

    def inspect_image(self, name: str) -> dict[str, Any]:
        if name not in self.images:
            raise ImageNotFound(name)
        return {"Id": self.images[name]}

    def pull(self, reference: str, stream: bool, decode: bool, auth_config: Any) -> list[dict[str, Any]]:
        assert stream and decode
        with self.lock:
            self.asked.append((reference, auth_config))
        if self.faults.get(reference):
            return [{"status": "begun"}, {"error": self.faults[reference].pop(0)}]
        if reference not in self.registry:
            raise APIError("404", explanation="manifest for %s not found: manifest unknown" % reference)
        self.images[reference] = self.registry[reference]
        return [{"status": "Downloaded"}]


@pytest.fixture
def engine() -> Engine:
    made = Engine()
    made.registry = {"r.io/a:1": "sha256:1", "r.io/b:1": "sha256:2", "c:1": "sha256:3"}
    return made


@pytest.fixture
def call(engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.setattr(image_pull, "connect", lambda *_args: engine)
    monkeypatch.setattr(image_pull, "PAUSE", 0)

    def run(check: bool = False, **args: Any) -> dict[str, Any]:
        result = run_main(image_pull.main, capsys, args, check)
        assert LOGIN["password"] not in str(result)
        return result

    return run


def test_check_do_again_and_again_in_check(call: Call, engine: Engine) -> None:
    engine.images["r.io/b:1"] = "sha256:2"
    given = {"images": ["r.io/a:1", "r.io/b:1", "c:1", "c:1"], "login": [LOGIN]}
    told = call(check=True, **given)
    assert (told["changed"], told["pulled"], told["diff"]["prepared"]) == (True, ["r.io/a:1", "c:1"], "pull r.io/a:1\npull c:1\n")
    assert engine.asked == []
    done = call(**given)
    assert (done["changed"], done["pulled"], set(done["seconds"])) == (True, told["pulled"], {"r.io/a:1", "c:1"})
    login = {"username": LOGIN["username"], "password": LOGIN["password"]}
    assert sorted(engine.asked, key=str) == [("c:1", None), ("r.io/a:1", login)]
    for check in (False, True):
        again = call(check=check, **given)
        assert (again["changed"], again["pulled"], len(engine.asked)) == (False, [], 2)


def test_with_update_all_are_asked_for_and_only_what_is_new_counts(call: Call, engine: Engine) -> None:
    engine.images.update({"r.io/a:1": "sha256:1", "r.io/b:1": "sha256:old"})
    result = call(images=["r.io/a:1", "r.io/b:1"], update=True)
    assert (result["pulled"], len(engine.asked)) == (["r.io/b:1"], 2)
    assert call(images=["r.io/a:1", "r.io/b:1"], update=True)["changed"] is False


def test_what_may_pass_is_tried_again(call: Call, engine: Engine) -> None:
    engine.faults = {"r.io/a:1": [BUSY, BUSY]}
    assert call(images=["r.io/a:1"], retries=2)["pulled"] == ["r.io/a:1"]
    assert len(engine.asked) == 3


def test_what_will_not_pass_is_not_tried_again(call: Call, engine: Engine) -> None:
    engine.faults = {"r.io/a:1": [DENIED] * 9}
    assert call(images=["r.io/a:1"], retries=8)["failed"]
    assert len(engine.asked) == 1


def test_all_that_failed_are_told_with_a_way_out_and_the_rest_is_there(call: Call, engine: Engine) -> None:
    engine.faults = {"r.io/a:1": [DENIED], "r.io/b:1": [BUSY] * 2}
    result = call(images=["r.io/a:1", "r.io/b:1", "c:1", "d:1"], retries=1)
    lines = result["msg"].splitlines()
    assert lines[0] == "3 of 4 images could not be pulled."
    assert lines[1].startswith("r.io/a:1: r.io refuses r.io/a:1. Set stack_registry_login") and DENIED in lines[1]
    assert lines[2].startswith("r.io/b:1: r.io cannot be reached") and lines[3].startswith("d:1: docker.io has no d:1.")
    assert (result["failed"], result["pulled"], engine.images) == (True, ["c:1"], {"c:1": "sha256:3"})


def test_without_an_engine_only_check_mode_goes_on(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_args: Any) -> None:
        raise EngineError("nothing answers")

    monkeypatch.setattr(image_pull, "connect", connect)
    assert call(check=True, images=["c:1"])["pulled"] == ["c:1"]
    assert call(images=["c:1"])["msg"] == "nothing answers"
