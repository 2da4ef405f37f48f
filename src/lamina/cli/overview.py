"""What stands before any command: the flags of `lamina` itself and the grouped help."""

from __future__ import annotations

from lamina.cli.catalogue import COMMON, GROUPS, members
from lamina.cli.flags import BOOL, LIST, STRING, Flag, FlagInvalid, HelpAsked, parse
from lamina.cli.help import command_list, flag_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.cli.context import Context

__all__ = ["GLOBALS", "group_help", "overview", "take_globals"]

GLOBALS = (
    Flag("debug", "D", kind=BOOL, help="Show where in the program a failure came from"),
    Flag("quota", kind=STRING, help="Most that images may fill of it (overrides LAMINA_QUOTA)"),
    Flag("root", kind=STRING, help="Folder of images and containers (overrides LAMINA_ROOT)"),
    Flag("runroot", kind=STRING, help="Folder of sockets and mounts (overrides LAMINA_RUN_ROOT)"),
    Flag("runtime", kind=STRING, help="Program that runs containers (overrides LAMINA_RUNTIME)"),
    Flag(
        "storage-driver",
        kind=STRING,
        help="sealed, unpacked or copied (overrides LAMINA_STORAGE_DRIVER)",
    ),
    Flag(
        "storage-opt",
        kind=LIST,
        help="Storage option, such as erofs=loop (overrides LAMINA_STORAGE_OPT)",
    ),
    Flag("version", "v", kind=BOOL, help="Print version information and quit"),
)
_VARIABLES = {
    "quota": "LAMINA_QUOTA",
    "root": "LAMINA_ROOT",
    "runroot": "LAMINA_RUN_ROOT",
    "runtime": "LAMINA_RUNTIME",
    "storage-driver": "LAMINA_STORAGE_DRIVER",
}
_USAGE = "lamina [OPTIONS] COMMAND"


def take_globals(words: Sequence[str], context: Context) -> list[str]:
    """Act on the flags before the command; give what follows, empty when all is done.

    Raises: FlagInvalid.
    """
    try:
        arguments = parse(GLOBALS, words, interspersed=False)
    except HelpAsked:
        return ["--help"]
    except FlagInvalid as error:
        usage = f"Usage:  {_USAGE} [ARG...]\n\nRun 'lamina --help' for more information"
        raise FlagInvalid(f"{error.message}\n\n{usage}") from None
    if arguments.flag("version"):
        from lamina import __version__

        context.print(f"Lamina version {__version__}")
        return []
    changes = {
        variable: arguments.text(name)
        for name, variable in _VARIABLES.items()
        if arguments.changed(name)
    }
    if arguments.changed("storage-opt"):
        changes["LAMINA_STORAGE_OPT"] = ",".join(arguments.texts("storage-opt"))
    if arguments.flag("debug"):
        changes["LAMINA_DEBUG"] = "1"
    if changes:
        context.environ = {**context.environ, **changes}
    return list(arguments.positional) or ["--help"]


def overview(*, width: int = 80) -> str:
    """Write the help of `lamina` alone: common commands, groups, the rest, flags."""
    commands = dict(members())
    common = [(name, commands[name]) for name in COMMON]
    rest = [(name, summary) for name, summary in commands.items() if name not in COMMON]
    return "\n".join(
        (
            f"Usage:  {_USAGE}",
            "",
            "Container images without a daemon",
            "",
            "Common Commands:",
            command_list(common),
            "",
            "Management Commands:",
            command_list(GROUPS.items()),
            "",
            "Commands:",
            command_list(rest),
            "",
            "Global Options:",
            flag_list(GLOBALS, width=width),
            "",
            "Run 'lamina COMMAND --help' for more information on a command.",
            "",
        )
    )


def group_help(group: str, rows: Sequence[tuple[str, str]] | None = None) -> str:
    """Write what a group has; `rows` where its module keeps its own table."""
    return "\n".join(
        (
            f"Usage:  lamina {group} COMMAND",
            "",
            GROUPS[group],
            "",
            "Commands:",
            command_list(sorted(members(group) if rows is None else rows)),
            "",
            f"Run 'lamina {group} COMMAND --help' for more information on a command.",
            "",
        )
    )
