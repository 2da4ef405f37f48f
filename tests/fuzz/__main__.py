"""Fuzz for a time: `python -m tests.fuzz --target tar --seconds 60 --seed 1`.

The inputs are made and judged in a child whose memory is bounded; a judgement that takes 20 seconds is a
finding. A finding prints its seed and number, with which `--case` repeats it, and keeps the input below
`.cache/fuzz`. Exit code 1 means that there was one.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

from tests.fuzz.targets import TARGETS, Target

_KEPT = Path(__file__).resolve().parent.parent.parent / ".cache" / "fuzz"
_MEMORY = 1 << 30
_PATIENCE_S = 20.0


class Hang(BaseException):
    """A judgement took too long."""


def main() -> int:
    options = _options()
    if options.child:
        return _child(options)
    code = 0
    targets = [options.target] if options.target else sorted(TARGETS)
    for target in targets:
        code = max(code, _parent(options, target, options.seconds / len(targets)))
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Feed made-up inputs to the readers.")
    parser.add_argument("--target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--inputs", type=int, default=1 << 62, help="end after this many")
    parser.add_argument("--case", type=int, default=-1, help="repeat this one only")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def _parent(options: argparse.Namespace, target: str, seconds: float) -> int:
    """Run children until the time is over; each finding ends one and the next goes on after it."""
    end = time.monotonic() + seconds
    first, findings = max(options.case, 0), 0
    while findings < 10:
        left = max(end - time.monotonic(), 0.1)
        words = [sys.executable, "-m", "tests.fuzz", "--child", "--target", target]
        words += ["--seed", str(options.seed), "--first", str(first), "--seconds", str(left)]
        words += ["--case", str(options.case), "--inputs", str(options.inputs)]
        with tempfile.TemporaryFile("w+") as progress:
            done = subprocess.run(words, stdout=progress, check=False)
            progress.seek(0)
            said = progress.read().split("\n")
        number = int(said[0] or first)
        if not done.returncode:
            print(
                f"fuzz {target}: seed {options.seed}, {number} inputs: {' '.join(said[1:])}",
                flush=True,
            )
            break
        findings += 1
        _keep(options.seed, number, target)
        first = number + 1
        if options.case >= 0 or time.monotonic() > end:
            break
    return 1 if findings else 0


def _keep(seed: int, number: int, target: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = TARGETS[target](Path(folder)).input(Random(f"{seed}:{number}"))
    _KEPT.mkdir(parents=True, exist_ok=True)
    path = _KEPT / f"{target}-{seed}-{number}"
    path.write_bytes(data)
    print(
        f"fuzz {target}: a finding, kept as {path}; repeat it with\n"
        f"  python -m tests.fuzz --target {target} --seed {seed} --case {number}",
        file=sys.stderr,
    )


def _child(options: argparse.Namespace) -> int:
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    signal.signal(signal.SIGALRM, _hang)
    end = time.monotonic() + options.seconds
    words: Counter[str] = Counter()
    number = options.first
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[options.target](Path(folder))
        while True:
            os.pwrite(1, b"%d\n" % number, 0)
            try:
                words[_one(target, options.seed, number)] += 1
            except (Exception, Hang):  # noqa: BLE001 - whatever it is, it is a finding
                traceback.print_exc()
                return 1
            number += 1
            if options.case >= 0 or number >= options.inputs or time.monotonic() > end:
                break
    summary = f"{number}\n" + "\n".join(f"{word} {count}" for word, count in sorted(words.items()))
    os.pwrite(1, summary.encode(), 0)
    return 0


def _one(target: Target, seed: int, number: int) -> str:
    random = Random(f"{seed}:{number}")
    data = target.input(random)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S)
    try:
        return target.judge(data, random)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _hang(*_: object) -> None:
    raise Hang


if __name__ == "__main__":
    sys.exit(main())
