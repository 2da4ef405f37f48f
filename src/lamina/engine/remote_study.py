"""An image at a registry opened to be understood, without pulling it."""

from contextlib import contextmanager

from lamina.engine.local import LocalImage
from lamina.engine.study import Study
from lamina.events import Listener, silent
from lamina.spec.platform import Platform
from lamina.spec.reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lamina.engine.engine import Engine
    from lamina.image.remote_image import RemoteImage, Traffic
    from lamina.layer.sealed import SealedLayer
    from lamina.spec.digest import Digest

__all__ = ["RemoteStudy", "remote_image", "remote_study"]


class RemoteStudy(Study):
    """A `Study` of an image at a registry; `traffic` counts what was received of its blobs."""

    def __init__(self, name: str, image: "RemoteImage") -> None:
        sizes = tuple(layer.size for layer in image.manifest.layers)
        digested = str(image.reference.with_digest(image.top.digest))
        local = LocalImage(
            id=image.config.digest, manifest=image.manifest, config=image.config,
            names=(str(image.reference),), digests=(digested,), size=sum(sizes), layer_sizes=sizes,
            parent="", tagged="",
        )  # fmt: skip
        super().__init__(name, local, image.layers)
        self.traffic: Traffic = image.traffic


@contextmanager
def remote_image(
    engine: "Engine", name: str, *, platform: str = "", listener: Listener = silent
) -> "Iterator[RemoteImage]":
    """Open the image `name` at its registry for the body. See `image.remote_image.opened_remotely`.

    Layers that are here are read here.
    Raises: ReferenceInvalid, IndexMissing, NotFound, Unauthorized, Denied, Unavailable, Corrupt.
    """
    from lamina.image.remote_image import opened_remotely

    reference = Reference.parse(name)
    wanted = Platform.parse(platform) if platform else engine.platform

    def here(pile: "Sequence[Digest]") -> "SealedLayer | None":
        return engine.layers.open(pile) if engine.layers.has(pile) else None

    with (
        engine.store.lease(),
        opened_remotely(engine.client, reference, wanted, here=here, listener=listener) as image,
    ):
        yield image


@contextmanager
def remote_study(
    engine: "Engine", name: str, *, platform: str = "", listener: Listener = silent
) -> "Iterator[RemoteStudy]":
    """Open the image `name` at its registry for the body, as `studied` does one that is here.

    What is asked decides what it costs: the documents and heads for `life`, the databases' spans for
    `packages`, nearly all of it for `secrets`. Raises: as `remote_image`.
    """
    with remote_image(engine, name, platform=platform, listener=listener) as image:
        yield RemoteStudy(name, image)
