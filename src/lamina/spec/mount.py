"""Mounts as values: decided by `snapshot` and `engine`, performed by `runtime` alone."""

from lamina.values import NamedTuple

__all__ = ["SHARED", "Mount"]

SHARED = "shared"
"""The file in an anonymous volume's folder that says that it is no longer one container's alone."""


class Mount(NamedTuple):
    """One mount to make: file system type, source, mount point, options in order.

    Options are spelled as `mount -o` has them; flags (`ro`, `nosuid`) stand among them. Making the
    mount point is the performer's business, and so is sharing: two equal values of type `erofs`
    are one mount, made once per machine.

    An overlay names each lower directory with `lowerdir+=`, topmost first. A sealed layer (`erofs`)
    may have `loop` (mount it by a loop device) and `directio` (read around the page cache of the
    file, where the kernel can).
    """

    type: str
    source: str
    target: str
    options: tuple[str, ...] = ()
