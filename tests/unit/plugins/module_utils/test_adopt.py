# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that others have made are told apart, and what they use is known."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils import _adopt
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed
from ansible_collections.cozeops.studio.plugins.module_utils._secrets import Secret
from hypothesis import given
from hypothesis import strategies as st

IMAGES = {
    "0.2": {"mysql": "mysql:8.4.5", "nsq": "nsqio/nsq:v1.2.1", "server": "opencoze/opencoze:0.3.7"},
    "0.3": {"mysql": "mysql:8.4.5", "nsq": "nsqio/nsq:v1.2.1", "server": "cozedev/coze-studio-server:0.3.11"},
    "0.5": {"mysql": "mysql:8.4.5", "nsq": "nsqio/nsq:v1.2.1", "server": "cozedev/coze-studio-server:0.5.1"},
}
DEFINITIONS: dict[str, Any] = {
    "mysql": [
        {
            "name": "mysql",
            "image": "mysql",
            "aliases": ["coze-mysql"],
            "env_keys": ["MYSQL_PASSWORD"],
            "data": [{"path": "data/mysql", "owner": 999, "group": 999, "made_with": {"MYSQL_DATABASE": "MYSQL_DATABASE"}}],
            "mounts": [{"source": "data/mysql", "target": "/var/lib/mysql"}],
            "offers": [3306],
            "stop_timeout": "60",
        }
    ],
    "nsq": [{"name": name, "image": "nsq", "aliases": ["coze-" + name]} for name in ("nsqlookupd", "nsqd")],
    "server": [
        {
            "name": "coze-server",
            "image": "server",
            "env_keys": "all",
            "env_exclude": ["ATLAS_URL"],
            "files": [{"path": "conf/coze-server/env", "env_form": "dotenv"}],
            "trees": [{"path": "conf/coze-server/resources", "source": "backend/conf"}],
            "mounts": [
                {"source": "conf/coze-server/env", "target": "/app/.env"},
                {"source": "conf/coze-server/resources", "target": "/app/resources/conf"},
            ],
            "offers": ["8880:8888"],
        }
    ],
}
SERVICES = _adopt.services_of(DEFINITIONS, "0.2", IMAGES, {})
KEY = "k" * 64


def container(name: str, image: str, **more: Any) -> dict[str, Any]:
    return {
        "Id": "id-" + name,
        "Name": "/" + name,
        "State": {"Status": more.get("status", "running")},
        "Config": {"Image": image, "Labels": more.get("labels"), "Env": more.get("env", []), "User": more.get("user", "")},
        "HostConfig": {
            "Privileged": more.get("privileged", False),
            "PortBindings": more.get("ports", {}),
            "RestartPolicy": {"Name": more.get("restart", "no"), "MaximumRetryCount": 0},
        },
        "NetworkSettings": {"Networks": {"coze-network": {"Aliases": more.get("aliases")}}},
        "Mounts": more.get("mounts", []),
    }


def bind(source: str, target: str) -> dict[str, str]:
    return {"Type": "bind", "Source": source, "Destination": target}


def matched(*containers: dict[str, Any], **chosen: str) -> tuple[dict[str, str], list[str]]:
    found, problems = _adopt.match(SERVICES, _adopt.strangers(containers), chosen)
    return {name: _adopt.name_of(each) for name, each in found.items()}, problems


def test_what_is_looked_for() -> None:
    mysql, _lookupd, _nsqd, server = SERVICES
    assert (mysql["wanted"], mysql["names"], mysql["stop_timeout"], mysql["ports"]) == ("mysql:8.4.5", ["coze-mysql", "mysql"], 60, [3306])
    assert mysql["data"][0]["target"] == "/var/lib/mysql" and mysql["data"][0]["mode"] == "0700"
    assert server["env_file"] == "/app/.env" and server["trees"] == [{"path": "conf/coze-server/resources", "target": "/app/resources/conf"}]
    assert server["ports"] == [8888] and server["images"]["0.5"] == "cozedev/coze-studio-server:0.5.1"


