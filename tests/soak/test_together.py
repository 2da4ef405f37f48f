"""Many commands at once on one root: each ends well, and the end is one that some order would give."""

import os
import random
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.containers import eventually
from tests.soak.worlds import World
from tests.soaking import sized

from lamina.engine.engine import Engine
from lamina.engine.fsck import check

SEED = int(os.environ.get("SOAK_SEED", "20261124"))
ABSENT = ""
GONE = ("No such image", "No such container")


@dataclass(frozen=True, slots=True)
class Done:
    """One command that ended well: what it made a name stand for, and between which moments."""

    name: str
    target: str
    begun: float
    ended: float


@dataclass(frozen=True, slots=True)
class Act:
    """A command, and the name it changes, if any: to what. `may_miss`: its object may be gone."""

    words: Sequence[str]
    name: str = "-"
    target: str = ABSENT
    may_miss: bool = False


def acts(world: World, number: int) -> list[Act]:
    """List what one of several people may do; images `kept` and `two:1` are never removed by name."""
    at, own = world.at, f"own-{number}"
    names = world.names()
    kept, two = (names[f"docker.io/library/{name}:latest"] for name in ("kept", "loaded"))
    moved = "docker.io/library/moved:latest"
    return [
        Act(("tag", "kept", "moved"), moved, kept),
        Act(("tag", "loaded", "moved"), moved, two),
        Act(("rmi", "-f", "moved"), moved, may_miss=True),
        Act(("rmi", "-f", "--now", "moved"), moved, may_miss=True),
        Act(("pull", "-q", at("two:1")), at("two:1"), two),
        Act(("rmi", "-f", at("two:1")), at("two:1"), may_miss=True),
        Act(("rmi", "-f", "--now", at("two:1")), at("two:1"), may_miss=True),
        Act(("pull", "-q", at("two:2"))),
        Act(("rmi", "-f", "--now", at("two:2")), may_miss=True),
        Act(("load", "-q", "-i", str(world.folder / "saved.tar"))),
        Act(("save", "-o", str(world.folder / f"{own}.tar"), "kept", "loaded")),
        Act(("commit", "keeper", own)),
        Act(("rmi", "-f", own), may_miss=True),
        Act(("create", "--name", own, "loaded", "true")),
        Act(("rm", "-f", own), may_miss=True),
        Act(("run", "--rm", "kept", "true")),
        Act(("image", "prune", "-f", "--now")),
        Act(("image", "prune", "-f")),
        Act(("images", "-a")),
        Act(("system", "df")),
    ]


def test_the_end_of_commands_side_by_side_is_one_that_some_order_gives(world: World):
    world.keep()
    if "docker.io/library/loaded:latest" not in world.names():
        world.lamina("load", "-i", str(world.folder / "saved.tar"))
    before = [Done(name, target, 0, 0) for name, target in world.names().items()]
    for round_number in range(sized(1, 40)):
        people = sized(4, 8)
        failures: list[str] = []
        done: list[Done] = list(before)
        threads = [
            threading.Thread(target=_live, args=(world, acts(world, number), seed, done, failures))
            for number in range(people)
            for seed in [f"{SEED} {round_number} {number}"]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures
        _compare(done, world.names())
        with Engine(world.lamina.settings) as engine:
            assert check(engine).is_clean, check(engine)
        for number in range(people):
            world.lamina.attempt("rm", "-f", f"own-{number}")
            world.without(f"own-{number}")
        before = [Done(name, target, 0, 0) for name, target in world.names().items()]
    world.without("moved", world.at("two:1"), world.at("two:2"), "loaded")
    assert world.tidy() == []


def _live(
    world: World, chances: list[Act], seed: str, done: list[Done], failures: list[str]
) -> None:
    chance = random.Random(seed)
    here = False  # a container of one's own name
    for _ in range(sized(6, 12)):
        act = chance.choice(chances)
        if act.words[0] == "create":
            if here:
                continue
            here = True
        if act.words[:2] == ("rm", "-f"):
            here = False
        begun = time.monotonic()
        ended = subprocess.run(
            world.lamina.argv(*act.words),
            env=world.environ, stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        said = ended.stderr.decode(errors="replace")
        if ended.returncode == 0:
            done.append(Done(act.name, act.target, begun, time.monotonic()))
        elif not (act.may_miss and any(text in said for text in GONE)):
            failures.append(f"{act.words}: {ended.returncode} {said}")


def _compare(done: list[Done], names: dict[str, str]) -> None:
    """Each name stands for what one of the commands gave it that nothing is known to have followed."""
    for name in ("docker.io/library/moved:latest",):
        rows = [row for row in done if row.name == name]
        last = {
            row.target for row in rows if not any(other.begun > row.ended for other in rows)
        } or {ABSENT}
        assert names.get(name, ABSENT) in last, (name, names.get(name), last)


def test_pulls_at_once_download_each_layer_once(world: World):
    names = world.names()
    kept = names["docker.io/library/kept:latest"]
    world.without(*(name for name, target in names.items() if target != kept))
    assert world.tidy() == []
    before = _downloads(world)
    pulls = [world.lamina.start("pull", "-q", world.at("two:1")) for _ in range(sized(6, 20))]
    said = [(pull.communicate(timeout=120), pull.returncode) for pull in pulls]
    assert [code for _, code in said] == [0] * len(pulls), said
    with Engine(world.lamina.settings) as engine:
        layers = engine.images.resolve(world.at("two:1")).manifest.layers

    def counts() -> list[int]:
        after = _downloads(world)
        return [after.count(row.digest.hex) - before.count(row.digest.hex) for row in layers]

    eventually(lambda: any(counts()))  # the registry writes its log after the last byte went out
    assert counts() == [0, 0, 1]  # the lower two are those of `kept`


def _downloads(world: World) -> str:
    """Give the registry's log of blobs that were sent."""
    lines = world.log.read_text(errors="replace").splitlines()
    return "\n".join(line for line in lines if '"GET /v2/' in line and "/blobs/" in line)
