# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cozeops.studio.plugins.modules import model_config
from ansible_collections.cozeops.studio.tests.unit.plugins.run_module import run_main

UPSTREAM = Path(__file__).resolve().parents[5] / "shared" / "upstream"
TEMPLATES = sorted(UPSTREAM.glob("*/backend/conf/model/template"))
MASK = "********"
LAB = {"name": "Lab", "id": 100, "protocol": "openai", "base_url": "http://llm:8000/v1", "model": "lab", "api_key": "sk-hunter2"}
NAMED = {key: value for key, value in LAB.items() if key != "id"}
HAND = """\
id: {id}
name: {name}
icon_uri: default_icon/openai_v2.png
meta:
  protocol: openai
  capability: {{}}
  conn_config:
    base_url: http://llm:8000/v1
    api_key: sk-by-hand
    model: lab
"""

Result = dict[str, t.Any]
Call = t.Callable[..., Result]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """The module, on the directory `model` of this test. No key may be in what it says."""

    def run(check: bool = False, diff: bool = False, **args: t.Any) -> Result:
        args = {"path": str(tmp_path / "model"), "release": "0.2", **args}
        result = run_main(model_config.main, capsys, {**args, "_ansible_diff": diff}, check)
        assert "sk-" not in json.dumps(result)
        return result

    return run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def content(path: Path) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(path.iterdir())}


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def by_hand(path: Path, file: str = "hand.yaml", model_id: object = 7, name: str = "Hand") -> None:
    (path / file).write_text(HAND.format(id=model_id, name=name), encoding="utf-8")


# --- writing ---


def test_check_do_again_again_in_check(call: Call, path: Path) -> None:
    states = []
    results = []
    for check in (True, False, False, True):
        results.append(call(check=check, diff=True, models=[LAB]))
        states.append(content(path))
    assert [result["changed"] for result in results] == [True, True, False, False]
    assert states[0] == {} and list(states[1]) == ["model-100.yaml"] and states[1] == states[2] == states[3]
    assert results[0]["diff"] == results[1]["diff"]
    assert results[2]["diff"] == []
    assert [result["models"][0]["action"] for result in results] == ["created", "created", "none", "none"]
    assert results[1]["models"] == [{"id": 100, "name": "Lab", "file": "model-100.yaml", "ours": True, "action": "created"}]
    assert "api_key: sk-hunter2\n" in states[1]["model-100.yaml"]
    assert mode_of(path / "model-100.yaml") == 0o600


def test_check_mode_needs_no_directory(call: Call, tmp_path: Path) -> None:
    assert call(check=True, models=[LAB])["changed"]
    assert not (tmp_path / "model").exists()
    assert "no such directory" in call(models=[LAB])["msg"]


def test_an_id_is_given_once_and_stays(call: Call, path: Path) -> None:
    (first,) = call(models=[NAMED])["models"]
    again = call(models=[{**NAMED, "name": "Another"}, {**NAMED, "base_url": "http://other/v1"}])
    assert {model["name"]: model["id"] for model in again["models"]}["Lab"] == first["id"]
    assert {model["name"]: model["action"] for model in again["models"]} == {"Lab": "changed", "Another": "created"}


def test_an_id_is_read_back_from_the_file(call: Call, path: Path) -> None:
    call(models=[LAB])
    result = call(models=[NAMED])
    assert (result["changed"], result["models"][0]["id"]) == (False, 100)


def test_a_removed_model_gets_its_id_back_and_no_other_does(call: Call, path: Path) -> None:
    (first,) = call(models=[NAMED])["models"]
    (other,) = call(models=[{**NAMED, "name": "Other"}], purge=True)["models"]
    assert other["id"] != first["id"]
    assert call(models=[NAMED], purge=True)["models"][0]["id"] == first["id"]