def test_by_image_and_by_name() -> None:
    found, problems = matched(
        container("db", "mirror.example.com:5000/library/mysql:8.4.5@sha256:0123"),
        container("coze-nsqd", "nsqio/nsq:v1.2.1"),
        container("bench-nsqlookupd-1", "nsqio/nsq:v1.2.1", labels={"com.docker.compose.service": "nsqlookupd"}),
        container("x", "mine/opencoze:latest", aliases=["coze-server", "0123456789ab"]),
        container("other", "nginx"),
    )
    assert problems == []
    assert found == {"mysql": "db", "nsqd": "coze-nsqd", "nsqlookupd": "bench-nsqlookupd-1", "coze-server": "x"}


def test_a_name_decides_between_images_and_an_image_between_names() -> None:
    assert matched(container("shop-db", "mysql:8"), container("coze-mysql", "mysql:8.4.5"))[0] == {"mysql": "coze-mysql"}
    assert matched(container("mysql", "mariadb:11"), container("coze-mysql", "mysql:8.4.5"))[0] == {"mysql": "coze-mysql"}
    assert matched(container("nsqd", "nsqio/nsq:v1.2.1"))[0] == {"nsqd": "nsqd"}


def test_two_are_refused_unless_one_is_chosen() -> None:
    two = (container("mysql", "mysql:8.4.5"), container("coze-mysql", "mysql:8.4.5"))
    found, problems = matched(*two)
    assert found == {} and problems == ["mysql may be any of the containers coze-mysql, mysql. Say which: set stack_adopt_containers: {mysql: coze-mysql}."]
    assert matched(*two, mysql="mysql") == ({"mysql": "mysql"}, [])
    assert "there is no container nobody" in matched(*two, mysql="nobody")[1][0]
    assert "no service mysgl" in matched(container("coze-mysql", "mysql:8.4.5"), mysgl="mysql")[1][0]
    assert "may be nsqlookupd and nsqd" in matched(container("nsqd", "nsqio/nsq:v1.2.1", aliases=["nsqlookupd"]))[1][0]


def test_what_is_ours_or_was_adopted_is_not_found() -> None:
    assert matched(container("coze-mysql", "mysql:8.4.5", labels={"cozeops.stack": "coze"}), container("mysql-before-adopt", "mysql:8.4.5")) == ({}, [])


NAMES = st.sampled_from(["mysql", "coze-mysql", "nsqd", "coze-nsqd", "nsqlookupd", "coze-server", "shop", "db"])
IMAGE = st.sampled_from(["mysql:8.4.5", "nsqio/nsq:v1.2.1", "opencoze/opencoze:0.3.7", "redis:7", "registry.example.com/mysql@sha256:01"])


@given(st.lists(st.tuples(NAMES, IMAGE), unique_by=lambda pair: pair[0], max_size=8))
def test_no_container_is_taken_for_two_services_unsaid_and_the_order_does_not_matter(pairs: list[tuple[str, str]]) -> None:
    containers = [container(name, image) for name, image in pairs]
    found, problems = matched(*containers)
    assert len(set(found.values())) == len(found) or problems
    assert set(found.values()) <= {name for name, _image in pairs}
    again, said = matched(*reversed(containers))
    assert (again, sorted(said)) == (found, sorted(problems))
    # Each service is found, is doubtful and said to be so, or has no container that could be it.
    for service in SERVICES:
        maybe = _adopt.candidates(service, SERVICES, containers)
        assert (service["name"] in found) == (len(maybe) == 1) and (len(maybe) < 2 or any(text.startswith(service["name"] + " ") for text in problems))


