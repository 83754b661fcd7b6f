# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is checked on the controller: whether the files of a source tree are fit to be mounted, and the versions of what runs the plays."""

from __future__ import annotations

import os
import re
import typing as t
import zipfile

from ansible_collections.cozeops.studio.plugins.module_utils._check import Check, fail, ok, warn

AREA = "source"
#: Texts that containers or init jobs read; a checkout on Windows gives them other line ends.
TEXTS = (".sh", ".sql", ".conf", ".yml", ".yaml", ".json")
DESCRIPTOR = "plugin-descriptor.properties"
CREATE_TABLE = re.compile(r"\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:`?\w+`?\s*\.\s*)?`?(\w+)`?", re.IGNORECASE)
VERSION = re.compile(r"\d+\.\d+\.\d+")
SHOWN = 5

#: Kept in step with meta/runtime.yml and galaxy.yml by a unit test.
ANSIBLE_CORE_MIN = "2.19.0"
COMMUNITY_DOCKER = ("4.8.0", "6.0.0")


# -- the source tree


def required_files(tree: str, table: t.Mapping[str, t.Any]) -> list[str]:
    """Every file that the release needs, those of needed folders included; paths relative to the tree."""
    found = []
    for path in table["requires"]:
        top = os.path.join(tree, path)
        if os.path.isdir(top):
            found += [os.path.relpath(os.path.join(folder, name), tree) for folder, dummy, names in os.walk(top) for name in names]
        else:
            found.append(path)
    return sorted(found)


def read(tree: str, path: str) -> bytes:
    with open(os.path.join(tree, path), "rb") as handle:
        return handle.read()


def some(paths: t.Sequence[str]) -> str:
    return ", ".join(paths[:SHOWN]) + (" and %d more" % (len(paths) - SHOWN) if len(paths) > SHOWN else "")


def file_checks(tree: str, table: t.Mapping[str, t.Any]) -> t.Iterator[Check]:
    files = required_files(tree, table)
    # A folder may hold a placeholder; what is named by itself has to have something in it.
    empty = [path for path in table["requires"] if os.path.isfile(os.path.join(tree, path)) and not os.path.getsize(os.path.join(tree, path))]
    if empty:
        yield fail(AREA, "files", "stack_source: empty in %s: %s." % (tree, some(empty)), "Check the release out again (git lfs pull, if it was a bare zip).")
    else:
        yield ok(AREA, "files", "%d files that the release needs are there" % len(files))
    windows = [path for path in files if path.endswith(TEXTS) and b"\r\n" in read(tree, path)]
    if not windows:
        yield ok(AREA, "line ends", "of Unix")
        return
    cure = "Check it out again with git config core.autocrlf input, or convert them (dos2unix)."
    state = fail if any(path.endswith(".sh") for path in windows) else warn
    yield state(AREA, "line ends", "stack_source: Windows line ends (CR LF) in %s: %s." % (tree, some(windows)), cure)


def descriptor(path: str) -> dict[str, str]:
    """The properties of an Elasticsearch plugin's zip. Raises ValueError with what is wrong."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.rsplit("/", 1)[-1] == DESCRIPTOR]
            text = archive.read(names[0]).decode("utf-8", "replace") if names else ""
    except (zipfile.BadZipFile, OSError, NotImplementedError) as exc:
        raise ValueError("is no zip file that can be read (%s)" % exc) from exc
    if not text:
        raise ValueError("is no plugin of Elasticsearch: it has no %s" % DESCRIPTOR)
    pairs = (line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {key.strip(): value.strip() for key, sign, value in pairs if sign}


def tag_version(image: str) -> str | None:
    """The version that an image's tag names, None where it names none."""
    tag = image.partition("@")[0].rsplit("/", 1)[-1].partition(":")[2]
    match = VERSION.search(tag)
    return match.group() if match else None


def plugin_check(tree: str, plugin: t.Mapping[str, str], images: t.Mapping[str, str]) -> Check:
    """plugin: {"path", "name", "image" (the key of the image that installs it)} of the release table."""
    path = os.path.join(tree, plugin["path"])
    try:
        found = descriptor(path)
    except ValueError as exc:
        return fail(AREA, plugin["name"], "stack_source: %s %s." % (path, exc), "Take the file from a whole checkout of the release.")
    image = images.get(plugin["image"], "")
    wanted, version = tag_version(image), found.get("elasticsearch.version", "")
    if found.get("name") != plugin["name"]:
        return fail(AREA, plugin["name"], "stack_source: %s is the plugin %s." % (path, found.get("name")), "Put %s there." % plugin["name"])
    if wanted is not None and version != wanted:
        cure = "Elasticsearch refuses it: put the zip of version %s there, or an image of %s into stack_images." % (wanted, version)
        return fail(AREA, plugin["name"], "stack_source: %s is for Elasticsearch %s, and the image is %s." % (path, version or "?", image), cure)
    return ok(AREA, plugin["name"], "for Elasticsearch %s" % version)


def schema_check(tree: str, schema: t.Mapping[str, t.Any]) -> Check:
    """schema: {"path", "tables" (some that the server dies without)} of the release table."""
    path = os.path.join(tree, schema["path"])
    tables = set(CREATE_TABLE.findall(read(tree, schema["path"]).decode("utf-8", "replace")))
    lacking = [name for name in schema["tables"] if name not in tables]
    if lacking:
        cure = "It is cut off, or of another release: check the release out again."
        return fail(AREA, "schema", "stack_source: %s creates no table %s." % (path, ", ".join(lacking)), cure)
    return ok(AREA, "schema", "creates %d tables" % len(tables))


def tree_checks(tree: str, table: t.Mapping[str, t.Any], images: t.Mapping[str, str]) -> list[Check]:
    """``images`` are those of stack_images, which win over the table's. The tree is known to have every required path."""
    used = {**table.get("images", {}), **images}
    return [
        *file_checks(tree, table),
        *(plugin_check(tree, plugin, used) for plugin in table.get("plugins", [])),
        *([schema_check(tree, table["schema"])] if "schema" in table else []),
    ]


# -- the controller's software


def numbers(version: str) -> tuple[int, ...]:
    """"2.19.0rc1" -> (2, 19, 0)."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def controller_checks(python: str, ansible_core: str, community_docker: str | None) -> list[Check]:
    """Versions as texts; None for a collection that is not installed, "" for one that tells no version."""
    area = "controller"
    low, high = COMMUNITY_DOCKER
    wanted = "community.docker from %s up, below %s, is needed: ansible-galaxy collection install 'community.docker:>=%s,<%s'." % (low, high, low, high)
    found = [ok(area, "Python", python)]
    if numbers(ansible_core) < numbers(ANSIBLE_CORE_MIN):
        found.append(fail(area, "ansible-core", "ansible-core is %s." % ansible_core, "Install %s or newer on the controller." % ANSIBLE_CORE_MIN))
    else:
        found.append(ok(area, "ansible-core", ansible_core))
    if community_docker is None:
        found.append(fail(area, "community.docker", "the collection community.docker is not installed.", wanted))
    elif not community_docker:
        found.append(ok(area, "community.docker", "is there, and tells no version"))
    elif not numbers(low) <= numbers(community_docker) < numbers(high):
        # A newer one may do; an older one lacks modules.
        state = fail if numbers(community_docker) < numbers(low) else warn
        found.append(state(area, "community.docker", "community.docker is %s." % community_docker, wanted))
    else:
        found.append(ok(area, "community.docker", community_docker))
    return found
