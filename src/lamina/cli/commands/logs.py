"""`lamina logs`: what a container wrote."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag, FlagInvalid
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="logs",
    usage="lamina logs [OPTIONS] CONTAINER",
    summary="Fetch the logs of a container",
    flags=(
        Flag("details", kind=BOOL, help="Show extra details provided to logs"),
        Flag("follow", "f", kind=BOOL, help="Follow log output"),
        Flag("since", help='Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m")'),
        Flag("tail", "n", default="all", help="Number of lines to show from the end of the logs"),
        Flag("timestamps", "t", kind=BOOL, help="Show timestamps"),
        Flag("until", help="Show logs before a timestamp or relative time"),
    ),
    arity=(1, 1),
)  # fmt: skip


def main(arguments: Arguments, context: Context) -> int:
    """Print stdout to stdout and stderr to stderr, in the order written."""
    from lamina.cli.attaching import output_writer

    tail = _tail(arguments.text("tail"))
    lines = context.engine.containers.logs(
        arguments.positional[0],
        tail=tail,
        since=_moment(arguments, "since", context),
        until=_moment(arguments, "until", context),
        follow=arguments.flag("follow"),
    )
    write = output_writer(context)
    stamped = arguments.flag("timestamps")
    detailed = arguments.flag("details")
    for line in lines:
        text = f"{_details(line.attributes)}{line.text}" if detailed else line.text
        text = f"{line.time} {text}" if stamped else text
        write(1 if line.stream == "stdout" else 2, text.encode("utf-8", "surrogatepass"))
    return 0


def _details(attributes: Mapping[str, str]) -> str:
    """Write the labels and variables that go with a line as Docker does, in the form of a query."""
    from urllib.parse import quote_plus

    pairs = (f"{quote_plus(key)}={quote_plus(value)}" for key, value in sorted(attributes.items()))
    return ",".join(pairs) + " "


def _tail(text: str) -> int:
    """Read `--tail`; -1 is everything, as is what is no number of lines."""
    if text == "all":
        return -1
    try:
        return int(text)
    except ValueError:
        raise FlagInvalid(f'invalid argument "{text}" for "--tail" flag: a number or all') from None


def _moment(arguments: Arguments, name: str, context: Context) -> str:
    """Read `--since` or `--until` as RFC 3339 in UTC, empty where it was not given."""
    from lamina.cli.moments import parse_moment
    from lamina.runtime.log import timestamp

    text = arguments.text(name)
    if not text:
        return ""
    try:
        return timestamp(parse_moment(text, context.now()))
    except (ValueError, OverflowError) as error:
        raise Invalid(
            f'invalid value for "{name}": {error}',
            hint="write 10m, 2026-01-31, 2026-01-31T12:00:00Z or seconds since 1970",
        ) from None
