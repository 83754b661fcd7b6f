# SPDX-License-Identifier: GPL-3.0-or-later
"""unpack.py WHEEL_FOLDER HOME: the server, its libraries and a configuration for etcd and MinIO, out of the wheel."""
from __future__ import annotations

import lzma
import pathlib
import re
import shutil
import sys
import zipfile

DATA = "milvus/data/"
STATE = "/var/lib/milvus/"
VALUES = {
    "etcd_log_path": "stdout",
    "etcd_data_dir": STATE + "etcd",
    "local_storage_dir": STATE + "data/",
    "rocksmq_data_dir": STATE + "rdb_data",
    "system_log_path": '""',
}
# The wheel's server keeps all to itself; ours uses the etcd and the MinIO beside it, and stops in seconds, not in half an hour.
CHANGES = {"embed: true": "embed: false", "storageType: local": "storageType: remote", "gracefulStopTimeout: 1800": "gracefulStopTimeout: 3"}


def placeholder(match: re.Match[str]) -> str:
    """The value for one {{ name: default }} of the template."""
    text = match.group(1).strip()
    name = re.split(r"[(:]", text)[0].strip()
    return VALUES.get(name, text.partition(":")[2].strip())


def configuration(template: str) -> str:
    text = re.sub(r"\{\{(.*?)\}\}", placeholder, template)
    for old, new in CHANGES.items():
        if old not in text:
            sys.exit(f"the template has no '{old}': another version of the wheel?")
        text = text.replace(old, new)
    return text


def unpack_binaries(wheel: zipfile.ZipFile, home: pathlib.Path) -> None:
    for name in wheel.namelist():
        if not (name.startswith(DATA + "bin/") and name.endswith(".lzma")):
            continue
        target = pathlib.Path(name).stem
        path = home / ("bin" if target == "milvus" else "lib") / target
        with wheel.open(name) as packed, lzma.open(packed) as source, open(path, "wb") as out:
            shutil.copyfileobj(source, out)
        path.chmod(0o755)


def main() -> None:
    wheel_path = next(pathlib.Path(sys.argv[1]).glob("milvus-*.whl"))
    home = pathlib.Path(sys.argv[2])
    for folder in ("bin", "lib", "configs"):
        (home / folder).mkdir(parents=True)
    with zipfile.ZipFile(wheel_path) as wheel:
        unpack_binaries(wheel, home)
        (home / "configs/milvus.yaml").write_text(configuration(wheel.read(DATA + "config.yaml.template").decode()))
    (home / "configs/glog.conf").write_text(f"--logtostdout=true\n--minloglevel=0\n--log_dir={STATE}logs\n--stop_logging_if_full_disk=true\n")
    (home / "holds").write_text(f"Milvus {wheel_path.name.split('-')[1]} (standalone)\n")


main()
