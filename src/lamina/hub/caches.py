"""Use cases of caches: namespaces that stand for other registries. Admins make them.

Every request below `/v2/` asks which cache it is for, so all of them are remembered; other processes
of the hub learn of a change within seconds. Calls that write may block.
"""

import hashlib
import os
import re
import threading
from collections.abc import Callable

from lamina.hub.access import Caller
from lamina.hub.database import Connection, Database
from lamina.hub.errors import CacheUnknown, FormInvalid, LoginRequired, NameUnknown
from lamina.hub.names import name_trouble, namespace_of
from lamina.hub.tables import accounts, caches, organisations, repositories
from lamina.hub.tables.caches import Cache
from lamina.hub.tables.roles import Reader
from lamina.hub.upstream import Upstream, split_upstream

__all__ = ["FRESH_S", "KEEP_DAYS", "Caches"]

FRESH_S = 300
"""How long a tag is believed unless said otherwise."""
KEEP_DAYS = 30
"""How long what nobody pulls is kept unless said otherwise."""
_DAY_S = 86400
_LONGEST_FRESH_S, _LONGEST_KEEP_DAYS = 30 * _DAY_S, 3650
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_UPSTREAM = re.compile(
    rf"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{{1,5}})?(?:/{_COMPONENT})*"
)
_HUB = "docker.io"
_HUB_NAMES = ("index.docker.io", "registry-1.docker.io")


class Caches:
    """The caches of a hub, and how each speaks with its registry."""

    def __init__(
        self, database: Database, *, clock: Callable[[], float], root: str, form_key: bytes
    ) -> None:
        self._database = database
        self._clock = clock
        self._folder = os.path.join(root, "upstream")
        self.via = "lamina-" + hashlib.sha256(b"via" + form_key).hexdigest()[:16]
        self._guard = threading.Lock()
        self._looking = threading.Lock()
        self._known: dict[str, Cache] = {}
        self._default = ""
        self._upstreams: dict[Cache, Upstream] = {}
        self.look()

    # by everyone, with each request

    @property
    def is_any(self) -> bool:
        """Whether there are any."""
        return bool(self._known)

    def locate(self, name: str, registry: str) -> tuple[Cache | None, str]:
        """Give the cache a request is for and the name there.

        `registry` is what the client says it means by `name` (containerd's `ns`), or empty. Costs
        no look at the database; `adopt` does.
        """
        known = self._known
        if not known:
            return None, name
        inside = known.get(namespace_of(name))
        if inside is not None:
            return inside, name
        registry = _HUB if registry in _HUB_NAMES else registry
        meant = registry and next(
            (each for each in known.values() if each.upstream == registry), None
        )
        if meant:
            return meant, f"{meant.namespace}/{name}"
        return None, name

    def may_adopt(self, registry: str) -> bool:
        """Tell whether `adopt` is to be asked for a name that leads to no cache."""
        return bool(self._default) and not registry

    def adopt(self, name: str) -> tuple[Cache | None, str]:
        """Give the default cache and the name there for what is nobody's here. Blocks.

        docker's `registry-mirrors` do not say which registry they mean.
        """
        default = self._known.get(self._default)
        if default is None or self._is_someones(namespace_of(name)):
            return None, name
        return default, f"{default.namespace}/{name}"

    def upstream(self, cache: Cache) -> Upstream:
        """Give the registry behind a cache."""
        with self._guard:
            found = self._upstreams.get(cache)
            if found is None:
                found = self._upstreams[cache] = self._open(cache)
            return found

    def limits(self) -> dict[str, tuple[int | None, int | None]]:
        """Give what each registry last said of its rate limit, by namespace: limit and remaining."""
        with self._guard:
            return {
                cache.namespace: (each.limit.limit, each.limit.remaining)
                for cache, each in self._upstreams.items()
            }

    def look(self) -> None:
        """Learn anew which caches there are: one look after another, so that the last one counts."""
        with self._looking:
            found = {each.namespace: each for each in self._database.read(caches.rows)}
            default = next((each.namespace for each in found.values() if each.is_default), "")
            with self._guard:
                self._known, self._default = found, default
                gone = [cache for cache in self._upstreams if found.get(cache.namespace) != cache]
                closing = [self._upstreams.pop(cache) for cache in gone]
        for each in closing:
            each.close()

    # by admins

    def all(self, caller: Caller) -> tuple[Cache, ...]:
        """Give every cache by namespace. Raises: NameUnknown, LoginRequired."""
        _check(caller)
        return self._database.read(caches.rows)

    def create(
        self,
        caller: Caller,
        namespace: str,
        upstream: str,
        *,
        username: str = "",
        password: str = "",
        is_private: bool = False,
        is_default: bool = False,
        fresh_s: int = FRESH_S,
        keep_days: int = KEEP_DAYS,
    ) -> Cache:
        """Have a namespace stand for another registry; one that is nobody's becomes an organisation.

        It must have no repositories of its own. Raises: FormInvalid, NameTaken, NameUnknown.
        """
        _check(caller)
        upstream = upstream.strip().removeprefix("https://").rstrip("/")
        registry, path = split_upstream(upstream)
        if registry in _HUB_NAMES:
            upstream = "/".join(part for part in (_HUB, path) if part)
        now = self._clock()
        made = Cache(
            namespace, upstream, username, password, is_private, is_default, fresh_s,
            keep_days * _DAY_S, now, caller.name,
        )  # fmt: skip
        _check_fields(made)

        def work(connection: Connection) -> None:
            if repositories.of_namespace(connection, namespace, reader=Reader(is_admin=True)):
                raise FormInvalid(
                    {"namespace": f"{namespace} has repositories of its own; choose another name"}
                )
            if not (
                accounts.find(connection, namespace) or organisations.find(connection, namespace)
            ):
                owner = accounts.get(connection, caller.name)
                organisations.add(connection, namespace, owner=owner, now=now)
            caches.add(connection, made)

        self._database.write(work)
        self.look()
        return made

    def remove(self, caller: Caller, namespace: str) -> Cache:
        """Have a namespace stand for itself again; what was fetched goes. Raises: CacheUnknown, …."""
        _check(caller)
        now = self._clock()

        def work(connection: Connection) -> Cache:
            found = next(
                (each for each in caches.rows(connection) if each.namespace == namespace), None
            )
            if found is None:
                raise CacheUnknown(f"{namespace} stands for no other registry")
            caches.remove(connection, namespace)
            there = repositories.of_namespace(connection, namespace, reader=Reader(is_admin=True))
            for each in there:
                repositories.remove(connection, each.repository, now=now)
            return found

        removed = self._database.write(work)
        self.look()
        return removed

    def close(self) -> None:
        """Cut what is under way with every registry."""
        with self._guard:
            opened, self._upstreams = list(self._upstreams.values()), {}
        for each in opened:
            each.close()

    def _is_someones(self, namespace: str) -> bool:
        return self._database.read(
            lambda connection: (
                accounts.find(connection, namespace) is not None
                or organisations.find(connection, namespace) is not None
            )
        )

    def _open(self, cache: Cache) -> Upstream:
        return Upstream(
            cache.upstream,
            username=cache.username,
            password=cache.password,
            folder=os.path.join(self._folder, cache.namespace),
            via=self.via,
            clock=self._clock,
        )


