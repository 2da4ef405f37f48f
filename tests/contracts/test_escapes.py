"""A hostile image and hostile processes try to get out: on each runtime, as root and as others."""

import errno
import hashlib
import io
import json
import os
import secrets
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.conftest import PLAIN
from tests.containers import RUNTIMES, world
from tests.images import tiny
from tests.probes import PYTHON, probe

from lamina.runtime.runtime import find


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory):
    with world(tmp_path_factory.mktemp("world"), runtime=request.param) as lamina:
        yield lamina


@pytest.fixture(scope="module")
def box(lamina: Lamina) -> Iterator[str]:
    """A container that runs on, with a Python in it."""
    name = lamina("run", "-d", *PYTHON, "tiny", "sleep", "10000").strip()
    yield name
    lamina("rm", "-f", name)


# -- the kernel's files ---------------------------------------------------------------------------

KERNEL = """
import os
def said(do):
    try: return repr(do())
    except OSError as error: return error.strerror
def write(path): return lambda: open(path, "w")  # that much is too much
def read(path): return lambda: open(path, "rb").read(64)
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
             "/proc/irq/default_smp_affinity", "/proc/sys/vm/panic_on_oom", "/sys/kernel/uevent_helper",
             "/sys/kernel/mm/ksm/run", "/sys/power/state", "/proc/1/oom_score_adj_", "/sys/kernel/vmcoreinfo"):
    print("w", path, said(write(path)))
for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats"):
    print("r", path, said(read(path)))
for path in ("/sys/firmware", "/proc/scsi", "/proc/acpi", "/proc/asound", "/sys/devices/virtual/powercap",
             "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/fs/bpf"):
    print("l", path, said(lambda: os.listdir(path)))
"""


def test_the_kernels_files_cannot_be_written_and_its_secrets_not_read(lamina):
    rows = [row.split(" ", 2) for row in probe(lamina, KERNEL).splitlines()]
    assert len(rows) > 20
    gone = {"No such file or directory"}
    for kind, path, said in rows:
        if kind == "w":
            assert said in gone | {"Read-only file system", "Permission denied"}, (path, said)
        elif kind == "r":
            assert said in gone | {"b''", "Permission denied"}, (path, said)
        else:
            assert said in gone | {"[]", "Permission denied"}, (path, said)


def test_no_control_group_can_be_mounted_to_have_a_release_agent_run_outside(lamina):
    tries = (
        "mount -t cgroup -o memory x /tmp || mount -t cgroup2 x /tmp || unshare -UrmC true "
        "|| unshare -m true || echo refused"
    )
    assert lamina("run", "--rm", "tiny", "sh", "-c", f"{{ {tries}; }} 2>/dev/null") == "refused\n"


# -- devices ----------------------------------------------------------------------------------------


@pytest.mark.root
@pytest.mark.parametrize("made_by", ["image", "mknod"])
def test_no_device_of_this_machine_can_be_opened(lamina, made_by):
    words = ("sh", "-c", "cat < /disk || cat < /log")
    name = "tiny"
    if made_by == "image":
        made = io.BytesIO(tiny())
        with tarfile.open(fileobj=made, mode="a") as archive:  # noqa: TID251 - an attacker's tool
            for path, kind, major, minor in (
                ("disk", tarfile.BLKTYPE, 7, 0),
                ("log", tarfile.CHRTYPE, 1, 11),
            ):
                entry = tarfile.TarInfo(path)
                entry.type, entry.devmajor, entry.devminor, entry.mode = kind, major, minor, 0o666
                archive.addfile(entry)
        lamina("import", "-", "devices", stdin=made.getvalue())
        name = "devices"
    else:
        words = ("sh", "-c", "mknod /disk b 7 0; mknod /log c 1 11; cat < /disk || cat < /log")
    refused = lamina.attempt("run", "--rm", name, *words)
    assert refused.code != 0
    assert refused.out == ""
    assert "Operation not permitted" in refused.err or "Permission denied" in refused.err
    # ... but for who asks for it.
    script = "[ -e /disk ] || mknod /disk b 7 0; : < /disk && echo opened"
    seen = lamina("run", "--rm", "--device-cgroup-rule", "b 7:* r", name, "sh", "-c", script)
    assert seen == "opened\n"


# -- privileges ---------------------------------------------------------------------------------------


