"""What changed from one image to another: layers to fetch, and lines of the configuration. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from lamina.hub.site.image import Fact, facts_of, read_config
from lamina.spec.manifest import Index, Manifest, parse_manifest

__all__ = ["Change", "Changes", "changes"]


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that is not as it was: its label, what went and what came."""

    label: str
    gone: tuple[str, ...]
    come: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """From an older image to a newer one: who has the older fetches `fetched` bytes in `new` layers."""

    kept: int
    new: int
    gone: int
    fetched: int
    grown: int
    facts: tuple[Change, ...]

    @property
    def is_nothing(self) -> bool:
        """Tell whether a person would see no difference."""
        return not (self.new or self.gone or self.facts)


def changes(older: tuple[bytes, str, bytes], newer: tuple[bytes, str, bytes]) -> Changes | None:
    """Compare two images, each as manifest, its media type and its configuration.

    None where one of them is an index. Raises: Invalid, Unsupported (a manifest cannot be read).
    """
    first, second = (parse_manifest(raw, kind) for raw, kind, _ in (older, newer))
    if isinstance(first, Index) or isinstance(second, Index):
        return None
    before = {layer.digest for layer in first.layers}
    after = {layer.digest for layer in second.layers}
    new = {layer.digest: layer.size for layer in second.layers if layer.digest not in before}
    return Changes(
        kept=len(before & after),
        new=len(new),
        gone=len(before - after),
        fetched=sum(new.values()),
        grown=_weight(second) - _weight(first),
        facts=tuple(_compare(_facts(first, older[2]), _facts(second, newer[2]))),
    )


def _weight(manifest: Manifest) -> int:
    return sum(layer.size for layer in manifest.layers)


def _facts(manifest: Manifest, raw: bytes) -> dict[str, Fact]:
    config = read_config(manifest, raw)
    return {fact.label: fact for fact in facts_of(config)} if config else {}


def _compare(older: dict[str, Fact], newer: dict[str, Fact]) -> Iterable[Change]:
    for label in dict.fromkeys([*newer, *older]):
        if label == "Created":  # always another, and told above
            continue
        before = older[label].values if label in older else ()
        after = newer[label].values if label in newer else ()
        gone = tuple(value for value in before if value not in after)
        come = tuple(value for value in after if value not in before)
        if gone or come:
            yield Change(label, gone, come)
