"""Commit: a container's writable layer becomes an image."""

from contextlib import nullcontext
from functools import partial

from lamina.engine.clock import fixed_ns, now_text
from lamina.engine.naming import keep_image, name_image
from lamina.engine.removal import present
from lamina.errors import Invalid
from lamina.image.edit import (
    append_layer,
    apply_changes,
    docker_manifest,
    new_manifest,
    without_layers,
)
from lamina.image.intake import Intake, NewLayer
from lamina.image.place import Place
from lamina.layer.changeset import write_layer
from lamina.spec.config import History, ImageConfig
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.spec.reference import Reference
from lamina.stream.files import together

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.engine.captured import Capture, Captured, OnCaptured
    from lamina.engine.containers import ContainerRecord
    from lamina.engine.engine import Engine
    from lamina.events import Listener
    from lamina.layer.changeset import Watch
    from lamina.layer.entry import Entry
    from lamina.spec.wire import Document
    from lamina.stream.codec import Compression

__all__ = ["EMPTY_TAR", "CommitRefused", "commit"]

EMPTY_TAR = Digest("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")
"""The diff ID of a tar without entries: a commit without changes adds no layer, as docker's."""

_FORMATS = {"oci": new_manifest, "docker": docker_manifest}
_KEPT = (
    "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels",
    "StopSignal", "Healthcheck", "OnBuild", "Shell", "ArgsEscaped", "StopTimeout",
)  # fmt: skip


class CommitRefused(Invalid):
    """The image would hold what is likely not meant; `captured` says all."""

    def __init__(self, captured: "Captured") -> None:
        first = captured.regrets[0]
        more = len(captured.regrets) - 1
        also = f" (and {more} more)" if more else ""
        super().__init__(f"not committed: {first.text}{also}", hint=first.hint)
        self.captured = captured


def commit(
    engine: "Engine",
    container: str,
    name: str = "",
    *,
    message: str = "",
    author: str = "",
    changes: "Sequence[str]" = (),
    pause: bool = True,
    compression: "Compression | None" = None,
    listener: "Listener | None" = None,
    told: "OnCaptured | None" = None,
    strict: bool = False,
    volumes: bool = False,
    squash: bool = False,
    form: str = "oci",
) -> Digest:
    """Write the container's changes as one new layer on its image's; give the new image's ID.

    With `squash` the one layer has all that the container sees. `form` is the manifest's, oci or docker.

    A running container is paused meanwhile unless `pause` is off. The files that the runtime put
    there (hosts, resolv.conf) are not part of it, and volumes are with `volumes` alone. Costs one pass over what changed.
    What no layer can hold (sockets) is left out, and `listener` hears of it. Under
    SOURCE_DATE_EPOCH no time is later than that and nothing tells of the container, so that the
    same changes give the same image ID. `told` gets, when the image is there, a report of what is in
    it and what may be regretted of that; with `strict` regrets make no image.
    Raises: CommitRefused, NotFound (container), ReferenceInvalid, ChangeInvalid, Invalid (form),
    FormatImpossible, Unavailable (disk).
    """
    from lamina.engine.journal import note_container, note_image

    build = _FORMATS.get(form)
    if build is None:
        raise Invalid(f"unknown format {form!r} of an image", hint="use oci or docker")
    reference = Reference.parse(name) if name else None
    record = engine.containers.record(container)
    settings = apply_changes(_settings_of(record), changes)
    place = Place(engine.store.blobs, engine.layers)
    blobs = engine.store.blobs
    with engine.store.lease():
        base_manifest, base = _base(engine, record)
        below = () if squash else base_manifest.layers
        build(base, below)  # what cannot be written is said before anything is read
        with Intake(place, () if squash else record.diff_ids, compression=compression) as intake:
            with (
                present(engine, record, container),
                engine.containers.paused(record.id) if pause else nullcontext(),
            ):
                capture = _capture(told, strict=strict)
                written = _write(
                    engine, record, intake, listener, capture, volumes=volumes, squash=squash
                )
            report = None
            if capture is not None:
                report = capture.report(
                    record, base.settings, settings, volumes=volumes, chosen=changes
                )
                if strict and report.regrets:
                    raise CommitRefused(report)
            layer = intake.finish() if written else None
            start = without_layers(base.document) if squash else base.document
            config = _config(record, start, settings, layer, message=message, author=author)
            manifest = build(config, [*below, *([layer.blob] if layer else [])])
            documents = partial(blobs.put, config.raw), partial(blobs.put, manifest.raw)
            if layer is None:
                together(*documents)
            else:
                intake.settle(*documents)
        parent = "" if squash else str(record.image_id)
        if reference is None:
            keep_image(engine, manifest, config, parent=parent)
        else:
            command = f"commit {record.name} {reference.familiar}"
            name_image(engine, str(reference), manifest, config, command=command, parent=parent)
    shown = reference.familiar if reference else ""
    if reference is not None:
        note_image(engine, str(config.digest), "tag", name=shown)
    facts = {"comment": message, "imageID": str(config.digest), "imageRef": shown}
    note_container(engine, record, "commit", **facts)
    if told is not None and report is not None:
        told(report)
    return config.digest


