"""A root that is struck again and again, and what has to be there after each blow."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.commands import Lamina
from tests.containers import eventually
from tests.images import Piece, tar, tiny, write_layout
from tests.servers import RegistryServer
from tests.soak.strikes import AtCall, Strike

from lamina.engine.engine import Engine
from lamina.engine.findings import Health
from lamina.engine.fsck import check
from lamina.engine.mend import mend
from lamina.engine.room import unmount_unused
from lamina.errors import NotFound
from lamina.settings import Settings

__all__ = ["Deed", "World", "leftovers", "opened"]

Ended = subprocess.CompletedProcess[bytes]

_EPOCH = "1700000000"


@dataclass(frozen=True, slots=True)
class Deed:
    """A command that is killed: what makes it possible, and which names it may change.

    `done` tells whether it has had its effect; then a repeat may say that there is nothing to do.
    `whole` asserts what must be true outside of the root, too, at any moment (False) and at the end.
    `in_namespace`: for a plain user it goes through set-user-ID programs, which cannot be traced.
    """

    name: str
    words: tuple[str, ...]
    touches: tuple[str, ...] = ()
    before: Callable[[], object] = lambda: None
    done: Callable[[], bool] = lambda: False
    in_namespace: bool = False
    whole: Callable[[bool], object] = lambda _: None


class World:
    """One root with images and a container that must survive whatever is killed beside them."""

    def __init__(self, folder: Path, lamina: Lamina, registry: RegistryServer) -> None:
        self.folder = folder
        self.lamina = lamina
        self.registry = registry.address
        self.environ = {**lamina.environ, "SOURCE_DATE_EPOCH": _EPOCH}
        self.mended = 0
        self.log = registry.folder / "server.log"
        self._publish()
        lamina("pull", self.at("kept:1"))
        lamina("tag", self.at("kept:1"), "kept")
        (folder / "note").write_text("note\n")
        lamina("pull", self.at("two:1"))
        lamina("tag", self.at("two:1"), "loaded")
        lamina("save", "-o", str(folder / "saved.tar"), "loaded")
        lamina("save", "--since", "kept", "-o", str(folder / "bundle.tar"), "loaded")
        lamina("save", "-o", str(folder / "kept.tar"), "kept")
        lamina("rmi", "loaded", self.at("two:1"))

    def at(self, name: str) -> str:
        """Give `name` at the registry."""
        return f"{self.registry}/{name}"

    def _publish(self) -> None:
        """Put three images into the registry; each shares its lowest layer with the others."""
        low = tar([Piece("./", directory=True, mode=0o755), Piece("low/a", b"a" * 5000)])
        piles = {
            "kept:1": [tiny(), low],
            "two:1": [tiny(), low, tar([Piece("new/implied", os.urandom(300_000))])],
            "two:2": [tiny(), tar([Piece("./", directory=True), Piece("x", os.urandom(3000))])],
        }
        for name, pile in piles.items():
            layout = self.folder / name.replace(":", "-")
            write_layout(layout, pile, tag="it")
            self.lamina("copy", f"oci:{layout}:it", f"docker://{self.at(name)}")

    def has_container(self, name: str) -> bool:
        """Tell whether there is a container of that name."""
        with Engine(self.lamina.settings) as engine:
            return any(record.name == name for record in engine.containers.records())

    def without(self, *names: str) -> None:
        """Remove images that are here."""
        with Engine(self.lamina.settings) as engine:
            for name in names:
                with suppress(NotFound):
                    engine.images.remove(name, force=True)

    def names(self) -> dict[str, str]:
        """Give what each name stands for; an image without a name stands under its digest."""
        with Engine(self.lamina.settings) as engine:
            rows = engine.store.names.all()
            return {row.name or str(row.target.digest): str(row.target.digest) for row in rows}

    def keep(self) -> None:
        """Make the container that has to survive, where a `system prune` took it."""
        if not self.has_container("keeper"):
            self.lamina("create", "--name", "keeper", "kept", "true")
            self.lamina("cp", str(self.folder / "note"), "keeper:/note")

    def run(self, deed: Deed, strike: Strike) -> bool:
        """Strike once, look at everything, and repeat the command; tell whether it was killed."""
        self.keep()
        deed.before()
        before = self.names()
        argv = self.lamina.argv(*deed.words)
        killed = strike.strike(argv, self.environ)
        sign = f"{deed.name} {strike}"
        traced = deed.name == "run" and isinstance(strike, AtCall)
        self.sound(before, deed, sign, shim_hit=killed and traced)
        deed.whole(not killed)
        if killed:
            self._again(deed, sign)
            self.sound(before, deed, f"{sign}, repeated")
            deed.whole(True)  # noqa: FBT003 - its only argument
        return killed

    def fail(
        self,
        deed: Deed,
        run: Callable[[list[str], Mapping[str, str]], Ended],
        *,
        muted: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Let the command fail by `run`, look at everything, and repeat it; tell whether it failed.

        It says what happened and what to do, in plain words, unless it could not speak (`muted`).
        """
        self.keep()
        deed.before()
        before = self.names()
        ended = run(self.lamina.argv(*deed.words), self.environ)
        said = ended.stderr.decode(errors="replace")
        sign = f"{deed.name}, which said {said!r} ({ended.returncode})"
        for bad in ("Traceback", "this is a bug", "Error:", "Errno", "Exception"):
            assert bad not in said, sign
        if ended.returncode:
            assert ended.returncode > 0, sign
            lines = said.splitlines()
            told = [[line for line in lines if line.startswith(w)] for w in ("lamina: ", "hint: ")]
            assert all(told) or muted(), sign
        self.sound(before, deed, sign)
        deed.whole(not ended.returncode)
        if ended.returncode:
            self._again(deed, sign)
            self.sound(before, deed, f"{sign}, repeated")
            deed.whole(True)  # noqa: FBT003 - its only argument
        return ended.returncode != 0

    def _again(self, deed: Deed, sign: str) -> None:
        if deed.done():
            return
        argv = self.lamina.argv(*deed.words)
        done = subprocess.run(argv, env=self.environ, capture_output=True, check=False)
        assert done.returncode == 0, f"{sign}: the repeat said {done}"

    def sound(
        self, before: Mapping[str, str], deed: Deed, sign: str, *, shim_hit: bool = False
    ) -> None:
        """Nothing that was there is lost, and the store is whole or can be made so from what is here.

        `shim_hit`: what was killed may have been a shim, which then unmounts nothing.
        """
        with Engine(self.lamina.settings) as engine:
            report = check(engine)
            if not report.is_clean:
                print(sign, "needed mending:", report.findings)
                self.mended += 1
                report = mend(engine, report)
            assert report.is_clean, f"{sign}: {report}"
        now = self.names()
        for name, digest in before.items():
            if not _touched(name, deed.touches):
                assert now.get(name) == digest, f"{sign}: {name} was {digest}, is {now.get(name)}"
        new = [name for name in now if name not in before and not _touched(name, deed.touches)]
        assert not new, f"{sign}: came from nowhere: {new}"
        places = (self.lamina.settings.root, self.lamina.settings.run_root)
        # The shim of a `run` whose client was killed ends by itself, and its mounts with it.
        gone = eventually(lambda: shim_hit or not list(_mounts(*places)), fail=False)
        if shim_hit:  # then they go with the next command that removes anything
            gone = eventually(self._unmounted, fail=False)
        assert gone, f"{sign}: still mounted: {list(_mounts(*places))}; {_running()}"

    def _unmounted(self) -> bool:
        with Engine(self.lamina.settings) as engine:
            unmount_unused(engine)
            return not list(_mounts(engine.settings.root, engine.settings.run_root))

    def tidy(self) -> list[str]:
        """Sweep as a person would; give what is left that nothing accounts for."""
        if self.has_container("keeper"):
            assert self.lamina("diff", "keeper") == "A /note\n"
        self.lamina("system", "prune", "-f", "--now")
        with Engine(self.lamina.settings) as engine:
            return sorted(leftovers(engine))


