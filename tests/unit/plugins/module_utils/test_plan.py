# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan, against what the Engine shows of a container and then of one that differs in one thing."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._container import options
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed
from ansible_collections.cozeops.studio.plugins.module_utils._plan import ACTIONS, file_reasons, plan_service, stronger, with_looks
from ansible_collections.cozeops.studio.tests.unit.plugins.samples import APIS, CONTAINER_ID, ENV, IMAGE, KEY, inspect_of, model_of, service_of
from hypothesis import given
from hypothesis import strategies as st

Change = t.Callable[[dict[str, t.Any]], t.Any]
NO_FILES: tuple[str, list[dict[str, t.Any]]] = ("none", [])


def plan(inspect: dict[str, t.Any] | None, service: dict[str, t.Any] | None = None, **more: t.Any) -> dict[str, t.Any]:
    service = service_of() if service is None else service
    image, files = more.pop("image", IMAGE), more.pop("files", NO_FILES)
    return plan_service(service, options(model_of(service), service), inspect, image, files, KEY, **more)


def names(result: dict[str, t.Any]) -> list[str]:
    return [reason["name"] for reason in result["why"]]


def put(path: str, value: t.Any) -> Change:
    """A change: HostConfig.Memory to a value."""
    *parents, last = path.split(".")

    def change(inspect: dict[str, t.Any]) -> None:
        for parent in parents:
            inspect = inspect[parent]
        inspect[last] = value

    return change


# --- what is as it should be


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"command": None},
        {"entrypoint": ["mysqld"]},
        {"entrypoint": ["mysqld"], "command": None},
        {"user": None},
        {"memory": None, "cpus": None, "pids_limit": None, "ulimits": {}, "cap_add": [], "extra_hosts": {}},
        {"mounts": [], "tmpfs": {}, "ports": [], "aliases": []},
        {"stop_signal": None, "healthcheck": None},
        {"healthcheck": {"test": ["CMD", "true"], "interval": "30s", "timeout": "5s", "retries": 3, "start_period": "10s"}},
        {"cpus": 0.57},
        {"cpus": "1.5"},
    ],
    ids=lambda more: " ".join(more) or "all",
)
def test_a_container_as_it_was_made_needs_nothing(api: str, more: dict[str, t.Any]) -> None:
    service = service_of(**more)
    shown = {**service, "cpus": float(service["cpus"])} if service["cpus"] else service
    assert plan(inspect_of(shown, api=api), service) == {"action": "none", "why": []}


@pytest.mark.parametrize("swap", [0, -1, 2 * 1024**3], ids=["not counted", "no limit", "twice the memory"])
def test_swap_as_an_engine_sets_it_by_itself_is_nobodys_wish(swap: int) -> None:
    inspect = inspect_of(service_of())
    inspect["HostConfig"]["MemorySwap"] = swap
    assert plan(inspect)["action"] == "none"


def test_an_image_that_says_little_leaves_nothing_to_compare() -> None:
    bare = {"Id": IMAGE["Id"], "Config": {"Cmd": None, "Entrypoint": None, "Env": None, "Labels": None}}
    assert plan(inspect_of(service_of(), image=bare), image=bare)["action"] == "none"


def test_a_port_on_all_addresses_may_be_shown_without_an_address() -> None:
    service = service_of(ports=[{"address": "0.0.0.0", "port": 80, "container_port": 80}])
    inspect = inspect_of(service)
    inspect["HostConfig"]["PortBindings"] = {"80/tcp": [{"HostIp": "", "HostPort": "80"}]}
    assert plan(inspect, service)["action"] == "none"


# --- what is different

