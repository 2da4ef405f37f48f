"""Where the hub keeps its things and which limits hold, read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lamina.errors import Invalid
from lamina.hub.rules import TagRules
from lamina.hub.storage.address import S3Address
from lamina.settings import HUB_ADDRESS, Settings

if TYPE_CHECKING:
    from lamina.hub.oidc import OidcSettings

__all__ = ["VARIABLES", "HubSettings", "split_address", "strange"]

_LAST_PORT = 65535
_LONGEST_S = 3600
_EXPLORED = 8_000_000_000
_POSTGRES = ("postgresql://", "postgres://")


_PREFIX = "LAMINA_HUB_"
VARIABLES = frozenset([
    "CERTIFICATE", "DATABASE", "DATABASE_FILE", "DRAIN_S", "EXPLORE_LIMIT", "IMMUTABLE", "KEY",
    "LOG", "MAIL_FROM", "METRICS", "METRICS_TOKEN", "METRICS_TOKEN_FILE", "OIDC_CLAIMS",
    "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_CLIENT_SECRET_FILE", "OIDC_DOMAINS",
    "OIDC_ISSUER", "OIDC_NAME", "OIDC_REGISTER", "OIDC_SCOPES", "PROXIES", "READ_ONLY",
    "REGISTRATION", "ROOT", "SCRUB_RATE", "SMTP", "SMTP_FILE", "STORAGE", "URL",
    "WEBHOOK_NETWORKS",
])  # fmt: skip
"""What follows `LAMINA_HUB_` in the variables that are read; docs/hub/operating.md says what each is."""


@dataclass(frozen=True, slots=True)
class HubSettings:
    """Every place and limit of one hub. `root` is absolute; times end in `_s` (seconds).

    `port` 0 takes any free port. `public_url` overrides what clients call us by, for a hub behind
    a proxy; empty means: believe the Host header. With `certificate` and `key` the hub speaks TLS.
    """

    root: str
    database: str = field(default="", repr=False)
    """`postgresql://…`; empty: SQLite below `root`. It may hold a password and is never printed."""
    storage: str = ""
    """`s3://BUCKET…`, as `S3Address` reads it; empty: folders below `root`."""
    host: str = HUB_ADDRESS[0]
    port: int = HUB_ADDRESS[1]
    public_url: str = ""
    proxies: tuple[str, ...] = ()
    """Networks of proxies that are believed about their clients' addresses (X-Forwarded-For)."""
    webhook_networks: tuple[str, ...] = ()
    """Private networks that webhooks may be in; without one they go to public addresses alone."""
    certificate: str = ""
    """File with the certificate and those that signed it (PEM), and the key unless `key` has it."""
    key: str = ""
    metrics: str = ""
    """`HOST:PORT` where anyone who can reach it may read the metrics; empty: nowhere."""
    metrics_token: str = field(default="", repr=False)
    """Who brings it (Bearer) may read /metrics where images are served; empty: nobody."""
    log: str = ""
    """`json`: each request and each event a line on stderr; empty: warnings alone, as text."""
    immutable: tuple[str, ...] = ()
    """Rules `REPOSITORY:TAG` of patterns: such tags are made once and stay as they are."""
    read_only: str = ""
    """Why nothing is pushed or deleted for now, in words for people; empty: it is."""
    registration: str = "open"
    """Who may register: `open` to everyone, by `invitation`, `closed`."""
    smtp: str = field(default="", repr=False)
    """`smtp://…`, as `MailServer` reads it, for links to choose a password; empty: no mail."""
    mail_from: str = ""
    oidc: "OidcSettings | None" = None
    """Another site by way of which people sign in, too."""
    token_s: int = 300
    session_s: int = 14 * 86400
    refresh_token_s: int = 90 * 86400
    grace_s: float = 3600.0
    """How long something nobody names any more is kept: clients push blobs before manifests."""
    upload_grace_s: float = 86400.0
    """How long an upload may rest before it is dropped."""
    sweep_every_s: float = 600.0
    scrub_rate: int = 0
    """Bytes a second that the hub reads of its blobs to see whether they are well; 0: none."""
    explore_limit: int = 0
    """Bytes of the largest layer, unpacked, that the hub looks into after a push; 0: it looks into none."""
    retention_every_s: float = 3600.0
    shutdown_s: float = 10.0
    """How long transfers under way may go on after a stop was asked for."""
    first_request_s: float = 30.0
    """How long a connection may take to ask for something: its request line and all headers."""
    drain_s: float = 0.0
    """How long a hub that was asked to stop still serves while /readyz says that it stops."""
    account_failures: int = 8
    """Wrong passwords for one name from one address before the next has to wait."""
    address_failures: int = 60
    """Wrong passwords from one address, whatever the names, before it has to wait."""
    failure_window_s: float = 300.0
    strange: tuple[str, ...] = ()
    """Variables that look like ours and are none: nobody sets one to have nothing happen."""

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        address: str = "",
        root: str = "",
        database: str = "",
        storage: str = "",
        certificate: str = "",
        key: str = "",
        metrics: str = "",
        log: str = "",
        read_only: str = "",
    ) -> "HubSettings":
        """Read LAMINA_HUB_ROOT and so on; arguments win over the environment.

        LAMINA_HUB_DATABASE_FILE, _METRICS_TOKEN_FILE and _SMTP_FILE name files that hold what is secret,
        LAMINA_HUB_PROXIES networks with commas between. docs/hub/operating.md has all of them.
        Raises: Invalid (an address that cannot be read).
        """
        env = os.environ if environ is None else environ
        base = Settings.from_environment(env)
        folder = root or env.get("LAMINA_HUB_ROOT") or os.path.join(base.root, "hub")
        host, port = split_address(address) if address else HUB_ADDRESS
        url = env.get("LAMINA_HUB_URL", "").rstrip("/")
        database = database or _secret(env, "LAMINA_HUB_DATABASE")
        if database and not database.startswith(_POSTGRES):
            raise Invalid(
                "the database's address cannot be read",
                hint="write it as postgresql://USER@HOST/DATABASE, or leave it out for SQLite",
            )
        storage = storage or env.get("LAMINA_HUB_STORAGE", "")
        if storage:
            S3Address.parse(storage)
        smtp, mail_from = _secret(env, "LAMINA_HUB_SMTP"), env.get("LAMINA_HUB_MAIL_FROM", "")
        if smtp:
            from lamina.hub.mail import Mail, MailServer

            Mail(MailServer.parse(smtp), sender=mail_from)
            if not url:  # the Host header is whatever somebody sent: a link in a mail is ours alone
                raise Invalid("links in mails need the hub's address", hint="set LAMINA_HUB_URL")
        return cls(
            strange=tuple(sorted(each for each in env if _is_strange(each))),
            root=os.path.abspath(folder),
            database=database,
            storage=storage,
            host=host,
            port=port,
            public_url=url,
            proxies=_networks(env, "LAMINA_HUB_PROXIES"),
            webhook_networks=_networks(env, "LAMINA_HUB_WEBHOOK_NETWORKS"),
            certificate=certificate or env.get("LAMINA_HUB_CERTIFICATE", ""),
            key=key or env.get("LAMINA_HUB_KEY", ""),
            metrics=_checked(metrics or env.get("LAMINA_HUB_METRICS", "")),
            metrics_token=_secret(env, "LAMINA_HUB_METRICS_TOKEN"),
            log=_log(log or env.get("LAMINA_HUB_LOG", "")),
            immutable=_rules(env.get("LAMINA_HUB_IMMUTABLE", "")),
            read_only=read_only or env.get("LAMINA_HUB_READ_ONLY", ""),
            registration=_registration(env.get("LAMINA_HUB_REGISTRATION", "open")),
            smtp=smtp,
            oidc=_oidc(env),
            mail_from=mail_from,
            drain_s=_seconds(env, "LAMINA_HUB_DRAIN_S"),
            scrub_rate=_number(env, "LAMINA_HUB_SCRUB_RATE"),
            explore_limit=_number(env, "LAMINA_HUB_EXPLORE_LIMIT", default=_EXPLORED),
        )

    @property
    def places(self) -> str:
        """Say where images and accounts are, without a password: `images in /srv/hub`."""
        images = str(S3Address.parse(self.storage)) if self.storage else self.root
        if not self.database:
            return f"images in {images}" + (f", accounts in {self.root}" if self.storage else "")
        parts = urlsplit(self.database)
        host = parts.netloc.rpartition("@")[2]
        return f"images in {images}, accounts in postgresql://{host}{parts.path}"


