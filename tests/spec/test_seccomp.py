import pytest
from tests.filters import ALLOW, ENOSYS, EPERM, Decider, compiled_by_libseccomp, installed_profile

from lamina.spec.bundle import CAPABILITIES, DEFAULT_CAPABILITIES
from lamina.spec.filter_program import compile_filter
from lamina.spec.seccomp import architectures, profile
from lamina.spec.seccomp_file import resolve
from lamina.spec.syscall_numbers import numbers

NUMBERS = numbers("x86_64")
NEWER = 449  # beyond this, podman's profile knows nothing

# What podman's profile of 2022 lets through and moby's, and so ours, does not, and the other way round.
STRICTER = {
    # only with CAP_SYS_ADMIN: namespaces and mounts are the kernel's most attacked parts
    "clone3", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
    "open_tree", "umount2", "unshare",
    "keyctl",  # key rings know no namespaces
    "pivot_root",  # moby's has it nowhere
    "mbind", "get_mempolicy", "set_mempolicy",  # CAP_SYS_NICE
    "pidfd_getfd",  # CAP_SYS_PTRACE
    "setns",  # allowed there twice over, against its own intention
    "reboot", "syslog",  # CAP_SYS_BOOT, CAP_SYSLOG
}  # fmt: skip
LOOSER = {
    "vmsplice", "io_pgetevents",  # harmless, says moby; allowed since 2019
    "futex_waitv", "uretprobe",  # newer than that profile
}  # fmt: skip


def ask(held: tuple[str, ...] = DEFAULT_CAPABILITIES) -> Decider:
    return Decider(compile_filter(profile(held, "x86_64"), "x86_64"))


def test_every_call_is_decided_as_podmans_profile_does_but_for_these():
    theirs_document = resolve(
        installed_profile(), DEFAULT_CAPABILITIES, machine="x86_64", kernel="6.1"
    )
    assert theirs_document is not None
    theirs, ours = Decider(compiled_by_libseccomp(theirs_document, ("x86_64",))), ask()
    by_number = {number: name for name, number in NUMBERS.items()}
    stricter, looser = set(), set()
    for number in range(NEWER + 1):
        # The first argument is a namespace flag for clone, a family for socket: looked at below.
        mine, their = ours(number, "x86_64", (0,)), theirs(number, "x86_64", (0,))
        if mine != ALLOW and their == ALLOW:
            stricter.add(by_number[number])
        if mine == ALLOW and their != ALLOW:
            looser.add(by_number[number])
    assert (stricter, looser) == (STRICTER, LOOSER)


@pytest.mark.parametrize(
    ("capability", "names"),
    [
        ("CAP_SYS_ADMIN", {"mount", "unshare", "setns", "bpf", "clone3", "sethostname", "syslog"}),
        ("CAP_BPF", {"bpf"}),
        ("CAP_PERFMON", {"perf_event_open"}),
        ("CAP_SYS_BOOT", {"reboot"}),
        ("CAP_SYS_CHROOT", {"chroot"}),
        ("CAP_SYS_MODULE", {"init_module", "finit_module", "delete_module"}),
        ("CAP_SYS_NICE", {"mbind", "set_mempolicy_home_node"}),
        ("CAP_SYS_PACCT", {"acct"}),
        ("CAP_SYS_PTRACE", {"kcmp", "pidfd_getfd", "process_madvise"}),
        ("CAP_SYS_RAWIO", {"iopl", "ioperm"}),
        ("CAP_SYS_TIME", {"settimeofday", "clock_settime"}),
        ("CAP_SYS_TTY_CONFIG", {"vhangup"}),
        ("CAP_DAC_READ_SEARCH", {"open_by_handle_at"}),
        ("CAP_SYSLOG", {"syslog"}),
    ],
)
def test_a_capability_brings_the_calls_that_it_is_for(capability: str, names: set[str]):
    without, with_it = ask(()), ask((capability,))
    assert {without(NUMBERS[name]) for name in names} <= {EPERM, ENOSYS}
    assert {with_it(NUMBERS[name]) for name in names} == {ALLOW}


def test_no_capability_opens_the_kernels_key_rings_or_kexec():
    everything = ask(CAPABILITIES)
    shut = (
        "keyctl",
        "add_key",
        "request_key",
        "kexec_load",
        "userfaultfd",
        "io_uring_setup",
        "swapon",
    )
    assert {everything(NUMBERS[name]) for name in shut} == {EPERM}


def test_threads_may_be_made_and_namespaces_may_not():
    decide = ask()
    clone = NUMBERS["clone"]
    assert decide(clone, "x86_64", (0x003D0F00,)) == ALLOW  # what pthread_create asks
    for shift in (17, 25, 26, 27, 28, 29, 30):
        assert decide(clone, "x86_64", (1 << shift,)) == EPERM
    assert decide(NUMBERS["clone3"]) == ENOSYS


def test_sockets_of_the_usual_families_may_be_made_and_vsock_and_crypto_may_not():
    decide = ask(CAPABILITIES)
    families = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16, "packet": 17, "xdp": 44}
    assert {decide(41, "x86_64", (n,)) for n in families.values()} == {ALLOW}
    assert {decide(41, "x86_64", (n,)) for n in (12, 20, 38, 40, 46, 1 << 32)} == {EPERM}


def test_a_personality_may_be_asked_for_and_an_unusual_one_may_not():
    decide = ask(CAPABILITIES)
    usual = (0, 8, 0x20000, 0x20008, 0xFFFFFFFF)
    assert {decide(135, "x86_64", (n,)) for n in usual} == {ALLOW}
    assert decide(135, "x86_64", (0x0400000,)) == EPERM  # READ_IMPLIES_EXEC


def test_programs_of_32_bits_are_held_by_the_same_list():
    decide, small = ask(), numbers("x86")
    assert decide(small["socketcall"], "x86") == ALLOW
    assert decide(small["mount"], "x86") == EPERM
    assert decide(small["clone"], "x86", (0x10000000,)) == EPERM


def test_machines_have_calls_and_neighbours_of_their_own():
    arm = Decider(compile_filter(profile((), "aarch64"), "aarch64"))
    assert arm(numbers("arm")["cacheflush"], "arm") == ALLOW
    assert architectures("aarch64") == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    assert "arch_prctl" in profile((), "x86_64")["syscalls"][0]["names"]
    assert "architectures" not in profile((), "alpha")
    masked = profile((), "s390x")["syscalls"][-2]
    assert (masked["names"], masked["args"][0]["index"]) == (["clone"], 1)