def _check(caller: Caller) -> None:
    """Let admins pass; for all others there are no caches to see. Raises: LoginRequired, NameUnknown."""
    if not caller.name:
        raise LoginRequired("caches are an admin's")
    if not caller.is_admin or caller.token_id:
        raise NameUnknown("there is no such page")


def _check_fields(made: Cache) -> None:
    fields = {
        "namespace": name_trouble(made.namespace),
        "upstream": _upstream_trouble(made.upstream),
        "username": _login_trouble(made),
        "fresh_s": ""
        if 0 <= made.fresh_s <= _LONGEST_FRESH_S
        else f"A tag is believed for 0 to {_LONGEST_FRESH_S} seconds",
        "keep_days": ""
        if _DAY_S <= made.keep_s <= _LONGEST_KEEP_DAYS * _DAY_S
        else f"What nobody pulls is kept for 1 to {_LONGEST_KEEP_DAYS} days",
    }
    wrong = {field: text for field, text in fields.items() if text}
    if wrong:
        raise FormInvalid(wrong)


def _upstream_trouble(upstream: str) -> str:
    if upstream.startswith("http://"):
        return (
            "Write the registry without http://; who runs the hub allows plain http with"
            " LAMINA_INSECURE_REGISTRIES"
        )
    if len(upstream) > 200 or not _UPSTREAM.fullmatch(upstream):  # noqa: PLR2004 - of letters
        return "Write the registry as docker.io, registry.example:5000 or quay.io/team"
    return ""


def _login_trouble(made: Cache) -> str:
    if bool(made.username) != bool(made.password):
        return "A login is a name and a password or token, or neither"
    if not (made.username + made.password).isprintable() or ":" in made.username:
        return "A login has printable characters alone, and its name no colon"
    return ""
