"""What a container may use of the machine, as a value, and as the files of control groups. Pure.

Spec: the kernel's admin-guide, cgroup-v2.rst, and cgroup-v1/{memory,cpusets,pids,blkio}.rst.
"""

from collections.abc import Callable, Iterator, Sequence

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


DeviceRows = tuple[tuple[str, int], ...]


class Limits(NamedTuple):
    """Limits of one container; zero and empty mean none.

    Sizes in bytes. `memory_swap` is memory and swap together, -1 for no end, 0 for twice the memory
    as Docker has it. `nano_cpus` are billionths of a processor; `cpu_period` and `cpu_quota` are
    microseconds. `pids` counts processes and threads, -1 is no end. `swappiness` is -1 for the
    machine's. `io_weight` is 10 to 1000. The `devices` are rows of (device, number), the device as
    its path in documents and as `8:0` in files: weights, bytes or operations in a second.
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
    swappiness: int = -1
    oom_kill_disable: bool = False
    io_weight: int = 0
    io_weight_devices: DeviceRows = ()
    read_bps_devices: DeviceRows = ()
    write_bps_devices: DeviceRows = ()
    read_iops_devices: DeviceRows = ()
    write_iops_devices: DeviceRows = ()

    @classmethod
    def from_host(cls, host: Document) -> "Limits":
        """Read Docker's HostConfig."""
        values = {
            field: host.get(key) or cls._field_defaults[field] for field, key in _NAMES.items()
        }
        if host.get("MemorySwappiness") == 0:
            values["swappiness"] = 0
        for field, (key, number) in _DEVICE_NAMES.items():
            values[field] = tuple((row["Path"], row[number]) for row in host.get(key) or ())
        return cls(**values)

    @classmethod
    def from_json(cls, row: Sequence[object]) -> "Limits":
        """Read the values as JSON has them, in order."""
        values = [
            tuple(tuple(part) for part in value) if isinstance(value, list) else value
            for value in row
        ]
        return cls(*values)  # type: ignore[arg-type]

    def named(self, name: Callable[[str], str]) -> "Limits":
        """Give the limits with each device called what `name` gives for it."""
        rows = {
            field: tuple((name(device), number) for device, number in getattr(self, field))
            for field in _DEVICE_NAMES
        }
        return Limits(**{**self._asdict(), **rows})

    def to_host(self) -> Document:
        """Give the limits as Docker's HostConfig names them."""
        rows: Document = {key: getattr(self, field) for field, key in _NAMES.items()}
        rows["PidsLimit"] = self.pids or None
        rows["MemorySwappiness"] = None if self.swappiness < 0 else self.swappiness
        for field, (key, number) in _DEVICE_NAMES.items():
            found = [{"Path": path, number: value} for path, value in getattr(self, field)]
            rows[key] = found or None
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
            "memory": self.memory
            or self.memory_swap
            or self.memory_reservation
            or self.swappiness >= 0
            or self.oom_kill_disable,
            "cpu": self.nano_cpus or self.cpu_shares or self.cpu_period or self.cpu_quota,
            "cpuset": self.cpuset_cpus or self.cpuset_mems,
            "pids": self.pids > 0,
            "io": self.io_weight or any(getattr(self, field) for field in _DEVICE_NAMES),
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
    "swappiness": "MemorySwappiness",
    "oom_kill_disable": "OomKillDisable",
    "io_weight": "BlkioWeight",
}
_DEVICE_NAMES = {
    "io_weight_devices": ("BlkioWeightDevice", "Weight"),
    "read_bps_devices": ("BlkioDeviceReadBps", "Rate"),
    "write_bps_devices": ("BlkioDeviceWriteBps", "Rate"),
    "read_iops_devices": ("BlkioDeviceReadIOps", "Rate"),
    "write_iops_devices": ("BlkioDeviceWriteIOps", "Rate"),
}
_THROTTLES = {
    "read_bps_devices": ("rbps", "blkio.throttle.read_bps_device", "throttleReadBpsDevice"),
    "write_bps_devices": ("wbps", "blkio.throttle.write_bps_device", "throttleWriteBpsDevice"),
    "read_iops_devices": ("riops", "blkio.throttle.read_iops_device", "throttleReadIOPSDevice"),
    "write_iops_devices": ("wiops", "blkio.throttle.write_iops_device", "throttleWriteIOPSDevice"),
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
    yield from _io(limits, "io.bfq.weight", "io.bfq.weight", unified=True)


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
    if limits.swappiness >= 0:
        yield "memory", "memory.swappiness", str(limits.swappiness)
    if limits.oom_kill_disable:
        yield "memory", "memory.oom_control", "1"
    yield from _sets(limits)
    if limits.pids:
        yield "pids", "pids.max", "max" if limits.pids < 0 else str(limits.pids)
    yield from _io(limits, "blkio.bfq.weight", "blkio.bfq.weight_device", unified=False)


def _io(
    limits: Limits, weight: str, device_weight: str, *, unified: bool
) -> Iterator[tuple[str, str, str]]:
    """Give what bounds disks; `weight` and `device_weight` are the files of weights."""
    if limits.io_weight:
        yield "io", weight, str(limits.io_weight)
    for device, number in limits.io_weight_devices:
        yield "io", device_weight, f"{device} {number}"
    for field, (key, name, _) in _THROTTLES.items():
        for device, number in getattr(limits, field):
            if unified:
                yield "io", "io.max", f"{device} {key}={number}"
            else:
                yield "io", name, f"{device} {number}"


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
        "memory": {**memory, "disableOOMKiller": limits.oom_kill_disable},
        "cpu": dict(cpu),
        "pids": {"limit": limits.pids},
        "blockIO": _block_io(limits),
    }
    found = {name: {key: v for key, v in row.items() if v} for name, row in rows.items()}
    if limits.swappiness >= 0:
        found["memory"]["swappiness"] = limits.swappiness
    return {name: row for name, row in found.items() if row}


def _block_io(limits: Limits) -> dict[str, object]:
    found: dict[str, object] = {"weight": limits.io_weight}
    found["weightDevice"] = [
        {**_numbers(device), "weight": number} for device, number in limits.io_weight_devices
    ]
    for field, (_, _, key) in _THROTTLES.items():
        found[key] = [
            {**_numbers(device), "rate": number} for device, number in getattr(limits, field)
        ]
    return found


def _numbers(device: str) -> Document:
    major, _, minor = device.partition(":")
    return {"major": int(major), "minor": int(minor)}
