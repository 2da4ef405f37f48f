"""`lamina attach`: a running container's streams on this terminal."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="attach",
    usage="lamina attach [OPTIONS] CONTAINER",
    summary="Attach local standard input, output, and error streams to a running container",
    flags=(
        Flag("detach-keys", help="Override the key sequence for detaching a container"),
        Flag("no-stdin", kind=BOOL, help="Do not attach STDIN"),
        Flag("sig-proxy", kind=BOOL, default=True, help="Proxy received signals to the process"),
    ),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Pass the streams through until the container ends, or the detach keys are typed."""
    from contextlib import suppress

    from lamina.cli.attaching import detach_keys, follow, need_terminal, proxied
    from lamina.errors import LaminaError

    containers = context.engine.containers
    record = containers.record(arguments.positional[0])
    stdin = not arguments.flag("no-stdin") and bool(record.config.get("OpenStdin"))
    keys = detach_keys(context, arguments.text("detach-keys"))
    need_terminal(context, terminal=record.terminal, stdin=stdin)

    def send(number: int) -> None:
        with suppress(LaminaError):
            containers.kill(record.id, str(number))

    with (
        containers.attach(record.id, stdin=stdin) as attachment,
        proxied(send, on=arguments.flag("sig-proxy")),
    ):
        code = follow(context, attachment, stdin=stdin, keys=keys)
    return 0 if code is None else code
