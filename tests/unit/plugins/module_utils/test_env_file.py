# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of .env files, against tables and against the real readers: bash, dash, godotenv and docker compose's parser."""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._env_file import (
    MASK,
    EnvError,
    EnvResult,
    Problem,
    decode,
    expand,
    expand_value,
    is_secret_key,
    mask,
    mask_lines,
    override_strings,
    parse,
    render,
    resolve,
    secret_values,
)
from ansible_collections.cozeops.studio.plugins.module_utils._env_readers import compose_value, godotenv_value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

UPSTREAM = Path(__file__).resolve().parents[5] / "shared" / "upstream"
UPSTREAM_ENVS = sorted(UPSTREAM.glob("*/docker/.env*"))

SHELLS = [
    pytest.param(name, marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed"))
    for name in ("bash", "dash")
]
each_shell = pytest.mark.parametrize("shell", SHELLS)


def read(text: str, **kwargs: object) -> EnvResult:
    return resolve(text, ".env", **kwargs)  # type: ignore[arg-type]


def problems(text: str, **kwargs: object) -> list[str]:
    with pytest.raises(EnvError) as caught:
        read(text, **kwargs)
    return [str(problem) for problem in caught.value.problems]


def shell_env(shell: str, path: Path) -> dict[str, str]:
    """What a shell makes of a file, in an otherwise empty environment."""
    script = 'set -a; . "$1"; exec "$2" -0'
    done = subprocess.run([str(shutil.which(shell)), "-c", script, shell, str(path), str(shutil.which("env"))], env={}, capture_output=True, check=False)
    pairs = (entry.partition("=") for entry in done.stdout.decode("utf-8", "surrogateescape").split("\0") if entry)
    return {key: value for key, dummy, value in pairs if key not in ("PWD", "SHLVL", "_", "OLDPWD")}


# --- the grammar, line by line ---

ACCEPTED_BY_ALL = [
    ("A=1", "1"),
    ("export A=1", "1"),
    ("export\tA=1", "1"),
    ("  export   A=1", "1"),
    ("A=", ""),
    ("A=   ", ""),
    ('A=""', ""),
    ("A=''", ""),
    ("A=1   ", "1"),
    ("A=1 # comment", "1"),
    ("A=3600      # seconds", "3600"),
    ("A=a#b", "a#b"),
    ("A=#b", "#b"),
    ('A="x" # it\'s "quoted', "x"),
    ("A='x' # c", "x"),
    ('A=" x "', " x "),
    ("A=' x '", " x "),
    ('A="a # b"', "a # b"),
    ("A='a # b'", "a # b"),
    ("A='$X ${X} $(x) `x`'", "$X ${X} $(x) `x`"),
    (r"A='a\nb'", r"a\nb"),
    (r'A="a\"b"', 'a"b'),
    (r'A="a\\b"', r"a\b"),
    (r'A="a\$b"', "a$b"),
    ("A=a$", "a$"),
    ('A="a$"', "a$"),
    ('A="a$ b"', "a$ b"),
    ("A=a=b=c", "a=b=c"),
    ("A=a:b@c/d?e%f+g,h*i^j[k]l!m", "a:b@c/d?e%f+g,h*i^j[k]l!m"),
    ("A=漢字é", "漢字é"),
    ('A="漢 字"', "漢 字"),
    ("_a1=x", "x"),
    ("export=x", "x"),
    ("exported=x", "x"),
    ("A={x}", "{x}"),
]


@pytest.mark.parametrize(("line", "value"), ACCEPTED_BY_ALL)
def test_lines_that_every_reader_takes_alike_give_no_warning(line: str, value: str) -> None:
    result = read(line)
    assert list(result.env.values()) == [value]
    assert result.warnings == []


REFERENCES = [
    ("A=$X", "ex"),
    ("A=${X}", "ex"),
    ('A="$X"', "ex"),
    ('A="${X}y"', "exy"),
    ("A=$X-$X", "ex-ex"),
    ('A="http://$X:1"', "http://ex:1"),
    ("A=$E", ""),
    ("A=${X:-d}", "ex"),
    ("A=${E:-d}", "d"),
    ("A=${U:-d}", "d"),
    ("A=${X-d}", "ex"),
    ("A=${E-d}", ""),
    ("A=${U-d}", "d"),
    ("A=${U:-}", ""),
    ("A=${U-}", ""),
    ("A=${X:+a}", "a"),
    ("A=${E:+a}", ""),
    ("A=${U:+a}", ""),
    ("A=${X+a}", "a"),
    ("A=${E+a}", "a"),
    ("A=${U+a}", ""),
    ("A=${X:?m}", "ex"),
    ("A=${X?m}", "ex"),
    ("A=${E?m}", ""),
    ("A=${U:-${X}}", "ex"),
    ("A=${U:-$X}", "ex"),
    ("A=${U:-${V:-${X}}}", "ex"),
    ("A=${X:-${U}}", "ex"),
    ('A="${U:-a b}"', "a b"),
    ("A=${U:-a b}", "a b"),
    ("A=${U:-'a b'}", "a b"),
    ('A=${U:-"a $X"}', "a ex"),
    ("A=${U:-a;b|c}", "a;b|c"),
    (r"A=${U:-\}}", "}"),
    (r'A="${U:-\}}"', "}"),
    ("A=${U:-{x}", "{x"),
    ("A=${U:-{x}}", "{x}"),
    ('A=${U:-"}"}', "}"),
    ("A=${U:-#x}", "#x"),
    ("A=${U:-a #b}", "a #b"),
    ("A=$X$X", "exex"),
    ("A='$X'$X", "$Xex"),
]


@pytest.mark.parametrize(("line", "value"), REFERENCES)
def test_references(line: str, value: str) -> None:
    assert read(f"X=ex\nE=\n{line}\n").env["A"] == value


SHELL_WINS = [
    ("A= # c", "", "godotenv and docker compose would not get this value"),
    ('A="x"y', "xy", "godotenv and docker compose"),
    ("A=\"x\"'y'z", "xyz", "godotenv and docker compose"),
    ('A="x"#c', "x#c", "godotenv and docker compose"),
    (r"A=a\ b", "a b", "godotenv and docker compose"),
    (r"A=\$x", "$x", "docker compose"),
    (r'A="a\nb"', r"a\nb", "godotenv and docker compose"),
    (r'A="a\db"', r"a\db", "godotenv"),
    (r"A='a\'", "a\\", "godotenv and docker compose"),
    ("A=a\t# c", "a", "docker compose"),
    ("A=x # b # c", "x", "godotenv"),
    ('A="${U:-d}"', "d", "godotenv"),
    ("lower=x\nA=$lower", "x", "godotenv"),
    (r'A="\"x\""', '"x"', "godotenv"),
    ("A=\u00a0x", "\u00a0x", "godotenv and docker compose"),
]


@pytest.mark.parametrize(("line", "value", "warning"), SHELL_WINS)
def test_where_readers_differ_the_shell_wins_and_a_warning_says_so(line: str, value: str, warning: str) -> None:
    result = read(line)
    assert result.env["A"] == value
    assert len(result.warnings) == 1
    assert result.warnings[0].startswith(".env:")
    assert warning in result.warnings[0]


TOLERATED = [
    ("A = 1", "1", "blank beside the ="),
    ("A =1", "1", "blank beside the ="),
    ("A= 1", "1", "blank beside the ="),
    ('A = "x y"', "x y", "blank beside the ="),
    ("export A = 1 # c", "1", "blank beside the ="),
    ("A=a b", "a b", "put it in quotes"),
    ("A=a  b # c", "a  b", "put it in quotes"),
    ("A=-Xms1g -Dx=y", "-Xms1g -Dx=y", "put it in quotes"),
    ("A=~/x", "~/x", "~ stays as it is"),
    ("A=a:~", "a:~", "~ stays as it is"),
    ("A=${U:-~}", "~", "~ stays as it is"),
    ("export A={a,b}", "{a,b}", "braces"),
]


@pytest.mark.parametrize(("line", "value", "warning"), TOLERATED)
def test_lines_that_are_no_plain_setting_for_a_shell_are_taken_with_a_warning(line: str, value: str, warning: str) -> None:
    result = read(line)
    assert result.env == {"A": value}
    assert warning in result.warnings[0]
    assert result.warnings[0].startswith(".env:1: A: ")


def test_quoted_tilde_and_braces_give_no_warning() -> None:
    assert read("A='~'\nexport B='{a,b}'\nC=x~y\n").warnings == []


REFUSED = [
    ("A", "there is no ="),
    ("A # b=c", "there is no ="),
    ("set -a", "there is no ="),
    ("=x", "there is no name"),
    ("1A=x", "not a name"),
    ("A-B=x", "not a name"),
    ("A.B=x", "not a name"),
    ("A:1", "there is no ="),
    ("A B=x", "not a name"),
    ("readonly A=x", "not a name"),
    ("é=x", "not a name"),
    ("A[0]=x", "not a name"),
    ("A+=x", "+= is refused"),
    ("A='x", "single quote is not closed"),
    ('A="x', "double quote is not closed"),
    ('A="x\\"', "double quote is not closed"),
    ("A=x\\", "continued lines are refused"),
    ("A=$(id)", "command substitution"),
    ('A="$(id)"', "command substitution"),
    ("A=$((1+1))", "command substitution"),
    ("A=`id`", "command substitution"),
    ('A="`id`"', "command substitution"),
    ("A=a;b", "unquoted ;"),
    ("A=a&b=c", "unquoted &"),
    ("A=a|b", "unquoted |"),
    ("A=a>b", "unquoted >"),
    ("A=<b", "unquoted <"),
    ("A=(1 2)", "unquoted ("),
    ("A=a)", "unquoted )"),
    ("A=$$", "parameter of the shell"),
    ("A=$1", "parameter of the shell"),
    ("A=$?", "parameter of the shell"),
    ('A="pa$#x"', "parameter of the shell"),
    ("A=$'x'", "differently by each shell"),
    ('A=$"x"', "differently by each shell"),
    ("A=$[1+1]", "differently by each shell"),
    ("A=${}", "only ${X}"),
    ("A=${1}", "only ${X}"),
    ("A=${X", "not closed by }"),
    ('A="${X:-d', "${ is not closed"),
    ("A=${X:-d", "not closed by }"),
    ("A=${#X}", "only ${X}"),
    ("A=${X:=d}", "only ${X}"),
    ("A=${X%d}", "only ${X}"),
    ("A=${X:0:1}", "only ${X}"),
    ("A=${!X}", "only ${X}"),
    ('A="${X:-"d"}"', "a quote inside ${...}"),
    ("A=\"${X:-it's}\"", "a quote inside ${...}"),
    ('A="x" y', "outside the quotes"),
    ("A=x 'y z'", "outside the quotes"),
    ("A=x\0y", "NUL"),
    ("A=x\ry", "carriage return"),
    ("A=$U", "U is not set"),
    ("A=$A", "A is not set (the environment of the process is not read)"),
    ("A=$B\nB=1", "B is not set above this line, only on line 2"),
    ("A=${U:?set it}", "U is not set or empty: set it"),
    ("A=${U?}", "U is not set: it is required"),
    ("E=\nA=${E:?first ${X}}", "E is not set or empty: first ${X}"),
    ("export A", "A is not set"),
]


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_refused_lines_say_why(line: str, message: str) -> None:
    (problem,) = problems(line)
    assert message in problem
    assert problem.startswith((".env:1: ", ".env:2: "))


@pytest.mark.parametrize("line", [line for line, dummy in REFUSED if line.startswith(("A=", "A", "export A")) and line[1:2] in ("=", "")])
def test_an_override_makes_up_for_what_its_line_lacks(line: str) -> None:
    assert read(line, overrides={"A": "given", "X": "", "U": "", "B": "2"}).env["A"] == "given"


def test_every_problem_of_a_file_is_reported_at_once_with_line_and_key() -> None:
    text = "A='x\nB=$(id)\n\n# fine\nC=1\nD=$NONE$OTHER\n1E=2\nF\n"
    with pytest.raises(EnvError) as caught:
        read(text)
    assert [(p.file, p.line, p.key) for p in caught.value.problems] == [
        (".env", 1, "A"),
        (".env", 2, "B"),
        (".env", 6, "D"),
        (".env", 6, "D"),
        (".env", 7, "1E"),
        (".env", 8, "F"),
    ]
    assert str(caught.value).splitlines()[0] == ".env:1: A: the single quote is not closed"


def test_a_broken_key_is_reported_once_and_not_for_each_reference() -> None:
    assert len(problems("A='x\nB=$A\nC=${A}\n")) == 1


def test_a_multi_line_value_is_one_problem() -> None:
    key = 'KEY="-----BEGIN-----\nabc=\nde+f/==\n-----END-----"\nB=1\n'
    (problem,) = problems(key)
    assert problem.startswith(".env:1: KEY: the value runs over lines 1 to 4")
    assert read(key, overrides={"KEY": "k"}).env == {"KEY": "k", "B": "1"}
    assert len(problems("A=x\\\ny\nB=1\n")) == 1


def test_messages_do_not_quote_values() -> None:
    text = "A='hunter2\nB=$(hunter2)\nC=hunter2&x\nhunter2/+ hunter2\n"
    assert not any("hunter2" in problem for problem in problems(text))


# --- files ---


def test_crlf_and_byte_order_mark_are_dropped_with_a_warning() -> None:
    result = read("\ufeffA=1\r\nB='x'\r\n\r\n# c\r\nC=\r\n")
    assert result.env == {"A": "1", "B": "x", "C": ""}
    assert ["byte order mark" in result.warnings[0], "carriage returns" in result.warnings[1], len(result.warnings)] == [True, True, 2]


@pytest.mark.parametrize("text", ["", "\n\n", "# only\n", "   \t\n#\n", "\ufeff"])
def test_nothing_set(text: str) -> None:
    assert read(text).env == {}


def test_last_line_without_line_end() -> None:
    assert read("A=1\nB=2").env == {"A": "1", "B": "2"}


def test_names_are_in_the_order_of_the_file() -> None:
    assert read("Z=1\nA=2\nM=3\n", overrides={"N": "4", "A": "5"}).names == ["Z", "A", "M", "N"]


def test_a_duplicate_key_takes_the_last_value_and_warns() -> None:
    result = read("A=1\nB=$A\nA=2\nC=$A\n")
    assert result.env == {"A": "2", "B": "1", "C": "2"}
    assert result.warnings == [".env:3: A: set again, after line 1: the last one counts"]


def test_several_settings_on_one_line_are_read_as_a_shell_does() -> None:
    result = read("A=1 B='x y' C=$A # c\n")
    assert result.env == {"A": "1", "B": "x y", "C": "1"}
    assert all("several settings on one line" in warning for warning in result.warnings)
    assert read("A= B=2").env == {"A": "", "B": "2"}
    assert read("export A=1 B=2").env == {"A": "1", "B": "2"}


def test_export_of_a_name_alone_keeps_its_value() -> None:
    result = read("A=1\nexport A\nexport A # again\n")
    assert (result.env, result.warnings) == ({"A": "1"}, [])
    (problem,) = problems("export A=hello world")
    assert problem.startswith(".env:1: world: world is not set")


def test_the_process_environment_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTER", "leaked")
    assert read("A=${OUTER:-own}").env["A"] == "own"
    assert "OUTER is not set" in problems("A=$OUTER")[0]


def test_undefined_empty() -> None:
    result = read('A="cn+$PJ(x"\n', undefined="empty")
    assert result.env == {"A": "cn+(x"}
    assert result.warnings == [".env:1: A: PJ is not set: taken as empty"]


def test_parse_never_raises_and_keeps_problems() -> None:
    assignments = parse("A='x\nB=1\n", "f")
    assert [(a.key, a.line, bool(a.problem)) for a in assignments] == [("A", 1, True), ("B", 2, False)]
    with pytest.raises(EnvError, match="f:1: A: "):
        expand(assignments)


def test_bytes_that_are_not_utf8_name_the_line() -> None:
    assert decode("A=é\n".encode(), "f") == "A=é\n"
    with pytest.raises(EnvError, match="f:2: not UTF-8"):
        decode(b"A=1\nB=\xff\n", "f")


# --- overrides ---


def test_an_override_is_literal_and_later_lines_see_it() -> None:
    result = read("P=old\nDSN=u:$P@h\n", overrides={"P": "$x'\"\\ #y"})
    assert result.env == {"P": "$x'\"\\ #y", "DSN": "u:$x'\"\\ #y@h"}


def test_an_override_replaces_every_setting_of_its_key() -> None:
    assert read("A=1\nB=$A\nA=2\nC=$A\n", overrides={"A": "o"}).env == {"A": "o", "B": "o", "C": "o"}


def test_an_override_that_the_file_lacks_is_seen_by_every_line() -> None:
    assert read("A=$NEW\n", overrides={"NEW": "n"}).env == {"A": "n", "NEW": "n"}


def test_an_override_takes_effect_at_its_place() -> None:
    assert "only on line 2" in problems("A=$B\nB=1\n", overrides={"B": "2"})[0]


@pytest.mark.parametrize(("key", "value"), [("A-B", "x"), ("", "x"), ("A", "x\ny"), ("A", "x\0")])
def test_impossible_overrides_are_refused(key: str, value: str) -> None:
    (problem,) = problems("", overrides={key: value})
    assert problem.startswith("overrides: ")


def test_override_strings_of_yaml_values() -> None:
    assert override_strings({"A": "x", "B": 1, "C": True, "D": False, "E": 0.5, "F": ""}) == {
        "A": "x",
        "B": "1",
        "C": "true",
        "D": "false",
        "E": "0.5",
        "F": "",
    }
    with pytest.raises(EnvError) as caught:
        override_strings({"A": None, "B": [1], "C-D": "x"})
    assert [problem.key for problem in caught.value.problems] == ["A", "B", "C-D"]


# --- single strings ---


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        ("${A}/x", "a/x"),
        ("$A-$E", "a-"),
        ("${U:-d}", "d"),
        ('{"k": "$A"}', '{"k": "a"}'),
        (r"\$A", "$A"),
        (r"a\b\\c", r"a\b\c"),
        ("it's #1", "it's #1"),
        ("${A:+x${E:-y}}", "xy"),
    ],
)
def test_expand_value(template: str, value: str) -> None:
    assert expand_value(template, {"A": "a", "E": ""}, "service x") == value


