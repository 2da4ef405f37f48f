"""Docker's flags that cannot be had here: each is refused by name, with the reason and what to do.

A flag that were taken and forgotten would be worse than one that does not exist.
"""

from __future__ import annotations

from lamina.cli.flags import BOOL, LIST, Flag, FlagInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.flags import Arguments

__all__ = [
    "CLUSTER",
    "CREATE",
    "DRIVER",
    "ENDPOINT",
    "LINK_LOCAL",
    "REASONS",
    "REMOVE",
    "START",
    "SWARM",
    "TRUST",
    "UPDATE",
    "check_defaults",
    "check_trust",
    "refuse",
]

_WINDOWS = "is for containers of Windows alone"
_SWARM = "is for volumes of a swarm's cluster"
_SWARM_FLAGS = (
    "availability", "group", "limit-bytes", "required-bytes", "scope", "secret", "sharing",
    "topology-preferred", "topology-required", "type",
)  # fmt: skip
_REAL_TIME = "needs a kernel with CONFIG_RT_GROUP_SCHED and time handed to the group above"

REASONS = {
    "checkpoint": (
        "restores processes by CRIU, which is not supported",
        "`lamina snapshot` and `lamina rollback` keep a container's files",
    ),
    "checkpoint-dir": (
        "restores processes by CRIU, which is not supported",
        "`lamina snapshot` and `lamina rollback` keep a container's files",
    ),
    "cpu-count": (_WINDOWS, "use --cpus"),
    "cpu-percent": (_WINDOWS, "use --cpus: 1.5 is one and a half processors"),
    "cpu-rt-period": (_REAL_TIME, "use --cap-add sys_nice --ulimit rtprio=99"),
    "cpu-rt-runtime": (_REAL_TIME, "use --cap-add sys_nice --ulimit rtprio=99"),
    "driver-opt": (
        "sets options of one place on a network, and there are none",
        "`lamina network create -o` sets a network's; `lamina run --sysctl net.…` a container's",
    ),
    "gpus": (
        "leaves drivers to a daemon's plugins, and there is neither",
        "--device /dev/dri or --device /dev/nvidia0, and -v for the driver's libraries",
    ),
    "io-maxbandwidth": (_WINDOWS, "use --device-read-bps and --device-write-bps"),
    "io-maxiops": (_WINDOWS, "use --device-read-iops and --device-write-iops"),
    "kernel-memory": (
        "was taken out of the kernel: its memory counts as the container's",
        "use --memory",
    ),
    "link": (
        "removes a name that one container has for another, and no such names are kept",
        "`lamina network disconnect`",
    ),
    "link-local-ip": (
        "gives an interface more addresses, which only Docker's network plugins use",
        "--ip and --ip6 give a container its address",
    ),
    "storage-opt": (
        "bounds a container's writable layer by XFS project quotas, which are not supported",
        "LAMINA_QUOTA bounds all that is stored; --tmpfs /path:size=1g and --read-only one container",
    ),
    "use-api-socket": (
        "shows Docker's API socket, and there is none: no daemon runs",
        "bind a socket of your own with -v",
    ),
    "cluster": (
        _SWARM,
        "there is no swarm here; without it the volumes of this machine are listed",
    ),
    **dict.fromkeys(_SWARM_FLAGS, (_SWARM, "a volume here is one machine's: leave it out")),
}
"""What is wrong with each flag, as the end of a sentence, and what to do instead."""


def _flags(*names: str) -> tuple[Flag, ...]:
    return tuple(Flag(name, hidden=True) for name in names)


CREATE = _flags(
    "cpu-count",
    "cpu-percent",
    "cpu-rt-period",
    "cpu-rt-runtime",
    "gpus",
    "io-maxbandwidth",
    "io-maxiops",
    "kernel-memory",
    "storage-opt",
)
CREATE += (Flag("use-api-socket", kind=BOOL, hidden=True),)
UPDATE = _flags("cpu-rt-period", "cpu-rt-runtime")
REMOVE = (Flag("link", "l", kind=BOOL, hidden=True),)
START = _flags("checkpoint", "checkpoint-dir")
TRUST = (Flag("disable-content-trust", kind=BOOL, default=True, hidden=True),)
"""Docker's default, `true`, is how it is here: signatures of Notary are not looked at."""
ENDPOINT = (Flag("driver-opt", kind=LIST, hidden=True),)
SWARM = _flags(*_SWARM_FLAGS)
CLUSTER = (Flag("cluster", kind=BOOL, hidden=True),)
LINK_LOCAL = (Flag("link-local-ip", kind=LIST, hidden=True),)
DRIVER = (Flag("volume-driver", help="Volume driver for the container (local)", hidden=True),)


def refuse(arguments: Arguments, flags: tuple[Flag, ...]) -> None:
    """Refuse the first of `flags` that was given. Raises: FlagInvalid."""
    for flag in flags:
        if arguments.changed(flag.name):
            reason, hint = REASONS[flag.name]
            raise FlagInvalid(f"--{flag.name} {reason}", hint=hint)


def check_trust(arguments: Arguments) -> None:
    """Refuse to look at signatures of Notary. Raises: FlagInvalid."""
    if arguments.changed("disable-content-trust") and not arguments.flag("disable-content-trust"):
        raise FlagInvalid(
            "--disable-content-trust=false asks for signatures of Notary, which are not supported",
            hint="name the image by its digest: NAME@sha256:…",
        )


def check_defaults(arguments: Arguments) -> None:
    """Refuse other values of the flags that have one value here. Raises: FlagInvalid."""
    check_trust(arguments)
    if arguments.text("volume-driver") not in ("", "local"):
        driver = arguments.text("volume-driver")
        raise FlagInvalid(
            f'Error looking up volume plugin {driver}: plugin "{driver}" not found',
            hint="there are no volume drivers but local; mount it here and bind it with -v",
        )
    if arguments.changed("isolation") and arguments.text("isolation") not in ("", "default"):
        raise FlagInvalid(
            f"invalid isolation '{arguments.text('isolation')}' specified",
            hint="hyperv and process are for Windows; `default` is all there is",
        )