def test_a_set_uid_file_gives_nothing_where_new_privileges_are_forbidden(lamina):
    script = "cp /usr/bin/id /sid; chmod 4755 /sid; sleep 1000"
    found = []
    for option in ("false", "true"):
        flag = f"--security-opt=no-new-privileges={option}"
        name = lamina("run", "-d", flag, *PYTHON, "tiny", "sh", "-c", script).strip()
        lamina("exec", name, "sh", "-c", "until [ -u /sid ]; do sleep 0.1; done")
        done = lamina.attempt("exec", "-u", "1000", name, "/sid", "-u")
        lamina("rm", "-f", name)
        if done.code:  # a plain user with a single ID has no second user
            assert PLAIN
            return
        found.append(done.out.strip())
    always = lamina.settings.runtime == "bwrap"  # it never lets anything gain privileges
    assert found == ["1000" if always else "0", "1000"]


def test_the_groups_of_who_starts_it_do_not_come_along(lamina):
    words = lamina.argv("run", "--rm", "tiny", "id", "-G")
    before = [] if PLAIN else ["setpriv", "--groups=4,6,27"]
    done = subprocess.run(
        [*before, *words], env=lamina.environ, capture_output=True, text=True, check=True
    )
    assert not {"4", "6", "27"} & set(done.stdout.split())


# -- other processes ------------------------------------------------------------------------------------


def test_processes_of_this_machine_are_neither_seen_nor_signalled_nor_traced(lamina, box):
    source = """
import ctypes, os, sys
seen = [name for name in os.listdir("/proc") if name.isdigit()]
words = [open(f"/proc/{pid}/cmdline").read().split(chr(0))[0] for pid in seen]
def said(do, *args):
    try: do(*args)
    except OSError as error: return error.errno
    return 0
outer = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace(16, outer, 0, 0)
print(sorted(words), said(os.kill, outer, 0), ctypes.get_errno(), said(os.kill, 999999, 9))
"""
    shim = lamina("inspect", "-f", "{{.State.Pid}}", box).strip()
    seen = lamina("exec", box, "/usr/bin/python3", "-c", source, str(max(int(shim), 4_000_000)))
    assert seen == f"['/usr/bin/python3', 'sleep'] {errno.ESRCH} {errno.ESRCH} {errno.ESRCH}\n"


LEAKS = """
import os
found = []
for name in os.listdir("/proc/self/fd"):
    try: found.append((int(name), os.readlink(f"/proc/self/fd/{name}")))
    except FileNotFoundError: pass  # the listing's own
print([fd for fd, _ in sorted(found)], [place for _, place in found if place.startswith("/") and not place.startswith(("/dev/", "/null"))])
print(sorted(name for name in os.environ if not name.startswith(("LC_", "PWD"))))
"""


def test_kill_0_inside_does_not_reach_the_shim(lamina):
    lamina.attempt("run", "--name", "kills", "tiny", "sh", "-c", "kill -KILL 0; exit 7")
    state = json.loads(lamina("inspect", "kills"))[0]["State"]
    lamina("rm", "-f", "kills")
    assert (state["Status"], state["ExitCode"], state["Error"]) == ("exited", 7, "")


@pytest.mark.parametrize("how", ["run", "run -t", "exec", "exec -t"])
def test_neither_descriptors_nor_variables_of_ours_come_along(lamina, box, how):
    verb, *flags = how.split()
    words = [verb, *flags]
    words += ["--rm", *PYTHON, "tiny"] if verb == "run" else [box]
    done = lamina.attempt(*words, "/usr/bin/python3", "-c", LEAKS, OUR_SECRET="leaked")
    wanted = ["HOME", "HOSTNAME", "PATH", *(["TERM"] if flags else [])]
    assert done.out.replace("\r", "") == f"[0, 1, 2] []\n{wanted}\n"


@pytest.mark.parametrize("flags", [(), ("-t",)], ids=["pipes", "terminal"])
def test_what_a_runtime_inherits_leads_nowhere(lamina, tmp_path, flags):
    """WORKDIR may be /proc/self/fd/N, and runtimes enter it before they close what they hold."""
    name = lamina.settings.runtime
    listing = tmp_path / "fds"
    spy = tmp_path / name
    look = '[ -d "$fd" ] && [ "$(ls -A $fd/..)" != console ] && echo "$fd" >> ' + str(listing)
    lines = ["#!/bin/sh", f"for fd in /proc/self/fd/*; do {look}; done", f"echo asked >> {listing}"]
    spy.write_text("\n".join([*lines, f'exec {find(name)} "$@"', ""]))
    spy.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = lamina.attempt("run", "--rm", *flags, "tiny", "echo", "hello", PATH=path)
    assert "hello" in done.out
    assert set(listing.read_text().split()) == {"asked"}


