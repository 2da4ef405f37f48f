"""What a commit captured, in a few lines for people, and what they may regret of an image."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lamina.cli.context import Context
    from lamina.engine.captured import Captured
    from lamina.study.regrets import Regret

__all__ = ["tell", "warn"]

_FOLDERS = 5
_LONGEST = 500


def tell(context: Context, captured: Captured) -> None:
    """Say on stderr what is in the new image, what is not, and what may be regretted."""
    from lamina.cli.units import human_size

    plural = "" if captured.files == 1 else "s"
    gone = f", {captured.removed} removed" if captured.removed else ""
    where = ", ".join(
        f"{folder.name} {human_size(folder.size)}" for folder in captured.folders[:_FOLDERS]
    )
    more = len(captured.folders) - _FOLDERS
    where += f" and {more} more" if more > 0 else ""
    size = human_size(captured.size)
    context.say(
        f"captured: {captured.files} file{plural}, {size}{gone}{f' ({where})' if where else ''}"
    )
    for line in captured.settings:
        context.say(f"settings: {_short(line)}")
    if captured.left_out:
        context.say(f"not captured: {', '.join(captured.left_out)}")
    warn(context, captured.regrets)


def warn(context: Context, regrets: Iterable[Regret]) -> None:
    """Warn on stderr of what may be regretted."""
    rows = list(regrets)
    hints = [*(regret.hint for regret in rows[1:]), ""]
    for regret, following in zip(rows, hints, strict=False):  # one more where there are none
        context.say(f"WARNING: {_short(regret.text)}")
        if regret.hint != following:
            context.say(f"hint: {_short(regret.hint)}")


def _short(text: str) -> str:
    """Leave out the middle of what fills the screen: a command may be a whole script."""
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]} … {text[-half:]}"
