"""The flags of resources that `run`, `create` and `update` share, and what they make."""

from __future__ import annotations

from lamina.cli.flags import BOOL, BYTES, DECIMAL, INT, LIST, Flag
from lamina.cli.kinds import UINT16, Kind, Value, parse_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.spec.limits import Limits

__all__ = ["CREATE_FLAGS", "LIMIT_FLAGS", "limits_of", "warn"]


def _parse_swap(text: str) -> Value:
    return -1 if text == "-1" else parse_bytes(text)


_SWAP = Kind("bytes", 0, _parse_swap)

LIMIT_FLAGS = (
    Flag(
        "blkio-weight",
        kind=UINT16,
        help="Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)",
    ),
    Flag("cpu-period", kind=INT, help="Limit CPU CFS (Completely Fair Scheduler) period"),
    Flag("cpu-quota", kind=INT, help="Limit CPU CFS (Completely Fair Scheduler) quota"),
    Flag("cpu-shares", "c", kind=INT, help="CPU shares (relative weight)"),
    Flag("cpus", kind=DECIMAL, help="Number of CPUs"),
    Flag("cpuset-cpus", help="CPUs in which to allow execution (0-3, 0,1)"),
    Flag("cpuset-mems", help="MEMs in which to allow execution (0-3, 0,1)"),
    Flag("memory", "m", kind=BYTES, help="Memory limit"),
    Flag("memory-reservation", kind=BYTES, help="Memory soft limit"),
    Flag(
        "memory-swap",
        kind=_SWAP,
        help="Swap limit equal to memory plus swap: '-1' to enable unlimited swap",
    ),
    Flag("pids-limit", kind=INT, help="Tune container pids limit (set -1 for unlimited)"),
)
CREATE_FLAGS = (
    *LIMIT_FLAGS,
    Flag("blkio-weight-device", kind=LIST, help="Block IO weight (relative device weight)"),
    Flag("device", kind=LIST, help="Add a host device to the container"),
    Flag("device-read-bps", kind=LIST, help="Limit read rate (bytes per second) from a device"),
    Flag("device-read-iops", kind=LIST, help="Limit read rate (IO per second) from a device"),
    Flag("device-write-bps", kind=LIST, help="Limit write rate (bytes per second) to a device"),
    Flag("device-write-iops", kind=LIST, help="Limit write rate (IO per second) to a device"),
    Flag(
        "memory-swappiness",
        kind=INT,
        default=-1,
        help="Tune container memory swappiness (0 to 100)",
    ),
    Flag("oom-kill-disable", kind=BOOL, help="Disable OOM Killer"),
    Flag("device-cgroup-rule", kind=LIST, help="Add a rule to the cgroup allowed devices list"),
    Flag("group-add", kind=LIST, help="Add additional groups to join"),
    Flag("oom-score-adj", kind=INT, help="Tune host's OOM preferences (-1000 to 1000)"),
    Flag("ulimit", kind=LIST, help="Ulimit options"),
)

_RARE = (
    "blkio-weight-device", "device-read-bps", "device-read-iops", "device-write-bps",
    "device-write-iops", "memory-swappiness", "oom-kill-disable",
)  # fmt: skip


def limits_of(arguments: Arguments) -> Limits:
    """Read LIMIT_FLAGS and, where they are among the flags, CREATE_FLAGS; 0 or empty without.

    Raises: LimitInvalid.
    """
    from lamina.spec.limits import Limits

    limits = Limits(
        memory=arguments.number("memory"),
        memory_swap=arguments.number("memory-swap"),
        memory_reservation=arguments.number("memory-reservation"),
        nano_cpus=arguments.number("cpus"),
        cpu_shares=arguments.number("cpu-shares"),
        cpu_period=arguments.number("cpu-period"),
        cpu_quota=arguments.number("cpu-quota"),
        cpuset_cpus=arguments.text("cpuset-cpus"),
        cpuset_mems=arguments.text("cpuset-mems"),
        pids=arguments.number("pids-limit"),
        io_weight=arguments.number("blkio-weight"),
    )
    return _at_creation(arguments, limits) if "oom-kill-disable" in arguments else limits


def _at_creation(arguments: Arguments, limits: Limits) -> Limits:
    """Add what `update` cannot change."""
    if not any(arguments.changed(name) for name in _RARE):
        return limits
    from lamina.engine.block_io import parse_rate, parse_weight

    def rates(name: str) -> tuple[tuple[str, int], ...]:
        sized = name.endswith("bps")
        return tuple(parse_rate(text, sized=sized) for text in arguments.texts(name))

    return limits._replace(
        swappiness=arguments.number("memory-swappiness"),
        oom_kill_disable=arguments.flag("oom-kill-disable"),
        io_weight_devices=tuple(map(parse_weight, arguments.texts("blkio-weight-device"))),
        read_bps_devices=rates("device-read-bps"),
        write_bps_devices=rates("device-write-bps"),
        read_iops_devices=rates("device-read-iops"),
        write_iops_devices=rates("device-write-iops"),
    )


def warn(context: Context, limits: Limits) -> None:
    """Say which limits cannot be kept here: never silently."""
    from lamina.engine.limits import discarded, reason

    words = discarded(limits)
    for text in words:
        context.say(f"WARNING: {text}")
    if words:
        context.say(f"hint: {reason()}; `lamina info` says what is kept")