CHANGES: dict[str, tuple[str, Change]] = {
    "other image": ("image", lambda it: it.update({"Image": "sha256:" + "2" * 64, "Config": {**it["Config"], "Image": "mysql:8.4.4"}})),
    "other command": ("command", put("Config.Cmd", ["mysqld", "--skip-grant-tables"])),
    "no command": ("command", put("Config.Cmd", None)),
    "other entrypoint": ("entrypoint", put("Config.Entrypoint", ["sh"])),
    "no entrypoint": ("entrypoint", put("Config.Entrypoint", None)),
    "other user": ("user", put("Config.User", "0:0")),
    "no user": ("user", put("Config.User", "")),
    "other hostname": ("hostname", put("Config.Hostname", "db")),
    "mount too many": ("mounts", lambda it: it["HostConfig"]["Mounts"].append({"Type": "bind", "Source": "/", "Target": "/host"})),
    "mount of another type": ("mounts", lambda it: it["HostConfig"]["Mounts"].append({"Type": "volume", "Source": "x", "Target": "/x"})),
    "mount missing": ("mounts", lambda it: it["HostConfig"]["Mounts"].pop()),
    "no mounts at all": ("mounts", put("HostConfig.Mounts", None)),
    "mount from elsewhere": ("mounts", lambda it: it["HostConfig"]["Mounts"][0].update(Source="/elsewhere")),
    "mount to elsewhere": ("mounts", lambda it: it["HostConfig"]["Mounts"][0].update(Target="/elsewhere")),
    "mount became read-only": ("mounts", lambda it: it["HostConfig"]["Mounts"][0].update(ReadOnly=True)),
    "mount became writable": ("mounts", lambda it: it["HostConfig"]["Mounts"][1].pop("ReadOnly")),
    "bind of the older form": ("binds", put("HostConfig.Binds", ["/:/host"])),
    "tmpfs missing": ("tmpfs", put("HostConfig.Tmpfs", None)),
    "tmpfs too many": ("tmpfs", lambda it: it["HostConfig"]["Tmpfs"].update({"/x": ""})),
    "tmpfs with another mode": ("tmpfs", lambda it: it["HostConfig"]["Tmpfs"].update({"/var/run/mysqld": "mode=0777"})),
    "port on another address": ("published_ports", lambda it: it["HostConfig"]["PortBindings"]["3306/tcp"][0].update(HostIp="0.0.0.0")),
    "other host port": ("published_ports", lambda it: it["HostConfig"]["PortBindings"]["3306/tcp"][0].update(HostPort="13306")),
    "other container port": ("published_ports", lambda it: publish_as(it, "1/tcp")),
    "one port fewer": ("published_ports", lambda it: it["HostConfig"]["PortBindings"]["3306/tcp"].pop()),
    "no ports": ("published_ports", put("HostConfig.PortBindings", None)),
    "one port more": ("published_ports", lambda it: it["HostConfig"]["PortBindings"].update({"1/tcp": [{"HostIp": "", "HostPort": "1"}]})),
    "the same port of udp": ("published_ports", lambda it: publish_as(it, "3306/udp")),
    "extra host missing": ("extra_hosts", put("HostConfig.ExtraHosts", None)),
    "extra host elsewhere": ("extra_hosts", put("HostConfig.ExtraHosts", ["llm:192.0.2.9"])),
    "other restart policy": ("restart_policy", put("HostConfig.RestartPolicy", {"Name": "always"})),
    "no restart policy": ("restart_policy", put("HostConfig.RestartPolicy", {"Name": ""})),
    "less memory": ("memory", put("HostConfig.Memory", 1024)),
    "memory without limit": ("memory", put("HostConfig.Memory", 0)),
    "swap that was given": ("memory_swap", put("HostConfig.MemorySwap", 3 * 1024**3)),
    "cpu shares": ("cpu_shares", put("HostConfig.CpuShares", 2)),
    "cpu quota": ("cpu_quota", put("HostConfig.CpuQuota", 50000)),
    "cpu period": ("cpu_period", put("HostConfig.CpuPeriod", 50000)),
    "cpuset": ("cpuset_cpus", put("HostConfig.CpusetCpus", "0")),
    "memory nodes": ("cpuset_mems", put("HostConfig.CpusetMems", "0")),
    "memory reservation": ("memory_reservation", put("HostConfig.MemoryReservation", 1024)),
    "block io weight": ("blkio_weight", put("HostConfig.BlkioWeight", 500)),
    "processes of the host": ("pid_mode", put("HostConfig.PidMode", "host")),
    "a device": ("devices", put("HostConfig.Devices", [{"PathOnHost": "/dev/kmsg"}])),
    "a group more": ("groups", put("HostConfig.GroupAdd", ["0"])),
    "name servers": ("dns_servers", put("HostConfig.Dns", ["192.0.2.53"])),
    "a kernel setting": ("sysctls", put("HostConfig.Sysctls", {"net.ipv4.ip_forward": "1"})),
    "volumes of another": ("volumes_from", put("HostConfig.VolumesFrom", ["other"])),
    "other directory": ("working_dir", put("Config.WorkingDir", "/tmp")),
    "other cpus": ("cpus", put("HostConfig.NanoCpus", 10**9)),
    "other pids limit": ("pids_limit", put("HostConfig.PidsLimit", 100)),
    "no pids limit": ("pids_limit", put("HostConfig.PidsLimit", -1)),
    "other ulimit": ("ulimits", put("HostConfig.Ulimits", [{"Name": "nofile", "Soft": 1024, "Hard": 65536}])),
    "no ulimits": ("ulimits", put("HostConfig.Ulimits", None)),
    "capability too many": ("cap_add", lambda it: it["HostConfig"]["CapAdd"].append("SYS_ADMIN")),
    "capability missing": ("cap_add", put("HostConfig.CapAdd", None)),
    "capabilities not dropped": ("cap_drop", put("HostConfig.CapDrop", None)),
    "one capability dropped": ("cap_drop", put("HostConfig.CapDrop", ["CAP_MKNOD"])),
    "may gain privileges": ("security_opts", put("HostConfig.SecurityOpt", None)),
    "another security option": ("security_opts", lambda it: it["HostConfig"]["SecurityOpt"].append("seccomp=unconfined")),
    "privileged": ("privileged", put("HostConfig.Privileged", True)),
    "read-only root": ("read_only", put("HostConfig.ReadonlyRootfs", True)),
    "with an init": ("init", put("HostConfig.Init", True)),
    "other stop timeout": ("stop_timeout", put("Config.StopTimeout", 10)),
    "no stop timeout": ("stop_timeout", put("Config.StopTimeout", None)),
    "other stop signal": ("stop_signal", put("Config.StopSignal", "SIGKILL")),
    "no stop signal": ("stop_signal", lambda it: it["Config"].pop("StopSignal")),
    "other healthcheck": ("healthcheck", lambda it: it["Config"]["Healthcheck"].update(Test=["CMD-SHELL", "true"])),
    "healthcheck without shell": ("healthcheck", lambda it: it["Config"]["Healthcheck"].update(Test=["CMD", "mysqladmin ping"])),
    "other interval": ("healthcheck", lambda it: it["Config"]["Healthcheck"].update(Interval=10**9)),
    "other retries": ("healthcheck", lambda it: it["Config"]["Healthcheck"].update(Retries=1)),
    "no healthcheck": ("healthcheck", lambda it: it["Config"].pop("Healthcheck")),
    "healthcheck off": ("healthcheck", put("Config.Healthcheck", {"Test": ["NONE"]})),
    "other log driver": ("log_driver", lambda it: it["HostConfig"]["LogConfig"].update(Type="journald")),
    "no log rotation": ("log_options", lambda it: it["HostConfig"]["LogConfig"].update(Config={})),
    "other log rotation": ("log_options", lambda it: it["HostConfig"]["LogConfig"]["Config"].update({"max-size": "1g"})),
    "label of another stack": ("labels", lambda it: it["Config"]["Labels"].update({"cozeops.stack": "other"})),
    "label of another service": ("labels", lambda it: it["Config"]["Labels"].update({"cozeops.service": "redis"})),
    "no labels": ("labels", put("Config.Labels", None)),
    "plain value changed": ("env MYSQL_DATABASE", lambda it: replace_env(it, "MYSQL_DATABASE", "other")),
    "plain value emptied": ("env MYSQL_DATABASE", lambda it: replace_env(it, "MYSQL_DATABASE", "")),
    "empty value filled": ("env EMPTY", lambda it: replace_env(it, "EMPTY", "x")),
    "key gone": ("env MYSQL_DATABASE", lambda it: replace_env(it, "MYSQL_DATABASE", None)),
    "empty key gone": ("env EMPTY", lambda it: replace_env(it, "EMPTY", None)),
    "key added": ("env TZ", lambda it: it["Config"]["Env"].append("TZ=UTC")),
    "secret changed": ("env MYSQL_ROOT_PASSWORD", lambda it: replace_env(it, "MYSQL_ROOT_PASSWORD", "another")),
    "secret gone": ("env MYSQL_ROOT_PASSWORD", lambda it: replace_env(it, "MYSQL_ROOT_PASSWORD", None)),
    "key of the image changed": ("env MYSQL_VERSION", lambda it: replace_env(it, "MYSQL_VERSION", "5.7")),
    "not in the network": ("network lab", put("NetworkSettings.Networks", {})),
    "in a second network": ("network bridge", lambda it: it["NetworkSettings"]["Networks"].update({"bridge": {"Aliases": None}})),
    "alias missing": ("aliases on lab", lambda it: it["NetworkSettings"]["Networks"]["lab"]["Aliases"].remove("coze-mysql")),
    "no aliases": ("aliases on lab", lambda it: it["NetworkSettings"]["Networks"]["lab"].update(Aliases=None)),
    "alias too many": ("aliases on lab", lambda it: it["NetworkSettings"]["Networks"]["lab"]["Aliases"].append("redis")),
}


