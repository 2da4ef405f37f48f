"""Rows of the bench of moving. Each push goes to a repository whose registry lacks the blobs."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.engines import Containerd, Docker, Engine, Lamina, Podman, Umoci
from bench.layers_turns import Bench, in_turn, table, verdict
from bench.meter import Figure
from bench.surroundings import registry
from tests.latency import LongLine

__all__ = ["again", "copy", "far", "pack", "push"]

_FAR_S = 0.05
_PACKINGS = {
    "zstd 3": ("--compression-format", "zstd", "--compression-level", "3"),
    "gzip, isal 2": ("--compression-format", "gzip", "--compression-level", "2"),
}
_KINDS = (Lamina, Podman, Docker, Containerd, Umoci)


def _tools(bench: Bench, *kinds: type[Engine]) -> dict[str, Engine]:
    return {name: tool for name, tool in bench.tools.items() if isinstance(tool, kinds)}


def _have(tool: Engine, image: str) -> None:
    """Give the tool the image: out of the registry, skopeo as a layout."""
    tool.empty()
    if isinstance(tool, Umoci):
        tool.quietly(["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false",
                      f"docker://{tool.reference(image)}", f"oci:{tool.folder}/layout:v1"])  # fmt: skip
    elif isinstance(tool, Lamina):
        tool.quietly(tool.run("pull", "--no-unpack", tool.reference(image)))
    else:
        tool.quietly(tool.pull(image))


def _sending(tool: Engine, image: str, address: str, *more: str) -> Sequence[str]:
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


def _fresh(bench: Bench, stack: ExitStack) -> str:
    """Start a registry that has nothing; its folder goes with it."""
    folder = bench.disk / "empty-registry"
    shutil.rmtree(folder, ignore_errors=True)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return stack.enter_context(registry(folder))


def _judged(
    title: str, bench: Bench, tools: dict[str, Engine], step: Callable[[Engine, int], Figure],
    *marks: tuple[float, str, Sequence[str]],
) -> list[str]:  # fmt: skip
    figures, failed = in_turn(bench.times, tools, step)
    lines = [*table(title, figures, failed), ""]
    for mark, peers, without in marks:
        said = verdict(figures, mark, peers, [name for name in without if name in figures])
        print(f"{title}: {said}", flush=True)
        lines += [f"{title}: {said}.", ""]
    return lines


def push(bench: Bench, images: Sequence[str]) -> list[str]:
    """Push what was pulled: every blob new there; engines that keep no blobs pack them again."""
    lines = ["### Push, every blob new", ""]
    tools = _tools(bench, *_KINDS)
    for image in images:
        bench.publish(image)
        for tool in tools.values():
            _have(tool, image)

        def step(tool: Engine, _: int, image: str = image) -> Figure:
            with ExitStack() as stack:
                return tool.measure(_sending(tool, image, _fresh(bench, stack)))

        keepers = ["containerd", "skopeo+umoci"]
        lines += _judged(
            f"`{image}`", bench, tools, step,
            (3.0, "engine that packs", keepers), (1.0, "mover", ["podman", "docker", "containerd"]),
        )  # fmt: skip
        for tool in tools.values():
            tool.stop()
    return lines


def again(bench: Bench, images: Sequence[str]) -> list[str]:
    """Push an image that is there already."""
    lines = ["### Push again, unchanged", ""]
    tools = _tools(bench, *_KINDS)
    for image in images:
        bench.publish(image)
        with ExitStack() as stack:
            address = _fresh(bench, stack)
            commands = {}
            for name, tool in tools.items():
                _have(tool, image)
                commands[name] = _sending(tool, image, address)
                tool.quietly(commands[name])
            lines += _judged(
                f"`{image}`", bench, tools,
                lambda tool, _, commands=commands: tool.measure(commands[tool.name]),
                (1.0, "peer", []),
            )  # fmt: skip
        for tool in tools.values():
            tool.stop()
    return lines


def pack(bench: Bench, images: Sequence[str]) -> list[str]:
    """Push layers that were made here: the image's largest, imported, packed on its way."""
    lines = ["### Push of layers made here, packing included", ""]
    for image in images:
        tar = _plain(bench, bench.publish(image).layout)
        tools = _tools(bench, Lamina, Podman, Docker)
        for tool in tools.values():
            _imported(tool, tar, image)
        for title in _PACKINGS:
            lines += _packed(bench, tools, tar, image, title)
        for tool in tools.values():
            tool.stop()
        tar.unlink()
    return lines


def _imported(tool: Engine, tar: Path, image: str) -> None:
    tool.empty()
    tool.quietly(tool.run("import", str(tar), tool.reference(image)))


def _packed(bench: Bench, tools: dict[str, Engine], tar: Path, image: str, title: str) -> list[str]:
    sizes: dict[str, int] = {}

    def step(tool: Engine, _: int) -> Figure:
        more = _PACKINGS[title] if isinstance(tool, Lamina) else ()
        if more:  # it must not know of an earlier packing
            _imported(tool, tar, image)
        with ExitStack() as stack:
            address = _fresh(bench, stack)
            figure = tool.measure(_sending(tool, image, address, *more))
            sizes[tool.name] = _weight(address, image)
        return figure

    marks = ((5.0, "docker", ["podman"]), (3.0, "podman", ["docker"]))
    lines = _judged(f"`{image}`, {title}", bench, tools, step, *marks)
    said = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in sizes.items())
    print(f"MB sent: {said}", flush=True)
    return [*lines, f"MB of the layer as sent: {said}.", ""]


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
    tools = _tools(bench, Lamina, Umoci)
    for image in images:
        bench.publish(image)

        def step(tool: Engine, _: int, image: str = image) -> Figure:
            tool.empty()
            target = tool.folder / "copied"
            try:
                return tool.measure(_copying(tool, image, bench.registry, target))
            finally:
                shutil.rmtree(target, ignore_errors=True)

        lines += _judged(f"`{image}`", bench, tools, step, (1.0, "skopeo", []))
    for tool in tools.values():
        tool.stop()
    return lines


def far(bench: Bench, images: Sequence[str]) -> list[str]:
    """Push what is new, push it again, and copy it back over a line of 50 ms for each round trip."""
    lines = [f"### A line of {_FAR_S * 1000:.0f} ms", ""]
    tools = _tools(bench, *_KINDS)
    for image in images:
        bench.publish(image)
        for tool in tools.values():
            _have(tool, image)
        turns: dict[str, int] = {}

        def pushed(
            tool: Engine, _: int, image: str = image, turns: dict[str, int] = turns
        ) -> Figure:
            with ExitStack() as stack:
                address = _fresh(bench, stack)
                line = stack.enter_context(LongLine(address, delay_s=_FAR_S))
                figure = tool.measure(_sending(tool, image, line.address))
                turns[tool.name] = line.turns
            return figure

        def repeated(
            tool: Engine, _: int, image: str = image, turns: dict[str, int] = turns
        ) -> Figure:
            with ExitStack() as stack:
                address = _fresh(bench, stack)
                line = stack.enter_context(LongLine(address, delay_s=_FAR_S))
                command = _sending(tool, image, line.address)
                tool.quietly(command)
                before = line.turns
                figure = tool.measure(command)
                turns[tool.name] = line.turns - before
            return figure

        for title, step in (("every blob new", pushed), ("unchanged", repeated)):
            lines += _judged(f"`{image}`, {title}", bench, tools, step, (1.0, "peer", []))
            said = ", ".join(f"{name} {count}" for name, count in turns.items())
            lines += [f"Round trips: {said}.", ""]
        for tool in tools.values():
            tool.stop()
    return lines
