"""First pull, run, commit and push, with podman beside us in the same run: `make bench`.

Needs root, podman, skopeo and docker-registry. Both tools work on one fresh journaled ext4, on the same
images, from and to the same registry; each repetition starts from an empty store with cold caches. What
counts is the ratio: the machine's own speed cancels out. Writes bench/RESULTS.md.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.meter import Figure, group, measure, median  # noqa: E402 - needs the path above
from bench.results import machine, write_section  # noqa: E402
from bench.surroundings import (  # noqa: E402
    compile_lamina,
    drop_caches,
    first_in_line,
    fresh_disk,
    plain_environ,
    podman_environ,
    registry,
)
from tests.images import Piece, debian, tar, tiny, write_layout  # noqa: E402

PULLS, RUNS, COMMITS, PUSHES = 3, 10, 3, 3


@dataclass(frozen=True, slots=True)
class Tool:
    """One of the two commands, with its environment and how its store is emptied."""

    name: str
    argv: tuple[str, ...]
    environ: dict[str, str]
    insecure: tuple[str, ...]
    root: Path

    def empty(self) -> None:
        """Remove the whole store, mounts included."""
        if self.name == "podman":
            subprocess.run([*self.argv, "system", "reset", "-f"], env=self.environ, check=False,
                           capture_output=True)  # fmt: skip
        with open("/proc/self/mountinfo", encoding="utf-8") as table:
            inside = [line.split(" ")[4] for line in table]
        for mounted in sorted(inside, reverse=True):
            if mounted.startswith(f"{self.root}/"):
                subprocess.run(["umount", "-l", mounted], check=False)
        subprocess.run(["rm", "-rf", self.root], check=True)
        self.root.mkdir(parents=True)

    def quietly(self, *words: str) -> str:
        done = subprocess.run(
            [*self.argv, *words], env=self.environ, check=False, capture_output=True, text=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{self.name} {' '.join(words)}: {done.stderr}")
        return done.stdout.strip()


@dataclass(slots=True)
class Bench:
    """The figures so far, and where everything is."""

    disk: Path
    tools: tuple[Tool, Tool]
    account: Path | None
    address: str
    rows: dict[str, dict[str, Figure]] = field(default_factory=dict)

    def row(self, what: str, times: int, step: Callable[[Tool, int], Figure]) -> None:
        """Measure both tools in turn, so that a busy minute hits both."""
        figures: dict[str, list[Figure]] = {tool.name: [] for tool in self.tools}
        for number in range(times):
            for tool in self.tools:
                figures[tool.name].append(step(tool, number))
        self.rows[what] = {name: median(all_of_it) for name, all_of_it in figures.items()}
        ours, theirs = (self.rows[what][tool.name] for tool in self.tools)
        print(
            f"{what:34} lamina {ours.wall_s:6.2f} s ({ours.cpu_s:5.2f})   podman "
            f"{theirs.wall_s:6.2f} s ({theirs.cpu_s:5.2f})   podman/lamina "
            f"{theirs.wall_s / ours.wall_s:5.1f} wall {theirs.cpu_s / ours.cpu_s:5.1f} CPU",
            flush=True,
        )

    def run(self, tool: Tool, *words: str) -> Figure:
        return measure([*tool.argv, *words], tool.environ, self.account)

    def pulls(self, images: Sequence[str]) -> None:
        for image in images:
            name = f"{self.address}/bench/{image}:v1"

            def pull(tool: Tool, _: int, name: str = name) -> Figure:
                tool.empty()
                drop_caches()
                return self.run(tool, "pull", *tool.insecure, name)

            self.row(f"first pull, {image}", PULLS, pull)

    def runs(self) -> None:
        name = f"{self.address}/bench/tiny:v1"
        for tool in self.tools:
            tool.quietly("pull", *tool.insecure, name)
        self.row(
            "run --rm tiny true", RUNS, lambda tool, _: self.run(tool, "run", "--rm", name, "true")
        )

    def commits(self) -> None:
        name = f"{self.address}/bench/debian:v1"
        few = (
            "for i in 1 2 3 4 5 6 7; do head -c 3000 /dev/urandom > /opt/new$i; done; "
            "echo more >> /etc/issue; echo more >> /etc/profile; rm /etc/motd"
        )
        many = (
            "import os\n"
            "for i in range(9000):\n"
            " os.makedirs(f'/opt/many/{i % 90}', exist_ok=True)\n"
            " open(f'/opt/many/{i % 90}/{i}', 'w').write(str(i) * 99)\n"
        )
        for tool in self.tools:
            tool.quietly("pull", *tool.insecure, name)
            tool.quietly("run", "--name", "few", name, "sh", "-c", few)
            tool.quietly("run", "--name", "many", name, "python3", "-c", many)
        for container, what in (("few", "commit, 10 changes"), ("many", "commit, 9,000 new files")):

            def commit(tool: Tool, number: int, container: str = container) -> Figure:
                drop_caches()
                return self.run(tool, "commit", container, f"made/{container}:{number}")

            self.row(what, COMMITS, commit)

    def pushes(self) -> None:
        def push(tool: Tool, number: int) -> Figure:
            with registry(self.disk / f"push-{tool.name}-{number}") as address:
                name = f"{address}/bench/debian:v1"
                tool.quietly("tag", f"{self.address}/bench/debian:v1", name)
                drop_caches()
                return self.run(tool, "push", *tool.insecure, name)

        self.row("push, debian, every blob new", PUSHES, push)

    def listings(self) -> None:
        self.row("images", RUNS, lambda tool, _: self.run(tool, "images"))


def many_files() -> bytes:
    """Give a layer of many small files: this machine's own Python library, some times over."""
    library = Path(os.__file__).parent
    bodies = [
        (str(path.relative_to(library)), path.read_bytes())
        for path in sorted(library.rglob("*.py"))
        if path.is_file()
    ]
    pieces = []
    copy = 0
    while len(pieces) < 40_000:
        pieces += [Piece(f"opt/{copy}/{name}", body + str(copy).encode()) for name, body in bodies]
        copy += 1
    return tar(pieces)


