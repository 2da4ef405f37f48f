from pathlib import Path

import pytest

from lamina.engine.confinement import Confinement, SecurityOptionInvalid, with_profiles
from lamina.errors import LaminaError, Unsupported
from lamina.spec.bundle import MASKED, READ_ONLY
from lamina.spec.seccomp_file import ProfileInvalid
from lamina.spec.wire import encode_pretty


def test_nothing_asked_is_dockers_defaults():
    held = Confinement.parse(())
    assert (held.no_new_privileges, held.seccomp, held.apparmor) == (False, "", "")
    assert held.masked[: len(MASKED)] == MASKED
    assert held.read_only == READ_ONLY


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ("no-new-privileges", True),
        ("no-new-privileges=true", True),
        ("no-new-privileges:true", True),
        ("no-new-privileges=false", False),
        ("no-new-privileges:0", False),
    ],
)
def test_privileges_can_be_frozen_in_both_spellings(option: str, wanted: bool):
    assert Confinement.parse([option]).no_new_privileges is wanted


def test_the_filter_is_the_default_none_or_a_profile():
    assert Confinement.parse(["seccomp=builtin"]).seccomp == ""
    assert Confinement.parse(["seccomp:unconfined"]).seccomp == "unconfined"
    text = '{"defaultAction":"SCMP_ACT_LOG"}'
    assert Confinement.parse([f"seccomp={text}"]).seccomp == text


def test_system_paths_are_masked_unmasked_and_laid_open():
    assert Confinement.parse(["systempaths=unconfined"])[-2:] == ((), ())
    assert Confinement.parse(["unmask=ALL"])[-2:] == ((), ())
    held = Confinement.parse(["mask=/etc/x:/opt/", "unmask=/proc/acpi:/proc/s*"])
    assert held.masked[-2:] == ("/etc/x", "/opt")
    assert not {"/proc/acpi", "/proc/scsi", "/proc/sched_debug"} & set(held.masked)
    assert not {"/proc/sys", "/proc/sysrq-trigger"} & set(held.read_only)
    assert "/proc/irq" in held.read_only


@pytest.mark.parametrize(
    "option",
    [
        "odd=1", "odd", "seccomp", "seccomp=", "apparmor", "label=", "systempaths=all", "mask=x",
        "mask=", "unmask=relative", "no-new-privileges=perhaps", "mask=/",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_in_dockers_words(option: str):
    with pytest.raises(SecurityOptionInvalid) as caught:
        Confinement.parse([option])
    assert caught.value.message == f'invalid --security-opt: "{option}"'


def test_what_this_machine_cannot_keep_is_refused_rather_than_forgotten():
    assert Confinement.parse(["apparmor=unconfined", "label=disable"]).apparmor == ""
    with pytest.raises(Unsupported, match="label"):
        Confinement.parse(["label=type:container_t"])
    if not Path("/sys/kernel/security/apparmor").is_dir():
        with pytest.raises(Unsupported, match="no AppArmor"):
            Confinement.parse(["apparmor=docker-default"])


def test_a_profiles_content_stands_for_its_file(tmp_path: Path):
    path = tmp_path / "profile.json"
    path.write_text(encode_pretty({"defaultAction": "SCMP_ACT_LOG"}))
    options = with_profiles([f"seccomp={path}", "label=disable", "seccomp=builtin"])
    assert options == (
        'seccomp={"defaultAction":"SCMP_ACT_LOG"}', "label=disable", "seccomp=builtin",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (None, SecurityOptionInvalid, "opening seccomp profile (F) failed: open F: no such file"),
        (b"\xff\xfe", SecurityOptionInvalid, "opening seccomp profile (F) failed"),
        (b"{", ProfileInvalid, "Decoding seccomp profile failed"),
    ],
)
def test_a_profile_that_cannot_be_read_is_said_with_its_name(
    tmp_path: Path, content: bytes | None, kind: type[LaminaError], words: str
):
    path = tmp_path / "p.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(kind) as caught:
        with_profiles([f"seccomp={path}"])
    assert words.replace("F", str(path)) in caught.value.message or words in caught.value.message
