"""What the page of one image shows: facts of its configuration and its layers as a stack. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from lamina.errors import LaminaError
from lamina.hub.site.plates import Plate, plates
from lamina.hub.words import instruction, visible
from lamina.spec.config import ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.manifest import Index, Manifest, parse_manifest
from lamina.spec.wire import decode

__all__ = ["Fact", "Picture", "Slab", "facts_of", "picture", "read_config"]

_WIDEST = 100
_MOST_STEPS = 1000
_MOST_VALUES = 200
_LONGEST = 4000
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

    `share` is the layer's part of the image in percent.
    """

    verb: str
    text: str
    comment: str
    author: str
    created: str
    digest: str
    size: int
    number: int
    share: float


@dataclass(frozen=True, slots=True)
class Picture:
    """An image or artifact as its page draws it; slabs are TOPMOST FIRST.

    `hidden` is how many of the lowest are left out: nobody reads a thousand.
    """

    facts: tuple[Fact, ...]
    slabs: tuple[Slab, ...]
    layers: int
    size: int
    is_artifact: bool
    plates: tuple[Plate, ...] = ()
    height: int = 0
    hidden: int = 0


def picture(raw: bytes, media_type: str, config_raw: bytes) -> Picture:
    """Draw a manifest; an empty or unreadable configuration leaves the layers alone to be seen."""
    manifest = parse_manifest(raw, media_type)
    if isinstance(manifest, Index):
        return Picture((), (), 0, 0, is_artifact=False)
    config = read_config(manifest, config_raw)
    if config is None:
        slabs = _file_slabs(manifest)
        facts: tuple[Fact, ...] = (
            Fact("Type", (visible(manifest.artifact_type or manifest.config.media_type),)),
        )
    else:
        slabs = _image_slabs(manifest, config)
        facts = facts_of(config)
    notes = _rows(decode(raw).get("annotations"))
    if notes:
        facts = (*facts, Fact("Annotations", _listed(notes), is_code=True))
    size = manifest.config.size + sum(layer.size for layer in manifest.layers)
    top_first = tuple(reversed(slabs[-_MOST_STEPS:]))
    sizes = [slab.size for slab in top_first if slab.digest]
    drawn, height = plates(sizes, topmost=len(manifest.layers), has_writable=config is not None)
    return Picture(
        facts, top_first, len(manifest.layers), size, config is None, drawn, height,
        hidden=len(slabs) - len(top_first),
    )  # fmt: skip


def read_config(manifest: Manifest, raw: bytes) -> ImageConfig | None:
    """Give the configuration of an image; None of what is none, or cannot be read."""
    if not raw or manifest.config.media_type not in MediaType.CONFIGS:
        return None
    try:
        return ImageConfig.from_json(raw)
    except LaminaError:
        return None


def _slab(layer: Descriptor | None, total: int, number: int, words: Mapping[str, str]) -> Slab:
    size = layer.size if layer else 0
    return Slab(
        verb=words.get("verb", ""),
        text=_shown(words.get("text", "")),
        comment=_shown(words.get("comment", "")),
        author=_shown(words.get("author", "")),
        created=_shown(words.get("created", "")),
        digest=layer.digest if layer else "",
        size=size,
        number=number,
        share=round(_WIDEST * size / total, 1) if total else 0.0,
    )


def _image_slabs(manifest: Manifest, config: ImageConfig) -> list[Slab]:
    layers = iter(manifest.layers)
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
        slabs.append(_slab(layer, total, number if layer else 0, words))
    # layers that the configuration does not know of
    slabs += [_slab(layer, total, at, {}) for at, layer in enumerate(layers, number + 1)]
    return slabs


def _file_slabs(manifest: Manifest) -> list[Slab]:
    total = sum(layer.size for layer in manifest.layers)
    return [
        _slab(
            layer,
            total,
            number,
            {"text": layer.annotations.get(_TITLE, ""), "comment": layer.media_type},
        )
        for number, layer in enumerate(manifest.layers, 1)
    ]


def facts_of(config: ImageConfig) -> tuple[Fact, ...]:
    """Give what a configuration says of itself, line by line."""
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
    return tuple(
        Fact(fact.label, _listed(fact.values), is_code=fact.is_code)
        for fact in facts
        if any(fact.values)
    )


def _listed(values: tuple[str, ...]) -> tuple[str, ...]:
    shown = tuple(map(_shown, values[:_MOST_VALUES]))
    more = len(values) - len(shown)
    return (*shown, f"… and {more} more") if more else shown


def _shown(text: str) -> str:
    """Give text as it is shown: nothing in it hidden, and no book."""
    if len(text) <= _LONGEST:
        return visible(text)
    return f"{visible(text[:_LONGEST])}… ({len(text) - _LONGEST} more characters)"


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
