"""Start the explorer where there is a terminal and textual; else say what is missing."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial

from lamina.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.cli.context import Context
    from lamina.engine.engine import Engine
    from lamina.engine.partial_study import PartialStudy

__all__ = ["NoTerminal", "TextualMissing", "explore"]

_INSTEAD = "`--html FILE` or `--json` write all that it shows; `lamina layers`, `whence` and `waste` print parts"

_FIXED = ("COLUMNS", "LINES")
"""Where these are exported, textual believes them, and never learns that the window has another size."""


class NoTerminal(Unsupported):
    """There is no terminal to draw on."""


class TextualMissing(Unsupported):
    """The library that draws is not installed."""


def explore(name: str, context: Context, *, remote: bool = False, platform: str = "") -> int:
    """Show an image or container until the person quits; a `remote` one is read at its registry.

    Gives the exit code: 1 where the explorer itself failed, and textual has told so.

    Raises: NoTerminal, TextualMissing; ImageUnknown, or as `engine.remote_study.remote_study`.
    """
    is_dumb = context.environ.get("TERM", "") in ("", "dumb")
    if is_dumb or not all(one.isatty() for one in (context.stdin, context.out, context.err)):
        raise NoTerminal("`lamina explore` needs a terminal for input and output", hint=_INSTEAD)
    try:
        from lamina.cli.explorer.app import Explorer
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("textual", "rich"):
            raise
        raise TextualMissing(
            "`lamina explore` draws with textual, which is not installed",
            hint=f"pip install 'lamina[tui]'; {_INSTEAD}",
        ) from error
    from lamina.cli.explorer.lines import Signs

    if remote:
        opening = partial(_opened_remotely, context.engine, name, platform)
    else:
        opening = partial(_opened_here, context.engine, name)
    for variable in _FIXED:
        os.environ.pop(variable, None)
    with opening() as opened:
        app = Explorer(opening, opened, Signs(unicode=context.unicode))
        app.run()
        return app.return_code or 0


@contextmanager
def _opened_here(engine: Engine, name: str) -> Iterator[PartialStudy]:
    from lamina.engine.partial_study import partly_studied

    with partly_studied(engine, name) as opened:
        yield opened


@contextmanager
def _opened_remotely(engine: Engine, name: str, platform: str) -> Iterator[PartialStudy]:
    from lamina.engine.partial_study import PartialStudy
    from lamina.engine.remote_study import remote_study

    with remote_study(engine, name, platform=platform) as study:
        yield PartialStudy(study, {})
