"""Rows of the layer bench: from a registry on loopback to a root that could be entered."""

from collections.abc import Callable, Sequence

from bench.engines import Engine
from bench.layers_turns import Bench, in_turn, table, verdict
from bench.meter import Figure

__all__ = ["Row", "as_root"]

Row = Callable[[Bench, Sequence[str]], list[str]]
_FLOOR = "curl|gzip|tar"
_MARKS = {"many": 4.0}
_MARK = 3.0


def as_root(bench: Bench, images: Sequence[str]) -> list[str]:
    """Pull each image by every tool, empty store and cold caches."""
    lines = ["### Pull to ready-to-run, root, cold", ""]
    for name in images:
        bench.publish(name)

        def pull(tool: Engine, _: int, name: str = name) -> Figure:
            tool.empty()
            try:
                argv = tool.pull(name)
                bench.cold(name)
                return tool.measure(argv)
            finally:
                tool.stop()

        figures, failed = in_turn(bench.times, bench.tools, pull)
        engines = verdict(figures, _MARKS.get(name, _MARK), "engine", [_FLOOR])
        lines += [*table(f"`{name}`", figures, failed), "", f"`{name}`: {engines}."]
        if _FLOOR in figures:
            others = [tool for tool in figures if tool not in ("lamina", _FLOOR)]
            lines.append(f"`{name}`: {verdict(figures, 1.0, 'unchecked pipe', others)}.")
        lines.append("")
        print("\n".join(lines[-3:]), flush=True)
    return lines