@pytest.mark.parametrize(
    ("image", "release", "told"),
    [
        ("opencoze/opencoze:0.3.7", "0.2", ""),
        ("opencoze/opencoze:latest", "0.2", ""),
        ("opencoze/opencoze:0.3.7", "0.5", "is of release 0.2"),
        ("x/coze-studio-server:0.3.11", "0.5", "is of release 0.3"),
        ("cozedev/coze-studio-server:0.5.1", "0.5", ""),
        ("cozedev/coze-studio-server:latest", "0.2", "is of release 0.3 or 0.5"),
        ("mine/server:1", "0.2", ""),
    ],
)
def test_another_release_is_told(image: str, release: str, told: str) -> None:
    problem = _adopt.line_problem(SERVICES[-1], container("coze-server", image), release)
    assert (told in problem) if told else problem == ""


def test_the_environment_is_that_of_the_container_and_then_of_its_file() -> None:
    text = "# x\nexport A=1\nB=\"two words\"\nexport C='$A'\nD=$A # c\nbad line\nE=\"unclosed\nA_SECRET=\"cn+$PJ(HhJ[5d*z9\"\n"
    env = _adopt.environment(container("s", "x", env=["B=own", "EMPTY=", "URL=a=b"]), text)
    assert env == {"A": "1", "B": "own", "C": "$A", "D": "1", "EMPTY": "", "URL": "a=b", "A_SECRET": "cn+(HhJ[5d*z9"}


@pytest.mark.parametrize(
    ("mounts", "wanted"),
    [
        ([bind("/srv/mysql", "/var/lib/mysql")], ("bind", "/srv/mysql")),
        ([bind("/srv/lib", "/var/lib/")], ("bind", "/srv/lib/mysql")),
        ([bind("/srv/all", "/"), bind("/srv/mysql", "/var/lib/mysql")], ("bind", "/srv/mysql")),
        ([{"Type": "volume", "Name": "v", "Source": "/v/_data", "Destination": "/var/lib/mysql"}], ("volume", "/v/_data")),
        ([{"Type": "tmpfs", "Source": "", "Destination": "/var/lib/mysql"}], ("layer", "")),
        ([bind("/srv/x", "/var/lib/mysql2")], ("layer", "")),
        ([], ("layer", "")),
        ([bind("/a", "/var/lib/mysql"), bind("/b", "/var/lib/mysql/undo")], ("split", "/var/lib/mysql/undo")),
    ],
)
def test_where_data_are(mounts: list[dict[str, str]], wanted: tuple[str, str]) -> None:
    place = _adopt.place_of("/var/lib/mysql", mounts)
    assert (place["kind"], place["source"]) == wanted


ENTRY = {
    "service": "mysql",
    "target": "/var/lib/mysql",
    "to": "/opt/x/data/mysql",
    "source": "/srv/mysql",
    "volume": "v",
    "filled": True,
    "foreign": "",
    "taken": False,
    "inside": False,
}


@pytest.mark.parametrize(
    ("inspect", "told"),
    [
        ({"HostConfig": {"AutoRemove": False}, "Config": {"Labels": None}}, ""),
        ({"HostConfig": {"AutoRemove": True}}, "The container coze-mysql was started with --rm: stopped, it would be gone"),
        ({"Config": {"Labels": {"com.docker.swarm.service.id": "x"}}}, "The container coze-mysql is one of a Swarm service"),
    ],
)
def test_containers_that_cannot_be_put_aside(inspect: dict[str, Any], told: str) -> None:
    problem = _adopt.container_problem({"Name": "/coze-mysql", **inspect})
    assert problem.startswith(told) and bool(problem) == bool(told)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"kind": "bind"}, ""),
        ({"kind": "layer"}, "in the container's own layer"),
        ({"kind": "layer", "filled": False}, ""),
        ({"kind": "split"}, "are in parts"),
        ({"kind": "volume", "foreign": "one of the driver nfs"}, "in the volume v, which is one of the driver nfs"),
        ({"kind": "volume", "foreign": "one of the driver nfs", "filled": False}, "in the volume v, which is one of the driver nfs"),
        ({"kind": "bind", "inside": True}, "are in /srv/mysql, below stack_root, where the stack has its own"),
        ({"kind": "bind", "taken": True}, "are to go to /opt/x/data/mysql, where something is already"),
    ],
)
def test_what_is_in_the_way_of_data(more: dict[str, Any], told: str) -> None:
    problem = _adopt.data_problem({**ENTRY, **more}, "coze-mysql")
    assert (told in problem) if told else problem == ""


