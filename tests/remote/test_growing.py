"""A blob that is made and sent at the same time arrives whole, or its maker's failure is raised."""

import os
import threading
from pathlib import Path

import pytest
from tests.remote.test_repository import descriptor_of, fetch
from tests.remote.test_uploads import UploadServer
from tests.servers import RegistryServer

from lamina.remote.client import Client
from lamina.remote.errors import BodyUnreadable
from lamina.remote.growing import Growing
from lamina.remote.repository import Repository
from lamina.spec.descriptor import Descriptor


def test_a_blob_is_sent_while_it_is_made(
    client: Client, open_registry: RegistryServer, tmp_path: Path
) -> None:
    pieces = [os.urandom(1 << 20) for _ in range(20)]
    whole = b"".join(pieces)
    repository = Repository(client, open_registry.address, "made/meanwhile")
    heard: list[int] = []
    begun = threading.Event()

    def progress(count: int) -> None:
        heard.append(count)
        begun.set()

    with (tmp_path / "growing").open("w+b") as file:
        growing = Growing(file.fileno())

        def make() -> Descriptor:
            for piece in pieces[:12]:
                growing.write(piece)
            assert begun.wait(60)  # the first bytes are on their way before the last are made
            for piece in pieces[12:]:
                growing.write(piece)
            return descriptor_of(whole)

        maker = threading.Thread(target=growing.fill, args=(make,))
        maker.start()
        repository.upload_growing(growing, progress=progress)
        maker.join()
    assert fetch(repository, descriptor_of(whole)) == whole
    assert heard[-1] == len(whole)


def test_what_a_maker_fails_with_ends_the_upload(client: Client, tmp_path: Path) -> None:
    def make() -> Descriptor:
        raise BodyUnreadable("the disk is broken")

    with UploadServer().server as server, (tmp_path / "growing").open("w+b") as file:
        growing = Growing(file.fileno())
        growing.fill(make)
        with pytest.raises(BodyUnreadable, match="the disk is broken"):
            Repository(client, server.address, "a/b").upload_growing(growing)
        assert "PUT" not in [each.method for each in server.seen]
    growing.stop()
    with pytest.raises(BrokenPipeError):
        growing.write(b"more")
