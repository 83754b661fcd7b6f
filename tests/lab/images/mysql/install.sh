#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# install.sh any|mariadb: MySQL from Debian's sid; MariaDB of the stable release if that fails, and then it says so.
set -eu
facts=/usr/share/cozeops-lab
mkdir -p "$facts"

# Users first: the packages keep one that exists. The number is that of upstream's image.
groupadd -r -g 999 mysql
useradd -r -g mysql -u 999 -d /var/lib/mysql -s /usr/sbin/nologin mysql

from_sid() {
  # sid's Release file may be older than it says it should be; main is the only section that it has.
  mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
  echo "deb [check-valid-until=no] $mirror sid main" > /etc/apt/sources.list.d/sid.list
  # Everything is fetched before anything is unpacked: a half-way upgraded libc would spoil the way out.
  apt-get update -q && apt-get install -y -q --download-only mysql-server-core mysql-client-core gzip || return 1
  apt-get install -y -q mysql-server-core mysql-client-core gzip && apt-get clean && rm -rf /var/lib/apt/lists/*
}

directories() {
  rm -rf /var/lib/mysql
  mkdir -p /var/lib/mysql /var/run/mysqld /docker-entrypoint-initdb.d
  chown mysql:mysql /var/lib/mysql /var/run/mysqld
  chmod 1777 /var/lib/mysql /var/run/mysqld
}

if [ "$1" = any ] && from_sid; then
  mysqld --version | sed 's/.*Ver \([0-9.]*\).*/MySQL \1/' > "$facts/holds"
else
  rm -f /etc/apt/sources.list.d/sid.list
  apt-get update -q
  lab-install mariadb-server-core mariadb-client gzip
  for name in mysqld:mariadbd mysql:mariadb mysqladmin:mariadb-admin mysqldump:mariadb-dump; do
    command -v "${name%:*}" >/dev/null || ln -s "$(command -v "${name#*:}")" "/usr/bin/${name%:*}"
  done
  mysqld --version | sed 's/.*Ver \([0-9.]*\)-MariaDB.*/MariaDB \1 in place of MySQL/' > "$facts/holds"
  cat > "$facts/warning" <<'TEXT'
MySQL could not be had from Debian's sid, so MariaDB takes its place under MySQL's name.
What passes here need not pass with MySQL: JSON columns, collations, authentication and
error messages differ. Remove the image and run `lab.py images mysql` when sid is back.
TEXT
fi
directories
