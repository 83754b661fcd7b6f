#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Upstream's compose calls it before it gives the data directory to etcd:etcd; user and group are there already.
mkdir -p /bitnami/etcd/data
