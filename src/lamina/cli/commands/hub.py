"""`lamina hub serve|doctor|register|user|…`: run a registry with accounts and pages, and look after it."""

from __future__ import annotations

from lamina.cli.commands import (
    hub_backup,
    hub_cache,
    hub_gc,
    hub_import,
    hub_mirror,
    hub_org,
    hub_quota,
    hub_repo,
    hub_retention,
    hub_robot,
    hub_role,
    hub_rotate_keys,
    hub_scrub,
    hub_token,
    hub_user,
    hub_webhook,
)
from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.hub_places import DATABASE, ROOT, STORAGE, hub_settings, needs_extra
from lamina.errors import Invalid, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMANDS", "doctor", "register", "serve"]

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
        Flag("invitation", value="LINK", help="The link you were invited with, or what it holds"),
        _STDIN,
    ),
    arity=(1, 1),
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
    password = hub_user.read_password(arguments, context)
    url = arguments.text("hub").rstrip("/")
    if "://" not in url:
        url = f"http://{url}"
    document = {"name": name, "password": password}
    if arguments.text("invitation"):
        document["invitation"] = arguments.text("invitation").rpartition("invitation=")[2]
    answer, status = _post(f"{url}/api/v1/register", document)
    if status not in (200, 201):
        message = answer.get("error")
        raise Invalid(str(message or f"{url} answered {status}: is it a Lamina hub?"))
    context.print(f"Registered {name} at {url}")
    context.print(f"Log in with: lamina login -u {name} {url.partition('://')[2]}")
    return 0


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
    "user": (hub_user.COMMAND, hub_user.main),
    "backup": (hub_backup.BACKUP, hub_backup.backup),
    "restore": (hub_backup.RESTORE, hub_backup.restore),
    "import-registry": (hub_import.COMMAND, hub_import.main),
    "scrub": (hub_scrub.COMMAND, hub_scrub.main),
    "gc": (hub_gc.COMMAND, hub_gc.main),
    "quota": (hub_quota.COMMAND, hub_quota.main),
    "retention": (hub_retention.COMMAND, hub_retention.main),
    "rotate-keys": (hub_rotate_keys.COMMAND, hub_rotate_keys.main),
    "token": (hub_token.COMMAND, hub_token.main),
    "cache": (hub_cache.COMMAND, hub_cache.main),
    "mirror": (hub_mirror.COMMAND, hub_mirror.main),
    "webhook": (hub_webhook.COMMAND, hub_webhook.main),
    "org": (hub_org.ORG, hub_org.org),
    "member": (hub_org.MEMBER, hub_org.member),
    "team": (hub_org.TEAM, hub_org.team),
    "repo": (hub_repo.COMMAND, hub_repo.main),
    "role": (hub_role.COMMAND, hub_role.main),
    "robot": (hub_robot.COMMAND, hub_robot.main),
}
"""The members of `lamina hub`."""
