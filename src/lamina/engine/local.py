"""Images of this machine as values, and what can be wrong with asking for one."""

from lamina.errors import InUse, NotFound
from lamina.spec.digest import Digest
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.spec.config import ImageConfig
    from lamina.spec.manifest import Manifest

__all__ = ["ImageInUse", "ImageSummary", "ImageUnknown", "LocalImage", "Removed"]


class ImageUnknown(NotFound):
    """No local image has that name or ID."""


class ImageInUse(InUse):
    """A container or another name still needs the image."""


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """One image of a listing. Names and digested names are canonical; `created` is RFC 3339."""

    id: Digest
    names: tuple[str, ...]
    digests: tuple[str, ...]
    created: str
    size: int
    parent: str


@dataclass(frozen=True, slots=True)
class LocalImage:
    """One image, whole: its documents, and every name it has. `size` is bytes of content.

    `root` is where its layers are, for notebooks; empty for an image of which only blobs are here.
    """

    id: Digest
    manifest: "Manifest"
    config: "ImageConfig"
    names: tuple[str, ...]
    digests: tuple[str, ...]
    size: int
    layer_sizes: tuple[int, ...]
    parent: str
    tagged: str
    root: str = ""

    def _repr_html_(self) -> str:
        """Draw the image for a notebook: its stack, sizes, and what nobody sees of it.

        Never raises, reads no content of files, and does without what cannot be read.
        """
        from lamina.engine.pictures import picture

        return picture(self)


@dataclass(frozen=True, slots=True)
class Removed:
    """One line of what `remove` did: a familiar name that went, or an ID that is gone."""

    untagged: str = ""
    deleted: str = ""
