"""podman as the bench of containers has it: with crun, where crun by itself would refuse to start.

crun ends at the sight of the hybrid layout of control groups, and at a limit on locked memory that it may not
raise. So podman gets a mount namespace in which the unified layout alone is seen, and no control groups.
"""

import os
import subprocess
import time
from collections.abc import Sequence

from bench.engines import Podman
from bench.meter import join

__all__ = ["CrunPodman"]


class CrunPodman(Podman):
    """podman with crun, in a mount namespace that lasts until it is stopped."""

    __slots__ = ("_keeper",)
    _keeper: "subprocess.Popen[bytes]"

    def empty(self) -> None:
        Podman.empty(self)
        config = self.folder / "config" / "containers.conf"
        text = config.read_text().replace('runtime="runc"', 'runtime="crun"')
        text = text.replace('netns="none"\n', 'cgroups="disabled"\n')
        config.write_text(text)
        self._keeper = subprocess.Popen(
            join(
                self.account,
                ["unshare", "--mount", "--propagation", "private", "sh", "-ec",
                 "mount -t cgroup2 none /sys/fs/cgroup; echo; exec sleep infinity"],
            ),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self._keeper.stdout is not None
        if not self._keeper.stdout.readline():
            raise RuntimeError("no mount namespace with the unified layout can be made")

    def dressed(self, argv: Sequence[str]) -> list[str]:
        there = f"--mount=/proc/{self._keeper.pid}/ns/mnt"
        return ["nsenter", there, f"--wd={os.getcwd()}", *Podman.dressed(self, argv)]

    def stop(self) -> None:
        keeper = getattr(self, "_keeper", None)
        if keeper is not None and keeper.poll() is None:
            keeper.terminate()
            keeper.wait()
            time.sleep(0.1)  # its mounts go with it
        Podman.stop(self)
