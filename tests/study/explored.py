"""Explorations of stacks made of a few entries each, with documents made for them."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.study.piles import Items, pile

from lamina.layer.sealed import SealedLayer
from lamina.spec.config import ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest
from lamina.study.exploration import Exploration, explore

__all__ = ["documents", "explored", "explored_pile"]


def documents(
    count: int,
    steps: Sequence[str] = (),
    settings: dict[str, object] | None = None,
) -> tuple[ImageConfig, Manifest]:
    """The configuration and manifest of `count` layers; a step that begins with a dash made none."""
    digests = [f"sha256:{hashlib.sha256(b'%d' % number).hexdigest()}" for number in range(count)]
    rows = [
        {"created": f"2026-01-0{number}T00:00:00Z", "created_by": text.lstrip("-")}
        | ({"empty_layer": True} if text.startswith("-") else {})
        for number, text in enumerate(steps, 1)
    ]
    config = ImageConfig.from_json(
        json.dumps(  # noqa: TID251 - not ours on purpose
            {
                "architecture": "amd64", "os": "linux", "created": "2026-01-09T00:00:00Z",
                "config": settings or {}, "rootfs": {"type": "layers", "diff_ids": digests}, "history": rows,
            }
        ).encode()
    )  # fmt: skip
    blobs = tuple(
        Descriptor(MediaType.OCI_LAYER_GZIP, Digest(digest), 100 * number)
        for number, digest in enumerate(digests, 1)
    )
    described = Descriptor(MediaType.OCI_CONFIG, config.digest, len(config.raw))
    return config, Manifest.build(described, blobs)


@contextmanager
def explored_pile(
    folder: Path,
    *stack: Items,
    steps: Sequence[str] = (),
    settings: dict[str, object] | None = None,
    name: str = "made:1",
) -> Iterator[tuple[Exploration, list[SealedLayer]]]:
    """Explore a stack, with its layers open for the body."""
    config, manifest = documents(len(stack), steps, settings)
    with pile(folder, *stack) as layers:
        yield explore(layers, config, manifest, name=name), layers


def explored(
    folder: Path,
    *stack: Items,
    steps: Sequence[str] = (),
    settings: dict[str, object] | None = None,
    name: str = "made:1",
) -> Exploration:
    """Explore a stack."""
    with explored_pile(folder, *stack, steps=steps, settings=settings, name=name) as (found, _):
        return found
