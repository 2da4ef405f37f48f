"""What `commit` says on stderr, what it refuses, and what `push` warns of."""

import pytest
from tests.commands import Lamina
from tests.images import Piece, tar, tiny

KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
TOKEN = b"token = ghp_" + b"a1B2" * 9 + b"\n"
PIECES = (
    Piece("home/app/.ssh/", directory=True, mode=0o700),
    Piece("home/app/.ssh/id_ed25519", KEY, 0o600),
    Piece("srv/settings.ini", TOKEN),
    Piece("srv/deploy.pem", KEY),
    Piece("usr/lib/python3/dist-packages/tests/example.pem", KEY),  # a package's own example
    Piece("var/cache/apt/archives/curl.deb", b"x" * 5000),
    Piece("home/app/.cache/pip/http/a", b"x" * 7000),
    Piece("srv/page.html", b"nothing to see"),
)


@pytest.fixture
def box(lamina: Lamina) -> str:
    lamina("import", "-c", 'CMD ["sh"]', "-", "tiny:1", stdin=tiny())
    lamina(
        "create",
        "--name",
        "box",
        "-v",
        "/data",
        "--tmpfs",
        "/fast",
        "-e",
        "DB_PASSWORD=x",
        "tiny:1",
        "true",
    )
    lamina("cp", "-", "box:/", stdin=tar(list(PIECES)))
    return "box"


def test_a_report_says_what_is_in_the_image_and_what_is_not(lamina: Lamina, box: str):
    done = lamina.attempt("commit", box, "made:1")
    assert done.code == 0
    assert len(done.lines) == 1
    assert done.lines[0].startswith("sha256:")
    lines = done.err.splitlines()
    assert lines[0].startswith("captured: 7 files, 12.")
    assert "(/home 7.095kB, /var 5kB, /srv 158B, /usr 95B)" in lines[0]
    assert "settings: Env: + DB_PASSWORD=x" in lines
    assert 'settings: Cmd: ["sh"] → ["true"]' in lines
    assert "not captured: volume /data, tmpfs /fast" in lines
    warnings = [line.removeprefix("WARNING: ") for line in lines if line.startswith("WARNING")]
    assert warnings == [
        "a private key: /srv/deploy.pem",
        "a private key of ssh: /home/app/.ssh/id_ed25519",
        "a token of GitHub: /srv/settings.ini",
        "a package cache of apt: 1 file, 5kB",
        "a package cache of pip: 1 file, 7kB",
        "the environment variable DB_PASSWORD looks like a secret, and is part of the image",
        'the image\'s CMD becomes ["true"], with which the container was started',
    ]
    quiet = lamina.attempt("commit", "-q", box, "made:1")
    assert (quiet.code, quiet.err) == (0, "")


def test_strict_makes_no_image_of_what_is_regretted(lamina: Lamina, box: str):
    before = lamina("images", "-aq")
    done = lamina.attempt("commit", "--strict", box, "made:1")
    assert (done.code, done.out) == (1, "")
    assert "not committed: a private key: /srv/deploy.pem (and 6 more)" in done.err
    assert lamina("images", "-aq") == before
    lamina("create", "--name", "clean", "tiny:1")
    lamina("cp", "-", "clean:/", stdin=tar([Piece("srv/page.html", b"fine")]))
    done = lamina.attempt("commit", "--strict", "clean", "made:1")
    assert (done.code, done.err) == (0, "captured: 1 file, 4B (/srv 4B)\n")


def test_a_command_that_was_asked_for_is_no_surprise(lamina: Lamina, box: str):
    done = lamina.attempt("commit", "--change", 'CMD ["sh"]', box)
    assert "settings: Cmd" not in done.err
    assert "CMD becomes" not in done.err
    done = lamina.attempt("commit", "--change", "CMD other", box)
    assert "settings: Cmd" in done.err
    assert "CMD becomes" not in done.err


def test_a_push_warns_of_layers_made_here_alone(lamina: Lamina, box: str):
    lamina("commit", "-q", box, "127.0.0.1:1/made:1")
    done = lamina.attempt("push", "127.0.0.1:1/made:1")
    assert done.code == 1
    assert "WARNING: a private key: /srv/deploy.pem" in done.err
    assert "WARNING: a package cache of apt: 1 file, 5kB" in done.err
    done = lamina.attempt("push", "-q", "127.0.0.1:1/made:1")
    assert "WARNING" not in done.err


@pytest.mark.root
def test_files_that_are_there_for_their_owner_alone_and_holes_are_told(lamina: Lamina):
    lamina("import", "-", "tiny:1", stdin=tiny())
    script = "chown 1:1 /bin/busybox; truncate -s 50000000 /sparse; echo x > /etc/passwd"
    lamina("run", "--network", "none", "--name", "box", "tiny:1", "sh", "-c", script)
    lines = lamina.attempt("commit", "-c", "CMD sh", "box").err.splitlines()
    warnings = [line.removeprefix("WARNING: ") for line in lines if line.startswith("WARNING")]
    assert len(warnings) == 2
    assert warnings[0].startswith("whole again for their owner, mode or time alone: 1 file, ")
    assert warnings[0].endswith(": /bin/busybox")
    assert warnings[1] == "a sparse file: /sparse takes 0B here and 50MB elsewhere"


def test_one_hint_stands_for_all_that_it_is_for_and_long_commands_are_cut():
    import io

    from lamina.cli.capturing import warn
    from lamina.cli.context import Context
    from lamina.study.regrets import Regret

    err = io.StringIO()
    rows = (Regret("a", "same"), Regret("b", "same"), Regret("c" * 1000, "other"), Regret("d"))
    warn(Context(out=io.StringIO(), err=err), rows)
    lines = err.getvalue().splitlines()
    assert lines[:3] == ["WARNING: a", "WARNING: b", "hint: same"]
    assert len(lines[3]) < 600
    assert lines[4:] == ["hint: other", "WARNING: d"]
    warn(Context(out=io.StringIO(), err=err), ())
