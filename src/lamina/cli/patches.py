"""How the lines of a text file changed between two layers or images."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.layer.node import Node

__all__ = ["patch"]

_TEXT_LIMIT = 1024 * 1024


def patch(before: Node, after: Node) -> Iterator[str]:
    """Give the changed lines of a text, control characters made harmless."""
    from difflib import unified_diff

    old, new = _text(before), _text(after)
    if old is None or new is None:
        return
    for line in list(unified_diff(old, new, lineterm="", n=2))[2:]:
        yield "".join(letter if letter.isprintable() or letter == "\t" else "?" for letter in line)


def _text(node: Node) -> list[str] | None:
    """Give the lines of a text file that is not too long; None for anything else."""
    if node.kind != "file" or node.size > _TEXT_LIMIT:
        return None
    data = node.layer.read(node)
    if b"\0" in data:
        return None
    return data.decode("utf-8", "replace").splitlines()
