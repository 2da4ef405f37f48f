"""Make an image of a folder, publish it in a hub inside this very process, and pull it elsewhere.

    python examples/publish.py FOLDER

Needs the `hub` extra. Everything happens in one temporary folder and on one free loopback port.
"""

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from lamina import Engine, Settings
from lamina.engine.archives import ImportRequest
from lamina.hub import Hub
from lamina.remote.login import login

PASSWORD = "an example's password"


def publish(folder: str, place: Path) -> str:
    """Give the digest that both sides agree on."""
    archive = place / "folder.tar"
    subprocess.run(["tar", "-C", folder, "-cf", archive, "."], check=True)
    settings = Settings.from_environment()
    mine, yours = (
        replace(
            settings,
            root=str(place / name),
            run_root=str(place / f"{name}-run"),
            docker_config=str(place / f"{name}-docker"),
        )
        for name in ("mine", "yours")
    )
    with Hub(root=str(place / "hub")) as hub:
        hub.register("alice", PASSWORD)
        name = f"{hub.address}/alice/folder:v1"
        with Engine(mine) as engine, archive.open("rb") as stream:
            engine.images.import_(stream, ImportRequest(name=name, message="a folder of mine"))
            login(engine.client, hub.address, "alice", PASSWORD)
            pushed = engine.images.push(name)[0]
        with Engine(yours) as engine:
            pulled = engine.images.pull(name)[0]
            assert pulled.digest == pushed.digest
    return str(pulled.digest)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lamina-example-") as place:
        print(publish(sys.argv[1], Path(place)))


if __name__ == "__main__":
    main()