def described(name: str, inspect: dict[str, Any], **more: Any) -> dict[str, Any]:
    service = next(each for each in SERVICES if each["name"] == name)
    found = _adopt.describe(service, inspect)
    for entry in found["data"]:
        filled = entry["kind"] != "layer"
        entry.update({"filled": filled, "mounted": filled, "copied": entry["kind"] == "volume", "to": "/opt/x/" + entry["path"]})
    return {**found, "image_env": ["PATH"], "files": [], **more}


MYSQL = described(
    "mysql",
    container(
        "coze-mysql",
        "mysql:8.4.5",
        env=["MYSQL_PASSWORD=coze123", "MYSQL_DATABASE=opencoze"],
        mounts=[bind("/srv/mysql", "/var/lib/mysql")],
        ports={"3306/tcp": [{"HostIp": "", "HostPort": "3306"}], "33060/tcp": None},
        privileged=True,
    ),
)
SERVER_ENV = [
    *("MYSQL_PASSWORD=coze123", "MYSQL_HOST=coze-mysql", "AES=short", "OWN=1"),
    *("PATH=/bin", "ATLAS_URL=x", "NONE=", "DSN=coze:coze123@tcp(coze-mysql:3306)/x"),
]
SERVER = described("coze-server", container("coze-server", "opencoze/opencoze:0.3.7", env=SERVER_ENV))
FOUND = {"mysql": MYSQL, "coze-server": SERVER}


def test_passwords_in_use_are_taken_public_ones_too() -> None:
    wanted = [Secret("MYSQL_PASSWORD", ("coze123",)), Secret("AES", lengths=(16, 32)), Secret("NOWHERE"), Secret("OWN", in_env=False)]
    assert _adopt.secrets_in_use(wanted, SERVICES, FOUND) == {"MYSQL_PASSWORD": "coze123", "AES": ""}
    doubtful = {**FOUND, "coze-server": {**SERVER, "env": {**SERVER["env"], "MYSQL_PASSWORD": "another"}}}
    assert _adopt.secrets_in_use(wanted[:1], SERVICES, doubtful) == {}


def model(**env: Any) -> dict[str, Any]:
    def service(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "image": "mysql:8.4.5", "ports": [], "user": "999:999", "data": [], "env": {}, **more}

    entry = {"address": "127.0.0.1", "port": 8888, "container_port": 8888}
    return {
        "name": "coze",
        "network": "coze",
        "services": {
            "mysql": service("mysql", data=[{"path": "data/mysql"}], env={"MYSQL_DATABASE": "opencoze"}),
            "coze-server": service("coze-server", image="opencoze/opencoze:0.3.7", ports=[entry], env=env),
        },
    }


def test_the_table_has_what_changes_and_nothing_else() -> None:
    lines = _adopt.table({**model(), "services": {**model()["services"], "new": {}}}, FOUND)
    words = [line.split() for line in lines]
    assert ["mysql", "network", "coze-network", "->", "coze"] in words
    assert ["ports", "0.0.0.0:3306", "->", "none"] in words and ["privileged", "yes", "->", "no"] in words
    assert ["data", "/srv/mysql", "->", "/opt/x/data/mysql"] in words and ["coze-server", "container", "coze-server", "->", "coze-coze-server"] in words
    assert not [line for line in lines if "image" in line.split()[:2]]
    assert lines[-1] == "made anew, as there is no container for it: new"


