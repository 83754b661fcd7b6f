# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: an Engine, images of the real services under upstream's names, and hosts that are containers."""
from __future__ import annotations

import argparse
import json
import pathlib
import sys

from labkit import build, docker, engine, hosts, machine, recipes, store
from labkit.console import LabError, say, table

HERE = pathlib.Path(__file__).resolve().parent
RECIPES = HERE / "images"
OUTPUT = HERE.parent.parent / "build" / "lab"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size else "-"


def _engine(_args: argparse.Namespace) -> None:
    engine.ensure()


def _wanted(every: dict[str, recipes.Recipe], names: list[str]) -> list[str]:
    unknown = [name for name in names if name not in every]
    if unknown:
        raise LabError(f"no recipe named {', '.join(unknown)}; there are: {', '.join(sorted(every))}")
    return names or [name for name, recipe in every.items() if recipe.role != "build"]


def _images(args: argparse.Namespace) -> None:
    docker.client()
    every = recipes.load_all(RECIPES)
    wanted = _wanted(every, args.names)
    took = build.ensure(every, wanted, OUTPUT)
    rows = build.survey(every, recipes.digests(every, machine.fingerprint()))
    shown = [rows[name] for name in every if name in wanted or name in took]
    lines = [(row.tag, row.holds, _megabytes(row.size), f"{took[row.name]:.0f}" if row.name in took else "present") for row in shown]
    print(table(("IMAGE", "WHAT IS REALLY INSIDE", "SIZE", "SECONDS"), lines))
    build.warn(shown)
    say(f"{len(took)} built, {len(shown) - len(took)} were present")


def _list(args: argparse.Namespace) -> None:
    every = recipes.load_all(RECIPES)
    rows = [row for row in build.survey(every, recipes.digests(every, machine.fingerprint())).values() if row.digest or args.json]
    if args.json:
        keys = ("name", "tag", "holds", "uid", "digest", "size", "fresh")
        data = [{**{key: getattr(row, key) for key in keys}, "tags": every[row.name].tags, "role": every[row.name].role} for row in rows]
        print(json.dumps(data, indent=2))
        return
    lines = [(row.tag, row.holds, row.uid, row.digest[:12], _megabytes(row.size), "yes" if row.fresh else "NO") for row in rows]
    print(table(("IMAGE", "WHAT IS REALLY INSIDE", "UID", "DIGEST", "SIZE", "UP TO DATE"), lines))


def _save(args: argparse.Namespace) -> None:
    path = pathlib.Path(args.file).resolve()
    written = store.save(store.stack_images(recipes.load_all(RECIPES)), path)
    say(f"{path}: {'written' if written else 'up to date'}, {_megabytes(path.stat().st_size)}")


def _smartcn(args: argparse.Namespace) -> None:
    every = recipes.load_all(RECIPES)
    owner = next((recipe for recipe in every.values() if recipe.smartcn), None)
    if owner is None:
        raise LabError("no recipe has a smartcn plugin")
    target = pathlib.Path(args.dest)
    target.parent.mkdir(parents=True, exist_ok=True)
    store.copy_out(owner.tags[0], str(owner.smartcn), str(target))
    say(f"{target / pathlib.Path(str(owner.smartcn)).name if target.is_dir() else target}: written")


def _host_create(args: argparse.Namespace) -> None:
    every = recipes.load_all(RECIPES)
    build.ensure(every, [name for name, recipe in every.items() if recipe.role == "host"], OUTPUT)
    images = store.stack_images(every) if args.images or (args.images is None and not args.bare) else {}
    with build.only_one(OUTPUT):
        access = hosts.create(args.name, OUTPUT, args.bare, args.memory, images, args.offline)
    say(f"host {args.name} answers at {access['address']}")
    print(json.dumps(access))


def _host_destroy(args: argparse.Namespace) -> None:
    say(f"host {args.name}: {'destroyed' if hosts.destroy(args.name) else 'there is none'}")


def _host_list(args: argparse.Namespace) -> None:
    found = hosts.listed()
    if args.json:
        print(json.dumps(found, indent=2))
    elif found:
        print(table([key.upper() for key in found[0]], [list(each.values()) for each in found]))


def _host_parser(sub: argparse.ArgumentParser) -> None:
    actions = sub.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("create", help="a host that answers; prints how to reach it as one line of JSON")
    action.add_argument("name", metavar="NAME")
    action.add_argument("--bare", action="store_true", help="no Docker, no python3-docker, and no images unless asked for")
    action.add_argument("--images", action="store_true", default=None, help="with the stack's images (default unless bare)")
    action.add_argument("--no-images", dest="images", action="store_false")
    action.add_argument("--offline", action="store_true", help="without a route out")
    action.add_argument("--memory", default="8g", help="its limit (default: %(default)s)")
    action.set_defaults(run=_host_create)
    action = actions.add_parser("destroy", help="remove it and its disk")
    action.add_argument("name", metavar="NAME")
    action.set_defaults(run=_host_destroy)
    action = actions.add_parser("list")
    action.add_argument("--json", action="store_true")
    action.set_defaults(run=_host_list)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(description=__doc__)
    sub = top.add_subparsers(required=True, metavar="COMMAND")
    command = sub.add_parser("engine", help="make sure that a Docker Engine answers")
    command.set_defaults(run=_engine)
    command = sub.add_parser("images", help="build what is missing or out of date")
    command.add_argument("names", nargs="*", metavar="NAME", help="recipes (default: all)")
    command.set_defaults(run=_images)
    command = sub.add_parser("list", help="what is built, and what is really inside")
    command.add_argument("--json", action="store_true")
    command.set_defaults(run=_list)
    command = sub.add_parser("save", help="all images of a stack into one file, if it does not hold them already")
    command.add_argument("file", metavar="FILE")
    command.set_defaults(run=_save)
    command = sub.add_parser("smartcn", help="copy the zip of the analysis-smartcn plugin out of its image")
    command.add_argument("dest", metavar="DEST", help="file, or folder that exists")
    command.set_defaults(run=_smartcn)
    _host_parser(sub.add_parser("host", help="hosts that are containers"))
    return top


def main() -> int:
    args = parser().parse_args()
    try:
        args.run(args)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
