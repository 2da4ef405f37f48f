"""Use cases of repositories themselves: made before anything is pushed, described, shown to some or all.

What is in them is `hub/registry.py`'s. Every call may block.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lamina.hub.access import Caller, Reach
from lamina.hub.admission import admit
from lamina.hub.database import Connection, Database
from lamina.hub.errors import CacheWritten, FormInvalid, PushDenied, RepositoryTaken
from lamina.hub.names import check_repository, namespace_of
from lamina.hub.registry import visible
from lamina.hub.roles import administered
from lamina.hub.tables import caches, organisations, repositories, tag_lists
from lamina.hub.tables.repositories import Listed, Repository
from lamina.hub.tables.roles import Role

__all__ = ["Page", "Repositories", "View"]

_SUMMARY_LIMIT, _README_LIMIT = 160, 100_000
_PAGE = 100
_EMPTY_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class View:
    """A repository with the number of its tags."""

    repository: Repository
    tags: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a namespace's repositories, newest push first, and whether there are more."""

    rows: tuple[Listed, ...]
    has_next: bool


def _one_line(summary: str) -> str:
    return " ".join(summary.replace("\0", " ").split())  # PostgreSQL takes it in no text


def _plain(readme: str) -> str:
    return readme.replace("\0", "").replace("\r\n", "\n")


def _check(summary: str, readme: str) -> None:
    fields = {}
    if len(summary) > _SUMMARY_LIMIT:
        fields["summary"] = f"At most {_SUMMARY_LIMIT} characters; this has {len(summary)}"
    if len(readme) > _README_LIMIT:
        fields["readme"] = f"At most {_README_LIMIT:,} characters; this has {len(readme):,}"
    if fields:
        raise FormInvalid(fields)


def _check_place(connection: Connection, namespace: str) -> None:
    for each in caches.rows(connection):
        if each.namespace == namespace:
            raise CacheWritten(
                f"{namespace} stands for {each.upstream}: nothing is made in it here",
                hint="what is pulled from it comes by itself",
            )


def _check_empty(connection: Connection, namespace: str) -> None:
    """Let a namespace have so many names without images, and no more: a row costs nothing to ask for."""
    if repositories.count_empty(connection, namespace, limit=_EMPTY_LIMIT) >= _EMPTY_LIMIT:
        raise FormInvalid(
            {
                "name": f"{namespace} has {_EMPTY_LIMIT:,} repositories without images; push to some, or delete them"
            }
        )


def _untied(caller: Caller, name: str, *, is_private: bool | None) -> Caller:
    """Give whose access token it is, where that may push: then it may describe, too, and no more."""
    if is_private is not None:
        raise PushDenied(
            "an access token makes nothing private or public", hint="log in with the password"
        )
    if "push" not in caller.reach.allows(name):
        raise PushDenied(f"this access token does not allow to push {name}, nor to describe it")
    return replace(caller, reach=Reach())


class Repositories:
    """The repositories of a hub, as their owners look after them."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def places(self, caller: Caller) -> tuple[str, ...]:
        """Give the namespaces that `caller` may make repositories in: the own one, then organisations."""

        def work(connection: Connection) -> tuple[str, ...]:
            found = organisations.of_account(connection, caller.name)
            shared = (
                each.name for each, is_owner in found if is_owner or each.members_role >= Role.WRITE
            )
            return (caller.name, *shared)

        return self._database.read(work)

    def create(
        self, caller: Caller, name: str, *, summary: str = "", is_private: bool | None = None
    ) -> Repository:
        """Make a repository without content: private before its first push, if so wanted.

        `is_private` None: as a push would make it. Whoever may push there may make it.
        Raises: RepositoryNameInvalid, LoginRequired, PushDenied, RepositoryTaken, CacheWritten,
        FormInvalid.
        """
        check_repository(name)
        summary = _one_line(summary)
        _check(summary, "")
        now = self._clock()

        def work(connection: Connection) -> Repository:
            there = repositories.find(connection, name)
            admit(connection, caller, name, there, "push")
            if there is not None:
                raise RepositoryTaken(f"{name} is there already")
            _check_place(connection, namespace_of(name))
            _check_empty(connection, namespace_of(name))
            made = repositories.ensure(connection, name, now=now)
            if is_private is not None:
                repositories.set_private(connection, made, is_private=is_private)
            repositories.describe(connection, made, summary=summary, readme="")
            return repositories.ensure(connection, name, now=now)

        return self._database.write(work)

    def view(self, caller: Caller, name: str) -> View:
        """Give a repository that `caller` may pull. Raises: what `visible` does."""

        def work(connection: Connection) -> View:
            found = visible(connection, caller, name)
            return View(found, tag_lists.count(connection, found.id))

        return self._database.read(work)

    def of(self, caller: Caller, namespace: str, *, page: int = 1) -> Page:
        """Give what `caller` may see of a namespace, a hundred at a time; members see empty ones, too."""

        def work(connection: Connection) -> tuple[Listed, ...]:
            return repositories.of_namespace(
                connection,
                namespace,
                reader=caller.as_reader,
                limit=_PAGE + 1,
                offset=(page - 1) * _PAGE,
            )

        rows = self._database.read(work)
        return Page(rows[:_PAGE], len(rows) > _PAGE)

    def change(
        self,
        caller: Caller,
        name: str,
        *,
        summary: str | None = None,
        readme: str | None = None,
        is_private: bool | None = None,
    ) -> Repository:
        """Set what is not None; give the repository as it was before.

        With an access token that may push an admin of the repository describes it, and no more.
        Raises: what `administered` does, FormInvalid.
        """

        def work(connection: Connection) -> Repository:
            visible(connection, caller, name)
            who = caller if not caller.token_id else _untied(caller, name, is_private=is_private)
            found = administered(connection, who, name)
            if summary is not None or readme is not None:
                words = found.summary if summary is None else _one_line(summary)
                text = found.readme if readme is None else _plain(readme)
                _check(words, text)
                repositories.describe(connection, found, summary=words, readme=text)
            if is_private is not None:
                repositories.set_private(connection, found, is_private=is_private)
            return found

        return self._database.write(work)
