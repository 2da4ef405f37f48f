"""`lamina port`: published ports of a container."""

from __future__ import annotations

from lamina.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="port",
    usage="lamina port CONTAINER [PRIVATE_PORT[/PROTO]]",
    summary="List port mappings or a specific mapping for the container",
    arity=(1, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print the host's address of each published port, or of the one asked for."""
    from lamina.engine.network_document import ports_of
    from lamina.errors import NotFound

    name, *wanted = arguments.positional
    record = context.engine.containers.record(name)
    exposed = record.config.get("ExposedPorts") or ()
    found = ports_of(exposed, context.engine.containers.state(record.id))
    bindings = {port: places for port, places in found.items() if places}
    if not wanted:
        for port, places in sorted(bindings.items()):
            for place in places:
                context.print(f"{port} -> {_address(place)}")
        return 0
    asked = wanted[0] if "/" in wanted[0] else f"{wanted[0]}/tcp"
    if not bindings.get(asked):
        raise NotFound(f"no public port '{asked}' published for {name}")
    for place in bindings[asked]:
        context.print(_address(place))
    return 0


def _address(place: dict[str, str]) -> str:
    host = place["HostIp"]
    return f"[{host}]:{place['HostPort']}" if ":" in host else f"{host}:{place['HostPort']}"