def test_a_working_directory_cannot_be_a_descriptor_of_ours(lamina, box):
    # What crun and runc inherit is looked at above; an exec beside bubblewrap is a fork of the shim.
    numbers = range(3, 10) if lamina.settings.runtime == "bwrap" else (5,)
    links = "for i in 3 4 5 6 7 8 9; do ln -sf /proc/self/fd/$i /way$i; done"
    lamina("exec", box, "sh", "-c", links)
    for number in numbers:
        done = lamina.attempt("exec", "-t", "-w", f"/way{number}", box, "ls", "-a", "..")
        assert done.code != 0, (number, done)


HOLD = r"""
import os, sys, time
path = sys.argv[1]
opened = []
for _ in range(150):
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        for what in ("exe", "cwd", "root"):
            place = f"/proc/{name}/{what}"
            try:
                if what == "exe":
                    if os.readlink(place).rsplit("/")[-1].split(" ")[0] in ("sleep", "busybox", "id", "true"):
                        continue
                    opened.append(os.open(place, os.O_WRONLY))
                elif os.path.exists(f"{place}/{path}"):
                    opened.append(place)
            except OSError:
                pass
        try:
            opened += [f for f in os.listdir(f"/proc/{name}/fd") if os.path.isdir(f"/proc/{name}/fd/{f}")]
        except OSError:
            pass
    if os.path.exists("/stop"):
        break
print("got", opened)
"""


def test_an_exec_hands_neither_the_runtime_nor_a_way_out_to_who_lies_in_wait(lamina, box, victim):
    """CVE-2019-5736 and CVE-2016-9962: a process inside looks at what enters, before it is confined."""
    program = Path(find(lamina.settings.runtime))
    before = hashlib.sha256(program.read_bytes()).hexdigest()
    waiting = lamina.start("exec", box, "/usr/bin/python3", "-c", HOLD, str(victim / "secret")[1:])
    lamina("exec", box, "ln", "-sf", "/proc/self/exe", "/hack")
    for _ in range(3):
        lamina.attempt("exec", box, "/hack", "--version")
        lamina("exec", box, "true")
    lamina("exec", box, "touch", "/stop")
    said, wrong = waiting.communicate(timeout=100)
    assert said.decode() == "got []\n", wrong
    assert hashlib.sha256(program.read_bytes()).hexdigest() == before


# -- terminals --------------------------------------------------------------------------------------------

TYPE = r"""
import fcntl, os
found = []
for place in (0, 1, 2, "/dev/tty", "/dev/console"):
    try:
        fd = place if isinstance(place, int) else os.open(place, os.O_RDWR)
        for letter in b"touch /tmp/typed\n":
            fcntl.ioctl(fd, 0x5412, bytes([letter]))
        found.append(place)
    except OSError:
        pass
print("typed into", found)
"""


def test_nothing_is_typed_into_the_terminal_that_a_container_was_started_from(lamina):
    ours, theirs = os.openpty()
    words = lamina.argv("run", "--rm", "-i", *PYTHON, "tiny", "/usr/bin/python3", "-c", TYPE)

    def take() -> None:
        os.setsid()
        import fcntl
        import termios

        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    done = subprocess.run(
        words, env=lamina.environ, stdin=theirs, stdout=subprocess.PIPE, preexec_fn=take, check=True
    )
    os.set_blocking(theirs, False)
    with pytest.raises(BlockingIOError):
        os.read(theirs, 100)
    os.close(ours)
    os.close(theirs)
    assert done.stdout == b"typed into []\n"


# -- the network --------------------------------------------------------------------------------------------

KNOCK = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
print(sock.connect_ex(chr(0) + sys.argv[1]))
"""


def test_abstract_sockets_of_this_machine_are_reached_with_its_network_alone(lamina):
    name = f"lamina-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"\0{name}")
        sock.listen()
        assert probe(lamina, KNOCK, name, flags=("--network=none",)) == f"{errno.ECONNREFUSED}\n"
        # Docker's and podman's are the same, and docs/guides/security.md says so.
        assert probe(lamina, KNOCK, name, flags=("--network=host",)) == "0\n"
