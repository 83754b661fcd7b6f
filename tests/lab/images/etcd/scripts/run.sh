#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# etcd reads ETCD_* itself; Bitnami's image adds the check for a password and addresses that others can reach.
set -euo pipefail

if [[ -z ${ETCD_ROOT_PASSWORD:-} && ! ${ALLOW_NONE_AUTHENTICATION:-no} =~ ^(yes|true|1)$ ]]; then
  echo "The ETCD_ROOT_PASSWORD environment variable is empty or not set. Set the environment variable ALLOW_NONE_AUTHENTICATION=yes to allow it." >&2
  exit 1
fi
unset ALLOW_NONE_AUTHENTICATION ETCD_ROOT_PASSWORD

read -r address _ < <(hostname -i 2>/dev/null || echo 127.0.0.1)
export ETCD_LISTEN_CLIENT_URLS=${ETCD_LISTEN_CLIENT_URLS:-http://0.0.0.0:2379}
export ETCD_ADVERTISE_CLIENT_URLS=${ETCD_ADVERTISE_CLIENT_URLS:-http://$address:2379}
export ETCD_LISTEN_PEER_URLS=${ETCD_LISTEN_PEER_URLS:-http://127.0.0.1:2380}

mkdir -p "$ETCD_DATA_DIR"
drop=()
if [[ $(id -u) = 0 ]]; then
  chown -R etcd:etcd /bitnami/etcd
  drop=(setpriv --reuid etcd --regid etcd --init-groups)
fi
# etcd complains about a data directory that others may read, and only its owner can close it.
if [[ -O $ETCD_DATA_DIR || $(id -u) = 0 ]]; then chmod 700 "$ETCD_DATA_DIR"; fi
exec "${drop[@]}" etcd "$@"
