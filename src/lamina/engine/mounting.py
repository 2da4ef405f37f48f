"""The mounts of a container: from what was asked to its record, and from that to its start."""

import os

from lamina.engine.volume_mounts import MountInvalid, VolumeMount
from lamina.errors import Invalid, NotFound
from lamina.spec.digest import Digest
from lamina.spec.mount import Mount
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord
    from lamina.engine.requests import CreateRequest
    from lamina.spec.wire import Document

__all__ = ["HIDDEN", "Mounted", "forget_volumes", "mount_rows", "started_mounts"]

HIDDEN = (
    "Folder", "Anonymous", "Subpath", "ImageID", "DiffIDs", "Device", "NonRecursive", "Below", "Make",
)  # fmt: skip
"""What a record's rows have beside what `inspect` shows."""


class Mounted(NamedTuple):
    """What a start mounts: `mounts` before the container is made, `binds` by its runtime."""

    mounts: tuple[Mount, ...]
    binds: "tuple[Document, ...]"


def mount_rows(
    engine: "Engine", request: "CreateRequest", config: "Document", pile: "Sequence[Digest]"
) -> "tuple[Document, ...]":
    """Give the mounts as `inspect` shows them; volumes are made where they are missing.

    `pile` is the image's. Raises: MountInvalid, Invalid.
    """
    wanted = list(request.mounts)
    taken = {mount.target for mount in wanted} | set(request.tmpfs)
    others: list[Document] = []
    if request.volumes_from:
        from lamina.engine.inherited import inherited

        others += inherited(engine, request.volumes_from, taken)
        taken |= {mount["Destination"] for mount in others}
    wanted += [
        VolumeMount("volume", "", target)
        for target in config.get("Volumes") or {}
        if target not in taken and target.startswith("/") and target != "/"
    ]
    rows: list[Document] = []
    try:
        rows.extend(_row_of(engine, pile, mount) for mount in wanted)
        if any(mount.chown for mount in wanted):
            from lamina.engine.chowning import give_away, owner_in

            owner = owner_in(engine, pile, str(config.get("User") or ""))
            for mount, row in zip(wanted, rows, strict=True):
                if mount.chown:
                    give_away(_inside(row["Source"], mount.subpath), *owner)
    except BaseException:
        forget_volumes(engine, rows)
        raise
    return (*rows, *others)


def forget_volumes(engine: "Engine", rows: "Sequence[Document]") -> None:
    """Remove the anonymous volumes among `rows`, of a container that was not made after all."""
    from contextlib import suppress

    from lamina.engine.journal import note_volume
    from lamina.errors import LaminaError
    from lamina.stream.files import remove_tree

    for row in rows:
        if row.get("Anonymous"):
            with suppress(LaminaError, OSError):
                remove_tree(row["Folder"])
                note_volume(engine, row["Name"], "destroy")


def _row_of(engine: "Engine", pile: "Sequence[Digest]", mount: VolumeMount) -> "Document":
    if mount.kind == "tmpfs":
        return _row("tmpfs", "", mount, Mode=mount.options)
    if mount.kind == "volume":
        return _volume(engine, pile, mount)
    if mount.kind == "image":
        return _image(engine, mount)
    if not os.path.lexists(mount.source):
        if not mount.make:
            raise MountInvalid(
                f'invalid mount config for type "bind": bind source path does not exist: {mount.source}',
                hint="make it first, or use -v, which makes it",
            )
        _make(mount.source)
    extra: Document = {} if mount.recursive else {"NonRecursive": True}
    if mount.make:
        extra["Make"] = True
    if mount.below:
        extra["Below"] = mount.below
    return _row("bind", mount.source, mount, **extra)


def _volume(engine: "Engine", pile: "Sequence[Digest]", mount: VolumeMount) -> "Document":
    from lamina.engine.volume_device import device_of
    from lamina.engine.volume_shelf import ANONYMOUS
    from lamina.engine.volumes import check_name, volume_folder

    name = mount.source or os.urandom(32).hex()
    check_name(name)
    device_of(mount.driver_options)
    path = volume_folder(
        engine,
        name,
        pile=pile if mount.copy else (),
        target=mount.target,
        labels={**mount.labels, **({} if mount.source else {ANONYMOUS: ""})},
        options=mount.driver_options,
    )
    extra: Document = {"Name": name, "Driver": "local", "Anonymous": not mount.source}
    if mount.subpath:
        extra["Subpath"] = mount.subpath
    device = device_of(engine.volumes.get(name).options)
    source = path
    if device is not None:
        extra |= {"RW": False, "Mode": "ro"} if device.read_only else {}
        if device.is_bind:
            source = device.source
        elif mount.subpath:
            raise MountInvalid(
                f"volume-subpath is not possible in volume {name}: it is not mounted yet"
            )
        elif mount.chown:
            raise MountInvalid(
                f"volume {name} is a file system of its own: U cannot give it away",
                hint="say in its options whose it is: -o o=uid=1000,gid=1000",
            )
        else:
            extra["Device"] = {
                "type": device.type,
                "source": device.source,
                "options": list(device.options),
            }
    return _row("volume", source, mount, Folder=os.path.dirname(path), **extra)


def _image(engine: "Engine", mount: VolumeMount) -> "Document":
    """Give the row of an image that is shown. What `subpath` names is looked up now: it never changes."""
    try:
        image = engine.images.resolve(mount.source)
    except NotFound as error:
        raise MountInvalid(error.message, hint=f"`lamina pull {mount.source}` first") from error
    pile = image.config.diff_ids
    if mount.subpath:
        _check_in_image(engine, pile, mount)
    extra: Document = {"Subpath": mount.subpath} if mount.subpath else {}
    return {
        **_row("image", mount.source, mount, **extra),
        "Mode": "ro",
        "RW": False,
        "ImageID": str(image.id),
        "DiffIDs": list(pile),
    }


