# SPDX-License-Identifier: GPL-3.0-or-later
"""The init jobs against real stores: check, do, again, again in check mode; then what can go wrong."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import typing as t
from unittest import mock

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

ROOT = pathlib.Path(__file__).resolve().parents[2]
UPSTREAM = ROOT.parent / "shared" / "upstream"
MYSQL = "mysql:8.4.5"
ELASTICSEARCH = "bitnamilegacy/elasticsearch:8.18.0"
MINIO = "minio/minio:RELEASE.2025-06-13T11-33-47Z-cpuv1"
#: A password with everything that a shell, a URL, JSON or an option file could trip over.
PASSWORD = "p\"a\\s'/:@ $x%é#`"
LEAST_RIGHTS = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--read-only", "--tmpfs", "/tmp:mode=1777"]

pytestmark = pytest.mark.integration


def docker(*arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def has_image(image: str) -> bool:
    return shutil.which("docker") is not None and subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0


def start(name: str, image: str, *arguments: str) -> str:
    """A container of the image; a test that finds no image is skipped."""
    if not has_image(image):
        pytest.skip(f"no image {image} (or no Engine): run make lab")
    container = f"ini-{name}-{os.getpid()}"
    subprocess.run(["docker", "rm", "-fv", container], capture_output=True, check=False)
    options, command = (arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]) if "--" in arguments else (arguments, ())
    docker("run", "-d", "--name", container, *options, image, *command)
    return container


def wait_for(what: str, ready: t.Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"{what} after {seconds} s"
        time.sleep(0.2)


def payload(options: dict[str, t.Any]) -> str:
    return json.dumps({"ANSIBLE_MODULE_ARGS": options})


def call(module: str, options: dict[str, t.Any], check: bool = False) -> dict[str, t.Any]:
    """The module's result; in this process, which saves half a second a call."""
    main = importlib.import_module(f"ansible_collections.cozeops.studio.plugins.modules.{module}").main
    printed = io.StringIO()
    warnings: list[str] = []
    given = patch_module_args({**options, "_ansible_check_mode": check})
    warned = mock.patch.object(AnsibleModule, "warn", lambda _self, text: warnings.append(text))
    with given, warned, contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
        main()
    assert PASSWORD not in printed.getvalue()
    result = json.loads(printed.getvalue())
    assert "skipped" not in result, "Ansible takes a task with such a key for one that was skipped"
    return {**result, "warnings": warnings}


def succeed(module: str, options: dict[str, t.Any], check: bool = False) -> dict[str, t.Any]:
    result = call(module, options, check)
    assert not result.get("failed"), result["msg"]
    return result


def four_calls(module: str, options: dict[str, t.Any]) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Check, do, again, again in check mode. Returns what the first two gave."""
    ledger = pathlib.Path(options["ledger"])
    before = ledger.read_text() if ledger.exists() else None
    checked = succeed(module, options, check=True)
    assert (ledger.read_text() if ledger.exists() else None) == before, "check mode wrote the ledger"
    done = succeed(module, options)
    assert (checked["changed"], done["changed"]) == (True, True)
    assert checked["diff"] == done["diff"]
    assert ledger.stat().st_mode & 0o777 == 0o600
    recorded = ledger.read_text()
    for check in (False, True):
        again = succeed(module, options, check)
        assert not again["changed"], again
        assert again["diff"] == {"before": "", "after": ""}
    assert ledger.read_text() == recorded
    return checked, done


# --- mysql_schema ---

SCHEMA = """SET NAMES utf8mb4;
CREATE DATABASE IF NOT EXISTS opencoze COLLATE utf8mb4_unicode_ci;
-- the first table; with a semicolon
CREATE TABLE IF NOT EXISTS `talk` (`id` bigint NOT NULL COMMENT 'a; b', `key` varchar(99) NULL, PRIMARY KEY (`id`), INDEX `by_key` (`key`));
CREATE TABLE IF NOT EXISTS `model` (`id` bigint NOT NULL, PRIMARY KEY (`id`));
INSERT INTO opencoze.talk (id, `key`) VALUES (1, 'opencoze.x') ON DUPLICATE KEY UPDATE id = VALUES(id);
"""
MIGRATIONS = {
    "20250101000000_initial.sql": "CREATE TABLE `opencoze`.`talk` (`id` bigint NOT NULL, `desc` varchar(99) NULL);",
    "20250201000000_update.sql": "ALTER TABLE `opencoze`.`talk` RENAME COLUMN `desc` TO `key`, ADD INDEX `by_key` (`key`);",
    "20250301000000_update.sql": '-- new\nCREATE TABLE `opencoze`.`model` (`id` bigint NOT NULL COMMENT "it\'s", PRIMARY KEY (`id`));',
    "20250401000000_update.sql": 'ALTER TABLE `opencoze`.`model` COMMENT "models";',
    "20250501000000_update.sql": """ALTER TABLE `opencoze`.`talk` ADD COLUMN `user_id` varchar(255) NOT NULL DEFAULT "";