def test_purge_removes_only_what_is_ours(call: Call, path: Path) -> None:
    by_hand(path)
    (path / "model_meta.json").write_text("{}", encoding="utf-8")
    call(models=[LAB, {**LAB, "name": "Old", "id": 200}])
    kept = call(models=[LAB])
    assert (kept["changed"], len(content(path))) == (False, 4)
    assert kept["warnings"] == [f"{path}/model-200.yaml: no longer in models, and still there: purge removes it"]
    check = call(check=True, diff=True, models=[LAB], purge=True)
    assert (check["changed"], check["removed"], len(content(path))) == (True, [{"id": 200, "name": "Old", "file": "model-200.yaml"}], 4)
    assert MASK in check["diff"][0]["before"] and check["diff"][0]["after"] == ""
    assert call(models=[LAB], purge=True)["removed"] == check["removed"]
    assert sorted(content(path)) == ["hand.yaml", "model-100.yaml", "model_meta.json"]
    assert not call(models=[LAB], purge=True)["changed"]
    assert call(models=[], purge=True)["changed"]
    assert sorted(content(path)) == ["hand.yaml", "model_meta.json"]


def test_a_file_of_somebody_else_is_not_overwritten(call: Call, path: Path) -> None:
    by_hand(path, "model-100.yaml", 5)
    before = content(path)
    result = call(models=[LAB], purge=True)
    assert result["msg"] == f"{path}/model-100.yaml: written by somebody else, and the file of a model is to be there: move it away"
    assert content(path) == before


def test_a_name_that_a_hand_written_file_has_too_is_told(call: Call, path: Path) -> None:
    by_hand(path, name="Lab")
    assert call(models=[LAB])["warnings"] == [f"{path}/hand.yaml:1: the model Lab is also in models: users see it twice"]


def test_mode_alone_is_a_change(call: Call, path: Path) -> None:
    call(models=[LAB])
    (path / "model-100.yaml").chmod(0o644)
    assert [call(check=check, models=[LAB])["changed"] for check in (True, False, False, True)] == [True, True, False, False]
    assert mode_of(path / "model-100.yaml") == 0o600


def test_new_content_is_never_seen_through_a_wide_mode(call: Call, path: Path) -> None:
    call(models=[LAB], mode="0644")
    modes = []
    move = AnsibleModule.atomic_move

    def watched(self: AnsibleModule, src: str, target: str, **kwargs: t.Any) -> None:
        move(self, src, target, **kwargs)
        modes.append(mode_of(Path(target)))

    with mock.patch.object(AnsibleModule, "atomic_move", watched):
        call(models=[{**LAB, "api_key": "sk-new"}, {**LAB, "name": "B", "id": 3}])
    assert modes == [0o600, 0o600]


def test_a_mode_may_be_another(call: Call, path: Path) -> None:
    call(models=[LAB], mode="0640")
    assert mode_of(path / "model-100.yaml") == 0o640


# --- keys ---


def test_no_key_is_in_the_result_or_the_log(call: Call, path: Path) -> None:
    logged: list[str] = []
    model = {**LAB, "connection": {"claude": {"secret_access_key": "sk-secret"}, "custom": {"any": "sk-other"}}}
    with mock.patch.object(AnsibleModule, "log", lambda self, msg, log_args=None: logged.append(msg)):
        result = call(models=[model], diff=True)
    assert logged and "sk-" not in str(logged)
    assert result["invocation"]["module_args"]["models"][0]["api_key"] == MASK
    assert result["diff"][0]["after"].count(MASK) == 3
    assert "sk-secret" in content(path)["model-100.yaml"]


def test_a_failure_shows_no_key(call: Call, path: Path) -> None:
    result = call(models=[{**LAB, "base_url": "http://me:sk-word@localhost/v1"}])
    assert result["failed"] and "has the host localhost" in result["msg"]


@pytest.mark.parametrize("models", [[{**LAB, "oops": 1}], [{**LAB, "id": "x"}], ["sk-text"]])
def test_a_refused_argument_shows_no_key(call: Call, path: Path, models: list[t.Any]) -> None:
    assert call(models=models)["failed"]


def test_the_diff_marks_a_key_that_changes(call: Call, path: Path) -> None:
    call(models=[LAB])
    (diff,) = call(models=[{**LAB, "api_key": "sk-new", "model": "new"}], diff=True)["diff"]
    assert f"    api_key: {MASK}\n    model: lab\n" in diff["before"]
    assert f"    api_key: {MASK} (changed)\n    model: new\n" in diff["after"]
    assert diff["after_header"] == f"{path}/model-100.yaml"


def test_what_somebody_wrote_into_our_file_is_masked_in_the_diff(call: Call, path: Path) -> None:
    call(models=[LAB])
    file = path / "model-100.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "# api_key: sk-older\nx: [sk-hunter2]\n", encoding="utf-8")
    assert call(models=[LAB], diff=True)["diff"][0]["before"].endswith(f"# api_key: {MASK}\nx: [{MASK}]\n")