def publish_as(inspect: dict[str, t.Any], container_port: str) -> None:
    """The same host ports for another port of the container."""
    inspect["HostConfig"]["PortBindings"] = {container_port: inspect["HostConfig"]["PortBindings"]["3306/tcp"]}


def replace_env(inspect: dict[str, t.Any], key: str, value: str | None) -> None:
    """The environment with another value of a key, or without it."""
    others = [pair for pair in inspect["Config"]["Env"] if pair.split("=")[0] != key]
    inspect["Config"]["Env"] = others + ([] if value is None else ["%s=%s" % (key, value)])


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_is_recreated_for_that_reason_alone(api: str, change: str) -> None:
    name, mutate = CHANGES[change]
    inspect = inspect_of(service_of(), api=api)
    mutate(inspect)
    result = plan(inspect)
    assert (result["action"], names(result)) == ("recreate", [name])
    assert result["why"][0]["current"] != result["why"][0]["desired"]


def test_reasons_are_told_in_one_order() -> None:
    inspect = inspect_of(service_of())
    for change in ("no aliases", "other user", "less memory", "key added", "other command"):
        CHANGES[change][1](inspect)
    assert names(plan(inspect)) == ["command", "user", "memory", "env TZ", "aliases on lab"]


def test_an_absent_container_is_to_be_created() -> None:
    assert plan(None) == {"action": "recreate", "why": [{"name": "container", "current": "(absent)", "desired": "running"}]}


