"""`lamina start`: run containers that were created or have ended."""

from __future__ import annotations

from lamina.cli import refused
from lamina.cli.each import for_each
from lamina.cli.flags import BOOL, ArityWrong, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="start",
    usage="lamina start [OPTIONS] CONTAINER [CONTAINER...]",
    summary="Start one or more stopped containers",
    flags=(
        Flag(
            "all-restart",
            kind=BOOL,
            help="Start all containers whose restart policy wants them up (after a reboot)",
        ),
        Flag("attach", "a", kind=BOOL, help="Attach STDOUT/STDERR and forward signals"),
        Flag("detach-keys", help="Override the key sequence for detaching a container"),
        Flag("interactive", "i", kind=BOOL, help="Attach container's STDIN"),
        *refused.START,
    ),
    arity=(0, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Start each; with -a or -i one alone, attached, ending with its exit code."""
    from lamina.cli.attaching import tell_warnings
    from lamina.engine.execution import ContainerRunning
    from lamina.errors import Invalid

    refused.refuse(arguments, refused.START)
    names = arguments.positional
    if not names and not arguments.flag("all-restart"):
        raise ArityWrong("'lamina start' requires at least 1 argument")
    containers = context.engine.containers
    if arguments.flag("all-restart"):
        names = (*names, *containers.wanted())
    context.enter_namespace(containers=names)
    if arguments.flag("all-restart"):
        containers.remove_over()
    if arguments.flag("attach") or arguments.flag("interactive"):
        if len(arguments.positional) > 1:
            raise Invalid("you cannot start and attach multiple containers at once")
        return _attached(arguments, context)

    def start(name: str) -> None:
        try:
            with containers.start(name) as attachment:
                tell_warnings(context, attachment)
        except ContainerRunning:  # as Docker: it is what was wanted
            return

    return for_each(context, names, start)


def _attached(arguments: Arguments, context: Context) -> int:
    from contextlib import suppress

    from lamina.cli.attaching import (
        detach_keys,
        follow,
        need_terminal,
        proxied,
        tell_warnings,
    )
    from lamina.engine.execution import ContainerRunning
    from lamina.errors import LaminaError

    containers = context.engine.containers
    record = containers.record(arguments.positional[0])
    stdin = arguments.flag("interactive") and bool(record.config.get("OpenStdin"))
    keys = detach_keys(context, arguments.text("detach-keys"))
    need_terminal(context, terminal=record.terminal, stdin=stdin)

    def send(number: int) -> None:
        with suppress(LaminaError):
            containers.kill(record.id, str(number))

    try:
        attachment = containers.start(record.id, stdin=stdin)
    except ContainerRunning:
        attachment = containers.attach(record.id, stdin=stdin)
    tell_warnings(context, attachment)
    with attachment, proxied(send):
        code = follow(context, attachment, stdin=stdin, keys=keys)
    return 0 if code is None else code
