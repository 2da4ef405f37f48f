"""`lamina volume create`: make a volume."""

from __future__ import annotations

from lamina.cli import refused
from lamina.cli.flags import LIST, MAP, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="volume create",
    usage="lamina volume create [OPTIONS] [VOLUME]",
    summary="Create a volume",
    flags=(
        *refused.SWARM,
        Flag("driver", "d", default="local", help="Specify volume driver name"),
        Flag("label", kind=LIST, help="Set metadata for a volume"),
        Flag("opt", "o", kind=MAP, help="Set driver specific options"),
    ),
    arity=(0, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Make it, and print its name."""
    from lamina.errors import NotFound

    refused.refuse(arguments, refused.SWARM)
    driver = arguments.text("driver")
    if driver != "local":
        raise NotFound(
            f"create: error looking up volume plugin {driver}: plugin not found",
            hint="the driver is local",
        )
    context.enter_namespace()
    pairs = (row.partition("=") for row in arguments.texts("label"))
    volume = context.engine.volumes.create(
        "".join(arguments.positional),
        labels={key: value for key, _, value in pairs},
        options=arguments.pairs("opt"),
    )
    context.print(volume.name)
    return 0
