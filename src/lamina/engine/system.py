"""What the whole takes on disk, and what this machine can do."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lamina.engine.engine import Engine
    from lamina.engine.local import LocalImage
    from lamina.spec.wire import Document

__all__ = ["ContainerUse", "DiskUse", "ImageUse", "System"]


@dataclass(frozen=True, slots=True)
class ImageUse:
    """One image's share of the disk, in bytes. `size` = `shared` + `unique`."""

    id: str
    names: tuple[str, ...]
    created: str
    size: int
    shared: int
    unique: int
    containers: int


@dataclass(frozen=True, slots=True)
class ContainerUse:
    """One container's writable layer, in bytes."""

    id: str
    name: str
    image: str
    command: str
    created: str
    status: str
    size: int
    running: bool


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What images and containers take. `layers_size` counts what is shared once.

    `images_reclaimable` is what `image prune -a` would free.
    """

    images: tuple[ImageUse, ...]
    containers: tuple[ContainerUse, ...]
    layers_size: int
    images_reclaimable: int

    @property
    def containers_size(self) -> int:
        """Bytes in all writable layers."""
        return sum(container.size for container in self.containers)

    @property
    def containers_reclaimable(self) -> int:
        """Bytes in the writable layers of containers that do not run."""
        return sum(container.size for container in self.containers if not container.running)


class System:
    """Facts about one engine as a whole."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def df(self) -> DiskUse:
        """Add up the disk. Files are counted once however many images hold them."""
        engine = self._engine
        records = engine.containers.records()
        holders: dict[str, int] = {}
        files: dict[str, dict[str, int]] = {}
        images = [(row, engine.images.resolve(str(row.id))) for row in engine.images.list()]
        for row, image in images:
            files[str(row.id)] = self._files_of(image)
            for path in files[str(row.id)]:
                holders[path] = holders.get(path, 0) + 1
        uses = []
        for row, _ in images:
            own = files[str(row.id)]
            shared = sum(size for path, size in own.items() if holders[path] > 1)
            size = sum(own.values())
            users = sum(1 for record in records if record.image_id == row.id)
            uses.append(
                ImageUse(str(row.id), row.names, row.created, size, shared, size - shared, users)
            )
        total = _union(files[use.id] for use in uses)
        needed = _union(files[use.id] for use in uses if use.containers)
        containers = tuple(engine.containers.disk_use())
        return DiskUse(tuple(uses), containers, total, total - needed)

    def _files_of(self, image: "LocalImage") -> dict[str, int]:
        """Map each file that an image needs to its bytes on disk."""
        engine = self._engine
        digests = [image.manifest.digest, image.manifest.config.digest]
        digests += [layer.digest for layer in image.manifest.layers]
        paths = [engine.store.blobs.path(digest) for digest in digests]
        pile = image.config.diff_ids
        paths += [engine.layers.path(pile[: i + 1]) for i in range(len(pile))]
        paths += engine.layers.merged_files(pile)
        sizes = {}
        for path in paths:
            try:
                sizes[path] = os.stat(path).st_blocks * 512
            except FileNotFoundError:
                continue
        return sizes

    def drop_downloads(self) -> int:
        """Forget what interrupted pulls and loads left behind; give the bytes freed.

        Running ones are untouched; an interrupted one begins anew when it is repeated.
        """
        return self._engine.store.blobs.drop_partials(before=float("inf"))

    def info(self) -> "Document":
        """Say which parts serve here, and why those."""
        from lamina import __version__
        from lamina.snapshot.space import space

        engine = self._engine
        records = engine.containers.records()
        running = sum(1 for record in records if engine.containers.is_running(record.id))
        uname = os.uname()
        runtime = engine.containers.runtime
        kept = space(engine.layers)
        return {
            "ServerVersion": __version__,
            "Containers": len(records),
            "ContainersRunning": running,
            "ContainersStopped": len(records) - running,
            "Images": len(engine.images.list()),
            "Driver": engine.snapshotter.name,
            "DriverReason": engine.snapshotter.reason,
            "MetadataChanges": engine.snapshotter.metadata_changes,
            "UnpackedLayers": kept.unpacked,
            "UnpackedSize": kept.unpacked_size,
            "MergedLayers": kept.merged,
            "MergedSize": kept.merged_size,
            "DriverStatus": self._driver_status(),
            "StorageDrivers": self._drivers(),
            "DefaultRuntime": runtime.name,
            "RuntimeReason": runtime.reason,
            "Network": "the host's, or none (--network none)",
            "KernelVersion": uname.release,
            "OSType": "linux",
            "Architecture": uname.machine,
            "NCPU": os.cpu_count() or 1,
            "LaminaRootDir": engine.settings.root,
            "LaminaRunDir": engine.settings.run_root,
            "Rootless": engine.containers.rootless,
            "RegistryConfig": {"DefaultRegistry": "docker.io", **self._registries()},
        }

    def _registries(self) -> "Document":
        """Say what `registries.toml` changes; nothing where there is none."""
        from lamina.remote.registries import Registries

        found = Registries.load(os.environ)
        rows: Document = {}
        for rule in found.rules:
            row = {"Mirrors": list(rule.mirrors), "Location": rule.location, "Authority": rule.ca}
            flags = {"Insecure": rule.insecure, "Blocked": rule.blocked}
            rows[rule.prefix] = {key: value for key, value in (row | flags).items() if value}
        return {"File": found.path, "Registries": rows} if found.path else {}

    def _driver_status(self) -> list[list[str]]:
        """Say how the driver works here, as docker does: pairs of words."""
        from lamina.snapshot.choose import Probe, survey

        engine = self._engine
        probe = Probe.of_this_machine(engine.settings.root)
        found = survey(engine.settings, probe)
        rows = [["Backing Filesystem", probe.disk_type]]
        if found.name == "sealed":
            rows.append(["Layers Mounted From", "loop devices" if found.by_loop else "files"])
            rows.append(["Direct I/O", _word(found.directio)])
        if found.name != "copied":
            around = engine.snapshotter.surroundings
            rows.append(["Using metacopy", _word(around.metacopy)])
            rows.append(["userxattr", _word(around.userxattr)])
            rows.append(["Most Layers In One Union", str(engine.settings.max_lowers)])
        return rows

    def _drivers(self) -> list[dict[str, str]]:
        """Say of each driver, best first, what it lacks here; nothing where it could serve."""
        from lamina.snapshot.choose import Probe, survey

        settings = self._engine.settings
        against = survey(settings, Probe.of_this_machine(settings.root)).against
        return [{"Name": name, "Lacks": problem} for name, problem in against.items()]


def _word(value: bool) -> str:
    return "true" if value else "false"


def _union(files: "Iterable[dict[str, int]]") -> int:
    """Add up the sizes of distinct files."""
    return sum({path: size for own in files for path, size in own.items()}.values())
