"""Rows of the layer bench without or with few peers: look without unpacking, mount, share, seal, read."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.engines import Engine, Runner
from bench.layers_turns import Bench, Figures, in_turn, memory_verdict, table, verdict
from bench.meter import Figure, join, measure
from bench.surroundings import drop_caches

__all__ = ["checkpoint", "look", "mount", "read", "seal", "share"]

_INSIDE = str(Path(__file__).with_name("inside.py"))
_LOOK_S = 0.1
_MOUNT_MS = 5.0
_SNAPSHOT_MS, _ROLLBACK_MS = 2.0, 5.0
_SHARED = 100 * 1024 * 1024
_CONTAINERS = 4
_SEAL = {"big": 150_000_000, "million": 1 << 30}


def _pulled(bench: Bench, tool: Engine, name: str) -> str:
    bench.publish(name)
    tool.empty()
    tool.quietly(tool.pull(name))
    return tool.reference(name)


def _inside(tool: Engine, *words: str) -> list[str]:
    del tool
    return [sys.executable, _INSIDE, *words]


def look(bench: Bench, images: Sequence[str]) -> list[str]:
    """List a folder, stat a file, read a file of an image, each in a fresh process."""
    name = images[0]
    ours = bench.tools["lamina"]
    reference = _pulled(bench, ours, name)
    paths = json.loads(ours.quietly(_inside(ours, "paths", reference)))
    folder, file = (f"{reference}:/{paths[what]}" for what in ("folder", "file"))
    asked = {
        "list: `lamina ls`": ours.run("ls", folder),
        "stat: `lamina ls -ld`": ours.run("ls", "-ld", file),
        "cat: `lamina cat`": ours.run("cat", file),
        "list: the library": _inside(ours, "list", reference, paths["folder"]),
    }
    lines = [
        f"### List, stat, cat from `{name}`, nothing unpacked or mounted",
        "",
        "| what | state | wall ms | CPU ms | mark: 100 ms of process time |",
        "|---|---|---|---|---|",
    ]
    for what, argv in asked.items():
        for cold in (True, False):

            def step(tool: Engine, _: int, argv: Sequence[str] = argv, cold: bool = cold) -> Figure:
                if cold:
                    drop_caches()
                return tool.measure(argv)

            figures, failed = in_turn(max(3, bench.times), {"lamina": ours}, step)
            if failed:
                lines.append(f"| {what} | failed: {failed['lamina']} | | | **missed** |")
                continue
            one = figures["lamina"]
            state = "cold" if cold else "warm"
            reached = "reached" if one.cpu_s < _LOOK_S else "**missed**"
            lines.append(
                f"| {what} | {state} | {one.wall_s * 1000:.0f} | {one.cpu_s * 1000:.0f} | {reached} |"
            )
    ours.stop()
    return lines


def mount(bench: Bench, images: Sequence[str]) -> list[str]:
    """Mount the union of an image, in process."""
    name = images[0]
    ours = bench.tools["lamina"]
    reference = _pulled(bench, ours, name)
    target = ours.folder / "mounted"
    said = json.loads(
        ours.quietly(["unshare", "-m", *_inside(ours, "mount", reference, str(target))])
    )
    print(f"  {said}", flush=True)
    reached = "reached" if said["median"] < _MOUNT_MS else "**missed**"
    ours.stop()
    return [
        f"### Mount `{name}`, {said['layers']} layers, in process",
        "",
        (
            f"Every layer and the union on top, indexes checked: {said['median']:.1f} ms (median; the first "
            f"of the process, which loads modules too, {said['once']:.1f} ms); a second container on the "
            f"same layers: {said['second']:.1f} ms; mark {_MOUNT_MS:g} ms: {reached}. No peer does this in "
            "process."
        ),
    ]


def checkpoint(bench: Bench, images: Sequence[str]) -> list[str]:
    """Take checkpoints of a container and return to them, in process."""
    ours = bench.tools["lamina"]
    said = json.loads(ours.quietly(_inside(ours, "checkpoint", _pulled(bench, ours, images[0]))))
    print(f"  {said}", flush=True)
    fast = said["snapshot"] <= _SNAPSHOT_MS and said["rollback"] <= _ROLLBACK_MS
    ours.stop()
    return [
        f"### Checkpoints of a container on {said['layers']} layers, in process",
        "",
        (
            f"One file is written before each; medians: `snapshot` {said['snapshot']:.2f} ms, `rollback` "
            f"{said['rollback']:.2f} ms, `fork` {said['fork']:.2f} ms. Marks {_SNAPSHOT_MS:g} and "
            f"{_ROLLBACK_MS:g} ms: {'reached' if fast else '**missed**'}. No peer has them."
        ),
    ]


def share(bench: Bench, images: Sequence[str]) -> list[str]:
    """Let several containers on one image read the same 100 MB; how much does the page cache grow?"""
    name = images[0]
    ours = bench.tools["lamina"]
    path = json.loads(ours.quietly(_inside(ours, "paths", _pulled(bench, ours, name))))["big"]
    lines = [
        f"### Memory: {_CONTAINERS} containers on `{name}` read the same 100 MB",
        "",
        "| tool | kept in memory after the first, MB | growth by each further one, MB | once, not N times |",
        "|---|---|---|---|",
    ]
    for tool in bench.tools.values():
        if not isinstance(tool, Runner):
            continue
        try:
            grown = _grown(bench, tool, name, path)
        except (RuntimeError, subprocess.SubprocessError) as error:
            lines.append(f"| {tool.name} | failed: {str(error).splitlines()[-1]} | | |")
            print(f"  {tool.name} failed: {error}", flush=True)
            continue
        finally:
            tool.stop()
        first, *others = (round(one / 1e6) for one in grown)
        once = "yes" if sum(grown) < 1.25 * _SHARED else "**no**"
        print(f"  {tool.name:16} {first} then {others} MB", flush=True)
        lines.append(f"| {tool.name} | {first} | {', '.join(map(str, others))} | {once} |")
    return lines


def _grown(bench: Bench, tool: Runner, name: str, path: str) -> list[int]:
    """Give by how much each container's reading added to what is kept of the file in memory."""
    reference = _pulled(bench, tool, name)
    names = [f"c{number}" for number in range(_CONTAINERS)]
    for one in names:
        tool.quietly(
            tool.run("run", "-d", *tool.alone(), "--name", one, reference, "sleep", "1000")
        )
    drop_caches()
    grown = []
    for one in names:
        pid = tool.quietly(tool.run("inspect", "--format", "{{.State.Pid}}", one))
        view = Path("/proc", str(pid), "root", path)
        before = _kept(view, tool)
        script = f"head -c {_SHARED} '/{path}' > /dev/null"
        tool.quietly(tool.run("exec", one, "sh", "-c", script))
        grown.append(_kept(view, tool) - before)
    tool.quietly(tool.run("rm", "-f", *names))
    return grown


