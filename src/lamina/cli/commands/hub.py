"""`lamina hub serve|doctor|register|user|…`: run a registry with accounts and pages, and look after it."""

from __future__ import annotations

from lamina.cli.commands import hub_gc, hub_token
from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.hub_places import DATABASE, ROOT, STORAGE, check_served, hub_settings, needs_extra
from lamina.errors import Invalid, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.hub.accounts import Accounts
    from lamina.hub.settings import HubSettings

__all__ = ["COMMANDS", "doctor", "register", "serve", "user"]

_CERTIFICATE = (
    Flag("certificate", value="FILE", help="Speak TLS with this certificate (PEM)"),
    Flag("key", value="FILE", help="The certificate's key, unless it is in the same file"),
)
_STDIN = Flag("password-stdin", kind=BOOL, help="Take the password from stdin")
_TIMEOUT_S = 30
_ANSWER_LIMIT = 1024 * 1024

SERVE = Command(
    name="hub serve",
    usage="lamina hub serve [OPTIONS]",
    summary="Serve a registry with accounts and pages until stopped",
    flags=(
        Flag("address", value="HOST:PORT", help="Where to listen (default 127.0.0.1:5000)"),
        ROOT,
        DATABASE,
        STORAGE,
        *_CERTIFICATE,
        Flag("metrics", value="HOST:PORT", help="Where Prometheus may read metrics"),
        Flag("read-only", value="WORDS", help="Take no pushes and deletions, and say why"),
        Flag("log", value="json", help="Each request and each event as a line of JSON on stderr"),
    ),
    arity=(0, 0),
)
DOCTOR = Command(
    name="hub doctor",
    usage="lamina hub doctor [OPTIONS]",
    summary="Check a hub's database, storage and certificate, and say what is wrong",
    flags=(ROOT, DATABASE, STORAGE, *_CERTIFICATE),
    arity=(0, 0),
)
REGISTER = Command(
    name="hub register",
    usage="lamina hub register [OPTIONS] NAME",
    summary="Make an account on a hub",
    flags=(
        Flag("hub", value="URL", help="Address of the hub", default="http://127.0.0.1:5000"),
        _STDIN,
    ),
    arity=(1, 1),
)
USER = Command(
    name="hub user",
    usage="lamina hub user [OPTIONS] ls | passwd NAME",
    summary="List the accounts of this machine's hub, or set a password",
    flags=(ROOT, DATABASE, _STDIN),
    arity=(1, 2),
)


def serve(arguments: Arguments, context: Context) -> int:
    """Serve until Ctrl-C or SIGTERM; one line says where."""
    settings = hub_settings(
        context,
        address=arguments.text("address"),
        root=arguments.text("root"),
        database=arguments.text("database"),
        storage=arguments.text("storage"),
        certificate=arguments.text("certificate"),
        key=arguments.text("key"),
        metrics=arguments.text("metrics"),
        log=arguments.text("log"),
        read_only=arguments.text("read-only"),
    )

    def ready(url: str) -> None:
        context.print(f"Hub ready at {url} ({settings.places}, stop with Ctrl-C)")
        context.out.flush()

    try:
        from lamina.hub.running import serve as run

        run(settings, ready=ready)
    except ModuleNotFoundError as error:
        raise needs_extra(error) from error
    return 0


def doctor(arguments: Arguments, context: Context) -> int:
    """Look at database, storage and certificate as the hub would use them; 1 where something is wrong."""
    settings = hub_settings(
        context,
        root=arguments.text("root"),
        database=arguments.text("database"),
        storage=arguments.text("storage"),
        certificate=arguments.text("certificate"),
        key=arguments.text("key"),
    )
    try:
        from lamina.hub.doctor import examine

        findings = examine(settings)
    except ModuleNotFoundError as error:
        raise needs_extra(error) from error
    for finding in findings:
        context.print(f"{finding.sign:<7}{finding.subject}: {finding.text}")
        if finding.hint:
            context.print(f"       {finding.hint}")
    return 0 if all(finding.is_good for finding in findings) else 1


def register(arguments: Arguments, context: Context) -> int:
    """Make an account over HTTP; the hub says what is wrong with a name or a password."""
    name = arguments.positional[0]
    password = _password(arguments, context)
    url = arguments.text("hub").rstrip("/")
    if "://" not in url:
        url = f"http://{url}"
    answer, status = _post(f"{url}/api/v1/register", {"name": name, "password": password})
    if status not in (200, 201):
        message = answer.get("error")
        raise Invalid(str(message or f"{url} answered {status}: is it a Lamina hub?"))
    context.print(f"Registered {name} at {url}")
    context.print(f"Log in with: lamina login -u {name} {url.partition('://')[2]}")
    return 0


def user(arguments: Arguments, context: Context) -> int:
    """Look after the accounts under a hub's folder, whether or not the hub is running."""
    verb, *names = arguments.positional
    settings = hub_settings(
        context, root=arguments.text("root"), database=arguments.text("database")
    )
    if verb == "ls" and not names:
        return _with_accounts(settings, lambda accounts: _list(accounts, context))
    if verb == "passwd" and names:
        password = _password(arguments, context)
        _with_accounts(settings, lambda accounts: _set_password(accounts, names[0], password))
        context.print(f"Password of {names[0]} changed; every session and token of it has ended")
        return 0
    raise Invalid(
        f"'lamina hub user {' '.join(arguments.positional)}' is not known",
        hint="use 'lamina hub user ls' or 'lamina hub user passwd NAME'",
    )


def _list(accounts: Accounts, context: Context) -> int:
    from lamina.cli.table import render
    from lamina.cli.units import ago

    now = context.now()
    rows = [
        (row.name, "admin" if row.is_admin else "", ago(row.created_at, now))
        for row in accounts.all()
    ]
    context.out.write(render([("NAME", "ROLE", "REGISTERED"), *rows]))
    return 0


def _set_password(accounts: Accounts, name: str, password: str) -> int:
    accounts.set_password(name, password)
    return 0


def _with_accounts(settings: HubSettings, work: Callable[[Accounts], int]) -> int:
    check_served(settings)
    try:
        from lamina.hub.services import open_accounts

        accounts, database = open_accounts(settings)
    except ModuleNotFoundError as error:
        raise needs_extra(error) from error
    try:
        return work(accounts)
    finally:
        database.close()


def _password(arguments: Arguments, context: Context) -> str:
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


def _post(url: str, document: dict[str, str]) -> tuple[dict[str, object], int]:
    """Send JSON; give the answer's document and status. Raises: Unavailable."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    from lamina.spec.wire import decode, encode

    headers = {"Content-Type": "application/json"}
    try:
        request = Request(url, encode(document), headers)  # noqa: S310 - the person's own URL
        with urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
            return decode(response.read(_ANSWER_LIMIT)), response.status
    except HTTPError as error:
        with error:
            raw = error.read(_ANSWER_LIMIT)
        try:
            return decode(raw), error.code
        except Invalid:
            return {}, error.code
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Unavailable(
            f"cannot reach {url}: {reason}", hint="start a hub with: lamina hub serve"
        ) from error


COMMANDS = {
    "serve": (SERVE, serve),
    "doctor": (DOCTOR, doctor),
    "register": (REGISTER, register),
    "user": (USER, user),
    "gc": (hub_gc.COMMAND, hub_gc.main),
    "token": (hub_token.COMMAND, hub_token.main),
}
"""The members of `lamina hub`."""
