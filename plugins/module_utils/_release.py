# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release line a Coze Studio source tree is of, and whether it is whole."""

from __future__ import annotations

import os
import typing as t

Releases = t.Mapping[str, t.Mapping[str, t.Any]]


class SourceError(ValueError):
    """The source tree cannot be deployed. ``problems`` is a list of sentences."""

    def __init__(self, problems: t.Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


def has(tree: str, pattern: str) -> bool:
    """True if the tree has the path (a file, or a directory that is not empty)."""
    path = os.path.join(tree, pattern)
    return os.path.isfile(path) or (os.path.isdir(path) and bool(os.listdir(path)))


def detect(tree: str, releases: Releases) -> str | None:
    """The line whose marks the tree has: every path of ``has`` and none of ``lacks``. None if no line fits."""
    for line, table in releases.items():
        marks = table["marks"]
        if all(has(tree, path) for path in marks.get("has", [])) and not any(has(tree, path) for path in marks.get("lacks", [])):
            return line
    return None


def missing(tree: str, table: t.Mapping[str, t.Any]) -> list[str]:
    """Paths that the release needs and the tree lacks, in the table's order."""
    return [path for path in table["requires"] if not has(tree, path)]


def examine(tree: str, wanted: str | None, releases: Releases) -> str:
    """The release line of the tree.

    Raises SourceError if the tree is missing, is of no known line, contradicts the wanted line, or lacks a file.
    """
    if not os.path.isdir(tree):
        raise SourceError(["stack_source: %s is not a directory. Set stack_source to a checkout of Coze Studio on the machine that runs Ansible." % tree])
    if wanted is not None and wanted not in releases:
        raise SourceError(["stack_release: %r is not a release line. Known are %s." % (wanted, ", ".join(releases))])
    found = detect(tree, releases)
    if wanted is not None and found is not None and found != wanted:
        raise SourceError(
            [
                "stack_release is %s, but %s is a source tree of line %s. Set stack_release to %s (or leave it out), or check out the other release."
                % (wanted, tree, found, found)
            ]
        )
    line = found or wanted
    if line is None:
        raise SourceError(
            [
                "stack_source: %s is of no release line that is known (%s). Is it the root of a Coze Studio checkout, with docker/ and backend/conf/ in it?"
                % (tree, ", ".join(releases))
            ]
        )
    gaps = missing(tree, releases[line])
    if gaps:
        raise SourceError(["stack_source: %s lacks %s, which release line %s needs." % (tree, gap, line) for gap in gaps])
    return line
