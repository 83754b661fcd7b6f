# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small stack for tests: a service of its model, the image, and what the Engine shows of the container made of them."""

from __future__ import annotations

import copy
import importlib.util
import io
import typing as t
import zipfile
from pathlib import Path

from ansible_collections.cozeops.studio.plugins.module_utils._container import nanoseconds, options
from ansible_collections.cozeops.studio.plugins.module_utils._definition import complete, hide
from ansible_collections.cozeops.studio.plugins.module_utils._digest import config_digest
from ansible_collections.cozeops.studio.plugins.module_utils._env_file import is_secret_key

KEY = "k" * 64
ROOT = "/opt/cozeops/lab"
CONTAINER_ID = "0123456789ab" + "c" * 52
#: The Engine APIs whose ways of saying the same differ: Engine 20.10 and 26.
APIS = ("1.41", "1.45")

ENV = {"MYSQL_ROOT_PASSWORD": "root-s3cret", "MYSQL_DATABASE": "opencoze", "EMPTY": ""}

IMAGE: dict[str, t.Any] = {
    "Id": "sha256:" + "1" * 64,
    "Config": {
        "Cmd": ["mysqld"],
        "Entrypoint": ["docker-entrypoint.sh"],
        "Env": ["PATH=/usr/bin:/bin", "MYSQL_VERSION=8.4.5"],
        "User": "",
        "Labels": {"maintainer": "somebody"},
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 10**9, "StartInterval": 10**8},
    },
}

DEFINITION: dict[str, t.Any] = {
    "name": "mysql",
    "image": "mysql:8.4.5",
    "command": ["mysqld", "--character-set-server=utf8mb4"],
    "user": "999:999",
    "data": [{"path": "data/mysql", "owner": 999, "group": 999}],
    "mounts": [
        {"source": "data/mysql", "target": "/var/lib/mysql"},
        {"source": "conf/mysql", "target": "/cozeops", "read_only": True},
        {"source": "/etc/localtime", "target": "/etc/localtime", "read_only": True},
    ],
    "tmpfs": {"/var/run/mysqld": "uid=999,gid=999,mode=0755"},
    "ports": [{"address": "127.0.0.1", "port": 3306, "container_port": 3306}, {"address": "::1", "port": 3307, "container_port": 3306}],
    "aliases": ["coze-mysql", "mysql"],
    "memory": "1g",
    "cpus": 2.01,
    "pids_limit": 512,
    "ulimits": {"nofile": 65536},
    "cap_add": ["NET_BIND_SERVICE", "CHOWN"],
    "extra_hosts": {"llm": "192.0.2.1"},
    "stop_timeout": 60,
    "stop_signal": "SIGQUIT",
    "healthcheck": {"test": "mysqladmin ping", "interval": "30s", "timeout": "10s", "retries": 3, "start_period": "1m"},
}


