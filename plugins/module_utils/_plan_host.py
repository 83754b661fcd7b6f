# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plan, and who tells the state of a stack, see of its services on a host. Private to this collection."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.cozeops.studio.plugins.module_utils._container import LABEL_SERVICE, LABEL_STACK, container_name, options
from ansible_collections.cozeops.studio.plugins.module_utils._digest import keyed
from ansible_collections.cozeops.studio.plugins.module_utils._engine import inspect_or_none
from ansible_collections.cozeops.studio.plugins.module_utils._plan import file_reasons, plan_service, tag_moved, with_swap
from ansible_collections.cozeops.studio.plugins.module_utils._ready import Watch, epoch, timeline_entry, wait
from ansible_collections.cozeops.studio.plugins.module_utils._ready_engine import DockerEngine
from ansible_collections.cozeops.studio.plugins.module_utils._redact import read_env
from ansible_collections.cozeops.studio.plugins.module_utils._swap import previous_name

LOOK_SECONDS = 3.0
#: Seconds within which a container that is not ready may be starting, rather than be in trouble that a restart would hide.
SHORT_WHILE = 120.0


def file_state(root: str, path: str, key: str) -> dict[str, t.Any] | None:
    full = os.path.join(root, path)
    try:
        with open(full, "rb") as handle:
            return {"digest": keyed(key, handle.read()), "mtime": os.stat(full).st_mtime}
    except OSError:
        return None


def tree_state(root: str, tree: str, key: str) -> dict[str, dict[str, t.Any] | None]:
    """Every file and directory of a tree on the host."""
    found: dict[str, dict[str, t.Any] | None] = {}
    for folder, _folders, names in os.walk(os.path.join(root, tree)):
        found[os.path.relpath(folder, root)] = {"mtime": os.stat(folder).st_mtime}
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root)
            found[path] = file_state(root, path, key)
    return found


def read_since(root: str, service: str, inspect: t.Mapping[str, t.Any] | None) -> float:
    """When the service last read its files: at its start, or at the last reload that this collection asked for."""
    if inspect is None:
        return 0.0
    mark = os.path.join(root, "state", service + ".reloaded")
    reloaded = os.stat(mark).st_mtime if os.path.exists(mark) else 0.0
    # One that was never started has read nothing yet, and will read everything.
    return max(epoch(inspect["State"]["StartedAt"]), epoch(inspect["Created"]), reloaded)


def image_of(client: t.Any, reference: str) -> dict[str, t.Any] | None:
    from docker.errors import ImageNotFound  # there is a client, so there is the package

    try:
        return t.cast("dict[str, t.Any]", client.inspect_image(reference))
    except ImageNotFound:
        return None


def decide(
    client: t.Any, params: t.Mapping[str, t.Any], service: t.Mapping[str, t.Any], key: str, names: t.Collection[str]
) -> dict[str, t.Any]:
    """The entry of one service. ``names`` are those of all containers on the host."""
    model, update_images = params["model"], params["update_images"]
    root = model["root"]
    wanted = options(model, service)
    inspect = inspect_or_none(client, wanted["name"])
    found: dict[str, dict[str, t.Any] | None] = {}
    for tree, wish in service["tree_changes"].items():
        if wish != "none":
            found.update(tree_state(root, tree, key))
    found.update({path: file_state(root, path, key) for path in service["file_digests"] if path not in found})
    made = epoch(inspect["Created"]) if inspect else 0.0
    files = file_reasons(service, {path: state for path, state in found.items() if state is not None}, read_since(root, service["name"], inspect), made)
    image = None if service["image"] in params["loading"] else image_of(client, service["image"])
    origin = image_of(client, inspect["Image"]) if inspect and image and tag_moved(wanted, inspect, image) else None
    entry = plan_service(service, wanted, inspect, image, files, key, update_images, origin)
    return with_swap(entry, wanted["name"], inspect is not None, previous_name(wanted["name"]) in names)


def labels_by_name(client: t.Any) -> dict[str, dict[str, str]]:
    """All containers of the host: an earlier one that was adopted by its name has no label of ours."""
    return {name.lstrip("/"): container.get("Labels") or {} for container in client.containers(all=True) for name in container["Names"] or []}


def states_by_name(client: t.Any) -> dict[str, str]:
    return {name.lstrip("/"): container["State"] for container in client.containers(all=True) for name in container["Names"] or []}


def strangers(containers: t.Mapping[str, t.Mapping[str, str]], stack: str, services: t.Collection[str]) -> list[str]:
    return sorted(name for name, labels in containers.items() if labels.get(LABEL_STACK) == stack and labels.get(LABEL_SERVICE) not in services)


def watched_once(client: t.Any, model: t.Mapping[str, t.Any], services: t.Sequence[t.Mapping[str, t.Any]], begun: float) -> list[Watch]:
    """One look at each of these services. ``begun`` is now, in seconds since the epoch."""
    watches = [Watch(service["name"], container_name(model["name"], service["name"]), service["probe"], LOOK_SECONDS) for service in services]
    return wait(
        watches,
        DockerEngine(client),
        lambda service, key: read_env(model["root"], service).get(key, ""),
        [watch.name for watch in watches],
        begun,
        LOOK_SECONDS,
        once=True,
    )


def begun_at(watch: Watch) -> float:
    return epoch(str((watch.info.get("State") or {}).get("StartedAt") or ""))


def look_at(client: t.Any, model: t.Mapping[str, t.Any], services: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """The results C(ready) and C(timeline) of stack_plan, for these services; and C(starting) for C(with_looks)."""
    begun = time.time()
    seen = watched_once(client, model, services, begun)
    ready = [watch for watch in seen if watch.ready is not None and watch.failure is None]
    return {
        "ready": [watch.name for watch in ready],
        "timeline": [timeline_entry(watch, begun) for watch in ready],
        "starting": {watch.name: int(watch.info.get("RestartCount") or 0) for watch in seen if watch not in ready and begun - begun_at(watch) < SHORT_WHILE},
    }
