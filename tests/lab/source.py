# SPDX-License-Identifier: GPL-3.0-or-later
"""Assembles a source tree in the shape of a Coze Studio checkout, of the lab's own making, for one release line.

    source.py LINE DEST        LINE: 0.2, 0.3 or 0.5

What is in `source/`: `tree/` (files as they are, in folders named for the lines that have them), `env.txt` and `icons.txt` (a line that begins
with `@LINES ` is for those), `schema.sql` (a line with `-- since LINE` likewise), `seed.sql`, `migrations/` (`-- table: NAME`
stands for that table's statement).
LINES is `0.2`, `0.3+` (that and later), `0.2-0.3` or `all`. The same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
import struct
import sys
import zlib

HERE = pathlib.Path(__file__).resolve().parent / "source"
LINES = ("0.2", "0.3", "0.5")
MARKER = ".lab-source"
INITIAL = "20250703095335_initial.sql"

_ICON_SIDE = 16


class SourceError(Exception):
    """What the caller can mend; its text is all that is shown."""


def applies(lines: str, line: str) -> bool:
    """Whether `0.3+`, `0.2-0.3`, `0.5` or `all` holds a line."""
    if lines == "all":
        return True
    first, _dash, last = lines.rstrip("+").partition("-")
    if lines.endswith("+"):
        last = LINES[-1]
    return first <= line <= (last or first)


def select(text: str, line: str) -> str:
    """The lines of a text that a release line has, without their `@LINES ` marks."""
    chosen = []
    for each in text.splitlines():
        mark = re.match(r"@(\S+) ?(.*)$", each)
        if mark is None:
            chosen.append(each)
        elif applies(mark[1], line):
            chosen.append(mark[2])
    return "\n".join(chosen) + "\n"


def statements(text: str) -> list[str]:
    """CREATE TABLE statements of schema.sql: each ends with a line that begins with `)`."""
    return re.findall(r"^CREATE TABLE .*?^\)[^\n]*;$", text, re.M | re.S)


def tables(text: str, line: str) -> list[str]:
    """The statements that a release line has, without the columns that it has not."""
    chosen = []
    for statement in statements(text):
        head, *body = statement.splitlines()
        since = re.search(r" -- since (\S+)$", head)
        if since and since[1] > line:
            continue
        kept = [each for each in [head, *body] if not (mark := re.search(r" -- since (\S+)$", each)) or mark[1] <= line]
        chosen.append("\n".join(re.sub(r" -- since \S+$", "", each) for each in kept))
    return chosen


def schema(line: str) -> str:
    """docker/volumes/mysql/schema.sql: it may run again and again."""
    head = "SET NAMES utf8mb4;\nCREATE DATABASE IF NOT EXISTS opencoze COLLATE utf8mb4_unicode_ci;\n"
    body = tables((HERE / "schema.sql").read_text(encoding="utf-8"), line)
    return head + "\n".join(body) + "\n\n" + (HERE / "seed.sql").read_text(encoding="utf-8")


def table_names(sql: str) -> list[str]:
    """Names of the tables that a schema makes."""
    return re.findall(r"CREATE TABLE IF NOT EXISTS `(\w+)`", sql)


def migrations(line: str) -> dict[str, str]:
    """docker/atlas/migrations by file name: the tables of the oldest line, then the steps up to this one. No step may run twice."""
    text = (HERE / "schema.sql").read_text(encoding="utf-8")
    newest = {table_names(each)[0]: _qualified(each) for each in tables(text, LINES[-1])}
    found = {INITIAL: "\n".join(map(_qualified, tables(text, LINES[0]))) + "\n"}
    for path in sorted((HERE / "migrations").glob("*.sql")):
        step = select(path.read_text(encoding="utf-8"), line)
        if step.strip():
            found[path.name] = re.sub(r"^-- table: (\w+)$", lambda match: newest[match[1]], step, flags=re.M)
    return found


def _qualified(statement: str) -> str:
    """A statement as migrations have it: the database is named, and a table that is there is an error."""
    return statement.replace("CREATE TABLE IF NOT EXISTS `", "CREATE TABLE `opencoze`.`")


def icon(name: str) -> bytes:
    """A small PNG in a colour made of the name. Not compressed: compressors differ between versions."""
    colour = hashlib.sha256(name.encode()).digest()[:3]
    rows = (b"\0" + colour * _ICON_SIDE) * _ICON_SIDE

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", _ICON_SIDE, _ICON_SIDE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")


def files(line: str) -> dict[str, bytes]:
    """Every file of the tree by its path."""
    if line not in LINES:
        raise SourceError(f"no release line {line!r}: there are {', '.join(LINES)}")
    found: dict[str, bytes] = {}
    for folder in sorted((HERE / "tree").iterdir()):
        if applies(folder.name, line):
            found.update({path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    env = select((HERE / "env.txt").read_text(encoding="utf-8"), line)
    # The older line's file has no newline at its end, as upstream's; readers must not lose its last key.
    found["docker/.env.example"] = (env.rstrip("\n") if line == "0.2" else env).encode()
    found["docker/volumes/mysql/schema.sql"] = schema(line).encode()
    found.update({f"docker/atlas/migrations/{name}": text.encode() for name, text in migrations(line).items()})
    for name in select((HERE / "icons.txt").read_text(encoding="utf-8"), line).split():
        found[f"docker/volumes/minio/{name}"] = icon(name)
    return dict(sorted(found.items()))


def assemble(line: str, dest: pathlib.Path) -> list[str]:
    """Write the tree; paths that were written. A tree of the same line is brought up to date, and what was laid into it stays."""
    wanted = files(line)
    marker = dest / MARKER
    if marker.is_file():
        if (had := marker.read_text(encoding="utf-8").strip()) != line:
            raise SourceError(f"{dest} is a source tree of line {had}: remove it first")
    elif dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise SourceError(f"{dest} is there already, and was not made by this tool")
    written = []
    for name, content in {**wanted, MARKER: f"{line}\n".encode()}.items():
        path = dest / name
        if path.is_file() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(name)
    return written


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        written = assemble(arguments[0], pathlib.Path(arguments[1]))
    except SourceError as error:
        print(f"source: {error}", file=sys.stderr)
        return 1
    print(f"{arguments[1]}: line {arguments[0]}, {len(written)} files written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
