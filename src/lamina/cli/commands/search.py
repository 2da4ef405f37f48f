"""`lamina search`: repositories of a registry by words in their names."""

from __future__ import annotations

from lamina.cli.flags import BOOL, FILTER, INT, Command, Flag
from lamina.cli.formats import FORMAT, JSON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.search import Found

__all__ = ["COMMAND", "main"]

_WIDTH = 45
_MOST = 100

COMMAND = Command(
    name="search",
    usage="lamina search [OPTIONS] [REGISTRY/]TERM",
    summary="Search a registry for images",
    description=(
        "Search a registry for images. A registry without a search of its own is searched by the\n"
        "names of its repositories, which is said."
    ),
    flags=(
        Flag("filter", "f", kind=FILTER, help='Filter output (e.g. "stars=3", "is-official=true")'),
        FORMAT,
        JSON,
        Flag("limit", kind=INT, default=25, help="Max number of search results"),
        Flag("no-trunc", kind=BOOL, help="Don't truncate output"),
        Flag("quiet", "q", kind=BOOL, help="Only show names"),
    ),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print what was found as the registry orders it; names are complete, to be pulled by."""
    from lamina.cli.formats import Listing, Row, show
    from lamina.cli.units import shorten
    from lamina.engine.search import search
    from lamina.errors import Invalid

    limit = arguments.number("limit")
    if not 1 <= limit <= _MOST:
        raise Invalid(f"invalid limit {limit}: choose 1 to {_MOST}")
    passes = _filter(arguments.filters())
    found = search(context.engine, arguments.positional[0], limit=limit)
    if found.by == "catalog":
        context.say(f"{found.registry} has no search: these are its repositories by name")
    shown = "" if found.registry == "docker.io" else f"{found.registry}/"
    whole = arguments.flag("no-trunc")
    rows = [
        Row(
            {
                "Name": f"{shown}{each.name}",
                "Description": each.description if whole else shorten(each.description, _WIDTH),
                "StarCount": str(each.stars),
                "IsOfficial": "[OK]" if each.is_official else "",
            },
            {
                "Name": f"{shown}{each.name}",
                "Description": each.description,
                "StarCount": each.stars,
                "IsOfficial": each.is_official,
            },
        )
        for each in found.rows
        if passes(each)
    ]
    headers = {
        "Name": "NAME",
        "Description": "DESCRIPTION",
        "StarCount": "STARS",
        "IsOfficial": "OFFICIAL",
    }
    show(context, Listing(headers, tuple(headers), quiet="Name"), rows, arguments)
    return 0


def _filter(filters: Mapping[str, tuple[str, ...]]) -> Callable[[Found], bool]:
    """Tell what lets a repository pass: of a catalogue nobody knows stars. Raises: FilterInvalid."""
    from lamina.cli.image_filters import FilterInvalid
    from lamina.cli.kinds import parse_bool, parse_int

    known = ("is-automated", "is-official", "stars")
    for name in filters:
        if name not in known:
            raise FilterInvalid(f"invalid filter '{name}'", hint=f"there are {', '.join(known)}")
    try:
        least = max((parse_int(text) for text in filters.get("stars", ())), default=0)
        official = {parse_bool(text) for text in filters.get("is-official", ())}
        automated = {parse_bool(text) for text in filters.get("is-automated", ())}
    except ValueError as error:
        raise FilterInvalid(f"invalid filter: {error}") from None
    # No registry tells of automated builds any more.
    return lambda each: (
        each.stars >= least
        and (not official or each.is_official in official)
        and (not automated or False in automated)
    )
