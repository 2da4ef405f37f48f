"""`lamina hub robot`: logins of programs on a hub, which belong to a namespace."""

from __future__ import annotations

from lamina.cli.commands.hub_login import HUB, ask
from lamina.cli.flags import INT, LIST, STRING, Command, Flag
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.spec.wire import Document

__all__ = ["COMMAND", "main"]

_USUAL_DAYS = 90
COMMAND = Command(
    name="hub robot",
    usage="lamina hub robot [OPTIONS] ls NAMESPACE | create|renew NAMESPACE+NAME | rm NAMESPACE+NAME...",
    summary="List, make, renew or revoke logins of programs on a hub",
    description="List, make, renew or revoke logins of programs on a hub. A robot belongs to a namespace,\n"
    "your own or your organisation's, and does nothing elsewhere. Log in there first: lamina login.",
    flags=(
        Flag(
            "allow",
            kind=STRING,
            default="pull,push",
            value="ACTIONS",
            help="What a new robot may do: pull, push, delete",
        ),
        Flag("expires", kind=INT, default=_USUAL_DAYS, help="Days until it ends (0: never)"),
        FORMAT,
        HUB,
        JSON,
        Flag("only", kind=LIST, value="NAME", help="A repository it is for"),
        QUIET,
    ),
    arity=(2, None),
)
_LISTING = Listing(
    {
        "Login": "ROBOT",
        "Actions": "MAY",
        "Targets": "IN",
        "LastUsed": "LAST USED",
        "Expires": "EXPIRES",
        "CreatedBy": "MADE BY",
    },
    ("Login", "Actions", "Targets", "LastUsed", "Expires"),
    quiet="Login",
)


def main(arguments: Arguments, context: Context) -> int:
    """List, make, renew (the token on stdout, the talk on stderr) or revoke robots."""
    verb, *names = arguments.positional
    if verb == "ls" and len(names) == 1:
        found = ask(arguments, context, "GET", f"/namespaces/{names[0]}/robots")["robots"]
        assert isinstance(found, list)  # noqa: S101 - as the hub's interface has it
        show(context, _LISTING, [_row(each) for each in found], arguments)
        return 0
    if verb in ("create", "renew") and len(names) == 1:
        return _token(arguments, context, verb, names[0])
    if verb == "rm" and names:
        for login in names:
            namespace, name = _split(login)
            ask(arguments, context, "DELETE", f"/namespaces/{namespace}/robots/{name}")
            context.print(login)
        return 0
    raise Invalid(
        f"'lamina hub robot {' '.join(arguments.positional)}' is not known",
        hint="use 'ls NAMESPACE', 'create NAMESPACE+NAME', 'renew …' or 'rm …'",
    )


def _token(arguments: Arguments, context: Context, verb: str, login: str) -> int:
    namespace, name = _split(login)
    path = f"/namespaces/{namespace}/robots"
    fields: Document = {"expires_in_days": arguments.number("expires") or None}
    if verb == "create":
        fields["name"] = name
        fields["actions"] = [each.strip() for each in arguments.text("allow").split(",")]
        fields["targets"] = list(arguments.texts("only"))
    else:
        path += f"/{name}/renew"
    made = ask(arguments, context, "POST", path, fields)
    done = "Made" if verb == "create" else "Renewed"
    context.say(f"{done} {login}: keep this token now, it is not shown again")
    context.print(str(made["token"]))
    return 0


def _split(login: str) -> tuple[str, str]:
    namespace, plus, name = login.partition("+")
    if not (namespace and plus and name):
        raise Invalid(f"{login!r} is no robot", hint="a robot is NAMESPACE+NAME, as acme+ci")
    return namespace, name


def _row(document: Document) -> Row:
    targets, actions = document["targets"], document["actions"]
    assert isinstance(targets, list)  # noqa: S101 - as the hub's interface has it
    assert isinstance(actions, list)  # noqa: S101
    return Row(
        {
            "Login": document["login"],
            "Actions": ",".join(map(str, actions)),
            "Targets": ",".join(map(str, targets)) or "everywhere",
            "LastUsed": document["used_at"] or "never",
            "Expires": document["expires_at"] or "never",
            "CreatedBy": document["created_by"],
        },
        document,
    )
