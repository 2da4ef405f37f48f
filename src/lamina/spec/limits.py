"""What a container may use of the machine, as a value, and as the files of control groups. Pure.

Spec: the kernel's admin-guide, cgroup-v2.rst, and cgroup-v1/{memory,cpusets,pids}.rst.
"""

from collections.abc import Iterator

from lamina.spec.wire import Document
from lamina.values import NamedTuple

__all__ = ["RLIMITS", "Limits", "legacy_files", "resources", "unified_files"]

RLIMITS = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
    "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip
"""What `--ulimit` can name."""

_PERIOD_US = 100_000
_LEAST_QUOTA_US = 1000
_NANO = 1_000_000_000


class Limits(NamedTuple):
    """Limits of one container; zero and empty mean none.

    Sizes in bytes. `memory_swap` is memory and swap together, -1 for no end, 0 for twice the memory
    as Docker has it. `nano_cpus` are billionths of a processor; `cpu_period` and `cpu_quota` are
    microseconds. `pids` counts processes and threads, -1 is no end.
    """

    memory: int = 0
    memory_swap: int = 0
    memory_reservation: int = 0
    nano_cpus: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids: int = 0

    @classmethod
    def from_host(cls, host: Document) -> "Limits":
        """Read Docker's HostConfig."""
        return cls(
            **{field: host.get(key) or cls._field_defaults[field] for field, key in _NAMES.items()}
        )

    def to_host(self) -> Document:
        """Give the limits as Docker's HostConfig names them."""
        rows: Document = {key: getattr(self, field) for field, key in _NAMES.items()}
        rows["PidsLimit"] = self.pids or None
        return rows

    @property
    def swap_and_memory(self) -> int:
        """Memory and swap together as it is enforced: bytes, -1 for no end."""
        return self.memory_swap or (2 * self.memory if self.memory else -1)

    @property
    def quota(self) -> tuple[int, int]:
        """Microseconds of processor time in each period, and that period; a quota of 0 is none."""
        if self.nano_cpus:
            return max(_LEAST_QUOTA_US, self.nano_cpus * _PERIOD_US // _NANO), _PERIOD_US
        return max(0, self.cpu_quota), self.cpu_period or _PERIOD_US

    @property
    def controllers(self) -> tuple[str, ...]:
        """Name the controllers that are needed to keep these limits."""
        needs = {
            "memory": self.memory or self.memory_swap or self.memory_reservation,
            "cpu": self.nano_cpus or self.cpu_shares or self.cpu_period or self.cpu_quota,
            "cpuset": self.cpuset_cpus or self.cpuset_mems,
            "pids": self.pids > 0,
        }
        return tuple(name for name, needed in needs.items() if needed)


_NAMES = {
    "memory": "Memory",
    "memory_swap": "MemorySwap",
    "memory_reservation": "MemoryReservation",
    "nano_cpus": "NanoCpus",
    "cpu_shares": "CpuShares",
    "cpu_period": "CpuPeriod",
    "cpu_quota": "CpuQuota",
    "cpuset_cpus": "CpusetCpus",
    "cpuset_mems": "CpusetMems",
    "pids": "PidsLimit",
}


def unified_files(limits: Limits) -> Iterator[tuple[str, str, str]]:
    """Give (controller, file, text) for cgroup v2, in the order of writing."""
    if limits.memory:
        both = limits.swap_and_memory
        yield "memory", "memory.max", str(limits.memory)
        yield "memory", "memory.swap.max", "max" if both < 0 else str(both - limits.memory)
    if limits.memory_reservation:
        yield "memory", "memory.low", str(limits.memory_reservation)
    quota, period = limits.quota
    if quota or limits.cpu_period:
        yield "cpu", "cpu.max", f"{quota or 'max'} {period}"
    if limits.cpu_shares:
        weight = 1 + (min(max(limits.cpu_shares, 2), 262_144) - 2) * 9999 // 262_142
        yield "cpu", "cpu.weight", str(weight)
    yield from _sets(limits)
    if limits.pids:
        yield "pids", "pids.max", "max" if limits.pids < 0 else str(limits.pids)


def legacy_files(limits: Limits) -> Iterator[tuple[str, str, str]]:
    """Give (controller, file, text) for cgroup v1.

    Where the memory limit grows beyond the one with swap, the latter has to be written first:
    whoever writes tries the two in the other order when the kernel refuses the first.
    """
    if limits.memory:
        yield "memory", "memory.limit_in_bytes", str(limits.memory)
        yield "memory", "memory.memsw.limit_in_bytes", str(limits.swap_and_memory)
    if limits.memory_reservation:
        yield "memory", "memory.soft_limit_in_bytes", str(limits.memory_reservation)
    quota, period = limits.quota
    if quota or limits.cpu_period:
        yield "cpu", "cpu.cfs_period_us", str(period)
        yield "cpu", "cpu.cfs_quota_us", str(quota or -1)
    if limits.cpu_shares:
        yield "cpu", "cpu.shares", str(limits.cpu_shares)
    yield from _sets(limits)
    if limits.pids:
        yield "pids", "pids.max", "max" if limits.pids < 0 else str(limits.pids)


def _sets(limits: Limits) -> Iterator[tuple[str, str, str]]:
    if limits.cpuset_cpus:
        yield "cpuset", "cpuset.cpus", limits.cpuset_cpus
    if limits.cpuset_mems:
        yield "cpuset", "cpuset.mems", limits.cpuset_mems


def resources(limits: Limits) -> Document:
    """Give the limits as runtime-spec `linux.resources`."""
    quota, period = limits.quota
    memory = {
        "limit": limits.memory,
        "reservation": limits.memory_reservation,
        "swap": limits.swap_and_memory if limits.memory else 0,
    }
    cpu = {
        "shares": limits.cpu_shares,
        "quota": quota,
        "period": period if quota or limits.cpu_period else 0,
        "cpus": limits.cpuset_cpus,
        "mems": limits.cpuset_mems,
    }
    rows: dict[str, dict[str, object]] = {
        "memory": dict(memory),
        "cpu": dict(cpu),
        "pids": {"limit": limits.pids},
    }
    found = {name: {key: v for key, v in row.items() if v} for name, row in rows.items()}
    return {name: row for name, row in found.items() if row}
