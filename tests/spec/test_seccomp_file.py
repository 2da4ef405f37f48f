from typing import Any

import pytest
from tests.filters import installed_profile

from lamina.spec.filter_program import compile_filter
from lamina.spec.seccomp_file import ProfileInvalid, read_profile, resolve
from lamina.spec.wire import Document, encode

HERE = {"machine": "x86_64", "kernel": "6.1.0-12-amd64"}
PLAIN = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}


def rule(**facts: object) -> Document:
    return {"names": ["read"], "action": "SCMP_ACT_ALLOW", **facts}


def names(rules: list[Document], held: tuple[str, ...] = (), **here: str) -> list[str]:
    document = read_profile(encode({**PLAIN, "syscalls": rules}).decode())
    resolved = resolve(document, held, **{**HERE, **here})
    assert resolved is not None
    return [name for row in resolved["syscalls"] for name in row["names"]]


def test_rules_hold_with_or_without_a_capability():
    wanted = rule(names=["a"], includes={"caps": ["CAP_BPF", "CAP_SYSLOG"]})
    unwanted = rule(names=["b"], excludes={"caps": ["CAP_BPF"]})
    assert names([wanted, unwanted]) == ["b"]
    assert names([wanted, unwanted], ("CAP_BPF",)) == []
    assert names([wanted, unwanted], ("CAP_BPF", "CAP_SYSLOG")) == ["a"]


def test_rules_hold_for_an_architecture_and_from_a_kernel_on():
    amd = rule(names=["a"], includes={"arches": ["amd64"]})
    arm = rule(names=["b"], excludes={"arches": ["amd64"]})
    new = rule(names=["c"], includes={"minKernel": "6.2"})
    old = rule(names=["d"], excludes={"minKernel": "6.2"})
    assert names([amd, arm, new, old]) == ["a", "d"]
    assert names([amd, arm, new, old], machine="aarch64", kernel="6.10.3") == ["b", "c"]


def test_the_architectures_come_from_the_map_or_from_the_list():
    rows = [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": None},
    ]
    found = resolve({**PLAIN, "archMap": rows}, (), **HERE)
    assert found is not None
    assert found["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    found = resolve({**PLAIN, "architectures": ["SCMP_ARCH_ARM"]}, (), **HERE)
    assert found is not None
    assert found["architectures"] == ["SCMP_ARCH_ARM"]


def test_what_is_no_part_of_the_runtime_spec_is_left_out_and_named_errors_become_numbers():
    document = {
        **PLAIN, "defaultErrno": "ENOSYS", "defaultErrnoRet": 1, "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [
            {"name": "read", "action": "SCMP_ACT_ERRNO", "errno": "EACCES", "comment": "c", "args": None},
            rule(args=[{"index": 1, "op": "SCMP_CMP_EQ", "value": 5}], errnoRet=3),
        ],
    }  # fmt: skip
    assert resolve(read_profile(encode(document).decode()), (), **HERE) == {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
            rule(args=[{"index": 1, "value": 5, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]),
        ],
    }


def test_an_empty_profile_is_no_filter_at_all():
    assert resolve(read_profile("{}"), (), **HERE) is None


def test_podmans_own_profile_is_read_and_compiled():
    text = encode(installed_profile()).decode()
    resolved = resolve(read_profile(text), ("CAP_AUDIT_WRITE",), **HERE)
    assert resolved is not None
    assert resolved["defaultErrnoRet"] == 38
    assert len(compile_filter(resolved, "x86_64")) > 1000


def arg(**facts: object) -> list[Document]:
    return [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ", **facts}]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("[", "not valid JSON"),
        ("[]", "not a JSON object"),
        ({"syscalls": [rule()]}, "defaultAction is None"),
        ({**PLAIN, "defaultAction": "ALLOW"}, "'ALLOW', which is no action"),
        ({**PLAIN, "architectures": ["A"], "archMap": [{"architecture": "B"}]}, "use either"),
        ({**PLAIN, "archMap": [{}]}, "wrong kind"),
        ({**PLAIN, "syscalls": 5}, "must be a list"),
        ({**PLAIN, "syscalls": [5]}, "wrong kind"),
        ({**PLAIN, "syscalls": [rule(name="write")]}, "'name' and 'names'"),
        ({**PLAIN, "syscalls": [rule(names=[])]}, "names no system call"),
        ({**PLAIN, "syscalls": [rule(names=[5])]}, "no list of names"),
        ({**PLAIN, "syscalls": [rule(names="read")]}, "no list of names"),
        ({**PLAIN, "syscalls": [rule(action="SCMP_ACT_NOTIFY")]}, "needs an agent"),
        ({**PLAIN, "syscalls": [rule(errnoRet=-1)]}, "no error number"),
        ({**PLAIN, "syscalls": [rule(errno="EODD")]}, "'EODD' is no error"),
        ({**PLAIN, "syscalls": [rule(args=arg(index=6))]}, "no argument 6"),
        ({**PLAIN, "syscalls": [rule(args=arg(op="EQ"))]}, "no comparison"),
        ({**PLAIN, "syscalls": [rule(args=arg(value=1 << 64))]}, "no value"),
        ({**PLAIN, "syscalls": [rule(includes={"minKernel": "new"})]}, "no kernel version"),
        ({**PLAIN, "syscalls": [rule(includes={"caps": 5})]}, "wrong kind"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused_with_what_is_wrong(document: Any, words: str):
    text = document if isinstance(document, str) else encode(document).decode()
    with pytest.raises(ProfileInvalid, match=words) as caught:
        read_profile(text)
    assert caught.value.message.startswith("Decoding seccomp profile failed: ")
