"""Which tags stay as they are, told by patterns. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lamina.errors import Invalid

__all__ = ["TagRules"]


@dataclass(frozen=True, slots=True)
class TagRules:
    """Pairs of patterns: in repositories like the first, tags like the second never move or go."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "TagRules":
        """Read `REPOSITORY:TAG` each; `*` stands for anything, slashes too, `?` and `[…]` for one letter.

        Raises: Invalid.
        """
        pairs = []
        for text in texts:
            repository, colon, tag = text.partition(":")
            if not (repository and colon and tag) or ":" in tag:
                raise Invalid(
                    f"{text!r} is no rule for tags",
                    hint="write it as REPOSITORY:TAG, such as 'team/*:v*' or '*:release-*'",
                )
            pairs.append((repository, tag))
        return cls(tuple(pairs))

    def for_repository(self, name: str) -> tuple[str, ...]:
        """Give the patterns of tags that hold in the repository `name`; none for most."""
        return tuple(tag for repository, tag in self.pairs if fnmatchcase(name, repository))

    def holds(self, name: str, tag: str) -> bool:
        """Tell whether that tag of the repository `name` stays as it is."""
        return any(fnmatchcase(tag, pattern) for pattern in self.for_repository(name))
