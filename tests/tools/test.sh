#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs everything, also when an early part fails. pytest comes last, so that its summary is at the end of the output.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
failed=()
limit=()

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

begun=$(date +%s)
tests/tools/setup.sh || exit
browser || echo "test: chromium could not be installed; the report is not looked at in a browser"
part "lab images" lab
case ${LONG:-} in
    "") options=(-m "not long"); echo "test: without those that take long: make test LONG=all has them too" ;;
    all) options=() ;;
    # What hangs is interrupted a quarter of an hour later, and pytest still says what failed until then.
    *) options=(--no-long-after "$((begun + 60 * LONG))"); limit=(timeout --signal INT --kill-after 120 "$((begun + 60 * (LONG + 13) - $(date +%s)))") ;;
esac
part "tests" "${limit[@]}" .venv/bin/python -m pytest --durations=40 "${options[@]}" "$@"

if [ ${#failed[@]} -gt 0 ]; then
    printf '== FAILED: %s\n' "${failed[@]}"
    exit 1
fi
