"""Rows of the layer bench: from a registry on loopback to a root that could be entered."""

from collections.abc import Mapping, Sequence

from bench.engines import Engine
from bench.layers_turns import Bench, in_turn, memory_verdict, table, verdict
from bench.meter import Figure

__all__ = ["as_plain_user", "as_root"]

_FLOOR = "curl+gzip+tar"
_MARKS = {"many": 4.0}
_MARK = 3.0
_PLAIN_MARK = 2.0
_PLAIN_MEMORY = 150_000_000


def as_root(bench: Bench, images: Sequence[str]) -> list[str]:
    """Pull each image by every tool, empty store and cold caches."""
    lines = ["### Pull to ready-to-run, root, cold", ""]
    for name in images:
        figures, failed = _pulled(bench, bench.tools, name)
        mark = _MARKS.get(name, _MARK)
        lines += [*table(f"`{name}`", figures, failed), ""]
        lines += _said(name, verdict(figures, mark, "engine", [_FLOOR]))
        if _FLOOR in figures:
            lines += _said(name, verdict(figures, 1.0, "unchecked pipe", _all_but(figures, _FLOOR)))
    return lines


def as_plain_user(bench: Bench, images: Sequence[str]) -> list[str]:
    """The same without privileges: lamina also unpacks, for `lamina create` is part of it."""
    lines = ["### Pull to ready-to-run, plain user, cold", ""]
    for name in images:
        figures, failed = _pulled(bench, bench.plain, name)
        lines += [*table(f"`{name}`", figures, failed), ""]
        others = _all_but(figures, "podman")
        lines += _said(name, verdict(figures, _PLAIN_MARK, "rootless podman", others))
        if "lamina" in figures:
            lines += _said(
                name, memory_verdict("lamina", figures["lamina"].resident, _PLAIN_MEMORY)
            )
    return lines


def _all_but(figures: Mapping[str, Figure], name: str) -> list[str]:
    return [tool for tool in figures if tool not in ("lamina", name)]


def _said(name: str, what: str) -> list[str]:
    print(f"`{name}`: {what}", flush=True)
    return [f"`{name}`: {what}.", ""]


def _pulled(
    bench: Bench, tools: Mapping[str, Engine], name: str
) -> tuple[dict[str, Figure], dict[str, str]]:
    bench.publish(name)

    def pull(tool: Engine, _: int) -> Figure:
        tool.empty()
        try:
            argv = tool.pull(name)
            bench.cold(name)
            return tool.measure(argv)
        finally:
            tool.stop()

    return in_turn(bench.times, tools, pull)
