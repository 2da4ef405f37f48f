"""Volumes as part of a commit, with each storage driver, as root and as a plain user."""

import os

import pytest
from tests.containers import world

DRIVERS = ("sealed", "unpacked", "copied") if os.geteuid() == 0 else ("unpacked", "copied")


@pytest.fixture(scope="module", params=DRIVERS)
def lamina(request, tmp_path_factory):
    with world(tmp_path_factory.mktemp("volumes"), driver=request.param) as command:
        yield command


def test_what_volumes_hold_is_in_the_image_instead_of_what_they_cover(lamina):
    script = (
        "mkdir /srv/deep/data/sub && echo one > /srv/deep/data/sub/f && ln /srv/deep/data/sub/f "
        "/srv/deep/data/g && echo inner > /srv/deep/data/in/i && chmod 1777 /srv/deep/data && "
        "rm -f /etc/* ; echo new > /etc/new && echo out > /out"
    )
    volumes = ("-v", "named:/srv/deep/data", "-v", "/srv/deep/data/in", "-v", "/etc")
    mounts = (*volumes, "--tmpfs", "/fast")
    lamina("run", "--name", "box", *mounts, "tiny", "sh", "-c", script)
    done = lamina.attempt("commit", "--include-volumes", "-c", 'CMD ["sh"]', "box", "with:1")
    assert "not captured: tmpfs /fast" in done.err
    assert "volume" not in done.err
    look = (
        "cat /srv/deep/data/sub/f /srv/deep/data/g /srv/deep/data/in/i /etc/new /out; "
        "stat -c %a /srv/deep /srv/deep/data; ls -A /etc | grep -v -e resolv -e hosts -e hostname; "
        "ls -d /fast"
    )
    said = lamina.attempt("run", "--rm", "with:1", "sh", "-c", look)
    assert said.out.split() == ["one", "one", "inner", "new", "out", "755", "1777", "new"]
    lamina("commit", "-q", "box", "without:1")
    again = lamina.attempt("run", "--rm", "without:1", "sh", "-c", "ls -d /srv/deep /out")
    assert again.out == "/out\n"
    lamina("rm", "-v", "box")
    lamina("volume", "rm", "named")


def test_a_container_without_volumes_commits_as_ever(lamina, tmp_path):
    lamina("run", "--name", "plain", "tiny", "sh", "-c", "echo x > /x")
    words = ("commit", "--iidfile", f"{tmp_path}/iid", "plain")
    image = lamina(*words, "--include-volumes").strip()
    assert (tmp_path / "iid").read_text() == image
    lamina("rm", "plain")
