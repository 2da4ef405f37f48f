"""`lamina login`: prove who one is to a registry, and keep the proof where docker keeps it."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.remote.credentials import Credentials
    from lamina.remote.keychain import Stored

__all__ = ["COMMAND", "main", "registry_of"]

COMMAND = Command(
    name="login",
    usage="lamina login [OPTIONS] [SERVER]",
    summary="Authenticate to a registry",
    description="Authenticate to a registry.\nDefaults to Docker Hub if no server is specified.",
    flags=(
        Flag(
            "get-login",
            kind=BOOL,
            help="Print the name one is logged in with, and log in to nothing",
        ),
        Flag("password", "p", help="Password or Personal Access Token (PAT)"),
        Flag(
            "password-stdin",
            kind=BOOL,
            help="Take the Password or Personal Access Token (PAT) from stdin",
        ),
        Flag("username", "u", help="Username"),
    ),
    arity=(0, 1),
)
_DEFAULT = "docker.io"


def main(arguments: Arguments, context: Context) -> int:
    """Log in: with what is kept already where nothing is given, else with a name and password."""
    from lamina.remote.client import Client
    from lamina.remote.login import login

    _check(arguments)
    registry = registry_of(arguments.positional)
    if arguments.flag("get-login"):
        return _get_login(context, registry)
    username, password = arguments.text("username"), arguments.text("password")
    if arguments.changed("password"):
        context.say("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
    if arguments.flag("password-stdin"):
        password = context.stdin.read().rstrip("\r\n")
        if not password:
            raise Invalid("--password-stdin: nothing came on standard input")
    with Client(context.settings) as client:
        if not username and not password:
            kept = client.keychain.get(registry)
            if kept is not None and _still_good(client, registry, kept, context):
                context.print("Login Succeeded")
                return 0
            username = kept.username if kept is not None else ""
        username, password = _ask(context, registry, username, password)
        result = login(client, registry, username, password)
    _warn(context, result.stored)
    context.print("Login Succeeded")
    return 0


def _get_login(context: Context, registry: str) -> int:
    """Print who we are to `registry`, as kept; podman's words where nobody is."""
    from lamina.errors import NotFound
    from lamina.remote.client import Client

    with Client(context.settings) as client:
        kept = client.keychain.get(registry)
    if kept is None or not kept.username:
        raise NotFound(f"not logged into {registry}", hint=f"`lamina login {registry}`")
    context.print(kept.username)
    return 0


def registry_of(words: tuple[str, ...]) -> str:
    """Give the registry meant by a server as typed: without scheme, path and old Hub names."""
    if not words:
        return _DEFAULT
    host = words[0].partition("://")[2] or words[0]
    host = host.partition("/")[0]
    return _DEFAULT if host in ("index.docker.io", "registry-1.docker.io") else host


def _check(arguments: Arguments) -> None:
    if not arguments.flag("password-stdin"):
        return
    if arguments.text("password"):
        raise Invalid("--password and --password-stdin are mutually exclusive")
    if not arguments.text("username"):
        raise Invalid("Must provide --username with --password-stdin")


def _still_good(client: object, registry: str, kept: Credentials, context: Context) -> bool:
    from lamina.errors import Unauthorized
    from lamina.remote.client import Client
    from lamina.remote.login import check_login

    assert isinstance(client, Client)  # noqa: S101 - typed here, so that the module imports nothing
    context.print("Authenticating with existing credentials...")
    context.out.flush()
    try:
        check_login(client, registry, kept)
    except Unauthorized as error:
        context.say(f"Login did not succeed, error: {error}")
        return False
    return True


def _ask(context: Context, registry: str, username: str, password: str) -> tuple[str, str]:
    """Complete the pair by asking; a password is read without echo.

    Raises: Invalid (nobody to ask, or an empty answer).
    """
    if (not username or not password) and not context.stdin.isatty():
        raise Invalid(
            "Cannot perform an interactive login from a non TTY device",
            hint="use --username and --password-stdin",
        )
    if not password:
        context.print(f"Log in to {registry} with your user name and password or access token.")
    if not username:
        context.out.write("Username: ")
        context.out.flush()
        username = context.stdin.readline().strip()
        if not username:
            raise Invalid("username cannot be empty")
    if not password:
        from getpass import getpass

        context.out.flush()
        password = getpass("Password: ")
        if not password:
            raise Invalid("password is required")
    return username, password


def _warn(context: Context, stored: Stored) -> None:
    if not stored.encrypted:
        context.say(
            f"\nWARNING! Your credentials are stored unencrypted in '{stored.place}'.\n"
            "Configure a credential helper to remove this warning. See\n"
            "https://docs.docker.com/go/credential-store/\n"
        )
