"""Rows of the bench of moving: pull, push, pack, copy. Each push goes to a registry that lacks the blobs."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.engines import Containerd, Docker, Engine, Lamina, Podman, Umoci
from bench.layers_turns import Bench, in_turn, table, verdict
from bench.meter import Figure
from bench.surroundings import registry

__all__ = ["KINDS", "copy", "fresh", "have", "judged", "pack", "pull", "pulling", "push", "said",
           "sending", "tools_of"]  # fmt: skip

_PACKINGS = {
    "zstd 3": ("--compression-format", "zstd", "--compression-level", "3"),
    "gzip, isal 2": ("--compression-format", "gzip", "--compression-level", "2"),
    "gzip, isal 3": ("--compression-format", "gzip", "--compression-level", "3"),
}
_VERDICTS = 3  # on each packing
_MOST_BYTES = {"zstd 3": 1.0, "gzip, isal 2": 1.12, "gzip, isal 3": 1.12}
KINDS = (Lamina, Podman, Docker, Containerd, Umoci)


def tools_of(bench: Bench, *kinds: type[Engine]) -> dict[str, Engine]:
    return {name: tool for name, tool in bench.tools.items() if isinstance(tool, kinds)}


def have(tool: Engine, image: str) -> None:
    """Give the tool the image, and nothing else: out of the registry, skopeo as a layout."""
    tool.empty()
    tool.quietly(pulling(tool, image, tool.registry))


def pulling(tool: Engine, image: str, address: str) -> Sequence[str]:
    """Give the command that brings the image of a registry to where the tool keeps its images."""
    source = f"{address}/bench/{image}:v1"
    if isinstance(tool, Umoci):
        return ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false",
                f"docker://{source}", f"oci:{tool.folder}/layout:v1"]  # fmt: skip
    if isinstance(tool, Containerd):
        return tool.run("images", "pull", "--plain-http", source)
    if isinstance(tool, Podman):
        return tool.run("pull", "-q", "--tls-verify=false", source)
    return tool.run("pull", "-q", source)


def sending(tool: Engine, image: str, address: str, *more: str) -> Sequence[str]:
    """Give the command that pushes the image to another registry, and prepare for it."""
    target = f"{address}/bench/{image}:v1"
    source = tool.reference(image)
    if isinstance(tool, Umoci):
        return ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false",
                f"oci:{tool.folder}/layout:v1", f"docker://{target}"]  # fmt: skip
    if isinstance(tool, Containerd):
        return tool.run("images", "push", "--plain-http", target, source)
    tool.quietly(tool.run("tag", source, target))
    if isinstance(tool, Podman):
        return tool.run("push", "-q", "--tls-verify=false", *more, target)
    return tool.run("push", "-q", *more, target)


def fresh(bench: Bench, stack: ExitStack) -> str:
    """Start a registry that has nothing; its folder goes with it."""
    folder = bench.disk / "empty-registry"
    shutil.rmtree(folder, ignore_errors=True)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return stack.enter_context(registry(folder))


def judged(
    title: str, bench: Bench, tools: dict[str, Engine], step: Callable[[Engine, int], Figure],
    *marks: tuple[float, str, Sequence[str]],
) -> list[str]:  # fmt: skip
    figures, failed = in_turn(bench.times, tools, step)
    lines = [*table(title, figures, failed), ""]
    for mark, peers, without in marks:
        missing = [name for name in without if name in figures]
        lines += said(title, verdict(figures, mark, peers, missing))
    return lines


def said(title: str, what: str) -> list[str]:
    """Print a verdict and give its lines."""
    print(f"{title}: {what}", flush=True)
    return [f"{title}: {what}.", ""]


def pull(bench: Bench, images: Sequence[str]) -> list[str]:
    """Pull into an empty store. All but skopeo make of it what their containers need."""
    lines = ["### Pull, nothing there", ""]
    tools = tools_of(bench, *KINDS)
    for image in images:
        bench.publish(image)

        def step(tool: Engine, _: int, image: str = image) -> Figure:
            tool.empty()
            try:
                return tool.measure(pulling(tool, image, bench.registry))
            finally:
                tool.stop()

        marks = ((0.0, "engine", ["skopeo+umoci"]),)
        lines += judged(f"`{image}`", bench, tools, step, *marks)
    return lines


def push(bench: Bench, images: Sequence[str]) -> list[str]:
    """Push what was pulled: every blob new there; engines that keep no blobs pack them again."""
    lines = ["### Push, every blob new", ""]
    tools = tools_of(bench, *KINDS)
    for image in images:
        bench.publish(image)
        for tool in tools.values():
            have(tool, image)

        def step(tool: Engine, _: int, image: str = image) -> Figure:
            with ExitStack() as stack:
                return tool.measure(sending(tool, image, fresh(bench, stack)))

        keepers = ["containerd", "skopeo+umoci"]
        lines += judged(
            f"`{image}`", bench, tools, step,
            (3.0, "engine that packs", keepers), (0.0, "mover", ["podman", "docker", "containerd"]),
        )  # fmt: skip
        for tool in tools.values():
            tool.stop()
    return lines


def pack(bench: Bench, images: Sequence[str]) -> list[str]:
    """Push layers that were made here: the image's largest, imported, packed on its way."""
    lines = ["### Push of layers made here, packing included", ""]
    for image in images:
        tar = _plain(bench, bench.publish(image).layout)
        tools = tools_of(bench, Lamina, Podman, Docker)
        for tool in tools.values():
            tool.empty()
            tool.quietly(tool.run("import", str(tar), tool.reference(image)))
        lines += _packed(bench, tools, tar, image)
        for tool in tools.values():
            tool.stop()
        tar.unlink()
    return lines