def test_an_absent_image_is_to_come_first() -> None:
    result = plan(inspect_of(service_of()), image=None)
    assert result == {"action": "recreate", "why": [{"name": "image", "current": "mysql:8.4.5", "desired": "mysql:8.4.5 (not on the host yet)"}]}


def test_names_that_the_engine_adds_are_no_aliases() -> None:
    inspect = inspect_of(service_of())
    inspect["NetworkSettings"]["Networks"]["lab"]["Aliases"] += ["lab-mysql", CONTAINER_ID[:12]]
    assert plan(inspect)["action"] == "none"


# --- tags that moved

NEWER = {
    "Id": "sha256:" + "9" * 64,
    "Config": {**IMAGE["Config"], "Env": ["PATH=/usr/bin:/bin", "MYSQL_VERSION=8.4.6"], "Cmd": ["mysqld", "-v"], "StopSignal": "SIGINT"},
}


def test_a_moved_tag_is_told_and_left_alone() -> None:
    service = service_of(command=None, stop_signal=None)
    assert plan(inspect_of(service), service, image=NEWER, origin=IMAGE) == {"action": "none", "why": [], "moved": True}


def test_a_moved_tag_of_a_like_image_is_left_alone_without_its_origin() -> None:
    assert plan(inspect_of(service_of()), image={**NEWER, "Config": IMAGE["Config"]}) == {"action": "none", "why": [], "moved": True}


