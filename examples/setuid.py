"""List the programs of an image that run as their owner, and which layer each comes from.

    python examples/setuid.py debian:python

The whole tree is walked as a container would see it; nothing is mounted, unpacked or run.
"""

import sys

from lamina import Engine


def setuid(engine: Engine, image: str) -> list[str]:
    """Give one line per program, in the order of their paths."""
    lines = []
    with engine.images.tree(image) as tree:
        for path, node in tree.walk():
            if node.kind == "file" and node.mode & 0o6000:
                number = tree.layers.index(node.layer) + 1
                lines.append(f"{node.mode:04o}  layer {number}  /{path.decode(errors='replace')}")
    return lines


def main() -> None:
    with Engine() as engine:
        print("\n".join(setuid(engine, sys.argv[1])))


if __name__ == "__main__":
    main()
