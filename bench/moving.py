"""The bench of moving: pull, push, pack and copy, on a quick line and on a long one, beside the peers.

    make bench BENCH=moving                     everything; writes its section of bench/RESULTS.md
    .venv/bin/python bench/moving.py --list     the rows
    .venv/bin/python bench/moving.py push deb --times 1

Needs root and the peers. Disk, registry, images and meter are the layer bench's.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench import moving_line, moving_rows  # noqa: E402 - needs the path above
from bench.rows import run  # noqa: E402

_IMAGES = ("deb", "many", "big")
ROWS = {
    "pull": (moving_rows.pull, _IMAGES),
    "push": (moving_rows.push, _IMAGES),
    "again": (moving_line.again, ("deb",)),
    "pack": (moving_rows.pack, _IMAGES),
    "copy": (moving_rows.copy, _IMAGES),
    "far": (moving_line.far, ("deb",)),
}
_TOOLS = "podman,docker,containerd,skopeo+umoci"


def main() -> None:
    run(
        "Moving",
        ROWS,
        about="Measure pulls, pushes and copies beside the peers",
        tools=_TOOLS,
        notes=["The registry is distribution's."],
        plain=False,
    )


if __name__ == "__main__":
    main()
