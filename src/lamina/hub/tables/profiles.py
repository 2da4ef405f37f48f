"""What people say of themselves: columns of accounts that no login needs."""

from dataclasses import dataclass

from lamina.hub.database import Connection
from lamina.hub.tables.accounts import Account

__all__ = ["Profile", "change", "names_of_email", "of"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A person's own words; `about` is Markdown. The e-mail is shown only if they wish it."""

    display_name: str = ""
    email: str = ""
    shows_email: bool = False
    about: str = ""


def of(connection: Connection, account: Account) -> Profile:
    """Give an account's profile."""
    row = connection.execute(
        "SELECT display_name, email, shows_email, about FROM accounts WHERE id = ?", (account.id,)
    ).fetchone()
    return Profile(row[0], row[1], bool(row[2]), row[3]) if row else Profile()


def change(connection: Connection, account: Account, profile: Profile) -> None:
    """Keep a person's words."""
    connection.execute(
        "UPDATE accounts SET display_name = ?, email = ?, shows_email = ?, about = ? WHERE id = ?",
        (profile.display_name, profile.email, int(profile.shows_email), profile.about, account.id),
    )


def names_of_email(connection: Connection, email: str) -> tuple[str, ...]:
    """Give whose e-mail this is: several people may share one."""
    found = connection.execute(
        "SELECT name FROM accounts WHERE email = ? AND email <> '' ORDER BY name", (email,)
    )
    return tuple(str(row[0]) for row in found)