def _config(
    record: "ContainerRecord",
    base: "Document",
    settings: "Document",
    layer: NewLayer | None,
    *,
    message: str,
    author: str,
) -> ImageConfig:
    """Write the new image's configuration: its base's, and one step more."""
    words = [*(record.config.get("Entrypoint") or []), *(record.config.get("Cmd") or [])]
    row = History(
        created=now_text(),
        created_by=" ".join(words),
        author=author,
        comment=message,
        empty_layer=layer is None,
    )
    return append_layer(
        base,
        diff_id=layer.diff_id if layer else None,
        row=row,
        settings=settings,
        extra={"container": record.id} if fixed_ns() is None else {},
    )


def _settings_of(record: "ContainerRecord") -> "Document":
    return {key: record.config[key] for key in _KEPT if record.config.get(key) is not None}


def _base(engine: "Engine", record: "ContainerRecord") -> tuple[Manifest, ImageConfig]:
    """Read the image that the container was made from, by ID: its name may have moved."""
    image = engine.images.resolve(str(record.image_id))
    manifest = parse_manifest(image.manifest.raw, image.manifest.media_type)
    if not isinstance(manifest, Manifest):  # resolve never gives an index
        raise TypeError(type(manifest))
    return manifest, image.config


def _capture(told: "OnCaptured | None", *, strict: bool) -> "Capture | None":
    """Give what counts, where somebody wants to know."""
    if told is None and not strict:
        return None
    from lamina.engine.captured import Capture

    return Capture()


def _watch(capture: "Capture | None") -> "Watch | None":
    if capture is None:
        return None
    from lamina.layer.changeset import Watch
    from lamina.study.regrets import LOOKED

    seen = capture.regrets
    return Watch(LOOKED, seen.content, seen.borrowed, seen.sparse)


def _write(
    engine: "Engine",
    record: "ContainerRecord",
    intake: Intake,
    listener: "Listener | None",
    capture: "Capture | None",
    *,
    volumes: bool,
    squash: bool,
) -> bool:
    """Write what changed as a layer, or all there is; tell whether there was anything."""
    from lamina.engine.captured_volumes import with_volumes
    from lamina.engine.points import excluded_paths
    from lamina.layer.flat import write_tree
    from lamina.layer.view import Tree

    exclude = excluded_paths(engine, record, volumes=volumes)
    known: list[Entry] = []

    def take(data: bytes) -> None:
        if capture is not None:
            capture.take(known)
        if not squash:
            intake.write_known(data, known)
        known.clear()

    with (
        engine.layers.opened(record.diff_ids) as parents,
        engine.snapshotter.changed(record.id) as written,
        with_volumes(engine, record, written, parents)
        if volumes
        else nullcontext(written) as changed,
    ):
        stats = None
        if capture is not None or not squash:  # what the report counts is what changed
            stats = write_layer(
                changed.paths,
                parents,
                take,
                marks=changed.marks,
                exclude=exclude,
                clamp_ns=fixed_ns(),
                known=known,
                watch=_watch(capture),
            )
        if squash or stats is None:
            stats = write_tree(
                Tree.of(parents),
                intake.write,
                upper=changed.paths,
                marks=changed.marks,
                exclude=exclude,
                clamp_ns=fixed_ns(),
            )
    if listener is not None and stats.notes:
        from lamina.events import Notice

        for note in stats.notes:
            listener(Notice(note))
    return bool(stats.entries)
