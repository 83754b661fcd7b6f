#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The last steps in the image: user, owners, and an archive of loaded classes that makes every later start faster.
set -euo pipefail
home=/opt/bitnami/elasticsearch
run=/opt/bitnami/scripts/elasticsearch/run.sh

groupadd -g 1001 elasticsearch
useradd -g 0 -u 1001 -d "$home" -s /usr/sbin/nologin elasticsearch
mkdir -p /bitnami/elasticsearch/data
chmod -R g+rwX /bitnami "$home"

# A node that ends as soon as it has started leaves the archive behind.
chown elasticsearch /opt/lab
LAB_RECORD_CLASSES=/opt/lab/classes.jsa setpriv --reuid elasticsearch --regid 0 --clear-groups "$run"
chown root /opt/lab
rm -rf /bitnami/elasticsearch/data/* "$home"/logs/*

mkdir -p /usr/share/cozeops-lab
echo "Elasticsearch $(sed -n 's/^elasticsearch.version=//p' "$home/modules/rest-root/plugin-descriptor.properties") (server jars, part of the modules)" \
  > /usr/share/cozeops-lab/holds
