"""Use cases of an account's end. What else happens is said before: nothing is left half gone."""

from collections.abc import Callable

from lamina.hub.database import Connection, Database
from lamina.hub.errors import LastAdmin, LastOwner, RepositoriesRemain, TagImmutable
from lamina.hub.rules import TagRules
from lamina.hub.tables import (
    accounts,
    caches,
    manifests,
    mirrors,
    organisations,
    repositories,
    webhooks,
)
from lamina.hub.tables.repositories import Repository
from lamina.hub.tables.roles import Reader

__all__ = ["Departures"]

_ALL = 1 << 40


class Departures:
    """Deletes accounts. Every call may block."""

    def __init__(
        self,
        database: Database,
        *,
        rules: TagRules,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._rules = rules
        self._clock = clock

    def repositories_of(self, name: str) -> tuple[str, ...]:
        """Give the names of what an account has, private ones too."""
        found = self._database.read(lambda connection: _owned(connection, name))
        return tuple(each.name for each in found)

    def remove(self, name: str, *, with_repositories: bool) -> tuple[str, ...]:
        """Delete an account, in one transaction with its repositories; give the names of those.

        Sessions and tokens end at once, and nobody gets the name again.
        Raises: AccountUnknown, LastAdmin, LastOwner, RepositoriesRemain, TagImmutable.
        """
        now = self._clock()

        def work(connection: Connection) -> tuple[str, ...]:
            account = accounts.get(connection, name)
            alone = organisations.owned_alone(connection, account.id)
            if alone:
                raise LastOwner(
                    f"{name} is the only owner of {', '.join(alone)}",
                    hint="make somebody else an owner, or delete the organisation",
                )
            owned = _owned(connection, name)
            names = tuple(each.name for each in owned)
            if owned and not with_repositories:
                raise RepositoriesRemain(name, names)
            for repository in owned:
                self._check_immutable(connection, repository)
                repositories.remove(connection, repository, now=now)
            accounts.remove(connection, account, now=now)
            for rows in (webhooks, caches, mirrors):
                rows.forget_namespace(connection, name)
            if account.is_admin and not accounts.admins(connection):
                raise LastAdmin(name)
            return names

        return self._database.write(work)

    def _check_immutable(self, connection: Connection, repository: Repository) -> None:
        if not self._rules.for_repository(repository.name):
            return
        for tag in manifests.tag_names(connection, repository.id, last="", limit=_ALL):
            if self._rules.holds(repository.name, tag):
                raise TagImmutable(
                    f"tag {tag} of {repository.name} is immutable and cannot be deleted",
                    hint="who runs the hub can change its rules",
                )


def _owned(connection: Connection, name: str) -> tuple[Repository, ...]:
    rows = repositories.of_namespace(connection, name, reader=Reader(is_admin=True))
    return tuple(each.repository for each in rows)
