"""Limits as people write them: read, checked in Docker's words, warned of."""

import os
from collections.abc import Iterator
from contextlib import suppress

from lamina.errors import Invalid
from lamina.spec.limits import RLIMITS, Limits
from lamina.spec.wire import Document
from lamina.values import NamedTuple

__all__ = [
    "LimitInvalid",
    "Ulimit",
    "check_limits",
    "check_score",
    "discarded",
    "reason",
]

_LEAST_MEMORY = 6 << 20
_NANO = 1_000_000_000
_OOM = 1000
_WORDS = {
    "memory": "memory limit capabilities",
    "cpu": "CPU cfs period/quota or shares",
    "cpuset": "cpuset",
    "pids": "pids limit capabilities",
    "io": "Block I/O",
}


class LimitInvalid(Invalid):
    """A limit that makes no sense, or that this machine cannot keep."""

    exit_code = 125


class Ulimit(NamedTuple):
    """One `--ulimit`: its name, and the soft and the hard limit; -1 is no end."""

    name: str
    soft: int
    hard: int

    @classmethod
    def parse(cls, text: str) -> "Ulimit":
        """Read `nofile=1024[:2048]`. Raises: LimitInvalid."""
        name, equals, rest = text.partition("=")
        if not (name and equals):
            raise LimitInvalid(f"invalid ulimit argument: {text}", hint="write nofile=1024:2048")
        if name not in RLIMITS:
            raise LimitInvalid(f"invalid ulimit type: {name}", hint=f"one of {', '.join(RLIMITS)}")
        soft, colon, hard = rest.partition(":")
        try:
            pair = int(soft), int(hard if colon else soft)
        except ValueError:
            raise LimitInvalid(f"invalid ulimit argument: {text}", hint="numbers, or -1") from None
        if pair[1] >= 0 and (pair[0] > pair[1] or pair[0] < 0):
            raise LimitInvalid(
                f"ulimit soft limit must be less than or equal to hard limit: {pair[0]} > {pair[1]}"
            )
        return cls(name, *pair)

    def to_json(self) -> Document:
        """Give it as Docker's HostConfig has it."""
        return {"Name": self.name, "Hard": self.hard, "Soft": self.soft}


def check_limits(limits: Limits) -> None:
    """Refuse limits that contradict each other or that this machine lacks. Raises: LimitInvalid."""
    memory, both = limits.memory, limits.memory_swap
    if memory and memory < _LEAST_MEMORY:
        raise LimitInvalid("Minimum memory limit allowed is 6MB", hint="--memory 64m, for example")
    if both > 0 and not memory:
        raise LimitInvalid(
            "You should always set the Memory limit when using Memoryswap limit, see usage",
            hint="--memory-swap counts memory and swap together",
        )
    if 0 < both < memory:
        raise LimitInvalid(
            "Minimum memoryswap limit should be larger than memory limit, see usage",
            hint="--memory-swap counts memory and swap together",
        )
    if limits.memory_reservation and limits.memory_reservation < _LEAST_MEMORY:
        raise LimitInvalid("Minimum memory reservation allowed is 6MB")
    if memory and limits.memory_reservation > memory:
        raise LimitInvalid(
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        )
    if limits.swappiness not in range(-1, 101):
        raise LimitInvalid(
            f"Invalid value: {limits.swappiness}, valid memory swappiness range is 0-100"
        )
    _check_processors(limits)


def _check_processors(limits: Limits) -> None:
    cpus = os.cpu_count() or 1
    if limits.nano_cpus and (limits.cpu_period or limits.cpu_quota):
        which = "Period" if limits.cpu_period else "Quota"
        raise LimitInvalid(f"Conflicting options: Nano CPUs and CPU {which} cannot both be set")
    if limits.nano_cpus and not _NANO // 100 <= limits.nano_cpus <= cpus * _NANO:
        raise LimitInvalid(
            f"range of CPUs is from 0.01 to {cpus:.2f}, as there are only {cpus} CPUs available"
        )
    if limits.cpu_period and not 1000 <= limits.cpu_period <= 1_000_000:  # noqa: PLR2004 - microseconds
        raise LimitInvalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s")
    if 0 < limits.cpu_quota < 1000:  # noqa: PLR2004
        raise LimitInvalid("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    _check_set(limits.cpuset_cpus, "/sys/devices/system/cpu/online", "CPUs", "cpus")
    _check_set(limits.cpuset_mems, "/sys/devices/system/node/online", "memory nodes", "mems")


def _check_set(text: str, path: str, what: str, name: str) -> None:
    if not text:
        return
    try:
        with open(path, encoding="ascii") as file:
            there = file.read().strip()
    except OSError:
        return
    try:
        wanted = set(_numbers(text))
    except ValueError:
        raise LimitInvalid(
            f"Invalid value {text} for cpuset {name}", hint="0-2,4, for example"
        ) from None
    if not wanted <= set(_numbers(there)):
        raise LimitInvalid(
            f"Requested {what} are not available - requested {text}, available: {there}"
        )


def _numbers(text: str) -> Iterator[int]:
    """Read `0-2,4`. Raises: ValueError."""
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not (first.isascii() and first.isdigit()) or int(first) > 1 << 16:
            raise ValueError(text)
        end = int(last) if dash else int(first)
        if end < int(first) or end > 1 << 16:
            raise ValueError(text)
        yield from range(int(first), end + 1)


def check_score(score: int) -> None:
    """Refuse an --oom-score-adj that the kernel would. Raises: LimitInvalid."""
    if not -_OOM <= score <= _OOM:
        raise LimitInvalid(
            f"Invalid value {score}, range for oom score adj is [-1000, 1000]",
            hint="1000 is killed first",
        )


def discarded(limits: Limits) -> tuple[str, ...]:
    """Say, in Docker's words, which limits cannot be kept here; nothing where all can."""
    from lamina.runtime.cgroups import limitable
    from lamina.runtime.hierarchies import layout
    from lamina.runtime.userns import outer_uid

    wanted = limits.controllers
    kept = limitable(wanted, outer_uid()) if wanted else frozenset()
    found = [
        f"Your kernel does not support {_WORDS[name]} or the cgroup is not mounted or not yours. "
        "Limitation discarded."
        for name in wanted
        if name not in kept
    ]
    unified = layout() == "unified"
    if limits.swappiness >= 0 and unified:
        found.append(
            "Your kernel does not support memory swappiness capabilities or the cgroup is not "
            "mounted. Memory swappiness discarded."
        )
    if limits.oom_kill_disable and unified:
        found.append("Your kernel does not support OomKillDisable. OomKillDisable discarded.")
    elif limits.oom_kill_disable and not limits.memory:
        found.append(
            "OOM killer is disabled for the container, but no memory limit is set, this can "
            "result in the system running out of resources."
        )
    if "io" in kept and (limits.io_weight or limits.io_weight_devices) and not _weighs():
        found.append(
            "Your kernel does not support Block I/O weight or the cgroup is not mounted. "
            "Weight discarded."
        )
    return tuple(found)


def _weighs() -> bool:
    """Tell whether a disk here has the scheduler that keeps weights."""
    for disk in os.listdir("/sys/block") if os.path.isdir("/sys/block") else ():
        with (
            suppress(OSError),
            open(f"/sys/block/{disk}/queue/scheduler", encoding="ascii") as file,
        ):
            if "[bfq]" in file.read():
                return True
    return False


def reason() -> str:
    """Say why limits cannot be kept here, and what would change that."""
    from lamina.runtime.group_survey import survey
    from lamina.runtime.userns import outer_uid

    return survey(outer_uid()).reason or "the kernel did not let the group have it"
