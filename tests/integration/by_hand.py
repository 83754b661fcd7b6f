# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation of release line 0.2 that somebody has made with `docker run`, container by container, as recipes for Docker without Compose say.

    by_hand.py HOST SOURCE        with passwords of its own, on a host container of the lab
"""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.cozeops.studio.tests.integration.lab_host import HostContainer

ROOT = "/srv/coze"
#: In the order in which they start.
NAMES = ("mysql", "redis", "elasticsearch", "minio", "etcd", "milvus", "nsqlookupd", "nsqd", "nsqadmin", "server")

# The recipe's --privileged is left out: an Engine in a container cannot grant it. All else that it does badly is here: root, open ports, public
# passwords, shells as first processes, a queue without a directory.
SCRIPT = r"""
set -e
cd /srv/coze
set -a; . ./.env; set +a
docker network create coze-network >/dev/null
run() { name=$1; shift; docker run -d --name "coze-$name" --network coze-network "$@" >/dev/null; }
up() {
  for i in $(seq 240); do docker exec "coze-$1" sh -c "$2" >/dev/null 2>&1 && return 0; sleep 0.5; done
  echo "coze-$1: $2"; docker logs --tail 20 "coze-$1"; exit 1
}

run mysql -p 3306:3306 -v $PWD/data/mysql:/var/lib/mysql -v $PWD/docker/volumes/mysql/schema.sql:/docker-entrypoint-initdb.d/init.sql \
  -e MYSQL_ROOT_PASSWORD="$MYSQL_ROOT_PASSWORD" -e MYSQL_DATABASE=opencoze -e MYSQL_USER=coze -e MYSQL_PASSWORD="$MYSQL_PASSWORD" \
  --entrypoint bash mysql:8.4.5 -c '/usr/local/bin/docker-entrypoint.sh mysqld --character-set-server=utf8mb4 --collation-server=utf8mb4_unicode_ci & wait $!'
run redis -p 6379:6379 -v $PWD/data/bitnami/redis:/bitnami/redis/data -e REDIS_AOF_ENABLED=no -e REDIS_PORT_NUMBER=6379 -e REDIS_IO_THREADS=4 \
  -e ALLOW_EMPTY_PASSWORD=yes --user root bitnami/redis:8.0 \
  bash -c 'chown -R 1001:0 /bitnami/redis/data; exec /opt/bitnami/scripts/redis/entrypoint.sh /opt/bitnami/scripts/redis/run.sh'
