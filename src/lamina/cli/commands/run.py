"""`lamina run`: a new container from an image, its streams on this terminal."""

from __future__ import annotations

from lamina.cli.creating import FLAGS
from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.records import ContainerRecord
    from lamina.runtime.attach import Attachment

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="run",
    usage="lamina run [OPTIONS] IMAGE [COMMAND] [ARG...]",
    summary="Create and run a new container from an image",
    flags=(
        *FLAGS,
        Flag("detach", "d", kind=BOOL, help="Run container in background and print container ID"),
        Flag("detach-keys", help="Override the key sequence for detaching a container"),
        Flag("sig-proxy", kind=BOOL, default=True, help="Proxy received signals to the process"),
    ),
    interspersed=False,
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Create, start, pass the streams through; end with the process's own exit code."""
    from lamina.cli.creating import as_ours
    from lamina.errors import LaminaError

    try:
        return _run(arguments, context)
    except (LaminaError, OSError) as error:
        raise as_ours(error) from None


def _run(arguments: Arguments, context: Context) -> int:
    from lamina.cli.attaching import detach_keys, need_terminal, tell_warnings
    from lamina.cli.creating import create
    from lamina.cli.flags import FlagInvalid

    detach = arguments.flag("detach")
    if detach and arguments.texts("attach"):
        raise FlagInvalid("conflicting options: cannot specify both --attach and --detach")
    keys = detach_keys(context, arguments.text("detach-keys"))
    if not detach:
        need_terminal(context, terminal=arguments.flag("tty"), stdin=arguments.flag("interactive"))
    record = create(arguments, context, attached=not detach)
    stdin = arguments.flag("interactive") and not detach
    try:
        attachment = context.engine.containers.start(record.id, stdin=stdin)
    except BaseException:
        if arguments.flag("rm"):
            _forget(context, record)
        raise
    tell_warnings(context, attachment)
    if detach:
        attachment.close()
        context.print(record.id)
        return 0
    with attachment:
        return _follow(arguments, context, record, attachment, keys)


def _forget(context: Context, record: ContainerRecord) -> None:
    """Remove a `--rm` container that has no shim to do it; one that runs after all stays."""
    from contextlib import suppress

    from lamina.errors import LaminaError

    with suppress(LaminaError, OSError):
        context.engine.containers.remove(record.id, volumes=True)


def _follow(
    arguments: Arguments,
    context: Context,
    record: ContainerRecord,
    attachment: Attachment,
    keys: str,
) -> int:
    from contextlib import suppress

    from lamina.cli.attaching import follow, proxied
    from lamina.errors import LaminaError

    def send(number: int) -> None:
        with suppress(LaminaError):
            context.engine.containers.kill(record.id, str(number))

    wanted = tuple(name.lower() for name in arguments.texts("attach"))
    stdin = arguments.flag("interactive") and (not wanted or "stdin" in wanted)
    # With a terminal ^C is a key and reaches the container by itself.
    proxy = arguments.flag("sig-proxy") or arguments.flag("tty")
    with proxied(send, on=proxy):
        code = follow(
            context,
            attachment,
            stdin=stdin,
            keys=keys,
            wanted=wanted or ("stdout", "stderr"),
        )
    return 0 if code is None else code
