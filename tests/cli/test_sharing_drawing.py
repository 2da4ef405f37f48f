"""The picture of shared layers in a terminal."""

import re

import pytest
from tests.cli.test_sharing_columns import forest, image, part

from lamina.cli.sharing_drawing import draw_sharing
from lamina.cli.stack_drawing import columns_of
from lamina.engine.sharing import Sharing, Standing

SMALL = """\
4 images of 5 layers take 10MB on the disk; without sharing 90MB

        █ ▁ ▁
IMAGE   A B C      SIZE    FREES
app0:1  █ █ ·      100B       0B
app1:1  █ █ ·      100B      1kB
app2:1  █ · █      100B      2kB
app3:1  █ · █      100B      3kB

SHARED  LAYERS  ON DISK ONCE  IMAGES  REMOVING ALL OF THEM FREES
A       1       9MB           4       9MB
B       1       1kB           2       1.02kB
C       1       3kB           2       3.02kB
"""


def drawn(sharing: Sharing, width: int = 80, *, unicode: bool = True, colour: bool = False) -> str:
    return draw_sharing(sharing, width=width, unicode=unicode, colour=colour)


def test_a_row_for_each_image_and_a_column_for_each_part_that_some_share():
    assert drawn(forest(4)) == SMALL


@pytest.mark.parametrize("count", [1, 2, 17, 120, 300])
@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_picture_fits_however_many_images_there_are(count: int, width: int):
    text = drawn(forest(count), width)
    picture = text.split("\n\nSHARED")[0].split("\n\n", 1)[1]
    assert max(columns_of(line) for line in picture.splitlines()) <= width
    rows = [line for line in picture.splitlines() if line.startswith("app")]
    assert len(rows) == count
    heads = [line for line in picture.splitlines() if line.startswith("IMAGE")]
    assert "A" in heads[0] or count == 1


def test_without_unicode_everything_is_ascii_and_without_colour_nothing_escapes():
    text = drawn(forest(4), unicode=False)
    assert text.isascii()
    assert "app0:1  # # ." in text
    assert "\x1b" not in text


def test_colours_change_nothing_of_the_layout():
    plain = re.sub(r"\x1b\[\d+m", "", drawn(forest(30), colour=True))
    assert [line.rstrip() for line in plain.splitlines()] == drawn(forest(30)).splitlines()


def test_what_stays_is_drawn_lighter_and_said_so():
    text = drawn(forest(4, held=True))
    assert "app0:1  ▒ █ ·" in text
    assert "; this part stays" in text


def test_a_long_name_loses_its_middle_and_containers_are_below():
    long = "registry.example.com:5000/a/very/long/way/to/the/service:v1.2.3"
    images = (image(long, containers=1), image("b:1"))
    standing = (Standing("0" * 64, "one", images[0].id, 1234, running=True),
                Standing("1" * 64, "two", "gone", 0, running=False))  # fmt: skip
    text = drawn(Sharing(images, (part(0, 1, size=500),), standing, alone=1, size=1, held=0))
    assert re.search(r"^registry.example.\S+…\S+service:v1.2.3  █ .* 1$", text, re.MULTILINE)
    tail = text.splitlines()[-3:]
    assert tail[0].split() == ["CONTAINER", "STANDS", "ON", "WRITTEN", "STATE"]
    assert re.fullmatch(r"one +registry\S+…\S+v1.2.3 +1.23kB +running", tail[1])
    assert re.fullmatch(r"two +an image that was removed +0B +stopped", tail[2])


def test_nothing_to_share_is_said():
    alone = Sharing((image("a:1"), image("b:1")), (part(0, size=5),), (), alone=1, size=1, held=0)
    assert drawn(alone).endswith("\nNo two of them share a layer.\n")
    assert drawn(Sharing((), (), (), alone=0, size=0, held=0)) == "No images.\n"
