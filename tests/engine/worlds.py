"""Engines and small images for the engine's tests."""

import io
from collections.abc import Sequence
from pathlib import Path

from tests.images import Piece, tar

from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.requests import CreateRequest
from lamina.events import Event, LayerProgress, Notice, Phase
from lamina.layer.view import Tree
from lamina.settings import Settings
from lamina.spec.digest import Digest

__all__ = [
    "PASSWORD",
    "PIECES",
    "import_image",
    "make_engine",
    "merged",
    "notices",
    "phases",
    "ran",
]

PASSWORD = "correct horse battery"

PIECES = (Piece("etc", directory=True), Piece("etc/motd", b"hello\n"), Piece("big", b"x" * 70000))


def make_engine(folder: Path, **choices: str | int) -> Engine:
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


def phases(events: list[Event]) -> list[Phase]:
    return [event.phase for event in events if isinstance(event, LayerProgress)]


def notices(events: list[Event]) -> list[str]:
    return [f"{e.id}: {e.text}" if e.id else e.text for e in events if isinstance(e, Notice)]


def ran(engine: Engine, script: str, image: str = "base", **choices: object) -> str:
    """Run a script to its end in a new container; give the container's ID."""
    words = ("sh", "-c", script) if script else ()
    record = engine.containers.create(CreateRequest(image, command=words, **choices))  # type: ignore[arg-type]
    if script:
        engine.containers.start(record.id).close()
        assert engine.containers.wait(record.id) == 0
    return str(record.id)


def merged(engine: Engine, name: str) -> dict[bytes, bytes]:
    image = engine.images.resolve(name)
    with engine.layers.opened(image.config.diff_ids) as pile:
        tree = Tree.of(pile)
        return {
            path: tree.read(node)
            for path, node in tree.walk()
            if node.kind.value == "file" and path
        }
