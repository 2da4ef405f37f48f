"""Stacks of layers made of a few entries each."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.layer.trees import sealed, tar_of

from lamina.layer.entry import Entry
from lamina.layer.sealed import SealedLayer

__all__ = ["Items", "pile"]

Items = Sequence[Entry | tuple[Entry, bytes]]


@contextmanager
def pile(folder: Path, *stack: Items) -> Iterator[list[SealedLayer]]:
    """Seal each list of entries on top of those before, and open them for the body."""
    layers: list[SealedLayer] = []
    folder.mkdir(exist_ok=True)
    with ExitStack() as opened:
        for number, items in enumerate(stack):
            data = tar_of(items)
            layers.append(opened.enter_context(sealed(folder / f"layer{number}", data, layers)))
        yield layers
