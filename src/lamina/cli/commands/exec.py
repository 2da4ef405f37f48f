"""`lamina exec`: one more process in a running container."""

from __future__ import annotations

from lamina.cli.flags import BOOL, LIST, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="exec",
    usage="lamina exec [OPTIONS] CONTAINER COMMAND [ARG...]",
    summary="Execute a command in a running container",
    flags=(
        Flag("detach", "d", kind=BOOL, help="Detached mode: run command in the background"),
        Flag("detach-keys", help="Override the key sequence for detaching a container"),
        Flag("env", "e", kind=LIST, help="Set environment variables"),
        Flag("env-file", kind=LIST, help="Read in a file of environment variables"),
        Flag("interactive", "i", kind=BOOL, help="Keep STDIN open even if not attached"),
        Flag("privileged", kind=BOOL, help="Give extended privileges to the command"),
        Flag("tty", "t", kind=BOOL, help="Allocate a pseudo-TTY"),
        Flag("user", "u", help="Username or UID (format: <name|uid>[:<group|gid>])"),
        Flag("workdir", "w", help="Working directory inside the container"),
    ),
    interspersed=False,
    arity=(2, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Start it, pass its streams through, end with its exit code."""
    from lamina.cli.attaching import detach_keys, follow, need_terminal
    from lamina.engine.requests import ExecRequest

    name, *command = arguments.positional
    detach = arguments.flag("detach")
    stdin = arguments.flag("interactive") and not detach
    terminal = arguments.flag("tty")
    keys = detach_keys(context, arguments.text("detach-keys"))
    if not detach:
        need_terminal(context, terminal=terminal, stdin=stdin)
    env: list[str] = []
    if arguments.texts("env-file") or arguments.texts("env"):
        from lamina.cli.creating import read_env_files, with_values  # with all that `run` needs

        env += read_env_files(arguments.texts("env-file"), context.environ)
        env += with_values(arguments.texts("env"), context.environ)
    request = ExecRequest(
        command=tuple(command),
        env=tuple(env),
        workdir=arguments.text("workdir"),
        user=arguments.text("user"),
        terminal=terminal,
        stdin=stdin,
        privileged=arguments.flag("privileged"),
    )
    with context.engine.containers.exec(name, request) as attachment:
        if detach:
            return 0
        code = follow(context, attachment, stdin=stdin, keys=keys)
    return 0 if code is None else code