def test_what_somebody_broke_is_made_whole_and_not_shown(call: Call, path: Path) -> None:
    call(models=[NAMED])
    before = content(path)
    (file,) = path.iterdir()
    file.write_text(before[file.name].replace("    api_key", "\tapi_key"), encoding="utf-8")
    result = call(models=[NAMED], diff=True)
    assert (result["failed"], result["changed"]) == (False, True)
    assert "not shown" in result["diff"][0]["before"]
    assert content(path) == before


# --- checking ---


def test_every_problem_of_every_file_is_told_and_nothing_is_written(call: Call, path: Path) -> None:
    by_hand(path, "a.yaml", '"5"')
    by_hand(path, "b.yml", 6)
    by_hand(path, "c.yaml", 100)
    with (path / "b.yml").open("a", encoding="utf-8") as stream:
        stream.write("    timeout: 5\n")
    (path / "empty.yaml").touch()
    (path / "template").mkdir()
    (path / "template" / "broken.yaml").write_text("[", encoding="utf-8")
    result = call(models=[{**LAB, "protocol": "opnai", "base_url": "http://llm/v1/chat/completions"}])
    lines = result["msg"].splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}/a.yaml:1", f"{path}/b.yml:11", f"{path}/empty.yaml:1", "models", "models", "models"]
    assert lines[3] == "models: Lab: id 100 is also that of c.yaml:1: give one of the two models another"
    assert lines[4].startswith("models: Lab: unknown protocol opnai") and lines[4].endswith("is openai meant?")
    assert "ends in /chat/completions" in lines[5]
    assert [problem["line"] for problem in result["problems"]] == [1, 11, 1, 0, 0, 0]
    assert "model-100.yaml" not in content_names(path)


def content_names(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


def test_validated_is_a_linter(call: Call, path: Path) -> None:
    by_hand(path)
    good = call(state="validated")
    assert (good["failed"], good["changed"], good["models"]) == (
        False, False, [{"id": 7, "name": "Hand", "file": "hand.yaml", "ours": False, "action": "none"}],
    )  # fmt: skip
    by_hand(path, "second.yml")
    bad = call(state="validated")
    assert bad["msg"] == f"{path}/second.yml:1: id 7 is also that of hand.yaml:1: give one of the two models another"
    assert bad["problems"] == [{"file": f"{path}/second.yml", "line": 1, "message": bad["msg"].partition(": ")[2]}]
    assert len(content(path)) == 2


def test_validated_needs_a_directory(call: Call, tmp_path: Path) -> None:
    assert call(state="validated", check=True)["msg"] == f"{tmp_path}/model: no such directory: create it first"


def test_doubts_are_warnings(call: Call, path: Path) -> None:
    by_hand(path, "a.YAML")
    by_hand(path)
    with (path / "hand.yaml").open("a", encoding="utf-8") as stream:
        stream.write("    modle: 5\n")
    assert call(state="validated")["warnings"] == [
        f"{path}/a.YAML: the server does not read it: its name has to end in .yaml or .yml",
        f"{path}/hand.yaml:11: unknown key meta.conn_config.modle: the server ignores it; is model meant?",
    ]


def test_a_link_to_nothing_is_a_problem_and_a_directory_is_none(call: Call, path: Path) -> None:
    (path / "gone.yaml").symlink_to("nowhere")
    (path / "folder.yaml").mkdir()
    assert call(state="validated")["msg"] == f"{path}/gone.yaml: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([LAB, {**LAB, "id": 5}], "models: Lab: the name is there twice: ids are kept by it"),
        ([LAB, {**LAB, "name": "B"}], "models: B: id 100 is also that of Lab: give one of the two another"),
        ([{**LAB, "timeout": "30"}], "models: Lab: meta.conn_config.timeout is no duration, as 30s: the server does not start with it"),
        ([{**LAB, "id": 0}], "models: Lab: id has to be between 1 and 9223372036854775807"),
        ([{**LAB, "connection": {"temperature": "0.5"}}], "models: Lab: meta.conn_config.temperature has to be a number, not text in quotes"),
        ([{**LAB, "name": ""}], "models: without a name: name is missing"),
        ([{**LAB, "description": ["x"]}], "models: Lab: description.zh has to be text, not a list"),
    ],
)
def test_a_problem_of_a_variable_names_the_model(call: Call, path: Path, models: list[Result], message: str) -> None:
    result = call(models=models)
    assert result["failed"] and result["msg"].startswith(message)
    assert content(path) == {}


