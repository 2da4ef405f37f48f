"""The bench of containers: run, exec, start and stop, 50 at once, what each costs, beside podman and docker.

    make bench BENCH=containers                    everything; writes its section of bench/RESULTS.md
    .venv/bin/python bench/containers.py --list    the rows
    .venv/bin/python bench/containers.py run --times 5

Needs root, crun and the peers. Disk, registry, images and meter are the layer bench's.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench import containers_rows, layers_look  # noqa: E402 - needs the path above
from bench.containers_tools import CrunPodman  # noqa: E402
from bench.rows import run  # noqa: E402

_IMAGE = ("tiny",)
ROWS = {
    "run": (containers_rows.run, _IMAGE),
    "run-user": (containers_rows.run_as_plain_user, _IMAGE),
    "detach": (containers_rows.detach, _IMAGE),
    "exec": (containers_rows.execute, _IMAGE),
    "start-stop": (containers_rows.start_and_stop, _IMAGE),
    "parallel": (containers_rows.parallel, _IMAGE),
    "memory": (containers_rows.memory, _IMAGE),
    "ps": (containers_rows.listing, _IMAGE),
    "commit-small": (containers_rows.commit, _IMAGE),
    "checkpoint": (layers_look.checkpoint, _IMAGE),
}


def main() -> None:
    run(
        "Containers",
        ROWS,
        about="Measure containers beside the peers",
        tools="podman,docker",
        notes=[
            "podman has crun, no control groups and no events, and a mount namespace of its own."
        ],
        kinds={"podman": CrunPodman},
    )


if __name__ == "__main__":
    main()
