"""The bench of moving: pull, push, pack and copy, on a quick line and on a long one, beside the peers.

    make bench BENCH=moving                     everything; writes its section of bench/RESULTS.md
    .venv/bin/python bench/moving.py --list     the rows
    .venv/bin/python bench/moving.py push deb --times 1

Needs root and the peers. Disk, registry, images and meter are the layer bench's.
"""

import argparse
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench import moving_rows  # noqa: E402 - needs the path above
from bench.layers_turns import Bench, opened  # noqa: E402
from bench.results import machine, write_parts, write_section  # noqa: E402

ROWS = {
    "push": (moving_rows.push, ("deb", "many", "big")),
    "again": (moving_rows.again, ("deb",)),
    "pack": (moving_rows.pack, ("deb", "many")),
    "copy": (moving_rows.copy, ("deb", "many", "big")),
    "far": (moving_rows.far, ("deb",)),
}
_TOOLS = "podman,docker,containerd,skopeo+umoci"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure pushes and copies beside the peers")
    parser.add_argument("row", nargs="?", default="all", help="one row, or all")
    parser.add_argument("images", nargs="*", help="only these images")
    parser.add_argument("--times", type=int, default=2, help="repetitions (default 2)")
    parser.add_argument("--only", default=_TOOLS, help="only these tools, by comma")
    parser.add_argument("--place", default="/var/tmp", help="where the disk's image lies")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md: section, or row")
    parser.add_argument("--list", action="store_true", help="name the rows")
    asked = parser.parse_args()
    if asked.list:
        for name, (_, images) in ROWS.items():
            print(name, *images)
        return
    if os.geteuid():
        raise SystemExit("bench: needs root, for a loop-mounted disk and daemons")
    wanted = list(ROWS) if asked.row == "all" else [asked.row]
    if unknown := set(wanted) - set(ROWS):
        raise SystemExit(f"bench: no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is put away
    lines: list[str] = []
    with ExitStack() as stack:
        bench = stack.enter_context(opened(asked.times, asked.only, asked.place, plain=False))
        for name in wanted:
            print(f"== {name}", flush=True)
            step, images = ROWS[name]
            try:
                lines += [*step(bench, asked.images or images), ""]
            except Exception as error:  # noqa: BLE001 - one row must not take the others along
                print(f"bench: {name} failed: {error}", flush=True)
                why = (str(error).splitlines() or [type(error).__name__])[-1]
                lines += [f"### {name}", "", f"**Failed**: {why}", ""]
        head = _head(bench, asked.times)
    if asked.write:
        write = write_section if asked.row == "all" else write_parts
        print(f"written: {write('Moving', [*head, *lines])}")


def _head(bench: Bench, times: int) -> list[str]:
    return [
        (
            f"{machine('bench/moving.py')}; {times} round{'s' * (times > 1)}, medians. The "
            f"machine's load was {os.getloadavg()[2]:.1f} on average over the last 15 minutes: "
            "ratios and CPU count, wall times are this machine's. The registry is distribution's."
        ),
        "",
        "Images: " + "; ".join(map(str, bench.images.values())) + ".",
        "",
        "Tools: " + "; ".join(f"{name} ({said})" for name, said in bench.versions.items()) + ".",
        *(f"\n**Left out**: {name}, {why}." for name, why in bench.left_out.items()),
        "",
    ]


if __name__ == "__main__":
    main()
