from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("create")) as lamina:
        yield lamina


def test_a_created_container_has_not_run_and_starts_later(lamina: Lamina):
    container = lamina("create", "--name", "later", "tiny", "echo", "ran").strip()
    assert len(container) == 64
    assert "Created" in lamina("ps", "-a")
    assert lamina("logs", "later") == ""
    assert lamina("start", "-a", "later") == "ran\n"
    lamina("rm", "later")


def test_a_missing_image_is_an_error_and_leaves_nothing(lamina: Lamina):
    outcome = lamina.attempt("create", "--pull", "never", "nosuch")
    assert (outcome.code, lamina("ps", "-aq")) == (1, "")
    assert "No such image: nosuch:latest" in outcome.err


def test_an_image_for_another_machine_is_not_taken_for_the_one_asked_for(lamina: Lamina):
    other = "linux/s390x"
    outcome = lamina.attempt("create", "--pull", "never", "--platform", other, "tiny")
    assert outcome.code == 1
    assert f"does not provide the specified platform ({other})" in outcome.err
    own = lamina("info", "-f", "{{.Architecture}}").strip()
    lamina("create", "--pull", "never", "--platform", f"linux/{own}", "--name", "own", "tiny")
    lamina("rm", "own")
    assert "invalid platform" in lamina.attempt("create", "--platform", "a/b/c/d", "tiny").err


def test_the_file_for_the_id_is_there_before_the_container_and_gone_with_a_failure(
    lamina: Lamina, tmp_path
):
    path = tmp_path / "cid"
    missing = lamina.attempt("create", "--cidfile", f"{tmp_path}/none/cid", "tiny")
    assert "failed to create the container ID file" in missing.err
    assert lamina("ps", "-aq") == ""
    assert lamina.attempt("create", "--cidfile", str(path), "--pull", "never", "nosuch").code == 1
    assert not path.exists()
    container = lamina("create", "--cidfile", str(path), "tiny").strip()
    assert path.read_text() == container
    assert "container ID file found" in lamina.attempt("create", "--cidfile", str(path), "tiny").err
    lamina("rm", container)