run elasticsearch --restart always --user root -p 19200:9200 -v $PWD/data/bitnami/elasticsearch:/bitnami/elasticsearch/data \
  -v $PWD/docker/volumes/elasticsearch/elasticsearch.yml:/opt/bitnami/elasticsearch/config/my_elasticsearch.yml \
  -v $PWD/docker/volumes/elasticsearch/analysis-smartcn.zip:/tmp/analysis-smartcn.zip \
  -v $PWD/docker/volumes/elasticsearch/es_index_schema:/es_index_schemas bitnami/elasticsearch:8.18.0 bash -c '
    chown -R 1001:0 /bitnami/elasticsearch/data
    /opt/bitnami/elasticsearch/bin/elasticsearch-plugin install -b file:///tmp/analysis-smartcn.zip
    (
      until curl -sf -o /dev/null http://localhost:9200/_cat/health; do sleep 1; done
      for file in /es_index_schemas/*.index-template.json; do
        name=$(basename "$file" .index-template.json)
        curl -sf -o /dev/null -X PUT -H "Content-Type: application/json" --data-binary @"$file" "http://localhost:9200/_index_template/$name"
        curl -sf -o /dev/null -X PUT "http://localhost:9200/$name"
      done
      touch /tmp/initialised
    ) &
    exec /opt/bitnami/scripts/elasticsearch/entrypoint.sh /opt/bitnami/scripts/elasticsearch/run.sh'
run minio --user root --restart always -p 9000:9000 -p 9001:9001 -v $PWD/data/minio:/data \
  -v $PWD/docker/volumes/minio/default_icon:/default_icon -e MINIO_ROOT_USER=minioadmin -e MINIO_ROOT_PASSWORD="$MINIO_ROOT_PASSWORD" \
  -e STORAGE_BUCKET=opencoze \
  --entrypoint sh minio/minio:RELEASE.2025-06-13T11-33-47Z-cpuv1 -c '
    (
      until mc alias set here http://localhost:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD"; do sleep 1; done
      mc mb --ignore-existing "here/$STORAGE_BUCKET"
      mc cp --recursive /default_icon/ "here/$STORAGE_BUCKET/default_icon/"
    ) &
    exec minio server /data --console-address :9001'
run etcd --user root -p 2379:2379 -v $PWD/data/bitnami/etcd:/bitnami/etcd -e ETCD_AUTO_COMPACTION_MODE=revision -e ALLOW_NONE_AUTHENTICATION=yes \
  --entrypoint bash bitnami/etcd:3.5 \
  -c 'chown -R 1001:0 /bitnami/etcd; exec /opt/bitnami/scripts/etcd/entrypoint.sh /opt/bitnami/scripts/etcd/run.sh'
run nsqlookupd -p 4160:4160 -p 4161:4161 nsqio/nsq:v1.2.1 /nsqlookupd
run nsqd -p 4150:4150 -p 4151:4151 nsqio/nsq:v1.2.1 /nsqd --lookupd-tcp-address=coze-nsqlookupd:4160 --broadcast-address=coze-nsqd
run nsqadmin -p 4171:4171 nsqio/nsq:v1.2.1 /nsqadmin --lookupd-http-address=coze-nsqlookupd:4161
up etcd 'etcdctl endpoint health'
up minio 'curl -sf http://localhost:9000/minio/health/ready'
run milvus --user root -p 19530:19530 -p 9091:9091 -v $PWD/data/milvus:/var/lib/milvus -e ETCD_ENDPOINTS=coze-etcd:2379 -e MINIO_ADDRESS=coze-minio:9000 \
  -e MINIO_BUCKET_NAME=milvus -e MINIO_ACCESS_KEY_ID=minioadmin -e MINIO_SECRET_ACCESS_KEY="$MINIO_ROOT_PASSWORD" -e MINIO_USE_SSL=false -e LOG_LEVEL=debug \
  milvusdb/milvus:v2.5.10 milvus run standalone
up mysql 'mysql -h127.0.0.1 --protocol=tcp -ucoze -p$MYSQL_PASSWORD -e "SELECT 1 FROM workflow_version LIMIT 1" opencoze'
up elasticsearch 'test -e /tmp/initialised'
up milvus 'curl -sf http://localhost:9091/healthz'
docker run -d --name coze-server --network coze-network --env-file .env.expanded -v $PWD/coze_conf:/app/resources/conf -p 8888:8888 -p 8889:8889 \
  opencoze/opencoze:0.3.7 /app/opencoze >/dev/null
up server 'curl -s -o /dev/null http://localhost:8888/api/x'
"""


#: For an installation whose operator has chosen passwords and keys.
CHOSEN = {
    "MYSQL_ROOT_PASSWORD": "hand-root-password",
    "MYSQL_PASSWORD": "hand-user-password",
    "MINIO_ROOT_PASSWORD": "hand-minio-password",
    "PLUGIN_AES_AUTH_SECRET": "hand-made-key-01",
    "PLUGIN_AES_STATE_SECRET": "hand-made-key-02",
    "PLUGIN_AES_OAUTH_TOKEN_SECRET": "hand-made-key-03",
}

# Each line as an environment file takes it; stores have the names that the containers have.
SETTINGS = r"""
set -e
cd /srv/coze
cp -r backend/conf coze_conf
printf 'id: 77\nname: hand\n' > coze_conf/model/hand.yaml.example
set -a; . ./.env; set +a
sed -n 's/^export \([A-Z0-9_]*\)=.*/\1/p' .env | while read -r key; do printenv "$key" | sed "s/^/$key=/"; done |
  sed -E 's/(@|@tcp\(|=|=http:\/\/)(mysql|redis|minio|elasticsearch|nsqd|milvus):([0-9])/\1coze-\2:\3/; s/^MYSQL_HOST=/&coze-/
    s/^MAX_REQUEST_BODY_SIZE=.*/MAX_REQUEST_BODY_SIZE=2073741824/' > .env.expanded
echo OWN_SETTING=1 >> .env.expanded
"""


def install(host: HostContainer, source: Path, chosen: bool = False) -> None:
    """Make it on the host, from the tree of line 0.2; with public passwords, or chosen ones."""
    host.push(source, ROOT)
    edits = "; ".join(f"s/^export {key}=.*/export {key}={value}/" for key, value in CHOSEN.items()) if chosen else ""
    host.shell(f"sed '{edits}' {ROOT}/docker/.env.example > {ROOT}/.env")
    host.shell(SETTINGS)
    host.shell(SCRIPT)


if __name__ == "__main__":
    install(HostContainer(sys.argv[1]), Path(sys.argv[2]), chosen=True)
