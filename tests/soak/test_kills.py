"""Kill -9 at any moment of any command, again and again on one root: nothing is lost, nothing stays."""

import os
import random
import time

import pytest
from tests.soak.deeds import deeds
from tests.soak.strikes import AtCall, AtMoment, Strike
from tests.soak.worlds import Deed, World
from tests.soaking import sized

SEED = int(os.environ.get("SOAK_SEED", "20261124"))
KILLS = int(os.environ.get("SOAK_KILLS", "1000"))
DEEDS = os.environ.get("SOAK_DEEDS", "").split()
# How often each kind of call is made at most; past the start of the interpreter, for openat.
CALLS = {
    "rename,renameat,renameat2": (1, 3),
    "fsync": (1, 5),
    "unlink,unlinkat,rmdir": (1, 5),
    "mkdir,mkdirat,symlink,symlinkat,linkat": (1, 5),
    "write,pwrite64": (1, 30),
    "flock": (1, 8),
    "openat": (60, 300),
}


@pytest.mark.timeout(4 * 3600)  # for the soak
def test_kills_at_any_moment_lose_nothing_and_leave_nothing(world: World):
    chance = random.Random(SEED)
    lasting: dict[str, float] = {}
    every = [deed for name, deed in deeds(world).items() if not DEEDS or name in DEEDS]
    killed = tried = 0
    wanted = sized(4, KILLS)
    while killed < wanted:
        deed = chance.choice(every)
        strike = _strike(chance, deed, lasting)
        begun = time.monotonic()
        if world.run(deed, strike):
            killed += 1
        elif isinstance(strike, AtMoment):
            lasting[deed.name] = time.monotonic() - begun
        tried += 1
        assert tried < 20 * wanted, f"only {killed} of {tried} blows hit"
        if tried % 40 == 39:
            assert world.tidy() == []
            print(f"seed {SEED}: {killed} kills of {tried} blows", flush=True)
    assert world.tidy() == []
    print(f"seed {SEED}: {killed} kills of {tried} blows, {world.mended} needed mending")


def _strike(chance: random.Random, deed: Deed, lasting: dict[str, float]) -> Strike:
    untraceable = deed.in_namespace and os.geteuid() != 0
    if untraceable or chance.random() < 0.4:
        return AtMoment(chance.uniform(0, lasting.get(deed.name, 0.6)), group=chance.random() < 0.5)
    calls = chance.choice(list(CALLS))
    return AtCall(calls, chance.randint(*CALLS[calls]))


@pytest.mark.timeout(4 * 3600)
def test_every_window_between_two_calls_is_safe(world: World):
    windows = [
        ("create", "mkdir,mkdirat,symlink,symlinkat,linkat"),
        ("rename", "rename,renameat,renameat2"),
        ("login", "rename,renameat,renameat2"),
        ("save", "mkdir,mkdirat,symlink,symlinkat,linkat"),
    ]
    calls = [kind for kind in CALLS if kind not in ("openat", "write,pwrite64")]
    all_of_them = [(name, kind) for name in deeds(world) for kind in calls]
    for name, kind in (windows, all_of_them)[sized(0, 1)]:
        print(name, kind, flush=True)
        deed = deeds(world)[name]
        if (deed.in_namespace and os.geteuid() != 0) or (DEEDS and name not in DEEDS):
            continue
        number = 1
        while world.run(deed, AtCall(kind, number)):
            number += 1
        assert number > 1 or name not in dict(windows), f"{name} makes no call of {kind}"
    assert world.tidy() == []
