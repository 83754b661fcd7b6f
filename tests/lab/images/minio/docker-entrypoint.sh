#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `server /data` alone is enough: minio is put in front of a command that does not name it.
set -eu
[ "${1:-minio}" = minio ] || set -- minio "$@"
exec "$@"
