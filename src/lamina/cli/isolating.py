"""The flags of `run` and `create` about what is shared with this machine or another container."""

from __future__ import annotations

from lamina.cli.flags import MAP, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.flags import Arguments

__all__ = ["FLAGS", "joined_containers"]

FLAGS = (
    Flag("annotation", kind=MAP, help="Add an annotation to the container"),
    Flag("cgroup-parent", help="Optional parent cgroup for the container"),
    Flag("cgroupns", help="Cgroup namespace to use (host|private)"),
    Flag("ipc", help="IPC mode to use"),
    Flag("isolation", help="Container isolation technology", hidden=True),
    Flag("pid", help="PID namespace to use"),
    Flag("runtime", help="Runtime to use for this container (crun, runc or bwrap)"),
    Flag("userns", help="User namespace to use"),
    Flag("uts", help="UTS namespace to use"),
)


def joined_containers(arguments: Arguments) -> tuple[str, ...]:
    """Name the containers whose PID or IPC namespace is asked for."""
    modes = (arguments.text("pid"), arguments.text("ipc"))
    return tuple(mode.partition(":")[2] for mode in modes if mode.startswith("container:"))
