import os
import secrets
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.containers import eventually

from lamina.runtime import cgroups
from lamina.runtime.device_program import attach, compile_rules

RULES = ("c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 r", "b 7:* rw")


def decide(code: bytes, kind: str, major: int, minor: int, access: str) -> int:
    """Interpret the program as the kernel does."""
    wanted = sum({"m": 1, "r": 2, "w": 4}[letter] for letter in access)
    context = struct.pack("<3I", wanted << 16 | {"b": 1, "c": 2}[kind], major, minor)
    rows = list(struct.iter_unpack("<BBhi", code))
    registers = [0] * 10
    at = 0
    while True:
        op, both, offset, value = rows[at]
        at += 1
        target, source = both & 15, both >> 4
        if op == 0x95:
            return registers[0]
        if op == 0x55:
            at += offset if registers[target] != value else 0
        else:
            now = registers[target]
            registers[target] = {
                0x61: int.from_bytes(context[offset : offset + 4], "little"),
                0xBF: registers[source],
                0xB7: value,
                0x57: now & value,
                0x77: now >> max(value, 0),
            }[op]


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (("c", 1, 3, "rw"), 1), (("c", 1, 3, "rwm"), 1), (("c", 1, 5, "r"), 1),
        (("c", 1, 5, "w"), 0), (("c", 1, 5, "rw"), 0), (("c", 1, 4, "r"), 0),
        (("b", 1, 3, "r"), 0), (("b", 7, 200, "rw"), 1), (("b", 8, 0, "r"), 0),
        (("b", 8, 0, "m"), 1), (("c", 99, 99, "m"), 1),
    ],
)  # fmt: skip
def test_what_a_rule_allows_is_allowed_and_nothing_else(asked, allowed):
    assert decide(compile_rules(RULES), *asked) == allowed


def test_one_rule_for_everything_allows_everything():
    assert decide(compile_rules(["a *:* rwm"]), "b", 8, 0, "rw") == 1
    assert decide(compile_rules([]), "c", 1, 3, "r") == 0


@pytest.fixture
def group() -> Iterator[Path]:
    """A group of the unified hierarchy, wherever that is mounted."""
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        top = next(line.split()[4] for line in table if " - cgroup2 " in line)
    folder = Path(top) / f"test-{secrets.token_hex(6)}"
    folder.mkdir()
    yield folder
    assert eventually(lambda: not folder.exists() or _removed(folder))


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


@pytest.mark.root
def test_the_kernel_takes_the_program_and_keeps_to_it(group: Path):
    attach(str(group), (*cgroups.DEVICES, "c 1:8 r"))

    def enter() -> None:
        (group / "cgroup.procs").write_text("0")

    script = "for f in null zero kmsg loop-control; do (: </dev/$f) 2>&- && echo $f; done; true"
    done = subprocess.run(
        ["sh", "-c", script], preexec_fn=enter, capture_output=True, text=True, check=True
    )
    opened = done.stdout.split()
    assert opened == ["null", "zero"]
    assert os.path.exists("/dev/loop-control")
