"""Putting a container on one more network and taking it off, while it runs or not."""

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
        enter(engine, networks=(network.id,))
        try:
            engine.networks.hold(network)
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
