#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A whole stack on this machine, on the lab images. The argument is the release line, the default of which is 0.5.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
release=${1:-0.5}
source=build/source-$release
lab() { .venv/bin/python tests/lab/lab.py "$@"; }

tests/tools/setup.sh
lab engine
lab images
.venv/bin/python tests/lab/source.py "$release" "$source"
lab smartcn "$source/docker/volumes/elasticsearch/analysis-smartcn.zip"

# Something that answers in place of a language model, where containers find the host.
models=cozeops-lab-models
if [ -z "$(docker ps -q --filter "name=^$models\$")" ] || [ "$(docker inspect -f '{{.Image}}' $models)" != "$(docker image inspect -f '{{.Id}}' cozeops-lab/model-server)" ]; then
  docker rm -f $models >/dev/null 2>&1 || true
  gateway=$(docker network inspect bridge -f '{{(index .IPAM.Config 0).Gateway}}')
  docker run -d --name $models --restart unless-stopped -e LAB_MODEL_KEY=sk-lab-demo -p "$gateway:18000:8000" cozeops-lab/model-server >/dev/null
fi

# Line 0.5 is the stack that inventories/local describes. Another line is a stack of its own beside it, with ports of its own.
stack=coze
more=()
if [ "$release" = 0.5 ]; then
  ln -sfn "${source#build/}" build/source
else
  stack=coze-${release/./-}
  port=$((8890 + 10#${release/./}))
  more=(-e "stack_name=$stack" -e "stack_source=$PWD/$source" -e "stack_public_url=http://127.0.0.1:$port" -e "coze_server_storage_port=$((port + 100))")
fi

.venv/bin/ansible-playbook -i inventories/local playbooks/site.yml -e "stack_release=$release" -e @tests/tools/demo-models.yml "${more[@]}"

printf '\nThe password of admin@%s.example: ' "$stack"
sed -n 's/^COZE_SERVER_ADMIN_PASSWORD: //p' "inventories/local/secrets/$stack.yml"
echo "A model server of the lab answers in the container $models (docker rm -f $models ends it)."
printf 'To remove the stack: .venv/bin/ansible-playbook playbooks/teardown.yml -e stack_teardown_confirm=%s -e stack_teardown_data=true\n' "$stack${more:+ -e stack_name=$stack}"
