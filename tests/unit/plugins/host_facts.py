# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of a host on which nothing is wrong, as stack_info returns them."""

from __future__ import annotations

import typing as t

GIB = 1024**3

ENGINE: dict[str, t.Any] = {
    "reachable": True,
    "version": "26.1.5",
    "api_version": "1.45",
    "name": "box",
    "swarm": {"state": "inactive", "error": "", "node": "", "address": "", "manager": False, "managers": [], "addresses": []},
    "driver": "overlay2",
    "rootless": False,
    "userns": False,
    "selinux": False,
    "live_restore": True,
    "root": "/var/lib/docker",
    "insecure_registries": ["127.0.0.0/8"],
    "mirrors": [],
    "address_pools": [],
}
DISK: dict[str, t.Any] = {
    "path": "/opt",
    "free": 50 * GIB,
    "size": 100 * GIB,
    "inodes_free": 6000000,
    "inodes": 6553600,
    "mount": "/",
    "type": "ext4",
    "options": [],
    "rotational": False,
}
NO_PROXY = {"http": "", "https": "", "no_proxy": ""}
MACHINE: dict[str, t.Any] = {
    "memory": {"total": 8 * GIB, "available": 6 * GIB, "swap": 0, "limit": None},
    "disk": DISK,
    "engine_disk": {**DISK, "path": "/var/lib/docker"},
    "cpu": {
        "machine": "x86_64",
        "count": 4,
        "flags": ["avx", "avx2", "cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"],
        "page_size": 4096,
    },
    "kernel": {
        "release": "6.12.0",
        "sysctl": {
            "vm.max_map_count": 65530,
            "vm.overcommit_memory": 0,
            "net.core.somaxconn": 4096,
            "net.ipv4.ip_forward": 1,
            "net.bridge.bridge-nf-call-iptables": None,
        },
        "cgroup": {"version": 2, "controllers": ["cpu", "memory", "pids"]},
        "selinux": "",
        "firewalls": [],
    },
    "addresses": ["10.1.0.1"],
    "clock": {"host": 1000.2, "before": 1000.0, "after": 1000.5},
    "network": {
        "subnets": {"bridge": ["172.17.0.0/16"]},
        "routes": [
            {"subnet": "172.17.0.0/16", "interface": "docker0", "direct": True},
            {"subnet": "192.0.2.0/24", "interface": "eth0", "direct": True},
        ],
    },
    "proxies": {"engine": NO_PROXY, "client": NO_PROXY, "client_file": "/root/.docker/config.json"},
    "system": {"systemd": True, "docker_installed": True, "distribution": "debian", "version": "13", "daemon_settings": {}, "python": "3.13.5"},
}
