"""`lamina logs`: what a container wrote."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag, FlagInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main", "moment"]

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
        since=moment(arguments.text("since"), context.now()),
        until=moment(arguments.text("until"), context.now()),
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
    """Write the labels and variables that go with a line, as Docker does."""
    return ",".join(f"{key}={value}" for key, value in sorted(attributes.items())) + " "


def _tail(text: str) -> int:
    """Read `--tail`; -1 is everything, as is what is no number of lines."""
    if text == "all":
        return -1
    try:
        return int(text)
    except ValueError:
        raise FlagInvalid(f'invalid argument "{text}" for "--tail" flag: a number or all') from None


def moment(text: str, now: float) -> str:
    """Turn `42m`, epoch seconds or (part of) an RFC 3339 time into RFC 3339 in UTC.

    Raises: FlagInvalid.
    """
    from lamina.cli.kinds import parse_duration
    from lamina.cli.units import TimeInvalid, parse_time
    from lamina.runtime.log import timestamp

    if not text:
        return ""
    try:
        if text.replace(".", "", 1).isdigit():
            return timestamp(int(float(text) * 1_000_000_000))
        if text[:4].isdigit() and "-" in text:
            seconds, nanos = parse_time(_complete(text))
            return timestamp(seconds * 1_000_000_000 + nanos)
        return timestamp(int(now * 1_000_000_000) - parse_duration(text))
    except (TimeInvalid, ValueError) as error:
        raise FlagInvalid(f'invalid value for "since" or "until": {text}: {error}') from None


def _complete(text: str) -> str:
    """Fill up a date or a time without a zone: midnight, UTC."""
    if "T" not in text:
        return f"{text}T00:00:00Z"
    clock = text.partition("T")[2]
    zoned = clock.endswith("Z") or "+" in clock or "-" in clock
    parts = clock.count(":")
    filled = text + (":00" * (2 - parts) if not zoned else "")
    return filled if zoned else f"{filled}Z"
