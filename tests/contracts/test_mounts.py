"""What `-v` and `--mount` show inside, on each runtime, as root and as a plain user."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.containers import RUNTIMES, world


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory):
    with world(tmp_path_factory.mktemp("world"), runtime=request.param) as lamina:
        yield lamina


def test_each_form_of_mount_is_what_it_says(lamina, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/file").write_text("host")
    flags = (
        f"-v={tmp_path}/here:/bound:ro",
        f"-v={tmp_path}/made:/made",
        "-v=shared:/one",
        "--mount=type=volume,src=shared,dst=/two,readonly",
        "--mount=type=tmpfs,dst=/scratch,tmpfs-size=64k",
        "-v=/nameless",
    )
    words = (
        "cat /bound/file; echo x 2>/dev/null > /bound/file || echo kept;"
        "echo mine > /made/f; echo one > /one/f; cat /two/f; echo x 2>/dev/null > /two/f || echo ro;"
        "df -k /scratch | tail -1 | tr -s ' ' | cut -d' ' -f2; ls -d /nameless"
    )
    told = lamina("run", "--rm", *flags, "tiny", "sh", "-c", words)
    assert told.split() == ["hostkept", "one", "ro", "64", "/nameless"]
    assert (tmp_path / "made/f").read_text() == "mine\n"
    assert lamina("volume", "ls", "-q") == "shared\n"  # the nameless one went with its container
    again = lamina("run", "--rm", "--mount=src=shared,dst=/v", "tiny", "cat", "/v/f")
    assert again == "one\n"
    lamina("volume", "rm", "shared")


@contextmanager
def shared_mount(folder: Path) -> Iterator[None]:
    """Make `folder` a mount that others may follow."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "--make-shared", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-R", "-l", folder], check=True)


@pytest.mark.root
def test_a_slave_sees_what_the_host_mounts_later(lamina, tmp_path):
    (tmp_path / "sub").mkdir()
    with shared_mount(tmp_path):
        lamina("run", "-d", "--name=follower", f"-v={tmp_path}:/h:rslave", "tiny", "sleep", "1000")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path / "sub"], check=True)
        (tmp_path / "sub/later").write_text("")
        assert lamina("exec", "follower", "ls", "/h/sub") == "later\n"
        lamina("rm", "-f", "follower")
