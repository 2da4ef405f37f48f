"""What the rows of the layer bench share: the disk, the registry, the tools, taking turns, tables."""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from bench.engines import (
    Charliecloud,
    Containerd,
    Docker,
    Engine,
    Floor,
    Lamina,
    PlainUser,
    Podman,
    Udocker,
    Umoci,
)
from bench.layers_images import Image, image
from bench.meter import Figure, group, median
from bench.surroundings import compile_lamina, drop_caches, first_in_line, fresh_disk, registry

__all__ = [
    "Bench",
    "Figures",
    "best",
    "in_turn",
    "memory_verdict",
    "opened",
    "ratio",
    "table",
    "verdict",
]

_TOOLS = (Lamina, Podman, Docker, Containerd, Umoci, Udocker, Charliecloud, Floor)
_PLAIN = {tool.name for tool in (Lamina, Podman, Udocker, Charliecloud, Floor)}
type_of = {tool.name: tool for tool in _TOOLS}
Figures = dict[str, Figure]
_T = TypeVar("_T")


@dataclass(slots=True)
class Bench:
    """Where everything is. `tools` are those installed here; `left_out` says why others are not."""

    disk: Path
    registry: str
    times: int
    tools: dict[str, Engine]
    plain: dict[str, Engine] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def publish(self, name: str) -> Image:
        """Have the image in the registry, made and pushed at the first call."""
        if name not in self.images:
            made = image(name)
            subprocess.run(
                ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false",
                 f"oci:{made.layout}:v1", f"docker://{self.registry}/bench/{name}:v1"],
                check=True,
            )  # fmt: skip
            self.images[name] = made
        return self.images[name]

    def cold(self, name: str) -> None:
        """Drop all caches; then read the image's blobs once, for the registry stands for one elsewhere."""
        drop_caches()
        blobs = self.disk / "registry/data/docker/registry/v2/blobs"
        wanted = {path.name for path in Path(self.images[name].layout, "blobs/sha256").iterdir()}
        for path in blobs.glob("sha256/*/*/data"):
            if path.parent.name in wanted:
                subprocess.run(["cat", path], stdout=subprocess.DEVNULL, check=True)


@contextmanager
def opened(
    times: int,
    only: str,
    place: str,
    *,
    plain: bool = True,
    kinds: Mapping[str, type[Engine]] = MappingProxyType({}),
) -> Iterator[Bench]:
    """Make the disk, the registry and the tools' folders; put all of it away at the end.

    Without `plain` no tool runs as a plain user, and none is made. `kinds` are other ways to set up tools.
    """
    chosen = set(only.split(",")) if only else set(type_of)
    with ExitStack() as stack:
        stack.enter_context(first_in_line())
        disk = stack.enter_context(fresh_disk(place))
        address = stack.enter_context(registry(disk / "registry"))
        tls = stack.enter_context(registry(disk / "registry", tls=True))
        compile_lamina()
        bench = Bench(disk, address, times, {})
        user = PlainUser.settled(disk / "plain-python") if plain else None
        for name, kind in {**type_of, **kinds}.items():
            if name != "lamina" and name not in chosen:
                continue
            folder = disk / name.replace("+", "-").replace("|", "-")
            account = stack.enter_context(group(folder.name))
            if account is None:
                raise SystemExit("bench: needs the cpuacct control groups, to count daemons")
            tool = kind(folder, account, address, tls)
            if not _works(bench, tool):
                continue
            bench.tools[name] = tool
            stack.callback(tool.stop)
            if user and name in _PLAIN:
                account = stack.enter_context(group(f"{folder.name}-plain"))
                plain = kind(disk / f"u-{folder.name}", account, address, tls, user)
                bench.plain[name] = plain
                stack.callback(plain.stop)
        yield bench


def _works(bench: Bench, tool: Engine) -> bool:
    """Try a tool and note its version, or why it is left out."""
    why = tool.missing()
    try:
        if not why:
            tool.empty()
            bench.versions[tool.name] = tool.version()
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        why = f"it does not start: {str(error).strip().splitlines()[-1]}"
    finally:
        tool.stop()
    if why:
        bench.left_out[tool.name] = why
        print(f"bench: without {tool.name}: {why}", flush=True)
    return not why