def test_a_moved_tag_is_taken_when_asked_for() -> None:
    result = plan(inspect_of(service_of()), image=NEWER, origin=IMAGE, update_images=True)
    assert result["action"] == "recreate"
    assert names(result) == ["image", "env MYSQL_VERSION"]
    assert "moved" not in result


def test_a_moved_tag_is_told_of_a_stopped_container_too() -> None:
    inspect = inspect_of(service_of())
    inspect["State"]["Status"] = "exited"
    result = plan(inspect, image=NEWER, origin=IMAGE)
    assert (result["action"], result["moved"]) == ("start", True)


# --- digests of the definition


def test_a_definition_that_differs_in_nothing_seen_is_a_reason() -> None:
    inspect = inspect_of(service_of())
    inspect["Config"]["Labels"]["cozeops.config"] = "v1:" + "0" * 64
    result = plan(inspect)
    assert (result["action"], names(result)) == ("recreate", ["definition"])


@pytest.mark.parametrize("label", ["v0:" + "0" * 64, "v2:" + "0" * 64, "", "garbage"])
def test_a_label_of_another_recipe_is_no_reason(label: str) -> None:
    inspect = inspect_of(service_of())
    inspect["Config"]["Labels"]["cozeops.config"] = label
    assert plan(inspect)["action"] == "none"


def test_a_visible_reason_needs_no_digest_beside_it() -> None:
    inspect = inspect_of(service_of())
    inspect["Config"]["Labels"]["cozeops.config"] = "v1:" + "0" * 64
    inspect["Config"]["User"] = "0:0"
    assert names(plan(inspect)) == ["user"]


# --- states


@pytest.mark.parametrize("status", ["exited", "created", "paused", "dead"])
def test_what_does_not_run_is_started(status: str) -> None:
    inspect = inspect_of(service_of())
    inspect["State"]["Status"] = status
    assert plan(inspect) == {"action": "start", "why": [{"name": "state", "current": status, "desired": "running"}]}


def test_what_ends_again_and_again_is_restarted_as_the_engine_takes_it_for_started() -> None:
    inspect = inspect_of(service_of())
    inspect["State"]["Status"] = "restarting"
    assert plan(inspect) == {"action": "restart", "why": [{"name": "state", "current": "restarting", "desired": "running"}]}


def looked(starting: dict[str, int], **actions: str) -> dict[str, t.Any]:
    """The plan of redis, and of a server that needs it, after a look."""
    entries = {name: {"action": actions.get(name, "none"), "why": []} for name in ("redis", "server")}
    return with_looks(entries, [{"name": "redis", "depends_on": []}, {"name": "server", "depends_on": ["redis"]}], starting)


@pytest.mark.parametrize(
    ("starting", "actions", "says"),
    [
        ({"server": 3}, {}, "running, not ready, started 3 times by its restart policy"),
        ({"server": 0, "redis": 0}, {}, "running, not ready before redis"),
        ({"server": 0}, {"redis": "start"}, "running, not ready before redis"),
    ],
)
def test_what_starts_before_what_it_needs_is_restarted_after_it(starting: dict[str, int], actions: dict[str, str], says: str) -> None:
    found = looked(starting, **actions)
    assert found["server"] == {"action": "restart", "why": [{"name": "state", "current": says, "desired": "ready"}]}
    assert found["redis"]["action"] == actions.get("redis", "none")


@pytest.mark.parametrize(
    ("starting", "actions"),
    [({}, {}), ({}, {"redis": "start"}), ({"server": 0}, {}), ({"redis": 0}, {}), ({"server": 3}, {"server": "recreate"})],
)
def test_what_is_ready_or_only_takes_its_time_is_left_alone(starting: dict[str, int], actions: dict[str, str]) -> None:
    assert {name: entry["action"] for name, entry in looked(starting, **actions).items()} == {"redis": "none", "server": "none", **actions}


