"""Row of the layer bench: commit with 10, 10,000 and 60,000 changed files."""

from collections.abc import Sequence

from bench.engines import Engine, Runner
from bench.layers_turns import Bench, in_turn, table, verdict
from bench.meter import Figure
from bench.surroundings import drop_caches

__all__ = ["commit"]

_MARK = 3.0
# New files of 3 kB, files of the image appended to, files of the image removed.
_CHANGES = {10: (7, 2, 1), 10_000: (8_900, 1_000, 100), 60_000: (53_400, 6_000, 600)}
_SCRIPT = """
import os, random, sys
new, more, gone = map(int, sys.argv[1:])
files = []
for top in ("/usr/share", "/usr/lib", "/etc", "/var/lib"):
    for folder, _, names in os.walk(top):
        for name in names:
            path = folder + "/" + name
            if os.path.isfile(path) and not os.path.islink(path) and os.stat(path).st_nlink == 1:
                files.append(path)
files.sort(key=lambda path: (path.startswith(("/usr/lib/python3", "/usr/lib/x86_64", "/usr/lib/aarch64")), path))
more = min(more, len(files) - gone)
new += int(sys.argv[2]) - more
for number in range(new):
    folder = f"/srv/new/{number // 100}"
    if number % 100 == 0:
        os.makedirs(folder)
    with open(f"{folder}/{number}", "wb") as file:
        file.write(random.Random(number).randbytes(1500).hex().encode())
for path in files[:more]:
    with open(path, "ab") as file:
        file.write(b"more")
for path in files[more : more + gone]:
    os.unlink(path)
"""


def commit(bench: Bench, images: Sequence[str]) -> list[str]:
    """Make the same changes in a container of each engine, then commit it, warm and cold."""
    lines = ["### Commit", ""]
    name = images[0]
    bench.publish(name)
    runners = {key: tool for key, tool in bench.tools.items() if isinstance(tool, Runner)}
    for tool in runners.values():
        tool.empty()
        tool.quietly(tool.pull(name))
        for count, change in _CHANGES.items():
            argv = ["python3", "-c", _SCRIPT, *map(str, change)]
            tool.changed(name, f"changed{count}", argv)
    for count in _CHANGES:
        warmed: set[str] = set()
        for cold in (False, True):

            def step(
                tool: Engine,
                number: int,
                count: int = count,
                cold: bool = cold,
                warmed: set[str] = warmed,
            ) -> Figure:
                assert isinstance(tool, Runner)
                if cold:
                    drop_caches()
                elif tool.name not in warmed:  # what came before has left other pages in memory
                    warmed.add(tool.name)
                    tool.quietly(tool.commit(f"changed{count}", f"made/{count}:warm"))
                    tool.quietly(tool.run("rmi", f"made/{count}:warm"))
                made = f"made/{count}-{cold:d}:{number}"
                figure = tool.measure(tool.commit(f"changed{count}", made))
                tool.quietly(tool.run("rmi", made))
                return figure

            figures, failed = in_turn(bench.times, runners, step)
            state = "cold" if cold else "warm"
            what = f"{count:,} changed files, {state}"
            lines += [*table(what, figures, failed), ""]
            lines += [f"{what}: {verdict(figures, _MARK, 'engine')}.", ""]
            print(lines[-2], flush=True)
    for tool in runners.values():
        tool.stop()
    return lines
