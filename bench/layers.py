"""The layer bench: pull, commit, look, mount, share, seal and read, with seven peers in the same run.

    make bench BENCH=layers                     everything; writes its section of bench/RESULTS.md
    .venv/bin/python bench/layers.py --list     the rows
    .venv/bin/python bench/layers.py pull-root many --times 1

Needs root and the peers (tools/bench_peers.sh). What each row means: bench/README.md.
"""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench import layers_commit, layers_look, layers_pull  # noqa: E402 - needs the path above
from bench.rows import run  # noqa: E402

ROWS = {
    "pull-root": (layers_pull.as_root, ("deb", "many", "big")),
    "pull-user": (layers_pull.as_plain_user, ("deb", "many", "big")),
    "commit": (layers_commit.commit, ("deb",)),
    "look": (layers_look.look, ("many",)),
    "mount": (layers_look.mount, ("deb",)),
    "checkpoint": (layers_look.checkpoint, ("tiny",)),
    "share": (layers_look.share, ("big",)),
    "seal": (layers_look.seal, ("big", "million")),
    "read": (layers_look.read, ("many", "big")),
}


def main() -> None:
    pigz = (
        "pigz is installed: podman, docker and containerd inflate through it."
        if shutil.which("unpigz")
        else "pigz is **not** installed: podman, docker and containerd inflate by themselves."
    )
    run("Layers", ROWS, about="Measure layers beside the peers", notes=[pigz])


if __name__ == "__main__":
    main()
