"""Flags of Docker's that mean something here only in part: what each gets instead of silence."""

from __future__ import annotations

from lamina.cli.flags import Flag
from lamina.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.flags import Arguments

__all__ = ["FLAGS", "check"]

FLAGS = (Flag("restart", help="Restart policy to apply when a container exits", default="no"),)


def check(arguments: Arguments) -> None:
    """Warn of what has another effect here; refuse what would have none.

    Raises: Unsupported (restart policies: a promise that nobody keeps is worse than no).
    """
    if arguments.text("restart") not in ("", "no"):
        raise Unsupported(
            f"restart policy {arguments.text('restart')!r} cannot be kept yet",
            hint="leave --restart out; `lamina restart` starts a container again",
        )
