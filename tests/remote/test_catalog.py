"""The list of repositories is read to its end, however it is cut into pages."""

import pytest
from tests.remote.crooked import CrookedServer, Exchange

from lamina.errors import LaminaError
from lamina.remote.catalog import catalog
from lamina.remote.client import Client


def test_pages_are_followed_and_a_loop_ends(client: Client) -> None:
    pages = {"": (b'["a", "b"]', "a"), "a": (b'["c"]', "b"), "b": (b"null", "a")}

    def answer(exchange: Exchange) -> None:
        rows, following = pages[exchange.query.get("last", [""])[0]]
        link = f'</v2/_catalog?last={following}>; rel="next"'
        exchange.reply(200, b'{"repositories": %s}' % rows, {"Link": link})

    with CrookedServer(answer) as server:
        assert list(catalog(client, server.address)) == ["a", "b", "c"]


@pytest.mark.parametrize(("status", "body"), [(404, b""), (200, b"<html>"), (503, b"")])
def test_what_is_no_catalog_is_an_error(client: Client, status: int, body: bytes) -> None:
    server = CrookedServer(lambda exchange: exchange.reply(status, body))
    with server, pytest.raises(LaminaError):
        list(catalog(client, server.address))
