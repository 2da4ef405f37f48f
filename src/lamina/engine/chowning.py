"""`-v …:U`: what is mounted gets the container's user as its owner, as podman does."""

import os
from contextlib import suppress

from lamina.engine.volume_mounts import MountInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.engine.engine import Engine
    from lamina.spec.digest import Digest

__all__ = ["give_away", "owner_in"]

_KEPT = (
    "/", "/bin", "/boot", "/dev", "/etc", "/etc/passwd", "/etc/pki", "/etc/shadow", "/home", "/lib",
    "/lib64", "/opt", "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin",  # noqa: S108 - not used, refused
    "/usr/lib", "/usr/lib64", "/usr/local", "/usr/sbin", "/usr/share", "/var", "/var/lib",
)  # fmt: skip
"""Folders that the machine itself needs as they are."""


def owner_in(engine: "Engine", pile: "Sequence[Digest]", user: str) -> tuple[int, int]:
    """Give the numbers of `user` by the image's own lists. Raises: UserUnknown."""
    from lamina.layer.entry import Kind
    from lamina.layer.view import Tree
    from lamina.spec.bundle import resolve_user

    texts = []
    with engine.layers.opened(pile) as layers:
        tree = Tree.of(layers)
        for path in (b"etc/passwd", b"etc/group"):
            node = tree.lookup(path)
            if node is None or node.kind is not Kind.FILE:
                texts.append("")
                continue
            with tree.open_file(node) as body:
                texts.append(body.read(1 << 20).decode("utf-8", "replace"))
    account = resolve_user(user, texts[0], texts[1])
    return account.uid, account.gid


def give_away(path: str, uid: int, gid: int) -> None:
    """Give `path` and all below it to an owner; symlinks are given themselves, never followed.

    Raises: MountInvalid (the system's own folder, or an owner that is not ours to give).
    """
    real = os.path.realpath(path)
    if real in _KEPT:
        raise MountInvalid(
            f"the owner of {real} is not changed: the whole machine uses it",
            hint="leave out U, or mount a folder below it",
        )
    try:
        _give(real, None, uid, gid)
        for _, folders, files, fd in os.fwalk(real):
            for name in (*folders, *files):
                with suppress(FileNotFoundError):  # somebody took it away meanwhile
                    _give(name, fd, uid, gid)
    except PermissionError as error:
        raise MountInvalid(
            f"the owner of {error.filename or path} cannot be changed to {uid}:{gid}: {error.strerror}",
            hint="U gives a folder of yours to the container's user; that one is somebody else's",
        ) from error


def _give(name: str, folder: int | None, uid: int, gid: int) -> None:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if (found.st_uid, found.st_gid) != (uid, gid):
        os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)
