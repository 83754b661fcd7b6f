# SPDX-License-Identifier: GPL-3.0-or-later
"""The linters, as tests: one fails, the others are run all the same, and the summary names it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

BIN = Path(sys.prefix) / "bin"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def files_of(root: Path) -> list[str]:
    """Paths of what git tracks and of what it would track, less what is deleted."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = os.fsdecode(subprocess.run(command, cwd=root, capture_output=True, check=True).stdout).split("\0")
    return [name for name in sorted(set(names)) if name and os.path.lexists(root / name)]


@pytest.fixture(scope="session")
def collection_copy(root: Path) -> Path:
    """A copy at the path that ansible-test insists on (a link does not do, it looks at the real path). Only what changed is copied."""
    copy = root / "build" / "ansible_collections" / "cozeops" / "studio"
    wanted = set(files_of(root))
    # A repository of its own: else ansible-test asks that of the checkout, where build/ is ignored, and tests nothing.
    copy.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
    for name in set(files_of(copy)) - wanted:
        (copy / name).unlink()
    for name in wanted:
        source, target = root / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink() or target.is_symlink() or not target.exists() or newer(source, target):
            target.unlink(missing_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return copy


def newer(source: Path, target: Path) -> bool:
    """Whether the content or the mode of a file may differ from that of its copy."""
    a, b = source.stat(), target.stat()
    return (a.st_mtime_ns, a.st_size, a.st_mode) != (b.st_mtime_ns, b.st_size, b.st_mode)


def seed_get_pip() -> None:
    """Spare ansible-test the download of get-pip.py from a server that is no package registry: the Python here can do what that does."""
    from ansible_test._internal.python_requirements import get_venv_packages

    version = get_venv_packages(SimpleNamespace(version=PYTHON))["pip"]
    script = Path.home() / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    if not script.exists():
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text("import ensurepip; ensurepip.bootstrap(default_pip=True)\n", encoding="ascii")


def install_shellcheck() -> None:
    """Sanity only warns when there is no shellcheck, so it is installed where that can be done."""
    if shutil.which("shellcheck") or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", "shellcheck"]):
        subprocess.run(["apt-get", "-qq", *command], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def test_yamllint(run_logged: Callable[..., str]) -> None:
    run_logged("yamllint", [BIN / "yamllint", "--strict", "--format", "parsable", "."])


def test_ruff(run_logged: Callable[..., str]) -> None:
    run_logged("ruff", [BIN / "ruff", "check", "--output-format", "concise", "."])


def test_changelog(run_logged: Callable[..., str]) -> None:
    run_logged("changelog", [BIN / "antsibull-changelog", "lint"])


def test_every_source_file_names_its_licence(root: Path) -> None:
    sources = re.compile(r"(\.(py|sh|yml|yaml|toml|cfg|java|go)|/Dockerfile|^Makefile)$")
    written_by_tools = {"changelogs/changelog.yaml"}
    # Files of source trees that tests deploy as they are; one of them has to be empty.
    data = "tests/lab/source/tree/"
    missing = [
        name
        for name in files_of(root)
        if sources.search(name)
        and name not in written_by_tools
        and not name.startswith(data)
        and "SPDX-License-Identifier: GPL-3.0-or-later" not in (root / name).read_text(encoding="utf-8")[:1000]
    ]
    assert missing == []


def test_mypy(run_logged: Callable[..., str], root: Path, collection_copy: Path) -> None:
    plugins = collection_copy / "plugins"
    if not any(plugins.rglob("*.py")):
        pytest.skip("there are no plugins")
    # In the checkout mypy would find every file twice: as itself and through the link in site-packages.
    run_logged(
        "mypy",
        [BIN / "mypy", "--config-file", root / "pyproject.toml", "--namespace-packages", "--explicit-package-bases", plugins],
        env={"MYPYPATH": str(root / "build"), "MYPY_CACHE_DIR": str(root / "build" / ".mypy_cache")},
    )


def test_ansible_lint(run_logged: Callable[..., str]) -> None:
    run_logged("ansible-lint", [BIN / "ansible-lint", "--offline", "--profile", "production", "--format", "pep8"])


def test_sanity(run_logged: Callable[..., str], collection_copy: Path) -> None:
    seed_get_pip()
    install_shellcheck()
    command = [BIN / "ansible-test", "sanity", "--local", "--python", PYTHON, "--color", "no"]
    output = run_logged("sanity", command, cwd=collection_copy, keep="^(ERROR|FATAL|WARNING)")
    assert "All targets skipped" not in output
