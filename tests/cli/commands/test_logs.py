from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("logs")) as lamina:
        yield lamina


def test_both_streams_come_back_where_they_belong(lamina: Lamina):
    script = "echo one; echo two >&2; until [ -e /go ]; do sleep 0.05; done; echo three"
    lamina("run", "-d", "--name", "ll", "tiny", "sh", "-c", script)

    def seen() -> tuple[str, str]:
        outcome = lamina.attempt("logs", "ll")
        return outcome.out, outcome.err

    assert eventually(lambda: seen() == ("one\n", "two\n"))
    lamina("exec", "ll", "touch", "/go")
    lamina("wait", "ll")
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


@pytest.mark.parametrize("name", ["since", "until"])
def test_what_is_no_time_is_refused_in_dockers_words(lamina: Lamina, name: str):
    wrong = lamina.attempt("logs", f"--{name}", "yesterday", "none")
    assert wrong.code == 1
    words = f'invalid value for "{name}": failed to parse value as time or duration: "yesterday"'
    assert words in wrong.err


def test_details_are_labels_variables_and_the_tag_written_as_a_query(lamina: Lamina):
    lamina(
        *("run", "--name", "dd", "-l", "x=y z", "-e", "FOO=bar"),
        *("--log-opt", "labels=x", "--log-opt", "env=FOO", "--log-opt", "tag={{.Name}}/{{.ImageName}}"),
        *("tiny", "echo", "hi"),
    )  # fmt: skip
    assert lamina("logs", "--details", "dd") == "FOO=bar,tag=dd%2Ftiny,x=y+z hi\n"
    assert lamina("logs", "dd") == "hi\n"
    lamina("rm", "dd")


def test_a_container_that_floods_its_log_stays_within_bounds_and_is_read_to_its_end(lamina: Lamina):
    lamina(
        *("run", "-d", "--name", "flood", "--log-opt", "max-size=300k", "--log-opt", "max-file=3"),
        *("--log-opt", "compress=true", "tiny", "sh", "-c", "seq 1 40000"),
    )  # fmt: skip
    lamina("wait", "flood")
    lines = lamina("logs", "flood").split()
    assert lines == [str(n) for n in range(40001 - len(lines), 40001)]
    assert len(lines) > 4000
    assert lamina("logs", "--tail", "4000", "flood").split() == lines[-4000:]
    (folder,) = Path(lamina.settings.root, "containers").glob("*/log.1.gz")
    assert sum(path.stat().st_size for path in folder.parent.glob("log*")) < 900_000
    lamina("rm", "flood")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--log-driver", "odd"), "logger: no log driver named 'odd' is registered"),
        (("--log-opt", "odd=1"), "unknown log opt 'odd' for json-file log driver"),
        (("--log-driver", "none", "--log-opt", "tag=x"), "invalid logging opts for driver none"),
    ],
)
def test_log_options_that_cannot_be_are_refused_before_anything_is_made(
    lamina: Lamina, words: tuple[str, ...], said: str
):
    wrong = lamina.attempt("run", *words, "tiny", "true")
    assert wrong.code == 125
    assert said in wrong.err
    assert lamina("ps", "-aq") == ""
