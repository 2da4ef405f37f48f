"""`lamina.open`: an image or container with its files, as paths and as a file system."""

from lamina.engine.engine import Engine
from lamina.errors import LaminaError, Unsupported
from lamina.files.opened import OpenFiles, open_files
from lamina.files.paths import TreePath

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from lamina.files.filesystem import LaminaFileSystem

__all__ = ["OpenImage", "open_image"]


class OpenImage(OpenFiles):
    """An image or container that is open; a context manager.

    >>> image = lamina.open("debian:12")                             # doctest: +SKIP
    >>> (image / "etc/os-release").read_text()                       # as pathlib does
    >>> image.fs.find("/etc")                                        # as fsspec does
    """

    @property
    def path(self) -> TreePath:
        """The root directory, as a path like pathlib's."""
        return TreePath(self, "/")

    def __truediv__(self, other: "str | os.PathLike[str]") -> TreePath:
        return self.path / other

    def _repr_html_(self) -> "str | None":
        """Draw an image that is here for a notebook; of others it shows what `repr` says."""
        try:
            return self.engine.images.resolve(self.id)._repr_html_()
        except LaminaError:  # it is at a registry, or a container, or removed
            return None

    @property
    def fs(self) -> "LaminaFileSystem":
        """The same as a file system of fsspec's. Raises: Unsupported (fsspec is not installed)."""
        try:
            from lamina.files.filesystem import LaminaFileSystem
        except ModuleNotFoundError as error:
            raise Unsupported(
                "fsspec is not installed", hint="`pip install lamina[fsspec]` brings it"
            ) from error
        return LaminaFileSystem(self)


def open_image(
    name: str,
    *,
    layer: "int | str" = "",
    platform: str = "",
    remote: "bool | None" = None,
    engine: Engine | None = None,
) -> OpenImage:
    """Open an image or container as files, without mounting, unpacking or running it.

    A container's name wins over an image's. `layer` shows what one layer has, by its number from the
    bottom, its diff ID or its digest; `platform` chooses among an image's. `engine` is the
    environment's unless given. Costs a few milliseconds and reads no file.

    With `remote`, or as docker://NAME, the image is read at its registry by its seek index and
    nothing is pulled; layers that are here are read here. Unless it is said, what is not here is
    looked for there if its name begins with a registry's.
    Raises: ImageUnknown, LayerUnknown, Invalid (no such layer), PlatformInvalid, Corrupt; of an image
    at a registry IndexMissing, Unauthorized, Denied, Unavailable too.
    """
    return open_files(OpenImage, engine, name, layer=layer, platform=platform, remote=remote)
