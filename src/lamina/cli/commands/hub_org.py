"""`lamina hub org|member|team`: organisations on a hub, who is in them and in which teams."""

from __future__ import annotations

from lamina.cli.commands.hub_login import HUB, ask
from lamina.cli.flags import BOOL, STRING, Command, Flag
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.spec.wire import Document

__all__ = ["MEMBER", "ORG", "TEAM", "member", "org", "team"]

_HUB = HUB
ORG = Command(
    name="hub org",
    usage="lamina hub org [OPTIONS] ls | create NAME | set NAME | rm NAME...",
    summary="List, make, change or delete organisations on a hub",
    description="List, make, change or delete organisations on a hub: namespaces of several accounts.\n"
    "Log in there first: lamina login.",
    flags=(
        FORMAT,
        _HUB,
        JSON,
        Flag(
            "members",
            kind=STRING,
            value="ROLE",
            help="With set: what each member may do in all repositories: none, read, write",
        ),
        Flag(
            "new", kind=STRING, value="private", help="With set: what a push makes: public, private"
        ),
        QUIET,
        Flag("summary", kind=STRING, help="With set: a sentence about it"),
    ),
    arity=(1, None),
)
MEMBER = Command(
    name="hub member",
    usage="lamina hub member [OPTIONS] ls ORG | add ORG ACCOUNT... | rm ORG ACCOUNT...",
    summary="List, add or remove the members of an organisation on a hub",
    description="List, add or remove the members of an organisation on a hub.\n"
    "Log in there first: lamina login.",
    flags=(
        FORMAT,
        _HUB,
        JSON,
        Flag(
            "owner", kind=BOOL, help="With add: as owners; without it owners become plain members"
        ),
        QUIET,
    ),
    arity=(2, None),
)
TEAM = Command(
    name="hub team",
    usage="lamina hub team [OPTIONS] ls ORG [TEAM] | create ORG TEAM | rm ORG TEAM... |"
    " join|leave ORG TEAM ACCOUNT...",
    summary="List, make, fill or delete the teams of an organisation on a hub",
    description="List, make, fill or delete the teams of an organisation on a hub.\n"
    "Log in there first: lamina login.",
    flags=(FORMAT, _HUB, JSON, QUIET),
    arity=(2, None),
)
_ORGS = Listing(
    {"Name": "NAME", "Role": "YOU ARE", "Members": "MEMBERS MAY", "New": "NEW ONES", "Summary": ""},
    ("Name", "Role", "Members", "New"),
    quiet="Name",
)
_MEMBERS = Listing(
    {"Name": "NAME", "Role": "ROLE", "Since": "SINCE"}, ("Name", "Role", "Since"), quiet="Name"
)
_TEAMS = Listing({"Name": "TEAM", "Members": "MEMBERS"}, ("Name", "Members"), quiet="Name")
_IN_TEAM = Listing({"Name": "NAME"}, ("Name",), quiet="Name")


def org(arguments: Arguments, context: Context) -> int:
    """List, make, change or delete organisations."""
    verb, *names = arguments.positional
    if verb == "ls" and not names:
        found = _rows(ask(arguments, context, "GET", "/orgs"), "organisations")
        show(context, _ORGS, [_org_row(each) for each in found], arguments)
        return 0
    if verb == "create" and len(names) == 1:
        ask(arguments, context, "POST", "/orgs", {"name": names[0]})
        context.print(names[0])
        return 0
    if verb == "set" and len(names) == 1:
        return _set(arguments, context, names[0])
    if verb == "rm" and names:
        return _each(arguments, context, "DELETE", [(name, f"/orgs/{name}") for name in names])
    raise _unknown(arguments, "org", "ls', 'create NAME', 'set NAME' or 'rm NAME")


def _org_row(document: Document) -> Row:
    return Row(
        {
            "Name": document["name"],
            "Role": "owner" if document["owner"] else "member",
            "Members": document["members_role"],
            "New": "private" if document["new_private"] else "public",
            "Summary": document["summary"],
        },
        document,
    )


