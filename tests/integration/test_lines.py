# SPDX-License-Identifier: GPL-3.0-or-later
"""Every release line can be deployed from the lab's own source tree, side by side on one host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, make_source, why_not

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]

TABLES = {"0.2": 45, "0.3": 53, "0.5": 55}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    lab_host = LabHost("lines", tmp_path_factory.mktemp("inventory"))
    yield lab_host
    lab_host.destroy()


@pytest.mark.parametrize(("line", "port"), [("0.2", 8802), ("0.3", 8803)])
def test_a_line_is_detected_deployed_and_proved(host: LabHost, tmp_path_factory: pytest.TempPathFactory, line: str, port: int) -> None:
    stack = "line-" + line.replace(".", "-")
    address = host.facts["address"]
    given: dict[str, Any] = {
        "stack_name": stack,
        "stack_source": str(make_source(line, tmp_path_factory.mktemp("tree") / line)),
        "stack_public_url": f"http://{address}:{port}",
    }
    run = host.site(**given)
    run.must_pass(changed=True)
    assert f"Coze Studio {line} runs as the stack {stack}" in run.output
    assert f"Open http://{address}:{port}" in run.output
    assert len(host.started(stack)) == (10 if line == "0.2" else 11)
    query = 'MYSQL_PWD="$MYSQL_PASSWORD" mysql -h127.0.0.1 -u"$MYSQL_USER" -N -e "SHOW TABLES" "$MYSQL_DATABASE" | wc -l'
    assert int(host.shell(f"docker exec {stack}-mysql sh -c '{query}'")) == TABLES[line]
    before = host.started(stack)
    host.site(**given).must_pass(changed=False)
    assert host.started(stack) == before
