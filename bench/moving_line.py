"""Rows of the bench of moving: what is there already, and a long line. What counts are round trips."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from bench.engines import Engine
from bench.layers_turns import Bench, Figures, in_turn, table, verdict
from bench.meter import Figure, median
from bench.moving_rows import KINDS, fresh, have, pulling, said, sending, tools_of
from tests.latency import LongLine

__all__ = ["again", "far"]

_FAR_S = 0.05
_AGAIN_S = 0.15
_Turns = dict[str, tuple[int, int]]
"""Round trips of a tool, and how many of them were about blobs."""
_Way = tuple[LongLine, Sequence[str]]
"""A line, and the command that goes over it."""


def again(bench: Bench, images: Sequence[str]) -> list[str]:
    """Push and pull an image that is there already, on a quick line."""
    lines = ["### Push and pull again, unchanged", ""]
    tools = tools_of(bench, *KINDS)
    for image in images:
        blobs = bench.publish(image).layers + 1
        with ExitStack() as stack:
            line = stack.enter_context(LongLine(fresh(bench, stack)))
            commands: dict[str, dict[str, Sequence[str]]] = {"push": {}, "pull": {}}
            for name, tool in tools.items():
                have(tool, image)
                commands["push"][name] = sending(tool, image, line.address)
                tool.quietly(commands["push"][name])
                commands["pull"][name] = pulling(tool, image, line.address)
                tool.quietly(commands["pull"][name])
            for verb in ("push", "pull"):
                lines += _repeated(f"`{image}`, {verb} again", bench, line, commands[verb], blobs)
        for tool in tools.values():
            tool.stop()
    return lines


def _repeated(
    title: str, bench: Bench, line: LongLine, commands: dict[str, Sequence[str]], blobs: int
) -> list[str]:
    turns: _Turns = {}

    def step(tool: Engine, _: int) -> Figure:
        before = len(line.requests)
        figure = tool.measure(commands[tool.name])
        turns[tool.name] = _turns(line.requests[before:])
        return figure

    figures, failed = in_turn(bench.times, tools_of(bench, *KINDS), step)
    lines = [*table(title, figures, failed), "", *_trips(title, turns, blobs)]
    return [*lines, *said(title, _at_once(figures))]


def _turns(requests: Sequence[bytes]) -> tuple[int, int]:
    return len(requests), sum(b"/blobs/" in request for request in requests)


def _trips(title: str, turns: _Turns, blobs: int) -> list[str]:
    """Tell the round trips; judge them by the number of blobs, if that is given."""
    shown = ", ".join(f"{name} {count}" for name, (count, _) in turns.items())
    if not blobs:
        return said(title, f"round trips: {shown}")
    ours = turns.get("lamina", (0, 0))[1]
    reached = "reached" if ours <= blobs else "**missed**"
    return said(
        title, f"round trips: {shown}; lamina's for {blobs} blobs: {ours}; mark one each: {reached}"
    )


def _at_once(figures: Figures) -> str:
    """Judge the second time by the clock."""
    if "lamina" not in figures:
        return "**not judged**: lamina is missing"
    wall_s = figures["lamina"].wall_s
    reached = "reached" if wall_s <= _AGAIN_S else "**missed**"
    return f"{wall_s * 1000:.0f} ms; mark {_AGAIN_S * 1000:.0f} ms: {reached}"


def far(bench: Bench, images: Sequence[str]) -> list[str]:
    """Pull and push what is new, and again, over a line of 50 ms for each round trip."""
    lines = [f"### A line of {_FAR_S * 1000:.0f} ms", ""]
    tools = tools_of(bench, *KINDS)
    for image in images:
        blobs = bench.publish(image).layers + 1

        def pulled(tool: Engine, stack: ExitStack, image: str = image) -> _Way:
            tool.empty()
            line = stack.enter_context(LongLine(bench.registry, delay_s=_FAR_S))
            return line, pulling(tool, image, line.address)

        def pushed(tool: Engine, stack: ExitStack, image: str = image) -> _Way:
            line = stack.enter_context(LongLine(fresh(bench, stack), delay_s=_FAR_S))
            return line, sending(tool, image, line.address)

        fetchers = ["skopeo+umoci"]  # it makes nothing of what it fetches
        lines += _twice(f"`{image}`, pull", bench, tools, pulled, blobs, fetchers)
        for tool in tools.values():
            have(tool, image)
        lines += _twice(f"`{image}`, push", bench, tools, pushed, blobs)
        for tool in tools.values():
            tool.stop()
    return lines


def _twice(  # noqa: PLR0917 - one table of six
    title: str,
    bench: Bench,
    tools: dict[str, Engine],
    way: Callable[[Engine, ExitStack], _Way],
    blobs: int,
    without: Sequence[str] = (),
) -> list[str]:
    """Measure the first time and, in the same round, the second."""
    later: dict[str, list[Figure]] = {}
    first: _Turns = {}
    second: _Turns = {}

    def step(tool: Engine, _: int) -> Figure:
        with ExitStack() as stack:
            line, command = way(tool, stack)
            figure = tool.measure(command)
            first[tool.name] = _turns(line.requests)
            before = len(line.requests)
            later.setdefault(tool.name, []).append(tool.measure(command))
            second[tool.name] = _turns(line.requests[before:])
        return figure

    figures, failed = in_turn(bench.times, tools, step)
    lines = []
    unchanged = {name: median(rows) for name, rows in later.items()}
    for words, rows, turns in (("new", figures, first), ("unchanged", unchanged, second)):
        name = f"{title}, {words}"
        lines += [*table(name, rows, failed), ""]
        lines += _trips(name, turns, blobs if rows is unchanged else 0)
        lines += said(name, verdict(rows, 0.0, "peer", [each for each in without if each in rows]))
    return lines
