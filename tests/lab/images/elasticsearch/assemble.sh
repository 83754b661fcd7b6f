#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# assemble.sh BUILD HOME: jars of the registry and our few classes, in the shape of a distribution's home folder.
set -euo pipefail
build=$1 home=$2
jars=$build/jars
version=$(basename "$jars"/elasticsearch-[0-9]*.jar .jar)
version=${version#elasticsearch-}
smartcn=$build/smartcn

compile() { # SOURCE JAR
  local classes=$build/classes/$1
  mkdir -p "$classes"
  find "$build/src/$1" -name '*.java' -exec javac -nowarn --release 17 -cp "$home/lib/*:$smartcn/*" -d "$classes" {} +
  jar --create --file "$2" -C "$classes" .
}

describe() { # FOLDER NAME CLASS DESCRIPTION
  cat > "$1/plugin-descriptor.properties" <<TEXT
name=$2
classname=$3
description=$4
version=$version
elasticsearch.version=$version
java.version=17
TEXT
}

mkdir -p "$home"/{lib,plugins,config,bin,logs,data,tmp} "$home"/modules/{transport-netty4,analysis-common,rest-root} "$smartcn" /opt/lab
mv "$jars"/netty-*.jar "$jars"/transport-netty4-*.jar "$home/modules/transport-netty4/"
mv "$jars"/lucene-analysis-smartcn-*.jar "$smartcn/"
mv "$jars"/*.jar "$home/lib/"

compile launcher "$home/lib/lab-launcher.jar"
compile analysis-common "$home/modules/analysis-common/analysis-common-$version.jar"
compile rest-root "$home/modules/rest-root/rest-root-$version.jar"
compile smartcn "$smartcn/analysis-smartcn-$version.jar"

describe "$home/modules/transport-netty4" transport-netty4 org.elasticsearch.transport.netty4.Netty4Plugin "Transport over Netty 4"
describe "$home/modules/analysis-common" analysis-common org.elasticsearch.analysis.common.CommonAnalysisPlugin "Filters that the index templates use"
describe "$home/modules/rest-root" rest-root studio.cozeops.lab.RestRootPlugin "The answer at / and the settings of x-pack"
describe "$smartcn" analysis-smartcn org.elasticsearch.plugin.analysis.smartcn.AnalysisSmartChinesePlugin "Lucene's smartcn for Elasticsearch"
(cd "$smartcn" && jar --create --no-manifest --file /opt/lab/analysis-smartcn.zip .)

# Compression is native code, looked up below the home folder; Debian's library is the same one.
case $(uname -m) in x86_64) platform=linux-x64 ;; aarch64) platform=linux-aarch64 ;; esac
mkdir -p "$home/lib/platform/$platform"
ln -s "/usr/lib/$(uname -m)-linux-gnu/libzstd.so.1" "$home/lib/platform/$platform/libzstd.so"
