"""`lamina events`: what happens to containers, images, volumes and networks, as it happens."""

from __future__ import annotations

from lamina.cli.flags import FILTER, Command, Flag
from lamina.cli.formats import FORMAT_DOCUMENT
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.spec.wire import Document

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="events",
    usage="lamina events [OPTIONS]",
    summary="Get real time events of containers, images, volumes and networks",
    flags=(
        Flag("filter", "f", kind=FILTER, help="Filter output based on conditions provided"),
        Flag("format", help=FORMAT_DOCUMENT.help),
        Flag("since", help="Show all events created since timestamp"),
        Flag("until", help="Stream events until this timestamp"),
    ),
    arity=(0, 0),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print one line per event, until `--until` or an interruption."""
    from time import time

    from lamina.engine.journal import events

    since, until = (_moment(arguments.text(name), context) for name in ("since", "until"))
    found = events(
        context.engine,
        filters=arguments.filters(),
        since_ns=since,
        until_ns=until,
        follow=lambda: until is None or time() * 1e9 < until,
    )
    write = _writer(arguments.text("format"))
    for event in found:
        context.print(write(event))
        context.out.flush()
    return 0


def _moment(text: str, context: Context) -> int | None:
    from lamina.cli.moments import parse_moment

    try:
        return parse_moment(text, context.now()) if text else None
    except ValueError as error:
        raise Invalid(
            str(error), hint="write 10m, 2026-01-31, 2026-01-31T12:00:00Z or seconds since 1970"
        ) from None


def _writer(form: str) -> Callable[[Document], str]:
    if not form:
        return _line
    from lamina.cli.template_functions import to_json

    if form == "json":
        return lambda event: to_json({**_older(event), **event})
    from lamina.cli.template import Template, TemplateInvalid

    try:
        template = Template(form)
    except TemplateInvalid as error:
        raise TemplateInvalid(error.message, hint=error.hint) from None  # docker's 1, not 64
    return lambda event: template.render(_fields(event), strict=True)


def _older(event: Document) -> Document:
    """Give the fields that Docker keeps for older programs, which have no kinds of events."""
    kind, actor = event["Type"], event["Actor"]
    if kind not in ("container", "image"):
        return {}
    fields = {"status": event["Action"], "id": actor["ID"]}
    if kind == "container":
        fields["from"] = actor["Attributes"].get("image", "")
    return fields


def _fields(event: Document) -> Document:
    """Give an event as templates see it, by the names that its fields have in Go."""
    older = {"status": "", "id": "", "from": "", **_older(event)}
    return {
        "Status": older["status"],
        "ID": older["id"],
        "From": older["from"],
        "Type": event["Type"],
        "Action": event["Action"],
        "Actor": event["Actor"],
        "Scope": event["scope"],
        "Time": event["time"],
        "TimeNano": event["timeNano"],
    }


def _line(event: Document) -> str:
    """Write an event as docker does: time, kind, action, ID, attributes."""
    import time

    seconds, nanos = divmod(int(event["timeNano"]), 1_000_000_000)
    local = time.localtime(seconds)
    zone = time.strftime("%z", local)
    stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{nanos:09d}{zone[:3]}:{zone[3:]}"
    actor = event["Actor"]
    pairs = ", ".join(f"{key}={value}" for key, value in sorted(actor["Attributes"].items()))
    return f"{stamp} {event['Type']} {event['Action']} {actor['ID']} ({pairs})"
