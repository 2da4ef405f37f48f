"""`lamina pull` tells what comes, as docker does."""

import os
import re

import pexpect
from tests.archives import archive
from tests.commands import Lamina, ended
from tests.servers import RegistryServer


def serve(lamina: Lamina, name: str) -> None:
    """Put an image at a registry and forget it here."""
    lamina("load", stdin=archive(name))
    lamina("push", "-q", name)
    lamina("rmi", "--now", name)


def test_elsewhere_than_on_a_terminal_each_state_is_a_line(
    lamina: Lamina, registry: RegistryServer
):
    name = f"{registry.address}/library/mysql"
    serve(lamina, f"{name}:latest")
    lines = lamina("pull", name).splitlines()
    assert lines[:2] == ["Using default tag: latest", "latest: Pulling from library/mysql"]
    assert [line.partition(": ")[2] for line in lines[2:4]] == ["Pulling fs layer"] * 2
    assert sum(line.endswith(": Download complete") for line in lines) == 2
    assert sum(line.endswith(": Pull complete") for line in lines) == 2
    assert re.fullmatch("Digest: sha256:[0-9a-f]{64}", lines[-3])
    assert lines[-2] == f"Status: Downloaded newer image for {name}:latest"
    assert lines[-1] == f"{name}:latest"
    again = lamina("pull", f"{name}:latest").splitlines()
    assert again[-2] == f"Status: Image is up to date for {name}:latest"
    assert not any("Pull complete" in line for line in again)


def test_on_a_terminal_lines_move_and_end_pull_complete(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/library/terminal:1"
    serve(lamina, name)
    words = lamina.argv("pull", name)
    child = pexpect.spawn(
        words[0], words[1:], env=lamina.environ, encoding="utf-8", dimensions=(24, 80), timeout=60
    )
    text = child.read()
    assert ended(child) == 0, text
    assert re.search(r"\x1b\[\d+A\r\x1b\[J", text), "nothing moved"
    last = text.rpartition("\x1b[J")[2]
    assert last.count(": Pull complete") == 2
    assert last.endswith(f"{name}\r\n")


def test_layers_are_unpacked_while_they_come_unless_that_was_not_wanted(
    lamina: Lamina, registry: RegistryServer
):
    name = f"{registry.address}/library/unpacked:1"
    serve(lamina, name)
    folder = f"{lamina.settings.root}/snapshots/unpacked"
    driver = ("--storage-driver", "unpacked")
    lamina(*driver, "pull", "--no-unpack", name)
    assert os.listdir(folder) == []
    lamina(*driver, "pull", name)
    made = [path for path in os.listdir(folder) if os.path.isdir(f"{folder}/{path}")]
    assert len(made) == 2
    lamina(*driver, "rmi", "--now", name)
    assert os.listdir(folder) == []


def test_quiet_prints_the_full_name_alone(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/library/quiet:1"
    serve(lamina, name)
    assert lamina("pull", "-q", name) == f"{name}\n"


def test_a_digest_names_what_was_pulled(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/library/digested"
    serve(lamina, f"{name}:1")
    digest = re.search("Digest: (sha256:[0-9a-f]{64})", lamina("pull", f"{name}:1"))
    assert digest is not None
    lamina("rmi", "--now", f"{name}:1")
    wanted = f"{name}@{digest[1]}"
    assert lamina("pull", wanted).splitlines()[-1] == wanted
    row = lamina("images", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}")
    assert row == f"{name} <none> {digest[1]}\n"


def test_what_the_registry_lacks_is_told_and_nothing_is_kept(
    lamina: Lamina, registry: RegistryServer
):
    outcome = lamina.attempt("pull", f"{registry.address}/library/nosuch:1")
    assert outcome.code == 1
    assert "nosuch" in outcome.err.splitlines()[0]
    assert lamina("images", "-q") == ""


def test_a_registry_that_does_not_answer_is_told(lamina: Lamina):
    outcome = lamina.attempt("pull", "127.0.0.1:1/library/x:1")
    assert outcome.code == 1
    assert outcome.err.startswith("lamina: ")
    assert "Traceback" not in outcome.err
    assert os.linesep in outcome.err


def test_a_name_that_is_none_is_refused_before_any_word(lamina: Lamina):
    outcome = lamina.attempt("pull", "NotLower")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("lamina: invalid reference format: repository name")
    assert lamina.attempt("pull", "-a", "x:1").err == (
        "lamina: tag can't be used with --all-tags/-a\n"
    )