def _check_in_image(engine: "Engine", pile: "Sequence[Digest]", mount: VolumeMount) -> None:
    """Refuse a path with a symlink in it, which could lead the runtime elsewhere. Raises: MountInvalid."""
    from lamina.layer.entry import Kind
    from lamina.layer.view import Tree

    parts = mount.subpath.split("/")
    with engine.layers.opened(pile) as layers:
        tree = Tree.of(layers)
        for count in range(1, len(parts) + 1):
            node = tree.lookup("/".join(parts[:count]).encode())
            last = count == len(parts)
            if node is None or not (
                node.kind is Kind.DIRECTORY or (last and node.kind is Kind.FILE)
            ):
                raise MountInvalid(
                    f"cannot access path {mount.subpath!r} in image {mount.source}: "
                    "it names no folder or file of it",
                    hint=f"`lamina ls {mount.source}:/` shows what is there; links are not followed",
                )


def _row(kind: str, source: str, mount: VolumeMount, **extra: object) -> "Document":
    return {
        "Type": kind,
        "Source": source,
        "Destination": mount.target,
        "Mode": "ro" if mount.read_only else "",
        "RW": not mount.read_only,
        "Propagation": (mount.propagation or "rprivate") if kind == "bind" else "",
        **extra,
    }


def started_mounts(engine: "Engine", record: "ContainerRecord", folder: str) -> Mounted:
    """Say what a start mounts for the record's rows; `folder` is the container's run folder.

    Raises: Invalid (what should be mounted is not there).
    """
    mounts: list[Mount] = []
    binds = []
    for number, row in enumerate(record.mounts):
        if row["Type"] == "image":
            place = f"{folder}/images/{number}"
            stack = engine.snapshotter.view([Digest(text) for text in row["DiffIDs"]])
            if stack.lowers and engine.snapshotter.name == "copied":
                place = stack.lowers[0].path  # whole, and there is no overlayfs to show it with
            else:
                mounts += engine.snapshotter.mounts(stack, place)
            shown = f"{place}/{row['Subpath']}" if row.get("Subpath") else place
            binds.append(_bind(row, shown, alone=True))
        elif row.get("Device"):
            place = _shared_place(engine, row)
            mounts.append(_device_mount(row["Device"], place))
            binds.append(_bind(row, place))
        elif row["Type"] == "tmpfs":
            binds.append(_tmpfs(row))
        else:
            source = _source(row)
            binds.append(_bind(row, source, alone=not os.path.isdir(source)))
    return Mounted(tuple(mounts), tuple(binds))


def _shared_place(engine: "Engine", row: "Document") -> str:
    """Give where every container of this machine finds a volume that is a file system of its own."""
    return f"{engine.settings.run_root}/volumes/{Digest.of(os.fsencode(row['Folder'])).hex[:32]}"


def _device_mount(row: "Document", place: str) -> Mount:
    from lamina.engine.volume_device import VolumeDevice

    device: VolumeDevice = VolumeDevice(row["type"], row["source"], tuple(row["options"])).located()
    return Mount(device.type, device.source, place, device.options)


def _make(folder: str) -> None:
    """Make the folder that a bind shows and nobody has made. Raises: MountInvalid."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise MountInvalid(
            f"cannot make {folder}, which is to be mounted: {error.strerror}",
            hint="make it first as somebody who may, or mount another folder",
        ) from error


def _source(row: "Document") -> str:
    if not os.path.lexists(row["Source"]):
        if not row.get("Make"):
            raise Invalid(
                f'invalid mount config for type "{row["Type"]}": bind source path does not exist: {row["Source"]}',
                hint="make the folder again first",
            )
        _make(row["Source"])  # as Docker does at each start
    return _inside(row["Source"], row.get("Subpath") or "")


def _inside(volume: str, subpath: str) -> str:
    """Give the folder at `subpath` of a volume; a link in it may not lead out. Raises: Invalid."""
    if not subpath:
        return volume
    path = os.path.realpath(f"{volume}/{subpath}")
    if not path.startswith(f"{os.path.realpath(volume)}/") or not os.path.isdir(path):
        raise Invalid(
            f"cannot access path {subpath!r} in the volume: no such folder in it",
            hint="make it first, from a container that has the whole volume",
        )
    return path


def _tmpfs(row: "Document") -> "Document":
    options = ["nosuid", "nodev", "noexec", *[o for o in row["Mode"].split(",") if o]]
    return {
        "destination": row["Destination"],
        "type": "tmpfs",
        "source": "tmpfs",
        "options": options if row["RW"] else [*options, "ro"],
    }


def _bind(row: "Document", source: str, *, alone: bool = False) -> "Document":
    how = "bind" if row.get("NonRecursive") else "rbind"
    # As Docker since 25: what is mounted below a read-only folder is read-only as well. A file has nothing
    # below, and crun 1.8 takes what should be read-only with all of that for a folder.
    alone = alone or how == "bind" or row.get("Below") == "writable"
    return {
        "destination": row["Destination"],
        "type": "bind",
        "source": source,
        "options": [
            how,
            row["Propagation"] or "rprivate",
            "rw" if row["RW"] else "ro" if alone else "rro",
        ],
    }