def strange(name: str) -> tuple[str, str]:
    """Say that a variable is none of a hub's, and which may have been meant."""
    from difflib import get_close_matches

    near = get_close_matches(name.removeprefix(_PREFIX), sorted(VARIABLES), n=1)
    hint = (
        f"did you mean {_PREFIX}{near[0]}?"
        if near
        else "docs/hub/operating.md names those there are"
    )
    return f"{name} is no setting of a hub and does nothing", hint


def _is_strange(name: str) -> bool:
    return name.startswith(_PREFIX) and name.removeprefix(_PREFIX) not in VARIABLES


def _networks(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    found = tuple(filter(None, (each.strip() for each in env.get(name, "").split(","))))
    for each in found:
        try:
            ip_network(each)
        except ValueError as error:
            raise Invalid(
                f"{name}: {error}", hint="write networks, such as 10.0.0.0/8,fd00::/8"
            ) from error
    return found


def _rules(text: str) -> tuple[str, ...]:
    found = tuple(text.replace(",", " ").split())
    TagRules.parse(found)
    return found


def _secret(env: Mapping[str, str], name: str) -> str:
    """Give what stands under `name`, or in the file that `name`_FILE names."""
    given, path = env.get(name, ""), env.get(f"{name}_FILE", "")
    if given or not path:
        return given
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        raise Invalid(f"{name}_FILE: {path}: {error.strerror}") from error


def _oidc(env: Mapping[str, str]) -> "OidcSettings | None":
    if not env.get("LAMINA_HUB_OIDC_ISSUER"):
        return None
    from lamina.hub.oidc import OidcSettings

    secret = _secret(env, "LAMINA_HUB_OIDC_CLIENT_SECRET")
    return OidcSettings.from_environment(env, secret=secret)


def _registration(text: str) -> str:
    if text not in ("open", "invitation", "closed"):
        raise Invalid(
            f"LAMINA_HUB_REGISTRATION: {text!r} is not known",
            hint="write open, invitation or closed",
        )
    return text


def _log(text: str) -> str:
    if text not in ("", "json"):
        raise Invalid(f"the log cannot be written as {text!r}", hint="write json, or leave it out")
    return text


def _seconds(env: Mapping[str, str], name: str) -> float:
    text = env.get(name, "0")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= _LONGEST_S:
        raise Invalid(f"{name}: {text!r} is no number of seconds", hint="write it as 10")
    return value


def _number(env: Mapping[str, str], name: str, *, default: int = 0) -> int:
    text = env.get(name, "") or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 16):  # noqa: PLR2004 - no overflow
        raise Invalid(f"{name}: {text!r} is no number of bytes", hint="write it as 5000000")
    return int(text)


def _checked(address: str) -> str:
    if address:
        split_address(address)
    return address


def split_address(address: str) -> tuple[str, int]:
    """Give host and port; no host means this machine alone. Raises: Invalid."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > _LAST_PORT:
        raise Invalid(
            f"invalid address {address!r}", hint="write it as HOST:PORT, such as 127.0.0.1:5000"
        )
    return host.strip("[]") or HUB_ADDRESS[0], int(port)
