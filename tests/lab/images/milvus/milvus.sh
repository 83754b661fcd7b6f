#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The library path is for the server alone: curl, which the health check uses, would break with these libraries.
export LD_LIBRARY_PATH=/milvus/lib
exec /milvus/bin/milvus "$@"
