import struct

from lamina.spec.bundle import CAPABILITIES, DEFAULT_CAPABILITIES
from lamina.spec.seccomp import profile, program

EPERM, ENOSYS, ALLOW, ERRNO = 1, 38, 0x7FFF0000, 0x00050000
X86, ARM = 0xC000003E, 0xC00000B7


def run(code: bytes, number: int, *, arch: int = X86, flags: int = 0):
    """Interpret the filter as the kernel does; give what it returns."""
    data = struct.pack("<IIQQ", number, arch, 0, flags)
    rows = list(struct.iter_unpack("<HBBI", code))
    value = at = 0
    while True:
        op, yes, no, k = rows[at]
        at += 1
        if op == 0x06:
            return k
        if op == 0x20:
            (value,) = struct.unpack_from("<I", data, k)
        else:
            holds = {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}[op]
            at += yes if holds else no


def test_plain_calls_pass_and_mounting_does_not():
    code = program(DEFAULT_CAPABILITIES, "x86_64")
    assert run(code, 0) == ALLOW
    assert run(code, 165) == ERRNO | EPERM
    assert run(code, 320) == ERRNO | EPERM


def test_a_capability_gives_its_calls_back():
    code = program(CAPABILITIES, "x86_64")
    assert run(code, 165) == ALLOW
    assert run(code, 250) == ERRNO | EPERM  # keyctl stays shut


def test_threads_may_be_made_and_namespaces_may_not():
    code = program(DEFAULT_CAPABILITIES, "x86_64")
    assert run(code, 56, flags=0x00000100) == ALLOW
    assert run(code, 56, flags=0x10000000) == ERRNO | EPERM
    assert run(code, 435) == ERRNO | ENOSYS


def test_calls_of_another_architecture_and_of_x32_are_refused():
    code = program(DEFAULT_CAPABILITIES, "x86_64")
    assert run(code, 0, arch=0x40000003) == ERRNO | EPERM
    assert run(code, 0x40000000) == ERRNO | ENOSYS


def test_arm_has_numbers_of_its_own():
    code = program(DEFAULT_CAPABILITIES, "aarch64")
    assert run(code, 40, arch=ARM) == ERRNO | EPERM
    assert run(code, 63, arch=ARM) == ALLOW
    assert program(DEFAULT_CAPABILITIES, "riscv64") == b""


def test_the_profile_for_oci_runtimes_says_the_same():
    rules = profile(DEFAULT_CAPABILITIES)["syscalls"]
    assert "mount" in rules[0]["names"]
    assert {row["names"][0] for row in rules[1:]} == {"clone3", "clone"}
    assert len(profile(CAPABILITIES)["syscalls"]) == 1