def test_a_stopped_container_that_differs_is_recreated() -> None:
    inspect = inspect_of(service_of())
    inspect["State"]["Status"] = "exited"
    inspect["Config"]["User"] = "0:0"
    assert plan(inspect)["action"] == "recreate"


# --- files

START = 1000.0


def files(wish: str | None, found: dict[str, t.Any] | None) -> tuple[str, list[dict[str, t.Any]]]:
    service = {"tree_changes": {}, "file_digests": {"conf/x": "new"}, "on_change": {} if wish is None else {"conf/x": wish}}
    return file_reasons(service, {} if found is None else {"conf/x": found}, START)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "(absent)"),
        ({"digest": "old", "mtime": START - 1}, "(other content)"),
        ({"digest": "new", "mtime": START + 1}, "(read before it changed)"),
    ],
    ids=["new", "changed", "younger"],
)
@pytest.mark.parametrize("wish", ["reload", "restart", "recreate"])
def test_a_file_that_was_not_read_asks_for_what_it_says(wish: str, found: dict[str, t.Any] | None, says: str) -> None:
    assert files(wish, found) == (wish, [{"name": "file conf/x", "current": says, "desired": "(read as it is now)"}])


@pytest.mark.parametrize("found", [None, {"digest": "old", "mtime": START + 1}])
def test_a_file_that_nobody_reads_asks_for_nothing(found: dict[str, t.Any] | None) -> None:
    assert files("none", found) == ("none", [])


def test_a_file_asks_for_a_restart_unless_it_says_otherwise() -> None:
    assert files(None, None)[0] == "restart"


@pytest.mark.parametrize(("wish", "action"), [("reload", "none"), ("restart", "none"), ("recreate", "recreate")])
def test_a_restart_is_not_enough_for_a_file_that_asks_for_a_new_container(wish: str, action: str) -> None:
    service = {"tree_changes": {"conf/t": wish}, "file_digests": {"conf/x": "new"}, "on_change": {"conf/x": wish}}
    found = {"conf/x": {"digest": "new", "mtime": START - 5}}
    assert file_reasons(service, found, START, made=START - 10)[0] == action
    assert file_reasons({**service, "file_digests": {}}, {"conf/t": {"mtime": START - 5}}, START, made=START - 10)[0] == action


@pytest.mark.parametrize("mtime", [START - 1, START])
def test_a_file_that_was_read_asks_for_nothing(mtime: float) -> None:
    assert files("restart", {"digest": "new", "mtime": mtime}) == ("none", [])


def test_the_strongest_wish_wins_and_all_files_are_named() -> None:
    digests = {"conf/b": "1", "conf/a": "1", "conf/c": "1"}
    service = {"tree_changes": {}, "file_digests": digests, "on_change": {"conf/a": "reload", "conf/b": "restart", "conf/c": "none"}}
    action, reasons = file_reasons(service, {}, START)
    assert (action, [reason["name"] for reason in reasons]) == ("restart", ["file conf/a", "file conf/b"])


@pytest.mark.parametrize("action", ["reload", "restart"])
def test_a_running_container_gets_what_its_files_ask_for(action: str) -> None:
    why = [{"name": "file conf/x", "current": "(absent)", "desired": "(read as it is now)"}]
    assert plan(inspect_of(service_of()), files=(action, why)) == {"action": action, "why": why}


def test_a_file_may_ask_for_a_new_container() -> None:
    why = [{"name": "file conf/x", "current": "(absent)", "desired": "(read as it is now)"}]
    assert plan(inspect_of(service_of()), files=("recreate", why)) == {"action": "recreate", "why": why}


def test_starting_is_all_that_a_stopped_container_needs_to_read_its_files() -> None:
    inspect = inspect_of(service_of())
    inspect["State"]["Status"] = "exited"
    result = plan(inspect, files=("reload", [{"name": "file conf/x", "current": "(absent)", "desired": "x"}]))
    assert (result["action"], names(result)) == ("start", ["state", "file conf/x"])


@pytest.mark.parametrize("one", ACTIONS)
@pytest.mark.parametrize("other", ACTIONS)
def test_the_stronger_action_wins(one: str, other: str) -> None:
    assert stronger(one, other) == ACTIONS[max(ACTIONS.index(one), ACTIONS.index(other))]