def publish(folder: Path, address: str) -> None:
    """Put the images into the registry: small, three layers of Debian, many files."""
    images: dict[str, list[bytes | Path]] = {
        "tiny": [tiny()],
        "debian": list(debian().layers),
        "many": [tiny(), many_files()],
    }
    for name, layers in images.items():
        write_layout(folder / name, layers, tag="v1", level=6)
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false",
             f"oci:{folder / name}:v1", f"docker://{address}/bench/{name}:v1"],
            check=True,
        )  # fmt: skip


def write_results(bench: Bench) -> None:
    podman = bench.tools[1].quietly("--version")
    lines = [
        (
            f"{machine('make bench BENCH=chapter')}, {podman} with runc. Seconds of wall time, CPU "
            "seconds in brackets, medians."
        ),
        "",
        "| what | lamina | podman | podman ÷ lamina, wall | podman ÷ lamina, CPU |",
        "|---|---|---|---|---|",
    ]
    for what, figures in bench.rows.items():
        ours, theirs = figures["lamina"], figures["podman"]
        lines.append(
            f"| {what} | {ours.wall_s:.2f} ({ours.cpu_s:.2f}) | {theirs.wall_s:.2f} "
            f"({theirs.cpu_s:.2f}) | {theirs.wall_s / ours.wall_s:.1f} | "
            f"{theirs.cpu_s / ours.cpu_s:.1f} |"
        )
    lines += [
        "",
        (
            "One fresh ext4 with a journal on a loop device for both; the same images from the same registry "
            "(distribution's) on loopback; an empty store and cold caches before each pull; the two tools in "
            "turn, so that a busy minute hits both. Absolute times are this machine's; the ratios are what "
            "carries over. `debian` is three layers made by mmdebstrap, `many` has over 40,000 small files in "
            "one layer. podman unpacks layers as it pulls and compresses them again as it pushes; lamina keeps "
            "both the tar and the compressed blob, so it needs more room on disk and less work."
        ),
        "",
    ]
    write_section("Pull, run, commit and push", lines)


def main() -> None:
    if os.geteuid():
        raise SystemExit("bench: needs root, for a loop-mounted disk and cold caches")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is put away
    compile_lamina()
    with (
        first_in_line(),
        fresh_disk() as disk,
        group() as account,
        registry(disk / "registry") as address,
    ):
        publish(disk / "images", address)
        ours = Tool(
            "lamina",
            (str(Path(sys.executable).with_name("lamina")),),
            {**plain_environ(), "LAMINA_ROOT": str(disk / "lamina/root"),
             "LAMINA_RUN_ROOT": str(disk / "lamina/run"), "DOCKER_CONFIG": str(disk / "docker"),
             "LAMINA_UNDO": "off"},
            (),
            disk / "lamina",
        )  # fmt: skip
        podman = podman_environ(disk / "podman-config")
        storage = ("--root", str(disk / "podman/root"), "--runroot", str(disk / "podman/run"))
        theirs = Tool(
            "podman", ("podman", *storage), podman, ("--tls-verify=false",), disk / "podman"
        )
        bench = Bench(disk, (ours, theirs), account, address)
        bench.pulls(["tiny", "debian", "many"])
        bench.runs()
        bench.commits()
        bench.pushes()
        bench.listings()
        write_results(bench)
        for tool in bench.tools:
            tool.quietly("rm", "-f", "few", "many")
            tool.empty()
    print(f"written: {ROOT / 'bench' / 'RESULTS.md'}")


if __name__ == "__main__":
    main()
