"""What the whole takes on disk, and what this machine can do."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lamina.engine.disk_use import DiskUse
    from lamina.engine.engine import Engine
    from lamina.engine.sharing import Sharing
    from lamina.spec.wire import Document

__all__ = ["System"]


class System:
    """Facts about one engine as a whole."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def df(self) -> "DiskUse":
        """Add up the disk. See `engine.disk_use`."""
        from lamina.engine.disk_use import measure

        return measure(self._engine)

    def sharing(self, names: "Sequence[str]" = ()) -> "Sharing":
        """Tell what images share, and what removing each frees. See `engine.sharing`."""
        from lamina.engine.sharing import sharing

        return sharing(self._engine, names)

    def drop_downloads(self) -> int:
        """Forget what interrupted pulls and loads left behind; give the bytes freed.

        Running ones are untouched; an interrupted one begins anew when it is repeated.
        """
        return self._engine.store.blobs.drop_partials(before=float("inf"))

    def events(
        self,
        *,
        filters: "Mapping[str, Sequence[str]] | None" = None,
        since_s: float | None = None,
        follow: bool = True,
    ) -> "Iterator[Document]":
        """Give what happens to containers and volumes, oldest first, as Docker writes events.

        From now on, or from `since_s` (seconds since 1970); for ever, or with `follow=False` until
        now. `filters` as `lamina events --filter` has them: `{"event": ["die"]}`.
        Raises: Invalid (filters).
        """
        from lamina.engine.journal import events

        return events(
            self._engine,
            filters=filters,
            since_ns=None if since_s is None else int(since_s * 1e9),
            follow=(lambda: True) if follow else None,
        )

    def info(self) -> "Document":
        """Say which parts serve here, and why those."""
        from lamina import __version__
        from lamina.runtime.net.backend import backend
        from lamina.snapshot.space import space

        engine = self._engine
        records = engine.containers.records()
        running = sum(1 for record in records if engine.containers.is_running(record.id))
        uname = os.uname()
        runtime = engine.containers.runtime
        network = backend(engine.settings.tunnel)
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
            "Network": network.kind if network.kind != "tunnel" else network.program,
            "NetworkReason": network.reason,
            **self._groups(),
            "KernelVersion": uname.release,
            "OSType": "linux",
            "Architecture": uname.machine,
            "NCPU": os.cpu_count() or 1,
            **self._quota(),
            "LaminaRootDir": engine.settings.root,
            "LaminaRunDir": engine.settings.run_root,
            "Rootless": engine.containers.rootless,
            "RegistryConfig": {"DefaultRegistry": "docker.io", **self._registries()},
        }

    def _groups(self) -> "Document":
        """Say what control groups keep, in docker's words and one of ours."""
        from lamina.runtime.group_survey import survey
        from lamina.runtime.userns import outer_uid

        found = survey(outer_uid())
        return {
            "CgroupDriver": found.driver,
            "CgroupVersion": str(found.version or ""),
            "CgroupReason": found.reason,
            "LimitsKept": list(found.kept),
            "MemoryLimit": "memory" in found.kept,
            "CpuCfsPeriod": "cpu" in found.kept,
            "CpuCfsQuota": "cpu" in found.kept,
            "CPUShares": "cpu" in found.kept,
            "CPUSet": "cpuset" in found.kept,
            "PidsLimit": "pids" in found.kept,
        }

    def _quota(self) -> "Document":
        """Say what the quota is and what of it is used; nothing where there is none."""
        if not self._engine.settings.quota:
            return {}
        from lamina.engine.quota import used

        return {"Quota": self._engine.settings.quota, "QuotaUsed": used(self._engine)}

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
