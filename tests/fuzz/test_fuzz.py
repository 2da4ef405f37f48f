"""Fuzzing, a little each time: `make fuzz` goes on for hours."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from tests.fuzz.targets import TARGETS
from tests.soaking import sized


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_nothing_that_is_fed_to_a_reader_breaks_it(target: str):
    # Always the same inputs, so that a change is judged by what it changed; `make fuzz` has new ones.
    words = [
        sys.executable,
        "-m",
        "tests.fuzz",
        "--target",
        target,
        "--seed",
        "2",
        "--seconds",
        "200",
    ]
    words += ["--inputs", str(sized(1500, 12000))]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=220)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "inputs" in done.stdout


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_a_seed_and_a_number_name_an_input_for_ever(tmp_path: Path, target: str):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = TARGETS[target](tmp_path / "one"), TARGETS[target](tmp_path / "two")
    inputs = [one.input(Random(f"5:{number}")) for number in range(50)]
    assert inputs == [two.input(Random(f"5:{number}")) for number in range(50)]
    assert len(set(inputs)) > 25


def test_a_finding_is_kept_and_says_how_to_repeat_it(tmp_path: Path):
    code = (
        "import sys\n"
        "from tests.fuzz import __main__, targets\n"
        "class Bad(targets.Target):\n"
        "    def input(self, random): return random.randbytes(5)\n"
        "    def judge(self, data, random): assert data[0] > 16; return 'fine'\n"
        "targets.TARGETS['tar'] = Bad\n"
        "sys.argv = ['fuzz', '--child', '--target', 'tar', '--seconds', '100', '--seed', '1']\n"
        "sys.exit(__main__.main())\n"
    )
    with (tmp_path / "progress").open("w+") as progress:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=progress, stderr=subprocess.PIPE, check=False
        )
        progress.seek(0)
        number = int(progress.readline())
    assert done.returncode == 1
    assert b"AssertionError" in done.stderr
    assert Random(f"1:{number}").randbytes(5)[0] <= 16
