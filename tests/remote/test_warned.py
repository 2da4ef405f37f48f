"""What registries warn of is told, once, and as what they said."""

from pathlib import Path

import pytest
from tests.remote.crooked import CrookedServer, Exchange, client_for

from lamina.events import Event, Notice
from lamina.remote.repository import Repository
from lamina.remote.warned import warnings_of


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ('299 - "nearly full"', ("nearly full",)),
        ('299 - "a, b", 299 - "c"', ("a, b", "c")),
        ('299 hub.example "said \\"so\\""', ('said "so"',)),
        ('110 - "stale", 299 - "fresh"', ("fresh",)),
        ('299 - "twice", 299 - "twice"', ("twice",)),
        ("299 - unquoted", ()),
        ('299 - "never closed', ()),
        ('299 - ""', ()),
        ("", ()),
        (f'299 - "{"x" * 5000}"', ("x" * 300,)),
        (", ".join(f'299 - "{n}"' for n in range(50)), tuple(map(str, range(10)))),
    ],
)
def test_texts_of_code_299_are_read(header: str, texts: tuple[str, ...]) -> None:
    assert warnings_of(header) == texts


def test_each_warning_of_a_registry_is_told_once(tmp_path: Path) -> None:
    def answer(exchange: Exchange) -> None:
        body = b'{"name": "a/b", "tags": ["v1"]}'
        exchange.reply(200, body, [("Warning", '299 - "moving soon"'), ("Warning", '299 - "bye"')])

    heard: list[Event] = []
    with CrookedServer(answer) as server, client_for(tmp_path) as client:
        client.listener = heard.append
        for _ in range(2):
            assert Repository(client, server.address, "a/b").tags() == ("v1",)
        told = [each.text for each in heard if isinstance(each, Notice)]
        assert (
            client.warnings
            == told
            == [f"Warning from {server.address}: {text}" for text in ("moving soon", "bye")]
        )
