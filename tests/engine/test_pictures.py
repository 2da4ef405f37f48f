"""Images as notebooks show them."""

import io

from tests.archives import archive
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.engine.local import LocalImage
from lamina.engine.study import studied
from lamina.files.image import open_image
from lamina.values import replace

LOW = tar([Piece("a/", directory=True), Piece("a/one", b"1" * 3000), Piece("a/two", b"2" * 5000)])
HIGH = tar([Piece("a/.wh.one")])


def loaded(engine: Engine) -> LocalImage:
    engine.images.load(io.BytesIO(archive("it:1", layers=(LOW, HIGH))))
    return engine.images.resolve("it:1")


def test_an_image_is_drawn_with_its_stack_sizes_and_what_is_hidden(engine: Engine):
    drawn = loaded(engine)._repr_html_()
    assert "<b>it:1</b> · linux/amd64 · 8kB in 2 layers · efficiency 0.625 · 3kB hidden" in drawn
    assert "ADD file:12 in /" in drawn
    assert "RUN initialise" in drawn
    assert "3kB wasted" in drawn


def test_what_cannot_be_read_is_left_out_and_nothing_is_raised(engine: Engine):
    image = loaded(engine)
    with open(engine.layers.path(image.config.diff_ids[:1]), "r+b") as file:
        file.truncate(100)
    drawn = image._repr_html_()
    assert "8kB in 2 layers</p>" in drawn
    assert "efficiency" not in drawn
    engine.images.remove("it:1", now=True)
    assert "8kB in 2 layers</p>" in image._repr_html_()
    blobs_alone = replace(image, layer_sizes=(), names=())._repr_html_()
    assert f"<b>{image.id.short}</b> · linux/amd64 · compressed · " in blobs_alone


def test_an_exploration_is_drawn_with_its_packages_and_secrets(engine: Engine):
    layers = (LOW, tar([Piece("srv/.env", b"API_TOKEN=abcdefgh12345678\n")]))
    engine.images.load(io.BytesIO(archive("odd", layers=layers)))
    with studied(engine, "odd") as study:
        drawn = study.explore()._repr_html_()
    assert (
        "<b>odd</b> · linux/amd64 · 0 packages · secrets: 1 · 8.03kB in 2 layers · efficiency 1.000</p>"
        in drawn
    )
    assert "<a" not in drawn


def test_an_open_image_is_drawn_alike_while_it_is_here(engine: Engine):
    image = loaded(engine)
    with open_image("it:1", engine=engine) as opened:
        assert opened._repr_html_() == image._repr_html_()
        engine.images.remove("it:1", now=True)
        assert opened._repr_html_() is None
