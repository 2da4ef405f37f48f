"""The understanding bench: the first answer of each command about an image, beside dive's.

    make bench BENCH=understanding                   writes its section of bench/RESULTS.md
    .venv/bin/python bench/understanding.py answers many --times 3

Needs root and dive (tools/bench_peers.sh). What is measured: bench/README.md.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.engines import Engine  # noqa: E402 - needs the path above
from bench.layers_turns import Bench, in_turn, ratio  # noqa: E402
from bench.meter import Figure  # noqa: E402
from bench.rows import run  # noqa: E402

_PROGRAM = ROOT / ".cache" / "bench" / "peers" / "bin" / "dive"
_INSIDE = str(Path(__file__).with_name("inside.py"))
_FIRST_SCREEN = (sys.executable, str(Path(__file__).with_name("first_screen.py")))
_SCREEN = "until its tree is on a terminal"
_WALL_S, _SCREEN_S, _MEMORY = 0.3, 0.5, 300_000_000
_LENIENT = ("--lowestEfficiency", "0", "--highestUserWastedPercent", "1")


class Dive(Engine):
    """dive reads a docker-archive, written before it is measured, so that it needs no daemon."""

    name = "dive"
    program = str(_PROGRAM)

    def empty(self) -> None:
        Engine.empty(self)
        self.environ["HOME"] = str(self.folder)

    def archive(self, image: str) -> Path:
        """Write the image as dive reads it, layers not compressed."""
        path = self.folder / f"{image}.tar"
        if not path.exists():
            subprocess.run(
                ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false",
                 f"docker://{self.reference(image)}", f"docker-archive:{path}:{image}:v1"],
                check=True,
            )  # fmt: skip
        return path


def answers(bench: Bench, images: Sequence[str]) -> list[str]:
    """Ask everything about each image, each time in a fresh process."""
    lines: list[str] = []
    for name in images:
        lines += [*_about(bench, name), ""]
    return lines


def _about(bench: Bench, name: str) -> list[str]:
    ours = bench.tools["lamina"]
    made = bench.publish(name)
    ours.empty()
    ours.quietly(ours.pull(name))
    asked = _questions(ours, name)
    figures: dict[str, Figure] = {}
    failed: dict[str, str] = {}
    for what, argv in asked.items():
        step = _asking(argv)
        figure, why = in_turn(bench.times, {"lamina": ours}, step)
        figures |= {what: figure["lamina"]} if figure else {}
        failed |= {what: why["lamina"]} if why else {}
    theirs = _of_dive(bench, name)
    ours.stop()
    lines = [
        f"### `{name}`, {made.entries:,} entries in {made.layers} layers",
        "",
        "| what | wall ms | CPU ms | peak MB | dive's best wall / this | CPU | mark: 300 ms (screen 500), 300 MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for what in asked:
        if what in failed:
            lines.append(f"| {what} | failed: {failed[what]} | | | | | **missed** |")
            continue
        one = figures[what]
        on_screen = what.endswith(_SCREEN)
        wall_s = _SCREEN_S if on_screen else _WALL_S
        peers = [figure for other, figure in theirs.items() if other.endswith(_SCREEN) is on_screen]
        good = one.wall_s < wall_s and one.resident < _MEMORY
        lines.append(
            f"| {what} | {_numbers(one)} | {ratio(_least(peers, 'wall_s'), one.wall_s)} | "
            f"{ratio(_least(peers, 'cpu_s'), one.cpu_s)} | {'reached' if good else '**missed**'} |"
        )
    lines += [f"| {what} | {_numbers(one)} | | | |" for what, one in theirs.items()]
    return lines


def _least(figures: Sequence[Figure], what: str) -> float:
    return min((float(getattr(figure, what)) for figure in figures), default=0.0)


def _asking(argv: Sequence[str]) -> Callable[[Engine, int], Figure]:
    def step(tool: Engine, _: int) -> Figure:
        return tool.measure(argv)

    return step


def _questions(ours: Engine, name: str) -> dict[str, Sequence[str]]:
    """Give each command; `derived` is the image with one file more, made here by a commit."""
    reference = ours.reference(name)
    paths = json.loads(ours.quietly([sys.executable, _INSIDE, "paths", reference]))
    note = ours.folder / "note"
    note.write_text("a file more\n")
    ours.quietly(ours.run("create", "--name", "one", reference, "true"))
    ours.quietly(ours.run("cp", str(note), "one:/note"))
    ours.quietly(ours.run("commit", "one", "derived:1"))
    return {
        "`whence`": ours.run("whence", reference, "/" + paths["file"]),
        "`whence --all DIR`": ours.run("whence", "--all", reference, "/" + paths["folder"]),
        "`waste`": ours.run("waste", reference),
        "`packages`": ours.run("packages", reference),
        "`secrets`": ours.run("secrets", reference),
        "`diff` of two": ours.run("diff", reference, "derived:1"),
        "`base`": ours.run("base", "derived:1"),
        "`layers`": ours.run("layers", reference),
        "`layers --shared`": ours.run("layers", "--shared"),
        "`ls`": ours.run("ls", f"{reference}:/{paths['folder']}"),
        "`explore --ci`": ours.run("explore", "--ci", "--rule", "efficiency>0", reference),
        f"`explore`, {_SCREEN}": [
            *_FIRST_SCREEN,
            "quit",
            *ours.run("explore", reference),
        ],
        "`explore --json`, each file of each layer": ours.run("explore", "--json", reference),
    }


def _of_dive(bench: Bench, name: str) -> dict[str, Figure]:
    dive = bench.tools.get("dive")
    if not isinstance(dive, Dive):
        return {}
    dive.empty()
    source = f"docker-archive://{dive.archive(name)}"
    asked = {
        "dive `--json`": dive.run(source, "--json", str(dive.folder / "out.json")),
        "dive `--ci`": dive.run(source, "--ci", *_LENIENT),
        f"dive, {_SCREEN}": [*_FIRST_SCREEN, "Filetree", *dive.run(source)],
    }
    found: dict[str, Figure] = {}
    for what, argv in asked.items():
        figures, _ = in_turn(bench.times, {"dive": dive}, _asking(argv))
        found |= {what: figures["dive"]} if figures else {}
    dive.stop()
    return found


def _numbers(one: Figure) -> str:
    return f"{one.wall_s * 1000:.0f} | {one.cpu_s * 1000:.0f} | {one.resident / 1e6:.0f}"


def main() -> None:
    run(
        "Understanding",
        {"answers": (answers, ("deb", "many"))},
        about="Measure the first answers about an image beside dive",
        tools="dive",
        plain=False,
        kinds={"dive": Dive},
        notes=[
            "dive reads a docker-archive with plain layers, written beforehand; lamina the store that the pull made."
        ],
    )


if __name__ == "__main__":
    main()
