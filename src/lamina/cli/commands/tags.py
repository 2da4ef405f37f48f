"""`lamina tags`: what a repository at a registry has, without pulling anything."""

from __future__ import annotations

from lamina.cli.flags import INT, Command, Flag
from lamina.cli.formats import JSON, show_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="tags",
    usage="lamina tags [OPTIONS] REPOSITORY",
    summary="List the tags of a repository at a registry",
    flags=(
        JSON,
        Flag("limit", kind=INT, help="Show at most this many tags (0: all)"),
    ),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print one tag a line, in the registry's order."""
    from lamina.cli.errors import printable
    from lamina.errors import Invalid
    from lamina.spec.reference import Reference

    name = arguments.positional[0]
    bare = Reference.parse(name, default_tag="")
    if bare.tag or bare.digest:
        raise Invalid(
            f"{name} names one image, not a repository",
            hint=f"use `lamina tags {bare.familiar_name}`",
        )
    limit = arguments.number("limit")
    if limit < 0:
        raise Invalid("--limit cannot be negative")
    found = context.engine.images.tags(name)
    found = found[:limit] if limit else found
    if arguments.flag("json"):
        show_json(context, list(found))
        return 0
    for tag in found:
        context.print(printable(tag))
    return 0
