"""`ps`: which containers there are, and how they are."""

from contextlib import suppress

from lamina.engine.container_filters import ContainerFilters
from lamina.engine.roster import Roster
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lamina.engine.engine import Engine
    from lamina.engine.outline import Outline
    from lamina.engine.records import ContainerState

__all__ = ["ContainerSummary", "summaries"]


@dataclass(frozen=True, slots=True)
class ContainerSummary:
    """One container as listings show it: what it was made as, in short, and how it is.

    In bytes, where sizes were asked for, else -1: `size` is what it wrote, `image_size` what its
    image has (0 for an image that is gone).
    """

    outline: "Outline"
    state: "ContainerState"
    size: int = -1
    image_size: int = -1

    @property
    def id(self) -> str:
        """The whole ID."""
        return self.outline.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.outline.name

    @property
    def is_over(self) -> bool:
        """Whether it was to be removed at its end (`--rm`), which its shim did not live to do."""
        state = self.state
        return self.outline.auto_remove and (state.status == "exited" or state.starting)


def summaries(
    engine: "Engine",
    *,
    all: bool = False,  # noqa: A002 - Docker's word
    filters: "Mapping[str, Sequence[str]] | None" = None,
    latest: int = 0,
    size: bool = False,
) -> tuple[ContainerSummary, ...]:
    """Give the containers, newest first; only running ones unless `all`, a filter or `latest` asks.

    Without `all` a container that no shim holds is not even looked at. See `engine.roster` for the
    cost. Raises: FilterInvalid, ContainerUnknown (`before` or `since` one that is not here).
    """
    wanted = ContainerFilters(engine, filters or {})
    containers = engine.containers
    there = containers.register.ids()
    everything = all or latest > 0 or wanted.of_any_state
    ids = there if everything else [name for name in there if containers.files.is_held(name)]
    roster = Roster(containers.files, there, wanted=len(ids))
    outlines = [found for name in ids if (found := roster.outline(name)) is not None]
    outlines.sort(key=lambda outline: outline.created, reverse=True)
    chosen = []
    for outline in outlines:
        state = roster.state(outline.id)
        if (everything or state.is_running) and wanted.accept(outline, state):
            chosen.append(ContainerSummary(outline, state))
            if latest and len(chosen) == latest:
                break
    roster.close()
    return tuple(_measured(engine, chosen) if size else chosen)


def _measured(
    engine: "Engine", chosen: "Sequence[ContainerSummary]"
) -> "Iterator[ContainerSummary]":
    """Add sizes; a container that is removed meanwhile is left out."""
    from lamina.engine.names import ContainerUnknown
    from lamina.engine.removal import present
    from lamina.errors import NotFound

    images: dict[str, int] = {}
    for row in chosen:
        image = row.outline.image_id
        if image not in images:
            images[image] = 0
            with suppress(NotFound):
                images[image] = engine.images.resolve(image).size
        with suppress(ContainerUnknown):
            with present(engine, engine.containers.record(row.id)):
                size = engine.snapshotter.usage(row.id)[0]
            yield ContainerSummary(row.outline, row.state, size, images[image])
