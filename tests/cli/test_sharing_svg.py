"""The picture of shared layers as SVG."""

from xml.etree import ElementTree as ET

from tests.cli.test_sharing_columns import forest, image, part

from lamina.cli.sharing_svg import svg
from lamina.engine.sharing import Sharing, Standing

SVG = "{http://www.w3.org/2000/svg}"


def rows_of(root: ET.Element, kind: str) -> list[ET.Element]:
    return [one for one in root.iter(f"{SVG}rect") if (one.get("class") or "").split()[0] == kind]


def test_each_image_has_a_bar_under_each_part_it_needs():
    root = ET.fromstring(svg(forest(4)))
    assert len(rows_of(root, "t0")) == 4
    assert len(rows_of(root, "t1")) == len(rows_of(root, "t2")) == 2
    assert len(rows_of(root, "own")) == 3, "app0 has nothing alone"
    title = rows_of(root, "t1")[0].find(f"{SVG}title")
    assert title is not None
    assert title.text == (
        "part B: 1 layers, 1kB, once for 2 images; removing all of these frees 1.02kB"
    )


def test_hundreds_of_images_and_parts_stay_inside_the_picture():
    root = ET.fromstring(svg(forest(400)))
    width, height = (float(root.get(side) or 0) for side in ("width", "height"))
    for one in root.iter(f"{SVG}rect"):
        left, top = float(one.get("x") or 0), float(one.get("y") or 0)
        assert left + float(one.get("width") or 0) <= width
        assert top + float(one.get("height") or 0) <= height
    assert len(rows_of(root, "t0")) >= 400


def test_names_cannot_leave_their_text_and_control_characters_are_none():
    evil = '<script>alert("1")</script>\x1b[2J\x00'
    images = (image(evil), image("b:1"))
    standing = (Standing("0" * 64, evil, images[0].id, 5, running=False),)
    text = svg(Sharing(images, (part(0, 1, size=9),), standing, alone=1, size=1, held=0))
    root = ET.fromstring(text)
    assert not list(root.iter(f"{SVG}script"))
    assert "\x1b" not in text
    assert len(rows_of(root, "box")) == 1
    assert "<script" not in text