def _kept(view: Path, tool: Engine) -> int:
    """Give the bytes in the page cache of a container's file, and of the sealed layers behind it.

    Asked file by file: the machine's own sum would count what everyone else reads meanwhile.
    """
    sealed = sorted((tool.folder / "root" / "layers").glob("sha256/*"))
    asked: list[str | Path] = [
        "fincore",
        "--bytes",
        "--noheadings",
        "--output",
        "RES",
        view,
        *sealed,
    ]
    done = subprocess.run(asked, check=True, capture_output=True, text=True)
    return sum(map(int, done.stdout.split()))


def seal(bench: Bench, images: Sequence[str]) -> list[str]:
    """Pull images and look at the memory: it must follow the entries, not the bytes."""
    lines = ["### Memory while sealing (a whole pull as root)", ""]
    ours = bench.tools["lamina"]
    for name in images:
        made = bench.publish(name)

        def step(tool: Engine, _: int, name: str = name) -> Figure:
            tool.empty()
            try:
                return tool.measure(tool.pull(name))
            finally:
                tool.stop()

        figures, failed = in_turn(1, {"lamina": ours}, step)
        if failed:
            lines.append(f"- `{name}`: failed: {failed['lamina']}")
            continue
        one = figures["lamina"]
        mark = _SEAL.get(name, 150_000_000)
        said = memory_verdict(f"`{name}` ({made.entries:,} entries)", one.resident, mark)
        print(said, flush=True)
        lines.append(f"- {said}; {one.wall_s:.1f} s wall, {one.cpu_s:.1f} s CPU")
    return lines


@contextmanager
def _our_union(tool: Engine, reference: str) -> Iterator[str]:
    target = tool.folder / "union"
    target.mkdir()
    process = subprocess.Popen(
        join(tool.account, _inside(tool, "union", reference, str(target))), env=tool.environ,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline().strip() != b"mounted":
            raise RuntimeError("the union could not be mounted")
        yield str(target)
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


@contextmanager
def _podmans_union(tool: Runner, reference: str) -> Iterator[str]:
    yield tool.quietly(tool.run("image", "mount", reference))
    tool.quietly(tool.run("image", "unmount", "-f", reference))


_READS = {
    "walk and stat everything": "find . -printf '%s\\n' > /dev/null",
    "read all small files (grep)": "grep -rFs 'no file holds this text' . || [ $? = 1 ]",
    "sha256 of files over 1 MB": "find . -type f -size +1M -print0 | xargs -0 sha256sum > /dev/null",
}


def read(bench: Bench, images: Sequence[str]) -> list[str]:
    """Read through lamina's union and through overlay on ext4, which podman made of the same image."""
    lines = ["### Read through the mounted union, beside ext4 + overlay", ""]
    ours, podman = bench.tools["lamina"], bench.tools.get("podman")
    if not isinstance(podman, Runner):
        return [*lines, "**Not measured**: podman, which makes the other tree, is missing."]
    for name in images:
        mine, theirs = _pulled(bench, ours, name), _pulled(bench, podman, name)
        with ExitStack() as stack:
            places = {
                "lamina": stack.enter_context(_our_union(ours, mine)),
                "podman": stack.enter_context(_podmans_union(podman, theirs)),
            }
            for what, script in _READS.items():
                for state in ("cold", "warm"):
                    figures, failed = in_turn(
                        bench.times,
                        {"lamina": ours, "podman": podman},
                        _reader(places, script, state),
                    )
                    lines += _read_lines(f"`{name}`, {what}, {state}", figures, failed)
        for tool in (ours, podman):
            tool.stop()
    return lines


def _reader(places: dict[str, str], script: str, state: str) -> Callable[[Engine, int], Figure]:
    def step(tool: Engine, _: int) -> Figure:
        argv = ["sh", "-ec", f"cd {places[tool.name]}; {script}"]
        if state == "cold":
            drop_caches()
        else:
            measure(argv, tool.environ, tool.account)
        return measure(argv, tool.environ, tool.account)

    return step


def _read_lines(what: str, figures: Figures, failed: dict[str, str]) -> list[str]:
    named = {("ext4 + overlay" if name == "podman" else name): one for name, one in figures.items()}
    said = verdict(named, 1.0, "ext4 + overlay")
    print(f"{what}: {said}", flush=True)
    return [*table(what, named, failed, memory=False), "", f"{what}: {said}.", ""]
