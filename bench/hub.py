"""The bench of the hub: pulls, pushes, tokens and long lists, beside Debian's docker-registry.

    make bench BENCH=hub                    everything; writes its section of bench/RESULTS.md
    .venv/bin/python bench/hub.py --list    the rows
    .venv/bin/python bench/hub.py pulls,tokens --seconds 1

Needs root, docker-registry and wrk. About four minutes.
"""

import argparse
import os
import shlex
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench import hub_lists, hub_rows  # noqa: E402 - needs the path above
from bench.hub_servers import opened, version_of_peer  # noqa: E402
from bench.results import has_section, machine, write_parts, write_section  # noqa: E402

_SECTION = "Hub"
ROWS = {
    "pulls": hub_rows.pulls,
    "login": hub_rows.login,
    "blobs": hub_rows.blobs,
    "uploads": hub_rows.uploads,
    "tokens": hub_rows.tokens,
    "lists": hub_lists.lists,
    "process": hub_lists.process,
}


def main() -> None:
    asked = _arguments()
    if asked.list:
        print(*ROWS, sep="\n")
        return
    if os.geteuid():
        raise SystemExit("bench: needs root, for a disk of its own and control groups")
    wanted = list(ROWS) if asked.row == "all" else asked.row.split(",")
    if unknown := set(wanted) - set(ROWS):
        raise SystemExit(f"bench: no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is put away
    lines: list[str] = []
    with opened(asked.times, asked.seconds, asked.place) as bench:
        for name in wanted:
            print(f"== {name}", flush=True)
            lines += [*ROWS[name](bench), ""]
    head = [
        (
            f"{machine(shlex.join(['bench/hub.py', *sys.argv[1:]]))}; in turn, {asked.times} rounds of {asked.seconds:g} s, "
            f"medians. The machine's load was {os.getloadavg()[2]:.1f} on average over the last 15 minutes; clients and "
            "servers share its processors. What the rows mean: [README.md](README.md)."
        ),
        "",
        f"Peer: {version_of_peer()}, in-memory cache of descriptors, access log off, no authorisation.",
        "",
    ]
    if asked.write and (asked.row == "all" or not has_section(_SECTION)):
        print(f"written: {write_section(_SECTION, [*head, *lines])}")
    elif asked.write:
        again = [*lines[:2], f"Again: {head[0]}", "", *lines[2:]]
        print(f"written: {write_parts(_SECTION, again)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the hub beside docker-registry")
    parser.add_argument("row", nargs="?", default="all", help="one row or several by comma, or all")
    parser.add_argument("--times", type=int, default=3, help="rounds (default 3)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one round")
    parser.add_argument("--place", default="/var/tmp", help="where the disk's image lies")
    parser.add_argument(
        "--write", action="store_true", help="write RESULTS.md: the section, or these rows of it"
    )
    parser.add_argument("--list", action="store_true", help="name the rows")
    return parser.parse_args()


if __name__ == "__main__":
    main()
