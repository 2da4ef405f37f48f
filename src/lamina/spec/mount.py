"""Mounts as values: decided by `snapshot` and `engine`, performed by `runtime` alone."""

from typing import NamedTuple

__all__ = ["Mount"]


class Mount(NamedTuple):
    """One mount to make: file system type, source, mount point, options in order.

    Options are spelled as `mount -o` has them; flags (`ro`, `nosuid`) stand among them. Making the
    mount point is the performer's business, and so is sharing: two equal values of type `erofs`
    are one mount, made once per machine.

    `lowerdir=` lists its directories topmost first, joined by `:`. The mount system call takes one
    page of options, about 4000 bytes; a longer value is given to the kernel piece by piece
    (`fsconfig` with `lowerdir+`, one call per directory, kernel 6.8 and later).
    """

    type: str
    source: str
    target: str
    options: tuple[str, ...] = ()
