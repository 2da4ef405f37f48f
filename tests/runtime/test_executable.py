import os
import struct

import pytest

from lamina.runtime import executable
from lamina.runtime.executable import check
from lamina.runtime.process import StartFailed

LOADER = b"/lib/ld-none.so\0"


def elf(machine, loader=b""):
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, machine, 1)
    head += struct.pack("<QQQIHHHHHH", 0, 64, 0, 0, 64, 56, bool(loader), 0, 0, 0)
    header = struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(loader), len(loader), 1)
    return head + (header + loader if loader else b"")


def write(path, data=b"#!/bin/sh\n", mode=0o755):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(executable, "_FORMATS", "/nonexistent")
    monkeypatch.setattr(executable, "_RUNS", {os.uname().machine: (62, 3)})
    folder = tmp_path / "root"
    write(folder / "usr/bin/sh", elf(62))
    (folder / "bin").symlink_to("usr/bin")
    return folder


def problem(root, *args, mounts=(), path="/none:/bin", cwd="/"):
    process = {"args": args, "env": [f"PATH={path}"], "cwd": cwd}
    try:
        check(str(root), process, mounts)
    except StartFailed as error:
        return error.message.partition(": ")[2].partition(": ")[2], error.exit_code, error.hint
    return None


def bind(source, target, kind="bind"):
    return {"type": kind, "source": str(source), "destination": target}


@pytest.mark.parametrize(
    ("data", "mode", "words", "code", "hint"),
    [
        (b"#!/bin/sh\n", 0o755, "", 0, ""),
        (b"#! \t/bin/sh -e\n", 0o755, "", 0, ""),
        (elf(62), 0o755, "", 0, ""),
        (elf(3), 0o755, "", 0, ""),
        (b"#!/bin/sh\n", 0o644, "permission denied", 126, "must be an executable file"),
        (b"#!/bin/none\n", 0o755, "no such file or directory", 127, "interpreter /bin/none"),
        (b"#!/bin/sh\r\n", 0o755, "no such file or directory", 127, "dos2unix"),
        (b"#!\n", 0o755, "exec format error", 126, "nothing follows"),
        (b"echo hello\n", 0o755, "exec format error", 126, "a script's first line"),
        (b"", 0o755, "exec format error", 126, "it is empty"),
        (elf(183), 0o755, "exec format error", 126, "--platform linux/amd64"),
        (elf(62, LOADER), 0o755, "no such file or directory", 127, "the loader /lib/ld-none.so"),
    ],
)
def test_what_is_wrong_with_a_program_is_told_with_what_to_do(  # noqa: PLR0917
    root, data, mode, words, code, hint
):
    write(root / "usr/bin/tool", data, mode)
    for name in ("tool", "/bin/tool", "/usr/bin/tool"):
        found = problem(root, name)
        assert (found is None) == (code == 0), name
        if found:
            assert (words, code) == found[:2]
            assert hint in found[2]


def test_a_program_that_is_being_written_is_not_run(root):
    write(root / "usr/bin/tool")
    with open(root / "usr/bin/tool", "ab"):
        assert problem(root, "tool")[:2] == ("text file busy", 126)
    assert problem(root, "tool") is None
    with open(root / "usr/bin/tool", "ab") as file:  # the look left nothing behind
        file.write(b"true\n")


def test_a_name_is_looked_for_where_the_container_will(root):
    write(root / "opt/tool")
    assert problem(root, "./tool", cwd="/opt") is None
    assert problem(root, "opt/tool") is None
    assert problem(root, "tool")[:2] == ("executable file not found in $PATH", 127)
    assert problem(root, "")[:2] == ("executable file not found in $PATH", 127)
    assert problem(root, "/tool")[:2] == ("no such file or directory", 127)
    assert problem(root, "/usr")[:2] == ("is a directory", 126)
    write(root / "usr/bin/tool", mode=0o644)
    assert problem(root, "tool", path="/bin:/opt") is None, "what cannot run is passed over"


def test_a_working_folder_that_is_a_file_is_refused(root, tmp_path):
    write(root / "etc/passwd")
    for cwd in ("/etc/passwd", "/usr/bin/../../etc/passwd"):
        with pytest.raises(StartFailed, match=f"Cannot mkdir: {cwd} is not a directory") as error:
            check(str(root), {"args": ["sh"], "env": [], "cwd": cwd})
        assert error.value.exit_code == 125
    for cwd in ("/", "/bin", "/new/one"):
        assert problem(root, "sh", cwd=cwd) is None
    assert problem(root, "sh", cwd="/etc/passwd", mounts=[bind(tmp_path, "/etc/passwd")]) is None


def test_programs_and_interpreters_below_binds_are_found_there(root, tmp_path):
    write(tmp_path / "tools/tool", b"#!/t/deeper/interp\n")
    mounts = [bind(tmp_path / "tools", "/t"), bind("/dev", "/dev", "tmpfs")]
    assert problem(root, "/t/tool", mounts=mounts)[1:] == (
        127,
        "its interpreter /t/deeper/interp is not in the image",
    )
    write(tmp_path / "tools/deeper/interp", elf(62))
    assert problem(root, "/t/tool", mounts=mounts) is None
    assert problem(root, "tool", mounts=mounts, path="/t") is None
    assert problem(root, "/t/none", mounts=mounts)[1] == 127
    over = [bind(tmp_path / "tools/tool", "/bin/sh")]
    assert problem(root, "/usr/bin/sh", mounts=over)[1] == 127, "a bind's target may be a link's"


def test_what_cannot_be_known_is_left_to_the_runtime(root, tmp_path, monkeypatch):
    write(root / "usr/bin/arm", elf(183))
    hidden = [bind("tmpfs", "/usr/bin", "tmpfs")]
    assert problem(root, "arm", mounts=hidden) is None
    assert problem(root, "/bin/none", mounts=hidden) is None
    assert problem(root, "/new/deep/none", mounts=[bind(tmp_path, "/new/deep/er")]) is None
    formats = tmp_path / "formats"
    (formats / "qemu-aarch64").mkdir(parents=True)
    monkeypatch.setattr(executable, "_FORMATS", str(formats))
    assert problem(root, "arm") is None
