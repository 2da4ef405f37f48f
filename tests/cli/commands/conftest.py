"""A root with two images on it, and a console that looks at them; a home to log in from."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.archives import STEPS, archive
from tests.consoles import Console, console
from tests.images import Piece, tar

from lamina.cli.context import Context
from lamina.cli.main import main
from lamina.engine.engine import Engine
from lamina.settings import Settings

FIRST = tar([Piece("etc/", directory=True), Piece("etc/first", b"x" * 700)])
OTHER = tar([Piece("etc/other", b"z" * 5)])


@pytest.fixture
def shelf(settings: Settings, engine: Engine) -> Console:
    """`mysql:latest` of two layers, and `example.com/app:v1`, newer, on the same first layer."""
    engine.images.load(io.BytesIO(archive("mysql:latest", labels={"tier": "db"})))
    newer = archive(
        "example.com/app:v1",
        layers=(FIRST, OTHER),
        steps=(STEPS[0], {"created": "2026-11-01T00:00:00Z", "comment": "by hand", "author": "me"}),
        created="2026-11-01T00:00:00Z",
    )
    engine.images.load(io.BytesIO(newer))
    return console(settings)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Run a command in a home of its own; give its code, what it printed and what it said."""

    def run(*words: str, stdin: str = "") -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        environ = {
            "LAMINA_ROOT": str(tmp_path),
            "HOME": str(tmp_path),
            "DOCKER_CONFIG": str(tmp_path / "docker"),
        }
        context = Context(out=out, err=err, stdin=io.StringIO(stdin), environ=environ)
        return main([*words], context), out.getvalue(), err.getvalue()

    return run