# --- secrets

SECRET_NAMES = st.sampled_from(["REDIS_PASSWORD", "MYSQL_DSN", "S3_SECRET_KEY", "OPENAI_API_KEY"])
# Long enough that it cannot be a part of anything else by chance, and of a shape that nothing else has.
SECRET_VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\n\0", exclude_categories=["Cs"]), max_size=40).map(lambda text: "§s3cret%s§" % text)
STATES = st.sampled_from(["running", "exited"])


def assert_hidden(result: dict[str, t.Any], *values: str) -> None:
    text = json.dumps(result, ensure_ascii=False) + repr(result)
    for value in values:
        assert json.dumps(value, ensure_ascii=False)[1:-1] not in text
        assert repr(value)[1:-1] not in text


@given(name=SECRET_NAMES, old=SECRET_VALUES, new=SECRET_VALUES, state=STATES)
def test_neither_the_old_nor_the_new_secret_is_told(name: str, old: str, new: str, state: str) -> None:
    inspect = inspect_of(service_of({name: old}), env={name: old})
    inspect["State"]["Status"] = state
    result = plan(inspect, service_of({name: new}))
    assert_hidden(result, old, new)
    assert (result["action"] == "recreate") == (old != new)


@given(name=SECRET_NAMES, old=SECRET_VALUES)
def test_a_secret_that_is_gone_is_not_told(name: str, old: str) -> None:
    result = plan(inspect_of(service_of({name: old}), env={name: old}), service_of({}))
    assert names(result) == ["env " + name]
    assert_hidden(result, old)


@given(name=SECRET_NAMES, old=SECRET_VALUES)
def test_a_value_that_held_a_secret_is_not_told_when_it_holds_none_any_more(name: str, old: str) -> None:
    had = {name: old, "PUBLIC": "x-%s-y" % old, "URL": "http://user:%s@host" % keyed("k", old)}
    inspect = inspect_of(service_of(had), env=had)
    result = plan(inspect, service_of({name: old, "PUBLIC": "plain", "URL": "http://host"}))
    assert names(result) == ["env PUBLIC", "env URL"]
    assert_hidden(result, old, keyed("k", old))


def test_a_secret_given_for_the_first_time_is_told_by_name() -> None:
    inspect = inspect_of(service_of())
    replace_env(inspect, "MYSQL_ROOT_PASSWORD", None)
    assert plan(inspect)["why"] == [{"name": "env MYSQL_ROOT_PASSWORD", "current": "(not set)", "desired": "(secret)"}]


def test_the_plan_changes_nothing_that_it_is_given() -> None:
    service, inspect = service_of(), inspect_of(service_of())
    before = copy.deepcopy((service, inspect, IMAGE, ENV))
    plan(inspect, service)
    assert (service, inspect, IMAGE, ENV) == before


# --- files that come and go in a tree


@pytest.mark.parametrize(
    ("on_host", "reason"),
    [
        ({"conf/t": {"mtime": 999.0}, "conf/t/a": {"digest": "1", "mtime": 1.0}}, None),
        ({"conf/t": {"mtime": 1001.0}, "conf/t/a": {"digest": "1", "mtime": 1.0}}, "directory conf/t"),
        ({"conf/t": {"mtime": 999.0}, "conf/t/a": {"digest": "1", "mtime": 1.0}, "conf/t/b": {"digest": "2", "mtime": 1.0}}, "file conf/t/b"),
    ],
    ids=["as it was read", "one was taken out", "one is to be taken out"],
)
def test_a_file_that_leaves_a_tree_asks_for_what_the_tree_says(on_host: dict[str, t.Any], reason: str | None) -> None:
    service = {"tree_changes": {"conf/t": "restart"}, "file_digests": {"conf/t/a": "1"}, "on_change": {"conf/t/a": "restart"}}
    action, why = file_reasons(service, on_host, 1000.0)
    assert (action, [one["name"] for one in why]) == (("restart", [reason]) if reason else ("none", []))
