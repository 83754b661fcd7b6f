#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Bitnami's environment variables, laid over redis-server. The settings go in by stdin: a password has no place among the arguments.
set -euo pipefail

yes() { [[ ${1,,} =~ ^(yes|true|1)$ ]]; }
quoted() { local text=${1//\\/\\\\}; printf '"%s"' "${text//\"/\\\"}"; }

settings() {
  echo "dir /bitnami/redis/data"
  echo "bind 0.0.0.0"
  echo "port ${REDIS_PORT_NUMBER:-6379}"
  if yes "${REDIS_AOF_ENABLED:-yes}"; then echo "appendonly yes"; else echo "appendonly no"; fi
  [[ -z ${REDIS_IO_THREADS:-} ]] || echo "io-threads $REDIS_IO_THREADS"
  if [[ -n ${REDIS_PASSWORD:-} ]]; then
    echo "requirepass $(quoted "$REDIS_PASSWORD")"
    echo "masterauth $(quoted "$REDIS_PASSWORD")"
  else
    echo "protected-mode no"
  fi
}

if [[ -n ${REDIS_PASSWORD_FILE:-} ]]; then REDIS_PASSWORD=$(< "$REDIS_PASSWORD_FILE"); fi
if [[ -z ${REDIS_PASSWORD:-} ]] && ! yes "${ALLOW_EMPTY_PASSWORD:-no}"; then
  echo "The REDIS_PASSWORD environment variable is empty or not set. Set the environment variable ALLOW_EMPTY_PASSWORD=yes to allow a blank password." >&2
  exit 1
fi
# shellcheck disable=SC2206  # words are meant
extra=(${REDIS_EXTRA_FLAGS:-} "$@")
drop=()
if [[ $(id -u) = 0 ]]; then drop=(setpriv --reuid redis --regid redis --init-groups); fi
exec "${drop[@]}" redis-server - "${extra[@]}" < <(settings)
