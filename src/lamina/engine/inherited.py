"""`--volumes-from`: the binds and volumes of another container, at the places that it has them."""

import os
from contextlib import suppress

from lamina.engine.volume_mounts import MountInvalid
from lamina.spec.mount import SHARED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from lamina.engine.engine import Engine
    from lamina.spec.wire import Document

__all__ = ["inherited"]

_MODES = ("", "ro", "rw", "z", "Z")


def inherited(
    engine: "Engine", texts: "Sequence[str]", taken: "Collection[str]"
) -> "Iterator[Document]":
    """Give the mounts of the containers in `texts`, `NAME[:ro]` each, but for places that are taken.

    An anonymous volume is no longer its container's alone: it is marked, and stays when that one goes.
    Raises: ContainerUnknown, MountInvalid.
    """
    places = set(taken)
    for text in texts:
        name, _, mode = text.partition(":")
        if not name:
            raise MountInvalid("malformed volumes-from specification: " + text)
        if mode not in _MODES:
            raise MountInvalid(f"invalid mode: {mode}", hint="ro or rw")
        for mount in engine.containers.record(name).mounts:
            if mount["Type"] == "tmpfs" or mount["Destination"] in places:
                continue
            places.add(mount["Destination"])
            if mount.get("Anonymous"):
                with suppress(FileNotFoundError):
                    os.close(
                        os.open(f"{mount['Folder']}/{SHARED}", os.O_CREAT | os.O_CLOEXEC, 0o600)
                    )
            read_only = mode == "ro" or not mount["RW"]
            mode_shown = "ro" if read_only else mount["Mode"]
            row = {**mount, "RW": not read_only, "Mode": mode_shown}
            yield {**row, "Anonymous": False} if mount["Type"] == "volume" else row
