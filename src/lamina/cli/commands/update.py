"""`lamina update`: change limits and restart policies of containers."""

from __future__ import annotations

from lamina.cli import refused
from lamina.cli.each import for_each
from lamina.cli.flags import Command
from lamina.cli.keeping_flags import RESTART
from lamina.cli.limiting import LIMIT_FLAGS
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="update",
    usage="lamina update [OPTIONS] CONTAINER [CONTAINER...]",
    summary="Update configuration of one or more containers",
    flags=(*LIMIT_FLAGS, RESTART, *refused.UPDATE),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Change each; what runs goes on running."""
    from lamina.cli.limiting import limits_of, warn
    from lamina.engine.restarting import RestartPolicy

    if not any(arguments.changed(flag.name) for flag in COMMAND.flags):
        raise Invalid("you must provide one or more flags when using this command")
    refused.refuse(arguments, refused.UPDATE)
    limits = limits_of(arguments)
    policy = None
    if arguments.changed("restart"):
        policy = RestartPolicy.parse(arguments.text("restart"))
    warn(context, limits)
    update = context.engine.containers.update
    return for_each(context, arguments.positional, lambda name: update(name, limits, policy))
