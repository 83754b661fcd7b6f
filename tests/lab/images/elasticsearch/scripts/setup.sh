#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Upstream's compose calls it before it gives the data directory to elasticsearch:elasticsearch; user and group are there already.
mkdir -p /bitnami/elasticsearch/data /bitnami/elasticsearch/plugins