def _packed(bench: Bench, tools: dict[str, Engine], tar: Path, image: str) -> list[str]:
    """Measure each packing of ours and the peers' own, in turn; all of them judged by the same peers."""
    sizes: dict[str, int] = {}
    ways = dict.fromkeys(_PACKINGS, "lamina") | {name: name for name in tools if name != "lamina"}

    def step(tool: Engine, way: str) -> Figure:
        more = _PACKINGS.get(way, ())
        if more:  # it must not know of an earlier packing
            tool.empty()
            tool.quietly(tool.run("import", str(tar), tool.reference(image)))
        with ExitStack() as stack:
            address = fresh(bench, stack)
            figure = tool.measure(sending(tool, image, address, *more))
            sizes[way] = _weight(address, image)
        return figure

    rows = {way: partial(step, tools[name], way) for way, name in ways.items()}
    found, failed = in_turn(bench.times, rows, lambda row, _: row())
    lines: list[str] = []
    winners: list[str] = []
    for way in _PACKINGS:
        if way not in found:
            continue
        judged_from = len(lines)
        title = f"`{image}`, {way}"
        figures = {"lamina": found[way], **{n: one for n, one in found.items() if n in tools}}
        lines += [*table(title, figures, failed), ""]
        for mark, peer, other in ((5.0, "docker", "podman"), (3.0, "podman", "docker")):
            lines += said(title, verdict(figures, mark, peer, [other] if other in figures else []))
        lines += said(title, _bytes(way, sizes))
        verdicts = [line for line in lines[judged_from:] if "; mark " in line]
        if len(verdicts) == _VERDICTS and all("reached" in line for line in verdicts):
            winners.append(way)
    whole = f"reached by {' and by '.join(winners)}" if winners else "**missed**"
    what = "5 times docker, 3 times podman and the bytes, by one packing"
    return [*lines, *said(f"`{image}`", f"{what}: {whole}")]


def _bytes(way: str, sizes: Mapping[str, int]) -> str:
    """Compare what went over the line with the smaller of the peers' gzip."""
    peers = [size for name, size in sizes.items() if name not in _PACKINGS]
    chosen = {name: size for name, size in sizes.items() if name == way or name not in _PACKINGS}
    shown = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in chosen.items())
    if not peers:
        return f"MB sent: {shown}"
    share, most = sizes[way] / min(peers), _MOST_BYTES[way]
    reached = "reached" if share <= most else "**missed**"
    return (
        f"MB sent: {shown}; of the smallest peer's: {share:.2f}; mark {most:g} at most: {reached}"
    )


def _plain(bench: Bench, layout: str) -> Path:
    """Write the image's largest layer as a plain tar."""
    blobs = Path(layout, "blobs/sha256")
    largest = max(blobs.iterdir(), key=lambda path: path.stat().st_size)
    target = bench.disk / "made.tar"
    with target.open("wb") as sink:
        subprocess.run(["gzip", "-dc", largest], stdout=sink, check=True)
    return target


def _weight(address: str, image: str) -> int:
    kinds = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    url = f"http://{address}/v2/bench/{image}/manifests/v1"
    request = urllib.request.Request(url, headers={"Accept": kinds})
    with urllib.request.urlopen(request) as answer:
        return sum(layer["size"] for layer in json.load(answer)["layers"])


def _copying(tool: Engine, image: str, address: str, target: Path) -> Sequence[str]:
    source = f"docker://{address}/bench/{image}:v1"
    if isinstance(tool, Umoci):
        return ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", source,
                f"oci:{target}:v1"]  # fmt: skip
    return tool.run("copy", "-q", source, f"oci:{target}:v1")


def copy(bench: Bench, images: Sequence[str]) -> list[str]:
    """Copy from the registry to an OCI layout, as skopeo does."""
    lines = ["### Copy, registry to layout", ""]
    tools = tools_of(bench, Lamina, Umoci)
    for image in images:
        bench.publish(image)

        def step(tool: Engine, _: int, image: str = image) -> Figure:
            tool.empty()
            target = tool.folder / "copied"
            try:
                return tool.measure(_copying(tool, image, bench.registry, target))
            finally:
                shutil.rmtree(target, ignore_errors=True)

        lines += judged(f"`{image}`", bench, tools, step, (1.0, "skopeo", []))
    for tool in tools.values():
        tool.stop()
    return lines
