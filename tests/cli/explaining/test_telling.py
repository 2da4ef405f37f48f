"""A story never spoils the deed, and ends with it."""

import io
import os
import signal
import subprocess

from tests.archives import archive
from tests.commands import Lamina
from tests.consoles import Console
from tests.servers import RegistryServer, Relay

from lamina.cli.explaining.page import Page
from lamina.cli.explaining.telling import _Hearing
from lamina.events import Deed, Event, Notice


class Mistaken:
    """A story with a mistake in it."""

    def begin(self) -> None:
        raise KeyError("begin")

    def hear(self, deed: Event | Deed) -> None:
        raise ValueError(f"{deed}")

    def end(self, code: int) -> None:
        raise TypeError(code)

    def fail(self) -> None:
        raise OSError


def served(lamina: Lamina, name: str) -> None:
    lamina("load", stdin=archive(name))
    lamina("push", "-q", name)
    lamina("rmi", "--now", name)


def test_what_cannot_be_told_is_said_so_and_nothing_else_happens():
    console = Console()
    context = console.context()
    hearing = _Hearing(Mistaken(), Page(context, context.err))
    hearing(Notice("x"))
    hearing.guard(Mistaken().begin)
    assert isinstance(context.err, io.StringIO)
    told = context.err.getvalue()
    assert told.count("(This step cannot be told:") == 2


def test_a_story_that_nobody_reads_any_more_does_not_stop_the_pull(
    lamina: Lamina, registry: RegistryServer
):
    name = f"{registry.address}/unread:1"
    served(lamina, name)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            lamina.argv("explain", "pull", name),
            stdout=subprocess.PIPE,
            stderr=writing,
            env=lamina.environ,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[-1] == name
    assert lamina("images", "-q")


def test_an_interrupted_pull_ends_as_ever_with_the_story_so_far(
    lamina: Lamina, registry: RegistryServer
):
    name = "cut:1"
    served(lamina, f"{registry.address}/{name}")
    with Relay(registry.address, down=1200) as relay:  # the documents, and no layer whole
        process = lamina.start("explain", "pull", f"{relay.address}/{name}")
        assert relay.full.wait(100)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=100)
    assert process.returncode == 130
    assert b"1  The name" in told
    assert b"lamina: interrupted" in told


def test_nothing_listens_any_more_when_the_story_is_over(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/over:1"
    served(lamina, name)
    told = lamina.attempt("explain", "run", "--network", "none", "--pull", "never", name)
    assert told.code == 125
    assert told.err.count("It did not work") == 1
    assert "→" not in told.err
