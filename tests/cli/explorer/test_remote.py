"""An image at a registry is explored without pulling it, by its index."""

import asyncio
import io
import json
from functools import partial
from pathlib import Path

from tests.archives import archive
from tests.cli.explorer.conftest import HIGH, LOW, MIDDLE, STEPS
from tests.consoles import console
from tests.engine.worlds import PASSWORD, make_engine

from lamina.cli.explorer.app import Explorer
from lamina.cli.explorer.lines import Signs
from lamina.cli.explorer.start import _opened_remotely
from lamina.engine.engine import Engine
from lamina.engine.indexing import index_image
from lamina.hub import Hub
from lamina.remote.login import login


def pushed(engine: Engine, hub: Hub) -> str:
    name = f"{hub.address}/alice/three:1"
    data = archive(name, layers=(LOW, MIDDLE, HIGH), steps=STEPS)
    engine.images.load(io.BytesIO(data))
    login(engine.client, hub.address, "alice", PASSWORD)
    engine.images.push(name)
    index_image(engine, name)
    return name


def test_the_tree_and_a_file_come_from_the_registry(engine: Engine, tmp_path: Path):
    with Hub() as hub:
        hub.register("alice", PASSWORD)
        explore(pushed(engine, hub), hub, tmp_path)


def explore(name: str, hub: Hub, tmp_path: Path) -> None:

    async def main(reader: Engine) -> str:
        opening = partial(_opened_remotely, reader, name, "")
        with opening() as opened:
            app = Explorer(opening, opened, Signs(unicode=True))
            async with app.run_test(size=(100, 24)) as pilot:
                app.session.look(2)
                at = app.session.show(b"etc/conf", 2)
                app.tree_rows.move(at)
                await pilot.press("v")
                await pilot.pause()
                strips = app.screen._compositor.render_strips()
                return "\n".join(strip.text for strip in strips)

    with make_engine(tmp_path / "reader") as reader:
        login(reader.client, hub.address, "alice", PASSWORD)
        text = asyncio.run(main(reader))
        assert "new line" in text
        assert "/etc/conf" in text
        assert reader.images.list() == ()
        document = json.loads(console(reader.settings)("explore", "--json", f"docker://{name}"))
        assert [layer["number"] for layer in document["layers"]] == [1, 2, 3]
