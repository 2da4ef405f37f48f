"""What a layer did to a path, in a line for people."""

from __future__ import annotations

from lamina.cli.file_names import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lamina.layer.node import Node
    from lamina.study.lives import Event

__all__ = ["brief", "told"]


def told(event: Event, *, unicode: bool) -> str:
    """Say in a line what a layer did. Names are quoted, so that none can move the cursor."""
    from lamina.study.lives import Change

    if event.node is None:
        by = quoted(b"/" + event.by, unicode=unicode)
        return f"removed: {by}" if event.by else "removed: all that was there"
    if event.change is Change.ADDED:
        return f"added: {brief(event.node, unicode=unicode)}"
    if event.change is Change.REPEATED or event.before is None:
        return f"repeated as it was: {brief(event.node, unicode=unicode)}"
    return "changed: " + ", ".join(
        _aspects(event.before, event.node, event.aspects, unicode=unicode)
    )


def brief(node: Node, *, unicode: bool) -> str:
    """Say what is there: kind, mode, owner, and size or target."""
    from lamina.cli.units import human_size

    text = f"{node.kind} {node.mode:04o} {node.uid}:{node.gid}"
    if node.kind == "file":
        return f"{text} {human_size(node.size)}"
    if node.kind == "symlink":
        return f"symlink to {quoted(node.target, unicode=unicode)}"
    return text


def _aspects(before: Node, after: Node, aspects: Iterable[str], *, unicode: bool) -> Iterator[str]:
    from lamina.cli.file_rows import rfc3339
    from lamina.cli.units import human_size

    arrow = "→" if unicode else "->"
    for aspect in aspects:
        if aspect == "kind":
            yield f"from {before.kind} to {brief(after, unicode=unicode)}"
        elif aspect == "content":
            sizes = [human_size(node.size) for node in (before, after)]
            same = before.size == after.size
            yield f"content ({sizes[1]})" if same else f"content ({sizes[0]} {arrow} {sizes[1]})"
        elif aspect == "target":
            targets = [quoted(node.target, unicode=unicode) for node in (before, after)]
            yield f"target {targets[0]} {arrow} {targets[1]}"
        elif aspect == "mode":
            yield f"mode {before.mode:04o} {arrow} {after.mode:04o}"
        elif aspect == "owner":
            yield f"owner {before.uid}:{before.gid} {arrow} {after.uid}:{after.gid}"
        elif aspect == "time":
            yield f"time {rfc3339(before.mtime_ns)} {arrow} {rfc3339(after.mtime_ns)}"
        else:
            yield str(aspect)
