"""`lamina logout`: forget a registry's credentials."""

from __future__ import annotations

from lamina.cli.commands.login import registry_of
from lamina.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="logout",
    usage="lamina logout [SERVER]",
    summary="Log out from a registry",
    description="Log out from a registry.\nDefaults to Docker Hub if no server is specified.",
    arity=(0, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Forget; not being logged in is no failure."""
    from lamina.remote.keychain import Keychain, server_key

    registry = registry_of(arguments.positional)
    shown = server_key(registry)
    if Keychain(context.settings.docker_config, environ=context.environ).erase(registry):
        context.print(f"Removing login credentials for {shown}")
    else:
        context.print(f"Not logged in to {shown}")
    return 0