@pytest.mark.parametrize(("template", "message"), [("$U", "U is not set"), ("$(x)", "command substitution"), ("${A", "not closed"), ("${U:?why}", "why")])
def test_expand_value_says_where_it_failed(template: str, message: str) -> None:
    with pytest.raises(EnvError, match=r"^service x: ") as caught:
        expand_value(template, {}, "service x")
    assert message in str(caught.value)


def test_expand_value_of_undefined_as_empty() -> None:
    assert expand_value("a${U}b", {}, "x", undefined="empty") == "ab"


# --- writing ---

AWKWARD = [
    *("", " ", " x ", "a b", "\t", "a#b", "a #b", "#"),
    *("it's", 'say "x"', "'", "$A", "it's $5", r"a\b", r"it's \d", r"'\$", "`id`", "~", "{a,b}", "*"),
    *("a=b", "é 漢字"),
]


@pytest.mark.parametrize("value", AWKWARD)
def test_the_dotenv_form_is_read_back_as_the_same_value(value: str) -> None:
    result = read(render({"A": value, "B": "x"}, "dotenv"))
    assert result.env == {"A": value, "B": "x"}


@pytest.mark.parametrize("value", AWKWARD)
def test_the_docker_form_is_literal(value: str) -> None:
    assert render({"A": value}, "docker") == f"A={value}\n"


