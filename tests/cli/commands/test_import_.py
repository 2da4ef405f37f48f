"""`lamina import` makes an image of a tar."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.images import Piece, tar

TREE = tar([Piece("etc/", directory=True), Piece("etc/motd", b"hello\n")])


def test_the_id_is_printed_and_changes_are_applied(lamina: Lamina):
    words = ("-m", "first", "-c", 'CMD ["sh"]', "--change=ENV A=1", "-", "base:1")
    image_id = lamina("import", *words, stdin=TREE).strip()
    assert image_id.startswith("sha256:")
    form = "{{.Id}} {{.Comment}} {{.Config.Cmd}} {{.Config.Env}}"
    assert lamina("image", "inspect", "-f", form, "base:1") == f"{image_id} first [sh] [A=1]\n"


def test_a_file_is_read_and_its_path_stays_out_of_the_history(lamina: Lamina, tmp_path: Path):
    (tmp_path / "root.tar").write_bytes(TREE)
    image_id = lamina("import", str(tmp_path / "root.tar")).strip()
    comment = lamina("history", "--format", "{{.Comment}}", image_id)
    assert comment == "Imported from -\n"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "root.tar").write_bytes(TREE)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    serve = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_url_is_fetched(lamina: Lamina, url: str):
    assert lamina("import", f"{url}/root.tar", "net:1").startswith("sha256:")
    outcome = lamina.attempt("import", f"{url}/nosuch")
    assert outcome.code == 1
    assert outcome.err.startswith(f"lamina: {url}/nosuch: 404")


def test_a_missing_file_is_told(lamina: Lamina, tmp_path: Path):
    outcome = lamina.attempt("import", str(tmp_path / "nosuch"))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"lamina: open {tmp_path}/nosuch: no such file or directory\n"
