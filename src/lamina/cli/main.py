"""The `lamina` command: finds the words' command, imports that one alone, and runs it."""

from __future__ import annotations

import os
import sys

from lamina.cli.catalogue import COMMANDS, GROUPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments, Command
    from lamina.errors import LaminaError

    Entry = tuple[Command, Callable[[Arguments, Context], int]]

__all__ = ["main", "run"]

_DEBUG = "LAMINA_DEBUG"
_FAILED = 1
_FLAG_WRONG = 125
_SELDOM = 20_000  # objects more than before


def run() -> None:
    """Be the console script: run `main` on this process's words and end with its code."""
    from gc import set_threshold

    from lamina.cli.startup import lighten, postpone

    set_threshold(_SELDOM, 20, 20)  # looking for cycles takes 3 % of a short command
    lighten()
    from lamina.cli.code_cache import CodeCache

    cache = CodeCache.install(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    postpone("ssl")  # http.client imports it for addresses we may not have
    _open_missing_streams()
    _buffer_output()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # Names of files may be any bytes; other alphabets than UTF-8 lack most of our signs.
            utf8 = stream.encoding.lower() in ("utf-8", "utf8")
            stream.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")
    code = main(sys.argv[1:])
    cache.keep()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        _forget_output()
    threads = sys.modules.get("threading")
    if "atexit" not in sys.modules and (threads is None or threads.active_count() == 1):
        os._exit(code)  # nobody wants to be told: tearing the interpreter down costs 2 ms
    from signal import SIG_IGN, SIGINT, signal

    signal(SIGINT, SIG_IGN)  # all is done: a late Ctrl-C would only interrupt the tidying-up
    sys.exit(code)


def _open_missing_streams() -> None:
    """Put the null device where a standard stream was closed (`>&-`).

    Otherwise the next file opened would take its number, and get what is written to it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, "w" if number else "r"))  # noqa: SIM115 - lives as long as the process


def _buffer_output() -> None:
    """Put buffers between us and the standard streams where PYTHONUNBUFFERED left them out.

    Without one a write that only half fits (a disk that fills up, a reader that goes) counts as done: the
    rest would be lost without a word.
    """
    if not hasattr(sys.stdout.buffer, "raw"):
        sys.stdout = open(1, "w", encoding=sys.stdout.encoding, closefd=False)  # noqa: SIM115
    if not hasattr(sys.stderr.buffer, "raw"):
        sys.stderr = open(2, "w", buffering=1, encoding=sys.stderr.encoding, closefd=False)  # noqa: SIM115


def main(argv: Sequence[str], context: Context | None = None) -> int:
    """Run the command that `argv` (without the program's name) asks for; give its exit code.

    Raises nothing a command raises: failures go to stderr in words.
    """
    if context is None:
        if list(argv) in (["--version"], ["-v"]):
            return _tell_version()
        from lamina.cli.context import Context

        context = Context(expendable=True)
    try:
        code = _dispatch(list(argv), context)
        context.out.flush()
    except BaseException as error:  # noqa: BLE001 - the one place where failures become words
        return _failed(error, context)
    finally:
        context.close()
    return code


def _tell_version() -> int:
    """Give the answer for which nothing else has to be loaded."""
    from lamina import __version__

    try:
        sys.stdout.write(f"Lamina version {__version__}\n")
        sys.stdout.flush()
    except OSError as error:
        from lamina.cli.context import Context

        return _failed(error, Context())
    return 0


def _dispatch(words: list[str], context: Context) -> int:
    if not words or words[0].startswith("-"):
        from lamina.cli.flags import FlagInvalid
        from lamina.cli.overview import take_globals

        try:
            words = take_globals(words, context)
        except FlagInvalid as error:
            context.say(error.message)
            return _FLAG_WRONG
        if not words:
            return 0
    if words[0] == "help":
        words = [*words[1:], "--help"]
    name = words[0]
    if name == "--help":
        from lamina.cli.overview import overview

        context.out.write(overview(width=context.size()[0]))
        return 0
    if name in GROUPS:
        return _group(name, words[1:], context)
    if name not in COMMANDS:
        return _unknown(name, "", [path for path in COMMANDS if " " not in path], context)
    return _run(name, _load(COMMANDS[name][0]), words[1:], context)


def _group(group: str, words: list[str], context: Context) -> int:
    """Run `lamina GROUP COMMAND …`, or show what the group has."""
    inner = _inner(group)
    if not words or words[0] in ("--help", "-h", "help"):
        from lamina.cli.overview import group_help

        rows = [(name, entry[0].summary) for name, entry in inner.items()] if inner else None
        context.out.write(group_help(group, rows))
        return 0
    name = words[0]
    if name.startswith("-"):
        context.say(f"unknown flag: {name}\n\n{_see(f'lamina {group}', f'lamina {group} COMMAND')}")
        return _FLAG_WRONG
    path = f"{group} {name}"
    if name in inner:
        return _run(path, inner[name], words[1:], context)
    if path not in COMMANDS:
        known = [key.partition(" ")[2] for key in COMMANDS if key.startswith(f"{group} ")]
        return _unknown(name, group, [*known, *inner], context)
    return _run(path, _load(COMMANDS[path][0]), words[1:], context)


def _run(path: str, entry: Entry, words: list[str], context: Context) -> int:
    """Read the flags of one command and run it."""
    from lamina.cli.flags import FlagInvalid, HelpAsked, check_arity, parse

    command, function = entry
    try:
        arguments = parse(command.flags, words, interspersed=command.interspersed)
    except HelpAsked:
        from lamina.cli.catalogue import aliases
        from lamina.cli.help import command_help

        context.out.write(command_help(command, path, aliases(path), width=context.size()[0]))
        return 0
    except FlagInvalid as error:
        return _misused(error, command, path, context, prefix="")
    wrong = check_arity(command, path, len(arguments.positional))
    if wrong is not None:
        return _misused(wrong, command, path, context, prefix="lamina: ")
    return function(arguments, context)


def _misused(
    error: LaminaError, command: Command, path: str, context: Context, *, prefix: str
) -> int:
    from lamina.cli.errors import exit_code
    from lamina.cli.help import usage_words

    hint = f"\n{error.hint}" if error.hint else ""
    usage = _see(f"lamina {path}", usage_words(command, path))
    context.say(f"{prefix}{error.message}{hint}\n\n{usage}")
    return exit_code(error)


def _see(path: str, usage: str) -> str:
    return f"Usage:  {usage}\n\nRun '{path} --help' for more information"


def _unknown(name: str, group: str, known: Iterable[str], context: Context) -> int:
    from difflib import get_close_matches  # only when something is wrong already

    path = f"lamina {group}".rstrip()
    names = sorted(set(known) | (set() if group else set(GROUPS)))
    near = [word for word in names if len(name) > 1 and word.startswith(name)]
    near += [word for word in get_close_matches(name, names, n=3, cutoff=0.65) if word not in near]
    lines = [f"lamina: '{name}' is not a {path} command."]
    if near:
        lines += ["", "Did you mean this?", *(f"\t{word}" for word in near[:3])]
    context.say("\n".join([*lines, "", f"Run '{path} --help' for more information"]))
    return _FAILED


def _load(module: str) -> Entry:
    loaded = _imported(f"lamina.cli.commands.{module}")
    return loaded.COMMAND, loaded.main


def _imported(name: str) -> Any:  # noqa: ANN401 - a module, whose names only people know
    """Import a module by name, without `importlib`, which loads more than some commands do."""
    __import__(name)
    return sys.modules[name]


def _inner(group: str) -> Mapping[str, Entry]:
    """Give the commands of a group whose module keeps its own table; most have none."""
    if group != "hub":
        return {}
    table: Mapping[str, Entry] = _imported(f"lamina.cli.commands.{group}").COMMANDS
    return table


def _failed(error: BaseException, context: Context) -> int:
    from lamina.cli.errors import exit_code, report

    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else _FAILED
    if context.environ.get(_DEBUG) and isinstance(error, Exception):
        import traceback

        traceback.print_exception(error, file=context.err)
    if isinstance(error, BrokenPipeError):
        _forget_output()
    try:
        context.out.flush()
    except OSError:  # that may be the very error
        _forget_output()
    try:
        return report(error, context.err)
    except OSError:  # stderr is a file on the full disk, too
        return exit_code(error)


def _forget_output() -> None:
    """Point stdout at nothing, so that the interpreter's own flush does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
