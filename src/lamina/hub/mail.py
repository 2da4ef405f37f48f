"""Mail, for hubs that have a server for it: one text to one person at a time. Calls block."""

import re
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from ipaddress import ip_address
from typing import Self
from urllib.parse import unquote, urlsplit

from lamina.errors import Invalid, Unavailable

__all__ = ["Mail", "MailFailed", "MailServer"]

_TIMEOUT_S = 20
_PORTS = {"smtp": 587, "smtps": 465}
_ADDRESS = re.compile(r"[^\s<>@,;]+@[^\s<>@,;]+")


class MailFailed(Unavailable):
    """The mail server did not take a mail."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """`smtp://USER:PASSWORD@HOST:PORT` (STARTTLS where it is offered), `smtps://…` (TLS at once)."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address. Raises: Invalid; what it says has no password in it."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/"):
            raise Invalid(
                "the mail server's address cannot be read",
                hint="write it as smtp://USER:PASSWORD@HOST:587, or smtps://…:465",
            )
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], user, password)

    @property
    def is_here(self) -> bool:
        """Tell whether nobody is between us and the server."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class Mail:
    """Sends as `sender`. A server elsewhere gets no password in the clear."""

    def __init__(self, server: MailServer, *, sender: str) -> None:
        if not _ADDRESS.fullmatch(sender):
            raise Invalid(
                f"mails cannot come from {sender!r}",
                hint="set LAMINA_HUB_MAIL_FROM=hub@example.com",
            )
        self._server = server
        self._sender = sender

    def send(self, to: str, *, subject: str, text: str) -> None:
        """Hand a mail to the server. Raises: MailFailed."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, to, subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic reply, please
        message.set_content(text)
        self._talk(message)

    def check(self) -> None:
        """Log in at the server and send nothing. Raises: MailFailed."""
        self._talk(None)

    def _talk(self, message: EmailMessage | None) -> None:
        server = self._server
        try:
            with self._connect() as connection:
                if server.scheme == "smtp" and connection.has_extn("starttls"):
                    connection.starttls(context=ssl.create_default_context())
                    connection.ehlo()
                elif server.scheme == "smtp" and server.user and not server.is_here:
                    raise MailFailed(
                        f"{server.host} offers no encryption, and would get the password in the clear"
                    )
                if server.user:
                    connection.login(server.user, server.password)
                if message is not None:
                    connection.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            what = "takes no mail from us" if message is None else "did not take a mail"
            raise MailFailed(f"{server.host} {what}: {error}") from error

    def _connect(self) -> smtplib.SMTP:
        host, port = self._server.host, self._server.port
        connection: smtplib.SMTP
        if self._server.scheme == "smtps":
            context = ssl.create_default_context()
            connection = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_S, context=context)
        else:
            connection = smtplib.SMTP(host, port, timeout=_TIMEOUT_S)
        connection.ehlo()
        return connection