@contextmanager
def opened(folder: Path, root: Path, registry: RegistryServer) -> Iterator[World]:
    """Give a new world for the body; nothing of it runs afterwards."""
    run_root = tempfile.mkdtemp(prefix="lamina-")  # short: it holds sockets
    lamina = Lamina(Settings(str(root), run_root, f"{folder}/docker"))
    try:
        yield World(folder, lamina, registry)
    finally:
        lamina.remove_containers()
        shutil.rmtree(run_root, ignore_errors=True)


def _touched(name: str, touches: tuple[str, ...]) -> bool:
    return any(word in name for word in touches)


def _running() -> str:
    """Tell which shims and commands run, for whoever reads of a failure."""
    columns = "pid,ppid,stat,etime,wchan:20,args"
    done = subprocess.run(["ps", "-eo", columns], capture_output=True, text=True, check=False)
    return "\n".join(row for row in done.stdout.splitlines() if "lamina" in row)


def _mounts(*folders: str) -> Iterator[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            target = line.split(" ", 5)[4]
            if any(target == folder or target.startswith(folder + "/") for folder in folders):
                yield target
    if os.geteuid() == 0:
        loops = subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=False)
        yield from (row for row in loops.stdout.splitlines() if any(f in row for f in folders))


def leftovers(engine: Engine) -> Iterator[str]:
    """Give every path under the root and the run root that no image and no container accounts for."""
    root, run_root = engine.settings.root, engine.settings.run_root
    ids = {record.id for record in engine.containers.records()}
    report = check(engine)
    yield from (f.subject for f in report.findings if f.health is not Health.BROKEN)
    with engine.store.sweep(record.image_id for record in engine.containers.records()) as sweep:
        yield from (f"blob {digest}" for digest, _ in sweep.garbage)
        live = {digest.hex for digest in sweep.live.diff_ids}
    kept = {
        "uploads": set(), "leases": {"lock", "names", "names.new", "all"}, "layers/new": set(),
        "layers/sha256": live, "snapshots/new": set(), "snapshots/active": ids,
        "containers": {*ids, "names"},
        "containers/names": {record.name for record in engine.containers.records()},
    }  # fmt: skip
    for folder, names in kept.items():
        found = set(os.listdir(f"{root}/{folder}"))
        yield from (f"{folder}/{name}" for name in found - names)
    sealed = [path for digest, path in engine.layers.files() if digest.hex in live]
    shown = live | {os.path.basename(path) for path in sealed}
    for name in os.listdir(f"{root}/snapshots/unpacked"):
        if name.removesuffix(".unsynced").rpartition("-")[2] not in shown:
            yield f"snapshots/unpacked/{name}"
    for folder in (root, run_root):
        for parent, _, files in os.walk(folder):
            if "/upper" not in parent and "/unpacked" not in parent:
                yield from (f"{parent}/{name}" for name in files if name.endswith("~"))
    for parent in (f"{run_root}/containers",):
        if os.path.isdir(parent):
            yield from (f"{parent}/{name}" for name in os.listdir(parent))
    frozen = (*Path(root).glob("snapshots/frozen/*"), *Path(root).glob("snapshots/names/*"))
    yield from (str(path) for path in frozen if not ids)  # no state can be of use to any
    for controller in Path("/sys/fs/cgroup").glob("*/lamina/*") if os.geteuid() == 0 else ():
        if controller.name in ids:
            yield str(controller)
