"""A way back for people who lost their password: a link by mail. Every call may block."""

import logging

from lamina.hub.accounts import Accounts
from lamina.hub.database import Connection, Database
from lamina.hub.errors import AccountDisabled
from lamina.hub.links import Links
from lamina.hub.mail import Mail, MailFailed
from lamina.hub.tables import accounts, profiles

__all__ = ["Recovery"]

_LIMIT = 254
_NOT_WITHIN_S = 300.0
_SUBJECT = "A new password for {name}"
_TEXT = """\
Somebody, most likely you, asked for a new password of the account {name} at {url}.
Choose it here within an hour:

{url}/signin/reset?token={token}

If it was not you, do nothing: the old password stays.
"""


class Recovery:
    """Sends links to who asks for one by name or e-mail; tells nobody whether there is such an account."""

    def __init__(
        self, database: Database, accounts_: Accounts, links: Links, mail: Mail, *, url: str
    ) -> None:
        self._database = database
        self._accounts = accounts_
        self._links = links
        self._mail = mail
        self._url = url

    def admit(self, words: str, address: str) -> None:
        """Let somebody ask, a few times. Raises: TooManyAttempts."""
        asked = words.strip().lower()[:_LIMIT].replace("\0", "?")
        self._accounts.count_recovery(asked, address)

    def send(self, words: str) -> tuple[str, ...]:
        """Send what there is to send, none to many mails; give whose they were.

        Nobody waits for it, lest the time of an answer tells which names exist. One mail an account in
        five minutes. A mail that fails is told in the hub's log.
        """
        text = words.strip()[:_LIMIT].replace("\0", "?")

        def work(connection: Connection) -> dict[str, str]:
            names = [text.lower(), *profiles.names_of_email(connection, text)]
            found = [accounts.find(connection, name) for name in dict.fromkeys(names)]
            return {each.name: profiles.of(connection, each).email for each in found if each}

        sent = []
        for name, email in self._database.read(work).items():
            if not email:
                continue
            try:
                token = self._links.make_reset(name, not_within_s=_NOT_WITHIN_S)
                if token:
                    mail = _TEXT.format(name=name, url=self._url, token=token)
                    self._mail.send(email, subject=_SUBJECT.format(name=name), text=mail)
                    sent.append(name)
            except AccountDisabled:
                continue
            except MailFailed as error:
                logging.getLogger("lamina.hub").error("no link for %s: %s", name, error.message)  # noqa: TRY400 - said in full
        return tuple(sent)