def model_of(*services: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    """The part of a stack model that tests look at."""
    return {
        "name": "lab",
        "root": ROOT,
        "network": "lab",
        "network_kind": "bridge",
        "host": "a",
        "hosts": ["a"],
        "placement": {service["name"]: ["a"] for service in services},
        "image_source": "registry",
        "log_options": {"max-size": "10m", "max-file": "3"},
        "services": {service["name"]: service for service in services},
        **more,
    }


def service_of(env: t.Mapping[str, str] | None = None, **more: t.Any) -> dict[str, t.Any]:
    """A service of the model: the definition above with ``more`` over it, and with its environment as the model shows it."""
    service = complete(copy.deepcopy({**DEFINITION, **more}))
    own = ENV if env is None else env
    service["env"] = hide(own, {name for name in own if is_secret_key(name)}, KEY)
    service.update({"on_change": {}, "file_digests": {}, "tree_changes": {}, "role": "mysql"})
    service["config"] = config_digest(KEY, {name: value for name, value in service.items() if name != "file_digests"})
    return service


def without_zeros(value: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {name: part for name, part in value.items() if part}


def port_bindings(published: t.Iterable[str]) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for entry in published:
        address, port, container_port = entry.rsplit(":", 2)
        bindings.setdefault(container_port + "/tcp", []).append({"HostIp": address.strip("[]"), "HostPort": port})
    return bindings


def healthcheck_of(wanted: dict[str, t.Any], image: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """The Engine fills what the container does not say from the image."""
    check = wanted.get("healthcheck")
    own = without_zeros(
        {
            "Test": ["CMD-SHELL", check["test"]] if isinstance(check["test"], str) else check["test"],
            "Interval": nanoseconds(check["interval"]),
            "Timeout": nanoseconds(check["timeout"]),
            "StartPeriod": nanoseconds(check["start_period"]),
            "Retries": check["retries"],
        }
        if check
        else {}
    )
    return {**(image["Config"].get("Healthcheck") or {}), **own} or None


def inspect_of(
    service: dict[str, t.Any], env: t.Mapping[str, str] | None = None, image: dict[str, t.Any] | None = None, api: str = "1.41", **model: t.Any
) -> dict[str, t.Any]:
    """What the Engine shows of a container that docker_container made of the service, in the words of its API."""
    image = IMAGE if image is None else image
    wanted = options(model_of(service, **model), service)
    new = api != "1.41"
    own_env = ENV if env is None else env
    from_image = [pair for pair in image["Config"].get("Env") or [] if pair.split("=")[0] not in own_env]
    given_entrypoint = "entrypoint" in wanted
    short_id = CONTAINER_ID[:12]
    networks = {
        network["name"]: {
            # Newer Engines keep the operator's aliases apart from their own names.
            "Aliases": network["aliases"] if new else [*network["aliases"], short_id, wanted["hostname"]],
            **({"DNSNames": [wanted["name"], *network["aliases"], short_id, wanted["hostname"]]} if new else {}),
        }
        for network in wanted["networks"]
    }
    return copy.deepcopy(
        {
            "Id": CONTAINER_ID,
            "Name": "/" + wanted["name"],
            "Created": "2026-01-31T12:00:00.123456789Z",
            "Image": image["Id"],
            "State": {"Status": "running", "StartedAt": "2026-01-31T12:00:00.123456789Z"},
            "Config": {
                "Image": wanted["image"],
                "Cmd": wanted.get("command", None if given_entrypoint else image["Config"].get("Cmd")),
                "Entrypoint": wanted.get("entrypoint", image["Config"].get("Entrypoint")),
                "User": wanted.get("user", image["Config"].get("User") or ""),
                "Hostname": wanted["hostname"],
                "Env": ["%s=%s" % pair for pair in own_env.items()] + from_image,
                "Labels": {**(image["Config"].get("Labels") or {}), **wanted["labels"]},
                "StopTimeout": wanted["stop_timeout"],
                **without_zeros({"StopSignal": wanted.get("stop_signal") or image["Config"].get("StopSignal")}),
                **without_zeros({"Healthcheck": healthcheck_of(wanted, image)}),
            },
            "HostConfig": {
                "Binds": None,
                "Mounts": [
                    {
                        "Type": "bind",
                        "Source": mount["source"],
                        "Target": mount["target"],
                        **without_zeros({"ReadOnly": mount["read_only"]}),
                        **({"BindOptions": {}} if new else {}),
                    }
                    for mount in wanted["mounts"]
                ],
                "Tmpfs": dict(entry.split(":", 1) for entry in wanted["tmpfs"]) or None,
                "PortBindings": port_bindings(wanted["published_ports"]),
                "ExtraHosts": ["%s:%s" % pair for pair in wanted["etc_hosts"].items()] or None,
                "RestartPolicy": {"Name": wanted["restart_policy"], "MaximumRetryCount": 0},
                "Memory": int(wanted.get("memory", 0)),
                "NanoCpus": round(wanted.get("cpus", 0) * 1e9),
                "PidsLimit": wanted.get("pids_limit", None if new else 0),
                "Ulimits": [
                    {"Name": name, "Soft": int(soft), "Hard": int(hard)} for name, soft, hard in (limit.split(":") for limit in wanted["ulimits"])
                ],
                "CapAdd": [("CAP_" if new else "") + name for name in wanted["capabilities"]] or None,
                "CapDrop": wanted["cap_drop"],
                "SecurityOpt": wanted["security_opts"],
                "Privileged": False,
                "ReadonlyRootfs": False,
                "Init": False,
                "LogConfig": {"Type": wanted["log_driver"], "Config": wanted["log_options"]},
            },
            "NetworkSettings": {"Networks": networks},
        }
    )


def plugin_zip(name: str = "analysis-smartcn", version: str = "8.18.0") -> bytes:
    """What tells of a plugin of Elasticsearch, without the plugin."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("plugin-descriptor.properties", "# a comment\nname=%s\nversion=%s\nelasticsearch.version=%s\n" % (name, version, version))
    return data.getvalue()


def lab_tree(line: str, dest: Path) -> Path:
    """The lab's own source tree of a release line; with a stand-in for the plugin, which an image build makes."""
    spec = importlib.util.spec_from_file_location("lab_source", Path(__file__).resolve().parents[2] / "lab" / "source.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for path, content in {**module.files(line), "docker/volumes/elasticsearch/analysis-smartcn.zip": plugin_zip()}.items():
        (dest / path).parent.mkdir(parents=True, exist_ok=True)
        (dest / path).write_bytes(content)
    return dest
