#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Plugins that the environment names, then the node. Arguments of the form -Ekey=value are settings.
set -euo pipefail
home=/opt/bitnami/elasticsearch
data=/bitnami/elasticsearch/data

for plugin in $(tr ',;' '  ' <<< "${ELASTICSEARCH_PLUGINS:-}"); do
  [[ -d $home/plugins/$(basename "$plugin" .zip) ]] || elasticsearch-plugin install --batch "$plugin"
done

# Class data sharing; the build of the image records what a start loads.
sharing=-XX:SharedArchiveFile=/opt/lab/classes.jsa
if [[ -n ${LAB_RECORD_CLASSES:-} ]]; then sharing=-XX:ArchiveClassesAtExit=$LAB_RECORD_CLASSES; fi

heap=${ELASTICSEARCH_HEAP_SIZE:-512m}
java=(
  java "-Xms$heap" "-Xmx$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError
  "$sharing" -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off
  -Dfile.encoding=UTF-8 -Djava.awt.headless=true -Djava.io.tmpdir=/tmp
  "-Des.path.home=$home" "-Des.path.conf=$home/config" -Des.distribution.type=docker
  -Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true -Dlog4j2.formatMsgNoLookups=true
  -Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true -Dio.netty.recycler.maxCapacityPerThread=0
  # The library for vectors is in no registry; without it Lucene's own Java code does the work.
  -Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false
  --add-opens=java.base/java.io=ALL-UNNAMED --enable-native-access=ALL-UNNAMED
)
# Sorted, as the archive of classes is valid for one class path only and a wildcard has no fixed order.
classpath=$(printf '%s\n' "$home"/lib/*.jar | LC_ALL=C sort | paste -sd :)
drop=()
if [[ $(id -u) = 0 ]]; then
  chown -R elasticsearch:elasticsearch "$data" "$home/logs"
  drop=(setpriv --reuid elasticsearch --regid elasticsearch --init-groups)
fi
cd "$home" # native libraries are looked for from here
# shellcheck disable=SC2086  # words are meant
exec "${drop[@]}" "${java[@]}" ${ES_JAVA_OPTS:-} -cp "$classpath" org.elasticsearch.bootstrap.LabNode "$@"
