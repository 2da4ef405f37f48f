"""`lamina index`, and the commands that read by it, at a registry nobody has to log in to."""

import subprocess
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.images import Piece, tar, write_layout
from tests.servers import RegistryServer

STATUS = b"Package: tool\nStatus: install ok installed\nVersion: %d\nArchitecture: all\n\n"


def layers(version: int) -> list[bytes]:
    folders = [Piece(name, directory=True) for name in ("var", "var/lib", "var/lib/dpkg", "etc")]
    status = Piece("var/lib/dpkg/status", STATUS % version)
    return [
        tar([*folders, status, Piece("etc/motd", b"one\n"), Piece("large", b"x" * 300_000)]),
        tar([Piece("etc/motd", b"version %d\n" % version), Piece(".wh.large"), Piece("etc/id_rsa", b"-----BEGIN OPENSSH PRIVATE KEY-----\n" * 9)]),
    ]  # fmt: skip


@pytest.fixture
def pushed(registry: RegistryServer, tmp_path: Path) -> str:
    """An image in two versions."""
    for version in (1, 2):
        write_layout(tmp_path / str(version), layers(version))
        target = f"docker://{registry.address}/app:{version}"
        words = ["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{tmp_path}/{version}", target]  # fmt: skip
        subprocess.run(words, check=True)
    return f"{registry.address}/app"


def test_an_image_is_understood_without_being_pulled(pushed: str, lamina: Lamina):
    missing = lamina.attempt("packages", "--remote", f"{pushed}:1")
    assert missing.code == 1
    assert "has no seek index" in missing.err
    assert f"lamina index {pushed}:1" in missing.err
    first = lamina("index", f"{pushed}:1")
    digest = lamina("index", "-q", f"{pushed}:1").strip()
    assert digest.startswith("sha256:")
    assert f"Pushed index {digest}" in first
    assert lamina("index", f"{pushed}:1").startswith(f"There is an index {digest}")
    told = lamina.attempt("packages", "--remote", f"{pushed}:1")
    assert told.lines[1].split()[:3] == ["tool", "1", "deb"]
    assert "received" in told.err
    assert "changed: content" in lamina("whence", f"docker://{pushed}:1", "/etc/motd")
    assert "deleted later" in lamina("waste", "--remote", f"{pushed}:1")
    assert "/etc/id_rsa" in lamina("secrets", "--remote", f"{pushed}:1")
    assert lamina("images", "-q") == ""


def test_files_are_listed_printed_and_copied_without_a_pull(
    pushed: str, lamina: Lamina, tmp_path: Path
):
    lamina("index", f"{pushed}:1")
    listed = lamina.attempt("ls", "--remote", f"{pushed}:1:/etc")
    assert listed.out == "id_rsa\nmotd\n"
    assert "received" in listed.err
    assert lamina("ls", "--layer", "1", f"docker://{pushed}:1:/etc") == "motd\n"
    assert lamina("cat", f"docker://{pushed}:1:/etc/motd") == "version 1\n"
    assert lamina("cat", "--remote", "--platform", "linux/amd64", f"{pushed}:1:/etc/motd")
    lamina("cp", f"docker://{pushed}:1:/etc/motd", str(tmp_path / "copied"))
    assert (tmp_path / "copied").read_text() == "version 1\n"
    for words, said in [
        (("ls", "--remote", f"{pushed}:2"), "has no seek index"),
        (("ls", "--remote", f"{pushed}:1:/large"), "No such file or directory"),
        (("ls", "--layer", "7", f"docker://{pushed}:1"), "has no layer number 7"),
        (("cat", "--platform", "linux/amd64", f"{pushed}:1:/etc/motd"), "ask with --remote"),
        (("cp", str(tmp_path / "copied"), f"docker://{pushed}:1:/etc"), "is an image"),
    ]:
        refused = lamina.attempt(*words)
        assert refused.code
        assert said in refused.err
    assert lamina("images", "-q") == ""


def test_two_versions_are_compared_one_of_them_here(pushed: str, lamina: Lamina):
    lamina("index", f"{pushed}:2")
    lamina("pull", f"{pushed}:1")
    diff = lamina("diff", f"{pushed}:1", f"docker://{pushed}:2")
    assert "C /etc/motd  (content)" in diff
    assert "tool 1" in diff
    assert "large" not in diff
    refused = lamina.attempt("waste", "--platform", "linux/arm64", f"{pushed}:1")
    assert (refused.code, "is for images at a registry" in refused.err) == (1, True)


def test_a_push_can_bring_the_index_along(pushed: str, lamina: Lamina):
    lamina("import", "-", f"{pushed}:mine", stdin=layers(3)[0])
    lamina("push", "--index", f"{pushed}:mine")
    assert lamina("index", f"{pushed}:mine").startswith("There is an index")