def test_plain_values_are_not_quoted() -> None:
    assert render({"A": "http://x:1/y", "B": "", "C": "a,b=c+d%e@f"}, "dotenv") == "A=http://x:1/y\nB=\nC=a,b=c+d%e@f\n"


def test_a_value_that_no_quoting_gives_to_godotenv_is_refused() -> None:
    with pytest.raises(EnvError) as caught:
        render({"A": "x'\"", "B": "1", "C": "ends in \\"}, "dotenv")
    assert [problem.key for problem in caught.value.problems] == ["A", "C"]
    assert "docker form" in str(caught.value)


@pytest.mark.parametrize("form", ["docker", "dotenv"])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_no_form_takes_line_breaks(form: str, value: str) -> None:
    with pytest.raises(EnvError, match=f"{form} form: A: "):
        render({"A": value}, form)


# --- masking ---


@pytest.mark.parametrize(
    "key",
    [
        "MYSQL_ROOT_PASSWORD",
        "MYSQL_PASSWORD",
        "MYSQL_DSN",
        "ATLAS_URL",
        "MINIO_AK",
        "MINIO_SK",
        "TOS_ACCESS_KEY",
        "S3_SECRET_KEY",
        "ARK_EMBEDDING_API_KEY",
        "MODEL_API_KEY_0",
        "PULSAR_JWT_TOKEN",
        "NATS_NKEY_SEED",
        "PLUGIN_AES_AUTH_SECRET",
        "SESSION_KEY",
        "DB_PWD",
        "db_password",
    ],
)
def test_secret_keys(key: str) -> None:
    assert is_secret_key(key)


