"""Boot other machines in QEMU, and use lamina there as root and as a plain user.

`machines.py` runs all of them, `machines.py board bookworm` these, `--tests PATH...` the suite as well, `--enter plain`
opens a session instead. Needs QEMU, mmdebstrap and root (for making the disks: once, minutes, below `.cache/machines`), and
/dev/kvm unless you have hours. Nothing is written to a disk: each boot begins as it was made. Ends with 1 after a fault.
"""

import argparse
import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
CACHE = TREE / ".cache" / "machines"
HERE = Path(__file__).resolve().parent
PYTHON = "/opt/venv/bin/python"
NEEDLESS = (
    "apparmor.service", "systemd-journal-flush.service", "systemd-timesyncd.service", "e2scrub_reap.service",
    "docker-registry.service", "systemd-networkd-wait-online.service", "getty@tty1.service",
)  # fmt: skip
SUITE = (
    "tests/runtime", "tests/snapshot", "tests/journeys",
    *(f"tests/contracts/test_{name}.py" for name in ("limits", "mounts", "rootless")),
    *(f"tests/engine/test_{name}.py" for name in ("containers", "execution", "limits", "networks", "stats", "updating")),
    *(f"tests/cli/commands/test_{name}.py" for name in ("run", "exec", "ps", "update", "stats", "pause", "info")),
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """One machine: its disk, its kernel, what the kernel is told, its size, what root does first."""

    disk: str
    kernel: str
    append: str = ""
    memory: int = 2048
    cpus: int = 2
    before: str = ""
    users: tuple[str, ...] = ("root", "plain")


_LEGACY = "systemd.unified_cgroup_hierarchy=0"
_SMALL = "init=/sbin/small-init"
_PLAIN = ("plain",)
MACHINES = {
    "bookworm": Machine("bookworm", "6.1"),
    "trixie": Machine("trixie", "6.12"),
    "old": Machine("bookworm", "5.10"),
    "hybrid": Machine("bookworm", "6.1", _LEGACY),
    "legacy": Machine("bookworm", "6.1", f"{_LEGACY} systemd.legacy_systemd_cgroup_controller=1"),
    "board": Machine("bookworm", "6.1", _SMALL, memory=256, cpus=1),
    "bare": Machine("trixie", "6.12", f"{_SMALL} nocgroups"),
    "refused": Machine("bookworm", "6.1", "", 2048, 2, "sysctl -qw kernel.unprivileged_userns_clone=0", _PLAIN),
    "none": Machine("trixie", "6.12", "", 2048, 2, "sysctl -qw user.max_user_namespaces=0", _PLAIN),
    "apparmor": Machine(
        "trixie", "6.12", "", 2048, 2, "sysctl -qw kernel.apparmor_restrict_unprivileged_userns=1", _PLAIN
    ),
}  # fmt: skip


def main() -> int:
    """Boot one machine after the other; tell what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("machines", nargs="*", choices=[*MACHINES, []], help="all without")
    parser.add_argument(
        "--tests", nargs="*", metavar="PATH", help="run tests, too; all here without"
    )
    parser.add_argument("--enter", metavar="USER", help="open a session of USER instead")
    parser.add_argument("--limit", type=int, default=900, metavar="S", help="seconds for each user")
    given = parser.parse_args()
    for program in ("qemu-system-x86_64", "mmdebstrap", "ssh"):
        if not shutil.which(program):
            sys.exit(
                f"machines: {program} is missing (qemu-system-x86, mmdebstrap, openssh-client)"
            )
    faults = 0
    for name in given.machines or MACHINES:
        machine = MACHINES[name]
        with booted(name, machine) as guest:
            if given.enter:
                return subprocess.run(
                    guest.argv(given.enter, terminal=True), check=False
                ).returncode
            for user in machine.users:
                faults += used(guest, name, user, given.tests, given.limit)
    return 1 if faults else 0


def used(guest: "Guest", name: str, user: str, tests: "list[str] | None", limit_s: int) -> int:
    """Play the story, then run the tests; give 1 after a fault."""
    print(f"== {name} as {user}", flush=True)
    story = f"tree/tools/machines/story.sh ~/tree {PYTHON}"
    code = guest.run(user, story, limit_s)
    if tests is not None:
        words = shlex.join(tests or SUITE)
        code |= guest.run(
            user,
            f"cd tree && {PYTHON} -m pytest -q -n 2 --dist loadfile -p no:cacheprovider {words}",
            limit_s,
        )
    return 1 if code else 0


@dataclass(frozen=True)
class Guest:
    """A machine that runs, reached by ssh."""

    folder: Path
    port: int

    def argv(self, user: str, command: str = "", *, terminal: bool = False) -> list[str]:
        """Give the words that run `command` there in a session of its own, as a login makes one."""
        options = [
            "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR",
            "ConnectTimeout=60", f"IdentityFile={self.folder}/key", "IdentitiesOnly=yes",
        ]  # fmt: skip
        words = ["ssh", "-p", str(self.port), *(f"-o{option}" for option in options)]
        return [
            *words,
            *(["-t"] if terminal else []),
            f"{user}@127.0.0.1",
            *([command] if command else []),
        ]

    def run(self, user: str, command: str, limit_s: int) -> int:
        """Run `command`, its words to ours; give its code, 124 when it takes too long."""
        words = self.argv(user, command)
        try:
            return subprocess.run(
                words, stdin=subprocess.DEVNULL, timeout=limit_s, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            print(f"machines: not done within {limit_s} s", flush=True)
            return 124

    def take(self, user: str, names: list[str]) -> None:
        """Give the user a copy of these files of the tree."""
        pack = ["tar", "-C", str(TREE), "--ignore-failed-read", "-c", "-T", "-"]
        with subprocess.Popen(pack, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as packer:
            unpack = self.argv(user, "mkdir -p tree && tar -x -C tree --no-same-owner")
            assert packer.stdin is not None
            with subprocess.Popen(unpack, stdin=packer.stdout) as unpacker:
                packer.stdin.write("\n".join(names).encode())
                packer.stdin.close()
            assert unpacker.returncode == 0, "the tree did not arrive"


@contextmanager
def booted(name: str, machine: Machine) -> Iterator[Guest]:
    """Boot `machine`, with the tree in each user's home; it ends with the block."""
    folder = CACHE / machine.disk
    if not folder.exists():
        print(f"machines: making the disk {machine.disk}, once", flush=True)
        subprocess.run([HERE / "image.sh", machine.disk, folder], check=True)
    kernel = next(path for path in folder.glob(f"vmlinuz-{machine.kernel}[.-]*"))
    initrd = folder / kernel.name.replace("vmlinuz", "initrd.img")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    masked = "mitigations=off " + " ".join(f"systemd.mask={unit}" for unit in NEEDLESS)
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="machine-") as scratch:
        words = [
            "qemu-system-x86_64", *_processor(), "-m", str(machine.memory),
            "-smp", str(machine.cpus), "-display", "none", "-no-reboot",
            "-kernel", str(kernel), "-initrd", str(initrd), "-append",
            f"root=/dev/vda rw console=ttyS0 quiet panic=1 net.ifnames=0 {masked} {machine.append}",
            "-drive", f"file={folder}/disk.ext4,format=raw,if=virtio,snapshot=on,cache=unsafe",
            "-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-pci,netdev=n",
            "-device", "virtio-rng-pci", "-serial", f"file:{CACHE}/{name}.log",
        ]  # fmt: skip
        environ = {**os.environ, "TMPDIR": scratch}
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, env=environ) as process:
            guest = Guest(folder, port)
            try:
                _wait(guest, process, name)
                _prepare(guest, machine)
                yield guest
            finally:
                process.terminate()


def _processor() -> list[str]:
    """Give what the machine computes with. Under PVM /dev/kvm runs guests of its own kind alone."""
    if os.access("/dev/kvm", os.W_OK) and not os.path.exists("/sys/module/kvm_pvm"):
        return ["-accel", "kvm", "-cpu", "host,-arch-capabilities"]
    return ["-accel", "tcg,thread=multi", "-cpu", "Nehalem"]


def _wait(guest: Guest, process: "subprocess.Popen[bytes]", name: str) -> None:
    deadline = time.monotonic() + 600
    words = guest.argv("root", "true")
    while subprocess.run(words, check=False, stderr=subprocess.DEVNULL, timeout=600).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"machines: {name} did not start, see {CACHE}/{name}.log")
        time.sleep(0.5)


def _prepare(guest: Guest, machine: Machine) -> None:
    listed = ["git", "-C", str(TREE), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines()
    for user in machine.users:
        guest.take(user, names)
    if machine.before:
        assert guest.run("root", machine.before, 60) == 0, f"failed: {machine.before}"


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
