from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world

from lamina.runtime.bubblewrap import Bubblewrap
from lamina.runtime.process import Launch, StartFailed, Stdio
from lamina.spec.bundle import Account, Bundle, ProcessSettings, runtime_config


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("bwrap"), runtime="bwrap") as lamina:
        yield lamina


def test_a_program_that_is_missing_is_said_before_bubblewrap_runs(tmp_path):
    config = runtime_config(
        Bundle(),
        ProcessSettings(("x",)),
        Account(),
        rootfs=str(tmp_path),
        machine="x86_64",
        kernel="6.1",
    )
    launch = Launch("c", str(tmp_path), config, Stdio(), lambda: None, terminal=False)
    with pytest.raises(StartFailed, match=r"executable file not found in \$PATH"):
        Bubblewrap("/nosuch").start(launch)


def test_bubblewraps_own_words_come_with_a_failed_start(lamina: Lamina, tmp_path):
    (tmp_path / "file").write_text("")
    words = ("run", "--rm", "-v", f"{tmp_path}/file:/etc", "tiny", "true")
    outcome = lamina.attempt(*words)
    assert outcome.code in (125, 126, 127)
    assert "bwrap:" in outcome.err


@pytest.mark.parametrize("turn", range(5))
def test_a_program_that_ends_at_once_keeps_its_exit_code(lamina: Lamina, turn: int):
    assert lamina.attempt("run", "--rm", "tiny", "sh", "-c", f"exit {turn}").code == turn


def test_the_hosts_settings_cannot_be_written_by_root_inside(lamina: Lamina):
    """bubblewrap alone leaves /proc/sys writable to a root with the host's user namespace."""
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/domainname"):
        outcome = lamina.attempt("run", "--rm", "tiny", "sh", "-c", f"echo x > {path}")
        assert "Read-only file system" in outcome.err


def test_a_user_finds_the_mounts_whoever_owns_the_way_to_them(lamina: Lamina, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "f").write_text("read")
    tmp_path.chmod(0o700)
    words = (
        "run",
        "--rm",
        "-u",
        "nobody",
        "-v",
        f"{tmp_path}/deep:/data",
        "tiny",
        "cat",
        "/data/f",
    )
    assert lamina(*words) == "read"


def test_a_working_folder_that_the_image_lacks_is_made(lamina: Lamina):
    assert lamina("run", "--rm", "-w", "/new/folder", "tiny", "pwd") == "/new/folder\n"


def test_a_profile_that_it_cannot_give_is_refused_rather_than_forgotten(tmp_path):
    config = runtime_config(
        Bundle(apparmor="strict"),
        ProcessSettings(("x",)),
        Account(),
        rootfs=str(tmp_path),
        machine="x86_64",
        kernel="6.1",
    )
    launch = Launch("c", str(tmp_path), config, Stdio(), lambda: None, terminal=False)
    with pytest.raises(StartFailed, match="AppArmor"):
        Bubblewrap("/bin/false").start(launch)


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_a_tmpfs_has_every_option_that_was_asked_for(lamina: Lamina, user: str):
    """bubblewrap's own has size and mode alone, and lets programs in it run."""
    flags = ("--tmpfs=/a:nr_inodes=20,mode=750", "--tmpfs=/b:exec,size=64k", "--tmpfs=/c:ro")
    shown = lamina("run", "--rm", f"-u={user}", *flags, "tiny", "grep", " /[abc] ", "/proc/mounts")
    rows = {row.split()[1]: row.split()[3].split(",") for row in shown.splitlines()}
    assert {"rw", "noexec", "nr_inodes=20", "mode=750"} <= set(rows["/a"])
    assert {"rw", "nosuid", "nodev", "size=64k"} <= set(rows["/b"])
    assert "noexec" not in rows["/b"]
    assert "ro" in rows["/c"]
