"""What flags get that cannot be kept yet: a clear no, or a clear word and the rest done."""

import io

import pytest
from tests.engine.worlds import import_image, make_engine

from lamina.cli.context import Context
from lamina.cli.main import main


@pytest.fixture
def attempt(tmp_path):
    engine = make_engine(tmp_path)
    import_image(engine, "app")

    def attempt(*words: str) -> tuple[int, str]:
        err = io.StringIO()
        environ = {"LAMINA_ROOT": engine.settings.root, "LAMINA_RUN_ROOT": engine.settings.run_root}
        return main(
            ["create", *words, "app", "x"], Context(out=io.StringIO(), err=err, environ=environ)
        ), err.getvalue()

    return attempt


def test_a_restart_policy_that_nobody_would_keep_is_refused_by_name(attempt):
    code, err = attempt("--restart=always")
    assert code == 1
    assert "cannot be kept yet" in err
    assert "hint: leave --" in err


@pytest.mark.root
def test_published_ports_are_accepted_with_one_word_about_them(attempt):
    assert attempt("-p", "80:80", "--expose", "81", "--restart=no") == (
        0,
        "WARNING: Published ports are discarded when using host network mode\n",
    )


@pytest.mark.root
def test_port_that_would_not_be_where_it_was_asked_for_is_named(attempt):
    code, err = attempt("-p=127.0.0.1:8080:80/tcp", "-P")
    assert code == 0
    assert "the program's port 80 is the host's port 80, not 8080" in err


@pytest.mark.root
def test_container_without_a_network_publishes_nothing_and_hears_nothing(attempt):
    assert attempt("--network=none", "-p", "80") == (0, "")
