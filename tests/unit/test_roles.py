# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles as data: what each says of itself, in its defaults, specs and README, and what the definitions of services promise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.cozeops.studio.plugins.action.stack_model import SPEC as MODEL_SPEC
from ansible_collections.cozeops.studio.plugins.module_utils._container import nanoseconds, options
from ansible_collections.cozeops.studio.plugins.module_utils._definition import FIELDS, check_order, complete
from ansible_collections.cozeops.studio.plugins.module_utils._probe import step_errors

Data = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())

# Ansible evaluates the defaults of a spec even where the variable is set, and shows them all when one value of the entry point is wrong.
# So a default that may not be evaluated, or not be shown, is told in the description only.
NOT_REPEATED = {"stack_name", "stack_restore_of", "coze_server_admin_password", "verify_password", "stack_logs_dir", "stack_logs_follow"}


def read(role: str, path: str) -> Any:
    file = ROOT / "roles" / role / path
    return (yaml.safe_load(file.read_text(encoding="utf-8")) or {}) if file.is_file() else {}


def entry_points(role: str) -> dict[str, Data]:
    return read(role, "meta/argument_specs.yml")["argument_specs"]


def spec(role: str) -> Data:
    """Options of all entry points of a role."""
    return {name: option for entry in entry_points(role).values() for name, option in entry.get("options", {}).items()}


