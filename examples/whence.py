"""Tell which layer of an image a path comes from, and what stands below it.

    python examples/whence.py debian:python /usr/bin/python3

Nothing is mounted or unpacked and no right is needed: the index of each sealed layer is read by mmap.
"""

import sys

from lamina import Engine


def whence(engine: Engine, image: str, path: str) -> list[str]:
    """Give one line per layer that says anything about `path`, topmost first."""
    found = engine.images.resolve(image)
    wanted = path.strip("/").encode()
    lines = []
    with engine.layers.opened(found.config.diff_ids) as layers:
        steps = [row for row, diff_id in found.config.steps() if diff_id is not None]
        for layer, diff_id, step in zip(layers, found.config.diff_ids, steps, strict=True):
            node = layer.lookup(wanted)
            if node is None:
                continue
            what = "removed" if node.is_whiteout else f"{node.kind.value}, {node.size} bytes"
            why = step.comment or step.created_by or "no instruction is known"
            lines.append(f"{diff_id.short}  {what}  ({why})")
    return lines[::-1]


def main() -> None:
    image, path = sys.argv[1:]
    with Engine() as engine:
        print("\n".join(whence(engine, image, path)) or f"{image} has no {path}")


if __name__ == "__main__":
    main()
