"""Commands that do one thing to several containers: what worked is printed, what failed is told."""

from __future__ import annotations

from lamina.errors import LaminaError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lamina.cli.context import Context

__all__ = ["for_each"]


def for_each(
    context: Context,
    names: Iterable[str],
    deed: Callable[[str], object],
    *,
    missing_is_failure: bool = True,
) -> int:
    """Do `deed` to each name; print what it gives, or the name where it gives None; 1 on failure.

    `missing_is_failure` False tells of a name that is not there without failing for it.
    """
    code = 0
    for name in names:
        try:
            result = deed(name)
        except LaminaError as error:
            context.say(f"lamina: {error.message}")
            if error.hint:
                context.say(f"hint: {error.hint}")
            if missing_is_failure or not isinstance(error, NotFound):
                code = 1
            continue
        context.print(name if result is None else str(result))
        context.out.flush()
    return code
