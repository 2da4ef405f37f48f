"""What people ask about an image, in docker's shapes. Nothing here changes anything."""

from lamina.errors import LaminaError
from lamina.spec.digest import Digest, chain_id
from lamina.spec.reference import Reference
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.local import LocalImage
    from lamina.spec.wire import Document

__all__ = ["HistoryRow", "LayerRow", "config_document", "history", "image_document", "stack"]

_CONFIG_ORDER: tuple[tuple[str, object], ...] = (
    ("Hostname", ""), ("Domainname", ""), ("User", ""), ("AttachStdin", False),
    ("AttachStdout", False), ("AttachStderr", False), ("ExposedPorts", None), ("Tty", False),
    ("OpenStdin", False), ("StdinOnce", False), ("Env", None), ("Cmd", None),
    ("Healthcheck", None), ("ArgsEscaped", None), ("Image", ""), ("Volumes", None),
    ("WorkingDir", ""), ("Entrypoint", None), ("OnBuild", None), ("Labels", None),
    ("StopSignal", None), ("Shell", None),
)  # fmt: skip
_LEFT_OUT_WHEN_EMPTY = {"ExposedPorts", "Healthcheck", "ArgsEscaped", "StopSignal", "Shell"}


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One step. `id` is empty where no local image ends at it; `size` is bytes of content."""

    id: str
    created: str
    created_by: str
    size: int
    comment: str
    author: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer of a stack. `shared_with` are other local images that stand on the same pile."""

    number: int
    digest: Digest
    diff_id: Digest
    chain_id: Digest
    created: str
    created_by: str
    comment: str
    author: str
    size: int
    compressed_size: int
    shared_with: tuple[str, ...]


def config_document(settings: "Document", image: str = "") -> "Document":
    """Give a `Config` object with every field docker shows, in docker's order."""
    document: Document = {}
    for key, default in _CONFIG_ORDER:
        value = settings.get(key, default)
        if key == "Image" and not value:
            value = image
        if value is None and key in _LEFT_OUT_WHEN_EMPTY:
            continue
        document[key] = value
    document.update({key: value for key, value in settings.items() if key not in document})
    return document


def image_document(engine: "Engine", image: "LocalImage") -> "Document":
    """Give the image as `docker image inspect` shapes it, with Container where a commit made it."""
    source = image.config.document
    rows, sizes = image.config.history, image.layer_sizes
    comment = str(source.get("comment") or "") or (rows[-1].comment if rows else "")
    document: Document = {
        "Id": str(image.id),
        "RepoTags": [Reference.parse(name).familiar for name in image.names],
        "RepoDigests": [Reference.parse(name).familiar for name in image.digests],
        "Parent": image.parent,
        "Comment": comment,
        "Created": image.config.created,
        "Container": str(source.get("container") or ""),
        "DockerVersion": str(source.get("docker_version") or ""),
        "Author": str(source.get("author") or ""),
        "Config": config_document(image.config.settings),
        "Architecture": str(source.get("architecture") or ""),
        "Os": str(source.get("os") or ""),
        "Size": image.size or sum(sizes or (layer.size for layer in image.manifest.layers)),
        "GraphDriver": _graph_driver(engine, image),
        "RootFS": {"Type": "layers", "Layers": [str(d) for d in image.config.diff_ids]},
        "Metadata": {"LastTagTime": image.tagged or "0001-01-01T00:00:00Z"},
        "Descriptor": image.manifest.descriptor.to_json(),
    }
    if source.get("variant"):
        document["Variant"] = str(source["variant"])
    return document


def _graph_driver(engine: "Engine", image: "LocalImage") -> "Document":
    """Say where the layers are, lowest last, as overlay names them."""
    # Of another machine's image there are blobs alone.
    count = len(image.config.diff_ids) if image.layer_sizes else 0
    piles = [image.config.diff_ids[: i + 1] for i in range(count)]
    paths = [engine.layers.path(pile) for pile in piles][::-1]
    data: Document = {"LowerDir": ":".join(paths[1:])} if len(paths) > 1 else {}
    if paths:
        data["UpperDir"] = paths[0]
    return {"Data": data or None, "Name": engine.snapshotter.name}


def history(engine: "Engine", image: "LocalImage") -> tuple[HistoryRow, ...]:
    """Give the steps, newest first; steps at which another local image ends carry its ID."""
    ends = _ends(engine, image)
    sizes = dict(zip(image.config.diff_ids, image.layer_sizes, strict=False))
    rows = [
        HistoryRow(
            id=ends.get(number, ""),
            created=row.created,
            created_by=row.created_by,
            size=sizes.get(diff_id, 0) if diff_id else 0,
            comment=row.comment,
            author=row.author,
        )
        for number, (row, diff_id) in enumerate(image.config.steps(), 1)
    ]
    return tuple(rows[::-1])


def _ends(engine: "Engine", image: "LocalImage") -> dict[int, str]:
    """Map step numbers to the local images that end there: the image, its parents, theirs."""
    ends = {len(image.config.steps()): str(image.id)}
    parent = image.parent
    while parent:
        try:
            above = engine.images.documents(parent)
        except LaminaError:  # the parent was removed meanwhile, or is damaged
            break
        ends.setdefault(len(above.config.steps()), str(above.id))
        parent = above.parent
    return ends


def stack(engine: "Engine", image: "LocalImage") -> tuple[LayerRow, ...]:
    """Give the layers, topmost first: who made each, its size, who shares it."""
    others = _other_piles(engine, image)
    rows = []
    made = [(row, diff_id) for row, diff_id in image.config.steps() if diff_id]
    for number, (row, diff_id) in enumerate(made, 1):
        pile = image.config.diff_ids[:number]
        chain = chain_id(pile)
        blob = image.manifest.layers[number - 1]
        rows.append(
            LayerRow(
                number=number,
                digest=blob.digest,
                diff_id=diff_id,
                chain_id=chain,
                created=row.created,
                created_by=row.created_by,
                comment=row.comment,
                author=row.author,
                size=image.layer_sizes[number - 1] if number <= len(image.layer_sizes) else 0,
                compressed_size=blob.size,
                shared_with=tuple(sorted(others.get(pile, ()))),
            )
        )
    return tuple(rows[::-1])


def _other_piles(engine: "Engine", image: "LocalImage") -> dict[tuple[Digest, ...], set[str]]:
    found: dict[tuple[Digest, ...], set[str]] = {}
    for summary in engine.images.list():
        if summary.id == image.id:
            continue
        try:
            other = engine.images.documents(str(summary.id))
        except LaminaError:  # removed meanwhile, or damaged
            continue
        shown = [Reference.parse(name).familiar for name in other.names] or [summary.id.short]
        for i in range(len(other.config.diff_ids)):
            found.setdefault(other.config.diff_ids[: i + 1], set()).update(shown)
    return found
