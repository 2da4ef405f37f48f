from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world

from lamina.cli.commands.logs import moment
from lamina.cli.flags import FlagInvalid


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("logs")) as lamina:
        yield lamina


def test_both_streams_come_back_where_they_belong(lamina: Lamina):
    lamina(
        "run", "--name", "ll", "tiny", "sh", "-c", "echo one; echo two >&2; sleep 0.3; echo three"
    )
    outcome = lamina.attempt("logs", "ll")
    assert (outcome.out, outcome.err) == ("one\nthree\n", "two\n")
    assert lamina("logs", "--tail", "1", "ll") == "three\n"
    assert lamina("logs", "-n", "0", "ll") == ""
    stamp = lamina("logs", "-t", "--tail", "1", "ll").split()[0]
    assert stamp.endswith("Z")
    assert lamina("logs", "--since", "2099-01-01", "ll") == ""
    assert lamina("logs", "--since", "10m", "--until", stamp, "ll").startswith("one")
    assert lamina("logs", "-f", "ll") == "one\nthree\n"
    assert lamina.attempt("logs", "--tail", "x", "ll").code == 125
    lamina("rm", "ll")


def test_following_shows_what_comes_until_the_end(lamina: Lamina):
    lamina("run", "-d", "--name", "ff", "tiny", "sh", "-c", "echo a; sleep 0.5; echo b")
    assert lamina("logs", "-f", "ff") == "a\nb\n"
    lamina("rm", "ff")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        ("1m", "2023-11-14T22:12:20.000000000Z"),
        ("1700000000", "2023-11-14T22:13:20.000000000Z"),
        ("2024-01-02", "2024-01-02T00:00:00.000000000Z"),
        ("2024-01-02T03:04", "2024-01-02T03:04:00.000000000Z"),
        ("2024-01-02T03:04:05+01:00", "2024-01-02T02:04:05.000000000Z"),
    ],
)
def test_moments_are_times_or_how_long_ago(text: str, said: str):
    assert moment(text, 1_700_000_000) == said


def test_what_is_no_moment_is_refused():
    with pytest.raises(FlagInvalid):
        moment("yesterday", 0)
