"""The layer bench: pull, commit, look, mount, share, seal and read, with seven peers in the same run.

    make bench BENCH=layers                     everything; writes its section of bench/RESULTS.md
    .venv/bin/python bench/layers.py --list     the rows
    .venv/bin/python bench/layers.py pull-root many --times 1

Needs root and the peers (tools/bench_peers.sh). What each row means: bench/README.md.
"""

import argparse
import os
import shlex
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench import layers_commit, layers_look, layers_pull  # noqa: E402 - needs the path above
from bench.layers_turns import Bench, opened  # noqa: E402
from bench.results import machine, write_parts, write_section  # noqa: E402

ROWS = {
    "pull-root": (layers_pull.as_root, ("deb", "many", "big")),
    "pull-user": (layers_pull.as_plain_user, ("deb", "many", "big")),
    "commit": (layers_commit.commit, ("deb",)),
    "look": (layers_look.look, ("many",)),
    "mount": (layers_look.mount, ("deb",)),
    "share": (layers_look.share, ("big",)),
    "seal": (layers_look.seal, ("big", "million")),
    "read": (layers_look.read, ("many", "big")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure layers beside the peers")
    parser.add_argument("row", nargs="?", default="all", help="one row, or all")
    parser.add_argument("images", nargs="*", help="only these images")
    parser.add_argument("--times", type=int, default=2, help="repetitions (default 2)")
    parser.add_argument(
        "--only", default="", help="only these tools, by comma; lamina is always in"
    )
    parser.add_argument("--place", default="/var/tmp", help="where the disk's image lies")
    parser.add_argument(
        "--write", action="store_true", help="write RESULTS.md: the section, or this row of it"
    )
    parser.add_argument("--list", action="store_true", help="name the rows")
    asked = parser.parse_args()
    if asked.list:
        for name, (_, images) in ROWS.items():
            print(name, *images)
        return
    if os.geteuid():
        raise SystemExit("bench: needs root, for a loop-mounted disk and cold caches")
    wanted = list(ROWS) if asked.row == "all" else [asked.row]
    if unknown := set(wanted) - set(ROWS):
        raise SystemExit(f"bench: no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is put away
    lines: list[str] = []
    with ExitStack() as stack:
        bench = stack.enter_context(opened(asked.times, asked.only, asked.place))
        for name in wanted:
            step, images = ROWS[name]
            lines += _row(bench, name, step, asked.images or images)
        head = _head(bench, asked.times)
    if asked.write and asked.row == "all":
        print(f"written: {write_section('Layers', [*head, *lines])}")
    elif asked.write:
        print(
            f"written: {write_parts('Layers', [*lines[:2], f'Again: {head[0]}', '', *lines[2:]])}"
        )


def _row(bench: Bench, name: str, step: "layers_pull.Row", images: "list[str] | tuple[str, ...]"):
    print(f"== {name}", flush=True)
    try:
        return [*step(bench, images), ""]
    except Exception as error:  # noqa: BLE001 - one row that fails must not take the others along
        print(f"bench: {name} failed: {error}", flush=True)
        return [f"### {name}", "", f"**Failed**: {str(error).splitlines()[-1]}", ""]


def _head(bench: Bench, times: int) -> list[str]:
    return [
        (
            f"{machine(shlex.join(['bench/layers.py', *sys.argv[1:]]))}; {times} round{'s' * (times > 1)}, medians (memory: the most). "
            f"The machine's load was {os.getloadavg()[2]:.1f} on average over the last 15 minutes. How it "
            "is measured and what each row means: [README.md](README.md)."
        ),
        "",
        (
            "pigz is installed: podman, docker and containerd inflate through it."
            if shutil.which("unpigz")
            else "pigz is **not** installed: podman, docker and containerd inflate by themselves."
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
