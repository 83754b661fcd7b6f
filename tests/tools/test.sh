#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs everything, also when an early part fails. pytest comes last, so that its summary is at the end of the output.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
failed=()

part() {
    local name=$1
    shift
    SECONDS=0
    echo "== $name"
    "$@" || failed+=("$name")
    echo "== $name: $SECONDS s"
}

lab() {
    .venv/bin/python tests/lab/lab.py engine && .venv/bin/python tests/lab/lab.py images
}

# For the test that looks at the report; it skips, and says so, where there is no browser.
browser() {
    command -v chromium >/dev/null || ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ] && return
    apt-get -qq update </dev/null && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install chromium </dev/null
} >/dev/null 2>&1

tests/tools/setup.sh || exit
browser || echo "test: chromium could not be installed; the report is not looked at in a browser"
part "lab images" lab
which=(-m "not long")
if [ -n "${LONG:-}" ]; then
    which=()
else
    echo "test: without those that take long: make test LONG=1 has them too"
fi
part "tests" .venv/bin/python -m pytest --durations=15 "${which[@]}" "$@"

if [ ${#failed[@]} -gt 0 ]; then
    printf '== FAILED: %s\n' "${failed[@]}"
    exit 1
fi
