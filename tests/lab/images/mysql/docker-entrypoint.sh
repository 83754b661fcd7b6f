#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The contract of the official image: an empty data directory is initialised, MYSQL_* are applied to it and
# /docker-entrypoint-initdb.d is run, once; a directory with data is only served.
set -eo pipefail
shopt -s nullglob

DATA=/var/lib/mysql
SOCKET=/var/run/mysqld/mysqld.sock

log() { printf '%s [Entrypoint] %s\n' "$(date -u +%FT%TZ)" "$*"; }
die() { log "ERROR: $*" >&2; exit 1; }

from_file() { # NAME: its value may be given as a file, in NAME_FILE
  local file="${1}_FILE"
  [[ -z ${!file:-} ]] && return
  [[ -z ${!1:-} ]] || die "both $1 and $file are set (but are exclusive)"
  export "$1=$(< "${!file}")"
  unset "$file"
}

sql_text() { # as a SQL string, with its quotes
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\'\'}"
}

option_text() { # as a value in an option file
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

be_mysql() {
  [[ $(id -u) = 0 ]] || return 0
  mkdir -p "$DATA" /var/run/mysqld
  find "$DATA" /var/run/mysqld ! -user mysql -exec chown mysql:mysql {} +
  exec setpriv --reuid mysql --regid mysql --init-groups "$0" "$@"
}

check_settings() {
  [[ -n $MYSQL_ROOT_PASSWORD$MYSQL_ALLOW_EMPTY_PASSWORD$MYSQL_RANDOM_ROOT_PASSWORD ]] ||
    die "Database is uninitialized and password option is not specified: set MYSQL_ROOT_PASSWORD, MYSQL_ALLOW_EMPTY_PASSWORD or MYSQL_RANDOM_ROOT_PASSWORD"
  [[ $MYSQL_USER != root ]] || die 'MYSQL_USER="root": MYSQL_USER and MYSQL_PASSWORD are for a regular user'
}

create_files() {
  log "Initializing database files"
  if command -v mariadb-install-db >/dev/null; then
    mariadb-install-db --datadir="$DATA" --auth-root-authentication-method=normal --skip-test-db >/dev/null
  else
    "$@" --initialize-insecure --default-time-zone=SYSTEM --autocommit=1
  fi
}

start_temporary() {
  log "Starting temporary server"
  "$@" --skip-networking --default-time-zone=SYSTEM --socket="$SOCKET" --loose-mysqlx=OFF --skip-log-bin &
  SERVER=$!
  for ((tries = 0; tries < 600; tries++)); do
    mysqladmin --defaults-extra-file="$LOGIN" -uroot ping >/dev/null 2>&1 && return
    kill -0 "$SERVER" 2>/dev/null || die "the temporary server ended"
    sleep 0.1
  done
  die "the temporary server does not answer"
}

stop_temporary() {
  log "Stopping temporary server"
  mysqladmin --defaults-extra-file="$LOGIN" -uroot shutdown
  wait "$SERVER" || true
}

sql() { mysql --defaults-extra-file="$LOGIN" -uroot --comments "$@"; }

accounts() { # SQL on stdout
  local root user
  root=$(sql_text "$MYSQL_ROOT_PASSWORD")
  [[ -z $MYSQL_DATABASE ]] || echo "CREATE DATABASE IF NOT EXISTS \`$MYSQL_DATABASE\`;"
  if [[ -n $MYSQL_USER && -n $MYSQL_PASSWORD ]]; then
    user="$(sql_text "$MYSQL_USER")@'%'"
    echo "CREATE USER $user IDENTIFIED BY $(sql_text "$MYSQL_PASSWORD");"
    [[ -z $MYSQL_DATABASE ]] || echo "GRANT ALL ON \`${MYSQL_DATABASE//_/\\_}\`.* TO $user;"
  fi
  # Accounts without a password that MariaDB makes; MySQL has none of them.
  echo "DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1', 'root'@'$HOSTNAME', ''@'localhost', ''@'$HOSTNAME';"
  echo "CREATE USER IF NOT EXISTS 'root'@$(sql_text "${MYSQL_ROOT_HOST:-%}") IDENTIFIED BY $root;"
  echo "GRANT ALL ON *.* TO 'root'@$(sql_text "${MYSQL_ROOT_HOST:-%}") WITH GRANT OPTION;"
  echo "ALTER USER 'root'@'localhost' IDENTIFIED BY $root;"
}

run_init_files() {
  local file
  # shellcheck disable=SC1090  # whatever is mounted there
  for file in /docker-entrypoint-initdb.d/*; do
    log "$file"
    case $file in
      *.sh) if [[ -x $file ]]; then "$file"; else . "$file"; fi ;;
      *.sql) sql ${MYSQL_DATABASE:+"$MYSQL_DATABASE"} < "$file" ;;
      *.sql.gz) gunzip -c "$file" | sql ${MYSQL_DATABASE:+"$MYSQL_DATABASE"} ;;
      *) log "ignored" ;;
    esac
  done
}

initialise() {
  check_settings
  LOGIN=$(mktemp) # mode 0600; the password is in no argument list
  create_files "$@"
  start_temporary "$@"
  if [[ -n $MYSQL_RANDOM_ROOT_PASSWORD ]]; then
    MYSQL_ROOT_PASSWORD=$(tr -dc A-Za-z0-9 < /dev/urandom | head -c 32 || true)
    log "GENERATED ROOT PASSWORD: $MYSQL_ROOT_PASSWORD"
  fi
  accounts | sql mysql
  printf '[client]\npassword=%s\n' "$(option_text "$MYSQL_ROOT_PASSWORD")" > "$LOGIN"
  run_init_files
  stop_temporary
  rm -f "$LOGIN"
  log "MySQL init process done. Ready for start up."
}

[[ ${1:0:1} != - ]] || set -- mysqld "$@"
[[ $1 = mysqld ]] || exec "$@"
be_mysql "$@"
for name in MYSQL_ROOT_PASSWORD MYSQL_DATABASE MYSQL_USER MYSQL_PASSWORD; do from_file "$name"; done
[[ -d $DATA/mysql ]] || initialise "$@"
exec "$@"
