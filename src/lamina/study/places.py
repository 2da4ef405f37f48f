"""The directories of a tree that are looked into for what they are called: packages of languages, caches."""

from lamina.study.caches import cache_of
from lamina.study.installed import PLACES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.layer.node import Node
    from lamina.layer.view import Tree

__all__ = ["Place", "places_in"]

if TYPE_CHECKING:
    Place = tuple[bytes, tuple[Node, ...]]
else:
    Place = tuple


def places_in(tree: "Tree") -> "Iterator[Place]":
    """Give them with what makes up each, as `Tree.folders`, whose one walk both uses can share."""
    for folder, pile in tree.folders():
        if folder.rpartition(b"/")[2] in PLACES or cache_of(folder) is not None:
            yield folder, pile
