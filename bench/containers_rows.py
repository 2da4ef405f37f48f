"""The rows of the bench of containers."""

import shlex
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.engines import Engine, Runner
from bench.layers_turns import Bench, Figures, in_turn
from bench.meter import Figure, measure, members

__all__ = [
    "commit",
    "detach",
    "execute",
    "listing",
    "memory",
    "parallel",
    "run",
    "run_as_plain_user",
    "start_and_stop",
]

_LEAST_ROUNDS = 9
_AT_ONCE = 50
_IDLE = 10
_MANY = 1000
_LIST_S = 0.15
_SHIM_MB, _MORE_THAN_CONMON_MB = 15.0, 10.0
_NETWORKS = ("none", "host", "default")
_ASLEEP = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done")
_MONITORS = ("lamina-shim", "conmon", "containerd-shim")
# Wall and CPU that each peer's are to be divided by; 0 where there is no mark.
_RUN = {"podman": (3.0, 3.0), "docker": (6.0, 0.0)}
_HALF = {"podman": (2.0, 2.0), "docker": (2.0, 0.0)}
_NONE: Mapping[str, tuple[float, float]] = {}


def run(bench: Bench, images: Sequence[str]) -> list[str]:
    """`run --rm IMAGE true` as root, on each kind of network."""
    return _runs(bench, _ready(bench, images[0], bench.tools), images[0], "root")


def run_as_plain_user(bench: Bench, images: Sequence[str]) -> list[str]:
    """The same in user namespaces."""
    return _runs(bench, _ready(bench, images[0], bench.plain), images[0], "plain user")


def _runs(bench: Bench, tools: dict[str, Runner], image: str, who: str) -> list[str]:
    lines = [f"### `run --rm {image} true`, {who}", ""]
    for network in _NETWORKS:
        options = [] if network == "default" else ["--network", network]

        def step(tool: Runner, _: int, options: list[str] = options) -> Figure:
            return _measured(tool, tool.run("run", "--rm", *options, tool.reference(image), "true"))

        # docker's default network is none here, and no plain user has it
        named = [
            name for name in _RUN if name in tools and (name, network) != ("docker", "default")
        ]
        marks = {name: _RUN[name] for name in named}
        lines += _compared(bench, f"{network} network", tools, step, marks)
    _stop(tools)
    return lines


def detach(bench: Bench, images: Sequence[str]) -> list[str]:
    """`run -d`: until the command is back, with the container running."""
    tools = _ready(bench, images[0], bench.tools)

    def step(tool: Runner, number: int) -> Figure:
        name = f"detached{number}"
        options = ["-d", "--network", "none", "--name", name]
        figure = tool.measure(tool.run("run", *options, tool.reference(images[0]), *_ASLEEP))
        tool.quietly(tool.run("rm", "-f", name))
        return figure

    lines = _compared(bench, "`run -d`", tools, step, _NONE)
    _stop(tools)
    return ["### In the background", "", *lines]


def execute(bench: Bench, images: Sequence[str]) -> list[str]:
    """`exec`: one more process in a container that runs."""
    tools = _ready(bench, images[0], bench.tools)
    for tool in tools.values():
        _sleeper(tool, images[0], "here")

    def step(tool: Runner, _: int) -> Figure:
        return tool.measure(tool.run("exec", "here", "true"))

    lines = _compared(bench, "`exec NAME true`", tools, step, _HALF)
    _stop(tools)
    return ["### Exec", "", *lines]


def start_and_stop(bench: Bench, images: Sequence[str]) -> list[str]:
    """`stop` and `start` of one container, in turn."""
    tools = _ready(bench, images[0], bench.tools)
    for tool in tools.values():
        _sleeper(tool, images[0], "here")
    stops: dict[str, list[Figure]] = {}

    def step(tool: Runner, _: int) -> Figure:
        stopped = tool.measure(tool.run("stop", "here"))
        started = tool.measure(tool.run("start", "here"))
        stops.setdefault(tool.name, []).append(stopped)
        return Figure(started.wall_s, started.cpu_s)

    lines = _compared(bench, "`start`", tools, step, _NONE)
    by_wall = {name: statistics.median(one.wall_s for one in rows) for name, rows in stops.items()}
    words = "; ".join(f"{name} {1000 * wall_s:.0f} ms" for name, wall_s in by_wall.items())
    _stop(tools)
    return ["### Start and stop", "", *lines, f"`stop`, wall: {words}.", ""]


def parallel(bench: Bench, images: Sequence[str]) -> list[str]:
    """50 containers, all started at once; until the last command is back."""
    tools = _ready(bench, images[0], bench.tools)

    def step(tool: Runner, _: int) -> Figure:
        one = tool.run("run", "--rm", "--network", "none", tool.reference(images[0]), "true")
        line = shlex.join(one)
        script = f'for i in $(seq {_AT_ONCE}); do {line} & all="$all $!"; done; for i in $all; do wait $i; done'
        return _measured(tool, ["sh", "-ec", script])

    lines = _compared(bench, f"{_AT_ONCE} times `run --rm`", tools, step, _HALF, rounds=bench.times)
    _stop(tools)
    return ["### Many at once", "", *lines]


