"""Putting a container on one more network and taking it off, while it runs or not."""

import os

from lamina.engine.journal import note_network
from lamina.engine.network_request import Endpoint, NetworkRequest
from lamina.errors import Denied, Invalid
from lamina.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord

__all__ = ["connect", "disconnect"]

_SHARING = ("host", "none", "container", "path")

_ALONE = (
    "container sharing network namespace with another container or host "
    "cannot be connected to any other network"
)


def connect(engine: "Engine", endpoint: Endpoint, container: str) -> None:
    """Put a container on a network. Raises: NetworkUnknown, ContainerUnknown, Denied, Invalid."""
    from lamina.engine.execution import send
    from lamina.engine.network_addresses import check_places
    from lamina.engine.network_entry import enter
    from lamina.engine.wiring import effective_mode, link_order

    network = engine.networks.get(endpoint.network)
    record = engine.containers.record(container)
    endpoint = replace(endpoint, network=network.name)
    NetworkRequest((endpoint,)).check()
    check_places(network, endpoint)
    if (
        network.name in ("host", "none")
        or effective_mode(record, engine.settings.tunnel) in _SHARING
    ):
        raise Denied(_ALONE)
    if network.id in record.networks:
        raise Denied(f"endpoint with name {record.name} already exists in network {network.name}")
    joined = replace(record, networks={**record.networks, network.id: endpoint.to_json()})
    if engine.containers.is_running(record.id):
        enter(engine, networks=(network.id,), beside=record.id)
        try:
            engine.networks.hold(network)
            _refuse_apart(engine, record, f"{engine.networks.folder(network)}/s", network.name)
            send(
                engine,
                record,
                "connect",
                link=link_order(engine, joined, network, endpoint.to_json()),
            )
        finally:
            engine.networks.release()
    engine.containers.files.save(joined)
    note_network(engine, network.id, "connect", name=network.name, container=record.id)


def _refuse_apart(engine: "Engine", record: "ContainerRecord", keeper: str, name: str) -> None:
    """Refuse a network in another user namespace than a plain user's container: no cable goes there.

    Raises: Denied.
    """
    if not engine.containers.rootless:
        return
    from lamina.engine.run_folders import shim_socket
    from lamina.runtime.net.keeper import user_namespace

    found = [user_namespace(path) for path in (keeper, shim_socket(engine, record))]
    try:
        numbers = {os.fstat(fd).st_ino for fd in found if fd >= 0}
    finally:
        for fd in found:
            if fd >= 0:
                os.close(fd)
    if len(numbers) > 1:
        raise Denied(
            f"{record.name} cannot join network {name} while it runs: they were started apart, "
            "in two user namespaces",
            hint=f"`lamina stop {record.name}`, connect it, and start it again",
        )


def disconnect(engine: "Engine", name: str, container: str, *, force: bool = False) -> None:
    """Take a container off a network. Raises: NetworkUnknown, ContainerUnknown, Invalid."""
    from lamina.engine.execution import send
    from lamina.engine.wiring import effective_mode

    network = engine.networks.get(name)
    record = engine.containers.record(container)
    if network.id not in record.networks:
        if force:
            return
        raise Invalid(f"container {record.id} is not connected to network {network.name}")
    if network.built_in and effective_mode(record, engine.settings.tunnel) == "tunnel":
        raise Invalid(
            f"a plain user's container cannot leave {network.name} while it has it",
            hint="create it with --network and the networks that it shall have",
        )
    if engine.containers.is_running(record.id):
        send(engine, record, "disconnect", network=network.id)
    engine.containers.files.save(_without(record, network.id))
    note_network(engine, network.id, "disconnect", name=network.name, container=record.id)


def _without(record: "ContainerRecord", network: str) -> "ContainerRecord":
    rest = {key: value for key, value in record.networks.items() if key != network}
    return replace(record, networks=rest)