@pytest.mark.parametrize("key", ["MYSQL_HOST", "SSL_KEY_FILE", "MAX_TOKENS", "MYSQL_USER", "TASK", "MASK", "SEEDS", "PWDX", "KEYS", "LISTEN_ADDR"])
def test_other_keys(key: str) -> None:
    assert not is_secret_key(key)


def test_mask_hides_secrets_and_what_contains_them() -> None:
    env = {
        "P_PASSWORD": "hunter2",
        "E_PASSWORD": "",
        "ALLOW_EMPTY_PASSWORD": "yes",
        "S_SECRET": "abc",
        "WITH": "x-hunter2-y",
        "SHORT": "abcdef",
        "URL": "http://u:pw@host/x",
        "PLAIN_URL": "http://host:80/x@y",
        "CONN": "root:pw@tcp(h:1)/db",
    }
    assert mask(env) == {
        **env,
        "P_PASSWORD": MASK,
        "S_SECRET": MASK,
        "WITH": MASK,
        "URL": MASK,
        "CONN": MASK,
    }
    assert secret_values(env) == ["hunter2"]


def test_mask_lines_of_any_form() -> None:
    text = "# c\n\nexport A_PASSWORD='x'\n#B_TOKEN=y\nC=hunter2\nD=1\n# was hunter2\nline of a key\nE_SECRET="
    assert mask_lines(text.split("\n"), ["hunter2"]) == [
        "# c",
        "",
        f"export A_PASSWORD={MASK}",
        f"#B_TOKEN={MASK}",
        f"C={MASK}",
        "D=1",
        MASK,
        MASK,
        "E_SECRET=",
    ]


