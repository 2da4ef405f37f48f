"""The default system call filter: what a container may ask the kernel, said once.

Equal in effect to the profile that moby gives its containers (November 2026; what differs stands in
docs/decisions/0017-containment.md): what is not listed is refused with EPERM. Some calls come with a
capability that the container holds, some with conditions on an argument.
"""

from collections.abc import Collection, Iterable

from lamina.spec.wire import Document

__all__ = ["architectures", "profile"]

_EPERM, _ENOSYS = 1, 38
_ALLOWED = """
read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek readahead
open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 ioctl flock fadvise64
fadvise64_64 fallocate truncate truncate64 ftruncate ftruncate64 sync syncfs fsync fdatasync
sync_file_range sendfile sendfile64 splice tee vmsplice copy_file_range cachestat
access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx statfs
statfs64 fstatfs fstatfs64 statmount listmount umask chmod fchmod fchmodat fchmodat2 chown chown32
lchown lchown32 fchown fchown32 fchownat utime utimes futimesat utimensat utimensat_time64
getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr llistxattr
flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat
chdir fchdir getcwd mkdir mkdirat rmdir mknod mknodat link linkat symlink symlinkat readlink
readlinkat rename renameat renameat2 unlink unlinkat getdents getdents64 name_to_handle_at
inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark
poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1
epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2
io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64
pipe pipe2 socketpair socketcall bind listen accept accept4 connect shutdown getsockname getpeername
getsockopt setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall
mseal remap_file_pages pkey_alloc pkey_free pkey_mprotect memfd_create memfd_secret map_shadow_stack
membarrier
fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid getpgid getpgrp
setpgid getsid setsid set_tid_address set_thread_area get_thread_area set_robust_list
get_robust_list rseq restart_syscall prctl seccomp landlock_create_ruleset landlock_add_rule
landlock_restrict_self pidfd_open pidfd_send_signal process_mrelease uretprobe
getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid
getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid
setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32
setgroups setgroups32 capget capset
kill tkill tgkill pause alarm sigaltstack sigprocmask sigreturn signalfd signalfd4 rt_sigaction
rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn rt_sigsuspend
rt_sigtimedwait rt_sigtimedwait_time64
futex futex_time64 futex_wait futex_waitv futex_wake futex_requeue
ipc semget semctl semop semtimedop semtimedop_time64 shmget shmctl shmat shmdt msgget msgctl msgsnd
msgrcv mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive
mq_timedreceive_time64
sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam
sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min
sched_rr_get_interval sched_rr_get_interval_time64 getpriority setpriority ioprio_get ioprio_set
getcpu getrlimit ugetrlimit setrlimit prlimit64 getrusage times sysinfo uname getrandom
time gettimeofday nanosleep adjtimex clock_gettime clock_gettime64 clock_getres clock_getres_time64
clock_nanosleep clock_nanosleep_time64 clock_adjtime clock_adjtime64 getitimer setitimer
timer_create timer_delete timer_gettime timer_gettime64 timer_settime timer_settime64
timer_getoverrun timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
process_vm_readv process_vm_writev ptrace
"""
_BY_CAPABILITY = {
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie
        lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount
        open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog
        umount umount2 unshare
    """,
    "CAP_BPF": "bpf",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_PERFMON": "perf_event_open",
    "CAP_SYSLOG": "syslog",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module finit_module init_module",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise",
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_TIME": "clock_settime clock_settime64 settimeofday stime",
    "CAP_SYS_TTY_CONFIG": "vhangup",
}
_BY_MACHINE = {
    "x86_64": "arch_prctl modify_ldt",
    "aarch64": (
        "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2"
    ),
    "ppc64le": "swapcontext sync_file_range2",
    "riscv64": "riscv_flush_icache riscv_hwprobe",
    "s390x": "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
}
_ARCHITECTURES = {
    "x86_64": ("X86_64", "X86", "X32"),
    "aarch64": ("AARCH64", "ARM"),
    "ppc64le": ("PPC64LE",),
    "riscv64": ("RISCV64",),
    "s390x": ("S390X", "S390"),
}
_CLONE_NAMESPACES = 0x7E020000  # every CLONE_NEW… flag that clone knows
# Linux, Linux on 32 bits, each also without address randomization, and asking which it is.
_PERSONALITIES = (0x0, 0x0008, 0x20000, 0x20008, 0xFFFFFFFF)
# Families from 12 on. Left out: those that reach around network namespaces to the host or a hypervisor
# (vsock), into the kernel's crypto (alg), and those that only attackers load a module for.
_FAMILIES = (
    13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44,
    45,
)  # fmt: skip
_FIRST_CHOSEN_FAMILY = 12


def architectures(machine: str) -> list[str]:
    """Name what `machine` (`uname -m`) can run, itself first; empty for one that is not known."""
    return [f"SCMP_ARCH_{name}" for name in _ARCHITECTURES.get(machine, ())]


def profile(capabilities: Collection[str], machine: str) -> Document:
    """Give the filter as runtime-spec `linux.seccomp` for a container with `capabilities`."""
    names = [*_ALLOWED.split(), *_BY_MACHINE.get(machine, "").split()]
    for capability, calls in _BY_CAPABILITY.items():
        if capability in capabilities:
            names += calls.split()
    rules = [_allow(dict.fromkeys(names))]
    rules.append(_allow(["socket"], 0, "LT", _FIRST_CHOSEN_FAMILY))
    rules += [_allow(["socket"], 0, "EQ", family) for family in _FAMILIES]
    rules += [_allow(["personality"], 0, "EQ", value) for value in _PERSONALITIES]
    if "CAP_SYS_ADMIN" not in capabilities:
        index = 1 if machine == "s390x" else 0
        rules.append(_allow(["clone"], index, "MASKED_EQ", _CLONE_NAMESPACES))
        # clone3 hides its flags behind a pointer; ENOSYS makes the C library use clone instead.
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        **({"architectures": listed} if (listed := architectures(machine)) else {}),
        "syscalls": rules,
    }


def _allow(names: Iterable[str], index: int = 0, op: str = "", value: int = 0) -> Document:
    rule: Document = {"names": list(names), "action": "SCMP_ACT_ALLOW"}
    if op:
        rule["args"] = [{"index": index, "value": value, "valueTwo": 0, "op": f"SCMP_CMP_{op}"}]
    return rule
