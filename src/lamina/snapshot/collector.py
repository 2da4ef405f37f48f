"""The program that removes checkpoints of a container which removed itself (`run --rm`).

A shim knows nothing of them and starts `python -IS collector.py ROOT`, which finds its package by
itself.
"""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from lamina.snapshot.frozen import Frozen
from lamina.snapshot.layers import Layers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.spec.wire import Document

__all__ = ["collector"]


def collector(root: str) -> "Document":
    """Give the `words` that start the program for `root`, and the folder without which it need not be."""
    words = [sys.executable, "-IS", os.path.abspath(__file__), root]
    return {"where": f"{root}/snapshots/frozen", "words": words}


if __name__ == "__main__":
    Frozen(Layers(sys.argv[1])).collect()