def _set(arguments: Arguments, context: Context, name: str) -> int:
    wanted: Document = {}
    if arguments.text("members"):
        wanted["members_role"] = arguments.text("members")
    if arguments.text("new"):
        if arguments.text("new") not in ("public", "private"):
            raise Invalid(f"--new is public or private, not {arguments.text('new')!r}")
        wanted["new_private"] = arguments.text("new") == "private"
    if arguments.text("summary"):
        wanted["summary"] = arguments.text("summary")
    if not wanted:
        raise Invalid("nothing to set", hint="use --members, --new or --summary")
    ask(arguments, context, "PATCH", f"/orgs/{name}", wanted)
    context.print(name)
    return 0


def member(arguments: Arguments, context: Context) -> int:
    """List, add or remove members."""
    verb, name, *accounts = arguments.positional
    if verb == "ls" and not accounts:
        found = _rows(ask(arguments, context, "GET", f"/orgs/{name}"), "members")
        show(context, _MEMBERS, [_member_row(each) for each in found], arguments)
        return 0
    paths = [(account, f"/orgs/{name}/members/{account}") for account in accounts]
    if verb == "add" and accounts:
        owner = {"owner": arguments.flag("owner")}
        return _each(arguments, context, "PUT", paths, owner)
    if verb == "rm" and accounts:
        return _each(arguments, context, "DELETE", paths)
    raise _unknown(arguments, "member", "ls ORG', 'add ORG ACCOUNT' or 'rm ORG ACCOUNT")


def _member_row(document: Document) -> Row:
    role = "owner" if document["owner"] else "member"
    return Row({"Name": document["name"], "Role": role, "Since": document["since"]}, document)


def team(arguments: Arguments, context: Context) -> int:
    """List, make, fill or delete teams."""
    verb, name, *rest = arguments.positional
    if verb == "ls" and len(rest) <= 1:
        return _list_teams(arguments, context, name, rest)
    if verb == "create" and len(rest) == 1:
        ask(arguments, context, "POST", f"/orgs/{name}/teams", {"name": rest[0]})
        context.print(rest[0])
        return 0
    if verb == "rm" and rest:
        paths = [(each, f"/orgs/{name}/teams/{each}") for each in rest]
        return _each(arguments, context, "DELETE", paths)
    methods = {"join": "PUT", "leave": "DELETE"}
    if verb in methods and len(rest) > 1:
        paths = [(each, f"/orgs/{name}/teams/{rest[0]}/members/{each}") for each in rest[1:]]
        return _each(arguments, context, methods[verb], paths)
    raise _unknown(
        arguments, "team", "ls ORG', 'create ORG TEAM', 'join ORG TEAM ACCOUNT' or 'rm ORG TEAM"
    )


def _list_teams(arguments: Arguments, context: Context, name: str, teams: Sequence[str]) -> int:
    if teams:
        found = ask(arguments, context, "GET", f"/orgs/{name}/teams/{teams[0]}")["members"]
        assert isinstance(found, list)  # noqa: S101 - as the hub's interface has it
        show(context, _IN_TEAM, [Row({"Name": each}) for each in found], arguments)
        return 0
    rows = _rows(ask(arguments, context, "GET", f"/orgs/{name}"), "teams")
    cells = [Row({"Name": each["name"], "Members": each["members"]}, each) for each in rows]
    show(context, _TEAMS, cells, arguments)
    return 0


def _rows(answer: Document, field: str) -> list[Document]:
    if field not in answer:
        raise Invalid(f"only members see the {field}", hint="ask an owner to take you in")
    rows = answer[field]
    assert isinstance(rows, list)  # noqa: S101 - as the hub's interface has it
    return rows


def _each(
    arguments: Arguments,
    context: Context,
    method: str,
    paths: Sequence[tuple[str, str]],
    document: Document | None = None,
) -> int:
    """Send one request for each; print the names of what was done."""
    for name, path in paths:
        ask(arguments, context, method, path, document)
        context.print(name)
    return 0


def _unknown(arguments: Arguments, command: str, known: str) -> Invalid:
    return Invalid(
        f"'lamina hub {command} {' '.join(arguments.positional)}' is not known",
        hint=f"use '{known}'",
    )
