# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor finds what was broken, says what follows from it, and finds nothing in a stack that is well."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, make_source, why_not

pytestmark = [pytest.mark.long(minutes=3), pytest.mark.skipif(bool(why_not()), reason=why_not())]

WEB = "/opt/cozeops/coze/conf/coze-web/nginx.conf"
RELOAD = "docker exec coze-coze-web nginx -c /cozeops/nginx.conf -s reload"
MYSQL = "docker exec coze-mysql sh -c 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql -uroot $MYSQL_DATABASE -e \"%s\"'"
REDIS = "docker exec coze-redis sh -c 'REDISCLI_AUTH=%s redis-cli %s'"
ELASTIC = "docker exec coze-elasticsearch curl -fsS %s http://127.0.0.1:9200/%s"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    folder = tmp_path_factory.mktemp("doctor")
    lab = LabHost("doctor", folder)
    lab.site(stack_source=str(make_source("0.5", folder / "source"))).must_pass(changed=True)
    yield lab
    lab.destroy()


def trace(lab: LabHost) -> str:
    return lab.shell("docker ps -aq --no-trunc | sort; find /opt/cozeops -name data -prune -o -printf '%p %m %u %s %T@\\n' | sort")


def test_nothing_is_found_in_a_stack_that_is_well(host: LabHost) -> None:
    before = trace(host)
    run = host.play("doctor")
    run.must_pass(changed=False)
    assert "Nothing is wrong that can be seen." in run.flat
    assert trace(host) == before


#: What is broken by hand, how it is mended, and what the doctor says.
CASES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "a store is killed": (
        "docker kill coze-mysql; sleep 1",
        "docker start coze-mysql",
        ("1. mysql on one: it is exited, with exit code 137.", "for want of it, also: "),
    ),
    "a store is stopped": ("docker stop -t 5 coze-redis", "docker start coze-redis", ("redis on one: it was stopped at ", "way out: start.yml starts it")),
    "a store is paused": ("docker pause coze-nsqd", "docker unpause coze-nsqd", ("nsqd on one: it is paused.", "way out: docker unpause coze-nsqd")),
    "a container is gone": ("docker rm -f coze-nsqadmin", "", ("nsqadmin on one: it has no container.", "way out: site.yml makes it so")),
    "a password was changed": (
        REDIS % ("$REDIS_PASSWORD", "CONFIG SET requirepass other"),
        REDIS % ("other", "CONFIG SET requirepass $REDIS_PASSWORD"),
        ("redis on one: it runs, and is not ready: redis: WRONGPASS",),
    ),
    "a column is lost": (
        MYSQL % "ALTER TABLE conversation RENAME COLUMN user_id TO lost",
        MYSQL % "ALTER TABLE conversation RENAME COLUMN lost TO user_id",
        ("mysql on one: the database opencoze lacks column conversation.user_id.", "that is: The server answers with errors such as Unknown column"),
    ),
    "an index is lost": (
        ELASTIC % ("-XDELETE", "project_draft"),
        ELASTIC % ("-XPUT", "project_draft"),
        ("elasticsearch on one: it lacks the index project_draft.", "that is: Search finds nothing"),
    ),
    "links lead nowhere": (
        f"sed -i.bak 's,location /local_storage/,location /lost/,' {WEB}; {RELOAD}; sleep 1",
        f"mv {WEB}.bak {WEB}; {RELOAD}",
        ("coze-web on one: links to files lead nowhere: /local_storage/opencoze/ gives HTTP 200, and not an answer of MinIO's.",),
    ),
    "another process took the port": (
        "docker stop -t 5 coze-coze-web; nohup python3 -m http.server 8888 --bind 127.0.0.1 >/dev/null 2>&1 & echo $! >/tmp/holder; sleep 8",
        "kill $(cat /tmp/holder); sleep 1; docker start coze-coze-web",
        ("coze-web on one: python3 (process ", ") listens on its port 8888.", "set stack_public_url to what is free, and run site.yml."),
    ),
    "a user lost its rights": (
        MYSQL % "REVOKE ALL ON opencoze.* FROM coze",
        MYSQL % "GRANT ALL ON opencoze.* TO coze",
        ("mysql on one: it runs, and is not ready",),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_was_broken_is_found(host: LabHost, case: str) -> None:
    broken, mended, says = CASES[case]
    host.shell(broken)
    try:
        run = host.play("doctor")
    finally:
        if mended:
            host.shell(mended)
        else:
            host.site(stack_source=str(host.folder / "source")).must_pass(changed=True)
    run.must_fail("The stack coze is not well; what is wrong with it stands above, causes first.", *says)


def test_vectors_of_another_length_are_a_doubt(host: LabHost) -> None:
    env = "/opt/cozeops/coze/env/coze-server.env"
    header = "-H 'Content-Type: application/json' -H 'Authorization: Bearer root:Milvus'"
    ask = f"docker exec coze-milvus curl -fsS {header} http://127.0.0.1:19530/v1/vector/collections/%s -d '%s'"
    model = {"EMBEDDING_TYPE": "openai", "OPENAI_EMBEDDING_DIMS": "1024", **{"OPENAI_EMBEDDING_" + key: "x" for key in ("BASE_URL", "MODEL", "API_KEY")}}
    host.shell(ask % ("create", json.dumps({"collectionName": "opencoze_lab", "dimension": 8})))
    lines = " ".join(f"{key}={value}" for key, value in model.items())
    host.shell(f"cp -p {env} /tmp/env; grep -v EMBEDDING /tmp/env >{env}; for line in {lines}; do echo $line >>{env}; done")
    run = host.play("doctor")
    host.shell(f"cp -p /tmp/env {env}; " + ask % ("drop", json.dumps({"collectionName": "opencoze_lab"})))
    run.must_pass()
    assert "(doubt) milvus on one: the vectors of opencoze_lab have another length than the 1024 of the embedding model." in run.flat


def test_what_can_be_started_is_started_if_asked_for(host: LabHost) -> None:
    host.shell("docker kill coze-mysql coze-coze-server; docker pause coze-nsqd; sleep 1")
    run = host.play("doctor", "--check", stack_doctor_fix=True)
    run.must_fail("The stack coze is not well; what is wrong with it stands above, causes first.")
    run = host.play("doctor", stack_doctor_fix=True)
    run.must_pass(changed=True)
    first, dummy, second = run.flat.partition("Examine the stack again")
    assert "1. mysql on one: it is exited" in first and "Nothing is wrong that can be seen." in second


def test_a_host_without_an_engine_or_a_stack_is_told(host: LabHost) -> None:
    host.play("doctor", stack_name="other").must_fail("there is no /opt/cozeops/other/stack.json: no stack was deployed there")
