"""How a plain user comes into the user namespace where the networks of a container are.

Each command of a plain user enters a user namespace of its own, and what belongs to one cannot be
touched from its sibling. A network and its containers must therefore be in the same: the first
command that needs a network brings it up, all others join the namespace that it is in.
"""

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain

from lamina.errors import LaminaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.engine.engine import Engine
    from lamina.engine.networks import Network

__all__ = ["enter"]

_SHARED = "container:"


def enter(
    engine: "Engine",
    *,
    networks: Sequence[str] = (),
    containers: Sequence[str] = (),
    beside: str = "",
) -> None:
    """Be root, if only of the user namespace that the networks are in, which are up from then on.

    `networks` as people name them, with `container:NAME`; `containers` stand for theirs. Where no
    network is up it is the namespace of the container `beside`, which runs. Root and who is inside already stay where they are. Call it before threads start.
    Raises: NamespaceRefused.
    """
    if os.geteuid() == 0:
        return
    from lamina.engine.run_folders import shim_socket
    from lamina.runtime import userns
    from lamina.runtime.net.keeper import user_namespace

    wanted, others = _wanted(engine, networks, containers)
    if not wanted and not others:
        userns.enter()
        return
    run_root = engine.settings.run_root
    os.makedirs(run_root, mode=0o711, exist_ok=True)
    lock = os.open(f"{run_root}/networks.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        last = (shim_socket(engine, engine.containers.record(beside)),) if beside else ()
        own = [f"{engine.networks.folder(network)}/s" for network in wanted]
        for path in chain(others, own, _members(engine, wanted), _keepers(run_root), last):
            if (fd := user_namespace(path)) >= 0:
                userns.join(fd)
                os.close(fd)
                break
        else:
            userns.enter()
        for network in wanted:
            engine.networks.hold(network)
    finally:
        os.close(lock)


def _wanted(
    engine: "Engine", networks: Sequence[str], containers: Sequence[str]
) -> "tuple[list[Network], list[str]]":
    """Give the networks to bring up, and the shims whose networks are shared; unknown ones not."""
    from lamina.engine.run_folders import shim_socket

    names = list(networks)
    for name in containers:
        with suppress(LaminaError):
            record = engine.containers.record(name)
            modes = (record.host.get(key) for key in ("NetworkMode", "PidMode", "IpcMode"))
            names += [*record.networks, *(str(mode or "") for mode in modes)]
    found: dict[str, Network] = {}
    sockets = []
    for name in names:
        with suppress(LaminaError):
            if name.startswith(_SHARED):
                other = engine.containers.record(name.removeprefix(_SHARED))
                sockets.append(shim_socket(engine, other))
            elif not (network := engine.networks.get(name)).built_in:
                found[network.id] = network
    return list(found.values()), sockets


def _members(engine: "Engine", networks: "Sequence[Network]") -> "Iterator[str]":
    """Give the shims of running containers on the networks.

    Where a keeper was killed, or is just ending with the shim that had it, one of these brings up
    the next, and does so in its own namespace.
    """
    from lamina.engine.run_folders import shim_socket

    wanted = {network.id for network in networks}
    try:
        running = sorted(os.listdir(f"{engine.settings.run_root}/c"))
    except FileNotFoundError:
        return
    for identity in running:
        with suppress(LaminaError):
            record = engine.containers.record(identity)
            if not wanted.isdisjoint(record.networks):
                yield shim_socket(engine, record)


def _keepers(run_root: str) -> list[str]:
    try:
        return [f"{run_root}/n/{name}/s" for name in sorted(os.listdir(f"{run_root}/n"))]
    except FileNotFoundError:
        return []
