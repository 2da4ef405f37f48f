"""`registries.toml`: what each registry is reached by: mirrors, another place, trust; or not at all.

Pure but for reading the file. Keys are registries or parts of them (`docker.io`,
`quay.io/team`), as references name them; the longest that fits counts.
"""

import os
from collections.abc import Mapping

from lamina.errors import Denied, Invalid
from lamina.settings import home_of
from lamina.values import dataclass

__all__ = ["PlaceOf", "Registries", "RegistryBlocked", "Rule"]

_FIELDS = {"mirrors": list, "location": str, "insecure": bool, "blocked": bool, "ca": str}


class RegistryBlocked(Denied):
    """The owner of this machine has shut the registry out."""


@dataclass(frozen=True, slots=True)
class PlaceOf:
    """Where a repository is served: a registry's host and the repository's path there."""

    registry: str
    repository: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One table of the file. `mirrors` and `location` are `host[:port][/path]`, as `prefix` is."""

    prefix: str
    mirrors: tuple[str, ...] = ()
    location: str = ""
    insecure: bool = False
    blocked: bool = False
    ca: str = ""

    @property
    def host(self) -> str:
        """The registry the rule is for."""
        return self.prefix.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Registries:
    """The rules of one file; `path` is empty where there is none."""

    path: str = ""
    rules: tuple[Rule, ...] = ()

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> "Registries":
        """Read LAMINA_REGISTRIES, else the user's file, else the machine's. Raises: Invalid."""
        home = home_of(environ)
        config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        named = environ.get("LAMINA_REGISTRIES")
        paths = (os.path.join(config, "lamina/registries.toml"), "/etc/lamina/registries.toml")
        for path in (named,) if named else paths:
            try:
                with open(path, encoding="utf-8") as file:
                    return cls.parse(file.read(), path)
            except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
                if named:
                    raise Invalid(f"LAMINA_REGISTRIES: {path}: {error.strerror}") from error
            except (OSError, UnicodeDecodeError) as error:
                raise Invalid(f"cannot read {path}: {error}") from error
        return cls()

    @classmethod
    def parse(cls, text: str, path: str) -> "Registries":
        """Read the file's text. Raises: Invalid (the message names the table and the key)."""
        import tomllib

        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise Invalid(f"{path}: {error}") from error
        tables = document.pop("registry", {})
        if document or not isinstance(tables, dict):
            raise Invalid(
                f"{path}: unknown {', '.join(document) or 'registry'}",
                hint='tables are written [registry."docker.io"]',
            )
        return cls(path, tuple(_rule(path, prefix, table) for prefix, table in tables.items()))

    def places(self, registry: str, repository: str) -> tuple[PlaceOf, ...]:
        """Say where to read a repository, in order; the last is the origin, where pushes go too.

        Raises: RegistryBlocked.
        """
        name = f"{registry}/{repository}"
        rule = self._rule_for(name)
        if rule is None:
            return (PlaceOf(registry, repository),)
        if rule.blocked:
            raise RegistryBlocked(
                f"{rule.prefix} is blocked by {self.path}", hint="it is set there: `blocked = true`"
            )
        rest = name.removeprefix(rule.prefix).lstrip("/")
        targets = (*map(_without_scheme, rule.mirrors), rule.location or rule.prefix)
        found = []
        for target in targets:
            host, _, path = target.partition("/")
            found.append(PlaceOf(host, "/".join(part for part in (path.strip("/"), rest) if part)))
        return tuple(found)

    @property
    def insecure(self) -> tuple[str, ...]:
        """Hosts one may speak plain http with: named so, or given as a mirror with `http://`."""
        plain = [
            _without_scheme(mirror).partition("/")[0]
            for rule in self.rules
            for mirror in rule.mirrors
            if mirror.startswith("http://")
        ]
        named = [
            (rule.location or rule.prefix).partition("/")[0] for rule in self.rules if rule.insecure
        ]
        return (*named, *plain)

    def authorities(self, host: str) -> tuple[str, ...]:
        """Give the files of certificates that `host` (with its port, if it has one) may show."""
        return tuple(
            rule.ca
            for rule in self.rules
            if rule.ca and host in (rule.host, rule.location.partition("/")[0])
        )

    def _rule_for(self, name: str) -> Rule | None:
        fitting = [rule for rule in self.rules if f"{name}/".startswith(f"{rule.prefix}/")]
        return max(fitting, key=lambda rule: len(rule.prefix), default=None)


def _rule(path: str, prefix: str, table: object) -> Rule:
    where = f'{path}: [registry."{prefix}"]'
    if not isinstance(table, dict):
        raise Invalid(f"{where} is not a table")
    for key, value in table.items():
        if key not in _FIELDS:
            raise Invalid(f"{where}: unknown key {key!r}", hint=f"there are {', '.join(_FIELDS)}")
        if not isinstance(value, _FIELDS[key]):
            raise Invalid(f"{where}: {key} is not a {_FIELDS[key].__name__}")
    mirrors = table.get("mirrors", [])
    for place in (prefix, *mirrors, table.get("location", prefix)):
        _check_place(where, place, scheme=place in mirrors)
    return Rule(
        prefix.strip("/"),
        tuple(mirrors),
        table.get("location", "").strip("/"),
        table.get("insecure", False),
        table.get("blocked", False),
        table.get("ca", ""),
    )


def _check_place(where: str, place: object, *, scheme: bool) -> None:
    from lamina.remote.endpoints import split_host

    bare = _without_scheme(place) if isinstance(place, str) and scheme else place
    if not isinstance(bare, str) or "://" in bare or not bare.partition("/")[0]:
        raise Invalid(f"{where}: {place!r} is no registry", hint="write host[:port][/path]")
    split_host(bare.partition("/")[0], 443)


def _without_scheme(place: str) -> str:
    return place.removeprefix("http://").removeprefix("https://").strip("/")
