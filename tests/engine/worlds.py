"""Engines and small images for the engine's tests."""

import io
from collections.abc import Sequence
from pathlib import Path

from tests.images import Piece, tar

from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.settings import Settings
from lamina.spec.digest import Digest

__all__ = ["PIECES", "import_image", "make_engine"]

PIECES = (Piece("etc", directory=True), Piece("etc/motd", b"hello\n"), Piece("big", b"x" * 70000))


def make_engine(folder: Path, **choices: str) -> Engine:
    """Give an engine with all its folders below `folder`."""
    return Engine(
        Settings(
            root=str(folder / "root"),
            run_root=str(folder / "run"),
            docker_config=str(folder / "docker"),
            **choices,  # type: ignore[arg-type]
        )
    )


def import_image(
    engine: Engine, name: str = "", pieces: Sequence[Piece] = PIECES, *changes: str
) -> Digest:
    """Make a one-layer image."""
    request = ImportRequest(name=name, changes=changes)
    return engine.images.import_(io.BytesIO(tar(pieces)), request)
