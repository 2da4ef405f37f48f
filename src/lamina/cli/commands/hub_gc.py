"""`lamina hub gc`: remove now what nobody names, beside a hub that may be running."""

from __future__ import annotations

from lamina.cli.flags import BOOL, DURATION, Command, Flag
from lamina.cli.formats import JSON, show_json
from lamina.cli.hub_places import PLACES, opened, settings_of
from lamina.cli.units import human_size
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.hub.collect import Removed

__all__ = ["COMMAND", "main"]

_KINDS = {"manifest": "manifests", "blob": "blobs", "upload": "uploads"}
COMMAND = Command(
    name="hub gc",
    usage="lamina hub gc [OPTIONS]",
    summary="Remove what nobody names from this machine's hub, now",
    description="Remove what nobody names from this machine's hub, now.\n"
    "The hub may run meanwhile: what pushes in flight count on stays.",
    flags=(
        *PLACES,
        Flag("dry-run", kind=BOOL, help="Say what would go, and remove nothing"),
        Flag("grace", kind=DURATION, help="Keep what was deleted more lately (default 1h)"),
        JSON,
    ),
    arity=(0, 0),
)


def main(arguments: Arguments, context: Context) -> int:
    """Sweep, or say what a sweep would remove: a line each, and the sum at the end."""
    settings = settings_of(arguments, context)
    if settings.read_only:
        from lamina.hub.errors import ReadOnly

        raise ReadOnly(settings.read_only)
    grace_s = settings.grace_s
    if arguments.changed("grace"):
        grace_s = arguments.number("grace") / 1e9
        if grace_s < 0:
            raise Invalid("a grace is 0s or more", hint="--grace 0s keeps only what pushes await")
    is_rehearsal = arguments.flag("dry-run")
    graces = {
        "grace_s": grace_s,
        "upload_grace_s": settings.upload_grace_s,
        "push_grace_s": settings.grace_s,
    }
    with opened(settings) as (database, storage):
        from lamina.hub.collect import Collector

        collector = Collector(database, storage, clock=context.now, active=lambda: ())
        removed: list[Removed] = []
        if is_rehearsal:
            removed.extend(collector.rehearse(**graces))
        else:
            collector.sweep(**graces, tell=removed.append)
    _tell(removed, arguments, context)
    return 0


def _tell(removed: Sequence[Removed], arguments: Arguments, context: Context) -> None:
    size = sum(each.size for each in removed)
    is_rehearsal = arguments.flag("dry-run")
    if arguments.flag("json"):
        found = {
            plural: [
                {"name": each.name, **({"size": each.size} if kind == "blob" else {})}
                for each in removed
                if each.kind == kind
            ]
            for kind, plural in _KINDS.items()
        }
        show_json(context, {"dry_run": is_rehearsal, "size": size, **found})
        return
    for each in removed:
        sizes = f"  {human_size(each.size, precision=3)}" if each.kind == "blob" else ""
        context.print(f"{each.kind:<9}{each.name}{sizes}")
    counts = {kind: sum(each.kind == kind for each in removed) for kind in _KINDS}
    words = [
        f"{count} {kind if count == 1 else _KINDS[kind]}" for kind, count in counts.items() if count
    ]
    verb = "Would remove" if is_rehearsal else "Removed"
    context.say(f"{verb} {', '.join(words) or 'nothing'} ({human_size(size, precision=3)})")