def test_settings_of_theirs_are_told_by_name_only_where_they_differ() -> None:
    wanted = {
        "MYSQL_HOST": "mysql",
        "AES": {"hmac": keyed(KEY, "other")},
        "DSN": {"hmac": keyed(KEY, "coze:coze123@tcp(mysql:3306)/x")},
        "MYSQL_PASSWORD": {"hmac": keyed(KEY, "made")},
    }
    assert _adopt.other_settings(model(**wanted), FOUND, {"MYSQL_PASSWORD"}, KEY) == {"other": ["AES"], "gone": ["OWN"]}


def test_what_data_were_made_with_must_stay_and_no_store_may_be_missing() -> None:
    assert _adopt.model_problems(model(), FOUND) == []
    other = model()
    other["services"]["mysql"]["env"]["MYSQL_DATABASE"] = "new"
    (problem,) = _adopt.model_problems(other, FOUND)
    assert problem.startswith("MYSQL_DATABASE: the data of mysql were made with opencoze") and "Set stack_env: {MYSQL_DATABASE: opencoze}." in problem
    (problem,) = _adopt.model_problems(model(), {"coze-server": SERVER})
    assert problem.startswith("mysql has no container here") and "stack_adopt_containers: {mysql: NAME}" in problem


def test_notes_name_what_does_not_come_along() -> None:
    empty = described("mysql", container("coze-mysql", "mysql:8.4.5"))
    lines = _adopt.notes({"mysql": empty}, {"other": [], "gone": ["K%d" % number for number in range(20)]}, ["/srv/conf/a.yaml"], ["MYSQL_PASSWORD"])
    text = "\n".join(lines)
    assert "K11 and 8 more" in text and "/srv/conf/a.yaml" in text and "MYSQL_PASSWORD" in text and "another value" not in text
    assert "Without a mounted directory for data: coze-mysql." in text and "kept as coze-mysql-before-adopt." in text


@pytest.mark.parametrize(
    ("entry", "along"),
    [
        ({"mounted": True, "filled": False, "volume": ""}, True),
        ({"mounted": True, "filled": False, "volume": "coze_redis"}, True),
        ({"mounted": True, "filled": False, "volume": "0f" * 32}, False),
        ({"mounted": True, "filled": True, "volume": "0f" * 32}, True),
        ({"mounted": False, "filled": True, "volume": ""}, False),
    ],
)
def test_an_empty_volume_counts_if_somebody_has_named_it(entry: dict[str, Any], along: bool) -> None:
    assert _adopt.comes_along(entry) == along


def test_files_of_theirs_are_those_that_the_stack_has_otherwise() -> None:
    files = [{"path": "conf/" + name, "sha256": "1", "at": "/srv/" + name} for name in "cab"]
    found = {"coze-server": {**SERVER, "files": files}}
    assert _adopt.files_of_theirs(found, {"conf/a": "1", "conf/b": "2"}) == ["/srv/b", "/srv/c"]


def test_the_host_is_seen_as_if_it_were_out_of_the_way() -> None:
    info = {
        "containers": [{"name": "coze-mysql"}, {"name": "shop"}],
        "listeners": [{"address": "0.0.0.0", "port": 3306}, {"address": "0.0.0.0", "port": 22}],
        "stack": {"exists": False, "data": {"data/old": {"filled": False, "stamp": None}}},
        "memory": 1,
    }
    seen = _adopt.facts_without(info, FOUND, "coze")
    assert seen["containers"] == [{"name": "shop"}] and seen["listeners"] == [{"address": "0.0.0.0", "port": 22}] and seen["memory"] == 1
    taken = {"filled": True, "stamp": {"stack": "coze", "service": "mysql"}}
    assert seen["stack"]["data"] == {"data/old": {"filled": False, "stamp": None}, "data/mysql": taken}
    assert len(info["containers"]) == 2, "what was read stays"
