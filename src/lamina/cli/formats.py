"""Listings in every form Docker has for them: table, template, JSON lines, ids alone; and `--json`.

A listing is a tuple of `Row`s. A row's `cells` are the strings that `--format` and the table see,
in Docker's names; its `document` is what `--json` prints: numbers as numbers, sizes in bytes,
times as RFC 3339, ids in full.
"""

from __future__ import annotations

from lamina.cli.flags import BOOL, STRING, Arguments, Flag
from lamina.cli.table import align, render
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lamina.cli.context import Context

__all__ = [
    "FORMAT",
    "FORMAT_DOCUMENT",
    "JSON",
    "QUIET",
    "Listing",
    "Row",
    "show",
    "show_json",
    "terminal_text",
]

_FORMAT_HELP = """Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template."""
_DOCUMENT_HELP = """Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template."""

FORMAT = Flag("format", kind=STRING, help=_FORMAT_HELP)
FORMAT_DOCUMENT = Flag("format", "f", kind=STRING, help=_DOCUMENT_HELP)
JSON = Flag("json", kind=BOOL, help="Print one JSON array with exact numbers and full ids")
QUIET = Flag("quiet", "q", kind=BOOL, help="Only show IDs")


class Row:
    """One thing in a listing: `cells` by Docker's field names, `document` for `--json`."""

    __slots__ = ("cells", "document")

    def __init__(
        self, cells: Mapping[str, object], document: Mapping[str, object] | None = None
    ) -> None:
        self.cells = dict(cells)
        plain = {name: cell for name, cell in cells.items() if not callable(cell)}
        self.document = plain if document is None else dict(document)


class Listing:
    """How one command lists: the header of every field, the fields of its table, `-q`'s field."""

    __slots__ = ("columns", "headers", "quiet")

    def __init__(
        self, headers: Mapping[str, str], columns: Sequence[str], *, quiet: str = "ID"
    ) -> None:
        self.headers = headers
        self.columns = tuple(columns)
        self.quiet = quiet


def show(context: Context, listing: Listing, rows: Sequence[Row], arguments: Arguments) -> None:
    """Print `rows` as `--json`, `--format` and `--quiet` of `arguments` ask.

    Raises: TemplateInvalid, Invalid (flags that contradict each other).
    """
    form = arguments.text("format")
    if arguments.flag("json"):
        if form:
            raise Invalid("--json and --format cannot be used together")
        show_json(context, [row.document for row in rows])
    elif form and form != "table":
        shown = terminal_text if context.is_terminal else str
        context.out.write(
            _formatted(listing, rows, form, quiet=arguments.flag("quiet"), shown=shown)
        )
    elif arguments.flag("quiet"):
        context.out.write("".join(f"{row.cells[listing.quiet]}\n" for row in rows))
    else:
        context.out.write(_table(listing, rows))


def show_json(context: Context, value: object) -> None:
    """Print `value` as indented JSON."""
    from lamina.spec.wire import encode_pretty

    context.print(encode_pretty(value, indent=2))


def _table(listing: Listing, rows: Sequence[Row]) -> str:
    lines = [[listing.headers[name] for name in listing.columns]]
    lines += [[str(row.cells[name]) for name in listing.columns] for row in rows]
    return render(lines)


def terminal_text(text: str) -> str:
    """Give a value so that it cannot move a terminal's cursor; line ends and tabs stay."""
    from lamina.cli.errors import printable

    return printable(text)


def _formatted(
    listing: Listing,
    rows: Sequence[Row],
    form: str,
    *,
    quiet: bool,
    shown: Callable[[str], str],
) -> str:
    from lamina.cli.template import Template, TemplateInvalid
    from lamina.cli.template_functions import to_json

    if form == "json":
        return "".join(to_json(dict(sorted(row.cells.items()))) + "\n" for row in rows)
    is_table = form.startswith("table ")
    text = form.removeprefix("table ").strip() if is_table else form
    if is_table and quiet:
        return "".join(f"{row.cells[listing.quiet]}\n" for row in rows)
    try:
        template = Template(text.replace("\\t", "\t").replace("\\n", "\n"))
    except TemplateInvalid as error:
        raise TemplateInvalid(error.message, hint=error.hint) from None  # docker's 1, not 64
    lines = [template.render(row.cells, strict=True, shown=shown) + "\n" for row in rows]
    if not is_table:
        return "".join(lines)
    headers = {name: _header(title) for name, title in listing.headers.items()}
    return align("".join([template.render(headers, strict=True) + "\n", *lines]))


def _header(title: str) -> object:
    """Give a title; that of a method answers any call with the argument as Docker does."""
    if title.endswith("()"):
        return lambda argument: str(argument).rpartition(".")[2]
    return title