ALTER TABLE `opencoze`.`model` ADD COLUMN `extra` json NULL;""",
}


@pytest.fixture(scope="module")
def mysql_server() -> t.Iterator[str]:
    container = start(
        "mysql", MYSQL, *LEAST_RIGHTS, "--user", "999:999", "--memory", "768m",
        "--tmpfs", "/var/run/mysqld:uid=999", "--tmpfs", "/var/lib/mysql:uid=999,mode=0700",
        "-e", f"MYSQL_ROOT_PASSWORD={PASSWORD}", "-e", "MYSQL_DATABASE=shop-1", "-e", "WRONG=wrong",
        "--", "--performance-schema=OFF", "--innodb-buffer-pool-size=64M",
    )  # fmt: skip
    wait_for("MySQL does not answer", lambda: "Access denied" in refused(container))
    yield container
    docker("rm", "-fv", container)


def refused(container: str) -> str:
    """What MySQL says to somebody without a password, by TCP."""
    client = ["mysql", "-h127.0.0.1", "--protocol=tcp", "-uroot", "-e", "SELECT 1"]
    return subprocess.run(["docker", "exec", container, *client], capture_output=True, text=True, check=False).stderr


def query(container: str, sql: str) -> list[str]:
    script = 'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" exec mysql -h127.0.0.1 --protocol=tcp -uroot -N --default-character-set=utf8mb4'
    return docker("exec", "-i", container, "sh", "-c", script, stdin=sql).splitlines()


class Database(t.NamedTuple):
    container: str
    name: str
    folder: pathlib.Path
    options: dict[str, t.Any]

    def query(self, sql: str) -> list[str]:
        return query(self.container, f"USE `{self.name}`;\n{sql}")

    def columns(self) -> list[str]:
        return self.query("SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1")

    def done(self) -> list[str]:
        path = pathlib.Path(self.options["ledger"])
        return json.loads(path.read_text())["init"]["mysql_schema"]["done"] if path.exists() else []


@pytest.fixture
def database(mysql_server: str, tmp_path: pathlib.Path) -> Database:
    """An empty database of an odd name, and the files of a small release."""
    name = "shop-1"
    query(mysql_server, f"DROP DATABASE IF EXISTS opencoze; DROP DATABASE IF EXISTS `{name}`; CREATE DATABASE `{name}`")
    (tmp_path / "migrations").mkdir()
    (tmp_path / "schema.sql").write_text(SCHEMA)
    for file, text in MIGRATIONS.items():
        (tmp_path / "migrations" / file).write_text(text)
    files = {"schema": str(tmp_path / "schema.sql"), "migrations": str(tmp_path / "migrations")}
    return Database(mysql_server, name, tmp_path, {"container": mysql_server, "ledger": str(tmp_path / ".mysql.json"), **files})


COMPLETE = ["model.extra", "model.id", "talk.id", "talk.key", "talk.user_id"]


def test_fresh_database(database: Database) -> None:
    checked, done = four_calls("mysql_schema", {**database.options, "digest": "d1", "schema_version": "20250401000000"})
    assert checked["applied"] == done["applied"] == ["schema.sql", "20250501000000_update.sql"]
    assert (checked["tables"], done["tables"], done["missing"]) == (0, 2, [])
    assert database.columns() == COMPLETE
    assert database.query("SELECT `key` FROM talk") == ["opencoze.x"]
    assert "opencoze" not in database.query("SHOW DATABASES"), "the name in the files was taken literally"
    assert database.done() == ["schema.sql", *MIGRATIONS]


def test_database_of_an_older_release_gets_what_it_lacks(database: Database) -> None:
    database.query("CREATE TABLE talk (id bigint NOT NULL, `key` varchar(99) NULL, PRIMARY KEY (id), INDEX by_key (`key`))")
    database.query("INSERT INTO talk VALUES (7, 'mine')")
    _checked, done = four_calls("mysql_schema", database.options)
    assert done["applied"] == ["20250301000000_update.sql", "20250401000000_update.sql", "20250501000000_update.sql"]
    assert database.columns() == COMPLETE
    assert database.query("SELECT id, `key`, user_id FROM talk") == ["7\tmine\t"]


def test_lost_ledger_changes_nothing_but_the_ledger(database: Database) -> None:
    succeed("mysql_schema", database.options)
    pathlib.Path(database.options["ledger"]).unlink()
    result = succeed("mysql_schema", database.options)
    assert (result["applied"], result["changed"]) == ([], True)
    assert not succeed("mysql_schema", database.options)["changed"]


def test_column_that_was_dropped_comes_back_with_a_warning(database: Database) -> None:
    succeed("mysql_schema", database.options)
    database.query("ALTER TABLE model DROP COLUMN extra")
    result = succeed("mysql_schema", database.options)
    assert "column model.extra" in str(result["warnings"])
    assert database.columns() == COMPLETE


def test_data_directory_that_was_emptied_is_loaded_anew(database: Database) -> None:
    succeed("mysql_schema", database.options)
    database.query("DROP TABLE talk, model")
    result = succeed("mysql_schema", database.options)
    assert "loaded anew" in str(result["warnings"])
    assert database.columns() == COMPLETE


def test_killed_half_way_and_run_again(database: Database) -> None:
    slow = SCHEMA.replace("CREATE TABLE IF NOT EXISTS `model`", "DO SLEEP(3);\nCREATE TABLE IF NOT EXISTS `model`")
    (database.folder / "schema.sql").write_text(slow)
    module = str(ROOT / "plugins" / "modules" / "mysql_schema.py")
    process = subprocess.Popen([sys.executable, module], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stdin
    process.stdin.write(payload(database.options))
    process.stdin.close()
    wait_for("nothing is recorded", lambda: "schema.sql#3" in database.done(), 20)
    process.kill()
    process.wait()
    assert "model.id" not in database.columns()
    result = succeed("mysql_schema", database.options)
    assert result["applied"][0] == "schema.sql"
    assert database.columns() == COMPLETE
    assert database.query("SELECT COUNT(*) FROM talk") == ["1"]
    assert not succeed("mysql_schema", database.options)["changed"]


def test_statement_that_fails_is_named_and_what_ran_before_is_kept(database: Database) -> None:
    bad = database.folder / "migrations" / "20250501000000_update.sql"
    good = bad.read_text()
    bad.write_text(good.replace("json NULL", "jsoon NULL"))
    result = call("mysql_schema", database.options)
    assert result["failed"]
    assert "20250501000000_update.sql, statement 2 (line 3)" in result["msg"]
    assert "MySQL error 1064 (42000)" in result["msg"]
    assert "20250501000000_update.sql#1" in database.done()
    bad.write_text(good)
    assert succeed("mysql_schema", database.options)["statements"] == ["20250501000000_update.sql, statement 2 (line 3): ALTER TABLE model: column model.extra"]


def test_effect_that_is_there_already_is_no_error(database: Database) -> None:
    (database.folder / "migrations" / "20250501000000_update.sql").write_text(
        "CREATE INDEX `by_key` ON `opencoze`.`talk` (`key`);\nALTER TABLE `opencoze`.`talk` DROP INDEX `by_key`;\n"
        "ALTER TABLE `opencoze`.`talk` ADD COLUMN `user_id` int NULL;\nALTER TABLE `opencoze`.`model` ADD COLUMN `extra` json NULL;"
    )
    result = succeed("mysql_schema", database.options)
    assert "statement 1 (line 1): MySQL error 1061" in str(result["already_there"])
    assert database.columns() == COMPLETE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password_env": "WRONG"}, "MySQL error 1045 (28000)"),
        ({"password_env": "WRONG"}, "the password in the container's environment is not the one that the data directory was made with"),
        ({"password_env": "NOT_SET"}, "the container has no variable NOT_SET"),
        ({"password_env": "a;b"}, "password_env: 'a;b' is not the name of an environment variable"),
        ({"database": "nonesuch"}, "MySQL error 1049 (42000)"),
        ({"container": "ini-nonesuch"}, "there is no container ini-nonesuch on this host"),
        ({"schema": "/nonesuch/schema.sql"}, "there is no file /nonesuch/schema.sql"),
        ({"schema_version": "v1"}, "schema_version: 'v1' is not the digits of a migration"),
    ],
)
def test_bad_input_of_mysql_schema(database: Database, change: dict[str, t.Any], said: str) -> None:
    result = call("mysql_schema", {**database.options, **change})
    assert result["failed"]
    assert said in result["msg"]
    assert database.columns() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("CREATE TABLE a (\nid int COMMENT 'x);", "schema.sql, line 2: a string that begins with ' is never closed"),
        ("SELECT 1;\nDELIMITER //", "schema.sql, line 2: DELIMITER is not supported"),
        ("SELECT 1;", "defines no table"),
    ],
)
def test_bad_schema_file(database: Database, text: str, said: str) -> None:
    (database.folder / "schema.sql").write_text(text)
    result = call("mysql_schema", database.options)
    assert result["failed"]
    assert said in result["msg"]


def test_column_that_nothing_adds_stops_before_anything_is_changed(database: Database) -> None:
    database.query("CREATE TABLE talk (id bigint)")
    (database.folder / "schema.sql").write_text(SCHEMA.replace("`key` varchar", "`lost` int, `key` varchar"))
    result = call("mysql_schema", database.options)
    assert result["failed"]
    assert "lacks column talk.lost, which schema.sql defines and no migration adds" in result["msg"]
    assert database.columns() == ["talk.id"]


def test_check_mode_where_the_store_is_not_there(database: Database) -> None:
    result = succeed("mysql_schema", {**database.options, "container": "ini-nonesuch"}, check=True)
    assert result["changed"]
    assert result["msg"].startswith("would load ")


def test_damaged_ledger_is_not_overwritten(database: Database) -> None:
    pathlib.Path(database.options["ledger"]).write_text("{")
    result = call("mysql_schema", database.options)
    assert result["failed"]
    assert "cannot be read" in result["msg"]
    assert database.columns() == []


def upstream(version: str) -> dict[str, str]:
    docker_folder = UPSTREAM / f"coze-studio-{version}" / "docker"
    if not docker_folder.is_dir():
        pytest.skip(f"no {docker_folder}")
    return {"schema": str(docker_folder / "volumes" / "mysql" / "schema.sql"), "migrations": str(docker_folder / "atlas" / "migrations")}


@pytest.mark.parametrize(("version", "tables"), [("0.2.2", 45), ("0.5.1", 55)])
def test_real_schema(database: Database, version: str, tables: int) -> None:
    _checked, done = four_calls("mysql_schema", {**database.options, **upstream(version)})
    assert done["tables"] == tables == len(database.query("SHOW TABLES"))
    assert ("conversation.user_id" in database.columns()) == (version == "0.5.1")


DEFINITIONS = (
    "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA"
    " FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1, 2;"
    "SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE"
    " FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1, 2, 3"
)


@pytest.mark.parametrize("ledger", ["kept", "lost"])
def test_real_upgrade_gives_what_a_fresh_load_gives(database: Database, ledger: str) -> None:
    new = {**database.options, **upstream("0.5.1")}
    succeed("mysql_schema", new)
    fresh = database.query(DEFINITIONS)
    query(database.container, f"DROP DATABASE `{database.name}`; CREATE DATABASE `{database.name}`")
    succeed("mysql_schema", {**database.options, **upstream("0.2.2")})
    database.query("INSERT INTO conversation (agent_id, scene) VALUES (1, 2)")
    if ledger == "lost":
        pathlib.Path(database.options["ledger"]).unlink()
    _checked, done = four_calls("mysql_schema", new)
    assert done["tables"] == 55
    assert "schema.sql" not in done["applied"]
    assert database.query(DEFINITIONS) == fresh
    assert database.query("SELECT agent_id, user_id FROM conversation") == ["1\t"]


def test_real_database_of_line_0_3(database: Database) -> None:
    new = {**database.options, **upstream("0.5.1")}
    succeed("mysql_schema", new)
    fresh = database.columns()
    database.query(
        "DROP TABLE kv_entries, model_instance; ALTER TABLE conversation DROP COLUMN user_id;"
        "ALTER TABLE agent_tool_draft DROP COLUMN source; ALTER TABLE agent_tool_version DROP COLUMN source; ALTER TABLE shortcut_command DROP COLUMN source"
    )
    pathlib.Path(database.options["ledger"]).unlink()
    _checked, done = four_calls("mysql_schema", new)
    assert [name[:14] for name in done["applied"]] == ["20251015103940", "20251016034721", "20251024091145", "20251028085526"]
    assert database.columns() == fresh


# --- search_index ---


def template(name: str, **fields: t.Any) -> dict[str, t.Any]:
    named = {"type": "text", "analyzer": "smartcn", "fields": {"raw": {"type": "keyword"}}}
    return {
        "index_patterns": [f"{name}*"],
        "template": {
            "settings": {"number_of_shards": 1, "number_of_replicas": 0, "analysis": {"analyzer": {"smartcn": {"type": "smartcn"}}}},
            "mappings": {"dynamic": False, "properties": {"name": named, **fields}},
        },
        "priority": 200,
        "_meta": {"description": "for a test"},
    }


@pytest.fixture(scope="module")
def elasticsearch_server() -> t.Iterator[str]:
    environment = ["-e", "ELASTICSEARCH_PLUGINS=file:///opt/lab/analysis-smartcn.zip", "-e", "ELASTICSEARCH_HEAP_SIZE=512m"]
    container = start("elasticsearch", ELASTICSEARCH, "--memory", "1g", *environment)
    wait_for("Elasticsearch does not answer", lambda: elastic_status(container, "/_cluster/health?wait_for_status=yellow") == "200")
    yield container
    docker("rm", "-fv", container)


def elastic_status(container: str, path: str) -> str:
    client = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:9200{path}"]
    return subprocess.run(["docker", "exec", container, *client], capture_output=True, text=True, check=False).stdout


def elastic(container: str, method: str, path: str, body: t.Any = None) -> t.Any:
    extra = [] if body is None else ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    return json.loads(docker("exec", container, "curl", "-s", "-X", method, f"http://127.0.0.1:9200{path}", *extra))


@pytest.fixture
def search(elasticsearch_server: str, tmp_path: pathlib.Path) -> t.Iterator[dict[str, t.Any]]:
    folder = tmp_path / "templates"
    folder.mkdir()
    names = ["ini_a", "ini_b"]
    for name in names:
        (folder / f"{name}.index-template.json").write_text(json.dumps(template(name)))
    yield {"container": elasticsearch_server, "ledger": str(tmp_path / ".elasticsearch.json"), "templates": str(folder)}
    for name in [*names, "coze_resource", "project_draft"]:
        elastic(elasticsearch_server, "DELETE", f"/{name}")
        elastic(elasticsearch_server, "DELETE", f"/_index_template/{name}")


def test_templates_and_indices(search: dict[str, t.Any]) -> None:
    checked, done = four_calls("search_index", search)
    for result in (checked, done):
        assert (result["templates"], result["indices"]) == (["ini_a", "ini_b"], ["ini_a", "ini_b"])
    index = elastic(search["container"], "GET", "/ini_a")["ini_a"]
    assert index["settings"]["index"]["refresh_interval"] == "10ms"
    assert index["mappings"]["dynamic"] == "false"
    assert index["mappings"]["properties"]["name"]["fields"] == {"raw": {"type": "keyword"}}


def test_missing_half_is_made(search: dict[str, t.Any]) -> None:
    succeed("search_index", search)
    elastic(search["container"], "DELETE", "/ini_b")
    elastic(search["container"], "PUT", "/ini_a/_settings", {"index": {"refresh_interval": "1s"}})
    result = succeed("search_index", search)
    assert (result["templates"], result["indices"], result["settings"]) == ([], ["ini_b"], ["ini_a"])


def test_newer_template_leaves_the_index_and_says_so(search: dict[str, t.Any]) -> None:
    succeed("search_index", search)
    (pathlib.Path(search["templates"]) / "ini_a.index-template.json").write_text(json.dumps(template("ini_a", more={"type": "long"})))
    result = succeed("search_index", search)
    assert (result["templates"], result["indices"]) == (["ini_a"], [])
    assert "differs in mappings" in result["diff"]["after"]
    assert "index ini_a was made from an older template and lacks more" in str(result["warnings"])
    assert not succeed("search_index", search)["changed"]


def test_index_made_by_a_write_is_reported_and_not_deleted(search: dict[str, t.Any]) -> None:
    elastic(search["container"], "POST", "/ini_a/_doc?refresh=true", {"name": "x"})
    for check in (True, False):
        result = call("search_index", search, check)
        assert result["failed"]
        assert "index ini_a: dynamic is true, not false" in result["msg"]
        assert "Way out: stop coze-server, delete the index (ini_a)" in result["msg"]
        assert result["problems"]
    assert elastic(search["container"], "GET", "/ini_a/_count")["count"] == 1
    assert elastic_status(search["container"], "/_index_template/ini_a") == "404"
    assert succeed("search_index", {**search, "wrong_index": "warn"})["templates"] == ["ini_a", "ini_b"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"plugin": "analysis-nonesuch"}, "lacks the plugin analysis-nonesuch"),
        ({"plugin": "analysis-nonesuch"}, "made for exactly Elasticsearch 8.18.0"),
        ({"templates": "/nonesuch"}, "there is no directory /nonesuch"),
        ({"port": 9}, "does not answer on port 9"),
        ({"password_env": "NOT_SET"}, "has no variable NOT_SET"),
    ],
)
def test_bad_input_of_search_index(search: dict[str, t.Any], change: dict[str, t.Any], said: str) -> None:
    result = call("search_index", {**search, **change})
    assert result["failed"]
    assert said in result["msg"]
    assert elastic_status(search["container"], "/ini_a") == "404"


@pytest.mark.parametrize(("text", "said"), [("{", "is not JSON"), ("{}", "has no index_patterns")])
def test_bad_template_file(search: dict[str, t.Any], text: str, said: str) -> None:
    (pathlib.Path(search["templates"]) / "ini_b.index-template.json").write_text(text)
    result = call("search_index", search)
    assert result["failed"]
    assert said in result["msg"]
    assert "ini_b.index-template.json" in result["msg"]


def test_real_templates(search: dict[str, t.Any]) -> None:
    folder = UPSTREAM / "coze-studio-0.5.1" / "docker" / "volumes" / "elasticsearch" / "es_index_schema"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    _checked, done = four_calls("search_index", {**search, "templates": str(folder)})
    assert done["present"] == ["coze_resource", "project_draft"]


# --- bucket_seed ---


@pytest.fixture(scope="module")
def minio_trees(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("trees")
    folder.chmod(0o755)  # the server's uid must see it
    real = UPSTREAM / "coze-studio-0.5.1" / "docker" / "volumes" / "minio"
    for name in ("default_icon", "official_plugin_icon"):
        if (real / name).is_dir():
            shutil.copytree(real / name, folder / "real" / name, copy_function=shutil.copyfile)
    (folder / "icons" / "deep er").mkdir(parents=True)
    for directory, _folders, _names in os.walk(folder):
        os.chmod(directory, 0o755)
    return folder


@pytest.fixture(scope="module")
def minio_server(minio_trees: pathlib.Path) -> t.Iterator[str]:
    container = start(
        "minio", MINIO, *LEAST_RIGHTS, "--user", "1000:1000", "--memory", "512m", "--tmpfs", "/data:uid=1000,mode=0700", "-v", f"{minio_trees}:/seed:ro",
        "-e", "MINIO_ROOT_USER=us er", "-e", f"MINIO_ROOT_PASSWORD={PASSWORD}", "-e", "WRONG=wrongwrong",
        "--", "server", "/data",
    )  # fmt: skip
    ready = ["docker", "exec", container, "curl", "-sf", "http://127.0.0.1:9000/minio/health/ready"]
    wait_for("MinIO does not answer", lambda: subprocess.run(ready, check=False).returncode == 0)
    yield container
    docker("rm", "-fv", container)


def mc(container: str, *arguments: str) -> str:
    script = 'printf "%s\\n%s\\n" "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" | mc alias set local http://127.0.0.1:9000 >/dev/null && exec mc "$@"'
    return docker("exec", "-e", "MC_CONFIG_DIR=/tmp/test", container, "sh", "-c", script, "sh", *arguments)


@pytest.fixture
def bucket(minio_server: str, minio_trees: pathlib.Path, tmp_path: pathlib.Path) -> t.Iterator[dict[str, t.Any]]:
    for name, content in {"a.png": "aa", "b & 'c'.png": "bb", "deep er/图标.png": "cc", "deep er/-x": ""}.items():
        (minio_trees / "icons" / name).write_text(content)
    trees = [{"source": str(minio_trees / "icons"), "target": "/seed/icons", "prefix": "default_icon"}]
    yield {"container": minio_server, "ledger": str(tmp_path / ".minio.json"), "bucket": "ini-bucket", "trees": trees}
    mc(minio_server, "rb", "--force", "local/ini-bucket")


KEYS = ["default_icon/a.png", "default_icon/b & 'c'.png", "default_icon/deep er/-x", "default_icon/deep er/图标.png"]


def test_bucket_and_files(bucket: dict[str, t.Any]) -> None:
    checked, done = four_calls("bucket_seed", bucket)
    for result in (checked, done):
        assert (result["bucket_made"], result["uploaded"]) == (True, KEYS)
    assert (checked["present"], done["present"]) == (0, 4)
    assert mc(bucket["container"], "cat", "local/ini-bucket/default_icon/deep er/图标.png") == "cc"
    assert ".cozeops" not in docker("exec", bucket["container"], "ls", "-a", "/tmp"), "the keys were left in the container"


def test_only_what_is_missing_or_differs_is_uploaded_and_nothing_deleted(bucket: dict[str, t.Any], minio_trees: pathlib.Path) -> None:
    succeed("bucket_seed", bucket)
    mc(bucket["container"], "rm", "local/ini-bucket/default_icon/a.png")
    mc(bucket["container"], "cp", "/etc/hostname", "local/ini-bucket/default_icon/theirs")
    (minio_trees / "icons" / "deep er" / "图标.png").write_text("dd")
    _checked, done = four_calls("bucket_seed", {**bucket, "digest": "2"})
    assert done["uploaded"] == ["default_icon/a.png", "default_icon/deep er/图标.png"]
    assert mc(bucket["container"], "cat", "local/ini-bucket/default_icon/deep er/图标.png") == "dd"
    assert "theirs" in mc(bucket["container"], "ls", "local/ini-bucket/default_icon/")


def test_bucket_alone(bucket: dict[str, t.Any]) -> None:
    _checked, done = four_calls("bucket_seed", {**bucket, "trees": []})
    assert (done["bucket_made"], done["uploaded"]) == (True, [])


def test_bad_input_of_bucket_seed(bucket: dict[str, t.Any]) -> None:
    tree = bucket["trees"][0]
    mc(bucket["container"], "mb", "local/ini-bucket")
    for change, said in (
        ({"trees": [{**tree, "source": "/nonesuch"}]}, "there is no directory /nonesuch on this host"),
        ({"trees": [{**tree, "target": "/elsewhere"}]}, "has no mount at /elsewhere"),
        ({"trees": [{**tree, "target": "/seed/elsewhere"}]}, "mc cp failed"),
        ({"password_env": "WRONG"}, "mc cannot log in"),
        ({"password_env": "NOT_SET"}, "lacks MINIO_ROOT_USER or NOT_SET"),
        ({"port": 9}, "Is MinIO ready?"),
        ({"bucket": "No_Such"}, "bucket No_Such"),
    ):
        result = call("bucket_seed", {**bucket, **change})
        assert result["failed"]
        assert said in result["msg"]


def test_real_icons(bucket: dict[str, t.Any], minio_trees: pathlib.Path) -> None:
    real = minio_trees / "real"
    if not real.is_dir():
        pytest.skip(f"no {UPSTREAM}")
    trees = [{"source": str(real / name), "target": f"/seed/real/{name}", "prefix": f"{name}/"} for name in ("default_icon", "official_plugin_icon")]
    _checked, done = four_calls("bucket_seed", {**bucket, "trees": trees})
    assert done["present"] == len(done["uploaded"]) == 92 + 22
