"""`--dry-run` of push, copy and pull: a line for each blob, and what would travel in all."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Flag
from lamina.cli.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.cli.context import Context
    from lamina.engine.plans import Plan, Step

__all__ = ["DRY_RUN", "tell_plans"]

DRY_RUN = Flag("dry-run", kind=BOOL, help="Only say what would travel, and what is there already")


def tell_plans(context: Context, plans: Sequence[Plan], *, quiet: bool, verb: str = "sent") -> None:
    """Print each step and the sum; `quiet` the sum alone. `verb` says what happens to a blob."""
    for plan in plans:
        for step in () if quiet else plan.blobs:
            context.print(f"{step.id}: {_said(step, verb)}")
        for step in () if quiet else plan.manifests:
            context.print(f"{step.id}: {_said(step, verb)} (manifest)")
    steps = [step for plan in plans for step in (*plan.blobs, *plan.manifests)]
    moving = [step for plan in plans for step in plan.moving]
    size = sum(step.size for step in moving)
    context.print(f"Would transfer {len(moving)} of {len(steps)}: {human_size(size)}")


def _said(step: Step, verb: str) -> str:
    size = human_size(step.size)
    match step.way:
        case "there":
            return f"Already there, {size}"
        case "mounted":
            return f"Would be mounted from {step.home}, {size}"
        case "packed and sent":
            return f"Would be packed and sent, {size} before packing"
        case _:
            return f"Would be {verb}, {size}"
