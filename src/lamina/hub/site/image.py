"""What the page of one image shows: facts of its configuration and its layers as a stack. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lamina.errors import LaminaError
from lamina.hub.site.words import instruction
from lamina.spec.config import ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.manifest import Index, Manifest, parse_manifest

__all__ = ["Fact", "Picture", "Plate", "Slab", "picture"]

_THINNEST, _THICKEST = 4, 34
_WIDEST = 100
_WIDTH, _DEPTH, _LEAN, _GAP = 260, 28, 54, 17
_TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True, slots=True)
class Fact:
    """One labelled line; `is_code` for what a person typed into the image."""

    label: str
    values: tuple[str, ...]
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Slab:
    """One step of the stack. A step without a layer has no digest and no size.

    `thickness` is the drawn height; `share` the layer's part of the image in percent.
    """

    verb: str
    text: str
    comment: str
    author: str
    created: str
    digest: str
    size: int
    number: int
    thickness: int
    share: float


@dataclass(frozen=True, slots=True)
class Plate:
    """One layer drawn as a plate seen from above: the points of its three faces, as SVG has them.

    Number 0 is the writable layer that a container adds on top.
    """

    number: int
    top: str
    front: str
    side: str
    label_y: int


@dataclass(frozen=True, slots=True)
class Picture:
    """An image or artifact as its page draws it; slabs are TOPMOST FIRST."""

    facts: tuple[Fact, ...]
    slabs: tuple[Slab, ...]
    layers: int
    size: int
    is_artifact: bool
    plates: tuple[Plate, ...] = ()
    height: int = 0


def picture(raw: bytes, media_type: str, config_raw: bytes) -> Picture:
    """Draw a manifest; an empty or unreadable configuration leaves the layers alone to be seen."""
    manifest = parse_manifest(raw, media_type)
    if isinstance(manifest, Index):
        return Picture((), (), 0, 0, is_artifact=False)
    config = _config(manifest, config_raw)
    if config is None:
        slabs = _file_slabs(manifest)
        facts: tuple[Fact, ...] = (
            Fact("Type", (manifest.artifact_type or manifest.config.media_type,)),
        )
    else:
        slabs = _image_slabs(manifest, config)
        facts = tuple(_facts(config))
    size = manifest.config.size + sum(layer.size for layer in manifest.layers)
    top_first = tuple(reversed(slabs))
    plates, height = _plates(top_first, has_writable=config is not None)
    return Picture(facts, top_first, len(manifest.layers), size, config is None, plates, height)


def _plates(slabs: tuple[Slab, ...], *, has_writable: bool) -> tuple[tuple[Plate, ...], int]:
    """Draw the layers as plates, LOWEST FIRST so that upper ones cover lower ones."""
    y = 1
    plates: list[Plate] = []
    if has_writable:
        plates.append(_plate(0, y, _THINNEST))
        y += _GAP * 2
    for slab in slabs:
        if slab.digest:
            plates.append(_plate(slab.number, y, slab.thickness))
            y += slab.thickness + _GAP
    return tuple(reversed(plates)), y + _DEPTH


def _plate(number: int, y: int, thickness: int) -> Plate:
    left, right, low = 1, _WIDTH - 1, y + _DEPTH
    near_right, far_left = right - _LEAN, left + _LEAN
    return Plate(
        number=number,
        top=f"{far_left},{y} {right},{y} {near_right},{low} {left},{low}",
        front=f"{left},{low} {near_right},{low} {near_right},{low + thickness}"
        f" {left},{low + thickness}",
        side=f"{near_right},{low} {right},{y} {right},{y + thickness} {near_right},{low + thickness}",
        label_y=low - 5,
    )


def _config(manifest: Manifest, raw: bytes) -> ImageConfig | None:
    if not raw or manifest.config.media_type not in MediaType.CONFIGS:
        return None
    try:
        return ImageConfig.from_json(raw)
    except LaminaError:
        return None


def _thickness(size: int, largest: int) -> int:
    """Draw by the square root: a layer a hundred times larger is ten times thicker."""
    if largest <= 0:
        return _THINNEST
    return _THINNEST + round((_THICKEST - _THINNEST) * math.sqrt(size / largest))


def _slab(
    layer: Descriptor | None, largest: int, total: int, number: int, words: Mapping[str, str]
) -> Slab:
    size = layer.size if layer else 0
    return Slab(
        verb=words.get("verb", ""),
        text=words.get("text", ""),
        comment=words.get("comment", ""),
        author=words.get("author", ""),
        created=words.get("created", ""),
        digest=layer.digest if layer else "",
        size=size,
        number=number,
        thickness=_thickness(size, largest) if layer else 0,
        share=round(_WIDEST * size / total, 1) if total else 0.0,
    )


def _image_slabs(manifest: Manifest, config: ImageConfig) -> list[Slab]:
    layers = iter(manifest.layers)
    largest = max((layer.size for layer in manifest.layers), default=0)
    total = sum(layer.size for layer in manifest.layers)
    slabs: list[Slab] = []
    number = 0
    for row, diff_id in config.steps():
        layer = next(layers, None) if diff_id is not None else None
        number += layer is not None
        verb, text = instruction(row.created_by)
        words = {
            "verb": verb,
            "text": text,
            "comment": row.comment if not row.comment.startswith("buildkit.") else "",
            "author": row.author,
            "created": row.created,
        }
        slabs.append(_slab(layer, largest, total, number if layer else 0, words))
    return slabs


def _file_slabs(manifest: Manifest) -> list[Slab]:
    largest = max((layer.size for layer in manifest.layers), default=0)
    total = sum(layer.size for layer in manifest.layers)
    return [
        _slab(
            layer,
            largest,
            total,
            number,
            {"text": layer.annotations.get(_TITLE, ""), "comment": layer.media_type},
        )
        for number, layer in enumerate(manifest.layers, 1)
    ]


def _facts(config: ImageConfig) -> list[Fact]:
    settings = config.settings
    facts = [Fact("Platform", (str(config.platform),)), Fact("Created", (config.created,))]
    author = config.document.get("author")
    facts.append(Fact("Author", (str(author),) if author else ()))
    for label, key in (
        ("Entrypoint", "Entrypoint"),
        ("Command", "Cmd"),
        ("Working directory", "WorkingDir"),
        ("User", "User"),
        ("Stop signal", "StopSignal"),
    ):
        facts.append(Fact(label, _words(settings.get(key)), is_code=True))
    for label, key in (
        ("Ports", "ExposedPorts"),
        ("Volumes", "Volumes"),
        ("Environment", "Env"),
        ("Labels", "Labels"),
    ):
        facts.append(Fact(label, _rows(settings.get(key)), is_code=True))
    return [fact for fact in facts if any(fact.values)]


def _words(value: object) -> tuple[str, ...]:
    """Give a command as one line a person could type."""
    import shlex

    if isinstance(value, list):
        return (shlex.join(map(str, value)),) if value else ()
    return (value,) if isinstance(value, str) and value else ()


def _rows(value: object) -> tuple[str, ...]:
    if isinstance(value, dict):
        return tuple(
            f"{key}={text}" if isinstance(text, str) else key for key, text in value.items()
        )
    return tuple(map(str, value)) if isinstance(value, list) else ()
