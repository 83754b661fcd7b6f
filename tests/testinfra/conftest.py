# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true on a host after a deployment. Run by Molecule, as root on the host, for any scenario."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "")) / "source"


@pytest.fixture(scope="module")
def model(host: Any) -> dict[str, Any]:
    """The stack model that the host keeps."""
    return json.loads(host.file("/opt/cozeops/coze/stack.json").content_string)


@pytest.fixture(scope="module")
def inspect(host: Any, model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """service -> what the Engine knows of its container."""
    names = [f"{model['name']}-{service}" for service in model["services"]]
    documents = json.loads(host.check_output("docker inspect " + " ".join(names)))
    return dict(zip(model["services"], documents, strict=True))


@pytest.fixture(scope="module")
def secrets() -> dict[str, str]:
    """The stack's secrets, as the controller keeps them."""
    path = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "secrets" / "coze.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def source() -> Path:
    """The source tree that was deployed."""
    return SOURCE


@pytest.fixture(scope="session")
def site() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run playbooks/site.yml once more against the scenario's hosts."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "ansible", "playbook", "-i", os.environ["MOLECULE_INVENTORY_FILE"], *arguments, str(ROOT / "playbooks" / "site.yml")]
        return subprocess.run(argv, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=600)

    return run


@pytest.fixture(scope="module")
def mysql(host: Any) -> Callable[[str], list[list[str]]]:
    """Rows of a query in the stack's database."""

    def query(sql: str) -> list[list[str]]:
        command = 'MYSQL_PWD="$MYSQL_PASSWORD" exec mysql -h127.0.0.1 -u"$MYSQL_USER" -N -B -e "$0" "$MYSQL_DATABASE"'
        out = host.check_output("docker exec coze-mysql sh -c %s %s", command, sql)
        return [line.split("\t") for line in out.splitlines()]

    return query


@pytest.fixture(scope="module")
def search(host: Any) -> Callable[[str], Any]:
    """The JSON answer of Elasticsearch to a GET."""
    return lambda path: json.loads(host.check_output("docker exec coze-elasticsearch curl -fsS %s", f"http://127.0.0.1:9200{path}"))