def is_template(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


DEFAULTS = {role: read(role, "defaults/main.yml") for role in ROLES}
SPECS = {role: spec(role) for role in ROLES}
OPTIONS = [(role, name) for role in ROLES for name in SPECS[role]]
SECRETS = [(role, name) for role, name in OPTIONS if name.endswith("_password")]
SERVICE_ROLES: list[str] = read("stack", "vars/main.yml")["_stack_roles"]


def plain(value: Any, role: str) -> Any:
    """The default in place of a template that is nothing but a variable of the role."""
    match = re.fullmatch(r"\{\{ (\w+) \}\}", value) if isinstance(value, str) else None
    return DEFAULTS[role].get(match.group(1), value) if match else value


def definitions(role: str) -> list[Data]:
    return [{field: plain(value, role) for field, value in definition.items()} for definition in read(role, "vars/main.yml")[f"_{role}_services"]]


SERVICES = [pytest.param(complete(definition), id=definition["name"]) for role in SERVICE_ROLES for definition in definitions(role)]


# -- what every role has


@pytest.mark.parametrize("role", ROLES)
def test_readme_has_the_name_of_its_role(role: str) -> None:
    text = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    assert f"# cozeops.studio.{role}\n" in text


@pytest.mark.parametrize("role", ROLES)
def test_meta_describes_the_role(role: str) -> None:
    meta = read(role, "meta/main.yml")
    assert meta["galaxy_info"]["description"]
    assert meta["galaxy_info"]["license"] == "GPL-3.0-or-later"
    assert meta["dependencies"] == []


@pytest.mark.parametrize("role", ROLES)
def test_entry_points_are_task_files(role: str) -> None:
    missing = [name for name in entry_points(role) if not (ROOT / "roles" / role / "tasks" / f"{name}.yml").is_file()]
    assert missing == []


@pytest.mark.parametrize("role", ROLES)
def test_entry_points_are_described(role: str) -> None:
    silent = [name for name, entry in entry_points(role).items() if not entry.get("short_description") or not entry.get("description")]
    assert silent == []


# -- variables


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_specs_name_the_same_variables(role: str) -> None:
    assert sorted(DEFAULTS[role]) == sorted(SPECS[role])


@pytest.mark.parametrize(("role", "name"), OPTIONS)
def test_specs_repeat_the_defaults(role: str, name: str) -> None:
    option = SPECS[role][name]
    if name in NOT_REPEATED:
        assert "default" not in option
    elif not option.get("no_log"):
        assert option["default"] == DEFAULTS[role][name]


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_of_their_type(role: str) -> None:
    # What a template gives is known in a play only.
    plain_defaults = {name: value for name, value in DEFAULTS[role].items() if not is_template(value)}
    assert ArgumentSpecValidator({name: SPECS[role][name] for name in plain_defaults}).validate(plain_defaults).error_messages == []


@pytest.mark.parametrize(("role", "name"), OPTIONS)
def test_options_are_described_in_sentences(role: str, name: str) -> None:
    description = SPECS[role][name]["description"]
    assert description
    assert [sentence for sentence in description if not sentence.endswith(".")] == []


@pytest.mark.parametrize(("role", "name"), SECRETS)
def test_a_secret_is_shown_by_no_spec(role: str, name: str) -> None:
    option = SPECS[role][name]
    assert option.get("no_log") is True
    assert "default" not in option


@pytest.mark.parametrize("role", ROLES)
def test_variables_begin_with_the_name_of_their_role(role: str) -> None:
    assert [name for name in DEFAULTS[role] if not name.startswith(role + "_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_internal_variables_begin_with_an_underscore_and_the_name_of_their_role(role: str) -> None:
    assert [name for name in read(role, "vars/main.yml") if not name.startswith(f"_{role}_")] == []


def test_image_sources_are_those_of_the_model() -> None:
    assert SPECS["stack"]["stack_image_source"]["choices"] == MODEL_SPEC["image_source"]["choices"]


# -- service roles


def test_a_role_is_a_service_role_if_it_defines_services() -> None:
    assert sorted(SERVICE_ROLES) == [role for role in ROLES if f"_{role}_services" in read(role, "vars/main.yml")]


@pytest.mark.parametrize("role", SERVICE_ROLES)
def test_service_roles_can_be_taken_by_the_role_stack(role: str) -> None:
    assert (ROOT / "roles" / role / "tasks" / "main.yml").is_file()
    assert "main" in entry_points(role)


def test_services_stand_after_those_that_they_depend_on() -> None:
    check_order([parameter.values[0] for parameter in SERVICES])


@pytest.mark.parametrize("service", SERVICES)
def test_services_depend_on_services_that_exist(service: Data) -> None:
    names = {parameter.values[0]["name"] for parameter in SERVICES}
    assert set(service["depends_on"]) <= names


@pytest.mark.parametrize("service", SERVICES)
def test_services_are_limited_watched_and_stopped_with_patience(service: Data) -> None:
    assert service["memory"] > 0
    assert int(service["stop_timeout"]) >= 10
    assert float(service["ready_timeout"]) > 0
    assert service["probe"]


@pytest.mark.parametrize("service", SERVICES)
def test_probes_can_be_run(service: Data) -> None:
    assert [error for step in service["probe"] if not is_template(step) for error in step_errors(step)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_healthchecks_are_whole(service: Data) -> None:
    check = service["healthcheck"]
    assert check["test"]
    assert check["retries"] > 0
    assert all(nanoseconds(check[name]) > 0 for name in ("interval", "timeout", "start_period"))


@pytest.mark.parametrize("service", SERVICES)
def test_services_have_no_rights_of_their_own(service: Data) -> None:
    model = {"name": "coze", "root": "/opt/cozeops/coze", "network": "coze", "log_options": {}}
    # What is only known in a play does not matter here.
    container = options(model, {**service, "ports": [], "config": ""})
    assert container["privileged"] is False
    assert container["capabilities"] == []
    assert container["cap_drop"] == ["ALL"]
    assert re.fullmatch(r"\d+:\d+", service["user"])


@pytest.mark.parametrize("service", SERVICES)
def test_data_directories_belong_to_the_user_of_the_container(service: Data) -> None:
    assert [entry["path"] for entry in service["data"] if f"{entry['owner']}:{entry['group']}" != service["user"]] == []


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_is_made(service: Data) -> None:
    made = [entry["path"] for entry in [*service["data"], *service["files"], *service["trees"]]]
    mounted = [mount["source"] for mount in service["mounts"] if not mount["source"].startswith("/")]
    assert [source for source in mounted if not any(path == source or path.startswith(source + "/") for path in made)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_file_that_is_reloaded_is_mounted_as_its_directory(service: Data) -> None:
    reloaded = {entry["path"] for entry in service["files"] if entry.get("on_change") == "reload"}
    assert reloaded & {mount["source"] for mount in service["mounts"]} == set()
    assert bool(service["reload"]) == bool(reloaded)


@pytest.mark.parametrize("role", SERVICE_ROLES)
def test_init_jobs_are_called_as_the_module_that_records_them(role: str) -> None:
    jobs = [(definition, job) for definition in definitions(role) for job in definition.get("init", [])]
    called = {key.removeprefix("cozeops.studio.") for task in read(role, "tasks/init.yml") or [] for key in task if key.startswith("cozeops.studio.")}
    assert {job["name"] for _definition, job in jobs} == called
    # The ledger is named after the service, and lies in the stamp of its data directory.
    assert [definition["name"] for definition, _job in jobs if definition["data"][0]["path"] != f"data/{definition['name']}"] == []


# -- the page about definitions


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_a_definition_is_documented(field: str) -> None:
    assert f"\n| `{field}` |" in (ROOT / "docs" / "service-definition.md").read_text(encoding="utf-8")


def test_no_field_is_documented_that_does_not_exist() -> None:
    # Kinds of stores have fields of their own, which test_external looks at.
    text = (ROOT / "docs" / "service-definition.md").read_text(encoding="utf-8").partition("## Stores of the operator's own")[0]
    assert [field for field in re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) if field not in FIELDS] == []
