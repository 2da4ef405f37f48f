"""What `-v` and `--mount` show inside, on each runtime, as root and as a plain user."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.containers import RUNTIMES, eventually, mounts_below, world


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


def test_an_image_is_shown_read_only_whole_or_in_part(lamina):
    flags = (
        "--mount=type=image,src=tiny,dst=/whole",
        "--mount=type=image,src=tiny,dst=/part,image-subpath=bin",
        "--mount=type=image,src=tiny,dst=/one,image-subpath=etc/group",
    )
    words = (
        "cmp /bin/busybox /whole/bin/busybox && cmp /bin/busybox /part/busybox && cat /one;"
        "for f in /whole/x /part/x /one; do (echo x > $f) 2>/dev/null || echo kept; done"
    )
    told = lamina("run", "--rm", *flags, "tiny", "sh", "-c", words).split()
    assert told[-3:] == ["kept"] * 3
    assert told[0].startswith("root:")
    assert eventually(lambda: os.listdir(f"{lamina.settings.run_root}/c") == [])


def test_an_image_is_shown_where_there_is_no_overlayfs(lamina):
    flags = ("--mount=type=image,src=tiny,dst=/whole", "tiny", "sh", "-c")
    words = (
        "cmp /bin/busybox /whole/bin/busybox && mount | grep -c 'overlay on /whole'; touch /whole/x"
    )
    done = lamina.attempt("run", "--rm", *flags, words, LAMINA_STORAGE_DRIVER="copied")
    assert done.out == "0\n"
    assert "Read-only file system" in done.err


def test_a_volume_that_is_a_file_system_lasts_as_long_as_its_containers(lamina):
    options = ("-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,uid=7")
    lamina("volume", "create", *options, "quick")
    lamina(
        "run", "-d", "--name=holds", "-v=quick:/a", "tiny", "sh", "-c", "echo x > /a/f; sleep 1000"
    )
    eventually(lambda: lamina("exec", "holds", "ls", "/a") == "f\n")
    seen = lamina(
        "run", "--rm", "-v=quick:/b:ro", "tiny", "sh", "-c", "ls /b; stat -c %u /b"
    ).split()
    # A plain user's containers have mounts of their own each.
    assert seen == (["f", "7"] if os.geteuid() == 0 else ["7"])
    refused = lamina.attempt("cp", "holds:/a/f", "-")
    assert refused.code == 0
    lamina("stop", "-t=0", "holds")
    refused = lamina.attempt("cp", "holds:/a/f", "-")
    assert "mounted only while it runs" in refused.err
    lamina("rm", "holds")
    assert mounts_below(f"{lamina.settings.run_root}/volumes") == []
    assert lamina("run", "--rm", "-v=quick:/b", "tiny", "ls", "/b") == ""
    lamina("volume", "rm", "quick")
    assert mounts_below(f"{lamina.settings.run_root}/volumes") == []


def test_a_file_is_bound_read_only(lamina, tmp_path):
    """With crun 1.8 it was not: `open mount target: Not a directory`."""
    (tmp_path / "file").write_text("host")
    words = ("tiny", "sh", "-c", "cat /f; (echo x > /f) 2>/dev/null || echo kept")
    told = lamina("run", "--rm", f"-v={tmp_path}/file:/f:ro", *words)
    assert told == "hostkept\n"


def test_what_is_mounted_can_be_given_to_the_containers_user(lamina, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/f").write_text("")
    words = ("-u=0", f"-v={tmp_path}/own:/own:U,Z", "-v=given:/v:U", "tiny", "stat", "-c%u")
    assert lamina("run", "--rm", *words, "/own", "/own/f", "/v") == "0\n0\n0\n"
    lamina("volume", "rm", "given")