def test_present_needs_models(call: Call, path: Path) -> None:
    assert "models" in call()["msg"]


def test_pyyaml_may_be_missing(call: Call, path: Path) -> None:
    with mock.patch.object(model_config, "YAML_ERROR", "Traceback"):
        result = call(models=[LAB])
    assert result["failed"] and "(PyYAML)" in result["msg"]


# --- release 0.5 ---


def test_a_change_that_only_the_first_boot_reads_is_told(call: Call, path: Path) -> None:
    old = {**LAB, "name": "Old", "id": 200}
    first = call(models=[LAB, old], release="0.5")
    assert (first["first_boot_only"], first["warnings"]) == ([], [])
    second = call(check=True, models=[{**LAB, "model": "new"}], purge=True, release="0.5")
    assert second["first_boot_only"] == [100, 200]
    assert [warning.split(": ")[0] for warning in second["warnings"]] == [f"{path}/model-100.yaml", f"{path}/model-200.yaml"]
    assert "took model 100 (Lab) into its database when it first saw that id, and serves the changed file after a restart only as" in second["warnings"][0]
    assert "took model 200 (Old) into its database when it first saw that id, and no longer serves it after a restart, unless" in second["warnings"][1]
    assert call(models=[LAB, old], release="0.5")["first_boot_only"] == []
    assert call(state="validated", release="0.5")["first_boot_only"] == [100, 200]
    assert call(models=[{**LAB, "model": "new"}, old], release="0.3")["first_boot_only"] == []


# --- templates ---


def test_a_template_file_is_the_beginning(call: Call, path: Path, tmp_path: Path) -> None:
    template = tmp_path / "t.yaml"
    template.write_text(HAND.format(id=1, name="T") + "    top_p: 0.25\n", encoding="utf-8")
    call(models=[LAB], template=str(template))
    assert "    top_p: 0.25\n" in content(path)["model-100.yaml"]


def test_a_template_that_is_broken_is_told_with_its_line(call: Call, path: Path, tmp_path: Path) -> None:
    template = tmp_path / "t.yaml"
    template.write_text("id: 1\nid: 2\n", encoding="utf-8")
    assert f"{template}:2: the key id is there twice" in call(models=[LAB], template=str(template))["msg"]
    assert f"{tmp_path}/no.yaml: No such file" in call(models=[LAB], template=f"{tmp_path}/no.yaml")["msg"]


@pytest.mark.skipif(not TEMPLATES, reason="the product's templates are not here")
@pytest.mark.parametrize("directory", TEMPLATES, ids=lambda directory: directory.parents[3].name)
def test_the_product_s_templates(call: Call, path: Path, directory: Path) -> None:
    release = "0.5" if "0.5" in str(directory) else "0.2"
    protocols = ("openai", "claude", "deepseek", "gemini", "ark", "ollama", "qwen")
    models = [{**NAMED, "name": protocol, "protocol": protocol} for protocol in protocols]
    result = call(models=models, template=str(directory), release=release)
    assert (result["failed"], result["warnings"]) == (False, [])
    texts = "".join(content(path).values())
    assert texts.count("precise:") >= 5 and texts.count("api_key: sk-hunter2\n") == len(protocols)
    assert not call(models=models, template=str(directory), release=release)["changed"]


# --- size ---


def test_a_hundred_models_in_one_task(call: Call, path: Path) -> None:
    models = [{**NAMED, "name": f"Model {number}", "model": f"m{number}", "api_key": f"sk-{number}"} for number in range(100)]
    template = str(TEMPLATES[0]) if TEMPLATES else None
    times = []
    for check in (False, False):
        begin = time.perf_counter()
        result = call(check=check, models=models, template=template)
        times.append(time.perf_counter() - begin)
        assert len(result["models"]) == 100
    print(f"\n100 models: written in {times[0]:.2f} s, found unchanged in {times[1]:.2f} s")
    assert not result["changed"]
    assert len({model["id"] for model in result["models"]}) == 100
