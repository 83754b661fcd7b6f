#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes .venv from requirements.txt and lets it see this checkout as the collection cozeops.studio. Does nothing when that is done already.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD

die() {
    echo "setup: $*" >&2
    exit 1
}

apt_install() {
    command -v apt-get >/dev/null || die "needs $*: install it, then run this again"
    [ "$(id -u)" = 0 ] || die "needs $*: run 'apt-get install $*' as root, then this again"
    echo "setup: apt-get install $*"
    apt-get -qq update </dev/null
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" </dev/null >/dev/null
}

# The first Python that ansible-core 2.19 runs on. A name in PATH proves nothing (pyenv has shims for versions that are not active): run it.
find_python() {
    local name
    for name in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            "$name" -c 'import os, sys; print(os.path.realpath(sys.executable))'
            return
        fi
    done
    return 1
}

link_collection() {
    local site link
    site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    link=$site/ansible_collections/cozeops/studio
    if [ "$(readlink "$link" 2>/dev/null)" != "$root" ]; then
        mkdir -p "${link%/*}"
        ln -sfn "$root" "$link"
    fi
    for place in "${HOME:-/root}/.ansible/collections" /usr/share/ansible/collections; do
        if [ -e "$place/ansible_collections/cozeops/studio" ]; then
            echo "setup: WARNING: $place holds cozeops.studio too, and Ansible will take that one, not this checkout" >&2
        fi
    done
}

mkdir -p build
exec 9>build/.setup.lock
flock 9 # two makes at once would write into one venv

command -v ssh >/dev/null || apt_install openssh-client
command -v zstd >/dev/null || apt_install zstd # archives of images may be compressed so
command -v skopeo >/dev/null || apt_install skopeo # images of a bundle are pushed with it

# The scripts in a venv name their interpreter by its full path, so a checkout that was moved needs a new one.
stamp=$({ echo "$root"; cat requirements.txt constraints.txt; } | sha256sum | cut -d ' ' -f 1)
if [ "$(cat .venv/.stamp 2>/dev/null)" = "$stamp" ] && .venv/bin/python -c '' 2>/dev/null; then
    link_collection
    exit 0
fi

if ! grep -qs "^command = .* $root/.venv\$" .venv/pyvenv.cfg || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python) || { apt_install python3 python3-venv && python=$(find_python); } || die "needs Python 3.11, 3.12 or 3.13"
    rm -rf .venv
    # Debian's python3 has no ensurepip until python3-venv is there, and leaves half a venv behind.
    "$python" -m venv .venv >/dev/null 2>&1 || { apt_install python3-venv && "$python" -m venv --clear .venv; } || die "$python cannot make a venv"
fi
echo "setup: installing requirements.txt into .venv ($(.venv/bin/python --version))"
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt </dev/null
link_collection
echo "$stamp" >.venv/.stamp
