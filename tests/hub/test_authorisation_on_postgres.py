"""What only reads, and what is refused, is answered on PostgreSQL as the table says, too."""

from collections.abc import Iterator

import pytest
from tests.hub.authorisation import COLUMNS, PRIVATE, World, cell, read_table
from tests.postgres import PostgresServer

from lamina.hub import Hub, HubSettings

ROWS = [
    row for row in read_table() if row.method in ("GET", "HEAD") and len(set(row.cells)) > 1
]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    with PostgresServer() as server:
        settings = HubSettings(
            root=str(tmp_path_factory.mktemp("hub")),
            database=server.make_database(),
            port=0,
            address_failures=10_000,
            shutdown_s=2.0,
        )
        with Hub(settings=settings) as hub:
            yield World(hub)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_everyone_is_answered_as_the_table_says(world, row):
    assert {who: cell(world.ask(row, who)) for who in COLUMNS} == dict(
        zip(COLUMNS, row.cells, strict=True)
    )


@pytest.mark.parametrize("row", read_table("What lists show"), ids=str)
def test_lists_show_a_private_repository_to_those_who_may_see_it(world, row):
    found = {who: PRIVATE in world.ask(row, who).text for who in COLUMNS}
    assert found == {who: text == "yes" for who, text in zip(COLUMNS, row.cells, strict=True)}
