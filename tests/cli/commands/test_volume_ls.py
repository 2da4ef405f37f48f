"""`lamina volume ls` in its forms, and its filters."""

import io

import pytest
from tests.engine.worlds import make_engine

from lamina.cli.context import Context
from lamina.cli.main import main


@pytest.fixture
def ask(tmp_path):
    engine = make_engine(tmp_path)
    for name, labels in (("alpha", b'{"tier":"1"}'), ("beta", b"{}")):
        folder = f"{engine.store.disk.volumes}/{name}"
        (tmp_path / folder / "_data").mkdir(parents=True)
        document = b'{"created":"2026-01-01T00:00:00Z","labels":' + labels + b',"options":{}}'
        (tmp_path / folder / "volume.json").write_bytes(document)

    def ask(*words: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        environ = {"LAMINA_ROOT": engine.settings.root, "LAMINA_RUN_ROOT": engine.settings.run_root}
        code = main(["volume", *words], Context(out=out, err=err, environ=environ))
        return code, out.getvalue(), err.getvalue()

    return ask


def test_the_table_is_dockers(ask):
    assert ask("ls")[1] == "DRIVER    VOLUME NAME\nlocal     alpha\nlocal     beta\n"
    assert ask("ls", '--format={{.Name}}:{{.Label "tier"}}')[1] == "alpha:1\nbeta:\n"


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["name=alp"], "alpha\n"),
        (["label=tier"], "alpha\n"),
        (["label=tier=2"], ""),
        (["dangling=true"], "alpha\nbeta\n"),
        (["dangling=false"], ""),
        (["driver=cloud"], ""),
    ],
)  # fmt: skip
def test_filters_choose_what_is_listed(ask, filters, names):
    assert ask("ls", "-q", *(f"--filter={text}" for text in filters))[1] == names


def test_filters_that_do_not_exist_are_named(ask):
    code, _, err = ask("ls", "--filter=size=1")
    assert code == 1
    assert "invalid filter 'size'" in err
    assert ask("ls", "--filter=dangling=perhaps")[0] == 1


def test_the_document_has_what_inspect_has(ask):
    assert '"Mountpoint"' in ask("ls", "--json")[1]
