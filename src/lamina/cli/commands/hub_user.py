"""`lamina hub user`: the accounts of this machine's hub, whether or not it is running."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.hub_places import DATABASE, ROOT, check_served, hub_settings, needs_extra
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.hub.services import People

    Verb = Callable[[People, Arguments, Context, str], None]

__all__ = ["COMMAND", "main", "read_password"]

_HERE = "http://127.0.0.1:5000"
COMMAND = Command(
    name="hub user",
    usage="lamina hub user [OPTIONS] ls | invite | VERB NAME",
    summary="Look after the accounts of this machine's hub",
    description="""Look after the accounts of this machine's hub, whether or not it is running.

Verbs:
  ls        List the accounts
  add       Make an account; a hub's first is its admin
  passwd    Set a password; sessions and access tokens end
  reset     Print a link to choose a password; it works once, for an hour
  invite    Print a link to register; it works once, for a week
  disable   Keep an account from logging in; what it has stays
  enable    Let it log in again
  admin     Make an account an admin of the hub (--off: no longer)
  rm        Delete an account; its name stays reserved""",
    flags=(
        ROOT,
        DATABASE,
        Flag("off", kind=BOOL, help="With admin: no longer"),
        Flag("password-stdin", kind=BOOL, help="Take the password from stdin"),
        Flag("url", value="URL", help=f"Address of the hub, for links (default {_HERE})"),
        Flag("with-repositories", kind=BOOL, help="With rm: delete the repositories along"),
    ),
    arity=(1, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Do what the verb says; links go to stdout, talk to stderr."""
    verb, *names = arguments.positional
    if (verb in _ALONE) != (not names) or verb not in {**_ALONE, **_NAMED}:
        raise Invalid(
            f"'lamina hub user {' '.join(arguments.positional)}' is not known",
            hint="see 'lamina hub user --help' for the verbs",
        )
    settings = hub_settings(
        context, root=arguments.text("root"), database=arguments.text("database")
    )
    if verb != "add":  # which may make the folder, as `serve` would
        check_served(settings)
    try:
        from lamina.hub.services import People
    except ModuleNotFoundError as error:
        raise needs_extra(error) from error
    people = People.open(settings)
    try:
        {**_ALONE, **_NAMED}[verb](people, arguments, context, names[0] if names else "")
    finally:
        people.close()
    return 0


def read_password(arguments: Arguments, context: Context) -> str:
    """Read a password from stdin, or ask twice without echo. Raises: Invalid."""
    if arguments.flag("password-stdin"):
        return context.stdin.read().rstrip("\r\n")
    if not context.stdin.isatty():
        raise Invalid("nobody to ask for a password", hint="use --password-stdin")
    from getpass import getpass

    password = getpass("Password: ")
    if getpass("Again: ") != password:
        raise Invalid("the two passwords differ")
    return password


def _list(people: People, _: Arguments, context: Context, name: str) -> None:  # noqa: ARG001 - a verb's form
    from lamina.cli.table import render
    from lamina.cli.units import ago

    now = context.now()
    rows = [
        (
            row.name,
            " ".join(filter(None, ("admin" * row.is_admin, "disabled" * row.is_disabled))),
            ago(row.created_at, now),
        )
        for row in people.accounts.all()
    ]
    context.out.write(render([("NAME", "ROLE", "REGISTERED"), *rows]))


def _add(people: People, arguments: Arguments, context: Context, name: str) -> None:
    account = people.accounts.register(name, read_password(arguments, context))
    people.note("register", name)
    context.print(f"Made {name}" + (", the hub's admin" if account.is_admin else ""))


def _passwd(people: People, arguments: Arguments, context: Context, name: str) -> None:
    people.accounts.set_password(name, read_password(arguments, context))
    people.note("reset password", name)
    context.print(f"Password of {name} changed; every session and token of it has ended")


def _reset(people: People, arguments: Arguments, context: Context, name: str) -> None:
    token = people.links.make_reset(name)
    people.note("make reset link", name)
    context.say(f"Whoever opens this chooses the password of {name}, once, within an hour")
    context.print(f"{_url(arguments, context)}/signin/reset?token={token}")


def _invite(people: People, arguments: Arguments, context: Context, name: str) -> None:  # noqa: ARG001 - a verb's form
    token = people.links.make_invitation()
    people.note("invite", "")
    context.say("Whoever opens this may register, once, within a week")
    context.print(f"{_url(arguments, context)}/register?invitation={token}")


def _disable(people: People, _: Arguments, context: Context, name: str) -> None:
    people.accounts.set_disabled(name, is_disabled=True)
    people.note("disable account", name)
    context.print(f"{name} can no longer log in")


def _enable(people: People, _: Arguments, context: Context, name: str) -> None:
    people.accounts.set_disabled(name, is_disabled=False)
    people.note("enable account", name)
    context.print(f"{name} may log in")


def _admin(people: People, arguments: Arguments, context: Context, name: str) -> None:
    is_admin = not arguments.flag("off")
    people.accounts.set_admin(name, is_admin=is_admin)
    people.note("make admin" if is_admin else "unmake admin", name)
    context.print(f"{name} is {'an admin' if is_admin else 'no longer an admin'} of the hub")


def _remove(people: People, arguments: Arguments, context: Context, name: str) -> None:
    removed = people.departures.remove(name, with_repositories=arguments.flag("with-repositories"))
    for repository in removed:
        people.note("delete repository", repository)
    people.note("delete account", name)
    along = f" and {len(removed)} repositories" if removed else ""
    context.print(f"Deleted {name}{along}; nobody gets the name again")


def _url(arguments: Arguments, context: Context) -> str:
    url = arguments.text("url") or context.environ.get("LAMINA_HUB_URL", "") or _HERE
    return (url if "://" in url else f"http://{url}").rstrip("/")


_ALONE: dict[str, Verb] = {"ls": _list, "invite": _invite}
_NAMED: dict[str, Verb] = {
    "add": _add,
    "passwd": _passwd,
    "reset": _reset,
    "disable": _disable,
    "enable": _enable,
    "admin": _admin,
    "rm": _remove,
}
