"""A machine and the world behind it, each a network namespace, for what we do to machines' networks."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.commands import Lamina

__all__ = ["WORLD", "WORLD6", "Machine", "machine"]

WORLD, WORLD6 = "198.51.100.1", "2001:db8:5::1"
"""Addresses of the world (RFC 5737, RFC 3849); the machine has the next ones, and a default route."""


class Machine(Lamina):
    """The command, run on the machine."""

    def __init__(self, lamina: Lamina, pid: int) -> None:
        super().__init__(lamina.settings)
        self._enter = ["nsenter", f"--net=/proc/{pid}/ns/net"]

    def argv(self, *words: str) -> list[str]:
        return [*self._enter, *super().argv(*words)]

    def sh(self, script: str) -> str:
        """Do something on the machine; give what it says."""
        return subprocess.run(
            [*self._enter, "sh", "-ec", script],
            capture_output=True,
            text=True,
            check=True,
            env=self.environ,
        ).stdout

    def reaches_the_world(self, *words: str, address: str = WORLD, within_s: int = 60) -> bool:
        """Tell whether a new container (`run` with `words`) gets an answer from the world.

        `within_s` is waited for what does not come: little where none is hoped for.
        """
        ping = ("ping", "-c1", f"-W{within_s}", address)
        done = self.attempt("run", "--rm", *words, "tiny", *ping)
        return done.code == 0


@contextmanager
def machine(lamina: Lamina) -> Iterator[Machine]:
    """Give a machine for root's command, with one interface to a world that knows no other route."""
    holders = [
        subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "echo; exec sleep 6000"], stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    try:
        for holder in holders:
            assert holder.stdout
            holder.stdout.readline()
        here, far = (Machine(lamina, holder.pid) for holder in holders)
        here.sh(
            f"ip link add wan type veth peer name wan netns {holders[1].pid}; ip link set lo up"
        )
        for side, last in ((far, 1), (here, 2)):
            side.sh(
                f"ip address add 198.51.100.{last}/24 dev wan;"
                f"ip address add 2001:db8:5::{last}/64 dev wan nodad; ip link set wan up"
            )
        here.sh(f"ip route add default via {WORLD}; ip route add default via {WORLD6}")
        yield here
        here.remove_containers()
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()