def in_turn(
    times: int, tools: Mapping[str, _T], step: Callable[[_T, int], Figure]
) -> tuple[Figures, dict[str, str]]:
    """Measure every tool, once per round, so that a busy minute hits all; medians, and who failed."""
    rounds: dict[str, list[Figure]] = {}
    failed: dict[str, str] = {}
    for number in range(times):
        for name, tool in tools.items():
            if name in failed:
                continue
            try:
                figure = step(tool, number)
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                failed[name] = str(error).strip().splitlines()[-1]
                print(f"  {name:16} failed: {error}", flush=True)
                continue
            rounds.setdefault(name, []).append(figure)
            print(f"  {name:16} {shown(figure)}", flush=True)
    return {name: median(all_of_it) for name, all_of_it in rounds.items()}, failed


def shown(figure: Figure) -> str:
    return (
        f"{figure.wall_s:8.3f} s wall {figure.cpu_s:8.3f} s CPU "
        f"{figure.resident / 1e6:6.0f} MB ({figure.anonymous / 1e6:.0f})"
    )


def ratio(theirs: float, ours: float) -> str:
    return f"{theirs / ours:.2f}" if ours else "-"


def best(figures: Figures, without: Sequence[str] = ()) -> tuple[Figure, str, str]:
    """Give the best wall and the best CPU of all peers, and whose they are."""
    peers = {name: one for name, one in figures.items() if name not in ("lamina", *without)}
    wall = min(peers, key=lambda name: peers[name].wall_s)
    cpu = min(peers, key=lambda name: peers[name].cpu_s)
    return Figure(peers[wall].wall_s, peers[cpu].cpu_s), wall, cpu


def verdict(figures: Figures, mark: float, peers: str, without: Sequence[str] = ()) -> str:
    """Say how far ahead of the best peer we are and whether that reaches `mark` times, if there is one."""
    if "lamina" not in figures or len(figures) - 1 <= len(set(without) & set(figures)):
        return "**not judged**: lamina or every peer is missing"
    ours = figures["lamina"]
    theirs, wall, cpu = best(figures, without)
    by_wall, by_cpu = theirs.wall_s / ours.wall_s, theirs.cpu_s / ours.cpu_s
    said = f"best {peers} ÷ lamina: {by_wall:.2f} wall ({wall}), {by_cpu:.2f} CPU ({cpu})"
    if not mark:
        return said
    reached = "reached" if min(by_wall, by_cpu) >= mark else "**missed**"
    return f"{said}; mark {mark:g} in both: {reached}"


def memory_verdict(what: str, peak: int, mark: int) -> str:
    """Say whether a peak of memory stays under its mark."""
    reached = "reached" if peak <= mark else "**missed**"
    return f"{what} peaks at {peak / 1e6:.0f} MB; mark {mark / 1e6:.0f} MB: {reached}"


def table(
    title: str, figures: Figures, failed: Mapping[str, str], *, memory: bool = True
) -> list[str]:
    """Give one table: a row for each tool, with its ratio to lamina."""
    ours = figures.get("lamina")
    heads = [title, "wall s", "CPU s", *(["peak MB"] * memory), "÷ lamina, wall", "÷ lamina, CPU"]
    rows = [heads, ["---"] * len(heads)]
    for name, one in figures.items():
        cells = [name, f"{one.wall_s:.2f}", f"{one.cpu_s:.2f}"]
        cells += [f"{one.resident / 1e6:.0f}"] * memory
        if ours and name != "lamina":
            cells += [ratio(one.wall_s, ours.wall_s), ratio(one.cpu_s, ours.cpu_s)]
        rows.append(cells + [""] * (len(heads) - len(cells)))
    rows += [[name, f"failed: {why}", *[""] * (len(heads) - 2)] for name, why in failed.items()]
    return [f"| {' | '.join(cells)} |" for cells in rows]
