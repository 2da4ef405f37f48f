"""Who may do what: every route for everyone, compared with the tables of docs/hub/authorisation.md."""

import base64
import re
from collections.abc import Iterator, Sequence

import pytest
from tests.hub.authorisation import (
    ABSENT,
    COLUMNS,
    PRIVATE,
    Row,
    World,
    cell,
    read_table,
    route_of,
    routes,
)
from tests.hub.clients import Answer

from lamina.errors import LaminaError
from lamina.hub import Hub, HubSettings
from lamina.hub.access import ANONYMOUS, Caller
from lamina.hub.database import Connection, Cursor
from lamina.hub.registry import visible
from lamina.spec.wire import decode

ROWS, LISTS = read_table(), read_table("What lists show")
HIDDEN = [row for row in ROWS if "{private}" in row.path]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    settings = HubSettings(
        root=str(tmp_path_factory.mktemp("hub")), port=0, address_failures=10_000, shutdown_s=2.0
    )
    with Hub(settings=settings) as hub:
        yield World(hub)


def test_every_route_has_a_row_and_every_row_a_route(world):
    known = routes(world.hub)
    described = {route_of(world.hub, row.method, world.path(row, "owner")) for row in ROWS}
    missing = sorted(known - described)
    assert not missing, f"give each a row in docs/hub/authorisation.md: {missing}"
    assert described <= known


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_everyone_is_answered_as_the_table_says(world, row):
    assert {who: cell(world.ask(row, who)) for who in COLUMNS} == dict(
        zip(COLUMNS, row.cells, strict=True)
    )


@pytest.mark.parametrize("row", LISTS, ids=str)
def test_lists_show_a_private_repository_to_those_who_may_see_it(world, row):
    found = {who: PRIVATE in world.ask(row, who).text for who in COLUMNS}
    assert found == {who: text == "yes" for who, text in zip(COLUMNS, row.cells, strict=True)}


def told(answer: Answer, name: str) -> tuple[int, dict[str, str], str]:
    """What an answer tells but for its time, its own numbers, and the repository's name.

    Whether the connection is closed hangs on how much of the request was there by then.
    """
    left_out = ("date", "x-request-id", "docker-upload-uuid", "connection")

    def plain(text: str) -> str:
        return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", text.replace(name, "NAME"))

    headers = {key: plain(value) for key, value in answer.headers.items() if key not in left_out}
    return answer.status, headers, re.sub(r'"request_id":"[^"]*"', "", plain(answer.text))


def granted(answer: Answer, name: str) -> object:
    """What a short token allows, with the repository's name taken out."""
    middle = str(answer.json["token"]).split(".")[1]
    claims = decode(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return [{**each, "name": str(each["name"]).replace(name, "NAME")} for each in claims["access"]]


@pytest.mark.parametrize("who", ["anonymous", "stranger"])
@pytest.mark.parametrize("row", HIDDEN, ids=str)
def test_a_private_repository_is_answered_as_if_it_were_not_there(world, row, who):
    there, absent = (world.ask(row, who, private=name) for name in (PRIVATE, ABSENT))
    if row.path.startswith("/token"):
        assert granted(there, PRIVATE) == granted(absent, ABSENT)
        return
    assert told(there, PRIVATE) == told(absent, ABSENT)


class Recorder:
    """A connection that keeps the statements it is sent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.statements: list[str] = []

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Cursor:
        self.statements.append(sql)
        return self._connection.execute(sql, parameters)

    def executemany(self, sql: str, rows: Sequence[Sequence[object]], /) -> object:
        raise AssertionError(sql)


@pytest.mark.parametrize("action", ["pull", "push", "delete"])
@pytest.mark.parametrize("caller", [ANONYMOUS, Caller("sam")], ids=["anonymous", "stranger"])
def test_as_much_is_asked_of_the_database_for_a_private_repository_as_for_none(
    world, caller, action
):
    def work(connection: Connection) -> list[list[str]]:
        found = []
        for name in (PRIVATE, ABSENT):
            recorder = Recorder(connection)
            with pytest.raises(LaminaError):
                visible(recorder, caller, name, action)
            found.append(recorder.statements)
        return found

    private, absent = world.hub.services.database.read(work)
    assert private == absent


def test_a_row_of_the_table_is_read_as_it_stands():
    assert Row("GET", "/v2/", ("401", *["200"] * 5, "401", "200", "200")) in ROWS
