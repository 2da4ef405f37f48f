"""`lamina hub repo`: repositories on a hub, made before they are pushed to, described, hidden and deleted."""

from __future__ import annotations

from lamina.cli.commands.hub_login import HUB, ask
from lamina.cli.flags import STRING, Command, Flag
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show
from lamina.errors import Invalid, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.spec.wire import Document

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="hub repo",
    usage="lamina hub repo [OPTIONS] ls [NAMESPACE] | create NAME | show NAME | set NAME | rm NAME[:TAG]...",
    summary="List, make, describe, hide or delete repositories on a hub",
    description="List, make, describe, hide or delete repositories on a hub. NAME is NAMESPACE/REPOSITORY;\n"
    "ls lists your own namespace, or another. rm takes a whole repository, one tag (NAME:TAG), or an image\n"
    "with all its tags (NAME@DIGEST). Log in there first: lamina login.",
    flags=(
        FORMAT,
        HUB,
        JSON,
        QUIET,
        Flag(
            "readme",
            kind=STRING,
            value="FILE",
            help="With set: what its page says, in Markdown; - for stdin",
        ),
        Flag("summary", kind=STRING, help="With create and set: a sentence about it"),
        Flag(
            "visible",
            kind=STRING,
            value="private",
            help="With create and set: to whom: public, private",
        ),
    ),
    arity=(1, None),
)
_LISTING = Listing(
    {
        "Name": "NAME",
        "Visible": "VISIBLE",
        "Tags": "TAGS",
        "Pulls": "PULLS",
        "Updated": "UPDATED",
        "Summary": "",
    },
    ("Name", "Visible", "Tags", "Pulls", "Updated"),
    quiet="Name",
)


def main(arguments: Arguments, context: Context) -> int:
    """List, make, show, set or delete repositories."""
    verb, *names = arguments.positional
    if verb == "ls" and len(names) <= 1:
        rows = [_row(each) for each in _listed(arguments, context, *names)]
        show(context, _LISTING, rows, arguments)
        return 0
    if verb == "create" and len(names) == 1:
        wanted = _wanted(arguments)
        ask(arguments, context, "POST", "/repositories", {"name": names[0], **wanted})
        context.print(names[0])
        return 0
    if verb == "show" and len(names) == 1:
        found = ask(arguments, context, "GET", _path(names[0]))
        show(context, _LISTING, [_row(found)], arguments)
        return 0
    if verb == "set" and len(names) == 1:
        return _set(arguments, context, names[0])
    if verb == "rm" and names:
        for name in names:
            _remove(arguments, context, name)
            context.print(name)
        return 0
    raise Invalid(
        f"'lamina hub repo {' '.join(arguments.positional)}' is not known",
        hint="use 'ls [NAMESPACE]', 'create NAME', 'show NAME', 'set NAME' or 'rm NAME[:TAG]'",
    )


def _listed(arguments: Arguments, context: Context, namespace: str = "") -> Iterator[Document]:
    from urllib.parse import urlencode

    page, more = 1, True
    while more:
        query = urlencode({"namespace": namespace, "page": page})
        found = ask(arguments, context, "GET", f"/repositories?{query}")
        rows = found["repositories"]
        assert isinstance(rows, list)  # noqa: S101 - as the hub's interface has it
        yield from rows
        page, more = page + 1, bool(found["more"])


def _row(document: Document) -> Row:
    return Row(
        {
            "Name": document["name"],
            "Visible": "private" if document["private"] else "public",
            "Tags": document["tags"],
            "Pulls": document["pulls"],
            "Updated": document["updated_at"],
            "Summary": document["summary"],
        },
        document,
    )


def _wanted(arguments: Arguments) -> Document:
    wanted: Document = {}
    if arguments.text("visible"):
        if arguments.text("visible") not in ("public", "private"):
            raise Invalid(
                f"--visible is public or private, not {arguments.text('visible')!r}",
            )
        wanted["private"] = arguments.text("visible") == "private"
    if arguments.changed("summary"):
        wanted["summary"] = arguments.text("summary")
    return wanted


def _set(arguments: Arguments, context: Context, name: str) -> int:
    wanted = _wanted(arguments)
    if arguments.text("readme"):
        wanted["readme"] = _read(context, arguments.text("readme"))
    if not wanted:
        raise Invalid("nothing to set", hint="use --visible, --summary or --readme")
    ask(arguments, context, "PATCH", _path(name), wanted)
    context.print(name)
    return 0


def _remove(arguments: Arguments, context: Context, name: str) -> None:
    """Delete a repository; of `NAME:TAG` that tag alone, of `NAME@DIGEST` the image with all its tags."""
    from lamina.cli.commands.login import registry_of
    from lamina.remote.client import Client
    from lamina.remote.repository import Repository
    from lamina.spec.reference import Reference

    if ":" not in name and "@" not in name:
        ask(arguments, context, "DELETE", _path(name))
        return
    image = Reference.parse(f"{registry_of((arguments.text('hub'),))}/{name}")
    with Client(context.settings) as client:
        Repository.of(client, image).delete_manifest(image.digest or image.tag)


def _read(context: Context, file: str) -> str:
    from pathlib import Path

    if file == "-":
        return context.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise NotFound(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{file} is not UTF-8 text") from error


def _path(name: str) -> str:
    from urllib.parse import quote

    return f"/repositories/of?name={quote(name, safe='')}"
