"""What the layer bench asks of lamina's library, each in a process of its own; answers are JSON lines.

    python bench/inside.py mount IMAGE TARGET      mount the image's union some times, in milliseconds
    python bench/inside.py union IMAGE TARGET      mount it once, say so, keep it until the input ends
    python bench/inside.py checkpoint IMAGE        with 60 layers: snapshot, rollback and fork, in milliseconds
    python bench/inside.py list IMAGE FOLDER
    python bench/inside.py paths IMAGE             a deep folder, and a file and a big file by path

The root is LAMINA_ROOT's, as for the command. Mounting needs root.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

from lamina.engine.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.spec.digest import Digest

_ROUNDS = 9
_LAYERS = 60
_CHECKPOINTS = 50


def _pile(engine: Engine, name: str) -> "Sequence[Digest]":
    return engine.images.resolve(name).config.diff_ids


def _mount(engine: Engine, name: str, target: str) -> dict[str, Any]:
    """Time mounting: layers that nobody has mounted, then a second container on mounted layers."""
    import statistics
    import time

    from lamina.runtime import syscalls
    from lamina.runtime.mounts import SharedLayers, perform

    pile = _pile(engine, name)
    engine.snapshotter.remove("bench")
    engine.snapshotter.remove("other")
    first: list[float] = []
    second: list[float] = []
    for _ in range(_ROUNDS):
        with_layers = []
        for key, times in (("bench", first), ("other", second)):
            place = f"{target}-{key}"
            os.makedirs(place, exist_ok=True)
            engine.snapshotter.prepare(key, pile)
            started = time.perf_counter()
            *below, top = engine.snapshotter.mounts(engine.snapshotter.stack(key), place)
            layers = SharedLayers(engine.settings.run_root)
            layers.acquire(below)
            perform(top)
            times.append((time.perf_counter() - started) * 1000)
            with_layers.append((key, place, layers))
        for key, place, layers in with_layers:
            syscalls.umount(place, syscalls.MNT_DETACH)
            layers.release()
            engine.snapshotter.remove(key)
    return {
        "once": first[0], "median": statistics.median(first[1:]),
        "second": statistics.median(second[1:]), "layers": len(pile),
    }  # fmt: skip


def _union(engine: Engine, name: str, target: str) -> None:
    """Keep the image's read-only union at `target` until the input ends."""
    from lamina.runtime import syscalls
    from lamina.runtime.mounts import SharedLayers, perform

    stack = engine.snapshotter.view(_pile(engine, name))
    *below, top = engine.snapshotter.mounts(stack, target)
    layers = SharedLayers(engine.settings.run_root)
    layers.acquire(below)
    perform(top)
    try:
        print("mounted", flush=True)
        sys.stdin.read()
    finally:
        syscalls.umount(target, syscalls.MNT_DETACH)
        layers.release()


def _list(engine: Engine, name: str, path: str) -> None:
    with engine.images.tree(name) as tree:
        rows = tree.listdir(path.encode())
        sys.stdout.buffer.write(b"".join(name + b"\n" for name, _ in rows))


def _paths(engine: Engine, name: str) -> dict[str, str]:
    """Find what the rows ask for: the fullest folder, its deepest file, the biggest file."""
    from lamina.layer.entry import Kind

    folders: dict[str, int] = {}
    files: dict[str, int] = {}
    with engine.images.tree(name) as tree:
        for raw, node in tree.walk():
            path = raw.decode(errors="surrogateescape")
            if node.kind is Kind.FILE:
                files[path] = node.size
            folder = path.rpartition("/")[0]
            folders[folder] = folders.get(folder, 0) + 1
    deep = max((path for path in files if 0 < files[path] < 10_000), key=lambda one: one.count("/"))
    return {
        "folder": max(folders, key=lambda one: folders[one]),
        "file": deep,
        "big": max(files, key=lambda one: files[one]),
        "files": str(len(files)),
    }


def _checkpoint(engine: Engine, name: str) -> dict[str, Any]:
    """Time checkpoints of a container on 60 layers that writes a file before each."""
    import statistics
    import time

    from lamina.engine.requests import CreateRequest

    containers = engine.containers
    image = name
    for number in range(_LAYERS - len(_pile(engine, name))):
        box = containers.create(CreateRequest(image, ("true",)))
        _write(engine, box.id, f"layer{number}")
        image = f"bench-checkpoint:{number}"
        engine.commit(box.id, image)
        containers.remove(box.id)
    box = containers.create(CreateRequest(image, ("true",)))
    times: dict[str, list[float]] = {"snapshot": [], "rollback": [], "fork": []}

    def timed(what: str, begun: float) -> None:
        times[what].append((time.perf_counter() - begun) * 1000)

    for number in range(_CHECKPOINTS):
        _write(engine, box.id, f"new{number}")
        begun = time.perf_counter()
        taken = containers.snapshot(box.id)
        timed("snapshot", begun)
        _write(engine, box.id, f"other{number}")
        begun = time.perf_counter()
        containers.rollback(box.id, taken.name)
        timed("rollback", begun)
        begun = time.perf_counter()
        forks = containers.fork(box.id, 1)
        timed("fork", begun)
        containers.remove(forks[0].id)
    containers.remove(box.id)
    return {"layers": _LAYERS, **{what: statistics.median(found) for what, found in times.items()}}


def _write(engine: Engine, container: str, name: str) -> None:
    """Write a small file as the container would."""
    with open(f"{engine.snapshotter.path(container)}/upper/{name}", "wb") as file:
        file.write(b"x" * 1000)


def main(verb: str, name: str, *rest: str) -> None:
    with Engine() as engine:
        if verb == "union":
            _union(engine, name, rest[0])
        elif verb in ("mount", "paths", "checkpoint"):
            import json  # here, as the modules above: to look must not pay for it

            if verb == "checkpoint":
                said = _checkpoint(engine, name)
            else:
                said = _mount(engine, name, rest[0]) if verb == "mount" else _paths(engine, name)
            print(json.dumps(said))  # noqa: TID251 - no OCI document
        else:
            _list(engine, name, rest[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
