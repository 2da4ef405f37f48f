"""What every bench of rows does: read the command line, measure row after row, write the results."""

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import MappingProxyType

from bench.engines import Engine
from bench.layers_turns import Bench, opened
from bench.results import has_section, machine, write_parts, write_section

__all__ = ["Row", "run"]

Row = Callable[[Bench, Sequence[str]], list[str]]
"""Measures some images and gives the lines to write."""


def run(
    section: str,
    rows: Mapping[str, tuple[Row, tuple[str, ...]]],
    *,
    about: str,
    tools: str = "",
    notes: Sequence[str] = (),
    plain: bool = True,
    kinds: Mapping[str, type[Engine]] = MappingProxyType({}),
) -> None:
    """Measure what the command line names of `rows`: by name, what measures it and which images.

    `tools` are the peers, all where it is empty; `notes` stand above the tables; `plain`: with a plain
    user at hand; `kinds` are other ways to set up tools. Exits with a message where something named does not exist, or without root.
    """
    asked = _arguments(about, tools)
    if asked.list:
        for name, (_, images) in rows.items():
            print(name, *images)
        return
    if os.geteuid():
        raise SystemExit("bench: needs root, for a loop-mounted disk, cold caches and daemons")
    wanted = list(rows) if asked.row == "all" else asked.row.split(",")
    if unknown := set(wanted) - set(rows):
        raise SystemExit(f"bench: no row {', '.join(unknown)}; there are {', '.join(rows)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is put away
    lines: list[str] = []
    with ExitStack() as stack:
        bench = stack.enter_context(
            opened(asked.times, asked.only, asked.place, plain=plain, kinds=kinds)
        )
        for name in wanted:
            step, images = rows[name]
            lines += _measured(bench, name, step, asked.images or images)
        head = _head(bench, asked.times, notes)
    if asked.write and (asked.row == "all" or not has_section(section)):
        print(f"written: {write_section(section, [*head, *lines])}")
    elif asked.write:
        again = [*lines[:2], f"Again: {head[0]}", "", *lines[2:]]
        print(f"written: {write_parts(section, again)}")


def _arguments(about: str, tools: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("row", nargs="?", default="all", help="one row or several by comma, or all")
    parser.add_argument("images", nargs="*", help="only these images")
    parser.add_argument("--times", type=int, default=2, help="repetitions (default 2)")
    parser.add_argument(
        "--only", default=tools, help="only these tools, by comma; lamina is always in"
    )
    parser.add_argument("--place", default="/var/tmp", help="where the disk's image lies")
    parser.add_argument(
        "--write", action="store_true", help="write RESULTS.md: the section, or this row of it"
    )
    parser.add_argument("--list", action="store_true", help="name the rows")
    return parser.parse_args()


def _measured(bench: Bench, name: str, step: Row, images: Sequence[str]) -> list[str]:
    print(f"== {name}", flush=True)
    try:
        return [*step(bench, images), ""]
    except Exception as error:  # noqa: BLE001 - one row that fails must not take the others along
        print(f"bench: {name} failed: {error}", flush=True)
        why = (str(error).splitlines() or [type(error).__name__])[-1]
        return [f"### {name}", "", f"**Failed**: {why}", ""]


def _head(bench: Bench, times: int, notes: Sequence[str]) -> list[str]:
    command = shlex.join(["bench/" + os.path.basename(sys.argv[0]), *sys.argv[1:]])
    return [
        (
            f"{machine(command)}; {times} round{'s' * (times > 1)}, medians (memory: the most). "
            f"The machine's load was {os.getloadavg()[2]:.1f} on average over the last 15 minutes. "
            "How it is measured and what each row means: [README.md](README.md)."
        ),
        "",
        *(line for note in notes for line in (note, "")),
        "Images: " + "; ".join(map(str, bench.images.values())) + ".",
        "",
        "Tools: " + "; ".join(f"{name} ({said})" for name, said in bench.versions.items()) + ".",
        *(f"\n**Left out**: {name}, {why}." for name, why in bench.left_out.items()),
        "",
    ]
