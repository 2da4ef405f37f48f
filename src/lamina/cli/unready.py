"""Flags of Docker's that mean something here only in part: what each gets instead of silence."""

from __future__ import annotations

from lamina.cli.flags import BOOL, LIST, Flag
from lamina.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["FLAGS", "check"]

FLAGS = (
    Flag("publish", "p", kind=LIST, help="Publish a container's port(s) to the host"),
    Flag("publish-all", "P", kind=BOOL, help="Publish all exposed ports to random ports"),
    Flag("expose", kind=LIST, help="Expose a port or a range of ports"),
    Flag("restart", help="Restart policy to apply when a container exits", default="no"),
)
_PARTS = 2


def check(arguments: Arguments, context: Context) -> None:
    """Warn of what has another effect here; refuse what would have none.

    Raises: Unsupported (restart policies: a promise that nobody keeps is worse than no).
    """
    if arguments.text("restart") not in ("", "no"):
        raise Unsupported(
            f"restart policy {arguments.text('restart')!r} cannot be kept yet",
            hint="leave --restart out; `lamina restart` starts a container again",
        )
    network = arguments.text("net") or arguments.text("network")
    if network == "none":
        return
    if arguments.texts("publish") or arguments.flag("publish-all"):
        context.say("WARNING: Published ports are discarded when using host network mode")
    for text in arguments.texts("publish"):
        outer, inner = _ports(text)
        if outer and outer != inner:
            context.say(
                f"WARNING: the program's port {inner} is the host's port {inner}, not {outer}"
            )


def _ports(text: str) -> tuple[str, str]:
    """Read `[[ip:]host:]container[/protocol]`; the host's port is empty where none is asked."""
    parts = text.partition("/")[0].split(":")
    return (parts[-2] if len(parts) >= _PARTS else "", parts[-1])
