"""Images of more layers than the kernel stacks, from end to end, as people use them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.archives import archive
from tests.commands import Lamina
from tests.containers import world
from tests.images import Piece, tar, tiny
from tests.servers import HubServer
from tests.store.disks import mounted

from lamina.engine.engine import Engine
from lamina.engine.requests import CreateRequest
from lamina.settings import Settings
from lamina.spec.wire import decode

pytestmark = pytest.mark.root

# tests/contracts/test_deep_piles.py has more than 500; here the limit is lowered, to be quicker.
COUNT, MOST = 40, "max-lowers=12"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A quick disk: thousands of small files are synced one by one."""
    with mounted(tmp_path / "disk", "500m") as place:
        yield place


def image(name: str, count: int) -> bytes:
    """An archive of busybox under layers of a file each; one takes the first file away."""
    root = Piece("./", directory=True, mode=0o755)
    layers = [tar([root, Piece(f"f{n}", b"%d\n" % n)]) for n in range(count - 1)]
    layers[9] = tar([root, Piece(".wh.f0")])
    steps: list[dict[str, object]] = [{"created_by": f"step {n}"} for n in range(count)]
    return archive(name, layers=[tiny(), *layers], steps=steps)


def test_an_image_of_more_layers_than_a_union_takes_goes_all_the_way(
    disk: Path, tmp_path: Path, hub_folder: Path
):
    with world(disk / "a") as lamina, HubServer(hub_folder) as hub, world(disk / "b") as other:
        hub.register("ann", "correct horse")
        for engine in (lamina, other):
            engine.environ["LAMINA_STORAGE_OPT"] = MOST
        name = f"{hub.address}/ann/deep:2"
        assert "deep:1" in lamina("load", stdin=image("deep:1", COUNT))
        said = lamina("run", "--name", "c1", "deep:1", "sh", "-c", f"{LOOK}; rm /f7; echo new >/n")
        assert said == f"1\n{COUNT - 2}\ngone\n"
        assert lamina("diff", "c1") == "D /f7\nA /n\n"
        merged = [
            path
            for _, _, names in os.walk(disk / "a" / "root" / "layers" / "merged")
            for path in names
        ]
        assert len(merged) == 1
        lamina("commit", "c1", name)
        for engine in (lamina, other):
            engine("login", "-u", "ann", "--password-stdin", hub.address, stdin="correct horse")
        lamina("push", name)
        other("pull", name)
        layers = decode(other("image", "inspect", name, "-f", "{{json .RootFS}}").encode(), what="")
        assert len(layers["Layers"]) == COUNT + 1
        script = f"{LOOK}; cat /n; ls /f7"
        ran = other.attempt("run", "--rm", name, "sh", "-c", script)
        assert ran.out == f"1\n{COUNT - 2}\ngone\nnew\n"
        assert "/f7: No such file" in ran.err
        other("rmi", "--now", name)
        assert os.listdir(disk / "b" / "root" / "layers" / "merged") == []


LOOK = f"cat /f1 /f{COUNT - 2}; test -e /f0 || echo gone"


@pytest.fixture
def hub_folder(disk: Path) -> Path:
    (disk / "hub").mkdir()
    return disk / "hub"


def test_130_commits_one_upon_the_other_run(disk: Path):
    """A user's complaint elsewhere: `max depth exceeded` after 125 commits (moby 20298)."""
    with world(disk / "a") as lamina:
        settings = lamina.settings
        name = "tiny"
        with Engine(settings) as engine:
            for number in range(130):
                container = engine.containers.create(CreateRequest(name, command=("true",))).id
                upper = engine.snapshotter.stack(container).upper
                Path(upper, f"f{number}").write_text(f"{number}\n", encoding="ascii")
                engine.commit(container, "grown")
                engine.containers.remove(container)
                name = "grown"
        assert lamina("run", "--rm", "grown", "cat", "/f0", "/f64", "/f129") == "0\n64\n129\n"
        assert lamina("history", "-q", "grown").count("\n") == 131
        assert_same_with_few_lowers(lamina, settings)


def assert_same_with_few_lowers(lamina: Lamina, settings: Settings) -> None:
    """Merged to 8, unpacked or sealed, it is the same image; `sealed` or not is all one to it."""
    for driver in ("sealed", "unpacked"):
        words = ("--storage-driver", driver, "--storage-opt", "max-lowers=8")
        said = lamina(*words, "run", "--rm", "grown", "cat", "/f0", "/f64", "/f129")
        assert said == "0\n64\n129\n"
    assert os.listdir(f"{settings.root}/layers/merged")
