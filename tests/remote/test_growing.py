"""A blob that is made and sent at the same time arrives whole, or its maker's failure is raised."""

import os
import threading
from pathlib import Path

import pytest
from tests.remote.crooked import CrookedServer, Exchange
from tests.remote.test_repository import descriptor_of, fetch
from tests.remote.test_uploads import DATA, UploadServer
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


def upload_made(client: Client, server: CrookedServer, place: Path) -> None:
    """Upload DATA as something that is made."""
    with place.open("w+b") as file:
        growing = Growing(file.fileno())
        growing.write(DATA)
        growing.fill(lambda: descriptor_of(DATA))
        Repository(client, server.address, "a/b").upload_growing(growing)


def test_it_goes_with_one_request_as_its_length_is_not_known(
    client: Client, tmp_path: Path
) -> None:
    registry = UploadServer()
    with registry.server as server:
        upload_made(client, server, tmp_path / "growing")
        assert registry.blob == DATA
        assert [each.method for each in server.seen] == ["POST", "PATCH", "PUT"]
        headers = server.seen[1].headers
        assert headers["transfer-encoding"] == "chunked"
        assert not {"content-length", "content-range"} & set(headers)


def test_after_a_break_it_goes_on_where_the_registry_stands(client: Client, tmp_path: Path) -> None:
    def break_off(exchange: Exchange) -> bool:
        if "transfer-encoding" not in exchange.headers:
            return False
        size = int(exchange.handler.rfile.readline(), 16)
        registry.take(exchange, size - 1000)
        return True

    registry = UploadServer(break_off)
    with registry.server as server:
        upload_made(client, server, tmp_path / "growing")
        assert registry.blob == DATA
        assert [each.method for each in server.seen] == ["POST", "PATCH", "GET", "PATCH", "PUT"]
        first = len(DATA) - len(server.seen[3].body)
        assert server.seen[3].headers["content-range"] == f"{first}-{len(DATA) - 1}"
        assert first > 0


@pytest.mark.parametrize("status", [413, 503])
def test_where_so_much_at_once_is_refused_it_goes_in_pieces(
    client: Client, tmp_path: Path, status: int
) -> None:
    def refuse(exchange: Exchange) -> bool:
        if "transfer-encoding" not in exchange.headers:
            return False
        exchange.reply(status)
        return True

    registry = UploadServer(refuse)
    with registry.server as server:
        upload_made(client, server, tmp_path / "growing")
        assert registry.blob == DATA
        assert [each.method for each in server.seen] == ["POST", "PATCH", "GET", "PATCH", "PUT"]


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