def memory(bench: Bench, images: Sequence[str]) -> list[str]:
    """What the process costs that stays beside each idle container: proportional set size."""
    tools = _ready(bench, images[0], bench.tools)
    found: dict[str, float] = {}
    for tool in tools.values():
        for number in range(_IDLE):
            _sleeper(tool, images[0], f"idle{number}")
        time.sleep(1)  # what starts them ends
        assert tool.account is not None
        found[tool.name] = sum(map(_monitor_mb, members(tool.account))) / _IDLE
    _stop(tools)
    ours = found["lamina"]
    said = [f"{name} {mb:.1f} MB" for name, mb in found.items()]
    print(f"  {', '.join(said)}", flush=True)
    reached = ours <= min(_SHIM_MB, found.get("podman", 0.0) + _MORE_THAN_CONMON_MB)
    return [
        f"### Memory beside an idle container, {_IDLE} of them",
        "",
        (
            f"Proportional set size of shim, conmon and containerd-shim: {', '.join(said)}; mark conmon + "
            f"{_MORE_THAN_CONMON_MB:.0f} MB and at most {_SHIM_MB:.0f} MB: {_reached(reached)}."
        ),
    ]


def _monitor_mb(pid: int) -> float:
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    size = next((int(row.split()[1]) for row in rows if row.startswith("Pss:")), 0)
    return size / 1024 if name.startswith(_MONITORS) else 0.0


def listing(bench: Bench, images: Sequence[str]) -> list[str]:
    """`ps -a` with 1,000 containers."""
    tools = _ready(bench, images[0], bench.tools)
    for tool in tools.values():
        line = shlex.join(tool.run("create", tool.reference(images[0]), "true"))
        make = f"for i in $(seq {_MANY // 2}); do {line}; done > /dev/null"
        tool.quietly(["sh", "-ec", f"({make}) & ({make}); wait"])

    def step(tool: Runner, _: int) -> Figure:
        return tool.measure(tool.run("ps", "-a"))

    figures, lines = _figures(bench, f"`ps -a`, {_MANY} containers", tools, step)
    if "lamina" in figures:
        wall_s = figures["lamina"].wall_s
        lines += [f"Mark {1000 * _LIST_S:.0f} ms: {_reached(wall_s < _LIST_S)}.", ""]
    _stop(tools)
    return [f"### List {_MANY} containers", "", *lines]


def commit(bench: Bench, images: Sequence[str]) -> list[str]:
    """`commit` of a container in which one small file is new."""
    tools = _ready(bench, images[0], bench.tools)
    for tool in tools.values():
        tool.changed(images[0], "changed", ["sh", "-c", "echo new > /new"])

    def step(tool: Runner, number: int) -> Figure:
        return tool.measure(tool.commit("changed", f"made:{number}"))

    lines = _compared(bench, "`commit`, one file", tools, step, _NONE)
    _stop(tools)
    return ["### A small commit", "", *lines]


def _ready(bench: Bench, image: str, tools: Mapping[str, Engine]) -> dict[str, Runner]:
    """Give the engines, each with the image in an empty store."""
    bench.publish(image)
    runners = {name: tool for name, tool in tools.items() if isinstance(tool, Runner)}
    for tool in runners.values():
        tool.empty()
        tool.quietly(tool.pull(image))
    return runners


def _stop(tools: Mapping[str, Runner]) -> None:
    for tool in tools.values():
        tool.stop()


def _sleeper(tool: Runner, image: str, name: str) -> None:
    options = ["-d", "--network", "none", "--name", name]
    tool.quietly(tool.run("run", *options, tool.reference(image), *_ASLEEP))


def _measured(tool: Runner, argv: Sequence[str]) -> Figure:
    """Measure one command, and the CPU of what it leaves behind to clean up."""
    return measure(tool.dressed(argv), tool.environ, tool.account, to_the_end=True)


def _figures(
    bench: Bench,
    title: str,
    tools: Mapping[str, Runner],
    step: Callable[[Runner, int], Figure],
    rounds: int = 0,
) -> tuple[Figures, list[str]]:
    """Measure in turn; give the medians and a table of milliseconds."""
    print(title, flush=True)
    for tool in tools.values():  # the first of each finds cold caches
        try:
            step(tool, -1)
        except (RuntimeError, subprocess.SubprocessError):
            continue  # it is told of below
    figures, failed = in_turn(rounds or max(_LEAST_ROUNDS, bench.times), tools, step)
    rows = [
        f"| {title} | wall ms | CPU ms | ÷ lamina, wall | ÷ lamina, CPU |",
        "|---|---|---|---|---|",
    ]
    ours = figures.get("lamina")
    for name, one in figures.items():
        cells = [name, f"{1000 * one.wall_s:.0f}", f"{1000 * one.cpu_s:.0f}", "", ""]
        if ours and name != "lamina":
            cells[3:] = [f"{one.wall_s / ours.wall_s:.2f}", f"{one.cpu_s / ours.cpu_s:.2f}"]
        rows.append(f"| {' | '.join(cells)} |")
    rows += [f"| {name} | failed: {why} | | | |" for name, why in failed.items()]
    return figures, [*rows, ""]


def _compared(
    bench: Bench,
    title: str,
    tools: Mapping[str, Runner],
    step: Callable[[Runner, int], Figure],
    marks: Mapping[str, tuple[float, float]],
    *,
    rounds: int = 0,
) -> list[str]:
    figures, lines = _figures(bench, title, tools, step, rounds)
    ours = figures.get("lamina")
    for name, (wall, cpu) in marks.items():
        if ours is None or name not in figures:
            lines += [f"{title}: **not judged** beside {name}, which was not measured.", ""]
            continue
        by = figures[name].wall_s / ours.wall_s, figures[name].cpu_s / ours.cpu_s
        reached = _reached(by[0] >= wall and by[1] >= cpu)
        mark = f"{wall:g} wall" + (f", {cpu:g} CPU" if cpu else "")
        said = f"{title}: {name} ÷ lamina {by[0]:.2f} wall, {by[1]:.2f} CPU; mark {mark}: {reached}"
        print(said, flush=True)
        lines += [f"{said}.", ""]
    return lines


def _reached(yes: bool) -> str:
    return "reached" if yes else "**missed**"
