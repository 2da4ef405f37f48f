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
