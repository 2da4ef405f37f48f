"""Use cases of profiles: what people say of themselves. Every call may block."""

import re

from lamina.hub.database import Connection, Database
from lamina.hub.errors import FormInvalid
from lamina.hub.tables import accounts, profiles
from lamina.hub.tables.profiles import Profile

__all__ = ["ABOUT_LIMIT", "Profiles", "email_trouble"]

ABOUT_LIMIT = 4000
_NAME_LIMIT = 64
_EMAIL_LIMIT = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}"
)


class Profiles:
    """The words of every account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, name: str) -> Profile:
        """Give a person's profile. Raises: AccountUnknown."""
        return self._database.read(
            lambda connection: profiles.of(connection, accounts.get(connection, name))
        )

    def change(self, name: str, profile: Profile) -> None:
        """Keep a person's words. Raises: AccountUnknown, FormInvalid."""
        fields = {
            "display_name": _name_trouble(profile.display_name),
            "email": email_trouble(profile.email),
            "about": _about_trouble(profile.about),
        }
        wrong = {field: text for field, text in fields.items() if text}
        if wrong:
            raise FormInvalid(wrong)

        def work(connection: Connection) -> None:
            profiles.change(connection, accounts.get(connection, name), profile)

        self._database.write(work)


def email_trouble(email: str) -> str:
    """Say what is wrong with an address, as one sentence; empty if nothing is, or it is empty.

    What goes into the head of a mail: no blank, no line break, one address.
    """
    if email and (len(email) > _EMAIL_LIMIT or not _EMAIL.fullmatch(email)):
        return "Write one address, such as alice@example.com"
    return ""


def _name_trouble(name: str) -> str:
    if len(name) > _NAME_LIMIT or not name.isprintable() or name != name.strip():
        return f"A name has at most {_NAME_LIMIT} printable characters"
    return ""


def _about_trouble(about: str) -> str:
    if len(about) > ABOUT_LIMIT or "\0" in about:
        return f"The text has at most {ABOUT_LIMIT} characters; this one has {len(about)}"
    return ""
