"""`lamina commit` prints the new image's ID; the layer is seen by history and layers."""

import pytest
from tests.commands import Lamina
from tests.images import tiny

pytestmark = pytest.mark.root


@pytest.fixture
def changed(lamina: Lamina) -> str:
    """A stopped container that wrote a file."""
    lamina("import", "-", "tiny:1", stdin=tiny())
    lamina("run", "--name", "c1", "tiny:1", "/bin/sh", "-c", "echo 1234567 > /new")
    return "c1"


def test_a_commit_is_one_new_layer_with_message_and_author(lamina: Lamina, changed: str):
    image_id = lamina("commit", "-m=added", "-a", "me", "-c", "ENV A=1", changed, "mine:1").strip()
    assert len(image_id) == len("sha256:") + 64
    history = lamina("history", "--format", "{{.ID}} {{.Size}} {{.Comment}}", "mine:1")
    assert history.splitlines()[0] == f"{image_id[7:19]} 8B added"
    form = "{{.Author}} {{.Comment}} {{len .RootFS.Layers}} {{.Config.Env}}"
    assert lamina("inspect", "-f", form, "mine:1") == "me added 2 [A=1]\n"
    picture = lamina("layers", "mine:1")
    assert "  by me" in picture
    assert "shared with: tiny:1" in picture


def test_a_commit_without_a_name_is_an_image_without_one(lamina: Lamina, changed: str):
    image_id = lamina("commit", "--pause=false", changed).strip()
    assert image_id in lamina("images", "-q", "--no-trunc")
    assert lamina.attempt("commit", "nosuch").err.startswith("lamina: No such container: nosuch")


def test_the_layers_of_a_container_have_its_own_on_top(lamina: Lamina, changed: str):
    picture = lamina("layers", changed)
    assert "╎ container layer of c1 " in picture
    assert "from tiny:1" in picture


def test_inspect_with_size_adds_up_the_containers_files(lamina: Lamina, changed: str):
    assert lamina("inspect", "-s", "-f", "{{.SizeRw}} {{.Name}}", changed) == "8 /c1\n"
    own, everything = lamina(
        "container", "inspect", "-s", "-f", "{{.SizeRw}} {{.SizeRootFs}}", changed
    ).split()
    assert int(everything) > int(own)


def test_the_layer_is_packed_as_asked(lamina: Lamina, changed: str):
    for words, kind in (
        (("--compression-format", "zstd", "--compression-level=19"), "zstd"),
        (("--compression=none",), "tar"),
        (("--compression-level", "9"), "gzip"),
    ):
        done = lamina.attempt("commit", "-q", *words, changed, f"made:{kind}")
        assert (done.code, done.err, len(done.lines)) == (0, "", 1)
        assert lamina("run", "--rm", f"made:{kind}", "/bin/sh", "-c", "cat /new") == "1234567\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--compression-format=lz4"], 'invalid argument "lz4" for "--compression-format" flag'),
        (["--compression="], 'invalid argument "" for "--compression" flag'),
        (["--compression-level=10"], 'invalid argument "10" for "--compression-level" flag'),
        (["--compression-level", "x"], 'invalid argument "x" for "--compression-level" flag'),
        (["--compression=none", "--compression-level=1"], "compression none has no levels"),
    ],
)
def test_a_compression_that_is_not_there_is_refused(lamina: Lamina, words: list[str], said: str):
    outcome = lamina.attempt("commit", *words, "any")
    assert outcome.code == 125
    assert outcome.out == ""
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_what_is_left_out_is_said_on_stderr_alone(lamina: Lamina):
    lamina("import", "-", "tiny:1", stdin=tiny())
    lamina("run", "--name", "c1", "tiny:1", "/bin/sh", "-c", "echo x > /.wh.x")
    done = lamina.attempt("commit", "-q", "c1")
    assert done.out.startswith("sha256:")
    assert done.err == "WARNING: left out '.wh.x': a name that would be taken for a whiteout\n"
