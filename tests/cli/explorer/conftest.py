"""An image of three layers that has everything that the explorer tells of, opened."""

import io
from collections.abc import Iterator

import pytest
from tests.archives import archive
from tests.images import Piece, tar

from lamina.cli.explorer.lines import Signs
from lamina.cli.explorer.session import Session
from lamina.engine.engine import Engine
from lamina.engine.partial_study import PartialStudy, partly_studied

LOW = tar([
    Piece("a/", directory=True), Piece("a/one", b"1" * 3000), Piece("a/two", b"2" * 300),
    Piece("etc/", directory=True), Piece("etc/conf", b"hello\nold line\nmore\n"),
    Piece("etc/id_rsa", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"),
    Piece("etc/kept", b"kept"), Piece("etc/same", b"same"),
    Piece("odd/", directory=True), Piece("odd/ev\x1b[31mil\nname", b"x"), Piece("odd/deep/", directory=True),
    Piece("odd/deep/needle.txt", b"found"),
])  # fmt: skip
MIDDLE = tar([
    Piece("etc/", directory=True), Piece("etc/conf", b"hello\nnew line\nmore\n"), Piece("etc/.wh.id_rsa"),
    Piece("etc/same", b"same"), Piece("later", b"to be replaced"), Piece("a/.wh.two"),
])  # fmt: skip
HIGH = tar([Piece(".wh.a"), Piece("later", bytes(range(256)) * 2), Piece("new", b"n" * 900)])
STEPS: tuple[dict[str, object], ...] = tuple(
    {"created": f"2024-01-02T03:04:0{at}Z", "created_by": f"RUN step-{at}"} for at in (1, 2, 3)
)


@pytest.fixture
def world(engine: Engine) -> Engine:
    """An engine with `three:latest`."""
    engine.images.load(io.BytesIO(archive("three:latest", layers=(LOW, MIDDLE, HIGH), steps=STEPS)))
    return engine


@pytest.fixture
def opened(world: Engine) -> Iterator[PartialStudy]:
    """`three:latest`, open."""
    with partly_studied(world, "three") as opened:
        yield opened


@pytest.fixture
def session(opened: PartialStudy) -> Session:
    """An exploration of it, on a terminal with all signs."""
    return Session(opened, Signs(unicode=True))