def test_a_problem_reads_as_place_key_and_message() -> None:
    assert str(Problem("f", 3, "K", "m")) == "f:3: K: m"
    assert str(Problem("f", 0, "", "m")) == "f: m"


# --- shells as oracle ---

NAMES = ["A", "B", "C", "D", "Ee", "_f"]
PLAIN = "abzXY019 _-./:@%+,=*?[]^!é漢"
BARE_CHARS = st.sampled_from(PLAIN.replace(" ", ""))


def joined(parts: st.SearchStrategy[str], max_size: int) -> st.SearchStrategy[str]:
    return st.lists(parts, max_size=max_size).map("".join)


def reference(word: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    names = st.sampled_from([*NAMES, "NOT_SET"])
    operators = st.sampled_from([":-", "-", ":+", "+"])
    with_word = st.tuples(names, operators, word).map(lambda parts: f"${{{parts[0]}{parts[1]}{parts[2]}}}")
    return st.one_of(st.sampled_from(["$A", "${A}", "${B}", "$Ee", "${_f}"]), with_word)


ESCAPED_ANYTHING = st.sampled_from("ab$`\"'\\ #;&|()<>{}~*").map(lambda char: "\\" + char)
QUOTED_CHARS = st.sampled_from(PLAIN + "#;&|()<>{}~\t")
SINGLE = joined(st.sampled_from(PLAIN + '$`"\\#;&|()<>{}~'), 6).map(lambda text: f"'{text}'")
DOLLAR = st.sampled_from(["$ ", "$.", "$/", "$="])
DOUBLE_ESCAPE = st.sampled_from(["\\$", '\\"', "\\\\", "\\`", "\\n", "\\d", "\\ "])
IN_BRACES_QUOTED = st.recursive(joined(st.one_of(st.sampled_from("ab :-#;{"), st.sampled_from(["\\}", "\\$", "\\\\", "\\n"])), 4), reference, max_leaves=3)
DOUBLE = joined(st.one_of(QUOTED_CHARS, DOUBLE_ESCAPE, DOLLAR, reference(IN_BRACES_QUOTED)), 6).map(lambda text: f'"{text}"')
IN_BRACES_BARE = st.recursive(joined(st.one_of(st.sampled_from("ab :-#;{&|"), ESCAPED_ANYTHING, SINGLE, DOUBLE), 3), reference, max_leaves=3)
BARE = st.one_of(BARE_CHARS, ESCAPED_ANYTHING, reference(IN_BRACES_BARE), st.sampled_from(["#", "}"]))
VALUE = joined(st.one_of(BARE, BARE, SINGLE, DOUBLE), 6)
SETTING = st.builds(
    lambda export, key, value, tail: f"{export}{key}={value}{tail}",
    st.sampled_from(["", "", "export ", " export\t"]),
    st.sampled_from(NAMES),
    VALUE,
    st.sampled_from(["", "", " ", "\t ", " # it's a \"comment $( `", " #"]),
)
FROM_GRAMMAR = st.lists(st.one_of(SETTING, SETTING, SETTING, st.sampled_from(["", "  ", "# A='x", "export A"])), min_size=5, max_size=40)
NOISE = st.text(alphabet="aB$${}}:-+?'\"\\#= \t;é~", max_size=12).map(lambda text: f"A={text}")

# What we take although a shell would run a command, or would read the process's environment.
NOT_A_SHELLS = ("a shell would", "bash may", "is not set: taken as empty")


def kept(lines: list[str]) -> tuple[str, EnvResult]:
    """The lines that our grammar accepts and that a shell can read too, as one file, and what we make of it."""
    accepted = ["A=1", "B=", "C='x y'", "D=1", "Ee=e", "_f=2", *lines]
    while True:
        text = "\n".join(accepted) + "\n"
        try:
            result = read(text)
            bad = {int(warning.split(":")[1]) for warning in result.warnings if any(mark in warning for mark in NOT_A_SHELLS)}
        except EnvError as error:
            bad = {problem.line for problem in error.problems}
        if not bad:
            return text, result
        accepted = [line for number, line in enumerate(accepted, 1) if number not in bad]


oracle_settings = functools.partial(settings, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@each_shell
@oracle_settings(max_examples=150)
@given(lines=FROM_GRAMMAR)
def test_what_the_grammar_makes_is_read_as_a_shell_reads_it(shell: str, lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    text, result = kept(lines)
    path = tmp_path_factory.getbasetemp() / "oracle.env"
    path.write_text(text, encoding="utf-8")
    assert result.env == shell_env(shell, path)


@each_shell
@oracle_settings(max_examples=150)
@given(lines=st.lists(NOISE, min_size=10, max_size=40))
def test_what_we_accept_of_noise_is_read_as_a_shell_reads_it(shell: str, lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    numbered = [line.replace("A=", f"K{number}=", 1) for number, line in enumerate(lines)]
    text, result = kept(numbered)
    path = tmp_path_factory.getbasetemp() / "noise.env"
    path.write_text(text, encoding="utf-8")
    assert result.env == shell_env(shell, path)


@oracle_settings(max_examples=150)
@given(lines=FROM_GRAMMAR)
def test_few_lines_of_the_grammar_are_refused(lines: list[str]) -> None:
    """Guards the oracle: it proves nothing if everything is thrown away."""
    accepted = kept(lines)[0].split("\n")
    refused = [line for line in lines if line not in accepted]
    assert len(refused) <= max(4, len(lines) // 2)


VALUES = st.dictionaries(st.sampled_from(NAMES), st.text(alphabet="ab01 $'\"\\#`{}~é=;&\t", max_size=10), max_size=6)


@each_shell
@oracle_settings(max_examples=150)
@given(env=VALUES)
def test_the_dotenv_form_is_read_by_a_shell_as_the_same_values(shell: str, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    writable = {key: value for key, value in env.items() if is_writable(value)}
    path = tmp_path_factory.getbasetemp() / "written.env"
    path.write_text(render(writable, "dotenv"), encoding="utf-8")
    assert shell_env(shell, path) == writable
    assert read(path.read_text(encoding="utf-8")).env == writable


def is_writable(value: str) -> bool:
    try:
        render({"A": value}, "dotenv")
    except EnvError:
        return False
    return True


# --- the real godotenv and compose-go ---

READERS_GO = Path(__file__).with_name("godotenv_oracle.go")
READERS_MOD = """
module readers

go 1.24

require github.com/compose-spec/compose-go/v2 v2.16.2
require github.com/joho/godotenv v1.5.1
"""


class GoReaders:
    """The real readers, behind one small program."""

    def __init__(self, program: Path) -> None:
        self.program = program

    def read(self, texts: list[str]) -> list[list[dict[str, str] | None]]:
        done = subprocess.run([self.program], input=json.dumps(texts).encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, timeout=60)
        answer: list[list[dict[str, str] | None]] = json.loads(done.stdout)
        return answer


@pytest.fixture(scope="session")
def go_readers(tmp_path_factory: pytest.TempPathFactory) -> GoReaders:
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is not installed: the readers are not compared with the real godotenv and compose-go")
    source = tmp_path_factory.mktemp("readers")
    (source / "go.mod").write_text(READERS_MOD, encoding="utf-8")
    shutil.copy(READERS_GO, source / "main.go")
    env = {**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    # Only getting the modules may fail for want of a network; what comes after has to work.
    try:
        subprocess.run([go, "mod", "tidy"], cwd=source, env=env, capture_output=True, timeout=120, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"the Go modules of the readers cannot be had here: {error}")
    subprocess.run([go, "build", "-o", "readers", "."], cwd=source, env=env, check=True, timeout=300)
    return GoReaders(source / "readers")


def noise(seed: int, count: int) -> list[str]:
    chance = random.Random(seed)
    parts = [*"aBX$${}}:-+?'\"\"\\#= \t;é~()0n\u00a0", "${X}", "$X", "${X:-", " #", "\\n", "\\0101", "$$", "${EMPTY:+", "${NO-"]
    return ["".join(chance.choice(parts) for dummy in range(chance.randint(0, 9))) for dummy in range(count)]


def test_our_readers_read_as_the_real_ones_do(go_readers: GoReaders) -> None:
    before = {"X": "ex", "EMPTY": ""}
    samples = [line.partition("=")[2] for line, *dummy in [*ACCEPTED_BY_ALL, *REFERENCES, *SHELL_WINS, *TOLERATED] if "\n" not in line] + noise(1, 20000)
    answers = go_readers.read([f"X=ex\nEMPTY=\nKEY={sample}" for sample in samples])
    wrong = []
    for sample, real in zip(samples, answers, strict=True):
        for ours, found in zip((godotenv_value(sample, before), compose_value(sample, before)), real, strict=True):
            # None also stands for reading on after the value, of which the real ones make other keys or an error.
            expected = None if found is None or set(found) != {*before, "KEY"} else found["KEY"]
            if ours != expected:
                wrong.append((sample, ours, found))
    assert wrong == []


def test_the_dotenv_form_is_read_by_godotenv_as_the_same_values(go_readers: GoReaders) -> None:
    values = [value for value in [*AWKWARD, *noise(2, 5000)] if is_writable(value)]
    texts = [render({"BEFORE": "x", "A": value, "AFTER": "y"}, "dotenv") for value in values]
    for value, (godotenv, dummy) in zip(values, go_readers.read(texts), strict=True):
        assert godotenv == {"BEFORE": "x", "A": value, "AFTER": "y"}


# --- upstream's files ---


@each_shell
@pytest.mark.skipif(not UPSTREAM_ENVS, reason="no copy of upstream's files beside the checkout (../shared/upstream)")
@pytest.mark.parametrize("path", UPSTREAM_ENVS, ids=lambda path: f"{path.parent.parent.name}-{path.name}")
def test_every_key_of_upstreams_files_has_the_value_that_a_shell_gives(shell: str, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if "0.2.2" in str(path):
        # Double-quoted with a $ in it: a shell drops `$PJ` without a word, we do not.
        (problem,) = problems(text)
        assert ":228: PLUGIN_AES_OAUTH_TOKEN_SECRET: PJ is not set" in problem
        assert read(text, overrides={"PLUGIN_AES_OAUTH_TOKEN_SECRET": "given"}).warnings == []
        result = read(text, undefined="empty")
    else:
        result = read(text)
        assert result.warnings == []
    assert result.env == shell_env(shell, path)
    assert len(result.env) > 100
    assert read(render(result.env, "dotenv")).env == result.env
