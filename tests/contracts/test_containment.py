"""What holds a container in, asked of the kernel from inside: on each runtime, as root and as others."""

import errno
import os

import pytest
from tests.containers import RUNTIMES, world
from tests.probes import PYTHON, asked, probe

from lamina.spec.syscall_numbers import numbers
from lamina.spec.wire import encode

EPERM, ENOSYS, EFAULT, EINVAL = errno.EPERM, errno.ENOSYS, errno.EFAULT, errno.EINVAL
NUMBERS = numbers(os.uname().machine)

# Calls with arguments that the kernel itself would not answer with EPERM: only a filter does.
REFUSED = [
    ("keyctl", (99999,)), ("io_uring_setup", (0, 0)), ("unshare", (0,)), ("setns", (10**6, 0)),
    ("add_key", (0, 0, 0, 0, 0)), ("userfaultfd", (1 << 20,)), ("perf_event_open", (0, 0, 0, 0, 0)),
    ("open_by_handle_at", (10**6, 0, 0)), ("kcmp", (0, 0, 99)), ("fsopen", (0, 1 << 20)),
    ("personality", (0x400000,)), ("socket", (40, 1, 0)), ("socket", (38, 5, 0)),
    ("clone", (0x02000000 | 0x8000, 0)), ("process_madvise", (10**6, 0, 0, 0, 0)),
]  # fmt: skip
ALLOWED = [
    ("statx", (0, 0, 0, 0, 0), EFAULT), ("socket", (1, 1, 0), 0), ("socket", (2, 1, 0), 0),
    ("personality", (0xFFFFFFFF,), 0), ("openat2", (0, 0, 0, 0), EINVAL), ("getpid", (), 0),
    ("rseq", (1, 0, 0, 0), EINVAL), ("io_setup", (0, 0), EFAULT), ("pidfd_open", (1, 0), 0),
    ("clone3", (0, 0), ENOSYS),  # makes the C library take clone
    ("never", (0,), ENOSYS),
]  # fmt: skip
SMALL = """
import ctypes, mmap
def ask(number):  # int 0x80 with ebx = 0, as a program of 32 bits asks
    code = b"\\x53\\x31\\xdb\\xb8" + number.to_bytes(4, "little") + b"\\xcd\\x80\\x5b\\xc3"
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(code)
    place = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_int)(place)()
print(ask(20) > 0, ask(310), ask(288))  # getpid, unshare(0), keyctl(0)
"""


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory):
    with world(tmp_path_factory.mktemp("world"), runtime=request.param) as lamina:
        yield lamina


def calls(rows: list[tuple[str, tuple[int, ...]]]) -> list[tuple[str, int, tuple[int, ...]]]:
    return [(f"{name}{args}", NUMBERS.get(name, 600), args) for name, args in rows]


def test_the_default_filter_refuses_what_is_not_on_its_list(lamina):
    found = asked(lamina, calls(REFUSED))
    assert found == dict.fromkeys(found, EPERM)
    assert len(found) == len(REFUSED)


def test_the_default_filter_lets_ordinary_calls_through(lamina):
    wanted = {f"{name}{args}": code for name, args, code in ALLOWED}
    assert asked(lamina, calls([row[:2] for row in ALLOWED])) == wanted


def test_without_a_filter_the_kernel_itself_answers(lamina):
    found = asked(lamina, calls(REFUSED), flags=("--security-opt", "seccomp=unconfined"))
    assert len([name for name, code in found.items() if code != EPERM]) >= len(found) - 2


@pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="there is no i386 beside another machine"
)
def test_a_program_of_32_bits_goes_round_nothing(lamina):
    assert probe(lamina, SMALL) == f"True {-EPERM} {-EPERM}\n"


def test_a_capability_opens_the_calls_that_it_is_for(lamina):
    found = asked(
        lamina, calls([("unshare", (0,)), ("keyctl", (99999,))]), flags=("--cap-add=sys_admin",)
    )
    assert found == {"unshare(0,)": 0, "keyctl(99999,)": EPERM}


def test_an_exec_is_held_by_the_same_filter(lamina):
    name = lamina("run", "-d", *PYTHON, "tiny", "sleep", "1000").strip()
    word = "unshare -i true 2>&1; grep Seccomp: /proc/self/status"
    assert lamina("exec", name, "sh", "-c", word).split("\n")[1:] == ["Seccomp:\t2", ""]
    lamina("rm", "-f", name)
    name = lamina("run", "-d", "--security-opt=seccomp=unconfined", "tiny", "sleep", "1000").strip()
    assert "Seccomp:\t0\n" in lamina("exec", name, "cat", "/proc/self/status")


def test_a_profile_of_ones_own_is_what_holds(lamina, tmp_path):
    path = tmp_path / "own.json"
    document = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EBUSY},
            {
                "names": ["socket"],
                "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}],
            },
            {
                "name": "chmod",
                "action": "SCMP_ACT_ERRNO",
                "includes": {"caps": ["CAP_SYS_ADMIN"]},
            },
        ],
    }
    path.write_bytes(encode(document))
    flag = f"--security-opt=seccomp={path}"
    source = """
import os, socket
def said(do, *words):
    try: do(*words)
    except OSError as error: return error.strerror
print(said(os.mkdir, "/new"), said(socket.socket, 2), said(socket.socket, 1), said(os.chmod, "/tmp", 0o777), sep=", ")
"""
    assert probe(lamina, source, flags=(flag,)) == (
        "Device or resource busy, Operation not permitted, None, None\n"
    )
    name = lamina("create", flag, "tiny").strip()
    path.unlink()  # its content was kept
    assert "SCMP_ACT_ALLOW" in lamina("inspect", "-f", "{{.HostConfig.SecurityOpt}}", name)


def test_a_bad_profile_is_refused_before_anything_is_made(lamina, tmp_path):
    path = tmp_path / "bad.json"
    refused = lamina.attempt("run", f"--security-opt=seccomp={path}", "tiny", "true")
    assert (refused.code, refused.out) == (125, "")
    assert f"opening seccomp profile ({path}) failed: open {path}: no such file" in refused.err
    path.write_text('{"defaultAction": "NO"}')
    refused = lamina.attempt("run", f"--security-opt=seccomp={path}", "tiny", "true")
    assert refused.code == 125
    assert (
        "Decoding seccomp profile failed: defaultAction is 'NO', which is no action" in refused.err
    )
